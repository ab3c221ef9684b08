/*
 * file_tree.h - a folder with all that is below it.
 *
 * Errors     CW_E_NOT_FOUND, CW_E_IO; the sentence names the path. Symbolic links are never followed.
 */
#ifndef CW_BASE_FILE_TREE_H
#define CW_BASE_FILE_TREE_H
#include <stdint.h>
#include "common/base/err.h"

/* Every folder, and so every name in it, is durable. Files are not synced. Eight at a time. */
int cw_file_tree_sync(const char *dir, struct cw_err *err) CW_MUST_USE;
/* A folder that is not there is fine. On failure some of it may be gone. */
int cw_file_tree_remove(const char *dir, struct cw_err *err) CW_MUST_USE;
/* Sizes of all files. */
int cw_file_tree_bytes(const char *dir, uint64_t *bytes_out, struct cw_err *err) CW_MUST_USE;

#endif
