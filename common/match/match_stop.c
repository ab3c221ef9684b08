#include "common/match/match_stop.h"

#include <stddef.h>

static __thread const atomic_bool *stop_of_thread;

const atomic_bool *cw_match_stop_watch(const atomic_bool *stop)
{
    const atomic_bool *before = stop_of_thread;
    stop_of_thread = stop;
    return before;
}

bool cw_match_stop_raised(void)
{
    return stop_of_thread != NULL && atomic_load_explicit(stop_of_thread, memory_order_relaxed);
}

int cw_match_stop_check(struct cw_err *err)
{
    return cw_match_stop_raised() ? cw_err_set(err, CW_E_CANCELED, "canceled") : 0;
}
