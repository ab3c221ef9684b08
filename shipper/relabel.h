/*
 * relabel.h - relabel_configs: rules that decide whether a target (or a received entry) is kept, and make its labels from
 * what was found out about it. They do what Prometheus' do.
 *
 *   struct cw_target_labels labels = ...;           with __meta_* and all
 *   int kept = cw_relabel_apply(rules, &labels, &err);   1 kept, 0 dropped
 *   ... cw_target_labels_get(&labels, CW_STR("__path__")), cw_target_labels_public(&labels)
 *
 * Ownership  Compiled rules borrow the texts of the configuration. Values that rules make live in the labels' arena.
 * Threads    Compiled rules are read-only and may be shared.
 * Errors     CW_E_INVALID when compiling (the configuration's checks have told it before). When applying CW_E_LIMIT: labels
 *            grew over the bounds below, or a regex could not be decided.
 */
#ifndef CW_SHIPPER_RELABEL_H
#define CW_SHIPPER_RELABEL_H
#include "shipper/relabel_config.h"
#include "shipper/target_labels.h"

/* A pod with all its annotations has some hundred; an annotation may be a whole manifest. */
#define CW_RELABEL_LABELS_MAX 4096
#define CW_RELABEL_VALUE_BYTES (1u << 20)

struct cw_relabel;

/* `configs` holds struct cw_relabel_config; none: everything is kept as it is. */
int cw_relabel_new(const struct cw_config_tables *configs, struct cw_relabel **out,
                   struct cw_err *err) CW_MUST_USE;
void cw_relabel_free(struct cw_relabel **rules);
/* Without any rule. */
bool cw_relabel_empty(const struct cw_relabel *rules);
/* Whether what becomes of an entry may depend on the label `name`. */
bool cw_relabel_reads(const struct cw_relabel *rules, struct cw_str name);
/* 1: kept; 0: a rule drops it, and the labels are of no use; negative: an error that names the rule. */
int cw_relabel_apply(const struct cw_relabel *rules, struct cw_target_labels *labels,
                     struct cw_err *err) CW_MUST_USE;

#endif
