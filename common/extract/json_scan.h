/*
 * json_scan.h - walk a line of JSON as leniently as Loki does: values are told apart by their first byte, objects
 * and arrays end where brackets balance, what lies behind the value is not looked at.
 *
 * Errors     Sentences for __error_details__, as Loki has them; NULL: none.
 */
#ifndef CW_EXTRACT_JSON_SCAN_H
#define CW_EXTRACT_JSON_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/str.h"

enum cw_json_type {
    CW_JSON_TYPE_STRING,
    CW_JSON_TYPE_NUMBER,
    CW_JSON_TYPE_BOOL,
    CW_JSON_TYPE_NULL,
    CW_JSON_TYPE_OBJECT,
    CW_JSON_TYPE_ARRAY,
};

struct cw_json_value {
    enum cw_json_type type;
    struct cw_str
        text; /* as written; a string without its quotes, an object or array with its brackets */
    bool escaped; /* a string with escapes in it */
};

/* Deeper objects are passed over: each level is scanned for its end before its keys are read. */
#define CW_JSON_SCAN_DEPTH 64

/* The value that begins at *at, after white space; *at moves behind it. */
const char *cw_json_scan_value(struct cw_str data, size_t *at, struct cw_json_value *out);

struct cw_json_members {
    struct cw_str data;
    size_t at;
    bool begun;
    struct cw_arena *arena; /* keys that held escapes */
};
/* The object at the front of `data`, member by member. */
void cw_json_members_init(struct cw_json_members *members, struct cw_str data,
                          struct cw_arena *arena);
/* False at the end, or with *why when it is broken. */
bool cw_json_members_next(struct cw_json_members *members, struct cw_str *key,
                          struct cw_json_value *value, const char **why);
/* The same, where what is no member is passed over in silence. False: there are no more; or with *why where the value of *key is broken:
 * the next call looks on from there. */
bool cw_json_members_seek(struct cw_json_members *members, struct cw_str *key,
                          struct cw_json_value *value, const char **why);

struct cw_json_elements {
    struct cw_str data;
    size_t at;
};
/* The array at the front of `data`, element by element. */
void cw_json_elements_init(struct cw_json_elements *elements, struct cw_str data);
/* False at the end, or with *why when it is broken. */
bool cw_json_elements_next(struct cw_json_elements *elements, struct cw_json_value *value,
                           const char **why);

/* A string's text with its escapes decoded into the arena. False: an escape is wrong (a lone surrogate too). */
bool cw_json_unescape(struct cw_str text, struct cw_arena *arena, struct cw_str *out);
/* The same as Go's decoders do it: a lone surrogate becomes U+FFFD; an escape that is wrong otherwise stays as it is. */
struct cw_str cw_json_unescape_go(struct cw_str text, struct cw_arena *arena);

#endif
