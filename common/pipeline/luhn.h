/*
 * luhn.h - the check digit of card numbers (ISO/IEC 7812-1), and promtail's `luhn` stage without its frame: digits in a text
 * that pass the check are replaced.
 */
#ifndef CW_PIPELINE_LUHN_H
#define CW_PIPELINE_LUHN_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/str.h"

/* Of n digits. */
bool cw_luhn_valid(const char *digits, size_t n);

struct cw_luhn {
    struct cw_str replacement;
    size_t min_length;        /* digits */
    struct cw_str delimiters; /* bytes that may stand between digits of one number */
};
/* Each run of digits (and delimiters between them) that is long enough and passes is replaced; the text itself when there is none. */
struct cw_str cw_luhn_replace(const struct cw_luhn *luhn, struct cw_str text,
                              struct cw_arena *arena);

#endif
