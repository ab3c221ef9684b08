/*
 * regex.h - RE2's (Go's) regular expressions, run by PCRE2's JIT.
 *
 * regex_syntax.c parses the pattern with Go's grammar and refuses what Go refuses with Go's texts, regex_literal.c finds the
 * literals that every match must hold, regex_print.c writes the PCRE2 pattern with Go's meaning ($, \s, bytes that are not
 * UTF-8, (?i) folding). A match limit and the clock bound backtracking; past them regex_dfa.c decides whether there is a match and
 * regex_nfa.c where it is, which do not backtrack (pcre2_dfa_match gives no captures); past their deadline the match fails with
 * CW_E_LIMIT and names the pattern. A pattern from outside never hangs a thread.
 *
 * Ownership  A cw_regex owns its program; free it once.
 * Threads    Compiled once, then shared by any threads; match data and JIT stacks are per thread.
 */
#ifndef CW_MATCH_REGEX_H
#define CW_MATCH_REGEX_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_regex;

enum cw_regex_flags {
    CW_REGEX_SEARCH = 0,      /* anywhere in the text: line filters, regexp stages */
    CW_REGEX_FULL = 1,        /* the whole text: matchers and label filters (^(?:...)$) */
    CW_REGEX_DOT_NEWLINE = 2, /* '.' matches a newline: stream selectors */
};

/* CW_E_INVALID with Go's text ("error parsing regexp: missing closing ): `a(`"). */
int cw_regex_compile(struct cw_str pattern, unsigned flags, struct cw_regex **out,
                     struct cw_err *err) CW_MUST_USE;
void cw_regex_free(struct cw_regex **regex);
/* 1 match, 0 none, negative CW_E_LIMIT. */
int cw_regex_match(const struct cw_regex *regex, struct cw_str text,
                   struct cw_err *err) CW_MUST_USE;
/* As match, with the captured groups: group i is groups[i] (ptr NULL: not set), group 0 the match. At most n are set. */
int cw_regex_captures(const struct cw_regex *regex, struct cw_str text, struct cw_str *groups,
                      size_t n, struct cw_err *err) CW_MUST_USE;
/* One match after another, for replacing and counting. Begins zeroed but for the text. */
struct cw_regex_scan {
    struct cw_str text;
    size_t from; /* where to look on: the caller's; what stands before is seen by ^ and \b only */
    bool looked, ascii, valid; /* what is known of the text */
};
/* As captures, of the first match at `from` or behind; n is at least 1. */
int cw_regex_scan_next(const struct cw_regex *regex, struct cw_regex_scan *scan,
                       struct cw_str *groups, size_t n, struct cw_err *err) CW_MUST_USE;
unsigned cw_regex_ngroups(const struct cw_regex *regex); /* without group 0 */
/* Empty when it has none. */
struct cw_str cw_regex_group_name(const struct cw_regex *regex, unsigned group);
struct cw_str cw_regex_pattern(const struct cw_regex *regex); /* as it was given */
/* Does it match the empty text? (Loki's rule that a selector needs a matcher which does not.) */
bool cw_regex_matches_empty(const struct cw_regex *regex);
/* The longest literal that every match holds; empty when there is none. *nocase_out: only up to ASCII case. */
struct cw_str cw_regex_literal(const struct cw_regex *regex, bool *nocase_out);
/* A text that a line must hold. */
struct cw_literal {
    struct cw_str text;
    bool nocase; /* up to ASCII case: the text is in small letters */
};
/* The longest literals that every match holds, that one among them, in the order in which they are found. Borrowed from the regex. */
const struct cw_literal *cw_regex_literals(const struct cw_regex *regex, size_t *n_out);
/* If the pattern is only an alternation of literals (a|b|c, with FULL: a set of values), they; else n = 0. Borrowed from the regex. */
const struct cw_str *cw_regex_alternatives(const struct cw_regex *regex, size_t *n_out);
/* The same with those that are up to ASCII case; *nocase_out: these are, and are in small letters. (?i) folds K and S to more
 * than their small letters, which these do not say: Loki's line filters do not want that either. */
const struct cw_str *cw_regex_alternatives_nocase(const struct cw_regex *regex, bool *nocase_out,
                                                  size_t *n_out);

#endif
