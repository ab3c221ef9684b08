/*
 * spool.h - text that can be read only once (a pipe, a compressed file), kept so that any piece of it can be read again: lz4
 * blocks of whole lines, in memory up to a bound that spools share, and behind it in a file without a name in TMPDIR (else /var/tmp, else /tmp).
 *
 * Ownership  The spool owns its blocks and the file.
 * Threads    One thread writes; then any number read.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (the disk is full): the sentence names the folder.
 */
#ifndef CW_LOCAL_SPOOL_H
#define CW_LOCAL_SPOOL_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"

/* Compressed bytes of all spools of a query that stay in memory: some 400 MB of log. */
#define CW_SPOOL_MEMORY_BYTES ((size_t)64 << 20)

struct cw_spool;
/* `room`: bytes that may still stay in memory; borrowed, and never given back. */
struct cw_spool *cw_spool_new(atomic_size_t *room);
/* NULL is fine. */
void cw_spool_free(struct cw_spool **spool);
/* One block; `text` is not empty. */
int cw_spool_add(struct cw_spool *spool, struct cw_str text, struct cw_err *err) CW_MUST_USE;
size_t cw_spool_blocks(const struct cw_spool *spool);
/* The i-th block, appended. */
int cw_spool_read(const struct cw_spool *spool, size_t i, struct cw_buf *out,
                  struct cw_err *err) CW_MUST_USE;

#endif
