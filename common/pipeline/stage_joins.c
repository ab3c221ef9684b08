#include "common/pipeline/stage_joins.h"

enum { BUCKETS_MIN = 16 };

static void item_link(struct cw_stage_joins *joins, size_t idx)
{
    size_t *bucket = &joins->buckets[joins->items[idx].hash & (joins->nbuckets - 1)];
    joins->items[idx].next = *bucket;
    *bucket = idx + 1;
}

static void buckets_fill(struct cw_stage_joins *joins)
{
    memset(joins->buckets, 0, joins->nbuckets * sizeof *joins->buckets);
    for (size_t i = 0; i < joins->n; i++)
        item_link(joins, i);
}

static struct cw_labels labels_of(const struct cw_stage_item *item)
{
    return (struct cw_labels){item->entry.labels, item->entry.nlabels};
}

struct cw_stage_join *cw_stage_joins_find(const struct cw_stage_joins *joins,
                                          const struct cw_stage_item *item)
{
    if (joins->n == 0)
        return NULL;
    struct cw_labels labels = labels_of(item);
    uint64_t hash = cw_labels_hash(labels).lo;
    size_t at = joins->buckets[hash & (joins->nbuckets - 1)];
    for (; at > 0; at = joins->items[at - 1].next) {
        struct cw_stage_join *join = &joins->items[at - 1];
        if (join->hash == hash && cw_labels_eq(labels_of(join->item), labels))
            return join;
    }
    return NULL;
}

struct cw_stage_join *cw_stage_joins_add(struct cw_stage_joins *joins, struct cw_stages_run *run,
                                         const struct cw_stage_item *item)
{
    joins->items = cw_arena_grow(run->options.arena, joins->items, joins->n, &joins->cap,
                                 joins->n + 1, sizeof *joins->items);
    joins->items[joins->n++] = (struct cw_stage_join){.item = cw_stage_keep(run, item),
                                                      .hash = cw_labels_hash(labels_of(item)).lo};
    if (joins->n > joins->nbuckets) {
        joins->nbuckets = joins->nbuckets > 0 ? 2 * joins->nbuckets : BUCKETS_MIN;
        joins->buckets = CW_ARENA_ARRAY(run->options.arena, size_t, joins->nbuckets);
        buckets_fill(joins);
    } else {
        item_link(joins, joins->n - 1);
    }
    return &joins->items[joins->n - 1];
}

void cw_stage_join_restart(struct cw_stage_join *join, struct cw_stage_item *item)
{
    *join = (struct cw_stage_join){
        .item = item, .extra = join->extra, .hash = join->hash, .next = join->next};
}

void cw_stage_joins_remove(struct cw_stage_joins *joins, struct cw_stage_join *join)
{
    *join = joins->items[--joins->n];
    buckets_fill(joins);
}

void cw_stage_join_append(struct cw_stage_join *join, struct cw_stages_run *run,
                          const struct cw_stage_entry *entry, struct cw_str separator,
                          struct cw_str text)
{
    struct cw_str pieces[] = {join->nlines > 0 ? separator : CW_STR(""), text};
    join->text = cw_arena_grow(run->options.arena, join->text, join->len, &join->cap,
                               join->len + separator.len + text.len, 1);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (pieces[i].len > 0)
            memcpy(join->text + join->len, pieces[i].ptr, pieces[i].len);
        join->len += pieces[i].len;
    }
    run->counts.joined += join->nlines > 0 && entry->counting;
    join->nlines++;
    join->item->entry.to = entry->to;
    join->item->entry.redacted |= entry->redacted;
}

void cw_stage_join_pass(const struct cw_stage_join *join, const struct cw_stage_node *node,
                        struct cw_stages_run *run)
{
    struct cw_stage_item *item = join->item;
    item->entry.line = cw_stage_join_text(join);
    cw_stage_pass(node, run, item);
}

void cw_stage_joins_flush(const struct cw_stage_node *node, struct cw_stages_run *run)
{
    struct cw_stage_joins *joins = cw_stage_run_state(node, run);
    size_t n = joins->n;
    if (n == 0)
        return;
    joins->n = 0;
    buckets_fill(joins);
    for (size_t i = 0; i < n; i++)
        cw_stage_join_pass(&joins->items[i], node, run);
}

void cw_stage_joins_flush_quiet(const struct cw_stage_node *node, struct cw_stages_run *run)
{
    struct cw_stage_joins *joins = cw_stage_run_state(node, run);
    const struct cw_stages_run_options *options = &run->options;
    for (size_t i = 0; i < joins->n;) {
        const struct cw_stage_join join = joins->items[i];
        if (options->now_ns - options->seen_ns(options->arg, join.item->entry.to) < node->wait_ns) {
            i++;
            continue;
        }
        cw_stage_joins_remove(joins, &joins->items[i]);
        cw_stage_join_pass(&join, node, run);
    }
}

uint64_t cw_stage_joins_unfinished(const struct cw_stage_node *node,
                                   const struct cw_stages_run *run)
{
    const struct cw_stage_joins *joins = cw_stage_run_state(node, run);
    uint64_t from = UINT64_MAX;
    for (size_t i = 0; i < joins->n; i++) {
        uint64_t begins = joins->items[i].item->entry.from;
        from = begins < from ? begins : from;
    }
    return from;
}
