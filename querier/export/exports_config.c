#include "querier/export/exports_config.h"
#include "common/logql/ast.h"
#include "common/metrics/prom_text.h"

static const char *const types[] = {"gauge", NULL};

static int check_name(const void *value, struct cw_err *err)
{
    struct cw_str name = *(const struct cw_str *)value;
    if (!cw_prom_name_valid(name))
        return cw_err_set(
            err, CW_E_INVALID,
            "\"%.*s\" is no metric name: expected letters, digits, '_' and ':', no digit first",
            CW_STR_ARG(name));
    if (cw_str_starts(name, CW_STR("cordwood_")))
        return cw_err_set(
            err, CW_E_INVALID,
            "the metric name \"%.*s\" begins with cordwood_, which is for the exporter's own",
            CW_STR_ARG(name));
    return 0;
}

static int check_expr(const void *value, struct cw_err *err)
{
    struct cw_query *query = NULL;
    int rc = cw_logql_parse(*(const struct cw_str *)value, &query, err);
    if (rc == 0 && !cw_expr_is_metric(query->root))
        rc = cw_err_set(err, CW_E_INVALID,
                        "expected a metric query, such as count_over_time({app=\"web\"}[5m]); this "
                        "one yields entries");
    cw_query_free(&query);
    return rc;
}

static int check_labels(const void *value, struct cw_err *err)
{
    const struct cw_config_map *map = value;
    for (size_t i = 0; i < map->n; i++) {
        if (!cw_prom_label_name_valid(map->items[i].name))
            return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no label name",
                              CW_STR_ARG(map->items[i].name));
    }
    return 0;
}

static const struct cw_key_def export_keys[] = {
    {"name", CW_KEY_STRING, offsetof(struct cw_export, name), .flags = CW_KEY_REQUIRED,
     .check = check_name, .doc = "The metric's name."},
    {"help", CW_KEY_STRING, offsetof(struct cw_export, help), .doc = "What it says, for `# HELP`."},
    {"type", CW_KEY_ENUM, offsetof(struct cw_export, type), .def = "gauge", .names = types,
     .doc = "gauge."},
    {"expr", CW_KEY_STRING, offsetof(struct cw_export, expr), .flags = CW_KEY_REQUIRED,
     .check = check_expr, .doc = "A LogQL metric query."},
    {"interval", CW_KEY_DURATION, offsetof(struct cw_export, interval_ns), .def = "15s",
     .min = "1s", .max = "24h", .doc = "Evaluate so often."},
    {"labels", CW_KEY_MAP, offsetof(struct cw_export, labels), .check = check_labels,
     .doc = "Labels for every series of this metric; they win over labels of the query."},
};

static int check_exports(const void *value, struct cw_err *err)
{
    const struct cw_exports_config *config = value;
    const struct cw_export *exports = config->exports.items;
    for (size_t i = 0; i < config->exports.n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (cw_str_eq(exports[i].name, exports[k].name))
                return cw_err_set(err, CW_E_INVALID, "two exports are named \"%.*s\"",
                                  CW_STR_ARG(exports[i].name));
        }
    }
    return 0;
}

static const struct cw_table_def export_table = CW_TABLE("export", export_keys, struct cw_export);
static const struct cw_key_def exports_keys[] = {
    {"exports", CW_KEY_TABLES, offsetof(struct cw_exports_config, exports), .table = &export_table,
     .flags = CW_KEY_REQUIRED, .doc = "The metrics to serve."},
};
const struct cw_table_def cw_exports_table = {.name = "exports",
                                              .keys = exports_keys,
                                              .nkeys = 1,
                                              .size = sizeof(struct cw_exports_config),
                                              .check = check_exports};
