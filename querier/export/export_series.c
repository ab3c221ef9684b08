#include "querier/export/export_series.h"
#include <stdlib.h>
#include "common/labels/labels.h"
#include "common/metrics/prom_text.h"
#include "common/wire/json_reader.h"

struct series {
    struct cw_labels labels;
    double value;
    bool has_labels, has_value;
};

struct series_reader {
    const struct cw_export *export;
    struct cw_json_reader json;
    struct cw_arena *arena;
    struct series *items;
    size_t n, cap;
};

static int unexpected(struct series_reader *r, struct cw_err *err)
{
    return cw_json_error(&r->json, err, "the server's answer is not that of Loki's API");
}

static int want(struct series_reader *r, int event, struct cw_err *err)
{
    int rc = cw_json_next(&r->json, err);
    return rc < 0 ? rc : rc == event ? 0 : unexpected(r, err);
}

/* The labels of the query, those of the export over them. */
static int read_labels(struct series_reader *r, struct cw_labels *out, struct cw_err *err)
{
    const struct cw_config_map *own = &r->export->labels;
    size_t n = own->n, cap = 0;
    struct cw_label *pairs = cw_arena_grow(r->arena, NULL, 0, &cap, n + 8, sizeof *pairs);
    for (size_t i = 0; i < own->n; i++)
        pairs[i] = (struct cw_label){own->items[i].name, own->items[i].value};
    int rc = want(r, CW_JSON_OBJECT, err);
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_KEY) {
        struct cw_label pair = {.name = r->json.text};
        rc = want(r, CW_JSON_STRING, err);
        pair.value = r->json.text;
        bool hidden = false;
        for (size_t i = 0; i < own->n && !hidden; i++)
            hidden = cw_str_eq(own->items[i].name, pair.name);
        if (rc == 0 && !cw_prom_label_name_valid(pair.name))
            return cw_err_set(err, CW_E_INVALID, "the label \"%.*s\" is none that Prometheus takes",
                              CW_STR_ARG(pair.name));
        pairs = cw_arena_grow(r->arena, pairs, n, &cap, n + 1, sizeof *pairs);
        if (!hidden)
            pairs[n++] = pair;
    }
    if (rc < 0)
        return rc;
    return rc == CW_JSON_OBJECT_END ? cw_labels_from_pairs(pairs, n, out, err) : unexpected(r, err);
}

/* [<time>, "<value>"], its bracket read already. */
static int read_value(struct series_reader *r, double *out, struct cw_err *err)
{
    int rc = want(r, CW_JSON_NUMBER, err);
    if (rc == 0)
        rc = want(r, CW_JSON_STRING, err);
    if (rc == 0 && !cw_str_to_f64(r->json.text, out))
        rc = unexpected(r, err);
    return rc == 0 ? want(r, CW_JSON_ARRAY_END, err) : rc;
}

static struct series *next_series(struct series_reader *r)
{
    r->items = cw_arena_grow(r->arena, r->items, r->n, &r->cap, r->n + 1, sizeof *r->items);
    r->items[r->n] = (struct series){0};
    return &r->items[r->n++];
}

/* {"metric":{...},"value":[...]} with its keys in any order; its brace read already. */
static int read_element(struct series_reader *r, struct cw_err *err)
{
    struct series *series = next_series(r);
    int rc = 0;
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r->json.text, CW_STR("metric"))) {
            rc = read_labels(r, &series->labels, err);
            series->has_labels = true;
        } else if (cw_str_eq(r->json.text, CW_STR("value"))) {
            rc = want(r, CW_JSON_ARRAY, err);
            if (rc == 0)
                rc = read_value(r, &series->value, err);
            series->has_value = true;
        } else {
            rc = cw_json_skip(&r->json, err);
        }
    }
    if (rc < 0)
        return rc;
    bool whole = rc == CW_JSON_OBJECT_END && series->has_labels && series->has_value;
    return whole ? 0 : unexpected(r, err);
}

static int read_vector(struct series_reader *r, struct cw_err *err)
{
    int rc = want(r, CW_JSON_ARRAY, err);
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_OBJECT)
        rc = read_element(r, err);
    return rc < 0 ? rc : rc == CW_JSON_ARRAY_END ? 0 : unexpected(r, err);
}

static int read_scalar(struct series_reader *r, struct cw_err *err)
{
    const struct cw_config_map *own = &r->export->labels;
    struct cw_label *pairs = CW_ARENA_ARRAY(r->arena, struct cw_label, own->n + 1);
    for (size_t i = 0; i < own->n; i++)
        pairs[i] = (struct cw_label){own->items[i].name, own->items[i].value};
    struct series *series = next_series(r);
    int rc = cw_labels_from_pairs(pairs, own->n, &series->labels, err);
    if (rc == 0)
        rc = want(r, CW_JSON_ARRAY, err);
    return rc == 0 ? read_value(r, &series->value, err) : rc;
}

static int by_labels(const void *a, const void *b)
{
    return cw_labels_cmp(((const struct series *)a)->labels, ((const struct series *)b)->labels);
}

static int write_series(const struct series_reader *r, struct cw_buf *out, struct cw_err *err)
{
    for (size_t i = 1; i < r->n; i++) {
        if (cw_labels_eq(r->items[i].labels, r->items[i - 1].labels))
            return cw_err_set(err, CW_E_INVALID,
                              "two series have the same labels, since a label of the export hides "
                              "one of the query");
    }
    cw_prom_head(out, r->export->name, r->export->help, "gauge");
    for (size_t i = 0; i < r->n; i++) {
        struct cw_labels labels = r->items[i].labels;
        struct cw_prom_label *pairs = CW_ARENA_ARRAY(r->arena, struct cw_prom_label, labels.n + 1);
        for (size_t k = 0; k < labels.n; k++)
            pairs[k] = (struct cw_prom_label){labels.items[k].name, labels.items[k].value};
        cw_prom_sample(out, r->export->name, "", pairs, labels.n, r->items[i].value);
    }
    return 0;
}

int cw_export_series(const struct cw_export *export, struct cw_str result_type,
                     struct cw_str result, struct cw_buf *out, struct cw_err *err)
{
    struct series_reader r = {.export = export, .arena = cw_arena_new()};
    cw_json_reader_init(&r.json, result, r.arena);
    int rc;
    if (cw_str_eq(result_type, CW_STR("vector")))
        rc = read_vector(&r, err);
    else if (cw_str_eq(result_type, CW_STR("scalar")))
        rc = read_scalar(&r, err);
    else
        rc = cw_err_set(err, CW_E_INVALID,
                        "expected a vector or a scalar, the server answered \"%.*s\"",
                        CW_STR_ARG(result_type));
    if (rc == 0) {
        if (r.n > 0) /* an empty vector has no items at all */
            qsort(r.items, r.n, sizeof *r.items, by_labels);
        rc = write_series(&r, out, err);
    }
    cw_arena_free(&r.arena);
    return rc;
}
