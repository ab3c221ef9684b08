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
    /* as sprig v3.2.3 answers */
    {"{{ append (list 1 2) 3 }}", "[1 2 3]"},
    {"{{ push (list \"a\") \"b\" | join \",\" }}", "a,b"},
    {"{{ prepend (list 1 2) 0 }}", "[0 1 2]"},
    {"{{ mustAppend (list) \"x\" }}", "[x]"},
    {"{{ concat (list 1 2) (list \"a\") (list) }}", "[1 2 a]"},
    {"{{ without (list 1 2 3 2) 2 }}", "[1 3]"},
    {"{{ without (list \"a\" \"b\" \"c\") \"a\" \"c\" | join \",\" }}", "b"},
    {"{{ without (list \"a\") }}", "[a]"},
    {"{{ append \"x\" 1 }}", "error"},
    {"{{ concat (list 1) 2 }}", "error"},
    {"{{ tuple 1 \"b\" }}", "[1 b]"},
    {"{{ untilStep 3 10 3 | join \" \" }}", "3 6 9"},
    {"{{ untilStep 5 0 -2 | join \" \" }}", "5 3 1"},
    {"{{ untilStep 0 5 0 | len }}", "0"},
    {"{{ untilStep 5 0 1 | len }}", "0"},
    {"{{ untilStep 3 3 1 | len }}", "0"},
    {"{{ dig \"a\" \"b\" \"none\" (dict \"a\" (dict \"b\" \"found\")) }}", "found"},
    {"{{ dig \"a\" \"c\" \"none\" (dict \"a\" (dict \"b\" \"found\")) }}", "none"},
    {"{{ dig \"x\" 7 (dict \"a\" 1) }}", "7"},
    {"{{ dig \"a\" \"b\" \"none\" (dict \"a\" 1) }}", "error"},
    {"{{ dig \"a\" (dict \"a\" 1) }}", "error"},
    {"{{ dig 1 \"none\" (dict \"a\" 1) }}", "error"},
    {"{{ pick (dict \"a\" 1 \"b\" 2 \"c\" 3) \"c\" \"a\" \"x\" }}", "map[a:1 c:3]"},
    {"{{ omit (dict \"a\" 1 \"b\" 2 \"c\" 3) \"c\" \"a\" \"x\" }}", "map[b:2]"},
    {"{{ pick (dict \"a\" 1) }}", "map[]"},
    {"{{ omit (dict \"a\" 1) }}", "map[a:1]"},
    {"{{ pluck \"a\" (dict \"a\" 1) (dict \"b\" 2) (dict \"a\" \"x\") }}", "[1 x]"},
    {"{{ typeOf \"a\" }} {{ typeOf 1 }} {{ typeOf 1.5 }} {{ typeOf true }} {{ typeOf (list) }} {{ typeOf (dict) }} {{ typeOf . }} {{ typeOf (index (list nil) 0) }}",
     "string int float64 bool []interface {} map[string]interface {} map[string]interface {} <nil>"},
    {"{{ typeIs \"string\" \"a\" }} {{ typeIs \"int\" \"a\" }} {{ typeIsLike \"string\" \"a\" }} {{ kindIs \"map\" (dict) }} {{ kindIs \"slice\" (list) }} {{ kindIs \"string\" 1 }}",
     "true false true true true false"},
    {"{{ dateInZone \"2006-01-02 15:04:05 MST\" 1700000000 \"America/New_York\" }}",
     "2023-11-14 17:13:20 EST"},
    {"{{ date_in_zone \"15:04 Z07:00\" 1700000000 \"Asia/Tokyo\" }}", "07:13 +09:00"},
    {"{{ dateInZone \"15:04 MST\" (toDate \"2006-01-02 15:04\" \"2024-07-01 12:00\") \"Europe/Berlin\" }}",
     "14:00 CEST"},
    {"{{ dateInZone \"15:04 MST\" 1700000000 \"No/Where\" }}", "22:13 UTC"},
    {"{{ htmlDateInZone 1700000000 \"UTC\" }}", "2023-11-14"},
    {"{{ htmlDate 1700000000 }}", "2023-11-14"},
    {"{{ dir \"/var/log/a.log\" }} {{ dir \"a.log\" }} {{ dir \"/a\" }} {{ dir \"a/b/\" }} {{ dir \"\" }} {{ dir \"/\" }} {{ dir \"a//b/../c/x\" }}",
     "/var/log . / a/b . / a/c"},
    {"{{ clean \"/../a/./b//c/..\" }} {{ clean \"../../a\" }} {{ clean \"a/../..\" }} {{ clean \"\" }} {{ clean \"a/b/../../..\" }} {{ clean \"./x/\" }} {{ clean \"//\" }} {{ clean \"../a/../../b\" }} {{ clean \"/..\" }} {{ clean \"abc/def/../../.././../x\" }}",
     "/a/b ../../a .. . .. x / ../../b / ../../x"},
    {"{{ isAbs \"/a\" }} {{ isAbs \"a\" }} {{ osBase \"/a/b.c\" }} {{ osExt \"b.c\" }} {{ osDir \"/a/b\" }} {{ osClean \"a/.\" }} {{ osIsAbs \"/\" }}",
     "true false b.c .c /a a true"},
    {"{{ mustFirst (list 1 2) }} {{ mustLast (list 1 2) }} {{ mustRest (list 1 2) }} {{ mustInitial (list 1 2) }} {{ mustReverse (list 1 2) }} {{ mustUniq (list 1 1) }} {{ mustCompact (list \"\" 1) }} {{ mustHas 1 (list 1) }} {{ mustToJson (list 1) }}",
     "1 2 [2] [1] [2 1] [1] [1] true [1]"},
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

/* What a line makes large is looked at before it is made, wherever it is made. */
Test(go_template_sprig, no_function_takes_more_than_a_run_may)
{
    static const struct {
        const char *text, *says;
    } limited[] = {
        {"{{ printf \"[[\\\"%s\\\"]%s]\" (repeat 65536 \"a\") (repeat 1000 \",[1]\") | fromJson | uniq }}",
         "memory"},
        {"{{ $l := list (repeat 65536 \"a\") }}{{ range until 1000 }}{{ $x := toString $l }}{{ end }}",
         "memory"},
        {"{{ $l := list (repeat 65536 \"a\") }}{{ $m := splitList \"\" (repeat 1000 \"b\") }}"
         "{{ range $m }}{{ $x := has (list .) (list $l) }}{{ end }}",
         "memory"},
        {"{{ $m := split \",\" (repeat 2000 \",\") }}{{ range until 1000 }}{{ $x := omit $m \"_1\" }}{{ end }}",
         "memory"},
        {"{{ $m := split \",\" (repeat 2000 \",\") }}{{ range until 1000 }}{{ $x := pick $m \"_1\" }}{{ end }}",
         "memory"},
        {"{{ $t := repeat 65536 \"0\" }}{{ range until 1000 }}{{ $x := bytes $t }}{{ end }}",
         "memory"},
        {"{{ range until 100000 }}{{ $x := dict 1 2 3 4 5 6 7 8 9 10 11 12 }}{{ end }}", "memory"},
        {"{{ $l := list (repeat 3000000 \"a\") }}{{ toString (list $l $l) }}", "text"},
        {"{{ $l := splitList \"\" (repeat 1000 \"b\") }}{{ range $l }}{{ $x := without $l \"a\" \"b\" }}{{ end }}",
         "steps"},
        {"{{ untilStep 0 9223372036854775807 9223372036854775806 }}", "untilStep counts"},
    };
    struct cw_go_template_run *run = cw_go_template_run_new();
    struct cw_go_template_input input = {.get = get, .list = list};
    struct cw_buf out;
    cw_buf_init(&out, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    for (size_t i = 0; i < sizeof limited / sizeof limited[0]; i++) {
        struct cw_go_template *tmpl;
        struct cw_err err = {0};
        cr_assert_eq(
            cw_go_template_compile_shipper(CW_STR("t"), cw_str_of(limited[i].text), &tmpl, &err), 0,
            "%s", err.text);
        cr_expect_eq(cw_go_template_execute(tmpl, run, &input, &out, &err), CW_E_LIMIT, "%s",
                     limited[i].text);
        cr_expect_not_null(strstr(err.text, limited[i].says), "%s: %s", limited[i].text, err.text);
        cw_go_template_free(&tmpl);
    }
    cw_buf_fini(&out);
    cw_go_template_run_free(&run);
}

/* What a template means in promtail and not here is told by its name. */
Test(go_template_sprig, functions_that_are_left_out_are_named)
{
    static const char *const names[] = {"env", "randAlpha", "genPrivateKey",
                                        "set", "merge",     "wrap"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cw_go_template *tmpl;
        struct cw_err err = {0};
        struct cw_buf text, want;
        cw_buf_init(&text, 100);
        cw_buf_init(&want, 200);
        cw_buf_addf(&text, "{{ %s }}", names[i]);
        cw_buf_addf(&want,
                    "function \"%s\" not defined: it is one of sprig's that are left out here",
                    names[i]);
        cr_assert_lt(cw_go_template_compile_shipper(CW_STR("t"), cw_buf_str(&text), &tmpl, &err),
                     0);
        cr_assert(cw_str_ends(cw_str_of(err.text), cw_buf_str(&want)), "%s", err.text);
        cw_buf_fini(&text);
        cw_buf_fini(&want);
    }
}
