/*
 * pipeline.h - the stages of a log expression, compiled once and run over entries: parsers, label filters, drop, keep, formats,
 * decolorize, line filters that cannot move ahead, and a metric's unwrap.
 *
 *     cw_pipeline_new(expr, grouping, ...)         once a query: a cw_pipeline, shared
 *     cw_pipeline_run_new(pipeline)                each worker
 *     cw_pipeline_entry(run, ...)                  each entry; what is left of it stands in the run
 *
 * Hints      A metric query needs certain labels only (its groups, and what stages read): parsers take no others, and do not
 *            run at all where none is needed. A pipeline of which nothing is left to do is idle.
 * Order      As Loki has it: line filters move to the front of their group, which ends with a stage that holds them back
 *            (line_format, unpack, label filters). Those of the first group are the scan's (plan.h), not the pipeline's.
 * Ownership  Borrows the expression. A run's results live until its next entry.
 * Threads    A pipeline is read-only; a run belongs to one thread at a time.
 * Errors     CW_E_INVALID in Loki's words; running: CW_E_LIMIT, CW_E_CANCELED (regexes).
 */
#ifndef CW_ENGINE_PIPELINE_H
#define CW_ENGINE_PIPELINE_H
#include "common/extract/label_builder.h"
#include "common/logql/ast.h"
#include "querier/engine/gather_key.h"

struct cw_format_run;
struct cw_template_run;
struct cw_pipeline;

/* What a query does with the entries that are left. */
enum cw_pipeline_use {
    CW_PIPELINE_LOGS,  /* all labels and the line */
    CW_PIPELINE_COUNT, /* labels */
    CW_PIPELINE_SIZE,  /* labels and the line's length */
};

/* `grouping` NULL: every label is wanted. BY without names: none is. */
int cw_pipeline_new(const struct cw_expr *expr, const struct cw_grouping *grouping,
                    enum cw_pipeline_use use, struct cw_pipeline **out,
                    struct cw_err *err) CW_MUST_USE;
void cw_pipeline_free(struct cw_pipeline **pipeline);
/* Entries need not be given to it: each stays, with its stream's labels and metadata as they are. */
bool cw_pipeline_is_idle(const struct cw_pipeline *pipeline);
/* Does it look at lines? */
bool cw_pipeline_needs_lines(const struct cw_pipeline *pipeline);
/* For who explains the query: what parsers are to take, and does the stage (of the expression) run here? */
const struct cw_label_hints *cw_pipeline_hints(const struct cw_pipeline *pipeline);
bool cw_pipeline_runs(const struct cw_pipeline *pipeline, const struct cw_stage *stage);

/* The parser (`json` or `logfmt`, its first stage) whose labels are all that it reads of a line; NULL: it reads more. */
const struct cw_stage *cw_pipeline_parser(const struct cw_pipeline *pipeline);

struct cw_pipeline_run {
    struct cw_str line; /* as the stages left it */
    double value;       /* unwrapped */
    struct cw_label_builder builder;
    const struct cw_pipeline *pipeline;
    int64_t ts_ns;
    struct cw_format_run *format;     /* NULL: no stage formats */
    struct cw_template_run *template; /* NULL: until a stage asks for it */
    struct cw_gather_key key;         /* what `distinct` and `sort by` noted */
};
struct cw_pipeline_run *cw_pipeline_run_new(const struct cw_pipeline *pipeline);
void cw_pipeline_run_free(struct cw_pipeline_run **run);
/* 1 the entry stays, 0 it goes, negative: an error. All of it is borrowed until the results were read. */
int cw_pipeline_entry(struct cw_pipeline_run *run, int64_t ts_ns, struct cw_labels stream,
                      struct cw_labels metadata, struct cw_str line,
                      struct cw_err *err) CW_MUST_USE;
/*
 * The same in two steps, where there is a cw_pipeline_parser(). What that takes from the line stands in the builder then; who knows that
 * already begins the builder and adds it.
 */
int cw_pipeline_parse(struct cw_pipeline_run *run, struct cw_labels stream,
                      struct cw_labels metadata, struct cw_str line,
                      struct cw_err *err) CW_MUST_USE;
int cw_pipeline_parsed(struct cw_pipeline_run *run, struct cw_err *err) CW_MUST_USE;

#endif
