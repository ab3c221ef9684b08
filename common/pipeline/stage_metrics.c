#include "common/base/assert.h"
#include "common/pipeline/stage_priv.h"
#include "common/pipeline/stages_host.h"

struct metric {
    size_t idx; /* in the registry */
    uint32_t source;
    enum cw_custom_action action;
    bool has_value, match_all, count_entry_bytes;
    struct cw_str value; /* what the source must be */
};

struct metrics_stage {
    struct cw_custom_metrics *registry, *own; /* own: where nobody shows them */
    struct metric *metrics;
    size_t n;
};

static const char *const type_names[] = {"counter", "gauge", "histogram"};
static const char *const action_names[] = {"inc", "add", "set", "dec", "sub"};

static int index_of(struct cw_str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cw_str_eq_nocase(name, cw_str_of(names[i])))
            return (int)i;
    }
    return -1;
}

static int read_type(const struct cw_stage_metric_config *c, enum cw_custom_type *out,
                     struct cw_err *err)
{
    int type = index_of(c->type, type_names, CW_COUNT(type_names));
    if (type < 0)
        return cw_err_set(err, CW_E_INVALID, "type is to be counter, gauge or histogram");
    *out = (enum cw_custom_type)type;
    return 0;
}

static int read_action(const struct cw_stage_metric_config *c, enum cw_custom_type type,
                       struct metric *out, struct cw_err *err)
{
    int action = index_of(c->action, action_names, CW_COUNT(action_names));
    if (type == CW_CUSTOM_HISTOGRAM) {
        out->action = CW_CUSTOM_OBSERVE; /* promtail's manual gives it one, which says nothing */
        if (c->action.len == 0 || action == CW_CUSTOM_INC || action == CW_CUSTOM_ADD)
            return 0;
        return cw_err_set(err, CW_E_INVALID, "config.action of a histogram, if any, is inc or add");
    }
    if (type == CW_CUSTOM_COUNTER && action != CW_CUSTOM_INC && action != CW_CUSTOM_ADD)
        return cw_err_set(err, CW_E_INVALID, "config.action of a counter is to be inc or add");
    if (action < 0)
        return cw_err_set(err, CW_E_INVALID,
                          "config.action of a gauge is to be set, inc, dec, add or sub");
    out->action = (enum cw_custom_action)action;
    return 0;
}

static int check_match_all(const struct cw_stage_metric_config *c, enum cw_custom_type type,
                           const struct metric *metric, struct cw_err *err)
{
    if (!c->match_all && !c->count_entry_bytes)
        return 0;
    if (type != CW_CUSTOM_COUNTER)
        return cw_err_set(err, CW_E_INVALID, "match_all and count_entry_bytes are for counters");
    if (!c->match_all)
        return cw_err_set(err, CW_E_INVALID, "count_entry_bytes needs match_all");
    if (c->has_value)
        return cw_err_set(err, CW_E_INVALID, "match_all and value cannot both be given");
    if (c->count_entry_bytes && metric->action != CW_CUSTOM_ADD)
        return cw_err_set(err, CW_E_INVALID, "count_entry_bytes needs action: add");
    if (!c->count_entry_bytes && metric->action == CW_CUSTOM_ADD)
        return cw_err_set(
            err, CW_E_INVALID,
            "match_all with action: add needs count_entry_bytes: what is to be added?");
    return 0;
}

static int read_buckets(const struct cw_stage_metric_config *c, struct cw_arena *arena,
                        struct cw_custom_metric_def *def, struct cw_err *err)
{
    double *buckets = CW_ARENA_ARRAY(arena, double, c->buckets.n);
    if (c->buckets.n > 0 && def->type != CW_CUSTOM_HISTOGRAM)
        return cw_err_set(err, CW_E_INVALID, "config.buckets is for histograms");
    for (size_t i = 0; i < c->buckets.n; i++) {
        if (!cw_str_to_f64(c->buckets.items[i], &buckets[i]))
            return cw_err_set(err, CW_E_INVALID, "config.buckets: \"%.*s\" is no number",
                              CW_STR_ARG(c->buckets.items[i]));
    }
    def->buckets = buckets;
    def->nbuckets = c->buckets.n;
    return 0;
}

static int compile_metric(struct cw_stages_build *build, struct metrics_stage *stage,
                          struct cw_str name, const struct cw_stage_metric_config *c,
                          struct cw_err *err)
{
    struct metric *metric = &stage->metrics[stage->n++];
    struct cw_custom_metric_def def = {
        .name = cw_arena_printf(build->arena, "%.*s%.*s", CW_STR_ARG(c->prefix), CW_STR_ARG(name)),
        .description = c->description,
        .max_idle_ns = c->max_idle_ns};
    if (cw_str_starts(def.name, CW_STR("cordwood_")))
        return cw_err_set(err, CW_E_INVALID, "%.*s: cordwood_* are the program's own metrics",
                          CW_STR_ARG(name));
    int rc = read_type(c, &def.type, err);
    if (rc == 0)
        rc = read_action(c, def.type, metric, err);
    if (rc == 0)
        rc = check_match_all(c, def.type, metric, err);
    if (rc == 0)
        rc = read_buckets(c, build->arena, &def, err);
    if (rc == 0)
        rc = cw_custom_metrics_add(stage->registry, &def, &metric->idx, err);
    metric->source = cw_stage_slot(build, c->source.len > 0 ? c->source : name);
    metric->has_value = c->has_value;
    metric->value = c->value;
    metric->match_all = c->match_all;
    metric->count_entry_bytes = c->count_entry_bytes;
    return rc < 0 ? cw_err_wrap(err, "%.*s", CW_STR_ARG(name)) : 0;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_config_table_map *c = config;
    const struct cw_stage_metric_config *items = c->items;
    const struct cw_stages_host *host = build->stages->host;
    struct metrics_stage *stage = CW_ARENA_NEW(build->arena, struct metrics_stage);
    node->state = stage;
    if (host == NULL || host->metrics == NULL)
        stage->own = cw_custom_metrics_new();
    stage->registry = stage->own != NULL ? stage->own : host->metrics;
    stage->metrics = CW_ARENA_ARRAY(build->arena, struct metric, c->n);
    if (c->n == 0)
        return cw_err_set(err, CW_E_INVALID, "a metric is missing");
    for (size_t i = 0; i < c->n; i++) {
        int rc = compile_metric(build, stage, c->names[i], &items[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void free_stage(void *state)
{
    struct metrics_stage *stage = state;
    cw_custom_metrics_free(&stage->own);
}

static bool number_of(struct cw_extracted value, double *out)
{
    switch (value.kind) {
    case CW_EXTRACTED_BOOL: *out = cw_str_eqz(value.text, "true"); return true;
    case CW_EXTRACTED_TEXT:
    case CW_EXTRACTED_NUMBER: return cw_custom_metric_number(value.text, out);
    default: return false;
    }
}

static void count(const struct metrics_stage *stage, const struct metric *metric,
                  const struct cw_stages_run *run, const struct cw_stage_item *item)
{
    double number = 0;
    bool needs_number = metric->action != CW_CUSTOM_INC && metric->action != CW_CUSTOM_DEC;
    if (metric->match_all) {
        number = (double)item->entry.line.len;
    } else {
        struct cw_extracted value = cw_stage_get(run, item, metric->source);
        if (value.kind == CW_EXTRACTED_UNSET)
            return;
        if (metric->has_value &&
            (value.kind == CW_EXTRACTED_NULL || !cw_str_eq(value.text, metric->value)))
            return;
        if (needs_number && !number_of(value, &number))
            return;
    }
    cw_custom_metrics_update(stage->registry, metric->idx, metric->action,
                             (struct cw_labels){item->entry.labels, item->entry.nlabels}, number,
                             run->options.now_ns);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct metrics_stage *stage = node->state;
    for (size_t i = 0; item->entry.counting && i < stage->n; i++)
        count(stage, &stage->metrics[i], run, item);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_metrics_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
