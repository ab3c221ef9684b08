#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "shipper/batch.h"
#include "tests/support/log_folder.h"
#include "tests/support/stage_lines.h"

/* What batches hold of a source with stages is, however they are cut, what one run over the whole file gives: each entry once, and
 * none with lines of two. */

enum { ENTRIES_MAX = 4000, ENTRY_BYTES = 200 };

struct outcome {
    char entries[ENTRIES_MAX][ENTRY_BYTES];
    size_t n;
};

static struct cw_log_folder folder;
static struct cw_stage_lines lines; /* for its stages */
static struct cw_batch *batch;
static struct cw_source *source;
static struct outcome want, got;
static unsigned seed;
static char tenant_told[64];
static bool tenant_refused;
static bool shows_times; /* in outcomes */

static unsigned draw(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void outcome_add(struct outcome *outcome, struct cw_str labels, struct cw_str line,
                        int64_t ts_ns)
{
    cr_assert_lt(outcome->n, ENTRIES_MAX);
    int len = snprintf(outcome->entries[outcome->n++], ENTRY_BYTES, "%lld %.*s %.*s",
                       shows_times ? (long long)ts_ns : 0, CW_STR_ARG(labels), CW_STR_ARG(line));
    cr_assert_lt(len, ENTRY_BYTES);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void outcomes_compare(void)
{
    qsort(want.entries, want.n, ENTRY_BYTES, by_text);
    qsort(got.entries, got.n, ENTRY_BYTES, by_text);
    for (size_t i = 0; i < want.n && i < got.n; i++)
        cr_assert_str_eq(got.entries[i], want.entries[i]);
    cr_assert_eq(got.n, want.n);
}

/* ---- the reference: one run ---- */

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    struct cw_buf labels;
    cw_buf_init(&labels, SIZE_MAX);
    cw_labels_format((struct cw_labels){entry->labels, entry->nlabels}, &labels);
    outcome_add(arg, cw_buf_str(&labels), entry->line, entry->ts_ns);
    cw_buf_fini(&labels);
}

static void reference_run(struct cw_str text)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_stages_run_options options = {.arena = arena, .emit = on_emit, .arg = &want};
    struct cw_stages_run *run = cw_stages_begin(lines.stages, &options);
    for (size_t at = 0; at < text.len;) {
        const char *newline = memchr(text.ptr + at, '\n', text.len - at);
        size_t len = (size_t)(newline - text.ptr) - at;
        struct cw_stage_entry entry = {.line = {text.ptr + at, len},
                                       .labels = source->labels[0].items,
                                       .nlabels = source->labels[0].n,
                                       .from = at,
                                       .to = at + len + 1};
        cw_stages_feed(run, &entry);
        at += len + 1;
    }
    cw_stages_flush(run);
    cw_arena_free(&arena);
}

/* ---- the batches ---- */

static void on_error(void *arg, struct cw_source *s, const struct cw_err *err)
{
    cr_assert_fail("%s", err->text);
}

static void on_changed(void *arg, struct cw_source *s)
{
}

static bool on_tenant(void *arg, struct cw_str tenant)
{
    snprintf(tenant_told, sizeof tenant_told, "%.*s", CW_STR_ARG(tenant));
    return !tenant_refused;
}

static uint64_t ndropped;

static void on_dropped(void *arg, struct cw_source *s, const struct cw_batch_counts *counts)
{
    ndropped += counts->dropped;
}

static const struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped, NULL};

static int64_t now_ns = 1000;

static size_t cut(size_t max_entries)
{
    enum cw_file_verdict verdict;
    struct cw_err err;
    cr_assert_eq(cw_tail_stat(&source->tail, 0, &verdict, &err), 0);
    struct cw_source_list sources = {&source, 1, 1};
    return cw_batch_cut(batch, &sources, max_entries, now_ns, &report);
}

static void settle(void)
{
    for (size_t i = 0; i < batch->nparts; i++) {
        ndropped += batch->parts[i].counts.dropped;
        cw_ledger_stored(&source->rows[batch->options.output], batch->parts[i].to,
                         batch->parts[i].last_ts_ns);
    }
    for (size_t i = 0; i < batch->nentries; i++)
        outcome_add(&got, cw_batch_labels(batch, &batch->entries[i]), batch->entries[i].push.line,
                    batch->entries[i].push.ts_ns);
    cw_batch_drop(batch);
}

static void begin(const char *stages, size_t noutputs)
{
    struct cw_label app = {CW_STR("app"), CW_STR("x")};
    struct cw_err err = {0};
    cw_log_folder_init(&folder);
    cw_log_folder_append(&folder, "a", "");
    cw_stage_lines_init(&lines, stages);
    struct cw_batch_options options = {.bytes = 1 << 20};
    batch = cw_batch_new(&options);
    source = cw_source_new(noutputs, cw_log_folder_path(&folder, "a"));
    cr_assert_eq(cw_tail_open(&source->tail, source->path, &err), 0, "%s", err.text);
    source->generation = 1;
    source->durable = true;
    source->labels[0] = cw_labels_dup_heap((struct cw_labels){&app, 1});
    source->stages = lines.stages;
    want.n = got.n = 0;
    ndropped = 0;
}

static void end(void)
{
    cw_batch_free(&batch);
    cw_source_free(&source);
    cw_stage_lines_fini(&lines);
    cw_log_folder_fini(&folder);
}

static void any_cuts_check(const char *text)
{
    size_t len = strlen(text), written = 0;
    char piece[4096];
    reference_run(cw_str_of(text));
    while (written < len || source->rows[0].done < len) {
        size_t more = draw(1500);
        more = CW_MIN(len - written, more);
        memcpy(piece, text + written, more);
        piece[more] = '\0';
        cw_log_folder_append(&folder, "a", piece);
        written += more;
        source->final = written == len;
        source->rows[0].held_size = 0;
        for (unsigned i = draw(4); i > 0; i--) {
            cut(40 + draw(60));
            if (draw(3) == 0)
                cw_batch_drop(batch); /* refused: the same is cut again */
            else
                settle();
        }
    }
    outcomes_compare();
    struct cw_tally *tally = cw_source_tally(source);
    cr_assert_eq(tally->read + tally->made,
                 tally->joined + cw_tally_total(&tally->dropped) + got.n);
}

static char text[60000];

/* Lines of two streams; some go on in the next one of their stream. */
static void cri_text_make(void)
{
    static const char *const streams[] = {"stdout", "stderr"};
    size_t at = 0;
    bool open[2] = {false, false};
    for (unsigned i = 0; at < sizeof text - 200; i++) {
        unsigned s = draw(3) == 0;
        bool partial = draw(6) == 0 && i < 700;
        at += (size_t)sprintf(text + at, "2026-01-05T10:00:00.%09uZ %s %s %c%u\n", i, streams[s],
                              partial ? "P" : "F", 'a' + (int)draw(20), i);
        open[s] = partial;
    }
    for (unsigned s = 0; s < 2; s++)
        if (open[s])
            at += (size_t)sprintf(text + at, "2026-01-05T10:00:01Z %s F end\n", streams[s]);
}

/* Two thirds of the lines do not say their time, and go on from the last one of their stream that did. */
Test(batch_stages, times_of_several_streams_survive_any_cuts)
{
    shows_times = true;
    for (seed = 1; seed <= 6; seed++) {
        unsigned first = seed;
        size_t at = 0;
        begin("- regex: {expression: '^(?P<s>\\w+) (?P<t>\\d*)'}\n- labels: {s: }\n"
              "- timestamp: {source: t, format: Unix}\n",
              1);
        for (unsigned i = 0; i < 3500; i++) {
            unsigned stream = i < 5 ? i : draw(5);
            const char *mark = i < 5 || draw(3) == 0 ? "" : "x";
            at += (size_t)snprintf(text + at, sizeof text - at, "s%u %s%u\n", stream, mark, i);
        }
        any_cuts_check(text);
        end();
        seed = first;
    }
    shows_times = false;
}

Test(batch_stages, partial_lines_of_two_streams_survive_any_cuts)
{
    for (seed = 1; seed <= 12; seed++) {
        unsigned first = seed;
        begin("- cri: {}\n", 1);
        cri_text_make();
        any_cuts_check(text);
        end();
        seed = first;
    }
}

Test(batch_stages, entries_made_of_lines_and_lines_in_pieces_add_up_after_any_cuts)
{
    size_t at = 0;
    for (unsigned i = 0; i < 1500; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               i % 3   ? "line %u\n"
                               : i % 2 ? "[]\n"
                                       : "[%u, \"a\", 2]\n",
                               i);
    seed = 5;
    begin("- split_json: {}\n- drop: {expression: '^a'}\n", 1);
    any_cuts_check(text);
    cr_assert_gt(source->tally->made, 100u);
    end();
}

/* Entries of one to four lines. */
static void multiline_text_make(void)
{
    size_t at = 0;
    for (unsigned i = 0; at < sizeof text - 200; i++)
        at += (size_t)sprintf(text + at, draw(3) == 0 ? "S%u\n" : "  %u\n", i);
}

Test(batch_stages, entries_of_many_lines_survive_any_cuts)
{
    for (seed = 1; seed <= 12; seed++) {
        unsigned first = seed;
        begin("- multiline: {firstline: '^S'}\n- drop: {expression: '1$'}\n", 1);
        multiline_text_make();
        text[3000] = '\0'; /* ends within a line, perhaps: the reference wants whole ones */
        strrchr(text, '\n')[1] = '\0';
        any_cuts_check(text);
        end();
        seed = first;
    }
}

Test(batch_stages, an_entry_is_ended_when_its_stages_have_waited)
{
    begin("- multiline: {firstline: '^S'}\n", 1);
    cw_log_folder_append(&folder, "a", "S1\n  a\nS2\n  b\n");
    cr_assert_eq(cut(100), 1);
    settle();
    cr_assert_eq(cut(100), 0, "more of it may come");
    source->rows[0].held_size = 0;
    source->waited = true;
    cr_assert_eq(cut(100), 1);
    cr_assert(cw_str_eqz(batch->entries[0].push.line, "S2\n  b"));
    settle();
    cr_assert_eq(source->rows[0].done, source->tail.size);
    end();
}

/* Append, and see it at `now`. */
static void grow(int64_t now, const char *text)
{
    now_ns = now;
    cw_log_folder_append(&folder, "a", text);
    enum cw_file_verdict verdict;
    struct cw_err err;
    cr_assert_eq(cw_tail_stat(&source->tail, 0, &verdict, &err), 0);
    cw_source_sight(source, now_ns, now_ns);
}

Test(batch_stages, what_came_since_the_look_ends_no_entry)
{
    begin("- multiline: {firstline: '^S'}\n", 1);
    grow(1000, "S1\n  a\n");
    source->waited = true;
    cw_log_folder_append(&folder, "a", "  b\n");
    struct cw_source_list sources = {&source, 1, 1};
    cr_assert_eq(cw_batch_cut(batch, &sources, 100, now_ns, &report), 0);
    cr_assert_eq(cut(100), 1);
    cr_assert(cw_str_eqz(batch->entries[0].push.line, "S1\n  a\n  b"));
    settle();
    end();
}

Test(batch_stages, a_part_of_a_line_waits_for_the_rest_but_not_longer_than_configured)
{
    begin("- cri: {max_wait_time: 2s}\n", 1);
    cr_assert_eq(cw_stages_wait_ns(source->stages), 2 * CW_NS_PER_S, "not ended at once");
    grow(1 * CW_NS_PER_S, "2026-01-05T10:00:00Z stdout P Password:\n");
    cr_assert_eq(cut(100), 0);
    grow(2 * CW_NS_PER_S, "2026-01-05T10:00:01Z stderr F one\n");
    cr_assert_eq(cut(100), 0, "it is behind the part");
    grow(2900 * CW_NS_PER_MS, "2026-01-05T10:00:01Z stderr P tw\n");
    cr_assert_eq(cut(100), 0);
    grow(3100 * CW_NS_PER_MS, "2026-01-05T10:00:01Z stderr P o \n");
    cr_assert_eq(cut(100), 2, "the file is not quiet, but that stream is");
    cr_assert(cw_str_eqz(batch->entries[0].push.line, "one"));
    cr_assert(cw_str_eqz(batch->entries[1].push.line, "Password:"));
    settle();
    grow(4 * CW_NS_PER_S, "2026-01-05T10:00:02Z stderr F times\n");
    cr_assert_eq(cut(100), 1);
    cr_assert(cw_str_eqz(batch->entries[0].push.line, "two times"));
    settle();
    end();
}

Test(batch_stages, another_tenants_entries_wait_for_an_output)
{
    begin("- regex: {expression: '^(?P<t>[ab])'}\n- tenant: {source: t}\n", 1);
    cw_log_folder_append(&folder, "a", "1\na2\n3\nb4\n");
    tenant_refused = true;
    cr_assert_eq(cut(100), 1);
    cr_assert_eq(batch->parts[0].to, 2, "nothing of whom nobody takes is passed");
    cr_assert_str_eq(tenant_told, "a");
    cw_batch_drop(batch);
    tenant_refused = false;
    cr_assert_eq(cut(100), 2);
    cr_assert_str_eq(tenant_told, "b");
    settle();
    cr_assert_eq(source->rows[0].done, source->tail.size, "what is another's is not this output's");
    end();
}

Test(batch_stages, a_limit_ends_the_cut_and_counts_no_line_twice)
{
    begin("- limit: {rate: 1, burst: 2}\n", 1);
    cw_log_folder_append(&folder, "a", "1\n2\n3\n4\n");
    cr_assert_eq(cut(100), 2);
    cr_assert_gt(batch->blocked_ns, 0);
    cw_batch_drop(batch);
    cr_assert_eq(cut(100), 2, "the same again: they have their tokens");
    settle();
    cr_assert_eq(cut(100), 0);
    cr_assert(cw_source_pending(source, 0), "later there is more");
    end();
}

Test(batch_stages, what_is_dropped_is_settled_and_counted_once)
{
    begin("- drop: {expression: '^[02468]$'}\n", 1);
    cw_log_folder_append(&folder, "a", "0\n1\n2\n3\n");
    cr_assert_eq(cut(100), 2);
    cr_assert_eq(batch->parts[0].counts.dropped, 2);
    cw_batch_drop(batch);
    cut(100);
    settle();
    cw_log_folder_append(&folder, "a", "4\n6\n");
    cr_assert_eq(cut(100), 0);
    cr_assert_eq(source->rows[0].done, 12, "settled without a push");
    cr_assert_eq(source->rows[0].mark, 8);
    cr_assert_eq(ndropped, 4);
    end();
}

Test(batch_stages, entries_of_streams_beyond_the_limit_are_dropped_and_counted)
{
    begin("- json: {expressions: {u: }}\n- labels: {u: }\n", 1);
    batch->options.max_streams = 2;
    cw_log_folder_append(&folder, "a", "plain\n{\"u\":\"1\"}\n{\"u\":\"2\"}\n{\"u\":\"1\"}\n");
    cr_assert_eq(cut(2), 2);
    cr_assert_eq(batch->parts[0].counts.over_streams, 0, "what did not fit opened no stream");
    cw_batch_drop(batch);
    cr_assert_eq(cut(100), 3);
    cr_assert_eq(batch->parts[0].counts.over_streams, 1);
    cr_assert(cw_str_eqz(cw_batch_labels(batch, &batch->entries[2]), "{app=\"x\", u=\"1\"}"));
    settle();
    cr_assert_eq(source->rows[0].done, source->tail.size);
    cw_log_folder_append(&folder, "a", "{\"u\":\"3\"}\n{\"u\":\"4\"}\n");
    cr_assert_eq(cut(100), 2, "the next push has streams of its own");
    settle();
    end();
}

Test(batch_stages, labels_make_streams)
{
    begin("- json: {expressions: {level: }}\n- labels: {level: }\n", 1);
    cw_log_folder_append(
        &folder, "a", "{\"level\":\"info\"}\n{\"level\":\"warn\"}\nplain\n{\"level\":\"info\"}\n");
    cr_assert_eq(cut(100), 4);
    cr_assert(
        cw_str_eqz(cw_batch_labels(batch, &batch->entries[1]), "{app=\"x\", level=\"warn\"}"));
    cr_assert(cw_str_eqz(cw_batch_labels(batch, &batch->entries[2]), "{app=\"x\"}"));
    cr_assert_eq(batch->entries[0].stream, batch->entries[3].stream);
    settle();
    end();
}
