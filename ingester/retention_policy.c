/* retention_policy.c - limits into rules, and rules into what they hide now. */
#include "ingester/retention_policy.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/logql/ast.h"

static struct cw_retention_policy *policy_of(struct cw_hidden_owner *owner)
{
    return CW_CONTAINER_OF(owner, struct cw_retention_policy, owner);
}

static void policy_destroy(struct cw_hidden_owner *owner)
{
    struct cw_retention_policy *policy = policy_of(owner);
    for (size_t i = 0; i < policy->n; i++) {
        cw_selector_fini(&policy->rules[i].selector);
        free((char *)policy->rules[i].text.ptr);
    }
    free(policy->rules);
    free(policy->selectors);
    free(policy);
}

static int rule_cmp(const void *a, const void *b)
{
    const struct cw_retention_stream_rule *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->period_ns != y->period_ns)
        return x->period_ns < y->period_ns ? -1 : 1;
    return x->bytes_max < y->bytes_max ? -1 : x->bytes_max > y->bytes_max;
}

int cw_retention_policy_new(const struct cw_ingester_limits *limits,
                            struct cw_retention_policy **out, struct cw_err *err)
{
    static atomic_uint_fast64_t versions;
    const struct cw_retention_stream *items = limits->retention_stream.items;
    size_t n = limits->retention_stream.n;
    struct cw_retention_policy *policy = cw_mem_new(sizeof(*policy));
    atomic_init(&policy->owner.refs, 1);
    policy->owner.destroy = policy_destroy;
    policy->version = atomic_fetch_add(&versions, 1) + 1;
    policy->period_ns = limits->retention_period_ns;
    policy->bytes_max = (uint64_t)limits->retention_bytes;
    policy->removes_deletes = limits->deletion_mode == CW_DELETION_FILTER_AND_DELETE;
    policy->rules = cw_mem_array(n + 1, sizeof(*policy->rules));
    policy->selectors = cw_mem_array(n + 1, sizeof(*policy->selectors));
    for (size_t i = 0; i < n; i++) {
        struct cw_retention_stream_rule *rule = &policy->rules[i];
        int rc = cw_logql_parse_selector(items[i].selector, &rule->selector, err);
        if (rc < 0) {
            cw_err_wrap(err, "retention_stream %.*s", CW_STR_ARG(items[i].selector));
            cw_retention_policy_unref(&policy);
            return rc;
        }
        rule->text = (struct cw_str){cw_str_dupz(items[i].selector), items[i].selector.len};
        rule->priority = items[i].priority;
        rule->period_ns = items[i].period_ns;
        rule->bytes_max = (uint64_t)items[i].bytes;
        policy->has_bytes |= rule->bytes_max > 0;
        policy->n++;
    }
    if (n > 0)
        qsort(policy->rules, n, sizeof(*policy->rules), rule_cmp);
    for (size_t i = 0; i < n; i++)
        policy->selectors[i] = &policy->rules[i].selector;
    *out = policy;
    return 0;
}

struct cw_retention_policy *cw_retention_policy_ref(struct cw_retention_policy *policy)
{
    cw_hidden_owner_ref(&policy->owner);
    return policy;
}

void cw_retention_policy_unref(struct cw_retention_policy **handle)
{
    struct cw_hidden_owner *owner = *handle != NULL ? &(*handle)->owner : NULL;
    *handle = NULL;
    cw_hidden_owner_unref(&owner);
}

int64_t cw_retention_horizon(int64_t period_ns, int64_t now_ns)
{
    int64_t horizon_ns;
    if (period_ns <= 0 || __builtin_sub_overflow(now_ns, period_ns, &horizon_ns))
        return INT64_MIN;
    return horizon_ns;
}

int64_t cw_retention_policy_horizon_ns(const struct cw_retention_policy *policy, int64_t now_ns)
{
    int64_t horizon_ns = cw_retention_horizon(policy->period_ns, now_ns);
    for (size_t i = 0; i < policy->n; i++)
        horizon_ns = CW_MIN(horizon_ns, cw_retention_horizon(policy->rules[i].period_ns, now_ns));
    return horizon_ns;
}

size_t cw_retention_policy_rules(const struct cw_retention_policy *policy, int64_t now_ns,
                                 const bool *over, struct cw_hidden_rule *out)
{
    int64_t hidden_ns = cw_retention_policy_horizon_ns(policy, now_ns);
    size_t n = 0;
    for (size_t i = 0; policy->n > 0 && i <= policy->n; i++) {
        bool last = i == policy->n, all = !last && over != NULL && over[i];
        int64_t horizon_ns =
            cw_retention_horizon(last ? policy->period_ns : policy->rules[i].period_ns, now_ns);
        if (horizon_ns <= hidden_ns && !all)
            continue;
        out[n++] = (struct cw_hidden_rule){.selector = last ? NULL : policy->selectors[i],
                                           .except = policy->selectors,
                                           .nexcept = i,
                                           .first_ns = INT64_MIN,
                                           .last_ns = all ? INT64_MAX : horizon_ns - 1};
    }
    return n;
}
