/*
 * part_source.h - a part as a source of entries (cursor.h): units are its blocks.
 *
 * A bad block costs what of it cannot be read: the unit yields the rest, scan->stats counts it, and `bad_block` hears of it once.
 * Times are only decoded when they are wanted or the block crosses the range's edge, a piece of text only when it holds rows
 * that are wanted. Of a block of templates, lines are rebuilt that are wanted or that no template or value decides.
 *
 * Memory     An open cursor: 2 MiB, a piece of lines (256 KiB, or one line), the block's metadata; of a block of templates its TEXT
 *            and the columns that were read, some 2 to 8 MiB, by format.h's limits at most 2 * raw_bytes + 4 MiB decompressed and 16 bytes
 *            a value. A thread keeps it for its next cursor, up to 20 MiB of it.
 *
 * Ownership  The source owns its reader.
 * Threads    As cursor.h says. bad_block is called on the thread of the cursor.
 */
#ifndef CW_STORE_PART_SOURCE_H
#define CW_STORE_PART_SOURCE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/store/cursor.h"
#include "common/store/part_reader.h"

/* What an open cursor holds, for whoever accounts for memory: a workspace of its thread, with a piece of text. */
#define CW_PART_CURSOR_MEMORY (6u << 20)

struct cw_part_events {
    /* Once per block that turned out bad, on whatever thread met it. */
    void (*bad_block)(void *ctx, struct cw_part_reader *reader, uint32_t block,
                      const struct cw_err *why);
    /* Once per part whose streams or postings turned out bad. */
    void (*bad_index)(void *ctx, struct cw_part_reader *reader, const struct cw_err *why);
    void *ctx;
};

/* `events` may be NULL; its ctx must outlive the source. */
int cw_part_source_open(const char *path, const struct cw_part_events *events,
                        struct cw_source **out, struct cw_err *err) CW_MUST_USE;
/* The same over an open reader, which becomes the source's. */
struct cw_source *cw_part_source_new(struct cw_part_reader *reader,
                                     const struct cw_part_events *events);
struct cw_part_reader *cw_part_source_reader(struct cw_source *source);
/* Somebody who reads blocks without a cursor (a merge) found one bad. */
void cw_part_source_bad_block(struct cw_source *source, uint32_t block, const struct cw_err *why);
/* Was a block found bad? */
bool cw_part_source_has_bad_blocks(const struct cw_source *source);
/* Has the disk not given a page of it (cw_part_reader_lost)? Then it is reported, as if a query had met it. */
bool cw_part_source_lost(struct cw_source *source);
/* No scan sees entries before this time (retention); scans that are open already may. */
void cw_part_source_hide_before(struct cw_source *source, int64_t ns);
/* Unlink the file when the last reference goes. */
void cw_part_source_obsolete(struct cw_source *source);

#endif
