/* part_writer.c - cut rows into blocks, write them as they fill, then the regions and the footer. */
#include "common/store/part_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/block_copy.h"
#include "common/store/block_writer.h"
#include "common/store/format.h"
#include "common/store/part_reader.h"
#include "common/store/postings.h"

/*
 * A stream takes part in a block with at least this much, or with all it has: so a small stream lies in one block, and reading a
 * large one reads at most 8 times its own share.
 */
#define SHARE_BYTES_MIN (512u << 10)
/* Streams of unlike apps share a block only while it has less than this. */
#define APP_BYTES_MIN (1u << 20)
/* Rows that came as values and become lines. */
enum { LINES_AT_ONCE = 256 };

struct cw_part_writer {
    char *path, *tmp_path;
    int fd;
    bool finished;
    struct cw_part_info info;
    uint64_t off; /* of the next byte in the file */
    enum cw_codec codec;
    struct cw_block_writer *block;
    struct cw_template_memory memory; /* of the app that the block under way began with */
    bool app_ends;                    /* with that block: other apps have come after it */
    struct cw_buf bytes;              /* a finished block on its way to the file */
    struct cw_buf filter;             /* its value filter */
    struct cw_buf lines;              /* of rows that came as values and are not kept so */
    struct cw_buf filters;            /* FILTERS */
    struct cw_buf blocks;             /* BLOCKS */
    uint32_t nblocks, nstreams;
    struct cw_stream_table_writer *streams;
    struct cw_postings_builder *postings;
    struct cw_str app;              /* owned; of the stream under way */
    uint64_t rows_left, bytes_left; /* of the stream under way */
    int64_t last_ns;                /* its newest row; INT64_MIN before the first */
    uint64_t block_bytes_max;       /* where the block ends for this stream */
    uint64_t rows, raw_bytes;
    int64_t min_ns, max_ns;
};

int cw_part_writer_new(const char *path, const struct cw_part_info *info, enum cw_codec codec,
                       struct cw_part_writer **out, struct cw_err *err)
{
    struct cw_part_writer *w = cw_mem_new(sizeof(*w));
    struct cw_buf tmp;
    cw_buf_init(&tmp, SIZE_MAX);
    cw_buf_addf(&tmp, "%s.tmp", path);
    cw_buf_z(&tmp);
    w->tmp_path = cw_buf_take(&tmp, NULL);
    w->path = cw_str_dupz(cw_str_of(path));
    w->info = *info;
    w->codec = codec;
    w->block = cw_block_writer_new(codec);
    cw_buf_init(&w->bytes, SIZE_MAX);
    cw_buf_init(&w->filter, SIZE_MAX);
    cw_buf_init(&w->lines, SIZE_MAX);
    cw_buf_init(&w->filters, UINT32_MAX - 1);
    cw_buf_init(&w->blocks, (size_t)CW_PART_BLOCKS_MAX * CW_PART_BLOCK_ENTRY_BYTES);
    w->streams = cw_stream_table_writer_new();
    w->postings = cw_postings_builder_new();
    w->min_ns = INT64_MAX;
    w->max_ns = INT64_MIN;
    w->fd = cw_file_open(w->tmp_path, O_WRONLY | O_CREAT | O_TRUNC, err);
    int rc = w->fd;
    if (rc >= 0) {
        uint8_t header[CW_PART_HEADER_BYTES] = {0};
        cw_put64(header, CW_PART_MAGIC);
        cw_put16(header + 8, CW_PART_MAJOR);
        cw_put16(header + 10, CW_PART_MINOR);
        rc = cw_file_write_all(w->fd, header, sizeof(header), w->tmp_path, err);
        w->off = sizeof(header);
    }
    if (rc < 0) {
        cw_part_writer_free(&w);
        return rc;
    }
    *out = w;
    return 0;
}

void cw_part_writer_free(struct cw_part_writer **writer)
{
    struct cw_part_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    /* What stays of an unfinished part is removed at the next start, so a failure here is no news. The final name too: the
     * rename may be done and only its fsync have failed. */
    if (!w->finished && w->fd >= 0 &&
        (cw_file_unlink(w->tmp_path, NULL) < 0 || cw_file_unlink(w->path, NULL) < 0))
        cw_log_warn("part %s: what was written of it stays until the next start", w->path);
    cw_block_writer_free(&w->block);
    cw_buf_fini(&w->bytes);
    cw_buf_fini(&w->filter);
    cw_buf_fini(&w->lines);
    cw_buf_fini(&w->filters);
    cw_buf_fini(&w->blocks);
    cw_stream_table_writer_free(&w->streams);
    cw_postings_builder_free(&w->postings);
    free((char *)w->app.ptr);
    free(w->path);
    free(w->tmp_path);
    free(w);
}

static int write_bytes(struct cw_part_writer *w, struct cw_str bytes, struct cw_err *err)
{
    int rc = cw_file_write_all(w->fd, bytes.ptr, bytes.len, w->tmp_path, err);
    if (rc == 0)
        w->off += bytes.len;
    return rc;
}

/* A whole block to the file, its filter (empty: none) to FILTERS, and its row of BLOCKS. */
static int block_write(struct cw_part_writer *w, struct cw_str bytes, struct cw_str filter,
                       const struct cw_block_summary *s, struct cw_err *err)
{
    if (w->nblocks == CW_PART_BLOCKS_MAX || bytes.len > UINT32_MAX)
        return cw_err_set(err, CW_E_LIMIT, "part %s: more than %u blocks", w->path,
                          CW_PART_BLOCKS_MAX);
    uint8_t entry[CW_PART_BLOCK_ENTRY_BYTES] = {0};
    cw_put64(entry, w->off);
    cw_put32(entry + 8, (uint32_t)bytes.len);
    cw_put32(entry + 12, s->rows);
    cw_put32(entry + 16, s->raw_bytes);
    size_t filter_at = w->filters.len;
    cw_buf_adds(&w->filters, filter);
    /* One that does not fit its region is left out: the block is searched as if the filter held everything. */
    if (filter.len > 0 && w->filters.len > filter_at)
        cw_put32(entry + 20, (uint32_t)filter_at + 1);
    cw_put32(entry + 24, s->first_stream);
    cw_put32(entry + 28, s->last_stream);
    cw_put64(entry + 32, (uint64_t)s->min_ns);
    cw_put64(entry + 40, (uint64_t)s->max_ns);
    cw_buf_add(&w->blocks, entry, sizeof(entry));
    w->nblocks++;
    w->rows += s->rows;
    w->raw_bytes += s->raw_bytes;
    w->min_ns = CW_MIN(w->min_ns, s->min_ns);
    w->max_ns = CW_MAX(w->max_ns, s->max_ns);
    return write_bytes(w, bytes, err);
}

static int block_end(struct cw_part_writer *w, struct cw_err *err)
{
    if (cw_block_writer_rows(w->block) == 0)
        return 0;
    struct cw_block_summary s;
    cw_buf_clear(&w->bytes);
    cw_buf_clear(&w->filter);
    int rc = cw_block_writer_finish(w->block, &w->memory, &w->bytes, &w->filter, &s, err);
    if (w->app_ends)
        w->memory = (struct cw_template_memory){0};
    w->app_ends = false;
    return rc < 0 ? rc : block_write(w, cw_buf_str(&w->bytes), cw_buf_str(&w->filter), &s, err);
}

/* Where the block ends that the stream's next row begins in or is added to. */
static void share_plan(struct cw_part_writer *w)
{
    uint64_t have = cw_block_writer_raw_bytes(w->block), left = w->bytes_left;
    w->block_bytes_max = CW_BLOCK_RAW_TARGET;
    /* A tail that would be too small for a block of its own gets some of what would fill this one. */
    if (have + left > CW_BLOCK_RAW_TARGET && have + left - CW_BLOCK_RAW_TARGET < SHARE_BYTES_MIN &&
        left > 2 * SHARE_BYTES_MIN)
        w->block_bytes_max = have + left - SHARE_BYTES_MIN;
}

/* May the block under way take the stream that begins? */
static bool block_takes_stream(const struct cw_part_writer *w, bool same_app)
{
    uint64_t have = cw_block_writer_raw_bytes(w->block);
    uint64_t room = have < CW_BLOCK_RAW_TARGET ? CW_BLOCK_RAW_TARGET - have : 0;
    uint64_t rows_room = CW_BLOCK_ROWS_MAX - cw_block_writer_rows(w->block);
    if (!same_app && have >= APP_BYTES_MIN)
        return false;
    bool all = w->bytes_left <= room && w->rows_left <= rows_room;
    bool share =
        CW_MIN(w->bytes_left, room) >= SHARE_BYTES_MIN && rows_room >= CW_BLOCK_ROWS_MAX / 8;
    return all || share;
}

int cw_part_writer_stream(struct cw_part_writer *w, struct cw_labels labels, uint64_t rows,
                          uint64_t raw_bytes, struct cw_err *err)
{
    int rc = cw_stream_table_writer_add(w->streams, labels, rows, raw_bytes, err);
    if (rc < 0)
        return rc;
    rc = cw_postings_builder_add(w->postings, w->nstreams, labels, err);
    if (rc < 0)
        return rc;
    w->nstreams++;
    w->rows_left = rows;
    w->bytes_left = raw_bytes;
    w->last_ns = INT64_MIN;
    struct cw_str app = cw_part_stream_app(labels);
    bool same_app = cw_str_eq(app, w->app);
    if (!same_app) {
        free((char *)w->app.ptr);
        w->app = cw_str_make(cw_str_dupz(app), app.len);
    }
    if (cw_block_writer_rows(w->block) > 0 && !block_takes_stream(w, same_app))
        rc = block_end(w, err);
    if (!same_app && cw_block_writer_rows(w->block) == 0) {
        w->memory = (struct cw_template_memory){0};
    } else if (!same_app) {
        w->app_ends = true;
        w->memory.ngiven_up = 0;
    }
    share_plan(w);
    return rc;
}

/* The block ends within a stream. */
static int block_next(struct cw_part_writer *w, struct cw_err *err)
{
    int rc = block_end(w, err);
    share_plan(w);
    return rc;
}

/* Rows have been added: how much of the stream is left says where blocks end. */
static void rows_count(struct cw_part_writer *w, uint64_t rows, uint64_t bytes)
{
    w->rows_left -= CW_MIN(w->rows_left, rows);
    w->bytes_left -= CW_MIN(w->bytes_left, bytes);
}

/* Rows of the batch from i on as values. Returns how many, 0 when the next one can only be added as a line, or an error. */
static int rows_add_values(struct cw_part_writer *w, const struct cw_entry_batch *batch, size_t i,
                           struct cw_err *err)
{
    uint32_t stream = w->nstreams - 1;
    int rc = 0;
    if (batch->values != NULL && !w->memory.mode_known)
        rc = cw_block_writer_try(w->block, &w->memory, err);
    if (rc < 0 || batch->values == NULL || !cw_template_memory_takes(&w->memory, batch->values))
        return rc;
    int n = cw_block_writer_add_values(w->block, stream, batch, i, w->block_bytes_max, err);
    if (n == 0 && cw_block_writer_rows(w->block) > 0) {
        n = block_next(w, err);
        if (n == 0)
            n = cw_block_writer_add_values(w->block, stream, batch, i, w->block_bytes_max, err);
    }
    uint64_t bytes = 0;
    for (int k = 0; k < n; k++)
        bytes += batch->sizes[i + (size_t)k];
    rows_count(w, (uint64_t)CW_MAX(n, 0), bytes);
    return n;
}

static int row_add_line(struct cw_part_writer *w, const struct cw_entry_batch *batch, size_t i,
                        struct cw_str line, struct cw_err *err)
{
    struct cw_block_row row = {w->nstreams - 1, batch->ts_ns[i],
                               batch->metadata != NULL ? batch->metadata[i] : CW_LABELS_NONE};
    bool full = cw_block_writer_full(w->block, line.len, row.metadata.n) ||
                (cw_block_writer_rows(w->block) > 0 &&
                 cw_block_writer_raw_bytes(w->block) + line.len > w->block_bytes_max);
    int rc = full ? block_next(w, err) : 0;
    if (rc == 0)
        rc = cw_block_writer_add(w->block, &row, line, err);
    if (rc == 0) {
        /* A block that holds values has no room for its template. */
        w->memory.ngiven_up++;
        rc = block_next(w, err);
        if (rc == 0)
            rc = cw_block_writer_add(w->block, &row, line, err);
    }
    rows_count(w, 1, line.len);
    return rc;
}

/* Rows of the batch from i on as lines. Returns how many, or an error. */
static int rows_add_lines(struct cw_part_writer *w, const struct cw_entry_batch *batch, size_t i,
                          struct cw_err *err)
{
    if (batch->values == NULL)
        return row_add_line(w, batch, i, batch->lines[i], err);
    uint32_t offsets[LINES_AT_ONCE + 1], n = (uint32_t)CW_MIN(batch->n - i, (size_t)LINES_AT_ONCE);
    uint32_t from = batch->first_row + (uint32_t)i;
    cw_buf_clear(&w->lines);
    int rc = cw_value_rows_lines(batch->values, from, from + n, &w->lines, offsets, err);
    for (uint32_t k = 0; rc >= 0 && k < n; k++)
        rc = row_add_line(w, batch, i + k,
                          cw_str_sub(cw_buf_str(&w->lines), offsets[k], offsets[k + 1]), err);
    return rc < 0 ? rc : (int)n;
}

int cw_part_writer_add(struct cw_part_writer *w, const struct cw_entry_batch *batch,
                       struct cw_err *err)
{
    CW_ASSERT(w->nstreams > 0);
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->ts_ns[i] < w->last_ns)
            return cw_err_set(err, CW_E_CORRUPT, "part %s: times of a stream go back", w->path);
        w->last_ns = batch->ts_ns[i];
    }
    for (size_t i = 0; i < batch->n;) {
        int n = rows_add_values(w, batch, i, err);
        if (n == 0)
            n = rows_add_lines(w, batch, i, err);
        if (n < 0)
            return n;
        i += (size_t)n;
    }
    return 0;
}

uint64_t cw_part_writer_rows(const struct cw_part_writer *w)
{
    return w->rows + cw_block_writer_rows(w->block);
}

/* The bytes of the block's value filter; empty when it has none, or a damaged one. */
static struct cw_str filter_bytes(const struct cw_part_reader *from, uint32_t block)
{
    struct cw_value_filter filter;
    struct cw_err why;
    struct cw_str bytes = cw_part_reader_block_filter(from, block);
    if (bytes.len == 0 || cw_value_filter_open(bytes, &filter, &why) < 0)
        return CW_STR_NONE;
    return cw_str_sub(bytes, 0, cw_value_filter_bytes(&filter));
}

enum copy_how { COPY_CHECKED, COPY_DAMAGED };

static int block_copy(struct cw_part_writer *w, const struct cw_part_reader *from, uint32_t block,
                      const uint32_t *numbers, enum copy_how how, struct cw_err *err)
{
    struct cw_part_block p = cw_part_reader_block(from, block);
    struct cw_block_summary s = {p.rows,        p.raw_bytes, p.first_stream,
                                 p.last_stream, p.min_ns,    p.max_ns};
    struct cw_str bytes = cw_part_reader_block_bytes(from, block);
    cw_file_will_read(bytes);
    int rc = block_end(w, err);
    if (rc < 0)
        return rc;
    cw_buf_clear(&w->bytes);
    /* All is checked before it gets a new owner: afterwards nobody has another copy. */
    if (how == COPY_CHECKED)
        rc = cw_block_copy(bytes, &s, numbers, w->codec, &w->bytes, err);
    else
        rc = cw_block_copy_damaged(bytes, &s, numbers, &w->bytes, err);
    if (rc < 0) {
        cw_err_wrap(err, "block %u of %s", block, cw_part_reader_path(from));
        return rc;
    }
    s.first_stream = numbers[s.first_stream];
    s.last_stream = numbers[s.last_stream];
    CW_ASSERT(s.last_stream < w->nstreams);
    return block_write(w, cw_buf_str(&w->bytes), filter_bytes(from, block), &s, err);
}

int cw_part_writer_copy_block(struct cw_part_writer *w, const struct cw_part_reader *from,
                              uint32_t block, const uint32_t *numbers, struct cw_err *err)
{
    return block_copy(w, from, block, numbers, COPY_CHECKED, err);
}

int cw_part_writer_copy_damaged_block(struct cw_part_writer *w, const struct cw_part_reader *from,
                                      uint32_t block, const uint32_t *numbers, struct cw_err *err)
{
    return block_copy(w, from, block, numbers, COPY_DAMAGED, err);
}

static void origin_write(const struct cw_part_info *info, struct cw_buf *out)
{
    uint8_t head[4];
    cw_put16(head, (uint16_t)info->tenant.len);
    cw_buf_add(out, head, 2);
    cw_buf_adds(out, info->tenant);
    /* Ids rise with time, so the largest are those whose files may still be there. */
    size_t n = CW_MIN(info->nreplaced, (size_t)CW_PART_REPLACED_MAX);
    cw_put32(head, (uint32_t)n);
    cw_buf_add(out, head, 4);
    if (n > 0)
        cw_buf_add(out, info->replaced + (info->nreplaced - n), n * sizeof(*info->replaced));
}

static void footer_fill(const struct cw_part_writer *w, uint8_t *f)
{
    cw_put64(f, CW_PART_MAGIC);
    cw_put16(f + 8, CW_PART_MAJOR);
    cw_put16(f + 10, CW_PART_MINOR);
    f[12] = w->info.level;
    cw_put64(f + 24, w->info.id);
    cw_put64(f + 32, w->info.wal_first);
    cw_put64(f + 40, w->info.wal_last);
    cw_put64(f + 48, w->rows);
    cw_put64(f + 56, w->raw_bytes);
    cw_put64(f + 64, (uint64_t)w->min_ns);
    cw_put64(f + 72, (uint64_t)w->max_ns);
    cw_put32(f + 80, w->nblocks);
    cw_put32(f + 84, w->nstreams);
    cw_put32(f + 88, (uint32_t)w->info.day);
    cw_put32(f + 92, w->info.flush_parts);
    cw_put64(f + 216, w->info.flush_id);
}

/* Region `which` from `bytes` to the file and into the footer. */
static int region_write(struct cw_part_writer *w, enum cw_part_region which, struct cw_str bytes,
                        uint8_t *footer, struct cw_err *err)
{
    uint8_t *entry = footer + 96 + 24 * which;
    cw_put64(entry, w->off);
    cw_put64(entry + 8, bytes.len);
    cw_put64(entry + 16, cw_hash64(bytes.ptr != NULL ? bytes.ptr : "", bytes.len));
    return bytes.len > 0 ? write_bytes(w, bytes, err) : 0;
}

/* STREAMS and POSTINGS, and the checksums of what a reader checks of them when it opens the part. */
static int index_write(struct cw_part_writer *w, uint8_t *footer, struct cw_err *err)
{
    struct cw_buf bytes;
    struct cw_postings postings;
    cw_buf_init(&bytes, SIZE_MAX);
    int rc = cw_stream_table_writer_finish(w->streams, &bytes, err);
    if (rc == 0) {
        struct cw_str front = cw_stream_table_front(cw_buf_str(&bytes), w->nstreams);
        cw_put64(footer + 224, cw_hash64(front.ptr, front.len));
        rc = region_write(w, CW_REGION_STREAMS, cw_buf_str(&bytes), footer, err);
    }
    cw_buf_clear(&bytes);
    if (rc == 0)
        rc = cw_postings_builder_finish(w->postings, &bytes, err);
    if (rc == 0)
        rc = cw_postings_open(cw_buf_str(&bytes), w->nstreams, CW_POSTINGS_FENCED, &postings, err);
    if (rc == 0) {
        struct cw_str front = cw_postings_front(&postings);
        cw_put64(footer + 232, cw_hash64(front.ptr, front.len));
        rc = region_write(w, CW_REGION_POSTINGS, cw_buf_str(&bytes), footer, err);
    }
    cw_buf_fini(&bytes);
    return rc;
}

static int tail_write(struct cw_part_writer *w, struct cw_err *err)
{
    uint8_t footer[CW_PART_FOOTER_BYTES] = {0};
    struct cw_buf bytes;
    cw_buf_init(&bytes, SIZE_MAX);
    int rc = region_write(w, CW_REGION_FILTERS, cw_buf_str(&w->filters), footer, err);
    if (rc == 0)
        rc = region_write(w, CW_REGION_BLOCKS, cw_buf_str(&w->blocks), footer, err);
    if (rc == 0)
        rc = index_write(w, footer, err);
    origin_write(&w->info, &bytes);
    if (rc == 0)
        rc = region_write(w, CW_REGION_ORIGIN, cw_buf_str(&bytes), footer, err);
    cw_buf_fini(&bytes);
    if (rc < 0)
        return rc;
    footer_fill(w, footer);
    cw_put64(footer + 240, cw_hash64(footer, 240));
    cw_put64(footer + 248, CW_PART_MAGIC);
    return write_bytes(w, cw_str_make(footer, sizeof(footer)), err);
}

static int end_write(struct cw_part_writer *w, struct cw_err *err)
{
    int rc = block_end(w, err);
    CW_ASSERT(rc < 0 || w->rows > 0);
    return rc < 0 ? rc : tail_write(w, err);
}

int cw_part_writer_finish(struct cw_part_writer *w, uint64_t *size_out, struct cw_err *err)
{
    int rc = end_write(w, err);
    if (rc == 0)
        rc = cw_file_sync(w->fd, w->tmp_path, err);
    if (rc == 0)
        rc = cw_file_rename(w->tmp_path, w->path, err);
    if (rc < 0)
        return rc;
    w->finished = true;
    if (size_out != NULL)
        *size_out = w->off;
    return 0;
}

/* ---- in steps ---- */

int cw_part_writer_end(struct cw_part_writer *w, struct cw_part_file *out, struct cw_err *err)
{
    int rc = end_write(w, err);
    if (rc < 0)
        return rc;
    *out = (struct cw_part_file){
        .path = cw_str_dupz(cw_str_of(w->path)), .tmp_path = w->tmp_path, .fd = w->fd};
    w->tmp_path = NULL;
    w->fd = -1;
    w->finished = true;
    return 0;
}

int cw_part_file_settle(struct cw_part_file *file, struct cw_err *err)
{
    int rc = cw_file_sync(file->fd, file->tmp_path, err);
    if (rc == 0)
        rc = cw_file_move(file->tmp_path, file->path, err);
    if (rc < 0)
        return rc;
    close(file->fd);
    file->fd = -1;
    return 0;
}

void cw_part_file_fini(struct cw_part_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        if (cw_file_unlink(file->tmp_path, NULL) < 0)
            cw_log_warn("part %s: what was written of it stays until the next start", file->path);
    }
    free(file->path);
    free(file->tmp_path);
    *file = (struct cw_part_file){.fd = -1};
}
