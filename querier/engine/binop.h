/*
 * binop.h - operators between tables, and between a table and a number, step by step, with Loki's
 * matching of series.
 *
 * Ownership  *out is a new table and the caller's; the operands stay the caller's.
 * Errors     CW_E_LIMIT; CW_E_INTERNAL in Loki's words where series match more than they may (Loki
 *            answers 500).
 */
#ifndef CW_ENGINE_BINOP_H
#define CW_ENGINE_BINOP_H
#include "common/logql/ast.h"
#include "querier/engine/sample.h"

int cw_binop_tables(const struct cw_expr *expr, const struct cw_table *left,
                    const struct cw_table *right, struct cw_table **out,
                    struct cw_err *err) CW_MUST_USE;

enum cw_number_side { CW_NUMBER_LEFT, CW_NUMBER_RIGHT };
/* Arithmetic and comparisons; a comparison without bool keeps the table's values where it holds. */
int cw_binop_number(const struct cw_expr *expr, const struct cw_table *table, double number,
                    enum cw_number_side side, struct cw_table **out,
                    struct cw_err *err) CW_MUST_USE;

#endif
