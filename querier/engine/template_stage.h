/*
 * template_stage.h - `| template` (an extension): the line's template as the label `template`, a pattern as `patterns` and `|>` have it
 * (pattern_text.h). It is made of the line alone, so that it is the same whether the line comes from a block, the head, or a file.
 *
 * Cost       A line is cut and hashed; the pattern is written once for each template.
 * Memory     At most CW_TEMPLATE_STAGE_BYTES of patterns, then they are forgotten.
 * Ownership  The label's value lives until the next line.
 * Threads    One at a time.
 */
#ifndef CW_ENGINE_TEMPLATE_STAGE_H
#define CW_ENGINE_TEMPLATE_STAGE_H
#include "common/extract/label_builder.h"

#define CW_TEMPLATE_STAGE_BYTES ((size_t)1 << 20)

struct cw_template_run;

struct cw_template_run *cw_template_run_new(void);
void cw_template_run_free(struct cw_template_run **run);
void cw_template_run_entry(struct cw_template_run *run, struct cw_str line,
                           struct cw_label_builder *builder);

#endif
