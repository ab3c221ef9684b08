#include "common/base/memory_budget.h"

#include <stdbool.h>
#include <stddef.h>

#include "common/base/assert.h"

const char *const cw_memory_use_names[CW_MEMORY_NUSES] = {
    [CW_MEMORY_HEAD] = "head",
    [CW_MEMORY_PUSHES] = "pushes",
    [CW_MEMORY_CONNECTIONS] = "connections",
    [CW_MEMORY_QUERIES] = "queries",
    [CW_MEMORY_FLUSH] = "flush",
    [CW_MEMORY_MERGE] = "merge",
    [CW_MEMORY_CACHES] = "caches",
};

void cw_memory_budget_init(struct cw_memory_budget *budget, uint64_t limit)
{
    *budget = (struct cw_memory_budget){.limit = limit};
    for (size_t i = 0; i < CW_MEMORY_NUSES; i++)
        budget->uses[i].max = limit;
}

void cw_memory_budget_share(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t max)
{
    budget->uses[use].max = max;
}

void cw_memory_budget_on_need(struct cw_memory_budget *budget, cw_memory_evict_fn evict, void *ctx)
{
    budget->evict = evict;
    budget->evict_ctx = ctx;
}

/* Have the caches make room for `bytes` more, if that helps. A cache that asks makes its own. */
static void evict(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes)
{
    if (use == CW_MEMORY_CACHES || budget->evict == NULL || bytes > budget->limit)
        return;
    uint64_t want = atomic_load_explicit(&budget->used, memory_order_relaxed) + bytes;
    if (want > budget->limit)
        budget->evict(budget->evict_ctx, want - budget->limit);
}

/* Adds if the sum stays within `max`; the sum afterwards, or 0. */
static bool add_within(_Atomic uint64_t *counter, uint64_t bytes, uint64_t max, uint64_t *sum_out)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    do {
        if (now > max || bytes > max - now)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(counter, &now, now + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    *sum_out = now + bytes;
    return true;
}

static void raise_peak(struct cw_memory_account *account, uint64_t now)
{
    uint64_t peak = atomic_load_explicit(&account->peak, memory_order_relaxed);
    while (peak < now &&
           !atomic_compare_exchange_weak_explicit(&account->peak, &peak, now, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

int cw_memory_take(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes,
                   struct cw_err *err)
{
    uint64_t sum, all;
    if (budget == NULL)
        return 0;
    struct cw_memory_account *account = &budget->uses[use];
    if (!add_within(&account->now, bytes, account->max, &sum))
        return cw_err_set(err, CW_E_OVERLOAD,
                          "the memory for %s is used up (%llu bytes of memory.limit), try again",
                          cw_memory_use_names[use], (unsigned long long)account->max);
    bool fits = add_within(&budget->used, bytes, budget->limit, &all);
    if (!fits) {
        evict(budget, use, bytes);
        fits = add_within(&budget->used, bytes, budget->limit, &all);
    }
    if (!fits) {
        atomic_fetch_sub_explicit(&account->now, bytes, memory_order_relaxed);
        return cw_err_set(err, CW_E_OVERLOAD,
                          "the memory is used up (memory.limit is %llu bytes), "
                          "try again",
                          (unsigned long long)budget->limit);
    }
    raise_peak(account, sum);
    return 0;
}

void cw_memory_add(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes)
{
    if (budget == NULL)
        return;
    struct cw_memory_account *account = &budget->uses[use];
    raise_peak(account,
               atomic_fetch_add_explicit(&account->now, bytes, memory_order_relaxed) + bytes);
    atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed);
    evict(budget, use, 0);
}

void cw_memory_give(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes)
{
    if (budget == NULL)
        return;
    uint64_t before =
        atomic_fetch_sub_explicit(&budget->uses[use].now, bytes, memory_order_relaxed);
    CW_ASSERT(before >= bytes);
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
}

uint64_t cw_memory_used(const struct cw_memory_budget *budget, enum cw_memory_use use)
{
    return atomic_load_explicit(&budget->uses[use].now, memory_order_relaxed);
}

uint64_t cw_memory_peak(const struct cw_memory_budget *budget, enum cw_memory_use use)
{
    return atomic_load_explicit(&budget->uses[use].peak, memory_order_relaxed);
}
