/* meta_column.c - metadata by name: who has it, and the values in the order of rows. */
#include "common/store/meta_column.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"

enum {
    PAIR_OVERHEAD = 16,      /* a guess of what a name costs beside its text */
    PAIR_BYTES = 2,          /* and what a value does */
    NAME_BYTES_MIN = 13,     /* lengths, a bitmap, an integer column */
    RANK_ROWS = 512,         /* rows that share one running count of a reader */
    DICTIONARY_USES_MIN = 4, /* of a distinct value on average; it costs its text and a length */
    SHARED_MAX = 1024,       /* different pairs of rows that a reader keeps */
};

/* ---- writer ---- */

struct meta_name {
    struct cw_str name; /* owned */
    uint8_t *present;   /* grows with the rows */
    size_t present_cap;
    /* Per value: which of the dictionary's it is; once there are too many distinct ones, its length. */
    int64_t *items;
    size_t n, cap;
    bool plain;
    struct cw_buf values;   /* the dictionary's texts; plain: all, one behind the other */
    size_t ndistinct, last; /* last: which the last value was */
    uint32_t ends[CW_BLOCK_META_DICTIONARY_MAX + 1]; /* of the dictionary's texts; ends[0] = 0 */
    uint32_t last_row;                               /* a row has a name once */
};

struct cw_meta_writer {
    struct meta_name *names;
    size_t nnames, cap;
    uint32_t *table;   /* open addressing: index of a name + 1 */
    size_t table_size; /* a power of two */
    size_t npairs, nbytes;
};

struct cw_meta_writer *cw_meta_writer_new(void)
{
    return cw_mem_new(sizeof(struct cw_meta_writer));
}

static void names_clear(struct cw_meta_writer *w)
{
    for (size_t i = 0; i < w->nnames; i++) {
        free((char *)w->names[i].name.ptr);
        free(w->names[i].present);
        free(w->names[i].items);
        cw_buf_fini(&w->names[i].values);
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
    cw_buf_init(&n->values, CW_BLOCK_META_RAW_MAX);
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

static struct cw_str distinct_at(const struct meta_name *n, size_t i)
{
    return cw_str_make(n->values.ptr + n->ends[i], n->ends[i + 1] - n->ends[i]);
}

static void item_add(struct meta_name *n, size_t item)
{
    if (n->n == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 64;
        n->items = cw_mem_resize(n->items, n->cap * sizeof(*n->items));
    }
    n->items[n->n++] = (int64_t)item;
}

/* Which of the distinct values it is, a new one too; CW_BLOCK_META_DICTIONARY_MAX: there are too many. */
static size_t distinct_find(struct meta_name *n, struct cw_str value)
{
    if (n->ndistinct > 0 && cw_str_eq(distinct_at(n, n->last), value))
        return n->last;
    size_t i = 0;
    while (i < n->ndistinct && !cw_str_eq(distinct_at(n, i), value))
        i++;
    if (i == CW_BLOCK_META_DICTIONARY_MAX)
        return i;
    if (i == n->ndistinct) {
        cw_buf_adds(&n->values, value);
        n->ends[++n->ndistinct] = (uint32_t)n->values.len;
    }
    n->last = i;
    return i;
}

static void make_plain(struct meta_name *n)
{
    struct cw_buf all;
    cw_buf_init(&all, CW_BLOCK_META_RAW_MAX);
    for (size_t i = 0; i < n->n; i++) {
        struct cw_str value = distinct_at(n, (size_t)n->items[i]);
        n->items[i] = (int64_t)value.len;
        cw_buf_adds(&all, value);
    }
    cw_buf_fini(&n->values);
    n->values = all;
    n->plain = true;
}

static void value_add(struct meta_name *n, struct cw_str value)
{
    size_t item = n->plain ? CW_BLOCK_META_DICTIONARY_MAX : distinct_find(n, value);
    if (item < CW_BLOCK_META_DICTIONARY_MAX) {
        item_add(n, item);
        return;
    }
    if (!n->plain)
        make_plain(n);
    item_add(n, value.len);
    cw_buf_adds(&n->values, value);
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

static int name_cmp(const void *a, const void *b)
{
    return cw_str_cmp(((const struct meta_name *)a)->name, ((const struct meta_name *)b)->name);
}

static void put_items(struct meta_name *n, struct cw_buf *scratch, struct cw_buf *out)
{
    cw_buf_clear(scratch);
    cw_encode_int(n->items, n->n, scratch);
    cw_encode_varint(scratch->len, out);
    cw_buf_adds(out, cw_buf_str(scratch));
}

static void put_dictionary(struct meta_name *n, struct cw_buf *scratch, struct cw_buf *out)
{
    cw_encode_varint(0, out);
    cw_encode_varint(n->ndistinct, out);
    for (size_t i = 0; i < n->ndistinct; i++)
        cw_encode_varint(n->ends[i + 1] - n->ends[i], out);
    cw_buf_adds(out, cw_buf_str(&n->values));
    put_items(n, scratch, out);
}

static void put_plain(struct meta_name *n, struct cw_buf *scratch, struct cw_buf *out)
{
    if (!n->plain)
        make_plain(n);
    put_items(n, scratch, out);
    cw_buf_adds(out, cw_buf_str(&n->values));
}

uint32_t cw_meta_writer_finish(struct cw_meta_writer *w, uint32_t rows, struct cw_buf *out)
{
    struct cw_buf scratch;
    uint32_t incompat = 0;
    cw_buf_init(&scratch, CW_BLOCK_META_RAW_MAX);
    qsort(w->names, w->nnames, sizeof(*w->names), name_cmp);
    size_t used = 0;
    for (size_t i = 0; i < w->nnames; i++)
        used += w->names[i].n > 0;
    cw_encode_varint(used, out);
    for (size_t i = 0; i < w->nnames; i++) {
        struct meta_name *n = &w->names[i];
        if (n->n == 0)
            continue;
        cw_encode_varint(n->name.len, out);
        cw_buf_adds(out, n->name);
        present_grow(n, (rows + 7) / 8);
        cw_buf_add(out, n->present, (rows + 7) / 8);
        if (!n->plain && n->n >= DICTIONARY_USES_MIN * n->ndistinct) {
            put_dictionary(n, &scratch, out);
            incompat |= CW_BLOCK_INCOMPAT_META_DICTIONARY;
        } else {
            put_plain(n, &scratch, out);
        }
    }
    cw_buf_fini(&scratch);
    names_clear(w);
    return incompat;
}

/* ---- reader ---- */

struct column {
    struct cw_str name;
    const uint8_t *present;
    bool dense; /* every row has it */
    const char *values;
    uint32_t *offsets; /* of the values, or of the distinct ones, and where the last ends */
    uint8_t *items;    /* per value: which distinct one; NULL: there is no dictionary */
    uint32_t ndistinct;
    uint32_t *ranks; /* values before each RANK_ROWS rows */
};

/* The pairs of rows with the same values. */
struct shared {
    bool known;
    struct cw_labels pairs;
};

struct cw_meta_reader {
    struct column *columns;
    size_t ncolumns;
    uint32_t rows;
    struct shared *shared;  /* by the numbers of their values; NULL: too many are possible */
    struct cw_arena *arena; /* of those */
};

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "metadata: %s", what);
}

static bool take(struct cw_str *in, size_t n, struct cw_str *out)
{
    if (n > in->len)
        return false;
    *out = (struct cw_str){in->ptr, n};
    in->ptr += n;
    in->len -= n;
    return true;
}

static uint32_t bits_before(const uint8_t *present, uint32_t from, uint32_t to)
{
    uint32_t n = 0, i = from / 8;
    for (; i + 8 <= to / 8; i += 8)
        n += (uint32_t)__builtin_popcountll(cw_get64(present + i));
    for (; i < to / 8; i++)
        n += (uint32_t)__builtin_popcount(present[i]);
    if (to % 8 != 0)
        n += (uint32_t)__builtin_popcount(present[i] & ((1u << (to % 8)) - 1));
    return n;
}

static int column_offsets(struct column *c, struct cw_str lengths, size_t n, size_t room,
                          size_t *used_out, struct cw_err *err)
{
    int64_t *values = cw_mem_array(n, sizeof(*values));
    int rc = cw_decode_int(lengths, n, values, NULL, err);
    if (rc < 0)
        goto out;
    c->offsets = cw_mem_array(n + 1, sizeof(*c->offsets));
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i] < 0 || (uint64_t)values[i] > room - total) {
            rc = bad(err, "values longer than their section");
            goto out;
        }
        total += (uint64_t)values[i];
        c->offsets[i + 1] = (uint32_t)total;
    }
    *used_out = (size_t)total;
out:
    free(values);
    return rc;
}

static int plain_open(struct cw_str *in, struct cw_str lengths, size_t n, struct column *c,
                      struct cw_err *err)
{
    struct cw_str values;
    size_t used = 0;
    int rc = column_offsets(c, lengths, n, in->len, &used, err);
    if (rc < 0)
        return rc;
    CW_ASSERT(take(in, used, &values));
    c->values = values.ptr;
    return 0;
}

static int items_decode(struct cw_str column, size_t n, uint64_t ndistinct, struct column *c,
                        struct cw_err *err)
{
    /* Not zeroed: who wants one row of a block pays for all of them here. */
    int64_t *items = cw_mem_resize(NULL, (n + 1) * sizeof(*items));
    int rc = cw_decode_int(column, n, items, NULL, err);
    c->items = cw_mem_resize(NULL, n + 1);
    if (rc < 0)
        n = 0;
    /* Loops without an exit, which the compiler does many at a time. */
    uint64_t all = 0;
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++) {
        all |= (uint64_t)items[i];
        c->items[i] = (uint8_t)items[i];
    }
    for (size_t i = 0; i < n; i++)
        most = CW_MAX(most, c->items[i]);
    if (n > 0 && (all > UINT8_MAX || most >= ndistinct))
        rc = bad(err, "a value that its dictionary does not have");
    free(items);
    return rc;
}

static int dictionary_open(struct cw_str *in, size_t n, struct column *c, struct cw_err *err)
{
    uint64_t ndistinct, len, total = 0;
    struct cw_str values, column;
    if (!cw_decode_varint(in, &ndistinct) || ndistinct > CW_BLOCK_META_DICTIONARY_MAX)
        return bad(err, "no count of distinct values");
    c->offsets = cw_mem_array(ndistinct + 1, sizeof(*c->offsets));
    c->ndistinct = (uint32_t)ndistinct;
    for (uint64_t i = 0; i < ndistinct; i++) {
        if (!cw_decode_varint(in, &len) || len > in->len || total + len > in->len)
            return bad(err, "distinct values longer than their section");
        total += len;
        c->offsets[i + 1] = (uint32_t)total;
    }
    if (!take(in, total, &values) || !cw_decode_varint(in, &len) || !take(in, len, &column))
        return bad(err, "it ends in a dictionary");
    c->values = values.ptr;
    return items_decode(column, n, ndistinct, c, err);
}

static int column_open(struct cw_str *in, uint32_t rows, struct column *c, size_t *npairs,
                       struct cw_err *err)
{
    uint64_t len;
    struct cw_str bitmap, lengths;
    if (!cw_decode_varint(in, &len) || !take(in, len, &c->name) ||
        !take(in, (rows + 7) / 8, &bitmap))
        return bad(err, "it ends in a name");
    c->present = (const uint8_t *)bitmap.ptr;
    c->ranks = cw_mem_array(rows / RANK_ROWS + 1, sizeof(*c->ranks));
    uint32_t n = 0;
    for (uint32_t row = 0; row < rows; row += RANK_ROWS) {
        c->ranks[row / RANK_ROWS] = n;
        n += bits_before(c->present, row, CW_MIN(row + RANK_ROWS, rows));
    }
    c->dense = n == rows;
    *npairs += n;
    if (*npairs > CW_BLOCK_META_PAIRS_MAX)
        return bad(err, "too many pairs");
    if (!cw_decode_varint(in, &len) || !take(in, len, &lengths))
        return bad(err, "it ends in lengths");
    return len == 0 ? dictionary_open(in, n, c, err) : plain_open(in, lengths, n, c, err);
}

/* Values that the column may have in a row; none is one too. */
static size_t kinds_of(const struct column *c)
{
    return c->ndistinct + !c->dense;
}

static void shared_open(struct cw_meta_reader *r)
{
    size_t n = 1;
    for (size_t i = 0; i < r->ncolumns; i++) {
        if (r->columns[i].items == NULL || n * kinds_of(&r->columns[i]) > SHARED_MAX)
            return;
        n *= kinds_of(&r->columns[i]);
    }
    r->arena = cw_arena_new();
    r->shared = CW_ARENA_ARRAY(r->arena, struct shared, n);
}

int cw_meta_reader_open(struct cw_str section, uint32_t rows, struct cw_meta_reader **out,
                        struct cw_err *err)
{
    uint64_t n;
    size_t npairs = 0;
    if (!cw_decode_varint(&section, &n) || n > section.len / NAME_BYTES_MIN)
        return bad(err, "no count of names");
    struct cw_meta_reader *r = cw_mem_new(sizeof(*r));
    r->columns = cw_mem_array(n, sizeof(*r->columns));
    r->rows = rows;
    int rc = 0;
    while (rc == 0 && r->ncolumns < n) {
        struct column *c = &r->columns[r->ncolumns++];
        rc = column_open(&section, rows, c, &npairs, err);
        if (rc == 0 && r->ncolumns > 1 && cw_str_cmp(c[-1].name, c->name) >= 0)
            rc = bad(err, "names out of order");
    }
    if (rc == 0 && section.len != 0)
        rc = bad(err, "bytes follow its end");
    if (rc < 0) {
        cw_meta_reader_close(&r);
        return rc;
    }
    shared_open(r);
    *out = r;
    return 0;
}

void cw_meta_reader_close(struct cw_meta_reader **reader)
{
    struct cw_meta_reader *r = *reader;
    *reader = NULL;
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->ncolumns; i++) {
        free(r->columns[i].offsets);
        free(r->columns[i].items);
        free(r->columns[i].ranks);
    }
    free(r->columns);
    cw_arena_free(&r->arena);
    free(r);
}

static bool has_value(const struct column *c, uint32_t row)
{
    return c->dense || (c->present[row / 8] >> (row % 8) & 1) != 0;
}

/* Which of the column's values a row has that has one. */
static uint32_t place_of(const struct column *c, uint32_t row)
{
    uint32_t first = row - row % RANK_ROWS;
    return c->dense ? row : c->ranks[row / RANK_ROWS] + bits_before(c->present, first, row);
}

static struct cw_str value_of(const struct column *c, uint32_t row)
{
    uint32_t at = place_of(c, row);
    if (c->items != NULL)
        at = c->items[at];
    return cw_str_make(c->values + c->offsets[at], c->offsets[at + 1] - c->offsets[at]);
}

size_t cw_meta_reader_row(const struct cw_meta_reader *r, uint32_t row, struct cw_label *out,
                          size_t max)
{
    size_t n = 0;
    CW_ASSERT(row < r->rows);
    for (size_t i = 0; i < r->ncolumns; i++) {
        const struct column *c = &r->columns[i];
        if (!has_value(c, row))
            continue;
        if (n < max)
            out[n] = (struct cw_label){c->name, value_of(c, row)};
        n++;
    }
    return n;
}

bool cw_meta_reader_shared(struct cw_meta_reader *r, uint32_t row, struct cw_labels *out)
{
    size_t at = 0;
    CW_ASSERT(row < r->rows);
    if (r->shared == NULL)
        return false;
    for (size_t i = 0; i < r->ncolumns; i++) {
        const struct column *c = &r->columns[i];
        at = at * kinds_of(c) + (has_value(c, row) ? c->items[place_of(c, row)] : c->ndistinct);
    }
    struct shared *shared = &r->shared[at];
    if (!shared->known) {
        size_t n = cw_meta_reader_row(r, row, NULL, 0);
        struct cw_label *pairs = CW_ARENA_ARRAY(r->arena, struct cw_label, n);
        cw_meta_reader_row(r, row, pairs, n);
        *shared = (struct shared){true, {pairs, n}};
    }
    *out = shared->pairs;
    return true;
}
