/* test_value_test.c - a column's values, asked all at once and one by one. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/value_test.h"

static struct cw_arena *arena;

static void init(void)
{
    arena = cw_arena_new();
}

static void fini(void)
{
    cw_arena_free(&arena);
}

TestSuite(value_test, .init = init, .fini = fini);

/* Which of at most 32 values answer, as bits; both ways must agree. */
static uint32_t ask(const struct cw_column *column, enum cw_slot_relation relation,
                    const char *piece, struct cw_str dictionary)
{
    uint32_t got[2] = {0, 0};
    for (int all = 0; all <= 1; all++) {
        struct cw_value_test test = {.type = (enum cw_slot_type)column->type, .relation = relation};
        cw_text_search_init(&test.piece, cw_str_of(piece), false);
        if (!cw_value_test_open(&test, dictionary, NULL) ||
            !cw_value_test_load(&test, column, dictionary, all ? column->n : 0, arena))
            continue;
        for (uint32_t i = 0; i < column->n; i++)
            got[all] |= (uint32_t)cw_value_test_holds(&test, i) << i;
    }
    cr_assert_eq(got[0], got[1], "%s", piece);
    return got[0];
}

Test(value_test, numbers)
{
    const int64_t values[] = {7, 17, 170, 1717, 0, 71, 2, 3, 4, 5, 6, 8};
    struct cw_column column = {.type = CW_SLOT_NUM, .n = CW_COUNT(values), .values = values};
    cr_assert_eq(ask(&column, CW_VALUE_IS, "17", CW_STR_NONE), 0x2);
    cr_assert_eq(ask(&column, CW_VALUE_IS, "017", CW_STR_NONE), 0);
    cr_assert_eq(ask(&column, CW_VALUE_IS, "0", CW_STR_NONE), 0x10);
    cr_assert_eq(ask(&column, CW_VALUE_HOLDS, "17", CW_STR_NONE), 0xe);
    cr_assert_eq(ask(&column, CW_VALUE_BEGINS_WITH, "17", CW_STR_NONE), 0xe);
    cr_assert_eq(ask(&column, CW_VALUE_ENDS_WITH, "17", CW_STR_NONE), 0xa);
    cr_assert_eq(ask(&column, CW_VALUE_HOLDS, "99", CW_STR_NONE), 0);
}

Test(value_test, leading_zeros)
{
    const int64_t values[] = {7, 7, 70}, digits[] = {1, 3, 4};
    struct cw_column column = {
        .type = CW_SLOT_NUM, .n = CW_COUNT(values), .values = values, .digits = digits};
    cr_assert_eq(ask(&column, CW_VALUE_IS, "7", CW_STR_NONE), 0x1);
    cr_assert_eq(ask(&column, CW_VALUE_IS, "007", CW_STR_NONE), 0x2);
    cr_assert_eq(ask(&column, CW_VALUE_BEGINS_WITH, "00", CW_STR_NONE), 0x6);
}

Test(value_test, wide_values)
{
    static const uint8_t wide[2][16] = {
        {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0x42}, {0xff}};
    const int64_t values[] = {1, 0, 1, 1, 0};
    struct cw_column column = {.type = CW_SLOT_HEX32,
                               .n = CW_COUNT(values),
                               .values = values,
                               .wide = wide,
                               .ndistinct = 2};
    cr_assert_eq(ask(&column, CW_VALUE_IS, "0123456789abcdef0000000000000042", CW_STR_NONE), 0x12);
    cr_assert_eq(ask(&column, CW_VALUE_HOLDS, "ef0", CW_STR_NONE), 0x12);
    cr_assert_eq(ask(&column, CW_VALUE_BEGINS_WITH, "ff0", CW_STR_NONE), 0xd);
    column.type = CW_SLOT_UUID;
    cr_assert_eq(ask(&column, CW_VALUE_HOLDS, "67-89ab-cd", CW_STR_NONE), 0x12);
    cr_assert_eq(ask(&column, CW_VALUE_IS, "01234567-89ab-cdef-0000-000000000042", CW_STR_NONE),
                 0x12);
}

Test(value_test, strings)
{
    const struct cw_str dictionary = CW_STR("a1\0b22\0a12\0");
    const struct cw_str strings[] = {CW_STR("a1"), CW_STR("b22"), CW_STR("a12")};
    const int64_t values[] = {2, 1, 0, 0, 2};
    struct cw_column column = {.type = CW_SLOT_STR,
                               .n = CW_COUNT(values),
                               .values = values,
                               .strings = strings,
                               .ndistinct = 3};
    cr_assert_eq(ask(&column, CW_VALUE_IS, "a1", dictionary), 0xc);
    cr_assert_eq(ask(&column, CW_VALUE_BEGINS_WITH, "a1", dictionary), 0x1d);
    cr_assert_eq(ask(&column, CW_VALUE_ENDS_WITH, "2", dictionary), 0x13);
    column.values = NULL; /* each value has its own string */
    column.n = 3;
    cr_assert_eq(ask(&column, CW_VALUE_HOLDS, "2", dictionary), 0x6);
}

/* A filter of one key. */
static bool opens(uint64_t in_filter, enum cw_slot_type type, enum cw_slot_relation relation,
                  const char *piece)
{
    struct cw_value_filter_builder *builder = cw_value_filter_builder_new();
    struct cw_value_filter filter;
    struct cw_buf bytes;
    struct cw_err err;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_value_filter_builder_add(builder, in_filter);
    cr_assert(cw_value_filter_builder_finish(builder, &bytes));
    cr_assert_eq(cw_value_filter_open(cw_buf_str(&bytes), &filter, &err), 0);
    struct cw_value_test test = {.type = type, .relation = relation};
    cw_text_search_init(&test.piece, cw_str_of(piece), false);
    bool may = cw_value_test_open(&test, CW_STR_NONE, &filter);
    cw_buf_fini(&bytes);
    cw_value_filter_builder_free(&builder);
    return may;
}

Test(value_test, the_value_filter_says_no_only_where_the_value_is_known)
{
    uint64_t number = cw_value_key(CW_SLOT_NUM, 0, 123456),
             ip = cw_value_key(CW_SLOT_IP4, 0, 0x0a0003d1);
    cr_assert(opens(number, CW_SLOT_NUM, CW_VALUE_IS, "123456"));
    cr_assert(opens(number, CW_SLOT_NUM, CW_VALUE_IS, "0123456"));
    cr_assert_not(opens(number, CW_SLOT_NUM, CW_VALUE_IS, "123457"));
    cr_assert(opens(number, CW_SLOT_NUM, CW_VALUE_IS, "99999"), "short numbers are not in it");
    cr_assert(opens(number, CW_SLOT_NUM, CW_VALUE_IS, "000012"));
    cr_assert(opens(number, CW_SLOT_NUM, CW_VALUE_HOLDS, "123457"));
    cr_assert(opens(ip, CW_SLOT_IP4, CW_VALUE_HOLDS, "10.0.3.209"));
    cr_assert(opens(ip, CW_SLOT_IP4, CW_VALUE_HOLDS, "0.0.3.20"));
    cr_assert_not(opens(ip, CW_SLOT_IP4, CW_VALUE_HOLDS, "10.0.4.209"));
    cr_assert_not(opens(ip, CW_SLOT_IP4, CW_VALUE_IS, "110.0.3.209"));
    cr_assert(opens(ip, CW_SLOT_IP4, CW_VALUE_HOLDS, "9.9.9"), "three octets are any address");
}

Test(value_test, addresses_in_a_range)
{
    const int64_t values[] = {0x0a000001, 0x0a0000ff, 0x0b000000};
    struct cw_column column = {.type = CW_SLOT_IP4, .n = CW_COUNT(values), .values = values};
    struct cw_ip_match ip;
    struct cw_err err;
    cr_assert_eq(cw_ip_match_parse(CW_STR("10.0.0.0/25"), &ip, &err), 0);
    struct cw_value_test test = {
        .type = CW_SLOT_IP4, .relation = CW_VALUE_HOLDS_ADDRESS, .ip = &ip};
    cr_assert(cw_value_test_open(&test, CW_STR_NONE, NULL));
    cr_assert(cw_value_test_load(&test, &column, CW_STR_NONE, column.n, arena));
    cr_assert(cw_value_test_holds(&test, 0));
    cr_assert_not(cw_value_test_holds(&test, 1));
    cr_assert_not(cw_value_test_holds(&test, 2));
}
