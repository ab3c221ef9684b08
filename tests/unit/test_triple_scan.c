#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/match/triple_scan.h"

static size_t find(const struct cw_triple_scan *scan, struct cw_str text, size_t from)
{
    struct cw_triple_walk walk = cw_triple_walk_make(scan, text);
    size_t at;
    while (cw_triple_walk_next(&walk, &at))
        if (at >= from)
            return at;
    return text.len;
}

/* What the tables say, in the simplest words. */
static size_t naive(const struct cw_triple_scan *scan, struct cw_str text, size_t from)
{
    for (size_t i = from; i + 3 <= text.len; i++) {
        unsigned groups = 255;
        for (unsigned place = 0; place < 3; place++) {
            unsigned char c = (unsigned char)text.ptr[i + place];
            groups &= scan->low[place][c % 16] & scan->high[place][c / 16];
        }
        if (groups != 0)
            return i;
    }
    return text.len;
}

Test(triple_scan, finds_three_bytes_of_one_group)
{
    struct cw_triple_scan scan;
    cw_triple_scan_init(&scan);
    cr_expect_eq(find(&scan, CW_STR("nothing was added"), 0), 17);
    cw_triple_scan_add(&scan, 0, 0, CW_STR(" ["));
    cw_triple_scan_add(&scan, 1, 0, CW_STR("a"));
    cw_triple_scan_add(&scan, 2, 0, CW_STR("b"));
    cw_triple_scan_add(&scan, 0, 7, CW_STR("x"));
    cw_triple_scan_add(&scan, 1, 7, CW_STR("\xFF"));
    cw_triple_scan_add(&scan, 2, 7, CW_STR("z"));
    cr_expect_eq(find(&scan, CW_STR("xab  ab[ab"), 0), 4);
    cr_expect_eq(find(&scan, CW_STR("xab  ab[ab"), 5), 7);
    cr_expect_eq(find(&scan, CW_STR("xab  ab[a"), 5), 9);
    cr_expect_eq(find(&scan, CW_STR("xabx\xFFz"), 0), 3);
    cr_expect_eq(find(&scan, CW_STR("ab"), 0), 2);
    cr_expect_eq(find(&scan, CW_STR(""), 0), 0);
    cr_expect_eq(find(&scan, CW_STR_NONE, 0), 0);
    cr_expect_eq(find(&scan, CW_STR(" ab"), 3), 3);
}

Test(triple_scan, all_ways_find_what_a_plain_loop_finds)
{
    static const char letters[] = "ab [=lv\xC3\xFF\0";
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        struct cw_triple_scan scan;
        cw_triple_scan_init(&scan);
        for (unsigned i = (unsigned)rand_r(&seed) % 6; i-- > 0;)
            cw_triple_scan_add(&scan, i % 3, (unsigned)rand_r(&seed) % 2 * 7,
                               cw_str_make(letters + rand_r(&seed) % 8, 1));
        size_t len = (size_t)rand_r(&seed) % 150, from = (size_t)rand_r(&seed) % (len + 1);
        unsigned variety = 1 + (unsigned)rand_r(&seed) % 9;
        /* In a block of its own, so that a sanitizer sees a read past the end. */
        char *exact = malloc(len > 0 ? len : 1);
        for (size_t i = 0; i < len; i++)
            exact[i] = letters[(unsigned)rand_r(&seed) % variety];
        struct cw_str text = cw_str_make(exact, len);
        for (int way = CW_TRIPLE_SCAN_PLAIN; way <= CW_TRIPLE_SCAN_AVX2; way++)
            if (cw_triple_scan_use(&scan, (enum cw_triple_scan_way)way))
                cr_assert_eq(find(&scan, text, from), naive(&scan, text, from), "round %d, way %d",
                             round, way);
        free(exact);
    }
}
