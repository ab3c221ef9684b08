#include "querier/engine/query_context.h"

#include <string.h>

#include "common/base/clock.h"

void cw_query_context_init(struct cw_query_context *query, struct cw_pool *pool,
                           const struct cw_snapshot *snapshot, size_t memory_bytes)
{
    memset(query, 0, sizeof *query);
    query->pool = pool;
    query->snapshot = snapshot;
    cw_allowance_init(&query->allowance, memory_bytes);
}

void cw_query_context_fork(const struct cw_query_context *query, struct cw_query_context *out)
{
    cw_query_context_init(out, NULL, query->snapshot, 0);
    out->deadline_mono_ns = query->deadline_mono_ns;
    out->client_gone = query->client_gone;
}

struct cw_step_clock cw_step_begin(void)
{
    return (struct cw_step_clock){cw_clock_mono_ns(), cw_clock_thread_cpu_ns()};
}

void cw_step_end(struct cw_query_context *query, enum cw_query_step step,
                 const struct cw_step_clock *begun)
{
    struct cw_step_clock now = cw_step_begin();
    atomic_fetch_add_explicit(&query->times[step].wall_ns, (uint64_t)(now.wall_ns - begun->wall_ns),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&query->times[step].cpu_ns, (uint64_t)(now.cpu_ns - begun->cpu_ns),
                              memory_order_relaxed);
}

static bool client_is_gone(const struct cw_query_context *query)
{
    return query->client_gone != NULL &&
           atomic_load_explicit(query->client_gone, memory_order_relaxed);
}

static bool deadline_has_passed(const struct cw_query_context *query)
{
    return query->deadline_mono_ns != 0 && cw_clock_mono_ns() >= query->deadline_mono_ns;
}

bool cw_query_context_poll(struct cw_query_context *query)
{
    if (atomic_load_explicit(&query->stop, memory_order_relaxed))
        return true;
    if (!client_is_gone(query) && !deadline_has_passed(query))
        return false;
    atomic_store_explicit(&query->stop, true, memory_order_relaxed);
    return true;
}

int cw_query_context_check(struct cw_query_context *query, struct cw_err *err)
{
    if (!cw_query_context_poll(query))
        return 0;
    if (!client_is_gone(query) && deadline_has_passed(query))
        return cw_err_set(err, CW_E_TIMEOUT,
                          "Request timed out, decrease the duration of the request or add more "
                          "label matchers (prefer "
                          "exact match over regex match) to reduce the amount of data processed.");
    return cw_err_set(err, CW_E_CANCELED, "The request was cancelled by the client.");
}

int cw_query_context_reason(struct cw_query_context *query, int rc, struct cw_err *err)
{
    if (rc != CW_E_CANCELED)
        return rc;
    int reason = cw_query_context_check(query, err);
    return reason < 0 ? reason : rc;
}
