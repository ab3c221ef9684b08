/*
 * retention_policy.h - how long and how much of a tenant is kept, compiled from its limits.
 *
 * A stream's period is that of the retention_stream rule that matches it and has the highest priority (of equal ones the
 * shortest), else retention_period, as Loki has it. The same rule's bytes bound it: retention_shares.h.
 *
 * Ownership  Reference counted; it owns its selectors. Rules that it gives borrow from it.
 * Threads    Read-only once it is made.
 * Errors     CW_E_INVALID: a selector, in Loki's words.
 */
#ifndef CW_INGESTER_RETENTION_POLICY_H
#define CW_INGESTER_RETENTION_POLICY_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/store/hidden.h"
#include "ingester/ingester_config.h"

struct cw_retention_stream_rule {
    struct cw_selector selector;
    struct cw_str text; /* as it was written; owned */
    int64_t priority;
    int64_t period_ns;  /* 0: for ever */
    uint64_t bytes_max; /* 0: any */
};

struct cw_retention_policy {
    struct cw_hidden_owner owner;           /* first */
    uint64_t version;                       /* no other policy of this process has it */
    int64_t period_ns;                      /* of streams that no rule matches; 0: for ever */
    uint64_t bytes_max;                     /* 0: any */
    bool removes_deletes;                   /* else deletes only hide */
    struct cw_retention_stream_rule *rules; /* in the order in which they are asked */
    const struct cw_selector **selectors;   /* theirs */
    size_t n;
    bool has_bytes; /* a rule has bytes_max */
};

int cw_retention_policy_new(const struct cw_ingester_limits *limits,
                            struct cw_retention_policy **out, struct cw_err *err) CW_MUST_USE;
struct cw_retention_policy *cw_retention_policy_ref(struct cw_retention_policy *policy);
/* NULL is fine. */
void cw_retention_policy_unref(struct cw_retention_policy **policy);

/* now - period; INT64_MIN for a period of 0. */
int64_t cw_retention_horizon(int64_t period_ns, int64_t now_ns);
/* Entries before it are hidden, whatever their stream; INT64_MIN: none. */
int64_t cw_retention_policy_horizon_ns(const struct cw_retention_policy *policy, int64_t now_ns);
/* What is hidden of single streams beyond that: at most n + 1 rules into `out`. All that is of the i-th rule's streams, where over[i]
 * says so; `over` may be NULL. */
size_t cw_retention_policy_rules(const struct cw_retention_policy *policy, int64_t now_ns,
                                 const bool *over, struct cw_hidden_rule *out);

#endif
