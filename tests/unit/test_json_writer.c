#include <criterion/criterion.h>
#include <math.h>

#include "common/wire/json_writer.h"

static struct cw_buf buf;
static struct cw_json_writer w;

static void setup(void)
{
    cw_buf_init(&buf, 1 << 20);
    w = cw_json_writer_make(&buf);
}

static void teardown(void)
{
    cw_buf_fini(&buf);
}

TestSuite(json_writer, .init = setup, .fini = teardown);

Test(json_writer, commas_stand_between_values_only)
{
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "a", CW_STR("b"));
    cw_json_key(&w, CW_STR("c"));
    cw_json_begin_array(&w);
    cw_json_begin_array(&w);
    cw_json_end_array(&w);
    cw_json_i64(&w, INT64_MIN);
    cw_json_u64(&w, UINT64_MAX);
    cw_json_i64_string(&w, -5);
    cw_json_f64_string(&w, INFINITY);
    cw_json_f64(&w, 0.25);
    cw_json_f64(&w, NAN);
    cw_json_bool(&w, true);
    cw_json_bool(&w, false);
    cw_json_null(&w);
    cw_json_raw(&w, CW_STR("{\"x\":1}"));
    cw_json_begin_object(&w);
    cw_json_end_object(&w);
    cw_json_end_array(&w);
    cw_json_key_u64(&w, "d", 0);
    cw_json_end_object(&w);
    cr_expect_str_eq(
        cw_buf_z(&buf),
        "{\"a\":\"b\",\"c\":[[],-9223372036854775808,18446744073709551615,\"-5\",\"+Inf\","
        "0.25,null,true,false,null,{\"x\":1},{}],\"d\":0}");
}

Test(json_writer, the_buffer_may_be_cleared_between_calls)
{
    cw_json_begin_array(&w);
    cw_json_u64(&w, 1);
    cw_buf_clear(&buf);
    cw_json_u64(&w, 2);
    cr_expect_str_eq(cw_buf_z(&buf), ",2");
}

static void check_quote(struct cw_str s, const char *want)
{
    cw_buf_clear(&buf);
    cw_json_quote(s, &buf);
    cr_expect_str_eq(cw_buf_z(&buf), want);
}

Test(json_writer, strings_are_escaped_as_go_does)
{
    check_quote(CW_STR_NONE, "\"\"");
    check_quote(CW_STR("plain text of more than eight bytes"),
                "\"plain text of more than eight bytes\"");
    check_quote(CW_STR("a\"b\\c\nd\re\tf"), "\"a\\\"b\\\\c\\nd\\re\\tf\"");
    check_quote(CW_STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
    check_quote(CW_STR("<a href=\"x\">&"), "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\"");
    check_quote(CW_STR("caf\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80"),
                "\"caf\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80\"");
    check_quote(CW_STR("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
}

Test(json_writer, bytes_that_are_not_utf8_become_the_replacement_character)
{
    check_quote(CW_STR("a\xff\xfe"
                       "b"),
                "\"a\\ufffd\\ufffdb\"");
    check_quote(CW_STR("\xc3"), "\"\\ufffd\"");
    check_quote(CW_STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
    check_quote(CW_STR("\xef\xbf\xbd"), "\"\xef\xbf\xbd\"");
    check_quote(CW_STR("12345678\xff"), "\"12345678\\ufffd\"");
}
