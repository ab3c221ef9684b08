#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/jmespath.h"

static struct cw_err err;

/* What one expression gives, as text ended by NUL; "!" it failed, "M" the line is no JSON object. */
static const char *search_str(const char *expression, struct cw_str line)
{
    static char text[4096];
    struct cw_str source = cw_str_of(expression);
    struct cw_jmespath_set *set;
    struct cw_jmespath_result result;
    struct cw_arena *arena = cw_arena_new();
    cr_assert_eq(cw_jmespath_set_new(&source, 1, &set, &err), 0, "%s", err.text);
    /* In a block of its own, so that a sanitizer sees a read past the end. */
    char *exact = malloc(line.len > 0 ? line.len : 1);
    memcpy(exact, line.ptr, line.len);
    struct cw_str text_or_none = line.len > 0 ? cw_str_make(exact, line.len) : CW_STR_NONE;
    if (!cw_jmespath_set_search(set, text_or_none, arena, &result))
        snprintf(text, sizeof text, "M");
    else if (result.type == CW_JMESPATH_NONE)
        snprintf(text, sizeof text, "!");
    else
        snprintf(text, sizeof text, "%.*s", CW_STR_ARG(result.text));
    free(exact);
    cw_arena_free(&arena);
    cw_jmespath_set_free(&set);
    return text;
}

static const char *search(const char *expression, const char *line)
{
    return search_str(expression, cw_str_of(line));
}

static void expect(const char *expression, const char *line, const char *want)
{
    const char *got = search(expression, line);
    cr_expect_str_eq(got, want, "%s on %s: %s, not %s", expression, line, got, want);
}

Test(jmespath, values_become_the_texts_that_promtail_makes_of_them)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"\"a\"", "a"},
        {"\"\"", ""},
        {"\"a\\n\\u00e9\\\"\\ud83d\\ude00\"", "a\n\xc3\xa9\"\xf0\x9f\x98\x80"},
        {"\"\\ud83d x\"", "\xef\xbf\xbd x"},
        {"true", "true"},
        {"false", "false"},
        {"null", ""},
        {"12", "12"},
        {"-0", "-0"},
        {"1.50", "1.5"},
        {"1.0", "1"},
        {"1e3", "1000"},
        {"1E21", "1000000000000000000000"},
        {"1e-7", "0.0000001"},
        {"12345678901234567890", "12345678901234567000"},
        {"0.1000000000000000055511151231257827", "0.1"},
        {"9007199254740993", "9007199254740992"},
        {"[1, 2.0 ,\"a\"]", "[1,2,\"a\"]"},
        {"{ \"b\" : 1 , \"a\" : [ ] }", "{\"b\":1,\"a\":[]}"},
        {"{\"b\":\"<a&b>\"}", "{\"b\":\"\\u003ca\\u0026b\\u003e\"}"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        char line[256];
        snprintf(line, sizeof line, "{\"x\": %s}", rows[i].value);
        expect("x", line, rows[i].want);
        expect("@.x || x", line, rows[i].want);
    }
}

Test(jmespath, plain_paths_find_their_values)
{
    const char *line =
        "{\"a\":{\"b\":{\"c\":\"deep\"},\"x y\":[{\"z\":1},{\"z\":2}]},\"n\":[[7]],\"a\\u0062\":5}";
    expect("a.b.c", line, "deep");
    expect("a.b", line, "{\"c\":\"deep\"}");
    expect("\"a\".\"x y\"[1].z", line, "2");
    expect("a.\"x y\"[0]", line, "{\"z\":1}");
    expect("a.\"x y\"[-1].z", line, "2");
    expect("n[0][0]", line, "7");
    expect("ab", line, "5");
    expect("a.b.c.d", line, "");
    expect("a.b[0]", line, "");
    expect("n[3]", line, "");
    expect("missing", line, "");
}

Test(jmespath, of_a_key_that_stands_twice_the_last_counts)
{
    expect("a", "{\"a\":1,\"a\":2}", "2");
    expect("a.b", "{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "");
    expect("a.b", "{\"a\":{\"b\":1},\"a\":3}", "");
    expect("@", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
}

Test(jmespath, a_line_that_is_no_json_object_is_told)
{
    static const char *const lines[] = {
        "",
        " ",
        "plain text",
        "{",
        "{\"a\":1",
        "{\"a\":1}x",
        "[1]",
        "\"a\"",
        "12",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{'a':1}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"x}",
        "{\"a\":\"\t\"}",
        "{\"a\":nan}",
        "{\"a\":1e}",
        "{\"a\":+1}",
        "{\"a\":1e999}",
    };
    for (size_t i = 0; i < CW_COUNT(lines); i++) {
        expect("a", lines[i], "M");
        if (i + 1 < CW_COUNT(lines)) /* a number that nobody asks for is not read */
            expect("b", lines[i], "M");
    }
    expect("a", " { \"a\" : 1 } \n", "1");
    expect("a", "null", "");
    cr_expect_str_eq(search_str("a", CW_STR("{\"a\":\"\xff\"}")), "\xff");
    cr_expect_str_eq(search_str("a", CW_STR("{\"a\":1}\0")), "M");
}

Test(jmespath, documents_nested_too_deep_are_no_json)
{
    char line[2 * 600 + 16];
    for (size_t depth = 499; depth <= 501; depth++) {
        size_t inner = depth - 1;
        memcpy(line, "{\"a\":", 5);
        memset(line + 5, '[', inner);
        memset(line + 5 + inner, ']', inner);
        line[5 + 2 * inner] = '}';
        struct cw_str text = cw_str_make(line, 6 + 2 * inner);
        cr_expect_str_eq(search_str("b", text), depth <= 500 ? "" : "M", "%zu", depth);
        cr_expect((strcmp(search_str("length(a)", text), "M") == 0) == (depth > 500), "%zu", depth);
    }
}

Test(jmespath, many_expressions_are_answered_together)
{
    static const struct cw_str expressions[] = {
        {"level", 5},   {"http.status", 11},  {"http", 4},        {"level", 5},
        {"tags[1]", 7}, {"length(tags)", 12}, {"abs(level)", 10}, {"http.status > `400`", 19},
        {"none", 4},
    };
    static const char *const want[] = {"info", "503", "{\"status\":503}", "info", "b", "2", "",
                                       "true", ""};
    struct cw_jmespath_result results[CW_COUNT(expressions)];
    struct cw_jmespath_set *set;
    struct cw_arena *arena = cw_arena_new();
    cr_assert_eq(cw_jmespath_set_new(expressions, CW_COUNT(expressions), &set, &err), 0);
    cr_assert(cw_jmespath_set_search(
        set, CW_STR("{\"tags\":[\"a\",\"b\"],\"http\":{\"status\":503},\"level\":\"info\"}"), arena,
        results));
    for (size_t i = 0; i < CW_COUNT(want); i++)
        cr_expect(cw_str_eqz(results[i].text, want[i]), "%zu: %.*s", i,
                  CW_STR_ARG(results[i].text));
    cr_expect_eq(results[6].type, CW_JMESPATH_NONE);
    cr_expect_eq(results[8].type, CW_JMESPATH_NULL);
    cw_arena_free(&arena);
    cw_jmespath_set_free(&set);
}

Test(jmespath, errors_name_the_place)
{
    static const struct {
        const char *expression, *want;
    } rows[] = {
        {"a.", "offset 2: expected a name"},
        {"a[", "offset 2: expected a number"},
        {"a b", "offset 2: it should end"},
        {"nope(a)", "there is no such function"},
        {"length(a, b)", "a wrong number of arguments"},
        {"'a", "offset 0: a quote is not closed"},
        {"`{`", "no JSON value"},
        {"", "offset 0: expected an expression"},
        {"a[99999999999999999999]", "fits 64 bits"},
        {"\"a\"(b)", "a quoted name cannot be called"},
        {"a.#", "a character that has no meaning here"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_jmespath_set *set = NULL;
        struct cw_str text = cw_str_of(rows[i].expression);
        cr_assert_eq(cw_jmespath_set_new(&text, 1, &set, &err), CW_E_INVALID, "%s",
                     rows[i].expression);
        cr_expect(strstr(err.text, rows[i].want) != NULL, "%s: %s", rows[i].expression, err.text);
        cr_expect_null(set);
    }
}

static int compile(struct cw_str text)
{
    struct cw_jmespath_set *set = NULL;
    int rc = cw_jmespath_set_new(&text, 1, &set, &err);
    cw_jmespath_set_free(&set);
    return rc;
}

Test(jmespath, expressions_are_bounded_in_length_and_depth)
{
    static char text[CW_JMESPATH_BYTES + 2];
    memset(text, 'a', sizeof text);
    cr_expect_eq(compile(cw_str_make(text, CW_JMESPATH_BYTES)), 0);
    cr_expect_eq(compile(cw_str_make(text, CW_JMESPATH_BYTES + 1)), CW_E_LIMIT);
    memset(text, '(', sizeof text);
    cr_expect_eq(compile(cw_str_make(text, CW_JMESPATH_BYTES)), CW_E_INVALID);
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "a.", 2);
    text[2000] = 'a';
    cr_expect_eq(compile(cw_str_make(text, 2001)), CW_E_INVALID);
    cr_expect(strstr(err.text, "nested too deep") != NULL);
}

/* Doubles its value at each step: without bounds this would fill the memory. */
Test(jmespath, a_search_is_bounded_in_steps_and_bytes)
{
    char text[1024] = "a";
    for (int i = 0; i < 40; i++)
        strcat(text, " | [@,@]");
    expect(text, "{\"a\":\"some text of some length\"}", "!");
    strcpy(text, "a");
    for (int i = 0; i < 40; i++)
        strcat(text, " | [@,@][]");
    expect(text, "{\"a\":1}", "!");
    strcpy(text, "a");
    for (int i = 0; i < 40; i++)
        strcat(text, " | join('',[@,@])");
    expect(text, "{\"a\":\"text\"}", "!");
}
