#include "querier/engine/volume.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/id_map.h"
#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"
#include "querier/engine/plan.h"
#include "querier/engine/unit_run.h"

/* Across all of int64: the distance of two times, and a time that far behind another. */
static uint64_t distance(int64_t from_ns, int64_t to_ns)
{
    return (uint64_t)to_ns - (uint64_t)from_ns;
}

void cw_volume_steps_init(struct cw_volume_steps *steps, int64_t start_ns, int64_t end_ns,
                          int64_t step_ns)
{
    int64_t rest = start_ns % step_ns;
    if (rest < 0)
        rest += step_ns;
    *steps = (struct cw_volume_steps){.step_ns = step_ns, .end_ns = end_ns};
    if (__builtin_sub_overflow(start_ns, rest, &steps->from_ns))
        steps->from_ns = INT64_MIN;
    if (end_ns > start_ns)
        steps->n = (size_t)((distance(steps->from_ns, end_ns) - 1) / (uint64_t)step_ns + 1);
}

int64_t cw_volume_steps_time(const struct cw_volume_steps *steps, size_t i)
{
    if (i + 1 == steps->n)
        return steps->end_ns;
    uint64_t end = (uint64_t)steps->from_ns + (i + 1) * (uint64_t)steps->step_ns;
    return (int64_t)end - CW_NS_PER_MS;
}

/* Sums under keys that are label sets. */
struct sums {
    struct cw_arena *arena;
    const struct cw_volume_steps *steps;
    struct cw_allowance *allowance; /* what the steps take; NULL: no bound */
    size_t taken;
    struct cw_id_map map;
    struct cw_volume *items;
    size_t n, cap;
};

struct volume_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    struct sums *streams; /* by slot: bytes of each stream */
    const struct cw_volume_steps *steps;
};

static int sums_take(struct sums *sums, size_t bytes, struct cw_err *err)
{
    int rc = cw_allowance_take(sums->allowance, bytes, err);
    if (rc == 0)
        sums->taken += bytes;
    return rc;
}

/* The sum under the key, made when it is new. */
static int find_sum(struct sums *sums, struct cw_labels labels, struct cw_hash128 id,
                    struct cw_volume **out, struct cw_err *err)
{
    bool added;
    size_t idx = cw_id_map_put(&sums->map, id, &added);
    if (added) {
        struct cw_volume volume = {.labels = cw_labels_dup(sums->arena, labels)};
        int rc = sums_take(sums, CW_ID_MAP_ENTRY_BYTES + 2 * sizeof volume, err);
        if (rc == 0)
            rc = cw_allowance_check(sums->allowance, sums->arena, err);
        if (rc < 0)
            return rc;
        if (sums->steps != NULL) {
            size_t bytes = sums->steps->n * sizeof *volume.steps;
            rc = sums_take(sums, bytes, err);
            if (rc < 0)
                return rc;
            volume.steps = CW_ARENA_ARRAY(sums->arena, uint64_t, sums->steps->n);
        }
        sums->items = cw_arena_grow(sums->arena, sums->items, sums->n, &sums->cap, sums->n + 1,
                                    sizeof *sums->items);
        sums->items[sums->n++] = volume;
    }
    *out = &sums->items[idx];
    return 0;
}

static void add_step(const struct cw_volume_steps *steps, struct cw_volume *volume, int64_t ts_ns,
                     uint64_t bytes)
{
    uint64_t step = distance(steps->from_ns, ts_ns) / (uint64_t)steps->step_ns;
    if (step < steps->n)
        volume->steps[step] += bytes;
}

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct sums *sums = arg;
    struct cw_volume *volume;
    int rc = find_sum(sums, batch->stream.labels, batch->stream.id, &volume, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < batch->n; i++) {
        uint64_t bytes = batch->sizes != NULL ? batch->sizes[i] : batch->lines[i].len;
        volume->bytes += bytes;
        if (sums->steps != NULL)
            add_step(sums->steps, volume, batch->ts_ns[i], bytes);
    }
    return 0;
}

static int add_volume(struct sums *sums, struct cw_labels labels, const struct cw_volume *from,
                      struct cw_err *err)
{
    struct cw_volume *volume;
    int rc = find_sum(sums, labels, cw_labels_hash(labels), &volume, err);
    if (rc < 0)
        return rc;
    volume->bytes += from->bytes;
    for (size_t i = 0; sums->steps != NULL && i < sums->steps->n; i++)
        volume->steps[i] += from->steps[i];
    return 0;
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct volume_run *run = arg;
    if (run->streams[slot].arena == NULL) {
        run->streams[slot].arena = cw_arena_new();
        run->streams[slot].steps = run->steps;
        run->streams[slot].allowance = &run->query->allowance;
        cw_id_map_init(&run->streams[slot].map);
    }
    return cw_unit_read(run->query, &run->plan->scan, &run->plan->units.items[idx], add_batch,
                        &run->streams[slot], err);
}

static bool is_target(const struct cw_volume_options *options, const struct cw_expr *expr,
                      struct cw_str name)
{
    if (options->ntargets > 0)
        return cw_str_among(name, options->targets, options->ntargets);
    if (options->by_label_names || expr->selector.n == 0)
        return true;
    for (size_t i = 0; i < expr->selector.n; i++)
        if (cw_str_eq(expr->selector.items[i].name, name))
            return true;
    return false;
}

static int add_stream(const struct cw_volume_options *options, const struct cw_expr *expr,
                      const struct cw_volume *stream, struct sums *out, struct cw_err *err)
{
    struct cw_label *items = CW_ARENA_ARRAY(out->arena, struct cw_label, stream->labels.n);
    size_t n = 0;
    for (size_t i = 0; i < stream->labels.n; i++) {
        if (!is_target(options, expr, stream->labels.items[i].name))
            continue;
        items[n] = stream->labels.items[i];
        if (options->by_label_names) {
            items[n].value = CW_STR_NONE;
            int rc = add_volume(out, (struct cw_labels){&items[n], 1}, stream, err);
            if (rc < 0)
                return rc;
        }
        n++;
    }
    if (options->by_label_names || n == 0)
        return 0;
    return add_volume(out, (struct cw_labels){items, n}, stream, err);
}

/* Sums of streams become sums of what was asked for. */
static int add_streams(const struct cw_volume_options *options, const struct cw_expr *expr,
                       const struct sums *streams, struct sums *out, struct cw_err *err)
{
    for (size_t i = 0; i < streams->n; i++) {
        int rc = cw_match_stop_check(err);
        if (rc == 0)
            rc = add_stream(options, expr, &streams->items[i], out, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void sums_fini(struct sums *sums)
{
    cw_allowance_give(sums->allowance, sums->taken);
    cw_id_map_fini(&sums->map);
}

static int by_bytes(const void *a, const void *b, void *arg)
{
    (void)arg;
    const struct cw_volume *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return cw_labels_cmp(x->labels, y->labels);
}

struct step_volume {
    size_t idx; /* among all */
    uint64_t bytes;
    struct cw_labels labels;
};

static int by_step_bytes(const void *a, const void *b, void *arg)
{
    (void)arg;
    const struct step_volume *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return cw_labels_cmp(x->labels, y->labels);
}

static int check_series(size_t n, const struct cw_volume_options *options, struct cw_err *err)
{
    if (n <= options->max_series)
        return 0;
    return cw_err_set(err, CW_E_LIMIT,
                      "the query hit the max number of series limit (limit: %zu series)",
                      options->max_series);
}

/* Loki asks for each piece on its own: each has its largest ones. */
static int limit_step(struct sums *sums, size_t step, const struct cw_volume_options *options,
                      struct step_volume *buf, struct cw_err *err)
{
    size_t n = 0, limit = options->limit;
    for (size_t i = 0; i < sums->n; i++)
        if (sums->items[i].steps[step] > 0)
            buf[n++] = (struct step_volume){i, sums->items[i].steps[step], sums->items[i].labels};
    int rc = check_series(n, options, err);
    if (rc < 0)
        return rc;
    rc = n > limit ? cw_stop_sort(buf, n, sizeof *buf, by_step_bytes, NULL, err)
                   : cw_match_stop_check(err);
    for (size_t i = limit; rc == 0 && i < n; i++)
        sums->items[buf[i].idx].steps[step] = 0;
    return rc;
}

static int limit_steps(struct sums *sums, const struct cw_volume_options *options,
                       struct cw_err *err)
{
    size_t nsteps = sums->steps->n, kept = 0, bytes = sums->n * sizeof(struct step_volume);
    int rc = cw_allowance_take(sums->allowance, bytes, err);
    if (rc < 0)
        return rc;
    struct step_volume *buf = cw_mem_array(CW_MAX(sums->n, (size_t)1), sizeof *buf);
    for (size_t step = 0; rc == 0 && step < nsteps; step++)
        rc = limit_step(sums, step, options, buf, err);
    free(buf);
    cw_allowance_give(sums->allowance, bytes);
    for (size_t i = 0; i < sums->n; i++) {
        struct cw_volume volume = sums->items[i];
        size_t first = 0;
        while (first < nsteps && volume.steps[first] == 0)
            first++;
        if (first == nsteps)
            continue;
        volume.bytes = volume.steps[first];
        sums->items[kept++] = volume;
    }
    sums->n = kept;
    return rc;
}

int cw_volume_query(struct cw_query_context *query, const struct cw_expr *expr,
                    const struct cw_volume_options *options, struct cw_arena *arena,
                    struct cw_volumes *out, struct cw_err *err)
{
    struct cw_plan plan;
    unsigned need = CW_NEED_SIZES | (options->steps != NULL ? CW_NEED_TIMES : 0);
    int rc = cw_plan_make(query, expr, options->start_ns, options->end_ns, need, false, &plan, err);
    if (rc < 0)
        return rc;
    unsigned nslots = cw_unit_run_slots(query);
    struct volume_run run = {.query = query, .plan = &plan, .steps = options->steps};
    run.streams = cw_mem_array(nslots, sizeof *run.streams);
    rc = cw_unit_run(query, &plan, read_unit, &run, err);
    struct sums all = {.arena = arena, .steps = options->steps, .allowance = &query->allowance};
    cw_id_map_init(&all.map);
    for (unsigned i = 0; i < nslots; i++) {
        if (rc == 0)
            rc = add_streams(options, expr, &run.streams[i], &all, err);
        sums_fini(&run.streams[i]);
        cw_arena_free(&run.streams[i].arena);
    }
    if (rc == 0)
        rc =
            all.steps != NULL ? limit_steps(&all, options, err) : check_series(all.n, options, err);
    sums_fini(&all);
    free(run.streams);
    cw_plan_fini(&plan);
    if (rc == 0)
        rc = cw_stop_sort(all.items, all.n, sizeof *all.items, by_bytes, NULL, err);
    bool all_kept = all.steps != NULL || all.n < options->limit;
    *out = (struct cw_volumes){all.items, all_kept ? all.n : options->limit};
    return rc;
}
