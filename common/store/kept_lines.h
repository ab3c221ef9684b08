/*
 * kept_lines.h - lines and metadata of a few rows of a block, kept for who asks for the same rows again: the newest entries of
 * everything lie in as many blocks as there are streams, and of each block a row or two are wanted, for which its layout, columns and
 * metadata would be read.
 *
 * Ownership  A set is one heap block behind its struct cw_cached (part_cache.h), and owns its texts and pairs.
 * Threads    A set does not change once it is made; a gathering belongs to one thread.
 */
#ifndef CW_STORE_KEPT_LINES_H
#define CW_STORE_KEPT_LINES_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/labels/labels.h"
#include "common/store/part_cache.h"

enum {
    /* Who wants more rows of a block than that, or longer ones, reads the block. */
    CW_KEPT_LINES_MAX = 128,
    CW_KEPT_LINES_PAIRS_MAX = 1024,
    CW_KEPT_LINES_BYTES_MAX = 64 << 10, /* of lines, names and values */
};

struct cw_kept_line {
    uint32_t row, offset, len;   /* text + offset */
    uint32_t first_pair, npairs; /* of its metadata */
};

struct cw_kept_lines {
    struct cw_cached base; /* first */
    uint32_t n;
    const struct cw_kept_line *items; /* by row */
    const char *text;
    struct cw_label pairs[]; /* the items and the texts follow */
};
/* NULL: the row is not there. */
const struct cw_kept_line *cw_kept_lines_find(const struct cw_kept_lines *lines, uint32_t row);

/* Its metadata, where it lies. */
struct cw_labels cw_kept_lines_metadata(const struct cw_kept_lines *lines,
                                        const struct cw_kept_line *line);

/* In the text that is gathered: a name and behind it the value. */
struct cw_gathered_pair {
    uint32_t offset, name_len, value_len;
};

/* Rows that are being gathered, in any order, each once. */
struct cw_lines_gathered {
    struct cw_kept_line items[CW_KEPT_LINES_MAX];
    struct cw_gathered_pair pairs[CW_KEPT_LINES_PAIRS_MAX];
    uint32_t n, npairs;
    bool too_many;
    struct cw_buf text;
};
void cw_lines_gathered_init(struct cw_lines_gathered *gathered);
void cw_lines_gathered_fini(struct cw_lines_gathered *gathered);
/* None; the memory stays. */
void cw_lines_gathered_clear(struct cw_lines_gathered *gathered);
void cw_lines_gather(struct cw_lines_gathered *gathered, uint32_t row, struct cw_str line,
                     struct cw_labels metadata);
/* Put the rows into the place, in place of those that are there; nothing where they are none, or too many. Sorts them. */
void cw_lines_gathered_keep(struct cw_lines_gathered *gathered, struct cw_cache_place place);

#endif
