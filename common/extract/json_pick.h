/*
 * json_pick.h - the values at known paths of a JSON document, in one pass over it.
 *
 * The document is checked whole, as strictly as Go's encoding/json does (but for bytes that are not UTF-8, which strings may hold):
 * of one that is broken nothing is taken. Of a key that an object has twice the last value counts.
 *
 * Bounds     Documents nested deeper than CW_JSON_PICK_DEPTH are taken for broken.
 * Ownership  Values borrow from the document. A picker owns its paths.
 * Threads    Read-only after it is made.
 */
#ifndef CW_EXTRACT_JSON_PICK_H
#define CW_EXTRACT_JSON_PICK_H
#include "common/extract/json_scan.h"

enum { CW_JSON_PICK_DEPTH = 512 };

struct cw_json_picker;

struct cw_json_picked {
    bool found;
    struct cw_json_value value;
};

struct cw_json_keys { /* the keys that lead to a value, one at least */
    const struct cw_str *items;
    size_t n;
};

struct cw_json_picker *cw_json_picker_new(const struct cw_json_keys *paths, size_t n);
void cw_json_picker_free(struct cw_json_picker **picker);

enum cw_json_document { CW_JSON_BROKEN, CW_JSON_OTHER /* no object */, CW_JSON_AN_OBJECT };
/* out[i] is the value of path i; all are set, unless the document is broken. */
enum cw_json_document cw_json_pick(const struct cw_json_picker *picker, struct cw_str document,
                                   struct cw_json_picked *out);
/* Pass over the value at *at, after white space; false: it is broken. */
bool cw_json_pass(struct cw_str document, size_t *at, struct cw_json_value *out);

#endif
