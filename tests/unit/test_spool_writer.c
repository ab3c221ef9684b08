#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/file.h"
#include "shipper/shipper_metrics.h"
#include "shipper/spool_record.h"
#include "shipper/spool_writer.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static uv_loop_t loop;
static struct cw_metrics *metrics;
static struct cw_spool_writer *writer;
static struct cw_spool_options options;
static struct cw_sources *sources;
static int nsegments, nrooms, told, told_rc;

static void on_room(void *arg)
{
    nrooms++;
}

static void on_segment(void *arg)
{
    nsegments++;
}

static void on_told(void *ctx, int rc)
{
    told++;
    told_rc = rc;
}

static void spool_open(void)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_spool_writer_open(&options, &writer, &err), 0, "%s", err.text);
}

static void spool_close(void)
{
    cw_spool_writer_close(&writer);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void setup(void)
{
    cw_log_folder_init(&folder);
    cr_assert_eq(uv_loop_init(&loop), 0);
    metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    static char spool[256];
    snprintf(spool, sizeof spool, "%s/spool/syslog", folder.dir);
    options = (struct cw_spool_options){.loop = &loop,
                                        .folder = spool,
                                        .name = "syslog",
                                        .segment_bytes = 1000,
                                        .max_bytes = 1u << 20,
                                        .metrics = metrics,
                                        .on_room = on_room,
                                        .on_segment = on_segment};
    struct cw_sources_options sources_options = {.metrics = metrics};
    sources = cw_sources_new(&sources_options);
    (void)cw_sources_output_add(sources, CW_STR("main"), CW_STR(""), CW_STR(""));
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err = {0};
    char pattern[300];
    snprintf(pattern, sizeof pattern, "%s/*" CW_SPOOL_SUFFIX, spool);
    cr_assert_eq(cw_glob_compile(cw_str_of(pattern), &target->glob, &err), 0);
    target->name = strdup("syslog");
    target->format = CW_SOURCE_SPOOL;
    cw_sources_target_add(sources, target);
    spool_open();
}

static void teardown(void)
{
    spool_close();
    cr_assert_eq(uv_loop_close(&loop), 0);
    cw_sources_free(&sources);
    cw_metrics_free(&metrics);
    cw_log_folder_fini(&folder);
}

TestSuite(spool_writer, .init = setup, .fini = teardown);

static void put(const char *line, const char *cursor)
{
    struct cw_spool_record record = {
        .ts_ns = 1, .line = cw_str_of(line), .cursor = cw_str_of(cursor)};
    struct cw_buf bytes;
    cw_buf_init(&bytes, 1u << 20);
    cr_assert_eq(cw_spool_record_encode(&record, &bytes, NULL), 1);
    cw_spool_writer_add(writer, cw_buf_str(&bytes), 1, record.cursor);
    cw_buf_fini(&bytes);
}

static void commit_and_wait(void)
{
    int before = told;
    cw_spool_writer_commit(writer, on_told, NULL);
    while (told == before)
        uv_run(&loop, UV_RUN_ONCE);
}

/* All lines of all segments in order, with '|' behind each. */
static const char *lines(void)
{
    static char text[65536];
    struct cw_file_names names;
    struct cw_arena *arena = cw_arena_new();
    cr_assert_eq(cw_file_list(options.folder, &names, NULL), 0);
    text[0] = '\0';
    for (size_t i = 0; i < names.n; i++) {
        char path[400];
        struct cw_buf bytes;
        struct cw_spool_record record;
        snprintf(path, sizeof path, "%s/%s", options.folder, names.names[i]);
        cw_buf_init(&bytes, 1u << 20);
        cr_assert_eq(cw_file_read(path, 1u << 20, &bytes, NULL), 0);
        for (size_t at = 0;
             cw_spool_record_next(cw_buf_str(&bytes), &at, arena, &record, NULL) == 1;)
            sprintf(text + strlen(text), "%.*s|", CW_STR_ARG(record.line));
        cw_buf_fini(&bytes);
    }
    cw_file_names_free(&names);
    cw_arena_free(&arena);
    return text;
}

static size_t nfiles(void)
{
    struct cw_file_names names;
    cr_assert_eq(cw_file_list(options.folder, &names, NULL), 0);
    size_t n = names.n;
    cw_file_names_free(&names);
    return n;
}

static void scan(void)
{
    cw_sources_scan(sources, cw_clock_now_ns(), cw_clock_mono_ns());
}

static void settle_all(void)
{
    for (size_t i = 0; i < sources->n; i++)
        cw_source_seek(sources->items[i], sources->items[i]->tail.size);
}

Test(spool_writer, a_waiter_is_told_when_all_that_was_added_is_on_disk)
{
    put("one", "");
    put("two", "");
    commit_and_wait();
    cr_assert_eq(told_rc, 0);
    cr_assert_str_eq(lines(), "one|two|");
    cr_assert_eq(nsegments, 1);
    cr_assert(cw_spool_writer_idle(writer));
    cw_spool_writer_commit(writer, on_told, NULL);
    cr_assert_eq(told, 2, "nothing to wait for");
}

Test(spool_writer, waiters_of_one_write_are_told_together_and_those_of_the_next_later)
{
    put("one", "");
    cw_spool_writer_commit(writer, on_told, NULL); /* this write runs while the others come */
    put("two", "");
    cw_spool_writer_commit(writer, on_told, NULL);
    put("three", "");
    cw_spool_writer_commit(writer, on_told, NULL);
    while (told < 3)
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_str_eq(lines(), "one|two|three|");
}

Test(spool_writer, a_torn_tail_is_cut_at_the_start_and_a_new_segment_begun)
{
    put("one", "c1");
    put("two", "c2");
    commit_and_wait();
    spool_close();
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/0000000000000001" CW_SPOOL_SUFFIX, options.folder);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(truncate(path, st.st_size - 3), 0);
    spool_open();
    cr_assert_str_eq(lines(), "one|");
    cr_assert_eq(stat(path, &st), 0);
    cr_assert(cw_str_eqz(cw_spool_writer_cursor(writer), "c1"),
              "the cursor goes with the entry that is lost");
    put("three", "c3");
    commit_and_wait();
    cr_assert_eq(nfiles(), 2);
    cr_assert_str_eq(lines(), "one|three|");
    cr_assert(cw_str_eqz(cw_spool_writer_cursor(writer), "c3"));
}

Test(spool_writer, settled_segments_go_but_the_one_with_the_cursor)
{
    char line[600];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 6; i++) {
        put(line, "c");
        commit_and_wait();
    }
    scan();
    cr_assert_eq(nfiles(), 3);
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nfiles(), 3, "nothing is settled");
    settle_all();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nfiles(), 1);
    spool_close();
    spool_open();
    cr_assert(cw_str_eqz(cw_spool_writer_cursor(writer), "c"));
}

Test(spool_writer, without_a_cursor_all_settled_segments_go)
{
    put("one", "");
    commit_and_wait();
    spool_close();
    spool_open();
    scan();
    settle_all();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nfiles(), 0);
}

Test(spool_writer, over_its_bytes_it_has_no_room_until_segments_are_settled)
{
    spool_close();
    options.max_bytes = 2000;
    spool_open();
    cr_assert(cw_spool_writer_room(writer));
    char line[600];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 4; i++) {
        put(line, "");
        commit_and_wait();
    }
    cr_assert_not(cw_spool_writer_room(writer));
    scan();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nrooms, 0);
    settle_all();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nrooms, 1);
    cr_assert(cw_spool_writer_room(writer));
}

Test(spool_writer, or_its_oldest_segments_are_lost_and_counted)
{
    spool_close();
    options.max_bytes = 2000;
    options.full = CW_SPOOL_DROP_OLDEST;
    spool_open();
    char line[600];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 6; i++) {
        put(line, "");
        commit_and_wait();
    }
    cr_assert(cw_spool_writer_room(writer));
    scan();
    size_t half = sources->items[0]->tail.size / 2;
    cw_source_seek(sources->items[0], half); /* one of the two in the oldest was delivered */
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    cr_assert_eq(nfiles(), 1);
    struct cw_str name = CW_STR("syslog");
    cr_assert_eq(cw_metric_value(cw_metrics_child(metrics, CW_M_SPOOL_LOST, &name)), 3);
    cr_assert_eq(cw_source_position(sources->items[0]), sources->items[0]->tail.size,
                 "the source ends where it is");
}

Test(spool_writer, what_is_too_old_is_lost_and_counted)
{
    spool_close();
    options.max_age_ns = 3600 * CW_NS_PER_S;
    spool_open();
    put("old", "");
    commit_and_wait();
    spool_close();
    spool_open();
    scan();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns() + 3599 * CW_NS_PER_S);
    cr_assert_eq(nfiles(), 1);
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns() + 3601 * CW_NS_PER_S);
    cr_assert_eq(nfiles(), 0);
    struct cw_str name = CW_STR("syslog");
    cr_assert_eq(cw_metric_value(cw_metrics_child(metrics, CW_M_SPOOL_LOST, &name)), 1);
}

/* A folder where the next segment is to be: it cannot be made. */
static void block_segment(unsigned number, bool on)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%016u" CW_SPOOL_SUFFIX, options.folder, number);
    cr_assert_eq(on ? mkdir(path, 0700) : rmdir(path), 0);
}

Test(spool_writer, what_cannot_be_written_is_kept_and_written_later)
{
    block_segment(1, true);
    put("one", "");
    cw_spool_writer_commit(writer, on_told, NULL);
    while (cw_spool_writer_room(writer))
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_eq(told, 0);
    block_segment(1, false);
    put("two", "");
    while (told == 0)
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_eq(told_rc, 0);
    while (!cw_spool_writer_idle(writer))
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_str_eq(lines(), "one|two|");
    cr_assert_eq(nrooms, 1);
}

Test(spool_writer, or_given_back_to_who_sends_it_again)
{
    spool_close();
    options.failure = CW_SPOOL_GIVE_BACK;
    spool_open();
    block_segment(1, true);
    put("one", "");
    commit_and_wait();
    cr_assert_lt(told_rc, 0);
    cr_assert(cw_spool_writer_idle(writer));
    block_segment(1, false);
    put("one", "");
    commit_and_wait();
    cr_assert_str_eq(lines(), "one|");
}

Test(spool_writer, a_burst_is_written_in_segments_and_the_newest_of_it_stays)
{
    spool_close();
    options.max_bytes = 8000;
    options.segment_bytes = 2000;
    options.full = CW_SPOOL_DROP_OLDEST;
    spool_open();
    char line[100];
    for (int i = 0; i < 1000; i++) { /* all in one load */
        snprintf(line, sizeof line, "%04d", i);
        put(line, "");
    }
    commit_and_wait();
    cr_assert_eq(
        cw_metric_value(cw_metrics_child(metrics, CW_M_RECEIVED, &(struct cw_str){"syslog", 6})),
        1000);
    cr_assert_gt(nfiles(), 10);
    scan();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns());
    const char *kept = lines();
    cr_assert_gt(strlen(kept), 5 * 50, "%s", kept);
    cr_assert_str_eq(kept + strlen(kept) - 10, "0998|0999|");
    int64_t lost =
        cw_metric_value(cw_metrics_child(metrics, CW_M_SPOOL_LOST, &(struct cw_str){"syslog", 6}));
    cr_assert_eq((size_t)lost, 1000 - strlen(kept) / 5);
}

Test(spool_writer, what_is_lost_is_a_gap_in_the_ledger_met_or_not)
{
    spool_close();
    options.max_age_ns = 3600 * CW_NS_PER_S;
    spool_open();
    put("met", "");
    commit_and_wait();
    spool_close();
    spool_open();
    scan();
    uint64_t size = sources->items[0]->tail.size;
    put("never met", "");
    commit_and_wait();
    spool_close();
    spool_open();
    cw_spool_writer_prune(writer, sources, cw_clock_now_ns() + 3601 * CW_NS_PER_S);
    cr_assert_eq(nfiles(), 0);
    const struct cw_tally *tally = sources->items[0]->tally;
    cr_assert_eq(tally->gap_bytes, size);
    cr_assert_str_eq(tally->gaps[0].why, "1 entries of syslog, whose spool was over its bounds");
    cr_assert_gt(sources->forgotten->gap_bytes, size);
    cr_assert(cw_sources_dirty(sources));
}
