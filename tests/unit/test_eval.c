/* test_eval.c - metric queries over the conformance dataset, against what Loki answered; and what
 * is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"
#include "querier/engine/binop.h"
#include "querier/engine/eval.h"
#include "querier/engine/eval_table.h"
#include "querier/engine/label_replace.h"
#include "querier/engine/plan.h"
#include "tests/support/conformance.h"

/* ---- a store in memory: the dataset, one batch a stream ---- */

struct stream {
    struct cw_labels labels;
    int64_t *ts_ns;
    struct cw_str *lines;
    struct cw_labels *metadata;
    size_t n;
};

static struct stream *streams;
static size_t nstreams;
static struct cw_arena *arena;
static json_t *dataset; /* names and lines borrow from it */

static struct cw_labels labels_of(json_t *object)
{
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, json_object_size(object) + 1);
    struct cw_labels labels;
    struct cw_err err = {0};
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(object, name, value) pairs[n++] = (struct cw_label){
        cw_label_name_normalize(arena, cw_str_of(name)), cw_str_of(json_string_value(value))};
    cr_assert_eq(cw_labels_from_pairs(pairs, n, &labels, &err), 0, "%s", err.text);
    return labels;
}

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_label *)a)->name, ((const struct cw_label *)b)->name);
}

/* Of a series: what a parser found empty is a label too. */
static struct cw_labels series_labels_of(json_t *object)
{
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, json_object_size(object) + 1);
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(object, name, value) pairs[n++] =
        (struct cw_label){cw_str_of(name), cw_str_of(json_string_value(value))};
    qsort(pairs, n, sizeof *pairs, by_name);
    return (struct cw_labels){pairs, n};
}

/* Loki drops an entry that is there already. */
static bool is_duplicate(const struct stream *stream)
{
    for (size_t i = 0; i < stream->n; i++)
        if (stream->ts_ns[i] == stream->ts_ns[stream->n] &&
            cw_str_eq(stream->lines[i], stream->lines[stream->n]) &&
            cw_labels_eq(stream->metadata[i], stream->metadata[stream->n]))
            return true;
    return false;
}

static void sort_by_time(struct stream *stream)
{
    for (size_t i = 1; i < stream->n; i++) {
        for (size_t k = i; k > 0 && stream->ts_ns[k - 1] > stream->ts_ns[k]; k--) {
            int64_t ts = stream->ts_ns[k];
            struct cw_str line = stream->lines[k];
            struct cw_labels metadata = stream->metadata[k];
            stream->ts_ns[k] = stream->ts_ns[k - 1], stream->ts_ns[k - 1] = ts;
            stream->lines[k] = stream->lines[k - 1], stream->lines[k - 1] = line;
            stream->metadata[k] = stream->metadata[k - 1], stream->metadata[k - 1] = metadata;
        }
    }
}

static void load_dataset(void)
{
    json_t *item, *entry;
    size_t i, k;
    dataset = conformance_load("dataset.json");
    json_t *list = json_object_get(dataset, "streams");
    arena = cw_arena_new();
    nstreams = 0;
    streams = CW_ARENA_ARRAY(arena, struct stream, json_array_size(list));
    json_array_foreach(list, i, item)
    {
        struct stream *stream = &streams[nstreams++];
        json_t *entries = json_object_get(item, "entries");
        size_t n = json_array_size(entries);
        stream->labels = labels_of(json_object_get(item, "labels"));
        stream->ts_ns = CW_ARENA_ARRAY(arena, int64_t, n);
        stream->lines = CW_ARENA_ARRAY(arena, struct cw_str, n);
        stream->metadata = CW_ARENA_ARRAY(arena, struct cw_labels, n);
        json_array_foreach(entries, k, entry)
        {
            json_t *line = json_array_get(entry, 1);
            stream->ts_ns[stream->n] =
                CONFORMANCE_T_S * CW_NS_PER_S + json_integer_value(json_array_get(entry, 0));
            stream->lines[stream->n] =
                cw_str_make(json_string_value(line), json_string_length(line));
            stream->metadata[stream->n] =
                json_array_size(entry) > 2 ? labels_of(json_array_get(entry, 2)) : CW_LABELS_NONE;
            stream->n += !is_duplicate(stream);
        }
        sort_by_time(stream);
    }
}

static void free_dataset(void)
{
    cw_arena_free(&arena);
    json_decref(dataset);
}

static bool keeps(const struct cw_expr *expr, struct cw_str line)
{
    struct cw_err err = {0};
    const struct cw_line_filter **filters;
    size_t n = cw_plan_filters(expr->stages, &filters);
    bool kept = true;
    for (size_t i = 0; kept && i < n; i++) {
        int rc = cw_line_filter_match(filters[i], line, &err);
        cr_assert_geq(rc, 0, "%s", err.text);
        kept = rc > 0;
    }
    free(filters);
    return kept;
}

/* Feed what a scan would; the streams take turns between two workers. */
static int scan(struct cw_range_agg *agg, struct cw_err *failure)
{
    int rc = 0;
    const struct cw_expr *expr = cw_range_agg_expr(agg);
    struct cw_range_part *parts[2] = {cw_range_part_new(agg), cw_range_part_new(agg)};
    struct cw_err err = {0};
    int64_t from, to;
    cw_range_agg_bounds(agg, &from, &to);
    for (size_t s = 0; s < nstreams; s++) {
        const struct stream *stream = &streams[s];
        if (cw_selector_match(&expr->selector, stream->labels, &err) != 1)
            continue;
        int64_t *ts = malloc((stream->n + 1) * sizeof(*ts));
        uint32_t *sizes = malloc((stream->n + 1) * sizeof(*sizes));
        struct cw_labels *metadata = malloc((stream->n + 1) * sizeof(*metadata));
        struct cw_str *lines = malloc((stream->n + 1) * sizeof(*lines));
        size_t n = 0;
        for (size_t i = 0; i < stream->n; i++) {
            if (stream->ts_ns[i] < from || stream->ts_ns[i] >= to || !keeps(expr, stream->lines[i]))
                continue;
            ts[n] = stream->ts_ns[i];
            sizes[n] = (uint32_t)stream->lines[i].len;
            lines[n] = stream->lines[i];
            metadata[n++] = stream->metadata[i];
        }
        unsigned need = cw_range_agg_need(agg);
        struct cw_entry_batch batch = {
            .stream = {.id = cw_labels_hash(stream->labels), .labels = stream->labels},
            .n = n,
            .ts_ns = need & CW_NEED_TIMES ? ts : NULL,
            .lines = need & (CW_NEED_LINES | CW_NEED_TEMPLATES) ? lines : NULL,
            .sizes = need & (CW_NEED_SIZES | CW_NEED_LINES) ? sizes : NULL,
            .metadata = need & CW_NEED_METADATA ? metadata : NULL,
        };
        cw_range_part_begin_unit(parts[s % 2], (uint32_t)s, NULL);
        if (n > 0 && rc == 0)
            rc = cw_range_part_add(parts[s % 2], &batch, failure);
        free(lines);
        free(ts);
        free(sizes);
        free(metadata);
    }
    cr_assert_eq(cw_range_agg_merge(agg, &parts[0], &err), 0);
    cr_assert_eq(cw_range_agg_merge(agg, &parts[1], &err), 0);
    return rc;
}

static int evaluate(const char *text, const struct cw_grid *grid, enum cw_eval_kind kind,
                    struct cw_result *out, struct cw_err *err)
{
    struct cw_query *query = NULL;
    struct cw_eval *eval = NULL;
    struct cw_eval_options options = {.max_series = 500};
    int rc = cw_logql_parse(cw_str_of(text), &query, err);
    if (rc == 0)
        rc = cw_eval_check(query->root, err);
    if (rc == 0)
        rc = cw_eval_new(query->root, grid, kind, &options, &eval, err);
    for (size_t i = 0; rc == 0 && i < cw_eval_nrange_aggs(eval); i++)
        rc = scan(cw_eval_range_agg(eval, i), err);
    if (rc == 0)
        rc = cw_eval_run(eval, out, err);
    cw_eval_free(&eval);
    cw_query_free(&query);
    return rc;
}

/* ---- comparing with recorded answers ---- */

static bool same_value(double got, const char *expected)
{
    double want = strtod(expected, NULL);
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= 1e-9 * fmax(fabs(want), 1e-3);
}

/* Recorded times are seconds after T, in milliseconds at most. */
static bool same_time(int64_t got_ns, const json_t *expected)
{
    int64_t want_ms = llround(json_number_value(expected) * 1000);
    return (got_ns - CONFORMANCE_T_S * CW_NS_PER_S) / CW_NS_PER_MS == want_ms;
}

static bool same_point(const struct cw_table *table, const struct cw_series *series, size_t *step,
                       const json_t *point)
{
    while (*step < table->grid.n && !cw_series_has(series, *step))
        (*step)++;
    if (*step == table->grid.n)
        return false;
    bool same = same_time(cw_grid_time(&table->grid, *step), json_array_get(point, 0)) &&
                same_value(series->values[*step], json_string_value(json_array_get(point, 1)));
    (*step)++;
    return same;
}

static bool same_series(const struct cw_table *table, const struct cw_series *series,
                        json_t *expected)
{
    json_t *points = json_object_get(expected, "values"), *point;
    size_t step = 0, i;
    if (!cw_labels_eq(series->labels, series_labels_of(json_object_get(expected, "metric"))))
        return false;
    if (points == NULL)
        return cw_series_count(series, table->grid.n) == 1 &&
               same_point(table, series, &step, json_object_get(expected, "value"));
    if (cw_series_count(series, table->grid.n) != json_array_size(points))
        return false;
    json_array_foreach(points, i, point)
    {
        if (!same_point(table, series, &step, point))
            return false;
    }
    return true;
}

static void compare_table(const char *id, const struct cw_table *table, json_t *expected,
                          bool ordered)
{
    cr_assert_eq(table->n, json_array_size(expected), "%s: %zu series, not %zu", id, table->n,
                 json_array_size(expected));
    bool *used = calloc(table->n + 1, sizeof(*used));
    for (size_t i = 0; i < table->n; i++) {
        bool found = false;
        for (size_t k = 0; k < table->n && !found; k++) {
            if ((ordered && k != i) || used[k])
                continue;
            found = used[k] = same_series(table, &table->items[i], json_array_get(expected, k));
        }
        cr_expect(found, "%s: series %zu (%g) is not in the answer", id, i,
                  table->items[i].values[0]);
    }
    free(used);
}

static void compare(const char *id, const struct cw_result *result, json_t *data, bool ordered)
{
    static const char *const kinds[] = {[CW_RESULT_SCALAR] = "scalar",
                                        [CW_RESULT_VECTOR] = "vector",
                                        [CW_RESULT_MATRIX] = "matrix"};
    json_t *expected = json_object_get(data, "result");
    cr_assert_str_eq(kinds[result->kind], json_string_value(json_object_get(data, "resultType")),
                     "%s", id);
    if (result->kind == CW_RESULT_SCALAR)
        cr_expect(same_value(result->scalar, json_string_value(json_array_get(expected, 1))),
                  "%s: %g", id, result->scalar);
    else
        compare_table(id, result->table, expected, ordered);
}

/* "<T+60>", "<T+60:s>": only what depends on T is here. */
static int64_t param_time(json_t *params, const char *name)
{
    const char *text = json_string_value(json_object_get(params, name));
    cr_assert(text != NULL && strncmp(text, "<T", 2) == 0, "%s", text ? text : name);
    return CONFORMANCE_T_S * CW_NS_PER_S + conformance_seconds(text + 2, strcspn(text + 2, ":>"));
}

static int64_t param_step(json_t *params)
{
    const char *text = json_string_value(json_object_get(params, "step"));
    int64_t step_ns;
    if (cw_duration_parse_prom(cw_str_of(text), &step_ns))
        return step_ns;
    return conformance_seconds(text, strlen(text));
}

/* Whether the case was compared: it is a metric query at times that depend on T alone. */
static bool run_case(json_t *test)
{
    const char *id = json_string_value(json_object_get(test, "id")),
               *endpoint = json_string_value(json_object_get(test, "endpoint"));
    json_t *params = json_object_get(test, "params"), *expect = json_object_get(test, "expect");
    char *text = conformance_query(test);
    bool instant = strcmp(endpoint, "query") == 0;
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_grid grid;
    struct cw_result result;
    bool compared = false;
    bool metric = text != NULL && cw_logql_parse(cw_str_of(text), &query, &err) == 0 &&
                  cw_expr_is_metric(query->root);
    cw_query_free(&query);
    if (!metric || (!instant && json_object_get(params, "step") == NULL) ||
        json_object_get(params, "limit") != NULL || json_object_get(params, "direction") != NULL ||
        !(instant ? json_object_get(params, "time") : json_object_get(params, "start")))
        goto done;
    if (instant) {
        cw_grid_init_instant(&grid, param_time(params, "time"));
    } else if (param_step(params) <= 0) {
        goto done;
    } else {
        cr_assert_eq(cw_grid_init_range(&grid, param_time(params, "start"),
                                        param_time(params, "end"), param_step(params), &err),
                     0, "%s: %s", id, err.text);
    }
    int rc = evaluate(text, &grid, instant ? CW_EVAL_INSTANT : CW_EVAL_RANGE, &result, &err);
    compared = true;
    int status = (int)json_integer_value(json_object_get(expect, "status"));
    if (rc < 0 || status != 200) {
        cr_expect_eq(cw_err_http_status(rc), status, "%s: %s", id, err.text);
        const char *sentence = json_string_value(json_object_get(expect, "text"));
        cr_expect_str_eq(err.text, sentence ? sentence : "", "%s: %s", id, err.text);
    }
    if (rc == 0) {
        compare(id, &result, json_object_get(json_object_get(expect, "body"), "data"),
                json_is_true(json_object_get(test, "ordered")));
        cw_result_fini(&result);
    }
done:
    free(text);
    return compared;
}

static void run_group(const char *group, size_t at_least)
{
    char name[64];
    size_t compared = 0, i;
    json_t *test;
    snprintf(name, sizeof(name), "cases/%s.json", group);
    json_t *tests = conformance_load(name);
    load_dataset();
    json_array_foreach(tests, i, test) compared += run_case(test);
    json_decref(tests);
    free_dataset();
    cr_expect_geq(compared, at_least, "%s: only %zu compared", group, compared);
}

Test(eval, range_aggregations_answer_as_recorded)
{
    run_group("range_agg", 16);
}

Test(eval, vector_aggregations_answer_as_recorded)
{
    run_group("vector_agg", 10);
}

Test(eval, operators_answer_as_recorded)
{
    run_group("binop", 90);
}

Test(eval, offsets_answer_as_recorded)
{
    run_group("offset", 8);
}

Test(eval, windows_begin_and_end_as_recorded)
{
    run_group("boundaries", 14);
}

Test(eval, label_replace_answers_as_recorded)
{
    run_group("label_replace", 12);
}

Test(eval, instant_queries_answer_as_recorded)
{
    run_group("instant", 4);
}

Test(eval, metadata_makes_series_as_recorded)
{
    run_group("parsed_metric", 3);
}

/* ---- what Loki has behind switches ---- */

static void evaluate_at(const char *text, struct cw_result *out)
{
    struct cw_grid grid;
    struct cw_err err = {0};
    cw_grid_init_instant(&grid, (CONFORMANCE_T_S + 600) * CW_NS_PER_S);
    cr_assert_eq(evaluate(text, &grid, CW_EVAL_INSTANT, out, &err), 0, "%s: %s", text, err.text);
    cr_assert_gt(out->table->n, 0, "%s", text);
}

#define COUNTS "count_over_time({app=~\".+\"}[1h])"
#define BYTES "sum by (app) (bytes_over_time({app=~\".+\"}[1h]))"

static void expect_same(const struct cw_series *a, struct cw_labels labels, double value)
{
    cr_expect(cw_labels_eq(a->labels, labels));
    cr_expect_eq(a->values[0], value);
}

Test(eval, approx_topk_is_topk_of_an_instant)
{
    struct cw_result exact, approx;
    struct cw_grid grid;
    struct cw_err err = {0};
    load_dataset();
    evaluate_at("topk(3, " COUNTS ")", &exact);
    evaluate_at("approx_topk(3, " COUNTS ")", &approx);
    cr_assert_eq(exact.table->n, 3);
    cr_assert_eq(approx.table->n, 3);
    for (size_t i = 0; i < 3; i++)
        expect_same(&approx.table->items[i], exact.table->items[i].labels,
                    exact.table->items[i].values[0]);
    cw_result_fini(&exact);
    cr_assert_eq(cw_grid_init_range(&grid, 0, CW_NS_PER_S, CW_NS_PER_S, &err), 0);
    cr_expect_eq(evaluate("1 + approx_topk(3, " COUNTS ")", &grid, CW_EVAL_RANGE, &exact, &err),
                 CW_E_INVALID);
    cr_expect_str_eq(err.text,
                     "approx_topk error: count min sketches are only supported on instant queries");
    cw_result_fini(&approx);
    free_dataset();
}

Test(eval, variants_are_told_apart_by_a_label)
{
    struct cw_result alone[2], both;
    load_dataset();
    evaluate_at(COUNTS, &alone[0]);
    evaluate_at(BYTES, &alone[1]);
    evaluate_at("variants(" COUNTS ", " BYTES ") of ({app=~\".+\"}[1h])", &both);
    cr_assert_eq(both.table->n, alone[0].table->n + alone[1].table->n);
    for (size_t i = 0; i < both.table->n; i++) {
        const struct cw_series *series = &both.table->items[i];
        struct cw_str number = cw_labels_get(series->labels, CW_STR("__variant__"));
        cr_assert(cw_str_eqz(number, "0") || cw_str_eqz(number, "1"));
        const struct cw_table *table = alone[number.ptr[0] - '0'].table;
        struct cw_labels without =
            cw_labels_with(table->arena, series->labels, CW_STR("__variant__"), CW_STR_NONE);
        size_t k = 0;
        while (k < table->n && !cw_labels_eq(table->items[k].labels, without))
            k++;
        cr_assert_lt(k, table->n, "series %zu is in no variant", i);
        expect_same(series, cw_labels_with(table->arena, without, CW_STR("__variant__"), number),
                    table->items[k].values[0]);
    }
    cw_result_fini(&alone[0]);
    cw_result_fini(&alone[1]);
    cw_result_fini(&both);
    free_dataset();
}

/* ---- bounds ---- */

Test(eval, limits_and_cancellation_end_a_query)
{
    struct cw_grid grid;
    struct cw_err err = {0};
    struct cw_query *query = NULL;
    struct cw_eval *eval = NULL;
    struct cw_result result;
    atomic_bool stop = true;
    struct cw_eval_options options = {.max_series = 0};
    cw_grid_init_instant(&grid, 0);
    cr_assert_eq(
        cw_logql_parse(CW_STR("vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")"),
                       &query, &err),
        0);
    cr_assert_eq(cw_eval_new(query->root, &grid, CW_EVAL_INSTANT, &options, &eval, &err), 0);
    cw_match_stop_watch(&stop);
    cr_expect_eq(cw_eval_run(eval, &result, &err), CW_E_CANCELED);
    cw_match_stop_watch(NULL);
    cw_eval_free(&eval);
    options = (struct cw_eval_options){.max_series = 1};
    cr_assert_eq(cw_eval_new(query->root, &grid, CW_EVAL_INSTANT, &options, &eval, &err), 0);
    cr_expect_eq(cw_eval_run(eval, &result, &err), CW_E_LIMIT);
    cr_expect_eq(strncmp(err.text, "maximum number of series (1) reached for a single query", 55),
                 0, "%s", err.text);
    cr_expect_null(result.table);
    cw_eval_free(&eval);
    struct cw_allowance small;
    cw_allowance_init(&small, 100);
    options = (struct cw_eval_options){.allowance = &small};
    cr_assert_eq(cw_eval_new(query->root, &grid, CW_EVAL_INSTANT, &options, &eval, &err), 0);
    cr_expect_eq(cw_eval_run(eval, &result, &err), CW_E_LIMIT);
    cw_eval_free(&eval);
    cr_expect_eq(atomic_load(&small.used), 0);
    cw_query_free(&query);
}

/* ---- the query's end ---- */

enum { NMANY = 3000 };

static struct cw_table *many_series(struct cw_allowance *allowance)
{
    static const struct cw_grid grid = {.start_ns = 0, .step_ns = 1, .n = 3};
    struct cw_table *table = cw_table_new(&grid, allowance);
    for (int i = 0; i < NMANY; i++) {
        char id[16];
        struct cw_series *series;
        struct cw_err err;
        snprintf(id, sizeof id, "%d", i * 7919 % NMANY);
        const struct cw_label labels[] = {{CW_STR("app"), CW_STR("x")},
                                          {CW_STR("id"), cw_str_of(id)}};
        cr_assert_eq(
            cw_table_add(table, (struct cw_labels){labels, 2}, CW_TABLE_COPY, &series, &err), 0);
        cw_series_set(series, (size_t)i % 3, i);
    }
    return table;
}

/* What the expression makes of many series; its own operands are not run. */
static int make_of_many(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                        struct cw_err *err)
{
    if (expr->kind == CW_EXPR_BINARY)
        return cw_binop_tables(expr, in, in, out, err);
    return expr->kind == CW_EXPR_LABEL_REPLACE
               ? cw_label_replace_eval(expr, in, out, err)
               : cw_vector_rules[expr->vector_fn].eval(expr, in, out, err);
}

/* Bytes that it takes at most, beside its operand. */
static size_t taken_of_many(const char *text, const atomic_bool *stop, int want)
{
    struct cw_query *query = NULL;
    struct cw_allowance allowance;
    struct cw_table *out = NULL;
    struct cw_err err = {0};
    cw_allowance_init(&allowance, SIZE_MAX);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    struct cw_table *in = many_series(&allowance);
    size_t before = atomic_load(&allowance.used);
    cw_match_stop_watch(stop);
    cr_expect_eq(make_of_many(query->root, in, &out, &err), want, "%s", text);
    cw_match_stop_watch(NULL);
    size_t taken = atomic_load(&allowance.peak) - before;
    cw_table_free(&in);
    cw_table_free(&out);
    cr_expect_eq(atomic_load(&allowance.used), 0, "%s", text);
    cw_query_free(&query);
    return taken;
}

Test(eval, work_on_many_series_ends_where_it_is)
{
#define R "rate({app=\"x\"}[1m])"
    static const char *const texts[] = {
        "sum by (id) (" R ")",
        "stddev without (app) (" R ")",
        "topk(3, " R ")",
        "sort(" R ")",
        R " or " R,
        R " and " R,
        R " + on (id) " R,
        R " > on (id) group_left " R,
        "label_replace(" R ", \"x\", \"$1\", \"id\", \"(.*)\")",
    };
    atomic_bool stop = true;
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        size_t whole = taken_of_many(texts[i], NULL, 0),
               cut = taken_of_many(texts[i], &stop, CW_E_CANCELED);
        cr_expect_gt(whole, NMANY * sizeof(struct cw_series), "%s", texts[i]);
        cr_expect_lt(cut, whole / 2, "%s: %zu of %zu", texts[i], cut, whole);
    }
#undef R
}
