#include "querier/engine/label_replace.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/match/regex_expand.h"
#include "querier/engine/grouping.h"

/* A template may name a group as often as it likes: its result is bounded as a label is. */
enum { RESULT_MAX_BYTES = CW_LIMIT_LINE_BYTES };

static int add_replaced(const struct cw_expr *expr, const struct cw_series *from,
                        struct cw_str *groups, size_t ngroups, struct cw_arena *scratch,
                        struct cw_buf *value, struct cw_table *table, struct cw_err *err)
{
    struct cw_labels labels = from->labels;
    int rc = cw_regex_captures(expr->regex, cw_labels_get(labels, expr->src), groups, ngroups, err);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        cw_buf_clear(value);
        cw_regex_expand(expr->regex, expr->replacement, groups, ngroups, value);
        if (cw_buf_failed(value))
            return cw_err_set(err, CW_E_LIMIT, "label_replace makes a label of more than %d bytes",
                              RESULT_MAX_BYTES);
        labels = cw_grouping_full(cw_labels_with(scratch, labels, expr->dst, cw_buf_str(value)),
                                  scratch);
    }
    struct cw_series *to;
    rc = cw_table_add(table, labels, CW_TABLE_COPY, &to, err);
    if (rc < 0)
        return rc;
    memcpy(to->values, from->values, table->grid.n * sizeof(double));
    memcpy(to->present, from->present, (table->grid.n + 63) / 64 * sizeof(uint64_t));
    return 0;
}

int cw_label_replace_eval(const struct cw_expr *expr, const struct cw_table *in,
                          struct cw_table **out, struct cw_err *err)
{
    struct cw_table *table = cw_table_new(&in->grid, in->allowance);
    struct cw_arena *scratch = cw_arena_new();
    struct cw_buf value;
    size_t ngroups = cw_regex_ngroups(expr->regex) + 1;
    struct cw_str *groups = cw_mem_array(ngroups, sizeof(*groups));
    int rc = 0;
    cw_buf_init(&value, RESULT_MAX_BYTES);
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        cw_arena_reset(scratch);
        rc = add_replaced(expr, &in->items[i], groups, ngroups, scratch, &value, table, err);
    }
    cw_buf_fini(&value);
    free(groups);
    cw_arena_free(&scratch);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}
