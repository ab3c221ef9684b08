#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"

Test(buf, bytes_are_appended_in_order)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1000);
    cr_assert_str_eq(cw_buf_z(&buf), "");
    cw_buf_addz(&buf, "a");
    cw_buf_addc(&buf, 'b');
    cw_buf_adds(&buf, CW_STR("c\0d"));
    cw_buf_addf(&buf, "%d-%s", 42, "e");
    cr_assert_eq(buf.len, 9);
    cr_assert_eq(memcmp(cw_buf_z(&buf), "abc\0d42-e", 10), 0);
    cr_assert_not(cw_buf_failed(&buf));
    cw_buf_fini(&buf);
    cr_assert_eq(buf.max, 1000);
    cr_assert_null(buf.ptr);
}

Test(buf, numbers_are_as_printf_has_them)
{
    static const uint64_t numbers[] = {0,         9, 10, 1234567890, INT64_MAX, UINT64_C(1) << 63,
                                       UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct cw_buf buf;
        char want[128];
        cw_buf_init(&buf, 1000);
        cw_buf_add_u64(&buf, numbers[i]);
        cw_buf_addc(&buf, ' ');
        cw_buf_add_i64(&buf, (int64_t)numbers[i]);
        cw_buf_addc(&buf, ' ');
        cw_buf_add_hex64(&buf, numbers[i]);
        snprintf(want, sizeof want, "%" PRIu64 " %" PRId64 " %016" PRIx64, numbers[i],
                 (int64_t)numbers[i], numbers[i]);
        cr_expect_str_eq(cw_buf_z(&buf), want);
        cw_buf_fini(&buf);
    }
}

Test(buf, a_call_over_the_cap_is_dropped_whole_and_told)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 5);
    cw_buf_addz(&buf, "1234");
    cw_buf_addz(&buf, "56");
    cr_assert(cw_buf_failed(&buf));
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "1234"));
    cw_buf_addf(&buf, "%s", "56");
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "1234"));
    cw_buf_addc(&buf, '5');
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "12345"));
    cw_buf_addc(&buf, '6');
    cw_buf_addf(&buf, "%s", "6");
    cr_assert_null(cw_buf_reserve(&buf, 1));
    cr_assert_str_eq(cw_buf_z(&buf), "12345");
    cw_buf_clear(&buf);
    cr_assert_not(cw_buf_failed(&buf));
    cr_assert_not_null(cw_buf_reserve(&buf, 5));
    cr_assert_null(cw_buf_reserve(&buf, SIZE_MAX));
    cw_buf_fini(&buf);
}

Test(buf, grows_byte_by_byte_to_exactly_its_cap)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 100000);
    for (int i = 0; i < 100001; i++)
        cw_buf_addc(&buf, (char)i);
    cr_assert_eq(buf.len, 100000);
    cr_assert(cw_buf_failed(&buf));
    cr_assert_leq(buf.cap, 100001);
    for (int i = 0; i < 100000; i++)
        cr_assert_eq(buf.ptr[i], (char)i);
    cw_buf_fini(&buf);
}

Test(buf, reserve_of_nothing_is_a_pointer)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 0);
    cr_assert_not_null(cw_buf_reserve(&buf, 0));
    cr_assert_not(cw_buf_failed(&buf));
    cw_buf_addf(&buf, "%s", "");
    cr_assert_not(cw_buf_failed(&buf));
    cw_buf_fini(&buf);
}

Test(buf, take_gives_the_bytes_away)
{
    struct cw_buf buf;
    size_t len = 99;
    cw_buf_init(&buf, 10);
    cw_buf_addz(&buf, "xyz");
    char *bytes = cw_buf_take(&buf, &len);
    cr_assert_str_eq(bytes, "xyz");
    cr_assert_eq(len, 3);
    cr_assert_eq(buf.len, 0);
    cw_buf_addz(&buf, "again");
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "again"));
    free(bytes);
    cw_buf_fini(&buf);
}

Test(buf, formatting_grows_where_the_free_room_is_too_small)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 2000; i++)
        cw_buf_addf(&buf, "%05d,", i);
    cr_assert_eq(buf.len, 12000);
    cr_assert_eq(memcmp(buf.ptr + 6 * 1234, "01234,", 6), 0);
    cw_buf_fini(&buf);
}

static int grant(void *ctx, size_t bytes)
{
    size_t *left = ctx;
    if (bytes > *left)
        return -1;
    *left -= bytes;
    return 0;
}

Test(buf, growth_that_is_refused_fails_and_keeps_what_is_there)
{
    struct cw_buf buf;
    size_t left = 1024;
    cw_buf_init(&buf, 1 << 20);
    cw_buf_watch(&buf, grant, &left);
    for (int i = 0; i < 1000; i++)
        cw_buf_addz(&buf, "0123456789");
    cr_assert(cw_buf_failed(&buf));
    cr_assert_leq(buf.cap, 1024);
    cr_assert_geq(buf.len, 500);
    cr_assert_eq(buf.len % 10, 0, "what is refused is dropped whole");
    cw_buf_addf(&buf, "%2000d", 1);
    cr_assert_eq(buf.len % 10, 0);
    cr_assert_eq(strlen(cw_buf_z(&buf)), buf.len, "the NUL is not refused");
    cw_buf_fini(&buf);
    left = 100000;
    cw_buf_addz(&buf, "again");
    cr_assert_lt(left, 100000, "it is still watched");
    cw_buf_fini(&buf);
}
