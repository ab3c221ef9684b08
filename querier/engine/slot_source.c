#include "querier/engine/slot_source.h"

#include "common/base/assert.h"
#include "common/store/format_slot.h"

enum {
    /* Of one block. A label is one or two columns of each kind of line; more is no log that gains by it. */
    OPEN_MAX = 64,
    /* Integers that a double holds, all of them. */
    EXACT_BITS = 53,
    SPAN_MAX = 1 << 16,
    FORM_UNKNOWN = 0,
};

struct cw_slot_column {
    const struct cw_column *values; /* NULL: not asked for, or `rc` */
    const uint32_t *places;
    bool asked, measured;
    int rc;
    uint8_t form; /* enum cw_string_form + 1 */
    int64_t least;
    uint64_t span; /* of small numbers; 0: they are not */
};

void cw_slot_sources_init(struct cw_slot_sources *s)
{
    *s = (struct cw_slot_sources){.arena = cw_arena_new()};
}

void cw_slot_sources_fini(struct cw_slot_sources *s)
{
    cw_arena_free(&s->arena);
}

int cw_slot_sources_begin(struct cw_slot_sources *s, struct cw_template_block *tb,
                          struct cw_err *err)
{
    cw_arena_reset(s->arena);
    s->tb = tb;
    s->nopen = 0;
    int rc = cw_template_block_layout(tb, &s->layout, err);
    if (rc == 0)
        rc = cw_template_block_rows(tb, &s->rows, err);
    if (rc == 0)
        s->columns = CW_ARENA_ARRAY(s->arena, struct cw_slot_column, s->layout->ncolumns);
    return rc;
}

/* How many values a row of each template has in the column. True: of each one. */
static bool count_taken(const struct cw_layout *layout, uint32_t column, uint8_t *taken)
{
    bool ones = true;
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        const struct cw_slot *slots = layout->slots + layout->templates[t].first_slot;
        for (uint32_t i = 0; i < layout->templates[t].nslots; i++)
            taken[t] += slots[i].column == column;
        ones &= taken[t] == 1;
    }
    return ones;
}

static const uint32_t *find_places(struct cw_slot_sources *s, uint32_t column)
{
    uint8_t *taken = CW_ARENA_ARRAY(s->arena, uint8_t, s->layout->ntemplates);
    _Static_assert(CW_TEMPLATE_SLOTS_MAX <= UINT8_MAX, "counts of slots are bytes");
    if (count_taken(s->layout, column, taken))
        return NULL;
    uint32_t nrows = cw_template_block_source(s->tb)->rows, at = 0;
    uint32_t *places = cw_arena_alloc(s->arena, nrows * sizeof *places);
    for (uint32_t r = 0; r < nrows; r++) {
        places[r] = at;
        at += taken[s->rows[r]];
    }
    return places;
}

int cw_slot_sources_get(struct cw_slot_sources *s, uint32_t template, uint32_t slot,
                        struct cw_slot_source *out, struct cw_err *err)
{
    const struct cw_slot *slots = s->layout->slots + s->layout->templates[template].first_slot;
    struct cw_slot_column *c = &s->columns[slots[slot].column];
    if (!c->asked) {
        if (s->nopen == OPEN_MAX)
            return cw_err_set(err, CW_E_LIMIT, "values of too many columns");
        s->nopen++;
        c->asked = true;
        c->rc = cw_template_block_column(s->tb, slots[slot].column, &c->values, err);
        if (c->rc == 0)
            c->places = find_places(s, slots[slot].column);
    }
    if (c->rc < 0)
        return cw_err_set(err, c->rc, "column %u cannot be read", slots[slot].column);
    *out = (struct cw_slot_source){.column = c->values, .places = c->places};
    for (uint32_t i = 0; i < slot; i++)
        out->before += slots[i].column == slots[slot].column;
    return 0;
}

enum cw_string_form cw_slot_sources_form(struct cw_slot_sources *s, uint16_t column)
{
    struct cw_slot_column *c = &s->columns[column];
    if (c->form == FORM_UNKNOWN)
        c->form = (uint8_t)(cw_template_strings(s->layout->columns[column].type,
                                                cw_template_block_dictionary(s->tb, column)) +
                            1);
    return (enum cw_string_form)(c->form - 1);
}

/* Is there a span of small numbers that holds all of them? */
static uint64_t span_of(const struct cw_column *c, int64_t *least_out)
{
    if (c->values == NULL || c->digits != NULL || c->n == 0)
        return 0;
    if (c->strings != NULL || c->wide != NULL)
        return c->ndistinct;
    int64_t least = c->values[0], most = least;
    for (uint32_t i = 1; i < c->n; i++) {
        least = CW_MIN(least, c->values[i]);
        most = CW_MAX(most, c->values[i]);
    }
    *least_out = least;
    uint64_t span = (uint64_t)most - (uint64_t)least;
    return span < SPAN_MAX ? span + 1 : 0;
}

uint64_t cw_slot_sources_small(struct cw_slot_sources *s, uint16_t column, int64_t *least_out)
{
    struct cw_slot_column *c = &s->columns[column];
    CW_ASSERT(c->values != NULL);
    if (!c->measured) {
        c->measured = true;
        c->span = span_of(c->values, &c->least);
    }
    *least_out = c->least;
    return c->span;
}

/* ---- values ---- */

int cw_slot_number(const struct cw_slot_source *source, uint32_t row, double *out,
                   struct cw_err *err)
{
    /* Powers of ten up to 10^22 are doubles, and a quotient of two of them is rounded once: it is what the decimal text is read as. */
    static const double powers[] = {1,   1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                    1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
    const struct cw_column *c = source->column;
    uint32_t i = cw_slot_source_at(source, row);
    uint64_t value = (uint64_t)c->values[i];
    if (c->digits == NULL) {
        *out = (double)value;
        return 0;
    }
    uint64_t decimals = (uint64_t)c->digits[i];
    if (c->type == CW_SLOT_DEC && value >> EXACT_BITS == 0 && decimals - 1 < CW_COUNT(powers) - 1) {
        *out = (double)value / powers[decimals];
        return 0;
    }
    char area[CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    struct cw_str text;
    int rc = cw_column_text(c, i, area, &text, err);
    if (rc == 0 && !cw_str_to_f64(text, out))
        rc = cw_err_set(err, CW_E_CORRUPT, "column: a number that is none");
    return rc;
}
