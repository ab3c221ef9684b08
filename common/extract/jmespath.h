/*
 * jmespath.h - JMESPath expressions on lines of JSON, a set of them in one pass.
 *
 * The language is that of jmespath.org's specification with all its functions, an unknown one and a wrong number of arguments being
 * errors when the set is made. Each expression is split into the plain path that it begins with (a.b."c d"[0]) and the rest. The
 * paths of all expressions are one tree, along which a line is walked once; only what the rest of an expression needs of it is made
 * into a tree.
 *
 * Results    As promtail's `json` stage hands them on: strings bare, numbers as Go's FormatFloat(f, 'f', -1, 64), objects and arrays
 *            as Go prints them (compact, '<' as \u003c), in the order of the document.
 * Order      "<" and its like compare numbers only (null otherwise), as in Go's implementation.
 * Ownership  A set owns all of itself. Results borrow from line and arena.
 * Threads    A set is read-only once made.
 * Errors     CW_E_INVALID: syntax, with the offset; CW_E_LIMIT.
 * Bounds     Below. A search that would pass one of the last two has no result.
 */
#ifndef CW_EXTRACT_JMESPATH_H
#define CW_EXTRACT_JMESPATH_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* An expression: people write a line of it. Its tree's depth: parser and evaluation recurse. */
enum { CW_JMESPATH_BYTES = 16 << 10, CW_JMESPATH_DEPTH = 200 };
/* What one expression may do with one line: values looked at or made ([@,@] doubles them), and bytes of its result. */
enum { CW_JMESPATH_STEPS = 1000000, CW_JMESPATH_RESULT_BYTES = 4 << 20 };

enum cw_jmespath_type {
    CW_JMESPATH_NONE, /* it failed: a function did not like its arguments */
    CW_JMESPATH_NULL,
    CW_JMESPATH_STRING,
    CW_JMESPATH_NUMBER,
    CW_JMESPATH_BOOL, /* "true", "false" */
    CW_JMESPATH_JSON, /* an object or array */
};
struct cw_jmespath_result {
    enum cw_jmespath_type type;
    struct cw_str text; /* empty with NONE and NULL */
};

struct cw_jmespath_set;
struct cw_json_value; /* json_scan.h */

int cw_jmespath_set_new(const struct cw_str *expressions, size_t n, struct cw_jmespath_set **out,
                        struct cw_err *err) CW_MUST_USE;
void cw_jmespath_set_free(struct cw_jmespath_set **set);
/* The n results of a line that is one JSON object, or null. False: it is not, and the results are not touched. */
bool cw_jmespath_set_search(const struct cw_jmespath_set *set, struct cw_str line,
                            struct cw_arena *arena, struct cw_jmespath_result *results) CW_MUST_USE;
/* A value that stands in a line as a result. False: a number in it is too large for any double. */
bool cw_jmespath_value(const struct cw_json_value *value, struct cw_arena *arena,
                       struct cw_jmespath_result *out) CW_MUST_USE;

#endif
