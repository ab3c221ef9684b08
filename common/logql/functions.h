/*
 * functions.h - the only list of LogQL's range and vector functions. The lexer, the parser's
 * checks, the printer and the documents read it; querier/engine/eval_table.c is indexed by the same
 * enums (ast.h).
 */
#ifndef CW_LOGQL_FUNCTIONS_H
#define CW_LOGQL_FUNCTIONS_H
#include "common/logql/ast.h"

enum cw_unwrap_rule { CW_UNWRAP_NO, CW_UNWRAP_OPTIONAL, CW_UNWRAP_REQUIRED };

struct cw_range_def {
    const char *name;
    enum cw_unwrap_rule unwrap;
    bool takes_param; /* and then it must have one */
    bool takes_grouping;
    const char *doc;
    bool extension;   /* known to Loki under no name */
    bool takes_label; /* the name of a label, ahead of the log range */
};
struct cw_vector_def {
    const char *name;
    bool takes_param;    /* and then it must have one, a whole number from 1 on */
    bool takes_grouping; /* sort: refused when it names labels */
    const char *doc;
};

const struct cw_range_def *cw_range_def(enum cw_range_fn fn);
const struct cw_vector_def *cw_vector_def(enum cw_vector_fn fn);
/* By name, in any case; -1 when there is none. */
int cw_range_fn_find(struct cw_str name);
int cw_vector_fn_find(struct cw_str name);
/* "bytes", "duration", "duration_seconds" of an unwrap. */
int cw_unwrap_conversion_find(struct cw_str name);
const char *cw_unwrap_conversion_name(enum cw_unwrap_conversion conversion);
/* "+", "and", ... */
const char *cw_binop_name(enum cw_binop op);
/* How tight an operator binds, from 1 (or) to 6 (^, the only one that binds to the right). */
int cw_binop_level(enum cw_binop op);
/* The value of an arithmetic operator or, of a comparison, 1 or 0. Dividing by zero is NaN, as in
 * Loki. */
double cw_binop_apply(enum cw_binop op, double left, double right);
static inline bool cw_binop_is_set(enum cw_binop op)
{
    return op <= CW_BIN_UNLESS;
}
static inline bool cw_binop_is_comparison(enum cw_binop op)
{
    return op >= CW_BIN_EQ;
}

#endif
