#include <criterion/criterion.h>
#include "shipper/msgpack_reader.h"

static const char *json(struct cw_str bytes)
{
    static struct cw_buf text;
    cw_buf_fini(&text);
    cw_buf_init(&text, 1u << 20);
    struct cw_json_writer writer = cw_json_writer_make(&text);
    int rc = cw_msgpack_to_json(&bytes, &writer, NULL);
    return rc < 0 ? "bad" : bytes.len > 0 ? "more" : cw_buf_z(&text);
}

Test(msgpack_reader, every_kind_of_value)
{
    static const struct {
        struct cw_str bytes;
        const char *json;
    } cases[] = {
        {CW_STR("\xc0"), "null"},
        {CW_STR("\xc2"), "false"},
        {CW_STR("\xc3"), "true"},
        {CW_STR("\x7f"), "127"},
        {CW_STR("\xe0"), "-32"},
        {CW_STR("\xff"), "-1"},
        {CW_STR("\xcc\xff"), "255"},
        {CW_STR("\xcd\x01\x00"), "256"},
        {CW_STR("\xce\xff\xff\xff\xff"), "4294967295"},
        {CW_STR("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
        {CW_STR("\xd0\x80"), "-128"},
        {CW_STR("\xd1\xff\x00"), "-256"},
        {CW_STR("\xd2\x00\x00\x00\x05"), "5"},
        {CW_STR("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808"},
        {CW_STR("\xca\x3f\x80\x00\x00"), "1"},
        {CW_STR("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"), "1.5"},
        {CW_STR("\xa3"
                "abc"),
         "\"abc\""},
        {CW_STR("\xd9\x02"
                "hi"),
         "\"hi\""},
        {CW_STR("\xda\x00\x02"
                "hi"),
         "\"hi\""},
        {CW_STR("\xdb\x00\x00\x00\x02"
                "hi"),
         "\"hi\""},
        {CW_STR("\xc4\x02"
                "hi"),
         "\"hi\""},
        {CW_STR("\xd6\x01"
                "abcd"),
         "\"abcd\""},
        {CW_STR("\xc7\x03\x00"
                "abc"),
         "\"abc\""},
        {CW_STR("\x93\x01\x80\x90"), "[1,{},[]]"},
        {CW_STR("\xdc\x00\x01\x01"), "[1]"},
        {CW_STR("\x82\xa1"
                "a\x01\x05\xc0"),
         "{\"a\":1,\"5\":null}"},
        {CW_STR("\xde\x00\x01\xa1"
                "a\x91\x01"),
         "{\"a\":[1]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cw_msgpack_walk walk = {0};
        cr_assert_str_eq(json(cases[i].bytes), cases[i].json);
        cr_assert_eq(cw_msgpack_measure(cases[i].bytes, &walk, NULL), 1, "%s", cases[i].json);
        cr_assert_eq(walk.at, cases[i].bytes.len);
        for (size_t len = 0; len < cases[i].bytes.len; len++) {
            struct cw_msgpack_walk part = {0};
            struct cw_str bytes = cw_str_sub(cases[i].bytes, 0, len);
            cr_assert_eq(cw_msgpack_measure(bytes, &part, NULL), 0, "%s, %zu", cases[i].json, len);
            cr_assert_eq(cw_msgpack_measure(cases[i].bytes, &part, NULL), 1, "it goes on");
            cr_assert_eq(part.at, cases[i].bytes.len);
            cr_assert_str_eq(json(bytes), "bad");
        }
    }
}

Test(msgpack_reader, what_is_none)
{
    struct cw_msgpack_walk walk = {0};
    cr_assert_eq(cw_msgpack_measure(CW_STR("\xc1"), &walk, NULL), CW_E_INVALID);
    char deep[CW_MSGPACK_DEPTH + 2];
    memset(deep, '\x91', sizeof deep - 1);
    deep[sizeof deep - 1] = '\x01';
    cr_assert_str_eq(json(cw_str_make(deep, sizeof deep)), "bad");
    cr_assert_str_neq(json(cw_str_make(deep + 1, sizeof deep - 1)), "bad");
    cr_assert_str_eq(json(CW_STR("\x81\x90\x01")), "bad", "a key that is an array");
}
