#include <stdio.h>
#include "tests/support/extract_probe.h"

#define S(text) cw_str_of(text)

static void expect_sorted(struct probe *probe, const char *stream, const char *metadata,
                          const char *parsed, const char *all)
{
    struct cw_built_labels labels;
    struct cw_labels sets[4];
    const char *want[] = {stream, metadata, parsed, all};
    cw_label_builder_sort(&probe->builder, &labels);
    sets[0] = labels.stream, sets[1] = labels.metadata, sets[2] = labels.parsed;
    sets[3] = cw_label_builder_get_all(&probe->builder);
    for (size_t i = 0; i < 4; i++) {
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        cw_labels_format(sets[i], &text);
        cr_expect_str_eq(cw_buf_z(&text), want[i]);
        cw_buf_fini(&text);
    }
}

static void finish(struct probe *probe)
{
    cw_label_builder_fini(&probe->builder);
    cw_arena_free(&probe->arena);
}

static void parse(struct probe *probe, const char *name, const char *value)
{
    struct cw_str called;
    if (cw_label_builder_wants(&probe->builder, S(name), &called))
        cw_label_builder_add(&probe->builder, called, S(value));
}

Test(label_builder, names_that_stream_or_metadata_have_are_extracted)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\", env=\"e\"}", "{env=\"m\", trace=\"t\"}");
    expect_sorted(&p, "{app=\"a\", env=\"e\"}", "{env_extracted=\"m\", trace=\"t\"}", "{}",
                  "{app=\"a\", env=\"e\", env_extracted=\"m\", trace=\"t\"}");
    parse(&p, "app", "1");
    parse(&p, "trace", "2");
    parse(&p, "env", "3"); /* hides the metadata of that name */
    parse(&p, "z", "");
    expect_sorted(&p, "{app=\"a\", env=\"e\"}", "{trace=\"t\"}",
                  "{app_extracted=\"1\", env_extracted=\"3\", trace_extracted=\"2\", z=\"\"}",
                  "{app=\"a\", app_extracted=\"1\", env=\"e\", env_extracted=\"3\", trace=\"t\", "
                  "trace_extracted=\"2\", z=\"\"}");
    finish(&p);
}

Test(label_builder, what_was_parsed_first_stays_even_when_it_was_deleted)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    parse(&p, "x", "1");
    parse(&p, "x", "2");
    expect_sorted(&p, "{app=\"a\"}", "{}", "{x=\"1\"}", "{app=\"a\", x=\"1\"}");
    cw_label_builder_delete(&p.builder, S("x"));
    cw_label_builder_delete(&p.builder, S("app"));
    parse(&p, "x", "3");
    expect_sorted(&p, "{}", "{}", "{}", "{}");
    cw_label_builder_set(&p.builder, CW_LABEL_PARSED, S("x"), S("4")); /* label_format may */
    expect_sorted(&p, "{}", "{}", "{x=\"4\"}", "{x=\"4\"}");
    finish(&p);
}

Test(label_builder, a_category_below_one_that_has_the_name_is_not_set)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\", env=\"e\"}", "{t=\"m\"}");
    cw_label_builder_set(&p.builder, CW_LABEL_STREAM, S("application"), S("a"));
    cw_label_builder_delete(&p.builder, S("app"));
    cw_label_builder_set(&p.builder, CW_LABEL_METADATA, S("env"), S("m"));
    cw_label_builder_set(&p.builder, CW_LABEL_STREAM, S("t"), S("no"));
    expect_sorted(&p, "{application=\"a\"}", "{env=\"m\", t=\"m\"}", "{}",
                  "{application=\"a\", env=\"m\", t=\"m\"}");
    finish(&p);
}

Test(label_builder, the_error_counts_as_parsed_and_replaces_a_parsed_one)
{
    struct probe p;
    probe_begin(&p, "{}", "{}");
    parse(&p, "__error__", "mine");
    expect_sorted(&p, "{}", "{}", "{__error__=\"mine\"}", "{__error__=\"mine\"}");
    cw_label_builder_parse_error(&p.builder, S("E"), S("why"));
    expect_sorted(&p, "{}", "{}", "{__error__=\"E\", __error_details__=\"why\"}",
                  "{__error__=\"E\", __error_details__=\"why\"}");
    finish(&p);
}

Test(label_builder, an_error_without_details_leaves_those_of_an_earlier_one)
{
    struct probe p;
    probe_begin(&p, "{}", "{}");
    cw_label_builder_parse_error(&p.builder, S("E"), S("why"));
    cw_label_builder_parse_error(&p.builder, S("F"), CW_STR_NONE);
    expect_sorted(&p, "{}", "{}", "{__error__=\"F\", __error_details__=\"why\"}",
                  "{__error__=\"F\", __error_details__=\"why\"}");
    finish(&p);
}

Test(label_builder, details_alone_show_only_where_a_label_was_touched)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_label_builder_parse_error(&p.builder, S("E"), S("why"));
    cw_label_builder_set_error(&p.builder, CW_STR_NONE, S("why"));
    expect_sorted(&p, "{app=\"a\"}", "{}", "{}", "{app=\"a\"}");
    cr_expect_eq(cw_label_builder_details(&p.builder).len, 0);
    cw_label_builder_delete(&p.builder, S("none"));
    cr_expect(cw_str_eqz(cw_label_builder_details(&p.builder), "why"));
    expect_sorted(&p, "{app=\"a\"}", "{}", "{__error_details__=\"why\"}",
                  "{__error_details__=\"why\", app=\"a\"}");
    finish(&p);
}

Test(label_builder, hints_name_what_is_wanted_and_when_all_is_there)
{
    const struct cw_str names[] = {S("a"), S("b_c")};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    probe_require(&p, names, 2);
    parse(&p, "x", "1");
    parse(&p, "a", "2");
    cr_expect_not(cw_label_builder_has_all(&p.builder));
    cr_expect(cw_label_builder_wants_prefix(&p.builder, S("b")));
    cr_expect_not(cw_label_builder_wants_prefix(&p.builder, S("x")));
    parse(&p, "a", "3");
    cr_expect_not(cw_label_builder_has_all(&p.builder));
    parse(&p, "b_c", "4");
    cr_expect(cw_label_builder_has_all(&p.builder));
    struct cw_labels named = cw_label_builder_get_named(&p.builder, names, 2);
    cr_expect_eq(named.n, 2);
    cr_expect(cw_str_eqz(named.items[0].value, "2"));
    expect_sorted(&p, "{}", "{}", "{a=\"2\", b_c=\"4\"}", "{a=\"2\", b_c=\"4\"}");
    finish(&p);
}

Test(label_builder, errors_are_kept_apart_when_the_query_groups_by_them)
{
    const struct cw_str names[] = {S("__error__")};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    probe_require(&p, names, 1);
    cw_label_builder_parse_error(&p.builder, S("E"), CW_STR_NONE);
    probe_end(&p, "{__error__=\"E\", __preserve_error__=\"true\"}", "by __error__");
}

Test(label_builder, names_are_cleaned_and_texts_are_utf8)
{
    static const struct {
        const char *name, *clean;
    } names[] = {
        {"plain_1", "plain_1"},
        {"a.b-c", "a_b_c"},
        {"9lives", "_9lives"},
        {" x ", "x"},
        {"na\xC3\xAFve", "na_ve"},
        {"\xE2\x80\x83k\xC2\xA0", "k"},
        {"\xFF", "_"},
        {"  ", ""},
        {"", ""},
    };
    struct probe p;
    probe_begin(&p, "{}", "{}");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect(cw_str_eqz(cw_label_builder_clean(&p.builder, S(names[i].name)), names[i].clean),
                  "%s", names[i].name);
    cr_expect(cw_str_eqz(cw_label_builder_join(&p.builder, S("a"), S("9 b")), "a_9_b"));
    cr_expect(cw_str_eqz(cw_label_builder_join(&p.builder, S("a"), S("")), "a"));
    cr_expect(cw_str_eqz(cw_label_builder_text(&p.builder, S("a\xFF\xEF\xBF\xBD\xC3\xA9")),
                         "a  \xC3\xA9"));
    finish(&p);
}

Test(label_builder, many_labels_are_sorted_too)
{
    struct probe p;
    char name[16];
    probe_begin(&p, "{}", "{}");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%03d", (i * 377) % 1000);
        parse(&p, (char *)cw_arena_dup(p.arena, S(name)).ptr, "v");
    }
    struct cw_labels all = cw_label_builder_get_all(&p.builder);
    cr_assert_eq(all.n, 1000);
    for (size_t i = 1; i < all.n; i++)
        cr_assert_lt(cw_str_cmp(all.items[i - 1].name, all.items[i].name), 0);
    finish(&p);
}
