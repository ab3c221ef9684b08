/* block_copy.c - copy a block's sections one by one; stream numbers and codecs may change. */
#include "common/store/block_copy.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/store/block_reader.h"
#include "common/store/block_sections.h"
#include "common/store/encode_int.h"
#include "common/store/section_kinds.h"

struct copy {
    struct cw_block block;
    struct cw_block_sections sections;
    struct cw_buf raw;
};

static struct copy *copy_new(void)
{
    struct copy *c = cw_mem_new(sizeof(*c));
    cw_block_sections_init(&c->sections);
    cw_buf_init(&c->raw, CW_BLOCK_RAW_MAX + CW_BLOCK_META_RAW_MAX);
    return c;
}

static void copy_free(struct copy *c)
{
    cw_block_sections_fini(&c->sections);
    cw_buf_fini(&c->raw);
    free(c);
}

static void copy_put(const struct copy *c, struct cw_str bytes, struct cw_buf *out)
{
    uint8_t header[CW_BLOCK_HEADER_BYTES];
    memcpy(header, bytes.ptr, sizeof(header));
    cw_block_put(header, &c->sections, out);
}

static int summary_check(const struct cw_block *b, const struct cw_block_summary *s,
                         struct cw_err *err)
{
    if (b->rows != s->rows || b->raw_bytes != s->raw_bytes)
        return cw_err_set(err, CW_E_CORRUPT, "it is not the one that the block table says");
    return 0;
}

/* The stream numbers of the new part. */
static int streams_copy(struct copy *c, const struct cw_block_summary *s, const uint32_t *numbers,
                        struct cw_err *err)
{
    const struct cw_block *b = &c->block;
    int64_t *streams = cw_mem_array(2 * (size_t)b->nstreams, sizeof(*streams)),
            *rows = streams + b->nstreams;
    int rc = cw_block_streams(b, streams, rows, err);
    if (rc == 0 && (streams[0] != s->first_stream || streams[b->nstreams - 1] != s->last_stream))
        rc = cw_err_set(err, CW_E_CORRUPT, "its streams are not those that the block table says");
    if (rc == 0) {
        for (uint32_t i = 0; i < b->nstreams; i++)
            streams[i] = numbers[streams[i]];
        cw_buf_clear(&c->raw);
        cw_encode_int(streams, b->nstreams, &c->raw);
        cw_encode_int(rows, b->nstreams, &c->raw);
        rc = cw_block_sections_add(&c->sections, CW_SECTION_STREAMS, CW_CODEC_NONE, 0,
                                   cw_buf_str(&c->raw), err);
    }
    free(streams);
    return rc;
}

/* Of a block that is damaged elsewhere: 1, 0 they cannot be told, or an error. */
static int streams_try(struct copy *c, const struct cw_block_summary *s, const uint32_t *numbers,
                       struct cw_err *err)
{
    struct cw_err why;
    int64_t *room = cw_mem_array(2 * (size_t)c->block.nstreams, sizeof(*room));
    int rc = cw_block_streams(&c->block, room, room + c->block.nstreams, &why);
    free(room);
    if (rc < 0)
        return 0;
    rc = streams_copy(c, s, numbers, err);
    return rc < 0 ? rc : 1;
}

static int section_recompress(struct copy *c, const uint8_t *entry, struct cw_str stored,
                              enum cw_codec codec, struct cw_err *err)
{
    cw_buf_clear(&c->raw);
    int rc = cw_codec_decompress(CW_CODEC_LZ4, stored, cw_get32(entry + 4), &c->raw, err);
    if (rc < 0)
        return cw_err_set(err, CW_E_CORRUPT, "a section does not decompress");
    return cw_block_sections_add(&c->sections, (enum cw_section_kind)entry[0], codec,
                                 cw_get16(entry + 2), cw_buf_str(&c->raw), err);
}

static int sections_copy(struct copy *c, struct cw_str bytes, const struct cw_block_summary *s,
                         const uint32_t *numbers, enum cw_codec codec, struct cw_err *err);

/* A block of values lies uncompressed in its section: it is the sections in it that are compressed anew. It has no streams. */
static int values_recompress(struct copy *c, const uint8_t *entry, struct cw_str stored,
                             enum cw_codec codec, struct cw_err *err)
{
    struct cw_section section = {.stored = stored};
    struct copy *values = copy_new();
    struct cw_buf image;
    cw_buf_init(&image, CW_BLOCK_RAW_MAX + CW_BLOCK_META_RAW_MAX);
    int rc = cw_block_open_values(&section, &values->block, err);
    if (rc == 0)
        rc = sections_copy(values, stored, NULL, NULL, codec, err);
    if (rc == 0)
        rc = cw_block_sections_check(&values->sections, err);
    if (rc == 0) {
        copy_put(values, stored, &image);
        rc = cw_block_sections_add(&c->sections, CW_SECTION_META_VALUES, CW_CODEC_NONE,
                                   cw_get16(entry + 2), cw_buf_str(&image), err);
    }
    cw_buf_fini(&image);
    copy_free(values);
    return rc;
}

static int sections_copy(struct copy *c, struct cw_str bytes, const struct cw_block_summary *s,
                         const uint32_t *numbers, enum cw_codec codec, struct cw_err *err)
{
    const uint8_t *entry = (const uint8_t *)bytes.ptr + CW_BLOCK_HEADER_BYTES;
    uint32_t dir_bytes = cw_get32(bytes.ptr + 48);
    struct cw_str rest = cw_str_sub(bytes, CW_BLOCK_HEADER_BYTES + dir_bytes, bytes.len);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < dir_bytes / CW_BLOCK_SECTION_BYTES;
         i++, entry += CW_BLOCK_SECTION_BYTES) {
        uint32_t len = cw_get32(entry + 8);
        struct cw_str stored = cw_str_sub(rest, 0, len);
        rest = cw_str_sub(rest, len, rest.len);
        if ((uint32_t)cw_hash64(stored.ptr, len) != cw_get32(entry + 12))
            rc = cw_err_set(err, CW_E_CORRUPT, "the checksum of section %u is wrong", i);
        else if (entry[0] == CW_SECTION_STREAMS)
            rc = streams_copy(c, s, numbers, err);
        else if (entry[0] == CW_SECTION_META_VALUES && codec == CW_CODEC_ZSTD)
            rc = values_recompress(c, entry, stored, codec, err);
        else if (entry[1] == CW_CODEC_LZ4 && codec == CW_CODEC_ZSTD)
            rc = section_recompress(c, entry, stored, codec, err);
        else
            cw_block_sections_put(&c->sections, entry, stored);
    }
    return rc;
}

/* 1, or 0: a section that it needs is damaged, so that every byte is to stay. */
static int sections_keep(struct copy *c, struct cw_str bytes, const struct cw_block_summary *s,
                         const uint32_t *numbers, struct cw_err *err)
{
    const uint8_t *entries = (const uint8_t *)bytes.ptr + CW_BLOCK_HEADER_BYTES;
    struct cw_section_entry section = {0};
    int rc = 1;
    for (uint32_t i = 0; rc == 1 && cw_section_entry_next(bytes, i, &section); i++) {
        if (section.kind == CW_SECTION_STREAMS)
            rc = streams_try(c, s, numbers, err);
        else
            cw_block_sections_put(&c->sections, entries + (size_t)i * CW_BLOCK_SECTION_BYTES,
                                  section.stored);
    }
    return rc;
}

int cw_block_copy_damaged(struct cw_str bytes, const struct cw_block_summary *summary,
                          const uint32_t *numbers, struct cw_buf *out, struct cw_err *err)
{
    struct cw_err why;
    if (cw_block_is_newer(bytes))
        return cw_err_set(err, CW_E_CORRUPT,
                          "it is of a newer version, which this program does not read");
    struct copy *c = copy_new();
    int rc = cw_block_open(bytes, &c->block, &why) == 0;
    if (rc == 1)
        rc = sections_keep(c, bytes, summary, numbers, err);
    if (rc == 1 && cw_block_sections_check(&c->sections, err) < 0)
        rc = err->code;
    if (rc == 1)
        copy_put(c, bytes, out);
    else if (rc == 0)
        cw_buf_adds(out, bytes);
    copy_free(c);
    return rc < 0 ? rc : 0;
}

int cw_block_copy(struct cw_str bytes, const struct cw_block_summary *summary,
                  const uint32_t *numbers, enum cw_codec codec, struct cw_buf *out,
                  struct cw_err *err)
{
    struct copy *c = copy_new();
    int rc = cw_block_open(bytes, &c->block, err);
    if (rc == 0)
        rc = summary_check(&c->block, summary, err);
    if (rc == 0)
        rc = sections_copy(c, bytes, summary, numbers, codec, err);
    if (rc == 0)
        rc = cw_block_sections_check(&c->sections, err);
    if (rc == 0)
        copy_put(c, bytes, out);
    copy_free(c);
    return rc;
}
