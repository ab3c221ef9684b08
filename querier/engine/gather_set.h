/*
 * gather_set.h - the entries that a gathering query has found worth keeping so far: at most one of each combination, at most so many, the
 * best ones.
 *
 * Ownership  Owns copies of the entries. Borrows stages and allowance.
 * Threads    One at a time; a set may take over another's entries under a lock or when all is done.
 * Errors     CW_E_LIMIT: too many combinations, or no memory in the allowance.
 */
#ifndef CW_ENGINE_GATHER_SET_H
#define CW_ENGINE_GATHER_SET_H
#include "querier/engine/gather_key.h"
#include "querier/engine/log_top.h"

struct cw_gathered {
    struct cw_log_entry entry;
    struct cw_gather_key key;
    bool dropped; /* by a stage behind `distinct`: it only stands for its combination */
    size_t at;    /* in the set's items */
};

/* What a query asks for; the same for all its sets. */
struct cw_gather_rules {
    const struct cw_stage *distinct, *sort; /* NULL: there is none */
    bool sorted_first;                      /* `sort by` stands ahead of `distinct` */
    bool newest_first;
    size_t max_entries; /* of a set; SIZE_MAX: no bound */
};

struct cw_gather_set {
    const struct cw_gather_rules *rules;
    struct cw_gathered **items; /* where there is a bound, a heap with the worst at 0 */
    size_t n, cap;
    struct cw_gathered **slots; /* by combination; a power of two, at most half full */
    size_t nslots, nused;
    size_t bytes, taken;
    struct cw_allowance *allowance;
};

void cw_gather_set_init(struct cw_gather_set *set, const struct cw_gather_rules *rules,
                        struct cw_allowance *allowance);
void cw_gather_set_fini(struct cw_gather_set *set);
/* Copies the entry if it is to be kept. */
int cw_gather_set_add(struct cw_gather_set *set, const struct cw_gathered *item,
                      struct cw_err *err) CW_MUST_USE;
/* Move everything of `from` into `set`. */
int cw_gather_set_merge(struct cw_gather_set *set, struct cw_gather_set *from,
                        struct cw_err *err) CW_MUST_USE;
/* No room for what stands behind *worst. */
bool cw_gather_set_full(const struct cw_gather_set *set, const struct cw_log_entry **worst_out);
/* Takes out what was not dropped, in the order of the answer: *out is heap, its entries are the caller's (cw_log_entry_fini()). Only
 * _fini() may follow. CW_E_CANCELED (match_stop.h). */
int cw_gather_set_take(struct cw_gather_set *set, struct cw_log_entry **out, size_t *n_out,
                       struct cw_err *err) CW_MUST_USE;

#endif
