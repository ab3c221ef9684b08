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

/* ---- what will be asked ---- */

/* A few digits are in most lines: not worth asking for where there is a literal that tells more. */
enum { WEAK_BYTES = 3 };

/* A query over a block, and where it stands. */
struct match {
    struct cw_match_block block;
    enum cw_match_wants wants;
    uint64_t *keep, *unsure; /* the caller's */
    struct sets all, one;    /* of the filter: its operands so far, and the operand */
    uint64_t *left,
        *open; /* rows the next literal is asked of; those that their lines decide whatever it says */
    bool negated;
    size_t noperands_after; /* of the filter */
    size_t nliterals_after; /* of filters that follow: those that values alone decide */
};

/* An operand's literals in the order in which they are asked: those with text that must be in TEXT first, for they cost least, and
 * leave the others few rows. */
struct literals {
    const struct cw_literal *items[CW_LINE_LITERALS_MAX];
    size_t n, ntelling;
};

static bool is_telling(const struct cw_literal *literal)
{
    struct cw_str pieces[CW_LITERAL_NEEDLES_MAX];
    return cw_literal_pieces(literal->text, pieces) > 0;
}

static void literals_init(struct literals *literals, const struct cw_line_operand *operand)
{
    *literals = (struct literals){0};
    for (size_t i = 0; i < operand->nliterals; i++)
        if (is_telling(&operand->literals[i]))
            literals->items[literals->n++] = &operand->literals[i];
    literals->ntelling = literals->n;
    size_t least = literals->ntelling > 0 ? WEAK_BYTES + 1 : 0;
    for (size_t i = 0; i < operand->nliterals; i++)
        if (!is_telling(&operand->literals[i]) && operand->literals[i].text.len >= least)
            literals->items[literals->n++] = &operand->literals[i];
}

/* Literals of the filters that only values decide. */
static size_t count_untelling(const struct cw_line_filter *const *filters, size_t nfilters)
{
    size_t n = 0;
    for (size_t f = 0; f < nfilters; f++) {
        for (size_t i = 0; i < cw_line_filter_noperands(filters[f]); i++) {
            struct cw_line_operand operand;
            struct literals literals;
            cw_line_filter_operand(filters[f], i, &operand);
            literals_init(&literals, &operand);
            n += literals.n - literals.ntelling;
        }
    }
    return n;
}

/* Of rows whose values decide, how many hold the literal, in thousandths: a guess by its length, for it may be digits. What is no
 * digit tells as much as two. */
static uint32_t share_that_holds(const struct cw_literal *literal)
{
    static const uint32_t shares[] = {CW_MATCH_WHOLE, CW_MATCH_WHOLE * 7 / 8, CW_MATCH_WHOLE / 2,
                                      CW_MATCH_WHOLE / 8};
    size_t len = 0;
    for (size_t i = 0; i < literal->text.len; i++)
        len += literal->text.ptr[i] >= '0' && literal->text.ptr[i] <= '9' ? 1 : 2;
    return is_telling(literal) || len >= CW_COUNT(shares) ? 0 : shares[len];
}

/* One more is asked, of *stay of the rows, which are fewer then; returns what is spent on it: columns are decoded whole. */
static uint32_t ask_more(uint32_t holds, uint32_t *stay)
{
    uint32_t spent = *stay > 0 ? CW_MAX(*stay, (uint32_t)CW_MATCH_WHOLE / 3) : 0;
    *stay = *stay * holds / CW_MATCH_WHOLE;
    return spent;
}

/* When literal `at` of the operand is asked. Those that follow are taken to cost what it does. */
static struct cw_match_prospect look_ahead(const struct match *m, bool exact,
                                           const struct literals *literals, size_t at)
{
    uint32_t holds = share_that_holds(literals->items[at]), stay = CW_MATCH_WHOLE;
    uint32_t noperands = (uint32_t)CW_MIN(m->noperands_after, (size_t)CW_MATCH_WHOLE) + 1;
    struct cw_match_prospect p = {.rare = holds == 0, .lines_are_dear = !exact};
    for (size_t i = at; i < literals->n; i++)
        p.spent += ask_more(share_that_holds(literals->items[i]), &stay);
    p.spent *= noperands;
    stay = CW_MIN(stay * noperands, (uint32_t)CW_MATCH_WHOLE);
    uint32_t tested = stay;
    if (m->negated)
        stay = exact ? CW_MATCH_WHOLE - stay : CW_MATCH_WHOLE;
    for (size_t i = 0; at >= literals->ntelling && i < m->nliterals_after; i++)
        p.spent += ask_more(holds, &stay);
    p.rebuilt = m->wants == CW_MATCH_WANTS_LINES ? stay : exact ? 0 : CW_MIN(tested, stay);
    p.open_stay = stay;
    return p;
}

/* ---- filters ---- */

/* Which rows the operand's next literal is asked of: OPEN, none that its line does not decide already. */
enum rows_left { LEFT_NONE, LEFT_OPEN, LEFT_SOME };
static enum rows_left rows_left(struct match *m)
{
    uint64_t any = 0, decided = 0;
    for (size_t i = 0; i < m->one.nwords; i++) {
        m->left[i] = m->one.may[i] & m->keep[i];
        m->open[i] =
            m->unsure[i] | (m->all.may[i] & ~m->all.must[i]) | (m->one.may[i] & ~m->one.must[i]);
        any |= m->left[i];
        decided |= m->left[i] & ~m->open[i];
    }
    return any == 0 ? LEFT_NONE : decided == 0 ? LEFT_OPEN : LEFT_SOME;
}

/* Lines are to decide all rows that are left, and so few would be taken away that to rebuild the others costs nearly as much. */
static bool is_idle(const struct match *m, const struct cw_literal *literal, enum rows_left left)
{
    return left == LEFT_OPEN && (m->negated ? !is_telling(literal) : share_that_holds(literal) > 0);
}

static int literals_rows(struct match *m, const struct cw_line_operand *operand, struct cw_err *err)
{
    struct literals literals;
    int rc = 0;
    literals_init(&literals, operand);
    for (size_t i = 0; i < literals.n && rc == 0; i++) {
        struct cw_literal_plan plan;
        struct cw_row_sets rows;
        enum rows_left left = rows_left(m);
        if (left == LEFT_NONE)
            break;
        if (is_idle(m, literals.items[i], left)) {
            memset(m->one.must, 0, m->one.nwords * sizeof(*m->one.must));
            continue;
        }
        cw_literal_plan_init(&plan, literals.items[i]->text, literals.items[i]->nocase,
                             m->block.arena);
        m->block.prospect = look_ahead(m, operand->exact, &literals, i);
        rc = cw_literal_rows(&m->block, &plan, &rows, err);
        if (rc == 0)
            sets_and(&m->one, &rows);
    }
    return rc;
}

/* Few rows hold an address, and those are tested as lines. */
static int address_rows(struct match *m, const struct cw_ip_match *ip, struct cw_err *err)
{
    struct cw_row_sets rows;
    if (rows_left(m) == LEFT_NONE)
        return 0;
    m->block.prospect = (struct cw_match_prospect){.spent = CW_MATCH_WHOLE,
                                                   .open_stay = m->negated ? CW_MATCH_WHOLE : 0,
                                                   .lines_are_dear = true};
    int rc = cw_address_rows(&m->block, ip, &rows, err);
    if (rc == 0)
        sets_and(&m->one, &rows);
    return rc;
}

static int operand_rows(struct match *m, const struct cw_line_operand *operand, struct cw_err *err)
{
    sets_fill(&m->one, UINT64_MAX, UINT64_MAX);
    int rc = operand->ip != NULL ? address_rows(m, operand->ip, err) : 0;
    if (rc == 0)
        rc = literals_rows(m, operand, err);
    if (!operand->exact)
        memset(m->one.must, 0, m->one.nwords * sizeof(*m->one.must));
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
        uint64_t stay = negated ? ~sets->must[i] : sets->may[i];
        unsure[i] &= ~keep[i] | stay;
        keep[i] &= stay;
        unsure[i] |= keep[i] & (negated ? sets->may[i] : ~sets->must[i]);
    }
}

static int filter_rows(struct match *m, const struct cw_line_filter *filter, struct cw_err *err)
{
    size_t noperands = cw_line_filter_noperands(filter);
    int rc = 0;
    m->negated = cw_line_filter_negated(filter);
    sets_fill(&m->all, 0, 0);
    for (size_t i = 0; i < noperands && rc == 0; i++) {
        struct cw_line_operand operand;
        cw_line_filter_operand(filter, i, &operand);
        m->noperands_after = noperands - 1 - i;
        rc = operand_rows(m, &operand, err);
        if (rc == 0)
            sets_or(&m->all, &m->one);
    }
    if (rc == 0)
        apply(&m->all, m->negated, m->keep, m->unsure);
    return rc;
}

int cw_template_match(const struct cw_line_filter *const *filters, size_t nfilters,
                      enum cw_match_wants wants, struct cw_template_block *tb, struct cw_str values,
                      uint64_t *keep, uint64_t *unsure, bool *by_values_out, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct match m = {.wants = wants, .keep = keep, .unsure = unsure};
    cw_match_block_init(&m.block, tb, values, arena);
    uint32_t rows = m.block.source->rows;
    m.all = sets_new(arena, rows);
    m.one = sets_new(arena, rows);
    m.block.keep = m.left = CW_ARENA_ARRAY(arena, uint64_t, m.all.nwords);
    m.block.open = m.open = CW_ARENA_ARRAY(arena, uint64_t, m.all.nwords);
    int rc = 0;
    for (size_t i = 0; i < nfilters && rc == 0 && !none(keep, m.all.nwords); i++) {
        m.nliterals_after = count_untelling(filters + i + 1, nfilters - i - 1);
        rc = filter_rows(&m, filters[i], err);
    }
    *by_values_out |= m.block.filter_ruled_out;
    cw_arena_free(&arena);
    return rc;
}
