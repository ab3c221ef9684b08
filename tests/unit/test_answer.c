#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/api/answer.h"

static struct cw_labels labels(struct cw_arena *arena, const char *text)
{
    struct cw_labels out;
    struct cw_err err;
    cr_assert_eq(cw_labels_parse(cw_str_of(text), arena, &out, &err), 0);
    return out;
}

/* What stands before the statistics. */
static void expect_head(struct cw_buf *out, const char *want)
{
    cr_expect_not(cw_buf_failed(out));
    cr_expect(cw_str_starts(cw_str_of(cw_buf_z(out)), cw_str_of(want)), "%s", cw_buf_z(out));
    cw_buf_clear(out);
}

Test(answer, streams_plain_and_categorised)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_query_context query;
    struct cw_buf out;
    struct cw_log_entry entry = {.ts_ns = 1700000000000000001,
                                 .stream = labels(arena, "{app=\"a\"}"),
                                 .line = CW_STR("x\xff\"y"),
                                 .metadata = labels(arena, "{t=\"1\"}")};
    const struct cw_log_entry *list = &entry;
    struct cw_log_groups groups;
    cw_query_context_init(&query, NULL, NULL, 0);
    struct cw_answer_stats stats = {.query = &query};
    struct cw_answer_extra extra = {0};
    cw_buf_init(&out, 1 << 20);
    cw_log_group(&list, 1, false, arena, &groups);
    cw_answer_streams(&groups, &extra, &stats, &out);
    expect_head(
        &out,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{"
        "\"app\":\"a\",\"t\":\"1\"},"
        "\"values\":[[\"1700000000000000001\",\"x\\ufffd\\\"y\"]]}],\"stats\":{\"summary\":{");
    cw_log_group(&list, 1, true, arena, &groups);
    extra = (struct cw_answer_extra){.categorised = true, .warning = CW_STR("replaying")};
    cw_answer_streams(&groups, &extra, &stats, &out);
    expect_head(
        &out,
        "{\"status\":\"success\",\"warnings\":[\"replaying\"],\"data\":{\"resultType\":\"streams\","
        "\"encodingFlags\":[\"categorize-labels\"],\"result\":[{\"stream\":{\"app\":\"a\"},"
        "\"values\":[[\"1700000000000000001\",\"x\\ufffd\\\"y\",{\"structuredMetadata\":{\"t\":"
        "\"1\"}}]]}],\"stats\":");
    cw_answer_old_streams(&groups, &stats, &out);
    expect_head(&out, "{\"streams\":[{\"labels\":\"{app=\\\"a\\\"}\",\"entries\":[{\"ts\":\"2023-"
                      "11-14T22:13:20.000000001Z\","
                      "\"line\":\"x\\ufffd\\\"y\"}]}],\"stats\":");
    cw_buf_fini(&out);
    cw_arena_free(&arena);
}

Test(answer, times_of_samples_are_seconds_with_the_digits_they_need)
{
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {1700000000000000000, "[1700000000,\"0.5\"]"},
        {1700000000120000000, "[1700000000.12,\"0.5\"]"},
        {59999999999, "[59.999,\"0.5\"]"},
        {-500000000, "[-0.5,\"0.5\"]"},
        {0, "[0,\"0.5\"]"},
    };
    struct cw_query_context query;
    cw_query_context_init(&query, NULL, NULL, 0);
    struct cw_answer_stats stats = {.query = &query};
    struct cw_answer_extra extra = {0};
    struct cw_result result = {.kind = CW_RESULT_SCALAR, .scalar = 0.5};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_buf out, want;
        cw_buf_init(&out, 1 << 20);
        cw_buf_init(&want, 4096);
        cw_answer_samples(&result, cases[i].ns, &extra, &stats, &out);
        cw_buf_addf(
            &want,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":%s,\"stats\":",
            cases[i].want);
        expect_head(&out, cw_buf_z(&want));
        cw_buf_fini(&want);
        cw_buf_fini(&out);
    }
}

Test(answer, a_matrix_leaves_out_steps_without_a_value)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_query_context query;
    struct cw_err err;
    struct cw_series *series;
    struct cw_grid grid = {.start_ns = 0, .step_ns = 1000000000, .n = 3};
    struct cw_buf out;
    cw_query_context_init(&query, NULL, NULL, 0);
    struct cw_answer_stats stats = {.query = &query};
    struct cw_answer_extra extra = {0};
    struct cw_result result = {.kind = CW_RESULT_MATRIX, .table = cw_table_new(&grid, NULL)};
    cr_assert_eq(
        cw_table_add(result.table, labels(arena, "{a=\"1\"}"), CW_TABLE_COPY, &series, &err), 0);
    cw_series_set(series, 0, 1);
    cw_series_set(series, 2, 1.0 / 0.0);
    cw_buf_init(&out, 1 << 20);
    cw_answer_samples(&result, 0, &extra, &stats, &out);
    expect_head(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                      "\"metric\":{\"a\":\"1\"},"
                      "\"values\":[[0,\"1\"],[2,\"+Inf\"]]}],\"stats\":");
    cw_buf_fini(&out);
    cw_result_fini(&result);
    cw_arena_free(&arena);
}

Test(answer, a_matrix_has_every_name_once)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_query_context query;
    struct cw_err err;
    struct cw_series *series;
    struct cw_grid grid = {.start_ns = 0, .step_ns = 1000000000, .n = 3};
    struct cw_buf out;
    cw_query_context_init(&query, NULL, NULL, 0);
    struct cw_answer_stats stats = {.query = &query};
    struct cw_answer_extra extra = {0};
    struct cw_result result = {.kind = CW_RESULT_MATRIX, .table = cw_table_new(&grid, NULL)};
    static const char *const names[] = {"{a=\"1\"}", "{a=\"1\"}", "{a=\"2\"}"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(
            cw_table_add(result.table, labels(arena, names[i]), CW_TABLE_COPY, &series, &err), 0);
        cw_series_set(series, 2 - i, (double)i);
    }
    cw_buf_init(&out, 1 << 20);
    cw_answer_samples(&result, 0, &extra, &stats, &out);
    expect_head(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                      "\"metric\":{\"a\":\"1\"},\"values\":[[1,\"1\"],[2,\"0\"]]},{"
                      "\"metric\":{\"a\":\"2\"},\"values\":[[0,\"2\"]]}],\"stats\":");
    cw_buf_fini(&out);
    cw_result_fini(&result);
    cw_arena_free(&arena);
}

Test(answer, an_exported_line_keeps_every_byte)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    struct cw_log_entry entry = {
        .ts_ns = -1, .stream = labels(arena, "{app=\"a\"}"), .line = CW_STR("caf\xc3\xa9\n")};
    cw_answer_export_line(&entry, &out);
    cr_expect_str_eq(cw_buf_z(&out),
                     "{\"ts\":\"-1\",\"labels\":{\"app\":\"a\"},\"line\":\"caf\xc3\xa9\\n\"}\n");
    cw_buf_clear(&out);
    static const struct {
        struct cw_str line;
        const char *base64;
    } cases[] = {
        {CW_STR("\xff"), "/w=="}, {CW_STR("\xff\xfe"), "//4="}, {CW_STR("\xff\x00\xfe"), "/wD+"}};
    entry.metadata = labels(arena, "{m=\"1\"}");
    for (size_t i = 0; i < 3; i++) {
        struct cw_buf want;
        cw_buf_init(&want, 4096);
        entry.line = cases[i].line;
        cw_answer_export_line(&entry, &out);
        cw_buf_addf(&want,
                    "{\"ts\":\"-1\",\"labels\":{\"app\":\"a\"},\"line_b64\":\"%s\",\"metadata\":{"
                    "\"m\":\"1\"}}\n",
                    cases[i].base64);
        cr_expect_str_eq(cw_buf_z(&out), cw_buf_z(&want));
        cw_buf_clear(&out);
        cw_buf_fini(&want);
    }
    cw_buf_fini(&out);
    cw_arena_free(&arena);
}

Test(answer, an_answer_over_its_bound_says_so)
{
    struct cw_buf out;
    struct cw_str names[] = {CW_STR("abcdefgh"), CW_STR("ijklmnop")};
    cw_buf_init(&out, 40);
    struct cw_answer_list list;
    cw_answer_list_begin(&list, CW_ANSWER_LIST, CW_LIST_NAMES, CW_STR_NONE, &out);
    for (size_t i = 0; i < 2; i++)
        cw_answer_list_add(&list, &(struct cw_list_item){.text = names[i]});
    cw_answer_list_end(&list);
    cr_expect(cw_buf_failed(&out));
    cw_buf_fini(&out);
}

Test(answer, a_warning_stands_beside_the_data)
{
    struct cw_buf out;
    struct cw_list_item item = {.text = CW_STR("app")};
    struct cw_answer_list list;
    cw_buf_init(&out, 4096);
    cw_answer_list_begin(&list, CW_ANSWER_LIST, CW_LIST_NAMES, CW_STR("replaying"), &out);
    cw_answer_list_add(&list, &item);
    cw_answer_list_end(&list);
    cr_expect_str_eq(cw_buf_z(&out),
                     "{\"status\":\"success\",\"warnings\":[\"replaying\"],\"data\":[\"app\"]}");
    cw_buf_clear(&out);
    cw_answer_list_begin(&list, CW_ANSWER_OLD_LIST, CW_LIST_NAMES, CW_STR_NONE, &out);
    cw_answer_list_add(&list, &item);
    cw_answer_list_end(&list);
    cr_expect_str_eq(cw_buf_z(&out), "{\"values\":[\"app\"]}");
    cw_buf_fini(&out);
}

Test(answer, an_empty_list_of_texts_is_left_out_and_one_of_streams_is_not)
{
    static const struct {
        enum cw_answer_list_form form;
        enum cw_list_what what;
        const char *warning, *text;
    } rows[] = {
        {CW_ANSWER_LIST, CW_LIST_NAMES, "", "{\"status\":\"success\"}"},
        {CW_ANSWER_LIST, CW_LIST_VALUES, "x", "{\"status\":\"success\",\"warnings\":[\"x\"]}"},
        {CW_ANSWER_LIST, CW_LIST_STREAMS, "", "{\"status\":\"success\",\"data\":[]}"},
        {CW_ANSWER_OLD_LIST, CW_LIST_NAMES, "", "{}"},
        {CW_ANSWER_OLD_LIST, CW_LIST_VALUES, "", "{}"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_buf out;
        struct cw_answer_list list;
        cw_buf_init(&out, 4096);
        cw_answer_list_begin(&list, rows[i].form, rows[i].what, cw_str_of(rows[i].warning), &out);
        cw_answer_list_end(&list);
        cr_expect_str_eq(cw_buf_z(&out), rows[i].text);
        cw_buf_fini(&out);
    }
}

static void expect_volumes(const struct cw_volumes *volumes, const struct cw_volume_steps *steps,
                           const char *want)
{
    struct cw_query_context query;
    struct cw_answer_extra extra = {0};
    struct cw_buf out;
    cw_buf_init(&out, 1 << 16);
    cw_query_context_init(&query, NULL, NULL, 0);
    struct cw_answer_stats stats = {.query = &query};
    cw_answer_volumes(volumes, steps, 7 * CW_NS_PER_S, &extra, &stats, &out);
    struct cw_str text = cw_buf_str(&out);
    ptrdiff_t end = cw_str_find(text, CW_STR(",\"stats\":"));
    cr_assert(end >= 0);
    out.ptr[end] = '\0';
    cr_expect_str_eq(out.ptr, want);
    cw_buf_fini(&out);
}

Test(answer, volumes_are_a_matrix_where_one_has_two_samples)
{
    struct cw_label app = {CW_STR("app"), CW_STR("x")};
    uint64_t one[] = {0, 5, 0}, two[] = {5, 0, 7};
    struct cw_volume volume = {.labels = {&app, 1}, .bytes = 5};
    struct cw_volumes volumes = {&volume, 1};
    struct cw_volume_steps steps;
    cw_volume_steps_init(&steps, 5 * CW_NS_PER_S, 25 * CW_NS_PER_S, 10 * CW_NS_PER_S);
    expect_volumes(&volumes, NULL,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                   "\"metric\":{\"app\":\"x\"},\"value\":[7,\"5\"]}]");
    volume.steps = one;
    expect_volumes(&volumes, &steps,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                   "\"metric\":{\"app\":\"x\"},\"value\":[19.999,\"5\"]}]");
    volume.steps = two;
    expect_volumes(&volumes, &steps,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
                   "\"metric\":{\"app\":\"x\"},\"values\":[[9.999,\"5\"],[25,\"7\"]]}]");
}
