/* part_salvage.c - read everything once to see what is whole, then copy that and write the rest row by row. */
#include "common/store/part_salvage.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/block_reader.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"

struct stream_kept {
    uint64_t rows, bytes;
};

enum block_fate { BLOCK_LOST, BLOCK_COPIED, BLOCK_READ };

/* A block that is read. Its streams come in order. */
struct input {
    uint32_t block, stream;
    struct cw_stream_pin pin;
    struct cw_cursor *cursor; /* NULL: not opened yet, or at its end */
    struct cw_entry_batch batch;
};

struct row {
    int64_t ts_ns;
    size_t arrival;
    struct cw_str line;
    struct cw_labels metadata;
};

struct salvage {
    struct cw_source *source;
    struct cw_part_reader *reader;
    const struct cw_part_footer *footer;
    struct cw_scan scan;
    struct stream_kept *streams;
    uint32_t *numbers; /* of streams in the new part */
    uint8_t *blocks;   /* enum block_fate */
    struct input *inputs;
    uint32_t ninputs;
    struct cw_part_writer *writer;
    struct cw_arena *arena; /* of the rows of one stream */
    struct row *rows;
    size_t nrows, rows_cap;
    int64_t *times;
    struct cw_str *lines;
    struct cw_labels *metadata;
    size_t batch_cap;
};

static void input_close(struct input *in)
{
    cw_cursor_close(&in->cursor);
    cw_stream_pin_fini(&in->pin);
}

static int input_open(struct salvage *s, uint32_t block, struct input *in)
{
    struct cw_part_block b = cw_part_reader_block(s->reader, block);
    struct cw_unit unit = {
        .source = s->source, .key = block, .min_ns = b.min_ns, .max_ns = b.max_ns};
    struct cw_err why;
    *in = (struct input){.block = block, .stream = b.first_stream};
    return s->source->ops->open(s->source, &s->scan, &unit, &in->cursor, &why);
}

/* 1: a batch, and which stream it is of; 0: nothing more can be read. */
static int input_next(struct salvage *s, struct input *in)
{
    struct cw_err why;
    const struct cw_part_stream *stream;
    if (cw_cursor_next(in->cursor, &in->batch, &why) <= 0)
        return 0;
    for (; in->stream < s->footer->nstreams; in->stream++)
        if (cw_part_reader_stream(s->reader, in->stream, &in->pin, &stream, &why) == 0 &&
            cw_hash128_eq(stream->ref.id, in->batch.stream.id))
            return 1;
    return 0;
}

/* ---- what there is ---- */

/* Are labels known of every stream that the block may have? */
static bool streams_known(struct salvage *s, const struct cw_part_block *b)
{
    struct cw_stream_pin pin = {0};
    const struct cw_part_stream *stream;
    struct cw_err why;
    int rc = 0;
    for (uint32_t i = b->first_stream; rc == 0 && i <= b->last_stream; i++)
        rc = cw_part_reader_stream(s->reader, i, &pin, &stream, &why);
    cw_stream_pin_fini(&pin);
    return rc == 0;
}

/* Is every row in the range that the block table names? Where it is not, a copy would be as bad. */
static bool times_fit(const struct cw_part_block *b, const struct cw_entry_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        if (batch->ts_ns[i] < b->min_ns || batch->ts_ns[i] > b->max_ns)
            return false;
    return true;
}

static int block_count(struct salvage *s, uint32_t i, struct cw_err *err)
{
    struct cw_part_block b = cw_part_reader_block(s->reader, i);
    struct cw_str bytes = cw_part_reader_block_bytes(s->reader, i);
    struct input in;
    struct cw_err why;
    uint64_t read = 0;
    bool fits = true;
    if (cw_block_is_newer(bytes))
        return cw_err_set(err, CW_E_CORRUPT, "block %u is of a newer version", i);
    if (input_open(s, i, &in) < 0)
        return 0;
    while (input_next(s, &in) == 1) {
        struct stream_kept *kept = &s->streams[in.stream];
        kept->rows += in.batch.n;
        read += in.batch.n;
        fits = fits && times_fit(&b, &in.batch);
        for (size_t k = 0; k < in.batch.n; k++)
            kept->bytes += in.batch.lines[k].len;
    }
    input_close(&in);
    if (read == b.rows && fits && cw_block_check(bytes, &why) == 0 && streams_known(s, &b))
        s->blocks[i] = BLOCK_COPIED;
    else if (read > 0)
        s->blocks[i] = BLOCK_READ;
    s->ninputs += s->blocks[i] == BLOCK_READ;
    return 0;
}

static int input_cmp(const void *a, const void *b, void *arg)
{
    const struct salvage *s = arg;
    uint32_t x = ((const struct input *)a)->block, y = ((const struct input *)b)->block;
    struct cw_part_block p = cw_part_reader_block(s->reader, x),
                         q = cw_part_reader_block(s->reader, y);
    if (p.first_stream != q.first_stream)
        return p.first_stream < q.first_stream ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int count_all(struct salvage *s, struct cw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->footer->nblocks; i++)
        rc = block_count(s, i, err);
    s->inputs = cw_mem_array((size_t)s->ninputs + 1, sizeof(*s->inputs));
    s->ninputs = 0;
    for (uint32_t i = 0; i < s->footer->nblocks; i++)
        if (s->blocks[i] == BLOCK_READ)
            s->inputs[s->ninputs++].block = i;
    qsort_r(s->inputs, s->ninputs, sizeof(*s->inputs), input_cmp, s);
    return rc;
}

/* ---- rows of bad blocks ---- */

static void rows_keep(struct salvage *s, const struct cw_entry_batch *batch)
{
    s->rows = cw_arena_grow(s->arena, s->rows, s->nrows, &s->rows_cap, s->nrows + batch->n,
                            sizeof(*s->rows));
    for (size_t i = 0; i < batch->n; i++) {
        struct row *row = &s->rows[s->nrows];
        row->ts_ns = batch->ts_ns[i];
        row->arrival = s->nrows++;
        row->line = cw_arena_dup(s->arena, batch->lines[i]);
        row->metadata =
            batch->metadata != NULL ? cw_labels_dup(s->arena, batch->metadata[i]) : CW_LABELS_NONE;
    }
}

static int row_cmp(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->arrival < y->arrival ? -1 : 1;
}

/* What the bad blocks have of the stream. `next`: the first of them that is not open yet. */
static int rows_gather(struct salvage *s, uint32_t stream, uint32_t *next)
{
    while (*next < s->ninputs &&
           cw_part_reader_block(s->reader, s->inputs[*next].block).first_stream <= stream) {
        struct input *in = &s->inputs[*next];
        if (input_open(s, in->block, in) == 0 && input_next(s, in) == 0)
            input_close(in);
        ++*next;
    }
    for (uint32_t i = 0; i < *next; i++) {
        struct input *in = &s->inputs[i];
        while (in->cursor != NULL && in->stream == stream) {
            rows_keep(s, &in->batch);
            if (input_next(s, in) == 0)
                input_close(in);
        }
    }
    return 0;
}

static int rows_write(struct salvage *s, struct cw_err *err)
{
    if (s->nrows == 0)
        return 0;
    qsort(s->rows, s->nrows, sizeof(*s->rows), row_cmp);
    if (s->nrows > s->batch_cap) {
        s->batch_cap = s->nrows;
        s->times = cw_mem_resize(s->times, s->nrows * sizeof(*s->times));
        s->lines = cw_mem_resize(s->lines, s->nrows * sizeof(*s->lines));
        s->metadata = cw_mem_resize(s->metadata, s->nrows * sizeof(*s->metadata));
    }
    for (size_t i = 0; i < s->nrows; i++) {
        s->times[i] = s->rows[i].ts_ns;
        s->lines[i] = s->rows[i].line;
        s->metadata[i] = s->rows[i].metadata;
    }
    struct cw_entry_batch batch = {
        .n = s->nrows, .ts_ns = s->times, .lines = s->lines, .metadata = s->metadata};
    int rc = cw_part_writer_add(s->writer, &batch, err);
    s->rows = NULL;
    s->nrows = s->rows_cap = 0;
    cw_arena_reset(s->arena);
    return rc;
}

static int streams_write(struct salvage *s, struct cw_err *err)
{
    struct cw_stream_pin pin = {0};
    uint32_t next = 0, n = 0;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->footer->nstreams; i++) {
        const struct stream_kept *kept = &s->streams[i];
        const struct cw_part_stream *stream;
        s->numbers[i] = n;
        if (kept->rows == 0)
            continue;
        n++;
        rc = cw_part_reader_stream(s->reader, i, &pin, &stream, err);
        if (rc == 0)
            rc = cw_part_writer_stream(s->writer, stream->ref.labels, kept->rows, kept->bytes, err);
        if (rc == 0)
            rc = rows_gather(s, i, &next);
        if (rc == 0)
            rc = rows_write(s, err);
    }
    cw_stream_pin_fini(&pin);
    return rc;
}

static int blocks_copy(struct salvage *s, struct cw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->footer->nblocks; i++)
        if (s->blocks[i] == BLOCK_COPIED)
            rc = cw_part_writer_copy_block(s->writer, s->reader, i, s->numbers, err);
    return rc;
}

static uint64_t rows_kept(const struct salvage *s)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < s->footer->nstreams; i++)
        rows += s->streams[i].rows;
    return rows;
}

static void salvage_fini(struct salvage *s)
{
    for (uint32_t i = 0; i < s->ninputs; i++)
        input_close(&s->inputs[i]);
    cw_part_writer_free(&s->writer);
    cw_source_unref(&s->source);
    free(s->streams);
    free(s->numbers);
    free(s->blocks);
    free(s->inputs);
    free(s->times);
    free(s->lines);
    free(s->metadata);
    cw_arena_free(&s->arena);
}

/* Under a name of its own, whose file a start removes: a writer that fails removes what it wrote, and the part is to stay then. */
static int salvage_write(struct salvage *s, const char *path, uint64_t rows, struct cw_err *err)
{
    struct cw_buf tmp;
    cw_buf_init(&tmp, SIZE_MAX);
    cw_buf_addf(&tmp, "%s.tmp", path);
    int rc = cw_part_writer_new(cw_buf_z(&tmp), &s->footer->info, CW_CODEC_LZ4, &s->writer, err);
    if (rc == 0)
        rc = streams_write(s, err);
    if (rc == 0)
        rc = blocks_copy(s, err);
    if (rc == 0 && cw_part_writer_rows(s->writer) != rows) /* the file changed meanwhile */
        rc = cw_err_set(err, CW_E_CORRUPT, "it reads differently the second time");
    if (rc == 0)
        rc = cw_part_writer_finish(s->writer, NULL, err);
    if (rc == 0)
        rc = cw_file_rename(tmp.ptr, path, err);
    cw_buf_fini(&tmp);
    return rc;
}

int cw_part_salvage_reader(struct cw_part_reader *reader, const char *path, uint64_t *rows_out,
                           struct cw_err *err)
{
    struct salvage s = {.source = cw_part_source_new(reader, NULL),
                        .reader = reader,
                        .footer = cw_part_reader_footer(reader),
                        .scan = {.start_ns = INT64_MIN,
                                 .end_ns = INT64_MAX,
                                 .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA},
                        .arena = cw_arena_new()};
    s.streams = cw_mem_array((size_t)s.footer->nstreams + 1, sizeof(*s.streams));
    s.numbers = cw_mem_array((size_t)s.footer->nstreams + 1, sizeof(*s.numbers));
    s.blocks = cw_mem_array((size_t)s.footer->nblocks + 1, sizeof(*s.blocks));
    int rc = count_all(&s, err);
    *rows_out = rows_kept(&s);
    if (rc == 0 && *rows_out == 0)
        rc = cw_err_set(err, CW_E_CORRUPT, "none of its entries can be read");
    if (rc == 0)
        rc = salvage_write(&s, path, *rows_out, err);
    if (rc < 0)
        cw_err_wrap(err, "part %s", path);
    salvage_fini(&s);
    return rc;
}

int cw_part_salvage(const char *path, struct cw_err *err)
{
    struct cw_part_reader *reader;
    uint64_t rows;
    int rc = cw_part_reader_open(path, &reader, err);
    return rc < 0 ? rc : cw_part_salvage_reader(reader, path, &rows, err);
}
