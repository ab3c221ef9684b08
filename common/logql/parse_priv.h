/*
 * parse_priv.h - what the parser's files share: the token at hand, the query being built, errors.
 *
 * The parser is written by hand, but its syntax errors are those of Loki's LALR parser: it names
 * the token that cannot follow and, when at most four could, lists them. Each place below that
 * refuses a token says which those are.
 *
 * Ownership  Everything allocated goes into the query's arena or is registered with it
 *            (cw_parse_own_*), so that a parse that fails midway leaks nothing.
 */
#ifndef CW_LOGQL_PARSE_PRIV_H
#define CW_LOGQL_PARSE_PRIV_H
#include "common/logql/ast.h"
#include "common/logql/lex.h"

/* Regexes and line filters that cw_query_free() releases. */
struct cw_owned {
    struct cw_owned *next;
    struct cw_regex *regex;
    struct cw_line_filter *filter;
    struct cw_selector *selector;
};

struct cw_query_owner {
    struct cw_query query;
    struct cw_owned *owned;
};

struct cw_parser {
    struct cw_lex lex;
    struct cw_token token; /* the next one, not taken yet */
    struct cw_arena *arena;
    struct cw_query_owner *owner;
    struct cw_err *err;
    unsigned depth;
    bool selects_all; /* {} is a selector */
    /* Extensions: log ranges and `in` queries around what is parsed, the latter alone, and what gathering stages there were. */
    unsigned inner, sub_queries, gathered;
    /* Loki finds some faults only after the whole text was parsed; a syntax error behind them wins.
     * Empty: none. */
    char late[CW_ERR_TEXT_BYTES];
};

/* Take the token at hand and read the next one. */
int cw_parse_advance(struct cw_parser *parser) CW_MUST_USE;
/* "unexpected X, expecting <expected>"; NULL where more than four tokens could follow. */
int cw_parse_unexpected(struct cw_parser *parser, const char *expected);
/* Take a token of this kind, or fail. *text_out (may be NULL) gets its text. */
int cw_parse_expect(struct cw_parser *parser, enum cw_token_kind kind, const char *name,
                    struct cw_str *text_out) CW_MUST_USE;
/* A fault without a place, at once: "parse error : <sentence>". */
int cw_parse_fault(struct cw_parser *parser, const char *fmt, ...) CW_PRINTF(2, 3);
/* The same, but reported when the text turned out well otherwise; the first one stands. */
void cw_parse_late_fault(struct cw_parser *parser, const char *fmt, ...) CW_PRINTF(2, 3);
/* Bounds the recursion; cw_parse_leave() goes with it. */
int cw_parse_enter(struct cw_parser *parser) CW_MUST_USE;
static inline void cw_parse_leave(struct cw_parser *parser)
{
    parser->depth--;
}
/* height of a node above two others; CW_E_INVALID past the bound. */
int cw_parse_height(struct cw_parser *parser, unsigned left, unsigned right,
                    unsigned *out) CW_MUST_USE;

struct cw_owned *cw_parse_own(struct cw_parser *parser);

/* parse_log.c: `{...}`; the token at hand is `{`. */
int cw_parse_braces(struct cw_parser *parser, struct cw_selector *out) CW_MUST_USE;
/* What stands behind a selector. Stages are appended at *tail. `unwrap` NULL: an unwrap is a syntax
 * error. With an unwrap the pipeline ends behind its label filters. */
int cw_parse_pipeline(struct cw_parser *parser, struct cw_stage ***tail,
                      struct cw_unwrap *unwrap) CW_MUST_USE;
bool cw_parse_at_pipeline(const struct cw_parser *parser);
/* A comma separated list of identifiers up to `)`, which is taken; the token at hand is `(`. */
int cw_parse_names(struct cw_parser *parser, struct cw_str **names_out, size_t *n_out) CW_MUST_USE;

/* parse_extension.c: a stage behind `|` that Loki does not have: 1 it was one, and is taken; 0 it is none. */
int cw_parse_extension(struct cw_parser *parser, struct cw_stage *stage) CW_MUST_USE;
/* Ahead of a stage: fails where nothing can follow the one before. */
int cw_parse_check_last(struct cw_parser *parser) CW_MUST_USE;
/* Behind the name of a label filter: `in`, `not in`? */
bool cw_parse_at_in(const struct cw_parser *parser);
int cw_parse_in(struct cw_parser *parser, struct cw_label_filter *filter) CW_MUST_USE;

/* parse_metric.c: any expression. */
int cw_parse_expr(struct cw_parser *parser, struct cw_expr **out) CW_MUST_USE;

/* parse_check.c: compile line filters and check what Loki checks of a whole query. */
int cw_parse_check_expr(struct cw_parser *parser, struct cw_expr *expr) CW_MUST_USE;
/* The fault in a template of `| pattern`; false when it is fine. */
bool cw_parse_pattern_fault(struct cw_str pattern, struct cw_arena *arena,
                            struct cw_str *fault_out);

#endif
