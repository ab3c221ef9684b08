#include "common/base/file_writer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/file.h"
#include "common/base/hash.h"

/* A large piece, and the most that one thing between two passes may be. */
enum { PIECE_BYTES = 64 << 10, PIECE_BYTES_MAX = 64 << 20 };

void cw_file_writer_open(struct cw_file_writer *writer, const char *path, uint64_t max_bytes)
{
    struct cw_buf tmp;
    cw_buf_init(&tmp, SIZE_MAX);
    cw_buf_addf(&tmp, "%s.tmp", path); /* the same that cw_file_replace() takes */
    *writer = (struct cw_file_writer){.path = cw_str_dupz(cw_str_of(path)),
                                      .tmp = cw_str_dupz(cw_buf_str(&tmp)),
                                      .max_bytes = max_bytes,
                                      .hash = cw_hash_stream_new()};
    cw_buf_fini(&tmp);
    cw_buf_init(&writer->piece, PIECE_BYTES_MAX);
    writer->fd = cw_file_open(writer->tmp, O_WRONLY | O_CREAT | O_TRUNC, &writer->err);
}

static void piece_write(struct cw_file_writer *writer)
{
    struct cw_str bytes = cw_buf_str(&writer->piece);
    if (writer->err.code == 0 &&
        (cw_buf_failed(&writer->piece) || bytes.len > writer->max_bytes - writer->nwritten))
        cw_err_set(&writer->err, CW_E_TOO_LARGE, "write %s: more than %" PRIu64 " bytes",
                   writer->path, writer->max_bytes);
    if (writer->err.code == 0 &&
        cw_file_write_all(writer->fd, bytes.ptr, bytes.len, writer->tmp, &writer->err) == 0) {
        cw_hash_stream_add(writer->hash, bytes.ptr, bytes.len);
        writer->nwritten += bytes.len;
    }
    cw_buf_clear(&writer->piece);
}

void cw_file_writer_pass(struct cw_file_writer *writer)
{
    if (writer->piece.len >= PIECE_BYTES || cw_buf_failed(&writer->piece))
        piece_write(writer);
}

void cw_file_writer_check_line(struct cw_file_writer *writer)
{
    piece_write(writer);
    cw_buf_addf(&writer->piece, "check %016" PRIx64 "\n", cw_hash_stream_end(writer->hash));
}

int cw_file_writer_commit(struct cw_file_writer *writer, struct cw_err *err)
{
    piece_write(writer);
    bool made = writer->fd >= 0;
    int rc = writer->err.code;
    if (rc == 0)
        rc = cw_file_sync(writer->fd, writer->tmp, &writer->err);
    if (made)
        close(writer->fd);
    if (rc == 0)
        rc = cw_file_rename(writer->tmp, writer->path, &writer->err);
    if (rc < 0 && made)
        (void)unlink(writer->tmp);
    if (rc < 0 && err != NULL)
        *err = writer->err;
    cw_hash_stream_free(&writer->hash);
    cw_buf_fini(&writer->piece);
    free(writer->path);
    free(writer->tmp);
    return rc;
}
