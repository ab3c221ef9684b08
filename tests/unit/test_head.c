/* test_head.c - entries in memory: order, commit, rollback, duplicates, scans. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/memory_budget.h"
#include "common/store/head.h"
#include "common/wire/push_resolve.h"

/* A push of one stream; texts are static or live in the arena. */
struct maker {
    struct cw_arena *arena;
    struct cw_head *head;
    struct cw_head_dropped dropped;
    uint64_t seq;
};

static struct maker maker_new(void)
{
    return (struct maker){.arena = cw_arena_new(), .head = cw_head_new(0)};
}

static void maker_free(struct maker *maker)
{
    cw_head_free(&maker->head);
    cw_arena_free(&maker->arena);
    free(maker->dropped.items);
}

static struct cw_push *make(struct maker *maker, const char *labels, size_t n)
{
    struct cw_push *push = CW_ARENA_NEW(maker->arena, struct cw_push);
    push->streams = CW_ARENA_NEW(maker->arena, struct cw_push_stream);
    push->nstreams = 1;
    push->streams->labels_text = cw_str_of(labels);
    push->streams->entries = CW_ARENA_ARRAY(maker->arena, struct cw_push_entry, n);
    push->streams->nentries = push->nentries = n;
    return push;
}

/* As many entries as times; the line is "line <time>" when NULL. */
static struct cw_push *make_at(struct maker *maker, const char *labels, const int64_t *ts_ns,
                               size_t n, const char *line)
{
    struct cw_push *push = make(maker, labels, n);
    for (size_t i = 0; i < n; i++) {
        push->streams->entries[i].ts_ns = ts_ns[i];
        push->streams->entries[i].line =
            line ? cw_str_of(line)
                 : cw_arena_printf(maker->arena, "line %lld", (long long)ts_ns[i]);
    }
    return push;
}

static size_t append(struct maker *maker, const char *tenant, struct cw_push *push,
                     enum cw_head_duplicates duplicates)
{
    struct cw_hash128 *ids;
    struct cw_err err = {0};
    cr_assert_eq(cw_push_resolve(push, NULL, maker->arena, &ids, &err), 0, "%s", err.text);
    struct cw_head_batch batch = {
        .tenant = cw_str_of(tenant), .push = push, .ids = ids, .duplicates = duplicates};
    maker->dropped.n = 0;
    cw_head_append(maker->head, &batch, &maker->dropped);
    return maker->dropped.n;
}

#define AT(...)                                                                                    \
    (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

/* What a scan of all sources gives, as "time:line " in order of the batches. */
static void scan_text(struct cw_head *head, const char *tenant, const struct cw_scan *scan,
                      struct cw_buf *out)
{
    struct cw_snapshot snapshot = {0};
    struct cw_err err = {0};
    cw_buf_init(out, 1 << 24);
    cw_head_add_sources(head, cw_str_of(tenant), INT64_MIN, &snapshot);
    for (size_t s = 0; s < snapshot.n; s++) {
        struct cw_units units = {0};
        cr_assert_eq(snapshot.sources[s]->ops->plan(snapshot.sources[s], scan, &units, &err), 0);
        for (size_t u = 0; u < units.n; u++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            cr_assert_eq(snapshot.sources[s]->ops->open(snapshot.sources[s], scan, &units.items[u],
                                                        &cursor, &err),
                         0);
            while (cw_cursor_next(cursor, &batch, &err) == 1) {
                cr_assert_gt(batch.n, 0);
                for (size_t i = 0; i < batch.n; i++) {
                    cr_assert_eq(batch.sizes[i], batch.lines[i].len);
                    cw_buf_addf(out, "%lld:%.*s", (long long)batch.ts_ns[i],
                                CW_STR_ARG(batch.lines[i]));
                    if (batch.metadata && batch.metadata[i].n > 0)
                        cw_labels_format(batch.metadata[i], out);
                    cw_buf_addc(out, ' ');
                }
            }
            cw_cursor_close(&cursor);
        }
        cw_units_fini(&units);
    }
    cw_snapshot_fini(&snapshot);
    cw_buf_z(out);
}

static struct cw_scan all(void)
{
    return (struct cw_scan){.start_ns = INT64_MIN,
                            .end_ns = INT64_MAX,
                            .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
}

static void expect(struct maker *maker, struct cw_scan scan, const char *want)
{
    struct cw_buf text;
    scan_text(maker->head, "t", &scan, &text);
    cr_assert_str_eq(text.ptr, want);
    cw_buf_fini(&text);
}

Test(head, entries_are_seen_after_the_commit_and_not_before)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1, 2), NULL), CW_HEAD_DROP_DUPLICATES);
    expect(&maker, all(), "");
    cw_head_commit(maker.head, 1);
    expect(&maker, all(), "1:line 1 2:line 2 ");
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(3), NULL), CW_HEAD_DROP_DUPLICATES);
    expect(&maker, all(), "1:line 1 2:line 2 ");
    cw_head_rollback(maker.head);
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(4), NULL), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 2);
    expect(&maker, all(), "1:line 1 2:line 2 4:line 4 ");
    maker_free(&maker);
}

Test(head, what_was_rolled_back_is_no_duplicate)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(5, 3), NULL), CW_HEAD_DROP_DUPLICATES);
    cw_head_rollback(maker.head);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(5, 3), NULL), CW_HEAD_DROP_DUPLICATES),
        0);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(5, 3), NULL), CW_HEAD_DROP_DUPLICATES),
        2);
    cw_head_commit(maker.head, 1);
    expect(&maker, all(), "3:line 3 5:line 5 ");
    maker_free(&maker);
}

Test(head, pushes_that_are_rolled_back_for_ever_leave_no_memory_behind)
{
    struct maker maker = maker_new();
    uint64_t first_bytes = 0;
    for (int i = 0; i < 2000; i++) {
        char labels[40];
        snprintf(labels, sizeof(labels), "{a=\"%d\"}", i);
        append(&maker, "t", make_at(&maker, labels, AT(1, 2), NULL), CW_HEAD_DROP_DUPLICATES);
        cw_head_rollback(maker.head);
        if (i == 0)
            first_bytes = cw_head_bytes(maker.head);
    }
    cr_assert_leq(cw_head_bytes(maker.head), first_bytes);
    cr_assert_eq(cw_head_streams(maker.head), 0);
    maker_free(&maker);
}

Test(head, a_rollback_over_many_blocks_leaves_what_was_there)
{
    struct maker maker = maker_new();
    char *line = malloc(3001);
    memset(line, 'x', 3000);
    line[3000] = '\0';
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1, 2), "short"), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    for (int64_t ts = 10; ts < 400; ts++)
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", &ts, 1, line), CW_HEAD_DROP_DUPLICATES);
    cw_head_rollback(maker.head);
    expect(&maker, all(), "1:short 2:short ");
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(0, 3), "after"), CW_HEAD_DROP_DUPLICATES);
    cr_assert_eq(append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(0, 1, 3), "after"),
                        CW_HEAD_DROP_DUPLICATES),
                 2);
    cw_head_commit(maker.head, 2);
    expect(&maker, all(), "0:after 1:short 1:after 2:short 3:after ");
    free(line);
    maker_free(&maker);
}

Test(head, an_entry_with_time_line_and_metadata_of_another_is_dropped)
{
    struct maker maker = maker_new();
    struct cw_label x = {CW_STR("k"), CW_STR("x")}, y = {CW_STR("k"), CW_STR("y")};
    struct cw_push *push = make_at(&maker, "{a=\"b\"}", AT(1, 1, 1, 1, 2), "same");
    push->streams->entries[1].metadata = &x;
    push->streams->entries[2].metadata = &y;
    push->streams->entries[1].nmetadata = push->streams->entries[2].nmetadata = 1;
    cr_assert_eq(append(&maker, "t", push, CW_HEAD_DROP_DUPLICATES), 1);
    cr_assert_eq(maker.dropped.items[0], 3);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"c\"}", AT(1), "same"), CW_HEAD_DROP_DUPLICATES),
        0, "another stream");
    cr_assert_eq(
        append(&maker, "u", make_at(&maker, "{a=\"b\"}", AT(1), "same"), CW_HEAD_DROP_DUPLICATES),
        0, "another tenant");
    cw_head_commit(maker.head, 1);
    expect(&maker, (struct cw_scan){.start_ns = 1, .end_ns = 3, .need = all().need},
           "1:same 1:same{k=\"x\"} 1:same{k=\"y\"} 2:same 1:same ");
    maker_free(&maker);
}

Test(head, deliveries_keep_real_twins)
{
    struct maker maker = maker_new();
    cr_assert_eq(append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1, 1), "twin"),
                        CW_HEAD_KEEP_DUPLICATES),
                 0);
    cw_head_commit(maker.head, 1);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1), "twin"), CW_HEAD_DROP_DUPLICATES),
        1, "but not for others");
    cw_head_commit(maker.head, 2);
    expect(&maker, all(), "1:twin 1:twin ");
    maker_free(&maker);
}

Test(head, duplicates_of_generations_that_wait_for_their_flush_are_dropped)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1, 9, 5), NULL), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 7);
    struct cw_generation *frozen = cw_head_freeze(maker.head);
    cr_assert_not_null(frozen);
    cr_assert_eq(cw_generation_first_seq(frozen), 1);
    cr_assert_eq(cw_generation_last_seq(frozen), 7);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(5, 6), NULL), CW_HEAD_DROP_DUPLICATES),
        1);
    cw_head_commit(maker.head, 8);
    cw_head_drop(maker.head, frozen);
    cw_generation_unref(&frozen);
    cr_assert_eq(
        append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(5), NULL), CW_HEAD_DROP_DUPLICATES), 0,
        "it is in a part now");
    cw_head_commit(maker.head, 9);
    expect(&maker, all(), "5:line 5 6:line 6 ");
    maker_free(&maker);
}

/* An entry of {a="b"} with this metadata; is it taken? */
static bool taken(struct maker *maker, const char *metadata, bool level_found)
{
    struct cw_push *push = make_at(maker, "{a=\"b\"}", AT(1), "same");
    struct cw_push_entry *entry = push->streams->entries;
    struct cw_labels pairs;
    struct cw_err err = {0};
    cr_assert_eq(cw_labels_parse(cw_str_of(metadata), maker->arena, &pairs, &err), 0);
    entry->metadata = pairs.items;
    entry->nmetadata = (uint32_t)pairs.n;
    entry->level_found = level_found;
    return append(maker, "t", push, CW_HEAD_DROP_DUPLICATES) == 0;
}

Test(head, a_level_that_was_found_makes_no_other_entry)
{
    struct maker maker = maker_new();
    cr_expect(taken(&maker, "{detected_level=\"info\"}", true));
    cr_expect_not(taken(&maker, "{detected_level=\"info\"}", true));
    cr_expect_not(taken(&maker, "{detected_level=\"warn\"}", true), "by other settings");
    cr_expect_not(taken(&maker, "{}", false), "not looked for");
    cr_expect(taken(&maker, "{detected_level=\"warn\"}", false), "sent");
    cr_expect(taken(&maker, "{detected_level=\"info\", z=\"1\"}", true), "other metadata");
    cr_expect_not(taken(&maker, "{a=\"\", z=\"1\"}", false));
    cr_expect(taken(&maker, "{a=\"1\"}", false));
    cr_expect_not(taken(&maker, "{a=\"1\", detected_level=\"x\"}", true));
    cw_head_commit(maker.head, 1);
    maker_free(&maker);
}

Test(head, metadata_that_a_push_shares_is_kept_once)
{
    enum { N = 5000 };
    static const struct cw_label levels[2] = {{{"l", 1}, {"info", 4}}, {{"l", 1}, {"warn", 4}}};
    struct maker maker = maker_new();
    struct cw_push *push = make(&maker, "{a=\"b\"}", N);
    struct cw_hash128 *ids;
    struct cw_err err = {0};
    cr_assert_eq(cw_push_resolve(push, NULL, maker.arena, &ids, &err), 0);
    for (size_t i = 0; i < N; i++) {
        push->streams->entries[i].ts_ns = (int64_t)i;
        push->streams->entries[i].line = CW_STR("x");
        push->streams->entries[i].metadata = &levels[i % 2];
        push->streams->entries[i].nmetadata = 1;
    }
    struct cw_head_batch batch = {.tenant = CW_STR("t"), .push = push, .ids = ids};
    cw_head_append(maker.head, &batch, NULL);
    cw_head_commit(maker.head, 1);
    cr_expect_lt(cw_head_bytes(maker.head), N * 40 + 8192);
    expect(&maker, (struct cw_scan){.start_ns = 7, .end_ns = 9, .need = all().need},
           "7:x{l=\"warn\"} 8:x{l=\"info\"} ");
    maker_free(&maker);
}

/* Random entries of few times and lines against a list that is searched whole. */
Test(head, the_duplicate_rule_holds_for_entries_in_any_order)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct maker maker = maker_new();
        struct {
            int64_t ts;
            char line[8];
        } have[4000];
        size_t nhave = 0, committed = 0;
        unsigned state = seed * 2654435761u;
        int64_t now = 0;
        for (int step = 0; step < 3000; step++) {
            state = state * 1664525u + 1013904223u;
            bool ordered = seed % 3 == 0 || (seed % 3 == 1 && step < 1500);
            now += (state >> 16) % 4 == 0;
            int64_t ts = ordered ? now : (int64_t)((state >> 12) % 300);
            char line[8];
            snprintf(line, sizeof(line), "l%u", (state >> 8) % (seed % 2 ? 3 : 200));
            bool there = false;
            for (size_t i = 0; i < nhave; i++)
                there |= have[i].ts == ts && strcmp(have[i].line, line) == 0;
            struct cw_str text = cw_arena_dup(maker.arena, cw_str_of(line));
            size_t dropped = append(&maker, "t", make_at(&maker, "{a=\"b\"}", &ts, 1, text.ptr),
                                    CW_HEAD_DROP_DUPLICATES);
            cr_assert_eq(dropped, there, "seed %u step %d", seed, step);
            if (!there) {
                have[nhave].ts = ts;
                strcpy(have[nhave++].line, line);
            }
            if (state % 17 == 0) {
                cw_head_commit(maker.head, (uint64_t)step + 1);
                committed = nhave;
            } else if (state % 71 == 0) {
                cw_head_rollback(maker.head);
                nhave = committed;
            }
        }
        cw_head_commit(maker.head, 5000);
        cr_assert_eq(cw_head_entries(maker.head), nhave);
        maker_free(&maker);
    }
}

Test(head, a_scan_gives_time_order_both_ways_whatever_the_order_of_arrival)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(30, 10, 20), "x"), CW_HEAD_DROP_DUPLICATES);
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(10), "second at 10"),
           CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    expect(&maker, all(), "10:x 10:second at 10 20:x 30:x ");
    struct cw_scan scan = all();
    scan.newest_first = true;
    expect(&maker, scan, "30:x 20:x 10:second at 10 10:x ");
    scan.start_ns = 10;
    scan.end_ns = 30;
    expect(&maker, scan, "20:x 10:second at 10 10:x ");
    maker_free(&maker);
}

Test(head, a_range_is_half_open_but_for_the_end_of_time)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(INT64_MIN + 1, 0, INT64_MAX), "x"),
           CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    struct cw_scan scan = all();
    expect(&maker, scan, "-9223372036854775807:x 0:x 9223372036854775807:x ");
    scan.start_ns = 0;
    scan.end_ns = INT64_MAX - 1;
    expect(&maker, scan, "0:x ");
    maker_free(&maker);
}

Test(head, entries_before_the_horizon_are_hidden)
{
    struct maker maker = maker_new();
    struct cw_snapshot snapshot = {0};
    struct cw_units units = {0};
    struct cw_err err = {0};
    struct cw_scan scan = all();
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(1, 2, 3), NULL), CW_HEAD_DROP_DUPLICATES);
    append(&maker, "t", make_at(&maker, "{a=\"old\"}", AT(1, 2), NULL), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    cw_head_add_sources(maker.head, CW_STR("t"), 3, &snapshot);
    cr_assert_eq(snapshot.sources[0]->ops->plan(snapshot.sources[0], &scan, &units, &err), 0);
    cr_assert_eq(units.n, 1);
    cr_assert_eq(
        snapshot.sources[0]->ops->open(snapshot.sources[0], &scan, &units.items[0], &cursor, &err),
        0);
    cr_assert_eq(cw_cursor_next(cursor, &batch, &err), 1);
    cr_assert_eq(batch.n, 1);
    cr_assert_eq(batch.ts_ns[0], 3);
    cw_cursor_close(&cursor);
    cw_units_fini(&units);
    cw_snapshot_fini(&snapshot);
    maker_free(&maker);
}

Test(head, filters_and_selectors_run_over_the_blocks)
{
    struct maker maker = maker_new();
    struct cw_err err = {0};
    struct cw_push *push = make(&maker, "{a=\"b\", k=\"1\"}", 10000);
    for (int i = 0; i < 10000; i++) {
        push->streams->entries[i].ts_ns = i;
        push->streams->entries[i].line =
            cw_arena_printf(maker.arena, "%d needle%s", i, i % 2500 == 7 ? " found" : "");
    }
    append(&maker, "t", push, CW_HEAD_DROP_DUPLICATES);
    append(&maker, "t", make_at(&maker, "{a=\"b\", k=\"2\"}", AT(1), "also found"),
           CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    struct cw_line_filter *filter;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, CW_STR("found"), 0, &err), 0);
    const struct cw_line_filter *const filters[] = {filter};
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("k"), CW_STR("1"), &err), 0);
    struct cw_scan scan = all();
    scan.filters = filters;
    scan.nfilters = 1;
    scan.selector = &selector;
    expect(
        &maker, scan,
        "7:7 needle found 2507:2507 needle found 5007:5007 needle found 7507:7507 needle found ");
    scan.newest_first = true;
    scan.start_ns = 8;
    scan.end_ns = 7507;
    expect(&maker, scan, "5007:5007 needle found 2507:2507 needle found ");
    cw_selector_fini(&selector);
    cw_line_filter_free(&filter);
    maker_free(&maker);
}

Test(head, lines_of_any_bytes_and_size_come_back)
{
    struct maker maker = maker_new();
    struct cw_push *push = make(&maker, "{a=\"b\"}", 3);
    static char big[1 << 20];
    memset(big, 0xff, sizeof(big));
    push->streams->entries[0] = (struct cw_push_entry){.ts_ns = 1, .line = CW_STR_NONE};
    push->streams->entries[1] = (struct cw_push_entry){.ts_ns = 2, .line = cw_str_make("a\0\n", 3)};
    push->streams->entries[2] =
        (struct cw_push_entry){.ts_ns = 3, .line = cw_str_make(big, sizeof(big))};
    append(&maker, "t", push, CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 1);
    struct cw_snapshot snapshot = {0};
    struct cw_units units = {0};
    struct cw_err err = {0};
    struct cw_scan scan = all();
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    size_t n = 0;
    cw_head_add_sources(maker.head, CW_STR("t"), INT64_MIN, &snapshot);
    cr_assert_eq(snapshot.n, 1);
    cr_assert_eq(snapshot.sources[0]->ops->plan(snapshot.sources[0], &scan, &units, &err), 0);
    cr_assert_eq(
        snapshot.sources[0]->ops->open(snapshot.sources[0], &scan, &units.items[0], &cursor, &err),
        0);
    while (cw_cursor_next(cursor, &batch, &err) == 1) {
        for (size_t i = 0; i < batch.n; i++, n++)
            cr_assert(cw_str_eq(batch.lines[i], push->streams->entries[n].line));
    }
    cr_assert_eq(n, 3);
    cw_cursor_close(&cursor);
    cw_units_fini(&units);
    cw_snapshot_fini(&snapshot);
    maker_free(&maker);
}

static void count_stream(void *arg, const struct cw_generation_stream *stream)
{
    uint64_t *sum = arg;
    sum[0]++;
    sum[1] += stream->nentries;
    sum[2] += stream->line_bytes;
}

Test(head, a_frozen_generation_tells_its_streams_and_outlives_the_head_s_list)
{
    struct maker maker = maker_new();
    uint64_t sum[3] = {0};
    cr_assert_null(cw_head_freeze(maker.head));
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(3, 1), "xx"), CW_HEAD_DROP_DUPLICATES);
    append(&maker, "u", make_at(&maker, "{a=\"c\"}", AT(2), "yyy"), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 3);
    append(&maker, "u", make_at(&maker, "{never=\"seen\"}", AT(2), "yyy"), CW_HEAD_DROP_DUPLICATES);
    cw_head_rollback(maker.head);
    struct cw_snapshot held = {0};
    cw_head_add_sources(maker.head, CW_STR("t"), INT64_MIN, &held);
    struct cw_generation *frozen = cw_head_freeze(maker.head);
    cw_generation_each_stream(frozen, count_stream, sum);
    cr_assert_eq(sum[0], 2);
    cr_assert_eq(sum[1], 3);
    cr_assert_eq(sum[2], 7);
    cw_head_drop(maker.head, frozen);
    cw_generation_unref(&frozen);
    expect(&maker, all(), "");
    cr_assert_gt(cw_head_bytes(maker.head), 0, "a query holds it");
    cr_assert_eq(held.n, 1);
    cr_assert_eq(held.sources[0]->min_ns, 1);
    cw_snapshot_fini(&held);
    cr_assert_eq(cw_head_entries(maker.head), 0);
    maker_free(&maker);
}

Test(head, what_waits_for_its_flush_is_told_by_frame_tenant_and_time)
{
    struct maker maker = maker_new();
    append(&maker, "t", make_at(&maker, "{a=\"b\"}", AT(10, 20), "xx"), CW_HEAD_DROP_DUPLICATES);
    append(&maker, "u", make_at(&maker, "{a=\"c\"}", AT(90), "yyy"), CW_HEAD_DROP_DUPLICATES);
    cw_head_commit(maker.head, 3);
    cr_assert_not(cw_head_waits(maker.head, 3, CW_STR("t"), 0, 100), "it is not frozen");
    struct cw_generation *frozen = cw_head_freeze(maker.head);
    cr_assert(cw_head_waits(maker.head, 3, CW_STR("t"), 20, 100));
    cr_assert(cw_head_waits(maker.head, 3, CW_STR("t"), 0, 10));
    cr_assert_not(cw_head_waits(maker.head, 2, CW_STR("t"), 0, 100));
    cr_assert_not(cw_head_waits(maker.head, 3, CW_STR("t"), 21, 100));
    cr_assert_not(cw_head_waits(maker.head, 3, CW_STR("t"), 0, 9));
    cr_assert_not(cw_head_waits(maker.head, 3, CW_STR("nobody"), 0, 100));
    cw_head_drop(maker.head, frozen);
    cw_generation_unref(&frozen);
    cr_assert_not(cw_head_waits(maker.head, 3, CW_STR("t"), 0, 100));
    maker_free(&maker);
}

Test(head, replay_leaves_out_the_listed_entries_and_decides_nothing)
{
    struct maker maker = maker_new();
    struct cw_push *push = make_at(&maker, "{a=\"b\"}", AT(1, 1, 2, 3), "x");
    struct cw_hash128 *ids;
    struct cw_err err = {0};
    static const uint32_t dropped[] = {2};
    cr_assert_eq(cw_push_resolve(push, NULL, maker.arena, &ids, &err), 0);
    struct cw_head_batch batch = {
        .tenant = CW_STR("t"), .push = push, .ids = ids, .duplicates = CW_HEAD_DROP_DUPLICATES};
    cw_head_append_listed(maker.head, &batch, dropped, 1);
    cw_head_commit(maker.head, 1);
    expect(&maker, all(), "1:x 1:x 3:x ");
    maker_free(&maker);
}

Test(head, a_hundred_thousand_small_streams_fit)
{
    struct maker maker = maker_new();
    for (int i = 0; i < 100000; i++) {
        struct cw_str labels = cw_arena_printf(maker.arena, "{pod=\"p%d\"}", i);
        append(&maker, "t", make_at(&maker, labels.ptr, AT(i, i + 1), "x"),
               CW_HEAD_DROP_DUPLICATES);
    }
    cw_head_commit(maker.head, 1);
    cr_assert_eq(cw_head_streams(maker.head), 100000);
    cr_assert_eq(cw_head_entries(maker.head), 200000);
    cr_assert_lt(cw_head_bytes(maker.head) / 100000, 2000);
    maker_free(&maker);
}

static void expect_cost(struct maker *maker, struct cw_push *push)
{
    enum { ARENA_STEP = 1 << 20, TENANT = 4096 };
    struct cw_memory_budget budget;
    cw_memory_budget_init(&budget, UINT64_MAX);
    cw_head_set_budget(maker->head, &budget);
    append(maker, "t", push, CW_HEAD_DROP_DUPLICATES);
    cr_expect_leq(cw_head_bytes(maker->head), cw_head_cost(push) + ARENA_STEP + TENANT);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_HEAD), cw_head_bytes(maker->head));
    cw_head_free(&maker->head);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_HEAD), 0, "all of it is given back");
}

Test(head, a_push_costs_no_more_than_was_asked_for_it)
{
    static const struct cw_label pairs[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"22", 2}}};
    enum { N = 20000 };
    struct maker maker = maker_new();
    struct cw_push *push = make(&maker, "{a=\"b\"}", N); /* one byte lines, in order */
    for (size_t i = 0; i < N; i++)
        push->streams->entries[i] = (struct cw_push_entry){(int64_t)i, CW_STR("x"), NULL, 0};
    expect_cost(&maker, push);
    maker.head = cw_head_new(0); /* with metadata */
    for (size_t i = 0; i < N; i++)
        push->streams->entries[i] = (struct cw_push_entry){(int64_t)i, CW_STR("x"), pairs, 2};
    expect_cost(&maker, push);
    maker.head = cw_head_new(0); /* a stream an entry */
    struct cw_push many = {.streams = CW_ARENA_ARRAY(maker.arena, struct cw_push_stream, N),
                           .nstreams = N,
                           .nentries = N};
    for (size_t i = 0; i < N; i++) {
        struct cw_push *one = make(&maker, "", 1);
        many.streams[i] = one->streams[0];
        many.streams[i].labels_text = cw_arena_printf(maker.arena, "{n=\"%zu\"}", i);
        many.streams[i].entries[0] = (struct cw_push_entry){(int64_t)i, CW_STR("x"), NULL, 0};
    }
    expect_cost(&maker, &many);
    maker_free(&maker);
}
