/* part_mend.c - find the pieces of a damaged part, and make anew what can be made from others. */
#include "common/store/part_mend.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/block_reader.h"
#include "common/store/block_writer.h"
#include "common/store/section_kinds.h"
#include "common/store/value_filter.h"

enum { ENTRY = CW_PART_BLOCK_ENTRY_BYTES };

/* A block that was found by its header. */
struct found {
    uint64_t off;
    uint32_t len;
};

struct cw_part_mended {
    struct cw_file_map map; /* ptr NULL: the bytes are the caller's */
    struct cw_str bytes;
    const char *footer; /* NULL: there is none */
    struct cw_part_pieces pieces;
    uint64_t *replaced;
    struct found *found;
    size_t nfound, cap;
    struct cw_buf blocks, postings;
    uint64_t *left;         /* by stream: rows that no block was found for yet */
    struct cw_block *block; /* as it was opened last */
    int64_t *streams;       /* room for what it says of its streams */
};

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "%s", what);
}

static bool footer_at(const struct cw_part_mended *m, size_t at)
{
    const char *f = m->bytes.ptr + at;
    return cw_get64(f) == CW_PART_MAGIC && cw_get64(f + 248) == CW_PART_MAGIC &&
           cw_hash64(f, 240) == cw_get64(f + 240);
}

/* At the end, or before what was appended. */
static void footer_find(struct cw_part_mended *m)
{
    if (m->bytes.len < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return;
    for (size_t at = m->bytes.len - CW_PART_FOOTER_BYTES; at >= CW_PART_HEADER_BYTES; at--) {
        if (!footer_at(m, at))
            continue;
        m->footer = m->bytes.ptr + at;
        return;
    }
}

static struct cw_str region_of(const struct cw_part_mended *m, enum cw_part_region i)
{
    const char *entry = m->footer + 96 + 24 * i;
    uint64_t off = cw_get64(entry), len = cw_get64(entry + 8),
             end = (uint64_t)(m->footer - m->bytes.ptr);
    if (off < CW_PART_HEADER_BYTES || off > end || len > end - off)
        return CW_STR_NONE;
    return cw_str_make(m->bytes.ptr + off, len);
}

static bool region_whole(const struct cw_part_mended *m, enum cw_part_region i)
{
    struct cw_str region = m->pieces.regions[i];
    return region.ptr != NULL &&
           cw_hash64(region.ptr, region.len) == cw_get64(m->footer + 96 + 24 * i + 16);
}

/* Tenant and replaced parts, where they are whole. */
static void origin_read(struct cw_part_mended *m)
{
    struct cw_str o = m->pieces.regions[CW_REGION_ORIGIN];
    struct cw_part_info *info = &m->pieces.footer.info;
    if (!region_whole(m, CW_REGION_ORIGIN) || o.len < 6)
        return;
    size_t len = cw_get16(o.ptr);
    if (o.len < 6 + len)
        return;
    uint32_t n = cw_get32(o.ptr + 2 + len);
    if (n > CW_PART_REPLACED_MAX || o.len != 6 + len + (size_t)n * 8)
        return;
    m->replaced = cw_mem_array((size_t)n + 1, sizeof(*m->replaced));
    memcpy(m->replaced, o.ptr + 6 + len, (size_t)n * 8);
    info->tenant = cw_str_make(o.ptr + 2, len);
    info->replaced = m->replaced;
    info->nreplaced = n;
}

static int footer_read(struct cw_part_mended *m, struct cw_err *err)
{
    const char *f = m->footer;
    struct cw_part_footer *p = &m->pieces.footer;
    if (cw_get16(f + 8) > CW_PART_MAJOR ||
        (cw_get32(f + 16) & ~(uint32_t)CW_PART_INCOMPAT_KNOWN) != 0)
        return bad(err, "it is of a newer version");
    p->info.level = (uint8_t)f[12];
    p->info.id = cw_get64(f + 24);
    p->info.wal_first = cw_get64(f + 32);
    p->info.wal_last = cw_get64(f + 40);
    p->info.day = (int32_t)cw_get32(f + 88);
    p->info.flush_parts = cw_get32(f + 92);
    p->info.flush_id = cw_get64(f + 216);
    p->nstreams = cw_get32(f + 84);
    for (int i = 0; i < CW_REGIONS; i++)
        m->pieces.regions[i] = region_of(m, i);
    origin_read(m);
    return 0;
}

/* ---- blocks ---- */

/* Does a block with a whole front begin there? */
static bool block_at(const struct cw_part_mended *m, size_t at, size_t end, uint32_t *len_out)
{
    struct cw_str bytes = cw_str_make(m->bytes.ptr + at, end - at);
    if (bytes.len < CW_BLOCK_HEADER_BYTES || cw_get32(bytes.ptr) != CW_BLOCK_MAGIC)
        return false;
    uint32_t dir_bytes = cw_get32(bytes.ptr + 48);
    if (dir_bytes % CW_BLOCK_SECTION_BYTES != 0 ||
        dir_bytes > CW_BLOCK_SECTIONS_MAX * CW_BLOCK_SECTION_BYTES ||
        dir_bytes > bytes.len - CW_BLOCK_HEADER_BYTES)
        return false;
    struct cw_str directory = cw_str_make(bytes.ptr + CW_BLOCK_HEADER_BYTES, dir_bytes);
    if (cw_block_checksum((const uint8_t *)bytes.ptr, directory) != cw_get64(bytes.ptr + 56))
        return false;
    uint64_t len = CW_BLOCK_HEADER_BYTES + (uint64_t)dir_bytes;
    for (uint32_t i = 0; i < dir_bytes; i += CW_BLOCK_SECTION_BYTES)
        len += cw_get32(directory.ptr + i + 8);
    if (len > bytes.len || len > UINT32_MAX)
        return false;
    *len_out = (uint32_t)len;
    return true;
}

/* They lie one behind the other; behind one whose front is damaged the next is found by its magic. */
static void blocks_scan(struct cw_part_mended *m, size_t end)
{
    static const uint32_t magic = CW_BLOCK_MAGIC;
    size_t at = CW_PART_HEADER_BYTES;
    while (at + CW_BLOCK_HEADER_BYTES <= end) {
        uint32_t len;
        if (block_at(m, at, end, &len)) {
            if (m->nfound == m->cap) {
                m->cap = m->cap ? 2 * m->cap : 64;
                m->found = cw_mem_resize(m->found, m->cap * sizeof(*m->found));
            }
            m->found[m->nfound++] = (struct found){at, len};
            at += len;
            continue;
        }
        const char *next = memmem(m->bytes.ptr + at + 1, end - at - 1, &magic, sizeof(magic));
        at = next != NULL ? (size_t)(next - m->bytes.ptr) : end;
    }
}

static size_t blocks_end(const struct cw_part_mended *m)
{
    if (m->nfound == 0)
        return CW_PART_HEADER_BYTES;
    return m->found[m->nfound - 1].off + m->found[m->nfound - 1].len;
}

/* Does the entry go on where the one before ends? */
static bool follows(const char *before, const char *entry)
{
    return cw_get64(before) + cw_get32(before + 8) == cw_get64(entry);
}

/* Without a footer: where the block table stands is told by an entry of a block that was found. */
static int table_find(struct cw_part_mended *m, struct cw_err *err)
{
    size_t from = blocks_end(m);
    const char *front = m->bytes.ptr + from, *end = m->bytes.ptr + m->bytes.len, *at = NULL;
    for (size_t i = 0; i < m->nfound && at == NULL; i++) {
        uint8_t want[20];
        const char *header = m->bytes.ptr + m->found[i].off;
        cw_put64(want, m->found[i].off);
        cw_put32(want + 8, m->found[i].len);
        memcpy(want + 12, header + 16, 4);
        memcpy(want + 16, header + 28, 4);
        at = memmem(front, (size_t)(end - front), want, sizeof(want));
    }
    if (at == NULL || end - at < ENTRY)
        return bad(err, "nothing is left that tells which streams its blocks are of");
    const char *last = at;
    while (at - front >= ENTRY && follows(at - ENTRY, at))
        at -= ENTRY;
    while (end - last >= 2 * ENTRY && follows(last, last + ENTRY))
        last += ENTRY;
    m->pieces.regions[CW_REGION_FILTERS] = cw_str_make(front, (size_t)(at - front));
    m->pieces.regions[CW_REGION_BLOCKS] = cw_str_make(at, (size_t)(last + ENTRY - at));
    m->pieces.regions[CW_REGION_STREAMS] = cw_str_make(last + ENTRY, (size_t)(end - last - ENTRY));
    return 0;
}

/* The streams' number: only the directory, and the last group's end, tell it. */
static int streams_count(struct cw_part_mended *m, struct cw_err *err)
{
    struct cw_str region = m->pieces.regions[CW_REGION_STREAMS];
    uint64_t front = region.len < CW_PART_GROUP_ENTRY_BYTES ? 0 : cw_get64(region.ptr);
    uint64_t groups = front / CW_PART_GROUP_ENTRY_BYTES;
    if (groups == 0 || front % CW_PART_GROUP_ENTRY_BYTES != 0 || front > region.len ||
        groups > CW_PART_STREAMS_MAX / CW_PART_STREAM_GROUP)
        return bad(err, "the streams are cut off");
    uint32_t first = (uint32_t)(groups - 1) * CW_PART_STREAM_GROUP;
    m->pieces.footer.nstreams = first + 1;
    for (uint32_t n = 1; n <= CW_PART_STREAM_GROUP; n++) {
        struct cw_stream_group *group;
        struct cw_err why;
        if (cw_stream_table_group(region, first + n, (uint32_t)groups - 1, &group, &why) < 0)
            continue;
        cw_stream_group_unref(&group);
        m->pieces.footer.nstreams = first + n;
        break;
    }
    return 0;
}

/* ---- streams, and the postings that they make ---- */

static int streams_read(struct cw_part_mended *m, uint64_t *expected_out, struct cw_err *err)
{
    uint32_t nstreams = m->pieces.footer.nstreams;
    struct cw_str region = m->pieces.regions[CW_REGION_STREAMS];
    int rc = cw_stream_table_check(region, nstreams, err);
    if (rc < 0)
        return rc;
    struct cw_postings_builder *builder = cw_postings_builder_new();
    m->left = cw_mem_array((size_t)nstreams + 1, sizeof(*m->left));
    *expected_out = 0;
    for (uint32_t first = 0; rc == 0 && first < nstreams; first += CW_PART_STREAM_GROUP) {
        struct cw_stream_group *group;
        struct cw_err why;
        if (cw_stream_table_group(region, nstreams, first / CW_PART_STREAM_GROUP, &group, &why) < 0)
            continue;
        for (uint32_t i = 0; rc == 0 && i < group->n; i++) {
            m->left[first + i] = group->streams[i].rows;
            *expected_out += group->streams[i].rows;
            rc = cw_postings_builder_add(builder, first + i, group->streams[i].ref.labels, err);
        }
        cw_stream_group_unref(&group);
    }
    if (rc == 0)
        rc = cw_postings_builder_finish(builder, &m->postings, err);
    cw_postings_builder_free(&builder);
    m->pieces.regions[CW_REGION_POSTINGS] = cw_buf_str(&m->postings);
    return rc;
}

/* ---- the block table ---- */

static const char *hint_of(const struct cw_part_mended *m, const struct found *found)
{
    struct cw_str table = m->pieces.regions[CW_REGION_BLOCKS];
    const char *header = m->bytes.ptr + found->off;
    for (size_t at = 0; at + ENTRY <= table.len; at += ENTRY) {
        const char *e = table.ptr + at;
        if (cw_get64(e) == found->off && cw_get32(e + 8) == found->len &&
            memcmp(e + 12, header + 16, 4) == 0 && memcmp(e + 16, header + 28, 4) == 0 &&
            memcmp(e + 32, header + 32, 16) == 0)
            return e;
    }
    return NULL;
}

static void left_take(struct cw_part_mended *m, uint64_t stream, uint64_t rows)
{
    if (stream < m->pieces.footer.nstreams)
        m->left[stream] -= CW_MIN(m->left[stream], rows);
}

/* An entry without streams yet. `filters`: where the filter of the next block that has one stands; SIZE_MAX: not known any more. */
static void entry_make(const struct cw_part_mended *m, const struct found *found, const char *hint,
                       size_t *filters, uint8_t *e)
{
    const char *header = m->bytes.ptr + found->off;
    struct cw_value_filter filter;
    struct cw_err why;
    cw_put64(e, found->off);
    cw_put32(e + 8, found->len);
    memcpy(e + 12, header + 16, 4);
    memcpy(e + 16, header + 28, 4);
    memcpy(e + 32, header + 32, 16);
    uint32_t place = hint != NULL ? cw_get32(hint + 20) : 0;
    struct cw_str region = m->pieces.regions[CW_REGION_FILTERS];
    if (hint != NULL && place == 0)
        return;
    /* The filter of another block would hide entries: only one that follows the one before is taken. */
    if (place == 0 || place - 1 != *filters || *filters > region.len ||
        cw_value_filter_open(cw_str_sub(region, *filters, region.len), &filter, &why) < 0) {
        *filters = SIZE_MAX;
        return;
    }
    cw_put32(e + 20, place);
    *filters += cw_value_filter_bytes(&filter);
}

/* The streams of a block by its own word, or, when it has one or is damaged, by the table's. False: they cannot be told yet. */
static bool entry_streams(struct cw_part_mended *m, const struct found *found, const char *hint,
                          uint8_t *e)
{
    struct cw_err why;
    struct cw_str bytes = cw_str_make(m->bytes.ptr + found->off, found->len);
    uint32_t first = hint != NULL ? cw_get32(hint + 24) : 1;
    uint32_t last = hint != NULL ? cw_get32(hint + 28) : 0;
    uint32_t n = cw_block_open(bytes, m->block, &why) == 0 ? m->block->nstreams : 0;
    if (n > 1 && cw_block_streams(m->block, m->streams, m->streams + n, &why) == 0) {
        first = (uint32_t)m->streams[0];
        last = (uint32_t)m->streams[n - 1];
        for (uint32_t i = 0; i < n; i++)
            left_take(m, (uint64_t)m->streams[i], (uint64_t)m->streams[n + i]);
    }
    if (first > last || last >= m->pieces.footer.nstreams || (n == 1 && first != last))
        return false;
    if (n == 1)
        left_take(m, first, m->block->rows);
    cw_put32(e + 24, first);
    cw_put32(e + 28, last);
    return true;
}

/* A block of one stream: the only one that lacks just its rows, or that lacks as many. */
static bool entry_guess(struct cw_part_mended *m, const struct found *found, uint8_t *e)
{
    struct cw_err why;
    uint32_t nexact = 0, nroom = 0, exact = 0, room = 0;
    if (cw_block_open(cw_str_make(m->bytes.ptr + found->off, found->len), m->block, &why) < 0 ||
        m->block->nstreams != 1)
        return false;
    for (uint32_t i = 0; i < m->pieces.footer.nstreams; i++) {
        if (m->left[i] < m->block->rows)
            continue;
        nroom++;
        room = i;
        if (m->left[i] == m->block->rows) {
            nexact++;
            exact = i;
        }
    }
    if (nexact != 1 && nroom != 1)
        return false;
    uint32_t stream = nexact == 1 ? exact : room;
    left_take(m, stream, m->block->rows);
    cw_put32(e + 24, stream);
    cw_put32(e + 28, stream);
    return true;
}

static void table_make(struct cw_part_mended *m)
{
    size_t filters = 0;
    uint8_t(*entries)[ENTRY] = cw_mem_array(m->nfound + 1, sizeof(*entries));
    bool *told = cw_mem_array(m->nfound + 1, sizeof(*told));
    for (size_t i = 0; i < m->nfound; i++) {
        const char *hint = hint_of(m, &m->found[i]);
        entry_make(m, &m->found[i], hint, &filters, entries[i]);
        told[i] = entry_streams(m, &m->found[i], hint, entries[i]);
    }
    for (size_t i = 0; i < m->nfound; i++)
        if (told[i] || entry_guess(m, &m->found[i], entries[i]))
            cw_buf_add(&m->blocks, entries[i], ENTRY);
    free(entries);
    free(told);
    m->pieces.regions[CW_REGION_BLOCKS] = cw_buf_str(&m->blocks);
}

static void totals_make(struct cw_part_mended *m)
{
    struct cw_part_footer *f = &m->pieces.footer;
    struct cw_str table = m->pieces.regions[CW_REGION_BLOCKS];
    f->file_bytes = m->bytes.len;
    f->nblocks = (uint32_t)(table.len / ENTRY);
    f->min_ns = INT64_MAX;
    f->max_ns = INT64_MIN;
    for (const char *e = table.ptr; e != table.ptr + table.len; e += ENTRY) {
        f->rows += cw_get32(e + 12);
        f->raw_bytes += cw_get32(e + 16);
        f->min_ns = CW_MIN(f->min_ns, (int64_t)cw_get64(e + 32));
        f->max_ns = CW_MAX(f->max_ns, (int64_t)cw_get64(e + 40));
    }
}

static int pieces_find(struct cw_part_mended *m, const struct cw_part_info *known,
                       uint64_t *expected_out, struct cw_err *err)
{
    int rc = 0;
    m->pieces.footer.info = *known;
    footer_find(m);
    if (m->footer != NULL)
        rc = footer_read(m, err);
    bool whole = m->footer != NULL && rc == 0 && region_whole(m, CW_REGION_BLOCKS) &&
                 m->pieces.regions[CW_REGION_BLOCKS].len % ENTRY == 0;
    if (rc == 0 && !whole) {
        struct cw_str filters = m->pieces.regions[CW_REGION_FILTERS];
        blocks_scan(m, filters.ptr != NULL ? (size_t)(filters.ptr - m->bytes.ptr) : m->bytes.len);
    }
    if (rc == 0 && m->footer == NULL)
        rc = table_find(m, err);
    if (rc == 0 && m->footer == NULL)
        rc = streams_count(m, err);
    if (rc == 0)
        rc = streams_read(m, expected_out, err);
    if (rc == 0 && !whole)
        table_make(m);
    if (rc == 0 && m->pieces.regions[CW_REGION_BLOCKS].len < ENTRY)
        rc = bad(err, "none of its blocks is whole");
    if (rc == 0)
        totals_make(m);
    return rc;
}

int cw_part_mend_bytes(const char *name, struct cw_str bytes, const struct cw_part_info *known,
                       struct cw_part_mended **out, struct cw_part_reader **reader_out,
                       uint64_t *expected_out, struct cw_err *err)
{
    struct cw_part_mended *m = cw_mem_new(sizeof(*m));
    m->bytes = bytes;
    m->block = cw_mem_new(sizeof(*m->block));
    m->streams = cw_mem_array(2 * (size_t)CW_BLOCK_ROWS_MAX, sizeof(*m->streams));
    cw_buf_init(&m->blocks, (size_t)CW_PART_BLOCKS_MAX * ENTRY);
    cw_buf_init(&m->postings, UINT32_MAX);
    int rc = pieces_find(m, known, expected_out, err);
    if (rc == 0)
        rc = cw_part_reader_open_pieces(name, bytes, &m->pieces, reader_out, err);
    if (rc < 0)
        cw_part_mended_free(&m);
    *out = m;
    return rc;
}

int cw_part_mend(const char *path, const struct cw_part_info *known, struct cw_part_mended **out,
                 struct cw_part_reader **reader_out, uint64_t *expected_out, struct cw_err *err)
{
    struct cw_file_map map;
    int rc = cw_file_map(path, &map, err);
    if (rc < 0)
        return rc;
    rc = cw_part_mend_bytes(path, cw_str_make(map.ptr, map.len), known, out, reader_out,
                            expected_out, err);
    if (rc < 0)
        cw_file_unmap(&map);
    else
        (*out)->map = map;
    return rc;
}

void cw_part_mended_free(struct cw_part_mended **mended)
{
    struct cw_part_mended *m = *mended;
    *mended = NULL;
    if (m == NULL)
        return;
    if (m->map.ptr != NULL)
        cw_file_unmap(&m->map);
    cw_buf_fini(&m->blocks);
    cw_buf_fini(&m->postings);
    free(m->replaced);
    free(m->found);
    free(m->left);
    free(m->block);
    free(m->streams);
    free(m);
}
