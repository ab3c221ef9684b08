#include "shipper/ledger.h"
#include "common/base/assert.h"

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
    if (row->done_ts_ns < last_ts_ns)
        row->done_ts_ns = last_ts_ns;
}

void cw_ledger_dropped(struct cw_ledger_row *row, uint64_t to)
{
    CW_ASSERT(to >= cw_ledger_next(row));
    row->done = to;
}

void cw_ledger_raised(struct cw_ledger_row *row)
{
    *row = (struct cw_ledger_row){.done_ts_ns = row->done_ts_ns};
}

uint64_t cw_ledger_position(const struct cw_ledger_row *rows, size_t n)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (rows[i].done < least)
            least = rows[i].done;
    return n == 0 ? 0 : least;
}

bool cw_ledger_confirm_due(const struct cw_ledger_row *row, uint64_t durable)
{
    return row->mark > row->confirmed && durable >= row->mark;
}
