/*
 * files_source.h - log files as a source of entries (cursor.h): a stream each, units are their chunks.
 *
 * Labels     filename: the path as it was given; job: the file's name up to its first dot ("access" of access.log.2.gz), so that a
 *            rotated log is one job; of standard input job is "stdin" and there is no filename. Labels that are given are added, and
 *            win.
 * Times      What line_time.h reads. A line without one has that of the line before; lines ahead of a file's first time have that
 *            one, if it is in the first chunk, else the time at which the file was last written.
 * Speed      Where a line filter names a text, it is looked for in the chunk first, and nothing is done with other lines. What times a
 *            chunk holds is learnt when it is read for the second time, or without a filter, and then keeps it from being read.
 *
 * Memory     An open cursor: CW_FILES_CURSOR_MEMORY (a chunk, a line behind it, 24 bytes a line); spools of the inputs that are not
 *            plain, CW_SPOOL_MEMORY_BYTES in all; 40 bytes a chunk.
 * Ownership  The source owns its files.
 * Threads    As cursor.h says.
 * Errors     A file that cannot be read is told to `bad`, and the others go on; then cw_files_source_bad() is true.
 */
#ifndef CW_LOCAL_FILES_SOURCE_H
#define CW_LOCAL_FILES_SOURCE_H
#include "common/base/pool.h"
#include "common/labels/labels.h"
#include "common/store/cursor.h"
#include "querier/local/zone_time.h"

#define CW_FILES_CURSOR_MEMORY (4u << 20)

struct cw_files_options {
    const struct cw_str *paths; /* each ended by NUL */
    size_t npaths;
    bool with_stdin;
    struct cw_labels labels; /* added to each file's */
    enum cw_zone zone;       /* of times that say none */
    struct cw_pool *pool;    /* what must be read at the start is read by it; may be NULL */
    /* About a file: one sentence that names it. On any thread, one at a time. */
    void (*bad)(void *ctx, const struct cw_err *why);
    void *ctx;
    atomic_uint_fast64_t *loaded_bytes; /* grows meanwhile */
};

/* The first reference is the caller's. */
struct cw_source *cw_files_source_new(const struct cw_files_options *options);
/* Was anything told to `bad`? */
bool cw_files_source_bad(struct cw_source *source);
/* From the first to the last time of all lines, inclusive; false when there is no line. All that is there is read. */
bool cw_files_source_bounds(struct cw_source *source, struct cw_pool *pool, int64_t *min_out,
                            int64_t *max_out);

#endif
