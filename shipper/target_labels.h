/*
 * target_labels.h - the labels of a target or a received entry while it is found and relabelled: a small set that is changed
 * in place, with the names that begin with "__" among it (__path__, __meta_*, __tenant_id__).
 *
 * An empty value is no label, as everywhere in Prometheus: to set one removes the name.
 *
 * Ownership  Names and values are borrowed: they live as long as the arena, or as what they were taken from.
 * Errors     None. Whoever fills a set from outside bytes bounds how many there are; relabel.h does.
 */
#ifndef CW_SHIPPER_TARGET_LABELS_H
#define CW_SHIPPER_TARGET_LABELS_H
#include "common/base/arena.h"
#include "common/labels/labels.h"

struct cw_target_labels {
    struct cw_arena *arena;
    struct cw_label *items; /* in no order; names are unique, values not empty */
    size_t n, cap;
};

/* Empty. */
struct cw_target_labels cw_target_labels_make(struct cw_arena *arena);
/* The same labels, to be changed apart. */
struct cw_target_labels cw_target_labels_copy(const struct cw_target_labels *labels,
                                              struct cw_arena *arena);
/* Empty when the name is not there. */
struct cw_str cw_target_labels_get(const struct cw_target_labels *labels, struct cw_str name);
void cw_target_labels_set(struct cw_target_labels *labels, struct cw_str name, struct cw_str value);
/* As set, unless the name is there already. */
void cw_target_labels_add(struct cw_target_labels *labels, struct cw_str name, struct cw_str value);
/* The name is `prefix` and `name`, in which what may not stand in a label's name becomes '_'. */
void cw_target_labels_set_meta(struct cw_target_labels *labels, const char *prefix,
                               struct cw_str name, struct cw_str value);
/* Without those that begin with "__": what entries carry. Sorted, in the arena. */
struct cw_labels cw_target_labels_public(const struct cw_target_labels *labels);

#endif
