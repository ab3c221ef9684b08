#include "common/pipeline/stage_priv.h"

struct tenant_stage {
    struct cw_str label, value;
    uint32_t source; /* where neither of them is given */
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_tenant_config *c = config;
    struct tenant_stage *stage = CW_ARENA_NEW(build->arena, struct tenant_stage);
    node->state = stage;
    build->stages->sets_tenant = true;
    *stage = (struct tenant_stage){c->label, c->value, cw_stage_slot(build, c->source)};
    if ((c->label.len > 0) + (c->source.len > 0) + (c->value.len > 0) != 1)
        return cw_err_set(err, CW_E_INVALID, "wants exactly one of label, source and value");
    return 0;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct tenant_stage *stage = node->state;
    struct cw_str tenant = stage->value;
    bool there = true;
    if (stage->label.len > 0)
        there = cw_stage_label(item, stage->label, &tenant);
    else if (stage->value.len == 0)
        there = cw_stage_text(run, item, stage->source, &tenant);
    if (there && tenant.len > 0)
        item->entry.tenant = tenant;
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_tenant_def = {.compile = compile, .run = run_stage};
