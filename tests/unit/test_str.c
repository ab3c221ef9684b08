#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/str.h"

Test(str, compare_orders_by_bytes_then_by_length)
{
    cr_assert_lt(cw_str_cmp(CW_STR("a"), CW_STR("b")), 0);
    cr_assert_lt(cw_str_cmp(CW_STR("a"), CW_STR("aa")), 0);
    cr_assert_gt(cw_str_cmp(CW_STR("\xff"), CW_STR("a")), 0);
    cr_assert_eq(cw_str_cmp(CW_STR_NONE, CW_STR("")), 0);
    cr_assert_lt(cw_str_cmp(CW_STR("a\0a"), CW_STR("a\0b")), 0);
}

Test(str, equality_with_and_without_case)
{
    cr_assert(cw_str_eq(CW_STR_NONE, CW_STR("")));
    cr_assert(cw_str_eq_nocase(CW_STR("X-Scope-OrgID"), CW_STR("x-scope-orgid")));
    cr_assert_not(
        cw_str_eq_nocase(CW_STR("a["), CW_STR("A{"))); /* differ by 0x20, are no letters */
    cr_assert_not(cw_str_eq_nocase(CW_STR("ab"), CW_STR("abc")));
}

Test(str, prefix_suffix_and_find)
{
    cr_assert(cw_str_starts(CW_STR("abc"), CW_STR("")));
    cr_assert(cw_str_starts(CW_STR("abc"), CW_STR("ab")));
    cr_assert_not(cw_str_starts(CW_STR("ab"), CW_STR("abc")));
    cr_assert(cw_str_ends(CW_STR("abc"), CW_STR("bc")));
    cr_assert_not(cw_str_ends(CW_STR("abc"), CW_STR("ab")));
    cr_assert_eq(cw_str_find(CW_STR("hay needle"), CW_STR("needle")), 4);
    cr_assert_eq(cw_str_find(CW_STR("hay"), CW_STR("hayhay")), -1);
    cr_assert_eq(cw_str_find(CW_STR_NONE, CW_STR("")), 0);
    cr_assert_eq(cw_str_find(CW_STR_NONE, CW_STR("x")), -1);
    cr_assert_eq(cw_str_find_byte(CW_STR("a\0b"), '\0'), 1);
    cr_assert_eq(cw_str_find_byte(CW_STR_NONE, 'x'), -1);
}

Test(str, sub_clamps_and_trim_cuts_both_ends)
{
    cr_assert(cw_str_eqz(cw_str_sub(CW_STR("abc"), 1, 99), "bc"));
    cr_assert_eq(cw_str_sub(CW_STR("abc"), 5, 2).len, 0);
    cr_assert(cw_str_eqz(cw_str_trim(CW_STR(" \t a b\r\n")), "a b"));
    cr_assert_eq(cw_str_trim(CW_STR(" \t ")).len, 0);
    cr_assert_eq(cw_str_trim(CW_STR_NONE).len, 0);
}

Test(str, split_yields_every_piece_once)
{
    struct cw_str s = CW_STR(",a,,b,"), piece;
    const char *want[] = {"", "a", "", "b", ""};
    for (size_t i = 0; i < CW_COUNT(want); i++) {
        cr_assert(cw_str_split(&s, ',', &piece));
        cr_assert(cw_str_eqz(piece, want[i]), "piece %zu", i);
    }
    cr_assert_not(cw_str_split(&s, ',', &piece));
}

Test(str, dup_ends_with_nul)
{
    char *z = cw_str_dupz(cw_str_make("abcd", 2));
    cr_assert_str_eq(z, "ab");
    free(z);
    z = cw_str_dupz(CW_STR_NONE);
    cr_assert_str_eq(z, "");
    free(z);
}

Test(str, distance_counts_edits_up_to_its_limit)
{
    cr_assert_eq(cw_str_distance(CW_STR("clients"), CW_STR("client"), 3), 1);
    cr_assert_eq(cw_str_distance(CW_STR("prot"), CW_STR("port"), 3),
                 1); /* swapped neighbours are one slip */
    cr_assert_eq(cw_str_distance(CW_STR("ab"), CW_STR("ba"), 3), 1);
    cr_assert_eq(cw_str_distance(CW_STR("kitten"), CW_STR("sitting"), 5), 3);
    cr_assert_eq(cw_str_distance(CW_STR("abc"), CW_STR("xyz"), 1), 2);
    cr_assert_eq(cw_str_distance(CW_STR(""), CW_STR("ab"), 5), 2);
    static char huge[100000];
    cr_assert_eq(cw_str_distance(cw_str_make(huge, sizeof huge), cw_str_make(huge, sizeof huge), 2),
                 3);
}

Test(str, whole_numbers_to_the_last_one_that_fits)
{
    int64_t i = 42;
    uint64_t u = 42;
    cr_assert(cw_str_to_i64(CW_STR("-9223372036854775808"), &i) && i == INT64_MIN);
    cr_assert(cw_str_to_i64(CW_STR("9223372036854775807"), &i) && i == INT64_MAX);
    cr_assert(cw_str_to_i64(CW_STR("+5"), &i) && i == 5);
    cr_assert(cw_str_to_i64(CW_STR("-0"), &i) && i == 0);
    cr_assert(cw_str_to_u64(CW_STR("18446744073709551615"), &u) && u == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x10",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "--1",
                                      "1_000"};
    for (size_t k = 0; k < CW_COUNT(bad); k++) {
        i = 42;
        cr_assert_not(cw_str_to_i64(cw_str_of(bad[k]), &i), "%s", bad[k]);
        cr_assert_eq(i, 42);
    }
    cr_assert_not(cw_str_to_u64(CW_STR("18446744073709551616"), &u));
    cr_assert_not(cw_str_to_u64(CW_STR("-1"), &u));
    cr_assert_not(cw_str_to_i64(cw_str_make("1\0", 2), &i));
}

Test(str, floats_as_go_reads_them)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},
                {"-1.5", -1.5},
                {".5", .5},
                {"5.", 5},
                {"1e3", 1000},
                {"+1E-3", .001},
                {"0x1p4", 16},
                {"0x1.8p1", 3},
                {"Inf", INFINITY},
                {"-inf", -INFINITY},
                {"+Infinity", INFINITY},
                {"1e-400", 0},
                {"123456789012345678901234567890", 123456789012345678901234567890.0}};
    for (size_t k = 0; k < CW_COUNT(good); k++) {
        double d = 42;
        cr_assert(cw_str_to_f64(cw_str_of(good[k].text), &d), "%s", good[k].text);
        cr_assert(d == good[k].value, "%s", good[k].text);
    }
    double d = 42;
    cr_assert(cw_str_to_f64(CW_STR("NaN"), &d) && isnan(d));
    static const char *const bad[] = {"",      "+",   ".",      "e5",      "1e",    "1e+",  " 1",
                                      "1 ",    "1_0", "nan(1)", "-nan",    "0x",    "0x10", "0x1p",
                                      "1e400", "1,5", "in",     "infinit", "1.2.3", "1f"};
    for (size_t k = 0; k < CW_COUNT(bad); k++) {
        d = 42;
        cr_assert_not(cw_str_to_f64(cw_str_of(bad[k]), &d), "%s", bad[k]);
        cr_assert(d == 42);
    }
    char digits[1000];
    memset(digits, '1', sizeof digits);
    cr_assert_not(cw_str_to_f64(cw_str_make(digits, sizeof digits), &d)); /* 1e999 */
    digits[1] = '.';
    cr_assert(cw_str_to_f64(cw_str_make(digits, sizeof digits), &d));
    cr_assert_float_eq(d, 1.1111, .001);
}

Test(str, hexadecimal_digits_of_both_cases)
{
    for (int c = -128; c < 128; c++) {
        const char *digits = "0123456789abcdef", *at = c != 0 ? strchr(digits, c) : NULL;
        int want = at != NULL ? (int)(at - digits) : c >= 0x41 && c <= 0x46 ? c - 0x41 + 10 : -1;
        cr_expect_eq(cw_str_hex_digit((char)c), want, "%d", c);
    }
}

Test(str, what_is_taken_leaves_the_rest)
{
    struct cw_str s = CW_STR("abcd 12 -7 x");
    char four[4];
    uint64_t u = 5;
    int64_t i = 5;
    cr_assert(cw_str_take(&s, four, 4));
    cr_assert_eq(memcmp(four, "abcd", 4), 0);
    cr_assert_not(cw_str_take(&s, four, 9));
    cr_assert(cw_str_eqz(s, " 12 -7 x"));
    s = cw_str_sub(s, 1, s.len);
    cr_assert(cw_str_take_u64(&s, &u));
    cr_assert(cw_str_take_i64(&s, &i));
    cr_assert_eq(u, 12);
    cr_assert_eq(i, -7);
    cr_assert_not(cw_str_take_u64(&s, &u));
    cr_assert_not(cw_str_take_i64(&s, &i), "nothing is left");
}
