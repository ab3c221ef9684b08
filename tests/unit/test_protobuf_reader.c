#include <criterion/criterion.h>

#include "common/wire/protobuf_reader.h"

/* Walk all fields; returns how many there were, or -1 for a message that is none. */
static int walk(struct cw_str message, struct cw_protobuf_field *last)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    enum cw_protobuf_step step;
    int n = 0;
    while ((step = cw_protobuf_next(&reader, last)) == CW_PROTOBUF_FIELD)
        n++;
    return step == CW_PROTOBUF_BAD ? -1 : n;
}

Test(protobuf_reader, an_empty_message_has_no_fields)
{
    struct cw_protobuf_field field;
    cr_expect_eq(walk(CW_STR_NONE, &field), 0);
}

Test(protobuf_reader, each_wire_type_is_read)
{
    struct cw_protobuf_field field;
    cr_expect_eq(walk(CW_STR("\x08\x96\x01"), &field), 1);
    cr_expect_eq(field.number, 1);
    cr_expect_eq(field.value, 150);
    cr_expect_eq(walk(CW_STR("\x11\x01\x02\x03\x04\x05\x06\x07\x08"), &field), 1);
    cr_expect_eq(field.number, 2);
    cr_expect_eq(field.value, UINT64_C(0x0807060504030201));
    cr_expect_eq(walk(CW_STR("\x1d\x01\x02\x03\x04"), &field), 1);
    cr_expect_eq(field.value, 0x04030201);
    cr_expect_eq(walk(CW_STR("\x08\x01\x22\x03"
                             "abc"),
                      &field),
                 2);
    cr_expect_eq(field.number, 4);
    cr_expect(cw_str_eqz(field.bytes, "abc"));
    cr_expect_eq(walk(CW_STR("\xc2\x3e\x01x"), &field), 1);
    cr_expect_eq(field.number, 1000);
}

Test(protobuf_reader, the_largest_varint_fits_and_one_more_bit_does_not)
{
    struct cw_protobuf_field field;
    cr_expect_eq(walk(CW_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &field), 1);
    cr_expect_eq(field.value, UINT64_MAX);
    cr_expect_eq(walk(CW_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &field), -1);
    cr_expect_eq(walk(CW_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &field), -1);
}

Test(protobuf_reader, malformed_messages_are_refused)
{
    static const struct {
        struct cw_str message;
        const char *what;
    } cases[] = {
        {{"\x08", 1}, "a tag without a value"},
        {{"\x08\x80", 2}, "a varint that does not end"},
        {{"\x80", 1}, "a tag that does not end"},
        {{"\x0a\x05"
          "abc",
          5},
         "a length past the end"},
        {{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, "a length of 2^64 - 1"},
        {{"\x09\x01\x02\x03", 4}, "a short fixed64"},
        {{"\x0d\x01\x02\x03", 4}, "a short fixed32"},
        {{"\x0b\x0c", 2}, "a group"},
        {{"\x0e\x00", 2}, "wire type 6"},
        {{"\x0f\x00", 2}, "wire type 7"},
        {{"\x00\x00", 2}, "field number 0"},
        {{"\x88\x80\x80\x80\x80\x01\x01", 7}, "a field number over 29 bits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cw_protobuf_field field;
        cr_expect_eq(walk(cases[i].message, &field), -1, "%s", cases[i].what);
    }
}
