#include "common/base/limits.h"
#include "common/extract/extract_pattern.h"
#include "common/logql/ast.h"
#include "common/match/pattern_match.h"
#include "common/pipeline/stage_priv.h"

struct pattern_stage {
    uint32_t source;
    struct cw_query *query; /* {} | pattern "...": checks and owns the text */
    struct cw_extract_pattern *pattern;
    struct cw_label_builder builder;
    bool labels_from_groups;
};

/* LogQL's parser knows which patterns are right. */
static int parse(struct cw_str pattern, struct cw_query **out, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_QUERY_BYTES);
    cw_buf_addz(&text, "{} | pattern ");
    cw_quote_go(pattern, &text);
    int rc = cw_buf_failed(&text)
                 ? cw_err_set(err, CW_E_INVALID, "it is too long")
                 : cw_logql_parse_dialect(cw_buf_str(&text), CW_LOGQL_ANY_SELECTOR, out, err);
    cw_buf_fini(&text);
    return rc;
}

/* The values of the captures are found by their names; those must have slots. */
static void add_slots(struct cw_stages_build *build, struct cw_str pattern)
{
    for (size_t at = 0; at < pattern.len;) {
        size_t len = cw_pattern_capture_len(cw_str_sub(pattern, at, pattern.len));
        if (len > 2)
            cw_stage_slot(build, cw_str_sub(pattern, at + 1, at + len - 1));
        at += len > 0 ? len : 1;
    }
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    static const struct cw_label_hints every_name;
    const struct cw_stage_pattern_config *c = config;
    struct pattern_stage *stage = CW_ARENA_NEW(build->arena, struct pattern_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->labels_from_groups = c->labels_from_groups;
    cw_label_builder_init(&stage->builder, &every_name);
    if (c->pattern.len == 0)
        return cw_err_set(err, CW_E_INVALID, "pattern is missing");
    int rc = parse(c->pattern, &stage->query, err);
    if (rc < 0)
        return cw_err_wrap(err, "pattern");
    struct cw_str text = stage->query->root->stages->text;
    add_slots(build, text);
    stage->pattern = cw_extract_pattern_new(text);
    return 0;
}

static void free_stage(void *state)
{
    struct pattern_stage *stage = state;
    cw_extract_pattern_free(&stage->pattern);
    cw_query_free(&stage->query);
    cw_label_builder_fini(&stage->builder);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct pattern_stage *stage = node->state;
    struct cw_label_builder *builder = &stage->builder;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    cw_label_builder_begin(builder, CW_LABELS_NONE, CW_LABELS_NONE);
    cw_extract_pattern_run(stage->pattern, text, builder);
    for (size_t i = 0; i < builder->n; i++) {
        const struct cw_built_label *found = &builder->items[i];
        cw_stage_set_named(run, item, found->name, CW_EXTRACTED_TEXT, found->value);
        if (stage->labels_from_groups)
            cw_stage_set_label(run, item, found->name, found->value);
    }
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_pattern_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
