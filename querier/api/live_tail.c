#include "querier/api/live_tail.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "querier/api/dialect.h"
#include "querier/api/live_tail_priv.h"
#include "querier/api/live_tails.h"
#include "querier/api/query_limits.h"
#include "querier/engine/eval.h"
#include "querier/engine/plan.h"

/* What a client may send: nothing but control frames is of any use. */
enum {
    CLIENT_MESSAGE_BYTES = 64 << 10,
    BUFFER_BYTES = 1 << 20, /* frames that are made and that are being sent */
};

static void tail_free(struct live_tail *tail)
{
    cw_head_follow_close(&tail->follow);
    cw_pipeline_run_free(&tail->pipeline_run);
    cw_pipeline_free(&tail->pipeline);
    free(tail->filters);
    cw_query_free(&tail->query);
    if (tail->entered)
        cw_live_tails_leave(tail->api->tails, tail->tenant);
    if (tail->has_buffers)
        cw_memory_give(tail->api->options.memory, CW_MEMORY_QUERIES, BUFFER_BYTES);
    struct cw_live_tails *tails = tail->api->tails;
    cw_arena_free(&tail->arena);
    free(tail);
    cw_live_tails_drop(tails); /* the querier may be gone after it */
}

/* ---- the connection ---- */

static void *tail_main(void *arg)
{
    struct live_tail *tail = arg;
    live_tail_run(tail);
    cw_websocket_fini(&tail->socket);
    cw_http_upgraded_close(&tail->upgraded);
    tail_free(tail);
    return NULL;
}

static void on_upgraded(void *arg, struct cw_http_upgraded *upgraded)
{
    struct live_tail *tail = arg;
    pthread_t thread;
    pthread_attr_t attr;
    tail->upgraded = upgraded;
    if (upgraded == NULL) {
        tail_free(tail);
        return;
    }
    cw_http_upgraded_init(upgraded, &tail->socket, CLIENT_MESSAGE_BYTES);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, tail_main, tail) != 0) {
        cw_log_warn("a live tail is not served: no thread could be started");
        cw_websocket_close(&tail->socket, CW_WEBSOCKET_INTERNAL, CW_STR("out of threads"));
        cw_websocket_fini(&tail->socket);
        cw_http_upgraded_close(&tail->upgraded);
        tail_free(tail);
    }
    pthread_attr_destroy(&attr);
}

/* ---- what is asked ---- */

static struct cw_str get_param(const void *ctx, const char *name)
{
    return cw_http_param(ctx, name);
}

static int fail_in(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                   struct cw_err *err)
{
    (void)arg;
    (void)expr;
    return cw_err_set(err, CW_E_INVALID,
                      "`%.*s in (...)` cannot be tailed: its values are of a range that has an end",
                      CW_STR_ARG(filter->name));
}

/* A tail gives each entry as it comes, and knows of no others. */
static int check_extensions(const struct cw_expr *expr, struct cw_err *err)
{
    if (cw_expr_gathers(expr))
        return cw_err_set(
            err, CW_E_INVALID,
            "distinct, sort by and context cannot be tailed: they look at all entries "
            "of a range that has an end");
    return cw_expr_each_in(expr, fail_in, NULL, err);
}

static int parse(struct live_tail *tail, struct cw_err *err)
{
    struct cw_params params = {.get = get_param, .ctx = tail->http, .now_ns = cw_clock_now_ns()};
    unsigned dialect;
    int rc = cw_api_dialect(tail->http, &dialect, err);
    if (rc == 0)
        rc = cw_logql_parse_dialect(cw_api_query_with_regexp(tail->http, tail->arena), dialect,
                                    &tail->query, err);
    if (rc == 0)
        rc = check_extensions(tail->query->root, err);
    if (rc == 0)
        rc = cw_params_tail(&params, &tail->params, err);
    if (rc == 0)
        rc = cw_eval_check(tail->query->root, err);
    if (rc == 0)
        rc = cw_http_upgrade_check(tail->http, err);
    return rc;
}

/* An error of Loki's that has an HTTP status, as Go prints it where there is none. */
static int with_status(struct cw_err *err)
{
    struct cw_err plain = *err;
    return cw_err_set(err, plain.code, "rpc error: code = Code(%d) desc = %s",
                      cw_err_http_status(plain.code), plain.text);
}

/* What Loki looks at when the WebSocket is open already. */
static int check(struct live_tail *tail, struct cw_err *err)
{
    const struct cw_expr *expr = tail->query->root;
    int64_t now_ns = cw_clock_now_ns();
    uint32_t n, max = tail->limits.max_concurrent_tail_requests;
    tail->entered = cw_live_tails_enter(tail->api->tails, tail->tenant, max, &n);
    if (!tail->entered) {
        cw_err_set(err, CW_E_LIMIT,
                   "max concurrent tail requests limit exceeded, count > limit (%u > %u)", n, max);
        return with_status(err);
    }
    if (cw_expr_is_metric(expr))
        return cw_err_set(err, CW_E_INVALID, "only log selector is supported");
    int rc = cw_query_limits_expr(&tail->limits, expr, err);
    if (rc == 0)
        rc = cw_query_limits_range(&tail->limits, now_ns, &tail->params.start_ns,
                                   CW_MAX(now_ns, tail->params.start_ns), err);
    return rc < 0 ? with_status(err) : 0;
}

static int prepare(struct live_tail *tail, struct cw_err *err)
{
    const struct cw_entry_store *store = &tail->api->options.store;
    const struct cw_expr *expr = tail->query->root;
    int rc = cw_memory_take(tail->api->options.memory, CW_MEMORY_QUERIES, BUFFER_BYTES, err);
    if (rc < 0)
        return rc;
    tail->has_buffers = true;
    rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &tail->pipeline, err);
    if (rc < 0)
        return rc;
    if (store->follow == NULL)
        return cw_err_set(err, CW_E_NOT_IMPLEMENTED, "nothing new comes to this store");
    if (!cw_pipeline_is_idle(tail->pipeline))
        tail->pipeline_run = cw_pipeline_run_new(tail->pipeline);
    struct cw_follow_options options = {
        .tenant = tail->tenant,
        .selector = &expr->selector,
        .nfilters = cw_plan_filters(expr->stages, &tail->filters),
    };
    options.filters = tail->filters;
    return store->follow(store->ctx, &options, &tail->follow, err);
}

static int begin(struct live_tail *tail, struct cw_err *err)
{
    int rc = parse(tail, err);
    if (rc < 0)
        return rc;
    return check(tail, &tail->refusal) < 0 ? 0 : prepare(tail, err);
}

/* On a coordinator's thread. */
static void run_job(struct cw_coordinator_job *job)
{
    struct live_tail *tail = CW_CONTAINER_OF(job, struct live_tail, job);
    struct cw_http_request *http = tail->http;
    struct cw_err err = {0};
    int rc = begin(tail, &err);
    tail->http = NULL;
    if (rc < 0) {
        tail_free(tail);
        cw_http_respond_err(http, &err);
    } else {
        cw_http_upgrade(http, on_upgraded, tail);
    }
}

void cw_live_tail_dispatch(struct cw_api *api, struct cw_http_request *http, enum cw_tail_form form)
{
    struct cw_str tenant;
    if (!api->options.tenant(api->options.ctx, http, &tenant))
        return;
    struct live_tail *tail = cw_mem_new(sizeof *tail);
    cw_live_tails_hold(api->tails);
    tail->job.fn = run_job;
    tail->api = api;
    tail->http = http;
    tail->form = form;
    tail->arena = cw_arena_new();
    tail->tenant = cw_arena_dup(tail->arena, tenant);
    tail->job.tenant = cw_hash64(tenant.ptr, tenant.len);
    api->options.limits(api->options.ctx, tenant, &tail->limits);
    if (cw_coordinator_submit(api->queries, &tail->job))
        return;
    tail_free(tail);
    cw_api_refuse(api, http);
}
