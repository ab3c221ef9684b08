#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "shipper/docker_place.h"

enum { N = 400 };

/* A log whose times are up to `disorder_s` behind the newest. */
static void log_make(struct cw_docker_line *log, int64_t disorder_s)
{
    static char texts[N][16];
    int64_t newest_s = 1700000000;
    for (size_t i = 0; i < N; i++) {
        newest_s += rand() % 4 == 0 ? rand() % 12 : 0;
        int64_t back = rand() % 2 == 0 ? rand() % (disorder_s + 1) : 0;
        snprintf(texts[i], sizeof texts[i], "%zu", i);
        log[i] = (struct cw_docker_line){.text = cw_str_of(texts[i]),
                                         .stream = (unsigned)rand() % 2,
                                         .ts_ns = (newest_s - back) * CW_NS_PER_S + rand() % 3};
    }
}

/* Read [first, last) of the log as the Engine gives it; counts what is new. Returns where the reader stopped. */
static void read_log(const struct cw_docker_line *log, size_t first, size_t last, char *cursor,
                     unsigned *taken)
{
    struct cw_docker_place place;
    cw_docker_place_begin(&place, cw_str_of(cursor));
    for (size_t i = first; i < last; i++) {
        if (log[i].ts_ns < place.since_s * CW_NS_PER_S)
            continue;
        if (cw_docker_place_take(&place, &log[i])) {
            taken[i]++;
            cw_docker_place_format(&place, cursor);
        }
    }
}

Test(docker_place, whatever_the_order_and_the_stops_each_is_taken_once)
{
    srand(7);
    for (int round = 0; round < 200; round++) {
        struct cw_docker_line log[N];
        unsigned taken[N] = {0};
        char cursor[CW_DOCKER_CURSOR_BYTES] = "";
        log_make(log, CW_DOCKER_DISORDER_S - 1);
        for (size_t end = 0; end < N;) {
            size_t more = (size_t)rand() % 60;
            end = CW_MIN((size_t)N, end + more);
            read_log(log, 0, end, cursor, taken);
        }
        for (size_t i = 0; i < N; i++)
            cr_assert_eq(taken[i], 1, "round %d: message %zu was taken %u times", round, i,
                         taken[i]);
    }
}

Test(docker_place, what_was_rotated_away_is_not_waited_for)
{
    struct cw_docker_line log[N];
    unsigned taken[N] = {0};
    char cursor[CW_DOCKER_CURSOR_BYTES] = "";
    srand(8);
    log_make(log, 2);
    read_log(log, 0, 200, cursor, taken);
    read_log(log, 199, N, cursor, taken); /* only the last that was taken is still there */
    for (size_t i = 0; i < N; i++)
        cr_expect_eq(taken[i], 1, "message %zu was taken %u times", i, taken[i]);
}

Test(docker_place, a_cursor_that_cannot_be_read_is_the_beginning)
{
    static const char *const bad[] = {"", "x", "1", "1 2", "-5 1 1", "1 -2 3"};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        struct cw_docker_place place;
        cw_docker_place_begin(&place, cw_str_of(bad[i]));
        cr_expect(place.since_s == 0 && place.skip == 0, "%s", bad[i]);
    }
}
