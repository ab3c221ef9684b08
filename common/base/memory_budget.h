/*
 * memory_budget.h - one account of what a process holds for whom: each use takes before it grows, and gives back.
 *
 * Whoever can say no to its client asks with _take(), and passes the refusal on. What must be kept whatever it costs (entries
 * that were acknowledged, a flush that makes room) is told with _add(): then others are refused sooner. A use has a share that
 * it may not pass, so that pushes never keep queries out for good, nor queries pushes. What can be had again (caches) gives way
 * before anybody is refused.
 *
 * Ownership  The account holds no memory; it is plain storage of its owner.
 * Threads    Any, without a lock. Two takes at once at the edge may both be refused where one would have fit.
 * Errors     CW_E_OVERLOAD names the use and memory.limit. A NULL budget always has room.
 */
#ifndef CW_BASE_MEMORY_BUDGET_H
#define CW_BASE_MEMORY_BUDGET_H
#include <stdatomic.h>
#include <stdint.h>
#include "common/base/err.h"

enum cw_memory_use {
    CW_MEMORY_HEAD,        /* entries that are in no part yet */
    CW_MEMORY_PUSHES,      /* bodies under way, decoded, until they are answered */
    CW_MEMORY_CONNECTIONS, /* buffers of the HTTP server */
    CW_MEMORY_QUERIES,     /* what queries gather, and answers until they are sent */
    CW_MEMORY_FLUSH,       /* encoding the head */
    CW_MEMORY_MERGE,
    CW_MEMORY_CACHES, /* what was decoded and may be asked again */
    CW_MEMORY_NUSES,
};
/* "head", "pushes", ... */
extern const char *const cw_memory_use_names[CW_MEMORY_NUSES];

struct cw_memory_account {
    _Atomic uint64_t now, peak;
    uint64_t max;
};

/* Give back at least so much of what caches hold, or all of it. Called on the thread that lacks it, whatever locks that holds. */
typedef void (*cw_memory_evict_fn)(void *ctx, uint64_t bytes);

struct cw_memory_budget {
    uint64_t limit;
    _Atomic uint64_t used;
    struct cw_memory_account uses[CW_MEMORY_NUSES];
    cw_memory_evict_fn evict; /* NULL: no cache */
    void *evict_ctx;
};

/* Every use may take all of `limit` until it is given a share. */
void cw_memory_budget_init(struct cw_memory_budget *budget, uint64_t limit);
/* Before the threads start. */
void cw_memory_budget_share(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t max);
/* Likewise, and NULL after they ended: whom to ask for room when others find none. */
void cw_memory_budget_on_need(struct cw_memory_budget *budget, cw_memory_evict_fn evict, void *ctx);

int cw_memory_take(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes,
                   struct cw_err *err) CW_MUST_USE;
/* Whether there is room or not. */
void cw_memory_add(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes);
void cw_memory_give(struct cw_memory_budget *budget, enum cw_memory_use use, uint64_t bytes);

uint64_t cw_memory_used(const struct cw_memory_budget *budget, enum cw_memory_use use);
/* The most that it held at once since the start. */
uint64_t cw_memory_peak(const struct cw_memory_budget *budget, enum cw_memory_use use);

#endif
