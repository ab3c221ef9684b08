#include "common/store/template_match.h"

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/literal_rows.h"

/* Of a filter: of its operands together. Both have a bit for each row. */
struct sets {
    uint64_t *may, *must;
    size_t nwords;
};

static void sets_fill(struct sets *sets, uint64_t may, uint64_t must)
{
    for (size_t i = 0; i < sets->nwords; i++) {
        sets->may[i] = may;
        sets->must[i] = must;
    }
}

/* Rows that hold all literals. */
static void sets_and(struct sets *sets, const struct cw_row_sets *rows)
{
    if (rows->kind == CW_ROWS_NONE)
        sets_fill(sets, 0, 0);
    for (size_t i = 0; rows->kind == CW_ROWS_SOME && i < sets->nwords; i++) {
        sets->may[i] &= rows->may[i];
        sets->must[i] &= rows->must[i];
    }
}

/* Rows that hold any operand. */
static void sets_or(struct sets *sets, const struct sets *other)
{
    for (size_t i = 0; i < sets->nwords; i++) {
        sets->may[i] |= other->may[i];
        sets->must[i] |= other->must[i];
    }
}

static bool none(const uint64_t *bits, size_t nwords)
{
    for (size_t i = 0; i < nwords; i++)
        if (bits[i] != 0)
            return false;
    return true;
}

/* The rows that are asked for and may match, as far as is known. */
static void narrow(const struct sets *sets, const uint64_t *keep, uint64_t *out)
{
    for (size_t i = 0; i < sets->nwords; i++)
        out[i] = sets->may[i] & keep[i];
}

/* A few digits are in most lines: not worth asking for where there is a literal that tells more. */
enum { WEAK_BYTES = 3 };

/* Literals with text that must be in TEXT first: they cost least, and leave the others few rows. */
static int literals_rows(struct cw_match_block *block, const struct cw_line_operand *operand,
                         struct sets *sets, struct cw_err *err)
{
    struct cw_literal_plan plans[CW_LINE_LITERALS_MAX];
    const uint64_t *keep = block->keep;
    uint64_t *left = CW_ARENA_ARRAY(block->arena, uint64_t, sets->nwords);
    bool any_telling = false;
    int rc = 0;
    for (size_t i = 0; i < operand->nliterals; i++) {
        cw_literal_plan_init(&plans[i], operand->literals[i].text, operand->literals[i].nocase,
                             block->arena);
        any_telling |= plans[i].nneedles > 0;
    }
    block->keep = left;
    for (int telling = 1; telling >= 0; telling--) {
        for (size_t i = 0; i < operand->nliterals && rc == 0; i++) {
            struct cw_row_sets rows;
            narrow(sets, keep, left);
            bool weak = any_telling && !telling && plans[i].text.len <= WEAK_BYTES;
            if ((plans[i].nneedles > 0) != telling || weak || none(left, sets->nwords))
                continue;
            rc = cw_literal_rows(block, &plans[i], &rows, err);
            if (rc == 0)
                sets_and(sets, &rows);
        }
    }
    block->keep = keep;
    return rc;
}

static int operand_rows(struct cw_match_block *block, const struct cw_line_operand *operand,
                        struct sets *sets, struct cw_err *err)
{
    struct cw_row_sets rows;
    int rc = 0;
    sets_fill(sets, UINT64_MAX, UINT64_MAX);
    if (operand->ip != NULL) {
        rc = cw_address_rows(block, operand->ip, &rows, err);
        if (rc == 0)
            sets_and(sets, &rows);
    }
    if (rc == 0)
        rc = literals_rows(block, operand, sets, err);
    if (!operand->exact)
        memset(sets->must, 0, sets->nwords * sizeof(*sets->must));
    return rc;
}

static struct sets sets_new(struct cw_arena *arena, uint32_t rows)
{
    size_t nwords = ((size_t)rows + 63) / 64;
    return (struct sets){CW_ARENA_ARRAY(arena, uint64_t, nwords),
                         CW_ARENA_ARRAY(arena, uint64_t, nwords), nwords};
}

/* What the operands say becomes what the filter does. */
static void apply(const struct sets *sets, bool negated, uint64_t *keep, uint64_t *unsure)
{
    for (size_t i = 0; i < sets->nwords; i++) {
        keep[i] &= negated ? ~sets->must[i] : sets->may[i];
        unsure[i] |= keep[i] & (negated ? sets->may[i] : ~sets->must[i]);
    }
}

int cw_template_match(const struct cw_line_filter *filter, struct cw_template_block *tb,
                      struct cw_str values, uint64_t *keep, uint64_t *unsure, bool *by_values_out,
                      struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_match_block block;
    cw_match_block_init(&block, tb, values, keep, arena);
    struct sets all = sets_new(arena, block.source->rows),
                one = sets_new(arena, block.source->rows);
    int rc = 0;
    for (size_t i = 0; i < cw_line_filter_noperands(filter) && rc == 0; i++) {
        struct cw_line_operand operand;
        cw_line_filter_operand(filter, i, &operand);
        rc = operand_rows(&block, &operand, &one, err);
        if (rc == 0)
            sets_or(&all, &one);
    }
    if (rc == 0)
        apply(&all, cw_line_filter_negated(filter), keep, unsure);
    *by_values_out |= block.filter_ruled_out;
    cw_arena_free(&arena);
    return rc;
}
