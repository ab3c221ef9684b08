/* test_template_syntax.c - templates whose rows all read alike, and such as do not. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/template_syntax.h"

#define T(literal) CW_STR(literal)

static bool reads_alike(struct cw_str text, enum cw_syntax syntax)
{
    char sample[300];
    return cw_template_sample(text, syntax, sample);
}

Test(template_syntax, the_sample_has_a_digit_in_place_of_each_slot)
{
    char sample[300];
    struct cw_str text = T("{\"a\": -\x05, \"b\": \"\x10\", \"c\": [\x06, \"id \x08\"]}");
    cr_assert(cw_template_sample(text, CW_SYNTAX_JSON, sample));
    cr_expect_eq(memcmp(sample, "{\"a\": -0, \"b\": \"0\", \"c\": [0, \"id 0\"]}", text.len), 0);
    text = T("ts=\x0f level=info n=\x05ms msg=\"\x10\" peer=\x04:\x06 bare");
    cr_assert(cw_template_sample(text, CW_SYNTAX_LOGFMT, sample));
    cr_expect_eq(memcmp(sample, "ts=0 level=info n=0ms msg=\"0\" peer=0:0 bare", text.len), 0);
}

Test(template_syntax, json_of_which_all_rows_are_the_same_but_for_values)
{
    static const struct cw_str fine[] = {
        T("{}"),
        T("{ } \t"),
        T("{\"a\":true,\"b\" : null , \"c\":{\"d\":[]}}"),
        T("{\"a\":\"\x01 \x02 \x03 \x04 \x05 \x06 \x07 \x08 \x0e \x0f\"}"),
        T("{\"a\": \"\\n\x0f items\", \"b\": \"\\\"\x06\\\"\"}"),
        T("{\"a\":[[1e,\x06],2]}"),
    };
    for (size_t i = 0; i + 1 < CW_COUNT(fine); i++)
        cr_expect(reads_alike(fine[i], CW_SYNTAX_JSON), "%zu", i);
    /* No digit stands outside of a slot: what looks like a number there is not the tokenizer's. */
    cr_expect(!reads_alike(fine[CW_COUNT(fine) - 1], CW_SYNTAX_JSON));
}

Test(template_syntax, json_that_depends_on_values_or_is_none)
{
    static const struct cw_str wrong[] = {
        T(""),
        T("{"),
        T("\x11"),
        T("[\x06]"),
        T("\x06"),
        T(" {}"),
        T("{} tail"),
        T("{\"a\":\x06"),
        T("{\"a\":\x06}}"),
        T("{\"a\":\x06,}"),
        T("{,\"a\":\x06}"),
        T("{\"a\" \x06}"),
        T("{a:\x06}"),
        T("{\"k\x06\":\x06}"), /* what the label is called */
        T("{\"k\\\x0f\":\x06}"),
        T("{\"\x10\":\x06}"),
        T("{\"a\":\x0f}"), /* 5s or s5 */
        T("{\"a\":\x07}"),
        T("{\"a\":\x03}"), /* with a comma */
        T("{\"a\":\x10}"),
        T("{\"a\":\x06\x06}"),
        T("{\"a\":\x06.\x0f}"),
        T("{\"a\":--\x06}"),
        T("{\"a\":tru}"),
        T("{\"a\":truex}"),
        T("{\"a\":\"\\\x10\"}"), /* an empty one: the quote is escaped */
        T("{\"a\":\"\x11\"}"),
        T("{\"a\":\"\\"),
        T("{\"a\":\"x\" \x10 \"y\"}"),
    };
    for (size_t i = 0; i < CW_COUNT(wrong); i++)
        cr_expect(!reads_alike(wrong[i], CW_SYNTAX_JSON), "%zu", i);
    char deep[200];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    cr_expect(!reads_alike(cw_str_make(deep, sizeof deep), CW_SYNTAX_JSON));
}

Test(template_syntax, logfmt_without_and_with_what_depends_on_values)
{
    static const struct cw_str fine[] = {T(""),
                                         T("  "),
                                         T("a"),
                                         T("a=\x06"),
                                         T("a= b=\"\"c=\x0f"),
                                         T("a=\"x=\\\" \x10\" b=-\x05"),
                                         T("a=\x01,\x02\tb=[\x04] c.d=e")};
    static const struct cw_str wrong[] = {
        T("\x06=a"),
        T("k\x06=a"),
        T("took \x06 ms"), /* a word, which --keep-empty makes a label of */
        T("=a"),
        T("a=b=\x06"),
        T("a=b\"\x10\""),
        T("a=\x10"),
        T("a\"b\"=c"),
        T("a=\"\x06"),
        T("a=\"\\\x10\""),
        T("a=\"\\\x0f\""), /* \u0041, or an escape that is none: then the pair is lost */
        T("caf\xc3\xa9=\x06"),
        T("\x11"),
        T("a=\x11"),
        T("\x10"),
        T("a=\"x\" \x10 \"y\""),
    };
    for (size_t i = 0; i < CW_COUNT(fine); i++)
        cr_expect(reads_alike(fine[i], CW_SYNTAX_LOGFMT), "%zu", i);
    for (size_t i = 0; i < CW_COUNT(wrong); i++)
        cr_expect(!reads_alike(wrong[i], CW_SYNTAX_LOGFMT), "%zu", i);
}

Test(template_syntax, strings_of_columns)
{
    cr_expect_eq(cw_string_form(T("card declined, {x}")), CW_STRINGS_PLAIN);
    cr_expect_eq(cw_string_form(T("")), CW_STRINGS_PLAIN);
    cr_expect_eq(cw_string_form(T("say \\\"x\\\"")), CW_STRINGS_ENCODED);
    cr_expect_eq(cw_string_form(T("caf\xc3\xa9")), CW_STRINGS_ENCODED);
    cr_expect_eq(cw_string_form(T("tab\t")), CW_STRINGS_ENCODED);
    cr_expect_eq(cw_string_form(T("say \"x\"")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_string_form(T("back\\")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_string_form(T("back\\\\")), CW_STRINGS_ENCODED);
    cr_expect_eq(cw_template_strings(CW_SLOT_QUOTED, T("a\0b\0")), CW_STRINGS_PLAIN);
    cr_expect_eq(cw_template_strings(CW_SLOT_QUOTED, T("a\0b\\n\0c\0")), CW_STRINGS_ENCODED);
    cr_expect_eq(cw_template_strings(CW_SLOT_QUOTED, T("a\0b\"\0c\0")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_template_strings(CW_SLOT_QUOTED, T("a\0b")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_template_strings(CW_SLOT_STR, T("a1\0b2\0")), CW_STRINGS_PLAIN);
    cr_expect_eq(cw_template_strings(CW_SLOT_STR, T("a1\0b 2\0")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_template_strings(CW_SLOT_STR, T("a1\0\0")), CW_STRINGS_OPEN);
    cr_expect_eq(cw_template_strings(CW_SLOT_STR, CW_STR_NONE), CW_STRINGS_PLAIN);
}
