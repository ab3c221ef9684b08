/* block_writer.c - gather rows, then put sections and header together: templates, or compressed pieces of text. */
#include "common/store/block_writer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/cursor.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/meta_writer.h"

/* The text of any block but those of one line that is larger. */
enum { TEXT_BYTES = CW_BLOCK_RAW_TARGET + CW_BLOCK_ROWS_MAX + CW_BYTE_CLASSES_SLACK };

struct cw_block_writer {
    enum cw_codec codec;
    bool cut; /* the rows are in the template writer already; the text is what it points to */
    uint32_t rows, raw_bytes;
    int64_t min_ns, max_ns;
    struct cw_buf text; /* lines, each followed by LF; of values the texts that are new */
    uint32_t offsets[CW_BLOCK_ROWS_MAX + 1]; /* of rows in the text, and its end */
    int64_t times[CW_BLOCK_ROWS_MAX];
    int64_t streams[CW_BLOCK_ROWS_MAX], stream_rows[CW_BLOCK_ROWS_MAX];
    uint32_t nstreams;
    uint32_t incompat; /* bits of the header */
    struct cw_meta_writer *meta;
    struct cw_template_writer *templates;
    struct cw_value_filter_builder *keys; /* of values of metadata and lines */
    struct cw_block_sections sections;
    struct cw_buf scratch;
};

struct cw_block_writer *cw_block_writer_new(enum cw_codec codec)
{
    struct cw_block_writer *w = cw_mem_new(sizeof(*w));
    w->codec = codec;
    cw_buf_init(&w->text, CW_BLOCK_RAW_MAX + CW_BLOCK_ROWS_MAX + CW_BYTE_CLASSES_SLACK);
    cw_buf_init(&w->scratch, 2u * CW_BLOCK_META_RAW_MAX);
    cw_block_sections_init(&w->sections);
    w->meta = cw_meta_writer_new();
    w->templates = cw_template_writer_new();
    w->keys = cw_value_filter_builder_new();
    return w;
}

void cw_block_writer_free(struct cw_block_writer **writer)
{
    struct cw_block_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    cw_buf_fini(&w->text);
    cw_buf_fini(&w->scratch);
    cw_block_sections_fini(&w->sections);
    cw_meta_writer_free(&w->meta);
    cw_template_writer_free(&w->templates);
    cw_value_filter_builder_free(&w->keys);
    free(w);
}

uint32_t cw_block_writer_rows(const struct cw_block_writer *w)
{
    return w->rows;
}

uint32_t cw_block_writer_raw_bytes(const struct cw_block_writer *w)
{
    return w->raw_bytes;
}

bool cw_block_writer_full(const struct cw_block_writer *w, size_t line_bytes, size_t npairs)
{
    if (w->rows == 0)
        return false;
    return w->rows >= CW_BLOCK_ROWS_MAX || w->raw_bytes + line_bytes > CW_BLOCK_RAW_TARGET ||
           cw_meta_writer_full(w->meta, w->rows, npairs);
}

/* What rows of a stream have beside their lines, which have been added. */
static void rows_end(struct cw_block_writer *w, uint32_t stream, const int64_t *ts_ns, uint32_t n,
                     size_t raw_bytes)
{
    if (w->nstreams == 0 || w->streams[w->nstreams - 1] != stream) {
        CW_ASSERT(w->nstreams == 0 || w->streams[w->nstreams - 1] < stream);
        w->streams[w->nstreams] = stream;
        w->stream_rows[w->nstreams++] = 0;
    }
    w->stream_rows[w->nstreams - 1] += n;
    memcpy(w->times + w->rows, ts_ns, n * sizeof(*ts_ns));
    w->min_ns = w->rows == 0 ? ts_ns[0] : CW_MIN(w->min_ns, ts_ns[0]);
    w->max_ns = w->rows == 0 ? ts_ns[n - 1] : CW_MAX(w->max_ns, ts_ns[n - 1]);
    w->raw_bytes += (uint32_t)raw_bytes;
    w->rows += n;
    w->offsets[w->rows] = (uint32_t)w->text.len;
}

/* The lines that rows [0, rows) are; CW_E_LIMIT when the text has no room for what may be read behind it. */
static int lines_of(struct cw_block_writer *w, uint32_t rows, struct cw_block_lines *out,
                    struct cw_err *err)
{
    if (cw_buf_reserve(&w->text, CW_BYTE_CLASSES_SLACK) == NULL)
        return cw_err_set(err, CW_E_LIMIT, "lines of %u bytes: too much for a block", w->raw_bytes);
    memset(w->text.ptr + w->text.len, 0, CW_BYTE_CLASSES_SLACK);
    *out = (struct cw_block_lines){w->text.ptr, w->offsets, rows};
    return 0;
}

int cw_block_writer_add(struct cw_block_writer *w, const struct cw_block_row *row,
                        struct cw_str line, struct cw_err *err)
{
    size_t text_before = w->text.len;
    CW_ASSERT(w->rows < CW_BLOCK_ROWS_MAX);
    if (line.len > CW_PART_LINE_BYTES_MAX)
        return cw_err_set(err, CW_E_LIMIT, "a line of %zu bytes: too long for a block", line.len);
    if (w->text.ptr == NULL)
        cw_buf_reserve(&w->text, TEXT_BYTES); /* growing would leave more, and touch it twice */
    cw_buf_adds(&w->text, line);
    cw_buf_addc(&w->text, '\n');
    if (w->cut) {
        struct cw_block_lines lines;
        w->offsets[w->rows + 1] = (uint32_t)w->text.len;
        int rc = lines_of(w, w->rows + 1, &lines, err);
        if (rc < 0)
            return rc;
        if (!cw_template_writer_add_lines(w->templates, &lines, w->rows,
                                          (size_t)w->raw_bytes + w->rows)) {
            w->text.len = text_before;
            return 0;
        }
    }
    int rc = row->metadata.n > 0 ? cw_meta_writer_add(w->meta, w->rows, row->metadata, err) : 0;
    if (rc < 0)
        return rc;
    rows_end(w, row->stream, &row->ts_ns, 1, line.len);
    return 1;
}

int cw_block_writer_try(struct cw_block_writer *w, struct cw_template_memory *memory,
                        struct cw_err *err)
{
    struct cw_block_lines lines;
    if (w->cut || w->text.len < CW_TEMPLATE_TRIAL_BYTES)
        return 0;
    int rc = lines_of(w, w->rows, &lines, err);
    return rc < 0 ? rc : cw_template_writer_try(w->templates, &lines, memory, w->codec, err);
}

/* Rows go to the template writer from now on, as do those that are here as lines. 1, 0 when those do not fit, or an error. */
static int cut_begin(struct cw_block_writer *w, enum cw_token_mode mode, struct cw_err *err)
{
    struct cw_block_lines lines;
    cw_template_writer_begin(w->templates, mode);
    int rc = lines_of(w, w->rows, &lines, err);
    if (rc < 0)
        return rc;
    w->cut = w->rows == 0 || cw_template_writer_add_lines(w->templates, &lines, 0, 0);
    return w->cut;
}

/* How many rows of the batch the block has room for. */
static uint32_t rows_that_fit(const struct cw_block_writer *w, const struct cw_entry_batch *batch,
                              size_t from, size_t raw_bytes_max, size_t *bytes_out)
{
    uint32_t most = (uint32_t)CW_MIN(batch->n - from, (size_t)CW_BLOCK_ROWS_MAX - w->rows), n = 0;
    size_t bytes = 0, room = CW_MIN(raw_bytes_max, (size_t)CW_BLOCK_RAW_TARGET);
    if (batch->metadata != NULL)
        most = cw_meta_writer_fit(w->meta, w->rows, batch->metadata + from, most);
    for (; n < most; n++) {
        size_t with = bytes + batch->sizes[from + n];
        if (w->rows + n > 0 && w->raw_bytes + with > room)
            break;
        bytes = with;
    }
    *bytes_out = bytes;
    return n;
}

int cw_block_writer_add_values(struct cw_block_writer *w, uint32_t stream,
                               const struct cw_entry_batch *batch, size_t from,
                               size_t raw_bytes_max, struct cw_err *err)
{
    size_t bytes;
    struct cw_value_run run = {.values = batch->values,
                               .from = batch->first_row + (uint32_t)from,
                               .n = rows_that_fit(w, batch, from, raw_bytes_max, &bytes),
                               .sizes = batch->sizes + from};
    if (run.n == 0)
        return 0;
    int rc = w->cut ? 1 : cut_begin(w, cw_value_rows_mode(run.values), err);
    if (rc <= 0)
        return rc;
    int n = cw_template_writer_add_values(w->templates, &run, w->rows,
                                          (size_t)w->raw_bytes + w->rows, &w->text, err);
    w->cut = n > 0 || w->rows > 0;
    if (n <= 0)
        return n;
    for (uint32_t i = (uint32_t)n; i < run.n; i++)
        bytes -= run.sizes[i];
    for (uint32_t i = 0; batch->metadata != NULL && i < (uint32_t)n; i++) {
        rc = cw_meta_writer_add(w->meta, w->rows + i, batch->metadata[from + i], err);
        if (rc < 0)
            return rc;
    }
    rows_end(w, stream, batch->ts_ns + from, (uint32_t)n, bytes);
    return n;
}

static int streams_section(struct cw_block_writer *w, struct cw_err *err)
{
    if (w->nstreams == 1)
        return 0;
    cw_buf_clear(&w->scratch);
    cw_encode_int(w->streams, w->nstreams, &w->scratch);
    cw_encode_int(w->stream_rows, w->nstreams, &w->scratch);
    return cw_block_sections_add(&w->sections, CW_SECTION_STREAMS, CW_CODEC_NONE, 0,
                                 cw_buf_str(&w->scratch), err);
}

static int times_section(struct cw_block_writer *w, struct cw_err *err)
{
    cw_buf_clear(&w->scratch);
    cw_encode_int(w->times, w->rows, &w->scratch);
    return cw_block_sections_add(&w->sections, CW_SECTION_TIMES, CW_CODEC_NONE, 0,
                                 cw_buf_str(&w->scratch), err);
}

static int meta_section(struct cw_block_writer *w, struct cw_err *err)
{
    if (cw_meta_writer_empty(w->meta))
        return 0;
    return cw_meta_writer_finish(w->meta, w->rows, w->codec, &w->sections, w->keys, &w->incompat,
                                 err);
}

static uint32_t line_bytes(const struct cw_block_writer *w, uint32_t row)
{
    return w->offsets[row + 1] - w->offsets[row] - 1;
}

static int lengths_section(struct cw_block_writer *w, struct cw_err *err)
{
    int64_t *lengths = w->times; /* which have been written */
    for (uint32_t row = 0; row < w->rows; row++)
        lengths[row] = line_bytes(w, row);
    cw_buf_clear(&w->scratch);
    cw_encode_int(lengths, w->rows, &w->scratch);
    return cw_block_sections_add(&w->sections, CW_SECTION_LENGTHS, CW_CODEC_NONE, 0,
                                 cw_buf_str(&w->scratch), err);
}

/* Rows [*row, ...) that make a piece. */
static int piece_section(struct cw_block_writer *w, uint32_t *row, struct cw_err *err)
{
    uint32_t first = *row;
    cw_buf_clear(&w->scratch);
    do {
        cw_buf_add(&w->scratch, w->text.ptr + w->offsets[*row], line_bytes(w, *row));
        ++*row;
    } while (*row < w->rows && *row - first < CW_PIECE_ROWS_MAX &&
             w->scratch.len + line_bytes(w, *row) <= CW_PIECE_RAW_TARGET);
    return cw_block_sections_add(&w->sections, CW_SECTION_TEXT, w->codec, (uint16_t)(*row - first),
                                 cw_buf_str(&w->scratch), err);
}

static int plain_sections(struct cw_block_writer *w, struct cw_err *err)
{
    int rc = lengths_section(w, err);
    for (uint32_t row = 0; rc == 0 && row < w->rows;)
        rc = piece_section(w, &row, err);
    return rc;
}

/* 1: of templates, 0: plain. */
static int line_sections(struct cw_block_writer *w, struct cw_template_memory *memory,
                         struct cw_template_counts *counts, struct cw_err *err)
{
    if (w->cut) {
        int rc = cw_template_writer_finish(w->templates, w->text.ptr, w->rows, w->codec,
                                           &w->sections, w->keys, counts, err);
        return rc < 0 ? rc : 1;
    }
    struct cw_block_lines lines;
    int rc = lines_of(w, w->rows, &lines, err);
    if (rc == 0)
        rc = cw_template_writer_encode(w->templates, &lines, memory, w->codec, &w->sections,
                                       w->keys, counts, err);
    if (rc == 0)
        rc = plain_sections(w, err);
    return rc;
}

void cw_block_put(uint8_t *header, const struct cw_block_sections *sections, struct cw_buf *out)
{
    cw_put32(header + 48, (uint32_t)sections->entries.len);
    cw_block_seal(header, cw_buf_str(&sections->entries));
    cw_buf_add(out, header, CW_BLOCK_HEADER_BYTES);
    cw_buf_adds(out, cw_buf_str(&sections->entries));
    cw_buf_adds(out, cw_buf_str(&sections->bytes));
}

static void block_put(const struct cw_block_writer *w, bool templates,
                      const struct cw_template_counts *counts, struct cw_buf *out)
{
    uint8_t header[CW_BLOCK_HEADER_BYTES] = {0};
    cw_put32(header, CW_BLOCK_MAGIC);
    header[4] = CW_BLOCK_MAJOR;
    header[5] = CW_BLOCK_MINOR;
    if (templates) {
        header[6] = CW_BLOCK_TEMPLATES;
        header[7] = (uint8_t)counts->mode;
        cw_put32(header + 20, counts->templates);
        cw_put32(header + 24, counts->columns);
    }
    cw_put32(header + 8, w->incompat);
    cw_put32(header + 16, w->rows);
    cw_put32(header + 28, w->raw_bytes);
    cw_put64(header + 32, (uint64_t)w->min_ns);
    cw_put64(header + 40, (uint64_t)w->max_ns);
    cw_put16(header + 52, (uint16_t)w->nstreams);
    cw_block_put(header, &w->sections, out);
}

static void block_clear(struct cw_block_writer *w)
{
    if (w->text.cap > 2 * TEXT_BYTES)
        cw_buf_fini(&w->text);
    else
        cw_buf_clear(&w->text);
    cw_block_sections_clear(&w->sections);
    w->cut = false;
    w->rows = w->raw_bytes = w->nstreams = w->incompat = 0;
}

int cw_block_writer_finish(struct cw_block_writer *w, struct cw_template_memory *memory,
                           struct cw_buf *out, struct cw_buf *filter,
                           struct cw_block_summary *summary_out, struct cw_err *err)
{
    CW_ASSERT(w->rows > 0);
    *summary_out = (struct cw_block_summary){
        .rows = w->rows,
        .raw_bytes = w->raw_bytes,
        .first_stream = (uint32_t)w->streams[0],
        .last_stream = (uint32_t)w->streams[w->nstreams - 1],
        .min_ns = w->min_ns,
        .max_ns = w->max_ns,
    };
    struct cw_template_counts counts;
    int rc = streams_section(w, err);
    if (rc == 0)
        rc = times_section(w, err);
    if (rc == 0)
        rc = meta_section(w, err);
    if (rc == 0)
        rc = line_sections(w, memory, &counts, err);
    bool templates = rc == 1;
    if (rc >= 0)
        rc = cw_block_sections_check(&w->sections, err);
    if (rc == 0) {
        cw_value_filter_builder_finish(w->keys, filter);
        block_put(w, templates, &counts, out);
        if (cw_buf_failed(out))
            rc = cw_err_set(err, CW_E_LIMIT, "a block of %u rows does not fit", w->rows);
    }
    block_clear(w);
    return rc;
}

uint64_t cw_block_checksum(const uint8_t *header, struct cw_str directory)
{
    struct cw_buf sealed;
    cw_buf_init(&sealed, CW_BLOCK_HEADER_BYTES + directory.len);
    cw_buf_add(&sealed, header, CW_BLOCK_HEADER_BYTES - 8);
    cw_buf_adds(&sealed, directory);
    uint64_t sum = cw_hash64(sealed.ptr, sealed.len);
    cw_buf_fini(&sealed);
    return sum;
}

void cw_block_seal(uint8_t *header, struct cw_str directory)
{
    cw_put64(header + CW_BLOCK_HEADER_BYTES - 8, cw_block_checksum(header, directory));
}
