#include "querier/engine/grouping.h"

/* The labels whose name is (keep) or is not (!keep) among the names. */
static struct cw_labels select_names(struct cw_labels labels, const struct cw_str *names,
                                     size_t nnames, bool keep, struct cw_arena *arena)
{
    struct cw_label *items = cw_arena_alloc(arena, labels.n * sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < labels.n; i++)
        if (cw_str_among(labels.items[i].name, names, nnames) == keep)
            items[n++] = labels.items[i];
    return (struct cw_labels){items, n};
}

struct cw_labels cw_grouping_apply(const struct cw_grouping *grouping, struct cw_labels labels,
                                   struct cw_arena *arena)
{
    return select_names(labels, grouping->names, grouping->n, grouping->kind != CW_GROUP_WITHOUT,
                        arena);
}

struct cw_labels cw_grouping_full(struct cw_labels labels, struct cw_arena *arena)
{
    struct cw_label *items = cw_arena_alloc(arena, labels.n * sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < labels.n; i++)
        if (labels.items[i].value.len > 0)
            items[n++] = labels.items[i];
    return n == labels.n ? labels : (struct cw_labels){items, n};
}

struct cw_labels cw_grouping_samples(const struct cw_grouping *grouping, struct cw_labels labels,
                                     struct cw_arena *arena)
{
    labels = cw_grouping_apply(grouping, labels, arena);
    return grouping->kind == CW_GROUP_WITHOUT ? cw_grouping_full(labels, arena) : labels;
}

struct cw_labels cw_grouping_match(const struct cw_binary_modifier *modifier,
                                   struct cw_labels labels, struct cw_arena *arena)
{
    if (modifier->has_matching)
        labels = select_names(labels, modifier->labels, modifier->nlabels, modifier->on, arena);
    return cw_grouping_full(labels, arena);
}
