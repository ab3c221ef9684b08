#include "querier/engine/log_context.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "querier/engine/log_query.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/plan.h"

enum {
    /* Enough that blocks which overlap in time are read few times. */
    PAGE_ENTRIES = 32768,
    PAGE_BYTES = 8 << 20,
};

/* A stream with matches, and when the first and the last of them is. */
struct hit_stream {
    struct cw_labels labels;
    int64_t first_ns, last_ns;
};

struct context_run {
    struct cw_query_context *query;
    const struct cw_log_context_scope *scope;
    struct cw_arena *arena; /* the query without its last stage, and streams */
    struct cw_expr *matching;
    size_t before, after;
    struct cw_id_map by_labels;
    struct hit_stream *hits;
    size_t nhits, cap;
    const struct cw_line_filter **filters;
    size_t nfilters;
    struct cw_pipeline *pipeline;
    struct cw_pipeline_run *pipeline_run;
    struct cw_log_top *out;
};

/* One stream's entries as they go by in time order. */
struct stream_walk {
    struct context_run *run;
    const struct hit_stream *hit;
    struct cw_log_entry
        *ring; /* copies of the last ones that are not in the answer, `before` of them at most */
    size_t nring, next;
    size_t after_left; /* entries that still stand behind a match */
};

/* ---- the matches ---- */

struct cw_expr *cw_log_context_matching(const struct cw_expr *expr, struct cw_arena *arena)
{
    struct cw_expr *copy = CW_ARENA_NEW(arena, struct cw_expr);
    struct cw_stage **tail = &copy->stages;
    *copy = *expr;
    copy->stages = NULL;
    for (const struct cw_stage *stage = expr->stages; stage->kind != CW_STAGE_CONTEXT;
         stage = stage->next) {
        *tail = CW_ARENA_NEW(arena, struct cw_stage);
        **tail = *stage;
        (*tail)->next = NULL;
        tail = &(*tail)->next;
    }
    return copy;
}

static int note_match(struct context_run *run, const struct cw_log_entry *entry, struct cw_err *err)
{
    struct cw_labels labels = entry->origin->labels;
    bool added;
    size_t idx = cw_id_map_put(&run->by_labels, cw_labels_hash(labels), &added);
    if (added) {
        int rc = cw_allowance_check(&run->query->allowance, run->arena, err);
        if (rc < 0)
            return rc;
        run->hits = cw_arena_grow(run->arena, run->hits, run->nhits, &run->cap, run->nhits + 1,
                                  sizeof *run->hits);
        run->hits[run->nhits++] =
            (struct hit_stream){cw_labels_dup(run->arena, labels), entry->ts_ns, entry->ts_ns};
    }
    struct hit_stream *hit = &run->hits[idx];
    hit->first_ns = CW_MIN(hit->first_ns, entry->ts_ns);
    hit->last_ns = CW_MAX(hit->last_ns, entry->ts_ns);
    return 0;
}

static int find_matches(struct context_run *run, struct cw_err *err)
{
    const struct cw_log_context_scope *scope = run->scope;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    size_t left = scope->max_entries;
    int rc = cw_log_query_open(run->query, run->matching, scope->start_ns, scope->end_ns,
                               scope->newest_first, &log_query, err);
    while (rc == 0 && !page.last && left > 0) {
        rc = cw_log_query_page(log_query, CW_MIN(left, (size_t)PAGE_ENTRIES), PAGE_BYTES, &page,
                               err);
        for (size_t i = 0; rc == 0 && i < page.n; i++)
            rc = note_match(run, &page.entries[i], err);
        left -= rc == 0 ? page.n : 0;
    }
    cw_log_query_close(&log_query);
    return rc;
}

/* ---- entries of one stream ---- */

/* Into the answer, with the label that tells what it is. */
static int add_context(struct context_run *run, const struct cw_log_entry *entry, const char *place,
                       struct cw_err *err)
{
    struct cw_log_entry marked = *entry;
    struct cw_label label = {CW_STR("context"), cw_str_of(place)};
    if (cw_labels_has(entry->stream, label.name) || cw_labels_has(entry->metadata, label.name))
        label.name = CW_STR("context_extracted");
    marked.parsed = (struct cw_labels){&label, 1};
    return cw_log_top_add(run->out, &marked, err);
}

static int flush_ring(struct stream_walk *walk, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < walk->nring; i++) {
        if (rc == 0)
            rc = add_context(walk->run, &walk->ring[i], "before", err);
        cw_log_entry_fini(&walk->ring[i]);
    }
    walk->nring = walk->next = 0;
    return rc;
}

/* It may stand before a match. */
static void keep(struct stream_walk *walk, const struct cw_log_entry *entry)
{
    size_t max = walk->run->before;
    if (max == 0)
        return;
    if (walk->nring == max)
        cw_log_entry_fini(&walk->ring[walk->next]);
    else
        walk->nring++;
    walk->ring[walk->next] = cw_log_entry_copy(entry, 0);
    walk->next = (walk->next + 1) % max;
}

static int pass_by(struct stream_walk *walk, const struct cw_log_entry *entry, struct cw_err *err)
{
    if (walk->after_left == 0) {
        keep(walk, entry);
        return 0;
    }
    walk->after_left--;
    return add_context(walk->run, entry, "after", err);
}

/* 1 the entry matches, and is in the answer. */
static int try_match(struct stream_walk *walk, const struct cw_log_entry *entry, struct cw_err *err)
{
    struct context_run *run = walk->run;
    struct cw_log_entry matched = *entry;
    struct cw_built_labels labels;
    int rc = 1;
    for (size_t i = 0; rc > 0 && i < run->nfilters; i++)
        rc = cw_line_filter_match(run->filters[i], entry->line, err);
    if (rc > 0)
        rc = cw_pipeline_entry(run->pipeline_run, entry->ts_ns, entry->stream, entry->metadata,
                               entry->line, err);
    if (rc <= 0)
        return rc;
    cw_label_builder_sort(&run->pipeline_run->builder, &labels);
    matched.line = run->pipeline_run->line;
    matched.stream = labels.stream;
    matched.metadata = labels.metadata;
    matched.parsed = labels.parsed;
    rc = cw_log_top_add(run->out, &matched, err);
    return rc < 0 ? rc : 1;
}

static int walk_between(struct stream_walk *walk, const struct cw_log_entry *entry,
                        struct cw_err *err)
{
    int rc = try_match(walk, entry, err);
    if (rc == 0)
        return pass_by(walk, entry, err);
    if (rc > 0) {
        walk->after_left = walk->run->after;
        rc = flush_ring(walk, err);
    }
    return rc;
}

typedef int (*walk_fn)(struct stream_walk *walk, const struct cw_log_entry *entry,
                       struct cw_err *err);

/* `fn` for at most `max` entries of the stream. Its labels may be others' too, with more beside. */
static int read_stream(struct stream_walk *walk, int64_t start_ns, int64_t end_ns,
                       bool newest_first, size_t max, walk_fn fn, struct cw_err *err)
{
    struct cw_labels labels = walk->hit->labels;
    struct cw_expr all = {.kind = CW_EXPR_LOG, .height = 1};
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    size_t left = max;
    int rc = 0;
    if (start_ns >= end_ns || max == 0)
        return 0;
    cw_selector_init(&all.selector);
    for (size_t i = 0; rc == 0 && i < labels.n; i++)
        rc = cw_selector_add(&all.selector, CW_MATCH_EQ, labels.items[i].name,
                             labels.items[i].value, err);
    if (rc == 0)
        rc = cw_log_query_open(walk->run->query, &all, start_ns, end_ns, newest_first, &log_query,
                               err);
    while (rc == 0 && !page.last && left > 0) {
        rc = cw_log_query_page(log_query, CW_MIN(left, (size_t)PAGE_ENTRIES), PAGE_BYTES, &page,
                               err);
        for (size_t i = 0; rc == 0 && i < page.n && left > 0; i++) {
            if (!cw_labels_eq(page.entries[i].origin->labels, labels))
                continue;
            rc = fn(walk, &page.entries[i], err);
            left--;
        }
    }
    cw_log_query_close(&log_query);
    cw_selector_fini(&all.selector);
    return rc;
}

static int keep_older(struct stream_walk *walk, const struct cw_log_entry *entry,
                      struct cw_err *err)
{
    (void)err;
    keep(walk, entry);
    return 0;
}

/* They came newest first, and there was no match among them: the ring is full of them, or begins at 0. */
static void turn_ring(struct stream_walk *walk)
{
    for (size_t i = 0; i < walk->nring / 2; i++) {
        struct cw_log_entry entry = walk->ring[i];
        walk->ring[i] = walk->ring[walk->nring - 1 - i];
        walk->ring[walk->nring - 1 - i] = entry;
    }
}

static int walk_stream(struct context_run *run, const struct hit_stream *hit, struct cw_err *err)
{
    const struct cw_log_context_scope *scope = run->scope;
    struct stream_walk walk = {.run = run, .hit = hit};
    int64_t behind_ns = hit->last_ns < INT64_MAX ? hit->last_ns + 1 : INT64_MAX;
    walk.ring = cw_mem_array(run->before + 1, sizeof *walk.ring);
    int rc = read_stream(&walk, scope->start_ns, hit->first_ns, true, run->before, keep_older, err);
    turn_ring(&walk);
    if (rc == 0)
        rc = read_stream(&walk, hit->first_ns, behind_ns, false, SIZE_MAX, walk_between, err);
    if (rc == 0)
        rc = read_stream(&walk, behind_ns, scope->end_ns, false, walk.after_left, pass_by, err);
    for (size_t i = 0; i < walk.nring; i++)
        cw_log_entry_fini(&walk.ring[i]);
    free(walk.ring);
    return rc;
}

/* ---- the whole of it ---- */

static int add_streams(struct context_run *run, struct cw_err *err)
{
    int rc = cw_pipeline_new(run->matching, NULL, CW_PIPELINE_LOGS, &run->pipeline, err);
    if (rc < 0)
        return rc;
    run->pipeline_run = cw_pipeline_run_new(run->pipeline);
    run->nfilters = cw_plan_filters(run->matching->stages, &run->filters);
    for (size_t i = 0; rc == 0 && i < run->nhits; i++)
        rc = walk_stream(run, &run->hits[i], err);
    return rc;
}

int cw_log_context_run(struct cw_query_context *query, const struct cw_log_context_scope *scope,
                       struct cw_log_top *out, struct cw_err *err)
{
    const struct cw_stage *stage = cw_stage_find(scope->expr->stages, CW_STAGE_CONTEXT);
    struct context_run run = {.query = query,
                              .scope = scope,
                              .arena = cw_arena_new(),
                              .before = stage->before,
                              .after = stage->after,
                              .out = out};
    cw_arena_watch(run.arena, cw_allowance_watch, &query->allowance);
    cw_id_map_init(&run.by_labels);
    run.matching = cw_log_context_matching(scope->expr, run.arena);
    cw_log_top_init(out, scope->newest_first, scope->max_entries, SIZE_MAX, &query->allowance);
    int rc = find_matches(&run, err);
    if (rc == 0)
        rc = add_streams(&run, err);
    if (rc == 0)
        rc = cw_log_top_sort(out, err);
    if (rc < 0)
        cw_log_top_fini(out);
    free(run.filters);
    cw_pipeline_run_free(&run.pipeline_run);
    cw_pipeline_free(&run.pipeline);
    cw_id_map_fini(&run.by_labels);
    cw_arena_free(&run.arena);
    return rc;
}
