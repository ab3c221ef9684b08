#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/pipeline/luhn.h"

static const char *replaced(struct cw_luhn luhn, const char *text)
{
    static char out[512];
    struct cw_arena *arena = cw_arena_new();
    snprintf(out, sizeof out, "%.*s", CW_STR_ARG(cw_luhn_replace(&luhn, cw_str_of(text), arena)));
    cw_arena_free(&arena);
    return out;
}

Test(luhn, the_check_digit_is_that_of_iso_7812)
{
    static const struct {
        const char *digits;
        bool valid;
    } rows[] = {{"4111111111111111", true},
                {"4111111111111112", false},
                {"79927398713", true},
                {"79927398710", false},
                {"378282246310005", true},
                {"0", true},
                {"", true},
                {"5", false},
                {"18", true}};
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        cr_expect_eq(cw_luhn_valid(rows[i].digits, strlen(rows[i].digits)), rows[i].valid, "%s",
                     rows[i].digits);
}

Test(luhn, numbers_that_pass_are_replaced)
{
    struct cw_luhn luhn = {CW_STR("**REDACTED**"), 13, CW_STR_NONE};
    cr_expect_str_eq(replaced(luhn, "My credit card number is 3530111333300000"),
                     "My credit card number is **REDACTED**");
    cr_expect_str_eq(replaced(luhn, "4032032513548443 and 5555555555554444."),
                     "**REDACTED** and **REDACTED**.");
    cr_expect_str_eq(replaced(luhn, "x4032032513548443y"), "x**REDACTED**y");
    cr_expect_str_eq(replaced(luhn, "4032032513548442 4032 0325 1354 8443 18"),
                     "4032032513548442 4032 0325 1354 8443 18");
    cr_expect_str_eq(replaced(luhn, "00000000000000000000"), "00000000000000000000");
    cr_expect_str_eq(replaced(luhn, ""), "");
    luhn.min_length = 2;
    cr_expect_str_eq(replaced(luhn, "18 19 0 183"), "**REDACTED** 19 0 183");
    luhn.replacement = CW_STR("");
    cr_expect_str_eq(replaced(luhn, "a18b"), "ab");
}

Test(luhn, delimiters_may_stand_between_digits)
{
    struct cw_luhn luhn = {CW_STR("#"), 13, CW_STR(" -")};
    cr_expect_str_eq(replaced(luhn, "pay 4032-0325 1354-8443 - now"), "pay # - now");
    cr_expect_str_eq(replaced(luhn, "4032-0325-1354-8443-"), "#-");
    cr_expect_str_eq(replaced(luhn, "4032.0325.1354.8443"), "4032.0325.1354.8443");
    cr_expect_str_eq(replaced(luhn, " - "), " - ");
}
