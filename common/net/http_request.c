#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/net/http_server_priv.h"

struct cw_http_request *http_request_new(struct cw_http_server *server,
                                         struct MHD_Connection *connection, const char *target)
{
    struct cw_http_request *request = cw_mem_new(sizeof *request);
    request->server = server;
    atomic_fetch_add(&server->refs, 1);
    request->connection = connection;
    request->place =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    http_place_enter(&server->places, request->place, PLACE_STARTING);
    request->arena = cw_arena_new();
    request->target = cw_arena_dup(request->arena, cw_str_of(target));
    request->begin_mono_ns = cw_clock_mono_ns();
    request->refs = 1;
    request->watch = -1;
    pthread_mutex_init(&request->lock, NULL);
    pthread_cond_init(&request->room, NULL);
    cw_buf_init(&request->body, 0);
    cw_buf_init(&request->out, HTTP_STREAM_BYTES);
    return request;
}

static void request_done(struct cw_http_request *request)
{
    struct cw_http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    if (request->listed)
        http_server_unlist(request);
    if (server->requests == NULL)
        pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

bool http_body_fits(const struct cw_http_request *request, uint64_t bytes, struct cw_err *err)
{
    const struct cw_http_server_options *options = &request->server->options;
    size_t most = options->body_budget_bytes;
    if (most == 0 || bytes <= most)
        return true;
    cw_err_set(err, CW_E_TOO_LARGE,
               "the request body is larger than %zu bytes, which is all the memory for bodies%s%s",
               most, options->body_budget_name != NULL ? ": " : "",
               options->body_budget_name != NULL ? options->body_budget_name : "");
    return false;
}

int http_body_take(struct cw_http_request *request, size_t bytes, struct cw_err *err)
{
    struct cw_http_server *server = request->server;
    size_t most = server->options.body_budget_bytes;
    size_t all = atomic_fetch_add(&server->body_bytes, bytes) + bytes;
    int rc = 0;
    if (!http_body_fits(request, request->body_counted + bytes, err))
        rc = CW_E_TOO_LARGE;
    else if (most > 0 && all > most)
        rc =
            cw_err_set(err, CW_E_OVERLOAD, "too many request bodies at once: out of memory budget");
    else
        rc = cw_memory_take(server->options.memory, CW_MEMORY_PUSHES, bytes, err);
    if (rc < 0)
        atomic_fetch_sub(&server->body_bytes, bytes);
    else
        request->body_counted += bytes;
    return rc;
}

void http_body_give(struct cw_http_request *request)
{
    atomic_fetch_sub(&request->server->body_bytes, request->body_counted);
    cw_memory_give(request->server->options.memory, CW_MEMORY_PUSHES, request->body_counted);
    request->body_counted = 0;
}

void http_request_detach(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    int watch = request->watch;
    request->watch = -1;
    request->connection = NULL;
    pthread_cond_broadcast(&request->room);
    pthread_mutex_unlock(&request->lock);
    cw_disconnect_unwatch(request->server->disconnect, watch);
}

void http_request_release(struct cw_http_request *request)
{
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    http_body_give(request);
    cw_buf_fini(&request->body);
    cw_buf_fini(&request->out);
    cw_arena_free(&request->arena);
    request_done(request);
    http_server_unref(request->server);
}

void http_request_free(struct cw_http_request *request)
{
    pthread_mutex_destroy(&request->lock);
    pthread_cond_destroy(&request->room);
    free(request);
}

void http_request_unref(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    unsigned left = --request->refs;
    pthread_mutex_unlock(&request->lock);
    if (left > 0)
        return;
    http_request_release(request);
    http_request_free(request);
}

bool http_request_claim(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    bool mine = !request->claimed;
    request->claimed = true;
    pthread_mutex_unlock(&request->lock);
    return mine;
}

static void on_left(void *arg)
{
    http_request_cancel(arg);
}

void http_request_cancel(struct cw_http_request *request)
{
    atomic_store(&request->cancelled, true);
    pthread_mutex_lock(&request->lock);
    pthread_cond_broadcast(&request->room);
    pthread_mutex_unlock(&request->lock);
}

void http_request_watch(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    /* Once it is answered the connection may be gone, and the server too. */
    if (request->watch < 0 && request->connection != NULL && request->phase < HTTP_ANSWERED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL)
            request->watch = cw_disconnect_watch(request->server->disconnect, info->connect_fd,
                                                 on_left, request);
    }
    pthread_mutex_unlock(&request->lock);
}

enum cw_http_method cw_http_method(const struct cw_http_request *request)
{
    return request->method;
}

struct cw_str cw_http_path(const struct cw_http_request *request)
{
    return request->path;
}

const struct cw_http_route *cw_http_route(const struct cw_http_request *request)
{
    return request->match.route;
}

struct cw_str cw_http_path_param(const struct cw_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->match.nparams; i++) {
        if (cw_str_eqz(request->match.params[i].name, name))
            return request->match.params[i].value;
    }
    return CW_STR_NONE;
}

struct cw_str cw_http_param(const struct cw_http_request *request, const char *name)
{
    struct cw_str value = CW_STR_NONE;
    cw_http_param_at(request, name, 0, &value);
    return value;
}

bool cw_http_has_param(const struct cw_http_request *request, const char *name)
{
    struct cw_str value;
    return cw_http_param_at(request, name, 0, &value);
}

bool cw_http_param_at(const struct cw_http_request *request, const char *name, size_t i,
                      struct cw_str *out)
{
    return cw_http_params_at(&request->params, name, i, out);
}

struct cw_str cw_http_header(const struct cw_http_request *request, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (request->connection == NULL ||
        MHD_lookup_connection_value_n(request->connection, MHD_HEADER_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES ||
        value == NULL)
        return CW_STR_NONE;
    return cw_str_make(value, len);
}

struct cw_str cw_http_body(const struct cw_http_request *request)
{
    return cw_buf_str(&request->body);
}

struct cw_arena *cw_http_arena(struct cw_http_request *request)
{
    return request->arena;
}

const atomic_bool *cw_http_cancelled(struct cw_http_request *request)
{
    http_request_watch(request);
    return &request->cancelled;
}

void cw_http_set_header(struct cw_http_request *request, const char *name, const char *value)
{
    struct http_header *header = CW_ARENA_NEW(request->arena, struct http_header);
    header->name = cw_arena_dup(request->arena, cw_str_of(name)).ptr;
    header->value = cw_arena_dup(request->arena, cw_str_of(value)).ptr;
    header->next = request->headers;
    request->headers = header;
}
