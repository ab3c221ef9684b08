/*
 * peer_names.h - by which names DNS knows the addresses of peers, asked for without holding up the loop, and remembered for a
 * while. A name ends with a dot where it holds one, as Go (and so promtail) writes it.
 *
 * Bounds     CW_PEER_NAMES_MAX addresses; for more the one that was known longest is forgotten, and while all are being asked
 *            for, an address has no name. An address is asked for again after CW_PEER_NAMES_MS.
 * Ownership  Frees itself when it is closed and no question is open; a question that a name server does not answer ends by the
 *            resolver's own time limit, for which the loop waits.
 * Threads    The loop's; questions are asked on threads of libuv's pool.
 */
#ifndef CW_SHIPPER_PEER_NAMES_H
#define CW_SHIPPER_PEER_NAMES_H
#include <uv.h>

enum { CW_PEER_NAMES_MAX = 1024, CW_PEER_NAMES_MS = 300000 };

struct cw_peer_names;
/* `name` is empty where the address has none. */
typedef void (*cw_peer_name_fn)(void *arg, const char *name);

struct cw_peer_names *cw_peer_names_new(uv_loop_t *loop);
/* The name, if it is known, which lives until the next call; NULL: it is asked for, and fn (may be NULL) gets it later. */
const char *cw_peer_names_ask(struct cw_peer_names *names, const char *address, cw_peer_name_fn fn,
                              void *arg);
/* `arg` is told nothing any more. */
void cw_peer_names_forget(struct cw_peer_names *names, const void *arg);
/* NULL is fine. */
void cw_peer_names_close(struct cw_peer_names **names);

#endif
