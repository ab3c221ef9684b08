/* jmespath_priv.h - an expression's tree, between its parser, its evaluation and its functions. */
#ifndef CW_EXTRACT_JMESPATH_PRIV_H
#define CW_EXTRACT_JMESPATH_PRIV_H
#include "common/extract/jmespath.h"
#include "common/extract/json_tree.h"

enum jmes_kind {
    JMES_CURRENT, /* @ */
    JMES_FIELD,   /* name */
    JMES_INDEX,   /* [index] */
    JMES_SLICE,   /* [part[0]:part[1]:part[2]] */
    JMES_CHAIN,   /* right of what left is: a.b, a | b, a[0] */
    JMES_PROJECT, /* left[*].right: right of each element that is not null */
    JMES_VALUES,  /* left.*.right */
    JMES_FILTER,  /* left[?condition].right */
    JMES_FLATTEN, /* left[] */
    JMES_COMPARE, /* left op right */
    JMES_OR,      /* left || right */
    JMES_AND,     /* left && right */
    JMES_NOT,     /* !left */
    JMES_LIST,    /* [items] */
    JMES_HASH,    /* {keys: items} */
    JMES_LITERAL, /* `json`, 'text' */
    JMES_CALL,    /* function(items) */
    JMES_EXPREF,  /* &left */
};

enum jmes_op { JMES_EQ, JMES_NE, JMES_LT, JMES_LE, JMES_GT, JMES_GE };

struct jmes_function;
struct jmes_node {
    enum jmes_kind kind;
    enum jmes_op op;
    unsigned depth;
    struct jmes_node *left, *right, *condition;
    struct cw_str name;
    int64_t index;
    int64_t part[3];
    bool has[3];
    struct jmes_node **items;
    struct cw_str *keys;
    size_t n;
    const struct cw_json_node *literal;
    const struct jmes_function *function;
};

int cw_jmes_parse(struct cw_str text, struct cw_arena *arena, struct jmes_node **out,
                  struct cw_err *err) CW_MUST_USE;

/* One expression on one value. */
struct jmes_run {
    struct cw_arena *arena;
    unsigned nsteps;
    const char *failed; /* why; NULL: nothing did */
};
/* Never NULL; null when the run has failed. */
const struct cw_json_node *cw_jmes_eval(struct jmes_run *run, const struct jmes_node *node,
                                        const struct cw_json_node *value);
const struct cw_json_node *cw_jmes_fail(struct jmes_run *run, const char *why);
/* Counts `n` values; false when there have been too many. */
bool cw_jmes_step(struct jmes_run *run, size_t n);
bool cw_jmes_equal(struct jmes_run *run, const struct cw_json_node *a,
                   const struct cw_json_node *b);
struct cw_json_node *cw_jmes_array(struct jmes_run *run, size_t room);
const struct cw_json_node *cw_jmes_number(struct jmes_run *run, double number);
const struct cw_json_node *cw_jmes_string(struct jmes_run *run, struct cw_str text);
const struct cw_json_node *cw_jmes_bool(bool truth);

/* NULL: there is none of that name. */
const struct jmes_function *cw_jmes_function(struct cw_str name);
/* Whether it takes so many arguments. */
bool cw_jmes_takes(const struct jmes_function *function, size_t nargs);
const struct cw_json_node *cw_jmes_call(struct jmes_run *run, const struct jmes_node *call,
                                        const struct cw_json_node *value);

#endif
