/*
 * tail_reader.h - read one log file by offset, and notice when it is no longer the file that was
 * read before.
 *
 * A reader keeps its descriptor, so that a file which was renamed or deleted is still read to its
 * end. Bytes that cw_tail_read() hands out were in the file while it still began with the recorded
 * prefix: a truncation that happens between two reads is told as CW_FILE_CHANGED, never as bytes of
 * another content under an old offset.
 *
 * Ownership  The tail owns its descriptor. Bytes go into the caller's buffer.
 * Errors     CW_E_NOT_FOUND, CW_E_IO, CW_E_FORBIDDEN (may not be read), CW_E_INVALID (not a regular
 *            file).
 */
#ifndef CW_SHIPPER_TAIL_READER_H
#define CW_SHIPPER_TAIL_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "shipper/file_identity.h"
#include "shipper/text_encoding.h"
#include "shipper/unpack.h"

struct cw_tail {
    int fd;          /* -1: closed */
    uint32_t nlinks; /* 0: deleted */
    bool ends;       /* it is read to `end` and no further, though it may grow */
    bool outgrown;   /* it ends, and had grown beyond that when it was last looked at */
    bool glanced;    /* its size alone was looked at since nlinks and written_ns were */
    uint64_t end;
    uint64_t size;            /* when it was last looked at; at most `end` if it ends */
    int64_t written_ns;       /* the file's own time of its last change (mtime), as of then */
    struct cw_unpack *unpack; /* of a compressed file, owned: fd is its; NULL: it is none */
    struct cw_file_identity identity;
};

/* Open and identify. On failure the tail is closed. */
int cw_tail_open(struct cw_tail *tail, const char *path, struct cw_err *err) CW_MUST_USE;
/* The same of a descriptor, which it takes; `path` is for messages. */
int cw_tail_take(struct cw_tail *tail, int fd, const char *path, struct cw_err *err) CW_MUST_USE;
/* Of a compressed file (unpack.h): the identity is that of the compressed file, but with the prefix
 * of its text, as far as that is unpacked now. */
int cw_tail_open_packed(struct cw_tail *tail, const char *path, enum cw_codec format,
                        const char *folder, struct cw_err *err) CW_MUST_USE;
/* Whether its size is not what it will be, though nobody writes it. */
bool cw_tail_unpacking(const struct cw_tail *tail);
void cw_tail_close(struct cw_tail *tail);
/* From now on it ends where it is. */
int cw_tail_end_here(struct cw_tail *tail, struct cw_err *err) CW_MUST_USE;
/* Look at size, links and time alone; CW_FILE_CHANGED when the file is shorter than `off`. */
int cw_tail_stat(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out,
                 struct cw_err *err) CW_MUST_USE;
/* The same of the size alone, at half the cost; with fewer than CW_FILE_PREFIX_BYTES known, these are compared and extended. With
 * CW_FILE_CHANGED the size may be as it was. */
int cw_tail_glance(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out,
                   struct cw_err *err) CW_MUST_USE;
/* Also compare the prefix; while it is the same, record a longer one if the file has grown. */
int cw_tail_check(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out,
                  struct cw_err *err) CW_MUST_USE;
/* Up to `cap` bytes from `off`, not beyond a size that was seen; fewer only at the file's end, and then the size is looked at again.
 * With CW_FILE_CHANGED the bytes must not be used. */
int cw_tail_read(struct cw_tail *tail, uint64_t off, char *bytes, size_t cap, size_t *len_out,
                 enum cw_file_verdict *out, struct cw_err *err) CW_MUST_USE;
/* The offset behind the first newline at or after `off`, or UINT64_MAX when the file ends before
 * it: for lines that are longer than any buffer. `scratch` is overwritten. */
int cw_tail_find_newline(struct cw_tail *tail, const struct cw_text_encoding *encoding,
                         uint64_t off, char *scratch, size_t cap, uint64_t *off_out,
                         struct cw_err *err) CW_MUST_USE;
/* Where the first bytes are that were written at `off` or behind: `off` itself if it lies in no hole
 * of a sparse file. */
uint64_t cw_tail_skip_hole(const struct cw_tail *tail, uint64_t off);

#endif
