/*
 * dead_letters.h - where entries go that a server refuses for good: one JSON object a line, beside
 * the positions.
 *
 *   {"time":"2026-01-05T10:00:00Z","client":"..","status":400,"error":"..","labels":"{..}",
 *    "line":".."}
 * A line that is not UTF-8 stands in `line_b64`. An entry is on disk before it counts as settled.
 *
 * Bounds     At CW_DEAD_LETTERS_BYTES the file is renamed to <name>.old (replacing that) and begun
 *            anew.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full).
 */
#ifndef CW_SHIPPER_DEAD_LETTERS_H
#define CW_SHIPPER_DEAD_LETTERS_H
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* Two of them at most: enough to see what is wrong, not enough to fill a disk. */
#define CW_DEAD_LETTERS_BYTES (64u << 20)

struct cw_dead_letters;

struct cw_dead_letter {
    const char *client;
    int status;
    struct cw_str error; /* the server's words */
    const char *labels;
    int64_t ts_ns;
    struct cw_str line;
};

/* The file is made with the first letter. */
struct cw_dead_letters *cw_dead_letters_new(const char *path);
void cw_dead_letters_free(struct cw_dead_letters **letters);
int cw_dead_letters_add(struct cw_dead_letters *letters, const struct cw_dead_letter *letter,
                        struct cw_err *err) CW_MUST_USE;

#endif
