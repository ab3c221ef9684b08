#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/int_column.h"

static struct cw_err err;

/* Encodes and decodes; returns the column's bytes. */
static size_t round_trip(const int64_t *values, size_t n)
{
    int64_t *scratch = cw_mem_array(n + 1, sizeof(*scratch)),
            *back = cw_mem_array(n + 1, sizeof(*back));
    struct cw_buf out;
    size_t used;
    cw_buf_init(&out, SIZE_MAX);
    memcpy(scratch, values, n * sizeof(*values));
    cw_encode_int(scratch, n, &out);
    size_t len = out.len;
    cr_assert_eq(cw_decode_int(cw_buf_str(&out), n, back, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(memcmp(values, back, n * sizeof(*values)), 0);
    cw_buf_addz(&out, "what follows is not read");
    cr_assert_eq(cw_decode_int(cw_buf_str(&out), n, back, &used, &err), 0);
    cr_assert_eq(used, len);
    cr_assert_eq(memcmp(values, back, n * sizeof(*values)), 0);
    free(scratch);
    free(back);
    cw_buf_fini(&out);
    return len;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

Test(encode_int, every_width_and_length_comes_back)
{
    static const size_t lengths[] = {0, 1, 2, 3, 127, 128, 129, 255, 256, 257, 1000};
    uint64_t state = 42;
    int64_t values[1000];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t l = 0; l < CW_COUNT(lengths); l++) {
            for (size_t i = 0; i < lengths[l]; i++)
                values[i] = width == 0 ? 7 : (int64_t)(next_random(&state) >> (64 - width));
            round_trip(values, lengths[l]);
            for (size_t i = 0; i < lengths[l]; i++)
                values[i] = -values[i];
            round_trip(values, lengths[l]);
        }
    }
}

Test(encode_int, extreme_values_come_back)
{
    static const int64_t sets[][4] = {
        {INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX},
        {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MIN},
        {0, -1, INT64_MIN, 1},
        {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN},
        {-1000, 1000, 0, INT64_MAX - 807},
        {INT64_MIN + 808, 1000, 0, -1000},
    };
    for (size_t i = 0; i < CW_COUNT(sets); i++)
        for (size_t n = 0; n <= 4; n++)
            round_trip(sets[i], n);
}

Test(encode_int, what_is_regular_costs_next_to_nothing)
{
    static int64_t values[32768];
    for (size_t i = 0; i < CW_COUNT(values); i++)
        values[i] = INT64_C(1767571200000000000) + (int64_t)i * 250000000;
    cr_assert_leq(round_trip(values, CW_COUNT(values)), 2 + 8 + 256 * 4);
    for (size_t i = 0; i < CW_COUNT(values); i++)
        values[i] = 99;
    cr_assert_eq(round_trip(values, CW_COUNT(values)), 10);
}

Test(encode_int, whole_milliseconds_cost_what_milliseconds_cost)
{
    static int64_t fine[4096], coarse[4096];
    uint64_t state = 7;
    for (size_t i = 1; i < CW_COUNT(fine); i++) {
        coarse[i] = coarse[i - 1] + (int64_t)(next_random(&state) % 1000) * 1000000;
        fine[i] = fine[i - 1] + (int64_t)(next_random(&state) % 1000000000);
    }
    size_t coarse_len = round_trip(coarse, CW_COUNT(coarse)),
           fine_len = round_trip(fine, CW_COUNT(fine));
    cr_assert_lt(coarse_len, 4096 * 11 / 8);
    cr_assert_gt(fine_len, 2 * coarse_len);
}

Test(encode_int, one_outlier_costs_one_miniblock)
{
    static int64_t values[4096];
    for (size_t i = 0; i < CW_COUNT(values); i++)
        values[i] = (int64_t)(i * 37 % 200);
    values[2000] = INT64_C(1) << 60;
    cr_assert_lt(round_trip(values, CW_COUNT(values)), 4096 + 128 * 8 + 200);
}

static uint8_t encoding_of(const int64_t *values, size_t n)
{
    static int64_t scratch[4096];
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    memcpy(scratch, values, n * sizeof(*values));
    cw_encode_int(scratch, n, &out);
    uint8_t encoding = (uint8_t)out.ptr[0];
    cw_buf_fini(&out);
    return encoding;
}

/* n values that `kind` is the cheapest encoding of. */
static void values_for(enum cw_int_encoding kind, int64_t *values, size_t n)
{
    uint64_t state = 3;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(&state);
        switch (kind) {
        case CW_INT_CONST: values[i] = 5; break;
        case CW_INT_FOR: values[i] = (int64_t)(r % 77); break;
        case CW_INT_MINI: values[i] = (int64_t)(r % 16 + (i / 128 % 2) * 1000000007); break;
        case CW_INT_DELTA: values[i] = (int64_t)(i * 100003 + r % 8191); break;
        case CW_INT_DICT: values[i] = (int64_t)(r % 5 * UINT64_C(1234567890123457)); break;
        case CW_INT_BYTES:
            values[i] =
                (i == 0 ? 0 : values[i - 1]) + (r % 2 ? (int64_t)(r >> 49) : (int64_t)(r >> 24));
            break;
        case CW_INT_DELTADICT:
            values[i] = (i == 0 ? -9 : values[i - 1]) + (r % 7 ? 25000001 : 173000001);
            break;
        }
    }
}

Test(encode_int, each_encoding_is_chosen_where_it_is_the_cheapest)
{
    static int64_t values[4096];
    for (int kind = CW_INT_CONST; kind <= CW_INT_DELTADICT; kind++) {
        values_for((enum cw_int_encoding)kind, values, CW_COUNT(values));
        cr_assert_eq(encoding_of(values, CW_COUNT(values)), kind, "%u, not %d",
                     encoding_of(values, CW_COUNT(values)), kind);
        for (size_t n = CW_COUNT(values) - 130; n <= CW_COUNT(values); n++)
            round_trip(values, n);
    }
}

Test(encode_int, few_distinct_values_or_steps_cost_their_numbers)
{
    static int64_t values[32768];
    uint64_t state = 9;
    for (size_t i = 0; i < CW_COUNT(values); i++)
        values[i] = (int64_t)(next_random(&state) % 256 * UINT64_C(0x9e3779b97f4a7c15));
    cr_assert_leq(round_trip(values, CW_COUNT(values)), CW_COUNT(values) + 256 * 10);
    for (size_t i = 1; i < CW_COUNT(values); i++)
        values[i] = values[i - 1] + (i % 7 ? 27000000123 : 1512000000321);
    cr_assert_leq(round_trip(values, CW_COUNT(values)), CW_COUNT(values) / 8 + 40);
}

Test(encode_int, a_cut_or_changed_column_is_an_error_or_other_values_but_never_more)
{
    int64_t values[300], back[300];
    for (int kind = CW_INT_CONST; kind <= CW_INT_DELTADICT; kind++) {
        values_for((enum cw_int_encoding)kind, values, CW_COUNT(values));
        struct cw_buf out;
        int64_t scratch[300];
        memcpy(scratch, values, sizeof(scratch));
        cw_buf_init(&out, SIZE_MAX);
        cw_encode_int(scratch, CW_COUNT(values), &out);
        for (size_t cut = 0; cut < out.len; cut++) {
            char *exact = malloc(cut + 1); /* so that the sanitizer sees a read past its end */
            memcpy(exact + 1, out.ptr, cut);
            cr_assert_eq(
                cw_decode_int(cw_str_make(exact + 1, cut), CW_COUNT(values), back, NULL, &err),
                CW_E_CORRUPT);
            free(exact);
        }
        for (size_t at = 0; at < out.len; at++) {
            for (int bit = 0; bit < 8; bit++) {
                out.ptr[at] ^= (char)(1 << bit);
                size_t used;
                int rc = cw_decode_int(cw_buf_str(&out), CW_COUNT(values), back, &used, &err);
                cr_assert(rc == CW_E_CORRUPT || (rc == 0 && used <= out.len));
                out.ptr[at] ^= (char)(1 << bit);
            }
        }
        cw_buf_fini(&out);
    }
}

Test(encode_int, varints_come_back_and_long_ones_are_refused)
{
    static const uint64_t values[] = {
        0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        struct cw_buf out;
        uint64_t back;
        cw_buf_init(&out, 64);
        cw_encode_varint(values[i], &out);
        struct cw_str in = cw_buf_str(&out);
        cr_assert(cw_decode_varint(&in, &back));
        cr_assert_eq(back, values[i]);
        cr_assert_eq(in.len, 0);
        in = cw_str_make(out.ptr, out.len - 1);
        cr_assert_not(cw_decode_varint(&in, &back));
        cw_buf_fini(&out);
    }
    struct cw_str over = CW_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                  endless = CW_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    uint64_t back;
    cr_assert_not(cw_decode_varint(&over, &back));
    cr_assert_not(cw_decode_varint(&endless, &back));
}
