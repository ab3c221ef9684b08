/*
 * postings.c - gather runs of stream numbers per label pair, in bounded memory.
 *
 * Pairs are gathered in a table until they take GATHER_BYTES_MAX; then they are sorted and put away (postings_spill.h). A million
 * streams with a pod name each would be a million pairs of 110 B; put away they take 20 B. The end merges what was put away.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/postings.h"
#include "common/store/postings_spill.h"
#include "common/store/postings_write.h"

enum { GATHER_BYTES_MAX = 4 << 20, TABLE_FIRST = 256 };

/* One label pair of the table. */
struct pair {
    struct cw_str name, value; /* in the arena */
    struct postings_runs runs;
};

struct cw_postings_builder {
    struct cw_arena *arena;
    struct pair *pairs;
    uint32_t npairs, cap;
    uint32_t *table; /* open addressing: index of a pair + 1 */
    size_t table_size;
    size_t runs_bytes;
    struct postings_spill *spills;
    size_t nspills;
};

struct cw_postings_builder *cw_postings_builder_new(void)
{
    struct cw_postings_builder *b = cw_mem_new(sizeof(*b));
    b->arena = cw_arena_new();
    return b;
}

static void table_clear(struct cw_postings_builder *b)
{
    for (uint32_t i = 0; i < b->npairs; i++)
        postings_runs_fini(&b->pairs[i].runs);
    free(b->pairs);
    free(b->table);
    b->pairs = NULL;
    b->table = NULL;
    b->npairs = b->cap = 0;
    b->table_size = b->runs_bytes = 0;
    cw_arena_reset(b->arena);
}

void cw_postings_builder_free(struct cw_postings_builder **builder)
{
    struct cw_postings_builder *b = *builder;
    *builder = NULL;
    if (b == NULL)
        return;
    table_clear(b);
    for (size_t i = 0; i < b->nspills; i++)
        postings_spill_fini(&b->spills[i]);
    free(b->spills);
    cw_arena_free(&b->arena);
    free(b);
}

/* ---- the table ---- */

static uint32_t *pair_slot(const struct cw_postings_builder *b, struct cw_str name,
                           struct cw_str value)
{
    uint64_t hash = cw_hash64(value.ptr, value.len) ^
                    cw_hash64(name.ptr, name.len) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = hash & (b->table_size - 1);
    for (; b->table[i] != 0; i = (i + 1) & (b->table_size - 1)) {
        const struct pair *p = &b->pairs[b->table[i] - 1];
        if (cw_str_eq(p->value, value) && cw_str_eq(p->name, name))
            break;
    }
    return &b->table[i];
}

static void table_grow(struct cw_postings_builder *b)
{
    b->table_size = b->table_size > 0 ? 2 * b->table_size : TABLE_FIRST;
    free(b->table);
    b->table = cw_mem_array(b->table_size, sizeof(*b->table));
    for (uint32_t i = 0; i < b->npairs; i++)
        *pair_slot(b, b->pairs[i].name, b->pairs[i].value) = i + 1;
}

static struct pair *pair_get(struct cw_postings_builder *b, struct cw_str name, struct cw_str value)
{
    if (2 * (size_t)b->npairs >= b->table_size)
        table_grow(b);
    uint32_t *slot = pair_slot(b, name, value);
    if (*slot != 0)
        return &b->pairs[*slot - 1];
    if (b->npairs == b->cap) {
        b->cap = b->cap ? 2 * b->cap : TABLE_FIRST / 2;
        b->pairs = cw_mem_resize(b->pairs, b->cap * sizeof(*b->pairs));
    }
    struct pair *p = &b->pairs[b->npairs++];
    p->name = cw_arena_dup(b->arena, name);
    p->value = cw_arena_dup(b->arena, value);
    postings_runs_init(&p->runs);
    *slot = b->npairs;
    return p;
}

static size_t table_bytes(const struct cw_postings_builder *b)
{
    return cw_arena_bytes(b->arena) + b->cap * sizeof(*b->pairs) +
           b->table_size * sizeof(*b->table) + b->runs_bytes;
}

static int pair_cmp(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = cw_str_cmp(x->name, y->name);
    return c != 0 ? c : cw_str_cmp(x->value, y->value);
}

static int table_spill(struct cw_postings_builder *b, struct cw_err *err)
{
    if (b->npairs == 0)
        return 0;
    qsort(b->pairs, b->npairs, sizeof(*b->pairs), pair_cmp);
    b->spills = cw_mem_resize(b->spills, (b->nspills + 1) * sizeof(*b->spills));
    struct postings_spill *spill = &b->spills[b->nspills++];
    postings_spill_init(spill);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < b->npairs; i++) {
        struct pair *p = &b->pairs[i];
        postings_runs_end(&p->runs);
        rc = postings_spill_add(spill, p->name, p->value, p->runs.n, cw_buf_str(&p->runs.bytes),
                                err);
    }
    if (rc == 0)
        rc = postings_spill_end(spill, err);
    table_clear(b);
    return rc;
}

int cw_postings_builder_add(struct cw_postings_builder *b, uint32_t stream, struct cw_labels labels,
                            struct cw_err *err)
{
    for (size_t i = 0; i < labels.n; i++) {
        struct pair *p = pair_get(b, labels.items[i].name, labels.items[i].value);
        size_t before = p->runs.bytes.cap;
        postings_runs_add(&p->runs, stream, 1);
        b->runs_bytes += p->runs.bytes.cap - before;
    }
    return table_bytes(b) >= GATHER_BYTES_MAX ? table_spill(b, err) : 0;
}

int cw_postings_builder_finish(struct cw_postings_builder *b, struct cw_buf *out,
                               struct cw_err *err)
{
    int rc = table_spill(b, err);
    return rc < 0 ? rc : postings_write(b->spills, b->nspills, out, err);
}
