#include "shipper/targets.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "common/base/log.h"

static const char *const stream_names[CW_SOURCE_STREAMS] = {"stdout", "stderr"};

enum { COMPACT_MIN = 64 };

struct group {
    struct cw_target **items; /* NULL: it is gone */
    size_t n;
    bool put;    /* since _begin() */
    bool failed; /* told */
};

struct cw_targets {
    struct cw_sources *sources;
    const struct cw_scrape *scrape;
    enum cw_targets_gone gone;
    struct cw_arena *scratch;
    struct cw_id_map ids; /* hash of a group's name: its number */
    struct group *groups; /* by number */
    size_t groups_cap, nlive;
    bool changed;
};

/* ---- labels and files ---- */

struct cw_labels cw_labels_from_map(const struct cw_config_map *map)
{
    struct cw_label *pairs = cw_mem_array(map->n + 1, sizeof *pairs);
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++)
        if (!cw_str_starts(map->items[i].name, CW_STR("__")))
            pairs[n++] = (struct cw_label){map->items[i].name, map->items[i].value};
    struct cw_labels labels;
    int rc = cw_labels_from_pairs(pairs, n, &labels, NULL);
    CW_ASSERT(rc == 0); /* a map's names are unique */
    labels = cw_labels_dup_heap(labels);
    free(pairs);
    return labels;
}

/* ---- one found thing ---- */

int cw_found_relabel(const struct cw_scrape *scrape, const struct cw_found *found, int stream,
                     struct cw_arena *arena, struct cw_target_labels *out, struct cw_err *err)
{
    *out = cw_target_labels_copy(&found->labels, arena);
    if (stream >= 0) {
        struct cw_str name = cw_str_of(stream_names[stream]);
        cw_target_labels_set(out, CW_STR("__meta_docker_container_log_stream"), name);
        if (cw_relabel_empty(scrape->relabel))
            cw_target_labels_add(out, CW_STR("stream"), name);
    }
    int rc = cw_relabel_apply(scrape->relabel, out, err);
    struct cw_str host = rc > 0 ? cw_target_labels_get(out, CW_STR("__host__")) : CW_STR_NONE;
    return host.len > 0 && !cw_str_eqz(host, scrape->host) ? 0 : rc;
}

int cw_found_stages(const struct cw_scrape *scrape, const struct cw_found *found,
                    struct cw_stages **out, struct cw_err *err)
{
    *out = scrape->stages;
    if (found->pipeline.len == 0 || cw_pipelines_find(scrape->pipelines, found->pipeline, out))
        return 0;
    return cw_err_set(err, CW_E_INVALID, "it asks for the pipeline \"%.*s\", which there is not",
                      CW_STR_ARG(found->pipeline));
}

/* A container's file, and those that were rotated away before the container was found: .1, .2, ... (Compressed ones are found from
 * the first.) */
static int container_files(struct cw_target *target, struct cw_str path, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, 2 * CW_GLOB_PATTERN_BYTES);
    cw_glob_escape(path, &text);
    cw_buf_addz(&text, "{,.[0-9],.[0-9][0-9]}");
    int rc = cw_glob_compile(cw_buf_str(&text), &target->glob, err);
    cw_buf_fini(&text);
    return rc;
}

static int files_set(struct cw_target *target, const struct cw_found *found,
                     const struct cw_target_labels *labels, struct cw_err *err)
{
    struct cw_str pattern = cw_target_labels_get(labels, CW_STR("__path__"));
    struct cw_str exclude = cw_target_labels_get(labels, CW_STR("__path_exclude__"));
    if (found->path.len > 0) {
        target->path = cw_str_dupz(found->path);
        return container_files(target, found->path, err);
    }
    if (pattern.len == 0)
        return cw_err_set(err, CW_E_INVALID, "it has no label __path__: which files to read");
    target->path = cw_str_dupz(pattern);
    target->is_pattern = true;
    target->add_filename = true;
    int rc = cw_glob_compile(pattern, &target->glob, err);
    if (rc == 0 && exclude.len > 0) {
        target->exclude_path = cw_str_dupz(exclude);
        rc = cw_glob_compile(exclude, &target->exclude, err);
    }
    return rc;
}

/* 1: *out is the target; 0: a rule drops it, or it is another machine's. */
static int target_make(const struct cw_targets *targets, const struct cw_found *found,
                       struct cw_target **out, struct cw_err *err)
{
    unsigned nstreams = cw_source_format_streams(found->format), nkept = 0;
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_target_labels labels, first = {0};
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && i < nstreams; i++) {
        rc = cw_found_relabel(targets->scrape, found, nstreams > 1 ? (int)i : -1, targets->scratch,
                              &labels, err);
        target->off[i] = rc == 0;
        if (rc <= 0)
            continue;
        target->labels[i] = cw_labels_dup_heap(cw_target_labels_public(&labels));
        if (nkept++ == 0)
            first = labels;
    }
    if (rc >= 0 && nkept > 0) {
        struct cw_str name = found->name.len > 0 ? found->name : targets->scrape->config->job_name;
        struct cw_str tenant = cw_target_labels_get(&first, CW_STR("__tenant_id__"));
        target->name = cw_str_dupz(name);
        target->tenant = tenant.len > 0 ? cw_str_dupz(tenant) : NULL;
        target->format = found->format;
        target->encoding = targets->scrape->encoding;
        target->unpack = targets->scrape->config->decompression.enabled;
        target->unpack_delay_ns = targets->scrape->config->decompression.initial_delay_ns;
        target->unpack_format = targets->scrape->unpack_format;
        target->named = targets->scrape->config->named;
        target->ends_removed = targets->gone == CW_TARGETS_END_THERE;
        rc = files_set(target, found, &first, err);
        if (rc == 0)
            rc = cw_found_stages(targets->scrape, found, &target->stages, err);
    }
    if (rc < 0 || nkept == 0)
        cw_target_free(&target);
    *out = target;
    return rc < 0 ? rc : nkept > 0;
}

/* ---- groups ---- */

struct cw_targets *cw_targets_new(struct cw_sources *sources, const struct cw_scrape *scrape,
                                  enum cw_targets_gone gone)
{
    struct cw_targets *targets = cw_mem_new(sizeof *targets);
    targets->sources = sources;
    targets->scrape = scrape;
    targets->gone = gone;
    targets->scratch = cw_arena_new();
    cw_id_map_init(&targets->ids);
    return targets;
}

void cw_targets_free(struct cw_targets **targets)
{
    struct cw_targets *t = *targets;
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->ids.n; i++)
        free(t->groups[i].items);
    free(t->groups);
    cw_id_map_fini(&t->ids);
    cw_arena_free(&t->scratch);
    free(t);
    *targets = NULL;
}

/* Groups come and go for months: once most of them are gone, their numbers are given anew. */
static void groups_compact(struct cw_targets *targets)
{
    struct cw_id_map ids;
    bool added;
    cw_id_map_init(&ids);
    for (size_t i = 0; i < targets->ids.n; i++)
        if (targets->groups[i].items != NULL)
            targets->groups[cw_id_map_put(&ids, targets->ids.ids[i], &added)] = targets->groups[i];
    cw_id_map_fini(&targets->ids);
    targets->ids = ids;
}

static struct group *group_find(struct cw_targets *targets, struct cw_str name)
{
    size_t at;
    if (!cw_id_map_find(&targets->ids, cw_hash128(name.ptr, name.len), &at) ||
        targets->groups[at].items == NULL)
        return NULL;
    return &targets->groups[at];
}

static struct group *group_make(struct cw_targets *targets, struct cw_str name)
{
    struct group *group = group_find(targets, name);
    bool added;
    if (group != NULL)
        return group;
    if (targets->ids.n >= COMPACT_MIN && targets->nlive < targets->ids.n / 2)
        groups_compact(targets);
    size_t at = cw_id_map_put(&targets->ids, cw_hash128(name.ptr, name.len), &added);
    if (at >= targets->groups_cap) {
        targets->groups_cap = CW_MAX(COMPACT_MIN, 2 * targets->groups_cap);
        targets->groups =
            cw_mem_resize(targets->groups, targets->groups_cap * sizeof *targets->groups);
    }
    targets->groups[at] = (struct group){.items = cw_mem_array(1, sizeof(struct cw_target *))};
    targets->nlive++;
    return &targets->groups[at];
}

static bool same_files(const struct cw_target *a, const struct cw_target *b)
{
    return a->format == b->format && a->is_pattern == b->is_pattern &&
           strcmp(a->path, b->path) == 0 &&
           strcmp(a->exclude_path ? a->exclude_path : "", b->exclude_path ? b->exclude_path : "") ==
               0;
}

static bool same_entries(const struct cw_target *a, const struct cw_target *b)
{
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        if (a->off[i] != b->off[i] || !cw_labels_eq(a->labels[i], b->labels[i]))
            return false;
    return a->stages == b->stages && a->encoding == b->encoding && a->unpack == b->unpack &&
           a->unpack_delay_ns == b->unpack_delay_ns &&
           strcmp(a->tenant ? a->tenant : "", b->tenant ? b->tenant : "") == 0;
}

static struct cw_target **files_find(struct cw_target **items, size_t n,
                                     const struct cw_target *target)
{
    for (size_t i = 0; i < n; i++)
        if (items[i] != NULL && same_files(items[i], target))
            return &items[i];
    return NULL;
}

static void targets_drop(struct cw_targets *targets, struct cw_target **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (items[i] != NULL) {
            cw_sources_target_remove(targets->sources, items[i]);
            targets->changed = true;
        }
}

/* Puts `fresh` in the place of what the group has for these files. Returns the target that is in the table. */
static struct cw_target *target_settle(struct cw_targets *targets, struct group *group,
                                       struct cw_target *fresh)
{
    struct cw_target **old = files_find(group->items, group->n, fresh), *kept;
    if (old == NULL) {
        cw_sources_target_add(targets->sources, fresh);
        targets->changed = true;
        return fresh;
    }
    kept = *old;
    *old = NULL;
    if (same_entries(kept, fresh))
        cw_target_free(&fresh);
    else
        cw_sources_target_update(targets->sources, kept, &fresh);
    return kept;
}

void cw_targets_put(struct cw_targets *targets, struct cw_str group_name, struct cw_found *found,
                    size_t nfound)
{
    struct group *group = group_make(targets, group_name);
    struct cw_target **items = cw_mem_array(nfound + 1, sizeof *items);
    size_t n = 0;
    group->put = true;
    for (size_t i = 0; i < nfound; i++) {
        struct cw_target *target;
        struct cw_err err = {0};
        int rc = target_make(targets, &found[i], &target, &err);
        if (rc < 0 && !group->failed) {
            cw_log_warn("%.*s: target %.*s: %s", CW_STR_ARG(targets->scrape->config->job_name),
                        CW_STR_ARG(found[i].name.len ? found[i].name : group_name), err.text);
            group->failed = true;
        }
        if (rc == 1 && files_find(items, n, target) == NULL)
            items[n++] = target_settle(targets, group, target);
        else
            cw_target_free(&target);
    }
    targets_drop(targets, group->items, group->n);
    free(group->items);
    group->items = items;
    group->n = n;
    cw_arena_reset(targets->scratch);
}

static void group_forget(struct cw_targets *targets, struct group *group)
{
    targets_drop(targets, group->items, group->n);
    free(group->items);
    *group = (struct group){.n = 0};
    targets->nlive--;
}

void cw_targets_remove(struct cw_targets *targets, struct cw_str group_name)
{
    struct group *group = group_find(targets, group_name);
    if (group != NULL)
        group_forget(targets, group);
}

void cw_targets_begin(struct cw_targets *targets)
{
    for (size_t i = 0; i < targets->ids.n; i++)
        targets->groups[i].put = false;
}

bool cw_targets_keep(struct cw_targets *targets, struct cw_str group_name)
{
    struct group *group = group_find(targets, group_name);
    if (group != NULL)
        group->put = true;
    return group != NULL;
}

void cw_targets_sweep(struct cw_targets *targets)
{
    for (size_t i = 0; i < targets->ids.n; i++)
        if (targets->groups[i].items != NULL && !targets->groups[i].put)
            group_forget(targets, &targets->groups[i]);
}

bool cw_targets_changed(struct cw_targets *targets)
{
    bool changed = targets->changed;
    targets->changed = false;
    return changed;
}
