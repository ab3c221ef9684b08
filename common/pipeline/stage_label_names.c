/* labeldrop, labelallow and structured_metadata_drop: which names stay. */
#include "common/pipeline/stage_priv.h"

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_config_strings *names = config;
    node->state = (void *)config;
    return names->n > 0 ? 0 : cw_err_set(err, CW_E_INVALID, "no name is listed");
}

static enum cw_stage_end drop(const struct cw_stage_node *node, struct cw_stages_run *run,
                              struct cw_stage_item *item)
{
    const struct cw_config_strings *names = node->state;
    for (size_t i = 0; i < names->n; i++)
        cw_stage_set_label(run, item, names->items[i], CW_STR_NONE);
    return CW_STAGE_ON;
}

static enum cw_stage_end allow(const struct cw_stage_node *node, struct cw_stages_run *run,
                               struct cw_stage_item *item)
{
    const struct cw_config_strings *names = node->state;
    for (size_t i = 0; i < item->entry.nlabels;) {
        struct cw_str name = item->entry.labels[i].name;
        if (cw_str_among(name, names->items, names->n))
            i++;
        else
            cw_stage_set_label(run, item, name, CW_STR_NONE);
    }
    return CW_STAGE_ON;
}

static enum cw_stage_end drop_metadata(const struct cw_stage_node *node, struct cw_stages_run *run,
                                       struct cw_stage_item *item)
{
    const struct cw_config_strings *names = node->state;
    for (size_t i = 0; i < names->n; i++)
        cw_stage_set_metadata(run, item, names->items[i], CW_STR_NONE);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_labeldrop_def = {.compile = compile, .run = drop};
const struct cw_stage_def cw_stage_labelallow_def = {.compile = compile, .run = allow};
const struct cw_stage_def cw_stage_structured_metadata_drop_def = {.compile = compile,
                                                                   .run = drop_metadata};
