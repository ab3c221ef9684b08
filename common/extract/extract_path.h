/*
 * extract_path.h - what stands in `json x="a.b[0]"` and `logfmt x="key"`.
 *
 * Ownership  Steps and names are in the arena or borrowed from the text.
 * Errors     CW_E_INVALID with Loki's sentence ("syntax error: unexpected $end, expecting STRING or INDEX").
 */
#ifndef CW_EXTRACT_EXTRACT_PATH_H
#define CW_EXTRACT_EXTRACT_PATH_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_path_step { /* .key, ["key"] or [index] */
    bool is_index;
    struct cw_str key;
    size_t index;
};
struct cw_json_path {
    struct cw_path_step *steps;
    size_t n; /* at least one */
};

int cw_extract_path_json(struct cw_str text, struct cw_arena *arena, struct cw_json_path *out,
                         struct cw_err *err) CW_MUST_USE;
/* The one key of a logfmt expression; empty: no key is meant. */
int cw_extract_path_logfmt(struct cw_str text, struct cw_arena *arena, struct cw_str *key_out,
                           struct cw_err *err) CW_MUST_USE;

#endif
