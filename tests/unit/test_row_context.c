#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "querier/engine/row_context.h"

static const struct cw_str required[] = {{"level", 5}, {"status", 6}};
static const struct cw_label_hints hints = {.required = required, .nrequired = 2};

static struct cw_row_contexts *contexts;
static struct cw_entry_batch batch;
static const struct cw_stage json = {.kind = CW_STAGE_JSON};

static void setup(void)
{
    contexts = cw_row_contexts_new(&hints, &json);
}

static void teardown(void)
{
    cw_row_contexts_free(&contexts);
    cr_expect_null(contexts);
}

TestSuite(row_context, .init = setup, .fini = teardown);

static enum cw_row_stream begin(uint64_t stream, struct cw_labels labels)
{
    batch = (struct cw_entry_batch){.stream = {{stream, 0}, labels}};
    return cw_row_contexts_begin(contexts, &batch);
}

static const struct cw_row_context *find(const struct cw_label *items, size_t n)
{
    struct cw_labels metadata = {items, n};
    return cw_row_contexts_find(contexts, &metadata);
}

#define LABEL(name, value)                                                                         \
    {                                                                                              \
        {(name), sizeof(name) - 1},                                                                \
        {                                                                                          \
            (value), sizeof(value) - 1                                                             \
        }                                                                                          \
    }

Test(row_context, rows_have_one_context_if_what_the_query_reads_is_the_same)
{
    static const struct cw_label app[] = {LABEL("app", "x")};
    static const struct cw_label info[] = {LABEL("level", "info"), LABEL("trace", "1")};
    static const struct cw_label same[] = {LABEL("level", "info"), LABEL("trace", "2")};
    static const struct cw_label warn[] = {LABEL("level", "warn")};
    static const struct cw_label both[] = {LABEL("level", "warn"), LABEL("status", "5")};
    static const struct cw_label trace[] = {LABEL("trace", "3")};
    begin(1, (struct cw_labels){app, 1});
    struct cw_row_context none = *find(NULL, 0), first = *find(info, 2), second = *find(warn, 1),
                          third = *find(both, 2);
    cr_expect_eq(none.metadata.n, 0);
    cr_expect_eq(first.metadata.n, 1);
    cr_expect_eq(find(same, 2)->number, first.number);
    cr_expect_eq(find(info, 2)->number, first.number);
    cr_expect_eq(find(trace, 1)->number, none.number);
    cr_expect_neq(second.number, first.number);
    cr_expect_eq(second.names, first.names);
    cr_expect_eq(second.slot, first.slot);
    cr_expect_neq(third.names, first.names);
    cr_expect_neq(third.slot, first.slot);
    cr_expect_neq(none.names, first.names);
}

Test(row_context, places_of_metadata_say_nothing_of_the_next_batch)
{
    struct cw_label item[] = {LABEL("level", "info")};
    begin(1, CW_LABELS_NONE);
    uint32_t info = find(item, 1)->number;
    item[0].value = CW_STR("warn");
    cr_expect_eq(begin(1, CW_LABELS_NONE), CW_ROW_STREAM_SAME);
    cr_expect_neq(find(item, 1)->number, info);
    item[0].value = CW_STR("info");
    begin(1, CW_LABELS_NONE);
    cr_expect_eq(find(item, 1)->number, info);
}

Test(row_context, streams_with_the_same_names_share_numbers_of_names)
{
    static const struct cw_label a[] = {LABEL("app", "a")}, b[] = {LABEL("app", "b")};
    static const struct cw_label other[] = {LABEL("job", "a")};
    static const struct cw_label level[] = {LABEL("level", "info")};
    cr_expect_eq(begin(1, (struct cw_labels){a, 1}), CW_ROW_STREAM_NAMES);
    uint32_t names = find(level, 1)->names;
    cr_expect_eq(begin(2, (struct cw_labels){b, 1}), CW_ROW_STREAM_NEW);
    cr_expect_eq(find(level, 1)->names, names);
    cr_expect_eq(begin(3, (struct cw_labels){other, 1}), CW_ROW_STREAM_NAMES);
    cr_expect_neq(find(level, 1)->names, names);
}

Test(row_context, errors_in_metadata_are_not_foreseen)
{
    static const struct cw_label error[] = {LABEL("__error__", "x"), LABEL("level", "info")};
    begin(1, CW_LABELS_NONE);
    cr_expect_null(find(error, 2));
    cr_expect_null(find(error, 2));
}

Test(row_context, more_contexts_than_there_is_room_for_have_no_number)
{
    char texts[200][8];
    struct cw_label items[200];
    begin(1, CW_LABELS_NONE);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < CW_COUNT(items); i++) {
            int n = snprintf(texts[i], sizeof texts[i], "%u", i);
            items[i] = (struct cw_label){CW_STR("status"), cw_str_make(texts[i], (size_t)n)};
            const struct cw_row_context *context = find(&items[i], 1);
            cr_assert_not_null(context);
            cr_assert(cw_str_eq(context->metadata.items[0].value, items[i].value));
            cr_assert_eq(context->number,
                         i + 1 < CW_ROW_CONTEXTS_MAX ? i + 1 : CW_ROW_CONTEXT_OTHER);
        }
    }
    cr_expect_lt(cw_row_contexts_bytes(contexts), 200000);
}

Test(row_context, too_many_kinds_of_names_are_not_foreseen)
{
    char texts[12][2];
    struct cw_str names[12];
    struct cw_label labels[12];
    struct cw_label_hints many = {.required = names, .nrequired = CW_COUNT(names)};
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        texts[i][0] = (char)('a' + i);
        names[i] = cw_str_make(texts[i], 1);
    }
    cw_row_contexts_free(&contexts);
    contexts = cw_row_contexts_new(&many, &json);
    begin(1, CW_LABELS_NONE);
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        labels[i] = (struct cw_label){names[i], CW_STR("x")};
        cr_expect_eq(find(&labels[i], 1) != NULL, i + 1 < CW_ROW_NAMES_MAX);
    }
}

Test(row_context, what_changes_where_the_parser_ends_is_not_foreseen)
{
    struct cw_extraction extractions[] = {{.name = CW_STR("id")}};
    const struct cw_stage logfmt = {
        .kind = CW_STAGE_LOGFMT, .extractions = extractions, .nextractions = 1};
    struct cw_label id = {CW_STR("id"), CW_STR("1")}, other = {CW_STR("other"), CW_STR("1")};
    begin(1, CW_LABELS_NONE);
    cr_expect_not_null(find(&id, 1));
    cw_row_contexts_free(&contexts);
    contexts = cw_row_contexts_new(&hints, &logfmt);
    begin(1, CW_LABELS_NONE);
    cr_expect_null(find(&id, 1));
    cr_expect_not_null(find(&other, 1));
}
