#include <criterion/criterion.h>

#include "common/base/limits.h"
#include "common/template/go_template.h"

static const struct cw_label fields[] = {
    {{"app", 3}, {"loki", 4}},
    {{"empty", 5}, {NULL, 0}},
    {{"path", 4}, {"/var/log/nginx.access.log", 25}},
};

static bool get(void *user, struct cw_str name, struct cw_str *value)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (cw_str_eq(fields[i].name, name)) {
            *value = fields[i].value;
            return true;
        }
    }
    return false;
}

static size_t list(void *user, const struct cw_label **items)
{
    *items = fields;
    return sizeof fields / sizeof fields[0];
}

/* The result, or "error". */
static void run(const char *text, struct cw_buf *out)
{
    struct cw_go_template_run *run = cw_go_template_run_new();
    struct cw_go_template_input input = {.get = get, .list = list, .line = CW_STR("a line")};
    struct cw_go_template *tmpl;
    struct cw_err err = {0};
    cw_buf_clear(out);
    cr_assert_eq(cw_go_template_compile_shipper(CW_STR("t"), cw_str_of(text), &tmpl, &err), 0,
                 "%s: %s", text, err.text);
    if (cw_go_template_execute(tmpl, run, &input, out, &err) < 0)
        cw_buf_addz(out, "error");
    cw_go_template_free(&tmpl);
    cw_go_template_run_free(&run);
}

/* As sprig's documentation has it. */
static const struct {
    const char *text, *want;
} rows[] = {
    /* promtail's own: the first argument goes in front of the second one */
    {"{{ Hash \"salt\" \"this is PII data\" }}",
     "0402f29fe5f7b84abafa95cce542bcd2ebda92f6bfd4d69dcc3af27bc612facb"},
    {"{{ \"this is PII data\" | Sha2Hash \"salt\" }}",
     "de33958efc1d63cd095a30e308a209d8b4e25cb281799494528505459ed6b2f2"},
    {"{{ sha256sum \"Hello world!\" }}",
     "c0535e4be2b79ffd93291305436bf889314e4a3faec05ecffcbb7df31ad9e51a"},
    {"{{ sha1sum \"Hello world!\" }}", "d3486ae9136e7856bc42212385ea797094475802"},
    /* texts */
    {"{{ nospace \"hello w o r l d\" }}", "helloworld"},
    {"{{ untitle \"Hello World\" }}", "hello world"},
    {"{{ cat \"hello\" \"beautiful\" 7 }}", "hello beautiful 7"},
    {"{{ quote \"a\\\"b\" 1 }} {{ squote \"x\" }}", "\"a\\\"b\" \"1\" 'x'"},
    {"{{ snakecase \"FirstName\" }} {{ snakecase \"HTTPServer\" }}", "first_name http_server"},
    {"{{ kebabcase \"FirstName\" }}", "first-name"},
    {"{{ camelcase \"http_server\" }}", "HttpServer"},
    {"{{ abbrev 5 \"hello world\" }} {{ abbrev 20 \"hello\" }}", "he... hello"},
    {"{{ plural \"one anchovy\" \"many anchovies\" 1 }}", "one anchovy"},
    {"{{ plural \"one anchovy\" \"many anchovies\" 2 }}", "many anchovies"},
    {"{{ base .path }} {{ ext .path }} {{ base \"/\" }} {{ base \"\" }} {{ ext \"a.b/c\" }}",
     "nginx.access.log .log / . "},
    {"{{ toString 7 }}{{ atoi \"42\" | add1 }}{{ atoi \"x\" }} {{ int64 \"7\" }}", "7430 7"},
    /* choices */
    {"{{ coalesce 0 .none \"\" \"b\" \"c\" }}", "b"},
    {"{{ ternary \"foo\" \"bar\" true }} {{ ternary \"foo\" \"bar\" false }}", "foo bar"},
    {"{{ empty .empty }} {{ empty .app }} {{ all 1 \"a\" }} {{ any 0 \"\" }}",
     "true false true false"},
    {"{{ fail \"no\" }}", "error"},
    /* lists */
    {"{{ list 1 \"b\" 3 | join \"-\" }}", "1-b-3"},
    {"{{ splitList \"$\" \"foo$bar$baz\" | last }}", "baz"},
    {"{{ splitList \"\" \"a\xc3\xa4"
     "b\" | join \",\" }}",
     "a,\xc3\xa4,b"},
    {"{{ (split \"$\" \"foo$bar$baz\")._1 }}", "bar"},
    {"{{ (splitn \"$\" 2 \"foo$bar$baz\")._1 }}", "bar$baz"},
    {"{{ $l := list 1 2 3 }}{{ first $l }}{{ last $l }}{{ rest $l }}{{ initial $l }}{{ reverse $l }}",
     "13[2 3][1 2][3 2 1]"},
    {"{{ list \"b\" \"a\" \"b\" | uniq | sortAlpha }} {{ list 0 1 \"\" | compact }}", "[a b] [1]"},
    {"{{ has 4 (list 1 2 4) }} {{ has \"4\" (list 1 2 4) }}", "true false"},
    {"{{ range $i := until 3 }}{{ $i }}{{ end }}", "012"},
    {"{{ first 7 }}", "error"},
    {"{{ until 100000000 }}", "error"},
    /* maps */
    {"{{ $d := dict \"a\" 1 \"b\" 2 \"a\" 3 }}{{ get $d \"a\" }}{{ get $d \"z\" }}{{ hasKey $d \"b\" }} "
     "{{ keys $d }} {{ values $d }}",
     "3true [a b] [3 2]"},
    {"{{ hasKey . \"app\" }} {{ get . \"app\" }}", "true loki"},
    {"{{ get 1 \"a\" }}", "error"},
    {"{{ toJson (dict \"a\" (list 1 2.5 \"<x>\" true) \"b\" .none) }}",
     "{\"a\":[1,2.5,\"\\u003cx\\u003e\",true],\"b\":null}"},
    {"{{ kindOf 1 }} {{ kindOf \"a\" }} {{ kindOf (list) }} {{ kindOf (dict) }}",
     "int string slice map"},
    /* regular expressions */
    {"{{ regexMatch \"^[a-z]+$\" \"abc\" }} {{ regexMatch \"^[a-z]+$\" \"ab1\" }}", "true false"},
    {"{{ regexFind \"[a-zA-Z][1-9]\" \"abcd1234\" }}[{{ regexFind \"z\" \"abc\" }}]", "d1[]"},
    {"{{ regexFindAll \"[2,4,6,8]\" \"123456789\" -1 }} {{ regexFindAll \"[2,4,6,8]\" \"123456789\" 2 }}",
     "[2 4 6 8] [2 4]"},
    {"{{ regexSplit \"z+\" \"pizza\" -1 }} {{ regexSplit \"z+\" \"azbzc\" 2 }}", "[pi a] [a bzc]"},
    {"{{ regexQuoteMeta \"1.2.3\" }}", "1\\.2\\.3"},
    {"{{ mustRegexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\" }}", "-W-xxW-"},
    {"{{ regexMatch \"(\" \"a\" }}", "error"},
    /* what LogQL has is there too */
    {"{{ .app | upper | trunc 2 }} {{ default \"x\" .empty }}", "LO x"},
};

Test(go_template_sprig, functions_do_what_sprigs_do)
{
    struct cw_buf out;
    cw_buf_init(&out, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run(rows[i].text, &out);
        cr_expect_str_eq(cw_buf_z(&out), rows[i].want, "%s: got %s, want %s", rows[i].text,
                         cw_buf_z(&out), rows[i].want);
    }
    cw_buf_fini(&out);
}

Test(go_template_sprig, logql_does_not_get_them)
{
    struct cw_go_template *tmpl;
    struct cw_err err = {0};
    cr_assert_lt(
        cw_go_template_compile(CW_STR("line"), CW_STR("{{ Hash \"a\" \"b\" }}"), &tmpl, &err), 0);
    cr_expect_str_eq(err.text, "template: line:1: function \"Hash\" not defined");
}
