/*
 * go_template.h - Go's text/template with the functions that Loki gives it: line_format, label_format, and the
 * shipper's template stage.
 *
 * A template is compiled once; each thread executes it with a run of its own, which keeps its memory between
 * lines: in the steady state a line costs no malloc.
 *
 * Ownership  A template owns its nodes and texts. What an execution wrote is in the caller's buffer; nothing else of it
 *            outlives the next execution with the same run.
 * Threads    A template is read-only after the compile and may be shared; a run belongs to one thread.
 * Errors     CW_E_INVALID with Go's text: of the compile "template: line:1: unclosed action", of an execution
 *            "template: line:1:2: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide by zero".
 *            CW_E_LIMIT, in the same form, when a bound of limits.h is passed (output, memory, steps, depth).
 * Sources    Go's documentation of text/template, fmt and time; Loki's of its template functions.
 */
#ifndef CW_TEMPLATE_GO_TEMPLATE_H
#define CW_TEMPLATE_GO_TEMPLATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/labels/labels.h"

struct cw_go_template;
struct cw_go_template_run;

/* `name` stands in errors: "line" for line_format, "label" for label_format. */
int cw_go_template_compile(struct cw_str name, struct cw_str text, struct cw_go_template **out,
                           struct cw_err *err) CW_MUST_USE;
/* With the functions of promtail's stages too (go_template_sprig.c), which LogQL has not; and a field that is not there is no value, as
 * in them: it prints as "<no value>", and functions that want a text fail. */
int cw_go_template_compile_shipper(struct cw_str name, struct cw_str text,
                                   struct cw_go_template **out, struct cw_err *err) CW_MUST_USE;
void cw_go_template_free(struct cw_go_template **tmpl);

/* What a template reads, so that parsers before it extract no more. */
struct cw_go_template_needs {
    const struct cw_str *fields; /* .name, each once; owned by the template */
    size_t nfields;
    bool all_fields; /* `.` or `$` as a whole (range, index, len, print): every field */
    bool line, timestamp;
};
void cw_go_template_needs(const struct cw_go_template *tmpl, struct cw_go_template_needs *out);

/* What one execution sees. `user` is passed to the callbacks. */
struct cw_go_template_input {
    /* The value of `.name`; false when there is none (of LogQL the empty text then). Borrowed until the execution returns. */
    bool (*get)(void *user, struct cw_str name, struct cw_str *value);
    /* All fields, sorted by name, empty values included; asked only when the template needs them all. Borrowed likewise. */
    size_t (*list)(void *user, const struct cw_label **items);
    void *user;
    struct cw_str line;   /* __line__ */
    int64_t timestamp_ns; /* __timestamp__ */
    int64_t now_ns;       /* now; the same for all lines of a query */
};

struct cw_go_template_run *cw_go_template_run_new(void);
void cw_go_template_run_free(struct cw_go_template_run **run);
/* Append the result to *out, whose cap bounds it too. On an error *out is as long as before. */
int cw_go_template_execute(const struct cw_go_template *tmpl, struct cw_go_template_run *run,
                           const struct cw_go_template_input *input, struct cw_buf *out,
                           struct cw_err *err) CW_MUST_USE;

#endif
