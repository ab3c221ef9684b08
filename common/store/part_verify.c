#include "common/store/part_verify.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/block_reader.h"
#include "common/store/block_writer.h"
#include "common/store/part_source.h"
#include "common/store/section_kinds.h"

struct verify {
    struct cw_str bytes;
    cw_part_damage_fn fn;
    void *arg;
    struct cw_part_verified *out;
    struct cw_source *source; /* NULL: it does not open */
    struct cw_part_reader *reader;
    struct cw_part_cost all; /* what the whole part holds */
    struct cw_err block_why; /* what is wrong with the block under way; code 0: nothing so far */
};

static void tell(struct verify *v, const struct cw_part_damage *damage)
{
    v->out->ndamages++;
    if (v->fn != NULL)
        v->fn(v->arg, damage);
}

/* ---- the part ---- */

static const char *footer_of(const struct verify *v)
{
    return v->bytes.ptr + v->bytes.len - CW_PART_FOOTER_BYTES;
}

static bool footer_holds(const struct verify *v)
{
    if (v->bytes.len < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return false;
    const char *f = footer_of(v);
    return cw_get64(f) == CW_PART_MAGIC && cw_hash64(f, 240) == cw_get64(f + 240);
}

static bool part_is_newer(const struct verify *v)
{
    if (!footer_holds(v))
        return false;
    const char *f = footer_of(v);
    return cw_get16(f + 8) > CW_PART_MAJOR ||
           (cw_get32(f + 16) & ~(uint32_t)CW_PART_INCOMPAT_KNOWN) != 0;
}

static void regions_verify(struct verify *v, const struct cw_part_cost *cost)
{
    uint64_t end = v->bytes.len - CW_PART_FOOTER_BYTES;
    struct cw_part_cost left = *cost;
    for (int i = 0; i < CW_REGIONS; i++) {
        const char *entry = footer_of(v) + 96 + 24 * i;
        uint64_t off = cw_get64(entry), len = cw_get64(entry + 8);
        bool inside = off >= CW_PART_HEADER_BYTES && off <= end && len <= end - off;
        if (inside && cw_hash64(v->bytes.ptr + off, len) == cw_get64(entry + 16))
            continue;
        tell(v, &(struct cw_part_damage){.block = -1,
                                         .section = cw_part_region_name(i),
                                         .why = inside ? "its checksum is wrong"
                                                       : "it lies outside the file",
                                         .off = off,
                                         .bytes = len,
                                         .cost = left});
        left.entries = 0;
    }
}

/* Where the whole part is lost, the reader's own sentence says why. */
static void closed_verify(struct verify *v, const char *why)
{
    if (!footer_holds(v)) {
        uint64_t bytes = CW_MIN(v->bytes.len, (size_t)CW_PART_FOOTER_BYTES);
        tell(v, &(struct cw_part_damage){.block = -1,
                                         .section = "footer",
                                         .why = why,
                                         .off = v->bytes.len - bytes,
                                         .bytes = bytes});
        return;
    }
    uint64_t before = v->out->ndamages;
    regions_verify(v, &v->all);
    if (v->out->ndamages > before)
        return;
    bool header = cw_get64(v->bytes.ptr) != CW_PART_MAGIC;
    tell(v, &(struct cw_part_damage){.block = -1,
                                     .section = header ? "header" : "structure",
                                     .why = why,
                                     .bytes = header ? CW_PART_HEADER_BYTES : v->bytes.len,
                                     .cost = v->all});
}

/* Every group of streams decodes. What its entries are lost for is told with their blocks. */
static void streams_verify(struct verify *v)
{
    struct cw_err err = {0};
    uint64_t before = v->out->ndamages;
    regions_verify(v, &(struct cw_part_cost){.known = true});
    if (v->out->ndamages > before)
        return;
    struct cw_stream_pin pin = {0};
    const struct cw_part_stream *stream;
    for (uint32_t i = 0; i < cw_part_reader_footer(v->reader)->nstreams; i++) {
        if (cw_part_reader_stream(v->reader, i, &pin, &stream, &err) == 0)
            continue;
        tell(v, &(struct cw_part_damage){.block = -1,
                                         .section = cw_part_region_name(CW_REGION_STREAMS),
                                         .why = err.text,
                                         .cost.known = true});
        break;
    }
    cw_stream_pin_fini(&pin);
}

/* ---- blocks ---- */

struct drained {
    uint64_t rows;
    bool times_outside;
};

static void on_bad_block(void *ctx, struct cw_part_reader *reader, uint32_t block,
                         const struct cw_err *why)
{
    struct verify *v = ctx;
    (void)reader;
    (void)block;
    v->block_why = *why;
}

/* Read all that can be read of it. */
static void block_drain(struct verify *v, uint32_t i, struct drained *out)
{
    struct cw_part_block b = cw_part_reader_block(v->reader, i);
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_unit unit = {v->source, i, b.min_ns, b.max_ns, b.raw_bytes};
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    *out = (struct drained){0};
    v->block_why = (struct cw_err){0};
    int rc = v->source->ops->open(v->source, &scan, &unit, &cursor, &v->block_why);
    if (rc < 0)
        return;
    while ((rc = cw_cursor_next(cursor, &batch, &v->block_why)) > 0) {
        out->rows += batch.n;
        for (size_t k = 0; k < batch.n; k++)
            out->times_outside |= batch.ts_ns[k] < b.min_ns || batch.ts_ns[k] > b.max_ns;
    }
    cw_cursor_close(&cursor);
}

static void block_tell(struct verify *v, uint32_t i, const char *section, const char *why,
                       struct cw_str bytes, struct cw_part_cost *cost)
{
    tell(v, &(struct cw_part_damage){.block = i,
                                     .section = section,
                                     .why = why,
                                     .off = (uint64_t)(bytes.ptr - v->bytes.ptr),
                                     .bytes = bytes.len,
                                     .cost = *cost});
    cost->entries = 0;
}

static void sections_verify(struct verify *v, uint32_t i, struct cw_str bytes,
                            struct cw_part_cost *cost)
{
    struct cw_section_entry entry = {0};
    for (uint32_t k = 0; cw_section_entry_next(bytes, k, &entry); k++) {
        if ((uint32_t)cw_hash64(entry.stored.ptr, entry.stored.len) != entry.checksum)
            block_tell(v, i, cw_section_kind_name(entry.kind), "its checksum is wrong",
                       entry.stored, cost);
    }
}

static void block_verify(struct verify *v, uint32_t i, struct cw_block *opened)
{
    struct cw_part_block b = cw_part_reader_block(v->reader, i);
    struct cw_str bytes = cw_part_reader_block_bytes(v->reader, i);
    struct cw_err err = {0};
    struct drained drained;
    uint64_t before = v->out->ndamages;
    int rc = cw_block_open(bytes, opened, &err);
    block_drain(v, i, &drained);
    uint32_t rows = b.rows;
    struct cw_part_cost cost = {.known = true,
                                .entries = rows - CW_MIN((uint64_t)rows, drained.rows),
                                .streams = b.last_stream - b.first_stream + 1,
                                .min_ns = b.min_ns,
                                .max_ns = b.max_ns};
    v->out->newer |= rc < 0 && cw_block_is_newer(bytes);
    if (rc < 0)
        block_tell(v, i, "header", err.text, cw_block_front(bytes), &cost);
    else
        sections_verify(v, i, bytes, &cost);
    if (v->out->ndamages == before && (drained.rows != rows || v->block_why.code < 0))
        block_tell(v, i, "structure",
                   v->block_why.code < 0 ? v->block_why.text : "not all of its rows can be read",
                   bytes, &cost);
    if (v->out->ndamages == before && drained.times_outside)
        block_tell(v, i, "times", "they are outside the range that the block table names", bytes,
                   &cost);
    v->out->entries += drained.rows;
    v->out->nbad_blocks += v->out->ndamages > before;
}

static void blocks_verify(struct verify *v)
{
    const struct cw_part_footer *f = cw_part_reader_footer(v->reader);
    struct cw_block *opened = cw_mem_new(sizeof(*opened));
    uint64_t rows = 0, before = v->out->ndamages;
    v->out->nblocks = f->nblocks;
    for (uint32_t i = 0; i < f->nblocks; i++) {
        rows += cw_part_reader_block(v->reader, i).rows;
        block_verify(v, i, opened);
    }
    free(opened);
    if (v->out->ndamages == before && rows != f->rows)
        tell(v, &(struct cw_part_damage){.block = -1,
                                         .section = "footer",
                                         .why = "its entries are not those of the blocks",
                                         .off = v->bytes.len - CW_PART_FOOTER_BYTES,
                                         .bytes = CW_PART_FOOTER_BYTES,
                                         .cost.known = true});
}

void cw_part_verify_bytes(struct cw_str bytes, cw_part_damage_fn fn, void *arg,
                          struct cw_part_verified *out)
{
    struct verify v = {.bytes = bytes, .fn = fn, .arg = arg, .out = out};
    struct cw_part_events events = {.bad_block = on_bad_block, .ctx = &v};
    struct cw_err err = {0};
    *out = (struct cw_part_verified){0};
    if (footer_holds(&v)) {
        const char *f = footer_of(&v);
        v.all = (struct cw_part_cost){.known = true,
                                      .entries = cw_get64(f + 48),
                                      .streams = cw_get32(f + 84),
                                      .min_ns = (int64_t)cw_get64(f + 64),
                                      .max_ns = (int64_t)cw_get64(f + 72)};
    }
    if (cw_part_reader_open_bytes(NULL, bytes, &v.reader, &err) < 0) {
        out->newer = part_is_newer(&v);
        closed_verify(&v, err.text);
        return;
    }
    out->opens = true;
    v.source = cw_part_source_new(v.reader, &events);
    streams_verify(&v);
    blocks_verify(&v);
    cw_source_unref(&v.source);
}

int cw_part_verify(const char *path, cw_part_damage_fn fn, void *arg, struct cw_part_verified *out,
                   struct cw_err *err)
{
    struct cw_file_map map;
    int rc = cw_file_map(path, &map, err);
    if (rc < 0)
        return rc;
    cw_part_verify_bytes(cw_str_make(map.ptr, map.len), fn, arg, out);
    cw_file_unmap(&map);
    return 0;
}
