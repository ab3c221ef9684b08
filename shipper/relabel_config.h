/*
 * relabel_config.h - what `relabel_configs` may hold: Prometheus' names, defaults and rules.
 */
#ifndef CW_SHIPPER_RELABEL_CONFIG_H
#define CW_SHIPPER_RELABEL_CONFIG_H
#include "common/config/schema.h"

/* By the order of the names in relabel_config.c. */
enum cw_relabel_action {
    CW_RELABEL_REPLACE,
    CW_RELABEL_KEEP,
    CW_RELABEL_DROP,
    CW_RELABEL_KEEPEQUAL,
    CW_RELABEL_DROPEQUAL,
    CW_RELABEL_HASHMOD,
    CW_RELABEL_LABELMAP,
    CW_RELABEL_LABELDROP,
    CW_RELABEL_LABELKEEP,
    CW_RELABEL_LOWERCASE,
    CW_RELABEL_UPPERCASE,
    CW_RELABEL_NACTIONS
};

struct cw_relabel_config {
    struct cw_config_strings source_labels;
    struct cw_str separator, target_label, regex, replacement;
    int64_t modulus;
    struct cw_str action; /* in any case: cw_relabel_action_of() */
};

/* For a key `relabel_configs` of kind CW_KEY_TABLES. */
extern const struct cw_table_def cw_relabel_table;

/* CW_RELABEL_NACTIONS: there is no such action. */
enum cw_relabel_action cw_relabel_action_of(struct cw_str name);
/* Whether a text names groups ($1, ${name}) of the regex. */
bool cw_relabel_has_variables(struct cw_str text);

#endif
