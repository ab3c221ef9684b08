#include <criterion/criterion.h>

#include "common/base/hash.h"

/* XXH3's published values for seed 0 (xxHash's own sanity table and `xxhsum -H3`): they stand in files. */
Test(hash, values_are_those_of_xxh3)
{
    cr_assert_eq(cw_hash64("", 0), UINT64_C(0x2D06800538D394C2));
    struct cw_hash128 none = cw_hash128("", 0);
    cr_assert_eq(none.hi, UINT64_C(0x99AA06D3014798D8));
    cr_assert_eq(none.lo, UINT64_C(0x6001C324468D497F));
    cr_assert_eq(cw_hash64(NULL, 0), cw_hash64("", 0));
}

Test(hash, order_of_128_bits_is_by_the_high_half_first)
{
    struct cw_hash128 a = {.lo = 9, .hi = 1}, b = {.lo = 1, .hi = 2}, c = {.lo = 2, .hi = 2};
    cr_assert_lt(cw_hash128_cmp(a, b), 0);
    cr_assert_lt(cw_hash128_cmp(b, c), 0);
    cr_assert_gt(cw_hash128_cmp(c, a), 0);
    cr_assert_eq(cw_hash128_cmp(a, a), 0);
    cr_assert(cw_hash128_eq(a, a));
    cr_assert_not(cw_hash128_eq(b, c));
}

Test(hash, each_length_hashes_differently)
{
    static char zeros[2000];
    for (size_t n = 1; n < sizeof zeros; n++)
        cr_assert_neq(cw_hash64(zeros, n), cw_hash64(zeros, n - 1));
}

Test(hash, pieces_hash_like_the_whole)
{
    static char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t step = 1; step < 1000; step += 37) {
        struct cw_hash_stream *stream = cw_hash_stream_new();
        cw_hash_stream_add(stream, NULL, 0);
        for (size_t at = 0; at < sizeof bytes; at += step) {
            cr_assert_eq(cw_hash_stream_end(stream), cw_hash64(bytes, at));
            size_t len = at + step < sizeof bytes ? step : sizeof bytes - at;
            cw_hash_stream_add(stream, bytes + at, len);
        }
        cr_assert_eq(cw_hash_stream_end(stream), cw_hash64(bytes, sizeof bytes));
        cw_hash_stream_free(&stream);
        cr_assert_null(stream);
    }
}
