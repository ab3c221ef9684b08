#include <criterion/criterion.h>

#include "querier/engine/log_group.h"

static struct cw_labels labels(struct cw_arena *arena, const char *text)
{
    struct cw_labels out;
    struct cw_err err;
    cr_assert_eq(cw_labels_parse(cw_str_of(text), arena, &out, &err), 0);
    return out;
}

static void expect_labels(struct cw_labels got, const char *want)
{
    struct cw_buf text;
    cw_buf_init(&text, 4096);
    cw_labels_format(got, &text);
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
}

Test(log_group, metadata_counts_as_labels)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_log_entry entries[] = {
        {.stream = labels(arena, "{app=\"z\"}"), .line = CW_STR("1")},
        {.stream = labels(arena, "{app=\"a\"}"),
         .line = CW_STR("2"),
         .metadata = labels(arena, "{t=\"1\"}")},
        {.stream = labels(arena, "{app=\"a\"}"),
         .line = CW_STR("3"),
         .metadata = labels(arena, "{t=\"2\"}")},
        {.stream = labels(arena, "{app=\"a\"}"),
         .line = CW_STR("4"),
         .metadata = labels(arena, "{t=\"1\"}")},
    };
    const struct cw_log_entry *list[] = {&entries[0], &entries[1], &entries[2], &entries[3]};
    struct cw_log_groups groups;
    cw_log_group(list, 4, false, arena, &groups);
    cr_assert_eq(groups.n, 3);
    expect_labels(groups.items[0].labels, "{app=\"a\", t=\"1\"}");
    cr_expect_eq(groups.items[0].n, 2);
    cr_expect(cw_str_eqz(groups.items[0].entries[1]->line, "4"));
    expect_labels(groups.items[1].labels, "{app=\"a\", t=\"2\"}");
    expect_labels(groups.items[2].labels, "{app=\"z\"}");
    cw_log_group(list, 4, true, arena, &groups);
    cr_assert_eq(groups.n, 2);
    cr_expect_eq(groups.items[0].n, 3);
    cw_arena_free(&arena);
}

Test(log_group, a_metadata_name_of_the_stream_is_extracted)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_labels stream = labels(arena, "{app=\"a\", env=\"prod\"}");
    expect_labels(cw_log_labels(stream, labels(arena, "{env=\"meta\", z=\"1\"}"), arena),
                  "{app=\"a\", env=\"prod\", env_extracted=\"meta\", z=\"1\"}");
    expect_labels(
        cw_log_metadata(stream, labels(arena, "{b=\"1\", env=\"meta\", zz=\"2\"}"), arena),
        "{b=\"1\", env_extracted=\"meta\", zz=\"2\"}");
    expect_labels(
        cw_log_labels(stream, labels(arena, "{env=\"meta\", env_extracted=\"own\"}"), arena),
        "{app=\"a\", env=\"prod\", env_extracted=\"own\"}");
    cw_arena_free(&arena);
}

Test(log_group, nothing_makes_no_group)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_log_groups groups;
    cw_log_group(NULL, 0, false, arena, &groups);
    cr_expect_eq(groups.n, 0);
    cw_arena_free(&arena);
}
