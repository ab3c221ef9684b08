#include "querier/engine/log_group.h"

#include "common/base/id_map.h"
#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_label *)a)->name, ((const struct cw_label *)b)->name);
}

struct cw_labels cw_log_metadata(struct cw_labels stream, struct cw_labels metadata,
                                 struct cw_arena *arena)
{
    size_t nclashes = 0;
    for (size_t i = 0; i < metadata.n; i++)
        nclashes += cw_labels_has(stream, metadata.items[i].name);
    if (nclashes == 0)
        return metadata;
    struct cw_label *items = CW_ARENA_ARRAY(arena, struct cw_label, metadata.n);
    size_t n = 0;
    for (size_t i = 0; i < metadata.n; i++) {
        struct cw_label item = metadata.items[i];
        if (cw_labels_has(stream, item.name)) {
            item.name = cw_arena_printf(arena, "%.*s_extracted", CW_STR_ARG(item.name));
            /* The entry has that name of its own, or the stream has: the first one wins. */
            if (cw_labels_has(metadata, item.name) || cw_labels_has(stream, item.name))
                continue;
        }
        items[n++] = item;
    }
    cw_label_pairs_sort(items, n);
    return (struct cw_labels){items, n};
}

struct cw_labels cw_log_labels(struct cw_labels stream, struct cw_labels metadata,
                               struct cw_arena *arena)
{
    if (metadata.n == 0)
        return stream;
    struct cw_labels extra = cw_log_metadata(stream, metadata, arena);
    struct cw_label *items = CW_ARENA_ARRAY(arena, struct cw_label, stream.n + extra.n);
    size_t i = 0, k = 0, n = 0;
    while (i < stream.n || k < extra.n) {
        bool from_stream =
            k == extra.n || (i < stream.n && by_name(&stream.items[i], &extra.items[k]) < 0);
        items[n++] = from_stream ? stream.items[i++] : extra.items[k++];
    }
    return (struct cw_labels){items, n};
}

struct cw_labels cw_log_all_labels(const struct cw_log_entry *entry, struct cw_arena *arena)
{
    struct cw_labels labels = cw_log_labels(entry->stream, entry->metadata, arena);
    if (entry->parsed.n == 0)
        return labels;
    struct cw_label *items = CW_ARENA_ARRAY(arena, struct cw_label, labels.n + entry->parsed.n);
    size_t i = 0, k = 0, n = 0;
    while (i < labels.n || k < entry->parsed.n) {
        bool parsed = i == labels.n || (k < entry->parsed.n &&
                                        by_name(&entry->parsed.items[k], &labels.items[i]) < 0);
        items[n++] = parsed ? entry->parsed.items[k++] : labels.items[i++];
    }
    return (struct cw_labels){items, n};
}

static int by_labels(const void *a, const void *b, void *arg)
{
    (void)arg;
    return cw_labels_cmp(((const struct cw_log_group *)a)->labels,
                         ((const struct cw_log_group *)b)->labels);
}

static struct cw_labels labels_of(const struct cw_log_entry *entry, bool categorised,
                                  struct cw_arena *arena)
{
    return categorised ? entry->stream : cw_log_all_labels(entry, arena);
}

static void add_entry(struct cw_log_group *group, const struct cw_log_entry *entry,
                      struct cw_arena *arena)
{
    group->entries = cw_arena_grow(arena, group->entries, group->n, &group->cap, group->n + 1,
                                   sizeof *group->entries);
    group->entries[group->n++] = entry;
}

void cw_log_group_runs(const struct cw_log_entry *const *entries, size_t n, bool categorised,
                       struct cw_arena *arena, struct cw_log_groups *out)
{
    struct cw_log_group *groups = NULL;
    size_t ngroups = 0, cap = 0;
    for (size_t i = 0; i < n && !cw_match_stop_raised(); i++) {
        struct cw_labels labels = labels_of(entries[i], categorised, arena);
        if (ngroups == 0 || !cw_labels_eq(groups[ngroups - 1].labels, labels)) {
            groups = cw_arena_grow(arena, groups, ngroups, &cap, ngroups + 1, sizeof *groups);
            groups[ngroups++] = (struct cw_log_group){.labels = labels};
        }
        add_entry(&groups[ngroups - 1], entries[i], arena);
    }
    *out = (struct cw_log_groups){groups, ngroups};
}

void cw_log_group(const struct cw_log_entry *const *entries, size_t n, bool categorised,
                  struct cw_arena *arena, struct cw_log_groups *out)
{
    struct cw_id_map map;
    cw_id_map_init(&map);
    struct cw_log_group *groups = NULL;
    size_t ngroups = 0, cap = 0;
    for (size_t i = 0; i < n && !cw_match_stop_raised(); i++) {
        const struct cw_log_entry *entry = entries[i];
        struct cw_labels labels = labels_of(entry, categorised, arena);
        bool added;
        size_t idx = cw_id_map_put(&map, cw_labels_hash(labels), &added);
        if (added) {
            groups = cw_arena_grow(arena, groups, ngroups, &cap, ngroups + 1, sizeof *groups);
            groups[ngroups++] = (struct cw_log_group){.labels = labels};
        }
        add_entry(&groups[idx], entry, arena);
    }
    cw_id_map_fini(&map);
    struct cw_err err;
    if (cw_stop_sort(groups, ngroups, sizeof *groups, by_labels, NULL, &err) < 0)
        ngroups = 0;
    *out = (struct cw_log_groups){groups, ngroups};
}
