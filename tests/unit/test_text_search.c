#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/match/text_search.h"

static bool same_nocase(char a, char b)
{
    return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == (b >= 'A' && b <= 'Z' ? b | 0x20 : b);
}

/* What is meant, in the simplest words. */
static const char *naive(const char *text, size_t len, struct cw_str needle, bool nocase)
{
    for (size_t at = 0; at + needle.len <= len; at++) {
        size_t i = 0;
        while (i < needle.len &&
               (nocase ? same_nocase(text[at + i], needle.ptr[i]) : text[at + i] == needle.ptr[i]))
            i++;
        if (i == needle.len)
            return text + at;
    }
    return NULL;
}

Test(text_search, all_ways_find_what_a_plain_loop_finds)
{
    static const char letters[] = "abAB.k\xC3\0";
    unsigned seed = 42;
    for (int round = 0; round < 30000; round++) {
        size_t len = (size_t)rand_r(&seed) % 300, needle_len = 1 + (size_t)rand_r(&seed) % 9;
        unsigned variety = 1 + (unsigned)rand_r(&seed) % 8;
        bool nocase = rand_r(&seed) % 2;
        /* In blocks of their own, so that a sanitizer sees a read past the end. */
        char needle[9];
        char *exact = malloc(len > 0 ? len : 1);
        for (size_t i = 0; i < len; i++)
            exact[i] = letters[(unsigned)rand_r(&seed) % variety];
        for (size_t i = 0; i < needle_len; i++) {
            needle[i] = letters[(unsigned)rand_r(&seed) % variety];
            if (nocase && needle[i] >= 'A' && needle[i] <= 'Z')
                needle[i] |= 0x20;
        }
        struct cw_text_search search;
        cw_text_search_init(&search, cw_str_make(needle, needle_len), nocase);
        const char *want = naive(exact, len, search.needle, nocase);
        cr_assert_eq(cw_text_search_find(&search, exact, len), want);
        for (int way = CW_TEXT_SEARCH_PLAIN; way <= CW_TEXT_SEARCH_AVX2; way++)
            if (cw_text_search_use(&search, (enum cw_text_search_way)way))
                cr_assert_eq(cw_text_search_find(&search, exact, len), want, "way %d", way);
        free(exact);
    }
}

Test(text_search, an_empty_needle_is_found_everywhere)
{
    struct cw_text_search search;
    cw_text_search_init(&search, CW_STR(""), false);
    const char *text = "x";
    cr_expect_eq(cw_text_search_find(&search, text, 1), text);
    cr_expect_not_null(cw_text_search_find(&search, NULL, 0));
    cw_text_search_init(&search, CW_STR("x"), false);
    cr_expect_null(cw_text_search_find(&search, NULL, 0));
}

Test(text_search, needles_of_one_repeated_byte_and_of_the_whole_text)
{
    struct cw_text_search search;
    char text[200];
    memset(text, 'a', sizeof text);
    cw_text_search_init(&search, CW_STR("aaaaab"), false);
    cr_expect_null(cw_text_search_find(&search, text, sizeof text));
    text[199] = 'b';
    cr_expect_eq(cw_text_search_find(&search, text, sizeof text), text + 194);
    cw_text_search_init(&search, cw_str_make(text, sizeof text), false);
    cr_expect_eq(cw_text_search_find(&search, text, sizeof text), text);
    cr_expect_null(cw_text_search_find(&search, text, sizeof text - 1));
}
