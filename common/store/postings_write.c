/* postings_write.c - names, chunks of values, and a fence before each chunk. */
#include "common/store/postings_write.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/packed_piece.h"

/* A chunk ends at this size too: a value in a million runs must not make its neighbours costly. */
enum { CHUNK_RAW_TARGET = 256 << 10 };

/* What a region is put together from. */
struct region {
    struct cw_buf names, chunks,
        fences;          /* directories; offsets count from the front of what they point into */
    struct cw_buf texts; /* names and fences */
    struct cw_buf bytes; /* chunks */
    struct cw_buf raw;   /* the chunk under way */
    struct cw_buf name, value; /* of the pair before */
    uint32_t nnames, nchunks, nvalues;
};

static void region_init(struct region *r)
{
    *r = (struct region){0};
    struct cw_buf *const buffers[] = {&r->names, &r->chunks, &r->fences, &r->texts,
                                      &r->bytes, &r->name,   &r->value};
    for (size_t i = 0; i < CW_COUNT(buffers); i++)
        cw_buf_init(buffers[i], UINT32_MAX);
    cw_buf_init(&r->raw, 2u * CW_POSTINGS_CHUNK_RAW_MAX);
}

static void region_fini(struct region *r)
{
    struct cw_buf *const buffers[] = {&r->names, &r->chunks, &r->fences, &r->texts,
                                      &r->bytes, &r->name,   &r->value,  &r->raw};
    for (size_t i = 0; i < CW_COUNT(buffers); i++)
        cw_buf_fini(buffers[i]);
}

static bool region_failed(const struct region *r)
{
    return cw_buf_failed(&r->names) || cw_buf_failed(&r->chunks) || cw_buf_failed(&r->fences) ||
           cw_buf_failed(&r->texts) || cw_buf_failed(&r->bytes) || cw_buf_failed(&r->raw) ||
           r->raw.len > CW_POSTINGS_CHUNK_RAW_MAX;
}

static int chunk_end(struct region *r, struct cw_err *err)
{
    if (r->nvalues == 0)
        return 0;
    if (region_failed(r))
        return cw_err_set(err, CW_E_LIMIT, "postings of %zu bytes are too large", r->bytes.len);
    uint8_t entry[CW_POSTINGS_CHUNK_BYTES];
    int rc = cw_packed_piece_add(cw_buf_str(&r->raw), &r->bytes, entry, err);
    if (rc < 0)
        return rc;
    cw_put32(entry + 24, r->nvalues);
    cw_buf_add(&r->chunks, entry, sizeof(entry));
    cw_buf_clear(&r->raw);
    r->nchunks++;
    r->nvalues = 0;
    return 0;
}

static void text_add(struct region *r, struct cw_str text, uint8_t *entry)
{
    cw_put32(entry, (uint32_t)r->texts.len);
    cw_put32(entry + 4, (uint32_t)text.len);
    cw_buf_adds(&r->texts, text);
}

static int name_begin(struct region *r, struct cw_str name, struct cw_err *err)
{
    uint8_t entry[CW_POSTINGS_NAME_BYTES] = {0};
    int rc = chunk_end(r, err);
    if (rc < 0)
        return rc;
    text_add(r, name, entry);
    cw_put32(entry + 8, r->nchunks);
    cw_buf_add(&r->names, entry, sizeof(entry));
    r->nnames++;
    cw_buf_clear(&r->name);
    cw_buf_adds(&r->name, name);
    cw_buf_clear(&r->value);
    return 0;
}

static int value_write(struct region *r, struct cw_str name, struct cw_str value,
                       const struct postings_runs *runs, struct cw_err *err)
{
    int rc = 0;
    if (r->nnames == 0 || !cw_str_eq(cw_buf_str(&r->name), name))
        rc = name_begin(r, name, err);
    else if (r->nvalues == CW_POSTINGS_CHUNK_VALUES || r->raw.len >= CHUNK_RAW_TARGET)
        rc = chunk_end(r, err);
    if (rc < 0)
        return rc;
    size_t shared = cw_str_shared(cw_buf_str(&r->value), value);
    if (r->nvalues == 0) {
        /* As much of the chunk's first value as tells it from the last of the chunk before; of a name's first chunk nothing. */
        uint8_t fence[CW_POSTINGS_FENCE_BYTES];
        size_t len = r->value.len > 0 ? CW_MIN(shared + 1, value.len) : 0;
        text_add(r, cw_str_sub(value, 0, len), fence);
        cw_buf_add(&r->fences, fence, sizeof(fence));
        char *entry = r->names.ptr + r->names.len - CW_POSTINGS_NAME_BYTES;
        cw_put32(entry + 12, cw_get32(entry + 12) + 1);
        shared = 0;
    }
    cw_encode_varint(shared, &r->raw);
    cw_encode_varint(value.len - shared, &r->raw);
    cw_buf_adds(&r->raw, cw_str_sub(value, shared, value.len));
    cw_encode_varint(runs->n, &r->raw);
    cw_buf_adds(&r->raw, cw_buf_str(&runs->bytes));
    cw_buf_clear(&r->value);
    cw_buf_adds(&r->value, value);
    r->nvalues++;
    return 0;
}

/* Header | names | chunks | fences | texts | chunks' bytes. */
static int region_join(struct region *r, struct cw_buf *out, struct cw_err *err)
{
    uint8_t header[CW_POSTINGS_HEADER_BYTES];
    uint64_t texts = sizeof(header) + r->names.len + r->chunks.len + r->fences.len,
             bytes = texts + r->texts.len;
    if (region_failed(r) || bytes + r->bytes.len > UINT32_MAX)
        return cw_err_set(err, CW_E_LIMIT, "postings of %zu bytes are too large", r->bytes.len);
    for (size_t i = 0; i < r->names.len; i += CW_POSTINGS_NAME_BYTES)
        cw_put32(r->names.ptr + i, cw_get32(r->names.ptr + i) + (uint32_t)texts);
    for (size_t i = 0; i < r->fences.len; i += CW_POSTINGS_FENCE_BYTES)
        cw_put32(r->fences.ptr + i, cw_get32(r->fences.ptr + i) + (uint32_t)texts);
    for (size_t i = 0; i < r->chunks.len; i += CW_POSTINGS_CHUNK_BYTES)
        cw_put64(r->chunks.ptr + i, cw_get64(r->chunks.ptr + i) + bytes);
    cw_put32(header, r->nnames);
    cw_put32(header + 4, r->nchunks);
    cw_buf_add(out, header, sizeof(header));
    cw_buf_adds(out, cw_buf_str(&r->names));
    cw_buf_adds(out, cw_buf_str(&r->chunks));
    cw_buf_adds(out, cw_buf_str(&r->fences));
    cw_buf_adds(out, cw_buf_str(&r->texts));
    cw_buf_adds(out, cw_buf_str(&r->bytes));
    return 0;
}

/* ---- merging the spills ---- */

/* A heap of cursors that stand at a pair; the least is at 0. */
struct merge {
    struct postings_spill_cursor *cursors; /* in order of their streams */
    size_t *heap;                          /* indices of cursors */
    size_t n;
};

static int pair_cmp(const struct postings_spill_cursor *a, const struct postings_spill_cursor *b)
{
    int c = cw_str_cmp(cw_buf_str(&a->name), cw_buf_str(&b->name));
    return c != 0 ? c : cw_str_cmp(cw_buf_str(&a->value), cw_buf_str(&b->value));
}

static bool before(const struct merge *m, size_t a, size_t b)
{
    int c = pair_cmp(&m->cursors[a], &m->cursors[b]);
    return c != 0 ? c < 0 : a < b;
}

static void sift_down(struct merge *m, size_t at)
{
    size_t moved = m->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= m->n)
            break;
        if (child + 1 < m->n && before(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!before(m, m->heap[child], moved))
            break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = moved;
}

/* The least cursor goes on. */
static int merge_advance(struct merge *m, struct cw_err *err)
{
    int rc = postings_spill_next(&m->cursors[m->heap[0]], err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        m->heap[0] = m->heap[--m->n];
    if (m->n > 0)
        sift_down(m, 0);
    return 0;
}

static int merge_write(struct merge *m, struct region *r, struct cw_err *err)
{
    struct postings_runs runs;
    struct cw_buf name, value;
    postings_runs_init(&runs);
    cw_buf_init(&name, SIZE_MAX);
    cw_buf_init(&value, SIZE_MAX);
    int rc = 0;
    while (rc == 0 && m->n > 0) {
        const struct postings_spill_cursor *least = &m->cursors[m->heap[0]];
        cw_buf_clear(&name);
        cw_buf_clear(&value);
        cw_buf_adds(&name, cw_buf_str(&least->name));
        cw_buf_adds(&value, cw_buf_str(&least->value));
        postings_runs_clear(&runs);
        while (rc == 0 && m->n > 0 &&
               cw_str_eq(cw_buf_str(&m->cursors[m->heap[0]].value), cw_buf_str(&value)) &&
               cw_str_eq(cw_buf_str(&m->cursors[m->heap[0]].name), cw_buf_str(&name))) {
            postings_spill_runs(&m->cursors[m->heap[0]], &runs);
            rc = merge_advance(m, err);
        }
        postings_runs_end(&runs);
        if (rc == 0)
            rc = value_write(r, cw_buf_str(&name), cw_buf_str(&value), &runs, err);
    }
    postings_runs_fini(&runs);
    cw_buf_fini(&name);
    cw_buf_fini(&value);
    return rc;
}

int postings_write(const struct postings_spill *spills, size_t n, struct cw_buf *out,
                   struct cw_err *err)
{
    struct merge m = {.cursors = cw_mem_array(n + 1, sizeof(*m.cursors)),
                      .heap = cw_mem_array(n + 1, sizeof(*m.heap))};
    struct region r;
    int rc = 0;
    region_init(&r);
    for (size_t i = 0; i < n; i++)
        postings_spill_cursor_init(&m.cursors[i], &spills[i]);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        rc = postings_spill_next(&m.cursors[i], err);
        if (rc > 0)
            m.heap[m.n++] = i;
    }
    for (size_t i = m.n / 2; rc >= 0 && i-- > 0;)
        sift_down(&m, i);
    if (rc >= 0)
        rc = merge_write(&m, &r, err);
    if (rc == 0)
        rc = chunk_end(&r, err);
    if (rc == 0)
        rc = region_join(&r, out, err);
    for (size_t i = 0; i < n; i++)
        postings_spill_cursor_fini(&m.cursors[i]);
    region_fini(&r);
    free(m.cursors);
    free(m.heap);
    return rc;
}
