/* test_terminal_text.c - a log cannot speak to the terminal. */
#include <criterion/criterion.h>
#include "querier/cli/terminal_text.h"

Test(terminal_text, what_is_no_text_is_escaped)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain\ttext\nand more", "plain\ttext\nand more"},
        {"grüße 世界 \xF0\x9F\x98\x80", "grüße 世界 \xF0\x9F\x98\x80"},
        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
        {"over\rwritten\x08\x7f", "over\\x0dwritten\\x08\\x7f"},
        {"\xC2\x9B"
         "31m",
         "\\xc2\\x9b31m"}, /* CSI in UTF-8 */
        {"\x9B"
         "31m \xFF",
         "\\x9b31m \\xff"},               /* and in one byte */
        {"\xEF\xBF\xBD", "\xEF\xBF\xBD"}, /* U+FFFD that was written as such */
        {"cut \xE4\xB8", "cut \\xe4\\xb8"},
    };
    struct cw_buf out;
    cw_buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cw_buf_clear(&out);
        cw_terminal_text_add(cw_str_of(rows[i].text), &out);
        cr_expect_str_eq(cw_buf_z(&out), rows[i].want);
    }
    cw_buf_clear(&out);
    cw_terminal_text_add(CW_STR("a\0b"), &out);
    cr_expect_str_eq(cw_buf_z(&out), "a\\x00b");
    cw_buf_fini(&out);
}

Test(terminal_text, the_flag_decides_and_otherwise_the_terminal)
{
    cr_expect(cw_terminal_text_wanted(CW_CLI_WHEN_ALWAYS));
    cr_expect_not(cw_terminal_text_wanted(CW_CLI_WHEN_NEVER));
}
