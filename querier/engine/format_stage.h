/*
 * format_stage.h - line_format and label_format: templates compiled once, and executed with an entry's labels.
 *
 * An execution that fails leaves the line or label as it was, and the entry gets __error__ "TemplateFormatErr".
 *
 * Ownership  A stage owns its templates; it borrows the parsed stage. What is written lies in the builder's scratch.
 * Threads    A stage is read-only; a run belongs to one thread.
 * Errors     CW_E_INVALID in Loki's words for a template that is none.
 */
#ifndef CW_ENGINE_FORMAT_STAGE_H
#define CW_ENGINE_FORMAT_STAGE_H
#include "common/extract/label_builder.h"
#include "common/logql/ast.h"

struct cw_format_stage;
struct cw_format_run;

int cw_format_stage_new(const struct cw_stage *stage, struct cw_format_stage **out,
                        struct cw_err *err) CW_MUST_USE;
void cw_format_stage_free(struct cw_format_stage **format);
/* Call `add` with each label that the stage reads by name. */
void cw_format_stage_names(const struct cw_format_stage *format,
                           void (*add)(void *arg, struct cw_str name), void *arg);
/* Does it read the line? */
bool cw_format_stage_needs_line(const struct cw_format_stage *format);

struct cw_format_run *cw_format_run_new(void);
void cw_format_run_free(struct cw_format_run **run);
/* The stage's work on one entry: *line is replaced by line_format, labels are by label_format. */
void cw_format_stage_entry(const struct cw_format_stage *format, struct cw_format_run *run,
                           struct cw_label_builder *builder, int64_t ts_ns, struct cw_str *line);

#endif
