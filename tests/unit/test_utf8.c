#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/base/str.h"

Test(utf8, every_rune_survives_encoding_and_decoding)
{
    for (uint32_t rune = 0; rune <= 0x10FFFF; rune++) {
        if (rune >= 0xD800 && rune <= 0xDFFF)
            continue;
        char bytes[4];
        uint32_t back = 1;
        size_t n = cw_utf8_encode(rune, bytes);
        cr_assert_eq(cw_utf8_decode(cw_str_make(bytes, n), &back), n);
        cr_assert_eq(back, rune);
        cr_assert(cw_utf8_valid(cw_str_make(bytes, n)));
    }
}

Test(utf8, invalid_bytes_are_one_replacement_each)
{
    static const char *const bad[] = {
        "\x80",             /* continuation without a lead */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x80\x80",     /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xED\xBF\xBF",     /* surrogate */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xF4\x90\x80\x80", /* over U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xC3(",
        "\xE2(\xA1",
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        uint32_t rune = 0;
        cr_assert_eq(cw_utf8_decode(cw_str_of(bad[i]), &rune), 1, "case %zu", i);
        cr_assert_eq(rune, 0xFFFD);
        cr_assert_not(cw_utf8_valid(cw_str_of(bad[i])), "case %zu", i);
    }
    uint32_t rune = 7;
    cr_assert_eq(cw_utf8_decode(CW_STR_NONE, &rune), 0);
}

Test(utf8, validity_is_found_at_any_offset)
{
    char text[40];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        cr_assert(cw_utf8_valid(cw_str_make(text, sizeof text)));
        text[at] = '\xff';
        cr_assert_not(cw_utf8_valid(cw_str_make(text, sizeof text)), "offset %zu", at);
    }
    cr_assert(cw_utf8_valid(CW_STR("caf\xC3\xA9 \xEF\xBF\xBD"))); /* a real U+FFFD is valid */
    cr_assert(cw_utf8_valid(CW_STR_NONE));
    cr_assert(cw_utf8_valid(CW_STR("a\0b")));
}

Test(utf8, surrogates_and_giants_encode_as_the_replacement)
{
    char bytes[4];
    cr_assert_eq(cw_utf8_encode(0xD800, bytes), 3);
    cr_assert_eq(memcmp(bytes, "\xEF\xBF\xBD", 3), 0);
    cr_assert_eq(cw_utf8_encode(0xFFFFFFFF, bytes), 3);
}
