/* test_tokenize.c - which slots a line becomes, and that every machine comes to the same. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/tokenize.h"
#include "tests/support/part_model.h"

static struct cw_tokenizer tokenizer;
static struct cw_tokens tokens;

static void init(void)
{
    cw_tokenizer_init(&tokenizer);
    cw_tokens_init(&tokens);
}

static void fini(void)
{
    cw_tokenizer_fini(&tokenizer);
    cw_tokens_fini(&tokens);
}

TestSuite(tokenize, .init = init, .fini = fini);

static const char *const names[0x12] = {
    [CW_SLOT_TIME] = "TIME", [CW_SLOT_TIME_DOT_MS] = "DOT", [CW_SLOT_TIME_COMMA_MS] = "COMMA",
    [CW_SLOT_IP4] = "IP4",   [CW_SLOT_DEC] = "DEC",         [CW_SLOT_NUM] = "NUM",
    [CW_SLOT_HEX] = "HEX",   [CW_SLOT_HEX32] = "HEX32",     [CW_SLOT_UUID] = "UUID",
    [CW_SLOT_STR] = "STR",   [CW_SLOT_QUOTED] = "QUOTED",   [CW_SLOT_RAW] = "RAW",
};

/* The line's template, with `<type>` in place of a slot. */
static const char *template_of(struct cw_str line, enum cw_token_mode mode)
{
    static char text[4096];
    char out[1024 + CW_TOKENIZE_SLACK],
        *copy = cw_mem_array(line.len + 1 + CW_BYTE_CLASSES_SLACK, 1);
    if (line.len > 0)
        memcpy(copy, line.ptr, line.len);
    copy[line.len] = '\n';
    tokens.n = 0;
    cw_tokenizer_window(&tokenizer, copy, 0, line.len + 1, mode);
    char portable[1024 + CW_TOKENIZE_SLACK];
    size_t len = cw_tokenize_line_portable(&tokenizer, 0, line.len, &tokens, portable), n = 0;
    size_t ntokens = tokens.n;
    cr_assert_eq(cw_tokenize_line(&tokenizer, 0, line.len, &tokens, out), len);
    cr_assert_eq(memcmp(out, portable, len), 0);
    cr_assert_eq(tokens.n, 2 * ntokens);
    cr_assert_eq(memcmp(tokens.values, tokens.values + ntokens, ntokens * sizeof(uint64_t)), 0);
    cr_assert_eq(memcmp(tokens.extra, tokens.extra + ntokens, ntokens), 0);
    tokens.n = ntokens;
    cr_assert_leq(len, line.len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)out[i];
        n += (size_t)(cw_slot_reserved(c) ? sprintf(text + n, "<%s>", names[c])
                                          : sprintf(text + n, "%c", c));
    }
    text[n] = 0;
    free(copy);
    return text;
}

static void check(const char *line, const char *want)
{
    cr_assert_str_eq(template_of(cw_str_of(line), CW_TOKEN_PLAIN), want, "%s: %s, not %s", line,
                     template_of(cw_str_of(line), CW_TOKEN_PLAIN), want);
}

Test(tokenize, runs_with_a_digit_become_slots_by_what_they_are)
{
    check("", "");
    check("no digit at all", "no digit at all");
    check("7", "<NUM>");
    check("-7 +8", "-<NUM> +<NUM>");
    check("a1", "<STR>");
    check("blk_-9223372036854775808", "blk_-<NUM>");
    check("18446744073709551615", "<STR>"); /* 20 digits */
    check("9999999999999999999", "<NUM>");
    check("007", "<NUM>");
    check("abc12", "<STR>"); /* 5 digits of hex */
    check("abc123", "<HEX>");
    check("ABC123", "<STR>");
    check("0123456789abcdef", "<HEX>");
    check("0123456789abcdef0", "<STR>");
    check("0123456789abcdef0123456789abcdef", "<HEX32>");
    check("01234567890123456789012345678901", "<HEX32>");
    check("deadbeef", "deadbeef");
    check("\xc3\xa4"
          "5\xff"
          "6_7",
          "\xc3\xa4<NUM>\xff<NUM>_<NUM>");
}

Test(tokenize, times_end_at_separators_and_have_real_minutes)
{
    check("12:00:09", "<TIME>");
    check("12:00:09.657", "<DOT>");
    check("12:00:09,657", "<COMMA>");
    check("12:00:09.6574", "<TIME>.<NUM>");
    check("12:00:09.65", "<TIME>.<NUM>");
    check("12:00:09.657x", "<TIME>.<STR>");
    check("12:00:09.657.1", "<DOT>.<NUM>");
    check("12:60:09", "<NUM>:<NUM>:<NUM>");
    check("12:00:60.5", "<NUM>:<NUM>:<NUM>.<NUM>");
    check("99:59:59", "<TIME>");
    check("112:00:09", "<NUM>:<NUM>:<NUM>");
    check("12:00:091", "<NUM>:<NUM>:<NUM>");
    check("5:12:00:09", "<NUM>:<NUM>:<NUM>:<NUM>");
    check("x:12:00:09", "x:<NUM>:<NUM>:<NUM>");
    check("T12:00:09", "<STR>:<NUM>:<NUM>");
}

Test(tokenize, addresses_and_decimals_are_in_no_longer_chain)
{
    check("10.0.3.209", "<IP4>");
    check("10.0.3.209:80", "<IP4>:<NUM>");
    check("10.0.3.209.", "<IP4>.");
    check("v.10.0.3.209", "v.<IP4>");
    check("10.0.3.256", "<NUM>.<NUM>.<NUM>.<NUM>");
    check("10.0.03.20", "<NUM>.<NUM>.<NUM>.<NUM>");
    check("1.2.3.4.5", "<NUM>.<NUM>.<NUM>.<NUM>.<NUM>");
    check("1.2.3", "<NUM>.<NUM>.<NUM>");
    check("1.2.3.x4", "<NUM>.<NUM>.<NUM>.<STR>");
    check("12.50", "<DEC>");
    check("0.5.", "<DEC>.");
    check("00.5", "<NUM>.<NUM>");
    check("5:1.5", "<NUM>:<NUM>.<NUM>");
    check("x:1.5", "x:<DEC>");
    check("1.5x", "<NUM>.<STR>");
    check("123456789.123456789", "<DEC>");
    check("1234567890.123456789", "<NUM>.<NUM>");
}

Test(tokenize, uuids_are_of_their_groups_alone)
{
    check("123e4567-e89b-12d3-a456-426614174000", "<UUID>");
    check("12345678-abcd-abcd-abcd-abcdefabcdef", "<UUID>");
    check("x-123e4567-e89b-12d3-a456-426614174000-y", "x-<UUID>-y");
    check("123e4567-e89b-12d3-a456-426614174000f", "<HEX>-<STR>-<STR>-<STR>-<HEX>");
    check("123E4567-e89b-12d3-a456-426614174000", "<STR>-<STR>-<STR>-<STR>-<NUM>");
    check("abcdefab-e89b-12d3-a456-426614174000", "abcdefab-<STR>-<STR>-<STR>-<NUM>");
    check("123e4567_e89b-12d3-a456-426614174000", "<HEX>_<STR>-<STR>-<STR>-<NUM>");
}

Test(tokenize, values_are_what_the_line_says)
{
    template_of(CW_STR("23:59:58,007 1.2.3.4 12.050 0012 ff00aa1 18 0.05"), CW_TOKEN_PLAIN);
    static const uint64_t values[] = {86398007, 0x01020304, 12050, 12, 0xff00aa1, 18, 5};
    static const uint8_t extra[] = {0, 0, 3, 4, 7, 0, 2};
    cr_assert_eq(tokens.n, CW_COUNT(values));
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        cr_assert_eq(tokens.values[i], values[i], "value %zu is %llu", i,
                     (unsigned long long)tokens.values[i]);
        cr_assert_eq(tokens.extra[i], extra[i]);
    }
    for (unsigned n = 1; n <= 19; n++) {
        char line[32];
        uint64_t want = 0;
        for (unsigned i = 0; i < n; i++) {
            line[i] = (char)('1' + (i * 7 + n) % 9);
            want = want * 10 + (uint64_t)(line[i] - '0');
        }
        template_of(cw_str_make(line, n), CW_TOKEN_PLAIN);
        cr_assert_eq(tokens.values[0], want);
    }
    template_of(CW_STR("id x9y "), CW_TOKEN_PLAIN);
    cr_assert_eq(tokens.values[0], UINT64_C(3) << 32 | 3);
}

static void check_mode(const char *line, const char *json, const char *quoted)
{
    cr_assert_str_eq(template_of(cw_str_of(line), CW_TOKEN_JSON), json);
    cr_assert_str_eq(template_of(cw_str_of(line), CW_TOKEN_QUOTED), quoted);
}

Test(tokenize, quoted_values_become_slots_as_the_mode_says)
{
    check_mode("{\"a\":\"b c\",\"k1\":\"v2\"}", "{\"a\":\"<QUOTED>\",\"<STR>\":\"<STR>\"}",
               "{\"a\":\"<QUOTED>\",\"<STR>\":\"<QUOTED>\"}");
    check_mode("x \"\" y", "x \"<QUOTED>\" y", "x \"<QUOTED>\" y");
    check_mode("\"a \\\" b\" 5", "\"<QUOTED>\" <NUM>", "\"<QUOTED>\" <NUM>");
    check_mode("\"a \\\\\" 5", "\"<QUOTED>\" <NUM>", "\"<QUOTED>\" <NUM>");
    check_mode("\"open 5", "\"open <NUM>", "\"open <NUM>");
    check_mode("\"a\" \"open 5", "\"<QUOTED>\" \"open <NUM>", "\"<QUOTED>\" \"open <NUM>");
    check_mode("\"GET /5\" 200", "\"GET /<NUM>\" <NUM>", "\"<QUOTED>\" <NUM>");
    check_mode("\"5\"\"a\"", "\"<NUM>\"\"<QUOTED>\"", "\"<QUOTED>\"\"<QUOTED>\"");
}

Test(tokenize, a_reserved_byte_makes_the_whole_line_raw)
{
    for (int c = 0; c < 256; c++) {
        char line[] = {'a', '5', (char)c, '6'};
        const char *text = template_of(cw_str_make(line, sizeof(line)), CW_TOKEN_PLAIN);
        cr_assert_eq(strcmp(text, "<RAW>") == 0, cw_slot_reserved((unsigned char)c));
    }
}

Test(tokenize, no_line_has_more_than_255_slots)
{
    char line[800];
    for (size_t i = 0; i < sizeof(line); i++)
        line[i] = i % 2 ? ' ' : '7';
    template_of(cw_str_make(line, sizeof(line)), CW_TOKEN_PLAIN);
    cr_assert_eq(tokens.n, CW_TEMPLATE_SLOTS_MAX);
}

Test(tokenize, every_way_to_classify_bytes_gives_the_same)
{
    struct cw_byte_classes a, b;
    uint64_t state = 5;
    static char text[1000 + CW_BYTE_CLASSES_SLACK];
    static const char likely[] =
        "0123456789abcdefghzAFZ\"\\ .:-_\n\x00\x08\x0e\x11\x12\x80\xff@[`{/:";
    cw_byte_classes_init(&a);
    cw_byte_classes_init(&b);
    for (int round = 0; round < 2000; round++) {
        size_t len = part_model_random(&state) % 1000;
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = round % 2 ? (char)part_model_random(&state)
                                : likely[part_model_random(&state) % (sizeof(likely) - 1)];
        cw_byte_classes_of(&a, text, len);
        cw_byte_classes_of_portable(&b, text, len);
        size_t size = ((len + 63) / 64 + 1) * 8;
        cr_assert_eq(memcmp(a.alnum - 1, b.alnum - 1, size + 8), 0);
        cr_assert_eq(memcmp(a.digit, b.digit, size), 0);
        cr_assert_eq(memcmp(a.hex, b.hex, size), 0);
        cr_assert_eq(memcmp(a.quote, b.quote, size), 0);
        cr_assert_eq(memcmp(a.first, b.first, size), 0);
        cr_assert_eq(a.reserved, b.reserved);
        bool in_run = false;
        for (size_t i = 0; i < len; i++) {
            bool digit = text[i] >= '0' && text[i] <= '9';
            bool alnum =
                digit || (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
            cr_assert_eq(a.alnum[i / 64] >> i % 64 & 1, alnum);
            cr_assert_eq(a.first[i / 64] >> i % 64 & 1, digit && !in_run);
            in_run = alnum && (digit || in_run); /* its first digit has been seen */
        }
    }
    cw_byte_classes_fini(&a);
    cw_byte_classes_fini(&b);
}

Test(tokenize, empty_values_in_quotes_fit_what_the_header_asks_for)
{
    char line[2 * CW_TEMPLATE_SLOTS_MAX + 100], *out;
    memset(line, '"', sizeof line);
    out = cw_mem_array(sizeof line + CW_TOKENIZE_SLACK, 1);
    char *copy = cw_mem_array(sizeof line + 1 + CW_BYTE_CLASSES_SLACK, 1);
    memcpy(copy, line, sizeof line);
    copy[sizeof line] = '\n';
    cw_tokenizer_window(&tokenizer, copy, 0, sizeof line + 1, CW_TOKEN_QUOTED);
    tokens.n = 0;
    size_t len = cw_tokenize_line(&tokenizer, 0, sizeof line, &tokens, out);
    cr_expect_eq(tokens.n, CW_TEMPLATE_SLOTS_MAX);
    cr_expect_eq(len, sizeof line + CW_TEMPLATE_SLOTS_MAX);
    free(copy);
    free(out);
}
