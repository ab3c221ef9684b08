#include "common/pipeline/stage_priv.h"

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_source_config *c = config;
    uint32_t *slot = CW_ARENA_NEW(build->arena, uint32_t);
    node->state = slot;
    *slot = cw_stage_slot(build, c->source);
    return c->source.len > 0 ? 0 : cw_err_set(err, CW_E_INVALID, "source is missing");
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct cw_str text;
    if (cw_stage_text(run, item, *(const uint32_t *)node->state, &text))
        item->entry.line = text;
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_output_def = {.compile = compile, .run = run_stage};
