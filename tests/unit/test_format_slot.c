/* Texts of values against printf. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "tests/support/part_model.h"

enum { MOST = 64 };

static int64_t values[MOST], digits[MOST];
static struct cw_str texts[MOST];
static char area[MOST * CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
static uint64_t state = 7;

static uint64_t random_of_any_length(void)
{
    return part_model_random(&state) >> part_model_random(&state) % 64;
}

static void is(uint32_t i, const char *want)
{
    cr_assert(cw_str_eqz(texts[i], want), "%.*s against %s", CW_STR_ARG(texts[i]), want);
}

Test(format_slot, numbers_have_their_digits)
{
    char want[32];
    uint64_t edge = 1;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < MOST; i++) {
            values[i] = (int64_t)random_of_any_length();
            digits[i] = 1 + (int64_t)(part_model_random(&state) % 20);
        }
        /* Around each power of ten. */
        if (round < 20) {
            values[0] = (int64_t)edge;
            values[1] = (int64_t)(edge - 1);
            values[2] = (int64_t)(edge + 1);
            edge *= 10;
        }
        cr_assert(cw_format_slots(CW_SLOT_NUM, values, NULL, MOST, area, texts));
        for (uint32_t i = 0; i < MOST; i++) {
            snprintf(want, sizeof(want), "%" PRIu64, (uint64_t)values[i]);
            is(i, want);
        }
        for (int i = 0; i < MOST; i++) {
            snprintf(want, sizeof(want), "%" PRIu64, (uint64_t)values[i]);
            digits[i] = CW_MAX(digits[i], (int64_t)strlen(want));
        }
        cr_assert(cw_format_slots(CW_SLOT_NUM, values, digits, MOST, area, texts));
        for (uint32_t i = 0; i < MOST; i++) {
            snprintf(want, sizeof(want), "%0*" PRIu64, (int)digits[i], (uint64_t)values[i]);
            is(i, want);
        }
    }
}

Test(format_slot, decimals_have_their_point)
{
    char want[64];
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < MOST; i++) {
            values[i] = (int64_t)(random_of_any_length() % UINT64_C(1000000000000000000));
            digits[i] = 1 + (int64_t)(part_model_random(&state) % 17);
        }
        cr_assert(cw_format_slots(CW_SLOT_DEC, values, digits, MOST, area, texts));
        for (uint32_t i = 0; i < MOST; i++) {
            uint64_t unit = 1;
            for (int64_t d = 0; d < digits[i]; d++)
                unit *= 10;
            snprintf(want, sizeof(want), "%" PRIu64 ".%0*" PRIu64, (uint64_t)values[i] / unit,
                     (int)digits[i], (uint64_t)values[i] % unit);
            is(i, want);
        }
    }
}

static void clock_text(uint64_t s, char want[16])
{
    snprintf(want, 16, "%02u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
             (unsigned)(s % 60));
}

Test(format_slot, every_second_of_the_day)
{
    char want[32];
    for (int64_t s = 0; s < 360000; s++) {
        values[0] = s;
        values[1] = s * 1000 + s % 1000;
        cr_assert(cw_format_slots(CW_SLOT_TIME, values, NULL, 1, area, texts));
        clock_text((uint64_t)s, want);
        is(0, want);
        snprintf(want + 8, 8, ",%03u", (unsigned)(s % 1000));
        cr_assert(cw_format_slots(CW_SLOT_TIME_COMMA_MS, values + 1, NULL, 1, area, texts));
        is(0, want);
        want[8] = '.';
        cr_assert(cw_format_slots(CW_SLOT_TIME_DOT_MS, values + 1, NULL, 1, area, texts));
        is(0, want);
    }
}

Test(format_slot, addresses_and_hex)
{
    char want[64];
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < MOST; i++) {
            values[i] = (int64_t)(part_model_random(&state) & 0xffffffff &
                                  (part_model_random(&state) | part_model_random(&state)));
            digits[i] = 8 + (int64_t)(part_model_random(&state) % 9);
        }
        cr_assert(cw_format_slots(CW_SLOT_IP4, values, NULL, MOST, area, texts));
        for (uint32_t i = 0; i < MOST; i++) {
            uint32_t v = (uint32_t)values[i];
            snprintf(want, sizeof(want), "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255,
                     v & 255);
            is(i, want);
        }
        for (int i = 0; i < MOST; i++)
            values[i] = (int64_t)(part_model_random(&state) >> (64 - 4 * digits[i]));
        cr_assert(cw_format_slots(CW_SLOT_HEX, values, digits, MOST, area, texts));
        for (uint32_t i = 0; i < MOST; i++) {
            snprintf(want, sizeof(want), "%0*" PRIx64, (int)digits[i], (uint64_t)values[i]);
            is(i, want);
        }
    }
}

Test(format_slot, wide_values)
{
    static const uint8_t wide[2][16] = {{0},
                                        {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc,
                                         0xba, 0x98, 0x76, 0x54, 0x32, 0x10}};
    static const int64_t numbers[] = {1, 0, 1};
    cw_format_wide_slots(CW_SLOT_HEX32, wide, numbers, 3, area, texts);
    is(0, "0123456789abcdeffedcba9876543210");
    is(1, "00000000000000000000000000000000");
    is(2, "0123456789abcdeffedcba9876543210");
    cw_format_wide_slots(CW_SLOT_UUID, wide, numbers, 3, area, texts);
    is(0, "01234567-89ab-cdef-fedc-ba9876543210");
    is(1, "00000000-0000-0000-0000-000000000000");
    is(2, "01234567-89ab-cdef-fedc-ba9876543210");
}

Test(format_slot, what_no_slot_holds_stays_in_its_room)
{
    static const unsigned types[] = {CW_SLOT_TIME, CW_SLOT_TIME_DOT_MS, CW_SLOT_TIME_COMMA_MS,
                                     CW_SLOT_IP4,  CW_SLOT_DEC,         CW_SLOT_NUM,
                                     CW_SLOT_HEX};
    static const int64_t wrong[] = {-1, INT64_MIN, INT64_MAX, 21, 0, 17};
    for (size_t t = 0; t < CW_COUNT(types); t++) {
        for (size_t i = 0; i < CW_COUNT(wrong) * CW_COUNT(wrong); i++) {
            values[0] = wrong[i / CW_COUNT(wrong)];
            digits[0] = wrong[i % CW_COUNT(wrong)];
            cw_format_slots(types[t], values, digits, 1, area, texts);
            cr_assert(texts[0].ptr >= area &&
                      texts[0].ptr + texts[0].len <= area + cw_slot_text_room(types[t]));
        }
    }
    values[0] = -1;
    digits[0] = 0;
    cr_assert_not(cw_format_slots(CW_SLOT_TIME, values, NULL, 1, area, texts));
    cr_assert_not(cw_format_slots(CW_SLOT_IP4, values, NULL, 1, area, texts));
    cr_assert_not(cw_format_slots(CW_SLOT_DEC, values, digits, 1, area, texts));
    cr_assert_not(cw_format_slots(CW_SLOT_NUM, values, digits, 1, area, texts));
    cr_assert_not(cw_format_slots(CW_SLOT_HEX, values, digits, 1, area, texts));
}
