#include <criterion/criterion.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/wire/json_reader.h"

static struct cw_arena *arena;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(json_reader, .init = setup, .fini = teardown);

/* All events as a text: "{k:s=..." and so on; "!" and the sentence for an error. */
static const char *events(struct cw_str input)
{
    static const char signs[] = ".{}[]ksntf0";
    struct cw_json_reader reader;
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cw_json_reader_init(&reader, input, arena);
    int event = CW_JSON_NULL;
    while (event > CW_JSON_DONE) {
        event = cw_json_next(&reader, &err);
        if (event < 0)
            cw_buf_addf(&out, "!%s", err.text);
        else
            cw_buf_addc(&out, signs[event]);
        if (event == CW_JSON_KEY || event == CW_JSON_STRING || event == CW_JSON_NUMBER)
            cw_buf_addf(&out, "(%.*s)", CW_STR_ARG(reader.text));
    }
    const char *text = cw_arena_dup(arena, cw_buf_str(&out)).ptr;
    cw_buf_fini(&out);
    return text;
}

static void check(struct cw_str input, const char *want)
{
    cr_expect_str_eq(events(input), want, "%.*s", CW_STR_ARG(input));
}

Test(json_reader, documents_become_events)
{
    check(CW_STR("{}"), "{}.");
    check(CW_STR(" [ ] "), "[].");
    check(CW_STR("{\"a\":1,\"b\":[true,false,null,\"x\"],\"c\":{\"d\":-1.5e+3}}"),
          "{k(a)n(1)k(b)[tf0s(x)]k(c){k(d)n(-1.5e+3)}}.");
    check(CW_STR("\t\"alone\"\r\n"), "s(alone).");
    check(CW_STR("0"), "n(0).");
    check(CW_STR("[[[[]]],[]]"), "[[[[]]][]].");
}

Test(json_reader, what_follows_the_document_is_left_unread)
{
    struct cw_json_reader reader;
    cw_json_reader_init(&reader, CW_STR("[1] trailing"), arena);
    for (int i = 0; i < 3; i++)
        cr_assert(cw_json_next(&reader, &err) > 0);
    cr_expect_eq(cw_json_next(&reader, &err), CW_JSON_DONE);
    cr_expect_eq(cw_json_next(&reader, &err), CW_JSON_DONE);
    cr_expect_eq(cw_json_offset(&reader), 3);
}

Test(json_reader, strings_are_decoded)
{
    check(CW_STR("\"\\u0041\\/\\ud83d\\ude00\\b\\f\\n\\r\\t\\\"\\\\\""),
          "s(A/\xf0\x9f\x98\x80\b\f\n\r\t\"\\).");
    check(CW_STR("\"a\xff\xfe b\""), "s(a\xff\xfe b).");
    check(CW_STR("\"long plain text and then \\n one escape and more text\""),
          "s(long plain text and then \n one escape and more text).");
    check(CW_STR("{\"k\\u0065y\":\"\"}"), "{k(key)s()}.");
    struct cw_json_reader reader;
    cw_json_reader_init(&reader, CW_STR("\"a\\u0000b\""), arena);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_STRING);
    cr_expect(cw_str_eq(reader.text, CW_STR("a\0b")));
}

Test(json_reader, half_of_a_surrogate_pair_is_replaced_where_that_is_wanted)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        {"\"a\\ud800x\"", "a\xEF\xBF\xBDx"},
        {"\"\\ud800\\u0041\"", "\xEF\xBF\xBD\x41"},
        {"\"\\udc00\"", "\xEF\xBF\xBD"},
        {"\"\\ud800\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\"\\ud800\\n\"", "\xEF\xBF\xBD\n"},
        {"\"\\ud800", NULL},
        {"\"\\ud800\\u12\"", NULL},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_json_reader reader;
        cw_json_reader_init(&reader, cw_str_of(cases[i].input), arena);
        reader.lone_surrogates = CW_JSON_SURROGATES_REPLACED;
        int rc = cw_json_next(&reader, &err);
        cr_expect_eq(rc, cases[i].want ? CW_JSON_STRING : CW_E_INVALID, "%s", cases[i].input);
        cr_expect(rc < 0 || cw_str_eqz(reader.text, cases[i].want), "%s", cases[i].input);
    }
}

Test(json_reader, texts_without_escapes_borrow_from_the_input)
{
    const char *input = "\"borrowed\"";
    struct cw_json_reader reader;
    cw_json_reader_init(&reader, cw_str_of(input), arena);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_STRING);
    cr_expect(reader.text.ptr > input && reader.text.ptr < input + strlen(input));
}

Test(json_reader, wrong_text_is_refused_where_it_is_wrong)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        {"", "!unexpected end of JSON input at byte 0"},
        {"   ", "!unexpected end of JSON input at byte 3"},
        {"{", "{!unexpected end of JSON input at byte 1"},
        {"[1", "[n(1)!unexpected end of JSON input at byte 2"},
        {"[1,]", "[n(1)!invalid character in JSON input at byte 3"},
        {"[,1]", "[!invalid character in JSON input at byte 1"},
        {"[1 2]", "[n(1)!invalid character in JSON input at byte 3"},
        {"{\"a\"}", "{k(a)!invalid character in JSON input at byte 4"},
        {"{\"a\":}", "{k(a)!invalid character in JSON input at byte 5"},
        {"{\"a\":1,}", "{k(a)n(1)!invalid character in JSON input at byte 7"},
        {"{a:1}", "{!invalid character in JSON input at byte 1"},
        {"{1:1}", "{!invalid character in JSON input at byte 1"},
        {"[1}", "[n(1)!invalid character in JSON input at byte 2"},
        {"{]", "{!invalid character in JSON input at byte 1"},
        {"tru", "!invalid character in JSON input at byte 0"},
        {"nulL", "!invalid character in JSON input at byte 0"},
        {"-", "!unexpected end of JSON input at byte 1"},
        {"1.", "!unexpected end of JSON input at byte 2"},
        {"1e", "!unexpected end of JSON input at byte 2"},
        {"1e+x", "!invalid character in JSON input at byte 3"},
        {"+1", "!invalid character in JSON input at byte 0"},
        {"[01]", "[n(0)!invalid character in JSON input at byte 2"},
        {"\"abc", "!unexpected end of JSON input at byte 4"},
        {"\"abc\\", "!unexpected end of JSON input at byte 5"},
        {"\"\\u12\"", "!bad \\u escape at byte 3"},
        {"\"\\u12G4\"", "!bad \\u escape at byte 3"},
        {"\"\\x41\"", "!bad escape in a string at byte 2"},
        {"\"a\nb\"", "!control character in a string at byte 2"},
        {"\"\\n\nb\"", "!control character in a string at byte 3"},
        {"\"\\ud800x\"", "!lone surrogate in a \\u escape at byte 7"},
        {"\"\\ud800\\u0041\"", "!lone surrogate in a \\u escape at byte 7"},
        {"\"\\udc00\"", "!lone surrogate in a \\u escape at byte 7"},
        {"\"\\ud800", "!lone surrogate in a \\u escape at byte 7"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        check(cw_str_of(cases[i].input), cases[i].want);
    check(CW_STR("\"\\\0\""), "!bad escape in a string at byte 2");
}

Test(json_reader, nesting_is_bounded)
{
    char deep[2 * CW_JSON_DEPTH + 2];
    memset(deep, '[', CW_JSON_DEPTH);
    memset(deep + CW_JSON_DEPTH, ']', CW_JSON_DEPTH);
    const char *all = events(cw_str_make(deep, 2 * CW_JSON_DEPTH));
    cr_expect_eq(all[strlen(all) - 1], '.');
    memset(deep, '[', sizeof deep);
    all = events(cw_str_make(deep, sizeof deep));
    cr_expect(strstr(all, "nests too deep") != NULL);
}

Test(json_reader, values_can_be_skipped)
{
    struct cw_json_reader reader;
    cw_json_reader_init(&reader, CW_STR("{\"a\":{\"b\":[1,{\"c\":\"]}\"}]},\"d\":2,\"e\":[[3]]}"),
                        arena);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_OBJECT);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_KEY);
    cr_expect_eq(cw_json_skip(&reader, &err), 0);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_KEY);
    cr_expect(cw_str_eqz(reader.text, "d"));
    cr_expect_eq(cw_json_skip(&reader, &err), 0);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_KEY);
    cr_assert_eq(cw_json_next(&reader, &err), CW_JSON_ARRAY);
    cr_expect_eq(cw_json_skip_rest(&reader, CW_JSON_ARRAY, &err), 0);
    cr_expect_eq(cw_json_next(&reader, &err), CW_JSON_OBJECT_END);
    cr_expect_eq(cw_json_next(&reader, &err), CW_JSON_DONE);
    cw_json_reader_init(&reader, CW_STR("[[1,2"), arena);
    cr_expect_eq(cw_json_skip(&reader, &err), CW_E_INVALID);
}
