#include "querier/api/api_request.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/labels/labels.h"
#include "common/match/match_stop.h"

/* Shorter answers go out whole, compressed and with their length; a longer one holds so much of itself. */
#define PASS_ON_BYTES ((size_t)2 << 20)
#define ANSWER_TYPE "application/json; charset=UTF-8"

static struct cw_str get_param(const void *ctx, const char *name)
{
    return cw_http_param(ctx, name);
}

struct cw_str cw_api_query_with_regexp(struct cw_http_request *http, struct cw_arena *arena)
{
    struct cw_str query = cw_http_param(http, "query"), regexp = cw_http_param(http, "regexp");
    if (regexp.len == 0)
        return query;
    struct cw_buf quoted;
    cw_buf_init(&quoted, SIZE_MAX);
    cw_quote_go(regexp, &quoted);
    struct cw_str text = cw_arena_printf(arena, "%.*s |~ %s", CW_STR_ARG(query), cw_buf_z(&quoted));
    cw_buf_fini(&quoted);
    return text;
}

bool cw_api_wants_categories(struct cw_http_request *http)
{
    struct cw_str flags = cw_http_header(http, "X-Loki-Response-Encoding-Flags"), flag;
    while (cw_str_split(&flags, ',', &flag))
        if (cw_str_eqz(cw_str_trim(flag), "categorize-labels"))
            return true;
    return false;
}

size_t cw_api_page_bytes(const struct cw_api_request *request)
{
    size_t shares =
        (request->api->options.pool != NULL ? cw_pool_threads(request->api->options.pool) : 1) + 2;
    size_t bytes = request->limits.query_memory_bytes > 0
                       ? request->limits.query_memory_bytes / shares
                       : SIZE_MAX;
    return CW_MAX(bytes, (size_t)1 << 20);
}

struct cw_answer_stats cw_api_stats(struct cw_api_request *request, uint64_t entries)
{
    request->nreturned = entries;
    atomic_fetch_add(&request->api->counters.entries, entries);
    return (struct cw_answer_stats){
        .query = &request->query,
        .queue_ns = request->begun_mono_ns - request->received_mono_ns,
        .exec_ns = cw_clock_mono_ns() - request->begun_mono_ns,
        .entries_returned = entries,
    };
}

/* The store's, or that the query met damaged blocks: they are named in the log and set aside. */
static struct cw_str warning_of(const struct cw_api_request *request)
{
    const struct cw_entry_store *store = &request->api->options.store;
    struct cw_str warning = store->warning != NULL ? store->warning(store->ctx) : CW_STR_NONE;
    if (warning.len == 0 && atomic_load(&request->query.stats.corrupt_blocks) > 0)
        warning = CW_STR("stored blocks are damaged: the answer misses what they held");
    return warning;
}

struct cw_answer_extra cw_api_extra(const struct cw_api_request *request, bool categorised)
{
    return (struct cw_answer_extra){.categorised = categorised, .warning = warning_of(request)};
}

static int body_send(struct cw_api_request *request, struct cw_err *err)
{
    int rc = cw_http_stream_write(request->http, cw_buf_str(&request->body), err);
    cw_buf_clear(&request->body);
    return rc;
}

int cw_api_body_pass_on(struct cw_api_request *request, struct cw_err *err)
{
    if (request->body.len < PASS_ON_BYTES)
        return 0;
    if (!request->streamed) {
        int rc = cw_http_stream_begin(request->http, request->status, ANSWER_TYPE, err);
        if (rc < 0)
            return rc;
        request->streamed = true;
    }
    return body_send(request, err);
}

int cw_api_body_end(struct cw_api_request *request, struct cw_err *err)
{
    if (!request->streamed)
        return 0;
    int rc = body_send(request, err);
    request->stream_complete = rc == 0;
    return rc;
}

static void set_warning_header(struct cw_api_request *request)
{
    struct cw_str warning = warning_of(request);
    if (warning.len == 0)
        return;
    char *text = cw_str_dupz(warning);
    cw_http_set_header(request->http, "X-Cordwood-Warning", text);
    free(text);
}

static int run_function(struct cw_api_request *request, struct cw_err *err)
{
    const struct cw_entry_store *store = &request->api->options.store;
    int rc = cw_query_context_check(&request->query, err);
    if (rc == 0)
        rc = store->snapshot(store->ctx, request->tenant, &request->snapshot, err);
    if (rc == 0) {
        set_warning_header(request);
        rc = request->fn(request, err);
    }
    if (rc == 0 && !request->stream_complete)
        rc = cw_match_stop_check(err); /* the answer may be cut short */
    if (rc < 0)
        rc = cw_query_context_reason(&request->query, rc, err);
    if (rc == 0 && cw_buf_failed(&request->body))
        rc = cw_err_set(err, CW_E_LIMIT,
                        "the answer is larger than the query's memory has room for: ask for less");
    return rc;
}

static void count(struct cw_api_request *request, int rc)
{
    struct cw_api_counters *counters = &request->api->counters;
    atomic_fetch_add(&counters->queries, 1);
    atomic_fetch_add(&counters->failed, rc < 0 ? 1 : 0);
    atomic_fetch_add(&counters->bytes, atomic_load(&request->query.stats.bytes_decompressed));
}

/* Everything that looks at the request is over before the answer: with it the request is gone. */
static void finish(struct cw_api_request *request, int rc, const struct cw_err *err)
{
    cw_coordinator_unwatch(request->coordinator, &request->query);
    cw_snapshot_fini(&request->snapshot);
    cw_arena_free(&request->arena);
    count(request, rc);
    if (request->streamed && rc < 0 && rc != CW_E_CANCELED)
        cw_log_warn("%.*s: the answer is broken off: %s", CW_STR_ARG(cw_http_path(request->http)),
                    err->text);
    if (request->streamed)
        cw_http_stream_end(request->http, rc == 0 && request->stream_complete);
    else if (rc < 0)
        cw_http_respond_err(request->http, err);
    else
        cw_http_respond(request->http, request->status, ANSWER_TYPE, &request->body);
    cw_buf_fini(&request->body);
    cw_allowance_fini(
        &request->query.allowance); /* the server counts the answer until it is sent */
    free(request);
}

static void run_request(struct cw_coordinator_job *job)
{
    struct cw_api_request *request = CW_CONTAINER_OF(job, struct cw_api_request, job);
    struct cw_err err = {0};
    request->begun_mono_ns = cw_clock_mono_ns();
    cw_query_context_init(&request->query, request->api->options.pool, &request->snapshot,
                          request->limits.query_memory_bytes);
    cw_allowance_set_budget(&request->query.allowance, request->api->options.memory);
    request->arena = cw_arena_new();
    cw_arena_watch(request->arena, cw_allowance_watch, &request->query.allowance);
    request->query.costs = &request->api->costs;
    request->query.client_gone = cw_http_cancelled(request->http);
    if (request->limits.query_timeout_ns > 0)
        request->query.deadline_mono_ns =
            request->received_mono_ns + request->limits.query_timeout_ns;
    cw_buf_init(&request->body, SIZE_MAX);
    cw_buf_watch(&request->body, cw_allowance_watch, &request->query.allowance);
    cw_coordinator_watch(request->coordinator, &request->query);
    const atomic_bool *watched = cw_match_stop_watch(&request->query.stop);
    int rc = run_function(request, &err);
    cw_match_stop_watch(watched);
    finish(request, rc, &err);
}

void cw_api_refuse(struct cw_api *api, struct cw_http_request *http)
{
    struct cw_err err;
    atomic_fetch_add(&api->counters.refused, 1);
    cw_err_set(&err, CW_E_OVERLOAD, "too many outstanding requests");
    cw_http_respond_err(http, &err);
}

static void submit(struct cw_api_request *request)
{
    struct cw_http_request *http = request->http;
    struct cw_api *api = request->api;
    if (cw_coordinator_submit(request->coordinator, &request->job))
        return;
    free(request);
    cw_api_refuse(api, http);
}

static struct cw_api_request *new_request(struct cw_api *api, struct cw_http_request *http,
                                          cw_api_fn fn)
{
    struct cw_str tenant;
    if (!api->options.tenant(api->options.ctx, http, &tenant))
        return NULL;
    struct cw_api_request *request = cw_mem_new(sizeof *request);
    request->job.fn = run_request;
    request->api = api;
    request->coordinator = api->queries;
    request->http = http;
    request->fn = fn;
    request->tenant = tenant;
    request->job.tenant = cw_hash64(tenant.ptr, tenant.len);
    request->received_mono_ns = cw_clock_mono_ns();
    request->params =
        (struct cw_params){.get = get_param, .ctx = http, .now_ns = cw_clock_now_ns()};
    request->status = 200;
    api->options.limits(api->options.ctx, tenant, &request->limits);
    return request;
}

void cw_api_dispatch(struct cw_api *api, struct cw_http_request *http, cw_api_fn fn)
{
    struct cw_api_request *request = new_request(api, http, fn);
    if (request != NULL)
        submit(request);
}

void cw_api_dispatch_export(struct cw_api *api, struct cw_http_request *http, cw_api_fn fn)
{
    struct cw_api_request *request = new_request(api, http, fn);
    if (request == NULL)
        return;
    request->coordinator = api->exports;
    request->limits.query_timeout_ns = 0;
    submit(request);
}
