#include "querier/engine/binop.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "common/logql/functions.h"
#include "common/match/match_stop.h"
#include "querier/engine/grouping.h"

/* One result of an operator; false where a comparison filters it out. `kept` is the value that a
 * filter lets through. */
static bool apply(const struct cw_expr *expr, double left, double right, double kept, double *out)
{
    double value = cw_binop_apply(expr->binop, left, right);
    if (cw_binop_is_comparison(expr->binop) && !expr->modifier.return_bool) {
        *out = kept;
        return value != 0;
    }
    *out = value;
    return true;
}

int cw_binop_number(const struct cw_expr *expr, const struct cw_table *in, double number,
                    enum cw_number_side side, struct cw_table **out, struct cw_err *err)
{
    struct cw_table *table = cw_table_new(&in->grid, in->allowance);
    for (size_t i = 0; i < in->n; i++) {
        const struct cw_series *from = &in->items[i];
        struct cw_series *to;
        int rc = cw_table_add(table, from->labels, CW_TABLE_COPY, &to, err);
        if (rc < 0) {
            cw_table_free(&table);
            return rc;
        }
        for (size_t step = 0; step < in->grid.n; step++) {
            double value = from->values[step], result;
            if (!cw_series_has(from, step))
                continue;
            bool keep = side == CW_NUMBER_LEFT ? apply(expr, number, value, value, &result)
                                               : apply(expr, value, number, value, &result);
            if (keep)
                cw_series_set(to, step, result);
        }
    }
    *out = table;
    return 0;
}

/* ---- matching ---- */

/* Series of both sides that agree in the labels that count have one signature, a small number. */
struct signatures {
    size_t *left, *right; /* by series */
    size_t n;
};

/* *out is heap. */
static int side_signatures(const struct cw_binary_modifier *modifier, const struct cw_table *table,
                           struct cw_id_map *map, size_t **out, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    bool added;
    int rc = 0;
    *out = cw_mem_array(table->n + 1, sizeof(size_t));
    for (size_t i = 0; rc == 0 && i < table->n; i++) {
        rc = cw_match_stop_check(err);
        (*out)[i] = cw_id_map_put(
            map, cw_labels_hash(cw_grouping_match(modifier, table->items[i].labels, arena)),
            &added);
    }
    cw_arena_free(&arena);
    return rc;
}

/* Whatever it returns, _fini() follows. */
static int signatures_init(struct signatures *sigs, const struct cw_binary_modifier *modifier,
                           const struct cw_table *left, const struct cw_table *right,
                           struct cw_err *err)
{
    struct cw_id_map map;
    *sigs = (struct signatures){.left = NULL};
    cw_id_map_init(&map);
    int rc = side_signatures(modifier, left, &map, &sigs->left, err);
    if (rc == 0)
        rc = side_signatures(modifier, right, &map, &sigs->right, err);
    sigs->n = map.n;
    cw_id_map_fini(&map);
    return rc;
}

static void signatures_fini(struct signatures *sigs)
{
    free(sigs->left);
    free(sigs->right);
}

/* ---- and, or, unless ---- */

static int copy_empty(struct cw_table *to, const struct cw_table *from, struct cw_err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        struct cw_series *series;
        int rc = cw_table_add(to, from->items[i].labels, CW_TABLE_COPY, &series, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Which signatures have a value at this step. */
static void mark(bool *marks, size_t nmarks, const size_t *sigs, const struct cw_table *table,
                 size_t step)
{
    memset(marks, 0, nmarks * sizeof(*marks));
    for (size_t i = 0; i < table->n; i++)
        if (cw_series_has(&table->items[i], step))
            marks[sigs[i]] = true;
}

static void keep_where(struct cw_series *to, const struct cw_table *from, const size_t *sigs,
                       const bool *marks, bool wanted, size_t step)
{
    for (size_t i = 0; i < from->n; i++)
        if (cw_series_has(&from->items[i], step) && marks[sigs[i]] == wanted)
            cw_series_set(&to[i], step, from->items[i].values[step]);
}

static bool overlap(const struct cw_series *a, const struct cw_series *b, size_t nsteps)
{
    for (size_t w = 0; w < (nsteps + 63) / 64; w++)
        if ((a->present[w] & b->present[w]) != 0)
            return true;
    return false;
}

/* `or` may hold one label set on both sides, at different steps: they are one series of the answer.
 * (Equal series of one side, which label_replace makes, stay apart.) */
static int join_duplicates(struct cw_table *table, struct cw_err *err)
{
    int rc = 0;
    struct cw_id_map map;
    size_t *first = cw_mem_array(
        table->n + 1, sizeof(*first)); /* by number of the id: where it is in the table */
    size_t n = 0;
    cw_id_map_init(&map);
    for (size_t i = 0; rc == 0 && i < table->n; i++) {
        struct cw_series *series = &table->items[i];
        bool added;
        rc = cw_match_stop_check(err);
        size_t number = cw_id_map_put(&map, series->id, &added);
        if (added)
            first[number] = n;
        if (added || overlap(&table->items[first[number]], series, table->grid.n)) {
            table->items[n++] = *series;
            continue;
        }
        for (size_t step = 0; step < table->grid.n; step++)
            if (cw_series_has(series, step))
                cw_series_set(&table->items[first[number]], step, series->values[step]);
    }
    table->n = n;
    cw_id_map_fini(&map);
    free(first);
    return rc;
}

static int set_operator(const struct cw_expr *expr, const struct cw_table *left,
                        const struct cw_table *right, struct cw_table *table, struct cw_err *err)
{
    struct signatures sigs;
    int rc = copy_empty(table, left, err);
    if (rc == 0 && expr->binop == CW_BIN_OR)
        rc = copy_empty(table, right, err);
    if (rc < 0)
        return rc;
    rc = signatures_init(&sigs, &expr->modifier, left, right, err);
    bool *marks = cw_mem_array(sigs.n + 1, sizeof(*marks));
    for (size_t step = 0; rc == 0 && step < table->grid.n; step++) {
        rc = cw_match_stop_check(err);
        if (expr->binop == CW_BIN_OR) {
            mark(marks, sigs.n, sigs.left, left, step);
            for (size_t i = 0; i < left->n; i++)
                if (cw_series_has(&left->items[i], step))
                    cw_series_set(&table->items[i], step, left->items[i].values[step]);
            keep_where(table->items + left->n, right, sigs.right, marks, false, step);
        } else {
            mark(marks, sigs.n, sigs.right, right, step);
            keep_where(table->items, left, sigs.left, marks, expr->binop == CW_BIN_AND, step);
        }
    }
    free(marks);
    signatures_fini(&sigs);
    return rc == 0 && expr->binop == CW_BIN_OR ? join_duplicates(table, err) : rc;
}

/* ---- arithmetic and comparisons ---- */

/* The state of one operator: "many" is the side whose labels the answer has, "one" must have each
 * signature once. */
struct matcher {
    const struct cw_expr *expr;
    const struct cw_table *many, *one;
    const size_t *many_sigs, *one_sigs;
    struct cw_table *table;
    struct cw_arena *arena;
    struct cw_id_map by_labels; /* of the answer's series */
    /* by series of `many`: the pair it had last and the answer's series of that */
    size_t *last_one, *last_out;
    /* by signature: the series of `one` that has a value at this step; SIZE_MAX: none */
    size_t *one_at;
    size_t *matched; /* by signature: step + 1 where a series of `many` was matched */
    size_t *filled;  /* by series of the answer: step + 1 where it was filled last */
    size_t filled_cap;
};

/* The labels of the answer for a pair. */
static struct cw_labels result_labels(struct matcher *m, struct cw_labels many,
                                      struct cw_labels one)
{
    const struct cw_binary_modifier *modifier = &m->expr->modifier;
    if (modifier->cardinality == CW_CARD_ONE_TO_ONE)
        return cw_grouping_match(modifier, many, m->arena);
    if (modifier->ninclude == 0)
        return cw_grouping_full(many, m->arena);
    struct cw_label *items =
        cw_arena_alloc(m->arena, (many.n + modifier->ninclude) * sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < many.n; i++)
        if (many.items[i].value.len > 0 &&
            !cw_str_among(many.items[i].name, modifier->include, modifier->ninclude))
            items[n++] = many.items[i];
    for (size_t i = 0; i < modifier->ninclude; i++) {
        struct cw_label label = {modifier->include[i], cw_labels_get(one, modifier->include[i])};
        if (label.value.len > 0 && !cw_str_among(label.name, modifier->include, i))
            items[n++] = label;
    }
    cw_label_pairs_sort(items, n);
    return (struct cw_labels){items, n};
}

/* The answer's series for series i of `many` with series k of `one`. */
static int result_series(struct matcher *m, size_t i, size_t k, size_t *out, struct cw_err *err)
{
    bool depends_on_one = m->expr->modifier.ninclude > 0;
    if (m->last_one[i] != SIZE_MAX && (!depends_on_one || m->last_one[i] == k)) {
        *out = m->last_out[i];
        return 0;
    }
    struct cw_labels labels = result_labels(m, m->many->items[i].labels, m->one->items[k].labels);
    struct cw_series *series;
    bool added;
    *out = cw_id_map_put(&m->by_labels, cw_labels_hash(labels), &added);
    m->last_one[i] = k;
    m->last_out[i] = *out;
    if (!added)
        return 0;
    if (*out >= m->filled_cap) {
        m->filled_cap = CW_MAX(16, m->filled_cap * 2);
        m->filled = cw_mem_resize(m->filled, m->filled_cap * sizeof(*m->filled));
    }
    m->filled[*out] = 0;
    return cw_table_add(m->table, labels, CW_TABLE_COPY, &series, err);
}

static int index_one(struct matcher *m, size_t nsigs, size_t step, struct cw_err *err)
{
    for (size_t sig = 0; sig < nsigs; sig++)
        m->one_at[sig] = SIZE_MAX;
    for (size_t k = 0; k < m->one->n; k++) {
        if (!cw_series_has(&m->one->items[k], step))
            continue;
        size_t *at = &m->one_at[m->one_sigs[k]];
        if (*at != SIZE_MAX)
            return cw_err_set(err, CW_E_INTERNAL,
                              "found duplicate series on the %s hand-side;many-to-many matching "
                              "not allowed: matching labels must be unique on one side",
                              m->expr->modifier.cardinality == CW_CARD_ONE_TO_MANY ? "left"
                                                                                   : "right");
        *at = k;
    }
    return 0;
}

static int match_step(struct matcher *m, size_t step, struct cw_err *err)
{
    enum cw_cardinality cardinality = m->expr->modifier.cardinality;
    for (size_t i = 0; i < m->many->n; i++) {
        size_t sig = m->many_sigs[i], k = m->one_at[sig], idx;
        if (!cw_series_has(&m->many->items[i], step) || k == SIZE_MAX)
            continue;
        int rc = result_series(m, i, k, &idx, err);
        if (rc < 0)
            return rc;
        if (cardinality == CW_CARD_ONE_TO_ONE && m->matched[sig] == step + 1)
            return cw_err_set(err, CW_E_INTERNAL,
                              "multiple matches for labels: many-to-one matching must be explicit "
                              "(group_left/group_right)");
        if (m->matched[sig] == step + 1 && m->filled[idx] == step + 1)
            return cw_err_set(
                err, CW_E_INTERNAL,
                "multiple matches for labels: grouping labels must ensure unique matches");
        m->matched[sig] = step + 1;
        m->filled[idx] = step + 1;
        double many = m->many->items[i].values[step], one = m->one->items[k].values[step], result;
        bool swapped = cardinality == CW_CARD_ONE_TO_MANY;
        if (swapped ? apply(m->expr, one, many, one, &result)
                    : apply(m->expr, many, one, many, &result))
            cw_series_set(&m->table->items[idx], step, result);
    }
    return 0;
}

static int match_operator(const struct cw_expr *expr, const struct cw_table *left,
                          const struct cw_table *right, struct cw_table *table, struct cw_err *err)
{
    bool swapped = expr->modifier.cardinality == CW_CARD_ONE_TO_MANY;
    struct signatures sigs;
    int rc = signatures_init(&sigs, &expr->modifier, left, right, err);
    struct matcher m = {
        .expr = expr,
        .many = swapped ? right : left,
        .one = swapped ? left : right,
        .many_sigs = swapped ? sigs.right : sigs.left,
        .one_sigs = swapped ? sigs.left : sigs.right,
        .table = table,
        .arena = cw_arena_new(),
    };
    cw_id_map_init(&m.by_labels);
    m.last_one = cw_mem_array(m.many->n + 1, sizeof(size_t));
    m.last_out = cw_mem_array(m.many->n + 1, sizeof(size_t));
    m.one_at = cw_mem_array(sigs.n + 1, sizeof(size_t));
    m.matched = cw_mem_array(sigs.n + 1, sizeof(size_t));
    for (size_t i = 0; i < m.many->n; i++)
        m.last_one[i] = SIZE_MAX;
    for (size_t step = 0; rc == 0 && step < table->grid.n; step++) {
        rc = cw_match_stop_check(err);
        if (rc == 0)
            rc = index_one(&m, sigs.n, step, err);
        if (rc == 0)
            rc = match_step(&m, step, err);
    }
    free(m.last_one);
    free(m.last_out);
    free(m.one_at);
    free(m.matched);
    free(m.filled);
    cw_id_map_fini(&m.by_labels);
    cw_arena_free(&m.arena);
    signatures_fini(&sigs);
    return rc;
}

int cw_binop_tables(const struct cw_expr *expr, const struct cw_table *left,
                    const struct cw_table *right, struct cw_table **out, struct cw_err *err)
{
    struct cw_table *table = cw_table_new(&left->grid, left->allowance);
    int rc = cw_binop_is_set(expr->binop) ? set_operator(expr, left, right, table, err)
                                          : match_operator(expr, left, right, table, err);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}
