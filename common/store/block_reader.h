/*
 * block_reader.h - the sections of one block, each checked when it is read. The bytes are drawn in format.h.
 *
 * Ownership  Borrows the block's bytes; owns nothing.
 * Threads    Reads only.
 * Errors     CW_E_CORRUPT. Outputs are undefined then. Bad bytes never abort, and nothing outside `bytes` is read.
 */
#ifndef CW_STORE_BLOCK_READER_H
#define CW_STORE_BLOCK_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/format.h"

struct cw_section {
    struct cw_str stored; /* ptr NULL: the block has no such section */
    uint32_t raw_bytes;
    uint32_t checksum;
    uint8_t codec;
};

struct cw_piece {
    struct cw_section text;
    uint32_t first_row, rows;
};

struct cw_block {
    enum cw_block_kind kind;
    uint32_t rows, raw_bytes, nstreams;
    int64_t min_ns, max_ns;
    uint64_t stored_bytes;
    struct cw_section streams, times, meta;
    uint32_t nmeta_values;
    struct cw_section meta_values[CW_BLOCK_META_VALUES_MAX];
    /* plain */
    struct cw_section lengths;
    uint32_t npieces;
    struct cw_piece pieces[CW_BLOCK_PIECES_MAX];
    /* templates */
    uint8_t mode; /* enum cw_token_mode, or anything: readers do not need it */
    uint32_t ntemplates, ncolumns;
    struct cw_section templates, text, row_templates, small, raw;
    const char *bytes;                           /* of the block */
    uint32_t column_entry[CW_BLOCK_COLUMNS_MAX]; /* offset of the entry in the directory; 0: none */
    uint32_t column_stored[CW_BLOCK_COLUMNS_MAX]; /* offset of the bytes */
};

int cw_block_open(struct cw_str bytes, struct cw_block *out, struct cw_err *err) CW_MUST_USE;
/* Of one that does not open: header and directory, which have one checksum; all of it where it does not say how long they are. */
struct cw_str cw_block_front(struct cw_str bytes);
/* Of one that does not open: is its front whole, and of a version that this program does not know? */
bool cw_block_is_newer(struct cw_str bytes);
/* Does it open, and is the checksum of each section right? */
int cw_block_check(struct cw_str bytes, struct cw_err *err) CW_MUST_USE;
/* The same of a block of values: a section META_VALUES. It has rows, templates and columns, and nothing else of a block. */
int cw_block_open_values(const struct cw_section *section, struct cw_block *out,
                         struct cw_err *err) CW_MUST_USE;
/* Stream numbers, strictly ascending, and rows of each, their sum the block's; only where nstreams > 1. */
int cw_block_streams(const struct cw_block *block, int64_t *numbers, int64_t *rows,
                     struct cw_err *err) CW_MUST_USE;
int cw_block_times(const struct cw_block *block, int64_t *out, struct cw_err *err) CW_MUST_USE;
/* Lengths of a plain block's lines (block->rows of them); each piece's sum is its text's size. `scratch` has room for as many. */
int cw_block_lengths(const struct cw_block *block, int64_t *scratch, uint32_t *out,
                     struct cw_err *err) CW_MUST_USE;
/* The section of a column < ncolumns; stored.ptr is NULL when it has none of its own. */
struct cw_section cw_block_column(const struct cw_block *block, uint32_t column);
/* A section's checked and decompressed bytes, into memory for section->raw_bytes. */
int cw_block_section_into(const struct cw_section *section, char *out,
                          struct cw_err *err) CW_MUST_USE;
/* The same, where they lie if they are not compressed, else in the arena's memory. `slack` more bytes may be read behind them, and
 * have any content; with a slack they are always copied. */
int cw_block_section_bytes(const struct cw_section *section, size_t slack, struct cw_arena *arena,
                           struct cw_str *out, struct cw_err *err) CW_MUST_USE;

#endif
