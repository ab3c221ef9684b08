/*
 * literal_rows.h - which rows of a block of templates hold a literal, or an address of ip("...")?
 *
 * TEXT first: it may say that no row does. Then templates, then dictionaries and the value filter, and where values are left to
 * decide, the columns that it takes; where that would cost more than to rebuild the rows and search them, it is left undecided.
 * Lines are rebuilt once for all literals of a query: so who asks says what else will be asked (struct cw_match_prospect).
 *
 * Ownership  Borrows all of the block; results live in its arena.
 * Errors     CW_E_CORRUPT of the block.
 */
#ifndef CW_STORE_LITERAL_ROWS_H
#define CW_STORE_LITERAL_ROWS_H
#include "common/base/arena.h"
#include "common/match/ip_match.h"
#include "common/store/literal_plan.h"
#include "common/store/template_block.h"
#include "common/store/text_scan.h"
#include "common/store/value_filter.h"

/* What comes of it when values decide, in thousandths: of what this literal costs, and of the rows that are asked for. */
enum { CW_MATCH_WHOLE = 1000 };
struct cw_match_prospect {
    uint32_t spent;      /* on this literal and on those that will be asked in the same way */
    uint32_t rebuilt;    /* rows that will be rebuilt all the same ... */
    uint32_t open_stay;  /* ... and how many of those that are `open` */
    bool rare;           /* the literal: most often no value holds it */
    bool lines_are_dear; /* what tests a line is more than a search for texts */
};

struct cw_match_block {
    struct cw_template_block *tb;
    const struct cw_block *source; /* what `tb` reads */
    struct cw_str values;          /* where its value filter stands, or empty */
    const uint64_t *keep;          /* rows that are asked for */
    const uint64_t *open;          /* of those: which are left to their lines already */
    struct cw_match_prospect prospect;
    struct cw_arena *arena;
    /* Opened when they are first needed. */
    struct cw_block_text text; /* layout NULL: not yet */
    enum { CW_FILTER_UNOPENED, CW_FILTER_OPEN, CW_FILTER_NONE } filter_state;
    struct cw_value_filter filter;
    bool filter_ruled_out; /* it said of a value that no row has it */
};

/* `keep`, `open` and the prospect are set before each question. */
void cw_match_block_init(struct cw_match_block *block, struct cw_template_block *tb,
                         struct cw_str values, struct cw_arena *arena);

/* What is known of each row: bits of `may` are those that perhaps hold it, of `must` those that do. */
struct cw_row_sets {
    enum { CW_ROWS_NONE, CW_ROWS_ALL, CW_ROWS_SOME } kind;
    uint64_t *may, *must; /* SOME */
};

int cw_literal_rows(struct cw_match_block *block, const struct cw_literal_plan *literal,
                    struct cw_row_sets *out, struct cw_err *err) CW_MUST_USE;
/* Never says that a row must: how addresses are sought depends on what stands before them in the line. */
int cw_address_rows(struct cw_match_block *block, const struct cw_ip_match *ip,
                    struct cw_row_sets *out, struct cw_err *err) CW_MUST_USE;

#endif
