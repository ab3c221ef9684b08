#include "common/pipeline/stage_text_template.h"

struct template_stage {
    uint32_t source;
    struct cw_stage_text_template template;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_template_config *c = config;
    struct template_stage *stage = CW_ARENA_NEW(build->arena, struct template_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    int rc = cw_stage_text_template_init(build, c->template, &stage->template, err);
    if (rc < 0)
        return cw_err_wrap(err, "template");
    return c->source.len > 0 ? 0 : cw_err_set(err, CW_E_INVALID, "source is missing");
}

static void free_stage(void *state)
{
    struct template_stage *stage = state;
    cw_stage_text_template_fini(&stage->template);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct template_stage *stage = node->state;
    struct cw_str value, text;
    bool there = cw_stage_text(run, item, stage->source, &value);
    if (!cw_stage_text_template_run(&stage->template, run, item, there ? &value : NULL, &text))
        return CW_STAGE_ON;
    if (text.len == 0) /* the name is gone, then */
        cw_stage_set(item, stage->source, CW_EXTRACTED_GONE, CW_STR_NONE);
    else
        cw_stage_set(item, stage->source, CW_EXTRACTED_TEXT,
                     cw_arena_dup(run->options.arena, text));
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_template_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
