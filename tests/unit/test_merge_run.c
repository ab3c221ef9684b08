/* Parts merged into one: what it has, and that it does not matter whether rows go through lines or not. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/format.h"
#include "common/store/part_source.h"
#include "common/store/tokenize.h"
#include "ingester/merge_run.h"
#include "ingester/parts.h"
#include "tests/support/line_kinds.h"
#include "tests/support/part_model.h"

enum { DAY = 20000, PARTS = 4 };

static char dir[64];
static struct cw_err err;
static struct cw_parts *parts;
static struct cw_parts_change *change;
static struct part_model all, one; /* of all parts; of the one that is made */
static struct cw_buf line;
static uint64_t state;
static const int64_t start_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void setup(void)
{
    struct cw_parts_options options = {.data_dir = dir};
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    strcpy(dir, "/tmp/cw-test-merge-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(cw_parts_open(&options, &parts, &err), 0, "%s", err.text);
    change = cw_parts_change_new(parts);
    part_model_init(&all);
    part_model_init(&one);
    cw_buf_init(&line, SIZE_MAX);
    state = 1;
}

static void teardown(void)
{
    char command[100];
    cw_parts_change_free(&change);
    cw_parts_close(&parts);
    part_model_fini(&all);
    part_model_fini(&one);
    cw_buf_fini(&line);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(merge_run, .init = setup, .fini = teardown);

static uint64_t below(uint64_t n)
{
    return part_model_random(&state) % n;
}

static void add(const char *labels, int64_t ns, struct cw_str text, const char *metadata)
{
    part_model_add(&one, part_model_stream(&one, labels), start_ns + ns, text, metadata);
    part_model_add(&all, part_model_stream(&all, labels), start_ns + ns, text, metadata);
}

/* What was added since the part before. */
static void part_end(void)
{
    struct cw_part_info info = part_model_info(0);
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cr_assert_eq(cw_parts_new_path(parts, CW_STR("t"), DAY, &info.id, &path, &err), 0, "%s",
                 err.text);
    info.wal_first = info.wal_last = info.flush_id = info.id;
    part_model_write(&one, cw_buf_z(&path), &info);
    cr_assert_eq(cw_parts_change_add(change, cw_buf_z(&path), &err), 0, "%s", err.text);
    part_model_fini(&one);
    part_model_init(&one);
    cw_buf_fini(&path);
}

static void publish(void)
{
    cr_assert_eq(cw_parts_commit(parts, change, &err), 0, "%s", err.text);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    cw_parts_unlock(parts);
}

/* Of the rows of a source how many a merge is handed as values. */
static uint64_t rows_as_values(struct cw_source *source)
{
    struct cw_scan scan = all_rows;
    struct cw_units units = {0};
    uint64_t n = 0;
    scan.need |= CW_NEED_VALUES;
    cr_assert_geq(source->ops->plan(source, &scan, &units, &err), 0, "%s", err.text);
    for (size_t i = 0; i < units.n; i++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        cr_assert_eq(source->ops->open(source, &scan, &units.items[i], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &batch, &err) == 1)
            n += batch.values != NULL ? batch.n : 0;
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return n;
}

/* All parts become one. *as_values_out: rows that were handed out so. */
static struct cw_source *merged(uint64_t *as_values_out)
{
    struct cw_snapshot before = {0}, after = {0};
    struct cw_merge_run *run;
    publish();
    cw_parts_all(parts, &before);
    cr_assert_gt(before.n, 1);
    *as_values_out = 0;
    for (size_t i = 0; i < before.n; i++)
        *as_values_out += rows_as_values(before.sources[i]);
    int rc = cw_merge_run_new(parts, before.sources, before.n, CW_CODEC_LZ4, &run, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    while ((rc = cw_merge_run_step(run, CW_NS_PER_MS, &err)) == 1)
        ;
    cr_assert_eq(rc, 0, "%s", err.text);
    cw_merge_run_free(&run);
    cw_snapshot_fini(&before);
    cw_parts_all(parts, &after);
    cr_assert_eq(after.n, 1);
    struct cw_source *source = cw_source_ref(after.sources[0]);
    cw_snapshot_fini(&after);
    return source;
}

static void check_scan(struct cw_source *source, struct cw_scan scan)
{
    struct model_rows want = {0}, got = {0};
    struct cw_scan_stats stats = {0};
    scan.stats = &stats;
    model_rows_of_model(&all, &scan, &want);
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
    cr_assert(model_rows_equal(&got, &want));
    cr_assert_eq(atomic_load(&stats.corrupt_blocks), 0);
    model_rows_fini(&want);
    model_rows_fini(&got);
}

/* A piece of some line, as it is or with a byte changed. */
static void check_search(struct cw_source *source)
{
    static const enum cw_filter_op ops[] = {CW_FILTER_CONTAINS, CW_FILTER_NOT_CONTAINS};
    struct cw_str of = all.entries[below(all.n)].line;
    struct cw_scan scan = all_rows;
    struct cw_line_filter *filter;
    const struct cw_line_filter *filters[1];
    size_t from = of.len > 0 ? below(of.len) : 0;
    cw_buf_clear(&line);
    cw_buf_adds(&line, cw_str_sub(of, from, from + 1 + below(18)));
    if (line.len > 0 && below(3) == 0)
        line.ptr[below(line.len)] = "0a9f.:-\" zZ"[below(11)];
    cr_assert_eq(cw_line_filter_new(ops[below(CW_COUNT(ops))], &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, cw_buf_str(&line), false, &err), 0);
    filters[0] = filter;
    scan.filters = filters;
    scan.nfilters = 1;
    check_scan(source, scan);
    cw_line_filter_free(&filter);
}

/* The part as it is when all rows are written as lines, at once. */
static struct cw_source *written_at_once(void)
{
    struct cw_part_info info = part_model_info(99);
    struct cw_source *source;
    char path[128];
    snprintf(path, sizeof(path), "%s/at-once.part", dir);
    part_model_write(&all, path, &info);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    return source;
}

static void check_same_blocks(struct cw_source *a, struct cw_source *b)
{
    const struct cw_part_reader *x = cw_part_source_reader(a), *y = cw_part_source_reader(b);
    uint32_t n = cw_part_reader_footer(x)->nblocks;
    cr_assert_eq(n, cw_part_reader_footer(y)->nblocks);
    for (uint32_t i = 0; i < n; i++) {
        struct cw_str p = cw_part_reader_block_bytes(x, i), q = cw_part_reader_block_bytes(y, i);
        cr_assert(cw_str_eq(p, q), "block %u of %u", i, n);
        /* The filters of later blocks follow: compared to the end of the region by the last. */
        struct cw_str f = cw_part_reader_block_filter(x, i), g = cw_part_reader_block_filter(y, i);
        cr_assert_eq(f.len > 0, g.len > 0);
        cr_assert(cw_str_eq(f, g), "filter %u of %u", i, n);
    }
}

static int mode_of_block(struct cw_source *source, uint32_t block)
{
    struct cw_str bytes = cw_part_reader_block_bytes(cw_part_source_reader(source), block);
    cr_assert_eq(bytes.ptr[6], CW_BLOCK_TEMPLATES);
    return bytes.ptr[7];
}

/* Quoted values make many templates where they are no slots: there is no doubt which mode is best. */
static void line_of_quotes(uint64_t *random, struct cw_buf *out)
{
    static const char *const words[] = {"order", "payment", "is", "late", "of", "cart", "sent"};
    cw_buf_addz(out, "{\"msg\":\"");
    for (int i = 0; i < 5; i++)
        cw_buf_addf(out, "%s ", words[part_model_random(random) % CW_COUNT(words)]);
    cw_buf_addf(out, "\",\"n\":%u,\"took\":%u.5}", (unsigned)(part_model_random(random) % 1000),
                (unsigned)(part_model_random(random) % 100));
}

static void add_generated(const char *labels, void (*generate)(uint64_t *, struct cw_buf *),
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ns = (int64_t)below(86400) * CW_NS_PER_S / 2;
        cw_buf_clear(&line);
        generate(&state, &line);
        add(labels, ns, cw_buf_str(&line),
            i % 50 < 3 ? (i % 2 ? "{trace=\"abc\", user=\"u\"}" : "{pod=\"p-1\"}") : NULL);
    }
}

/* Parts of one day whose rows lie between each other; many are of the same time. */
Test(merge_run, values_give_the_same_bytes_as_lines, .timeout = 300)
{
    uint64_t as_values;
    for (int p = 0; p < PARTS; p++) {
        add_generated("{app=\"a\", host=\"1\"}", line_like_a_log, 2000);
        add_generated("{app=\"a\", host=\"2\"}", line_like_a_log, 1500 + below(500));
        add_generated("{app=\"b\", host=\"1\"}", line_of_quotes, 4500);
        if (p % 2 == 0)
            add_generated("{app=\"b\", host=\"2\"}", line_of_quotes, 1000);
        part_end();
    }
    struct cw_source *source = merged(&as_values), *at_once = written_at_once();
    cr_assert_eq(as_values, all.n);
    check_same_blocks(source, at_once);
    check_scan(source, all_rows);
    for (int i = 0; i < 30; i++)
        check_search(source);
    cw_source_unref(&source);
    cw_source_unref(&at_once);
}

/* Each too small to say what is best for an app's quoted values: that is tried on the rows of all. */
Test(merge_run, small_parts_give_the_same_bytes_as_lines, .timeout = 300)
{
    uint64_t as_values;
    for (int p = 0; p < 30; p++) {
        add_generated("{app=\"a\"}", line_like_json, 60);
        add_generated("{app=\"b\"}", line_like_a_log, 1 + below(20));
        part_end();
    }
    struct cw_source *source = merged(&as_values), *at_once = written_at_once();
    check_same_blocks(source, at_once);
    check_scan(source, all_rows);
    cw_source_unref(&source);
    cw_source_unref(&at_once);
}

static void line_without_quotes(uint64_t *random, struct cw_buf *out)
{
    cw_buf_addf(out, "{started n %u of the many that were asked for, m %u}",
                (unsigned)(part_model_random(random) % 1000),
                (unsigned)(part_model_random(random) % 1000));
}

/* The first part saw no quotes where it chose, the other little else: what comes first decides, and the others' rows are cut anew. */
Test(merge_run, rows_of_another_mode_are_cut_anew, .timeout = 300)
{
    uint64_t as_values;
    add_generated("{app=\"a\", host=\"1\"}", line_without_quotes, 8000);
    add_generated("{app=\"a\", host=\"2\"}", line_like_json, 3000);
    part_end();
    add_generated("{app=\"a\", host=\"1\"}", line_like_json, 3000);
    add_generated("{app=\"a\", host=\"3\"}", line_like_json, 3000);
    part_end();
    struct cw_snapshot before = {0};
    publish();
    cw_parts_all(parts, &before);
    cr_assert_eq(mode_of_block(before.sources[0], 0), CW_TOKEN_PLAIN);
    cr_assert_eq(mode_of_block(before.sources[1], 0), CW_TOKEN_JSON);
    cw_snapshot_fini(&before);
    cw_parts_change_free(&change);
    change = cw_parts_change_new(parts);
    struct cw_source *source = merged(&as_values);
    cr_assert_eq(as_values, all.n);
    for (uint32_t b = 0; b < cw_part_reader_footer(cw_part_source_reader(source))->nblocks; b++)
        cr_assert_eq(mode_of_block(source, b), mode_of_block(source, 0));
    check_scan(source, all_rows);
    for (int i = 0; i < 20; i++)
        check_search(source);
    cw_source_unref(&source);
}

/* Blocks of text, whole lines in RAW, few rows of many streams, metadata. */
Test(merge_run, random_parts_keep_all_entries, .timeout = 300)
{
    for (uint64_t round = 0; round < 6; round++) {
        uint64_t as_values;
        size_t nparts = 2 + below(5);
        for (size_t p = 0; p < nparts; p++) {
            struct part_model some;
            part_model_init(&some);
            part_model_fill(&some, part_model_random(&state), 1 + below(40), below(3000) + 1,
                            start_ns);
            for (size_t i = 0; i < some.n; i++) {
                const struct model_entry *e = &some.entries[i];
                struct cw_buf labels, metadata;
                cw_buf_init(&labels, SIZE_MAX);
                cw_buf_init(&metadata, SIZE_MAX);
                cw_labels_format(some.streams[e->stream], &labels);
                cw_labels_format(e->metadata, &metadata);
                add(cw_buf_z(&labels), e->ts_ns - start_ns, e->line,
                    e->metadata.n > 0 ? cw_buf_z(&metadata) : NULL);
                cw_buf_fini(&labels);
                cw_buf_fini(&metadata);
            }
            part_model_fini(&some);
            add_generated("{app=\"app1\", host=\"x\"}",
                          below(2) ? line_adversarial : line_like_json, below(4000));
            part_end();
        }
        struct cw_source *source = merged(&as_values);
        check_scan(source, all_rows);
        for (int i = 0; i < 25; i++)
            check_search(source);
        cw_source_unref(&source);
        teardown();
        uint64_t next = state;
        setup();
        state = next;
    }
}
