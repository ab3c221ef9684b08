/*
 * go_template_priv.h - the nodes of a template, the functions, and one execution: shared by the files of go_template.
 */
#ifndef CW_TEMPLATE_GO_TEMPLATE_PRIV_H
#define CW_TEMPLATE_GO_TEMPLATE_PRIV_H
#include "common/base/arena.h"
#include "common/base/limits.h"
#include "common/match/regex.h"
#include "common/template/go_template.h"
#include "common/template/go_value.h"

/* ---- tokens ---- */

enum cw_gt_token_kind {
    CW_GT_ERROR, /* text is the message */
    CW_GT_BOOL,
    CW_GT_CHAR, /* a printable ASCII character that is nothing else: a comma */
    CW_GT_CHAR_CONSTANT,
    CW_GT_COMPLEX,
    CW_GT_ASSIGN,
    CW_GT_DECLARE,
    CW_GT_EOF,
    CW_GT_FIELD, /* .name */
    CW_GT_IDENTIFIER,
    CW_GT_LEFT_DELIM,
    CW_GT_LEFT_PAREN,
    CW_GT_NUMBER,
    CW_GT_PIPE,
    CW_GT_RAW_STRING,
    CW_GT_RIGHT_DELIM,
    CW_GT_RIGHT_PAREN,
    CW_GT_SPACE,
    CW_GT_STRING,
    CW_GT_TEXT,
    CW_GT_VARIABLE,
    CW_GT_KEYWORD, /* those behind it are */
    CW_GT_BLOCK,
    CW_GT_BREAK,
    CW_GT_CONTINUE,
    CW_GT_DOT,
    CW_GT_DEFINE,
    CW_GT_ELSE,
    CW_GT_END,
    CW_GT_IF,
    CW_GT_NIL,
    CW_GT_RANGE,
    CW_GT_TEMPLATE,
    CW_GT_WITH,
};

struct cw_gt_token {
    enum cw_gt_token_kind kind;
    struct cw_str text;
    size_t pos;
    unsigned line;
};

struct cw_gt_lexer {
    struct cw_str input;
    size_t pos, start;
    unsigned line, start_line;
    int paren_depth;
    bool inside_action;
    struct cw_arena *arena; /* messages */
};

void cw_gt_lexer_init(struct cw_gt_lexer *lexer, struct cw_str input, struct cw_arena *arena);
struct cw_gt_token cw_gt_lexer_next(struct cw_gt_lexer *lexer);
/* Go's unicode.IsLetter, IsDigit. */

/* ---- nodes ---- */

enum cw_gt_kind {
    CW_GT_N_TEXT,
    CW_GT_N_ACTION, /* pipe */
    CW_GT_N_BREAK,
    CW_GT_N_CONTINUE,
    CW_GT_N_IF, /* pipe, list, else_list */
    CW_GT_N_RANGE,
    CW_GT_N_WITH,
    CW_GT_N_TEMPLATE, /* text is the name; pipe may be NULL */
    CW_GT_N_LIST,     /* args */
    CW_GT_N_END,
    CW_GT_N_ELSE,
    CW_GT_N_PIPE,    /* args are commands; decls, is_assign */
    CW_GT_N_COMMAND, /* args */
    CW_GT_N_IDENTIFIER,
    CW_GT_N_FIELD,    /* idents */
    CW_GT_N_VARIABLE, /* idents, the first one with its $ */
    CW_GT_N_CHAIN,    /* args[0], idents */
    CW_GT_N_DOT,
    CW_GT_N_NIL,
    CW_GT_N_BOOL,
    CW_GT_N_NUMBER,
    CW_GT_N_STRING, /* text; quoted is how it was written */
};

struct cw_gt_number {
    bool is_int, is_uint, is_float, is_complex;
    int64_t i;
    uint64_t u;
    double f, imaginary;
};

struct cw_gt_func;

struct cw_gt_node {
    enum cw_gt_kind kind;
    size_t pos;         /* in the template's text */
    struct cw_str text; /* TEXT, IDENTIFIER, NUMBER, STRING, TEMPLATE */
    struct cw_str quoted;
    struct cw_str *idents;
    size_t nidents, idents_cap;
    struct cw_gt_node **args;
    size_t nargs, args_cap;
    struct cw_gt_node **decls; /* VARIABLE nodes */
    size_t ndecls, decls_cap;
    bool is_assign;
    bool truth;
    struct cw_gt_number number;
    const struct cw_gt_func *func; /* IDENTIFIER */
    struct cw_gt_node *pipe, *list, *else_list;
};

/* As Go prints it in errors. */
void cw_gt_node_print(const struct cw_gt_node *node, struct cw_buf *out);

struct cw_gt_tree { /* a {{define}}d template, or the whole */
    struct cw_str name;
    struct cw_gt_node *root;
    struct cw_gt_tree *next;
};

/* The function of that name; NULL: there is none. */
typedef const struct cw_gt_func *(*cw_gt_find_fn)(struct cw_str name);

struct cw_go_template {
    struct cw_arena *arena;
    cw_gt_find_fn find;
    struct cw_str name, text;
    struct cw_gt_node *root;
    struct cw_gt_tree *trees;
    struct cw_str *fields;
    size_t nfields, fields_cap;
    bool needs_all, needs_line, needs_timestamp;
    bool
        missing_is_none; /* a field that is not there is no value at all; else the empty text (missingkey=zero) */
};

/* What a field is that is not there. */
struct cw_go_value cw_gt_missing(const struct cw_go_template_run *run);
int cw_gt_parse(struct cw_go_template *tmpl, struct cw_err *err) CW_MUST_USE;
/* strconv's ParseInt / ParseUint with base 0 (or 10) of 64 bits; false on bad syntax or overflow. */
bool cw_go_parse_int(struct cw_str text, int base, int64_t *out);
bool cw_go_parse_uint(struct cw_str text, int base, uint64_t *out);
/* strconv.ParseFloat: digits may be set apart by '_'. */
bool cw_go_parse_float(struct cw_str text, double *out);

/* ---- execution ---- */

struct cw_gt_var {
    struct cw_str name;
    struct cw_go_value value;
};

enum { CW_GT_REGEX_CACHE = 8 };
struct cw_gt_regex {
    struct cw_str pattern; /* on the heap */
    struct cw_regex *regex;
    uint64_t used; /* the larger, the later */
};

struct cw_go_template_run {
    struct cw_arena *arena; /* values of one execution */
    struct cw_buf tmp;      /* what a function writes before it is copied into the arena */
    struct cw_gt_var *vars;
    size_t nvars, vars_cap; /* on the heap, kept */
    size_t base;            /* the first that the template sees which runs */
    struct cw_gt_regex regexes[CW_GT_REGEX_CACHE];
    uint64_t regex_clock;
    struct cw_buf zone_name; /* the zone that was asked for last, and what was found */
    const struct cw_go_zone *zone;
    bool zone_known;
    /* one execution */
    const struct cw_go_template *tmpl;
    const struct cw_gt_tree *tree;
    const struct cw_go_template_input *input;
    struct cw_buf *out;
    const struct cw_gt_node *node; /* where it is, for errors */
    struct cw_err err;
    size_t out_max; /* out's length never passes it */
    unsigned steps, depth;
    struct cw_str callee;    /* what `call` was given, as Go names it */
    struct cw_go_map fields; /* of the line, when the template needs them all */
};

/* The types of parameters. */
enum cw_gt_type {
    CW_GT_T_ANY,     /* interface {} */
    CW_GT_T_REFLECT, /* reflect.Value: the builtins' */
    CW_GT_T_STRING,
    CW_GT_T_INT,
    CW_GT_T_FLOAT,
    CW_GT_T_TIME,
    CW_GT_T_DURATION,
    CW_GT_T_LOCATION,
};

enum { CW_GT_MAX_PARAMS = 4 };

/* 0, or -1 with the message in run->err (cw_gt_fail). */
typedef int (*cw_gt_fn)(struct cw_go_template_run *run, const struct cw_go_value *args,
                        size_t nargs, struct cw_go_value *out);

struct cw_gt_func {
    const char *name;
    cw_gt_fn fn;
    uint8_t nparams; /* the variadic one not counted */
    bool variadic;   /* the last type is that of any further ones */
    uint8_t types[CW_GT_MAX_PARAMS];
};

/* The functions of LogQL (go_template_functions.c), and those that the shipper has besides (go_template_sprig.c). */
const struct cw_gt_func *cw_gt_func_find(struct cw_str name);
const struct cw_gt_func *cw_gt_func_find_shipper(struct cw_str name);
/* Is it one of sprig's that the shipper leaves out? */
bool cw_gt_sprig_left_out(struct cw_str name);
/* The row of that name in a table that is sorted by name. */
const struct cw_gt_func *cw_gt_func_in(const struct cw_gt_func *table, size_t n,
                                       struct cw_str name);
/* and, or: the evaluator stops early. */
int cw_gt_fn_and(struct cw_go_template_run *run, const struct cw_go_value *args, size_t nargs,
                 struct cw_go_value *out);
int cw_gt_fn_or(struct cw_go_template_run *run, const struct cw_go_value *args, size_t nargs,
                struct cw_go_value *out);
/* call: the evaluator sets `callee` before. */
int cw_gt_fn_call(struct cw_go_template_run *run, const struct cw_go_value *args, size_t nargs,
                  struct cw_go_value *out);

/* A function's error: the text behind "error calling f: ". Always -1. */
int cw_gt_fail(struct cw_go_template_run *run, const char *fmt, ...) CW_PRINTF(2, 3);
/* A bound was passed: CW_E_LIMIT. Always -1. */
int cw_gt_fail_limit(struct cw_go_template_run *run, const char *what);
/* Count `n` steps, and look whether the run may take them and `nbytes` more of the arena: asked before what a line makes large. */
int cw_gt_spend(struct cw_go_template_run *run, size_t n, size_t nbytes);
/* What was written into run->tmp, copied to the arena. */
int cw_gt_take_tmp(struct cw_go_template_run *run, struct cw_go_value *out);
/* The regex of that pattern, from the run's cache; NULL: run->err says what Go says. */
const struct cw_regex *cw_gt_regex(struct cw_go_template_run *run, struct cw_str pattern);
/* What an interface holds; INVALID when it holds nothing. */
static inline struct cw_go_value cw_gt_unbox(struct cw_go_value value)
{
    if (value.kind == CW_GO_NIL)
        value.kind = CW_GO_INVALID;
    value.boxed = false;
    return value;
}
/* A method of a value of that kind, by its name; NULL: none. The value is args[0]. */
const struct cw_gt_func *cw_gt_method(enum cw_go_kind kind, struct cw_str name);
/* Why Go's templates do not call a method that the kind has; NULL: it has none of that name that they do not call. */
const char *cw_gt_method_refused(enum cw_go_kind kind, struct cw_str name);
int cw_gt_give_time(struct cw_go_template_run *run, struct cw_go_time time,
                    struct cw_go_value *out);

#define CW_GT_FN(name)                                                                             \
    int cw_gt_fn_##name(struct cw_go_template_run *run, const struct cw_go_value *args,            \
                        size_t nargs, struct cw_go_value *out)

#endif
