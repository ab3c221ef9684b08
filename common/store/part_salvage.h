/*
 * part_salvage.h - write a damaged part anew with all entries of it that can be read: same id, replaced by rename. Blocks that are
 * whole are copied; of the others what can be read is written anew.
 *
 * Memory     As a part writer; and of each stream the rows that bad blocks have of it.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_CORRUPT: nothing can be saved. The old part is there then.
 */
#ifndef CW_STORE_PART_SALVAGE_H
#define CW_STORE_PART_SALVAGE_H
#include "common/base/err.h"
#include "common/store/part_reader.h"

/* The part opens, and is replaced. The caller holds the lock of the data directory. */
int cw_part_salvage(const char *path, struct cw_err *err) CW_MUST_USE;
/* What `reader`, which becomes the function's, can read, to `path`. *rows_out: entries that are written. */
int cw_part_salvage_reader(struct cw_part_reader *reader, const char *path, uint64_t *rows_out,
                           struct cw_err *err) CW_MUST_USE;

#endif
