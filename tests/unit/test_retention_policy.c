/* test_retention_policy.c - which period a stream has. */
#include <criterion/criterion.h>
#include "ingester/retention_policy.h"

static struct cw_err err;
static const int64_t hour_ns = INT64_C(3600000000000);

/* The first time of a stream that is not hidden at `now_ns`; INT64_MIN: all are seen. */
static int64_t first_seen(const struct cw_retention_policy *policy, const char *labels,
                          int64_t now_ns)
{
    struct cw_hidden_rule rules[8];
    struct cw_arena *arena = cw_arena_new();
    struct cw_labels stream;
    int64_t first_ns = cw_retention_policy_horizon_ns(policy, now_ns);
    cr_assert_eq(cw_labels_parse(cw_str_of(labels), arena, &stream, &err), 0);
    size_t n = cw_retention_policy_rules(policy, now_ns, NULL, rules);
    cr_assert_leq(n, policy->n);
    int nmatched = 0;
    for (size_t i = 0; i < n; i++) {
        if (cw_hidden_rule_stream(&rules[i], stream, &err) != 1)
            continue;
        nmatched++;
        cr_assert_eq(rules[i].first_ns, INT64_MIN);
        cr_assert_gt(rules[i].last_ns, first_ns - 1);
        first_ns = rules[i].last_ns + 1;
    }
    cr_assert_leq(nmatched, 1, "one rule decides");
    cw_arena_free(&arena);
    return first_ns;
}

static struct cw_retention_policy *make(int64_t period_ns, struct cw_retention_stream *rules,
                                        size_t n)
{
    struct cw_ingester_limits limits = {.retention_period_ns = period_ns,
                                        .retention_stream = {rules, n}};
    struct cw_retention_policy *policy;
    cr_assert_eq(cw_retention_policy_new(&limits, &policy, &err), 0, "%s", err.text);
    return policy;
}

Test(retention_policy, the_rule_with_the_largest_priority_decides_and_of_equal_ones_the_shortest)
{
    struct cw_retention_stream rules[] = {
        {CW_STR("{a=~\".+\"}"), 1, 10 * hour_ns}, {CW_STR("{a=\"x\"}"), 5, 20 * hour_ns},
        {CW_STR("{b=\"y\"}"), 5, 3 * hour_ns},    {CW_STR("{c=\"z\"}"), 9, 0},
        {CW_STR("{d=\"u\"}"), 2, 100 * hour_ns},
    };
    struct cw_retention_policy *policy = make(30 * hour_ns, rules, 5);
    int64_t now_ns = 1000 * hour_ns;
    cr_assert_eq(first_seen(policy, "{q=\"1\"}", now_ns), 970 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"1\"}", now_ns), 990 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"x\"}", now_ns), 980 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"x\", b=\"y\"}", now_ns), 997 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"x\", b=\"y\", c=\"z\"}", now_ns), INT64_MIN);
    cr_assert_eq(first_seen(policy, "{a=\"1\", d=\"u\"}", now_ns), 900 * hour_ns);
    cr_assert_eq(cw_retention_policy_horizon_ns(policy, now_ns), INT64_MIN);
    cw_retention_policy_unref(&policy);
}

Test(retention_policy, what_no_stream_keeps_is_hidden_without_a_rule)
{
    struct cw_retention_stream rules[] = {{CW_STR("{a=\"x\"}"), 0, 10 * hour_ns}};
    struct cw_retention_policy *policy = make(3 * hour_ns, rules, 1);
    int64_t now_ns = 1000 * hour_ns;
    cr_assert_eq(cw_retention_policy_horizon_ns(policy, now_ns), 990 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"x\"}", now_ns), 990 * hour_ns);
    cr_assert_eq(first_seen(policy, "{a=\"y\"}", now_ns), 997 * hour_ns);
    cw_retention_policy_unref(&policy);
    policy = make(3 * hour_ns, NULL, 0);
    cr_assert_eq(first_seen(policy, "{a=\"y\"}", now_ns), 997 * hour_ns);
    cw_retention_policy_unref(&policy);
    policy = make(0, NULL, 0);
    cr_assert_eq(first_seen(policy, "{a=\"y\"}", now_ns), INT64_MIN);
    cw_retention_policy_unref(&policy);
}

Test(retention_policy, streams_that_are_over_their_bytes_go_whole_and_no_other_rules_do)
{
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{a=\"x\"}"), .period_ns = 10 * hour_ns, .bytes = 5},
        {.selector = CW_STR("{a=\"x\"}"), .period_ns = 10 * hour_ns, .bytes = 3},
        {.selector = CW_STR("{a=~\".+\"}"), .priority = -1, .bytes = 7},
    };
    struct cw_retention_policy *policy = make(3 * hour_ns, rules, 3);
    struct cw_hidden_rule out[5];
    int64_t now_ns = 1000 * hour_ns;
    cr_assert(policy->has_bytes);
    cr_assert_eq(policy->rules[0].bytes_max, 3, "of equal ones the one with fewer bytes");
    cr_assert_eq(cw_retention_policy_rules(policy, now_ns, NULL, out), 3);
    cr_assert_eq(cw_retention_policy_rules(policy, now_ns, (bool[]){false, false, true}, out), 4);
    cr_assert_eq(out[0].last_ns, 990 * hour_ns - 1);
    cr_assert_eq(out[2].selector, policy->selectors[2]);
    cr_assert_eq(out[2].nexcept, 2);
    cr_assert_eq(out[2].last_ns, INT64_MAX);
    cr_assert_eq(out[3].last_ns, 997 * hour_ns - 1);
    cw_retention_policy_unref(&policy);
    policy = make(3 * hour_ns, NULL, 0);
    cr_assert_not(policy->has_bytes);
    cw_retention_policy_unref(&policy);
}

Test(retention_policy, a_wrong_selector_is_named)
{
    struct cw_retention_stream rules[] = {{CW_STR("{a=\"x\"}"), 0, 1}, {CW_STR("{a"), 0, 1}};
    struct cw_ingester_limits limits = {.retention_stream = {rules, 2}};
    struct cw_retention_policy *policy;
    cr_assert_eq(cw_retention_policy_new(&limits, &policy, &err), CW_E_INVALID);
    cr_assert(cw_str_starts(cw_str_of(err.text), CW_STR("retention_stream {a: parse error")), "%s",
              err.text);
}
