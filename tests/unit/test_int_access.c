/* Any range of a column is what decoding all of it gives. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/int_access.h"
#include "common/store/int_column.h"
#include "tests/support/part_model.h"

enum { MOST = 3000 };

static struct cw_err err;
static struct cw_arena *arena;
static struct cw_buf column;
static int64_t values[MOST], scratch[MOST], got[MOST];
static uint64_t state;
static unsigned seen; /* encodings */

static void setup(void)
{
    arena = cw_arena_new();
    cw_buf_init(&column, SIZE_MAX);
    state = 3;
}

static void teardown(void)
{
    cw_arena_free(&arena);
    cw_buf_fini(&column);
}

TestSuite(int_access, .init = setup, .fini = teardown);

static uint64_t below(uint64_t n)
{
    return part_model_random(&state) % n;
}

/* Kinds of columns that each suit another encoding. */
static void fill(unsigned kind, size_t n)
{
    uint64_t wide = below(2) == 0 ? UINT64_MAX : UINT64_MAX >> below(64), few[20];
    for (size_t i = 0; i < CW_COUNT(few); i++)
        few[i] = part_model_random(&state);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = part_model_random(&state);
        switch (kind) {
        case 0: v = wide; break;
        case 1: v &= wide; break;
        case 2: v = v % 50 == 0 ? v >> 20 : v % 10; break;
        case 3: v = i * 1000 + v % 7; break;
        case 4: v = few[v % CW_COUNT(few)]; break;
        case 5: v = (i > 0 ? (uint64_t)values[i - 1] : 0) + (v % 9 == 0 ? v >> 30 : v % 200); break;
        default: v = v % 100000 * 1000000; break;
        }
        values[i] = (int64_t)v;
    }
}

static void encode(size_t n)
{
    memcpy(scratch, values, n * sizeof(*values));
    cw_buf_clear(&column);
    cw_encode_int(scratch, n, &column);
}

static void check_ranges(const struct cw_int_access *a, uint32_t n)
{
    for (int i = 0; i < 60; i++) {
        uint32_t from = i == 0 ? 0 : (uint32_t)below(n + 1),
                 m = i == 0 ? n : (uint32_t)below(i % 2 == 0 ? 3 : n - from + 1);
        m = CW_MIN(m, n - from);
        cr_assert_eq(cw_int_access_read(a, from, m, got, &err), 0, "%s", err.text);
        cr_assert_eq(memcmp(got, values + from, m * sizeof(*got)), 0);
    }
}

Test(int_access, any_range_of_any_encoding)
{
    static const uint32_t lengths[] = {0, 1, 2, 127, 128, 129, 500, MOST};
    struct cw_int_access a;
    size_t used;
    for (unsigned kind = 0; kind < 7; kind++) {
        for (size_t l = 0; l < CW_COUNT(lengths); l++) {
            fill(kind, lengths[l]);
            encode(lengths[l]);
            seen |= 1u << column.ptr[0];
            cr_assert_eq(cw_int_access_open(cw_buf_str(&column), lengths[l], arena, &a, NULL, &err),
                         0, "%s", err.text);
            check_ranges(&a, lengths[l]);
            size_t len = column.len;
            cw_buf_addz(&column, "what follows is not read");
            cr_assert_eq(
                cw_int_access_open(cw_buf_str(&column), lengths[l], arena, &a, &used, &err), 0);
            cr_assert_eq(used, len);
            check_ranges(&a, lengths[l]);
        }
    }
    unsigned want = 1u << CW_INT_CONST | 1u << CW_INT_FOR | 1u << CW_INT_MINI | 1u << CW_INT_DELTA |
                    1u << CW_INT_DICT;
    cr_assert_eq(seen & want, want, "0x%x", seen);
}

Test(int_access, numbers_of_a_dictionary_lead_to_its_values)
{
    struct cw_int_access a;
    fill(4, MOST);
    encode(MOST);
    cr_assert_eq(cw_int_access_open(cw_buf_str(&column), MOST, arena, &a, NULL, &err), 0);
    cr_assert_eq(a.encoding, CW_INT_DICT);
    cr_assert_eq(cw_int_access_numbers(&a, 0, MOST, got, &err), 0);
    for (size_t i = 0; i < MOST; i++)
        cr_assert_eq((int64_t)((uint64_t)a.values[got[i]] * a.scale), values[i]);
}

Test(int_access, wrong_bytes_are_an_error_or_values)
{
    struct cw_int_access a;
    for (unsigned kind = 0; kind < 7; kind++) {
        fill(kind, 300);
        encode(300);
        for (size_t cut = 0; cut < column.len; cut++) {
            char *exact = malloc(cut + 1);
            memcpy(exact, column.ptr, cut);
            cr_assert_eq(cw_int_access_open(cw_str_make(exact, cut), 300, arena, &a, NULL, &err),
                         CW_E_CORRUPT);
            free(exact);
        }
        for (size_t i = 0; i < column.len; i++) {
            char was = column.ptr[i];
            column.ptr[i] = (char)part_model_random(&state);
            if (cw_int_access_open(cw_buf_str(&column), 300, arena, &a, NULL, &err) == 0) {
                int rc = cw_int_access_read(&a, 100, 200, got, &err);
                cr_assert(rc == 0 || rc == CW_E_CORRUPT);
            }
            column.ptr[i] = was;
        }
    }
}
