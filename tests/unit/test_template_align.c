/* test_template_align.c - literals over templates: no row, every row, or what values must be. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/assert.h"
#include "common/store/template_align.h"

static struct cw_arena *arena;
static struct cw_layout layout;
static struct cw_template_alignment alignment;

static void init(void)
{
    arena = cw_arena_new();
    cw_layout_init(&layout);
    cw_template_alignment_init(&alignment);
}

static void fini(void)
{
    cw_template_alignment_fini(&alignment);
    cw_layout_fini(&layout);
    cw_arena_free(&arena);
}

TestSuite(template_align, .init = init, .fini = fini);

static enum cw_template_verdict align(struct cw_str template, const char *literal, bool nocase)
{
    struct cw_literal_plan plan;
    struct cw_err err;
    cw_layout_clear(&layout);
    cr_assert_eq(cw_layout_add(&layout, template, &err), 0);
    cw_literal_plan_init(&plan, cw_str_of(literal), nocase, arena);
    return cw_template_align(&plan, &layout, 0, &alignment);
}

/* The ways as text: `slot relation piece` of each test, & between tests, | between ways. */
static const char *ways(const char *literal)
{
    static const char *const relations[] = {"is", "begins", "ends", "holds"};
    static char out[4096];
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0, test = 0; i < alignment.nways; i++) {
        for (size_t first = test; test < alignment.ends[i]; test++) {
            const struct cw_slot_test *t = &alignment.tests[test];
            len +=
                (size_t)snprintf(out + len, sizeof(out) - len, "%s%u %s %.*s",
                                 test > first ? " & "
                                 : i > 0      ? " | "
                                              : "",
                                 t->slot, relations[t->relation], (int)t->len, literal + t->from);
        }
    }
    return out;
}

static void values(struct cw_str template, const char *literal, const char *want)
{
    cr_assert_eq(align(template, literal, false), CW_VERDICT_VALUES, "%s", literal);
    cr_assert_str_eq(ways(literal), want, "%s: %s", literal, ways(literal));
}

#define T(literal) CW_STR(literal)

Test(template_align, text_decides_alone)
{
    cr_assert_eq(align(T("took \x06 ms"), "took ", false), CW_VERDICT_YES);
    cr_assert_eq(align(T("took \x06 ms"), " m", false), CW_VERDICT_YES);
    cr_assert_eq(align(T("took \x06 ms"), "TOOK", false), CW_VERDICT_NO);
    cr_assert_eq(align(T("Took \x06 ms"), "took", true), CW_VERDICT_YES);
    cr_assert_eq(align(T("took \x06 ms"), "took m", false), CW_VERDICT_NO);
    cr_assert_eq(align(T("took \x06 ms"), "took x", false), CW_VERDICT_NO);
    cr_assert_eq(align(T("took \x06 ms"), "", false), CW_VERDICT_YES);
}

Test(template_align, values_are_asked_where_the_literal_enters_them)
{
    values(T("took \x06 ms"), "took 12", "0 begins 12");
    values(T("took \x06 ms"), "took 12 m", "0 is 12");
    values(T("took \x06 ms"), "12 ms", "0 ends 12");
    values(T("took \x06 ms"), "12", "0 holds 12");
    cr_assert_eq(align(T("took \x06 ms"), "12ms", false), CW_VERDICT_NO);
}

Test(template_align, a_chain_of_values)
{
    values(T("v\x06.\x06.\x06.\x06"), "10.0.3.209", "0 ends 10 & 1 is 0 & 2 is 3 & 3 begins 209");
    values(T("from \x04 to \x04"), "10.0.3.209", "0 holds 10.0.3.209 | 1 holds 10.0.3.209");
    values(T("from \x04 to \x04"), "9 to 1", "0 ends 9 & 1 begins 1");
    values(T("\x06.\x06 \x06.\x06"), "1.2", "0 ends 1 & 1 begins 2 | 2 ends 1 & 3 begins 2");
}

Test(template_align, a_value_that_cannot_be_longer_is_equal)
{
    values(T("id \x08"), "00112233445566778899aabbccddeeff",
           "0 is 00112233445566778899aabbccddeeff");
    values(T("at \x01"), "12:34:56", "0 is 12:34:56");
    cr_assert_eq(align(T("at \x01"), "12:34:567", false), CW_VERDICT_NO);
}

Test(template_align, quoted_values_end_wherever_a_quote_follows)
{
    values(T("a=\"\x10\" b=\"\x10\""), "\"x\"",
           "0 is x | 0 begins x\" | 0 ends \"x | 0 holds \"x\""
           " | 1 is x | 1 begins x\" | 1 ends \"x | 1 holds \"x\"");
}

Test(template_align, an_empty_value_may_be_quoted)
{
    cr_assert_eq(align(T("a=\"\x10\", b"), "a=\"\",", false), CW_VERDICT_VALUES);
    cr_assert_str_eq(ways("a=\"\","), "0 is  | 0 begins \", | 0 ends a=\" | 0 holds a=\"\",");
}

Test(template_align, raw_lines_are_unsure_and_others_hold_no_reserved_byte)
{
    cr_assert_eq(align(T("\x11"), "a", false), CW_VERDICT_UNSURE);
    cr_assert_eq(align(T("a \x06"), "\x06", false), CW_VERDICT_NO);
    cr_assert_eq(align(T("a \x10"), "\x06", false), CW_VERDICT_NO);
}

Test(template_align, a_literal_that_fits_in_too_many_ways_is_unsure)
{
    char template[600], literal[64];
    size_t n = 0;
    for (int i = 0; i < 200; i++) {
        template[n++] = '"';
        template[n++] = CW_SLOT_QUOTED;
        template[n++] = '"';
    }
    memset(literal, '"', sizeof(literal) - 1);
    literal[sizeof(literal) - 1] = 0;
    cr_assert_eq(align(cw_str_make(template, n), literal, false), CW_VERDICT_UNSURE);
}
