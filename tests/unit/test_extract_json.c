#include <stdlib.h>
#include "common/extract/extract_json.h"
#include "common/extract/json_scan.h"
#include "tests/support/extract_probe.h"

#define MALFORMED "__error__=\"JSONParserErr\", __error_details__="
#define NO_OBJECT MALFORMED "\"Value looks like object, but can't find closing '}' symbol\""
#define NO_ARRAY MALFORMED "\"Value is array, but can't find closing ']' symbol\""
#define NO_STRING MALFORMED "\"Value is string, but can't find closing '\\\"' symbol\""

static void expect(const char *line, const char *want)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_json(cw_str_of(line), NULL, &p.builder);
    probe_end(&p, want, line);
}

Test(extract_json, fields_are_labels)
{
    expect("{\"a\":1,\"b\":\"two\",\"c\":true,\"d\":null,\"e\":-1.50e3}",
           "{a=\"1\", b=\"two\", c=\"true\", e=\"-1.50e3\"}");
    expect(" { \"a\" : { \"b\" : { \"c.d\" : \"x\" } , \"e\":[1,{\"f\":2}] } } tail",
           "{a_b_c_d=\"x\"}");
    expect("{}", "{}");
    expect("{\"\":\"nameless\",\"9\":\"n\",\"app\":\"clash\"}",
           "{_9=\"n\", app_extracted=\"clash\"}");
    expect("{\"a\":{\"b\":1},\"a_b\":2,\"x\":1,\"x\":2}", "{a_b=\"1\", x=\"1\"}");
}

Test(extract_json, strings_are_decoded)
{
    expect("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
           "{a=\"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\xF0\x9F\x98\x80\"}");
    expect("{\"a\":\"\\ud800x\",\"b\":\"\\q\",\"c\":\"\\u12\",\"d\":\"\xFF!\"}",
           "{a=\"\", b=\"\", c=\"\", d=\" !\"}");
    expect("{\"k\\u0065y\":1,\"a\\\"b\":2}", "{a_b=\"2\", key=\"1\"}");
    expect("{\"a\":\"end\\\\\"}", "{a=\"end\\\\\"}");
}

Test(extract_json, a_fault_keeps_what_came_before_it)
{
    expect("", "{" NO_OBJECT "}");
    expect("text", "{" NO_OBJECT "}");
    expect("[1]", "{" NO_OBJECT "}");
    expect("{", "{" MALFORMED "\"Malformed JSON error\"}");
    expect("{\"a\":1", "{" NO_ARRAY ", a=\"1\"}");
    expect("{\"a\":1,", "{" NO_ARRAY ", a=\"1\"}");
    expect("{\"a\":1,}", "{a=\"1\"}");
    expect("{\"a\":1 \"b\":2}", "{" NO_OBJECT ", a=\"1\"}");
    expect("{\"a\":\"open", "{" NO_STRING "}");
    expect("{\"a\":\"open\\", "{" NO_STRING "}");
    expect("{\"a\":[1,{\"b\":2}", "{" NO_ARRAY "}");
    expect("{\"x\":1,\"a\":{\"b\":2", "{" NO_OBJECT ", x=\"1\"}");
    expect("{\"a\":tru}", "{" MALFORMED "\"Unknown value type\"}");
    expect("{\"a\" 1}", "{" MALFORMED "\"Malformed JSON error\"}");
    expect("{\"\\q\":1}", "{" MALFORMED "\"Encountered an invalid escape sequence in a string\"}");
}

static void expect_arrays(const char *line, const char *want)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_json_arrays(cw_str_of(line), &p.builder);
    probe_end(&p, want, line);
}

Test(extract_json, elements_of_arrays_are_labels_where_that_is_asked_for)
{
    expect_arrays("{\"t\":[\"x\",2,null,true],\"a\":1}",
                  "{a=\"1\", t_0=\"x\", t_1=\"2\", t_3=\"true\", t_length=\"4\"}");
    expect_arrays(
        "{\"t\" : [ ] , \"u\":[[1,[2]],{\"k\":{\"v\":[3]}}]}",
        "{t_length=\"0\", u_0_0=\"1\", u_0_1_0=\"2\", u_0_1_length=\"1\", u_0_length=\"2\", "
        "u_1_k_v_0=\"3\", u_1_k_v_length=\"1\", u_length=\"2\"}");
    expect_arrays(" [5,{\"app\":\"x\"}]", "{_0=\"5\", _1_app=\"x\", length=\"2\"}");
    expect_arrays("{\"t_0\":\"first\",\"t\":[\"second\"],\"app\":[1]}",
                  "{app_0=\"1\", app_length=\"1\", t_0=\"first\", t_length=\"1\"}");
    expect_arrays("{\"a\":{\"b\":\"c\"}}", "{a_b=\"c\"}");
}

Test(extract_json, a_fault_in_an_array_keeps_what_came_before_it)
{
    expect_arrays("{\"t\":[1 2],\"a\":3}", "{" NO_ARRAY ", t_0=\"1\"}");
    expect_arrays("{\"t\":[1,x]}", "{" MALFORMED "\"Unknown value type\", t_0=\"1\"}");
    expect_arrays("{\"t\":[1,],\"a\":3}", "{a=\"3\", t_0=\"1\", t_length=\"1\"}");
    expect_arrays("[1", "{_0=\"1\", " NO_ARRAY "}");
    expect_arrays("[", "{" NO_ARRAY "}");
    expect_arrays("text", "{" NO_OBJECT "}");
}

Test(extract_json, of_long_arrays_the_first_elements_are_labels)
{
    struct cw_buf line;
    struct probe p;
    cw_buf_init(&line, SIZE_MAX);
    cw_buf_addz(&line, "{\"t\":[0");
    for (int i = 1; i < 3 * CW_JSON_ARRAY_ELEMENTS; i++)
        cw_buf_addf(&line, ",%d", i);
    cw_buf_addz(&line, "]}");
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_json_arrays(cw_buf_str(&line), &p.builder);
    struct cw_labels all = cw_label_builder_get_all(&p.builder);
    cr_expect_eq(all.n, CW_JSON_ARRAY_ELEMENTS + 2);
    cr_expect(cw_str_eqz(cw_labels_get(all, CW_STR("t_99")), "99"));
    cr_expect(cw_str_eqz(cw_labels_get(all, CW_STR("t_length")), "300"));
    cw_label_builder_fini(&p.builder);
    cw_arena_free(&p.arena);
    cw_buf_fini(&line);
}

Test(extract_json, deep_arrays_end)
{
    size_t n = 100000;
    char *line = malloc(2 * n);
    memset(line, '[', n);
    memset(line + n, ']', n);
    struct probe p;
    probe_begin(&p, "{}", "{}");
    cw_extract_json_arrays(cw_str_make(line, 2 * n), &p.builder);
    struct cw_labels all = cw_label_builder_get_all(&p.builder);
    cr_expect_eq(all.n, CW_JSON_SCAN_DEPTH); /* a length at each level that is walked into */
    cr_expect(cw_str_eqz(cw_labels_get(all, CW_STR("_0_0_length")), "1"));
    cw_label_builder_fini(&p.builder);
    cw_arena_free(&p.arena);
    free(line);
}

Test(extract_json, deep_nesting_ends)
{
    size_t n = 100000;
    char *line = malloc(n * 6 + 2);
    for (size_t i = 0; i < n; i++)
        memcpy(line + i * 5, "{\"a\":", 5);
    line[n * 5] = '1';
    memset(line + n * 5 + 1, '}', n);
    struct probe p;
    probe_begin(&p, "{}", "{}");
    cw_extract_json(cw_str_make(line, n * 6 + 1), NULL, &p.builder);
    probe_end(&p, "{}", "deep"); /* too deep to be anything */
    free(line);
}

Test(extract_json, required_labels_end_the_parse)
{
    const struct cw_str names[] = {cw_str_of("b"), cw_str_of("n_x")};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    probe_require(&p, names, 2);
    cw_extract_json(cw_str_of("{\"a\":1,\"n\":{\"w\":2,\"x\":3},\"b\":4,broken"), NULL, &p.builder);
    probe_end(&p, "{b=\"4\", n_x=\"3\"}", "broken behind what is needed");
}

static void expect_paths(const char *line, const char *const (*paths)[2], size_t n,
                         const char *want)
{
    struct cw_json_expression expressions[8];
    struct cw_err err;
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{m=\"meta\"}");
    for (size_t i = 0; i < n; i++) {
        expressions[i].name = cw_str_of(paths[i][0]);
        cr_assert_eq(
            cw_extract_path_json(cw_str_of(paths[i][1]), p.arena, &expressions[i].path, &err), 0,
            "%s: %s", paths[i][1], err.text);
    }
    cw_extract_json_paths(cw_str_of(line), expressions, n, &p.builder);
    probe_end(&p, want, line);
}

Test(extract_json, expressions_lead_to_values)
{
    static const char *const paths[][2] = {
        {"x", "a.b"}, {"y", "l[1]"}, {"z", "l[2][\"k k\"]"}, {"app", "a"}, {"none", "q.r"}};
    expect_paths("{\"a\":{\"b\":\"B\"},\"l\":[1,[2],{\"k k\":null}],\"a\":7}", paths, 5,
                 "{app_extracted=\"{\\\"b\\\":\\\"B\\\"}\", none=\"\", x=\"B\", y=\"[2]\", "
                 "z=\"\"}");
    static const char *const one[][2] = {{"m", "m"}};
    expect_paths("{\"m\":1}", one, 1, "{m_extracted=\"1\"}");
    expect_paths("{\"n\":1}", one, 1, "{}"); /* the name is there already */
    static const char *const a[][2] = {{"a", "a"}};
    expect_paths("{\"a\":\"x", a, 1, "{" NO_STRING ", a=\"\"}");
    expect_paths("{\"b\":\"x", a, 1, "{a=\"\"}");
    expect_paths("{\"a\"}", a, 1, "{a=\"\"}");
    expect_paths("{\"a\" \"b\":1, \"a\":2}", a, 1, "{a=\"2\"}");
    expect_paths("{\"o\":{\"a\":1}u,\"a\":2}", a, 1, "{a=\"2\"}");
    expect_paths("{\"o\":tru,,; \"a\":2", a, 1, "{a=\"2\"}");
    expect_paths("{\"o\":{\"a\":1, \"a\":2}", a, 1, "{a=\"\"}");
    expect_paths("text", a, 1, "{__error__=\"JSONParserErr\"}");
    expect_paths("", a, 1, "{}");
    static const char *const ab[][2] = {{"a", "a"}, {"b", "b"}};
    expect_paths("{\"a\":tru,\"b\":2,\"a\":3}", ab, 2,
                 "{__error__=\"JSONParserErr\", __error_details__=\"Unknown value type\", a=\"\", "
                 "b=\"2\"}");
    static const char *const first[][2] = {{"e", "[0].k"}};
    expect_paths("[{\"k\":\"v\"}]", first, 1, "{e=\"v\"}");
}

Test(extract_json, what_an_expression_asks_for_replaces_what_was_parsed)
{
    struct cw_json_expression level = {.name = CW_STR("level")};
    struct cw_str line = CW_STR("{\"level\":\"warn\",\"size\":\"1KB\"}");
    struct cw_err err;
    struct probe p;
    probe_begin(&p, "{}", "{}");
    cr_assert_eq(cw_extract_path_json(CW_STR("size"), p.arena, &level.path, &err), 0);
    cw_extract_json(line, NULL, &p.builder);
    cw_label_builder_delete(&p.builder, CW_STR("size"));
    cw_extract_json_paths(line, &level, 1, &p.builder);
    probe_end(&p, "{level=\"1KB\"}", "json | drop size | json level=\"size\"");
}

Test(extract_json, faulty_expressions_are_told)
{
    static const char *const cases[][2] = {
        {"a[", "syntax error: unexpected $end, expecting STRING or INDEX"},
        {"a..b", "syntax error: unexpected DOT, expecting FIELD"},
        {"", "syntax error: unexpected $end, expecting LSB or FIELD"},
        {"a[0", "syntax error: unexpected $end, expecting STRING or INDEX"},
        {"a[0 ", "syntax error: unexpected $end, expecting RSB"},
        {"a[1.5]", "syntax error: unexpected $end, expecting STRING or INDEX"},
        {"a[9223372036854775808]", "syntax error: unexpected $end, expecting STRING or INDEX"},
        {"a[\"u]\"]", "syntax error: unexpected STRING, expecting RSB"},
        {"[\"u", "syntax error: unexpected $end, expecting RSB"},
        {"a.7", "syntax error: unexpected $end, expecting FIELD"},
        {"7a", "syntax error: unexpected $end, expecting LSB or FIELD"},
        {"\xC3\xBC", "syntax error: unexpected $end, expecting LSB or FIELD"},
        {"a b", "syntax error: unexpected FIELD"},
        {"a-b", "unexpected char -"},
        {"a\xC3\xBC", "unexpected char \xC3\xBC"},
        {"a.u 2.5", "cannot use float as array index"},
        {"a 2u", "non-integer value: u"},
        {"a 9223372036854775808 ",
         "strconv.Atoi: parsing \"9223372036854775808\": value out of range"},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_json_path path;
        struct cw_err err = {0};
        cr_expect_eq(cw_extract_path_json(cw_str_of(cases[i][0]), arena, &path, &err),
                     CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i][1]);
    }
    cw_arena_free(&arena);
}

static void expect_unpacked(const char *line, const char *entry, const char *want)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    struct cw_str got = cw_extract_unpack(cw_str_of(line), &p.builder);
    cr_expect(cw_str_eqz(got, entry), "%s: %.*s", line, CW_STR_ARG(got));
    probe_end(&p, want, line);
}

Test(extract_json, unpack_takes_the_entry_and_its_labels)
{
    expect_unpacked("{\"_entry\":\"l \\\"1\\\"\",\"c\":\"x\",\"n\":7,\"app\":\"in\",\"a-b\":\"y\"}",
                    "l \"1\"", "{a_b=\"y\", app_extracted=\"in\", c=\"x\"}");
    expect_unpacked("{\"c\":\"x\"}", "{\"c\":\"x\"}", "{}");
    expect_unpacked("{\"_entry\":\"1\",\"c\":\"x\",\"_entry\":\"2\",\"c\":\"y\"}", "2",
                    "{c=\"y\"}");
    expect_unpacked("plain", "plain", "{" MALFORMED "\"expecting json object(6), but it is not\"}");
    expect_unpacked("{\"_entry\":\"x", "{\"_entry\":\"x", "{" NO_STRING "}");
    expect_unpacked("", "", "{}");
}
