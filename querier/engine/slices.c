#include "querier/engine/slices.h"

#include "common/base/assert.h"
#include "common/base/clock.h"

/* The largest end whose slice costs no more, but one position at least. */
static uint64_t slice_end(const struct cw_slices *slices, uint64_t from, uint64_t end,
                          uint64_t bytes)
{
    if (slices->bytes(slices->ctx, from, end) <= bytes)
        return end;
    uint64_t fits = from + 1;
    while (end - fits > 1) {
        uint64_t mid = fits + (end - fits) / 2;
        if (slices->bytes(slices->ctx, from, mid) <= bytes)
            fits = mid;
        else
            end = mid;
    }
    return fits;
}

/* Twice as much, unless the time that is left is too short for it. */
static uint64_t next_bytes(uint64_t bytes, int64_t took_ns, int64_t left_ns)
{
    uint64_t twice = bytes > UINT64_MAX / 2 ? UINT64_MAX : 2 * bytes;
    if (left_ns / 2 >= took_ns)
        return twice;
    return CW_MAX((uint64_t)((double)bytes * ((double)left_ns / (double)took_ns)), UINT64_C(1));
}

/* Does it end the walk with what there is? */
static bool is_limit(int rc, enum cw_slices_stop *stop)
{
    *stop = rc == CW_E_TIMEOUT ? CW_SLICES_TIME : CW_SLICES_LIMIT;
    return rc == CW_E_TIMEOUT || rc == CW_E_LIMIT || rc == CW_E_OVERLOAD;
}

int cw_slices_walk(const struct cw_slices *slices, uint64_t *done_out,
                   enum cw_slices_stop *stop_out, struct cw_err *err)
{
    uint64_t end = slices->total, at = 0, bytes = slices->first_bytes;
    enum cw_slices_stop at_end = CW_SLICES_DONE;
    int64_t begun_ns = cw_clock_mono_ns(), slice_ns = begun_ns;
    if (end > 0 && slices->max_bytes > 0) {
        end = slice_end(slices, 0, end, slices->max_bytes);
        if (end < slices->total)
            at_end = CW_SLICES_BYTES;
    }
    *stop_out = at_end;
    while (at < end) {
        uint64_t to = slices->time_ns > 0 ? slice_end(slices, at, end, bytes) : end;
        int rc = slices->run(slices->ctx, at, to, err);
        if (rc < 0 && (at == 0 || !is_limit(rc, stop_out)))
            return rc;
        if (rc > 0)
            *stop_out = CW_SLICES_CALLER;
        if (rc != 0)
            break;
        at = to;
        int64_t now_ns = cw_clock_mono_ns();
        if (at < end && slices->time_ns > 0 && now_ns - begun_ns >= slices->time_ns) {
            *stop_out = CW_SLICES_TIME;
            break;
        }
        bytes = next_bytes(bytes, now_ns - slice_ns, slices->time_ns - (now_ns - begun_ns));
        slice_ns = now_ns;
    }
    *done_out = at;
    return 0;
}
