/*
 * label_replace.h - label_replace(): a label of every series made from another by a regex.
 *
 * Ownership  *out is a new table and the caller's. Series that become equal stay apart, as in Loki.
 * Errors     CW_E_LIMIT (memory, or a regex that gives up).
 */
#ifndef CW_ENGINE_LABEL_REPLACE_H
#define CW_ENGINE_LABEL_REPLACE_H
#include "common/logql/ast.h"
#include "querier/engine/sample.h"

int cw_label_replace_eval(const struct cw_expr *expr, const struct cw_table *in,
                          struct cw_table **out, struct cw_err *err) CW_MUST_USE;

#endif
