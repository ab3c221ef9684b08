/*
 * regex_escape.h - the escapes and named classes of Go's regular expressions: \x{41}, \pL, \d, [:alpha:].
 *
 * Each takes what it knows off the front of *s. Where it fails it returns Go's words and sets *where to the text they quote.
 */
#ifndef CW_MATCH_REGEX_ESCAPE_H
#define CW_MATCH_REGEX_ESCAPE_H
#include "common/base/str.h"
#include "common/match/regex_unicode.h"

/* *s begins with a backslash. NULL: done. */
const char *cw_regex_escape(struct cw_str *s, uint32_t *rune, struct cw_str *where);
/* *s begins with \p or \P. NULL: done. */
const char *cw_regex_unicode_class(struct cw_str *s, bool fold, struct cw_rune_set *out,
                                   struct cw_str *where);
/* \d \D \s \S \w \W: 1 taken, 0 there is none. */
int cw_regex_perl_class(struct cw_str *s, bool fold, struct cw_rune_set *out);
/* *s begins with "[:": 1 taken, 0 not closed by ":]", -1 no such class. */
int cw_regex_posix_class(struct cw_str *s, bool fold, struct cw_rune_set *out,
                         struct cw_str *where);

#endif
