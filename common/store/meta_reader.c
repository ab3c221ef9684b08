/* meta_reader.c - metadata by name: who has it, and which of the values. */
#include "common/store/meta_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/row_bits.h"

enum {
    NAME_BYTES_MIN =
        13,            /* lengths, a bitmap, an integer column; those of values need not have one */
    RANK_ROWS = 512,   /* rows that share one running count */
    SHARED_MAX = 1024, /* different pairs of rows that are kept */
    WHOLE_SHARE = 4,   /* distinct values are read all at once when one in so many is wanted */
};

struct column {
    struct cw_str name;
    const uint8_t *present;
    bool dense;      /* every row has it */
    uint32_t *ranks; /* values before each RANK_ROWS rows */
    uint32_t nvalues;
    bool numbered;         /* values have numbers: each is one of those that are distinct */
    struct cw_str numbers; /* their column */
    uint16_t *items;       /* the numbers; NULL: not decoded yet */
    uint32_t ndistinct;
    const char *values;
    uint32_t *offsets; /* of the values, or of the distinct ones, and where the last ends */
    /* In place of those two. */
    struct cw_meta_values *encoded; /* borrowed */
    uint32_t nencoded;
    bool all_read; /* distinct values, which stay */
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
    const struct cw_section *values; /* META_VALUES: those that columns have not taken yet */
    uint32_t nvalues, nvalues_taken;
    struct cw_meta_memory *memory;
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

/* The column of numbers, and how many bytes it has before it. They are decoded when they are first needed. */
static int numbers_take(struct cw_str *in, uint64_t ndistinct, struct column *c, struct cw_err *err)
{
    uint64_t len;
    if (!cw_decode_varint(in, &len) || !take(in, len, &c->numbers))
        return bad(err, "it ends in numbers of values");
    c->numbered = true;
    c->ndistinct = (uint32_t)ndistinct;
    return 0;
}

static int numbers_read(struct column *c, struct cw_err *err)
{
    size_t n = c->nvalues;
    if (!c->numbered || c->items != NULL)
        return 0;
    /* Not zeroed: who wants one row of a block pays for all of them here. */
    int64_t *items = cw_mem_resize(NULL, (n + 1) * sizeof(*items));
    uint16_t *numbers = cw_mem_resize(NULL, (n + 1) * sizeof(*numbers)), most = 0;
    int rc = cw_decode_int(c->numbers, n, items, NULL, err);
    if (rc < 0)
        n = 0;
    /* Loops without an exit, which the compiler does many at a time. */
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) {
        all |= (uint64_t)items[i];
        numbers[i] = (uint16_t)items[i];
    }
    for (size_t i = 0; i < n; i++)
        most = CW_MAX(most, numbers[i]);
    if (n > 0 && (all > UINT16_MAX || most >= c->ndistinct))
        rc = bad(err, "a value that its dictionary does not have");
    free(items);
    if (rc < 0)
        free(numbers);
    else
        c->items = numbers;
    return rc;
}

static int dictionary_open(struct cw_str *in, size_t n, struct column *c, struct cw_err *err)
{
    uint64_t ndistinct, len, total = 0;
    struct cw_str values;
    if (!cw_decode_varint(in, &ndistinct) || ndistinct > n)
        return bad(err, "no count of distinct values");
    c->offsets = cw_mem_array(ndistinct + 1, sizeof(*c->offsets));
    for (uint64_t i = 0; i < ndistinct; i++) {
        if (!cw_decode_varint(in, &len) || len > in->len || total + len > in->len)
            return bad(err, "distinct values longer than their section");
        total += len;
        c->offsets[i + 1] = (uint32_t)total;
    }
    if (!take(in, total, &values))
        return bad(err, "it ends in a dictionary");
    c->values = values.ptr;
    return numbers_take(in, ndistinct, c, err);
}

static int encoded_open(struct cw_meta_reader *r, struct cw_str *in, size_t n, struct column *c,
                        struct cw_err *err)
{
    uint64_t ndistinct;
    if (!cw_decode_varint(in, &ndistinct) || ndistinct > n)
        return bad(err, "no count of distinct values");
    if (r->nvalues_taken == r->nvalues)
        return bad(err, "a name's values are missing");
    uint32_t number = r->nvalues_taken++;
    c->encoded = cw_meta_memory_values(r->memory, number);
    c->nencoded = (uint32_t)(ndistinct > 0 ? ndistinct : n);
    int rc = cw_meta_values_open(c->encoded, &r->values[number], c->nencoded, err);
    return rc == 0 && ndistinct > 0 ? numbers_take(in, ndistinct, c, err) : rc;
}

static int column_open(struct cw_meta_reader *r, struct cw_str *in, struct column *c,
                       size_t *npairs, struct cw_err *err)
{
    uint64_t len;
    uint32_t rows = r->rows;
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
    c->nvalues = n;
    *npairs += n;
    if (*npairs > CW_BLOCK_META_PAIRS_MAX)
        return bad(err, "too many pairs");
    if (!cw_decode_varint(in, &len))
        return bad(err, "it ends in lengths");
    if (len == CW_META_DICTIONARY)
        return dictionary_open(in, n, c, err);
    if (len == CW_META_VALUES)
        return encoded_open(r, in, n, c, err);
    if (!take(in, len, &lengths))
        return bad(err, "it ends in lengths");
    return plain_open(in, lengths, n, c, err);
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
        if (!r->columns[i].numbered || n * kinds_of(&r->columns[i]) > SHARED_MAX)
            return;
        n *= kinds_of(&r->columns[i]);
    }
    r->arena = cw_arena_new();
    r->shared = CW_ARENA_ARRAY(r->arena, struct shared, n);
}

int cw_meta_reader_open(struct cw_str section, uint32_t rows, const struct cw_section *values,
                        uint32_t nvalues, struct cw_meta_memory *memory,
                        struct cw_meta_reader **out, struct cw_err *err)
{
    uint64_t n;
    size_t npairs = 0;
    if (!cw_decode_varint(&section, &n) || n > section.len / NAME_BYTES_MIN + nvalues)
        return bad(err, "no count of names");
    struct cw_meta_reader *r = cw_mem_new(sizeof(*r));
    r->columns = cw_mem_array(n, sizeof(*r->columns));
    r->rows = rows;
    r->values = values;
    r->nvalues = nvalues;
    r->memory = memory;
    int rc = 0;
    while (rc == 0 && r->ncolumns < n) {
        struct column *c = &r->columns[r->ncolumns++];
        rc = column_open(r, &section, c, &npairs, err);
        if (rc == 0 && r->ncolumns > 1 && cw_str_cmp(c[-1].name, c->name) >= 0)
            rc = bad(err, "names out of order");
    }
    if (rc == 0 && (section.len != 0 || r->nvalues_taken < nvalues))
        rc = bad(err, "bytes or values follow its end");
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
        if (r->columns[i].encoded != NULL)
            cw_meta_values_close(r->columns[i].encoded);
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

/* The number of its value, among those that are distinct if there are such. */
static uint32_t number_of(const struct column *c, uint32_t row)
{
    uint32_t at = place_of(c, row);
    return c->numbered ? c->items[at] : at;
}

static int encoded_read(struct column *c, const uint64_t *keep, uint32_t first_row, uint32_t nrows,
                        struct cw_err *err)
{
    uint64_t *want = cw_meta_values_want(c->encoded);
    uint32_t from = c->nencoded, to = 0, nwanted = 0;
    for (uint32_t i = 0; (i = cw_bits_next(keep, i, nrows)) < nrows; i++) {
        if (!has_value(c, first_row + i))
            continue;
        uint32_t number = number_of(c, first_row + i);
        want[number / 64] |= UINT64_C(1) << (number % 64);
        from = CW_MIN(from, number);
        to = CW_MAX(to, number + 1);
        nwanted++;
    }
    bool whole = c->numbered && (uint64_t)nwanted * WHOLE_SHARE >= c->nencoded;
    if (whole) {
        from = 0;
        to = c->nencoded;
        cw_bits_set(want, from, to);
    }
    int rc = from < to ? cw_meta_values_read(c->encoded, from, to, err) : 0;
    c->all_read = whole && rc == 0;
    return rc;
}

int cw_meta_reader_read(struct cw_meta_reader *r, const uint64_t *keep, uint32_t first_row,
                        uint32_t nrows, struct cw_err *err)
{
    int rc = 0;
    CW_ASSERT(first_row <= r->rows && nrows <= r->rows - first_row);
    for (size_t i = 0; rc == 0 && i < r->ncolumns; i++) {
        struct column *c = &r->columns[i];
        rc = numbers_read(c, err);
        if (rc == 0 && c->encoded != NULL && !c->all_read)
            rc = encoded_read(c, keep, first_row, nrows, err);
    }
    return rc;
}

static struct cw_str value_of(const struct column *c, uint32_t row)
{
    uint32_t at = number_of(c, row);
    if (c->encoded != NULL)
        return cw_meta_values_at(c->encoded, at);
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
        if (c->encoded != NULL && !c->all_read)
            return false;
        at = at * kinds_of(c) + (has_value(c, row) ? number_of(c, row) : c->ndistinct);
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

/* ---- filters ---- */

static struct column *column_find(struct cw_meta_reader *r, struct cw_str name)
{
    size_t lo = 0, hi = r->ncolumns;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = cw_str_cmp(r->columns[mid].name, name);
        if (c == 0)
            return &r->columns[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* The bit of each value, or of each distinct one, that the operand fits; in `area` where they are not the values' own. */
static int values_match(struct column *c, const struct cw_meta_filter *f,
                        struct cw_str value_filter, uint64_t *area, const uint64_t **out,
                        bool *by_values, struct cw_err *err)
{
    if (c->encoded != NULL)
        return cw_meta_values_match(c->encoded, f, value_filter, out, by_values, err);
    uint32_t n = c->numbered ? c->ndistinct : c->nvalues;
    memset(area, 0, ((size_t)n + 63) / 64 * sizeof(*area));
    for (uint32_t i = 0; i < n; i++) {
        struct cw_str value =
            cw_str_make(c->values + c->offsets[i], c->offsets[i + 1] - c->offsets[i]);
        if (cw_meta_filter_fits(f, value))
            area[i / 64] |= UINT64_C(1) << (i % 64);
    }
    *out = area;
    return 0;
}

/* Which of rows [row, row + 64) have a value. */
static uint64_t present_word(const struct column *c, uint32_t row, uint32_t rows)
{
    uint64_t word = 0;
    uint32_t n = CW_MIN(rows - row, 64u);
    memcpy(&word, c->present + row / 8, (n + 7) / 8);
    return n < 64 ? word & ((UINT64_C(1) << n) - 1) : word;
}

/* Which of them have one that fits. `place`: the first one's, which moves on. */
static uint64_t fitting_word(const struct column *c, const uint64_t *fits, uint64_t present,
                             uint32_t *place)
{
    uint64_t word = 0;
    for (uint64_t left = present; left != 0; left &= left - 1) {
        uint32_t at = (*place)++;
        uint32_t number = c->numbered ? c->items[at] : at;
        word |= (fits[number / 64] >> (number % 64) & 1) << __builtin_ctzll(left);
    }
    return word;
}

int cw_meta_reader_match(struct cw_meta_reader *r, const struct cw_meta_filter *f,
                         struct cw_str value_filter, uint64_t *keep, bool *by_values_out,
                         struct cw_err *err)
{
    struct column *c = column_find(r, f->matcher->name);
    uint64_t area[CW_BLOCK_ROWS_MAX / 64], none = cw_meta_filter_keeps_none(f) ? UINT64_MAX : 0;
    const uint64_t *fits = area;
    uint32_t place = 0;
    bool any = false;
    int rc = 0;
    if (c != NULL) {
        CW_ASSERT(!c->all_read);
        rc = values_match(c, f, value_filter, area, &fits, by_values_out, err);
        any = rc == 0 && cw_bits_any(fits, c->numbered ? c->ndistinct : c->nvalues);
    }
    if (any)
        rc = numbers_read(c, err);
    for (uint32_t row = 0; rc == 0 && row < r->rows; row += 64) {
        uint64_t present = c != NULL ? present_word(c, row, r->rows) : 0;
        uint64_t fitting = any ? fitting_word(c, fits, present, &place) : 0;
        keep[row / 64] &= (none & ~present) | (present & (f->negated ? ~fitting : fitting));
    }
    return rc;
}
