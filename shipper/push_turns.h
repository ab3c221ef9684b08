/*
 * push_turns.h - push_client.c, the part that says when a batch is due, and whose turn it is: sources that have something to
 * read take turns, so that a backlog, or a file that is written faster than it can be sent, delays nobody else's lines.
 *
 * A batch takes from one source after the other, and the next goes on behind the last of them. One that fills a batch alone
 * (the output's `greedy`) gives way to the others, and has the batches besides that nobody's turn makes due: where more wait
 * than a batch takes, its turn is far away.
 */
#ifndef CW_SHIPPER_PUSH_TURNS_H
#define CW_SHIPPER_PUSH_TURNS_H
#include "shipper/push_client_priv.h"

/* Whether a batch is due; otherwise when (INT64_MAX: nothing waits). */
bool cw_push_turns_due(struct cw_push_client *pc, int64_t now_ns, int64_t *at_ns);
/* Fill the batch with those whose turn it is; how many entries it has. */
size_t cw_push_turns_cut(struct cw_push_client *pc, int64_t now_ns);
/* The next batch begins with that one. */
void cw_push_turns_back(struct cw_push_client *pc, const struct cw_source *source);

#endif
