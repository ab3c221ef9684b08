/*
 * ingester_metrics.h - the ingester's own metrics: one enum, one table.
 *
 * Threads    Any.
 */
#ifndef CW_INGESTER_INGESTER_METRICS_H
#define CW_INGESTER_INGESTER_METRICS_H
#include "common/metrics/metrics.h"

enum cw_ingester_metric {
    CW_M_REQUESTS,
    CW_M_REQUEST_SECONDS,
    CW_M_RECEIVED_BYTES,
    CW_M_RECEIVED_LINES,
    CW_M_RECEIVED_LINE_BYTES,
    CW_M_DISCARDED,
    CW_M_DELIVERY_REFUSED,
    CW_M_HEAD_BYTES,
    CW_M_HEAD_STREAMS,
    CW_M_HEAD_ENTRIES,
    CW_M_PENDING_BYTES,
    CW_M_HEAD_LIMIT_BYTES,
    CW_M_MEMORY_BYTES,
    CW_M_MEMORY_PEAK_BYTES,
    CW_M_MEMORY_LIMIT_BYTES,
    CW_M_CONNECTIONS,
    CW_M_CONNECTIONS_MAX,
    CW_M_CONNECTIONS_GAVE_WAY,
    CW_M_CONNECTIONS_REFUSED,
    CW_M_CACHE_HITS,
    CW_M_CACHE_MISSES,
    CW_M_CACHE_EVICTED,
    CW_M_WAL_BYTES,
    CW_M_WAL_SEGMENTS,
    CW_M_WAL_SYNCS,
    CW_M_WAL_SYNC_SECONDS,
    CW_M_WAL_FAILURES,
    CW_M_WAL_BAD,
    CW_M_WAL_MISSING,
    CW_M_REPLAYED,
    CW_M_FLUSHES,
    CW_M_FLUSH_FAILURES,
    CW_M_MARKS,
    CW_M_MARKS_FORGOTTEN,
    CW_M_PARTS,
    CW_M_PARTS_BYTES,
    CW_M_PARTS_RAW_BYTES,
    CW_M_PARTS_ENTRIES,
    CW_M_BAD_BLOCKS,
    CW_M_BAD_PARTS,
    CW_M_PARTS_MISSING,
    CW_M_BAD_INDEXES,
    CW_M_MERGES,
    CW_M_MERGE_FAILURES,
    CW_M_RETENTION_DROPPED,
    CW_M_PARTS_REWRITTEN,
    CW_M_PARTS_REWRITE_FAILURES,
    CW_M_ENTRIES_REMOVED,
    CW_M_DELETES,
    CW_M_READY,
    CW_M_NMETRICS,
};
extern const struct cw_metric_def cw_ingester_metric_defs[CW_M_NMETRICS];

/* Gauges that are asked for at each render; `ingester` is a struct cw_ingester. */
void cw_ingester_metrics_collect(struct cw_metrics *metrics, void *ingester);

#endif
