#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/net/http_server_priv.h"

#define HTTP_TEXT_TYPE "text/plain; charset=utf-8"

void http_answer_done(struct cw_http_request *request, int status)
{
    const struct cw_http_server_options *options = &request->server->options;
    if (options->on_done != NULL)
        options->on_done(options->ctx, request, status,
                         cw_clock_mono_ns() - request->begin_mono_ns);
}

enum MHD_Result http_answer_queue(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    CW_ASSERT(request->phase == HTTP_ANSWERED && request->response != NULL);
    struct MHD_Response *response = request->response;
    request->response = NULL;
    request->phase = HTTP_QUEUED;
    pthread_mutex_unlock(&request->lock);
    enum MHD_Result rc =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response); /* the connection holds one of its own */
    return rc;
}

void http_answer_retry(struct cw_http_request *request)
{
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", HTTP_RETRY_AFTER_S);
    cw_http_set_header(request, "Retry-After", seconds);
}

void http_answer_headers(const struct cw_http_request *request, struct MHD_Response *response)
{
    for (const struct http_header *header = request->headers; header != NULL; header = header->next)
        MHD_add_response_header(response, header->name, header->value);
}

void http_answer_set(struct cw_http_request *request, int status, struct MHD_Response *response)
{
    pthread_mutex_lock(&request->lock);
    struct MHD_Connection *suspended =
        request->phase == HTTP_SUSPENDED ? request->connection : NULL;
    request->status = status;
    request->response = response;
    request->phase = HTTP_ANSWERED;
    pthread_mutex_unlock(&request->lock);
    if (suspended != NULL)
        MHD_resume_connection(suspended);
}

/* Is "gzip" among the encodings that the client takes ("gzip, br;q=0.5, deflate;q=0")? */
static bool accepts_gzip(struct cw_str accept)
{
    struct cw_str item, name;
    while (cw_str_split(&accept, ',', &item)) {
        if (!cw_str_split(&item, ';', &name) ||
            !cw_str_eq_nocase(cw_str_trim(name), CW_STR("gzip")))
            continue;
        struct cw_str quality = cw_str_trim(item);
        double q = 1;
        if (cw_str_starts(quality, CW_STR("q=")))
            cw_str_to_f64(cw_str_sub(quality, 2, quality.len), &q);
        return q > 0;
    }
    return false;
}

static bool has_header(const struct cw_http_request *request, const char *name)
{
    for (const struct http_header *header = request->headers; header != NULL;
         header = header->next) {
        if (cw_str_eq_nocase(cw_str_of(header->name), cw_str_of(name)))
            return true;
    }
    return false;
}

static void gzip_body(struct cw_http_request *request, struct cw_buf *body)
{
    if (body->len < HTTP_GZIP_MIN_BYTES || has_header(request, "Content-Encoding"))
        return;
    cw_http_set_header(request, "Vary", "Accept-Encoding");
    if (!accepts_gzip(cw_http_header(request, "Accept-Encoding")))
        return;
    struct cw_buf packed;
    struct cw_err err;
    struct cw_memory_budget *memory = request->server->options.memory;
    size_t both = body->len; /* the packed body stands beside the plain one for a moment */
    cw_memory_add(memory, CW_MEMORY_QUERIES, both);
    cw_buf_init(&packed, body->len * 2); /* room for what deflate may need at worst */
    /* What does not shrink stays as it is. */
    if (cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(body), &packed, &err) == 0 &&
        packed.len < body->len) {
        size_t max = body->max;
        cw_buf_fini(body);
        *body = packed;
        body->max = max;
        cw_http_set_header(request, "Content-Encoding", "gzip");
    } else {
        cw_buf_fini(&packed);
    }
    cw_memory_give(memory, CW_MEMORY_QUERIES, both);
}

/* The bytes of an answer, counted until libmicrohttpd has sent them. */
struct answer_bytes {
    struct cw_memory_budget *memory;
    size_t size;
    char *bytes;
};

static void answer_bytes_free(void *arg)
{
    struct answer_bytes *answer = arg;
    cw_memory_give(answer->memory, CW_MEMORY_QUERIES, answer->size);
    free(answer->bytes);
    free(answer);
}

static struct MHD_Response *response_of(struct cw_memory_budget *memory, struct cw_buf *body)
{
    size_t len = 0;
    if (body == NULL || body->len == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct answer_bytes *answer = cw_mem_new(sizeof *answer);
    answer->memory = memory;
    answer->size = body->cap;
    answer->bytes = cw_buf_take(body, &len);
    cw_memory_add(memory, CW_MEMORY_QUERIES, answer->size);
    return MHD_create_response_from_buffer_with_free_callback_cls(len, answer->bytes,
                                                                  answer_bytes_free, answer);
}

void cw_http_respond(struct cw_http_request *request, int status, const char *content_type,
                     struct cw_buf *body)
{
    if (http_request_claim(request)) {
        if (content_type != NULL)
            cw_http_set_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
        if (body != NULL)
            gzip_body(request, body);
        struct MHD_Response *response = response_of(request->server->options.memory, body);
        CW_ASSERT(response != NULL);
        http_answer_headers(request, response);
        http_answer_done(request, status);
        http_answer_set(request, status, response);
    } else if (body != NULL) {
        cw_buf_fini(body);
    }
    http_request_unref(request);
}

void cw_http_respond_err(struct cw_http_request *request, const struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, sizeof err->text + 1);
    cw_buf_addz(&text, err->text);
    cw_buf_addc(&text, '\n');
    cw_http_set_header(request, "X-Content-Type-Options", "nosniff");
    if (err->code == CW_E_OVERLOAD || err->code == CW_E_UNAVAILABLE)
        http_answer_retry(request);
    cw_http_respond(request, cw_err_http_status(err->code), HTTP_TEXT_TYPE, &text);
    cw_buf_fini(&text);
}

struct MHD_Response *http_answer_text(struct cw_str text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text.len, (void *)(uintptr_t)text.ptr, MHD_RESPMEM_MUST_COPY);
    CW_ASSERT(response != NULL);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, HTTP_TEXT_TYPE);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}
