#include "common/base/hash.h"
#include "common/pipeline/stage_priv.h"

struct sampling_stage {
    uint64_t keep_below; /* of 2^53 */
    struct cw_str reason;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_sampling_config *c = config;
    struct sampling_stage *stage = CW_ARENA_NEW(build->arena, struct sampling_stage);
    node->state = stage;
    stage->keep_below = (uint64_t)(c->rate * 0x1p53);
    stage->reason = cw_stage_reason(c->drop_counter_reason, "sampling_stage");
    return 0;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct sampling_stage *stage = node->state;
    /* The same line meets the same fate each time; a second sampling stage throws other dice. */
    uint64_t key[] = {run->options.seed, item->entry.from, item->part, node->idx};
    if (cw_hash64(key, sizeof key) >> 11 < stage->keep_below)
        return CW_STAGE_ON;
    return cw_stage_drop(run, item, stage->reason);
}

const struct cw_stage_def cw_stage_sampling_def = {.compile = compile, .run = run_stage};
