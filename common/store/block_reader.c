/* block_reader.c - find a block's sections and decode its columns; nothing is believed. */
#include "common/store/block_reader.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/block_writer.h"
#include "common/store/encode_int.h"

enum { LZ4_MAX_RATIO = 256 };

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "block: %s", what);
}

static int header_check(struct cw_str bytes, struct cw_str *directory_out, struct cw_err *err)
{
    if (bytes.len < CW_BLOCK_HEADER_BYTES || cw_get32(bytes.ptr) != CW_BLOCK_MAGIC)
        return bad(err, "it does not begin with the magic");
    const uint8_t *h = (const uint8_t *)bytes.ptr;
    uint32_t dir_bytes = cw_get32(h + 48);
    if (dir_bytes % CW_BLOCK_SECTION_BYTES != 0 ||
        dir_bytes > CW_BLOCK_SECTIONS_MAX * CW_BLOCK_SECTION_BYTES ||
        dir_bytes > bytes.len - CW_BLOCK_HEADER_BYTES)
        return bad(err, "the directory's size is wrong");
    *directory_out = cw_str_make(bytes.ptr + CW_BLOCK_HEADER_BYTES, dir_bytes);
    if (cw_block_checksum(h, *directory_out) != cw_get64(h + 56))
        return bad(err, "the header's checksum is wrong");
    if (h[4] > CW_BLOCK_MAJOR)
        return cw_err_set(err, CW_E_CORRUPT,
                          "block: version %u.%u is newer than %u.%u, which this program reads",
                          h[4], h[5], CW_BLOCK_MAJOR, CW_BLOCK_MINOR);
    uint32_t unknown = cw_get32(h + 8) & ~(uint32_t)CW_BLOCK_INCOMPAT_KNOWN;
    if (unknown != 0)
        return cw_err_set(err, CW_E_CORRUPT,
                          "block: it needs features 0x%x, which this program does not have",
                          unknown);
    if (h[6] != 0 || h[54] != 0)
        return cw_err_set(err, CW_E_CORRUPT, "block: kind %u, order %u: unknown", h[6], h[54]);
    return 0;
}

/* One entry of the directory into its place in *b. *row counts the pieces' rows. */
static int section_place(struct cw_block *b, const uint8_t *entry, struct cw_str stored,
                         uint64_t *row, uint64_t *raw, struct cw_err *err)
{
    struct cw_section s = {stored, cw_get32(entry + 4), cw_get32(entry + 12), entry[1]};
    struct cw_section *slot = NULL;
    bool meta = false;
    /* So that a few bytes cannot ask for much memory. */
    if (s.codec == CW_CODEC_LZ4 && s.raw_bytes / LZ4_MAX_RATIO > stored.len)
        return bad(err, "a section cannot be so large");
    switch (entry[0]) {
    case CW_SECTION_TEXT: {
        uint16_t rows = cw_get16(entry + 2);
        if (b->npieces == CW_BLOCK_PIECES_MAX || rows == 0 || rows > CW_PIECE_ROWS_MAX ||
            s.raw_bytes > CW_PART_LINE_BYTES_MAX + CW_PIECE_RAW_TARGET)
            return bad(err, "a piece of text of a wrong size");
        b->pieces[b->npieces++] = (struct cw_piece){s, (uint32_t)*row, rows};
        *row += rows;
        *raw += s.raw_bytes;
        return 0;
    }
    case CW_SECTION_STREAMS: slot = &b->streams; break;
    case CW_SECTION_TIMES: slot = &b->times; break;
    case CW_SECTION_LENGTHS: slot = &b->lengths; break;
    case CW_SECTION_META:
        slot = &b->meta;
        meta = true;
        break;
    default:
        if (entry[0] & CW_SECTION_OPTIONAL)
            return 0;
        return cw_err_set(err, CW_E_CORRUPT, "block: section of unknown kind %u", entry[0]);
    }
    if (slot->stored.ptr != NULL)
        return bad(err, "a section is there twice");
    /* Columns are kept packed; only metadata is compressed. */
    if (meta ? s.raw_bytes > CW_BLOCK_META_RAW_MAX
             : s.codec != CW_CODEC_NONE || s.raw_bytes != stored.len)
        return bad(err, "a section of a wrong size");
    *slot = s;
    return 0;
}

int cw_block_open(struct cw_str bytes, struct cw_block *b, struct cw_err *err)
{
    struct cw_str directory;
    int rc = header_check(bytes, &directory, err);
    if (rc < 0)
        return rc;
    b->rows = cw_get32(bytes.ptr + 16);
    b->raw_bytes = cw_get32(bytes.ptr + 28);
    b->min_ns = (int64_t)cw_get64(bytes.ptr + 32);
    b->max_ns = (int64_t)cw_get64(bytes.ptr + 40);
    b->nstreams = cw_get16(bytes.ptr + 52);
    b->streams = b->times = b->lengths = b->meta = (struct cw_section){0};
    b->npieces = 0;
    b->stored_bytes = bytes.len;
    if (b->rows == 0 || b->rows > CW_BLOCK_ROWS_MAX || b->nstreams == 0 || b->nstreams > b->rows)
        return bad(err, "counts of rows and streams are wrong");
    uint64_t row = 0, raw = 0;
    size_t at = CW_BLOCK_HEADER_BYTES + directory.len;
    for (size_t i = 0; i < directory.len; i += CW_BLOCK_SECTION_BYTES) {
        const uint8_t *entry = (const uint8_t *)directory.ptr + i;
        uint32_t stored = cw_get32(entry + 8);
        if (stored > bytes.len - at)
            return bad(err, "a section lies outside");
        rc = section_place(b, entry, cw_str_make(bytes.ptr + at, stored), &row, &raw, err);
        if (rc < 0)
            return rc;
        at += stored;
    }
    if (row != b->rows || raw != b->raw_bytes)
        return bad(err, "the pieces of text are not all there");
    if (b->times.stored.ptr == NULL || b->lengths.stored.ptr == NULL ||
        (b->streams.stored.ptr == NULL) != (b->nstreams == 1))
        return bad(err, "a section is missing");
    return 0;
}

static int checksum_check(const struct cw_section *s, const char *name, struct cw_err *err)
{
    cw_file_will_read(s->stored);
    if ((uint32_t)cw_hash64(s->stored.ptr, s->stored.len) != s->checksum)
        return cw_err_set(err, CW_E_CORRUPT, "block: the checksum of its %s is wrong", name);
    return 0;
}

int cw_block_streams(const struct cw_block *b, int64_t *numbers, int64_t *rows, struct cw_err *err)
{
    int rc = checksum_check(&b->streams, "stream numbers", err);
    if (rc < 0)
        return rc;
    size_t used;
    rc = cw_decode_int(b->streams.stored, b->nstreams, numbers, &used, err);
    if (rc == 0)
        rc = cw_decode_int(cw_str_sub(b->streams.stored, used, b->streams.stored.len), b->nstreams,
                           rows, NULL, err);
    if (rc < 0)
        return rc;
    uint64_t total = 0;
    for (uint32_t i = 0; i < b->nstreams; i++) {
        if (numbers[i] < 0 || numbers[i] > UINT32_MAX || (i > 0 && numbers[i] <= numbers[i - 1]) ||
            rows[i] <= 0 || rows[i] > b->rows)
            return bad(err, "stream numbers are wrong");
        total += (uint64_t)rows[i];
    }
    return total == b->rows ? 0 : bad(err, "rows of its streams are not all rows");
}

int cw_block_times(const struct cw_block *b, int64_t *out, struct cw_err *err)
{
    int rc = checksum_check(&b->times, "times", err);
    return rc < 0 ? rc : cw_decode_int(b->times.stored, b->rows, out, NULL, err);
}

int cw_block_lengths(const struct cw_block *b, int64_t *scratch, uint32_t *out, struct cw_err *err)
{
    int rc = checksum_check(&b->lengths, "lengths", err);
    if (rc == 0)
        rc = cw_decode_int(b->lengths.stored, b->rows, scratch, NULL, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < b->npieces; i++) {
        const struct cw_piece *p = &b->pieces[i];
        uint64_t total = 0;
        for (uint32_t row = p->first_row; row < p->first_row + p->rows; row++) {
            /* Each is under 2^32, so the sum cannot overflow. */
            if (scratch[row] < 0 || scratch[row] > UINT32_MAX)
                return bad(err, "a line of impossible length");
            out[row] = (uint32_t)scratch[row];
            total += out[row];
        }
        if (total != p->text.raw_bytes)
            return bad(err, "lengths of lines do not fill their text");
    }
    return 0;
}

int cw_block_section_into(const struct cw_section *s, char *out, struct cw_err *err)
{
    int rc = checksum_check(s, "text or metadata", err);
    if (rc < 0)
        return rc;
    if (s->codec != CW_CODEC_NONE && s->codec != CW_CODEC_LZ4 && s->codec != CW_CODEC_ZSTD)
        return cw_err_set(err, CW_E_CORRUPT, "block: unknown codec %u", s->codec);
    rc = cw_codec_decompress_into(s->codec, s->stored, out, s->raw_bytes, err);
    return rc < 0 ? bad(err, "text or metadata does not decompress") : 0;
}
