#include "querier/engine/log_gather.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "querier/engine/gather_set.h"
#include "querier/engine/unit_run.h"

struct cw_log_gather {
    struct cw_gather_rules rules;
    struct cw_allowance *allowance;
    size_t taken;
    struct cw_log_entry *entries;
    size_t n;
};

/* What one worker has: units come and go, this stays. */
struct gather_slot {
    struct cw_pipeline_run *run; /* NULL until there is work */
    struct cw_gather_set set;
};

struct gather_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    const struct cw_pipeline *pipeline;
    const struct cw_gather_rules *rules;
    struct gather_slot *slots;
    bool
        in_time_order; /* the best are those of the best times: others need not be read once there are enough */
    pthread_mutex_t lock;
    bool has_cut; /* under the lock: entries past it find no room */
    int64_t cut_ns;
};

/* One unit being read. */
struct gather_unit {
    struct gather_run *run;
    struct gather_slot *slot;
    int64_t cut_ns;
    struct cw_gathered item;
    struct cw_hash128 stream_id; /* of its origin */
};

/* ---- what is asked ---- */

/* May a stage from here on drop an entry? */
static bool may_drop(const struct cw_stage *stages)
{
    for (; stages != NULL; stages = stages->next)
        if (stages->kind == CW_STAGE_LINE_FILTER || stages->kind == CW_STAGE_LABEL_FILTER)
            return true;
    return false;
}

static struct cw_gather_rules rules_of(const struct cw_expr *expr, bool newest_first,
                                       size_t max_entries)
{
    struct cw_gather_rules rules = {.distinct = cw_stage_find(expr->stages, CW_STAGE_DISTINCT),
                                    .sort = cw_stage_find(expr->stages, CW_STAGE_SORT),
                                    .newest_first = newest_first,
                                    .max_entries = max_entries};
    if (rules.distinct == NULL)
        return rules;
    bool sorted_behind = cw_stage_find(rules.distinct, CW_STAGE_SORT) != NULL;
    rules.sorted_first = rules.sort != NULL && !sorted_behind;
    /* The worst of a full set is of no use for certain only if what takes its place stays. */
    if (sorted_behind || may_drop(rules.distinct))
        rules.max_entries = SIZE_MAX;
    return rules;
}

/* ---- reading ---- */

static bool is_past(const struct gather_run *run, int64_t ts_ns, int64_t cut_ns)
{
    return run->rules->newest_first ? ts_ns < cut_ns : ts_ns > cut_ns;
}

/* The set's own cut, and that of the others. */
static void move_cut(struct gather_unit *unit)
{
    struct gather_run *run = unit->run;
    const struct cw_log_entry *worst;
    bool full = run->in_time_order && cw_gather_set_full(&unit->slot->set, &worst);
    pthread_mutex_lock(&run->lock);
    if (full && (!run->has_cut || is_past(run, run->cut_ns, worst->ts_ns))) {
        run->has_cut = true;
        run->cut_ns = worst->ts_ns;
    }
    if (run->has_cut)
        unit->cut_ns = run->cut_ns;
    pthread_mutex_unlock(&run->lock);
}

static bool begin_stream(struct gather_unit *unit, const struct cw_stream_ref *stream)
{
    struct cw_log_entry *entry = &unit->item.entry;
    if (entry->origin != NULL && cw_hash128_eq(unit->stream_id, stream->id))
        return true;
    cw_log_origin_unref(&entry->origin);
    unit->stream_id = stream->id;
    entry->origin = cw_log_origin_new(stream->labels);
    return false;
}

/* An entry that was dropped behind `distinct` keeps its place, and nothing else. */
static int add_entry(struct gather_unit *unit, struct cw_str line, struct cw_labels metadata,
                     struct cw_err *err)
{
    struct cw_pipeline_run *run = unit->slot->run;
    struct cw_gathered item = unit->item;
    struct cw_log_entry *entry = &item.entry;
    entry->stream = entry->origin->labels;
    int rc = cw_pipeline_entry(run, entry->ts_ns, entry->stream, metadata, line, err);
    if (rc < 0 || (rc == 0 && !run->key.reached_distinct))
        return rc;
    item.key = run->key;
    item.dropped = rc == 0;
    if (!item.dropped) {
        struct cw_built_labels labels;
        cw_label_builder_sort(&run->builder, &labels);
        entry->line = run->line;
        entry->stream = labels.stream;
        entry->metadata = labels.metadata;
        entry->parsed = labels.parsed;
    }
    return cw_gather_set_add(&unit->slot->set, &item, err);
}

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct gather_unit *unit = arg;
    struct cw_log_entry *entry = &unit->item.entry;
    uint64_t line_bytes = 0;
    int rc = 0;
    bool same_stream = begin_stream(unit, &batch->stream);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        bool tied = (i > 0 || same_stream) && batch->ts_ns[i] == entry->ts_ns;
        entry->tie = tied ? entry->tie + 1 : 0;
        entry->ts_ns = batch->ts_ns[i];
        if (is_past(unit->run, entry->ts_ns, unit->cut_ns))
            break; /* and so is what comes behind it */
        line_bytes += batch->lines[i].len;
        rc = add_entry(unit, batch->lines[i],
                       batch->metadata != NULL ? batch->metadata[i] : CW_LABELS_NONE, err);
    }
    atomic_fetch_add_explicit(&unit->run->query->line_bytes, line_bytes, memory_order_relaxed);
    move_cut(unit);
    return rc;
}

static int read_unit(void *arg, unsigned slot_idx, size_t idx, struct cw_err *err)
{
    struct gather_run *run = arg;
    const struct cw_unit *unit = &run->plan->units.items[idx];
    struct gather_slot *slot = &run->slots[slot_idx];
    struct gather_unit state = {.run = run,
                                .slot = slot,
                                .cut_ns = run->rules->newest_first ? INT64_MIN : INT64_MAX,
                                .item.entry.unit = (uint32_t)idx};
    if (slot->run == NULL)
        slot->run = cw_pipeline_run_new(run->pipeline);
    move_cut(&state);
    if (is_past(run, run->rules->newest_first ? unit->max_ns : unit->min_ns, state.cut_ns))
        return 1; /* and so is every unit behind it */
    struct cw_scan scan = run->plan->scan;
    scan.cut_ns = &state.cut_ns;
    int rc = cw_unit_read(run->query, &scan, unit, add_batch, &state, err);
    cw_log_origin_unref(&state.item.entry.origin);
    return rc;
}

/* ---- the whole of it ---- */

static int finish(struct cw_log_gather *gather, struct cw_gather_set *set, size_t max_entries,
                  struct cw_err *err)
{
    int rc = cw_gather_set_take(set, &gather->entries, &gather->n, err);
    if (rc < 0)
        return rc;
    gather->taken = set->taken;
    set->taken = 0;
    while (gather->n > max_entries)
        cw_log_entry_fini(&gather->entries[--gather->n]);
    return 0;
}

static int join(struct cw_log_gather *gather, struct gather_slot *slots, unsigned nslots,
                size_t max_entries, struct cw_err *err)
{
    int rc = 0;
    for (unsigned i = 1; rc == 0 && i < nslots; i++)
        rc = cw_gather_set_merge(&slots[0].set, &slots[i].set, err);
    return rc == 0 ? finish(gather, &slots[0].set, max_entries, err) : rc;
}

int cw_log_gather_run(struct cw_query_context *query, const struct cw_expr *expr,
                      const struct cw_plan *plan, const struct cw_pipeline *pipeline,
                      size_t max_entries, struct cw_log_gather **out, struct cw_err *err)
{
    struct cw_log_gather *gather = cw_mem_new(sizeof *gather);
    unsigned nslots = cw_unit_run_slots(query);
    gather->rules = rules_of(expr, plan->scan.newest_first, max_entries);
    gather->allowance = &query->allowance;
    struct gather_run run = {
        .query = query,
        .plan = plan,
        .pipeline = pipeline,
        .rules = &gather->rules,
        .slots = cw_mem_array(nslots, sizeof *run.slots),
        .in_time_order = gather->rules.sort == NULL,
    };
    pthread_mutex_init(&run.lock, NULL);
    for (unsigned i = 0; i < nslots; i++)
        cw_gather_set_init(&run.slots[i].set, &gather->rules, &query->allowance);
    int rc = cw_unit_run(query, plan, read_unit, &run, err);
    if (rc == 0)
        rc = join(gather, run.slots, nslots, max_entries, err);
    for (unsigned i = 0; i < nslots; i++) {
        cw_gather_set_fini(&run.slots[i].set);
        cw_pipeline_run_free(&run.slots[i].run);
    }
    free(run.slots);
    pthread_mutex_destroy(&run.lock);
    if (rc < 0)
        cw_log_gather_free(&gather);
    else
        *out = gather;
    return rc;
}

void cw_log_gather_free(struct cw_log_gather **gather)
{
    if (*gather == NULL)
        return;
    for (size_t i = 0; i < (*gather)->n; i++)
        cw_log_entry_fini(&(*gather)->entries[i]);
    free((*gather)->entries);
    cw_allowance_give((*gather)->allowance, (*gather)->taken);
    free(*gather);
    *gather = NULL;
}

const struct cw_log_entry *cw_log_gather_entries(const struct cw_log_gather *gather, size_t *n_out)
{
    *n_out = gather->n;
    return gather->entries;
}
