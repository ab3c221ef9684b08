/* test_vector_agg.c - aggregation over series: what the recorded cases do not show (gaps, NaN,
 * ties). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "querier/engine/vector_agg.h"

/* A table of series s="0", s="1", ... with g="even" or "odd"; GAP is no value. */
#define GAP (-1e300)

static struct cw_table *table_of(size_t nseries, size_t nsteps, const double *values)
{
    struct cw_grid grid = {.start_ns = 0, .step_ns = 1, .n = nsteps};
    struct cw_table *table = cw_table_new(&grid, NULL);
    struct cw_err err = {0};
    for (size_t i = 0; i < nseries; i++) {
        char name[2] = {(char)('0' + i), 0};
        struct cw_label labels[] = {{CW_STR("g"), i % 2 ? CW_STR("odd") : CW_STR("even")},
                                    {CW_STR("s"), {name, 1}}};
        struct cw_series *series;
        cr_assert_eq(
            cw_table_add(table, (struct cw_labels){labels, 2}, CW_TABLE_COPY, &series, &err), 0);
        for (size_t step = 0; step < nsteps; step++)
            if (values[i * nsteps + step] != GAP)
                cw_series_set(series, step, values[i * nsteps + step]);
    }
    return table;
}

/* Evaluates `fn` and writes the answer as "labels: values; ...". */
static void expect(const char *text, struct cw_table *in, const char *expected)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_table *out = NULL;
    struct cw_buf buf;
    char query_text[256];
    snprintf(query_text, sizeof(query_text), text, "vector(1)");
    cr_assert_eq(cw_logql_parse(cw_str_of(query_text), &query, &err), 0, "%s", err.text);
    enum cw_vector_fn fn = query->root->vector_fn;
    int rc = fn == CW_VECTOR_TOPK || fn == CW_VECTOR_BOTTOMK
                 ? cw_vector_agg_select(query->root, in, &out, &err)
             : fn == CW_VECTOR_SORT || fn == CW_VECTOR_SORT_DESC
                 ? cw_vector_agg_sort(query->root, in, &out, &err)
                 : cw_vector_agg_fold(query->root, in, &out, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    cw_buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < out->n; i++) {
        if (cw_series_count(&out->items[i], out->grid.n) == 0)
            continue;
        struct cw_str s = cw_labels_get(out->items[i].labels, CW_STR("s")),
                      g = cw_labels_get(out->items[i].labels, CW_STR("g"));
        cw_buf_addf(&buf, "%s%.*s%.*s:", buf.len ? "; " : "", CW_STR_ARG(g), CW_STR_ARG(s));
        for (size_t step = 0; step < out->grid.n; step++)
            cw_series_has(&out->items[i], step)
                ? cw_buf_addf(&buf, " %g", out->items[i].values[step])
                : cw_buf_addz(&buf, " -");
    }
    cr_expect_str_eq(cw_buf_z(&buf), expected, "%s\n  gives    %s\n  expected %s", text,
                     cw_buf_z(&buf), expected);
    cw_buf_fini(&buf);
    cw_table_free(&out);
    cw_query_free(&query);
}

Test(vector_agg, series_without_a_value_at_a_step_do_not_count)
{
    static const double values[] = {1,  GAP, 3, GAP, GAP, GAP, 10, GAP,
                                    30, GAP, 2, 5,   GAP, GAP, GAP};
    struct cw_table *table = table_of(3, 5, values);
    expect("sum(%s)", table, ": 3 15 3 30 -");
    expect("count(%s)", table, ": 2 2 1 1 -");
    expect("avg(%s)", table, ": 1.5 7.5 3 30 -");
    expect("min(%s)", table, ": 1 5 3 30 -");
    expect("max(%s)", table, ": 2 10 3 30 -");
    expect("stdvar(%s)", table, ": 0.25 6.25 0 0 -");
    expect("stddev(%s)", table, ": 0.5 2.5 0 0 -");
    expect("sum by (g) (%s)", table, "even: 3 5 3 - -; odd: - 10 - 30 -");
    expect("sum without (s) (%s)", table, "even: 3 5 3 - -; odd: - 10 - 30 -");
    expect("sum without (g, s) (%s)", table, ": 3 15 3 30 -");
    cw_table_free(&table);
}

Test(vector_agg, topk_chooses_anew_at_each_step)
{
    static const double values[] = {1, 9, GAP, 2, 8, 5, 3, 7, 5, 4, GAP, 5};
    struct cw_table *table = table_of(4, 3, values);
    expect("topk(1, %s)", table, "even0: - 9 -; even2: - - 5; odd3: 4 - -");
    expect("bottomk(2, %s)", table, "even0: 1 - -; even2: - 7 5; odd1: 2 8 5");
    expect("topk by (g) (1, %s)", table, "even0: - 9 -; even2: 3 - 5; odd1: - 8 5; odd3: 4 - -");
    expect("topk(100, %s)", table, "even0: 1 9 -; even2: 3 7 5; odd1: 2 8 5; odd3: 4 - 5");
    cw_table_free(&table);
}

Test(vector_agg, of_equal_values_the_first_by_labels_is_chosen_and_nan_last)
{
    const double values[] = {NAN, 2, 2, NAN};
    struct cw_table *table = table_of(4, 1, values);
    expect("topk(1, %s)", table, "even2: 2");
    expect("bottomk(1, %s)", table, "even2: 2");
    expect("topk(3, %s)", table, "even0: nan; even2: 2; odd1: 2");
    expect("max(%s)", table, ": 2");
    expect("min(%s)", table, ": 2");
    expect("sort(%s)", table, "even2: 2; odd1: 2; even0: nan; odd3: nan");
    cw_table_free(&table);
}

Test(vector_agg, sort_orders_an_instant_vector_by_value)
{
    static const double values[] = {3, 1, 2, -5};
    struct cw_table *table = table_of(4, 1, values);
    expect("sort(%s)", table, "odd3: -5; odd1: 1; even2: 2; even0: 3");
    expect("sort_desc(%s)", table, "even0: 3; even2: 2; odd1: 1; odd3: -5");
    cw_table_free(&table);
}

Test(vector_agg, the_variance_of_large_values_does_not_cancel)
{
    static const double values[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
    struct cw_table *table = table_of(4, 1, values);
    expect("stdvar(%s)", table, ": 22.5");
    cw_table_free(&table);
}

Test(vector_agg, an_empty_table_stays_empty)
{
    struct cw_table *table = table_of(0, 3, NULL);
    expect("sum(%s)", table, "");
    expect("topk(2, %s)", table, "");
    expect("sort(%s)", table, "");
    cw_table_free(&table);
}
