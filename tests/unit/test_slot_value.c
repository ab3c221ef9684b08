/* test_slot_value.c - texts of slots' values: which can be read, and which parts a value may have. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/slot_value.h"

struct good {
    enum cw_slot_type type;
    const char *text;
    uint64_t number, high;
    uint32_t digits;
};

Test(slot_value, reads_what_values_print)
{
    static const struct good cases[] = {
        {CW_SLOT_TIME, "00:00:09", 9, 0, 0},
        {CW_SLOT_TIME, "99:59:59", 359999, 0, 0},
        {CW_SLOT_TIME_DOT_MS, "00:01:00.007", 60007, 0, 0},
        {CW_SLOT_TIME_COMMA_MS, "01:00:00,999", 3600999, 0, 0},
        {CW_SLOT_IP4, "10.0.3.209", 0x0a0003d1, 0, 0},
        {CW_SLOT_IP4, "255.255.255.255", 0xffffffff, 0, 0},
        {CW_SLOT_DEC, "12.50", 1250, 0, 2},
        {CW_SLOT_DEC, "0.007", 7, 0, 3},
        {CW_SLOT_NUM, "007", 7, 0, 3},
        {CW_SLOT_NUM, "9999999999999999999", UINT64_C(9999999999999999999), 0, 19},
        {CW_SLOT_HEX, "00ff1a", 0xff1a, 0, 6},
        {CW_SLOT_HEX32, "00112233445566778899aabbccddeeff", UINT64_C(0x8899aabbccddeeff),
         UINT64_C(0x0011223344556677), 0},
        {CW_SLOT_UUID, "00112233-4455-6677-8899-aabbccddeeff", UINT64_C(0x8899aabbccddeeff),
         UINT64_C(0x0011223344556677), 0},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_slot_value value;
        cr_assert(cw_slot_parse(cases[i].type, cw_str_of(cases[i].text), &value), "%s",
                  cases[i].text);
        cr_assert_eq(value.number, cases[i].number, "%s", cases[i].text);
        cr_assert_eq(value.high, cases[i].high, "%s", cases[i].text);
        cr_assert_eq(value.digits, cases[i].digits, "%s", cases[i].text);
    }
}

Test(slot_value, refuses_what_none_prints)
{
    static const struct good cases[] = {
        {CW_SLOT_TIME, "1:00:00"},
        {CW_SLOT_TIME, "00:60:00"},
        {CW_SLOT_TIME, "00:00:00.000"},
        {CW_SLOT_TIME_DOT_MS, "00:00:00,000"},
        {CW_SLOT_IP4, "10.0.3"},
        {CW_SLOT_IP4, "10.0.3.256"},
        {CW_SLOT_IP4, "10.0.03.1"},
        {CW_SLOT_IP4, "1.2.3.4."},
        {CW_SLOT_IP4, "1.2.3.4.5"},
        {CW_SLOT_DEC, "12"},
        {CW_SLOT_DEC, "01.5"},
        {CW_SLOT_DEC, "1."},
        {CW_SLOT_DEC, ".5"},
        {CW_SLOT_DEC, "1.2.3"},
        {CW_SLOT_NUM, ""},
        {CW_SLOT_NUM, "12345678901234567890"},
        {CW_SLOT_NUM, "1a"},
        {CW_SLOT_HEX, "00FF1A"},
        {CW_SLOT_HEX, "0123456789abcdef0"},
        {CW_SLOT_HEX32, "00112233445566778899aabbccddeef"},
        {CW_SLOT_UUID, "00112233445566778899aabbccddeeff----"},
        {CW_SLOT_STR, "a1"},
    };
    struct cw_slot_value value;
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        cr_assert_not(cw_slot_parse(cases[i].type, cw_str_of(cases[i].text), &value), "%s",
                      cases[i].text);
}

struct part {
    enum cw_slot_type type;
    const char *text;
    bool first, last, may;
};

Test(slot_value, knows_parts_of_values)
{
    static const struct part cases[] = {
        {CW_SLOT_TIME, "12:3", true, false, true},
        {CW_SLOT_TIME, "12:3", false, true, false},
        {CW_SLOT_TIME, ":30", false, true, true},
        {CW_SLOT_TIME, "123", false, false, false},
        {CW_SLOT_TIME_DOT_MS, "123", false, true, true},
        {CW_SLOT_TIME_DOT_MS, "9.1", false, false, true},
        {CW_SLOT_IP4, "0.3.2", false, false, true},
        {CW_SLOT_IP4, ".3.", false, false, true},
        {CW_SLOT_IP4, ".3", true, false, false},
        {CW_SLOT_IP4, "3.", false, true, false},
        {CW_SLOT_IP4, "1234", false, false, false},
        {CW_SLOT_IP4, "1..2", false, false, false},
        {CW_SLOT_DEC, "2.5", false, false, true},
        {CW_SLOT_DEC, "2.5.", false, false, false},
        {CW_SLOT_NUM, "12345678901234567890", false, false, false},
        {CW_SLOT_NUM, "0", false, true, true},
        {CW_SLOT_UUID, "-1234-", false, false, true},
        {CW_SLOT_UUID, "-12345-", false, false, false},
        {CW_SLOT_UUID, "abcdefabcdef", false, true, true},
        {CW_SLOT_HEX, "beef", false, false, true},
        {CW_SLOT_QUOTED, "", true, true, true},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        cr_assert_eq(cw_slot_may_hold(cases[i].type, cw_str_of(cases[i].text), cases[i].first,
                                      cases[i].last),
                     cases[i].may, "%s in %d", cases[i].text, (int)cases[i].type);
}

Test(slot_value, alphabets)
{
    cr_assert(cw_slot_types_of('7') >> CW_SLOT_NUM & 1);
    cr_assert(cw_slot_types_of('f') >> CW_SLOT_HEX & 1);
    cr_assert_not(cw_slot_types_of('F') >> CW_SLOT_HEX & 1);
    cr_assert(cw_slot_types_of('F') >> CW_SLOT_STR & 1);
    cr_assert_not(cw_slot_types_of('_') >> CW_SLOT_STR & 1);
    cr_assert_not(cw_slot_types_of(0xc3) >> CW_SLOT_STR & 1);
    cr_assert(cw_slot_types_of(0xc3) >> CW_SLOT_QUOTED & 1);
    cr_assert_eq(cw_slot_types_of(CW_SLOT_NUM), 1u << CW_SLOT_RAW);
}
