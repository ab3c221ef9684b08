#include "common/base/limits.h"
#include "common/match/regex.h"
#include "common/pipeline/stage_text_template.h"

/* Each group of each match becomes what the template makes of it. */
struct replace_stage {
    uint32_t source;
    struct cw_regex *regex;
    struct cw_stage_text_template template;
    struct cw_str *groups; /* of one match */
    /* Of the first match: what stands for them; without pointer where one took no part. */
    struct cw_str *made;
    uint32_t *slots; /* per group; the line's: it has no name */
    size_t ngroups;  /* group 0 included */
    struct cw_buf out;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_replace_config *c = config;
    struct replace_stage *stage = CW_ARENA_NEW(build->arena, struct replace_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    cw_buf_init(&stage->out, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    int rc = cw_stage_text_template_init(build, c->replace, &stage->template, err);
    if (rc < 0)
        return cw_err_wrap(err, "replace");
    if (c->expression.len == 0)
        return cw_err_set(err, CW_E_INVALID, "expression is missing");
    rc = cw_regex_compile(c->expression, CW_REGEX_SEARCH, &stage->regex, err);
    if (rc < 0)
        return cw_err_wrap(err, "expression");
    stage->ngroups = cw_regex_ngroups(stage->regex) + 1;
    stage->groups = CW_ARENA_ARRAY(build->arena, struct cw_str, stage->ngroups);
    stage->made = CW_ARENA_ARRAY(build->arena, struct cw_str, stage->ngroups);
    stage->slots = CW_ARENA_ARRAY(build->arena, uint32_t, stage->ngroups);
    for (size_t i = 1; i < stage->ngroups; i++)
        stage->slots[i] = cw_stage_slot(build, cw_regex_group_name(stage->regex, (unsigned)i));
    if (stage->ngroups > 1)
        return 0;
    cw_err_set(err, CW_E_INVALID, "expression: there is no group, (...), that could be replaced");
    return 1;
}

static void free_stage(void *state)
{
    struct replace_stage *stage = state;
    cw_stage_text_template_fini(&stage->template);
    cw_regex_free(&stage->regex);
    cw_buf_fini(&stage->out);
}

/* What stands for the groups of one match. *done: the text up to there is in `out`. */
static bool replace_groups(struct replace_stage *stage, struct cw_stages_run *run,
                           const struct cw_stage_item *item, struct cw_str text, size_t *done,
                           bool first_match)
{
    for (size_t i = 1; i < stage->ngroups; i++) {
        struct cw_str group = stage->groups[i], made;
        if (first_match)
            stage->made[i] = CW_STR_NONE;
        if (group.ptr == NULL)
            continue;
        if (!cw_stage_text_template_run(&stage->template, run, item, &group, &made))
            return false;
        size_t at = (size_t)(group.ptr - text.ptr);
        if (at >= *done) { /* not one within a group that was replaced */
            cw_buf_adds(&stage->out, cw_str_sub(text, *done, at));
            cw_buf_adds(&stage->out, made);
            *done = at + group.len;
        }
        if (first_match)
            stage->made[i] = cw_arena_dup(run->options.arena, made);
    }
    return true;
}

/* False: there is no match, or the text would be too long. */
static bool replace(struct replace_stage *stage, struct cw_stages_run *run,
                    const struct cw_stage_item *item, struct cw_str text)
{
    struct cw_regex_scan scan = {.text = text};
    size_t done = 0, nmatches = 0;
    cw_buf_clear(&stage->out);
    while (scan.from <= text.len &&
           cw_regex_scan_next(stage->regex, &scan, stage->groups, stage->ngroups, NULL) == 1) {
        struct cw_str match = stage->groups[0];
        size_t end = (size_t)(match.ptr - text.ptr) + match.len;
        if (!replace_groups(stage, run, item, text, &done, nmatches++ == 0))
            return false;
        scan.from = end;
        /* Behind an empty match: at the next rune. */
        while (match.len == 0 && scan.from++ < text.len && scan.from < text.len &&
               ((unsigned char)text.ptr[scan.from] & 0xC0) == 0x80) {
        }
    }
    cw_buf_adds(&stage->out, cw_str_sub(text, done, text.len));
    return nmatches > 0 && !cw_buf_failed(&stage->out);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct replace_stage *stage = node->state;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text) || text.len == 0 ||
        !replace(stage, run, item, text))
        return CW_STAGE_ON;
    cw_stage_set_text(item, stage->source,
                      cw_arena_dup(run->options.arena, cw_buf_str(&stage->out)));
    for (size_t i = 1; i < stage->ngroups; i++) { /* a group may have the name of the source */
        if (stage->slots[i] != CW_SLOT_LINE && stage->made[i].ptr != NULL)
            cw_stage_set(item, stage->slots[i], CW_EXTRACTED_TEXT, stage->made[i]);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_replace_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
