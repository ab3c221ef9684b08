/*
 * selector.h - label matchers: `{app="x", env!="y", host=~"a.*", tier!~"b|c"}`.
 *
 * Ownership  A selector owns its matchers and their regexes.
 * Threads    Read-only after it is built; shared freely.
 */
#ifndef CW_MATCH_SELECTOR_H
#define CW_MATCH_SELECTOR_H
#include "common/labels/labels.h"
#include "common/match/regex.h"

enum cw_match_op { CW_MATCH_EQ, CW_MATCH_NE, CW_MATCH_RE, CW_MATCH_NRE };

struct cw_matcher {
    enum cw_match_op op;
    struct cw_str name, value; /* owned by the selector */
    struct cw_regex *regex;    /* RE and NRE only */
};

struct cw_selector {
    struct cw_matcher *items; /* in the order they were written */
    size_t n;
};

void cw_selector_init(struct cw_selector *selector);
void cw_selector_fini(struct cw_selector *selector);
/* Copies name and value; compiles the regex (CW_E_INVALID in Go's words). */
int cw_selector_add(struct cw_selector *selector, enum cw_match_op op, struct cw_str name,
                    struct cw_str value, struct cw_err *err) CW_MUST_USE;
/* One matcher against one value (empty: the label is absent). 1, 0 or a negative error. */
int cw_matcher_match(const struct cw_matcher *matcher, struct cw_str value,
                     struct cw_err *err) CW_MUST_USE;
int cw_selector_match(const struct cw_selector *selector, struct cw_labels labels,
                      struct cw_err *err) CW_MUST_USE;
/* Does the matcher accept a stream without the label? */
bool cw_matcher_matches_empty(const struct cw_matcher *matcher);
/* `{a="b", c=~"d"}` as Loki prints a selector. */
void cw_selector_format(const struct cw_selector *selector, struct cw_buf *out);

#endif
