/*
 * inspect_part.h - what a part's bytes are spent on: added up over any number of parts, by region, by kind of section, by
 * template and column, by stream.
 *
 * Ownership  The totals own their lists; labels live in their arena.
 * Errors     CW_E_NOT_FOUND, CW_E_IO, CW_E_CORRUPT (the part does not open). Bad blocks are counted.
 */
#ifndef CW_CLI_INSPECT_PART_H
#define CW_CLI_INSPECT_PART_H
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/store/format.h"
#include "querier/cli/inspect_templates.h"

struct cw_inspect_bytes {
    uint64_t n, stored, raw; /* raw 0: not known */
};

struct cw_inspect_stream {
    struct cw_hash128 id;
    struct cw_labels labels;
    uint64_t rows, raw;
    double stored; /* its share of the blocks that it is in, by bytes of lines */
};

enum { CW_INSPECT_KINDS = 128 };

struct cw_inspect_totals {
    struct cw_arena *arena;
    uint64_t parts, entries, raw, stored, bad_blocks;
    uint64_t bad_parts; /* counted by who adds parts */
    uint64_t plain_blocks, template_blocks;
    struct cw_inspect_bytes
        frame; /* headers and directories of blocks; header and footer of the part */
    struct cw_inspect_bytes regions[CW_REGIONS];
    struct cw_inspect_bytes sections[CW_INSPECT_KINDS]; /* by kind, without CW_SECTION_OPTIONAL */
    struct cw_inspect_templates templates;
    struct cw_inspect_stream *streams;
    size_t nstreams, cap;
    uint32_t *slots; /* of the table that finds a stream by id: index + 1 */
    size_t nslots;   /* a power of two */
};

void cw_inspect_init(struct cw_inspect_totals *totals);
void cw_inspect_fini(struct cw_inspect_totals *totals);
int cw_inspect_part_add(struct cw_inspect_totals *totals, const char *path,
                        struct cw_err *err) CW_MUST_USE;

/* Tables for people; at most `limit` rows of each (0: all), the largest first. */
void cw_inspect_print(struct cw_inspect_totals *totals, uint64_t limit);
/* "12.3 MB" */
void cw_inspect_size(uint64_t bytes, struct cw_buf *out);

#endif
