/*
 * live_tails.h - which live tails there are: so many at a time for a tenant, and none behind the querier's end.
 *
 * Threads    Any.
 */
#ifndef CW_API_LIVE_TAILS_H
#define CW_API_LIVE_TAILS_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"

struct cw_live_tails;
struct cw_live_tails *cw_live_tails_new(void);
/* Waits for those under way: the server has ended their connections. */
void cw_live_tails_free(struct cw_live_tails **tails);
/* A tail exists from _hold() to _drop(), its last use of the querier: _free() waits for it. */
void cw_live_tails_hold(struct cw_live_tails *tails);
void cw_live_tails_drop(struct cw_live_tails *tails);
/* One more of the tenant, of at most `max`; false when it has as many. *n_out: how many it would be. */
bool cw_live_tails_enter(struct cw_live_tails *tails, struct cw_str tenant, uint32_t max,
                         uint32_t *n_out);
void cw_live_tails_leave(struct cw_live_tails *tails, struct cw_str tenant);
/* Those that have entered, of all tenants. */
uint64_t cw_live_tails_count(struct cw_live_tails *tails);

#endif
