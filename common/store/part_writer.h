/*
 * part_writer.h - write one part, front to back, in bounded memory. The bytes are drawn in format.h.
 *
 * begin a stream, add its rows; begin the next, ...; finish. Memory: what a block takes while it is encoded (block_writer.h: some
 * 20 MiB), 48 B a block and the value filters (0.5 % of the text), and the streams' labels: front-coded and compressed, once more for
 * the postings (postings.h).
 *
 * Ownership  Copies what it is given; the info's texts are borrowed until _finish().
 * Threads    One.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE (disk full), CW_E_LIMIT (more than a part can hold). After an error only _free().
 */
#ifndef CW_STORE_PART_WRITER_H
#define CW_STORE_PART_WRITER_H
#include <stdint.h>
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/cursor.h"
#include "common/store/stream_table.h"

/* What a footer says of where a part comes from. */
struct cw_part_info {
    uint64_t id;
    struct cw_str tenant;
    int32_t day;   /* days since 1970-01-01, or CW_DAY_MIXED */
    uint8_t level; /* 0: from a flush */
    uint64_t wal_first, wal_last;
    uint32_t flush_parts;     /* how many its flush wrote; 0 in a merged part */
    uint64_t flush_id;        /* id of the first of them; 0 in a merged part */
    const uint64_t *replaced; /* ids, ascending */
    size_t nreplaced;
};

struct cw_part_writer;
struct cw_part_reader;

/* What a writer holds beside the streams' labels: for whoever accounts for memory. */
#define CW_PART_WRITER_MEMORY (24u << 20)

/* Writes to `path` with ".tmp" behind it; the folder must be there. `codec`: LZ4 or ZSTD, of what blocks hold. */
int cw_part_writer_new(const char *path, const struct cw_part_info *info, enum cw_codec codec,
                       struct cw_part_writer **out, struct cw_err *err) CW_MUST_USE;
/* A finished part stays; an unfinished one is removed. */
void cw_part_writer_free(struct cw_part_writer **writer);

/* The next stream, after the one before by cw_part_stream_cmp(). Its number is how many began before it. rows and raw_bytes: all
 * that the part will hold of it, copied blocks included: they are kept as its totals, and decide how blocks are cut. */
int cw_part_writer_stream(struct cw_part_writer *writer, struct cw_labels labels, uint64_t rows,
                          uint64_t raw_bytes, struct cw_err *err) CW_MUST_USE;
/* Rows of the stream that began last; times rise over all its batches (CW_E_CORRUPT otherwise: a merge reads them from disk). The
 * batch has times, and lines or values and sizes; its `stream` is not read. Values are not made lines and cut again where the block
 * can hold them. */
int cw_part_writer_add(struct cw_part_writer *writer, const struct cw_entry_batch *batch,
                       struct cw_err *err) CW_MUST_USE;
/* Rows so far. */
uint64_t cw_part_writer_rows(const struct cw_part_writer *writer);
/* Copy a block as it is (with codec ZSTD what is compressed with LZ4 is compressed anew); `numbers` maps the reader's stream numbers to this part's, and rises. All
 * its streams have begun. Its value filter is left out if it is damaged: the block is searched without one. */
int cw_part_writer_copy_block(struct cw_part_writer *writer, const struct cw_part_reader *from,
                              uint32_t block, const uint32_t *numbers,
                              struct cw_err *err) CW_MUST_USE;
/* The same of a damaged block (cw_block_copy_damaged()), which stays one. */
int cw_part_writer_copy_damaged_block(struct cw_part_writer *writer,
                                      const struct cw_part_reader *from, uint32_t block,
                                      const uint32_t *numbers, struct cw_err *err) CW_MUST_USE;
/* Regions, footer, fsync, rename, fsync of the folder. There must be a row. *size_out (may be NULL): the file's bytes. */
int cw_part_writer_finish(struct cw_part_writer *writer, uint64_t *size_out,
                          struct cw_err *err) CW_MUST_USE;

/* The same in steps, for whoever writes many parts: what waits for the disk can be done for several at once. A file that is written
 * whole, under its temporary name. */
struct cw_part_file {
    char *path, *tmp_path;
    int fd; /* -1: it is settled */
};
/* Regions and footer; *out is the caller's, the writer is only to be freed. */
int cw_part_writer_end(struct cw_part_writer *writer, struct cw_part_file *out,
                       struct cw_err *err) CW_MUST_USE;
/* fsync and rename: it stays. An fsync of the folder is to follow. */
int cw_part_file_settle(struct cw_part_file *file, struct cw_err *err) CW_MUST_USE;
/* One that was not settled is removed. */
void cw_part_file_fini(struct cw_part_file *file);

#endif
