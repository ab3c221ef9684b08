/*
 * live_tail.h - one live tail: entries of a log query, as they become visible, over a WebSocket.
 *
 *   HTTP thread --> coordinator: parse, follow the head, 101 --> a thread of its own: what there is already, then what comes
 *
 * A tail follows the head before it reads what there is, so that nothing falls between; what it meets twice by that is sent
 * once. An entry is sent when `delay_for` has passed since its time. Who reads too slowly loses entries, and is told which.
 *
 * Memory     Bounded: the entries that wait (LIVE_TAIL_* in live_tail.c) are taken from the budget; the head keeps no entries for a
 *            tail that falls behind (head_follow.h).
 * Source     Loki's order of checks, texts, close codes, pings and shape of frames.
 */
#ifndef CW_API_LIVE_TAIL_H
#define CW_API_LIVE_TAIL_H
#include "querier/api/api_request.h"
#include "querier/api/tail_answer.h"

/* Called on an HTTP thread by the route's handler. */
void cw_live_tail_dispatch(struct cw_api *api, struct cw_http_request *http,
                           enum cw_tail_form form);

#endif
