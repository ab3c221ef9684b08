#include "common/extract/level_detect.h"
#include "common/pipeline/stage_priv.h"

/* The level that a line says, in a word of its own; what says none gets none. */
struct level_stage {
    uint32_t source, target_slot;
    struct cw_str target;
    enum cw_stage_level_as as;
    struct cw_level_detector detector;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_level_config *c = config;
    struct level_stage *stage = CW_ARENA_NEW(build->arena, struct level_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->as = (enum cw_stage_level_as)c->as;
    stage->target = c->target;
    if (c->target.len == 0)
        stage->target = stage->as == CW_STAGE_LEVEL_METADATA ? CW_LEVEL_LABEL : CW_STR("level");
    stage->target_slot = cw_stage_slot(build, stage->target);
    if (!cw_label_name_valid(stage->target))
        return cw_err_set(err, CW_E_INVALID, "target: \"%.*s\" is no name of a label",
                          CW_STR_ARG(stage->target));
    if (c->fields.n == 0)
        return cw_err_set(err, CW_E_INVALID, "fields are missing");
    cw_level_detector_init(&stage->detector, c->fields.items, c->fields.n, (unsigned)c->json_depth);
    return 0;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct level_stage *stage = node->state;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    enum cw_level level;
    /* A value that is an extracted one may be the word itself. */
    if (stage->source == CW_SLOT_LINE || !cw_level_of_word(text, &level))
        level = cw_level_detect(&stage->detector, text, run->options.arena);
    if (level == CW_LEVEL_UNKNOWN)
        return CW_STAGE_ON;
    struct cw_str word = cw_level_names[level];
    switch (stage->as) {
    case CW_STAGE_LEVEL_METADATA: cw_stage_set_metadata(run, item, stage->target, word); break;
    case CW_STAGE_LEVEL_LABEL: cw_stage_set_label(run, item, stage->target, word); break;
    case CW_STAGE_LEVEL_EXTRACTED:
        cw_stage_set(item, stage->target_slot, CW_EXTRACTED_TEXT, word);
        break;
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_level_def = {.compile = compile, .run = run_stage};
