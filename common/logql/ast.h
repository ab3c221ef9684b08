/*
 * ast.h - what a LogQL query says, for the whole grammar. The parser builds it, print.c writes it
 * back, querier/engine evaluates it; retention, deletes and the shipper's `match` stage use its
 * selectors and pipelines.
 *
 * Ownership  cw_logql_parse() returns one cw_query that owns everything; nodes, texts, regexes and
 *            filters die with it.
 * Threads    Read-only after the parse; where there is an `in (query)`, after its values were put in.
 */
#ifndef CW_LOGQL_AST_H
#define CW_LOGQL_AST_H
#include <stdbool.h>
#include <stdint.h>
#include "common/match/line_filter.h"
#include "common/match/selector.h"

/* ---- log pipelines ---- */

enum cw_stage_kind {
    CW_STAGE_LINE_FILTER,
    CW_STAGE_JSON,    /* | json [expressions] */
    CW_STAGE_LOGFMT,  /* | logfmt [--strict] [--keep-empty] [expressions] */
    CW_STAGE_REGEXP,  /* | regexp "..." */
    CW_STAGE_PATTERN, /* | pattern "..." */
    CW_STAGE_UNPACK,
    CW_STAGE_LABEL_FILTER,
    CW_STAGE_LINE_FORMAT,
    CW_STAGE_LABEL_FORMAT,
    CW_STAGE_DECOLORIZE,
    CW_STAGE_DROP,
    CW_STAGE_KEEP,
    /* Extensions. */
    CW_STAGE_DISTINCT, /* | distinct a, b */
    CW_STAGE_SORT,     /* | sort by (a, b desc) */
    CW_STAGE_TEMPLATE, /* | template */
    CW_STAGE_CONTEXT,  /* | context -B n -A n; the last one */
};

enum cw_label_filter_kind {
    CW_LF_AND,
    CW_LF_OR,      /* parts; a comma is AND */
    CW_LF_MATCHER, /* string compare: matcher */
    CW_LF_NUMBER,
    CW_LF_DURATION,
    CW_LF_BYTES,
    CW_LF_IP, /* addr = ip("...") or != */
    CW_LF_IN, /* extension: user in (query) or `not in` */
};
enum cw_cmp { CW_CMP_EQ, CW_CMP_NE, CW_CMP_GT, CW_CMP_GE, CW_CMP_LT, CW_CMP_LE };

struct cw_label_filter {
    enum cw_label_filter_kind kind;
    unsigned height; /* of the tree, at most CW_LIMIT_QUERY_DEPTH: walkers may recurse */
    /* AND, OR: at least two, however long the chain. It binds to the left (`a or b or c`), or with commas to the right. */
    struct cw_label_filter **parts;
    size_t nparts;
    bool binds_right;
    struct cw_matcher matcher; /* MATCHER: owned by the query */
    struct cw_str name;        /* the others */
    enum cw_cmp cmp;
    double number;
    int64_t duration_ns;
    uint64_t bytes;
    struct cw_str text; /* the operand as it was written (printing, ip pattern) */
    /* IN: what gives the values, and the values once it was run (querier/engine/sub_query.h) */
    struct cw_expr *query;
    bool negated;
    const struct cw_value_set *values;
};

struct cw_line_filter_operand {
    struct cw_str text;
    bool is_ip;
};
struct cw_extraction { /* json x="a.b", logfmt x="key" */
    struct cw_str name, expression;
};
struct cw_label_format { /* dst=src or dst="template" */
    struct cw_str dst, value;
    bool is_template;
};
struct cw_drop_keep { /* a name alone, or a matcher */
    struct cw_str name;
    bool has_matcher;
    struct cw_matcher matcher;
};

struct cw_sort_key { /* DISTINCT has the name alone */
    struct cw_str name;
    bool descending;
};

struct cw_stage {
    enum cw_stage_kind kind;
    struct cw_stage *next;
    /* LINE_FILTER: the compiled filter, and what was written, for printing */
    enum cw_filter_op filter_op;
    struct cw_line_filter *filter;
    struct cw_line_filter_operand *operands;
    size_t noperands;
    /* JSON, LOGFMT */
    struct cw_extraction *extractions;
    size_t nextractions;
    bool strict, keep_empty;
    bool arrays; /* JSON, extension: elements of arrays are labels too */
    /* REGEXP (compiled), PATTERN, LINE_FORMAT: the text */
    struct cw_str text;
    struct cw_regex *regex;
    struct cw_label_filter *label_filter;
    struct cw_label_format *formats;
    size_t nformats;
    struct cw_drop_keep *names; /* DROP, KEEP */
    size_t nnames;
    struct cw_sort_key *keys; /* DISTINCT, SORT */
    size_t nkeys;
    uint32_t before, after; /* CONTEXT */
};

/* ---- expressions ---- */

enum cw_expr_kind {
    CW_EXPR_LOG,        /* selector and pipeline */
    CW_EXPR_RANGE_AGG,  /* rate({..}[5m]) */
    CW_EXPR_VECTOR_AGG, /* sum by (a) (...) */
    CW_EXPR_BINARY,
    CW_EXPR_NUMBER,
    CW_EXPR_VECTOR, /* vector(1) */
    CW_EXPR_LABEL_REPLACE,
    CW_EXPR_VARIANTS, /* variants(...) of (...) */
};

/* Range and vector functions are rows of functions.c; the enum is its index. */
enum cw_range_fn {
    CW_RANGE_COUNT_OVER_TIME,
    CW_RANGE_RATE,
    CW_RANGE_RATE_COUNTER,
    CW_RANGE_BYTES_OVER_TIME,
    CW_RANGE_BYTES_RATE,
    CW_RANGE_AVG,
    CW_RANGE_SUM,
    CW_RANGE_MIN,
    CW_RANGE_MAX,
    CW_RANGE_STDVAR,
    CW_RANGE_STDDEV,
    CW_RANGE_QUANTILE,
    CW_RANGE_FIRST,
    CW_RANGE_LAST,
    CW_RANGE_ABSENT,
    CW_RANGE_COUNT_DISTINCT, /* extension */
    CW_RANGE_NFN
};
enum cw_vector_fn {
    CW_VECTOR_SUM,
    CW_VECTOR_AVG,
    CW_VECTOR_COUNT,
    CW_VECTOR_MIN,
    CW_VECTOR_MAX,
    CW_VECTOR_STDDEV,
    CW_VECTOR_STDVAR,
    CW_VECTOR_TOPK,
    CW_VECTOR_BOTTOMK,
    CW_VECTOR_APPROX_TOPK,
    CW_VECTOR_SORT,
    CW_VECTOR_SORT_DESC,
    CW_VECTOR_NFN
};
enum cw_binop {
    CW_BIN_OR,
    CW_BIN_AND,
    CW_BIN_UNLESS,
    CW_BIN_ADD,
    CW_BIN_SUB,
    CW_BIN_MUL,
    CW_BIN_DIV,
    CW_BIN_MOD,
    CW_BIN_POW,
    CW_BIN_EQ,
    CW_BIN_NE,
    CW_BIN_GT,
    CW_BIN_GE,
    CW_BIN_LT,
    CW_BIN_LE,
};
enum cw_grouping_kind { CW_GROUP_NONE, CW_GROUP_BY, CW_GROUP_WITHOUT };
struct cw_grouping {
    enum cw_grouping_kind kind; /* `by ()` is BY with n = 0 */
    struct cw_str *names;
    size_t n;
};
enum cw_unwrap_conversion {
    CW_UNWRAP_CONV_NONE,
    CW_UNWRAP_CONV_BYTES,
    CW_UNWRAP_CONV_DURATION,
    CW_UNWRAP_CONV_DURATION_SECONDS,
};
struct cw_unwrap {
    bool present;
    struct cw_str label;
    enum cw_unwrap_conversion conversion;
    struct cw_stage *post_filters; /* label filters behind the unwrap */
};
enum cw_cardinality { CW_CARD_ONE_TO_ONE, CW_CARD_MANY_TO_ONE, CW_CARD_ONE_TO_MANY };
struct cw_binary_modifier {
    bool return_bool;
    bool has_matching; /* on(...) or ignoring(...) was written */
    bool on;
    struct cw_str *labels;
    size_t nlabels;
    enum cw_cardinality cardinality; /* group_left: MANY_TO_ONE */
    struct cw_str *include;
    size_t ninclude;
};

struct cw_expr {
    enum cw_expr_kind kind;
    /* Of the tree, at most CW_LIMIT_QUERY_DEPTH: walkers may recurse, but not into the left side of an operator, which counts as no
     * level: chains of them are as long as the text. cw_expr_spine() makes a list of one. */
    unsigned height;
    /* LOG; also the log range of RANGE_AGG */
    struct cw_selector selector;
    struct cw_stage *stages; /* in the order they were written; NULL: none */
    /* RANGE_AGG */
    enum cw_range_fn range_fn;
    int64_t range_ns, offset_ns;
    struct cw_unwrap unwrap;
    struct cw_str counted; /* extension: the label of count_distinct_over_time */
    /* An entry with an error is an entry as any other: set by whoever made the node, no text says it. */
    bool keeps_errors;
    /* RANGE_AGG (quantile), VECTOR_AGG (topk: k), NUMBER, VECTOR */
    double param;
    bool has_param;
    struct cw_grouping grouping;
    /* VECTOR_AGG, LABEL_REPLACE: left; BINARY: both */
    enum cw_vector_fn vector_fn;
    enum cw_binop binop;
    struct cw_binary_modifier modifier;
    struct cw_expr *left, *right;
    /* LABEL_REPLACE */
    struct cw_str dst, replacement, src, regex_text;
    struct cw_regex *regex;
    /* VARIANTS: the variants, and the log range in left */
    struct cw_expr **variants;
    size_t nvariants;
};

struct cw_query {
    struct cw_expr *root;
    struct cw_arena *arena; /* nodes and texts */
};

/* CW_E_INVALID with Loki's text ("parse error at line 1, col 6: syntax error: unexpected $end,
 * expecting STRING"). Checks all that Loki checks at parse time (a selector needs a matcher that
 * does not match the empty text, aggregations' parameters, ...). */
int cw_logql_parse(struct cw_str text, struct cw_query **out, struct cw_err *err) CW_MUST_USE;

/* What of a text is read beyond Loki's language. */
enum cw_logql_dialect {
    CW_LOGQL_LOKI = 0,
    CW_LOGQL_ANY_SELECTOR = 1, /* `{}` is fine: every stream. For queries that no server answers. */
    /* Our stages and functions (README). Their words are none of the language's: whatever is a query without them means the same
     * with them. */
    CW_LOGQL_EXTENSIONS = 2,
};
int cw_logql_parse_dialect(struct cw_str text, unsigned dialect, struct cw_query **out,
                           struct cw_err *err) CW_MUST_USE;
void cw_query_free(struct cw_query **query);
/* Only `{...}`: for series' match[], labels' query and the like. *out is the caller's. */
int cw_logql_parse_selector(struct cw_str text, struct cw_selector *out,
                            struct cw_err *err) CW_MUST_USE;
/* As Loki's format_query prints it. `out` needs a cap: with long chains of operators the text grows with the square of the query's
 * (CW_LIMIT_QUERY_LINES_BYTES). Over it cw_buf_failed(out), soon. */
void cw_query_format(const struct cw_query *query, struct cw_buf *out);
/* On one line, as it stands in error texts. */
void cw_expr_format(const struct cw_expr *expr, struct cw_buf *out);
void cw_stage_format(const struct cw_stage *stage, struct cw_buf *out);
bool cw_expr_is_metric(const struct cw_expr *expr);
/* The stage of this kind; NULL when there is none. */
const struct cw_stage *cw_stage_find(const struct cw_stage *stages, enum cw_stage_kind kind);
/* Does what the query answers depend on more than each entry alone (distinct, sort by, context)? Its answer is one page: asked for in pieces of
 * its range it is another. */
bool cw_expr_gathers(const struct cw_expr *expr);
/* The operators that stand on each other's left side: items[n - 1] is `expr`, items[0] the innermost one, whose left side is `first`. No
 * operator: n is 0, and `first` is `expr`. */
struct cw_expr_spine {
    const struct cw_expr *first;
    const struct cw_expr **items; /* owned */
    size_t n;
};
void cw_expr_spine_init(struct cw_expr_spine *spine, const struct cw_expr *expr);
void cw_expr_spine_fini(struct cw_expr_spine *spine);
/* Calls `fn` for the expression and all that stands in it, each node ahead of those below it, from left to right, but for what
 * `in (query)` holds; the first nonzero answer ends it and is returned. It does not recurse. */
typedef int (*cw_expr_fn)(void *arg, const struct cw_expr *expr, struct cw_err *err);
int cw_expr_each(const struct cw_expr *expr, cw_expr_fn fn, void *arg, struct cw_err *err);
/* Calls `fn` for each `in (query)` of the expression, with the log query or range that it stands in, but not for those within such a
 * query; the first nonzero answer ends it and is returned. */
typedef int (*cw_in_fn)(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                        struct cw_err *err);
bool cw_expr_has_in(const struct cw_expr *expr);
int cw_expr_each_in(const struct cw_expr *expr, cw_in_fn fn, void *arg, struct cw_err *err);

#endif
