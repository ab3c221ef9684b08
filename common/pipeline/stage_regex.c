#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

struct regex_stage {
    uint32_t source;
    struct cw_regex *regex;
    bool labels_from_groups;
    struct cw_str *groups; /* of one match */
    uint32_t *slots;       /* per group; the line's: it has no name */
    size_t ngroups;        /* group 0, the match, included */
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_regex_config *c = config;
    struct regex_stage *stage = CW_ARENA_NEW(build->arena, struct regex_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->labels_from_groups = c->labels_from_groups;
    if (c->expression.len == 0)
        return cw_err_set(err, CW_E_INVALID, "expression is missing");
    int rc = cw_regex_compile(c->expression, CW_REGEX_SEARCH, &stage->regex, err);
    if (rc < 0)
        return cw_err_wrap(err, "expression");
    bool named = false;
    stage->ngroups = cw_regex_ngroups(stage->regex) + 1;
    stage->groups = CW_ARENA_ARRAY(build->arena, struct cw_str, stage->ngroups);
    stage->slots = CW_ARENA_ARRAY(build->arena, uint32_t, stage->ngroups);
    stage->slots[0] = CW_SLOT_LINE;
    for (size_t i = 1; i < stage->ngroups; i++) {
        struct cw_str name = cw_regex_group_name(stage->regex, (unsigned)i);
        stage->slots[i] = cw_stage_slot(build, name);
        named |= name.len > 0;
    }
    if (named)
        return 0;
    cw_err_set(err, CW_E_INVALID,
               "expression: no group has a name, (?P<name>...), so nothing is extracted");
    return 1;
}

static void free_stage(void *state)
{
    struct regex_stage *stage = state;
    cw_regex_free(&stage->regex);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct regex_stage *stage = node->state;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text) ||
        cw_regex_captures(stage->regex, text, stage->groups, stage->ngroups, NULL) != 1)
        return CW_STAGE_ON;
    for (size_t i = 1; i < stage->ngroups; i++) {
        if (stage->slots[i] == CW_SLOT_LINE)
            continue;
        cw_stage_set(item, stage->slots[i], CW_EXTRACTED_TEXT, stage->groups[i]);
        if (stage->labels_from_groups)
            cw_stage_set_label(run, item, run->stages->slot_names[stage->slots[i]],
                               stage->groups[i]);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_regex_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
