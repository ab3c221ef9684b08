/*
 * explain_print.h - what explain and analyze say, for a person: the members of the JSON by name, a line each, indented.
 */
#ifndef CW_CLI_EXPLAIN_PRINT_H
#define CW_CLI_EXPLAIN_PRINT_H
#include "querier/cli/cli.h"

/* `data` (an object) on standard output: as text, or with -o jsonl as it is, on one line. CW_E_INVALID: it is no JSON. */
int cw_cli_print_explain(const struct cw_cli_args *args, struct cw_str data,
                         struct cw_err *err) CW_MUST_USE;
/* The same into `out`. */
int cw_cli_explain_text(struct cw_str data, struct cw_buf *out, struct cw_err *err) CW_MUST_USE;

#endif
