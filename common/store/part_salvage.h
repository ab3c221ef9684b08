/*
 * part_salvage.h - write a damaged part anew with all entries of it that can be read: same id, same place, replaced by rename.
 *
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_CORRUPT: nothing can be saved. The old part is there then.
 */
#ifndef CW_STORE_PART_SALVAGE_H
#define CW_STORE_PART_SALVAGE_H
#include "common/base/err.h"

/* The part opens. The caller holds the lock of the data directory. */
int cw_part_salvage(const char *path, struct cw_err *err) CW_MUST_USE;

#endif
