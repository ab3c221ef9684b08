/* Templates: what a real Loki answered (the conformance suite's cases), and what it does not ask about. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/template/go_template.h"

static const struct cw_label fields[] = {
    {CW_STR("app"), CW_STR("jsonedge")},
    {CW_STR("env"), CW_STR("prod")},
    {CW_STR("ip"), CW_STR("10.9.8.7")},
    {CW_STR("level"), CW_STR("ERROR")},
    {CW_STR("msg"), CW_STR("Disk full on /dev/sda1")},
    {CW_STR("size"), CW_STR("2.5GiB")},
    {CW_STR("took"), CW_STR("1m30s")},
};

static bool get(void *user, struct cw_str name, struct cw_str *value)
{
    for (size_t i = 0; i < CW_COUNT(fields); i++) {
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
    return CW_COUNT(fields);
}

static const struct cw_go_template_input input = {
    .get = get,
    .list = list,
    .line = CW_STR("{\"level\":\"ERROR\",\"msg\":\"Disk full on /dev/sda1\",\"took\":\"1m30s\","
                   "\"size\":\"2.5GiB\",\"ip\":\"10.9.8.7\"}"),
    .timestamp_ns = INT64_C(1673798889902000123),
    .now_ns = INT64_C(1700000000000000000),
};

static struct cw_err err;

/* The output or the error's text; *failed says which. Ended by NUL in `out`. */
static const char *run_template(const char *text, struct cw_buf *out, bool *failed)
{
    struct cw_go_template *tmpl;
    struct cw_go_template_run *run = cw_go_template_run_new();
    cw_buf_init(out, SIZE_MAX);
    *failed = cw_go_template_compile(CW_STR("line"), cw_str_of(text), &tmpl, &err) < 0;
    if (!*failed) {
        *failed = cw_go_template_execute(tmpl, run, &input, out, &err) < 0;
        cw_go_template_free(&tmpl);
    }
    if (*failed) {
        cr_expect_eq(out->len, 0, "%s", text);
        cw_buf_addz(out, err.text);
    }
    cw_go_template_run_free(&run);
    return cw_buf_z(out);
}

struct row {
    const char *text, *want;
    bool fails;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cw_buf out;
        bool failed;
        const char *got = run_template(rows[i].text, &out, &failed);
        cr_expect_str_eq(got, rows[i].want, "%s\n  want %s\n  got  %s", rows[i].text, rows[i].want,
                         got);
        cr_expect_eq(failed, rows[i].fails, "%s", rows[i].text);
        cw_buf_fini(&out);
    }
}

// clang-format off
static const struct row recorded[] = {
    {"{{ToLower .msg}}|{{ToUpper .msg}}", "disk full on /dev/sda1|DISK FULL ON /DEV/SDA1", false},
    {"{{Trim \"xxabcxx\" \"x\"}}|{{TrimLeft \"xxabcxx\" \"x\"}}|{{TrimRight \"xxabcxx\" \"x\"}}|{{TrimPrefix \"xxabc\" \"x\"}}|{{TrimSuffix \"abcxx\" \"xx\"}}|{{TrimSpace \"  a b\t\\n\"}}", "abc|abcxx|xxabc|xabc|abc|a b", false},
    {"{{trim \"  a b \"}}|{{trimAll \"$\" \"$5.00$\"}}|{{trimPrefix \"-\" \"--a\"}}|{{trimSuffix \"-\" \"a--\"}}", "a b|5.00|-a|a-", false},
    {"{{substr 0 4 .msg}}|{{substr 5 -1 .msg}}|{{substr -1 4 .msg}}|{{substr 5 9 .msg}}", "Disk|full on /dev/sda1|Disk|full", false},
    {"{{substr 2 999 \"abc\"}}", "c", false},
    {"{{contains \"full\" .msg}} {{hasPrefix \"Disk\" .msg}} {{hasSuffix \"sda1\" .msg}} {{contains \"\" .msg}} {{hasPrefix \"disk\" .msg}}", "true true true true false", false},
    {"{{repeat 3 \"ab\"}}|{{repeat 0 \"ab\"}}", "ababab|", false},
    {"{{repeat -1 \"ab\"}}", "template: line:1:2: executing \"line\" at <repeat -1 \"ab\">: error calling repeat: strings: negative Repeat count", true},
    {"{{int \"42\"}} {{int 3.9}} {{int \"x\"}} {{int \"4.7\"}} {{int -2.5}} {{int \"0x10\"}} {{int \"010\"}} {{int true}}", "42 3 0 4 -2 16 8 1", false},
    {"{{float64 \"4.5\"}} {{float64 \"x\"}} {{float64 3}} {{float64 \"1e3\"}} {{float64 \"\"}}", "4.5 0 3 1000 0", false},
    {"{{sub 5 2}} {{sub 2 5}} {{sub \"9\" \"4\"}} {{sub 5.9 1}}", "3 -3 5 4", false},
    {"{{mul 3 4}} {{mul 2 3 4}} {{mul 1.9 2}} {{mul -3 \"2\"}}", "12 24 2 -6", false},
    {"{{div 7 2}} {{div -7 2}} {{div \"9\" 3}} {{div 1 3}}", "3 -3 3 0", false},
    {"{{div 1 0}}", "template: line:1:2: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide by zero", true},
    {"{{mod 7 3}} {{mod -7 3}} {{mod 7 -3}}", "1 -1 1", false},
    {"{{addf 1.5 2.25}} {{addf 1 2}} {{addf 0.1 0.2}} {{addf \"1.5\" 1 1}}", "3.75 3 0.3 3.5", false},
    {"{{subf 5.5 2}} {{subf 1 0.9}} {{subf 10 1.5 2.5}}", "3.5 0.1 6", false},
    {"{{mulf 1.5 2}} {{mulf 0.1 3}} {{mulf 2 2 2.5}}", "3 0.3 10", false},
    {"{{divf 7 2}} {{divf 1 3}} {{divf 8 2 2}}", "3.5 0.3333333333333333 2", false},
    {"{{divf 1 0}} {{divf 0 0}}", "template: line:1:2: executing \"line\" at <divf 1 0>: error calling divf: decimal division by 0", true},
    {"{{max 1 5 3}} {{min 4 2 8}} {{max \"7\" 2}} {{max 1.9 1}}", "5 2 7 1", false},
    {"{{maxf 1.5 2.5}} {{minf 1.5 2.5 0.5}} {{maxf -1 \"-0.5\"}}", "2.5 0.5 -0.5", false},
    {"{{ceil 1.2}} {{floor 1.8}} {{ceil -1.2}} {{floor -1.2}} {{ceil \"2.1\"}} {{floor 123.9999}}", "2 1 -1 -2 3 123", false},
    {"{{count \"(\" .msg}}", "template: line:1:2: executing \"line\" at <count \"(\" .msg>: error calling count: error parsing regexp: missing closing ): `(`", true},
    {"{{regexReplaceAll \"(\\\\w+) (\\\\w+)\" .msg \"$2 $1\"}}|{{regexReplaceAll \"s\" .msg \"[$0]\"}}|{{regexReplaceAll \"(?P<a>D)\" .msg \"${a}x\"}}", "full Disk on /dev/sda1|Di[s]k full on /dev/[s]da1|Dxisk full on /dev/sda1", false},
    {"{{regexReplaceAllLiteral \"s\" .msg \"$1\"}}", "Di$1k full on /dev/$1da1", false},
    {"{{urlencode .msg}}|{{urlencode \"a b+c&d=\303\251\"}}", "Disk+full+on+%2Fdev%2Fsda1|a+b%2Bc%26d%3D%C3%A9", false},
    {"{{urldecode \"a%20b+c%26%C3%A9\"}}", "a b c&\303\251", false},
    {"{{b64dec \"!!!!\"}}", "illegal base64 data at input byte 0", false},
    {"{{bytes \"junk\"}}", "template: line:1:2: executing \"line\" at <bytes \"junk\">: error calling bytes: strconv.ParseFloat: parsing \"\": invalid syntax", true},
    {"{{unixToTime \"1673798889\" | date \"2006-01-02\"}} {{unixToTime \"1673798889902\" | unixEpochMillis}} {{unixToTime \"19373\" | unixEpoch}} {{unixToTime \"1673798889902000\" | unixEpoch}} {{unixToTime \"1673798889902000123\" | unixEpochNanos}}", "2023-01-15 1673798889902 1673827200 1673798889 1673798889902000123", false},
    {"{{unixToTime \"123\"}}", "template: line:1:2: executing \"line\" at <unixToTime \"123\">: error calling unixToTime: unable to parse time '123': %!w(<nil>)", true},
    {"{{unixToTime \"abc\"}}", "template: line:1:2: executing \"line\" at <unixToTime \"abc\">: error calling unixToTime: unable to parse time 'abc': strconv.ParseInt: parsing \"abc\": invalid syntax", true},
    {"{{toDateInZone \"2006-01-02 15:04\" \"America/New_York\" \"2021-07-02 10:00\" | unixEpoch}} {{toDateInZone \"2006-01-02 15:04\" \"No/Zone\" \"2021-07-02 10:00\" | unixEpoch}} {{toDateInZone \"2006-01-02\" \"UTC\" \"bad\" | unixEpoch}}", "1625234400 1625220000 -62135596800", false},
    {"{{unixToTime \"1673798889902\" | date \"Mon Jan 2 15:04:05.000 2006 PM 06 01 1 _2 3 03\"}}", "Sun Jan 15 16:08:09.902 2023 PM 23 01 1 15 4 04", false},
    {"[{{alignRight 8 .level}}][{{alignRight 3 .level}}][{{alignRight 6 \"caf\303\251\"}}]", "[   ERROR][ROR][  caf\303\251]", false},
    {"[{{alignLeft -1 .level}}][{{alignRight -1 .level}}]", "[ERROR][ERROR]", false},
    {"{{$j := fromJson __line__}}{{$j.level}} {{index $j \"took\"}}", "ERROR 1m30s", false},
    {"{{fromJson \"nope\"}}", "<no value>", false},
    {"{{fromJson \"1\"}} {{fromJson \"true\"}} {{fromJson \"null\"}} {{fromJson \"[1,\\\"a\\\",{\\\"k\\\":2.5}]\"}}", "1 true <no value> [1 a map[k:2.5]]", false},
    {"{{replace \"a\" \"b\"}}", "template: line:1:2: executing \"line\" at <replace>: wrong number of args for replace: want 3 got 2", true},
    {"{{lower \"a\" \"b\"}}", "template: line:1:2: executing \"line\" at <lower>: wrong number of args for lower: want 1 got 2", true},
    {"{{divf (duration .took) 60}} {{div (bytes .size | int) 1024}}", "1.5 2621440", false},
    {"{{.level}} {{.msg}}", "ERROR Disk full on /dev/sda1", false},
    {"{{.msg}}", "Disk full on /dev/sda1", false},
    {"{{.nope}}", "", false},
    {"hello", "hello", false},
    {"<{{__line__}}>", "<{\"level\":\"ERROR\",\"msg\":\"Disk full on /dev/sda1\",\"took\":\"1m30s\",\"size\":\"2.5GiB\",\"ip\":\"10.9.8.7\"}>", false},
    {"{{.app}}/{{.env}}", "jsonedge/prod", false},
    {"{{if eq .level \"ERROR\"}}bad{{else}}fine{{end}}", "bad", false},
    {"{{if .nope}}yes{{else}}no{{end}}", "no", false},
    {"{{if eq .level \"x\"}}1{{else if eq .level \"ERROR\"}}2{{else}}3{{end}}", "2", false},
    {"{{with .nope}}x{{else}}none{{end}}", "none", false},
    {"{{$x := .level}}{{$x}}-{{$x}}", "ERROR-ERROR", false},
    {"{{range $k, $v := .}}{{$k}}={{$v}} {{end}}", "app=jsonedge env=prod ip=10.9.8.7 level=ERROR msg=Disk full on /dev/sda1 size=2.5GiB took=1m30s ", false},
    {"a {{- .level -}} b", "aERRORb", false},
    {"a{{/* note */}}b", "ab", false},
    {"{{printf \"%s|%10s|%-6s|%q|%v\" .level .ip .app .msg 3}}", "ERROR|  10.9.8.7|jsonedge|\"Disk full on /dev/sda1\"|3", false},
    {"{{printf \"%d %5d %05d %x %o %e %.2f %t %c %U\" 42 42 42 255 8 1.5 3.14159 true 65 128512}}", "42    42 00042 ff 10 1.500000e+00 3.14 true A U+1F600", false},
    {"{{print 1 2 \"a\" \"b\" 3}}|{{println \"x\" 1}}", "1 2ab3|x 1\n", false},
    {"{{len .msg}} {{len \"caf\303\251\"}}", "22 5", false},
    {"{{index (fromJson \"[5,6,7]\") 1}} {{slice \"abcdef\" 1 3}}", "6 bc", false},
    {"{{with .ip}}{{$.level}}{{end}}", "ERROR", false},
    {"{{index . \"level\"}}", "ERROR", false},
    {"{{(printf \"%s\" (upper (lower .level)))}}", "ERROR", false},
    {"{{.msg | lower | replace \" \" \"_\" | trunc 9 | printf \"<%s>\"}}", "<disk_full>", false},
    {"\n {{ .level }}\n", "\n ERROR\n", false},
    {"\344\270\255{{.level}}\360\237\230\200", "\344\270\255ERROR\360\237\230\200", false},
    {"{{\"{{\"}}x{{\"}}\"}}", "{{x}}", false},
    {"{{add .level \"x\"}}", "0", false},
};
// clang-format on

Test(go_template, answers_are_those_that_loki_gave)
{
    check(recorded, CW_COUNT(recorded));
}

static const struct row parse_errors[] = {
    {"{{.a", "template: line:1: unclosed action", true},
    {"{{nosuch .a}}", "template: line:1: function \"nosuch\" not defined", true},
    {"{{toString 1}}", "template: line:1: function \"toString\" not defined", true},
    {"a\nb {{if}}", "template: line:2: missing value for if", true},
    {"{{if .a}}x", "template: line:1: unexpected EOF", true},
    {"{{end}}", "template: line:1: unexpected {{end}}", true},
    {"{{\"x}}", "template: line:1: unterminated quoted string", true},
    {"{{/* x }}", "template: line:1: unclosed comment", true},
    {"{{.a | 1}}", "template: line:1: non executable command in pipeline stage 2", true},
    {"{{$x}}", "template: line:1: undefined variable \"$x\"", true},
    {"{{break}}", "template: line:1: {{break}} outside {{range}}", true},
    {"{{(1}}", "template: line:1: unclosed left paren", true},
    {"{{99999999999999999999}}", "template: line:1: integer overflow: \"99999999999999999999\"",
     true},
};

Test(go_template, parse_errors_are_gos)
{
    check(parse_errors, CW_COUNT(parse_errors));
}

static const struct row times[] = {
    {"{{__timestamp__}}", "2023-01-15 16:08:09.902000123 +0000 UTC", false},
    {"{{__timestamp__ | date \"2006-01-02T15:04:05.000Z07:00\"}}", "2023-01-15T16:08:09.902Z",
     false},
    {"{{__timestamp__ | unixEpochNanos}}", "1673798889902000123", false},
    {"{{__timestamp__.Unix}} {{(now).Year}}", "1673798889 2023", false},
    {"{{__timestamp__.Month}} {{printf \"%d\" __timestamp__.Month}} {{__timestamp__.Weekday}}",
     "January 1 Sunday", false},
    {"{{(__timestamp__.Sub (toDate \"2006-01-02\" \"2023-01-15\")).Round 1000000000}}", "16h8m10s",
     false},
    {"{{(__timestamp__.AddDate 0 1 16).Format \"2006-01-02\"}} {{__timestamp__.Local.Location}}",
     "2023-03-03 UTC", false},
    {"{{((toDateInZone \"2006\" \"Europe/Berlin\" \"2060\").AddDate 200000000000 6 0).Format \"Jan 2 "
     "-0700 MST\"}}",
     "Jul 1 +0200 CEST", false},
    {"{{(__timestamp__.In nil)}}",
     "template: line:1:16: executing \"line\" at <__timestamp__.In>: error calling In: time: missing "
     "Location in call to Time.In",
     true},
    {"{{date \"2006\" 86400}}", "1970", false},
    {"{{toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2024-07-01 12:00\" | unixEpoch}}",
     "1719828000", false},
    {"{{toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2060-01-01 12:00\"}}",
     "2060-01-01 12:00:00 +0100 CET", false},
};

Test(go_template, times_are_written_and_read)
{
    check(times, CW_COUNT(times));
}

static const struct row others[] = {
    {"{{1000000.0}} {{123456789.5}} {{1e21}} {{0.00001}}", "1e+06 1.234567895e+08 1e+21 1e-05",
     false},
    {"{{round 2.5 0}} {{round 123.5555 3}} {{round \"1.24\" 1 0.3}}", "3 123.556 1.3", false},
    {"{{bytes \"1,024 kB\"}} {{bytes \"1MiB\"}} {{bytes \"7\"}}", "1.024e+06 1.048576e+06 7",
     false},
    {"{{divf 2 3}} {{divf 1e300 1e-5}} {{addf 1e300 1}}", "0.6666666666666667 1e+305 1e+300",
     false},
    {"{{default \"x\" .nope}} {{default \"x\" .level}} {{.nope | default 3}}", "x ERROR 3", false},
    {"{{trunc 3 .msg}}|{{trunc -4 .msg}}|{{trunc 3 \"h\\u00e9llo\"}}|{{trunc 2 \"h\\u00e9\"}}",
     "Dis|sda1|h\303\251|h\303", false},
    {"{{substr 1 3 \"h\\u00e9llo\"}}|{{substr 3 99 \"abc\"}}|{{substr -1 0 \"abc\"}}", "\303\251||",
     false},
    {"{{substr 4 9 \"abc\"}}",
     "template: line:1:2: executing \"line\" at <substr 4 9 \"abc\">: error calling substr: runtime error: slice bounds out of range [4:3]",
     true},
    {"{{substr 2 1 \"abc\"}}",
     "template: line:1:2: executing \"line\" at <substr 2 1 \"abc\">: error calling substr: runtime error: slice bounds out of range [2:1]",
     true},
    {"{{substr -1 4 \"abc\"}}",
     "template: line:1:2: executing \"line\" at <substr -1 4 \"abc\">: error calling substr: runtime error: slice bounds out of range [:4] with length 3",
     true},
    {"{{substr -1 -2 \"abc\"}}",
     "template: line:1:2: executing \"line\" at <substr -1 -2 \"abc\">: error calling substr: runtime error: slice bounds out of range [:-2]",
     true},
    {"{{call .msg}}",
     "template: line:1:2: executing \"line\" at <call .msg>: error calling call: non-function .msg of type string",
     true},
    {"{{\"abc\" | call}}",
     "template: line:1:10: executing \"line\" at <call>: error calling call: non-function abc of type string",
     true},
    {"{{5 | call}}",
     "template: line:1:6: executing \"line\" at <call>: error calling call: non-function <int Value> of type int",
     true},
    {"{{fromJson \"[1]\" | call}}",
     "template: line:1:19: executing \"line\" at <call>: error calling call: non-function <[]interface {} Value> of type []interface {}",
     true},
    {"{{call (print .level 1)}}",
     "template: line:1:2: executing \"line\" at <call (print .level 1)>: error calling call: non-function print .level 1 of type string",
     true},
    {"{{title \"hello wORLD x_y\"}}", "Hello WORLD X_y", false},
    {"{{range $i, $e := fromJson \"[1,2,3]\"}}{{if eq $i 1}}{{continue}}{{end}}{{$i}}{{$e}} {{end}}",
     "01 23 ", false},
    {"{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .ip}}", "<10.9.8.7>", false},
    {"{{.}}",
     "map[app:jsonedge env:prod ip:10.9.8.7 level:ERROR msg:Disk full on /dev/sda1 size:2.5GiB took:1m30s]",
     false},
    {"{{len .}} {{index . \"nope\" | printf \"%q\"}}", "7 \"\"", false},
    {"{{printf \"%d|%z|%s\" \"x\" 1}}", "%!d(string=x)|%!z(int=1)|%!s(MISSING)", false},
    {"{{lower 1}}", "template: line:1:8: executing \"line\" at <1>: expected string; found 1",
     true},
    {"{{add 1 2 | repeat .level}}",
     "template: line:1:19: executing \"line\" at <.level>: wrong type for value; expected int; got string",
     true},
    {"{{eq (fromJson \"[1]\") (fromJson \"[1,\\\"a\\\"]\")}}",
     "template: line:1:2: executing \"line\" at <eq (fromJson \"[1]\") (fromJson \"[1,\\\"a\\\"]\")>: error calling eq: non-comparable type [%!s(float64=1) a]: []interface {}",
     true},
    /* a list has room behind it, and a part of it what the whole has there */
    {"{{slice (fromJson \"[5,6,7]\") 1 4}} {{slice (slice (fromJson \"[5,6,7]\") 0 1) 0 3}}",
     "[6 7 <nil>] [5 6 7]", false},
    {"{{slice (slice (fromJson \"[5,6,7]\") 0 2) 3}}",
     "template: line:1:2: executing \"line\" at <slice (slice (fromJson \"[5,6,7]\") 0 2) 3>: error calling slice: invalid slice index: 3 > 2",
     true},
    {"{{slice (slice (fromJson \"[5,6,7]\") 0 1 2) 0 3}}",
     "template: line:1:2: executing \"line\" at <slice (slice (fromJson \"[5,6,7]\") 0 1 2) 0 3>: error calling slice: index out of range: 3",
     true},
    {"{{indent 2 \"a\\nb\"}}{{nindent 1 \"c\"}}", "  a\n  b\n c", false},
    {"{{regexReplaceAll \"a*\" \"baac\" \"-\"}}{{count \"a*\" \"baac\"}}", "-b-c-3", false},
};

Test(go_template, functions_beyond_the_recorded_ones)
{
    check(others, CW_COUNT(others));
}

Test(go_template, says_what_it_needs)
{
    struct cw_go_template *tmpl;
    struct cw_go_template_needs needs;
    cr_assert_eq(cw_go_template_compile(
                     CW_STR("line"),
                     CW_STR("{{.a}}{{if .b.c}}{{$.d | printf .a}}{{end}}{{len __line__}}"), &tmpl,
                     &err),
                 0);
    cw_go_template_needs(tmpl, &needs);
    cr_assert_eq(needs.nfields, 3);
    cr_assert(cw_str_eqz(needs.fields[0], "a"));
    cr_assert(cw_str_eqz(needs.fields[1], "b"));
    cr_assert(cw_str_eqz(needs.fields[2], "d"));
    cr_assert(needs.line && !needs.timestamp && !needs.all_fields);
    cw_go_template_free(&tmpl);
    cr_assert_eq(cw_go_template_compile(CW_STR("line"), CW_STR("{{range .}}x{{end}}"), &tmpl, &err),
                 0);
    cw_go_template_needs(tmpl, &needs);
    cr_assert(needs.all_fields);
    cw_go_template_free(&tmpl);
}

Test(go_template, bounds_hold_and_are_named)
{
    static const char *const texts[] = {
        "{{range 1000000000}}{{end}}",
        "{{range 1000000}}{{end}}",
        "{{range 900000}}0123456789{{end}}",
        "{{repeat 100000000 \"abc\"}}",
        "{{indent 99999999 \"abc\"}}",
        "{{alignLeft 99999999 \"abc\"}}",
        "{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}",
        "{{range 100}}{{$x := repeat 4000000 \"x\"}}{{end}}",
        "{{printf \"%1000000d%1000000d%1000000d%1000000d%1000000d\" 1 2 3 4 5}}",
    };
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        struct cw_buf out;
        bool failed;
        run_template(texts[i], &out, &failed);
        cr_expect(failed, "%s", texts[i]);
        cr_expect_eq(err.code, CW_E_LIMIT, "%s: %s", texts[i], err.text);
        cw_buf_fini(&out);
    }
}

Test(go_template, nesting_is_bounded)
{
    static const char *const openers[] = {"{{if 1}}", "(", "{{define \"x\"}}", "{{if 1}}{{else "};
    for (size_t i = 0; i < CW_COUNT(openers); i++) {
        struct cw_go_template *tmpl;
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        cw_buf_addz(&text, i == 1 ? "{{" : "");
        for (int n = 0; n < 20000; n++)
            cw_buf_addz(&text, openers[i]);
        cr_expect_lt(cw_go_template_compile(CW_STR("line"), cw_buf_str(&text), &tmpl, &err), 0);
        cw_buf_fini(&text);
    }
}

Test(go_template, a_run_serves_many_templates_after_errors_too)
{
    struct cw_go_template *good, *bad;
    struct cw_go_template_run *run = cw_go_template_run_new();
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cr_assert_eq(cw_go_template_compile(CW_STR("line"), CW_STR("{{.level | lower}}"), &good, &err),
                 0);
    cr_assert_eq(cw_go_template_compile(CW_STR("label"), CW_STR("x{{div 1 0}}"), &bad, &err), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(cw_go_template_execute(good, run, &input, &out, &err), 0);
        cr_assert_lt(cw_go_template_execute(bad, run, &input, &out, &err), 0);
        cr_assert_str_eq(
            err.text,
            "template: label:1:3: executing \"label\" at <div 1 0>: error calling div: runtime error: integer divide by zero");
    }
    cr_assert_str_eq(cw_buf_z(&out), "errorerrorerror");
    cw_buf_fini(&out);
    cw_go_template_free(&good);
    cw_go_template_free(&bad);
    cw_go_template_run_free(&run);
}
