/* block_reader.c - find a block's sections and decode its columns; nothing is believed. */
#include "common/store/block_reader.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/block_writer.h"
#include "common/store/encode_int.h"
#include "common/store/section_kinds.h"

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
    if (h[6] > CW_BLOCK_TEMPLATES || h[54] != 0)
        return cw_err_set(err, CW_E_CORRUPT, "block: kind %u, order %u: unknown", h[6], h[54]);
    return 0;
}

static bool codec_known(uint8_t codec)
{
    return codec == CW_CODEC_NONE || codec == CW_CODEC_LZ4 || codec == CW_CODEC_ZSTD;
}

static int piece_place(struct cw_block *b, const struct cw_section *s, uint16_t rows,
                       struct cw_err *err)
{
    uint32_t first = 0;
    if (b->npieces > 0)
        first = b->pieces[b->npieces - 1].first_row + b->pieces[b->npieces - 1].rows;
    if (b->npieces == CW_BLOCK_PIECES_MAX || rows == 0 || rows > CW_PIECE_ROWS_MAX ||
        s->raw_bytes > CW_PART_LINE_BYTES_MAX + CW_PIECE_RAW_TARGET)
        return bad(err, "a piece of text of a wrong size");
    b->pieces[b->npieces++] = (struct cw_piece){*s, first, rows};
    return 0;
}

static int column_place(struct cw_block *b, const uint8_t *entry, struct cw_str stored,
                        struct cw_err *err)
{
    uint16_t number = cw_get16(entry + 2);
    if (number >= b->ncolumns || b->column_entry[number] != 0)
        return bad(err, "a column is there twice, or is none");
    b->column_entry[number] = (uint32_t)((const char *)entry - b->bytes);
    b->column_stored[number] = (uint32_t)(stored.ptr - b->bytes);
    return 0;
}

static int meta_values_place(struct cw_block *b, const struct cw_section *s, uint16_t number,
                             struct cw_err *err)
{
    if (b->nmeta_values == CW_BLOCK_META_VALUES_MAX || number != b->nmeta_values ||
        s->codec != CW_CODEC_NONE || s->raw_bytes != s->stored.len)
        return bad(err, "values of metadata of a wrong number or size");
    b->meta_values[b->nmeta_values++] = *s;
    return 0;
}

/* Where a section of which there is one belongs; NULL: there is no such kind in a block of this kind. */
static struct cw_section *single(struct cw_block *b, uint8_t kind)
{
    bool plain = b->kind == CW_BLOCK_PLAIN;
    switch (kind) {
    case CW_SECTION_STREAMS: return &b->streams;
    case CW_SECTION_TIMES: return &b->times;
    case CW_SECTION_META: return &b->meta;
    case CW_SECTION_LENGTHS: return plain ? &b->lengths : NULL;
    case CW_SECTION_TEMPLATES: return plain ? NULL : &b->templates;
    case CW_SECTION_TEXT: return plain ? NULL : &b->text;
    case CW_SECTION_ROWS: return plain ? NULL : &b->row_templates;
    case CW_SECTION_SMALL: return plain ? NULL : &b->small;
    case CW_SECTION_RAW: return plain ? NULL : &b->raw;
    default: return NULL;
    }
}

/* One entry of the directory into its place in *b. */
static int section_place(struct cw_block *b, const uint8_t *entry, struct cw_str stored,
                         struct cw_err *err)
{
    struct cw_section s = {stored, cw_get32(entry + 4), cw_get32(entry + 12), entry[1]};
    uint8_t kind = entry[0];
    /* So that a few bytes cannot ask for much memory. */
    if (s.codec == CW_CODEC_LZ4 && s.raw_bytes / LZ4_MAX_RATIO > stored.len)
        return bad(err, "a section cannot be so large");
    if (kind == CW_SECTION_TEXT && b->kind == CW_BLOCK_PLAIN)
        return piece_place(b, &s, cw_get16(entry + 2), err);
    if (kind == CW_SECTION_COLUMN && b->kind == CW_BLOCK_TEMPLATES)
        return column_place(b, entry, stored, err);
    if (kind == CW_SECTION_META_VALUES)
        return meta_values_place(b, &s, cw_get16(entry + 2), err);
    struct cw_section *slot = single(b, kind);
    if (slot == NULL) {
        if (kind & CW_SECTION_OPTIONAL)
            return 0;
        return cw_err_set(err, CW_E_CORRUPT, "block: section of unknown kind %u", kind);
    }
    if (slot->stored.ptr != NULL)
        return bad(err, "a section is there twice");
    /* These are kept packed. */
    bool packed =
        kind == CW_SECTION_STREAMS || kind == CW_SECTION_TIMES || kind == CW_SECTION_LENGTHS;
    if (packed && (s.codec != CW_CODEC_NONE || s.raw_bytes != stored.len))
        return bad(err, "a section of a wrong size");
    if (kind == CW_SECTION_META && s.raw_bytes > CW_BLOCK_META_RAW_MAX)
        return bad(err, "a section of a wrong size");
    *slot = s;
    return 0;
}

static int directory_read(struct cw_block *b, struct cw_str bytes, struct cw_str directory,
                          struct cw_err *err)
{
    size_t at = CW_BLOCK_HEADER_BYTES + directory.len;
    uint64_t raw = 0;
    for (size_t i = 0; i < directory.len; i += CW_BLOCK_SECTION_BYTES) {
        const uint8_t *entry = (const uint8_t *)directory.ptr + i;
        uint32_t stored = cw_get32(entry + 8);
        if (stored > bytes.len - at)
            return bad(err, "a section lies outside");
        int rc = section_place(b, entry, cw_str_make(bytes.ptr + at, stored), err);
        if (rc < 0)
            return rc;
        bool metadata = entry[0] == CW_SECTION_META || entry[0] == CW_SECTION_META_VALUES;
        raw += metadata ? 0 : cw_get32(entry + 4);
        at += stored;
    }
    /* Templates, dictionaries and values: a line that is cut into them does not grow. */
    if (b->kind == CW_BLOCK_TEMPLATES && raw > 2 * (uint64_t)b->raw_bytes + CW_BLOCK_RAW_TARGET)
        return bad(err, "its sections are larger than its lines");
    return 0;
}

static int plain_check(const struct cw_block *b, struct cw_err *err)
{
    uint64_t rows = 0, raw = 0;
    for (uint32_t i = 0; i < b->npieces; i++) {
        rows += b->pieces[i].rows;
        raw += b->pieces[i].text.raw_bytes;
    }
    if (rows != b->rows || raw != b->raw_bytes)
        return bad(err, "the pieces of text are not all there");
    return b->lengths.stored.ptr != NULL ? 0 : bad(err, "a section is missing");
}

static int templates_check(const struct cw_block *b, struct cw_err *err)
{
    if (b->ntemplates == 0 || b->ntemplates > b->rows)
        return bad(err, "the count of templates is wrong");
    if (b->templates.stored.ptr == NULL || b->text.stored.ptr == NULL ||
        (b->row_templates.stored.ptr == NULL) != (b->ntemplates == 1))
        return bad(err, "a section is missing");
    return 0;
}

/* All but what only blocks of entries have. */
static int block_find(struct cw_str bytes, struct cw_block *b, struct cw_err *err)
{
    struct cw_str directory;
    int rc = header_check(bytes, &directory, err);
    if (rc < 0)
        return rc;
    b->kind = bytes.ptr[6];
    b->mode = (uint8_t)bytes.ptr[7];
    b->rows = cw_get32(bytes.ptr + 16);
    b->ntemplates = cw_get32(bytes.ptr + 20);
    b->ncolumns = cw_get32(bytes.ptr + 24);
    b->raw_bytes = cw_get32(bytes.ptr + 28);
    b->min_ns = (int64_t)cw_get64(bytes.ptr + 32);
    b->max_ns = (int64_t)cw_get64(bytes.ptr + 40);
    b->nstreams = cw_get16(bytes.ptr + 52);
    b->streams = b->times = b->lengths = b->meta = (struct cw_section){0};
    b->templates = b->text = b->row_templates = b->small = b->raw = (struct cw_section){0};
    b->npieces = b->nmeta_values = 0;
    b->bytes = bytes.ptr;
    b->stored_bytes = bytes.len;
    if (b->rows == 0 || b->rows > CW_BLOCK_ROWS_MAX || b->nstreams > b->rows ||
        b->raw_bytes > CW_BLOCK_RAW_MAX || b->ntemplates > CW_BLOCK_TEMPLATES_MAX ||
        b->ncolumns > CW_BLOCK_COLUMNS_MAX || bytes.len > UINT32_MAX)
        return bad(err, "its counts are wrong");
    memset(b->column_entry, 0, b->ncolumns * sizeof(b->column_entry[0]));
    return directory_read(b, bytes, directory, err);
}

int cw_block_open(struct cw_str bytes, struct cw_block *b, struct cw_err *err)
{
    int rc = block_find(bytes, b, err);
    if (rc < 0)
        return rc;
    if (b->nstreams == 0)
        return bad(err, "its counts are wrong");
    if (b->times.stored.ptr == NULL || (b->streams.stored.ptr == NULL) != (b->nstreams == 1))
        return bad(err, "a section is missing");
    return b->kind == CW_BLOCK_PLAIN ? plain_check(b, err) : templates_check(b, err);
}

struct cw_str cw_block_front(struct cw_str bytes)
{
    if (bytes.len < CW_BLOCK_HEADER_BYTES)
        return bytes;
    uint64_t len = CW_BLOCK_HEADER_BYTES + (uint64_t)cw_get32(bytes.ptr + 48);
    return cw_str_sub(bytes, 0, len <= bytes.len ? (size_t)len : bytes.len);
}

bool cw_block_is_newer(struct cw_str bytes)
{
    struct cw_str front = cw_block_front(bytes);
    if (front.len < CW_BLOCK_HEADER_BYTES)
        return false;
    const uint8_t *h = (const uint8_t *)front.ptr;
    struct cw_str directory = cw_str_sub(front, CW_BLOCK_HEADER_BYTES, front.len);
    return cw_get32(h) == CW_BLOCK_MAGIC && cw_block_checksum(h, directory) == cw_get64(h + 56) &&
           (h[4] > CW_BLOCK_MAJOR || h[6] > CW_BLOCK_TEMPLATES || h[54] != 0 ||
            (cw_get32(h + 8) & ~(uint32_t)CW_BLOCK_INCOMPAT_KNOWN) != 0);
}

int cw_block_check(struct cw_str bytes, struct cw_err *err)
{
    struct cw_block *block = cw_mem_resize(NULL, sizeof(*block)); /* all that is read is written */
    struct cw_section_entry section = {0};
    int rc = cw_block_open(bytes, block, err);
    free(block);
    for (uint32_t i = 0; rc == 0 && cw_section_entry_next(bytes, i, &section); i++)
        if ((uint32_t)cw_hash64(section.stored.ptr, section.stored.len) != section.checksum)
            rc = cw_err_set(err, CW_E_CORRUPT, "block: the checksum of its %s is wrong",
                            cw_section_kind_name(section.kind));
    return rc;
}

int cw_block_open_values(const struct cw_section *section, struct cw_block *b, struct cw_err *err)
{
    int rc = block_find(section->stored, b, err);
    if (rc < 0)
        return rc;
    bool more = b->times.stored.ptr != NULL || b->streams.stored.ptr != NULL ||
                b->meta.stored.ptr != NULL || b->nmeta_values > 0;
    if (b->kind != CW_BLOCK_TEMPLATES || b->nstreams != 0 || more)
        return bad(err, "it is none of values of metadata");
    return templates_check(b, err);
}

struct cw_section cw_block_column(const struct cw_block *b, uint32_t column)
{
    if (b->column_entry[column] == 0)
        return (struct cw_section){0};
    const char *entry = b->bytes + b->column_entry[column];
    return (struct cw_section){
        .stored = cw_str_make(b->bytes + b->column_stored[column], cw_get32(entry + 8)),
        .raw_bytes = cw_get32(entry + 4),
        .checksum = cw_get32(entry + 12),
        .codec = (uint8_t)entry[1],
    };
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
    int rc = checksum_check(s, "text, values or metadata", err);
    if (rc < 0)
        return rc;
    if (!codec_known(s->codec))
        return cw_err_set(err, CW_E_CORRUPT, "block: unknown codec %u", s->codec);
    rc = cw_codec_decompress_into(s->codec, s->stored, out, s->raw_bytes, err);
    return rc < 0 ? bad(err, "text, values or metadata do not decompress") : 0;
}

int cw_block_section_bytes(const struct cw_section *s, size_t slack, struct cw_arena *arena,
                           struct cw_str *out, struct cw_err *err)
{
    if (s->codec == CW_CODEC_NONE && slack == 0) {
        *out = s->stored;
        if (s->raw_bytes != s->stored.len)
            return bad(err, "a section of a wrong size");
        return checksum_check(s, "values", err);
    }
    char *bytes = cw_arena_alloc(arena, (size_t)s->raw_bytes + slack);
    int rc = cw_block_section_into(s, bytes, err);
    memset(bytes + s->raw_bytes, 0, slack);
    *out = cw_str_make(bytes, s->raw_bytes);
    return rc;
}
