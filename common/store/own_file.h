/*
 * own_file.h - read a small file of the data directory: FORMAT, the catalog, the list of deletes.
 *
 * Ownership  The caller's buffer.
 * Errors     As cw_file_read(); besides CW_E_CORRUPT for what stands in the place of the file (a folder, a pipe, a device), which is
 *            not waited for, and for a file of more than max_bytes, which is none that was written there.
 */
#ifndef CW_STORE_OWN_FILE_H
#define CW_STORE_OWN_FILE_H
#include "common/base/buf.h"
#include "common/base/err.h"

int cw_own_file_read(const char *path, size_t max_bytes, struct cw_buf *out,
                     struct cw_err *err) CW_MUST_USE;

#endif
