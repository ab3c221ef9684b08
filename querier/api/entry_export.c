/*
 * entry_export.c - all entries of a log query as NDJSON, in time order, of any size: page after page of the log query goes
 * out, so that memory is bounded by one page whatever the range holds.
 *
 * A line of the answer: {"ts":"<ns>","labels":{...},"line":"...","metadata":{...},"parsed":{...}}. The last two are
 * left out where they would be empty. A line that is not valid UTF-8 stands base64 encoded under "line_b64" instead of
 * "line", so that it survives byte for byte.
 * The connection is cut when something goes wrong after the first byte: a whole answer ends with a last chunk.
 */
#include "common/logql/ast.h"
#include "querier/api/query_routes.h"
#include "querier/api/request_query.h"
#include "querier/engine/log_query.h"
#include "querier/engine/sub_query.h"

/* A page: large enough that blocks which overlap in time are read few times, small enough to stand beside queries. */
#define PAGE_ENTRIES 131072
#define PAGE_BYTES ((size_t)16 << 20)
/* Bytes handed to the connection at once. */
#define CHUNK_BYTES ((size_t)256 << 10)

static int flush(struct cw_api_request *request, struct cw_buf *chunk, struct cw_err *err)
{
    if (chunk->len == 0)
        return 0;
    int rc = cw_http_stream_write(request->http, cw_buf_str(chunk), err);
    cw_buf_clear(chunk);
    return rc;
}

static int write_page(struct cw_api_request *request, const struct cw_log_page *page,
                      struct cw_buf *chunk, struct cw_err *err)
{
    for (size_t i = 0; i < page->n; i++) {
        cw_answer_export_line(&page->entries[i], chunk);
        int rc = chunk->len >= CHUNK_BYTES ? flush(request, chunk, err) : 0;
        if (rc < 0)
            return rc;
    }
    atomic_fetch_add(&request->api->counters.entries, page->n);
    return flush(request, chunk, err);
}

static int export_pages(struct cw_api_request *request, struct cw_log_query *log_query,
                        struct cw_err *err)
{
    size_t max_bytes =
        cw_api_page_bytes(request) < PAGE_BYTES ? cw_api_page_bytes(request) : PAGE_BYTES;
    struct cw_log_page page = {0};
    struct cw_buf chunk;
    cw_buf_init(&chunk, SIZE_MAX);
    int rc = 0;
    while (rc == 0 && !page.last) {
        rc = cw_log_query_page(log_query, PAGE_ENTRIES, max_bytes, &page, err);
        if (rc == 0 && !request->streamed) {
            rc = cw_http_stream_begin(request->http, 200, "application/x-ndjson", err);
            request->streamed = rc == 0;
        }
        if (rc == 0)
            rc = write_page(request, &page, &chunk, err);
    }
    cw_buf_fini(&chunk);
    return rc;
}

static int read_time(struct cw_api_request *request, const char *name, int64_t def_ns, int64_t *out,
                     struct cw_err *err)
{
    struct cw_str text = cw_http_param(request->http, name);
    struct cw_err words; /* Loki's, which do not say what is expected */
    if (cw_params_time(text, def_ns, out, &words) == 0)
        return 0;
    return cw_err_set(err, CW_E_INVALID,
                      "could not parse '%s' parameter: expected Unix time in nanoseconds or "
                      "seconds, or RFC 3339, got \"%.*s\"",
                      name, CW_STR_ARG(text));
}

struct export_params {
    int64_t start_ns, end_ns;
    bool skip_damaged;
};

static int read_params(struct cw_api_request *request, struct export_params *out,
                       struct cw_err *err)
{
    struct cw_str damaged = cw_http_param(request->http, "damaged");
    int rc = read_time(request, "start", INT64_MIN, &out->start_ns, err);
    if (rc == 0)
        rc = read_time(request, "end", INT64_MAX, &out->end_ns, err);
    if (rc < 0)
        return rc;
    if (out->start_ns > out->end_ns)
        return cw_err_set(err, CW_E_INVALID,
                          "'start' (%.*s) is later than 'end' (%.*s): expected a start that is not",
                          CW_STR_ARG(cw_http_param(request->http, "start")),
                          CW_STR_ARG(cw_http_param(request->http, "end")));
    out->skip_damaged = cw_str_eqz(damaged, "skip");
    if (damaged.len > 0 && !out->skip_damaged)
        return cw_err_set(err, CW_E_INVALID,
                          "could not parse 'damaged' parameter: expected skip, or nothing, got "
                          "\"%.*s\"",
                          CW_STR_ARG(damaged));
    return 0;
}

int cw_route_export(struct cw_api_request *request, struct cw_err *err)
{
    struct export_params params;
    struct cw_query *query = NULL;
    struct cw_log_query *log_query = NULL;
    struct cw_str text = cw_http_param(request->http, "query");
    int rc = read_params(request, &params, err);
    if (rc < 0)
        return rc;
    rc = cw_request_query_extended(request, text, &query, err);
    if (rc == 0)
        rc = cw_request_allowed(request, text, query->root, CW_RULES_RANGE, err);
    if (rc == 0 && cw_expr_is_metric(query->root))
        rc = cw_err_set(err, CW_E_INVALID, "only log queries can be exported");
    /* An end that is open is the present to what asks for a time. */
    const struct cw_sub_query_span span = {
        params.start_ns, params.end_ns < INT64_MAX ? params.end_ns : request->params.now_ns, NULL};
    if (rc == 0)
        rc = cw_sub_queries_run(&request->query, query, &span, err);
    if (rc == 0)
        rc = cw_log_query_open(&request->query, query->root, params.start_ns, params.end_ns, false,
                               &log_query, err);
    if (rc == 0)
        rc = export_pages(request, log_query, err);
    /* An answer that misses what damaged blocks held must not look whole: it is broken off behind what there is, unless that was
     * asked for. */
    request->stream_complete =
        rc == 0 && (params.skip_damaged || atomic_load(&request->query.stats.corrupt_blocks) == 0);
    cw_log_query_close(&log_query);
    cw_query_free(&query);
    return rc;
}
