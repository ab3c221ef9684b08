#include "querier/api/partial_answer.h"

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/logql/lex.h"
#include "querier/api/query_limits.h"

/* Of the first slice: a small part of a second, whatever is done with its lines. */
#define FIRST_SLICE_BYTES (UINT64_C(4) << 20)

/* ---- what is asked ---- */

static int read_switch(struct cw_api_request *request, bool *out, struct cw_err *err)
{
    struct cw_str text = cw_http_param(request->http, "partial");
    *out =
        cw_str_eqz(text, "true") ||
        (text.len == 0 && cw_str_eqz(cw_http_header(request->http, "X-Cordwood-Partial"), "allow"));
    if (text.len == 0 || *out || cw_str_eqz(text, "false"))
        return 0;
    return cw_err_set(err, CW_E_INVALID, "partial is true or false, not '%.*s'", CW_STR_ARG(text));
}

static int read_bounds(struct cw_api_request *request, struct cw_partial_params *out,
                       struct cw_err *err)
{
    struct cw_str time = cw_http_param(request->http, "max_time"),
                  bytes = cw_http_param(request->http, "max_bytes");
    if (time.len > 0) {
        int rc = cw_params_seconds_or_duration(time, &out->max_time_ns, err);
        if (rc < 0)
            return cw_err_wrap(err, "could not parse 'max_time' parameter");
        if (out->max_time_ns <= 0)
            return cw_err_set(err, CW_E_INVALID, "max_time must be a positive duration");
    }
    if (bytes.len > 0 && (!cw_lex_parse_bytes(bytes, &out->max_bytes) || out->max_bytes == 0))
        return cw_err_set(err, CW_E_INVALID,
                          "max_bytes must be a positive number of bytes, or a size as 20MB");
    return 0;
}

int cw_partial_params(struct cw_api_request *request, struct cw_partial_params *out,
                      struct cw_err *err)
{
    struct cw_str token = cw_http_param(request->http, "continuation");
    *out = (struct cw_partial_params){0};
    int rc = read_switch(request, &out->wanted, err);
    if (rc < 0 || (!out->wanted && token.len == 0))
        return rc;
    out->wanted = true;
    rc = read_bounds(request, out, err);
    if (rc < 0 || token.len == 0)
        return rc;
    out->resumed = true;
    rc = cw_continuation_decode(token, request->arena, &out->from, err);
    struct cw_str query = cw_http_param(request->http, "query");
    if (rc == 0 && out->from.query != cw_hash64(query.ptr, query.len))
        rc = cw_err_set(err, CW_E_INVALID, "the continuation token is of another query");
    return rc;
}

int cw_partial_resume(const struct cw_partial_params *partial, const struct cw_expr *expr,
                      struct cw_range_params *params, struct cw_err *err)
{
    if (params->interval_ns > 0)
        return cw_err_set(err, CW_E_INVALID, "an answer with an interval cannot be partial");
    if (cw_expr_gathers(expr) || cw_expr_has_in(expr))
        return cw_err_set(err, CW_E_INVALID,
                          "an answer to distinct, sort by, context or in cannot be partial");
    if (!partial->resumed)
        return 0;
    const struct cw_continuation *from = &partial->from;
    if (cw_expr_is_metric(expr) != (from->kind == CW_CONTINUE_STEPS))
        return cw_err_set(err, CW_E_INVALID, "the continuation token is of another query");
    params->start_ns = from->rest.start_ns;
    params->end_ns = from->rest.end_ns;
    params->forward = from->kind == CW_CONTINUE_FORWARD;
    if (from->kind == CW_CONTINUE_STEPS)
        params->step_ns = from->step_ns;
    return 0;
}

/* ---- limits ---- */

/* Two bounds, 0 is none. */
static uint64_t lower(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 ? a : CW_MIN(a, b);
}

static struct cw_partial_limits limits_of(const struct cw_api_request *request,
                                          const struct cw_partial_params *partial)
{
    return (struct cw_partial_limits){
        .max_bytes = lower(request->limits.max_query_bytes_read, partial->max_bytes),
        .time_ns = (int64_t)lower((uint64_t)request->limits.query_timeout_ns / 2,
                                  (uint64_t)partial->max_time_ns),
        .first_bytes = FIRST_SLICE_BYTES,
    };
}

/* Which limit it was; empty: none that the client did not set itself with `limit`. */
static struct cw_str limit_met(const struct cw_api_request *request,
                               const struct cw_partial_params *partial, enum cw_slices_stop stop,
                               bool limit_lowered, const struct cw_err *err)
{
    struct cw_partial_limits limits = limits_of(request, partial);
    switch (stop) {
    case CW_SLICES_BYTES:
        return limits.max_bytes == partial->max_bytes ? CW_STR("max_bytes was reached")
                                                      : CW_STR("max_query_bytes_read was reached");
    case CW_SLICES_TIME:
        return limits.time_ns == partial->max_time_ns ? CW_STR("max_time was reached")
                                                      : CW_STR("query_timeout was near");
    case CW_SLICES_LIMIT: return cw_arena_dup(request->arena, cw_str_of(err->text));
    case CW_SLICES_CALLER:
        return limit_lowered ? CW_STR("max_entries_limit_per_query was reached") : CW_STR_NONE;
    case CW_SLICES_DONE: break;
    }
    return CW_STR_NONE;
}

/* Fill in what the answer says of its being partial. */
static void set_extra(struct cw_api_request *request, const struct cw_continuation *rest,
                      struct cw_str limit, struct cw_answer_extra *extra)
{
    struct cw_continuation token = *rest;
    struct cw_str query = cw_http_param(request->http, "query");
    struct cw_buf text;
    token.query = cw_hash64(query.ptr, query.len);
    cw_buf_init(&text, SIZE_MAX);
    cw_continuation_encode(&token, &text);
    extra->continuation = cw_arena_dup(request->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    if (limit.len > 0)
        extra->partial = cw_arena_printf(
            request->arena,
            "the answer is partial: %.*s; the rest is asked with the continuation token",
            CW_STR_ARG(limit));
}

/* ---- answers ---- */

static int answer_logs(struct cw_api_request *request, const struct cw_expr *expr,
                       const struct cw_range_params *params,
                       const struct cw_partial_params *partial, struct cw_err *err)
{
    struct cw_partial_limits limits = limits_of(request, partial);
    uint32_t max = request->limits.max_entries_limit_per_query;
    size_t limit = (size_t)lower(params->limit, max);
    struct cw_log_rest range = {.start_ns = params->start_ns, .end_ns = params->end_ns};
    if (partial->resumed)
        range = partial->from.rest;
    range.start_ns = params->start_ns; /* the lookback may have moved it */
    struct cw_partial_logs logs;
    int rc = cw_partial_logs(&request->query, expr, &range, !params->forward, limit,
                             cw_api_page_bytes(request), &limits, request->arena, &logs, err);
    if (rc < 0)
        return rc;
    struct cw_step_clock begun = cw_step_begin();
    bool categorised = cw_api_wants_categories(request->http);
    struct cw_answer_extra extra = cw_api_extra(request, categorised);
    if (logs.stop != CW_SLICES_DONE) {
        const struct cw_continuation rest = {.kind = params->forward ? CW_CONTINUE_FORWARD
                                                                     : CW_CONTINUE_BACKWARD,
                                             .rest = logs.rest};
        set_extra(request, &rest,
                  limit_met(request, partial, logs.stop, limit < params->limit, err), &extra);
    }
    struct cw_log_groups groups;
    cw_log_group(logs.entries, logs.n, categorised, request->arena, &groups);
    rc = cw_allowance_check(&request->query.allowance, request->arena, err);
    if (rc < 0)
        return rc;
    struct cw_answer_stats stats = cw_api_stats(request, logs.n);
    cw_answer_streams(&groups, &extra, &stats, &request->body);
    cw_step_end(&request->query, CW_STEP_ANSWER, &begun);
    return 0;
}

static int answer_samples(struct cw_api_request *request, const struct cw_expr *expr,
                          const struct cw_range_params *params,
                          const struct cw_partial_params *partial, struct cw_err *err)
{
    struct cw_partial_limits limits = limits_of(request, partial);
    struct cw_partial_samples samples;
    struct cw_grid grid;
    int rc = cw_grid_init_range(&grid, params->start_ns, params->end_ns, params->step_ns, err);
    if (rc == 0)
        rc = cw_partial_samples(&request->query, expr, &grid, request->limits.max_query_series,
                                &limits, &samples, err);
    if (rc < 0)
        return rc;
    struct cw_step_clock begun = cw_step_begin();
    struct cw_answer_extra extra = cw_api_extra(request, false);
    if (samples.nsteps < grid.n) {
        const struct cw_continuation rest = {
            .kind = CW_CONTINUE_STEPS,
            .step_ns = grid.step_ns,
            .rest = {.start_ns = cw_grid_time(&grid, samples.nsteps),
                     .end_ns = cw_grid_time(&grid, grid.n - 1)}};
        set_extra(request, &rest, limit_met(request, partial, samples.stop, false, err), &extra);
    }
    struct cw_answer_stats stats = cw_api_stats(request, samples.result.table->n);
    cw_answer_samples(&samples.result, grid.start_ns, &extra, &stats, &request->body);
    cw_result_fini(&samples.result);
    cw_step_end(&request->query, CW_STEP_ANSWER, &begun);
    return 0;
}

int cw_partial_answer(struct cw_api_request *request, const struct cw_expr *expr,
                      const struct cw_range_params *params, const struct cw_partial_params *partial,
                      struct cw_err *err)
{
    return cw_expr_is_metric(expr) ? answer_samples(request, expr, params, partial, err)
                                   : answer_logs(request, expr, params, partial, err);
}
