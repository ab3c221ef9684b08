/* test_text_grams.c - what a bitmap of grams denies is not there, and it denies most of what is not. */
#include <criterion/criterion.h>

#include <ctype.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/store/text_grams.h"
#include "tests/support/part_model.h"

static struct cw_err err;

static struct cw_text_grams *grams_of(struct cw_str text)
{
    return cw_text_grams_new(text, false);
}

static void grams_free(struct cw_text_grams *grams)
{
    cw_cached_unref(&grams->base);
}

static void add_word(uint64_t *state, struct cw_buf *out)
{
    static const char letters[] = "etaoinshrdlucmfwygpbvkxqzETAOIN0123456789_-./\xc3\xa9";
    for (uint64_t n = 2 + part_model_random(state) % 9; n > 0; n--)
        cw_buf_addc(out, letters[part_model_random(state) % (sizeof(letters) - 1)]);
}

static bool holds_nocase(struct cw_str text, struct cw_str needle)
{
    for (size_t i = 0; i + needle.len <= text.len; i++) {
        size_t k = 0;
        while (k < needle.len &&
               tolower((unsigned char)text.ptr[i + k]) == tolower((unsigned char)needle.ptr[k]))
            k++;
        if (k == needle.len)
            return true;
    }
    return false;
}

Test(text_grams, what_is_in_the_text_is_never_denied)
{
    uint64_t state = 5;
    for (size_t size = 0; size < 300000; size = size * 3 / 2 + 1) {
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        while (text.len < size)
            add_word(&state, &text);
        struct cw_text_grams *grams = grams_of(cw_buf_str(&text));
        for (int i = 0; i < 2000 && text.len > 0; i++) {
            size_t from = part_model_random(&state) % text.len;
            char piece[40];
            struct cw_str s =
                cw_str_sub(cw_buf_str(&text), from,
                           CW_MIN(text.len, from + 1 + part_model_random(&state) % 20));
            memcpy(piece, s.ptr, s.len);
            for (size_t k = 0; i % 2 != 0 && k < s.len; k++) /* in another case */
                piece[k] = (char)(i % 4 == 1 ? toupper(piece[k]) : tolower(piece[k]));
            cr_assert(cw_text_grams_may_hold(grams, cw_str_make(piece, s.len)), "%.*s of %zu",
                      (int)s.len, piece, text.len);
        }
        grams_free(grams);
        cw_buf_fini(&text);
    }
}

Test(text_grams, most_of_what_is_not_there_is_denied)
{
    uint64_t state = 7;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    while (text.len < 100000) { /* a dictionary: some words, often */
        uint64_t word = 1 + part_model_random(&state) % 500;
        add_word(&word, &text);
        cw_buf_addc(&text, 0);
    }
    struct cw_text_grams *grams = grams_of(cw_buf_str(&text));
    cr_expect_leq(grams->base.bytes, text.len / 20);
    size_t denied = 0, absent = 0;
    for (int i = 0; i < 2000; i++) {
        struct cw_buf word;
        cw_buf_init(&word, SIZE_MAX);
        while (word.len < 6)
            add_word(&state, &word);
        absent += !holds_nocase(cw_buf_str(&text), cw_buf_str(&word));
        denied += !cw_text_grams_may_hold(grams, cw_buf_str(&word));
        cw_buf_fini(&word);
    }
    cr_expect_gt(absent, 1900);
    cr_expect_leq(denied, absent);
    cr_expect_gt(denied, absent * 95 / 100, "%zu of %zu", denied, absent);
    grams_free(grams);
    cw_buf_fini(&text);
}

Test(text_grams, where_nothing_can_be_told_nothing_is_denied)
{
    uint64_t state = 9;
    struct cw_buf noise;
    cw_buf_init(&noise, SIZE_MAX);
    while (noise.len < 2u << 20) /* nearly every gram of it is another */
        cw_buf_addc(&noise, (char)part_model_random(&state));
    struct cw_text_grams *grams[] = {cw_text_grams_new(CW_STR("some text"), true),
                                     grams_of(cw_buf_str(&noise))};
    for (size_t i = 0; i < CW_COUNT(grams); i++) {
        cr_expect_eq(grams[i]->nbits, 0);
        cr_expect_eq(grams[i]->base.bytes, sizeof(*grams[i]));
        cr_expect(cw_text_grams_may_hold(grams[i], CW_STR("absent")));
        grams_free(grams[i]);
    }
    cw_buf_fini(&noise);
}

Test(text_grams, the_bitmap_is_as_large_as_it_must)
{
    size_t before = 0;
    for (size_t size = 10; size < 4u << 20; size *= 4) {
        uint64_t state = 3;
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        while (text.len < size)
            add_word(&state, &text);
        struct cw_text_grams *grams = grams_of(cw_buf_str(&text));
        cr_expect_leq(grams->nbits, CW_TEXT_GRAMS_BITS_MAX);
        cr_expect_eq(grams->base.bytes, sizeof(*grams) + grams->nbits / 8);
        cr_expect(grams->nbits == 0 || grams->nbits >= before);
        before = grams->nbits;
        grams_free(grams);
        cw_buf_fini(&text);
    }
}

/* ---- filters ---- */

struct asked {
    enum cw_filter_op op;
    const char *operands[3];
    bool may_pass, can_tell;
};

static const char text[] =
    "user \x0f opened 'the gate'\0GET /api/orders\0Timeout of feed\0xx-deadbeef\0";

Test(text_grams, filters_are_asked_for_what_must_be_in_the_text)
{
    static const struct asked cases[] = {
        {CW_FILTER_CONTAINS, {"opened"}, true, true},
        {CW_FILTER_CONTAINS, {"closed"}, false, true},
        {CW_FILTER_CONTAINS, {"closed", "opened"}, true, true},
        {CW_FILTER_CONTAINS, {"closed", "shut"}, false, true},
        {CW_FILTER_CONTAINS, {"closed", "17"}, true, false}, /* a number is in no text */
        {CW_FILTER_NOT_CONTAINS, {"closed"}, true, false},
        {CW_FILTER_CONTAINS, {"17"}, true, false},
        {CW_FILTER_CONTAINS, {"ab"}, true, false},   /* shorter than a gram */
        {CW_FILTER_CONTAINS, {"cafe"}, true, false}, /* may be digits of a hex value */
        {CW_FILTER_CONTAINS, {"user 17 closed"}, false, true},
        {CW_FILTER_CONTAINS, {"user 17 opened"}, true, true},
        {CW_FILTER_CONTAINS, {"TIMEOUT"}, true, true}, /* case is not told apart */
        {CW_FILTER_CONTAINS, {"a\x0f"}, false, true},  /* a byte that only RAW lines have */
        {CW_FILTER_RE, {"(?i)timeout"}, true, true},
        {CW_FILTER_RE, {"(?i)refused"}, false, true},
        {CW_FILTER_RE, {"(opened|shut)"}, true, true},
        {CW_FILTER_RE, {"(closed|shut)"}, false, true},
        {CW_FILTER_RE, {"clo[a-z]+ed 'the"}, false, true},
        {CW_FILTER_RE, {"GET .*orders"}, true, true},
        {CW_FILTER_RE, {"GET .*carts"}, false, true},
        {CW_FILTER_RE, {"[a-z]+"}, true, false},
        {CW_FILTER_NOT_RE, {"refused"}, true, false},
        {CW_FILTER_PATTERN, {"<_>opened<_>"}, true, true},
        {CW_FILTER_PATTERN, {"<_>refused<_>"}, false, true},
    };
    struct cw_text_grams *grams = grams_of(cw_str_make(text, sizeof(text) - 1));
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_line_filter *filter;
        cr_assert_eq(cw_line_filter_new(cases[i].op, &filter, &err), 0);
        for (size_t k = 0; k < 3 && cases[i].operands[k] != NULL; k++)
            cr_assert_eq(cw_line_filter_add(filter, cw_str_of(cases[i].operands[k]), 0, &err), 0);
        const struct cw_line_filter *filters[] = {filter};
        cr_expect_eq(cw_text_grams_may_pass(grams, filters, 1), cases[i].may_pass, "case %zu: %s",
                     i, cases[i].operands[0]);
        cr_expect_eq(cw_text_grams_can_tell(filters, 1), cases[i].can_tell, "case %zu: %s", i,
                     cases[i].operands[0]);
        cw_line_filter_free(&filter);
    }
    cr_expect(cw_text_grams_may_pass(grams, NULL, 0));
    cr_expect_not(cw_text_grams_can_tell(NULL, 0));
    grams_free(grams);
}

Test(text_grams, one_filter_that_nothing_passes_is_enough)
{
    struct cw_text_grams *grams = grams_of(cw_str_make(text, sizeof(text) - 1));
    struct cw_line_filter *both[2];
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &both[i], &err), 0);
        cr_assert_eq(
            cw_line_filter_add(both[i], i == 0 ? CW_STR("opened") : CW_STR("closed"), 0, &err), 0);
    }
    cr_expect(cw_text_grams_may_pass(grams, (const struct cw_line_filter *const *)both, 1));
    cr_expect_not(cw_text_grams_may_pass(grams, (const struct cw_line_filter *const *)both, 2));
    for (size_t i = 0; i < 2; i++)
        cw_line_filter_free(&both[i]);
    grams_free(grams);
}

Test(text_grams, an_address_is_in_no_text)
{
    struct cw_text_grams *grams = grams_of(CW_STR("some text"));
    struct cw_line_filter *filter;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, CW_STR("10.0.0.0/8"), 1, &err), 0);
    const struct cw_line_filter *filters[] = {filter};
    cr_expect(cw_text_grams_may_pass(grams, filters, 1));
    cr_expect_not(cw_text_grams_can_tell(filters, 1));
    cw_line_filter_free(&filter);
    grams_free(grams);
}
