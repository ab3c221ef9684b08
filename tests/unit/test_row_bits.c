/* row_bits.h beside a walk bit by bit. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/store/row_bits.h"

enum { NBITS = 517 };

/* Words of all kinds: empty, full, mixed; some bits past the end too. */
static void draw(uint64_t bits[NBITS / 64 + 1])
{
    for (size_t i = 0; i <= NBITS / 64; i++) {
        bits[i] = 0;
        int kind = rand() % 4;
        for (unsigned j = 0; j < 64; j++)
            if (kind == 1 || (kind == 2 && rand() % 2 == 0) || (kind == 3 && rand() % 20 == 0))
                bits[i] |= UINT64_C(1) << j;
    }
}

Test(row_bits, a_list_holds_the_bits_that_are_set_from_here_to_there)
{
    uint64_t bits[NBITS / 64 + 1];
    uint32_t rows[NBITS + 1];
    srand(11);
    for (int round = 0; round < 20000; round++) {
        uint32_t from = (uint32_t)rand() % NBITS, to = from + (uint32_t)rand() % (NBITS - from + 1);
        draw(bits);
        rows[NBITS] = UINT32_MAX;
        size_t n = cw_bits_list(bits, from, to, 1000, rows), seen = 0;
        for (uint32_t i = from; i < to; i++)
            if ((bits[i / 64] >> (i % 64) & 1) != 0)
                cr_assert_eq(rows[seen++], 1000 + i);
        cr_assert_eq(seen, n);
        seen = 0;
        for (uint32_t i = from; (i = cw_bits_next(bits, i, to)) < to; i++)
            cr_assert_eq(rows[seen++], 1000 + i);
        cr_assert_eq(seen, n);
        cr_assert_eq(rows[NBITS], UINT32_MAX);
    }
}
