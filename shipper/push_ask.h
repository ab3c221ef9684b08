/*
 * push_ask.h - a push client asks its server what it has of each source (POST /cordwood/v1/sources), and takes the answer
 * down in the ledgers: at the start, and after each answer to a push that did not come or was none of the server's.
 *
 *             marks; the server knows none: plain         the batch that is kept is due as it is
 *   ASKING -----------------------------------> IDLE, or ----------------------------------------> SENDING
 *     |  ^   another session: a new uuid, ask again
 *     v  |
 *   BACKOFF   no answer, or one that says nothing. The server wants a tenant: meanwhile sources are looked through
 *             for entries that name one (scouting).
 *
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_PUSH_ASK_H
#define CW_SHIPPER_PUSH_ASK_H
#include "shipper/push_client_priv.h"

void cw_push_ask_start(struct cw_push_client *pc);
/* The store's mark of a source, from any answer. What it has that we have not heard of, a kill or a lost answer in
 * between, is noted. */
void cw_push_ask_adopt(struct cw_push_client *pc, struct cw_source *source, uint64_t mark);
/* Whether an answer comes from what is between us and the server, and says nothing of what was sent. */
bool cw_push_ask_answer_is_of_the_way(const struct cw_http_answer *answer);
/* Look through what has come, while the server wants a tenant. */
void cw_push_ask_scout(struct cw_push_client *pc);

#endif
