/* test_purge.c - which parts are written anew for retention_stream: by period, by bytes, and beside deletes. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "ingester/purge.h"
#include "tests/support/io_trace.h"
#include "tests/support/part_model.h"

static char dir[64];
static struct cw_err err;
static struct cw_parts *parts;
static struct cw_deletes *deletes;
static struct cw_retention_shares *shares;
static struct cw_purge *purge;
static struct cw_retention_options retention;
static struct cw_retention_policy *now_holds;
static const int64_t day_ns = 86400 * CW_NS_PER_S;

static struct cw_retention_policy *policy(void *ctx, struct cw_str tenant)
{
    return cw_retention_policy_ref(now_holds);
}

static void hold(struct cw_retention_stream *rules, size_t n)
{
    struct cw_ingester_limits limits = {.deletion_mode = CW_DELETION_FILTER_AND_DELETE,
                                        .retention_stream = {rules, n}};
    cw_retention_policy_unref(&now_holds);
    cr_assert_eq(cw_retention_policy_new(&limits, &now_holds, &err), 0, "%s", err.text);
}

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-purge-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    struct cw_parts_options options = {.data_dir = dir};
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    cr_assert_eq(cw_parts_open(&options, &parts, &err), 0, "%s", err.text);
    cr_assert_eq(cw_deletes_open(dir, &deletes, &err), 0, "%s", err.text);
    retention = (struct cw_retention_options){.policy = policy};
    shares = cw_retention_shares_new();
    purge = cw_purge_new(parts, deletes, &retention, shares, CW_CODEC_LZ4);
    hold(NULL, 0);
}

static void teardown(void)
{
    char command[100];
    cw_purge_free(&purge);
    cw_retention_shares_free(&shares);
    cw_retention_policy_unref(&now_holds);
    cw_deletes_close(&deletes);
    cw_parts_close(&parts);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(purge, .init = setup, .fini = teardown);

static const char *const labels[] = {"{app=\"debug\"}", "{app=\"debug\", hold=\"yes\"}",
                                     "{app=\"web\"}"};
enum { DEBUG, HELD, WEB, NSTREAMS, LINES = 300 };

/* A part of `lines` lines of each stream, from `from_ns` on. */
static void add_lines_of(const char *tenant, int64_t from_ns, int lines)
{
    struct part_model m;
    struct cw_buf path;
    uint64_t id, state = (uint64_t)from_ns;
    char line[40];
    int32_t day = (int32_t)(from_ns / day_ns);
    part_model_init(&m);
    for (size_t i = 0; i < NSTREAMS; i++) {
        size_t stream = part_model_stream(&m, labels[i]);
        for (int k = 0; k < lines; k++) {
            snprintf(line, sizeof(line), "%016" PRIx64 "%016" PRIx64, part_model_random(&state),
                     part_model_random(&state));
            part_model_add(&m, stream, from_ns + k, cw_str_of(line), NULL);
        }
    }
    cw_buf_init(&path, 4096);
    cr_assert_eq(cw_parts_new_path(parts, cw_str_of(tenant), day, &id, &path, &err), 0);
    struct cw_part_info info = part_model_info(id);
    info.day = day;
    info.tenant = cw_str_of(tenant);
    part_model_write(&m, cw_buf_z(&path), &info);
    struct cw_parts_change *change = cw_parts_change_new(parts);
    cr_assert_eq(cw_parts_change_add(change, cw_buf_z(&path), &err), 0, "%s", err.text);
    cr_assert_eq(cw_parts_commit(parts, change, &err), 0, "%s", err.text);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    cw_parts_unlock(parts);
    cw_parts_change_free(&change);
    cw_buf_fini(&path);
    part_model_fini(&m);
}

static void add_part_of(const char *tenant, int64_t from_ns)
{
    add_lines_of(tenant, from_ns, LINES);
}

static void add_part(int64_t from_ns)
{
    add_part_of("t", from_ns);
}

/* Rows of the stream in parts with entries of [from_ns, to_ns], as a scan finds them. */
static size_t rows(size_t stream, int64_t from_ns, int64_t to_ns)
{
    struct cw_scan scan = {.start_ns = from_ns,
                           .end_ns = to_ns,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_snapshot all = {0};
    struct model_rows found = {0};
    char start[64];
    size_t n = 0;
    cw_parts_all(parts, &all);
    for (size_t i = 0; i < all.n; i++)
        cr_assert_eq(model_rows_of_source(all.sources[i], &scan, &found, &err), 0, "%s", err.text);
    snprintf(start, sizeof(start), "%s ", labels[stream]);
    for (size_t i = 0; i < found.n; i++)
        n += cw_str_starts(cw_str_of(found.items[i]), cw_str_of(start));
    model_rows_fini(&found);
    cw_snapshot_fini(&all);
    return n;
}

static struct cw_purge_counts counts(void)
{
    struct cw_purge_counts now;
    cw_purge_count(purge, &now);
    return now;
}

/* Run what is due until nothing is; a second look finds nothing. How many parts were written anew. */
static uint64_t purge_all(void)
{
    uint64_t before = counts().rewritten, after = before;
    for (int look = 0; look < 2; look++) {
        int rc;
        while ((rc = cw_purge_next(purge, &err)) == 1)
            while ((rc = cw_purge_step(purge, 1000000, &err)) == 1)
                continue;
        cr_assert_eq(rc, 0, "%s", err.text);
        if (look == 0)
            after = counts().rewritten;
    }
    cr_assert_eq(counts().rewritten, after);
    return after - before;
}

static uint64_t bytes_of_parts(size_t *n_out)
{
    struct cw_parts_counts now;
    cw_parts_count(parts, &now);
    *n_out = now.parts;
    return now.bytes;
}

/* The stream has all its entries of the days `oldest` to `newest`, counted back from `now_ns`, and no others. */
static void has_days(size_t stream, int64_t now_ns, int oldest, int newest)
{
    for (int day = 12; day >= -1; day--) {
        int64_t at_ns = now_ns - day * day_ns;
        cr_assert_eq(rows(stream, at_ns, at_ns + day_ns / 2),
                     day <= oldest && day >= newest ? LINES : 0, "%s, day %d", labels[stream], day);
    }
}

static int64_t today(void)
{
    return cw_clock_now_ns() / day_ns * day_ns;
}

Test(purge, streams_leave_when_their_period_is_over)
{
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{app=\"debug\"}"), .priority = 1, .period_ns = day_ns * 5 / 2},
        {.selector = CW_STR("{app=~\".+\", hold=\"yes\"}"), .priority = 2},
    };
    /* Half a day off the edges of the period, so that the time of day does not matter. */
    int64_t now_ns = cw_clock_now_ns();
    for (int day = 5; day >= 0; day--)
        add_part(now_ns - day * day_ns);
    hold(rules, 2);
    cr_assert_eq(purge_all(), 3);
    has_days(DEBUG, now_ns, 2, 0);
    has_days(HELD, now_ns, 5, 0);
    has_days(WEB, now_ns, 5, 0);
}

Test(purge, the_oldest_entries_of_streams_leave_when_they_take_more_than_their_bytes)
{
    int64_t now_ns = today();
    size_t n;
    for (int day = 5; day >= 0; day--)
        add_part(now_ns - day * day_ns);
    /* Streams have a third of a part, and parts are of about one size. */
    int64_t third = (int64_t)bytes_of_parts(&n) / 18;
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{app=\"debug\"}"), .priority = 1, .bytes = third * 7 / 2},
        {.selector = CW_STR("{app=~\".+\", hold=\"yes\"}"), .priority = 2},
    };
    hold(rules, 2);
    cr_assert_eq(purge_all(), 3);
    has_days(DEBUG, now_ns, 2, 0);
    /* A day more: the oldest of the three makes room. */
    add_part(now_ns + day_ns);
    cr_assert_eq(purge_all(), 1);
    has_days(DEBUG, now_ns, 1, -1);
    has_days(HELD, now_ns, 5, -1);
    has_days(WEB, now_ns, 5, -1);
    cr_assert_eq(counts().removed, 4 * LINES);
    struct cw_retention_stream all_of[] = {{.selector = CW_STR("{app=~\".+\"}"), .bytes = 1}};
    hold(all_of, 1);
    purge_all();
    bytes_of_parts(&n);
    cr_assert_eq(n, 1, "parts without a row are no more, and the newest stays");
    has_days(WEB, now_ns, -1, -1);
}

Test(purge, nothing_older_stays_than_what_leaves_for_bytes)
{
    int64_t now_ns = today();
    size_t n;
    /* Were the middle one written anew first, the oldest would find room again. */
    add_lines_of("t", now_ns - 2 * day_ns, LINES / 4);
    add_part(now_ns - day_ns);
    add_part(now_ns);
    int64_t third = (int64_t)bytes_of_parts(&n) / 27 * 4;
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{app=\"web\"}"), .bytes = third * 3 / 2}};
    hold(rules, 1);
    cr_assert_eq(purge_all(), 2);
    has_days(WEB, now_ns, 0, 0);
    cr_assert_eq(rows(DEBUG, now_ns - 2 * day_ns, now_ns + day_ns), 2 * LINES + LINES / 4);
}

Test(purge, tenants_are_counted_apart)
{
    int64_t now_ns = today();
    size_t n;
    for (int day = 2; day >= 0; day--) {
        add_part_of("u", now_ns - day * day_ns);
        add_part_of("t", now_ns - day * day_ns);
    }
    int64_t third = (int64_t)bytes_of_parts(&n) / 18;
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{app=\"web\"}"), .bytes = third * 7 / 2}};
    hold(rules, 1);
    cr_assert_eq(purge_all(), 0);
    rules[0].bytes = third * 5 / 2;
    hold(rules, 1);
    cr_assert_eq(purge_all(), 2, "the oldest of either");
    cr_assert_eq(counts().removed, 2 * LINES);
}

Test(purge, of_the_newest_part_too_goes_what_is_past_its_period_but_not_for_bytes)
{
    struct cw_retention_stream rules[] = {
        {.selector = CW_STR("{app=\"debug\"}"), .period_ns = day_ns / 2, .bytes = 1}};
    int64_t now_ns = cw_clock_now_ns();
    add_part(now_ns - 2 * day_ns);
    hold(rules, 1);
    purge_all();
    has_days(DEBUG, now_ns, -2, -1);
    has_days(WEB, now_ns, 2, 2);
    add_part(now_ns);
    cr_assert_eq(purge_all(), 0);
    has_days(DEBUG, now_ns, 0, 0);
}

Test(purge, a_delete_that_is_not_done_outlives_a_part_that_is_written_anew_for_bytes)
{
    int64_t now_ns = today();
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{app=\"web\"}"),
                                .first_ns = INT64_MIN,
                                .last_ns = INT64_MAX,
                                .due_ns = INT64_MAX};
    struct cw_retention_stream rules[] = {{.selector = CW_STR("{app=\"debug\"}"), .bytes = 1}};
    add_part(now_ns - 2 * day_ns);
    struct cw_snapshot all = {0};
    cw_parts_all(parts, &all);
    row.wal_seq = cw_part_reader_footer(cw_part_source_reader(all.sources[0]))->info.wal_last;
    cw_snapshot_fini(&all);
    cr_assert_eq(cw_deletes_add(deletes, &row, &err), 0, "%s", err.text);
    add_part(now_ns - day_ns);
    hold(rules, 1);
    cr_assert_eq(purge_all(), 1);
    has_days(DEBUG, now_ns, 1, 1);
    has_days(WEB, now_ns, 2, 1);
    /* It is still of what it was of: the older part alone. */
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, CW_STR("t"), CW_DELETES_HIDING);
    cr_assert_not_null(view);
    cw_parts_all(parts, &all);
    cr_assert_eq(all.n, 2);
    for (size_t i = 0; i < all.n; i++) {
        struct cw_hidden_rule rule;
        struct cw_delete_place place =
            cw_hiding_place(cw_part_reader_footer(cw_part_source_reader(all.sources[i])));
        cr_assert_eq(cw_deletes_view_rule(view, 0, &place, &rule),
                     all.sources[i]->max_ns < now_ns - day_ns);
    }
    cw_snapshot_fini(&all);
    cw_deletes_view_free(&view);
}

static bool may_remove(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out)
{
    *purge_id_out = cw_parts_draw_id(parts);
    return true;
}

static void first_no_room(void *arg, const struct cw_delete_row *row,
                          const struct cw_deletes_waits *waits)
{
    size_t *out = arg;
    if (*out == SIZE_MAX)
        *out = waits->no_room;
}

static size_t no_room_of_first(void)
{
    size_t n = SIZE_MAX;
    cw_deletes_each(deletes, CW_STR("t"), first_no_room, &n);
    return n;
}

/* The oldest part would be written anew, and finds no room; a newer one goes whole, which needs none. */
Test(purge, on_a_full_disk_parts_that_go_whole_make_room_for_the_others)
{
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{app=\"debug\"}"),
                                .last_ns = 2 * day_ns,
                                .wal_seq = UINT64_MAX},
                         whole = row;
    struct cw_deletes_advance step = {.now_ns = 1, .may_remove = may_remove};
    whole.query = CW_STR("{app=~\".+\"}");
    whole.first_ns = day_ns;
    add_part(0);
    add_part(day_ns);
    cr_assert_eq(cw_deletes_add(deletes, &row, &err), 0, "%s", err.text);
    cr_assert_eq(cw_deletes_add(deletes, &whole, &err), 0, "%s", err.text);
    cr_assert_eq(cw_deletes_advance(deletes, &step, &err), 0);
    io_trace_room(".part", 0);
    int rc;
    while ((rc = cw_purge_next(purge, &err)) == 1)
        while ((rc = cw_purge_step(purge, 1000000, &err)) == 1)
            continue;
    cr_assert_eq(rc, CW_E_UNAVAILABLE);
    cr_assert_not_null(strstr(err.text, "1 parts wait for room"), "%s", err.text);
    cr_assert_eq(io_trace_nrefused(), 2, "when the other had left it was tried again");
    cr_assert_eq(rows(WEB, day_ns, INT64_MAX), 0);
    cr_assert_eq(rows(DEBUG, 0, day_ns), LINES);
    cr_assert_eq(no_room_of_first(), 1);
    io_trace_room(NULL, 0);
    cr_assert_eq(purge_all(), 1);
    cr_assert_eq(rows(DEBUG, 0, day_ns), 0);
    cr_assert_eq(rows(WEB, 0, day_ns), LINES);
}
