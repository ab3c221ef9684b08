#include "common/base/assert.h"
#include "common/net/http_transfer_priv.h"

/* Between the transfer and the caller's function, which may want to know the status. */
struct stream {
    struct http_transfer transfer;
    struct memory_files files;
    int *status;
    cw_http_data_fn fn;
    void *arg;
};

static int on_stream_data(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct stream *stream = arg;
    long status = 0;
    curl_easy_getinfo(stream->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    *stream->status = (int)status;
    return stream->fn(stream->arg, bytes, err);
}

int cw_http_fetch_stream(const struct cw_http_call *call, int *status_out, cw_http_data_fn fn,
                         void *arg, struct cw_err *err)
{
    struct stream stream = {.status = status_out, .fn = fn, .arg = arg};
    struct cw_http_answer answer = {0};
    *status_out = 0;
    stream.transfer.files = &stream.files;
    int rc = http_transfer_init(&stream.transfer, call, on_stream_data, &stream, err);
    if (rc == 0)
        rc = http_transfer_result(&stream.transfer, curl_easy_perform(stream.transfer.easy),
                                  &answer, err);
    if (rc == 0)
        *status_out = answer.status;
    http_transfer_fini(&stream.transfer);
    memory_files_fini(&stream.files);
    return rc;
}

struct collector {
    struct cw_buf *body;
    const struct cw_http_call *call;
};

static int collect(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct collector *collector = arg;
    size_t max = collector->call->max_answer_bytes;
    if (bytes.len > max || collector->body->len > max - bytes.len)
        return cw_err_set(err, CW_E_TOO_LARGE, "the answer is over %zu bytes", max);
    cw_buf_adds(collector->body, bytes);
    if (cw_buf_failed(collector->body))
        return cw_err_set(err, CW_E_TOO_LARGE, "the answer is over %zu bytes",
                          collector->body->max);
    return 0;
}

int cw_http_fetch(const struct cw_http_call *call, int *status_out, struct cw_buf *body,
                  struct cw_err *err)
{
    struct collector collector = {body, call};
    return cw_http_fetch_stream(call, status_out, collect, &collector, err);
}
