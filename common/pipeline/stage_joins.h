/*
 * stage_joins.h - entries that stages make of several lines: one that grows for each set of labels.
 *
 * Ownership  All is in the arena of the run.
 */
#ifndef CW_PIPELINE_STAGE_JOINS_H
#define CW_PIPELINE_STAGE_JOINS_H
#include "common/pipeline/stage_priv.h"

struct cw_stage_join {
    struct cw_stage_item *item; /* of the first line; its `to` follows the last one */
    char *text;
    size_t len, cap, nlines;
    void *extra;   /* the stage's own */
    uint64_t hash; /* of the labels */
    size_t next;   /* of the same bucket: number + 1; 0: none */
};

/* Begins zeroed: a stage's state within a run. */
struct cw_stage_joins {
    struct cw_stage_join *items;
    size_t n, cap;
    size_t *buckets; /* by hash: number of an item + 1 */
    size_t nbuckets; /* a power of two */
};

/* The one of the item's labels; NULL: there is none. */
struct cw_stage_join *cw_stage_joins_find(const struct cw_stage_joins *joins,
                                          const struct cw_stage_item *item);
/* A new, empty one. Pointers to others are void then. */
struct cw_stage_join *cw_stage_joins_add(struct cw_stage_joins *joins, struct cw_stages_run *run,
                                         const struct cw_stage_item *item);
/* Another one of the same labels in its place, which begins with `item`. */
void cw_stage_join_restart(struct cw_stage_join *join, struct cw_stage_item *item);
/* Take it out. Pointers to others are void then. */
void cw_stage_joins_remove(struct cw_stage_joins *joins, struct cw_stage_join *join);
/* Put the text of an entry to the end, with `separator` in front unless it is the first. */
void cw_stage_join_append(struct cw_stage_join *join, struct cw_stages_run *run,
                          const struct cw_stage_entry *entry, struct cw_str separator,
                          struct cw_str text);
static inline struct cw_str cw_stage_join_text(const struct cw_stage_join *join)
{
    return cw_str_make(join->text, join->len);
}
/* Send it on as it is. It stays in the list. */
void cw_stage_join_pass(const struct cw_stage_join *join, const struct cw_stage_node *node,
                        struct cw_stages_run *run);
/* For struct cw_stage_def, where the state of a run is a struct cw_stage_joins: all are sent on, or those that got no line for
 * long; and the smallest offset. */
void cw_stage_joins_flush(const struct cw_stage_node *node, struct cw_stages_run *run);
void cw_stage_joins_flush_quiet(const struct cw_stage_node *node, struct cw_stages_run *run);
uint64_t cw_stage_joins_unfinished(const struct cw_stage_node *node,
                                   const struct cw_stages_run *run);

#endif
