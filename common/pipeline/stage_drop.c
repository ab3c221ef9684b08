#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

struct drop_stage {
    const struct cw_stage_drop_config *config;
    uint32_t *sources;
    size_t nsources;
    struct cw_regex *regex;
};

static int check(const struct cw_stage_drop_config *c, struct cw_err *err)
{
    if (c->has_value && c->expression.len > 0)
        return cw_err_set(err, CW_E_INVALID, "value and expression cannot both be given");
    if (c->has_value && c->source.n == 0)
        return cw_err_set(err, CW_E_INVALID, "value wants a source, whose value it is");
    if (c->source.n == 0 && c->expression.len == 0 && !c->has_older_than && !c->has_longer_than)
        return cw_err_set(err, CW_E_INVALID,
                          "wants source, expression, older_than or longer_than, one at least");
    return 0;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_drop_config *c = config;
    struct drop_stage *stage = CW_ARENA_NEW(build->arena, struct drop_stage);
    node->state = stage;
    stage->config = c;
    stage->nsources = c->source.n;
    stage->sources = CW_ARENA_ARRAY(build->arena, uint32_t, c->source.n);
    for (size_t i = 0; i < c->source.n; i++)
        stage->sources[i] = cw_stage_slot(build, c->source.items[i]);
    int rc = check(c, err);
    if (rc < 0 || c->expression.len == 0)
        return rc;
    rc = cw_regex_compile(c->expression, CW_REGEX_SEARCH, &stage->regex, err);
    return rc < 0 ? cw_err_wrap(err, "expression") : 0;
}

static void free_stage(void *state)
{
    struct drop_stage *stage = state;
    cw_regex_free(&stage->regex);
}

/* The values of the sources that there are, joined; or the line. False: one is null, which no text is like. */
static bool subject(const struct drop_stage *stage, const struct cw_stages_run *run,
                    const struct cw_stage_item *item, struct cw_str *out)
{
    struct cw_str text = item->entry.line, value;
    bool first = true;
    for (size_t i = 0; i < stage->nsources; i++) {
        if (!cw_stage_text(run, item, stage->sources[i], &value)) {
            if (cw_stage_get(run, item, stage->sources[i]).kind == CW_EXTRACTED_NULL)
                return false;
            continue;
        }
        if (first)
            text = value;
        else
            text = cw_arena_printf(run->options.arena, "%.*s%.*s%.*s", CW_STR_ARG(text),
                                   CW_STR_ARG(stage->config->separator), CW_STR_ARG(value));
        first = false;
    }
    *out = first && stage->nsources > 0 ? CW_STR("") : text;
    return true;
}

static bool has_sources(const struct drop_stage *stage, const struct cw_stages_run *run,
                        const struct cw_stage_item *item)
{
    for (size_t i = 0; i < stage->nsources; i++) {
        if (stage->sources[i] != CW_SLOT_LINE &&
            cw_stage_get(run, item, stage->sources[i]).kind == CW_EXTRACTED_UNSET)
            return false;
    }
    return true;
}

/* Every option that is given must hold. */
static bool is_met(const struct drop_stage *stage, const struct cw_stages_run *run,
                   const struct cw_stage_item *item)
{
    const struct cw_stage_drop_config *c = stage->config;
    struct cw_str text;
    int64_t oldest_ns;
    if (c->has_longer_than && item->entry.line.len <= (size_t)c->longer_than_bytes)
        return false;
    if (c->has_older_than &&
        (__builtin_sub_overflow(run->options.now_ns, c->older_than_ns, &oldest_ns) ||
         item->entry.ts_ns >= oldest_ns))
        return false;
    if (c->has_value)
        return subject(stage, run, item, &text) && cw_str_eq(text, c->value);
    if (stage->regex != NULL)
        return subject(stage, run, item, &text) && cw_regex_match(stage->regex, text, NULL) == 1;
    return has_sources(stage, run, item);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct drop_stage *stage = node->state;
    if (!is_met(stage, run, item))
        return CW_STAGE_ON;
    return cw_stage_drop(run, item,
                         cw_stage_reason(stage->config->drop_counter_reason, "drop_stage"));
}

const struct cw_stage_def cw_stage_drop_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
