/*
 * room_reserve.h - room on the disk that is set aside for a small file whose next version must be written even when not a byte is
 * free: a file of zeros beside it, whose blocks the new version takes over (cw_file_replace_by()).
 *
 * Errors     CW_E_IO, CW_E_UNAVAILABLE: no room for it now. What was set aside before stays.
 */
#ifndef CW_STORE_ROOM_RESERVE_H
#define CW_STORE_ROOM_RESERVE_H
#include <stddef.h>
#include "common/base/err.h"

/* On a disk that is nearly full the reserve is smaller, but not than this: the files are some KiB each. */
#define CW_ROOM_RESERVE_BYTES_MIN ((size_t)16 << 10)

/* See to it that `path` is a reserve of `bytes` bytes, a power of two; of a half, a quarter, ... where there is no room for more. */
int cw_room_reserve_keep(const char *path, size_t bytes, struct cw_err *err) CW_MUST_USE;

#endif
