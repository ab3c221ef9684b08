#include "querier/engine/pipeline.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/decolorize.h"
#include "common/extract/extract_json.h"
#include "common/extract/extract_logfmt.h"
#include "common/extract/extract_pattern.h"
#include "common/match/match_stop.h"
#include "querier/engine/format_stage.h"
#include "querier/engine/label_filter.h"
#include "querier/engine/label_number.h"
#include "querier/engine/plan.h"
#include "querier/engine/template_stage.h"

struct step {
    const struct cw_stage *stage;
    struct cw_json_expression *json;
    struct cw_logfmt_expression *logfmt;
    size_t nlogfmt;
    struct cw_extract_pattern *pattern;
    struct cw_label_test *test;
    struct cw_format_stage *format;
};

struct cw_pipeline {
    struct cw_arena *arena;
    const struct cw_expr *expr;
    struct cw_label_hints hints;
    struct cw_str *required;
    size_t nrequired, required_cap;
    struct step *steps;
    size_t n, cap, nstages;           /* the first nstages come ahead of unwrap */
    struct cw_format_stage **formats; /* of the stages that format, in their order; owned */
    size_t nformats, formats_cap;
    bool needs_lines;
};

/* ---- what labels the query needs ---- */

static void add_name(void *arg, struct cw_str name)
{
    struct cw_pipeline *pipeline = arg;
    for (size_t i = 0; i < pipeline->nrequired; i++)
        if (cw_str_eq(pipeline->required[i], name))
            return;
    pipeline->required =
        cw_arena_grow(pipeline->arena, pipeline->required, pipeline->nrequired,
                      &pipeline->required_cap, pipeline->nrequired + 1, sizeof(struct cw_str));
    pipeline->required[pipeline->nrequired++] = name;
}

/* A parser does not know yet that the name will clash: it must take the one in the line too. */
static void require(void *arg, struct cw_str name)
{
    add_name(arg, name);
    if (cw_str_ends(name, CW_STR("_extracted")))
        add_name(arg, cw_str_sub(name, 0, name.len - strlen("_extracted")));
}

static void require_leaf(void *arg, const struct cw_label_filter *leaf)
{
    require(arg, cw_label_filter_name(leaf));
}

static void require_stages(struct cw_pipeline *pipeline, const struct cw_stage *stages)
{
    for (const struct cw_stage *stage = stages; stage != NULL; stage = stage->next)
        if (stage->kind == CW_STAGE_LABEL_FILTER)
            cw_label_filter_leaves(stage->label_filter, require_leaf, pipeline);
}

static void make_hints(struct cw_pipeline *pipeline, const struct cw_grouping *grouping)
{
    const struct cw_expr *expr = pipeline->expr;
    if (grouping == NULL || grouping->kind == CW_GROUP_WITHOUT)
        return;
    require_stages(pipeline, expr->stages);
    require_stages(pipeline, expr->unwrap.post_filters);
    for (size_t i = 0; i < pipeline->nformats; i++)
        cw_format_stage_names(pipeline->formats[i], require, pipeline);
    for (size_t i = 0; i < grouping->n; i++)
        require(pipeline, grouping->names[i]);
    if (expr->unwrap.present)
        require(pipeline, expr->unwrap.label);
    if (expr->counted.len > 0)
        require(pipeline, expr->counted);
    pipeline->hints = (struct cw_label_hints){
        .no_labels = pipeline->nrequired == 0,
        .required = pipeline->required,
        .nrequired = pipeline->nrequired,
    };
}

/* ---- compiling ---- */

/* Templates come first: what they read is needed. */
static int compile_formats(struct cw_pipeline *pipeline, struct cw_err *err)
{
    for (const struct cw_stage *stage = pipeline->expr->stages; stage != NULL;
         stage = stage->next) {
        if (stage->kind != CW_STAGE_LINE_FORMAT && stage->kind != CW_STAGE_LABEL_FORMAT)
            continue;
        struct cw_format_stage *format = NULL;
        int rc = cw_format_stage_new(stage, &format, err);
        if (rc < 0)
            return rc;
        pipeline->formats = cw_arena_grow(pipeline->arena, pipeline->formats, pipeline->nformats,
                                          &pipeline->formats_cap, pipeline->nformats + 1,
                                          sizeof(struct cw_format_stage *));
        pipeline->formats[pipeline->nformats++] = format;
    }
    return 0;
}

static struct cw_format_stage *format_of(const struct cw_pipeline *pipeline,
                                         const struct cw_stage *stage)
{
    size_t idx = 0;
    for (const struct cw_stage *at = pipeline->expr->stages; at != stage; at = at->next)
        idx += at->kind == CW_STAGE_LINE_FORMAT || at->kind == CW_STAGE_LABEL_FORMAT;
    return pipeline->formats[idx];
}

/* "parse error : stage '| json x="a["' : cannot parse expression [a[]: ..." */
static int expression_fault(const struct cw_stage *stage, struct cw_str expression,
                            struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_stage_format(stage, &text);
    cw_err_wrap(err, "parse error : stage '%s' : cannot parse expression [%.*s]", cw_buf_z(&text),
                CW_STR_ARG(expression));
    cw_buf_fini(&text);
    return err->code;
}

static int compile_json(struct cw_pipeline *pipeline, const struct cw_extraction *extraction,
                        struct cw_json_expression *out, struct cw_err *err)
{
    out->name = extraction->name;
    return cw_extract_path_json(extraction->expression, pipeline->arena, &out->path, err);
}

/* The last expression of a name is the one that counts. */
static int compile_logfmt(struct cw_pipeline *pipeline, struct step *step,
                          const struct cw_extraction *extraction, struct cw_err *err)
{
    size_t i = 0;
    while (i < step->nlogfmt && !cw_str_eq(step->logfmt[i].name, extraction->name))
        i++;
    step->nlogfmt = CW_MAX(step->nlogfmt, i + 1);
    step->logfmt[i].name = extraction->name;
    return cw_extract_path_logfmt(extraction->expression, pipeline->arena, &step->logfmt[i].key,
                                  err);
}

static int compile_extractions(struct cw_pipeline *pipeline, const struct cw_stage *stage,
                               struct step *step, struct cw_err *err)
{
    size_t n = stage->nextractions;
    bool json = stage->kind == CW_STAGE_JSON;
    if (json)
        step->json = CW_ARENA_ARRAY(pipeline->arena, struct cw_json_expression, n);
    else
        step->logfmt = CW_ARENA_ARRAY(pipeline->arena, struct cw_logfmt_expression, n);
    for (size_t i = 0; i < n; i++) {
        const struct cw_extraction *extraction = &stage->extractions[i];
        int rc = json ? compile_json(pipeline, extraction, &step->json[i], err)
                      : compile_logfmt(pipeline, step, extraction, err);
        if (rc < 0)
            return expression_fault(stage, extraction->expression, err);
    }
    return 0;
}

/* Is there still something for the stage to do, when no label is looked at in the end? */
static bool is_idle_stage(const struct cw_pipeline *pipeline, const struct cw_stage *stage,
                          enum cw_pipeline_use use)
{
    if (!pipeline->hints.no_labels)
        return false;
    switch (stage->kind) {
    case CW_STAGE_LINE_FILTER:
    case CW_STAGE_LABEL_FILTER:
    case CW_STAGE_LINE_FORMAT: return false;
    case CW_STAGE_DECOLORIZE: return use == CW_PIPELINE_COUNT;
    default: return true;
    }
}

static int add_step(struct cw_pipeline *pipeline, const struct cw_stage *stage,
                    enum cw_pipeline_use use, struct cw_err *err)
{
    struct step step = {.stage = stage};
    int rc = 0;
    if (stage->kind == CW_STAGE_JSON || stage->kind == CW_STAGE_LOGFMT)
        rc = compile_extractions(pipeline, stage, &step, err);
    if (rc < 0 || is_idle_stage(pipeline, stage, use))
        return rc;
    if (stage->kind == CW_STAGE_PATTERN)
        step.pattern = cw_extract_pattern_new(stage->text);
    else if (stage->kind == CW_STAGE_LABEL_FILTER)
        step.test = cw_label_filter_new(stage->label_filter, pipeline->arena);
    else if (stage->kind == CW_STAGE_LABEL_FORMAT || stage->kind == CW_STAGE_LINE_FORMAT)
        step.format = format_of(pipeline, stage);
    else if (stage->kind != CW_STAGE_DROP && stage->kind != CW_STAGE_KEEP)
        pipeline->needs_lines = true;
    pipeline->needs_lines |=
        step.pattern != NULL || (step.format != NULL && cw_format_stage_needs_line(step.format));
    pipeline->steps = cw_arena_grow(pipeline->arena, pipeline->steps, pipeline->n, &pipeline->cap,
                                    pipeline->n + 1, sizeof *pipeline->steps);
    pipeline->steps[pipeline->n++] = step;
    return 0;
}

/* One group: line filters first, unless the scan has them, then the others as they stand. *next_out is behind the group. */
static int add_group(struct cw_pipeline *pipeline, const struct cw_stage *group, bool first,
                     enum cw_pipeline_use use, const struct cw_stage **next_out, struct cw_err *err)
{
    const struct cw_stage *end = group;
    while (end != NULL && !cw_plan_holds_back(end->kind))
        end = end->next;
    *next_out = end != NULL ? end->next : NULL;
    int rc = 0;
    for (const struct cw_stage *stage = group; rc == 0 && !first && stage != end;
         stage = stage->next)
        if (stage->kind == CW_STAGE_LINE_FILTER)
            rc = add_step(pipeline, stage, use, err);
    for (const struct cw_stage *stage = group; rc == 0 && stage != *next_out; stage = stage->next)
        if (stage->kind != CW_STAGE_LINE_FILTER)
            rc = add_step(pipeline, stage, use, err);
    return rc;
}

static int add_stages(struct cw_pipeline *pipeline, enum cw_pipeline_use use, struct cw_err *err)
{
    const struct cw_stage *stage = pipeline->expr->stages;
    int rc = 0;
    for (bool first = true; rc == 0 && stage != NULL; first = false)
        rc = add_group(pipeline, stage, first, use, &stage, err);
    pipeline->nstages = pipeline->n;
    for (stage = pipeline->expr->unwrap.post_filters; rc == 0 && stage != NULL; stage = stage->next)
        rc = add_step(pipeline, stage, use, err);
    return rc;
}

int cw_pipeline_new(const struct cw_expr *expr, const struct cw_grouping *grouping,
                    enum cw_pipeline_use use, struct cw_pipeline **out, struct cw_err *err)
{
    struct cw_pipeline *pipeline = cw_mem_new(sizeof *pipeline);
    pipeline->arena = cw_arena_new();
    pipeline->expr = expr;
    int rc = compile_formats(pipeline, err);
    if (rc == 0) {
        make_hints(pipeline, grouping);
        rc = add_stages(pipeline, use, err);
    }
    if (rc < 0) {
        cw_pipeline_free(&pipeline);
        return rc;
    }
    *out = pipeline;
    return 0;
}

void cw_pipeline_free(struct cw_pipeline **pipeline)
{
    if (*pipeline == NULL)
        return;
    for (size_t i = 0; i < (*pipeline)->n; i++)
        cw_extract_pattern_free(&(*pipeline)->steps[i].pattern);
    for (size_t i = 0; i < (*pipeline)->nformats; i++)
        cw_format_stage_free(&(*pipeline)->formats[i]);
    cw_arena_free(&(*pipeline)->arena);
    free(*pipeline);
    *pipeline = NULL;
}

bool cw_pipeline_is_idle(const struct cw_pipeline *pipeline)
{
    return pipeline->n == 0 && !pipeline->expr->unwrap.present && pipeline->expr->counted.len == 0;
}

bool cw_pipeline_needs_lines(const struct cw_pipeline *pipeline)
{
    return pipeline->needs_lines;
}

const struct cw_label_hints *cw_pipeline_hints(const struct cw_pipeline *pipeline)
{
    return &pipeline->hints;
}

bool cw_pipeline_runs(const struct cw_pipeline *pipeline, const struct cw_stage *stage)
{
    for (size_t i = 0; i < pipeline->n; i++)
        if (pipeline->steps[i].stage == stage)
            return true;
    return false;
}

const struct cw_stage *cw_pipeline_parser(const struct cw_pipeline *pipeline)
{
    if (pipeline->n == 0 || pipeline->hints.nrequired == 0 || pipeline->expr->counted.len > 0 ||
        cw_expr_has_in(pipeline->expr))
        return NULL;
    for (size_t i = 0; i < pipeline->n; i++) {
        enum cw_stage_kind kind = pipeline->steps[i].stage->kind;
        bool fits = i == 0 ? kind == CW_STAGE_JSON || kind == CW_STAGE_LOGFMT
                           : kind == CW_STAGE_LABEL_FILTER || kind == CW_STAGE_DROP ||
                                 kind == CW_STAGE_KEEP;
        if (!fits)
            return NULL;
    }
    return pipeline->steps[0].stage->arrays ? NULL : pipeline->steps[0].stage;
}

/* ---- running ---- */

struct cw_pipeline_run *cw_pipeline_run_new(const struct cw_pipeline *pipeline)
{
    struct cw_pipeline_run *run = cw_mem_new(sizeof *run);
    run->pipeline = pipeline;
    cw_label_builder_init(&run->builder, &pipeline->hints);
    if (pipeline->nformats > 0)
        run->format = cw_format_run_new();
    return run;
}

void cw_pipeline_run_free(struct cw_pipeline_run **run)
{
    if (*run == NULL)
        return;
    cw_label_builder_fini(&(*run)->builder);
    cw_format_run_free(&(*run)->format);
    cw_template_run_free(&(*run)->template);
    free(*run);
    *run = NULL;
}

/* The value of a label or an error, as drop and keep see it. */
static struct cw_str value_of(const struct cw_label_builder *builder, struct cw_str name)
{
    struct cw_str value;
    enum cw_label_category category;
    if (cw_str_eqz(name, "__error__"))
        return builder->error;
    if (cw_str_eqz(name, "__error_details__"))
        return builder->details;
    return cw_label_builder_get(builder, name, &value, &category) ? value : CW_STR_NONE;
}

static void drop(struct cw_label_builder *builder, struct cw_str name, bool has_matcher)
{
    struct cw_str value;
    enum cw_label_category category;
    if (cw_str_eqz(name, "__error__"))
        builder->error = CW_STR_NONE;
    else if (cw_str_eqz(name, "__error_details__"))
        builder->details = CW_STR_NONE;
    else if (has_matcher || cw_label_builder_get(builder, name, &value, &category))
        cw_label_builder_delete(builder, name);
}

static int run_drop(const struct cw_stage *stage, struct cw_label_builder *builder,
                    struct cw_err *err)
{
    for (size_t i = 0; i < stage->nnames; i++) {
        const struct cw_drop_keep *item = &stage->names[i];
        int rc = item->has_matcher
                     ? cw_matcher_match(&item->matcher, value_of(builder, item->name), err)
                     : 1;
        if (rc < 0)
            return rc;
        if (rc > 0)
            drop(builder, item->name, item->has_matcher);
    }
    return 1;
}

static bool is_special(struct cw_str name)
{
    return cw_str_eqz(name, "__error__") || cw_str_eqz(name, "__error_details__") ||
           cw_str_eqz(name, "__preserve_error__");
}

static int keeps(const struct cw_stage *stage, const struct cw_label *label, struct cw_err *err)
{
    for (size_t i = 0; i < stage->nnames; i++) {
        const struct cw_drop_keep *item = &stage->names[i];
        if (!cw_str_eq(item->name, label->name))
            continue;
        int rc = item->has_matcher ? cw_matcher_match(&item->matcher, label->value, err) : 1;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int run_keep(const struct cw_stage *stage, struct cw_label_builder *builder,
                    struct cw_err *err)
{
    struct cw_labels all = cw_label_builder_get_all(builder);
    for (size_t i = 0; i < all.n; i++) {
        if (is_special(all.items[i].name))
            continue;
        int rc = keeps(stage, &all.items[i], err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            cw_label_builder_delete(builder, all.items[i].name);
    }
    return 1;
}

static int run_parser(struct cw_pipeline_run *run, const struct step *step, struct cw_err *err)
{
    const struct cw_stage *stage = step->stage;
    struct cw_label_builder *builder = &run->builder;
    struct cw_logfmt_options options = {stage->strict, stage->keep_empty};
    switch (stage->kind) {
    case CW_STAGE_JSON:
        if (stage->nextractions > 0)
            cw_extract_json_paths(run->line, step->json, stage->nextractions, builder);
        else if (stage->arrays)
            cw_extract_json_arrays(run->line, builder);
        else
            cw_extract_json(run->line, NULL, builder);
        break;
    case CW_STAGE_LOGFMT:
        if (stage->nextractions > 0)
            cw_extract_logfmt_keys(run->line, options, step->logfmt, step->nlogfmt, builder);
        else
            cw_extract_logfmt(run->line, options, builder);
        break;
    case CW_STAGE_PATTERN: cw_extract_pattern_run(step->pattern, run->line, builder); break;
    case CW_STAGE_TEMPLATE:
        if (run->template == NULL)
            run->template = cw_template_run_new();
        cw_template_run_entry(run->template, run->line, builder);
        break;
    case CW_STAGE_UNPACK: run->line = cw_extract_unpack(run->line, builder); break;
    default: return cw_extract_regexp(stage->regex, run->line, builder, err);
    }
    return 0;
}

/* 1 go on, 0 the entry goes. */
static int run_step(struct cw_pipeline_run *run, const struct step *step, struct cw_err *err)
{
    const struct cw_stage *stage = step->stage;
    struct cw_label_builder *builder = &run->builder;
    int rc;
    switch (stage->kind) {
    case CW_STAGE_LINE_FILTER: return cw_line_filter_match(stage->filter, run->line, err);
    case CW_STAGE_LABEL_FILTER: return cw_label_filter_run(step->test, builder, err);
    case CW_STAGE_DROP: return run_drop(stage, builder, err);
    case CW_STAGE_KEEP: return run_keep(stage, builder, err);
    case CW_STAGE_LABEL_FORMAT:
    case CW_STAGE_LINE_FORMAT:
        cw_format_stage_entry(step->format, run->format, builder, run->ts_ns, &run->line);
        return 1;
    case CW_STAGE_DISTINCT:
    case CW_STAGE_SORT: cw_gather_key_note(stage, builder, &run->key); return 1;
    case CW_STAGE_DECOLORIZE: run->line = cw_decolorize(run->line, builder->scratch); return 1;
    default: rc = run_parser(run, step, err); return rc < 0 ? rc : 1;
    }
}

static int run_unwrap(struct cw_pipeline_run *run)
{
    const struct cw_unwrap *unwrap = &run->pipeline->expr->unwrap;
    struct cw_label_builder *builder = &run->builder;
    struct cw_str text, why;
    enum cw_label_category category;
    bool fine;
    if (!cw_label_builder_get(builder, unwrap->label, &text, &category) || text.len == 0)
        return 0;
    run->value = 0;
    if (unwrap->conversion == CW_UNWRAP_CONV_NONE) {
        fine = cw_label_number(text, &run->value, builder->scratch, &why);
    } else if (unwrap->conversion == CW_UNWRAP_CONV_BYTES) {
        uint64_t bytes = 0;
        fine = cw_label_bytes(text, &bytes, builder->scratch, &why);
        run->value = (double)bytes;
    } else {
        int64_t ns = 0;
        fine = cw_label_duration(text, &ns, builder->scratch, &why);
        run->value = (double)ns / 1e9;
    }
    if (!fine)
        cw_label_builder_set_error(builder, CW_STR("SampleExtractionErr"), why);
    return 1;
}

/* Step i and those behind it. */
static int run_from(struct cw_pipeline_run *run, size_t i, struct cw_err *err)
{
    const struct cw_pipeline *pipeline = run->pipeline;
    int rc = cw_match_stop_check(err); /* a parser or a template may take milliseconds a line */
    if (rc == 0)
        rc = 1;
    for (; rc > 0 && i < pipeline->nstages; i++)
        rc = run_step(run, &pipeline->steps[i], err);
    if (rc > 0 && pipeline->expr->unwrap.present)
        rc = run_unwrap(run);
    for (; rc > 0 && i < pipeline->n; i++)
        rc = run_step(run, &pipeline->steps[i], err);
    return rc;
}

int cw_pipeline_entry(struct cw_pipeline_run *run, int64_t ts_ns, struct cw_labels stream,
                      struct cw_labels metadata, struct cw_str line, struct cw_err *err)
{
    cw_label_builder_begin(&run->builder, stream, metadata);
    run->line = line;
    run->ts_ns = ts_ns;
    run->key = (struct cw_gather_key){0};
    return run_from(run, 0, err);
}

int cw_pipeline_parse(struct cw_pipeline_run *run, struct cw_labels stream,
                      struct cw_labels metadata, struct cw_str line, struct cw_err *err)
{
    cw_label_builder_begin(&run->builder, stream, metadata);
    run->line = line;
    return run_parser(run, &run->pipeline->steps[0], err);
}

int cw_pipeline_parsed(struct cw_pipeline_run *run, struct cw_err *err)
{
    return run_from(run, 1, err);
}
