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

/* An Engine that, followed, gives [from, to) of the log again at `at`. Returns how often it was asked. */
static unsigned follow_log(const struct cw_docker_line *log, size_t n, size_t at, size_t from,
                           unsigned *taken)
{
    struct cw_docker_place place;
    char cursor[CW_DOCKER_CURSOR_BYTES] = "";
    unsigned nasked = 0;
    int64_t back_ns = 0, newest_ns = 0;
    bool again = true;
    while (again) {
        again = false;
        cw_docker_place_begin(&place, cw_str_of(cursor));
        if (back_ns != 0)
            cw_docker_place_widen(&place, back_ns, newest_ns);
        bool first = nasked++ == 0;
        for (size_t k = 0, end = n + (first ? at - from : 0); k < end && !again; k++) {
            const struct cw_docker_line *line = &log[!first || k < at    ? k
                                                     : k < 2 * at - from ? from + k - at
                                                                         : k - (at - from)];
            if (line->ts_ns < place.since_s * CW_NS_PER_S)
                continue;
            if (cw_docker_place_steps_back(&place, line)) {
                back_ns = line->ts_ns;
                newest_ns = CW_MAX(place.newest_ns[0], place.newest_ns[1]);
                again = true;
            } else if (cw_docker_place_take(&place, line)) {
                taken[line - log]++;
                cw_docker_place_format(&place, cursor);
            }
        }
    }
    return nasked;
}

Test(docker_place, what_an_engine_gives_again_when_it_rotates_is_taken_once)
{
    static char texts[N][16];
    struct cw_docker_line log[N];
    for (size_t i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "%zu", i % 7);
        log[i] = (struct cw_docker_line){.text = cw_str_of(texts[i]),
                                         .stream = i % 3 == 0,
                                         .ts_ns = 1700000000 * CW_NS_PER_S +
                                                  (int64_t)i * CW_NS_PER_S / 5};
    }
    for (size_t from = 100; from < 200; from += 9) {
        unsigned taken[N] = {0};
        cr_expect_eq(follow_log(log, N, 200, from, taken), 2);
        for (size_t i = 0; i < N; i++)
            cr_assert_eq(taken[i], 1, "from %zu: message %zu was taken %u times", from, i,
                         taken[i]);
    }
}

Test(docker_place, a_clock_that_was_set_back_loses_nothing)
{
    struct cw_docker_line log[N];
    unsigned taken[N] = {0};
    for (size_t i = 0; i < N; i++)
        log[i] = (struct cw_docker_line){.text = CW_STR("x"),
                                         .stream = i % 2,
                                         .ts_ns = (1700000000 - (i < 200 ? 0 : 100)) * CW_NS_PER_S +
                                                  (int64_t)i * CW_NS_PER_S / 5};
    cr_expect_leq(follow_log(log, N, N, N, taken), 3);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(taken[i], 1, "message %zu was taken %u times", i, taken[i]);
}

Test(docker_place, pieces_of_a_line_are_no_step_back)
{
    struct cw_docker_line log[N];
    unsigned taken[N] = {0};
    for (size_t i = 0; i < N; i++) /* lines of four pieces that are alike */
        log[i] = (struct cw_docker_line){.text = CW_STR("x"),
                                         .partial = i % 4 != 3,
                                         .ts_ns = 1700000000 * CW_NS_PER_S + (int64_t)(i / 4)};
    cr_expect_eq(follow_log(log, N, N, N, taken), 1);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(taken[i], 1);
}
