#include "common/pipeline/stage_priv.h"

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_config_map *labels = config;
    node->state = (void *)config;
    for (size_t i = 0; i < labels->n; i++) {
        if (!cw_label_name_valid(labels->items[i].name))
            return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no name of a label",
                              CW_STR_ARG(labels->items[i].name));
    }
    if (labels->n > 0)
        return 0;
    cw_err_set(err, CW_E_INVALID, "no label is named");
    return 1;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct cw_config_map *labels = node->state;
    for (size_t i = 0; i < labels->n; i++)
        if (labels->items[i].value.len > 0) /* else a label of that name stays as it is */
            cw_stage_set_label(run, item, labels->items[i].name, labels->items[i].value);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_static_labels_def = {.compile = compile, .run = run_stage};
