/*
 * lex.h - LogQL's tokens, one at a time.
 *
 * The lexer knows what Loki's knows: a function's name is a function only in front of `(` (or of
 * by/without and a parenthesis), else an identifier; a number with a unit is a duration or a size;
 * `[5m]` is one token. A token's place is Loki's too, because error texts quote it: a token that is
 * found only by reading ahead (==, |=, [5m], 5s) has line 0.
 *
 * Ownership  Texts borrow from the query's text or from the arena.
 * Errors     CW_E_INVALID, complete sentences ("parse error at line 1, col 6: literal not
 *            terminated").
 * Sources    Go's text/scanner (white space, comments, numbers, strings), Prometheus' and Go's
 *            durations.
 */
#ifndef CW_LOGQL_LEX_H
#define CW_LOGQL_LEX_H
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum cw_token_kind {
    CW_TOK_END,
    CW_TOK_BYTES,
    CW_TOK_IDENTIFIER,
    CW_TOK_STRING,
    CW_TOK_NUMBER,
    CW_TOK_FLAG,
    CW_TOK_DURATION,
    CW_TOK_RANGE,
    CW_TOK_EQ,
    CW_TOK_RE,
    CW_TOK_NRE,
    CW_TOK_NPA,
    CW_TOK_OPEN_BRACE,
    CW_TOK_CLOSE_BRACE,
    CW_TOK_OPEN_BRACKET,
    CW_TOK_CLOSE_BRACKET,
    CW_TOK_COMMA,
    CW_TOK_DOT,
    CW_TOK_PIPE_RE,
    CW_TOK_PIPE_EXACT,
    CW_TOK_PIPE_PATTERN,
    CW_TOK_PIPE,
    CW_TOK_OPEN_PAREN,
    CW_TOK_CLOSE_PAREN,
    CW_TOK_RANGE_FN,
    CW_TOK_VECTOR_FN,
    CW_TOK_UNWRAP_CONV, /* `fn` says which */
    CW_TOK_VECTOR,
    CW_TOK_LABEL_REPLACE,
    CW_TOK_VARIANTS,
    CW_TOK_OF,
    CW_TOK_BY,
    CW_TOK_WITHOUT,
    CW_TOK_BOOL,
    CW_TOK_OFFSET,
    CW_TOK_ON,
    CW_TOK_IGNORING,
    CW_TOK_GROUP_LEFT,
    CW_TOK_GROUP_RIGHT,
    CW_TOK_JSON,
    CW_TOK_REGEXP,
    CW_TOK_LOGFMT,
    CW_TOK_UNPACK,
    CW_TOK_PATTERN,
    CW_TOK_LINE_FORMAT,
    CW_TOK_LABEL_FORMAT,
    CW_TOK_UNWRAP,
    CW_TOK_IP,
    CW_TOK_DECOLORIZE,
    CW_TOK_DROP,
    CW_TOK_KEEP,
    CW_TOK_OR,
    CW_TOK_AND,
    CW_TOK_UNLESS,
    CW_TOK_CMP_EQ,
    CW_TOK_NEQ,
    CW_TOK_LT,
    CW_TOK_LTE,
    CW_TOK_GT,
    CW_TOK_GTE,
    CW_TOK_ADD,
    CW_TOK_SUB,
    CW_TOK_MUL,
    CW_TOK_DIV,
    CW_TOK_MOD,
    CW_TOK_POW,
};

struct cw_token {
    enum cw_token_kind kind;
    unsigned line, column; /* both 0: nowhere (an empty query) */
    struct cw_str text;    /* as it is written; a STRING: what it says */
    int fn;                /* enum cw_range_fn, cw_vector_fn or cw_unwrap_conversion */
    int64_t duration_ns;   /* DURATION, RANGE */
    uint64_t bytes;        /* BYTES */
};

struct cw_lex {
    struct cw_str text;
    size_t at;             /* of the next character */
    unsigned line, column; /* of the next character, from 1 */
    struct cw_arena *arena;
    bool
        behind_blank; /* white space follows the token before, or the comment before that says something */
    bool extensions; /* their functions and flags are known */
};

/* `text` is borrowed and at most CW_LIMIT_QUERY_BYTES long. */
void cw_lex_init(struct cw_lex *lex, struct cw_str text, struct cw_arena *arena);
int cw_lex_next(struct cw_lex *lex, struct cw_token *out, struct cw_err *err) CW_MUST_USE;
/* The name of a token in "unexpected ...". At most 31 bytes and a NUL. */
void cw_token_name(const struct cw_token *token, char out[32]);
/* "parse error at line 1, col 6: <sentence>"; without a place "parse error : <sentence>". Returns
 * CW_E_INVALID. */
int cw_lex_error(struct cw_err *err, unsigned line, unsigned column, const char *fmt, ...)
    CW_PRINTF(4, 5);
/* Does each '_' of a number stand between digits, or behind its prefix (0x_1), as Go has it? */
bool cw_lex_separates_digits(struct cw_str text);
/* The value of a number that the lexer read, underscores left out; NULL, or what Go's strconv.ParseFloat says. */
const char *cw_lex_parse_float(struct cw_str text, struct cw_arena *arena, double *out);
/* go-humanize's sizes ("5MB", "1.5KiB"): false when it is none. */
bool cw_lex_parse_bytes(struct cw_str text, uint64_t *out);

#endif
