/* test_part_mend.c - parts that do not open: each block that is whole is read, wherever the damage is; and what salvage makes of it. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/part_mend.h"
#include "common/store/part_salvage.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"
#include "tests/support/part_model.h"
#include "tests/support/part_seal.h"

static char dir[64], path[96];
static struct cw_err err;
static struct part_model model;
static struct cw_buf file;
static struct cw_part_info info;
static struct model_rows all;
static size_t regions[CW_REGIONS][2]; /* where they begin, and end */
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-mend-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
    part_model_init(&model);
    cw_buf_init(&file, SIZE_MAX);
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    info = part_model_info(1);
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    model_rows_fini(&all);
    cw_buf_fini(&file);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(part_mend, .init = setup, .fini = teardown);

static void read_file(void)
{
    struct cw_part_reader *reader;
    cw_buf_clear(&file);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
    cr_assert_eq(cw_part_reader_open_bytes("x", cw_buf_str(&file), &reader, &err), 0);
    for (int i = 0; i < CW_REGIONS; i++) {
        regions[i][0] = cw_part_reader_region_offset(reader, i);
        regions[i][1] = regions[i][0] + cw_part_reader_region(reader, i).len;
    }
    cr_assert_gt(cw_part_reader_footer(reader)->nblocks, 2);
    cw_part_reader_close(&reader);
}

static void write_and_read(void)
{
    part_model_write(&model, path, &info);
    model_rows_of_model(&model, &all_rows, &all);
    model_rows_sort(&all);
    read_file();
}

/* Blocks of several streams of unlike apps, and some of one. */
static void some_blocks(void)
{
    static const char *const apps[] = {"{app=\"one\"}", "{app=\"two\", host=\"h\"}",
                                       "{app=\"up\"}"};
    char line[2400];
    for (size_t a = 0; a < CW_COUNT(apps); a++) {
        size_t s = part_model_stream(&model, apps[a]);
        for (int i = 0; i < 480 + 10 * (int)a; i++) {
            int n = snprintf(line, sizeof(line), "line %d of %s ", i, apps[a]);
            memset(line + n, 'x', sizeof(line) - (size_t)n);
            part_model_add(&model, s, day_ns + i, cw_str_make(line, sizeof(line)), NULL);
        }
    }
    part_model_fill(&model, 5, 12, 300, day_ns);
    write_and_read();
}

/* Of all streams and times. */
static size_t count(struct cw_source *source)
{
    struct cw_units units = {0};
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    size_t n = 0;
    cr_assert_eq(source->ops->plan(source, &all_rows, &units, &err), 0);
    for (size_t i = 0; i < units.n; i++) {
        cr_assert_eq(source->ops->open(source, &all_rows, &units.items[i], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &batch, &err) > 0)
            n += batch.n;
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return n;
}

enum want { WANT_ALL, WANT_SOME, WANT_ANY };

/* Mend bytes; what is read of them is in the part, and all or some of it where that is wanted. */
static void mends(struct cw_str bytes, enum want want, const char *what, size_t at)
{
    struct cw_part_mended *mended;
    struct cw_part_reader *reader;
    uint64_t expected;
    int rc = cw_part_mend_bytes("x", bytes, &info, &mended, &reader, &expected, &err);
    if (rc < 0 && want == WANT_ANY) {
        cr_assert_eq(rc, CW_E_CORRUPT);
        return;
    }
    cr_assert_eq(rc, 0, "%s %zu: %s", what, at, err.text);
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    cr_assert_eq(f->info.id, info.id);
    cr_assert(cw_str_eq(f->info.tenant, info.tenant));
    cr_assert_eq(f->info.wal_last, info.wal_last);
    struct cw_source *source = cw_part_source_new(reader, NULL);
    size_t n = count(source);
    if (want == WANT_ALL)
        cr_assert(n == all.n && expected == all.n, "%s %zu: %zu of %zu rows", what, at, n, all.n);
    cr_assert(want != WANT_SOME || n > 0, "%s %zu: nothing", what, at);
    if (at % 16 == 0) { /* which takes longer */
        struct model_rows got = {0};
        cr_assert_eq(model_rows_of_source(source, &all_rows, &got, &err), 0, "%s", err.text);
        model_rows_sort(&got);
        cr_assert(model_rows_within(&got, &all), "%s %zu: other rows", what, at);
        model_rows_fini(&got);
    }
    cw_source_unref(&source);
    cw_part_mended_free(&mended);
}

static void flips(size_t from, size_t to, size_t step, enum want want, const char *what)
{
    for (size_t at = from; at < to; at += step) {
        file.ptr[at] ^= 0x11;
        mends(cw_buf_str(&file), want, what, at);
        file.ptr[at] ^= 0x11;
    }
}

Test(part_mend, a_flipped_byte_of_what_can_be_made_again_costs_nothing, .timeout = 300)
{
    some_blocks();
    mends(cw_buf_str(&file), WANT_ALL, "whole", 0);
    flips(0, CW_PART_HEADER_BYTES, 1, WANT_ALL, "header");
    flips(regions[CW_REGION_FILTERS][0], regions[CW_REGION_FILTERS][1], 97, WANT_ALL, "filters");
    flips(regions[CW_REGION_BLOCKS][0], regions[CW_REGION_BLOCKS][1], 1, WANT_ALL, "blocks");
    flips(regions[CW_REGION_POSTINGS][0], regions[CW_REGION_POSTINGS][1], 7, WANT_ALL, "postings");
    flips(regions[CW_REGION_ORIGIN][0], regions[CW_REGION_ORIGIN][1], 1, WANT_ALL, "origin");
    flips(regions[CW_REGION_ORIGIN][1], file.len, 3, WANT_ALL, "footer");
    flips(regions[CW_REGION_STREAMS][0], regions[CW_REGION_STREAMS][1], 5, WANT_ANY, "streams");
}

Test(part_mend, a_damaged_block_costs_that_block_whatever_else_is_made_again, .timeout = 300)
{
    struct cw_str whole;
    some_blocks();
    size_t start = CW_PART_HEADER_BYTES;
    file.ptr[regions[CW_REGION_BLOCKS][0] + 3] ^= 0x40;
    flips(start, start + 400, 13, WANT_SOME, "table and block");
    file.ptr[regions[CW_REGION_BLOCKS][0] + 3] ^= 0x40;
    whole = cw_buf_str(&file);
    for (size_t at = start; at < start + 400; at += 13) {
        file.ptr[at] ^= 0x11;
        mends(cw_str_sub(whole, 0, whole.len - 1), WANT_SOME, "cut and block", at);
        file.ptr[at] ^= 0x11;
    }
}

Test(part_mend, what_is_cut_or_appended_at_the_end_costs_nothing_while_the_streams_are_there,
     .timeout = 300)
{
    some_blocks();
    struct cw_str whole = cw_buf_str(&file);
    for (size_t len = whole.len - 1; len >= regions[CW_REGION_STREAMS][1]; len--)
        mends(cw_str_sub(whole, 0, len), WANT_ALL, "cut to", len);
    for (size_t len = regions[CW_REGION_STREAMS][1] - 1; len > regions[CW_REGION_FILTERS][0];
         len -= CW_MIN(len, (size_t)31))
        mends(cw_str_sub(whole, 0, len), WANT_ANY, "cut to", len);
    for (size_t len = 0; len < regions[CW_REGION_FILTERS][0]; len += 5003)
        mends(cw_str_sub(whole, 0, len), WANT_ANY, "cut to", len);
    for (int i = 0; i < 300; i++) {
        cw_buf_addc(&file, (char)i);
        mends(cw_buf_str(&file), WANT_ALL, "appended", (size_t)i);
    }
}

Test(part_mend, a_newer_part_is_left_alone)
{
    struct cw_part_mended *mended;
    struct cw_part_reader *reader;
    uint64_t expected;
    some_blocks();
    char *footer = file.ptr + file.len - CW_PART_FOOTER_BYTES;
    cw_put32(footer + 16, 0x40);
    cw_put64(footer + 240, cw_hash64(footer, 240));
    cr_assert_eq(
        cw_part_mend_bytes("x", cw_buf_str(&file), &info, &mended, &reader, &expected, &err),
        CW_E_CORRUPT);
}

Test(part_mend, a_block_table_of_no_whole_number_of_entries_is_made_again)
{
    some_blocks();
    char *entry = file.ptr + file.len - CW_PART_FOOTER_BYTES + 96 + 24 * CW_REGION_BLOCKS;
    cw_put64(entry + 8, cw_get64(entry + 8) + 8);
    part_seal(file.ptr, file.len);
    mends(cw_buf_str(&file), WANT_ALL, "size of the table", 0);
}

static void check_part(uint64_t rows)
{
    struct cw_part_verified out;
    cr_assert_eq(cw_part_verify(path, NULL, NULL, &out, &err), 0);
    cr_assert_eq(out.ndamages, 0);
    cr_assert_eq(out.entries, rows);
}

Test(part_mend, salvage_writes_a_part_that_is_whole_again_and_again)
{
    some_blocks();
    file.ptr[3] ^= 1;
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
    struct cw_part_mended *mended;
    struct cw_part_reader *reader;
    uint64_t expected, rows;
    cr_assert_eq(cw_part_mend(path, &info, &mended, &reader, &expected, &err), 0);
    cr_assert_eq(cw_part_salvage_reader(reader, path, &rows, &err), 0, "%s", err.text);
    cw_part_mended_free(&mended);
    cr_assert_eq(rows, all.n);
    check_part(all.n);
    /* Copied blocks lie in any order. Of a bad one the streams come before the others', and what can be read is written anew. */
    uint64_t left = all.n;
    for (int round = 0; round < 4; round++) {
        cw_buf_clear(&file);
        cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
        cr_assert_eq(cw_part_reader_open_bytes("x", cw_buf_str(&file), &reader, &err), 0);
        uint32_t nblocks = cw_part_reader_footer(reader)->nblocks;
        struct cw_part_block b = cw_part_reader_block(reader, (uint32_t)round % nblocks);
        cw_part_reader_close(&reader);
        if (nblocks == 1)
            break;
        file.ptr[b.offset + 20] ^= 1;
        cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
        cr_assert_eq(cw_part_salvage(path, &err), 0, "%s", err.text);
        left -= b.rows;
        check_part(left);
    }
    cr_assert_lt(left, all.n);
}

/* Its checksums are right, so that only its times tell. */
Test(part_mend, salvage_writes_a_block_anew_whose_times_are_not_those_that_the_table_says)
{
    some_blocks();
    char *entry = file.ptr + regions[CW_REGION_BLOCKS][0];
    cw_put64(entry + 32, cw_get64(entry + 32) + 1);
    part_seal(file.ptr, file.len);
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
    struct cw_part_verified out;
    cr_assert_eq(cw_part_verify(path, NULL, NULL, &out, &err), 0);
    cr_assert_eq(out.nbad_blocks, 1);
    cr_assert_eq(cw_part_salvage(path, &err), 0, "%s", err.text);
    check_part(all.n);
}

Test(part_mend, salvage_that_finds_no_room_leaves_the_part_as_it_is)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    some_blocks();
    file.ptr[CW_PART_HEADER_BYTES + 20] ^= 1;
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_lt(cw_part_salvage(path, &err), 0);
    struct cw_buf after;
    cw_buf_init(&after, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &after, &err), 0, "the damaged part is gone");
    cr_assert(cw_str_eq(cw_buf_str(&after), cw_buf_str(&file)));
    cw_buf_fini(&after);
}
