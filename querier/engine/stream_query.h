/*
 * stream_query.h - what streams there are: label names, values, series, and how much they hold.
 *
 * Memory     Sources list in one order and are merged: a listing of any length holds one item, and a group or chunk, a source.
 * Threads    One thread; no entry is read.
 */
#ifndef CW_ENGINE_STREAM_QUERY_H
#define CW_ENGINE_STREAM_QUERY_H
#include "common/store/listing.h"
#include "querier/engine/query_context.h"

/* The item dies when the call ends. Nonzero stops and is returned. */
typedef int (*cw_list_fn)(void *arg, const struct cw_list_item *item, struct cw_err *err);

/* Each item of all sources once, in the order of listing.h; `stats` of the listing is not read. */
int cw_stream_query_list(struct cw_query_context *query, const struct cw_listing *listing,
                         cw_list_fn fn, void *arg, struct cw_err *err) CW_MUST_USE;
/* The listing's streams; one selector at most. */
int cw_stream_query_stats(struct cw_query_context *query, const struct cw_listing *listing,
                          struct cw_index_stats *out, struct cw_err *err) CW_MUST_USE;

#endif
