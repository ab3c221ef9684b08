/*
 * disconnect.h - see that a client went away while nobody reads from its socket.
 *
 * libmicrohttpd does not look at a suspended connection, so a query would run on for nobody. One thread waits in epoll for
 * EPOLLRDHUP on the watched sockets. A client that only shuts down its writing side looks the same as one that is gone until
 * bytes are sent to it; it is taken for gone, as Go's net/http (and so Loki) does.
 *
 * Threads    watch and unwatch from any. The function runs on the watcher's thread, at most once, and never after
 *            unwatch returned, which waits for it: so it must not take a lock under which unwatch is called, nor call unwatch.
 */
#ifndef CW_NET_DISCONNECT_H
#define CW_NET_DISCONNECT_H
#include "common/base/err.h"

struct cw_disconnect;
typedef void (*cw_disconnect_fn)(void *arg);

int cw_disconnect_open(struct cw_disconnect **out, struct cw_err *err) CW_MUST_USE;
/* Joins the thread; nothing may be watched any more. */
void cw_disconnect_close(struct cw_disconnect **disconnect);
/* Returns a ticket for unwatch, or -1 when the socket cannot be watched (then a leave is seen when bytes are sent). */
int cw_disconnect_watch(struct cw_disconnect *disconnect, int fd, cw_disconnect_fn fn, void *arg);
/* Before the socket is closed. -1 is fine. */
void cw_disconnect_unwatch(struct cw_disconnect *disconnect, int ticket);

#endif
