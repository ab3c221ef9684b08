/*
 * field_type.h - what a field's or label's values look like: the types that Loki tells of detected fields, and ids.
 *
 * Threads    Any.
 */
#ifndef CW_ENGINE_FIELD_TYPE_H
#define CW_ENGINE_FIELD_TYPE_H
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/base/str.h"

enum cw_field_type {
    CW_FIELD_STRING,
    CW_FIELD_INT,
    CW_FIELD_FLOAT,
    CW_FIELD_BOOLEAN,
    CW_FIELD_DURATION,
    CW_FIELD_BYTES,
};

/* "int" */
const char *cw_field_type_name(enum cw_field_type type);
/* The first of int, float, boolean, duration ("1m30s"), bytes ("5 MB") that the value can be read as, else string. `scratch` is left
 * with what it took. */
enum cw_field_type cw_field_type_of(struct cw_str value, struct cw_arena *scratch);
/* A number or a UUID (plain, without dashes, in braces, as a URN). */
bool cw_field_is_id(struct cw_str value);

#endif
