#include <criterion/criterion.h>

#include "common/base/base64.h"

static struct cw_buf text, bytes;

static void setup(void)
{
    cw_buf_init(&text, 1000);
    cw_buf_init(&bytes, 1000);
}

static void teardown(void)
{
    cw_buf_fini(&text);
    cw_buf_fini(&bytes);
}

TestSuite(base64, .init = setup, .fini = teardown);

Test(base64, the_examples_of_the_rfc)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd~?", "//79fj8="}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cw_buf_clear(&text);
        cw_buf_clear(&bytes);
        cw_base64_encode(cw_str_of(pairs[i][0]), &text);
        cr_expect_str_eq(cw_buf_z(&text), pairs[i][1]);
        cr_expect(cw_base64_decode(cw_str_of(pairs[i][1]), &bytes));
        cr_expect_str_eq(cw_buf_z(&bytes), pairs[i][0]);
    }
}

Test(base64, all_bytes_come_back)
{
    char all[256];
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    for (size_t from = 0; from < 3; from++) {
        struct cw_str want = cw_str_make(all + from, sizeof all - from);
        cw_buf_clear(&text);
        cw_buf_clear(&bytes);
        cw_base64_encode(want, &text);
        cr_assert(cw_base64_decode(cw_buf_str(&text), &bytes));
        cr_assert(cw_str_eq(cw_buf_str(&bytes), want));
    }
}

Test(base64, what_is_none_is_refused)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm 9", "Zm-_", "Zg==Zg==", "=Zg="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(cw_base64_decode(cw_str_of(bad[i]), &bytes), "%s", bad[i]);
    cr_expect_not(cw_base64_decode(CW_STR("Zm\0v"), &bytes));
}

Test(base64, a_full_buffer_stays_as_it_is)
{
    struct cw_buf small;
    cw_buf_init(&small, 6);
    cw_buf_addz(&small, "abc");
    cw_base64_encode(CW_STR("foo"), &small);
    cr_assert(cw_buf_failed(&small));
    cr_assert(cw_str_eqz(cw_buf_str(&small), "abc"));
    cw_buf_fini(&small);
}
