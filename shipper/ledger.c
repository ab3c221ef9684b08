#include "shipper/ledger.h"
#include "common/base/assert.h"

static void time_set(struct cw_ledger_row *row, int64_t last_ts_ns)
{
    if (row->done_ts_ns < last_ts_ns)
        row->done_ts_ns = last_ts_ns;
}

void cw_ledger_adopt(struct cw_ledger_row *row, uint64_t mark)
{
    row->mark = mark;
    if (row->done < mark)
        row->done = mark;
}

void cw_ledger_stored(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns)
{
    row->mark = to;
    if (row->done < to)
        row->done = to;
    time_set(row, last_ts_ns);
}

void cw_ledger_refused(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns)
{
    cw_ledger_dropped(row, to, last_ts_ns);
}

void cw_ledger_dropped(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns)
{
    CW_ASSERT(to >= cw_ledger_next(row));
    row->done = to;
    time_set(row, last_ts_ns);
}

void cw_ledger_raised(struct cw_ledger_row *row)
{
    *row = (struct cw_ledger_row){.done_ts_ns = row->done_ts_ns, .off = row->off};
}

uint64_t cw_ledger_position(const struct cw_ledger_row *rows, size_t n)
{
    uint64_t least = UINT64_MAX, least_off = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t *of = rows[i].off ? &least_off : &least;
        *of = rows[i].done < *of ? rows[i].done : *of;
    }
    if (least != UINT64_MAX)
        return least;
    return least_off == UINT64_MAX ? 0 : least_off; /* for none of them: where it began */
}

bool cw_ledger_confirm_due(const struct cw_ledger_row *row, uint64_t durable)
{
    return row->mark > row->confirmed && durable >= row->mark;
}
