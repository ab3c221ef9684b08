/*
 * stage_text_template.h - Go templates over an entry's extracted values: the stages template and replace.
 *
 * A template sees each extracted value under its name, and labels that the entry was fed with likewise; .Value, what the caller
 * says; and .Entry, the line. What is not there, or null, is empty.
 *
 * Threads    An execution uses the template's own memory: one at a time.
 */
#ifndef CW_PIPELINE_STAGE_TEXT_TEMPLATE_H
#define CW_PIPELINE_STAGE_TEXT_TEMPLATE_H
#include "common/pipeline/stage_priv.h"
#include "common/template/go_template.h"

struct cw_stage_text_template {
    struct cw_go_template *tmpl;
    struct cw_go_template_run *run;
    struct cw_buf out;
    const struct cw_str *fields; /* that it reads, and their slots */
    uint32_t *slots;
    size_t nfields;
    /* one execution */
    const struct cw_stages_run *stages_run;
    const struct cw_stage_item *item;
    const struct cw_str *value; /* NULL: .Value is not there */
};

/* `template` begins zeroed, and is given to _fini() also after an error. */
int cw_stage_text_template_init(struct cw_stages_build *build, struct cw_str text,
                                struct cw_stage_text_template *template,
                                struct cw_err *err) CW_MUST_USE;
void cw_stage_text_template_fini(struct cw_stage_text_template *template);
/* The text is in `out` until the next execution; false: it failed. */
bool cw_stage_text_template_run(struct cw_stage_text_template *template,
                                const struct cw_stages_run *run, const struct cw_stage_item *item,
                                const struct cw_str *value, struct cw_str *out);

#endif
