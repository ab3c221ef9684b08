#include "querier/api/query_routes.h"

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "querier/api/dialect.h"
#include "querier/api/partial_answer.h"
#include "querier/api/query_limits.h"
#include "querier/api/request_query.h"
#include "querier/engine/eval.h"
#include "querier/engine/log_query.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/sub_query.h"

/* Entries a page when they are thinned by `interval`: enough to read a block only a few times. */
#define THINNED_PAGE_ENTRIES 16384

/* The entries of a log answer, in order. */
struct selection {
    const struct cw_log_entry **items;
    size_t n, cap, bytes;
};

static void select_entry(struct cw_api_request *request, struct selection *selection,
                         const struct cw_log_entry *entry)
{
    selection->items = cw_arena_grow(request->arena, selection->items, selection->n,
                                     &selection->cap, selection->n + 1, sizeof *selection->items);
    selection->items[selection->n++] = entry;
    selection->bytes += entry->line.len;
}

static int fail_memory(const struct cw_api_request *request, struct cw_err *err)
{
    return cw_err_set(
        err, CW_E_LIMIT,
        "the query needs more memory than its allowance of %llu bytes: ask for fewer entries",
        (unsigned long long)request->limits.query_memory_bytes);
}

/* One page is the answer; it stays the log query's. */
static int select_page(struct cw_api_request *request, struct cw_log_query *log_query,
                       uint32_t limit, struct selection *selection, struct cw_err *err)
{
    struct cw_log_page page;
    int rc = cw_log_query_page(log_query, limit, cw_api_page_bytes(request), &page, err);
    if (rc < 0)
        return rc;
    if (page.n < limit && !page.last)
        return fail_memory(request, err);
    for (size_t i = 0; i < page.n; i++)
        select_entry(request, selection, &page.entries[i]);
    return 0;
}

static struct cw_log_entry *copy_entry(struct cw_arena *arena, const struct cw_log_entry *entry)
{
    struct cw_log_entry *copy = CW_ARENA_NEW(arena, struct cw_log_entry);
    *copy = *entry;
    copy->line = cw_arena_dup(arena, entry->line);
    copy->stream = cw_labels_dup(arena, entry->stream);
    copy->metadata = cw_labels_dup(arena, entry->metadata);
    copy->parsed = cw_labels_dup(arena, entry->parsed);
    return copy;
}

/* Loki answers a log query hour by hour (split_queries_by_interval) and thins each hour on its own. */
static bool same_hour(int64_t a_ns, int64_t b_ns)
{
    const int64_t hour_ns = 3600 * CW_NS_PER_S;
    int64_t a = a_ns / hour_ns - (a_ns % hour_ns < 0), b = b_ns / hour_ns - (b_ns % hour_ns < 0);
    return a == b;
}

/* `interval`: an entry is given when it lies at least that far behind the one given last. */
static int select_thinned(struct cw_api_request *request, struct cw_log_query *log_query,
                          const struct cw_range_params *params, struct selection *selection,
                          struct cw_err *err)
{
    struct cw_log_page page = {0};
    int64_t last_ns = 0;
    while (!page.last) {
        int rc = cw_log_query_page(log_query, THINNED_PAGE_ENTRIES, cw_api_page_bytes(request),
                                   &page, err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.n; i++) {
            const struct cw_log_entry *entry = &page.entries[i];
            int64_t gap;
            bool far = __builtin_sub_overflow(entry->ts_ns, last_ns, &gap) ||
                       !same_hour(entry->ts_ns, last_ns) ||
                       (params->forward ? gap >= params->interval_ns : gap <= -params->interval_ns);
            if (selection->n > 0 && !far)
                continue;
            last_ns = entry->ts_ns;
            select_entry(request, selection, copy_entry(request->arena, entry));
            rc = cw_allowance_check(&request->query.allowance, request->arena, err);
            if (rc < 0)
                return rc;
            if (selection->bytes > cw_api_page_bytes(request))
                return fail_memory(request, err);
            if (selection->n == params->limit)
                return 0;
        }
    }
    return 0;
}

typedef void (*write_groups_fn)(struct cw_api_request *request, const struct cw_log_groups *groups,
                                bool categorised, size_t nentries);

static void write_streams(struct cw_api_request *request, const struct cw_log_groups *groups,
                          bool categorised, size_t n)
{
    struct cw_answer_extra extra = cw_api_extra(request, categorised);
    struct cw_answer_stats stats = cw_api_stats(request, n);
    cw_answer_streams(groups, &extra, &stats, &request->body);
}

static void write_old_streams(struct cw_api_request *request, const struct cw_log_groups *groups,
                              bool categorised, size_t n)
{
    struct cw_answer_stats stats = cw_api_stats(request, n);
    cw_answer_old_streams(groups, &stats, &request->body);
}

static int answer_logs(struct cw_api_request *request, const struct cw_expr *expr,
                       const struct cw_range_params *params, bool categorised,
                       write_groups_fn write, struct cw_err *err)
{
    int rc = cw_query_limits_entries(&request->limits, params->limit, err);
    if (rc < 0)
        return rc;
    struct cw_log_query *log_query = NULL;
    rc = cw_log_query_open(&request->query, expr, params->start_ns, params->end_ns,
                           !params->forward, &log_query, err);
    if (rc < 0)
        return rc;
    struct selection selection = {0};
    if (params->interval_ns == 0)
        cw_log_query_expect(log_query, params->limit);
    if (params->interval_ns > 0)
        rc = select_thinned(request, log_query, params, &selection, err);
    else
        rc = select_page(request, log_query, params->limit, &selection, err);
    if (rc == 0) {
        struct cw_log_groups groups;
        struct cw_step_clock begun = cw_step_begin();
        bool sorted = cw_stage_find(expr->stages, CW_STAGE_SORT) != NULL;
        (sorted ? cw_log_group_runs : cw_log_group)(selection.items, selection.n, categorised,
                                                    request->arena, &groups);
        rc = cw_allowance_check(&request->query.allowance, request->arena, err);
        if (rc == 0)
            write(request, &groups, categorised, selection.n);
        cw_step_end(&request->query, CW_STEP_ANSWER, &begun);
    }
    cw_log_query_close(&log_query);
    return rc;
}

static int answer_samples(struct cw_api_request *request, const struct cw_expr *expr,
                          const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_err *err)
{
    struct cw_result result;
    int rc = cw_metric_query_run(&request->query, expr, grid, kind,
                                 request->limits.max_query_series, &result, err);
    if (rc < 0)
        return rc;
    struct cw_step_clock begun = cw_step_begin();
    struct cw_answer_extra extra = cw_api_extra(request, false);
    struct cw_answer_stats stats =
        cw_api_stats(request, result.table != NULL ? result.table->n : 1);
    cw_answer_samples(&result, grid->start_ns, &extra, &stats, &request->body);
    cw_result_fini(&result);
    cw_step_end(&request->query, CW_STEP_ANSWER, &begun);
    return 0;
}

static int answer_range(struct cw_api_request *request, struct cw_query *query,
                        struct cw_range_params *params, struct cw_err *err)
{
    const struct cw_expr *expr = query->root;
    struct cw_sub_query_span span;
    struct cw_partial_params partial;
    struct cw_grid grid;
    int rc = cw_partial_params(request, &partial, err);
    if (rc == 0 && partial.wanted)
        rc = cw_partial_resume(&partial, expr, params, err);
    if (rc == 0)
        rc = cw_query_limits_range(&request->limits, request->params.now_ns, &params->start_ns,
                                   params->end_ns, err);
    if (rc == 0 && cw_expr_is_metric(expr)) {
        rc = cw_grid_init_range(&grid, params->start_ns, params->end_ns, params->step_ns, err);
        if (rc == 0)
            rc = cw_query_limits_samples(&request->limits, expr, &grid, CW_EVAL_RANGE, err);
    }
    if (rc < 0)
        return rc;
    if (partial.wanted)
        return cw_partial_answer(request, expr, params, &partial, err);
    request->query.max_bytes = request->limits.max_query_bytes_read;
    span = (struct cw_sub_query_span){params->start_ns, params->end_ns, &grid};
    rc = cw_sub_queries_run(&request->query, query, &span, err);
    if (rc < 0)
        return rc;
    if (!cw_expr_is_metric(expr))
        return answer_logs(request, expr, params, cw_api_wants_categories(request->http),
                           write_streams, err);
    return answer_samples(request, expr, &grid, CW_EVAL_RANGE, err);
}

int cw_route_query_range(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_range_params params;
    struct cw_query *query = NULL;
    int rc = cw_params_range(&request->params, &params, err);
    if (rc == 0)
        rc = cw_request_query_extended(request, params.query, &query, err);
    if (rc == 0)
        rc = cw_request_allowed(request, params.query, query->root, CW_RULES_RANGE, err);
    if (rc == 0)
        rc = answer_range(request, query, &params, err);
    cw_query_free(&query);
    return rc;
}

int cw_route_query(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_instant_params params;
    struct cw_query *query = NULL;
    int rc = cw_params_instant(&request->params, &params, err);
    if (rc == 0)
        rc = cw_request_query_extended(request, params.query, &query, err);
    if (rc == 0 && !cw_expr_is_metric(query->root))
        rc = cw_err_set(err, CW_E_INVALID,
                        "log queries are not supported as an instant query type, please change "
                        "your query to a range "
                        "query type");
    if (rc == 0)
        rc = cw_request_allowed(request, params.query, query->root, CW_RULES_INSTANT, err);
    if (rc == 0) {
        struct cw_grid grid;
        cw_grid_init_instant(&grid, params.time_ns);
        const struct cw_sub_query_span span = {params.time_ns, params.time_ns, &grid};
        request->query.max_bytes = request->limits.max_query_bytes_read;
        rc = cw_query_limits_samples(&request->limits, query->root, &grid, CW_EVAL_INSTANT, err);
        if (rc == 0)
            rc = cw_sub_queries_run(&request->query, query, &span, err);
        if (rc == 0)
            rc = answer_samples(request, query->root, &grid, CW_EVAL_INSTANT, err);
    }
    cw_query_free(&query);
    return rc;
}

int cw_route_old_query(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_range_params params;
    struct cw_query *query = NULL;
    struct cw_str text = cw_api_query_with_regexp(request->http, request->arena);
    int rc = cw_params_range(&request->params, &params, err);
    if (rc == 0)
        rc = cw_request_query(request, text, &query, err);
    if (rc == 0)
        rc = cw_request_allowed(request, text, query->root, CW_RULES_RANGE, err);
    if (rc == 0)
        rc = cw_query_limits_range(&request->limits, request->params.now_ns, &params.start_ns,
                                   params.end_ns, err);
    if (rc == 0 && cw_expr_is_metric(query->root))
        rc = cw_err_set(err, CW_E_INVALID, "legacy endpoints only support streams result type");
    if (rc == 0)
        rc = answer_logs(request, query->root, &params, false, write_old_streams, err);
    cw_query_free(&query);
    return rc;
}

static int format_query(struct cw_api_request *request, struct cw_buf *out, struct cw_err *err)
{
    struct cw_query *query = NULL;
    unsigned dialect;
    int rc = cw_api_dialect(request->http, &dialect, err);
    if (rc == 0)
        rc = cw_logql_parse_dialect(cw_http_param(request->http, "query"), dialect, &query, err);
    if (rc < 0)
        return rc;
    cw_query_format(query, out);
    cw_query_free(&query);
    if (cw_buf_failed(out))
        return cw_err_set(err, CW_E_LIMIT,
                          "the query over lines is longer than %u MiB, or than the query's memory "
                          "has room for: each operator of a chain is indented below the next",
                          CW_LIMIT_QUERY_LINES_BYTES >> 20);
    return 0;
}

int cw_route_format_query(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_QUERY_LINES_BYTES);
    cw_buf_watch(&text, cw_allowance_watch, &request->query.allowance);
    int rc = format_query(request, &text, err);
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "status", rc == 0 ? CW_STR("success") : CW_STR("invalid-query"));
    if (rc == 0) {
        cw_json_key_string(&w, "data", cw_buf_str(&text));
    } else {
        cw_json_key_string(&w, "error", cw_str_of(err->text));
        request->status = cw_err_http_status(rc);
    }
    cw_json_end_object(&w);
    cw_buf_fini(&text);
    return 0;
}
