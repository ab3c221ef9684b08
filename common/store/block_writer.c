/* block_writer.c - gather rows, compress text a piece at a time, put sections and header together. */
#include "common/store/block_writer.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/hash.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/meta_column.h"

/* What is kept of a buffer that one large line grew. */
enum { PIECE_KEEP_BYTES = 2 * CW_PIECE_RAW_TARGET };

struct cw_block_writer {
    uint32_t rows, raw_bytes;
    int64_t min_ns, max_ns;
    int64_t times[CW_BLOCK_ROWS_MAX], lengths[CW_BLOCK_ROWS_MAX];
    int64_t streams[CW_BLOCK_ROWS_MAX], stream_rows[CW_BLOCK_ROWS_MAX];
    uint32_t nstreams;
    uint32_t piece_rows;
    struct cw_buf piece;        /* raw text of the piece under way */
    struct cw_buf packed;       /* finished pieces */
    struct cw_buf text_entries; /* their entries of the directory */
    struct cw_buf small;        /* the other sections, and ... */
    struct cw_buf entries;      /* ... their entries */
    struct cw_buf scratch;
    struct cw_meta_writer *meta;
};

struct cw_block_writer *cw_block_writer_new(void)
{
    struct cw_block_writer *w = cw_mem_new(sizeof(*w));
    cw_buf_init(&w->piece, CW_PART_LINE_BYTES_MAX + CW_PIECE_RAW_TARGET);
    cw_buf_init(&w->packed, 2u * CW_BLOCK_RAW_MAX);
    cw_buf_init(&w->text_entries, CW_BLOCK_PIECES_MAX * CW_BLOCK_SECTION_BYTES);
    cw_buf_init(&w->small, 2u * CW_BLOCK_META_RAW_MAX);
    cw_buf_init(&w->entries, CW_BLOCK_SECTIONS_MAX * CW_BLOCK_SECTION_BYTES);
    cw_buf_init(&w->scratch, 2u * CW_BLOCK_META_RAW_MAX);
    w->meta = cw_meta_writer_new();
    return w;
}

void cw_block_writer_free(struct cw_block_writer **writer)
{
    struct cw_block_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    cw_buf_fini(&w->piece);
    cw_buf_fini(&w->packed);
    cw_buf_fini(&w->text_entries);
    cw_buf_fini(&w->small);
    cw_buf_fini(&w->entries);
    cw_buf_fini(&w->scratch);
    cw_meta_writer_free(&w->meta);
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

/* One section at the end of *bytes, compressed if that makes it smaller, and its entry. */
static int section_add(enum cw_section_kind kind, enum cw_codec codec, uint16_t count,
                       struct cw_str raw, struct cw_buf *bytes, struct cw_buf *entries,
                       struct cw_err *err)
{
    size_t start = bytes->len;
    if (codec != CW_CODEC_NONE) {
        int rc = cw_codec_compress(codec, raw, bytes, err);
        if (rc < 0)
            return rc;
        if (bytes->len - start >= raw.len) {
            bytes->len = start;
            codec = CW_CODEC_NONE;
        }
    }
    if (codec == CW_CODEC_NONE)
        cw_buf_adds(bytes, raw);
    uint8_t entry[CW_BLOCK_SECTION_BYTES] = {(uint8_t)kind, (uint8_t)codec};
    cw_put16(entry + 2, count);
    cw_put32(entry + 4, (uint32_t)raw.len);
    cw_put32(entry + 8, (uint32_t)(bytes->len - start));
    cw_put32(entry + 12, (uint32_t)cw_hash64(bytes->ptr + start, bytes->len - start));
    cw_buf_add(entries, entry, sizeof(entry));
    return 0;
}

static int piece_end(struct cw_block_writer *w, struct cw_err *err)
{
    if (w->piece_rows == 0)
        return 0;
    int rc = section_add(CW_SECTION_TEXT, CW_CODEC_LZ4, (uint16_t)w->piece_rows,
                         cw_buf_str(&w->piece), &w->packed, &w->text_entries, err);
    w->piece_rows = 0;
    if (w->piece.cap > PIECE_KEEP_BYTES)
        cw_buf_fini(&w->piece);
    else
        cw_buf_clear(&w->piece);
    return rc;
}

int cw_block_writer_add(struct cw_block_writer *w, uint32_t stream, int64_t ts_ns,
                        struct cw_str line, struct cw_labels metadata, struct cw_err *err)
{
    CW_ASSERT(w->rows < CW_BLOCK_ROWS_MAX);
    if (line.len > CW_PART_LINE_BYTES_MAX)
        return cw_err_set(err, CW_E_LIMIT, "a line of %zu bytes: too long for a block", line.len);
    if (metadata.n > 0) {
        int rc = cw_meta_writer_add(w->meta, w->rows, metadata, err);
        if (rc < 0)
            return rc;
    }
    if (w->piece_rows > 0 &&
        (w->piece_rows == CW_PIECE_ROWS_MAX || w->piece.len + line.len > CW_PIECE_RAW_TARGET)) {
        int rc = piece_end(w, err);
        if (rc < 0)
            return rc;
    }
    cw_buf_adds(&w->piece, line);
    w->piece_rows++;
    if (w->nstreams == 0 || w->streams[w->nstreams - 1] != stream) {
        CW_ASSERT(w->nstreams == 0 || w->streams[w->nstreams - 1] < stream);
        w->streams[w->nstreams] = stream;
        w->stream_rows[w->nstreams++] = 0;
    }
    w->stream_rows[w->nstreams - 1]++;
    w->times[w->rows] = ts_ns;
    w->lengths[w->rows] = (int64_t)line.len;
    w->min_ns = w->rows == 0 ? ts_ns : CW_MIN(w->min_ns, ts_ns);
    w->max_ns = w->rows == 0 ? ts_ns : CW_MAX(w->max_ns, ts_ns);
    w->raw_bytes += (uint32_t)line.len;
    w->rows++;
    return 0;
}

static int small_sections(struct cw_block_writer *w, struct cw_err *err)
{
    int rc = 0;
    if (w->nstreams > 1) {
        cw_encode_int(w->streams, w->nstreams, &w->scratch);
        cw_encode_int(w->stream_rows, w->nstreams, &w->scratch);
        rc = section_add(CW_SECTION_STREAMS, CW_CODEC_NONE, 0, cw_buf_str(&w->scratch), &w->small,
                         &w->entries, err);
        cw_buf_clear(&w->scratch);
    }
    if (rc == 0) {
        cw_encode_int(w->times, w->rows, &w->scratch);
        rc = section_add(CW_SECTION_TIMES, CW_CODEC_NONE, 0, cw_buf_str(&w->scratch), &w->small,
                         &w->entries, err);
        cw_buf_clear(&w->scratch);
    }
    if (rc == 0) {
        cw_encode_int(w->lengths, w->rows, &w->scratch);
        rc = section_add(CW_SECTION_LENGTHS, CW_CODEC_NONE, 0, cw_buf_str(&w->scratch), &w->small,
                         &w->entries, err);
        cw_buf_clear(&w->scratch);
    }
    if (rc == 0 && !cw_meta_writer_empty(w->meta)) {
        cw_meta_writer_finish(w->meta, w->rows, &w->scratch);
        if (w->scratch.len > CW_BLOCK_META_RAW_MAX)
            rc = cw_err_set(err, CW_E_LIMIT,
                            "structured metadata of %zu bytes: too much for a block",
                            w->scratch.len);
        else
            rc = section_add(CW_SECTION_META, CW_CODEC_LZ4, 0, cw_buf_str(&w->scratch), &w->small,
                             &w->entries, err);
        cw_buf_clear(&w->scratch);
    }
    return rc;
}

int cw_block_writer_finish(struct cw_block_writer *w, struct cw_buf *out,
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
    int rc = piece_end(w, err);
    uint32_t nstreams = w->nstreams;
    if (rc == 0)
        rc = small_sections(w, err);
    if (rc == 0) {
        cw_buf_adds(&w->entries, cw_buf_str(&w->text_entries));
        uint8_t header[CW_BLOCK_HEADER_BYTES] = {0};
        cw_put32(header, CW_BLOCK_MAGIC);
        header[4] = CW_BLOCK_MAJOR;
        header[5] = CW_BLOCK_MINOR;
        cw_put32(header + 16, w->rows);
        cw_put32(header + 28, w->raw_bytes);
        cw_put64(header + 32, (uint64_t)w->min_ns);
        cw_put64(header + 40, (uint64_t)w->max_ns);
        cw_put32(header + 48, (uint32_t)w->entries.len);
        cw_put16(header + 52, (uint16_t)nstreams);
        cw_block_seal(header, cw_buf_str(&w->entries));
        cw_buf_add(out, header, sizeof(header));
        cw_buf_adds(out, cw_buf_str(&w->entries));
        cw_buf_adds(out, cw_buf_str(&w->small));
        cw_buf_adds(out, cw_buf_str(&w->packed));
        bool failed = cw_buf_failed(out) || cw_buf_failed(&w->entries) ||
                      cw_buf_failed(&w->small) || cw_buf_failed(&w->packed);
        if (failed)
            rc =
                cw_err_set(err, CW_E_LIMIT, "a block of %u rows does not fit its buffers", w->rows);
    }
    cw_buf_clear(&w->text_entries);
    cw_buf_clear(&w->entries);
    cw_buf_clear(&w->small);
    cw_buf_clear(&w->packed);
    w->rows = w->raw_bytes = w->nstreams = 0;
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
