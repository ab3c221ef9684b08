#include "common/logql/ast.h"
#include "common/pipeline/stage_priv.h"

struct match_stage {
    struct cw_query *query;
    enum cw_stage_match_action action;
    struct cw_str reason;
};

/* A selector and line filters, nothing else. */
static int check_query(const struct cw_expr *expr, struct cw_err *err)
{
    if (expr->kind != CW_EXPR_LOG)
        return cw_err_set(err, CW_E_INVALID, "selector: it is a metric query");
    for (const struct cw_stage *s = expr->stages; s != NULL; s = s->next) {
        if (s->kind != CW_STAGE_LINE_FILTER)
            return cw_err_set(err, CW_E_INVALID,
                              "selector: only matchers and line filters can stand in it");
    }
    return 0;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_match_config *c = config;
    struct match_stage *stage = CW_ARENA_NEW(build->arena, struct match_stage);
    node->state = stage;
    stage->action = (enum cw_stage_match_action)c->action;
    stage->reason = cw_stage_reason(c->drop_counter_reason, "match_stage");
    if (c->selector.len == 0)
        return cw_err_set(err, CW_E_INVALID, "selector is missing");
    if (c->has_pipeline_name && c->pipeline_name.len == 0)
        return cw_err_set(err, CW_E_INVALID, "pipeline_name may be left out, but not be empty");
    if (stage->action == CW_STAGE_MATCH_DROP && c->stages.n > 0)
        return cw_err_set(err, CW_E_INVALID, "what is dropped cannot go through stages");
    if (stage->action == CW_STAGE_MATCH_KEEP && c->stages.n == 0)
        return cw_err_set(err, CW_E_INVALID, "stages are missing");
    int rc = cw_logql_parse_dialect(c->selector, CW_LOGQL_ANY_SELECTOR, &stage->query, err);
    if (rc < 0)
        return cw_err_wrap(err, "selector");
    rc = check_query(stage->query->root, err);
    if (rc < 0)
        return rc;
    build->depth++;
    rc = cw_stages_compile(build, &c->stages, err);
    build->depth--;
    return rc;
}

static void free_stage(void *state)
{
    struct match_stage *stage = state;
    cw_query_free(&stage->query);
}

static bool matches(const struct match_stage *stage, const struct cw_stage_item *item)
{
    const struct cw_expr *expr = stage->query->root;
    struct cw_labels labels = {item->entry.labels, item->entry.nlabels};
    if (cw_selector_match(&expr->selector, labels, NULL) != 1)
        return false;
    for (const struct cw_stage *s = expr->stages; s != NULL; s = s->next) {
        if (cw_line_filter_match(s->filter, item->entry.line, NULL) != 1)
            return false;
    }
    return true;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct match_stage *stage = node->state;
    bool match = matches(stage, item);
    if (stage->action == CW_STAGE_MATCH_KEEP)
        return match ? CW_STAGE_ON : CW_STAGE_PAST;
    return match ? cw_stage_drop(run, item, stage->reason) : CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_match_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
