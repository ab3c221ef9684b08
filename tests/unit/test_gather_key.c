#include <criterion/criterion.h>
#include <stdlib.h>

#include "querier/engine/gather_key.h"

static struct cw_query *parse(const char *text)
{
    struct cw_query *query = NULL;
    struct cw_err err;
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &query, &err), 0,
                 "%s: %s", text, err.text);
    return query;
}

/* An entry each, in the order that is expected. */
static void expect_order(const char *query_text, const char *const *labels, size_t n)
{
    static const struct cw_label_hints hints;
    struct cw_query *query = parse(query_text);
    struct cw_label_builder builders[8];
    struct cw_arena *arena = cw_arena_new();
    struct cw_sort_value *values[8];
    const struct cw_stage *stage = query->root->stages;
    cr_assert(n <= 8);
    for (size_t i = 0; i < n; i++) {
        struct cw_labels stream;
        struct cw_err err;
        struct cw_gather_key key = {0};
        cw_label_builder_init(&builders[i], &hints);
        cr_assert_eq(cw_labels_parse(cw_str_of(labels[i]), arena, &stream, &err), 0);
        cw_label_builder_begin(&builders[i], stream, CW_LABELS_NONE);
        cw_gather_key_note(stage, &builders[i], &key);
        cr_assert_not(key.reached_distinct);
        values[i] = cw_sort_values_copy_into(
            cw_mem_new(cw_sort_values_bytes(key.values, stage->nkeys)), key.values, stage->nkeys);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int order = cw_sort_values_cmp(stage, values[i], values[k]);
            cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "%s and %s", labels[i],
                         labels[k]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        free(values[i]);
        cw_label_builder_fini(&builders[i]);
    }
    cw_arena_free(&arena);
    cw_query_free(&query);
}

Test(gather_key, numbers_stand_before_texts_and_what_is_missing_comes_last)
{
    static const char *const up[] = {"{a=\"-2\"}",  "{a=\"9\"}",   "{a=\"1e1\"}", "{a=\"+Inf\"}",
                                     "{a=\"10x\"}", "{a=\"NaN\"}", "{b=\"1\"}"};
    static const char *const down[] = {"{a=\"b\"}", "{a=\"a\"}", "{a=\"3\"}", "{a=\"2.5\"}", "{}"};
    expect_order("{x=\"y\"} | sort by (a)", up, 7);
    expect_order("{x=\"y\"} | sort by (a desc)", down, 5);
}

Test(gather_key, durations_and_sizes_go_by_value)
{
    static const char *const up[] = {"{a=\"7\"}",    "{a=\"-1s\"}",   "{a=\"900us\"}",
                                     "{a=\"10ms\"}", "{a=\"1m30s\"}", "{a=\"512B\"}",
                                     "{a=\"2KB\"}",  "{a=\"1.5MB\"}"};
    static const char *const mixed[] = {"{a=\"1h\"}", "{a=\"3GiB\"}", "{a=\"10x\"}", "{a=\"s5\"}"};
    static const char *const down[] = {"{a=\"2m\"}", "{a=\"119s\"}", "{a=\"1500ms\"}", "{}"};
    expect_order("{x=\"y\"} | sort by (a)", up, 8);
    expect_order("{x=\"y\"} | sort by (a)", mixed, 4);
    expect_order("{x=\"y\"} | sort by (a desc)", down, 4);
}

Test(gather_key, a_second_key_decides_where_the_first_is_the_same)
{
    static const char *const order[] = {"{a=\"2.0\", b=\"1\"}", "{a=\"2\", b=\"3\"}", "{a=\"2\"}",
                                        "{a=\"1\", b=\"0\"}"};
    expect_order("{x=\"y\"} | sort by (a desc, b)", order, 4);
}

Test(gather_key, combinations_are_told_apart_by_every_value)
{
    static const struct cw_label_hints hints;
    static const char *const labels[] = {"{a=\"1\", b=\"23\"}", "{a=\"12\", b=\"3\"}",
                                         "{a=\"123\"}", "{b=\"123\"}", "{}"};
    struct cw_query *query = parse("{x=\"y\"} | distinct a, b");
    struct cw_hash128 seen[5];
    struct cw_label_builder builder;
    cw_label_builder_init(&builder, &hints);
    for (size_t i = 0; i < 5; i++) {
        struct cw_labels stream;
        struct cw_err err;
        struct cw_gather_key key = {0};
        struct cw_arena *arena = cw_arena_new();
        cr_assert_eq(cw_labels_parse(cw_str_of(labels[i]), arena, &stream, &err), 0);
        cw_label_builder_begin(&builder, stream, CW_LABELS_NONE);
        cw_gather_key_note(query->root->stages, &builder, &key);
        cr_assert(key.reached_distinct);
        seen[i] = key.combination;
        for (size_t k = 0; k < i; k++)
            cr_expect_not(cw_hash128_eq(seen[i], seen[k]), "%s and %s", labels[i], labels[k]);
        cw_arena_free(&arena);
    }
    cw_label_builder_fini(&builder);
    cw_query_free(&query);
}
