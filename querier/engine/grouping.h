/*
 * grouping.h - the labels that `by` and `without` leave of a label set.
 *
 * Ownership  Pairs go into the arena, names and values are borrowed from `labels`.
 */
#ifndef CW_ENGINE_GROUPING_H
#define CW_ENGINE_GROUPING_H
#include "common/labels/labels.h"
#include "common/logql/ast.h"

/* No grouping is `by ()`: no label stays. */
struct cw_labels cw_grouping_apply(const struct cw_grouping *grouping, struct cw_labels labels,
                                   struct cw_arena *arena);
/* on() keeps the named labels, ignoring() drops them; without either all stay. */
struct cw_labels cw_grouping_match(const struct cw_binary_modifier *modifier,
                                   struct cw_labels labels, struct cw_arena *arena);

#endif
