/*
 * shipper_metrics.h - the rows of the shipper's own metrics (cordwood_shipper_*).
 */
#ifndef CW_SHIPPER_SHIPPER_METRICS_H
#define CW_SHIPPER_SHIPPER_METRICS_H
#include "common/metrics/metrics.h"

enum cw_shipper_metric {
    CW_M_FILES,
    CW_M_FILES_UNREADABLE,
    CW_M_READ_BYTES,
    CW_M_ENTRIES,
    CW_M_ENTRY_BYTES,
    CW_M_PUSHES,
    CW_M_PUSH_SECONDS,
    CW_M_PUSH_BYTES,
    CW_M_RETRIES,
    CW_M_ASKS,
    CW_M_REJECTED,
    CW_M_STREAM_LIMITED,
    CW_M_LETTERS_LOST,
    CW_M_LAG_BYTES,
    CW_M_OUTPUTS,
    CW_M_OUTPUTS_FULL,
    CW_M_LINES_TRUNCATED,
    CW_M_LINES_SKIPPED,
    CW_M_LINES_SPLIT,
    CW_M_LINES_DROPPED,
    CW_M_LINES_JOINED,
    CW_M_LINES_MALFORMED,
    CW_M_LINES_UNDECODABLE,
    CW_M_NUL_RUNS,
    CW_M_PAIRS_LEFT_OUT,
    CW_M_TRUNCATIONS,
    CW_M_LOST_BYTES,
    CW_M_ROTATIONS,
    CW_M_PACKED_DAMAGED,
    CW_M_POSITIONS_FAILED,
    CW_M_RECEIVED,
    CW_M_RECEIVED_BAD,
    CW_M_SPOOL_BYTES,
    CW_M_SPOOL_LOST,
    CW_M_SPOOL_LOST_BYTES,
    CW_M_SPOOL_FAILURES,
    CW_M_SHIPPER_N
};

extern const struct cw_metric_def cw_shipper_metric_defs[CW_M_SHIPPER_N];

#endif
