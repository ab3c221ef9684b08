/*
 * part_reader.h - one immutable part: its footer, its streams and where its blocks lie. Scans: part_source.h.
 *
 * Ownership  The reader owns its mapping. A stream's labels live as long as the pin through which they were read holds their
 *            group: a part may have a million streams, so that what is decoded of them goes again (part_cache.h).
 * Threads    Read-only after open and shared. A pin belongs to one thread.
 * Errors     CW_E_NOT_FOUND, CW_E_IO, CW_E_CORRUPT (says what is wrong with which bytes). Bad bytes never abort.
 */
#ifndef CW_STORE_PART_READER_H
#define CW_STORE_PART_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/store/format.h"
#include "common/store/part_cache.h"
#include "common/store/part_writer.h"
#include "common/store/postings.h"
#include "common/store/stream_table.h"

struct cw_part_reader;

/* The footer as plain values; tenant and replaced are borrowed from the reader. */
struct cw_part_footer {
    struct cw_part_info info;
    uint64_t file_bytes, rows, raw_bytes;
    int64_t min_ns, max_ns; /* inclusive */
    uint32_t nblocks, nstreams;
};

struct cw_part_block {
    uint64_t offset;
    uint32_t bytes, rows, raw_bytes;
    uint32_t first_stream, last_stream;
    int64_t min_ns, max_ns;
};

/* Encoding a block anew that is nearly full gains nothing. */
static inline bool cw_part_block_is_full(const struct cw_part_block *b)
{
    return b->raw_bytes >= CW_BLOCK_RAW_TARGET / 4 * 3 || b->rows >= CW_BLOCK_ROWS_MAX / 4 * 3;
}

/* Maps the file (cw_file_map_or_copy); checks header, footer, block table, origin, and the directories of streams and postings. Filters, groups of
 * streams and chunks of postings are checked when they are read. */
int cw_part_reader_open(const char *path, struct cw_part_reader **out,
                        struct cw_err *err) CW_MUST_USE;
/* The same over bytes that the caller keeps. `name` is for error texts; NULL: who asks names it. */
int cw_part_reader_open_bytes(const char *name, struct cw_str bytes, struct cw_part_reader **out,
                              struct cw_err *err) CW_MUST_USE;
/* The pieces of a part that does not open (part_mend.h): what its footer would say, and its regions, wherever they are in memory. */
struct cw_part_pieces {
    struct cw_part_footer footer;
    struct cw_str regions[CW_REGIONS];
};
/* Bytes, regions and what the footer points to are the caller's. Only sizes and places are checked. */
int cw_part_reader_open_pieces(const char *name, struct cw_str bytes,
                               const struct cw_part_pieces *pieces, struct cw_part_reader **out,
                               struct cw_err *err) CW_MUST_USE;
/* Who has read much of it gives its pages back. Any thread, any time: others find them in the system's cache. */
void cw_part_reader_rest(const struct cw_part_reader *reader);
/* The same for one block. */
void cw_part_reader_rest_block(const struct cw_part_reader *reader, uint32_t i);
/* NULL is fine. */
void cw_part_reader_close(struct cw_part_reader **reader);

/* Has the disk not given a page of the file (it failed, the file was cut)? Tables that were whole at open read as zeros then. */
bool cw_part_reader_lost(const struct cw_part_reader *reader);
/* The same, and asks the file system whether the file was cut within its last page, which no access tells; _lost() says it from
 * then on. */
bool cw_part_reader_look_lost(struct cw_part_reader *reader);
/* NULL for bytes without a name. */
const char *cw_part_reader_path(const struct cw_part_reader *reader);
/* When the file was made, by its own time (a copy is as old as the copying may make it); 0 for bytes. */
int64_t cw_part_reader_written_ns(const struct cw_part_reader *reader);
const struct cw_part_footer *cw_part_reader_footer(const struct cw_part_reader *reader);
/* Block i < nblocks; its place lies in the file and its streams in the table (checked at open). */
struct cw_part_block cw_part_reader_block(const struct cw_part_reader *reader, uint32_t i);
struct cw_str cw_part_reader_block_bytes(const struct cw_part_reader *reader, uint32_t i);
/* FILTERS from where the block's value filter stands (cw_value_filter_open() checks it); empty when it has none. */
struct cw_str cw_part_reader_block_filter(const struct cw_part_reader *reader, uint32_t i);
/* The bytes of a region, and where they begin in the file. */
struct cw_str cw_part_reader_region(const struct cw_part_reader *reader,
                                    enum cw_part_region region);
uint64_t cw_part_reader_region_offset(const struct cw_part_reader *reader,
                                      enum cw_part_region region);

/* Holds the group of streams that was read last through it, so that who reads streams in order decodes each group once. */
struct cw_stream_pin {
    struct cw_stream_group *group; /* NULL at first */
    bool once; /* nobody will ask for the same again soon: what it decodes is not kept */
};
/* Stream `number` < nstreams. *out lives until the pin, which is used with no other reader, is used again or let go. */
int cw_part_reader_stream(struct cw_part_reader *reader, uint32_t number, struct cw_stream_pin *pin,
                          const struct cw_part_stream **out, struct cw_err *err) CW_MUST_USE;
void cw_stream_pin_fini(struct cw_stream_pin *pin);
/* Keep decoded groups, and TEXT, TIMES, ROWS, lines and grams of blocks, in this cache, which outlives the reader; before other threads see the reader. Without
 * one a group is decoded each time that a pin comes to it. */
void cw_part_reader_use_cache(struct cw_part_reader *reader, struct cw_part_cache *cache);
/* Where that of a block is kept. */
struct cw_cache_place cw_part_reader_text_place(const struct cw_part_reader *reader, uint32_t i);
struct cw_cache_place cw_part_reader_times_place(const struct cw_part_reader *reader, uint32_t i);
struct cw_cache_place cw_part_reader_rows_place(const struct cw_part_reader *reader, uint32_t i);
struct cw_cache_place cw_part_reader_lines_place(const struct cw_part_reader *reader, uint32_t i);
struct cw_cache_place cw_part_reader_grams_place(const struct cw_part_reader *reader, uint32_t i);

const struct cw_postings *cw_part_reader_postings(const struct cw_part_reader *reader);

/* What a selector matches. The answer is kept, so that the blocks of one scan ask once. Release it with _unref. Where the
 * postings are bad, labels are looked at instead, and only streams without labels are left out. */
struct cw_part_selection;
int cw_part_reader_select(struct cw_part_reader *reader, const struct cw_selector *selector,
                          struct cw_part_selection **out, struct cw_err *err) CW_MUST_USE;
const struct cw_stream_set *cw_part_selection_set(const struct cw_part_selection *selection);
/* What is wrong with the part's index that was met on the way; NULL: nothing. */
const struct cw_err *cw_part_selection_damage(const struct cw_part_selection *selection);
void cw_part_selection_unref(struct cw_part_selection **selection);

#endif
