/* The part of stages.h that takes entries through the stages. */
#include "common/base/assert.h"
#include "common/pipeline/stage_priv.h"

/* ---- times ---- */

static size_t times_find(const struct cw_stage_times *times, uint64_t key)
{
    size_t i = 0;
    while (i < times->n && times->items[i].key != key)
        i++;
    return i;
}

/* To the front; of too many the one goes that was not met for longest. */
static void times_put(struct cw_stage_times *times, size_t *cap, struct cw_stage_time time,
                      struct cw_arena *arena)
{
    size_t i = times_find(times, time.key);
    if (i == times->n && i == CW_STAGE_TIMES_MAX)
        i--;
    if (i == times->n) {
        times->items =
            cw_arena_grow(arena, times->items, times->n, cap, times->n + 1, sizeof *times->items);
        times->n++;
    }
    memmove(times->items + 1, times->items, i * sizeof *times->items);
    times->items[0] = time;
}

static struct cw_stage_times times_copy(struct cw_stage_times times, size_t *cap,
                                        struct cw_arena *arena)
{
    struct cw_stage_times copy = {NULL, CW_MIN(times.n, (size_t)CW_STAGE_TIMES_MAX)};
    *cap = copy.n + 1;
    copy.items = CW_ARENA_ARRAY(arena, struct cw_stage_time, *cap);
    if (copy.n > 0)
        memcpy(copy.items, times.items, copy.n * sizeof *copy.items);
    return copy;
}

const struct cw_stage_time *cw_stage_time_find(const struct cw_stages_run *run, uint64_t key)
{
    size_t i = times_find(&run->times, key);
    return i < run->times.n ? &run->times.items[i] : NULL;
}

void cw_stage_time_put(struct cw_stages_run *run, const struct cw_stage_item *item,
                       struct cw_stage_time time)
{
    times_put(&run->times, &run->times_cap, time, run->options.arena);
    run->changes = cw_arena_grow(run->options.arena, run->changes, run->nchanges, &run->changes_cap,
                                 run->nchanges + 1, sizeof *run->changes);
    run->changes[run->nchanges++] = (struct cw_stage_time_change){item->entry.from, time};
}

struct cw_stage_times cw_stages_times(const struct cw_stages_run *run, uint64_t to)
{
    size_t i = 0, cap;
    while (i < run->nchanges && run->changes[i].from < to)
        i++;
    if (i == run->nchanges)
        return run->times;
    struct cw_stage_times times = times_copy(run->options.times, &cap, run->options.arena);
    for (i = 0; i < run->nchanges; i++)
        if (run->changes[i].from < to)
            times_put(&times, &cap, run->changes[i].time, run->options.arena);
    return times;
}

/* ---- entries ---- */

struct cw_stages_run *cw_stages_begin(struct cw_stages *stages,
                                      const struct cw_stages_run_options *options)
{
    struct cw_arena *arena = options->arena;
    struct cw_stages_run *run = CW_ARENA_NEW(arena, struct cw_stages_run);
    *run = (struct cw_stages_run){.stages = stages,
                                  .options = *options,
                                  .state = cw_arena_calloc(arena, 1, stages->run_bytes),
                                  .blocked_from = UINT64_MAX};
    run->slots = CW_ARENA_ARRAY(arena, struct cw_extracted, stages->nslots);
    if (stages->keeps_time)
        run->times = times_copy(options->times, &run->times_cap, arena);
    return run;
}

static void emit(struct cw_stages_run *run, struct cw_stage_item *item)
{
    run->options.emit(run->options.arg, &item->entry);
}

static void trace(const struct cw_stages_run *run, const struct cw_stage_node *node,
                  const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    run->options.trace(run->options.arg, node->depth, cw_str_of(node->name), before, after);
}

/* From the node `at` to the end of the road. */
static void go_on(struct cw_stages_run *run, size_t at, struct cw_stage_item *item)
{
    const struct cw_stages *stages = run->stages;
    while (at < stages->nnodes) {
        const struct cw_stage_node *node = &stages->nodes[at];
        struct cw_stage_item before;
        if (run->options.trace != NULL) {
            item->labels_cap = item->metadata_cap = 0; /* shared with `before` */
            before = *item;
        }
        enum cw_stage_end end = node->def->run(node, run, item);
        if (run->options.trace != NULL)
            trace(run, node, &before.entry, end == CW_STAGE_GONE ? NULL : &item->entry);
        if (end == CW_STAGE_GONE)
            return;
        at = end == CW_STAGE_PAST ? node->end : at + 1;
    }
    emit(run, item);
}

void cw_stage_pass(const struct cw_stage_node *node, struct cw_stages_run *run,
                   struct cw_stage_item *item)
{
    if (run->options.trace != NULL)
        trace(run, node, NULL, &item->entry);
    /* What was held may have been fed several times before it could be emitted. It came out the
     * first time when the entry that ends it was fed the first time, though the cut ended ahead. */
    item->entry.counting = run->counting && item->entry.from >= run->options.emitted_to;
    go_on(run, node->idx + 1, item);
}

void cw_stages_feed(struct cw_stages_run *run, const struct cw_stage_entry *entry)
{
    if (run->blocked_ns > 0)
        return;
    run->counting = entry->counting;
    struct cw_stage_item item;
    item.entry = *entry;
    item.entry.labels_changed = false;
    item.part = 0;
    item.fed = entry->labels;
    item.nfed = entry->nlabels;
    item.slots = run->slots;
    item.others = NULL;
    item.nothers = item.others_cap = item.labels_cap = item.metadata_cap = 0;
    memset(run->slots, 0, run->stages->nslots * sizeof *run->slots);
    go_on(run, 0, &item);
}

uint64_t cw_stages_unfinished(const struct cw_stages_run *run)
{
    const struct cw_stages *stages = run->stages;
    uint64_t from = run->blocked_from;
    for (size_t i = 0; i < stages->nnodes; i++) {
        const struct cw_stage_node *node = &stages->nodes[i];
        if (node->def->unfinished == NULL)
            continue;
        uint64_t held = node->def->unfinished(node, run);
        from = held < from ? held : from;
    }
    return from;
}

void cw_stages_flush(struct cw_stages_run *run)
{
    const struct cw_stages *stages = run->stages;
    run->counting = true;
    for (size_t i = 0; i < stages->nnodes; i++) {
        if (stages->nodes[i].def->flush != NULL)
            stages->nodes[i].def->flush(&stages->nodes[i], run);
    }
}

void cw_stages_flush_quiet(struct cw_stages_run *run)
{
    const struct cw_stages *stages = run->stages;
    run->counting = true;
    for (size_t i = 0; i < stages->nnodes; i++) {
        if (stages->nodes[i].def->flush_quiet != NULL)
            stages->nodes[i].def->flush_quiet(&stages->nodes[i], run);
    }
}

struct cw_stage_counts cw_stages_counts(const struct cw_stages_run *run)
{
    return run->counts;
}

int64_t cw_stages_blocked_ns(const struct cw_stages_run *run)
{
    return run->blocked_ns;
}

enum cw_stage_end cw_stage_drop(struct cw_stages_run *run, const struct cw_stage_item *item,
                                struct cw_str reason)
{
    if (run->options.dropped != NULL)
        run->options.dropped(run->options.arg, &item->entry, reason);
    return CW_STAGE_GONE;
}

struct cw_stage_item *cw_stage_keep(struct cw_stages_run *run, const struct cw_stage_item *item)
{
    size_t nslots = run->stages->nslots;
    struct cw_stage_item *kept = CW_ARENA_NEW(run->options.arena, struct cw_stage_item);
    *kept = *item;
    kept->slots = CW_ARENA_ARRAY(run->options.arena, struct cw_extracted, nslots);
    if (nslots > 0)
        memcpy(kept->slots, item->slots, nslots * sizeof *kept->slots);
    kept->others_cap = kept->labels_cap = kept->metadata_cap =
        0; /* shared: copied before a change */
    return kept;
}
