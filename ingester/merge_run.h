/*
 * merge_run.h - one merge: some parts of a tenant and day become one. Private to ingester/merge.c and tests.
 *
 * Streams are walked in order; rows of one stream are merged by time, those of the older part first where times are equal.
 * Blocks that are full are left out of that and copied at the end.
 *
 * Ownership  Holds a reference on each input.
 * Threads    One at a time; a step may run on another thread than the one before.
 * Errors     CW_E_CORRUPT: an input has a bad block (nothing is changed, it must not be merged); CW_E_CONFLICT: an input left
 *            meanwhile; CW_E_IO, CW_E_UNAVAILABLE.
 */
#ifndef CW_INGESTER_MERGE_RUN_H
#define CW_INGESTER_MERGE_RUN_H
#include <stdbool.h>
#include "common/base/codec.h"
#include "ingester/parts.h"

struct cw_merge_run;

/* `inputs`: parts of one tenant and day, at least one. `codec`: LZ4 or ZSTD, of the new part's blocks. */
int cw_merge_run_new(struct cw_parts *parts, struct cw_source *const *inputs, size_t n,
                     enum cw_codec codec, struct cw_merge_run **out,
                     struct cw_err *err) CW_MUST_USE;
/* Work for about `cpu_ns`. 1: there is more, 0: the new part is committed and visible, or an error: only _free() then. */
int cw_merge_run_step(struct cw_merge_run *run, int64_t cpu_ns, struct cw_err *err) CW_MUST_USE;
/* Was it a bad block of an input that made it fail? */
bool cw_merge_run_has_bad_block(const struct cw_merge_run *run);
uint64_t cw_merge_run_bytes_out(const struct cw_merge_run *run);
void cw_merge_run_free(struct cw_merge_run **run);

#endif
