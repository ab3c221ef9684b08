/*
 * scan_cost.h - what scans cost, learned from those that ran, to say it of one before it runs.
 *
 * The CPU that a scan takes is told by what it does to entries and by the bytes of lines in the blocks that it opens. How many of
 * those a block spares it is not known before: the mean of what ran on this data is the best guess there is.
 *
 * Threads    Any, without a lock.
 */
#ifndef CW_ENGINE_SCAN_COST_H
#define CW_ENGINE_SCAN_COST_H
#include <stdatomic.h>
#include <stdint.h>
#include "common/store/cursor.h"

enum cw_scan_kind {
    CW_SCAN_COUNT,  /* no line is looked at */
    CW_SCAN_FILTER, /* line filters, and no line is handed out */
    CW_SCAN_FIELDS, /* values of templates are looked at, and lines where those do not tell */
    CW_SCAN_LINES,  /* lines are handed out: to a pipeline, to the client */
    CW_SCAN_NKINDS
};

struct cw_scan_costs { /* zeroed: none has run */
    struct {
        atomic_uint_fast64_t bytes, cpu_ns;
    } kinds[CW_SCAN_NKINDS];
};

/* "count", "filter", "fields", "lines" */
const char *cw_scan_kind_name(enum cw_scan_kind kind);
enum cw_scan_kind cw_scan_kind_of(const struct cw_scan *scan);
/* A scan of blocks with so many bytes of lines took so much. */
void cw_scan_costs_add(struct cw_scan_costs *costs, enum cw_scan_kind kind, uint64_t bytes,
                       uint64_t cpu_ns);
/* CPU ns that a scan of so many bytes will take. `costs` may be NULL: nothing has run. */
uint64_t cw_scan_costs_estimate(const struct cw_scan_costs *costs, enum cw_scan_kind kind,
                                uint64_t bytes);

#endif
