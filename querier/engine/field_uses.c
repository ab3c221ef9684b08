#include "querier/engine/field_uses.h"

#include "common/base/arena.h"
#include "querier/engine/label_filter.h"

static void add_text(struct cw_field_uses *uses, struct cw_str name)
{
    uses->texts = cw_arena_grow(uses->arena, uses->texts, uses->ntexts, &uses->texts_cap,
                                uses->ntexts + 1, sizeof *uses->texts);
    uses->texts[uses->ntexts++] = name;
}

static void add_leaf(void *arg, const struct cw_label_filter *leaf)
{
    struct cw_field_uses *uses = arg;
    if (leaf->kind != CW_LF_NUMBER) {
        add_text(uses, cw_label_filter_name(leaf));
        return;
    }
    uses->compares =
        cw_arena_grow(uses->arena, uses->compares, uses->ncompares, &uses->compares_cap,
                      uses->ncompares + 1, sizeof *uses->compares);
    uses->compares[uses->ncompares++] = leaf;
}

static void add_stages(struct cw_field_uses *uses, const struct cw_stage *stages)
{
    for (const struct cw_stage *stage = stages; stage != NULL; stage = stage->next) {
        if (stage->kind == CW_STAGE_LABEL_FILTER)
            cw_label_filter_leaves(stage->label_filter, add_leaf, uses);
        for (size_t i = 0; i < stage->nnames; i++)
            add_text(uses, stage->names[i].name);
    }
}

void cw_field_uses_init(struct cw_field_uses *uses, const struct cw_expr *expr,
                        const struct cw_grouping *grouping)
{
    *uses = (struct cw_field_uses){.arena = cw_arena_new()};
    add_stages(uses, expr->stages);
    add_stages(uses, expr->unwrap.post_filters);
    for (size_t i = 0; i < grouping->n; i++)
        add_text(uses, grouping->names[i]);
    if (!expr->unwrap.present)
        return;
    if (expr->unwrap.conversion == CW_UNWRAP_CONV_NONE)
        uses->unwrapped = expr->unwrap.label;
    else
        add_text(uses, expr->unwrap.label);
}

void cw_field_uses_fini(struct cw_field_uses *uses)
{
    cw_arena_free(&uses->arena);
}

bool cw_field_uses_number(const struct cw_field_uses *uses, struct cw_str name)
{
    return !cw_str_among(name, uses->texts, uses->ntexts);
}
