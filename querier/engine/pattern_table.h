/*
 * pattern_table.h - patterns, and how many lines of each there are at each level in each step of a grid.
 *
 * Bounds     A table that holds more than CW_PATTERN_TABLE_MAX patterns is asked to make room (cw_pattern_table_make_room()) when nobody
 *            holds a number of one: near-equal ones become one (pattern_merge.h), then the rarest go.
 * Memory     From the allowance; given back by _fini().
 * Threads    One.
 * Errors     CW_E_LIMIT, CW_E_OVERLOAD: the allowance has no room.
 */
#ifndef CW_ENGINE_PATTERN_TABLE_H
#define CW_ENGINE_PATTERN_TABLE_H
#include "common/base/arena.h"
#include "common/base/id_map.h"
#include "common/extract/level_detect.h"
#include "querier/engine/sample.h"

enum { CW_PATTERN_TABLE_MAX = 16384 };

struct cw_pattern_sample {
    uint32_t level; /* enum cw_level */
    uint32_t step;
    uint64_t count;
};

struct cw_pattern_sum {
    struct cw_str text;
    uint64_t count;
    struct cw_pattern_sample *samples; /* heap; by level, then step */
    size_t n, cap;
    size_t last; /* the sample that was added to last */
};

struct cw_pattern_table {
    struct cw_allowance *allowance;
    size_t taken;
    struct cw_arena *arena; /* texts */
    struct cw_id_map map;   /* by text */
    struct cw_pattern_sum *items;
    size_t n, cap;
};

void cw_pattern_table_init(struct cw_pattern_table *table, struct cw_allowance *allowance);
void cw_pattern_table_fini(struct cw_pattern_table *table);
/* The pattern's number, which is new when there was none. */
int cw_pattern_table_put(struct cw_pattern_table *table, struct cw_str text, size_t *idx_out,
                         struct cw_err *err) CW_MUST_USE;
/* As many more lines of it as `sample` says. */
int cw_pattern_table_add(struct cw_pattern_table *table, size_t idx,
                         struct cw_pattern_sample sample, struct cw_err *err) CW_MUST_USE;
/* All that is in `from`. */
int cw_pattern_table_add_table(struct cw_pattern_table *table, const struct cw_pattern_table *from,
                               struct cw_err *err) CW_MUST_USE;
/* Patterns change their numbers. */
int cw_pattern_table_make_room(struct cw_pattern_table *table, struct cw_err *err) CW_MUST_USE;
/* The most frequent ones first, then by text; those behind the first `keep` go. Patterns change their numbers, and can no more be
 * looked up. */
void cw_pattern_table_sort(struct cw_pattern_table *table, size_t keep);

#endif
