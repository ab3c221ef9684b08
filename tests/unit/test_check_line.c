#include <criterion/criterion.h>

#include "common/base/check_line.h"

Test(check_line, what_was_added_is_found_and_stripped)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1024);
    cw_buf_addz(&buf, "not part of it");
    size_t start = buf.len;
    cw_buf_addz(&buf, "first\nsecond\n");
    cw_check_line_add(&buf, start);
    struct cw_str bytes = cw_str_sub(cw_buf_str(&buf), start, buf.len);
    cr_expect(cw_str_starts(cw_str_sub(bytes, 13, bytes.len), CW_STR("check ")));
    cr_assert(cw_check_line_strip(&bytes));
    cr_expect(cw_str_eqz(bytes, "first\nsecond\n"));
    cr_expect_not(cw_check_line_strip(&bytes), "there is none any more");
    cw_buf_fini(&buf);
}

Test(check_line, a_changed_byte_and_a_cut_file_are_noticed)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1024);
    cw_buf_addz(&buf, "a line\n");
    cw_check_line_add(&buf, 0);
    for (size_t i = 0; i < buf.len; i++) {
        struct cw_str bytes = cw_str_sub(cw_buf_str(&buf), 0, i);
        cr_expect_not(cw_check_line_strip(&bytes), "cut at %zu", i);
        buf.ptr[i] ^= 1;
        bytes = cw_buf_str(&buf);
        cr_expect_not(cw_check_line_strip(&bytes), "byte %zu", i);
        buf.ptr[i] ^= 1;
    }
    cw_buf_fini(&buf);
}

Test(check_line, a_hash_has_sixteen_hexadecimal_digits)
{
    uint64_t value;
    cr_expect(cw_check_line_hex(CW_STR("0123456789abcDEF"), &value));
    cr_expect_eq(value, UINT64_C(0x0123456789abcdef));
    cr_expect_not(cw_check_line_hex(CW_STR("0123456789abcde"), &value));
    cr_expect_not(cw_check_line_hex(CW_STR("0123456789abcdeg"), &value));
}
