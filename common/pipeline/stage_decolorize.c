#include "common/extract/decolorize.h"
#include "common/pipeline/stage_priv.h"

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    return 0;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    item->entry.line = cw_decolorize(item->entry.line, run->options.arena);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_decolorize_def = {.compile = compile, .run = run_stage};
