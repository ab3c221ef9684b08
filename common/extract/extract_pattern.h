/*
 * extract_pattern.h - LogQL's `| pattern "<ip> - <_> <status>"` and `| regexp "(?P<name>...)"`: parts of a line as labels.
 *
 * A pattern is literals with captures between; each literal is found at its first place behind the one before, the one at
 * the front only at the line's begin. Where one is missing, the capture ahead of it takes the rest of the line.
 *
 * Ownership  A pattern owns its pieces, which borrow from the text. Labels borrow from the line.
 * Threads    Read-only after it is made.
 */
#ifndef CW_EXTRACT_EXTRACT_PATTERN_H
#define CW_EXTRACT_EXTRACT_PATTERN_H
#include "common/extract/label_builder.h"
#include "common/match/regex.h"

struct cw_extract_pattern;

/* The text passed the parser's check: captures do not touch, one of them has a name. Borrowed. */
struct cw_extract_pattern *cw_extract_pattern_new(struct cw_str text);
void cw_extract_pattern_free(struct cw_extract_pattern **pattern);
void cw_extract_pattern_run(const struct cw_extract_pattern *pattern, struct cw_str line,
                            struct cw_label_builder *builder);

/* Named groups of the first match; a line without one gets none. CW_E_LIMIT. */
int cw_extract_regexp(const struct cw_regex *regex, struct cw_str line,
                      struct cw_label_builder *builder, struct cw_err *err) CW_MUST_USE;

#endif
