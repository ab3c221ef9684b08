/*
 * hiding.h - what is hidden of a tenant's entries: the rules of its deletes and of its retention by selector, put around
 * sources.
 *
 * Ownership  A hiding is reference counted (as hidden.h's owner); it holds the policy and the deletes.
 * Threads    Read-only once it is made.
 */
#ifndef CW_INGESTER_HIDING_H
#define CW_INGESTER_HIDING_H
#include <stdint.h>
#include "common/store/hidden.h"
#include "ingester/deletes.h"
#include "ingester/retention_policy.h"

struct cw_hiding {
    struct cw_hidden_owner owner; /* first */
    struct cw_retention_policy *policy;
    struct cw_deletes_view *deletes; /* may be NULL */
    int64_t now_ns;
};

/* NULL when nothing can be hidden but by cw_retention_policy_horizon_ns(). Take it before the sources, so that what is removed
 * meanwhile is hidden in a source that still has it. */
struct cw_hiding *cw_hiding_new(struct cw_retention_policy *policy, struct cw_deletes *deletes,
                                struct cw_str tenant, enum cw_deletes_which which, int64_t now_ns);
/* NULL is fine. */
void cw_hiding_unref(struct cw_hiding **hiding);

/* The rules that may hide something there: those of deletes first. */
struct cw_hiding_rules {
    struct cw_hidden_rule *items; /* heap */
    size_t *deletes; /* heap; items[i] is the deletes[i]-th of the view, for i < ndeletes */
    size_t n, ndeletes;
};
/* `over` (may be NULL): rules of retention_stream whose streams go whole. There is room for one rule more. */
void cw_hiding_rules(const struct cw_hiding *hiding, const struct cw_delete_place *place,
                     const bool *over, struct cw_hiding_rules *out);
void cw_hiding_rules_fini(struct cw_hiding_rules *rules);
/* Put them around *source, if there are any. */
void cw_hiding_wrap(struct cw_hiding *hiding, const struct cw_delete_place *place,
                    struct cw_source **source);

struct cw_delete_place cw_hiding_place(const struct cw_part_footer *part);

#endif
