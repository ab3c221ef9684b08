/*
 * regex_syntax.h - Go's regular expressions (package regexp/syntax with its Perl flags) as a tree.
 *
 * What the tree says is what Go means: flags are resolved into the nodes ((?i) into `fold`, (?s) into ANY, (?U) into `lazy`,
 * `$` into END_TEXT or END_LINE, \s \d \w and [:name:] into sets of runes), so that nobody below needs a flag.
 *
 * Ownership  Nodes live in the arena that was given.
 * Errors     CW_E_INVALID with Go's text. An expression is bounded in depth (1,000, as Go's), in compiled size and in ranges.
 * Sources    https://pkg.go.dev/regexp/syntax
 */
#ifndef CW_MATCH_REGEX_SYNTAX_H
#define CW_MATCH_REGEX_SYNTAX_H
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/match/regex_unicode.h"

enum cw_re_op {
    CW_RE_EMPTY,
    CW_RE_LITERAL, /* runes one after the other */
    CW_RE_CLASS,   /* one rune of a set; an empty set never matches */
    CW_RE_ANY,     /* one rune */
    CW_RE_ANY_NOT_NL,
    CW_RE_BEGIN_TEXT,
    CW_RE_END_TEXT,
    CW_RE_BEGIN_LINE,
    CW_RE_END_LINE,
    CW_RE_WORD_BOUNDARY,
    CW_RE_NO_WORD_BOUNDARY,
    CW_RE_CAPTURE,
    CW_RE_REPEAT, /* min..max times; ?, * and + too */
    CW_RE_CONCAT,
    CW_RE_ALTERNATE,
};

enum { CW_RE_NO_MAX = -1 };

struct cw_re_node {
    enum cw_re_op op;
    bool fold;             /* LITERAL: up to case; its runes are the smallest of their cycles */
    bool lazy;             /* REPEAT: as few as possible first */
    int min, max;          /* REPEAT; max may be CW_RE_NO_MAX */
    unsigned group;        /* CAPTURE: from 1 */
    struct cw_str name;    /* CAPTURE: empty when it has none */
    const uint32_t *runes; /* LITERAL */
    size_t nrunes, caprunes;
    const struct cw_rune_range *ranges; /* CLASS: tidy */
    size_t nranges;
    struct cw_re_node **subs; /* REPEAT and CAPTURE have one */
    size_t nsubs;
    unsigned height;
    uint64_t size; /* instructions it compiles to, about */
};

struct cw_re_tree {
    struct cw_re_node *root;
    unsigned ngroups;
    const struct cw_str *names; /* of groups 1..ngroups, at [group - 1] */
};

/* `dot_newline`: '.' matches a newline from the start, as (?s) would. */
int cw_regex_parse(struct cw_str pattern, bool dot_newline, struct cw_arena *arena,
                   struct cw_re_tree *out, struct cw_err *err) CW_MUST_USE;

#endif
