/*
 * field_lines.h - random lines of JSON and of logfmt as programs write them, and as they should not: a few shapes that come again and
 * again with other values, some lines damaged.
 */
#ifndef CW_TESTS_FIELD_LINES_H
#define CW_TESTS_FIELD_LINES_H
#include "common/base/buf.h"

enum field_lines_kind { FIELD_LINES_JSON, FIELD_LINES_LOGFMT };

struct field_lines {
    enum field_lines_kind kind;
    uint64_t state;      /* of the generator */
    unsigned nshapes;    /* at most 16 */
    unsigned damage;     /* lines of a thousand that are cut or changed */
    uint64_t shapes[16]; /* seeds */
};

/* Another set of shapes for each seed. `damage` of a thousand lines are broken. */
void field_lines_init(struct field_lines *lines, enum field_lines_kind kind, uint64_t seed,
                      unsigned nshapes, unsigned damage);
/* The next line, appended. */
void field_lines_next(struct field_lines *lines, struct cw_buf *out);

#endif
