#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/stream_set.h"

enum { N = 300 };

static void expect(const struct cw_stream_set *set, const bool *want)
{
    uint32_t count = 0, next = N;
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(cw_stream_set_has(set, i), want[i], "stream %u", i);
        count += want[i];
    }
    cr_assert_eq(cw_stream_set_count(set), count);
    for (uint32_t i = N; i-- > 0;) {
        next = want[i] ? i : next;
        cr_assert_eq(cw_stream_set_next(set, i), next);
    }
    for (uint32_t first = 0; first < N; first += 7) {
        bool any = false;
        for (uint32_t last = first; last < N; last++) {
            any |= want[last];
            cr_assert_eq(cw_stream_set_any(set, first, last), any);
        }
    }
}

Test(stream_set, agrees_with_a_list_of_flags)
{
    srand(7);
    for (int round = 0; round < 40; round++) {
        struct cw_stream_set set, other;
        bool want[N] = {0}, and[N] = {0};
        cw_stream_set_init(&set, N);
        cw_stream_set_init(&other, N);
        for (int run = 0; run < 4; run++) {
            uint32_t first = (uint32_t)rand() % N, len = 1 + (uint32_t)rand() % (N - first);
            len = round % 2 ? 1 + len / 20 : len;
            cw_stream_set_add_run(&set, first, len);
            memset(&want[first], true, len);
        }
        expect(&set, want);
        uint32_t first = (uint32_t)rand() % N, last = first + (uint32_t)rand() % (N - first);
        cw_stream_set_add_members(&other, &set, first, last);
        for (uint32_t i = first; i <= last; i++)
            and[i] = want[i];
        expect(&other, and);
        cw_stream_set_invert(&set);
        for (uint32_t i = 0; i < N; i++)
            want[i] = !want[i];
        expect(&set, want);
        cw_stream_set_and(&set, &other);
        cr_assert_eq(cw_stream_set_count(&set), 0);
        cr_assert_eq(cw_stream_set_next(&set, 0), N);
        cw_stream_set_fini(&set);
        cw_stream_set_fini(&other);
    }
}
