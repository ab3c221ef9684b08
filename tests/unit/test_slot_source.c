/* test_slot_source.c - any row's values, against the model that the block was made of. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "querier/engine/slot_source.h"
#include "tests/support/template_model.h"

static struct cw_block block;
static struct cw_err err;

/* Columns that every row has a value in, that some have, and that some have twice. */
static const struct cw_str templates[] = {
    CW_STR("duration \x05 status \x06 user \x06, user \x06"),
    CW_STR("duration \x05 status \x06 \x10 \"\x10\" id \x0f \x08"),
    CW_STR("duration \x05 from \x04 at \x01"),
};

/* Where the row's value of slot `slot` is in its column. */
static uint32_t place_of(const struct template_model *model, uint32_t row, uint32_t slot)
{
    const struct cw_layout *l = &model->layout;
    const struct cw_slot *own = l->slots + l->templates[model->rows[row]].first_slot;
    uint32_t place = 0;
    for (uint32_t r = 0; r <= row; r++) {
        const struct cw_template *t = &l->templates[model->rows[r]];
        for (uint32_t s = 0; s < (r == row ? slot : t->nslots); s++)
            place += l->slots[t->first_slot + s].column == own[slot].column;
    }
    return place;
}

static void check_value(const struct template_model *model, struct cw_slot_sources *sources,
                        uint32_t row, uint32_t slot)
{
    char area[CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    uint32_t t = model->rows[row];
    const struct cw_slot *s = &model->layout.slots[model->layout.templates[t].first_slot + slot];
    struct cw_slot_source source;
    struct cw_str text, want = model->values[s->column][place_of(model, row, slot)];
    cr_assert_eq(cw_slot_sources_get(sources, t, slot, &source, &err), 0, "%s", err.text);
    uint32_t at = cw_slot_source_at(&source, row);
    cr_assert_eq(at, place_of(model, row, slot));
    cr_assert_eq(cw_column_text(source.column, at, area, &text, &err), 0);
    cr_assert(cw_str_eq(text, want), "row %u slot %u: %.*s, is %.*s", row, slot, CW_STR_ARG(text),
              CW_STR_ARG(want));
    double number, wanted;
    if (s->type != CW_SLOT_NUM && s->type != CW_SLOT_DEC)
        return;
    cr_assert_eq(cw_slot_number(&source, row, &number, &err), 0);
    cr_assert(cw_str_to_f64(want, &wanted));
    cr_assert_eq(memcmp(&number, &wanted, sizeof number), 0, "%.*s: %.17g", CW_STR_ARG(want),
                 number);
}

/* Same small numbers, same texts. */
static void check_small(struct cw_slot_sources *sources, uint32_t t, uint32_t slot)
{
    char areas[2][CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    const struct cw_layout *l = sources->layout;
    uint16_t column = l->slots[l->templates[t].first_slot + slot].column;
    struct cw_slot_source source;
    struct cw_str a, b;
    int64_t least;
    cr_assert_eq(cw_slot_sources_get(sources, t, slot, &source, &err), 0);
    uint64_t n = cw_slot_sources_small(sources, column, &least);
    for (uint32_t i = 0; n > 0 && i < source.column->n; i++) {
        uint64_t number = (uint64_t)source.column->values[i] - (uint64_t)least;
        cr_assert_lt(number, n);
        if (source.column->values[i] != source.column->values[0])
            continue;
        cr_assert_eq(cw_column_text(source.column, 0, areas[0], &a, &err), 0);
        cr_assert_eq(cw_column_text(source.column, i, areas[1], &b, &err), 0);
        cr_assert(cw_str_eq(a, b));
    }
}

Test(slot_source, a_row_has_the_values_that_its_line_has)
{
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_slot_sources sources;
    cw_slot_sources_init(&sources);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct template_model model;
        struct cw_buf bytes;
        template_model_make(&model, templates, CW_COUNT(templates), 200, seed);
        cw_buf_init(&bytes, SIZE_MAX);
        template_model_encode(&model, seed, &bytes);
        cr_assert_eq(cw_block_open(cw_buf_str(&bytes), &block, &err), 0, "%s", err.text);
        cr_assert_eq(cw_template_block_open(tb, &block, &err), 0, "%s", err.text);
        cr_assert_eq(cw_slot_sources_begin(&sources, tb, &err), 0, "%s", err.text);
        for (uint32_t row = 0; row < model.nrows; row++)
            for (uint32_t s = 0; s < model.layout.templates[model.rows[row]].nslots; s++)
                check_value(&model, &sources, row, s);
        for (uint32_t t = 0; t < model.layout.ntemplates; t++)
            for (uint32_t s = 0; s < model.layout.templates[t].nslots; s++)
                check_small(&sources, t, s);
        cw_buf_fini(&bytes);
        template_model_fini(&model);
    }
    cw_slot_sources_fini(&sources);
    cw_template_block_free(&tb);
}
