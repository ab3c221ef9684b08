/*
 * kept_times.h - of which streams the rows of a block are and when, kept for who asks for the newest entries again and again: with
 * lines that are kept too (kept_lines.h) the block itself is not looked at.
 *
 * Ownership  A set is one heap block behind its struct cw_cached (part_cache.h).
 * Threads    It does not change once it is kept.
 */
#ifndef CW_STORE_KEPT_TIMES_H
#define CW_STORE_KEPT_TIMES_H
#include <stdbool.h>
#include <stdint.h>
#include "common/store/block_reader.h"
#include "common/store/part_cache.h"

/* Rows [from, to) of one stream. */
struct cw_part_run {
    uint32_t stream, from, to;
};

struct cw_kept_times {
    struct cw_cached base; /* first */
    enum cw_block_kind kind;
    bool has_metadata; /* any row */
    uint32_t nruns;
    const struct cw_part_run *runs; /* of all streams, in order */
    int64_t ns[];                   /* of all rows; the runs follow */
};

/* The set that is kept there, referenced (cw_cached_unref(&set->base)), or NULL. */
struct cw_kept_times *cw_kept_times_get(struct cw_cache_place place);
/* Decode the block's times, and keep them with its streams' `nruns` runs. *out NULL: they would not be kept, nothing was decoded. */
int cw_kept_times_keep(struct cw_cache_place place, const struct cw_block *block,
                       const struct cw_part_run *runs, uint32_t nruns, struct cw_kept_times **out,
                       struct cw_err *err) CW_MUST_USE;

#endif
