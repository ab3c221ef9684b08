#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "shipper/batch.h"
#include "shipper/shipper_metrics.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_batch *batch;
static struct cw_metrics *metrics;
static uint64_t ndropped, nunselected, nerrors;

static void setup(void)
{
    metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    cw_log_folder_init(&folder);
}

static void teardown(void)
{
    cw_batch_free(&batch);
    cw_metrics_free(&metrics);
    cw_log_folder_fini(&folder);
}

static int64_t counted(enum cw_shipper_metric metric)
{
    return cw_metric_value(cw_metrics_child(metrics, metric, NULL));
}

TestSuite(batch, .init = setup, .fini = teardown);

static void on_error(void *arg, struct cw_source *source, const struct cw_err *err)
{
    nerrors++;
}

static void on_changed(void *arg, struct cw_source *source)
{
}

static void on_dropped(void *arg, struct cw_source *source, const struct cw_batch_counts *counts)
{
    ndropped += counts->skipped;
    nunselected += counts->unselected;
}

static char tenant_told[64];
static bool tenant_refused;

static bool on_tenant(void *arg, struct cw_str tenant)
{
    snprintf(tenant_told, sizeof tenant_told, "%.*s", CW_STR_ARG(tenant));
    return !tenant_refused;
}

static const struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped, NULL};

static struct cw_source *source_make(const char *name, size_t noutputs, uint8_t id)
{
    struct cw_source *source = cw_source_new(noutputs, cw_log_folder_path(&folder, name));
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_open(&source->tail, source->path, &err), 0, "%s", err.text);
    source->id.bytes[0] = id;
    source->generation = 1;
    source->durable = true;
    for (size_t i = 0; i < CW_SOURCE_STREAMS; i++) {
        struct cw_label pair = {CW_STR("s"), i ? CW_STR("err") : CW_STR("out")};
        source->labels[i] = cw_labels_dup_heap((struct cw_labels){&pair, 1});
    }
    return source;
}

static void batch_make(size_t bytes, size_t max_line, bool truncate)
{
    struct cw_batch_options options = {.bytes = bytes,
                                       .metrics = metrics,
                                       .max_line_bytes = max_line,
                                       .long_lines = truncate ? CW_LONG_TRUNCATE : CW_LONG_SKIP};
    batch = cw_batch_new(&options);
}

static size_t cut(struct cw_source **sources, size_t n, size_t max_entries)
{
    for (size_t i = 0; i < n; i++) {
        enum cw_file_verdict verdict;
        struct cw_err err;
        cr_assert_eq(cw_tail_stat(&sources[i]->tail, 0, &verdict, &err), 0);
    }
    return cw_batch_cut(batch, &(struct cw_source_list){sources, n, n}, max_entries, 1000, &report);
}

static void settle(void)
{
    for (size_t i = 0; i < batch->nparts; i++)
        cw_ledger_stored(&batch->parts[i].source->rows[batch->options.output], batch->parts[i].to,
                         batch->parts[i].last_ts_ns);
    cw_batch_drop(batch);
}

static void expect_entry(size_t i, const char *line)
{
    cr_assert_lt(i, batch->nentries);
    cr_assert(cw_str_eqz(batch->entries[i].push.line, line), "entry %zu is \"%.*s\"", i,
              CW_STR_ARG(batch->entries[i].push.line));
}

/* Of one output, or of two that share what is staged (`pieces`). */
static void no_room_check(struct cw_batch_pieces *pieces)
{
    size_t noutputs = pieces != NULL ? 2 : 1;
    struct cw_batch_options options = {.bytes = 14, .pieces = pieces};
    cw_log_folder_append(&folder, "a", "twelve bytes\n");
    cw_log_folder_append(&folder, "b", "four\n");
    struct cw_source *sources[] = {source_make("a", noutputs, 1), source_make("b", noutputs, 2)};
    batch = cw_batch_new(&options);
    cr_assert_eq(cut(sources, 2, 100), 1, "two bytes are left");
    settle();
    cr_assert_eq(cut(sources, 2, 100), 1);
    expect_entry(0, "four");
    settle();
    cw_log_folder_append(&folder, "a", "more\n");
    cw_log_folder_append(&folder, "b", "more\n");
    batch->resume = 0;
    cr_assert_eq(cut(sources, 2, 1), 1);
    settle();
    cr_assert_eq(cut(sources, 2, 1), 1);
    cr_assert_eq(batch->parts[0].source, sources[1]);
    settle();
    cw_batch_free(&batch);
    cw_source_free(&sources[0]);
    cw_source_free(&sources[1]);
}

Test(batch, a_source_without_room_in_a_batch_is_in_the_next)
{
    no_room_check(NULL);
}

Test(batch, so_is_one_of_which_a_piece_was_staged_for_several_outputs)
{
    struct cw_batch_pieces *pieces = cw_batch_pieces_new();
    no_room_check(pieces);
    cw_batch_pieces_free(&pieces);
}

Test(batch, a_file_that_grew_since_it_was_looked_at_ends_no_batch)
{
    cw_log_folder_append(&folder, "a", "one\n");
    cw_log_folder_append(&folder, "b", "two\n");
    struct cw_source *sources[] = {source_make("a", 1, 1), source_make("b", 1, 2)};
    batch_make(1 << 20, 0, false);
    enum cw_file_verdict verdict;
    struct cw_err err;
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(cw_tail_stat(&sources[i]->tail, 0, &verdict, &err), 0);
    cw_log_folder_append(&folder, "a", "later\n");
    struct cw_source_list list = {sources, 2, 2};
    cr_assert_eq(cw_batch_cut(batch, &list, 100, 1000, &report), 2);
    settle();
    cr_assert_eq(cut(sources, 2, 100), 1);
    expect_entry(0, "later");
    settle();
    cw_source_free(&sources[0]);
    cw_source_free(&sources[1]);
}

Test(batch, whole_lines_are_taken_and_half_ones_wait)
{
    cw_log_folder_append(&folder, "a", "one\n\ntwo\r\nhal");
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(&source, 1, 100), 3);
    expect_entry(0, "one");
    expect_entry(1, "");
    expect_entry(2, "two\r");
    cr_assert(batch->parts[0].from == 0 && batch->parts[0].to == 10);
    cr_assert_lt(batch->entries[0].push.ts_ns, batch->entries[1].push.ts_ns);
    settle();
    cr_assert_eq(cut(&source, 1, 100), 0);
    cr_assert(!cw_source_pending(source, 0), "not looked at again before it grows");
    cw_log_folder_append(&folder, "a", "f\n");
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "half");
    settle();
    cw_log_folder_append(&folder, "a", "end");
    cr_assert_eq(cut(&source, 1, 100), 0);
    source->final = true;
    source->rows[0].held_size = 0;
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "end");
    settle();
    cr_assert_eq(source->rows[0].done, source->tail.size);
    cw_source_free(&source);
}

Test(batch, half_a_line_that_grew_since_the_look_is_not_its_last)
{
    cw_log_folder_append(&folder, "a", "one\nhal");
    struct cw_source *source = source_make("a", 1, 1);
    struct cw_source_list list = {&source, 1, 1};
    batch_make(1 << 20, 0, false);
    source->final = true;
    cw_log_folder_append(&folder, "a", "f\n");
    cr_assert_eq(cw_batch_cut(batch, &list, 100, 1000, &report), 1);
    expect_entry(0, "one");
    settle();
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "half");
    settle();
    cw_source_free(&source);
}

Test(batch, size_and_count_bound_it_and_sources_take_turns)
{
    for (int i = 0; i < 100; i++) {
        cw_log_folder_append(&folder, "a", "aaaaaaaaa\n");
        cw_log_folder_append(&folder, "b", "bbbbbbbbb\n");
    }
    struct cw_source *sources[] = {source_make("a", 1, 1), source_make("b", 1, 2)};
    batch_make(450, 0, false);
    cr_assert_eq(cut(sources, 2, 1000), 50);
    cr_assert_eq(batch->line_bytes, 450);
    settle();
    cr_assert_eq(cut(sources, 2, 7), 7);
    settle();
    size_t total = 57;
    while (cut(sources, 2, 1000) > 0) {
        total += batch->nentries;
        settle();
    }
    cr_assert_eq(total, 200);
    for (int i = 0; i < 2; i++)
        cw_source_free(&sources[i]);
}

Test(batch, several_sources_share_a_push)
{
    cw_log_folder_append(&folder, "a", "a1\na2\n");
    cw_log_folder_append(&folder, "b", "b1\n");
    struct cw_source *sources[] = {source_make("a", 1, 1), source_make("b", 1, 2)};
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(sources, 2, 1000), 3);
    cr_assert_eq(batch->nparts, 2);
    cr_assert(sources[0]->nbusy == 1 && sources[1]->nbusy == 1);
    cw_batch_drop(batch);
    cr_assert(sources[0]->nbusy == 0 && sources[1]->nbusy == 0);
    cr_assert_eq(cut(sources, 2, 1000), 3, "what was not settled is cut again");
    settle();
    for (int i = 0; i < 2; i++)
        cw_source_free(&sources[i]);
}

static void long_line(const char *name, size_t n)
{
    char *line = malloc(n + 2);
    memset(line, 'x', n);
    strcpy(line + n, "\n");
    cw_log_folder_append(&folder, name, line);
    free(line);
}

Test(batch, a_line_over_the_limit_is_cut_or_left_out)
{
    cw_log_folder_append(&folder, "a", "short\n");
    long_line("a", 100);
    cw_log_folder_append(&folder, "a", "after\n");
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1 << 20, 50, true);
    cr_assert_eq(cut(&source, 1, 100), 3);
    cr_assert_eq(batch->entries[1].push.line.len, 50);
    cr_assert_eq(counted(CW_M_LINES_TRUNCATED), 1);
    cw_batch_drop(batch);
    cw_batch_free(&batch);
    batch_make(1 << 20, 50, false);
    cr_assert_eq(cut(&source, 1, 100), 2);
    expect_entry(1, "after");
    cr_assert_eq(batch->parts[0].counts.skipped, 1);
    settle();
    cw_source_free(&source);
}

Test(batch, a_long_line_goes_in_pieces_or_ends_with_a_mark_by_choice)
{
    cw_log_folder_append(&folder, "a", "ok\nxxxxéxxxxx\nxxxxxxxxxx\nend\n");
    struct cw_source *source = source_make("a", 1, 1);
    struct cw_batch_options options = {
        .bytes = 1 << 20, .metrics = metrics, .max_line_bytes = 5, .long_lines = CW_LONG_SPLIT};
    batch = cw_batch_new(&options);
    cr_assert_eq(cut(&source, 1, 100), 7);
    static const char *const lines[] = {"ok", "xxxx", "éxxx", "xx", "xxxxx", "xxxxx", "end"};
    for (size_t i = 0; i < CW_COUNT(lines); i++)
        expect_entry(i, lines[i]);
    for (size_t i = 1; i < CW_COUNT(lines); i++)
        cr_assert_lt(batch->entries[i - 1].push.ts_ns, batch->entries[i].push.ts_ns);
    cr_assert_eq(counted(CW_M_LINES_SPLIT), 5);
    cr_assert_eq(batch->parts[0].last_ts_ns, batch->entries[6].push.ts_ns);
    cw_batch_drop(batch);
    cr_assert_eq(cut(&source, 1, 2), 4, "the pieces of a line stay together");
    cr_assert_eq(counted(CW_M_LINES_SPLIT), 5, "each piece once, however often it is cut");
    cw_batch_free(&batch);
    cw_source_free(&source);
    source = source_make("a", 1, 1);
    options.long_lines = CW_LONG_TRUNCATE;
    options.truncated_mark = CW_STR("..");
    batch = cw_batch_new(&options);
    cr_assert_eq(cut(&source, 1, 100), 4);
    expect_entry(1, "xxx..");
    expect_entry(3, "end");
    cr_assert_eq(counted(CW_M_LINES_TRUNCATED), 2);
    cw_batch_free(&batch);
    cw_source_free(&source);
}

Test(batch, the_mark_of_a_byte_order_says_what_a_file_is_written_in)
{
    cw_log_folder_append_bytes(&folder, "a", "\xff\xfe", 2);
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(&source, 1, 100), 0);
    cw_log_folder_append_bytes(&folder, "a", "a\0\n\0\xe9\0\n\0\0\xd8\n\0", 12);
    cr_assert_eq(cut(&source, 1, 100), 3);
    expect_entry(0, "a");
    expect_entry(1, "é");
    expect_entry(2, "\uFFFD");
    cr_assert_eq(batch->parts[0].to, 14);
    cr_assert_eq(counted(CW_M_LINES_UNDECODABLE), 1);
    settle();
    cw_source_free(&source);
    cw_log_folder_append_bytes(&folder, "b", "\xef\xbb\xbfone\n\xef\xbb\xbf", 10);
    source = source_make("b", 1, 1);
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "one");
    settle();
    cw_source_free(&source);
}

Test(batch, the_hole_of_a_file_that_was_truncated_under_its_writer_is_left_out)
{
    struct cw_source *source;
    batch_make(1 << 18, 0, false);
    cw_log_folder_append(&folder, "a", "");
    cw_log_folder_truncate(&folder, "a", (size_t)1 << 40); /* as large as that: it is not read */
    cw_log_folder_append(&folder, "a", "after\n");
    source = source_make("a", 1, 1);
    size_t ncuts = 0;
    while (cut(&source, 1, 100) == 0)
        cr_assert_lt(++ncuts, 10);
    expect_entry(0, "after");
    cr_assert_eq(batch->parts[0].to, ((uint64_t)1 << 40) + 6);
    settle();
    cw_source_free(&source);
}

Test(batch, a_line_that_no_buffer_holds_goes_in_pieces_or_by_its_limit)
{
    size_t n = 3 * CW_BATCH_READ_BYTES_MIN + 17;
    long_line("a", n);
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1000, 0, false);
    size_t bytes = 0, pieces = 0;
    while (bytes < n) {
        cr_assert_eq(cut(&source, 1, 100), 1);
        bytes += batch->entries[0].push.line.len;
        pieces++;
        settle();
    }
    cr_assert_eq(bytes, n);
    cr_assert_eq(pieces, 4);
    cw_log_folder_append(&folder, "a", "after\n");
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "after");
    settle();
    cw_batch_free(&batch);
    cw_ledger_raised(&source->rows[0]);
    batch_make(1000, 60, true);
    cr_assert_eq(cut(&source, 1, 100), 1);
    cr_assert_eq(batch->entries[0].push.line.len, 60);
    cr_assert_eq(batch->parts[0].to, n + 1);
    settle();
    cw_batch_free(&batch);
    cw_ledger_raised(&source->rows[0]);
    batch_make(1000, 60, false);
    ndropped = 0;
    cr_assert_eq(cut(&source, 1, 100), 0, "left out: settled without a push");
    cr_assert(ndropped == 1 && source->rows[0].done == n + 1 && source->rows[0].mark == 0);
    cr_assert_eq(cut(&source, 1, 100), 1);
    cr_assert(batch->parts[0].from == 0 && batch->parts[0].to == n + 7,
              "the range begins at the mark all the same");
    settle();
    cw_source_free(&source);
}

Test(batch, a_truncated_file_gives_nothing_until_its_generation_is_raised)
{
    cw_log_folder_append(&folder, "a", "the first contents\nof this file\n");
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1 << 20, 0, false);
    cw_log_folder_truncate(&folder, "a", 0);
    cw_log_folder_append(&folder, "a",
                         "other contents, which are longer than what was there before\n");
    cr_assert_eq(cut(&source, 1, 100), 0);
    cr_assert(source->changed);
    cr_assert_eq(cut(&source, 1, 100), 0);
    cw_source_free(&source);
}

static void docker_append(const char *text, const char *stream, int second)
{
    char line[512];
    snprintf(line, sizeof line,
             "{\"log\":\"%s\",\"stream\":\"%s\",\"time\":\"2026-01-05T10:00:%02dZ\"}\n", text,
             stream, second);
    cw_log_folder_append(&folder, "d", line);
}

Test(batch, pieces_of_docker_entries_are_joined_by_stream)
{
    docker_append("one\\n", "stdout", 1);
    docker_append("pa", "stdout", 2);
    docker_append("er", "stderr", 3);
    docker_append("rt", "stdout", 4);
    docker_append("r\\n", "stderr", 5);
    docker_append("\\n", "stdout", 6);
    cw_log_folder_append(&folder, "d", "no json at all\n");
    docker_append("begun", "stdout", 7);
    struct cw_source *source = source_make("d", 1, 1);
    source->format = CW_SOURCE_DOCKER;
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(&source, 1, 100), 4);
    expect_entry(0, "one");
    expect_entry(1, "err");
    expect_entry(2, "part");
    expect_entry(3, "no json at all");
    cr_assert_eq(source->tally->read, 4, "one that lies around another too");
    cr_assert(cw_str_eqz(cw_batch_labels(batch, &batch->entries[1]), "{s=\"err\"}"));
    cr_assert(cw_str_eqz(cw_batch_labels(batch, &batch->entries[2]), "{s=\"out\"}"));
    cr_assert_eq(counted(CW_M_LINES_MALFORMED), 1);
    cr_assert_eq(batch->entries[2].push.ts_ns, 1767607202000000000, "the time of its first piece");
    cr_assert_lt(batch->parts[0].to, source->tail.size, "the entry that has begun waits");
    settle();
    cr_assert_eq(cut(&source, 1, 100), 0);
    docker_append("ning\\n", "stdout", 8);
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "begunning");
    settle();
    docker_append("last", "stderr", 9);
    cr_assert_eq(cut(&source, 1, 100), 0);
    source->final = true;
    source->rows[0].held_size = 0;
    cr_assert_eq(cut(&source, 1, 100), 1);
    expect_entry(0, "last");
    settle();
    cw_source_free(&source);
}

Test(batch, a_docker_entry_that_no_buffer_holds_goes_in_pieces)
{
    char piece[151];
    memset(piece, 'y', 150);
    piece[150] = '\0';
    size_t total = 0;
    while (total < 4 * CW_BATCH_READ_BYTES_MIN) {
        docker_append(piece, total % 300 ? "stdout" : "stderr", 1);
        total += 150;
    }
    docker_append("\\n", "stdout", 2);
    docker_append("\\n", "stderr", 2);
    struct cw_source *source = source_make("d", 1, 1);
    source->format = CW_SOURCE_DOCKER;
    batch_make(1 << 20, 0, false);
    size_t bytes = 0;
    for (int i = 0; i < 100 && source->rows[0].done < source->tail.size; i++) {
        cut(&source, 1, 100);
        bytes += batch->line_bytes;
        settle();
    }
    cr_assert_eq(bytes, total);
    cr_assert_eq(source->rows[0].done, source->tail.size);
    cw_source_free(&source);
}

Test(batch, what_is_encoded_is_what_was_cut)
{
    cw_log_folder_append(&folder, "a", "x1\n\xff\xfe\n");
    docker_append("out\\n", "stdout", 1);
    docker_append("err\\n", "stderr", 1);
    struct cw_source *sources[] = {source_make("a", 1, 1), source_make("d", 1, 2)};
    sources[1]->format = CW_SOURCE_DOCKER;
    sources[0]->rows[0].mark = 3;
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(sources, 2, 100), 3);
    struct cw_push_confirm confirm = {sources[0]->id, 1, 3};
    struct cw_push_delivery delivery = {
        .present = true, .shipper = {{5}}, .session = {{6}}, .confirms = &confirm, .nconfirms = 1};
    struct cw_err err = {0};
    cr_assert_eq(cw_batch_encode(batch, &delivery, &err), 0, "%s", err.text);
    struct cw_buf raw;
    struct cw_push push;
    struct cw_arena *arena = cw_arena_new();
    cw_buf_init(&raw, 1 << 20);
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_SNAPPY, cw_buf_str(&batch->body), 1 << 20, &raw, &err), 0);
    cr_assert_eq(cw_push_loki_protobuf_decode(cw_buf_str(&raw), arena, &push, &err), 0, "%s",
                 err.text);
    cr_assert_eq(push.nstreams, 2, "streams of one name are one");
    cr_assert(cw_str_eqz(push.streams[0].labels_text, "{s=\"out\"}") &&
              cw_str_eqz(push.streams[1].labels_text, "{s=\"err\"}"));
    cr_assert_eq(push.streams[0].nentries, 2);
    cr_assert(cw_str_eqz(push.streams[0].entries[1].line, "out") &&
              cw_str_eqz(push.streams[1].entries[0].line, "err"));
    cr_assert(cw_str_eqz(push.streams[0].entries[0].line, "\xff\xfe"));
    cr_assert_eq(push.delivery.nranges, 2);
    cr_assert(push.delivery.ranges[0].from == 3 && push.delivery.ranges[0].to == 6 &&
              push.delivery.ranges[0].generation == 1);
    cr_assert(push.delivery.nconfirms == 1 && push.delivery.confirms[0].offset == 3 &&
              push.delivery.shipper.bytes[0] == 5);
    cw_buf_fini(&raw);
    cw_arena_free(&arena);
    settle();
    for (int i = 0; i < 2; i++)
        cw_source_free(&sources[i]);
}

/*
 * The delivery protocol by chance: two outputs, two files that grow, lines that the store refuses,
 * pushes that are lost before or after they were stored, late copies, restarts from any position,
 * marks that the store forgets once it was told. Whatever happens, each good line is in each store
 * once (tests/models/delivery.py checks the same exhaustively).
 */
enum { NOUTPUTS = 2, NFILES = 2, NLINES = 300 };

struct store {
    uint64_t marks[NFILES];
    uint64_t confirmed[NFILES];
    uint8_t count[NFILES][NLINES];
};

struct request {
    uint64_t from[NFILES], to[NFILES];
    bool has[NFILES];
    uint16_t lines[NFILES][NLINES];
    size_t nlines[NFILES];
};

static uint64_t random_state;

static unsigned chance(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static bool is_refused(unsigned line)
{
    return line % 17 == 5;
}

/* 200, 409 or 400, as the ingester answers. */
static int store_push(struct store *store, const struct request *request)
{
    bool all_new = true, all_old = true;
    for (int f = 0; f < NFILES; f++)
        for (size_t i = 0; i < request->nlines[f]; i++)
            if (is_refused(request->lines[f][i]))
                return 400;
    for (int f = 0; f < NFILES; f++) {
        all_new &= !request->has[f] || request->from[f] == store->marks[f];
        all_old &= !request->has[f] || request->to[f] <= store->marks[f];
    }
    if (!all_new)
        return all_old ? 200 : 409;
    for (int f = 0; f < NFILES; f++) {
        for (size_t i = 0; i < request->nlines[f]; i++)
            store->count[f][request->lines[f][i]]++;
        if (request->has[f])
            store->marks[f] = request->to[f];
    }
    return 200;
}

static struct request request_of(const struct cw_batch *b)
{
    struct request request = {0};
    for (size_t p = 0; p < b->nparts; p++) {
        const struct cw_batch_part *part = &b->parts[p];
        int f = part->source->id.bytes[0];
        request.has[f] = true;
        request.from[f] = part->from;
        request.to[f] = part->to;
        for (size_t i = 0; i < part->nentries; i++)
            request.lines[f][request.nlines[f]++] =
                (uint16_t)strtoul(b->entries[part->first + i].push.line.ptr, NULL, 10);
    }
    return request;
}

struct world {
    struct store stores[NOUTPUTS];
    struct request late[NOUTPUTS];
    struct cw_source *sources[NFILES];
    struct cw_batch *batches[NOUTPUTS];
    uint64_t durable[NFILES];
    size_t limit[NOUTPUTS];
    unsigned written[NFILES];
    uint64_t refused[NOUTPUTS];
};

static void ask(struct world *w, int o)
{
    for (int f = 0; f < NFILES; f++)
        cw_ledger_adopt(&w->sources[f]->rows[o], w->stores[o].marks[f]);
}

static void answer(struct world *w, int o, int status)
{
    struct cw_batch *b = w->batches[o];
    for (size_t i = 0; i < b->nparts; i++) {
        struct cw_ledger_row *row = &b->parts[i].source->rows[o];
        if (status == 200)
            cw_ledger_stored(row, b->parts[i].to, b->parts[i].last_ts_ns);
        else if (status == 409)
            cw_ledger_adopt(row, w->stores[o].marks[b->parts[i].source->id.bytes[0]]);
    }
    if (status == 400 && b->nentries == 1) {
        cw_ledger_dropped(&b->parts[0].source->rows[o], b->parts[0].to, 0);
        w->refused[o]++;
        w->limit[o] = 1;
    } else if (status == 400) {
        w->limit[o] = b->nentries / 2;
    } else {
        w->limit[o] *= 2;
    }
    cw_batch_drop(b);
}

static void step(struct world *w, bool faults)
{
    int o = (int)chance(NOUTPUTS), f = (int)chance(NFILES);
    switch (chance(faults ? 9 : 3)) {
    case 0:
    case 1:
    case 2: {
        enum cw_file_verdict verdict;
        struct cw_err err;
        for (int k = 0; k < NFILES; k++)
            cr_assert_eq(cw_tail_stat(&w->sources[k]->tail, 0, &verdict, &err), 0);
        size_t limit = w->limit[o] ? w->limit[o] : 1;
        if (limit > 10)
            limit = 1 + chance(40);
        struct cw_source_list sources = {w->sources, NFILES, NFILES};
        if (cw_batch_cut(w->batches[o], &sources, limit, 1, &report) == 0)
            break;
        struct request request = request_of(w->batches[o]);
        unsigned how = faults ? chance(6) : 5;
        if (how == 0) { /* it never arrives, or late */
            w->late[o] = request;
            cw_batch_drop(w->batches[o]);
            ask(w, o);
        } else if (how == 1) { /* the answer is lost */
            store_push(&w->stores[o], &request);
            cw_batch_drop(w->batches[o]);
            ask(w, o);
        } else {
            answer(w, o, store_push(&w->stores[o], &request));
        }
        break;
    }
    case 3:
        store_push(
            &w->stores[o],
            &w->late
                 [o]); /* a copy under way arrives now; a shipper that does not know asks later */
        break;
    case 4: w->durable[f] = cw_source_position(w->sources[f]); break;
    case 5:
        if (cw_ledger_confirm_due(&w->sources[f]->rows[o], w->durable[f]))
            w->stores[o].confirmed[f] = w->sources[f]->rows[o].confirmed =
                w->sources[f]->rows[o].mark;
        break;
    case 6: /* silence: nothing is under way any more */
        if (w->stores[o].marks[f] > 0 && w->stores[o].confirmed[f] == w->stores[o].marks[f]) {
            w->stores[o].marks[f] = 0;
            memset(&w->late[o], 0, sizeof w->late[o]);
        }
        break;
    case 7: /* kill -9 and start */
        for (int k = 0; k < NFILES; k++) {
            memset(w->sources[k]->rows, 0, NOUTPUTS * sizeof w->sources[k]->rows[0]);
            cw_source_seek(w->sources[k], w->durable[k]);
        }
        for (int x = 0; x < NOUTPUTS; x++)
            ask(w, x);
        break;
    default:
        for (unsigned n = chance(5); n > 0 && w->written[f] < NLINES; n--) {
            char line[64], name[8];
            snprintf(name, sizeof name, "f%d", f);
            snprintf(line, sizeof line, "%u %.*s\n", w->written[f]++, (int)chance(20),
                     "....................");
            cw_log_folder_append(&folder, name, line);
        }
    }
}

static void world_run(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct cw_batch_pieces *pieces = seed % 2 ? cw_batch_pieces_new() : NULL;
    random_state = seed;
    for (int f = 0; f < NFILES; f++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", f);
        cw_log_folder_append(&folder, name, "");
        cw_log_folder_truncate(&folder, name, 0);
        w->sources[f] = source_make(name, NOUTPUTS, (uint8_t)f);
    }
    for (int o = 0; o < NOUTPUTS; o++) {
        struct cw_batch_options options = {.output = (size_t)o, .bytes = 4096, .pieces = pieces};
        w->batches[o] = cw_batch_new(&options);
        w->limit[o] = 100;
    }
    for (int i = 0; i < 6000; i++)
        step(w, true);
    for (int o = 0; o < NOUTPUTS; o++)
        ask(w, o);
    for (int i = 0; i < 6000; i++)
        step(w, false);
    for (int f = 0; f < NFILES; f++) {
        cr_assert_gt(w->written[f], 100);
        cr_assert_eq(cw_source_position(w->sources[f]), w->sources[f]->tail.size,
                     "seed %llu: stuck", (unsigned long long)seed);
        for (int o = 0; o < NOUTPUTS; o++)
            for (unsigned i = 0; i < w->written[f]; i++)
                cr_assert_eq(w->stores[o].count[f][i], is_refused(i) ? 0 : 1,
                             "seed %llu: line %u of file %d is %d times in store %d",
                             (unsigned long long)seed, i, f, w->stores[o].count[f][i], o);
    }
    for (int o = 0; o < NOUTPUTS; o++)
        cw_batch_free(&w->batches[o]);
    cw_batch_pieces_free(&pieces);
    for (int f = 0; f < NFILES; f++)
        cw_source_free(&w->sources[f]);
    free(w);
}

Test(batch, every_line_is_stored_once_whatever_happens_by_chance, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        world_run(seed);
}

Test(batch, outputs_at_one_place_share_what_was_read_and_its_times)
{
    cw_log_folder_append(&folder, "a", "one\ntwo\nthree\nfo");
    struct cw_source *source = source_make("a", 3, 1);
    struct cw_batch_pieces *pieces = cw_batch_pieces_new();
    struct cw_batch *others[2];
    struct cw_batch_options options = {.bytes = 1 << 20, .max_line_bytes = 3, .pieces = pieces};
    batch = cw_batch_new(&options);
    for (size_t o = 0; o < 2; o++) {
        options.output = o + 1;
        options.tenant = o ? CW_STR("t") : CW_STR_NONE;
        others[o] = cw_batch_new(&options);
    }
    struct cw_source_list sources = {&source, 1, 1};
    cr_assert_eq(cut(&source, 1, 1), 1, "there is no room for more");
    expect_entry(0, "one");
    cr_assert_eq(batch->parts[0].to, 4);
    /* Much later: had it been read anew, its lines' times would be later too. */
    cr_assert_eq(cw_batch_cut(others[0], &sources, 100, 999999, &report), 2);
    cr_assert_eq(others[0]->entries[0].push.ts_ns, batch->entries[0].push.ts_ns);
    cr_assert_eq(others[0]->parts[0].to, 14);
    cr_assert_eq(others[0]->parts[0].counts.skipped, 1);
    int64_t two_ns = others[0]->entries[1].push.ts_ns;
    settle();
    cr_assert_eq(cw_batch_cut(batch, &sources, 100, 5000, &report), 1, "from within the piece");
    expect_entry(0, "two");
    cr_assert_eq(batch->entries[0].push.ts_ns, two_ns);
    cr_assert(batch->parts[0].from == 4 && batch->parts[0].to == 14);
    /* Nothing of it is for that tenant: it is settled, and the line that was too long was another's. */
    ndropped = 0;
    cr_assert_eq(cw_batch_cut(others[1], &sources, 100, 5000, &report), 0);
    cr_assert(source->rows[2].done == 14 && ndropped == 0);
    settle();
    cr_assert_eq(cut(&source, 1, 100), 0, "the half line waits");
    source->rows[0].off = source->rows[1].off = true; /* alone: nothing is shared */
    cw_log_folder_append(&folder, "a", "u\n");
    cr_assert_eq(cut(&source, 1, 100), 0);
    cw_batch_free(&others[0]);
    cw_batch_free(&others[1]);
    cw_batch_pieces_free(&pieces);
    cw_source_free(&source);
}

Test(batch, what_a_run_before_has_settled_is_cut_again_and_not_counted_again)
{
    cw_log_folder_append(&folder, "a", "one\nthree\ntwo\nthree\nlast\nsix\n");
    struct cw_source *source = source_make("a", 1, 1);
    batch_make(1 << 20, 4, false);
    source->rows[0].told_to = 14; /* ahead of the second "three" */
    cr_assert_eq(cut(&source, 1, 100), 4);
    cr_assert(batch->parts[0].counts.fresh == 2 && batch->parts[0].counts.skipped == 1);
    settle();
    cw_source_free(&source);
}

/* What an output leaves out whose selector takes no stream, and one that takes all. */
static void left_out_check(struct cw_batch_pieces *pieces, enum cw_long_lines long_lines,
                           uint64_t nentries, uint64_t nskipped)
{
    struct cw_source *source = source_make("a", 2, (uint8_t)long_lines);
    struct cw_selector selector;
    struct cw_err err;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("s"), CW_STR("err"), &err), 0);
    struct cw_batch_options options = {.bytes = 1 << 20,
                                       .pieces = pieces,
                                       .metrics = metrics,
                                       .max_line_bytes = 3,
                                       .long_lines = long_lines};
    batch = cw_batch_new(&options);
    cr_assert_eq(cut(&source, 1, 100), nentries);
    cr_assert(batch->parts[0].counts.skipped == nskipped && batch->parts[0].counts.unselected == 0);
    settle();
    cw_batch_free(&batch);
    options.output = 1;
    options.selector = &selector;
    batch = cw_batch_new(&options);
    ndropped = nunselected = 0;
    cr_assert_eq(cut(&source, 1, 100), 0);
    cr_assert(ndropped == 0 && nunselected == nentries + nskipped);
    cw_batch_free(&batch);
    cw_selector_fini(&selector);
    cw_source_free(&source);
}

Test(batch, what_is_left_out_is_the_same_whether_a_staging_is_shared_or_not)
{
    cw_log_folder_append(&folder, "a", "one\nthree\n");
    for (int64_t i = 1; i <= 2; i++) {
        struct cw_batch_pieces *pieces = i == 2 ? cw_batch_pieces_new() : NULL;
        left_out_check(pieces, CW_LONG_SKIP, 1, 1);
        left_out_check(pieces, CW_LONG_TRUNCATE, 2, 0);
        left_out_check(pieces, CW_LONG_SPLIT, 3, 0);
        cr_assert(counted(CW_M_LINES_SKIPPED) == i && counted(CW_M_LINES_TRUNCATED) == i &&
                      counted(CW_M_LINES_SPLIT) == 2 * i,
                  "once, not by each output");
        cw_batch_pieces_free(&pieces);
    }
}

/* What no output may have room for in one go: split lines, and entries that lie across each other. */
Test(batch, what_stays_together_is_taken_whole_by_each_of_several_outputs)
{
    cw_log_folder_append(&folder, "a", "xxxxxxxxxx\nend\n");
    docker_append("pa", "stdout", 1);
    docker_append("err\\n", "stderr", 2);
    docker_append("rt\\n", "stdout", 3);
    struct cw_source *sources[] = {source_make("a", 2, 1), source_make("d", 2, 2)};
    sources[1]->format = CW_SOURCE_DOCKER;
    struct cw_batch_pieces *pieces = cw_batch_pieces_new();
    struct cw_batch_options options = {
        .bytes = 8, .max_line_bytes = 5, .long_lines = CW_LONG_SPLIT, .pieces = pieces};
    batch = cw_batch_new(&options);
    cr_assert_eq(cut(&sources[0], 1, 100), 2, "both pieces, though there is room for one");
    settle();
    cr_assert_eq(cut(&sources[0], 1, 100), 1);
    expect_entry(0, "end");
    settle();
    cr_assert_eq(cut(&sources[1], 1, 1), 2, "no cut may end between them");
    expect_entry(0, "err");
    expect_entry(1, "part");
    settle();
    cr_assert_eq(cut(&sources[1], 1, 1), 0);
    cr_assert(!cw_source_pending(sources[1], 0));
    cw_batch_free(&batch);
    cw_batch_pieces_free(&pieces);
    cw_source_free(&sources[0]);
    cw_source_free(&sources[1]);
}

Test(batch, gzip_is_around_the_snappy)
{
    cw_log_folder_append(&folder, "a", "one\ntwo\n");
    struct cw_source *source = source_make("a", 1, 1);
    struct cw_push_delivery delivery = {0};
    struct cw_buf snappy, raw, plain;
    struct cw_err err = {0};
    cw_buf_init(&snappy, 1 << 20);
    cw_buf_init(&raw, 1 << 20);
    cw_buf_init(&plain, 1 << 20);
    batch_make(1 << 20, 0, false);
    cr_assert_eq(cut(&source, 1, 100), 2);
    cr_assert_eq(cw_batch_encode(batch, &delivery, &err), 0);
    cw_buf_adds(&plain, cw_buf_str(&batch->body));
    batch->options.gzip = true;
    for (int again = 0; again < 2; again++) { /* nothing of the one before stays */
        cw_buf_clear(&snappy);
        cr_assert_eq(cw_batch_encode(batch, &delivery, &err), 0);
        cr_assert_eq(
            cw_codec_decompress(CW_CODEC_GZIP, cw_buf_str(&batch->body), 1 << 20, &snappy, &err),
            0);
        cr_assert(cw_str_eq(cw_buf_str(&snappy), cw_buf_str(&plain)));
    }
    cr_assert_eq(cw_codec_decompress(CW_CODEC_SNAPPY, cw_buf_str(&snappy), 1 << 20, &raw, &err), 0);
    cw_buf_fini(&snappy);
    cw_buf_fini(&raw);
    cw_buf_fini(&plain);
    cw_batch_drop(batch);
    cw_source_free(&source);
}
