/*
 * memory_files_priv.h - files that exist in memory only, for certificates and keys that are given as text: libcurl's GnuTLS
 * takes such a thing from a path alone. (A file on disk would need a folder to write to, and would keep the secret.)
 *
 * The same text has the same path as long as the set lives, so that connections are used again.
 */
#ifndef CW_NET_MEMORY_FILES_PRIV_H
#define CW_NET_MEMORY_FILES_PRIV_H
#include <stddef.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* Zeroed: empty. */
struct memory_files {
    struct memory_file {
        char *text; /* ended by NUL */
        size_t len;
        int fd;
        char path[32]; /* /proc/self/fd/N */
    } * *items;
    size_t n;
};

/* The path of a file that holds the text; it is good until _fini(). NULL: there can be no such file now. */
const char *memory_files_path(struct memory_files *files, struct cw_str text, struct cw_err *err);
void memory_files_fini(struct memory_files *files);

#endif
