#include "querier/engine/detected_labels.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "querier/engine/distinct.h"
#include "querier/engine/field_type.h"
#include "querier/engine/stream_query.h"

/* Of a name, outside the arena. */
enum { SUM_BYTES = CW_DISTINCT_BYTES + CW_ID_MAP_ENTRY_BYTES };

struct label_sum {
    struct cw_str name;
    struct cw_distinct values;
    bool only_ids, only_bits; /* every value is an id; is "0" or "1" */
};

struct label_sums {
    struct cw_query_context *query;
    struct cw_arena *arena;
    struct cw_id_map map; /* by name */
    struct label_sum *items;
    size_t n, cap;
};

static int find_sum(struct label_sums *sums, struct cw_str name, struct label_sum **out,
                    struct cw_err *err)
{
    bool added;
    size_t idx = cw_id_map_put(&sums->map, cw_hash128(name.ptr, name.len), &added);
    if (added) {
        int rc = cw_allowance_take(&sums->query->allowance, SUM_BYTES, err);
        if (rc < 0)
            return rc;
        sums->items = cw_arena_grow(sums->arena, sums->items, sums->n, &sums->cap, sums->n + 1,
                                    sizeof *sums->items);
        sums->items[sums->n++] = (struct label_sum){
            .name = cw_arena_dup(sums->arena, name), .only_ids = true, .only_bits = true};
        rc = cw_allowance_check(&sums->query->allowance, sums->arena, err);
        if (rc < 0)
            return rc;
    }
    *out = &sums->items[idx];
    return 0;
}

static int add_stream(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    struct label_sums *sums = arg;
    for (size_t i = 0; i < item->stream.labels.n; i++) {
        const struct cw_label *label = &item->stream.labels.items[i];
        struct label_sum *sum = NULL;
        int rc = find_sum(sums, label->name, &sum, err);
        if (rc < 0)
            return rc;
        cw_distinct_add(&sum->values, label->value);
        sum->only_bits =
            sum->only_bits && (cw_str_eqz(label->value, "0") || cw_str_eqz(label->value, "1"));
        sum->only_ids = sum->only_ids && cw_field_is_id(label->value);
    }
    return 0;
}

/* Names of places: they are what one looks for first, whatever they are called. */
static bool is_place(struct cw_str name)
{
    static const char *const places[] = {"cluster", "instance", "namespace", "pod"};
    for (size_t i = 0; i < CW_COUNT(places); i++)
        if (cw_str_eqz(name, places[i]))
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_detected_label *)a)->name,
                      ((const struct cw_detected_label *)b)->name);
}

static void choose(const struct label_sums *sums, struct cw_detected_labels *out)
{
    out->items = CW_ARENA_ARRAY(sums->arena, struct cw_detected_label, sums->n);
    out->n = 0;
    for (size_t i = 0; i < sums->n; i++) {
        const struct label_sum *sum = &sums->items[i];
        if (!sum->only_ids || sum->only_bits || is_place(sum->name))
            out->items[out->n++] =
                (struct cw_detected_label){sum->name, cw_distinct_get(&sum->values)};
    }
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_name);
}

int cw_detected_labels_query(struct cw_query_context *query, const struct cw_listing *listing,
                             struct cw_arena *arena, struct cw_detected_labels *out,
                             struct cw_err *err)
{
    CW_ASSERT(listing->what == CW_LIST_STREAMS);
    struct label_sums sums = {.query = query, .arena = arena};
    cw_id_map_init(&sums.map);
    int rc = cw_stream_query_list(query, listing, add_stream, &sums, err);
    if (rc == 0)
        choose(&sums, out);
    for (size_t i = 0; i < sums.n; i++)
        cw_distinct_fini(&sums.items[i].values);
    cw_allowance_give(&query->allowance, sums.n * SUM_BYTES);
    cw_id_map_fini(&sums.map);
    return rc;
}
