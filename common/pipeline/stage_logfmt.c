#include "common/extract/extract_logfmt.h"
#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

struct logfmt_stage {
    uint32_t source;
    struct logfmt_pair {
        struct cw_str key;
        uint32_t slot;
    } * pairs;
    size_t n;
    struct cw_regex *regex; /* of keys that are taken too; or NULL */
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_logfmt_config *c = config;
    struct logfmt_stage *stage = CW_ARENA_NEW(build->arena, struct logfmt_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->n = c->mapping.n;
    stage->pairs = CW_ARENA_ARRAY(build->arena, struct logfmt_pair, c->mapping.n);
    for (size_t i = 0; i < c->mapping.n; i++) {
        const struct cw_config_pair *pair = &c->mapping.items[i];
        if (pair->name.len == 0)
            return cw_err_set(err, CW_E_INVALID, "mapping: a name is empty");
        stage->pairs[i] = (struct logfmt_pair){pair->value.len > 0 ? pair->value : pair->name,
                                               cw_stage_slot(build, pair->name)};
    }
    if (c->regex.len == 0)
        return stage->n > 0 ? 0 : cw_err_set(err, CW_E_INVALID, "mapping is missing");
    int rc = cw_regex_compile(c->regex, CW_REGEX_SEARCH, &stage->regex, err);
    return rc < 0 ? cw_err_wrap(err, "regex") : 0;
}

static void free_stage(void *state)
{
    struct logfmt_stage *stage = state;
    cw_regex_free(&stage->regex);
}

/* The pairs of one line of the text. False: one is broken. */
static bool take_pairs(const struct logfmt_stage *stage, struct cw_stages_run *run,
                       struct cw_stage_item *item, struct cw_str line)
{
    struct cw_logfmt_pairs pairs = {.arena = run->options.arena, .line = line};
    while (cw_logfmt_next(&pairs)) {
        for (size_t i = 0; i < stage->n; i++) {
            if (cw_str_eq(stage->pairs[i].key, pairs.key))
                cw_stage_set(item, stage->pairs[i].slot, CW_EXTRACTED_TEXT, pairs.value);
        }
        if (stage->regex != NULL && cw_regex_match(stage->regex, pairs.key, NULL) == 1)
            cw_stage_set_named(run, item, pairs.key, CW_EXTRACTED_TEXT, pairs.value);
    }
    return pairs.fault == NULL;
}

/* Up to the first pair that is broken. No pair goes beyond its line. */
static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct logfmt_stage *stage = node->state;
    struct cw_str rest, line;
    if (!cw_stage_text(run, item, stage->source, &rest))
        return CW_STAGE_ON;
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line) && take_pairs(stage, run, item, line)) {
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_logfmt_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
