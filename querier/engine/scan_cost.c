#include "querier/engine/scan_cost.h"

/* What is believed of a kind before any scan ran, in ps a byte, and how many bytes of scans outweigh the belief: as tests/bench/query
 * found it for lines of some 170 bytes. */
#define BELIEVED_BYTES (UINT64_C(16) << 20)
static const uint64_t believed_ps[CW_SCAN_NKINDS] = {
    [CW_SCAN_COUNT] = 50,
    [CW_SCAN_FILTER] = 150,
    [CW_SCAN_FIELDS] = 150,
    [CW_SCAN_LINES] = 2500,
};

const char *cw_scan_kind_name(enum cw_scan_kind kind)
{
    static const char *const names[CW_SCAN_NKINDS] = {"count", "filter", "fields", "lines"};
    return names[kind];
}

enum cw_scan_kind cw_scan_kind_of(const struct cw_scan *scan)
{
    if ((scan->need & CW_NEED_LINES) != 0)
        return CW_SCAN_LINES;
    if ((scan->need & CW_NEED_TEMPLATES) != 0)
        return CW_SCAN_FIELDS;
    return scan->nfilters > 0 ? CW_SCAN_FILTER : CW_SCAN_COUNT;
}

void cw_scan_costs_add(struct cw_scan_costs *costs, enum cw_scan_kind kind, uint64_t bytes,
                       uint64_t cpu_ns)
{
    atomic_fetch_add_explicit(&costs->kinds[kind].bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&costs->kinds[kind].cpu_ns, cpu_ns, memory_order_relaxed);
}

uint64_t cw_scan_costs_estimate(const struct cw_scan_costs *costs, enum cw_scan_kind kind,
                                uint64_t bytes)
{
    double seen_bytes = (double)BELIEVED_BYTES;
    double seen_ns = seen_bytes * (double)believed_ps[kind] / 1000;
    if (costs != NULL) {
        seen_bytes += (double)atomic_load_explicit(&costs->kinds[kind].bytes, memory_order_relaxed);
        seen_ns += (double)atomic_load_explicit(&costs->kinds[kind].cpu_ns, memory_order_relaxed);
    }
    return (uint64_t)((double)bytes * (seen_ns / seen_bytes));
}
