#include "querier/engine/label_filter.h"

#include <math.h>

#include "common/base/assert.h"
#include "common/match/ip_match.h"
#include "querier/engine/label_number.h"
#include "querier/engine/value_set.h"

struct cw_label_test {
    const struct cw_label_filter *filter;
    struct cw_label_test **parts; /* as the filter's */
    struct cw_ip_match ip;
    bool no_ip; /* the address is none; where that is the whole filter the parser refuses it */
    uint64_t bytes;
    bool is_contains; /* a regex that Loki takes for "contains the literal" */
    struct cw_str literal;
};

/* Loki sends queries on as text, in which sizes have two digits: 1KiB is "1.0kB" by then, a thousand. */
static uint64_t printed_bytes(uint64_t bytes)
{
    double unit = 1;
    if (bytes < 10)
        return bytes;
    while ((double)bytes / unit >= 1000)
        unit *= 1000;
    double value = floor((double)bytes / unit * 10 + 0.5) / 10;
    return (uint64_t)((value < 10 ? value : nearbyint(value)) * unit);
}

/* x.*, .*x and .*x.*, for a plain x: Loki looks for x anywhere, without the anchors that other regexes have. */
static bool take_contains(struct cw_str pattern, struct cw_str *literal)
{
    size_t from = cw_str_starts(pattern, CW_STR(".*")) ? 2 : 0;
    struct cw_str rest = cw_str_sub(pattern, from, pattern.len);
    size_t to = cw_str_ends(rest, CW_STR(".*")) ? rest.len - 2 : rest.len;
    *literal = cw_str_sub(rest, 0, to);
    for (size_t i = 0; i < literal->len; i++)
        if (strchr("\\.+*?()|[]{}^$", literal->ptr[i]) != NULL)
            return false;
    return literal->len > 0 && literal->len < pattern.len;
}

struct cw_label_test *cw_label_filter_new(const struct cw_label_filter *filter,
                                          struct cw_arena *arena)
{
    struct cw_label_test *test = CW_ARENA_NEW(arena, struct cw_label_test);
    test->filter = filter;
    if (filter->kind == CW_LF_AND || filter->kind == CW_LF_OR) {
        test->parts = CW_ARENA_ARRAY(arena, struct cw_label_test *, filter->nparts);
        for (size_t i = 0; i < filter->nparts; i++)
            test->parts[i] = cw_label_filter_new(filter->parts[i], arena);
    } else if (filter->kind == CW_LF_IP) {
        struct cw_err err;
        test->no_ip = cw_ip_match_parse(filter->text, &test->ip, &err) < 0;
    } else if (filter->kind == CW_LF_MATCHER && filter->matcher.regex != NULL) {
        test->is_contains = take_contains(filter->matcher.value, &test->literal);
    }
    test->bytes = printed_bytes(filter->bytes);
    return test;
}

void cw_label_filter_leaves(const struct cw_label_filter *filter, cw_label_filter_fn fn, void *arg)
{
    if (filter->kind == CW_LF_AND || filter->kind == CW_LF_OR) {
        for (size_t i = 0; i < filter->nparts; i++)
            cw_label_filter_leaves(filter->parts[i], fn, arg);
    } else {
        fn(arg, filter);
    }
}

struct cw_str cw_label_filter_name(const struct cw_label_filter *leaf)
{
    return leaf->kind == CW_LF_MATCHER ? leaf->matcher.name : leaf->name;
}

#define COMPARE(cmp, a, b)                                                                         \
    ((cmp) == CW_CMP_EQ   ? (a) == (b)                                                             \
     : (cmp) == CW_CMP_NE ? (a) != (b)                                                             \
     : (cmp) == CW_CMP_GT ? (a) > (b)                                                              \
     : (cmp) == CW_CMP_GE ? (a) >= (b)                                                             \
     : (cmp) == CW_CMP_LT ? (a) < (b)                                                              \
                          : (a) <= (b))

bool cw_label_filter_number(const struct cw_label_filter *leaf, double number)
{
    return COMPARE(leaf->cmp, number, leaf->number);
}

static int fail_filter(struct cw_label_builder *builder, struct cw_str why)
{
    if (builder->error.len == 0)
        cw_label_builder_set_error(builder, CW_STR("LabelFilterErr"), why);
    return 1;
}

static int run_matcher(const struct cw_label_test *test, struct cw_label_builder *builder,
                       struct cw_err *err)
{
    const struct cw_matcher *matcher = &test->filter->matcher;
    struct cw_str value = CW_STR_NONE;
    enum cw_label_category category;
    if (cw_str_eqz(matcher->name, "__error__"))
        value = builder->error;
    else if (!cw_label_builder_get(builder, matcher->name, &value, &category))
        value = CW_STR_NONE;
    if (test->is_contains)
        return (cw_str_find(value, test->literal) >= 0) == (matcher->op == CW_MATCH_RE);
    return cw_matcher_match(matcher, value, err);
}

static int run_ip(const struct cw_label_test *test, struct cw_label_builder *builder)
{
    struct cw_str value;
    enum cw_label_category category;
    if (builder->error.len > 0)
        return 1;
    if (test->no_ip || !cw_label_builder_get(builder, test->filter->name, &value, &category))
        return 0;
    return cw_ip_match_find(&test->ip, value) == (test->filter->cmp == CW_CMP_EQ);
}

/* An entry without the label is in no set. */
static int run_in(const struct cw_label_test *test, struct cw_label_builder *builder)
{
    struct cw_str value;
    enum cw_label_category category;
    bool found = cw_label_builder_get(builder, test->filter->name, &value, &category) &&
                 cw_value_set_has(test->filter->values, value);
    return found != test->filter->negated;
}

/* Number, duration, size. */
static int run_compare(const struct cw_label_test *test, struct cw_label_builder *builder)
{
    const struct cw_label_filter *filter = test->filter;
    struct cw_str value, why;
    enum cw_label_category category;
    double number;
    int64_t ns;
    uint64_t bytes;
    if (!cw_label_builder_get(builder, filter->name, &value, &category))
        return 0;
    switch (filter->kind) {
    case CW_LF_NUMBER:
        if (!cw_label_number(value, &number, builder->scratch, &why))
            return fail_filter(builder, why);
        return cw_label_filter_number(filter, number);
    case CW_LF_DURATION:
        if (!cw_label_duration(value, &ns, builder->scratch, &why))
            return fail_filter(builder, why);
        return COMPARE(filter->cmp, ns, filter->duration_ns);
    case CW_LF_BYTES:
        if (!cw_label_bytes(value, &bytes, builder->scratch, &why))
            return fail_filter(builder, why);
        return COMPARE(filter->cmp, bytes, test->bytes);
    default: CW_ASSERT(!"the kinds that convert");
    }
}

static int run_or(const struct cw_label_test *test, struct cw_label_builder *builder,
                  struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < test->filter->nparts; i++)
        rc = cw_label_filter_run(test->parts[i], builder, err);
    return rc;
}

/* All of an `and` run: a later one may set an error that the entry keeps. */
static int run_and(const struct cw_label_test *test, struct cw_label_builder *builder,
                   struct cw_err *err)
{
    int all = 1;
    for (size_t i = 0; i < test->filter->nparts; i++) {
        int rc = cw_label_filter_run(test->parts[i], builder, err);
        if (rc < 0)
            return rc;
        all &= rc;
    }
    return all;
}

int cw_label_filter_run(const struct cw_label_test *test, struct cw_label_builder *builder,
                        struct cw_err *err)
{
    switch (test->filter->kind) {
    case CW_LF_AND: return run_and(test, builder, err);
    case CW_LF_OR: return run_or(test, builder, err);
    case CW_LF_MATCHER: return run_matcher(test, builder, err);
    case CW_LF_IP: return run_ip(test, builder);
    case CW_LF_IN: return run_in(test, builder);
    default: return run_compare(test, builder);
    }
}
