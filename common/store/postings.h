/*
 * postings.h - which streams of a part carry a label: built while streams are written, asked by selectors.
 *
 * Ownership  The builder copies. A set is the caller's.
 * Threads    A builder: one. Selecting reads only: any.
 * Errors     CW_E_CORRUPT; CW_E_LIMIT from a regex that gave up. Bytes from disk never abort.
 */
#ifndef CW_STORE_POSTINGS_H
#define CW_STORE_POSTINGS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/match/selector.h"

struct cw_postings_builder;
struct cw_postings_builder *cw_postings_builder_new(void);
void cw_postings_builder_free(struct cw_postings_builder **builder);
/* Streams come in order of their numbers. */
void cw_postings_builder_add(struct cw_postings_builder *builder, uint32_t stream,
                             struct cw_labels labels);
/* Append the region to *out. */
int cw_postings_builder_finish(struct cw_postings_builder *builder, struct cw_buf *out,
                               struct cw_err *err) CW_MUST_USE;

/* A set of stream numbers 0..n-1. */
struct cw_stream_set {
    uint64_t *words; /* heap; (n + 63) / 64 */
    uint32_t n;
    uint32_t count; /* members */
};
void cw_stream_set_fini(struct cw_stream_set *set);
static inline bool cw_stream_set_has(const struct cw_stream_set *set, uint32_t stream)
{
    return set->words[stream / 64] >> (stream % 64) & 1;
}
/* Is any of first..last (inclusive, inside the set) a member? */
bool cw_stream_set_any(const struct cw_stream_set *set, uint32_t first, uint32_t last);

/* The streams that a selector (NULL: all) matches, from the region's bytes. */
int cw_postings_select(struct cw_str region, uint32_t nstreams, const struct cw_selector *selector,
                       struct cw_stream_set *out, struct cw_err *err) CW_MUST_USE;

#endif
