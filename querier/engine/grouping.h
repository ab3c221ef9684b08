/*
 * grouping.h - the labels that `by` and `without` leave of a label set.
 *
 * Ownership  Pairs go into the arena, names and values are borrowed from `labels`.
 */
#ifndef CW_ENGINE_GROUPING_H
#define CW_ENGINE_GROUPING_H
#include "common/labels/labels.h"
#include "common/logql/ast.h"

/* What Prometheus calls the name of a metric: `without` around an aggregation drops it, whether it names it or not. */
#define CW_METRIC_NAME "__name__"

/* No grouping is `by ()`: no label stays. */
struct cw_labels cw_grouping_apply(const struct cw_grouping *grouping, struct cw_labels labels,
                                   struct cw_arena *arena);
/* The same around samples that were aggregated: there `without` drops labels whose value is empty too, as in Loki. */
struct cw_labels cw_grouping_samples(const struct cw_grouping *grouping, struct cw_labels labels,
                                     struct cw_arena *arena);
/* Those labels whose value is not empty: what Loki makes of a series' labels as soon as it changes any. */
struct cw_labels cw_grouping_full(struct cw_labels labels, struct cw_arena *arena);
/* on() keeps the named labels, ignoring() drops them; without either all stay. Empty
 * values never do. */
struct cw_labels cw_grouping_match(const struct cw_binary_modifier *modifier,
                                   struct cw_labels labels, struct cw_arena *arena);

#endif
