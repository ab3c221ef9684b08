/*
 * dead_letters.h - where entries go that a server refuses for good: one JSON object a line, beside the positions.
 *
 *   {"time":"2026-01-05T10:00:00Z","client":"..","tenant":"..","status":400,"error":"..","labels":"{..}",
 *    "metadata":{"name":"value"},"line":".."}
 * A line that is not UTF-8 stands in `line_b64`; `tenant` (other than the client's own) and `metadata` may be left out. An entry
 * is on disk before it counts as settled.
 *
 * Twice      A kill behind a letter and ahead of the next save of the positions has the entry refused and written down again: the
 *            server has no mark that says so, and a letter that comes twice is better than none.
 * Together   A writer holds flock(2) on the file from the first letter to the sync. `resend` holds it to take the file away (by a
 *            rename): the writer sees that, and begins another.
 * Bounds     At CW_DEAD_LETTERS_BYTES, between two batches, the file is renamed to <name>.old and begun anew. What that replaces is
 *            lost: logged, and counted in bytes.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full): letters since the last sync are taken back, and the lock is given up. A letter that
 *            cannot be read is CW_E_CORRUPT. Any bytes are safe to parse.
 */
#ifndef CW_SHIPPER_DEAD_LETTERS_H
#define CW_SHIPPER_DEAD_LETTERS_H
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/metrics/metrics.h"
#include "common/wire/push.h"

/* Two of them at most: enough to see what is wrong, not enough to fill a disk. */
#define CW_DEAD_LETTERS_BYTES (64u << 20)

/* An answer may name every entry of a batch, and stands in each of its letters. */
#define CW_DEAD_LETTER_ERROR_BYTES 1000

struct cw_dead_letters;

struct cw_dead_letter {
    struct cw_str client, tenant;
    int status;
    struct cw_str error;  /* the server's words; the first CW_DEAD_LETTER_ERROR_BYTES are written */
    struct cw_str labels; /* `{a="b"}` */
    struct cw_push_entry entry;
};

/* The file is made with the first letter. `metrics` (borrowed, may be NULL) count the bytes that the bound costs. */
struct cw_dead_letters *cw_dead_letters_new(const char *path, struct cw_metrics *metrics);
void cw_dead_letters_free(struct cw_dead_letters **letters);
/* Durable with the next _sync(). If either fails, all that were added since the last one are taken back. */
int cw_dead_letters_add(struct cw_dead_letters *letters, const struct cw_dead_letter *letter,
                        struct cw_err *err) CW_MUST_USE;
int cw_dead_letters_sync(struct cw_dead_letters *letters, struct cw_err *err) CW_MUST_USE;

/* One line of the file, with its newline. */
void cw_dead_letter_format(const struct cw_dead_letter *letter, struct cw_buf *out);
/* Without its newline. Texts borrow from the line or live in the arena. */
int cw_dead_letter_parse(struct cw_str line, struct cw_arena *arena, struct cw_dead_letter *out,
                         struct cw_err *err) CW_MUST_USE;

#endif
