/*
 * file_writer.h - write a file that is not held in memory: piece by piece, and after a crash it is the old one or the new one,
 * whole, as with cw_file_replace().
 *
 *   cw_file_writer_open(&writer, path, max_bytes);
 *   ... add to writer.piece; cw_file_writer_pass(&writer); ...
 *   cw_file_writer_commit(&writer, &err);
 *
 * Ownership  The caller's storage; a commit ends it, whatever it returns.
 * Errors     CW_E_IO, CW_E_TOO_LARGE: the first one is kept, and told by the commit.
 */
#ifndef CW_BASE_FILE_WRITER_H
#define CW_BASE_FILE_WRITER_H
#include "common/base/buf.h"
#include "common/base/err.h"

struct cw_hash_stream;

struct cw_file_writer {
    struct cw_buf piece; /* what was added and is not written yet */
    char *path, *tmp;
    int fd;
    uint64_t nwritten, max_bytes;
    struct cw_hash_stream *hash; /* of all that was written */
    struct cw_err err;
};

void cw_file_writer_open(struct cw_file_writer *writer, const char *path, uint64_t max_bytes);
/* Between two things that were added: a large piece is written. */
void cw_file_writer_pass(struct cw_file_writer *writer);
/* End it with a line that has the checksum of all before (check_line.h). */
void cw_file_writer_check_line(struct cw_file_writer *writer);
int cw_file_writer_commit(struct cw_file_writer *writer, struct cw_err *err) CW_MUST_USE;

#endif
