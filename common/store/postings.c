/* postings.c - gather runs of stream numbers per label pair, and write them sorted. */
#include "common/store/postings.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"

/* A chunk ends at this size too: a value in a million runs must not make its neighbours costly. */
enum { CHUNK_RAW_TARGET = 256 << 10 };

/* One label pair. A run is only written when the next one begins; most pairs have one. */
struct pair {
    struct cw_str name, value; /* in the arena */
    uint32_t run_first, run_len;
    uint32_t base; /* where the run before ended */
    uint32_t nruns;
    uint32_t nbytes, cap;
    uint8_t *bytes; /* finished runs */
};

struct cw_postings_builder {
    struct cw_arena *arena;
    struct pair *pairs;
    uint32_t npairs, cap;
    uint32_t *table; /* open addressing: index of a pair + 1 */
    size_t table_size;
    struct cw_str *names; /* interned; open addressing in itself */
    size_t nnames, names_size;
};

struct cw_postings_builder *cw_postings_builder_new(void)
{
    struct cw_postings_builder *b = cw_mem_new(sizeof(*b));
    b->arena = cw_arena_new();
    return b;
}

void cw_postings_builder_free(struct cw_postings_builder **builder)
{
    struct cw_postings_builder *b = *builder;
    *builder = NULL;
    if (b == NULL)
        return;
    for (uint32_t i = 0; i < b->npairs; i++)
        free(b->pairs[i].bytes);
    free(b->pairs);
    free(b->table);
    free(b->names);
    cw_arena_free(&b->arena);
    free(b);
}

static struct cw_str *name_slot(struct cw_str *names, size_t size, struct cw_str name)
{
    size_t i = cw_hash64(name.ptr, name.len) & (size - 1);
    while (names[i].ptr != NULL && !cw_str_eq(names[i], name))
        i = (i + 1) & (size - 1);
    return &names[i];
}

/* Equal names become the same pointer. */
static struct cw_str name_intern(struct cw_postings_builder *b, struct cw_str name)
{
    if (2 * b->nnames >= b->names_size) {
        size_t size = b->names_size ? 2 * b->names_size : 64;
        struct cw_str *names = cw_mem_array(size, sizeof(*names));
        for (size_t i = 0; i < b->names_size; i++)
            if (b->names[i].ptr != NULL)
                *name_slot(names, size, b->names[i]) = b->names[i];
        free(b->names);
        b->names = names;
        b->names_size = size;
    }
    struct cw_str *slot = name_slot(b->names, b->names_size, name);
    if (slot->ptr == NULL) {
        *slot = cw_arena_dup(b->arena, name);
        b->nnames++;
    }
    return *slot;
}

static uint32_t *pair_slot(const struct cw_postings_builder *b, struct cw_str name,
                           struct cw_str value)
{
    size_t i =
        (cw_hash64(value.ptr, value.len) ^ (uintptr_t)name.ptr * UINT64_C(0x9e3779b97f4a7c15)) &
        (b->table_size - 1);
    for (; b->table[i] != 0; i = (i + 1) & (b->table_size - 1)) {
        const struct pair *p = &b->pairs[b->table[i] - 1];
        if (p->name.ptr == name.ptr && cw_str_eq(p->value, value))
            break;
    }
    return &b->table[i];
}

static struct pair *pair_get(struct cw_postings_builder *b, struct cw_str name, struct cw_str value)
{
    if (2 * (size_t)b->npairs >= b->table_size) {
        b->table_size = b->table_size ? 2 * b->table_size : 256;
        free(b->table);
        b->table = cw_mem_array(b->table_size, sizeof(*b->table));
        for (uint32_t i = 0; i < b->npairs; i++)
            *pair_slot(b, b->pairs[i].name, b->pairs[i].value) = i + 1;
    }
    uint32_t *slot = pair_slot(b, name, value);
    if (*slot != 0)
        return &b->pairs[*slot - 1];
    if (b->npairs == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 128;
        b->pairs = cw_mem_resize(b->pairs, b->cap * sizeof(*b->pairs));
    }
    struct pair *p = &b->pairs[b->npairs++];
    *p = (struct pair){.name = name, .value = cw_arena_dup(b->arena, value)};
    *slot = b->npairs;
    return p;
}

static void run_write(const struct pair *p, struct cw_buf *out)
{
    cw_encode_varint(p->run_first - p->base, out);
    cw_encode_varint(p->run_len - 1, out);
}

static void run_end(struct pair *p)
{
    struct cw_buf run;
    cw_buf_init(&run, 32);
    run_write(p, &run);
    if (p->nbytes + run.len > p->cap) {
        p->cap = CW_MAX(16u, 2 * p->cap);
        p->bytes = cw_mem_resize(p->bytes, p->cap);
    }
    memcpy(p->bytes + p->nbytes, run.ptr, run.len);
    p->nbytes += (uint32_t)run.len;
    p->nruns++;
    p->base = p->run_first + p->run_len;
    cw_buf_fini(&run);
}

void cw_postings_builder_add(struct cw_postings_builder *b, uint32_t stream,
                             struct cw_labels labels)
{
    for (size_t i = 0; i < labels.n; i++) {
        struct cw_str name = name_intern(b, labels.items[i].name);
        struct pair *p = pair_get(b, name, labels.items[i].value);
        if (p->run_len > 0 && p->run_first + p->run_len == stream) {
            p->run_len++;
            continue;
        }
        if (p->run_len > 0)
            run_end(p);
        p->run_first = stream;
        p->run_len = 1;
    }
}

static int pair_cmp(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = cw_str_cmp(x->name, y->name);
    return c != 0 ? c : cw_str_cmp(x->value, y->value);
}

/* What a region is put together from. */
struct region {
    struct cw_buf names, chunks, bytes, raw;
    uint32_t nnames, nchunks;
};

static int chunk_end(struct region *r, uint32_t nvalues, struct cw_err *err)
{
    size_t start = r->bytes.len;
    enum cw_codec codec = CW_CODEC_LZ4;
    int rc = cw_codec_compress(codec, cw_buf_str(&r->raw), &r->bytes, err);
    if (rc < 0)
        return rc;
    if (r->bytes.len - start >= r->raw.len) {
        r->bytes.len = start;
        codec = CW_CODEC_NONE;
        cw_buf_adds(&r->bytes, cw_buf_str(&r->raw));
    }
    size_t stored = r->bytes.len - start;
    uint8_t entry[CW_POSTINGS_CHUNK_BYTES] = {0};
    cw_put64(entry, start); /* becomes an offset in the region at the end */
    cw_put32(entry + 8, (uint32_t)r->raw.len);
    cw_put32(entry + 12, (uint32_t)stored);
    entry[16] = (uint8_t)codec;
    cw_put32(entry + 20, (uint32_t)cw_hash64(r->bytes.ptr + start, stored));
    cw_put32(entry + 24, nvalues);
    cw_buf_add(&r->chunks, entry, sizeof(entry));
    cw_buf_clear(&r->raw);
    r->nchunks++;
    return 0;
}

static void value_write(const struct pair *p, struct cw_str before, struct cw_buf *raw)
{
    size_t shared = 0, most = CW_MIN(before.len, p->value.len);
    while (shared < most && before.ptr[shared] == p->value.ptr[shared])
        shared++;
    cw_encode_varint(shared, raw);
    cw_encode_varint(p->value.len - shared, raw);
    cw_buf_add(raw, p->value.ptr + shared, p->value.len - shared);
    cw_encode_varint((uint64_t)p->nruns + 1, raw);
    cw_buf_add(raw, p->bytes, p->nbytes);
    run_write(p, raw);
}

/* All values of one name: pairs[0..n). */
static int name_write(struct region *r, const struct pair *pairs, uint32_t n, struct cw_err *err)
{
    uint8_t entry[CW_POSTINGS_NAME_BYTES];
    cw_put32(entry, (uint32_t)r->bytes.len);
    cw_put32(entry + 4, (uint32_t)pairs[0].name.len);
    cw_put32(entry + 8, r->nchunks);
    cw_buf_adds(&r->bytes, pairs[0].name);
    uint32_t first_chunk = r->nchunks, nvalues = 0;
    struct cw_str before = CW_STR_NONE;
    for (uint32_t i = 0; i < n; i++) {
        value_write(&pairs[i], before, &r->raw);
        before = pairs[i].value;
        nvalues++;
        if (i + 1 < n && nvalues < CW_POSTINGS_CHUNK_VALUES && r->raw.len < CHUNK_RAW_TARGET)
            continue;
        int rc = chunk_end(r, nvalues, err);
        if (rc < 0)
            return rc;
        nvalues = 0;
        before = CW_STR_NONE;
    }
    cw_put32(entry + 12, r->nchunks - first_chunk);
    cw_buf_add(&r->names, entry, sizeof(entry));
    r->nnames++;
    return 0;
}

/* Offsets were counted from the first byte after the directories. */
static int region_join(struct region *r, struct cw_buf *out, struct cw_err *err)
{
    uint8_t header[CW_POSTINGS_HEADER_BYTES];
    uint64_t base = sizeof(header) + r->names.len + r->chunks.len;
    if (base + r->bytes.len > UINT32_MAX)
        return cw_err_set(err, CW_E_LIMIT, "postings of %zu bytes", r->bytes.len);
    for (uint32_t i = 0; i < r->nnames; i++) {
        char *entry = r->names.ptr + (size_t)i * CW_POSTINGS_NAME_BYTES;
        cw_put32(entry, cw_get32(entry) + (uint32_t)base);
    }
    for (uint32_t i = 0; i < r->nchunks; i++) {
        char *entry = r->chunks.ptr + (size_t)i * CW_POSTINGS_CHUNK_BYTES;
        cw_put64(entry, cw_get64(entry) + base);
    }
    cw_put32(header, r->nnames);
    cw_put32(header + 4, r->nchunks);
    cw_buf_add(out, header, sizeof(header));
    cw_buf_adds(out, cw_buf_str(&r->names));
    cw_buf_adds(out, cw_buf_str(&r->chunks));
    cw_buf_adds(out, cw_buf_str(&r->bytes));
    return 0;
}

int cw_postings_builder_finish(struct cw_postings_builder *b, struct cw_buf *out,
                               struct cw_err *err)
{
    struct region r = {0};
    cw_buf_init(&r.names, UINT32_MAX);
    cw_buf_init(&r.chunks, UINT32_MAX);
    cw_buf_init(&r.bytes, UINT32_MAX);
    cw_buf_init(&r.raw, 2u * CW_POSTINGS_CHUNK_RAW_MAX);
    if (b->npairs > 0)
        qsort(b->pairs, b->npairs, sizeof(*b->pairs), pair_cmp);
    int rc = 0;
    for (uint32_t i = 0, n; rc == 0 && i < b->npairs; i += n) {
        n = 1;
        while (i + n < b->npairs && b->pairs[i + n].name.ptr == b->pairs[i].name.ptr)
            n++;
        rc = name_write(&r, b->pairs + i, n, err);
    }
    bool failed = cw_buf_failed(&r.names) || cw_buf_failed(&r.chunks) || cw_buf_failed(&r.bytes) ||
                  cw_buf_failed(&r.raw);
    if (rc == 0 && failed)
        rc = cw_err_set(err, CW_E_LIMIT, "postings of %u label pairs are too large", b->npairs);
    if (rc == 0)
        rc = region_join(&r, out, err);
    cw_buf_fini(&r.names);
    cw_buf_fini(&r.chunks);
    cw_buf_fini(&r.bytes);
    cw_buf_fini(&r.raw);
    return rc;
}
