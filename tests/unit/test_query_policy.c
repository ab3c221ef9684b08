/* test_query_policy.c - which queries are refused, in Loki's words. */
#include <criterion/criterion.h>

#include <stdio.h>
#include "querier/api/query_policy.h"

static struct cw_query_policy *make(const struct cw_query_policy_options *options)
{
    struct cw_query_policy *policy;
    struct cw_err err;
    cr_assert_eq(cw_query_policy_new(options, &policy, &err), 0, "%s", err.text);
    return policy;
}

/* "": it is allowed. */
static void expect_selectors(struct cw_query_policy *policy, const char *text, const char *want)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &query, &err), 0,
                 "%s", err.text);
    int rc = cw_query_policy_selectors(policy, query->root, &err);
    cr_expect_eq(rc, *want != '\0' ? CW_E_LIMIT : 0, "%s", text);
    cr_expect_str_eq(err.text, want, "%s", text);
    cw_query_free(&query);
}

Test(query_policy, every_selector_must_have_the_required_labels)
{
    const struct cw_str required[] = {CW_STR("env"), CW_STR("app")};
    struct cw_query_policy *policy =
        make(&(struct cw_query_policy_options){.required_labels = required, .nrequired_labels = 2});
    expect_selectors(policy, "{app=\"a\", env!=\"b\"}", "");
    expect_selectors(policy, "{x=\"y\", z=\"y\"} |= \"1\"",
                     "stream selector is missing required matchers [env, app], labels present in "
                     "the query were [x, z]");
    expect_selectors(policy, "rate({app=\"a\", env=\"b\"}[1m]) / rate({app=\"a\"}[1m])",
                     "stream selector is missing required matchers [env], labels present in the "
                     "query were [app]");
    expect_selectors(policy, "{app=\"a\", env=\"b\"} | u in ({env=\"b\"})",
                     "stream selector is missing required matchers [app], labels present in the "
                     "query were [env]");
    expect_selectors(policy, "vector(1)", "");
    cw_query_policy_unref(&policy);
}

Test(query_policy, a_selector_must_have_so_many_matchers)
{
    struct cw_query_policy *policy = make(&(struct cw_query_policy_options){.minimum_matchers = 2});
    expect_selectors(policy, "{app=~\"a.*\", app!=\"ab\"}", "");
    expect_selectors(policy, "sum(rate({app=\"a\"}[1m]))",
                     "stream selector has less label matchers than required: (present: [app], "
                     "number_present: 1, required_number_label_matchers: 2)");
    cw_query_policy_unref(&policy);
}

static void expect_blocked(const struct cw_blocked_query *rules, size_t n, const char *text,
                           const char *tags, bool want)
{
    struct cw_query_policy *policy =
        make(&(struct cw_query_policy_options){.blocked = rules, .nblocked = n});
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0);
    int rc = cw_query_policy_blocked(policy, cw_str_of(text), query->root, cw_str_of(tags), &err);
    cr_expect_eq(rc, want ? CW_E_LIMIT : 0, "%s", text);
    cr_expect_str_eq(err.text, want ? "query blocked by policy" : "", "%s", text);
    cw_query_free(&query);
    cw_query_policy_unref(&policy);
}

Test(query_policy, a_pattern_is_a_whole_query_or_with_regex_a_part)
{
    const struct cw_blocked_query whole = {.pattern = CW_STR(" {a=\"b\"} ")};
    const struct cw_blocked_query part = {.pattern = CW_STR("pro[dx]"), .regex = true};
    const struct cw_blocked_query every = {.regex = false};
    expect_blocked(&whole, 1, "{a=\"b\"}  ", "", true);
    expect_blocked(&whole, 1, "{a=\"b\"} |= \"x\"", "", false);
    expect_blocked(&part, 1, "{env=\"prod\"}", "", true);
    expect_blocked(&part, 1, "{env=\"pro\"}", "", false);
    expect_blocked(&every, 1, "{env=\"pro\"}", "", true);
    struct cw_query_policy *policy;
    struct cw_err err;
    const struct cw_blocked_query bad = {.pattern = CW_STR("a("), .regex = true};
    cr_expect_eq(
        cw_query_policy_new(&(struct cw_query_policy_options){.blocked = &bad, .nblocked = 1},
                            &policy, &err),
        CW_E_INVALID);
    cr_expect_str_eq(err.text, "error parsing regexp: missing closing ): `a(`");
    cr_expect_null(policy);
}

Test(query_policy, types_and_hashes_and_the_first_rule_that_matches)
{
    const struct cw_str metric = CW_STR("metric"), logs[] = {CW_STR("filter"), CW_STR("limited")};
    const struct cw_blocked_query metrics = {.types = &metric, .ntypes = 1};
    const struct cw_blocked_query filters = {.types = logs, .ntypes = 1};
    /* The hash that Loki's documentation gives for it. */
    const struct cw_blocked_query hash = {.hash = 2943214005u, .types = logs, .ntypes = 2};
    const struct cw_blocked_query order[] = {hash, metrics, filters};
    expect_blocked(&metrics, 1, "rate({a=\"b\"}[1m])", "", true);
    expect_blocked(&metrics, 1, "{a=\"b\"}", "", false);
    expect_blocked(&filters, 1, "{a=\"b\"} | json | x > 1", "", true);
    expect_blocked(&filters, 1, "{a=\"b\"} != \"x\"", "", true);
    expect_blocked(&filters, 1, "{a=\"b\"} |= \"\" | json", "", false);
    expect_blocked(&hash, 1, "{stream=\"stdout\",pod=\"loki-canary-9w49x\"}", "", true);
    expect_blocked(&hash, 1, "{stream=\"stdout\",pod=\"loki-canary-9w49y\"}", "", false);
    expect_blocked(order, 3, "rate({a=\"b\"}[1m])", "",
                   true); /* a hash of another query decides nothing */
    expect_blocked(order, 3, "{a=\"b\"} |= \"x\"", "",
                   false); /* the second one is about every query */
}

Test(query_policy, tags_are_those_of_the_header)
{
    const struct cw_query_tag tags[] = {{CW_STR("source"), CW_STR("LogCLI")},
                                        {CW_STR("User"), CW_STR("x")}};
    const struct cw_blocked_query rule = {.tags = tags, .ntags = 2};
    expect_blocked(&rule, 1, "{a=\"b\"}", "Source=logcli,user=X,more=1", true);
    expect_blocked(&rule, 1, "{a=\"b\"}", "Source=log(cli),user=x", true);
    expect_blocked(&rule, 1, "{a=\"b\"}", "Source=logcli", false);
    expect_blocked(&rule, 1, "{a=\"b\"}", "", false);
}

Test(query_policy, querying_can_be_disabled)
{
    struct cw_err err;
    struct cw_query_policy *off = make(&(struct cw_query_policy_options){.disabled = true});
    struct cw_query_policy *on = cw_query_policy_ref(off);
    cw_query_policy_unref(&off);
    cr_expect_eq(cw_query_policy_enabled(on, &err), CW_E_OVERLOAD);
    cr_expect_str_eq(err.text, "querying is disabled, please contact your Loki operator");
    cw_query_policy_unref(&on);
    on = make(&(struct cw_query_policy_options){0});
    cr_expect_eq(cw_query_policy_enabled(on, &err), 0);
    cw_query_policy_unref(&on);
}
