#include "querier/engine/volume.h"

#include <stdlib.h>

#include "querier/engine/id_map.h"
#include "querier/engine/plan.h"
#include "querier/engine/unit_run.h"

/* Sums under keys that are label sets. */
struct sums {
    struct cw_arena *arena;
    struct cw_id_map map;
    struct cw_volume *items;
    size_t n, cap;
};

struct volume_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    struct sums *streams; /* by slot: bytes of each stream */
};

static void add_bytes(struct sums *sums, struct cw_labels labels, struct cw_hash128 id, uint64_t bytes)
{
    bool added;
    size_t idx = cw_id_map_put(&sums->map, id, &added);
    if (added) {
        sums->items = cw_arena_grow(sums->arena, sums->items, sums->n, &sums->cap, sums->n + 1, sizeof *sums->items);
        sums->items[sums->n++] = (struct cw_volume){.labels = labels};
    }
    sums->items[idx].bytes += bytes;
}

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < batch->n; i++)
        bytes += batch->sizes != NULL ? batch->sizes[i] : batch->lines[i].len;
    add_bytes(arg, batch->stream.labels, batch->stream.id, bytes);
    return 0;
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct volume_run *run = arg;
    if (run->streams[slot].arena == NULL) {
        run->streams[slot].arena = cw_arena_new();
        cw_id_map_init(&run->streams[slot].map);
    }
    return cw_unit_read(run->query, &run->plan->scan, &run->plan->units.items[idx], add_batch, &run->streams[slot], err);
}

static bool is_target(const struct cw_volume_options *options, const struct cw_expr *expr, struct cw_str name)
{
    for (size_t i = 0; i < options->ntargets; i++)
        if (cw_str_eq(options->targets[i], name))
            return true;
    if (options->ntargets > 0)
        return false;
    if (options->by_label_names)
        return true;
    for (size_t i = 0; i < expr->selector.n; i++)
        if (cw_str_eq(expr->selector.items[i].name, name))
            return true;
    return false;
}

static void add_stream(const struct cw_volume_options *options, const struct cw_expr *expr, const struct cw_volume *stream,
                       struct sums *out)
{
    struct cw_label *items = CW_ARENA_ARRAY(out->arena, struct cw_label, stream->labels.n);
    size_t n = 0;
    for (size_t i = 0; i < stream->labels.n; i++) {
        if (!is_target(options, expr, stream->labels.items[i].name))
            continue;
        items[n] = stream->labels.items[i];
        if (options->by_label_names) {
            items[n].value = CW_STR_NONE;
            struct cw_labels one = {&items[n], 1};
            add_bytes(out, one, cw_labels_hash(one), stream->bytes);
        }
        n++;
    }
    struct cw_labels labels = {items, n};
    if (!options->by_label_names && n > 0)
        add_bytes(out, labels, cw_labels_hash(labels), stream->bytes);
}

static int by_bytes(const void *a, const void *b)
{
    const struct cw_volume *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return cw_labels_cmp(x->labels, y->labels);
}

int cw_volume_query(struct cw_query_context *query, const struct cw_expr *expr, const struct cw_volume_options *options,
                    struct cw_arena *arena, struct cw_volumes *out, struct cw_err *err)
{
    struct cw_plan plan;
    int rc = cw_plan_make(query, expr, options->start_ns, options->end_ns, CW_NEED_SIZES, false, &plan, err);
    if (rc < 0)
        return rc;
    unsigned nslots = cw_unit_run_slots(query);
    struct volume_run run = {.query = query, .plan = &plan, .streams = cw_mem_array(nslots, sizeof *run.streams)};
    rc = cw_unit_run(query, &plan, read_unit, &run, err);
    struct sums all = {.arena = arena};
    cw_id_map_init(&all.map);
    for (unsigned i = 0; i < nslots; i++) {
        struct sums *streams = &run.streams[i];
        for (size_t k = 0; rc == 0 && k < streams->n; k++)
            add_stream(options, expr, &streams->items[k], &all);
        cw_id_map_fini(&streams->map);
        cw_arena_free(&streams->arena);
    }
    cw_id_map_fini(&all.map);
    free(run.streams);
    cw_plan_fini(&plan);
    if (all.n > 1)
        qsort(all.items, all.n, sizeof *all.items, by_bytes);
    *out = (struct cw_volumes){all.items, all.n < options->limit ? all.n : options->limit};
    return rc;
}
