/*
 * explain_routes.c - what a query would do, and what it did.
 *
 * {"status":"success","data":{<plan>}} of explain; analyze runs the query as its own route would, to the last byte of the answer,
 * and has "analyze":{<figures>} behind the plan in its place. A query that cannot be read is refused in the words of query_range; one
 * that a limit forbids is explained, and "refused" has the words.
 */
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "querier/api/answer_explain.h"
#include "querier/api/dialect.h"
#include "querier/api/partial_answer.h"
#include "querier/api/query_limits.h"
#include "querier/api/query_routes.h"
#include "querier/api/request_query.h"
#include "querier/engine/eval.h"

struct explained {
    struct cw_query *query;
    struct cw_grid grid;
    struct cw_explain_asked asked;
    struct cw_explain explain;
};

static void explained_fini(struct explained *explained)
{
    cw_explain_fini(&explained->explain);
    cw_query_free(&explained->query);
}

/* The first limit that would refuse it is told; `err` of others is not needed. */
static void note_refusal(struct cw_api_request *request, struct explained *explained, int rc,
                         const struct cw_err *err)
{
    if (rc < 0 && explained->asked.refused.len == 0)
        explained->asked.refused = cw_arena_dup(request->arena, cw_str_of(err->text));
}

static bool is_instant(const struct cw_api_request *request)
{
    return cw_http_param(request->http, "time").len > 0;
}

static void check_limits(struct cw_api_request *request, struct explained *explained)
{
    struct cw_explain_asked *asked = &explained->asked;
    const struct cw_expr *expr = explained->query->root;
    struct cw_err err = {0};
    int rc = cw_query_limits_expr(&request->limits, expr, &err);
    note_refusal(request, explained, rc, &err);
    rc = cw_request_allowed(request, cw_http_param(request->http, "query"), expr,
                            is_instant(request) ? CW_RULES_INSTANT : CW_RULES_RANGE, &err);
    note_refusal(request, explained, rc, &err);
    if (asked->grid != NULL) {
        rc = cw_query_limits_samples(&request->limits, expr, asked->grid, asked->kind, &err);
        note_refusal(request, explained, rc, &err);
    }
    if (asked->kind == CW_EVAL_INSTANT && asked->grid != NULL)
        return;
    rc = cw_query_limits_range(&request->limits, request->params.now_ns, &asked->start_ns,
                               asked->end_ns, &err);
    note_refusal(request, explained, rc, &err);
    if (asked->grid == NULL) {
        rc = cw_query_limits_entries(&request->limits, asked->limit, &err);
        note_refusal(request, explained, rc, &err);
    }
}

static int parse(struct cw_api_request *request, struct cw_str text, struct explained *explained,
                 struct cw_err *err)
{
    unsigned dialect;
    int rc = cw_api_dialect(request->http, &dialect, err);
    if (rc == 0)
        rc = cw_logql_parse_dialect(text, dialect, &explained->query, err);
    if (rc == 0)
        rc = cw_eval_check(explained->query->root, err);
    explained->asked.query = explained->query;
    return rc;
}

static int read_instant(struct cw_api_request *request, struct explained *explained,
                        struct cw_err *err)
{
    struct cw_instant_params params;
    int rc = cw_params_instant(&request->params, &params, err);
    if (rc == 0)
        rc = parse(request, params.query, explained, err);
    if (rc < 0)
        return rc;
    cw_grid_init_instant(&explained->grid, params.time_ns);
    explained->asked.grid = &explained->grid;
    explained->asked.kind = CW_EVAL_INSTANT;
    explained->asked.start_ns = explained->asked.end_ns = params.time_ns;
    check_limits(request, explained);
    return 0;
}

static int read_range(struct cw_api_request *request, struct explained *explained,
                      struct cw_err *err)
{
    struct cw_range_params params;
    struct cw_explain_asked *asked = &explained->asked;
    struct cw_partial_params partial; /* only read: what is explained is the whole answer */
    int rc = cw_params_range(&request->params, &params, err);
    if (rc == 0)
        rc = cw_partial_params(request, &partial, err);
    if (rc == 0)
        rc = parse(request, params.query, explained, err);
    if (rc < 0)
        return rc;
    asked->start_ns = params.start_ns;
    asked->end_ns = params.end_ns;
    asked->kind = CW_EVAL_RANGE;
    asked->limit = params.limit;
    asked->forward = params.forward;
    if (cw_expr_is_metric(explained->query->root))
        asked->grid = &explained->grid;
    check_limits(request, explained);
    return asked->grid == NULL ? 0
                               : cw_grid_init_range(&explained->grid, asked->start_ns,
                                                    asked->end_ns, params.step_ns, err);
}

static int explain(struct cw_api_request *request, struct explained *explained, struct cw_err *err)
{
    struct cw_explain_asked *asked = &explained->asked;
    const struct cw_pool *pool = request->api->options.pool;
    asked->workers = pool != NULL ? cw_pool_threads(pool) : 1;
    asked->limits = &request->limits;
    int rc = is_instant(request) ? read_instant(request, explained, err)
                                 : read_range(request, explained, err);
    if (rc < 0)
        return rc;
    struct cw_expr *expr = explained->query->root;
    return asked->grid != NULL ? cw_explain_samples(&request->query, expr, asked->grid, asked->kind,
                                                    &explained->explain, err)
                               : cw_explain_logs(&request->query, expr, asked->start_ns,
                                                 asked->end_ns, &explained->explain, err);
}

static struct cw_json_writer begin_answer(struct cw_api_request *request)
{
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "status", CW_STR("success"));
    cw_answer_warning(&w, cw_api_extra(request, false).warning);
    cw_json_key(&w, CW_STR("data"));
    cw_json_begin_object(&w);
    return w;
}

static void end_answer(struct cw_json_writer *w)
{
    cw_json_end_object(w);
    cw_json_end_object(w);
}

int cw_route_explain(struct cw_api_request *request, struct cw_err *err)
{
    struct explained explained = {0};
    int rc = explain(request, &explained, err);
    if (rc == 0) {
        struct cw_json_writer w = begin_answer(request);
        cw_answer_explain(&explained.asked, &explained.explain, &w);
        end_answer(&w);
    }
    explained_fini(&explained);
    return rc;
}

static void answer_analyzed(struct cw_api_request *request, const struct explained *explained,
                            int64_t begun_mono_ns)
{
    bool metric = explained->asked.grid != NULL;
    struct cw_explain_result result = {
        .query = &request->query,
        .queue_ns = request->begun_mono_ns - request->received_mono_ns,
        .total_ns = cw_clock_mono_ns() - begun_mono_ns,
        .entries = metric ? 0 : request->nreturned,
        .series = metric ? request->nreturned : 0,
        .answer_bytes = request->body.len,
    };
    cw_buf_clear(&request->body);
    struct cw_json_writer w = begin_answer(request);
    cw_answer_explain(&explained->asked, &explained->explain, &w);
    cw_json_key(&w, CW_STR("analyze"));
    cw_json_begin_object(&w);
    cw_answer_analyze(&result, &w);
    cw_json_end_object(&w);
    end_answer(&w);
}

int cw_route_analyze(struct cw_api_request *request, struct cw_err *err)
{
    struct explained explained = {0};
    int rc = explain(request, &explained, err);
    int64_t begun_mono_ns = cw_clock_mono_ns();
    request->query.timed = true;
    if (rc == 0)
        rc =
            is_instant(request) ? cw_route_query(request, err) : cw_route_query_range(request, err);
    if (rc == 0)
        answer_analyzed(request, &explained, begun_mono_ns);
    explained_fini(&explained);
    return rc;
}
