#include "querier/engine/detected_fields.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "querier/engine/distinct.h"
#include "querier/engine/log_group.h"
#include "querier/engine/log_query.h"

/* Between two looks at whether the query is to end, and at its memory. */
enum { CHECK_EVERY = 64 };

/* Visit the fields of the newest entries; `gathered` is the arena of who visits. */
static int visit_sample(struct cw_query_context *query, const struct cw_expr *expr,
                        const struct cw_detected_options *options, cw_field_visit_fn visit,
                        void *arg, struct cw_arena *gathered, struct cw_err *err)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    int rc =
        cw_log_query_open(query, expr, options->start_ns, options->end_ns, true, &log_query, err);
    if (rc == 0)
        rc = cw_log_query_page(log_query, options->line_limit, options->sample_bytes, &page, err);
    if (rc < 0) {
        cw_log_query_close(&log_query);
        return rc;
    }
    const struct cw_log_entry **entries =
        CW_ARENA_ARRAY(gathered, const struct cw_log_entry *, page.n);
    for (size_t i = 0; i < page.n; i++)
        entries[i] = &page.entries[i];
    struct cw_log_groups groups;
    cw_log_group(entries, page.n, true, gathered, &groups);
    struct cw_field_walk walk;
    cw_field_walk_init(&walk);
    size_t nseen = 0;
    for (size_t g = 0; rc == 0 && g < groups.n; g++) {
        for (size_t i = 0; rc == 0 && i < groups.items[g].n; i++) {
            cw_field_walk_entry(&walk, groups.items[g].entries[i], visit, arg);
            if (nseen++ % CHECK_EVERY == 0)
                rc = cw_query_context_check(query, err);
            if (rc == 0)
                rc = cw_allowance_check(&query->allowance, gathered, err);
        }
    }
    cw_field_walk_fini(&walk);
    cw_log_query_close(&log_query);
    return rc;
}

/* ---- fields ---- */

struct field {
    struct cw_detected_field told;
    struct cw_distinct values;
    struct cw_buf last; /* the value that was seen last */
};

struct fields {
    struct cw_query_context *query;
    struct cw_arena *arena;
    size_t limit;
    struct cw_id_map map; /* by name */
    struct field *items;
    size_t n, cap;
    int refused; /* by the allowance */
    struct cw_err err;
};

/* Of a field, outside the arena, without its last value. */
enum { FIELD_BYTES = CW_DISTINCT_BYTES + CW_ID_MAP_ENTRY_BYTES };

static struct field *field_of(struct fields *fields, struct cw_str name)
{
    struct cw_hash128 id = cw_hash128(name.ptr, name.len);
    size_t idx;
    if (cw_id_map_find(&fields->map, id, &idx))
        return &fields->items[idx];
    if (fields->n == fields->limit || fields->refused < 0)
        return NULL;
    fields->refused = cw_allowance_take(&fields->query->allowance, FIELD_BYTES, &fields->err);
    if (fields->refused < 0)
        return NULL;
    bool added;
    cw_id_map_put(&fields->map, id, &added);
    fields->items = cw_arena_grow(fields->arena, fields->items, fields->n, &fields->cap,
                                  fields->n + 1, sizeof *fields->items);
    struct field *field = &fields->items[fields->n++];
    *field = (struct field){.told.name = cw_arena_dup(fields->arena, name)};
    cw_buf_init(&field->last, SIZE_MAX);
    return field;
}

static void keep_path(struct fields *fields, struct cw_detected_field *field,
                      const struct cw_field_value *value)
{
    struct cw_str *path = CW_ARENA_ARRAY(fields->arena, struct cw_str, value->njson_path);
    for (size_t i = 0; i < value->njson_path; i++)
        path[i] = cw_arena_dup(fields->arena, value->json_path[i]);
    field->json_path = path;
    field->njson_path = value->njson_path;
}

static void add_field(void *arg, const struct cw_field_value *value)
{
    struct fields *fields = arg;
    struct field *field = field_of(fields, value->name);
    if (field == NULL)
        return;
    field->told.parsers |= value->parser;
    if (value->njson_path > 0 && field->told.njson_path == 0)
        keep_path(fields, &field->told, value);
    cw_distinct_add(&field->values, value->value);
    cw_buf_clear(&field->last);
    cw_buf_adds(&field->last, value->value);
}

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_detected_field *)a)->name,
                      ((const struct cw_detected_field *)b)->name);
}

static void tell_fields(const struct fields *fields, struct cw_detected_fields *out)
{
    struct cw_arena *scratch = cw_arena_new();
    out->items = CW_ARENA_ARRAY(fields->arena, struct cw_detected_field, fields->n);
    out->n = fields->n;
    for (size_t i = 0; i < fields->n; i++) {
        out->items[i] = fields->items[i].told;
        out->items[i].type = cw_field_type_of(cw_buf_str(&fields->items[i].last), scratch);
        out->items[i].cardinality = cw_distinct_get(&fields->items[i].values);
        cw_arena_reset(scratch);
    }
    cw_arena_free(&scratch);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_name);
}

int cw_detected_fields_query(struct cw_query_context *query, const struct cw_expr *expr,
                             const struct cw_detected_options *options, struct cw_arena *arena,
                             struct cw_detected_fields *out, struct cw_err *err)
{
    struct fields fields = {.query = query, .arena = arena, .limit = options->limit};
    cw_id_map_init(&fields.map);
    int rc = visit_sample(query, expr, options, add_field, &fields, arena, err);
    if (rc == 0 && fields.refused < 0)
        rc = cw_err_set(err, fields.refused, "%s", fields.err.text);
    if (rc == 0)
        tell_fields(&fields, out);
    for (size_t i = 0; i < fields.n; i++) {
        cw_distinct_fini(&fields.items[i].values);
        cw_buf_fini(&fields.items[i].last);
    }
    cw_allowance_give(&query->allowance, fields.n * FIELD_BYTES);
    cw_id_map_fini(&fields.map);
    return rc;
}

/* ---- values of one field ---- */

struct values {
    struct cw_arena *arena;
    struct cw_str name;
    size_t limit;
    struct cw_id_map map;
    struct cw_detected_values *out;
    size_t cap;
};

static void add_value(void *arg, const struct cw_field_value *value)
{
    struct values *values = arg;
    struct cw_detected_values *out = values->out;
    bool added;
    if (out->n == values->limit || !cw_str_eq(value->name, values->name))
        return;
    cw_id_map_put(&values->map, cw_hash128(value->value.ptr, value->value.len), &added);
    if (!added)
        return;
    out->items = cw_arena_grow(values->arena, out->items, out->n, &values->cap, out->n + 1,
                               sizeof *out->items);
    out->items[out->n++] = cw_arena_dup(values->arena, value->value);
}

static int by_text(const void *a, const void *b)
{
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

int cw_detected_values_query(struct cw_query_context *query, const struct cw_expr *expr,
                             const struct cw_detected_options *options, struct cw_str name,
                             struct cw_arena *arena, struct cw_detected_values *out,
                             struct cw_err *err)
{
    struct values values = {.arena = arena, .name = name, .limit = options->limit, .out = out};
    *out = (struct cw_detected_values){0};
    cw_id_map_init(&values.map);
    int rc = visit_sample(query, expr, options, add_value, &values, arena, err);
    cw_id_map_fini(&values.map);
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_text);
    return rc;
}
