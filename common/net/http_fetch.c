#include "common/base/assert.h"
#include "common/net/http_transfer_priv.h"

int cw_http_fetch_stream(const struct cw_http_call *call, int *status_out, cw_http_data_fn fn, void *arg,
                         struct cw_err *err)
{
    struct http_transfer transfer = {0};
    struct cw_http_answer answer = {0};
    int rc = http_transfer_init(&transfer, call, fn, arg, err);
    if (rc == 0)
        rc = http_transfer_result(&transfer, curl_easy_perform(transfer.easy), &answer, err);
    *status_out = answer.status;
    http_transfer_fini(&transfer);
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
        return cw_err_set(err, CW_E_TOO_LARGE, "the answer is over %zu bytes", collector->body->max);
    return 0;
}

int cw_http_fetch(const struct cw_http_call *call, int *status_out, struct cw_buf *body, struct cw_err *err)
{
    struct collector collector = {body, call};
    return cw_http_fetch_stream(call, status_out, collect, &collector, err);
}
