/*
 * pattern_match.h - LogQL's pattern line filters: `|> "GET <_> 500"`, a line as literals with any text between.
 *
 * Loki's rules: the literals are found one after the other, each at its first place; between two of them, and behind a last
 * <_>, stands at least one byte; what ends in a literal ends the line. The first literal may stand anywhere in the line.
 * An empty pattern matches only an empty line.
 *
 * Ownership  Owns its literals.
 */
#ifndef CW_MATCH_PATTERN_MATCH_H
#define CW_MATCH_PATTERN_MATCH_H
#include <stdbool.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_pattern_match;

/* CW_E_INVALID: two <_> side by side, or a <name>; Loki's texts. */
int cw_pattern_match_new(struct cw_str pattern, struct cw_pattern_match **out,
                         struct cw_err *err) CW_MUST_USE;
void cw_pattern_match_free(struct cw_pattern_match **pattern);
bool cw_pattern_match_test(const struct cw_pattern_match *pattern, struct cw_str line);
/* Its literals, all of which every line that matches holds, are numbered from 0; false behind the last. */
bool cw_pattern_match_literal_at(const struct cw_pattern_match *pattern, size_t i,
                                 struct cw_str *out);
/* The longest literal, which every line that matches holds; empty when there is none. */
struct cw_str cw_pattern_match_literal(const struct cw_pattern_match *pattern);

/* The length of a capture `<name>` at the front of a pattern, 0 when there is none. */
size_t cw_pattern_capture_len(struct cw_str text);

#endif
