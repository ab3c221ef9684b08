#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

struct metadata_regex_stage {
    struct cw_regex *regex;
    /* Per slot: what its value is called as metadata; without pointer where the name does not match. */
    struct cw_str *names;
    size_t nnames;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    struct metadata_regex_stage *stage = CW_ARENA_NEW(build->arena, struct metadata_regex_stage);
    node->state = stage;
    build->stages->keeps_others = true;
    return cw_regex_compile(*(const struct cw_str *)config, CW_REGEX_SEARCH, &stage->regex, err);
}

static void free_stage(void *state)
{
    struct metadata_regex_stage *stage = state;
    cw_regex_free(&stage->regex);
}

/* At the first run all slots are known. */
static void name_slots(struct metadata_regex_stage *stage, const struct cw_stages *stages)
{
    stage->names = CW_ARENA_ARRAY(stages->arena, struct cw_str, stages->nslots);
    for (size_t i = 0; i < stages->nslots; i++) {
        if (cw_regex_match(stage->regex, stages->slot_names[i], NULL) == 1)
            stage->names[i] = cw_label_name_sanitize(stages->arena, stages->slot_names[i]);
    }
    stage->nnames = stages->nslots;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct metadata_regex_stage *stage = node->state;
    if (stage->names == NULL)
        name_slots(stage, run->stages);
    for (size_t i = 0; i < stage->nnames; i++) {
        if (stage->names[i].ptr != NULL && item->slots[i].kind >= CW_EXTRACTED_TEXT)
            cw_stage_set_metadata(run, item, stage->names[i], item->slots[i].text);
    }
    for (size_t i = 0; i < item->nothers; i++) {
        const struct cw_extracted_other *other = &item->others[i];
        if (other->value.kind >= CW_EXTRACTED_TEXT && other->name.len > 0 &&
            cw_regex_match(stage->regex, other->name, NULL) == 1)
            cw_stage_set_metadata(run, item,
                                  cw_label_name_sanitize(run->options.arena, other->name),
                                  other->value.text);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_structured_metadata_regex_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
