/*
 * log_file.h - one file of log lines (or standard input) as chunks of whole lines, each of which can be read at any time.
 *
 * Chunks     A line belongs to the chunk that its first byte lies in. A plain file is read where it lies; what is compressed (gzip,
 *            zstd: told by the first bytes, whatever the name) or comes through a pipe is read once, at the start, into a spool.
 * NULs       A run of NULs ends a line and is none itself. With more runs than text has (CW_LOG_FILE_NUL_RUN_BYTES) it is a binary.
 * Lines      A line of more than CW_LIMIT_LINE_BYTES is left out, whatever the server's limit is: it is held in memory.
 * Growing    What is behind the size that the file had when it was opened is not seen.
 *
 * Ownership  A file owns its descriptor and its spool.
 * Threads    One thread opens; then any number read.
 * Errors     Name the file. CW_E_NOT_FOUND, CW_E_IO; CW_E_INVALID: a folder, bytes that are no text, a compression that is not read.
 */
#ifndef CW_LOCAL_LOG_FILE_H
#define CW_LOCAL_LOG_FILE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"

/* Small enough for the cache of a core, large enough that a chunk costs little beside its bytes. */
#define CW_LOG_FILE_CHUNK_BYTES (1u << 20)
/* So many first bytes tell whether it is text. */
#define CW_LOG_FILE_TEXT_BYTES 8192
/* Text may hold runs of NULs: one, and one more for so many other bytes. A file that was cut while its writer went on begins with
 * one, a write that a crash lost leaves one between lines of a hundred bytes and more; what is binary has one each few bytes. */
#define CW_LOG_FILE_NUL_RUN_BYTES 256

struct cw_log_file;

/* `path` NULL: standard input. It is opened, but a spool is not filled yet; `spool_room` is for that (spool.h). */
int cw_log_file_open(const char *path, atomic_size_t *spool_room, struct cw_log_file **out,
                     struct cw_err *err) CW_MUST_USE;
/* NULL is fine. */
void cw_log_file_close(struct cw_log_file **file);
/* Fill the spool, if there is to be one; else nothing. After an error what was read before it is there. *read_bytes grows as input
 * is read. */
int cw_log_file_load(struct cw_log_file *file, atomic_uint_fast64_t *read_bytes,
                     struct cw_err *err) CW_MUST_USE;

const char *cw_log_file_name(const struct cw_log_file *file);
/* When it was last written; of what is no regular file: now. */
int64_t cw_log_file_written_ns(const struct cw_log_file *file);
/* Bytes on the disk; 0 when they are not known. */
uint64_t cw_log_file_bytes(const struct cw_log_file *file);
size_t cw_log_file_chunks(const struct cw_log_file *file);
/* The lines of a chunk; the last one may lack its newline. They lie in `room`, which was born without a cap, and die with what it
 * holds. */
int cw_log_file_read(struct cw_log_file *file, size_t chunk, struct cw_buf *room,
                     struct cw_str *lines_out, struct cw_err *err) CW_MUST_USE;
/* Were lines left out of what _read() gave, because they were too long? */
bool cw_log_file_has_long_lines(const struct cw_log_file *file);

#endif
