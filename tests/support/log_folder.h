/*
 * log_folder.h - a folder of log files for the shipper's unit tests: made, written, rotated,
 * compressed, removed.
 *
 * Errors     Whatever fails stops the test.
 */
#ifndef CW_TESTS_SUPPORT_LOG_FOLDER_H
#define CW_TESTS_SUPPORT_LOG_FOLDER_H
#include <stddef.h>

struct cw_log_folder {
    char dir[64];
};

void cw_log_folder_init(struct cw_log_folder *folder);
void cw_log_folder_fini(struct cw_log_folder *folder); /* removes all */
/* The whole path of a name in it; one of eight buffers (of each thread) that take turns. */
const char *cw_log_folder_path(const struct cw_log_folder *folder, const char *name);
void cw_log_folder_append(const struct cw_log_folder *folder, const char *name, const char *text);
void cw_log_folder_append_bytes(const struct cw_log_folder *folder, const char *name,
                                const void *bytes, size_t n);
void cw_log_folder_truncate(const struct cw_log_folder *folder, const char *name, size_t size);
void cw_log_folder_rename(const struct cw_log_folder *folder, const char *from, const char *to);
/* What gzip(1) makes of a file: name.gz with the time of its last change. The first `nbytes` of it, as while it is written, with
 * the time of now; SIZE_MAX: all. The file stays. */
void cw_log_folder_gzip(const struct cw_log_folder *folder, const char *name, const char *packed,
                        size_t nbytes);
void cw_log_folder_remove(const struct cw_log_folder *folder, const char *name);
void cw_log_folder_mkdir(const struct cw_log_folder *folder, const char *name);
void cw_log_folder_symlink(const struct cw_log_folder *folder, const char *to, const char *name);

#endif
