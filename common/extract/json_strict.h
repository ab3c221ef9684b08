/*
 * json_strict.h - walk JSON as RFC 8259 has it, and find what is wrong anywhere in it: for stages that tell lines of JSON from others.
 * (json_scan.h is for lines that are read as far as they go.)
 *
 * Bytes      Invalid UTF-8 in strings passes, as in Go's decoders; control characters do not.
 * Bounds     CW_JSON_STRICT_DEPTH: walkers recurse; deeper documents are broken ones.
 */
#ifndef CW_EXTRACT_JSON_STRICT_H
#define CW_EXTRACT_JSON_STRICT_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/str.h"
#include "common/extract/json_scan.h"

/* Each level is some 100 bytes of stack; no log nests deeper. */
enum { CW_JSON_STRICT_DEPTH = 500 };

struct cw_json_walk {
    const char *at, *end;
    unsigned depth; /* of open objects and arrays */
};

static inline void cw_json_walk_space(struct cw_json_walk *walk)
{
    while (walk->at < walk->end &&
           (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
        walk->at++;
}
/* At '{' or '[': go in. False: too deep. cw_json_walk_next() goes out. */
static inline bool cw_json_walk_enter(struct cw_json_walk *walk)
{
    walk->at++;
    return ++walk->depth <= CW_JSON_STRICT_DEPTH;
}
/* To the next member or element, the `nth` from 0. 1: it follows, 0: the closing bracket was passed, -1: neither. */
static inline int cw_json_walk_next(struct cw_json_walk *walk, size_t nth, char close)
{
    cw_json_walk_space(walk);
    if (walk->at == walk->end)
        return -1;
    if (*walk->at == close) {
        walk->at++;
        walk->depth--;
        return 0;
    }
    if (nth == 0)
        return 1;
    if (*walk->at != ',')
        return -1;
    walk->at++;
    cw_json_walk_space(walk);
    return 1;
}
/* A member's key and the colon; the value follows. */
bool cw_json_walk_key(struct cw_json_walk *walk, struct cw_str *key, bool *escaped);
/* One value, whole, after white space. */
bool cw_json_walk_value(struct cw_json_walk *walk, struct cw_json_value *out);
/* Only white space is left. */
static inline bool cw_json_walk_done(struct cw_json_walk *walk)
{
    cw_json_walk_space(walk);
    return walk->at == walk->end;
}

#endif
