#include "querier/engine/format_stage.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/template/go_template.h"

struct cw_format_stage {
    const struct cw_stage *stage;
    struct cw_go_template **templates; /* one, or one a format: NULL for a rename */
    size_t n, ntemplates;
    bool is_error; /* the line is to be an error's name or details, nothing else */
};

struct cw_format_run {
    struct cw_go_template_run *run;
    struct cw_buf out;
    struct cw_err err;
    int64_t now_ns;
    /* while a stage works on an entry */
    struct cw_label_builder *builder;
    struct cw_labels frozen; /* what later templates of a stage see, when it has several */
    bool is_frozen;
};

/* ---- compiling ---- */

/* "parse error : stage '| line_format "{{.a"' : invalid line template: template: line:1: unclosed action" */
static int template_fault(const struct cw_stage *stage, struct cw_str label, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_stage_format(stage, &text);
    if (stage->kind == CW_STAGE_LINE_FORMAT)
        cw_err_wrap(err, "invalid line template");
    else
        cw_err_wrap(err, "invalid template for label '%.*s'", CW_STR_ARG(label));
    cw_err_wrap(err, "parse error : stage '%s' ", cw_buf_z(&text));
    cw_buf_fini(&text);
    return err->code;
}

/* Loki takes a line that is one label, `{{ .x }}`, from the labels itself: the error is none of them. */
static bool is_error_alone(struct cw_str text)
{
    if (!cw_str_starts(text, CW_STR("{{")) || !cw_str_ends(text, CW_STR("}}")) || text.len < 4)
        return false;
    text = cw_str_trim(cw_str_sub(text, 2, text.len - 2));
    return cw_str_eqz(text, ".__error__") || cw_str_eqz(text, ".__error_details__");
}

int cw_format_stage_new(const struct cw_stage *stage, struct cw_format_stage **out,
                        struct cw_err *err)
{
    bool line = stage->kind == CW_STAGE_LINE_FORMAT;
    struct cw_format_stage *format = cw_mem_new(sizeof *format);
    format->stage = stage;
    format->n = line ? 1 : stage->nformats;
    format->is_error = line && is_error_alone(stage->text);
    format->templates = cw_mem_array(format->n, sizeof(struct cw_go_template *));
    for (size_t i = 0; i < format->n; i++) {
        if (!line && !stage->formats[i].is_template)
            continue;
        int rc = cw_go_template_compile(line ? CW_STR("line") : CW_STR("label"),
                                        line ? stage->text : stage->formats[i].value,
                                        &format->templates[i], err);
        if (rc < 0) {
            rc = template_fault(stage, line ? CW_STR_NONE : stage->formats[i].dst, err);
            cw_format_stage_free(&format);
            return rc;
        }
        format->ntemplates++;
    }
    *out = format;
    return 0;
}

void cw_format_stage_free(struct cw_format_stage **format)
{
    if (*format == NULL)
        return;
    for (size_t i = 0; i < (*format)->n; i++)
        cw_go_template_free(&(*format)->templates[i]);
    free((*format)->templates);
    free(*format);
    *format = NULL;
}

void cw_format_stage_names(const struct cw_format_stage *format,
                           void (*add)(void *arg, struct cw_str name), void *arg)
{
    for (size_t i = 0; i < format->n; i++) {
        struct cw_go_template_needs needs;
        if (format->templates[i] == NULL) {
            add(arg, format->stage->formats[i].value);
            continue;
        }
        cw_go_template_needs(format->templates[i], &needs);
        for (size_t k = 0; k < needs.nfields; k++)
            add(arg, needs.fields[k]);
    }
}

bool cw_format_stage_needs_line(const struct cw_format_stage *format)
{
    for (size_t i = 0; i < format->n; i++) {
        struct cw_go_template_needs needs;
        if (format->templates[i] == NULL)
            continue;
        cw_go_template_needs(format->templates[i], &needs);
        /* A line that cannot be formatted stays. */
        if (needs.line || format->stage->kind == CW_STAGE_LINE_FORMAT)
            return true;
    }
    return false;
}

/* ---- running ---- */

struct cw_format_run *cw_format_run_new(void)
{
    struct cw_format_run *run = cw_mem_new(sizeof *run);
    run->run = cw_go_template_run_new();
    cw_buf_init(&run->out, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    run->now_ns = cw_clock_now_ns();
    return run;
}

void cw_format_run_free(struct cw_format_run **run)
{
    if (*run == NULL)
        return;
    cw_go_template_run_free(&(*run)->run);
    cw_buf_fini(&(*run)->out);
    free(*run);
    *run = NULL;
}

static bool get_frozen(struct cw_labels labels, struct cw_str name, struct cw_str *value)
{
    for (size_t i = 0; i < labels.n; i++) {
        if (cw_str_eq(labels.items[i].name, name)) {
            *value = labels.items[i].value;
            return true;
        }
    }
    return false;
}

static bool get(void *user, struct cw_str name, struct cw_str *value)
{
    const struct cw_format_run *run = user;
    enum cw_label_category category;
    if (run->is_frozen)
        return get_frozen(run->frozen, name, value);
    if (cw_str_eqz(name, "__error__")) {
        *value = run->builder->error;
        return true;
    }
    if (cw_str_eqz(name, "__error_details__")) {
        *value = cw_label_builder_details(run->builder);
        return true;
    }
    return cw_label_builder_get(run->builder, name, value, &category);
}

static size_t list(void *user, const struct cw_label **items)
{
    struct cw_format_run *run = user;
    struct cw_labels all = run->is_frozen ? run->frozen : cw_label_builder_get_all(run->builder);
    *items = all.items;
    return all.n;
}

/* The labels as they are now, kept: all templates of one label_format see the same. */
static void freeze(struct cw_format_run *run)
{
    struct cw_labels all = cw_label_builder_get_all(run->builder);
    struct cw_label *items = CW_ARENA_ARRAY(run->builder->scratch, struct cw_label, all.n);
    if (all.n > 0)
        memcpy(items, all.items, all.n * sizeof *items);
    run->frozen = (struct cw_labels){items, all.n};
    run->is_frozen = true;
}

/* True: *text is what the template wrote. */
static bool execute(struct cw_format_run *run, const struct cw_go_template *tmpl, int64_t ts_ns,
                    struct cw_str line, struct cw_str *text)
{
    struct cw_go_template_input input = {
        .get = get,
        .list = list,
        .user = run,
        .line = line,
        .timestamp_ns = ts_ns,
        .now_ns = run->now_ns,
    };
    cw_buf_clear(&run->out);
    if (cw_go_template_execute(tmpl, run->run, &input, &run->out, &run->err) < 0) {
        cw_label_builder_set_error(run->builder, CW_STR("TemplateFormatErr"),
                                   cw_arena_dup(run->builder->scratch, cw_str_of(run->err.text)));
        return false;
    }
    *text = cw_arena_dup(run->builder->scratch, cw_buf_str(&run->out));
    return true;
}

static void format_labels(const struct cw_format_stage *format, struct cw_format_run *run,
                          int64_t ts_ns, struct cw_str line)
{
    for (size_t i = 0; i < format->n; i++) {
        const struct cw_label_format *item = &format->stage->formats[i];
        enum cw_label_category category;
        struct cw_str value;
        if (format->templates[i] != NULL) {
            /* Loki takes no labels for labels that are not read yet. */
            if (format->ntemplates > 1 && (!run->is_frozen || run->frozen.n == 0))
                freeze(run);
            if (execute(run, format->templates[i], ts_ns, line, &value))
                cw_label_builder_set(run->builder, CW_LABEL_PARSED, item->dst, value);
        } else if (cw_label_builder_get(run->builder, item->value, &value, &category)) {
            /* Parsed, whatever it was: it takes the place of what had the name. */
            cw_label_builder_set(run->builder, CW_LABEL_PARSED, item->dst, value);
            cw_label_builder_delete(run->builder, item->value);
        }
    }
}

void cw_format_stage_entry(const struct cw_format_stage *format, struct cw_format_run *run,
                           struct cw_label_builder *builder, int64_t ts_ns, struct cw_str *line)
{
    struct cw_str text;
    run->builder = builder;
    run->is_frozen = false;
    if (format->stage->kind == CW_STAGE_LABEL_FORMAT)
        format_labels(format, run, ts_ns, *line);
    else if (format->is_error)
        *line = CW_STR("");
    else if (execute(run, format->templates[0], ts_ns, *line, &text))
        *line = text;
}
