/* test_value_filter.c - what was added is found; what was not is found seldom. */
#include <criterion/criterion.h>

#include <string.h>

#include "common/store/format.h"
#include "common/store/value_filter.h"
#include "tests/support/part_model.h"

static struct cw_value_filter_builder *builder;
static struct cw_buf out;
static struct cw_err err;

static void init(void)
{
    builder = cw_value_filter_builder_new();
    cw_buf_init(&out, SIZE_MAX);
}

static void fini(void)
{
    cw_value_filter_builder_free(&builder);
    cw_buf_fini(&out);
}

TestSuite(value_filter, .init = init, .fini = fini);

Test(value_filter, holds_what_was_added_and_little_else)
{
    enum { N = 50000 };
    struct cw_value_filter filter;
    for (uint64_t i = 0; i < N; i++)
        cw_value_filter_builder_add(builder, cw_value_key(CW_SLOT_NUM, 0, i * 3));
    cr_assert(cw_value_filter_builder_finish(builder, &out));
    cr_assert_eq(cw_value_filter_open(cw_buf_str(&out), &filter, &err), 0);
    cr_assert_eq(cw_value_filter_bytes(&filter), out.len);
    cr_assert_leq(out.len, 8 + 32 + N * 10 / 8);
    size_t wrong = 0;
    for (uint64_t i = 0; i < N; i++) {
        cr_assert(cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_NUM, 0, i * 3)));
        wrong += cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_NUM, 0, i * 3 + 1));
        wrong += cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_IP4, 0, i * 3));
        wrong += cw_value_filter_may_hold(&filter, cw_value_key(CW_SLOT_UUID, i, i * 3));
    }
    cr_assert_lt(wrong, 3 * N / 50, "%zu of %d are said to be there", wrong, 3 * N);
}

Test(value_filter, a_value_costs_once_however_often_it_comes)
{
    for (uint64_t i = 0; i < 100000; i++)
        cw_value_filter_builder_add(builder, cw_value_key(CW_SLOT_IP4, 0, i % 100));
    cr_assert(cw_value_filter_builder_finish(builder, &out));
    cr_assert_leq(out.len, 8 + 32 * 5);
}

Test(value_filter, without_keys_there_is_none)
{
    cr_assert_not(cw_value_filter_builder_finish(builder, &out));
    cw_value_filter_builder_add(builder, 0);
    cw_value_filter_builder_clear(builder);
    cr_assert_not(cw_value_filter_builder_finish(builder, &out));
    cr_assert_eq(out.len, 0);
    cw_value_filter_builder_add(builder, 0);
    cr_assert(cw_value_filter_builder_finish(builder, &out));
    cr_assert_not(cw_value_filter_builder_finish(builder, &out));
}

Test(value_filter, damaged_bytes_are_told)
{
    struct cw_value_filter filter;
    for (uint64_t i = 0; i < 1000; i++)
        cw_value_filter_builder_add(builder, cw_value_key(CW_SLOT_HEX, 0, i));
    cr_assert(cw_value_filter_builder_finish(builder, &out));
    for (size_t cut = 0; cut < out.len; cut += 7)
        cr_assert_eq(cw_value_filter_open(cw_str_make(out.ptr, cut), &filter, &err), CW_E_CORRUPT);
    for (size_t at = 0; at < out.len; at++) {
        out.ptr[at] ^= 4;
        cr_assert_eq(cw_value_filter_open(cw_buf_str(&out), &filter, &err), CW_E_CORRUPT);
        out.ptr[at] ^= 4;
    }
    cw_put32(out.ptr, UINT32_MAX);
    cr_assert_eq(cw_value_filter_open(cw_buf_str(&out), &filter, &err), CW_E_CORRUPT);
    cr_assert_eq(cw_value_filter_open(CW_STR_NONE, &filter, &err), CW_E_CORRUPT);
}
