/* meta_column.c - metadata by name: who has it, and the values in the order of rows. */
#include "common/store/meta_column.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"

enum {
    PAIR_OVERHEAD = 16,  /* a guess of what a pair costs beside its text */
    NAME_BYTES_MIN = 13, /* lengths, a bitmap, an integer column */
    RANK_ROWS = 512,     /* rows that share one running count of a reader */
};

/* ---- writer ---- */

struct meta_name {
    struct cw_str name; /* owned */
    uint8_t *present;   /* grows with the rows */
    size_t present_cap;
    int64_t *lengths;
    size_t n, cap;
    struct cw_buf values;
    uint32_t last_row; /* a row has a name once */
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
        free(w->names[i].lengths);
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

bool cw_meta_writer_full(const struct cw_meta_writer *w, uint32_t row, size_t npairs)
{
    /* Many new names in a long block: each would cost a bitmap. */
    if ((uint64_t)npairs * (row / 8) >= CW_BLOCK_META_RAW_TARGET)
        return true;
    return w->npairs >= CW_BLOCK_META_PAIRS_TARGET || w->nnames >= CW_BLOCK_META_NAMES_TARGET ||
           w->nbytes >= CW_BLOCK_META_RAW_TARGET;
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
        struct meta_name *n = name_get(w, pairs.items[i].name);
        if (value.len == 0 || n->last_row == row)
            continue;
        n->last_row = row;
        present_grow(n, row / 8 + 1);
        n->present[row / 8] |= (uint8_t)(1u << (row % 8));
        if (n->n == n->cap) {
            n->cap = n->cap ? 2 * n->cap : 64;
            n->lengths = cw_mem_resize(n->lengths, n->cap * sizeof(*n->lengths));
        }
        n->lengths[n->n++] = (int64_t)value.len;
        cw_buf_adds(&n->values, value);
        w->npairs++;
        w->nbytes += value.len + 2;
    }
    return 0;
}

static int name_cmp(const void *a, const void *b)
{
    return cw_str_cmp(((const struct meta_name *)a)->name, ((const struct meta_name *)b)->name);
}

void cw_meta_writer_finish(struct cw_meta_writer *w, uint32_t rows, struct cw_buf *out)
{
    struct cw_buf lengths;
    cw_buf_init(&lengths, CW_BLOCK_META_RAW_MAX);
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
        cw_buf_clear(&lengths);
        cw_encode_int(n->lengths, n->n, &lengths);
        cw_encode_varint(lengths.len, out);
        cw_buf_adds(out, cw_buf_str(&lengths));
        cw_buf_adds(out, cw_buf_str(&n->values));
    }
    cw_buf_fini(&lengths);
    names_clear(w);
}

/* ---- reader ---- */

struct column {
    struct cw_str name;
    const uint8_t *present;
    const char *values;
    uint32_t *offsets; /* npresent + 1 */
    uint32_t *ranks;   /* values before each RANK_ROWS rows */
};

struct cw_meta_reader {
    struct column *columns;
    size_t ncolumns;
    uint32_t rows;
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

static int column_open(struct cw_str *in, uint32_t rows, struct column *c, size_t *npairs,
                       struct cw_err *err)
{
    uint64_t len;
    struct cw_str bitmap, lengths, values;
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
    *npairs += n;
    if (*npairs > CW_BLOCK_META_PAIRS_MAX)
        return bad(err, "too many pairs");
    if (!cw_decode_varint(in, &len) || !take(in, len, &lengths))
        return bad(err, "it ends in lengths");
    size_t used = 0;
    int rc = column_offsets(c, lengths, n, in->len, &used, err);
    if (rc < 0)
        return rc;
    CW_ASSERT(take(in, used, &values));
    c->values = values.ptr;
    return 0;
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
        free(r->columns[i].ranks);
    }
    free(r->columns);
    free(r);
}

size_t cw_meta_reader_row(const struct cw_meta_reader *r, uint32_t row, struct cw_label *out,
                          size_t max)
{
    size_t n = 0;
    CW_ASSERT(row < r->rows);
    for (size_t i = 0; i < r->ncolumns; i++) {
        const struct column *c = &r->columns[i];
        if ((c->present[row / 8] >> (row % 8) & 1) == 0)
            continue;
        uint32_t first = row - row % RANK_ROWS;
        uint32_t at = c->ranks[row / RANK_ROWS] + bits_before(c->present, first, row);
        if (n < max)
            out[n] = (struct cw_label){
                c->name, {c->values + c->offsets[at], c->offsets[at + 1] - c->offsets[at]}};
        n++;
    }
    return n;
}
