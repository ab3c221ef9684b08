#include "common/pipeline/stage_joins.h"

struct cw_stage_join *cw_stage_joins_find(const struct cw_stage_joins *joins,
                                          const struct cw_stage_item *item)
{
    struct cw_labels labels = {item->entry.labels, item->entry.nlabels};
    for (size_t i = 0; i < joins->n; i++) {
        const struct cw_stage_entry *first = &joins->items[i].item->entry;
        if (cw_labels_eq((struct cw_labels){first->labels, first->nlabels}, labels))
            return &joins->items[i];
    }
    return NULL;
}

struct cw_stage_join *cw_stage_joins_add(struct cw_stage_joins *joins, struct cw_stages_run *run,
                                         const struct cw_stage_item *item)
{
    joins->items = cw_arena_grow(run->options.arena, joins->items, joins->n, &joins->cap,
                                 joins->n + 1, sizeof *joins->items);
    struct cw_stage_join *join = &joins->items[joins->n++];
    *join = (struct cw_stage_join){.item = cw_stage_keep(run, item)};
    return join;
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
    joins->n = 0;
    for (size_t i = 0; i < n; i++)
        cw_stage_join_pass(&joins->items[i], node, run);
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
