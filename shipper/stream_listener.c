#include "shipper/stream_listener.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/net/http_listen.h"

enum { BACKLOG = 128 };

struct cw_stream_listener {
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    bool local; /* a Unix socket */
    bool closed, closing;
    bool waiting; /* a connection that is not accepted yet, for there are too many */
    struct cw_stream_reader_options options; /* of who opened it */
    struct cw_stream_reader *readers;
    unsigned nreaders;
    char address[CW_HTTP_ADDRESS_BYTES + sizeof(struct sockaddr_un)];
    char *socket_path; /* removed at the end; NULL: none */
};

static void free_if_closed(struct cw_stream_listener *listener)
{
    if (!listener->closed || listener->nreaders > 0)
        return;
    free(listener->socket_path);
    free(listener);
}

/* ---- connections ---- */

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    const struct cw_stream_listener *listener = arg;
    return listener->options.on_bytes(listener->options.arg, reader, bytes, more);
}

static void on_opened(void *arg, struct cw_stream_reader *reader)
{
    const struct cw_stream_listener *listener = arg;
    if (listener->options.on_opened != NULL)
        listener->options.on_opened(listener->options.arg, reader);
}

static bool room(void *arg)
{
    const struct cw_stream_listener *listener = arg;
    return listener->options.room(listener->options.arg);
}

static void connection_take(struct cw_stream_listener *listener);

static void on_reader_closed(void *arg, struct cw_stream_reader *reader)
{
    struct cw_stream_listener *listener = arg;
    struct cw_stream_reader **at = &listener->readers;
    while (*at != reader)
        at = &(*at)->next;
    *at = reader->next;
    listener->nreaders--;
    if (listener->options.names != NULL)
        cw_peer_names_forget(listener->options.names, reader);
    if (listener->options.on_closed != NULL)
        listener->options.on_closed(listener->options.arg, reader);
    if (listener->waiting && !listener->closing)
        connection_take(listener);
    free_if_closed(listener);
}

static void peer_address(struct cw_stream_reader *reader)
{
    struct sockaddr_storage address;
    int len = sizeof address;
    if (uv_tcp_getpeername(&reader->handle.tcp, (struct sockaddr *)&address, &len) == 0)
        (void)uv_ip_name((struct sockaddr *)&address, reader->peer, sizeof reader->peer);
    if (strncmp(reader->peer, "::ffff:", 7) == 0 && strchr(reader->peer, '.') != NULL)
        memmove(reader->peer, reader->peer + 7, strlen(reader->peer + 7) + 1); /* IPv4 */
}

static void on_peer_name(void *arg, const char *name)
{
    struct cw_stream_reader *reader = arg;
    if (reader->closing)
        return;
    reader->peer_name = cw_str_dupz(cw_str_of(name));
    if (cw_stream_reader_start(reader) < 0)
        cw_stream_reader_close(reader);
}

static void reader_begin(struct cw_stream_listener *listener, struct cw_stream_reader *reader)
{
    struct cw_peer_names *names = listener->options.names;
    const char *name = names ? cw_peer_names_ask(names, reader->peer, on_peer_name, reader) : "";
    if (name != NULL)
        on_peer_name(reader, name);
}

static void connection_take(struct cw_stream_listener *listener)
{
    listener->waiting = listener->nreaders >= CW_STREAM_CONNECTIONS_MAX;
    if (listener->waiting)
        return;
    struct cw_stream_reader_options options = listener->options;
    options.on_bytes = on_bytes;
    options.on_opened = on_opened;
    options.room = room;
    options.on_closed = on_reader_closed;
    options.arg = listener;
    struct cw_stream_reader *reader = cw_stream_reader_new(&options);
    uv_loop_t *loop = listener->handle.stream.loop;
    if (listener->local)
        uv_pipe_init(loop, &reader->handle.pipe, 0);
    else
        uv_tcp_init(loop, &reader->handle.tcp);
    reader->next = listener->readers;
    listener->readers = reader;
    listener->nreaders++;
    int rc = uv_accept(&listener->handle.stream, &reader->handle.stream);
    if (rc == 0 && !listener->local)
        peer_address(reader);
    if (rc < 0)
        cw_stream_reader_close(reader);
    else
        reader_begin(listener, reader);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct cw_stream_listener *listener = server->data;
    if (status < 0)
        cw_log_warn("%s: %s", listener->address, uv_strerror(status));
    else
        connection_take(listener);
}

/* ---- the socket ---- */

/* A program that was killed leaves its socket behind. */
static void stale_remove(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
}

/* libuv says of a folder that is missing that it may not be written. */
static bool folder_missing(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    *slash = '\0';
    return access(slash == folder ? "/" : folder, F_OK) < 0 && errno == ENOENT;
}

static int local_bind(struct cw_stream_listener *listener, const char *path, struct cw_err *err)
{
    struct sockaddr_un address;
    if (strlen(path) >= sizeof address.sun_path)
        return cw_err_set(err, CW_E_INVALID, "the path of a socket has at most %zu bytes: %s",
                          sizeof address.sun_path - 1, path);
    stale_remove(path);
    int rc = uv_pipe_bind(&listener->handle.pipe, path);
    if (rc == UV_EACCES && folder_missing(path))
        rc = UV_ENOENT;
    if (rc < 0)
        return cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", path, uv_strerror(rc));
    listener->socket_path = cw_str_dupz(cw_str_of(path));
    snprintf(listener->address, sizeof listener->address, "unix:%s", path);
    return 0;
}

static int tcp_bind(struct cw_stream_listener *listener, const char *address, struct cw_err *err)
{
    struct cw_http_listen bound;
    int rc = cw_http_listen_open(address, &bound, err);
    if (rc < 0)
        return rc;
    snprintf(listener->address, sizeof listener->address, "%s", bound.address);
    rc = uv_tcp_open(&listener->handle.tcp, bound.fd);
    if (rc == 0)
        return 0;
    close(bound.fd);
    return cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", address, uv_strerror(rc));
}

int cw_stream_listener_open(uv_loop_t *loop, const char *address,
                            const struct cw_stream_reader_options *options,
                            struct cw_stream_listener **out, struct cw_err *err)
{
    struct cw_stream_listener *listener = cw_mem_new(sizeof *listener);
    listener->options = *options;
    listener->local = strncmp(address, "unix:", 5) == 0;
    int rc;
    if (listener->local) {
        uv_pipe_init(loop, &listener->handle.pipe, 0);
        rc = local_bind(listener, address + 5, err);
    } else {
        uv_tcp_init(loop, &listener->handle.tcp);
        rc = tcp_bind(listener, address, err);
    }
    listener->handle.stream.data = listener;
    if (rc == 0) {
        int uv = uv_listen(&listener->handle.stream, BACKLOG, on_connection);
        if (uv < 0)
            rc = cw_err_set(err, CW_E_UNAVAILABLE, "listen on %s: %s", address, uv_strerror(uv));
    }
    if (rc < 0)
        cw_stream_listener_close(&listener);
    *out = listener;
    return rc;
}

const char *cw_stream_listener_address(const struct cw_stream_listener *listener)
{
    return listener->address;
}

void cw_stream_listener_resume(struct cw_stream_listener *listener)
{
    for (struct cw_stream_reader *reader = listener->readers; reader != NULL; reader = reader->next)
        cw_stream_reader_resume(reader);
}

static void on_closed(uv_handle_t *handle)
{
    struct cw_stream_listener *listener = handle->data;
    listener->closed = true;
    free_if_closed(listener);
}

void cw_stream_listener_close(struct cw_stream_listener **listener)
{
    struct cw_stream_listener *l = *listener;
    *listener = NULL;
    if (l == NULL)
        return;
    l->closing = true;
    for (struct cw_stream_reader *reader = l->readers; reader != NULL; reader = reader->next) {
        if (l->options.names != NULL)
            cw_peer_names_forget(l->options.names, reader);
        cw_stream_reader_close(reader);
    }
    l->options.names = NULL;
    if (l->socket_path != NULL)
        (void)unlink(l->socket_path);
    uv_close((uv_handle_t *)&l->handle, on_closed);
}
