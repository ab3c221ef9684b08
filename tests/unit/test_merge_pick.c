/* test_merge_pick.c - the rules of merges over plain values: what is joined, what stays apart, and what it costs over time. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/store/format.h"
#include "ingester/merge_pick.h"

enum { DAY = 20000, MAX = 2 * CW_MERGE_FAN_IN };

static const uint64_t MIB = 1 << 20;
static const int64_t day_ns = 86400 * CW_NS_PER_S;
static struct cw_merge_candidate parts[4096];
static size_t n;
static uint64_t last_id;
static int64_t now_ns; /* of the next look */

static void setup(void)
{
    n = last_id = 0;
    now_ns = (DAY + 2) * day_ns;
}

TestSuite(merge_pick, .init = setup);

/* Of the day DAY, made at its end. */
static struct cw_merge_candidate *part(uint8_t level, uint64_t bytes)
{
    struct cw_merge_candidate *p = &parts[n++];
    cr_assert_lt(n, CW_COUNT(parts));
    last_id++;
    *p = (struct cw_merge_candidate){.tenant = CW_STR("t"),
                                     .day = DAY,
                                     .level = level,
                                     .id = last_id,
                                     .wal_first = last_id,
                                     .bytes = bytes,
                                     .made_ns = (DAY + 1) * day_ns};
    return p;
}

static size_t due(enum cw_merge_kind kind, size_t *from)
{
    *from = 0;
    cw_merge_sort(parts, n, kind);
    return cw_merge_due(parts, n, kind, MAX, now_ns, from);
}

static size_t rest(void)
{
    size_t from;
    return due(CW_MERGE_REST, &from);
}

/* As merge.c goes on, until nothing is due; bytes that it wrote. */
static uint64_t join_all(int64_t made_ns)
{
    uint64_t written = 0;
    for (;;) {
        size_t from, take = due(CW_MERGE_LEVEL, &from);
        if (take == 0)
            take = due(CW_MERGE_REST, &from);
        if (take == 0)
            return written;
        struct cw_merge_candidate *p = &parts[from], sum = *p;
        bool one_level = true;
        for (size_t i = 1; i < take; i++) {
            one_level &= p[i].level == p[0].level;
            sum.bytes += p[i].bytes;
            sum.level = CW_MAX(sum.level, p[i].level);
            sum.wal_first = CW_MIN(sum.wal_first, p[i].wal_first);
        }
        sum.level += one_level;
        sum.id = ++last_id;
        sum.made_ns = made_ns;
        *p = sum;
        memmove(p + 1, p + take, (n - from - take) * sizeof(*p));
        n -= take - 1;
        written += sum.bytes;
        cr_assert_leq(sum.bytes, CW_MERGE_PART_BYTES_MAX);
    }
}

Test(merge_pick, eight_of_a_level_are_joined_whatever_the_day)
{
    size_t from;
    now_ns = DAY * day_ns;
    for (int i = 0; i < CW_MERGE_FAN_IN - 1; i++)
        part(1, MIB);
    part(2, MIB);
    cr_assert_eq(due(CW_MERGE_LEVEL, &from), 0);
    part(1, MIB)->tenant = CW_STR("a");
    part(1, MIB)->day++;
    part(1, MIB)->epoch++;
    cr_assert_eq(due(CW_MERGE_LEVEL, &from), 0);
    part(1, MIB);
    cr_assert_eq(due(CW_MERGE_LEVEL, &from), CW_MERGE_FAN_IN);
    cr_assert_eq(from, 1, "behind that of tenant a");
    for (size_t i = 0; i < CW_MERGE_FAN_IN; i++)
        cr_assert_eq(parts[from + i].level, 1);
}

Test(merge_pick, levels_and_rests_stay_below_the_largest_part)
{
    size_t from;
    for (int i = 0; i < 3 * CW_MERGE_FAN_IN; i++)
        part(3, CW_MERGE_PART_BYTES_MAX / 3);
    cr_assert_eq(due(CW_MERGE_LEVEL, &from), 0);
    cr_assert_eq(due(CW_MERGE_REST, &from), 3);
    join_all((DAY + 1) * day_ns);
    cr_assert_eq(n, CW_MERGE_FAN_IN, "%zu", n);
}

Test(merge_pick, the_rest_of_a_day_is_joined_once_it_is_over_and_quiet)
{
    for (int i = 0; i < 7; i++)
        part(0, MIB);
    part(1, 8 * MIB);
    now_ns = (DAY + 1) * day_ns - 1;
    for (size_t i = 0; i < n; i++)
        parts[i].made_ns = now_ns - 2 * CW_MERGE_QUIET_NS;
    cr_assert_eq(rest(), 0, "today");
    now_ns++;
    cr_assert_eq(rest(), 8);
    parts[3].made_ns = now_ns - CW_MERGE_QUIET_NS + 1;
    cr_assert_eq(rest(), 0, "somebody still writes to it");
    now_ns++;
    cr_assert_eq(rest(), 8);
    parts[3].made_ns = now_ns + CW_MERGE_QUIET_NS - 1;
    cr_assert_eq(rest(), 0, "the clock was set back a little");
    parts[3].made_ns = INT64_MAX;
    cr_assert_eq(rest(), 8, "or by years");
    parts[3].made_ns = INT64_MIN;
    cr_assert_eq(rest(), 8);
}

Test(merge_pick, days_that_lie_nowhere)
{
    part(0, MIB)->day = INT32_MAX;
    part(0, MIB)->day = INT32_MAX;
    now_ns = INT64_MAX;
    cr_assert_eq(rest(), 0, "a day that no clock reaches is not over");
    parts[0].day = parts[1].day = CW_DAY_MIXED;
    cr_assert_eq(rest(), 2);
    parts[0].day = parts[1].day = INT32_MIN + 1;
    cr_assert_eq(rest(), 0, "nor is one before all");
}

Test(merge_pick, what_is_not_of_one_tenant_day_and_state_of_deletes_stays_apart)
{
    part(0, MIB);
    part(0, MIB)->tenant = CW_STR("u");
    part(0, MIB)->day--;
    part(0, MIB)->epoch = 1;
    cr_assert_eq(rest(), 0);
    part(0, MIB)->epoch = 1;
    cr_assert_eq(rest(), 2);
}

Test(merge_pick, only_neighbours_in_age_are_joined)
{
    size_t from;
    part(0, 1 * MIB);
    part(0, 1 * MIB);
    part(2, 100 * MIB);
    part(0, 1 * MIB);
    part(0, 1 * MIB);
    part(0, 1 * MIB);
    parts[0].wal_first = 100; /* made first, of what came last */
    cr_assert_eq(due(CW_MERGE_REST, &from), 4);
    cr_assert_eq(from, 2, "behind the large one");
    cr_assert_eq(parts[from + 3].wal_first, 100);
}

Test(merge_pick, a_large_part_is_left_alone_until_what_is_added_is_worth_it)
{
    part(3, 80 * MIB);
    part(0, 4 * MIB);
    cr_assert_eq(rest(), 0);
    part(0, 4 * MIB);
    cr_assert_eq(rest(), 2, "these two, not the large one");
    part(0, 2 * MIB);
    cr_assert_eq(rest(), 4, "now they are an eighth of it");
    part(3, CW_MERGE_PART_BYTES_MAX + 1);
    cr_assert_eq(rest(), 4, "whatever its size");
}

/* Merges by level while the day lasts, then the rest: what stays of 1 to 600 flushes. */
Test(merge_pick, a_day_ends_in_one_part_however_many_flushes_it_had)
{
    for (size_t flushes = 1; flushes <= 600; flushes++) {
        setup();
        now_ns = DAY * day_ns;
        for (size_t i = 0; i < flushes; i++) {
            part(0, MIB);
            join_all(now_ns);
        }
        now_ns = (DAY + 2) * day_ns;
        uint64_t written = join_all((DAY + 1) * day_ns);
        cr_assert_leq(n, 2, "%zu parts of %zu flushes", n, flushes);
        cr_assert_leq(written, 2 * flushes * MIB,
                      "a day that is joined once is written once or twice");
    }
}

/* Late lines in hourly flushes, the worst there is: the day is quiet between any two of them. */
Test(merge_pick, late_arrivals_cost_a_bounded_multiple_of_their_own_bytes)
{
    const uint64_t late = 64 << 10;
    uint64_t written = 0, doublings = 0;
    part(4, 1024 * MIB);
    for (int i = 0; i < 1000; i++) {
        part(0, late);
        parts[n - 1].made_ns = now_ns;
        now_ns += CW_MERGE_QUIET_NS;
        written += join_all(now_ns - CW_MERGE_QUIET_NS);
        cr_assert_leq(n, 10, "%zu parts", n);
    }
    for (uint64_t bytes = late; bytes < 1000 * late; bytes *= 2)
        doublings++;
    cr_assert_leq(written, (CW_MERGE_REST_SHARE + 1) * doublings * 1000 * late, "%llu MiB",
                  (unsigned long long)(written / MIB));
    uint64_t largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = CW_MAX(largest, parts[i].bytes);
    cr_assert_eq(largest, 1024 * MIB, "62 MiB of late lines do not move a part of 1 GiB");
}

Test(merge_pick, any_sizes_end_in_few_parts_and_then_nothing_is_due)
{
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        setup();
        size_t many = 1 + (size_t)round * 5;
        uint64_t bytes = 0;
        for (size_t i = 0; i < many; i++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            part((uint8_t)(random >> 60), 1000 + (random >> 33) % ((uint64_t)1 << (10 + i % 16)));
            bytes += parts[n - 1].bytes;
        }
        join_all((DAY + 1) * day_ns);
        uint64_t left = 0;
        for (size_t i = 0; i < n; i++)
            left += parts[i].bytes;
        cr_assert_eq(left, bytes);
        cr_assert_leq(n, 6, "%zu of %zu parts stay", n, many);
    }
}
