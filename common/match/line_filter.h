/*
 * line_filter.h - LogQL's line filters: |= != |~ !~ |> !> with `or` chains and ip().
 *
 * One cw_line_filter is one filter of a pipeline: an operator and one or more operands. `|= "a" or "b"` holds when a line
 * holds either; `!= "a" or "b"` when it holds neither (Loki's meaning).
 *
 * Ownership  Owns its operands.
 * Threads    Read-only after build; shared by worker threads.
 */
#ifndef CW_MATCH_LINE_FILTER_H
#define CW_MATCH_LINE_FILTER_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/match/ip_match.h"
#include "common/match/regex.h"

enum cw_filter_op {
    CW_FILTER_CONTAINS,     /* |=  */
    CW_FILTER_NOT_CONTAINS, /* !=  */
    CW_FILTER_RE,           /* |~  */
    CW_FILTER_NOT_RE,       /* !~  */
    CW_FILTER_PATTERN,      /* |>  */
    CW_FILTER_NOT_PATTERN,  /* !>  */
};

struct cw_line_filter;

int cw_line_filter_new(enum cw_filter_op op, struct cw_line_filter **out,
                       struct cw_err *err) CW_MUST_USE;
void cw_line_filter_free(struct cw_line_filter **filter);
/* Add an operand; is_ip: ip("10.0.0.0/8") (only CONTAINS and NOT_CONTAINS). CW_E_INVALID in Loki's words. */
int cw_line_filter_add(struct cw_line_filter *filter, struct cw_str operand, int is_ip,
                       struct cw_err *err) CW_MUST_USE;
/* 1 the line stays, 0 it goes, or a negative error (regex limit). */
int cw_line_filter_match(const struct cw_line_filter *filter, struct cw_str line,
                         struct cw_err *err) CW_MUST_USE;

/*
 * What can be said of a filter's operands by who decides it without the lines. A line stays when it holds any operand, or, if the
 * filter is negated, none.
 */
enum { CW_LINE_LITERALS_MAX = 8 };
struct cw_line_operand {
    /* A line that holds the operand holds all of these; `exact`: and the other way round. Borrowed from the filter. */
    struct cw_literal literals[CW_LINE_LITERALS_MAX];
    size_t nliterals;
    bool exact;
    const struct cw_ip_match *ip; /* ip("..."): no literal is known then; else NULL */
};
bool cw_line_filter_negated(const struct cw_line_filter *filter);
size_t cw_line_filter_noperands(const struct cw_line_filter *filter);
void cw_line_filter_operand(const struct cw_line_filter *filter, size_t i,
                            struct cw_line_operand *out);

/*
 * The hot path: many lines that lie one behind the other. Line i is text[offsets[i], offsets[i + 1]); offsets has
 * n + 1 elements. `keep` is a bitmap of n bits (64 a word): bits of lines that fail are cleared, others are not touched
 * (so filters of one pipeline are applied in turn). A literal is searched over the whole text at once (two rarest bytes,
 * AVX2 where the machine has it), a hit that crosses a line's end does not count.
 */
int cw_line_filter_select(const struct cw_line_filter *filter, const char *text,
                          const uint32_t *offsets, size_t n, uint64_t *keep,
                          struct cw_err *err) CW_MUST_USE;

#endif
