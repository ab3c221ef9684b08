/*
 * http_stream.c - an answer that a worker thread writes while libmicrohttpd sends it.
 *
 * Between them stands a buffer of HTTP_STREAM_BYTES: the writer waits while it is full, the connection is suspended while it
 * is empty. A client that reads nothing for idle_timeout_s is cut off by libmicrohttpd, and the writer told.
 */
#include <string.h>

#include "common/base/assert.h"
#include "common/net/http_server_priv.h"

static size_t unread(const struct cw_http_request *request)
{
    return request->out.len - request->out_at;
}

/* libmicrohttpd asks for more. */
static ssize_t on_read(void *cls, uint64_t pos, char *to, size_t max)
{
    struct cw_http_request *request = cls;
    ssize_t result = 0;
    (void)pos;
    pthread_mutex_lock(&request->lock);
    if (request->abandoned) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (unread(request) > 0) {
        size_t n = CW_MIN(max, unread(request));
        memcpy(to, request->out.ptr + request->out_at, n);
        request->out_at += n;
        if (unread(request) <= HTTP_STREAM_BYTES / 2)
            pthread_cond_signal(&request->room);
        result = (ssize_t)n;
    } else if (request->ended) {
        result = request->complete ? MHD_CONTENT_READER_END_OF_STREAM
                                   : MHD_CONTENT_READER_END_WITH_ERROR;
    } else {
        request->reader_suspended = true;
        MHD_suspend_connection(request->connection);
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

/* Unlocks. A reader that waits is woken: the connection stays while it is suspended, so this needs no lock. */
static void unlock_and_wake(struct cw_http_request *request)
{
    struct MHD_Connection *suspended = request->reader_suspended ? request->connection : NULL;
    request->reader_suspended = false;
    pthread_mutex_unlock(&request->lock);
    if (suspended != NULL)
        MHD_resume_connection(suspended);
}

int cw_http_stream_begin(struct cw_http_request *request, int status, const char *content_type,
                         struct cw_err *err)
{
    http_request_watch(request);
    if (atomic_load(&request->cancelled) || !http_request_claim(request))
        return cw_err_set(err, CW_E_CANCELED, "the client is gone");
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, HTTP_STREAM_BLOCK, on_read, request, NULL);
    CW_ASSERT(response != NULL);
    request->streaming = true;
    cw_http_set_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    http_answer_headers(request, response);
    http_answer_set(request, status, response);
    return 0;
}

static bool is_gone(const struct cw_http_request *request)
{
    return atomic_load(&request->cancelled) || request->connection == NULL || request->abandoned;
}

/* Append what fits; returns how much. The lock is held. */
static size_t add_some(struct cw_http_request *request, struct cw_str bytes)
{
    size_t n = CW_MIN(bytes.len, HTTP_STREAM_BYTES - unread(request));
    if (request->out.len + n > HTTP_STREAM_BYTES) {
        memmove(request->out.ptr, request->out.ptr + request->out_at, unread(request));
        request->out.len = unread(request);
        request->out_at = 0;
    }
    cw_buf_add(&request->out, bytes.ptr, n);
    return n;
}

int cw_http_stream_write(struct cw_http_request *request, struct cw_str bytes, struct cw_err *err)
{
    CW_ASSERT(request->streaming);
    while (bytes.len > 0) {
        pthread_mutex_lock(&request->lock);
        while (unread(request) >= HTTP_STREAM_BYTES && !is_gone(request))
            pthread_cond_wait(&request->room, &request->lock);
        if (is_gone(request)) {
            pthread_mutex_unlock(&request->lock);
            return cw_err_set(err, CW_E_CANCELED, "the client is gone");
        }
        size_t n = add_some(request, bytes);
        unlock_and_wake(request);
        bytes = cw_str_sub(bytes, n, bytes.len);
    }
    return 0;
}

void cw_http_stream_end(struct cw_http_request *request, bool complete)
{
    CW_ASSERT(request->streaming);
    pthread_mutex_lock(&request->lock);
    bool told = request->abandoned;
    request->streaming = false; /* from here on the stop of the server waits for us */
    pthread_mutex_unlock(&request->lock);
    if (!told)
        http_answer_done(request, complete ? request->status : cw_err_http_status(CW_E_CANCELED));
    pthread_mutex_lock(&request->lock);
    request->ended = true;
    request->complete = complete;
    unlock_and_wake(request);
    http_request_unref(request);
}

bool http_stream_abandon(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    if (!request->streaming) {
        pthread_mutex_unlock(&request->lock);
        return false;
    }
    request->abandoned = true;
    pthread_cond_broadcast(&request->room);
    unlock_and_wake(request);
    return true;
}
