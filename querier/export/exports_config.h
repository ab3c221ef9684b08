/*
 * exports_config.h - the file of exports: which LogQL metric queries become which Prometheus metrics.
 *
 *   exports:
 *     - {name: web_errors, help: Errors by host., type: gauge, expr: 'sum by (host) (rate({app="web"} |= "error" [5m]))',
 *        interval: 15s, labels: {team: shop}}
 *
 * Ownership  What is loaded lives in the arena.
 */
#ifndef CW_EXPORT_EXPORTS_CONFIG_H
#define CW_EXPORT_EXPORTS_CONFIG_H
#include "common/config/yaml_load.h"

struct cw_export {
    struct cw_str name, help, expr;
    int type; /* gauge: the only one so far */
    int64_t interval_ns;
    struct cw_config_map labels; /* put on every series; they win over labels of the query */
};

struct cw_exports_config {
    struct cw_config_tables exports; /* of struct cw_export */
};

extern const struct cw_table_def cw_exports_table;

#endif
