/* merge_pick.c - sort candidates into rows, and look at each row for what is due. */
#include "ingester/merge_pick.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/store/format.h"

static const int64_t day_ns = 86400 * CW_NS_PER_S;

/* ---- rows ---- */

static int order(uint64_t x, uint64_t y)
{
    return x < y ? -1 : x > y;
}

static int day_order(const struct cw_merge_candidate *x, const struct cw_merge_candidate *y)
{
    int c = cw_str_cmp(x->tenant, y->tenant);
    return c != 0 ? c : (x->day > y->day) - (x->day < y->day);
}

/* Of parts that may be joined: 0. */
static int row_order(const struct cw_merge_candidate *x, const struct cw_merge_candidate *y,
                     enum cw_merge_kind kind)
{
    int c = day_order(x, y);
    if (c == 0 && kind == CW_MERGE_LEVEL)
        c = order(x->level, y->level);
    return c != 0 ? c : order(x->epoch, y->epoch);
}

static int level_cmp(const void *a, const void *b)
{
    const struct cw_merge_candidate *x = a, *y = b;
    int c = row_order(x, y, CW_MERGE_LEVEL);
    return c != 0 ? c : order(x->id, y->id);
}

/* By age, as merge_run.c sorts them: entries of one time stay in the order of their arrival. */
static int rest_cmp(const void *a, const void *b)
{
    const struct cw_merge_candidate *x = a, *y = b;
    int c = row_order(x, y, CW_MERGE_REST);
    if (c == 0)
        c = order(x->wal_first, y->wal_first);
    return c != 0 ? c : order(x->id, y->id);
}

void cw_merge_sort(struct cw_merge_candidate *parts, size_t n, enum cw_merge_kind kind)
{
    if (n > 0)
        qsort(parts, n, sizeof(*parts), kind == CW_MERGE_LEVEL ? level_cmp : rest_cmp);
}

/* ---- what is due in a row ---- */

/* The oldest, as many as may be. */
static size_t level_due(const struct cw_merge_candidate *row, size_t n, size_t max)
{
    uint64_t bytes = 0;
    size_t take = 0;
    while (take < n && take < CW_MAX(max, (size_t)CW_MERGE_FAN_IN)) {
        bytes += row[take].bytes;
        if (bytes > CW_MERGE_PART_BYTES_MAX)
            break;
        take++;
    }
    return take < CW_MERGE_FAN_IN ? 0 : CW_MIN(take, max);
}

static bool day_is_over(int32_t day, int64_t now_ns)
{
    int64_t end_ns;
    if (day == CW_DAY_MIXED)
        return true;
    return !__builtin_mul_overflow((int64_t)day + 1, day_ns, &end_ns) && now_ns >= end_ns;
}

static bool is_quiet(const struct cw_merge_candidate *row, size_t n, int64_t now_ns)
{
    for (size_t i = 0; i < n; i++) {
        int64_t since_ns;
        bool far = __builtin_sub_overflow(now_ns, row[i].made_ns, &since_ns);
        if (!far && since_ns < CW_MERGE_QUIET_NS && since_ns > -CW_MERGE_QUIET_NS)
            return false;
    }
    return true;
}

/* How many from row[0] on are worth it, at most. */
static size_t rest_from(const struct cw_merge_candidate *row, size_t n)
{
    uint64_t bytes = 0, largest = 0;
    size_t take = 0;
    for (size_t i = 0; i < n && row[i].bytes <= CW_MERGE_PART_BYTES_MAX - bytes; i++) {
        bytes += row[i].bytes;
        largest = CW_MAX(largest, row[i].bytes);
        if (largest <= CW_MERGE_REST_SHARE * (bytes - largest))
            take = i + 1;
    }
    return take;
}

/* The longest run, the oldest of such. */
static size_t rest_due(const struct cw_merge_candidate *row, size_t n, size_t max, int64_t now_ns,
                       size_t *first)
{
    size_t most = 0;
    if (n < 2 || !day_is_over(row->day, now_ns) || !is_quiet(row, n, now_ns))
        return 0;
    for (size_t i = 0; i + 1 < n && most < max; i++) {
        size_t take = rest_from(row + i, CW_MIN(n - i, max));
        if (take > most) {
            most = take;
            *first = i;
        }
    }
    return most;
}

size_t cw_merge_due(const struct cw_merge_candidate *parts, size_t n, enum cw_merge_kind kind,
                    size_t max, int64_t now_ns, size_t *from)
{
    for (size_t i = *from, row; i < n; i += row) {
        row = 1;
        while (i + row < n && row_order(&parts[i], &parts[i + row], kind) == 0)
            row++;
        size_t first = 0;
        size_t take = kind == CW_MERGE_LEVEL ? level_due(&parts[i], row, max)
                                             : rest_due(&parts[i], row, max, now_ns, &first);
        if (take > 0) {
            *from = i + first;
            return take;
        }
    }
    return 0;
}
