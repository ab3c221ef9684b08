/* test_text_scan.c - what a text occurs in: templates, dictionaries, values. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/assert.h"
#include "common/store/text_scan.h"

/* Two templates with strings, then two dictionaries. */
static const char all[] = "user \x0f ok\0user \x0f \"\x10\" failed\0"
                          "u1\0bob2\0u12\0"
                          "\0failed twice\0ok\0";

static struct cw_layout layout;
static struct cw_str dictionaries[2];
static struct cw_block_text text;

static void init(void)
{
    struct cw_err err;
    const char *second = all + strlen(all) + 1;
    cw_layout_init(&layout);
    cr_assert_eq(cw_layout_add(&layout, cw_str_of(all), &err), 0);
    cr_assert_eq(cw_layout_add(&layout, cw_str_of(second), &err), 0);
    cr_assert_eq(layout.ncolumns, 2);
    const char *at = second + strlen(second) + 1;
    dictionaries[0] = cw_str_make(at, sizeof("u1\0bob2\0u12"));
    at += dictionaries[0].len;
    dictionaries[1] = cw_str_make(at, (size_t)(all + sizeof(all) - 1 - at));
    text = (struct cw_block_text){&layout, cw_str_make(all, sizeof(all) - 1), dictionaries};
}

static void fini(void)
{
    cw_layout_fini(&layout);
}

TestSuite(text_scan, .init = init, .fini = fini);

static void hits(const char *needle, const char *want)
{
    struct cw_text_search search;
    uint8_t templates[2] = {0}, columns[2] = {0};
    struct cw_text_hits found = {templates, columns};
    char got[32];
    cw_text_search_init(&search, cw_str_of(needle), false);
    cw_text_scan(&search, &text, cw_text_search_find(&search, text.all.ptr, text.all.len), &found);
    snprintf(got, sizeof(got), "%u%u %u%u", templates[0], templates[1], columns[0], columns[1]);
    cr_assert_str_eq(got, want, "%s: %s", needle, got);
}

Test(text_scan, marks_templates_and_columns)
{
    hits("user", "11 00");
    hits("failed", "01 01");
    hits("ok", "10 01");
    hits("bob", "00 10");
    hits("twice", "00 01");
    hits("absent", "00 00");
}

static bool collect(void *arg, uint32_t number)
{
    char *out = arg;
    size_t len = strlen(out);
    snprintf(out + len, 64 - len, "%u ", number);
    return true;
}

static void numbers(size_t column, const char *piece, bool first, bool last, const char *want)
{
    struct cw_text_search search;
    char got[64] = "";
    cw_text_search_init(&search, cw_str_of(piece), false);
    struct cw_dictionary_search what = {&search, first, last};
    cw_dictionary_scan(&what, dictionaries[column], collect, got);
    cr_assert_str_eq(got, want, "%s: %s", piece, got);
}

Test(text_scan, finds_values_of_a_dictionary)
{
    numbers(0, "u1", false, false, "0 2 ");
    numbers(0, "u1", true, true, "0 ");
    numbers(0, "2", false, true, "1 2 ");
    numbers(0, "b2", false, true, "1 ");
    numbers(0, "b", true, false, "1 ");
    numbers(0, "b", false, false, "1 ");
    numbers(0, "x", false, false, "");
    numbers(1, "", true, true, "0 ");
    numbers(1, "k", false, true, "2 ");
    numbers(1, "failed twice", true, true, "1 ");
}

static bool stop(void *arg, uint32_t number)
{
    *(uint32_t *)arg += number + 1;
    return false;
}

Test(text_scan, stops_when_it_is_told)
{
    struct cw_text_search search;
    uint32_t sum = 0;
    cw_text_search_init(&search, CW_STR("u1"), false);
    struct cw_dictionary_search what = {&search, false, false};
    cw_dictionary_scan(&what, dictionaries[0], stop, &sum);
    cr_assert_eq(sum, 1);
}
