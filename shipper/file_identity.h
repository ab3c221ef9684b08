/*
 * file_identity.h - which file is this? Device, inode, birth time and a hash of its first bytes.
 *
 * A path does not tell: rotation renames. Device and inode do not either: an inode is given out
 * again, and copytruncate keeps it while the contents change. The hash covers the first bytes that
 * the file had when it was taken, at most CW_FILE_PREFIX_BYTES, and grows with the file.
 *
 * Errors     CW_E_IO.
 */
#ifndef CW_SHIPPER_FILE_IDENTITY_H
#define CW_SHIPPER_FILE_IDENTITY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

/* Enough to tell two logs apart that begin with the same banner; one read of a page. */
#define CW_FILE_PREFIX_BYTES 1024

struct cw_file_identity {
    uint64_t prefix_hash; /* XXH3 of the first prefix_len bytes */
    uint32_t prefix_len;
    uint64_t dev, ino;
    int64_t birth_ns; /* 0: the file system does not say */
};

enum cw_file_verdict {
    CW_FILE_SAME,    /* the recorded prefix is still there */
    CW_FILE_CHANGED, /* other bytes, or fewer: truncated, and perhaps written anew */
};

/* All fields, the prefix as long as the file allows. */
int cw_file_identity_read(int fd, struct cw_file_identity *out, uint64_t *size_out,
                          struct cw_err *err) CW_MUST_USE;
/* Device, inode and (where both are known) birth time. */
bool cw_file_identity_same_inode(const struct cw_file_identity *a,
                                 const struct cw_file_identity *b);
/* Whether the path leads to that inode. */
bool cw_file_identity_is_at(const char *path, const struct cw_file_identity *identity);
/* Compare the file behind fd with the recorded prefix. */
int cw_file_identity_check(int fd, const struct cw_file_identity *identity,
                           enum cw_file_verdict *out, struct cw_err *err) CW_MUST_USE;
/* The same of the file's first bytes, as many as it has or CW_FILE_PREFIX_BYTES; while the prefix is there and they are more,
 * record them. */
enum cw_file_verdict cw_file_identity_extend_by(struct cw_file_identity *identity,
                                                const char *bytes, size_t len);
/* The same of the file behind fd. */
int cw_file_identity_extend(int fd, struct cw_file_identity *identity, enum cw_file_verdict *out,
                            struct cw_err *err) CW_MUST_USE;

#endif
