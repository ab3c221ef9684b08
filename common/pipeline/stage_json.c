#include "common/extract/jmespath.h"
#include "common/extract/json_strict.h"
#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

struct json_stage {
    uint32_t source;
    struct cw_jmespath_set *set;
    uint32_t *slots; /* of the results */
    size_t n;
    struct cw_jmespath_result *results;
    struct cw_regex *regex; /* of members that are taken too; or NULL */
    bool drop_malformed;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_json_config *c = config;
    size_t n = c->expressions.n;
    struct json_stage *stage = CW_ARENA_NEW(build->arena, struct json_stage);
    struct cw_str *expressions = CW_ARENA_ARRAY(build->arena, struct cw_str, n);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->drop_malformed = c->drop_malformed;
    stage->slots = CW_ARENA_ARRAY(build->arena, uint32_t, n);
    stage->results = CW_ARENA_ARRAY(build->arena, struct cw_jmespath_result, n);
    stage->n = n;
    if (n == 0 && c->regex.len == 0)
        return cw_err_set(err, CW_E_INVALID, "expressions is missing: what is to be extracted?");
    for (size_t i = 0; i < n; i++) {
        const struct cw_config_pair *pair = &c->expressions.items[i];
        if (pair->name.len == 0)
            return cw_err_set(err, CW_E_INVALID, "expressions: a name is empty");
        stage->slots[i] = cw_stage_slot(build, pair->name);
        expressions[i] = pair->value.len > 0 ? pair->value : pair->name;
    }
    int rc = cw_jmespath_set_new(expressions, n, &stage->set, err);
    if (rc < 0)
        return cw_err_wrap(err, "expressions");
    if (c->regex.len == 0)
        return 0;
    rc = cw_regex_compile(c->regex, CW_REGEX_SEARCH, &stage->regex, err);
    return rc < 0 ? cw_err_wrap(err, "regex") : 0;
}

static void free_stage(void *state)
{
    struct json_stage *stage = state;
    cw_jmespath_set_free(&stage->set);
    cw_regex_free(&stage->regex);
}

static struct cw_extracted value_of(const struct cw_jmespath_result *result)
{
    switch (result->type) {
    case CW_JMESPATH_NULL: return (struct cw_extracted){CW_EXTRACTED_NULL, CW_STR_NONE};
    case CW_JMESPATH_NUMBER: return (struct cw_extracted){CW_EXTRACTED_NUMBER, result->text};
    case CW_JMESPATH_BOOL: return (struct cw_extracted){CW_EXTRACTED_BOOL, result->text};
    default: return (struct cw_extracted){CW_EXTRACTED_TEXT, result->text};
    }
}

/* The members of an object that is right, whose keys match. */
static void take_matching(const struct json_stage *stage, struct cw_stages_run *run,
                          struct cw_stage_item *item, struct cw_str text)
{
    struct cw_json_walk walk = {text.ptr, text.ptr + text.len, 0};
    struct cw_arena *arena = run->options.arena;
    struct cw_jmespath_result result;
    struct cw_json_value value;
    struct cw_str key;
    bool escaped;
    cw_json_walk_space(&walk);
    if (walk.at == walk.end || *walk.at != '{' || !cw_json_walk_enter(&walk))
        return; /* it is null */
    for (size_t n = 0; cw_json_walk_next(&walk, n, '}') > 0; n++) {
        if (!cw_json_walk_key(&walk, &key, &escaped) || !cw_json_walk_value(&walk, &value))
            return;
        if (escaped)
            key = cw_json_unescape_go(key, arena);
        if (cw_regex_match(stage->regex, key, NULL) != 1 ||
            !cw_jmespath_value(&value, arena, &result) || result.type == CW_JMESPATH_NONE)
            continue;
        struct cw_extracted made = value_of(&result);
        cw_stage_set_named(run, item, key, made.kind, made.text);
    }
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct json_stage *stage = node->state;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    if (!cw_jmespath_set_search(stage->set, text, run->options.arena, stage->results))
        return stage->drop_malformed ? cw_stage_drop(run, item, CW_STR("malformed_json"))
                                     : CW_STAGE_ON;
    for (size_t i = 0; i < stage->n; i++) {
        if (stage->results[i].type != CW_JMESPATH_NONE)
            item->slots[stage->slots[i]] = value_of(&stage->results[i]);
    }
    if (stage->regex != NULL)
        take_matching(stage, run, item, text);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_json_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
