/*
 * field_uses.h - for what a pipeline needs each label: as the number in comparisons (and in unwrap), or as a text.
 *
 * Ownership  Borrows the expression and the grouping.
 */
#ifndef CW_ENGINE_FIELD_USES_H
#define CW_ENGINE_FIELD_USES_H
#include "common/logql/ast.h"

struct cw_field_uses {
    struct cw_arena *arena;
    const struct cw_label_filter **compares; /* with numbers */
    size_t ncompares, compares_cap;
    struct cw_str *texts; /* names of labels that are texts to somebody */
    size_t ntexts, texts_cap;
    struct cw_str
        unwrapped; /* a number too; empty: there is none, or it is a text that is converted */
};

void cw_field_uses_init(struct cw_field_uses *uses, const struct cw_expr *expr,
                        const struct cw_grouping *grouping);
void cw_field_uses_fini(struct cw_field_uses *uses);
/* Nobody asks for more of the label than the number that it is. */
bool cw_field_uses_number(const struct cw_field_uses *uses, struct cw_str name);

#endif
