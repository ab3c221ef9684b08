/* meta_writer.c - metadata by name: who has it, and the values in the order of rows. */
#include "common/store/meta_writer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/block_writer.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/template_writer.h"

enum {
    PAIR_OVERHEAD = 16,      /* a guess of what a name costs beside its text */
    PAIR_BYTES = 2,          /* and what a value does */
    DICTIONARY_USES_MIN = 4, /* of a distinct text on average; it costs its bytes and a length */
    TABLE_MIN = 64,
    /* Nearly all of the first values differ: so will the others. */
    EARLY_VALUES = 2048,
    EARLY_DISTINCT = 1900,
    /* Fewer bytes of values are not worth the headers of a block of their own. */
    VALUES_BYTES_MIN = 2048,
    MEMORIES = 256, /* names of which is remembered whether that paid, by hash */
    TEXTS_BYTES_MAX = CW_BLOCK_META_RAW_MAX + CW_BLOCK_ROWS_MAX + CW_BYTE_CLASSES_SLACK,
};

struct meta_name {
    struct cw_str name; /* owned */
    uint8_t *present;   /* grows with the rows */
    size_t present_cap;
    uint32_t nvalues;
    uint32_t last_row; /* a row has a name once */
    /* Text i is texts[starts[i], starts[i + 1] - 1), followed by LF. */
    struct cw_buf texts;
    uint32_t *starts;
    uint32_t ntexts;
    size_t starts_cap;
    bool each; /* the texts are the values, one of each */
    /* Else they differ: which one each value is, and how they are found. */
    uint16_t *numbers;
    size_t numbers_cap;
    uint32_t last;    /* which the last value was */
    uint32_t *hashes; /* of the texts */
    size_t hashes_cap;
    uint32_t *table; /* number of a text + 1 by hash; 0 is free */
    size_t table_size;
};
_Static_assert(CW_BLOCK_ROWS_MAX <= UINT16_MAX, "texts are numbered so");

/* Of a name in the blocks before. */
struct memory {
    uint64_t hash;
    struct cw_template_memory templates;
};

struct cw_meta_writer {
    struct meta_name *names;
    size_t nnames, cap;
    uint32_t *table;   /* open addressing: index of a name + 1 */
    size_t table_size; /* a power of two */
    size_t npairs, nbytes;
    struct cw_template_writer *templates; /* NULL: was not needed yet */
    struct memory memories[MEMORIES];
    int64_t scratch[CW_BLOCK_ROWS_MAX];
    struct cw_buf section, column, image;
    struct cw_block_sections inner, values; /* of one block of values; sections META_VALUES */
    uint32_t nvalues;                       /* of those */
};

struct cw_meta_writer *cw_meta_writer_new(void)
{
    struct cw_meta_writer *w = cw_mem_new(sizeof(*w));
    cw_buf_init(&w->section, 2u * CW_BLOCK_META_RAW_MAX);
    cw_buf_init(&w->column, CW_BLOCK_META_RAW_MAX);
    cw_buf_init(&w->image, 2u * CW_BLOCK_META_RAW_MAX);
    cw_block_sections_init(&w->inner);
    cw_block_sections_init(&w->values);
    return w;
}

static void names_clear(struct cw_meta_writer *w)
{
    for (size_t i = 0; i < w->nnames; i++) {
        struct meta_name *n = &w->names[i];
        free((char *)n->name.ptr);
        free(n->present);
        free(n->starts);
        free(n->numbers);
        free(n->hashes);
        free(n->table);
        cw_buf_fini(&n->texts);
    }
    w->nnames = w->npairs = w->nbytes = 0;
    if (w->table != NULL)
        memset(w->table, 0, w->table_size * sizeof(*w->table));
}

void cw_meta_writer_free(struct cw_meta_writer **writer)
{
    struct cw_meta_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    names_clear(w);
    free(w->names);
    free(w->table);
    cw_template_writer_free(&w->templates);
    cw_buf_fini(&w->section);
    cw_buf_fini(&w->column);
    cw_buf_fini(&w->image);
    cw_block_sections_fini(&w->inner);
    cw_block_sections_fini(&w->values);
    free(w);
}

/* What a block has of metadata, or would have. */
struct amount {
    size_t npairs, nnames, nbytes;
};

static bool is_full(struct amount have, uint32_t row, size_t npairs)
{
    /* Many new names in a long block: each would cost a bitmap. */
    if ((uint64_t)npairs * (row / 8) >= CW_BLOCK_META_RAW_TARGET)
        return true;
    return have.npairs >= CW_BLOCK_META_PAIRS_TARGET || have.nnames >= CW_BLOCK_META_NAMES_TARGET ||
           have.nbytes >= CW_BLOCK_META_RAW_TARGET;
}

bool cw_meta_writer_full(const struct cw_meta_writer *w, uint32_t row, size_t npairs)
{
    return is_full((struct amount){w->npairs, w->nnames, w->nbytes}, row, npairs);
}

static bool same_names(struct cw_labels a, struct cw_labels b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = cw_str_eq(a.items[i].name, b.items[i].name);
    return same;
}

uint32_t cw_meta_writer_fit(const struct cw_meta_writer *w, uint32_t row,
                            const struct cw_labels *pairs, uint32_t n)
{
    struct amount have = {w->npairs, w->nnames, w->nbytes};
    uint32_t fit = 0;
    while (fit < n && !is_full(have, row + fit, pairs[fit].n) && same_names(pairs[fit], pairs[0])) {
        have.npairs += pairs[fit].n;
        for (size_t i = 0; i < pairs[fit].n; i++) {
            have.nbytes += pairs[fit].items[i].value.len + PAIR_BYTES;
            /* Whether the first one's names are new is not looked up. */
            have.nbytes += fit == 0 ? pairs[fit].items[i].name.len + PAIR_OVERHEAD : 0;
            have.nnames += fit == 0;
        }
        fit++;
    }
    return fit;
}

bool cw_meta_writer_empty(const struct cw_meta_writer *w)
{
    return w->npairs == 0;
}

/* The slot of `name`, or the empty one where it belongs. */
static uint32_t *table_slot(const struct cw_meta_writer *w, struct cw_str name)
{
    size_t i = cw_hash64(name.ptr, name.len) & (w->table_size - 1);
    while (w->table[i] != 0 && !cw_str_eq(w->names[w->table[i] - 1].name, name))
        i = (i + 1) & (w->table_size - 1);
    return &w->table[i];
}

static void table_grow(struct cw_meta_writer *w)
{
    w->table_size = w->table_size ? 2 * w->table_size : 64;
    free(w->table);
    w->table = cw_mem_array(w->table_size, sizeof(*w->table));
    for (size_t i = 0; i < w->nnames; i++)
        *table_slot(w, w->names[i].name) = (uint32_t)i + 1;
}

static struct meta_name *name_get(struct cw_meta_writer *w, struct cw_str name)
{
    if (2 * w->nnames >= w->table_size)
        table_grow(w);
    uint32_t *slot = table_slot(w, name);
    if (*slot != 0)
        return &w->names[*slot - 1];
    if (w->nnames == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 16;
        w->names = cw_mem_resize(w->names, w->cap * sizeof(*w->names));
    }
    struct meta_name *n = &w->names[w->nnames++];
    *n = (struct meta_name){.name = {cw_str_dupz(name), name.len}, .last_row = UINT32_MAX};
    cw_buf_init(&n->texts, TEXTS_BYTES_MAX);
    *slot = (uint32_t)w->nnames;
    w->nbytes += name.len + PAIR_OVERHEAD;
    return n;
}

static void present_grow(struct meta_name *n, size_t want)
{
    if (want <= n->present_cap)
        return;
    size_t cap = CW_MAX(want, 2 * n->present_cap);
    n->present = cw_mem_resize(n->present, cap);
    memset(n->present + n->present_cap, 0, cap - n->present_cap);
    n->present_cap = cap;
}

/* ---- values of a name ---- */

static struct cw_str text_at(const struct meta_name *n, uint32_t i)
{
    return cw_str_make(n->texts.ptr + n->starts[i], n->starts[i + 1] - n->starts[i] - 1);
}

static void text_add(struct meta_name *n, struct cw_str text)
{
    if (n->ntexts + 2 > n->starts_cap) {
        n->starts_cap = n->starts_cap ? 2 * n->starts_cap : 64;
        n->starts = cw_mem_resize(n->starts, n->starts_cap * sizeof(*n->starts));
        n->starts[0] = 0;
    }
    cw_buf_adds(&n->texts, text);
    cw_buf_addc(&n->texts, '\n');
    n->starts[++n->ntexts] = (uint32_t)n->texts.len;
}

static void distinct_table_grow(struct meta_name *n)
{
    n->table_size = n->table_size ? 4 * n->table_size : TABLE_MIN;
    free(n->table);
    n->table = cw_mem_array(n->table_size, sizeof(*n->table));
    for (uint32_t i = 0; i < n->ntexts; i++) {
        size_t at = n->hashes[i] & (n->table_size - 1);
        while (n->table[at] != 0)
            at = (at + 1) & (n->table_size - 1);
        n->table[at] = i + 1;
    }
}

/* Which of the texts it is, a new one too. */
static uint32_t distinct_find(struct meta_name *n, struct cw_str value)
{
    if (n->ntexts > 0 && cw_str_eq(text_at(n, n->last), value))
        return n->last;
    if (2 * (size_t)n->ntexts >= n->table_size)
        distinct_table_grow(n);
    uint32_t hash = (uint32_t)cw_hash64(value.ptr, value.len);
    size_t mask = n->table_size - 1, at = hash & mask;
    for (; n->table[at] != 0; at = (at + 1) & mask) {
        uint32_t i = n->table[at] - 1;
        if (n->hashes[i] == hash && cw_str_eq(text_at(n, i), value))
            return n->last = i;
    }
    if (n->ntexts == n->hashes_cap) {
        n->hashes_cap = n->hashes_cap ? 2 * n->hashes_cap : 64;
        n->hashes = cw_mem_resize(n->hashes, n->hashes_cap * sizeof(*n->hashes));
    }
    n->hashes[n->ntexts] = hash;
    text_add(n, value);
    n->table[at] = n->ntexts;
    return n->last = n->ntexts - 1;
}

/* The texts become those of the values, one of each. */
static void each_make(struct meta_name *n)
{
    struct meta_name distinct = *n;
    cw_buf_init(&n->texts, TEXTS_BYTES_MAX);
    n->starts = NULL;
    n->ntexts = 0;
    n->starts_cap = 0;
    n->each = true;
    for (uint32_t i = 0; i < n->nvalues; i++)
        text_add(n, text_at(&distinct, n->numbers[i]));
    cw_buf_fini(&distinct.texts);
    free(distinct.starts);
}

static void value_add(struct meta_name *n, struct cw_str value)
{
    if (!n->each) {
        if (n->nvalues == n->numbers_cap) {
            n->numbers_cap = n->numbers_cap ? 2 * n->numbers_cap : 64;
            n->numbers = cw_mem_resize(n->numbers, n->numbers_cap * sizeof(*n->numbers));
        }
        n->numbers[n->nvalues++] = (uint16_t)distinct_find(n, value);
        if (n->nvalues <= EARLY_VALUES && n->ntexts == EARLY_DISTINCT)
            each_make(n);
        return;
    }
    text_add(n, value);
    n->nvalues++;
}

int cw_meta_writer_add(struct cw_meta_writer *w, uint32_t row, struct cw_labels pairs,
                       struct cw_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < pairs.n; i++)
        bytes += pairs.items[i].name.len + pairs.items[i].value.len + 2 * PAIR_OVERHEAD;
    if (bytes > CW_BLOCK_META_RAW_MAX / 2 || pairs.n > CW_BLOCK_META_PAIRS_MAX / 2)
        return cw_err_set(
            err, CW_E_LIMIT,
            "an entry has %zu pairs of structured metadata, %zu bytes: too much for a block",
            pairs.n, bytes);
    for (size_t i = 0; i < pairs.n; i++) {
        struct cw_str value = pairs.items[i].value;
        /* Mostly the names of the row before, in their order. */
        bool expected = i < w->nnames && cw_str_eq(w->names[i].name, pairs.items[i].name);
        struct meta_name *n = expected ? &w->names[i] : name_get(w, pairs.items[i].name);
        if (value.len == 0 || n->last_row == row)
            continue;
        n->last_row = row;
        present_grow(n, row / 8 + 1);
        n->present[row / 8] |= (uint8_t)(1u << (row % 8));
        value_add(n, value);
        w->npairs++;
        w->nbytes += value.len + PAIR_BYTES;
    }
    return 0;
}

/* ---- sections ---- */

static int name_cmp(const void *a, const void *b)
{
    return cw_str_cmp(((const struct meta_name *)a)->name, ((const struct meta_name *)b)->name);
}

/* Of the integers in w->scratch. */
static void column_put(struct cw_meta_writer *w, uint32_t n)
{
    cw_buf_clear(&w->column);
    cw_encode_int(w->scratch, n, &w->column);
    cw_encode_varint(w->column.len, &w->section);
    cw_buf_adds(&w->section, cw_buf_str(&w->column));
}

static void numbers_put(struct cw_meta_writer *w, const struct meta_name *n)
{
    for (uint32_t i = 0; i < n->nvalues; i++)
        w->scratch[i] = n->numbers[i];
    column_put(w, n->nvalues);
}

static void texts_put(struct cw_meta_writer *w, const struct meta_name *n)
{
    for (uint32_t i = 0; i < n->ntexts; i++)
        cw_buf_adds(&w->section, text_at(n, i));
}

static void dictionary_put(struct cw_meta_writer *w, const struct meta_name *n)
{
    cw_encode_varint(CW_META_DICTIONARY, &w->section);
    cw_encode_varint(n->ntexts, &w->section);
    for (uint32_t i = 0; i < n->ntexts; i++)
        cw_encode_varint(text_at(n, i).len, &w->section);
    texts_put(w, n);
    numbers_put(w, n);
}

static void plain_put(struct cw_meta_writer *w, struct meta_name *n)
{
    if (!n->each)
        each_make(n);
    for (uint32_t i = 0; i < n->ntexts; i++)
        w->scratch[i] = (int64_t)text_at(n, i).len;
    column_put(w, n->ntexts);
    texts_put(w, n);
}

static struct cw_template_memory *memory_of(struct cw_meta_writer *w, struct cw_str name)
{
    uint64_t hash = cw_hash64(name.ptr, name.len);
    struct memory *m = &w->memories[hash % MEMORIES];
    if (m->hash != hash)
        *m = (struct memory){hash, {.mode_known = true, .mode = CW_TOKEN_PLAIN}};
    m->templates.plain_permille = 0; /* a name's values are less alike than an app's lines */
    return &m->templates;
}

/* The texts as lines of a block of templates. 1; 0 where that does not pay. */
static int texts_encode(struct cw_meta_writer *w, struct meta_name *n, enum cw_codec codec,
                        struct cw_value_filter_builder *keys, struct cw_err *err)
{
    struct cw_template_counts counts;
    if (n->texts.len < VALUES_BYTES_MIN || w->nvalues == CW_BLOCK_META_VALUES_MAX)
        return 0;
    if (w->templates == NULL)
        w->templates = cw_template_writer_new();
    CW_ASSERT(cw_buf_reserve(&n->texts, CW_BYTE_CLASSES_SLACK) != NULL);
    memset(n->texts.ptr + n->texts.len, 0, CW_BYTE_CLASSES_SLACK);
    struct cw_block_lines lines = {n->texts.ptr, n->starts, n->ntexts};
    cw_block_sections_clear(&w->inner);
    int rc = cw_template_writer_encode(w->templates, &lines, memory_of(w, n->name), codec,
                                       &w->inner, keys, &counts, err);
    if (rc <= 0)
        return rc;
    uint8_t header[CW_BLOCK_HEADER_BYTES] = {0};
    cw_put32(header, CW_BLOCK_MAGIC);
    header[4] = CW_BLOCK_MAJOR;
    header[5] = CW_BLOCK_MINOR;
    header[6] = CW_BLOCK_TEMPLATES;
    header[7] = (uint8_t)counts.mode;
    cw_put32(header + 16, n->ntexts);
    cw_put32(header + 20, counts.templates);
    cw_put32(header + 24, counts.columns);
    cw_put32(header + 28, (uint32_t)n->texts.len - n->ntexts);
    cw_buf_clear(&w->image);
    cw_block_put(header, &w->inner, &w->image);
    rc = cw_block_sections_add(&w->values, CW_SECTION_META_VALUES, CW_CODEC_NONE,
                               (uint16_t)w->nvalues, cw_buf_str(&w->image), err);
    w->nvalues++;
    return rc < 0 ? rc : 1;
}

static int values_put(struct cw_meta_writer *w, struct meta_name *n, enum cw_codec codec,
                      struct cw_value_filter_builder *keys, uint32_t *incompat, struct cw_err *err)
{
    /* As columns of lines: numbers would cost more than they save. */
    if (!n->each && n->ntexts > n->nvalues - n->nvalues / 8)
        each_make(n);
    bool few = !n->each && n->ntexts <= CW_BLOCK_META_DICTIONARY_MAX;
    int rc = few ? 0 : texts_encode(w, n, codec, keys, err);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        cw_encode_varint(CW_META_VALUES, &w->section);
        cw_encode_varint(n->each ? 0 : n->ntexts, &w->section);
        if (!n->each)
            numbers_put(w, n);
        *incompat |= CW_BLOCK_INCOMPAT_META_VALUES;
    } else if (!n->each && n->nvalues >= DICTIONARY_USES_MIN * n->ntexts) {
        dictionary_put(w, n);
        *incompat |=
            few ? CW_BLOCK_INCOMPAT_META_DICTIONARY
                : CW_BLOCK_INCOMPAT_META_DICTIONARY | (uint32_t)CW_BLOCK_INCOMPAT_META_VALUES;
    } else {
        plain_put(w, n);
    }
    return 0;
}

static int names_put(struct cw_meta_writer *w, uint32_t rows, enum cw_codec codec,
                     struct cw_value_filter_builder *keys, uint32_t *incompat, struct cw_err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < w->nnames; i++)
        used += w->names[i].nvalues > 0;
    cw_encode_varint(used, &w->section);
    for (size_t i = 0; i < w->nnames; i++) {
        struct meta_name *n = &w->names[i];
        if (n->nvalues == 0)
            continue;
        cw_encode_varint(n->name.len, &w->section);
        cw_buf_adds(&w->section, n->name);
        present_grow(n, (rows + 7) / 8);
        cw_buf_add(&w->section, n->present, (rows + 7) / 8);
        int rc = values_put(w, n, codec, keys, incompat, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cw_meta_writer_finish(struct cw_meta_writer *w, uint32_t rows, enum cw_codec codec,
                          struct cw_block_sections *out, struct cw_value_filter_builder *keys,
                          uint32_t *incompat_out, struct cw_err *err)
{
    *incompat_out = 0;
    cw_buf_clear(&w->section);
    cw_block_sections_clear(&w->values);
    w->nvalues = 0;
    qsort(w->names, w->nnames, sizeof(*w->names), name_cmp);
    int rc = names_put(w, rows, codec, keys, incompat_out, err);
    names_clear(w);
    if (rc == 0 && w->section.len > CW_BLOCK_META_RAW_MAX)
        rc = cw_err_set(err, CW_E_LIMIT, "structured metadata of %zu bytes: too much for a block",
                        w->section.len);
    if (rc == 0)
        rc = cw_block_sections_add(out, CW_SECTION_META, codec, 0, cw_buf_str(&w->section), err);
    if (rc == 0)
        rc = cw_block_sections_check(&w->values, err);
    if (rc == 0)
        cw_block_sections_append(out, &w->values);
    return rc;
}
