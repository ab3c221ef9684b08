/* Parts as they are written, read, planned and scanned; damage is in test_part_damage.c. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/store/format.h"
#include "common/store/kept_lines.h"
#include "common/store/listing.h"
#include "common/store/part_source.h"
#include "common/store/section_kinds.h"
#include "common/store/template_block.h"
#include "common/store/value_filter.h"
#include "tests/support/part_model.h"

static char dir[64], path[96];
static struct cw_err err;
static struct part_model model;
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-part-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
    part_model_init(&model);
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(part, .init = setup, .fini = teardown);

static struct cw_source *written(void)
{
    struct cw_source *source;
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    return source;
}

/* The scan gives what the model says, forward and backward. */
static size_t check_scan(struct cw_source *source, struct cw_scan scan)
{
    size_t n = 0;
    for (int backward = 0; backward < 2; backward++) {
        struct model_rows want = {0}, got = {0};
        struct cw_scan_stats stats = {0};
        int64_t everything = backward ? INT64_MIN : INT64_MAX;
        scan.newest_first = backward;
        scan.stats = &stats;
        scan.keep_decoded = true;
        scan.cut_ns = &everything;
        model_rows_of_model(&model, &scan, &want);
        cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
        cr_assert(model_rows_equal(&got, &want));
        cr_assert_eq(atomic_load(&stats.rows_matched), got.n);
        cr_assert_eq(atomic_load(&stats.corrupt_blocks), 0);
        n = got.n;
        model_rows_fini(&want);
        model_rows_fini(&got);
    }
    return n;
}

Test(part, one_entry_comes_back)
{
    part_model_add(&model, part_model_stream(&model, "{a=\"b\"}"), 5, CW_STR("hello"), NULL);
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 1);
    cr_assert_eq(source->min_ns, 5);
    cr_assert_eq(source->max_ns, 5);
    cw_source_unref(&source);
}

Test(part, any_bytes_and_any_times_come_back)
{
    size_t s = part_model_stream(&model, "{a=\"b\"}"), t = part_model_stream(&model, "{}");
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < CW_COUNT(times); i++) {
        part_model_add(&model, s, times[i], cw_str_make(bytes, sizeof(bytes)), NULL);
        part_model_add(&model, t, times[i], CW_STR(""), NULL);
        part_model_add(&model, s, times[i], CW_STR("\n"), "{k=\"v\"}");
    }
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 3 * CW_COUNT(times));
    struct cw_scan scan = all_rows;
    scan.end_ns = INT64_MAX - 1;
    cr_assert_eq(check_scan(source, scan), 3 * (CW_COUNT(times) - 2));
    cw_source_unref(&source);
}

Test(part, a_mixed_part_answers_every_kind_of_scan)
{
    part_model_fill(&model, 1, 40, 60000, day_ns);
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 60000);
    static const unsigned needs[] = {0,
                                     CW_NEED_TIMES,
                                     CW_NEED_SIZES,
                                     CW_NEED_LINES,
                                     CW_NEED_METADATA,
                                     CW_NEED_TIMES | CW_NEED_SIZES};
    struct cw_line_filter *contains, *lacks;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &contains, &err), 0);
    cr_assert_eq(cw_line_filter_add(contains, CW_STR("EEDLE_x 7"), 0, &err), 0);
    cr_assert_eq(cw_line_filter_new(CW_FILTER_NOT_CONTAINS, &lacks, &err), 0);
    cr_assert_eq(cw_line_filter_add(lacks, CW_STR("status=200"), 0, &err), 0);
    const struct cw_line_filter *filters[] = {contains, lacks};
    for (size_t i = 0; i < CW_COUNT(needs); i++) {
        for (size_t nfilters = 0; nfilters <= 2; nfilters++) {
            struct cw_scan scan = {.start_ns = INT64_MIN,
                                   .end_ns = INT64_MAX,
                                   .need = needs[i],
                                   .filters = filters,
                                   .nfilters = nfilters};
            cr_assert_gt(check_scan(source, scan), 0);
            scan.start_ns = day_ns + 7 * 3600 * CW_NS_PER_S;
            scan.end_ns = scan.start_ns + 600 * CW_NS_PER_S;
            cr_assert_gt(check_scan(source, scan), 0);
            scan.end_ns = scan.start_ns;
            cr_assert_eq(check_scan(source, scan), 0);
        }
    }
    cw_line_filter_free(&contains);
    cw_line_filter_free(&lacks);
    cw_source_unref(&source);
}

static struct cw_source *written_lines(size_t n, const char *user, size_t nusers)
{
    size_t streams[] = {part_model_stream(&model, "{app=\"a\", host=\"1\"}"),
                        part_model_stream(&model, "{app=\"a\", host=\"2\"}")};
    for (size_t i = 0; i < n; i++) {
        char line[120];
        snprintf(line, sizeof(line), "level=%s %s%zu took %zu.%02zu ms, status=%zu id %zx7a",
                 i % 3 == 0 ? "info" : "warn", user, i % nusers, i % 7, i % 100, 200 + i % 5,
                 i * 7919 + 65536);
        part_model_add(&model, streams[i % 2], day_ns + (int64_t)i * 1000, cw_str_of(line),
                       i % 50 == 0 ? "{k=\"v\"}" : NULL);
    }
    struct cw_source *source = written();
    cr_assert_eq(cw_part_reader_block_bytes(cw_part_source_reader(source), 0).ptr[6],
                 CW_BLOCK_TEMPLATES);
    return source;
}

/* Lines of one shape: a part of blocks of templates. */
static struct cw_source *written_templates(size_t n)
{
    return written_lines(n, "user_", 40);
}

static void check_every_scan(struct cw_source *source)
{
    static const unsigned needs[] = {0, CW_NEED_TIMES, CW_NEED_SIZES,
                                     CW_NEED_LINES | CW_NEED_METADATA,
                                     CW_NEED_TIMES | CW_NEED_LINES};
    static const struct {
        enum cw_filter_op op;
        const char *text;
    } ops[] = {{CW_FILTER_CONTAINS, "user_7 "},
               {CW_FILTER_NOT_CONTAINS, "info"},
               {CW_FILTER_RE, "took [0-3]\\.[0-9]+ ms, status=20[24]"},
               {CW_FILTER_CONTAINS, "no such text"}};
    for (size_t i = 0; i < CW_COUNT(needs); i++) {
        for (size_t f = 0; f <= CW_COUNT(ops); f++) {
            struct cw_line_filter *filter = NULL;
            const struct cw_line_filter *filters[1];
            struct cw_scan scan = {
                .start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = needs[i], .filters = filters};
            if (f < CW_COUNT(ops)) {
                cr_assert_eq(cw_line_filter_new(ops[f].op, &filter, &err), 0);
                cr_assert_eq(cw_line_filter_add(filter, cw_str_of(ops[f].text), 0, &err), 0);
                filters[0] = filter;
                scan.nfilters = 1;
            }
            check_scan(source, scan);
            scan.start_ns = day_ns + 1234567;
            scan.end_ns = scan.start_ns + 9876543;
            check_scan(source, scan);
            cw_line_filter_free(&filter);
        }
    }
}

Test(part, blocks_of_templates_answer_every_kind_of_scan)
{
    struct cw_source *source = written_templates(50000);
    check_every_scan(source);
    cw_source_unref(&source);
}

Test(part, answers_are_the_same_with_a_cache_of_any_size)
{
    static const size_t sizes[] = {300000, SIZE_MAX}; /* without one: the test above */
    struct cw_source *source = written_templates(40000);
    cw_source_unref(&source);
    for (size_t i = 0; i < CW_COUNT(sizes); i++) {
        struct cw_part_cache *cache = cw_part_cache_new(sizes[i], NULL);
        struct cw_part_cache_counts counts;
        struct cw_part_reader *reader;
        cr_assert_eq(cw_part_reader_open(path, &reader, &err), 0, "%s", err.text);
        cw_part_reader_use_cache(reader, cache);
        source = cw_part_source_new(reader, NULL);
        check_every_scan(source);
        cw_part_cache_count(cache, &counts);
        cr_expect_leq(counts.bytes, sizes[i]);
        cr_expect_gt(counts.hits, 0, "%zu", sizes[i]);
        cr_expect_eq(counts.evicted > 0, sizes[i] < SIZE_MAX, "%zu", sizes[i]);
        cw_source_unref(&source);
        cw_part_cache_count(cache, &counts);
        cr_expect_eq(counts.bytes, 0, "what was kept goes with its part");
        cw_part_cache_free(&cache);
    }
}

/* What a cache has need not be decompressed again; what is read once, by a merge, is not kept. */
Test(part, text_is_decompressed_once_for_those_who_keep_it)
{
    struct cw_source *source = written_templates(50000);
    struct cw_part_cache *cache = cw_part_cache_new(SIZE_MAX, NULL);
    struct cw_part_cache_counts counts;
    cw_part_reader_use_cache(cw_part_source_reader(source), cache);
    struct cw_line_filter *filter;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, CW_STR("no such text"), 0, &err), 0);
    for (int run = 0; run < 4; run++) {
        const struct cw_line_filter *filters[] = {filter};
        struct cw_scan_stats stats = {0};
        struct model_rows rows = {0};
        struct cw_scan scan = all_rows;
        scan.filters = filters;
        scan.nfilters = 1;
        scan.keep_decoded = run >= 2;
        scan.stats = &stats;
        cr_assert_eq(model_rows_of_source(source, &scan, &rows, &err), 0, "%s", err.text);
        cr_assert_eq(rows.n, 0);
        model_rows_fini(&rows);
        cw_part_cache_count(cache, &counts);
        cr_expect_eq(counts.bytes > 0, run >= 2);
        cr_expect_eq(atomic_load(&stats.bytes_decompressed) > 0, run < 3, "run %d", run);
    }
    cw_line_filter_free(&filter);
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
}

/* A scan of what is nowhere; its statistics. */
static void scan_absent(struct cw_source *source, struct cw_scan scan, struct cw_scan_stats *stats)
{
    struct cw_line_filter *filter;
    struct model_rows rows = {0};
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, CW_STR("no such text"), 0, &err), 0);
    const struct cw_line_filter *filters[] = {filter};
    *stats = (struct cw_scan_stats){0};
    scan.filters = filters;
    scan.nfilters = 1;
    scan.stats = stats;
    cr_assert_eq(model_rows_of_source(source, &scan, &rows, &err), 0, "%s", err.text);
    cr_assert_eq(rows.n, 0);
    model_rows_fini(&rows);
    cw_line_filter_free(&filter);
}

/* The same scan, as it counts rows and blocks with the cache and without. */
static void counts_same(struct cw_source *source, struct cw_scan scan, uint64_t decompressed_max)
{
    struct cw_scan_stats without, with;
    scan.keep_decoded = false;
    scan_absent(source, scan, &without);
    scan.keep_decoded = true;
    scan_absent(source, scan, &with);
    cr_expect_eq(atomic_load(&with.rows_seen), atomic_load(&without.rows_seen));
    cr_expect_eq(atomic_load(&with.rows_ruled_out), atomic_load(&without.rows_ruled_out));
    cr_expect_eq(atomic_load(&with.blocks_read), atomic_load(&without.blocks_read));
    cr_expect_eq(atomic_load(&with.blocks_skipped), atomic_load(&without.blocks_skipped));
    cr_expect_eq(atomic_load(&with.blocks_ruled_out_by_text),
                 atomic_load(&without.blocks_ruled_out_by_text));
    cr_expect_gt(atomic_load(&without.bytes_decompressed), decompressed_max);
    cr_expect_leq(atomic_load(&with.bytes_decompressed), decompressed_max);
}

/* Grams are kept of what is asked for again, and then nothing of a block that they rule out is read; though its TEXT is not kept. */
Test(part, a_block_that_grams_rule_out_is_not_read)
{
    struct cw_buf file;
    struct cw_part_reader *reader;
    enum { CACHE_BYTES = 16384 };
    struct cw_source *source = written_lines(50000, "u", 10000); /* users are strings of TEXT */
    struct cw_part_cache *cache = cw_part_cache_new(CACHE_BYTES, NULL);
    struct cw_scan_stats stats;
    cw_source_unref(&source);
    cw_buf_init(&file, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cw_part_reader_use_cache(reader, cache);
    source = cw_part_source_new(reader, NULL);
    uint32_t nblocks = cw_part_reader_footer(reader)->nblocks;
    struct cw_scan scan = all_rows;
    scan.keep_decoded = true;
    for (int run = 0; run < 3; run++) {
        scan_absent(source, scan, &stats);
        cr_expect_eq(atomic_load(&stats.bytes_decompressed) > 0, run < 2, "run %d", run);
        cr_expect_eq(atomic_load(&stats.bytes_stored_read) > 0, run < 2, "run %d", run);
        cr_expect_eq(atomic_load(&stats.blocks_ruled_out_by_text), nblocks, "run %d", run);
        cr_expect_eq(atomic_load(&stats.rows_ruled_out), model.n, "run %d", run);
    }
    counts_same(source, scan, 0);
    scan.start_ns = day_ns + 10000 * 1000; /* within a block: it is opened, and its TEXT is not */
    scan.end_ns = day_ns + 40000 * 1000;
    counts_same(source, scan, 0);
    for (uint32_t i = 0; i < nblocks; i++)
        memset(file.ptr + cw_part_reader_block(reader, i).offset, 0xff, 64);
    scan_absent(source, all_rows, &stats);
    cr_expect_eq(atomic_load(&stats.corrupt_blocks), nblocks, "who keeps nothing asks no grams");
    scan = all_rows;
    scan.keep_decoded = true;
    scan_absent(source, scan, &stats);
    cr_expect_eq(atomic_load(&stats.corrupt_blocks), 0);
    struct cw_part_cache_counts counts;
    cw_part_cache_count(cache, &counts);
    cr_expect_leq(counts.bytes, CACHE_BYTES);
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
    cw_buf_fini(&file);
}

/* A merge reads the labels of every stream once, and would fill the cache with them. */
Test(part, labels_that_are_read_once_are_not_kept)
{
    struct cw_part_cache *cache = cw_part_cache_new(SIZE_MAX, NULL);
    struct cw_part_cache_counts counts;
    part_model_fill(&model, 8, 600, 2000, day_ns);
    struct cw_source *source = written();
    struct cw_part_reader *reader = cw_part_source_reader(source);
    cw_part_reader_use_cache(reader, cache);
    uint64_t bytes = 0;
    for (int run = 0; run < 3; run++) {
        struct cw_stream_pin pin = {.once = run != 1};
        for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nstreams; i++) {
            const struct cw_part_stream *stream;
            cr_assert_eq(cw_part_reader_stream(reader, i, &pin, &stream, &err), 0);
            cr_assert_gt(stream->ref.labels.n, 0);
        }
        cw_stream_pin_fini(&pin);
        cw_part_cache_count(cache, &counts);
        cr_expect_eq(counts.bytes > 0, run > 0, "run %d", run);
        cr_expect_eq(counts.hits > 0, run == 2, "run %d", run);
        cr_expect(run < 2 || counts.bytes == bytes);
        bytes = counts.bytes;
    }
    struct model_rows rows = {0};
    struct cw_source *other = NULL;
    cr_assert_eq(cw_part_source_open(path, NULL, &other, &err), 0);
    struct cw_part_cache *unused = cw_part_cache_new(SIZE_MAX, NULL);
    cw_part_reader_use_cache(cw_part_source_reader(other), unused);
    cr_assert_eq(model_rows_of_source(other, &all_rows, &rows, &err), 0); /* as a merge scans */
    cw_part_cache_count(unused, &counts);
    cr_expect_eq(counts.bytes, 0);
    model_rows_fini(&rows);
    cw_source_unref(&other);
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
    cw_part_cache_free(&unused);
}

/* Whoever asks for the same few rows again gets them without their block. */
Test(part, lines_of_few_rows_are_rebuilt_once_for_those_who_keep_them)
{
    static const size_t newest[] = {5, 60, 5, 100, 1000, 40};
    size_t kept = 0;
    uint64_t asked_before = 0, asked_first = 0;
    struct cw_source *source = written_templates(50000);
    struct cw_part_cache *cache = cw_part_cache_new(SIZE_MAX, NULL);
    cw_part_reader_use_cache(cw_part_source_reader(source), cache);
    for (size_t i = 0; i < CW_COUNT(newest); i++) {
        for (int run = 0; run < 3; run++) {
            int64_t everything = INT64_MIN;
            struct cw_scan_stats stats = {0};
            struct model_rows want = {0}, got = {0};
            struct cw_scan scan = all_rows;
            scan.newest_first = scan.keep_decoded = true;
            scan.cut_ns = &everything;
            scan.stats = &stats;
            scan.start_ns = day_ns + (int64_t)(model.n - newest[i]) * 1000;
            model_rows_of_model(&model, &scan, &want);
            cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
            cr_assert_eq(got.n, newest[i]);
            cr_assert(model_rows_equal(&got, &want));
            struct cw_part_cache_counts counts;
            cw_part_cache_count(cache, &counts);
            uint64_t asked = counts.hits + counts.misses;
            if (newest[i] <= kept) /* TEXT and ROWS are not asked for */
                cr_expect_lt(asked - asked_before, asked_first);
            else
                asked_first = asked - asked_before;
            asked_before = asked;
            if (newest[i] > kept && newest[i] <= CW_KEPT_LINES_MAX)
                kept = newest[i];
            model_rows_fini(&want);
            model_rows_fini(&got);
        }
    }
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
}

/* The newest `n` rows that a source which keeps rows gives; returns the blocks that were bad. */
static uint64_t newest_rows(struct cw_source *source, size_t n, struct model_rows *want,
                            struct model_rows *got)
{
    int64_t everything = INT64_MIN;
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    scan.newest_first = scan.keep_decoded = true;
    scan.cut_ns = &everything;
    scan.stats = &stats;
    scan.start_ns = day_ns + (int64_t)(model.n - n) * 1000;
    model_rows_of_model(&model, &scan, want);
    cr_assert_eq(model_rows_of_source(source, &scan, got, &err), 0, "%s", err.text);
    return atomic_load(&stats.corrupt_blocks);
}

/* So that whoever reads the metadata of a block finds it bad. */
static void metadata_spoil(struct cw_buf *file, const struct cw_part_reader *reader)
{
    static struct cw_block block;
    bool any = false;
    for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nblocks; i++) {
        cr_assert_eq(cw_block_open(cw_part_reader_block_bytes(reader, i), &block, &err), 0);
        if (block.meta.stored.ptr == NULL)
            continue;
        file->ptr[block.meta.stored.ptr - file->ptr] ^= 1;
        any = true;
    }
    cr_assert(any);
}

/* Kept rows have theirs, or none; of others the block's must be read, and without it they are not given. */
Test(part, metadata_of_kept_rows_is_not_read_again)
{
    struct cw_buf file;
    struct cw_part_reader *reader;
    struct cw_source *source = written_templates(50000);
    struct cw_part_cache *cache = cw_part_cache_new(SIZE_MAX, NULL);
    cw_source_unref(&source);
    cw_buf_init(&file, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cw_part_reader_use_cache(reader, cache);
    source = cw_part_source_new(reader, NULL);
    for (int run = 0; run < 4; run++) {
        struct model_rows want = {0}, got = {0};
        size_t n = run < 3 ? 110 : 400;
        if (run == 2)
            metadata_spoil(&file, reader);
        uint64_t nbad = newest_rows(source, n, &want, &got);
        cr_expect_eq(nbad > 0, run == 3, "run %d", run);
        cr_expect(run < 3 ? model_rows_equal(&got, &want) : got.n < n, "run %d", run);
        model_rows_sort(&got);
        model_rows_sort(&want);
        cr_expect(model_rows_within(&got, &want), "run %d", run);
        model_rows_fini(&want);
        model_rows_fini(&got);
    }
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
    cw_buf_fini(&file);
}

/* Streams and times are kept too: for the same rows the block is not even opened. More of them, and it is found bad. */
Test(part, of_a_block_whose_newest_rows_are_kept_no_byte_is_needed)
{
    struct cw_buf file;
    struct cw_part_reader *reader;
    struct cw_source *source = written_templates(50000);
    struct cw_part_cache *cache = cw_part_cache_new(SIZE_MAX, NULL);
    cw_source_unref(&source);
    cw_buf_init(&file, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cw_part_reader_use_cache(reader, cache);
    source = cw_part_source_new(reader, NULL);
    uint32_t nblocks = cw_part_reader_footer(reader)->nblocks;
    cr_assert_gt(nblocks, 1);
    static const size_t newest[] = {110, 110, 50, 400, 110};
    for (size_t run = 0; run < CW_COUNT(newest); run++) {
        struct model_rows want = {0}, got = {0};
        for (uint32_t i = 0; run == 1 && i < nblocks; i++)
            memset(file.ptr + cw_part_reader_block(reader, i).offset, 0xff, 64);
        uint64_t nbad = newest_rows(source, newest[run], &want, &got);
        cr_expect_eq(nbad, newest[run] == 400 ? nblocks : 0, "run %zu", run);
        cr_expect_eq(model_rows_equal(&got, &want), newest[run] != 400, "run %zu", run);
        model_rows_sort(&got);
        model_rows_sort(&want);
        cr_expect(model_rows_within(&got, &want), "run %zu", run);
        model_rows_fini(&want);
        model_rows_fini(&got);
    }
    cw_source_unref(&source);
    cw_part_cache_free(&cache);
    cw_buf_fini(&file);
}

/* Each row's template is that of its line; without lines none is rebuilt. */
static void check_templates(struct cw_source *source, unsigned need)
{
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = {
        .start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = need, .stats = &stats};
    struct cw_units units = {0};
    size_t n = 0;
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    for (size_t u = 0; u < units.n; u++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        cr_assert_eq(source->ops->open(source, &scan, &units.items[u], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &batch, &err) > 0) {
            const struct cw_layout *layout;
            const uint16_t *rows;
            cr_assert_not_null(batch.templates);
            cr_assert_eq(batch.lines != NULL, (need & CW_NEED_LINES) != 0);
            cr_assert_eq(cw_template_block_layout(batch.templates, &layout, &err), 0);
            cr_assert_eq(cw_template_block_rows(batch.templates, &rows, &err), 0);
            for (size_t i = 0; i < batch.n; i++) {
                struct cw_str text = layout->templates[rows[batch.rows[i]]].text;
                cr_assert(cw_str_starts(text, CW_STR("level=")));
                if (batch.lines != NULL)
                    cr_assert(
                        cw_str_eq(cw_str_sub(text, 0, 10), cw_str_sub(batch.lines[i], 0, 10)));
            }
            n += batch.n;
        }
        cw_cursor_close(&cursor);
    }
    cr_assert_eq(n, 50000);
    if ((need & CW_NEED_LINES) == 0)
        cr_assert_lt(atomic_load(&stats.bytes_decompressed), 100000);
    cw_units_fini(&units);
}

Test(part, templates_are_told_of_each_row)
{
    struct cw_source *source = written_templates(50000);
    check_templates(source, CW_NEED_TEMPLATES);
    check_templates(source, CW_NEED_TEMPLATES | CW_NEED_LINES | CW_NEED_TIMES);
    cw_source_unref(&source);
}

Test(part, a_plain_block_gives_lines_for_templates)
{
    uint64_t state = 1;
    part_model_fill(&model, 3, 3, 500, day_ns);
    for (size_t i = 0; i < 64; i++) {
        char line[40];
        for (size_t k = 0; k < sizeof(line); k++)
            line[k] = (char)(part_model_random(&state) % 255 + 1);
        part_model_add(&model, 0, day_ns, cw_str_make(line, sizeof(line)), NULL);
    }
    struct cw_source *source = written();
    struct cw_scan scan = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = CW_NEED_TEMPLATES};
    struct cw_units units = {0};
    size_t n = 0;
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    for (size_t u = 0; u < units.n; u++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        cr_assert_eq(source->ops->open(source, &scan, &units.items[u], &cursor, &err), 0);
        for (; cw_cursor_next(cursor, &batch, &err) > 0; n += batch.n)
            cr_assert_neq(batch.templates == NULL, batch.lines == NULL);
        cw_cursor_close(&cursor);
    }
    cr_assert_eq(n, 564);
    cw_units_fini(&units);
    cw_source_unref(&source);
}

/* Reads with a cut that moves to the `most`th time in the order; returns the bytes that were decompressed. */
static uint64_t read_to_cut(struct cw_source *source, bool newest_first, size_t most)
{
    int64_t cut = newest_first ? INT64_MIN : INT64_MAX, last = cut;
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    struct cw_units units = {0};
    size_t within = 0, edge = newest_first ? model.n - most : most - 1;
    scan.newest_first = newest_first;
    scan.cut_ns = &cut;
    scan.stats = &stats;
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    for (size_t i = 0; i < units.n; i++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch b;
        cr_assert_eq(source->ops->open(source, &scan, &units.items[i], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &b, &err) > 0) {
            last = day_ns + (int64_t)edge * 1000;
            for (size_t r = 0; r < b.n; r++)
                within += newest_first ? b.ts_ns[r] >= last : b.ts_ns[r] <= last;
            cut = last;
        }
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    cr_assert_eq(within, most, "%zu", within);
    return atomic_load(&stats.bytes_decompressed);
}

Test(part, rows_up_to_the_cut_are_all_read_and_few_others)
{
    struct cw_source *source = written_templates(50000);
    uint64_t all = cw_part_reader_footer(cw_part_source_reader(source))->raw_bytes;
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        read_to_cut(source, newest_first, 1);
        cr_assert_lt(read_to_cut(source, newest_first, 100), all / 10);
        read_to_cut(source, newest_first, 30000);
        read_to_cut(source, newest_first, 50000);
    }
    cw_source_unref(&source);
}

Test(part, selectors_choose_streams_by_postings)
{
    part_model_fill(&model, 2, 3000, 20000, day_ns);
    struct cw_source *source = written();
    static const struct {
        enum cw_match_op op;
        const char *name, *value;
    } matchers[] = {
        {CW_MATCH_EQ, "app", "app1"},       {CW_MATCH_EQ, "app", "none"},
        {CW_MATCH_EQ, "app", ""},           {CW_MATCH_NE, "app", "app1"},
        {CW_MATCH_NE, "app", ""},           {CW_MATCH_EQ, "gone", "x"},
        {CW_MATCH_NE, "gone", "x"},         {CW_MATCH_RE, "gone", ".*"},
        {CW_MATCH_RE, "gone", ".+"},        {CW_MATCH_EQ, "host", "h-2991"},
        {CW_MATCH_NE, "host", "h-0"},       {CW_MATCH_RE, "host", "h-1.*"},
        {CW_MATCH_NRE, "host", "h-[12].*"}, {CW_MATCH_NRE, "app", "app[0-3]|"},
        {CW_MATCH_RE, "only", "|6"},        {CW_MATCH_EQ, "host", "h-0"},
        {CW_MATCH_EQ, "host", "zzz"},       {CW_MATCH_EQ, "host", "a"},
    };
    size_t n = CW_COUNT(matchers);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i; j < n; j++) {
            struct cw_selector selector;
            cw_selector_init(&selector);
            cr_assert_eq(cw_selector_add(&selector, matchers[i].op, cw_str_of(matchers[i].name),
                                         cw_str_of(matchers[i].value), &err),
                         0);
            if (j > i)
                cr_assert_eq(cw_selector_add(&selector, matchers[j].op, cw_str_of(matchers[j].name),
                                             cw_str_of(matchers[j].value), &err),
                             0);
            struct model_rows want = {0}, got = {0};
            struct cw_scan scan = {
                .selector = &selector, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
            model_rows_of_model(&model, &scan, &want);
            cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
            cr_assert(model_rows_equal(&got, &want));
            model_rows_fini(&want);
            model_rows_fini(&got);
            cw_selector_fini(&selector);
        }
    }
    cw_source_unref(&source);
}

Test(part, lines_as_long_as_a_piece_or_a_block_come_back)
{
    static const size_t lengths[] = {
        CW_PIECE_RAW_TARGET - 1, CW_PIECE_RAW_TARGET, CW_PIECE_RAW_TARGET + 1, 1, 0,
        CW_BLOCK_RAW_TARGET - 1, CW_BLOCK_RAW_TARGET, CW_BLOCK_RAW_TARGET + 1, 3};
    size_t s = part_model_stream(&model, "{a=\"b\"}");
    char *line = cw_mem_new(CW_BLOCK_RAW_TARGET + 1);
    uint64_t state = 9;
    for (size_t i = 0; i < CW_BLOCK_RAW_TARGET + 1; i += 3)
        line[i] = (char)part_model_random(&state);
    for (size_t i = 0; i < CW_COUNT(lengths); i++)
        part_model_add(&model, s, (int64_t)i, cw_str_make(line, lengths[i]), NULL);
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), CW_COUNT(lengths));
    cr_assert_geq(cw_part_reader_footer(cw_part_source_reader(source))->nblocks, 3);
    cw_source_unref(&source);
    free(line);
}

Test(part, a_hundred_thousand_tiny_streams_share_few_blocks)
{
    char labels[64];
    for (int i = 0; i < 100000; i++) {
        /* Not part_model_stream(): its search for equal labels is quadratic. */
        snprintf(labels, sizeof(labels), "{app=\"a\", pod=\"pod-%06d\"}", i);
        struct part_model *m = &model;
        struct cw_labels parsed;
        cr_assert_eq(
            cw_labels_parse(cw_arena_dup(m->arena, cw_str_of(labels)), m->arena, &parsed, &err), 0);
        m->streams = cw_arena_grow(m->arena, m->streams, m->nstreams, &m->streams_cap,
                                   m->nstreams + 1, sizeof(*m->streams));
        m->streams[m->nstreams++] = parsed;
        part_model_add(m, (size_t)i, day_ns + i, CW_STR("started"), NULL);
        part_model_add(m, (size_t)i, day_ns + i + 1, CW_STR("stopped"), NULL);
    }
    struct cw_source *source = written();
    const struct cw_part_footer *f = cw_part_reader_footer(cw_part_source_reader(source));
    cr_assert_eq(f->nstreams, 100000);
    cr_assert_leq(f->nblocks, 200000 / CW_BLOCK_ROWS_MAX + 1);
    cr_assert_lt(f->file_bytes, 100000 * 40);
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("pod"), CW_STR("pod-077777"), &err),
                 0);
    struct cw_scan scan = all_rows;
    struct cw_units units = {0};
    scan.selector = &selector;
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    cr_assert_eq(units.n, 1, "a small stream lies in one block");
    cw_units_fini(&units);
    cr_assert_eq(check_scan(source, scan), 2);
    cw_selector_fini(&selector);
    cw_source_unref(&source);
}

/* ---- which streams lie in which blocks ---- */

struct lies {
    uint64_t rows, own_bytes, block_bytes; /* of the stream, and of the blocks that it lies in */
    uint32_t nblocks;
};

/* Of each stream of the part, where lines have `len` bytes. */
static struct lies *streams_lie(struct cw_part_reader *reader, size_t len)
{
    static int64_t numbers[CW_BLOCK_ROWS_MAX], rows[CW_BLOCK_ROWS_MAX];
    static struct cw_block block;
    struct lies *lies = cw_mem_array(cw_part_reader_footer(reader)->nstreams, sizeof(*lies));
    for (uint32_t i = 0; i < cw_part_reader_footer(reader)->nblocks; i++) {
        struct cw_part_block entry = cw_part_reader_block(reader, i);
        numbers[0] = entry.first_stream;
        rows[0] = entry.rows;
        cr_assert_eq(cw_block_open(cw_part_reader_block_bytes(reader, i), &block, &err), 0);
        if (block.nstreams > 1)
            cr_assert_eq(cw_block_streams(&block, numbers, rows, &err), 0);
        for (uint32_t s = 0; s < block.nstreams; s++) {
            struct lies *l = &lies[numbers[s]];
            l->rows += (uint64_t)rows[s];
            l->own_bytes += (uint64_t)rows[s] * len;
            l->block_bytes += entry.raw_bytes;
            l->nblocks++;
        }
    }
    return lies;
}

/* A stream of less than 512 KiB lies in one block; of a larger one at least an eighth of what is read is its own. */
Test(part, a_stream_has_a_share_of_its_blocks_or_lies_in_one, .timeout = 100)
{
    enum { LEN = 2000, STREAMS = 24 };
    static const size_t shares[] = {1,   20,  150,  261,  262,  263, 300,
                                    530, 700, 2090, 2110, 2400, 4500};
    char labels[40], line[LEN];
    uint64_t state = 3, small = 0, large = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        snprintf(labels, sizeof(labels), "{app=\"%c\", n=\"%02zu\"}", 'a' + (int)(i / 12), i);
        size_t s = part_model_stream(&model, labels);
        for (size_t r = shares[part_model_random(&state) % CW_COUNT(shares)]; r > 0; r--) {
            memset(line, 'a' + (int)(r % 7), sizeof(line));
            part_model_add(&model, s, day_ns + (int64_t)r, cw_str_make(line, LEN), NULL);
        }
    }
    struct cw_source *source = written();
    struct cw_part_reader *reader = cw_part_source_reader(source);
    cr_assert_gt(cw_part_reader_footer(reader)->nblocks, 5);
    struct lies *lies = streams_lie(reader, LEN);
    for (size_t i = 0; i < STREAMS; i++) {
        bool is_small = lies[i].own_bytes < 512 << 10;
        cr_assert_gt(lies[i].rows, 0);
        cr_expect(!is_small || lies[i].nblocks == 1, "stream %zu of %llu bytes lies in %u", i,
                  (unsigned long long)lies[i].own_bytes, lies[i].nblocks);
        cr_expect(is_small || lies[i].block_bytes <= 8 * (lies[i].own_bytes + LEN),
                  "stream %zu: %llu bytes, its blocks have %llu", i,
                  (unsigned long long)lies[i].own_bytes, (unsigned long long)lies[i].block_bytes);
        small += is_small;
        large += !is_small;
    }
    cr_expect(small > 3 && large > 3);
    free(lies);
    cw_source_unref(&source);
}

Test(part, every_row_may_have_other_metadata)
{
    size_t s = part_model_stream(&model, "{a=\"b\"}");
    char metadata[128];
    for (int i = 0; i < 5000; i++) {
        snprintf(metadata, sizeof(metadata), "{name_%d=\"v%d\", common=\"%d\"}", i, i, i % 10);
        part_model_add(&model, s, i, CW_STR("x"), metadata);
    }
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 5000);
    cw_source_unref(&source);
}

Test(part, the_most_metadata_that_a_push_may_bring_is_stored)
{
    size_t s = part_model_stream(&model, "{a=\"b\"}");
    struct cw_buf metadata;
    cw_buf_init(&metadata, 64 << 20);
    for (int i = 0; i < 9000; i++)
        part_model_add(&model, s, i, CW_STR("x"), i % 2 ? NULL : "{k=\"v\"}");
    for (unsigned row = 0; row < 2; row++) {
        cw_buf_clear(&metadata);
        cw_buf_addc(&metadata, '{');
        for (unsigned i = 0; i < CW_LIMIT_METADATA_COUNT_HARD; i++)
            cw_buf_addf(&metadata, "%sname_%u_%u=\"%0200u\"", i ? ", " : "", row, i, i);
        cw_buf_addc(&metadata, '}');
        part_model_add(&model, s, 9000 + row, CW_STR("much"), cw_buf_z(&metadata));
    }
    part_model_add(&model, s, 9005, CW_STR("after"), "{k=\"v\"}");
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 9003);
    cw_source_unref(&source);
    cw_buf_fini(&metadata);
}

Test(part, the_most_labels_that_a_push_may_bring_are_stored)
{
    static char value[CW_LIMIT_STREAM_LABEL_BYTES_HARD],
        labels[CW_LIMIT_STREAM_LABEL_BYTES_HARD + 64];
    for (int i = 0; i < 300; i++) {
        memset(value, 'a' + i % 26, sizeof(value) - 32);
        snprintf(labels, sizeof(labels), "{a=\"%s\", b=\"%d\"}", value, i);
        part_model_add(&model, part_model_stream(&model, labels), i, CW_STR("x"), NULL);
    }
    struct cw_source *source = written();
    cr_assert_eq(check_scan(source, all_rows), 300);
    cw_source_unref(&source);
}

static int count_items(struct cw_source *source, const struct cw_listing *listing)
{
    struct cw_list_cursor *cursor;
    struct cw_list_item item;
    int n = 0, rc;
    cr_assert_eq(source->ops->list(source, listing, &cursor, &err), 0, "%s", err.text);
    while ((rc = cw_list_cursor_next(cursor, &item, &err)) > 0)
        n++;
    cr_assert_eq(rc, 0);
    cw_list_cursor_close(&cursor);
    return n;
}

Test(part, streams_and_stats_follow_selector_and_range)
{
    part_model_fill(&model, 3, 40, 20000, day_ns);
    struct cw_source *source = written();
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("env"), CW_STR("dev"), &err), 0);
    struct cw_index_stats stats = {0};
    const struct cw_selector *selectors[] = {&selector};
    struct cw_listing listing = {.what = CW_LIST_STREAMS,
                                 .start_ns = INT64_MIN,
                                 .end_ns = INT64_MAX,
                                 .selectors = selectors};
    cr_assert_eq(count_items(source, &listing), 40);
    listing.nselectors = 1;
    listing.start_ns = day_ns;
    listing.end_ns = day_ns + 3600 * CW_NS_PER_S;
    int n = count_items(source, &listing);
    cr_assert(n > 0 && n < 20);
    listing.start_ns = day_ns - 10;
    listing.end_ns = day_ns - 5;
    cr_assert_eq(count_items(source, &listing), 0);
    struct cw_scan scan = {
        .selector = &selector, .start_ns = day_ns, .end_ns = day_ns + 3600 * CW_NS_PER_S};
    struct model_rows want = {0};
    model_rows_of_model(&model, &scan, &want);
    cr_assert_eq(source->ops->stats(source, &selector, scan.start_ns, scan.end_ns, &stats, &err),
                 0);
    cr_assert_eq(stats.entries, want.n);
    cr_assert_gt(stats.bytes, 0);
    cr_assert_gt(stats.streams, 0);
    cr_assert_geq(stats.chunks, stats.streams);
    model_rows_fini(&want);
    cw_selector_fini(&selector);
    cw_source_unref(&source);
}

Test(part, a_raised_flag_cancels_a_scan)
{
    part_model_fill(&model, 4, 3, 1000, day_ns);
    struct cw_source *source = written();
    atomic_bool cancel = true;
    struct cw_scan scan = all_rows;
    struct model_rows got = {0};
    scan.cancel = &cancel;
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), CW_E_CANCELED);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

Test(part, hidden_entries_are_not_seen)
{
    part_model_fill(&model, 5, 10, 5000, day_ns);
    struct cw_source *source = written();
    struct cw_scan visible = all_rows;
    struct model_rows want = {0}, got = {0};
    visible.start_ns = day_ns + 43200 * CW_NS_PER_S;
    cw_part_source_hide_before(source, visible.start_ns);
    model_rows_of_model(&model, &visible, &want);
    cr_assert_eq(model_rows_of_source(source, &all_rows, &got, &err), 0);
    cr_assert(model_rows_equal(&got, &want));
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_source_unref(&source);
}

Test(part, an_obsolete_part_is_unlinked_with_its_last_reference)
{
    part_model_fill(&model, 6, 2, 10, day_ns);
    struct cw_source *source = written(), *other = cw_source_ref(source);
    cw_part_source_obsolete(source);
    cw_source_unref(&source);
    cr_assert(cw_file_exists(path));
    cr_assert_eq(check_scan(other, all_rows), 10);
    cw_source_unref(&other);
    cr_assert_not(cw_file_exists(path));
}

Test(part, an_unfinished_part_leaves_no_file)
{
    struct cw_part_writer *writer;
    struct cw_part_info info = part_model_info(1);
    struct cw_file_names names;
    cr_assert_eq(cw_part_writer_new(path, &info, CW_CODEC_LZ4, &writer, &err), 0);
    cr_assert_eq(cw_part_writer_stream(writer, CW_LABELS_NONE, 1, 1, &err), 0);
    cw_part_writer_free(&writer);
    cr_assert_eq(cw_file_list(dir, &names, &err), 0);
    cr_assert_eq(names.n, 0);
    cw_file_names_free(&names);
}

Test(part, times_of_a_stream_that_go_back_are_refused)
{
    struct cw_part_writer *writer;
    struct cw_part_info info = part_model_info(1);
    int64_t times[] = {5, 4};
    struct cw_str lines[] = {CW_STR("a"), CW_STR("b")};
    struct cw_entry_batch batch = {.n = 2, .ts_ns = times, .lines = lines};
    cr_assert_eq(cw_part_writer_new(path, &info, CW_CODEC_LZ4, &writer, &err), 0);
    cr_assert_eq(cw_part_writer_stream(writer, CW_LABELS_NONE, 2, 2, &err), 0);
    cr_assert_eq(cw_part_writer_add(writer, &batch, &err), CW_E_CORRUPT);
    cw_part_writer_free(&writer);
}

Test(part, the_footer_says_where_a_part_comes_from)
{
    static const uint64_t replaced[] = {3, 5, 8};
    struct cw_part_info info = {.id = 77,
                                .tenant = CW_STR("team-a"),
                                .day = CW_DAY_MIXED,
                                .level = 2,
                                .wal_first = 100,
                                .wal_last = 900,
                                .replaced = replaced,
                                .nreplaced = 3};
    part_model_add(&model, part_model_stream(&model, "{a=\"b\"}"), 5, CW_STR("hello"), NULL);
    part_model_write(&model, path, &info);
    struct cw_part_reader *reader;
    cr_assert_eq(cw_part_reader_open(path, &reader, &err), 0);
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    cr_assert_eq(f->info.id, 77);
    cr_assert(cw_str_eqz(f->info.tenant, "team-a"));
    cr_assert_eq(f->info.day, CW_DAY_MIXED);
    cr_assert_eq(f->info.level, 2);
    cr_assert_eq(f->info.wal_first, 100);
    cr_assert_eq(f->info.wal_last, 900);
    cr_assert_eq(f->info.nreplaced, 3);
    cr_assert_eq(f->info.replaced[2], 8);
    cr_assert_eq(f->rows, 1);
    cr_assert_eq(f->raw_bytes, 5);
    cw_part_reader_close(&reader);
}

/* Two streams of a shop, enough for a block of templates that both are in. */
static void shop_fill(void)
{
    uint64_t state = 4;
    for (int i = 0; i < 6000; i++) {
        char line[128];
        uint64_t r = part_model_random(&state);
        snprintf(line, sizeof(line), "GET /item/%u from 10.0.%u.%u took %u.%03u ms id=%016llx",
                 (unsigned)(r % 1000), (unsigned)(r % 7), (unsigned)(r % 200), (unsigned)(r % 90),
                 (unsigned)(r % 1000), (unsigned long long)r);
        part_model_add(&model,
                       part_model_stream(&model, i % 2 ? "{app=\"web\", host=\"a\"}"
                                                       : "{app=\"web\", host=\"b\"}"),
                       day_ns + i, cw_str_of(line), i % 9 ? NULL : "{k=\"v\"}");
    }
}

/* The part `from` behind a stream of its own in another part, at `to`; every block is copied. The result of the copies. */
static int copied(const struct cw_part_reader *from, const char *to, enum cw_codec codec)
{
    struct cw_part_writer *writer;
    struct cw_part_info info = part_model_info(2);
    int64_t ts_ns = 7;
    struct cw_str line = CW_STR("first");
    struct cw_entry_batch batch = {.n = 1, .ts_ns = &ts_ns, .lines = &line};
    struct cw_label labels[] = {{CW_STR("app"), CW_STR("web")}, {CW_STR("host"), CW_STR_NONE}};
    static const uint32_t numbers[] = {1, 2};
    cr_assert_eq(cw_part_writer_new(to, &info, codec, &writer, &err), 0);
    cr_assert_eq(cw_part_writer_stream(writer, (struct cw_labels){labels, 1}, 1, 5, &err), 0);
    cr_assert_eq(cw_part_writer_add(writer, &batch, &err), 0);
    for (size_t i = 0; i < CW_COUNT(numbers); i++) {
        labels[1].value = i == 0 ? CW_STR("a") : CW_STR("b");
        cr_assert_eq(cw_part_writer_stream(writer, (struct cw_labels){labels, 2}, 3000, 1, &err),
                     0);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < cw_part_reader_footer(from)->nblocks; i++)
        rc = cw_part_writer_copy_block(writer, from, i, numbers, &err);
    if (rc == 0)
        cr_assert_eq(cw_part_writer_finish(writer, NULL, &err), 0);
    cw_part_writer_free(&writer);
    return rc;
}

static bool has_codec(struct cw_str block, enum cw_codec codec)
{
    for (uint32_t d = 0; d < cw_get32(block.ptr + 48); d += CW_BLOCK_SECTION_BYTES)
        if (block.ptr[CW_BLOCK_HEADER_BYTES + d + 1] == (char)codec)
            return true;
    return false;
}

Test(part, blocks_of_templates_are_copied_with_their_filters)
{
    char to[96];
    struct cw_part_reader *reader;
    snprintf(to, sizeof(to), "%s/y.part", dir);
    shop_fill();
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    part_model_add(&model, part_model_stream(&model, "{app=\"web\"}"), 7, CW_STR("first"), NULL);
    cr_assert_eq(cw_part_reader_open(path, &reader, &err), 0);
    static const enum cw_codec codecs[] = {CW_CODEC_LZ4, CW_CODEC_ZSTD};
    for (size_t i = 0; i < CW_COUNT(codecs); i++) {
        struct cw_source *source;
        struct cw_value_filter filter, old;
        cr_assert_eq(copied(reader, to, codecs[i]), 0, "%s", err.text);
        cr_assert_eq(cw_part_source_open(to, NULL, &source, &err), 0, "%s", err.text);
        const struct cw_part_reader *new = cw_part_source_reader(source);
        struct cw_str block = cw_part_reader_block_bytes(new, 1);
        cr_assert_eq(block.ptr[6], CW_BLOCK_TEMPLATES);
        cr_assert(has_codec(block, codecs[i]));
        cr_assert_eq(has_codec(block, CW_CODEC_LZ4), codecs[i] == CW_CODEC_LZ4);
        cr_assert_eq(cw_value_filter_open(cw_part_reader_block_filter(new, 1), &filter, &err), 0);
        cr_assert_eq(cw_value_filter_open(cw_part_reader_block_filter(reader, 0), &old, &err), 0);
        cr_assert_eq(filter.nlanes, old.nlanes);
        cr_assert_eq(memcmp(filter.lanes, old.lanes, (size_t)filter.nlanes * 32), 0);
        cr_assert_eq(check_scan(source, all_rows), 6001);
        cw_source_unref(&source);
    }
    cw_part_reader_close(&reader);
}

Test(part, values_of_metadata_are_compressed_anew_with_the_block)
{
    char to[96], text[160];
    struct cw_part_reader *reader;
    struct cw_source *source;
    struct cw_section_entry section = {0};
    uint64_t state = 9;
    uint32_t nvalues = 0;
    snprintf(to, sizeof(to), "%s/y.part", dir);
    for (int i = 0; i < 6000; i++) {
        uint64_t r = part_model_random(&state);
        char word[13] = ""; /* one of 777: what LZ4 finds again */
        for (size_t at = 0; at < sizeof(word) - 1; at++)
            word[at] = (char)('a' + (r % 777 * 2654435761u >> (at % 6 * 4)) % 26);
        snprintf(text, sizeof(text), "{agent=\"Mozilla/%u (compatible; %s) build %u of %u\"}",
                 (unsigned)(r % 9), word, (unsigned)(r % 90001), (unsigned)(r % 101));
        part_model_add(&model,
                       part_model_stream(&model, i % 2 ? "{app=\"web\", host=\"a\"}"
                                                       : "{app=\"web\", host=\"b\"}"),
                       day_ns + i, CW_STR("a line"), text);
    }
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    part_model_add(&model, part_model_stream(&model, "{app=\"web\"}"), 7, CW_STR("first"), NULL);
    cr_assert_eq(cw_part_reader_open(path, &reader, &err), 0);
    cr_assert_eq(copied(reader, to, CW_CODEC_ZSTD), 0, "%s", err.text);
    cw_part_reader_close(&reader);
    cr_assert_eq(cw_part_source_open(to, NULL, &source, &err), 0, "%s", err.text);
    struct cw_str block = cw_part_reader_block_bytes(cw_part_source_reader(source), 1);
    for (uint32_t i = 0; cw_section_entry_next(block, i, &section); i++) {
        if (section.kind != CW_SECTION_META_VALUES)
            continue;
        nvalues++;
        cr_assert(has_codec(section.stored, CW_CODEC_ZSTD));
        cr_assert_not(has_codec(section.stored, CW_CODEC_LZ4));
    }
    cr_assert_gt(nvalues, 0);
    cr_assert_eq(check_scan(source, all_rows), 6001);
    cw_source_unref(&source);
}

Test(part, no_damaged_section_is_copied)
{
    char to[96];
    struct cw_buf bytes;
    snprintf(to, sizeof(to), "%s/y.part", dir);
    shop_fill();
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    cw_buf_init(&bytes, SIZE_MAX);
    cr_assert_eq(cw_file_read(path, SIZE_MAX / 2, &bytes, &err), 0);
    char *block = bytes.ptr + CW_PART_HEADER_BYTES;
    uint32_t dir_bytes = cw_get32(block + 48), at = CW_BLOCK_HEADER_BYTES + dir_bytes;
    for (uint32_t d = 0; d < dir_bytes; d += CW_BLOCK_SECTION_BYTES) {
        struct cw_part_reader *reader;
        block[at] ^= 1;
        cr_assert_eq(cw_part_reader_open_bytes("damaged", cw_buf_str(&bytes), &reader, &err), 0);
        cr_assert_eq(copied(reader, to, d / 16 % 2 ? CW_CODEC_LZ4 : CW_CODEC_ZSTD), CW_E_CORRUPT);
        cw_part_reader_close(&reader);
        block[at] ^= 1;
        at += cw_get32(block + CW_BLOCK_HEADER_BYTES + d + 8);
    }
    cw_buf_fini(&bytes);
}
