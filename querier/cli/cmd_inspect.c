/* cmd_inspect.c - `cordwood inspect`: the layout of a part or a data directory, and what its bytes are spent on. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/catalog.h"
#include "common/store/part_reader.h"
#include "common/store/section_kinds.h"
#include "common/store/wal_replay.h"
#include "querier/cli/cli.h"
#include "querier/cli/inspect_part.h"

static void print_range(const char *name, int64_t min_ns, int64_t max_ns)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_time_format_rfc3339(min_ns, &text);
    cw_buf_addz(&text, " to ");
    cw_time_format_rfc3339(max_ns, &text);
    printf("%s%s\n", name, cw_buf_z(&text));
    cw_buf_fini(&text);
}

/* ---- a part ---- */

static void print_day(int32_t day)
{
    int year, month, mday;
    if (day == CW_DAY_MIXED) {
        printf("day mixed");
        return;
    }
    cw_day_to_date(day, &year, &month, &mday);
    printf("day %04d-%02d-%02d", year, month, mday);
}

static void print_blocks(const struct cw_part_reader *reader, uint64_t limit)
{
    uint32_t nblocks = cw_part_reader_footer(reader)->nblocks;
    uint64_t n = limit == 0 ? nblocks : CW_MIN((uint64_t)nblocks, limit);
    printf("\n  %8s%14s%10s%10s%12s  streams\n", "block", "offset", "bytes", "entries", "lines");
    for (uint32_t i = 0; i < n; i++) {
        struct cw_part_block b = cw_part_reader_block(reader, i);
        printf("  %8" PRIu32 "%14" PRIu64 "%10" PRIu32 "%10" PRIu32 "%12" PRIu32 "  %" PRIu32
               " to %" PRIu32 "\n",
               i, b.offset, b.bytes, b.rows, b.raw_bytes, b.first_stream, b.last_stream);
    }
    if (n < nblocks)
        printf("  and %" PRIu64 " more (--limit 0 prints all)\n", nblocks - n);
}

static int inspect_part(const char *path, uint64_t limit, struct cw_err *err)
{
    struct cw_part_reader *reader;
    int rc = cw_part_reader_open(path, &reader, err);
    if (rc < 0)
        return rc;
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    printf("part %" PRIu64 " of tenant %.*s, ", f->info.id, CW_STR_ARG(f->info.tenant));
    print_day(f->info.day);
    printf(", level %u, frames %" PRIu64 " to %" PRIu64 " of the log", f->info.level,
           f->info.wal_first, f->info.wal_last);
    if (f->info.nreplaced > 0)
        printf(", replaces parts: %zu", f->info.nreplaced);
    print_range("\ntimes ", f->min_ns, f->max_ns);
    print_blocks(reader, limit);
    printf("\n  %8s%14s%10s\n", "region", "offset", "bytes");
    for (int i = 0; i < CW_REGIONS; i++) {
        struct cw_str region = cw_part_reader_region(reader, i);
        printf("  %8s%14" PRIu64 "%10zu\n", cw_part_region_name(i),
               cw_part_reader_region_offset(reader, i), region.len);
    }
    printf("\n");
    cw_part_reader_close(&reader);
    return 0;
}

/* ---- a data directory ---- */

static int on_data(void *ctx, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *err)
{
    (void)ctx;
    (void)frame;
    (void)batch;
    (void)err;
    return 0;
}

struct wal_sum {
    uint64_t segments, bytes, last_seq;
    size_t nmarks;
};

static int on_segment_end(void *ctx, const struct cw_wal_segment_end *end, struct cw_err *err)
{
    struct wal_sum *sum = ctx;
    (void)err;
    sum->segments++;
    sum->bytes += end->bytes;
    return 0;
}

static int inspect_wal(const char *dir, uint64_t flushed_seq, struct cw_err *err)
{
    struct wal_sum sum = {0};
    struct cw_wal_replay_ops ops = {.ctx = &sum, .data = on_data, .segment_end = on_segment_end};
    struct cw_wal_replayed done = {0};
    struct cw_buf path, size;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_init(&size, SIZE_MAX);
    cw_buf_addf(&path, "%s/wal", dir);
    int rc = cw_file_exists(cw_buf_z(&path))
                 ? cw_wal_replay(cw_buf_z(&path), flushed_seq, &ops, &done, err)
                 : 0;
    cw_inspect_size(sum.bytes, &size);
    if (rc == 0) {
        printf("log: ");
        cw_cli_print_count(sum.segments, "segment", "segments");
        printf(", %s, ", cw_buf_z(&size));
        cw_cli_print_count(done.nframes, "frame", "frames");
        printf(" up to %" PRIu64 ", flushed up to %" PRIu64 "; ", done.last_seq, flushed_seq);
        cw_cli_print_count(done.nentries, "entry is not in parts yet",
                           "entries are not in parts yet");
        printf("\n");
    }
    cw_buf_fini(&path);
    cw_buf_fini(&size);
    return rc;
}

static void print_part_row(const struct cw_catalog_part *part)
{
    struct cw_buf size;
    cw_buf_init(&size, SIZE_MAX);
    cw_inspect_size(part->bytes, &size);
    printf("  %16" PRIx64 "  level %" PRIu32 " %10s  %.*s  ", part->id, part->level,
           cw_buf_z(&size), CW_STR_ARG(part->tenant));
    print_range("", part->min_ns, part->max_ns);
    cw_buf_fini(&size);
}

static int inspect_dir(const char *dir, uint64_t limit, struct cw_inspect_totals *totals,
                       struct cw_err *err)
{
    struct cw_catalog catalog;
    int rc = cw_catalog_check_format(dir, err);
    if (rc == 0)
        rc = cw_catalog_read(dir, &catalog, err);
    if (rc < 0)
        return rc;
    rc = inspect_wal(dir, catalog.wal_flushed, err);
    printf("parts: %zu", catalog.n);
    if (catalog.nmissing > 0)
        printf(", %zu more are missing", catalog.nmissing);
    printf("\n");
    for (size_t i = 0; i < catalog.n && rc == 0; i++) {
        struct cw_buf path;
        struct cw_err why = {0};
        cw_buf_init(&path, SIZE_MAX);
        cw_catalog_part_path(dir, catalog.parts[i].tenant, catalog.parts[i].day,
                             catalog.parts[i].id, &path);
        if (limit == 0 || i < limit)
            print_part_row(&catalog.parts[i]);
        /* One that is bad, or that a server has merged meanwhile, does not hide the rest. */
        int part_rc = cw_inspect_part_add(totals, cw_buf_z(&path), &why);
        if (part_rc < 0)
            cw_cli_fail(&why, CW_EXIT_ERROR);
        if (part_rc < 0 &&
            (part_rc != CW_E_NOT_FOUND || cw_catalog_still_names(dir, catalog.parts[i].id)))
            totals->bad_parts++;
        cw_buf_fini(&path);
    }
    if (rc == 0 && limit > 0 && catalog.n > limit)
        printf("  and %" PRIu64 " more (--limit 0 prints all)\n", catalog.n - limit);
    cw_catalog_fini(&catalog);
    return rc;
}

int cw_cmd_inspect(struct cw_cli *cli)
{
    const char *path = cli->rest[0].ptr;
    uint64_t limit = (uint64_t)cli->args->limit;
    struct cw_inspect_totals totals;
    struct cw_err err = {0};
    struct stat st;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT); /* bad blocks are counted */
    cw_inspect_init(&totals);
    int rc;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = inspect_dir(path, limit, &totals, &err);
    } else {
        rc = inspect_part(path, limit, &err);
        if (rc == 0)
            rc = cw_inspect_part_add(&totals, path, &err);
    }
    if (rc == 0)
        cw_inspect_print(&totals, limit);
    if (rc == 0 && totals.bad_parts + totals.bad_blocks > 0)
        rc = cw_err_set(&err, CW_E_CORRUPT,
                        "unreadable parts: %" PRIu64 ", blocks: %" PRIu64
                        "; cordwood fsck says why, and what it costs",
                        totals.bad_parts, totals.bad_blocks);
    cw_inspect_fini(&totals);
    return rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : CW_EXIT_RESULTS;
}
