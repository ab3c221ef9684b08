/*
 * http_places_priv.h - the places for connections of an HTTP server: who holds one, and who gives way to a new one.
 *
 * libmicrohttpd keeps a buffer of CW_LIMIT_HTTP_HEADER_BYTES for each connection from its start to its end, and has touched all
 * of it after the first request; so a place is charged with all of it. When all are taken, the connection gives way that is
 * of the least use, and of these the one that was quiet for the longest time:
 *
 *   IDLE      between two requests: at once, unless bytes of its next one are there
 *   STARTING  nothing or half a header came: once it was quiet for PLACE_START_NS
 *   SENDING   half a body came: once it was quiet for PLACE_SEND_NS
 *   BUSY      a request is worked on or answered, or it is a WebSocket: never
 *
 * Where nobody gives way the new connection is closed. A line of the log tells each of these states once, until a quarter of
 * the places is free.
 *
 * Ownership  A place is its connection's, from _take() to _give().
 * Threads    Any. A connection's place is entered by one thread at a time. The lock is a leaf: none is taken under it.
 */
#ifndef CW_NET_HTTP_PLACES_PRIV_H
#define CW_NET_HTTP_PLACES_PRIV_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/net/http_server.h"

enum http_place_state { PLACE_BUSY, PLACE_IDLE, PLACE_STARTING, PLACE_SENDING };

struct http_place {
    int fd;
    enum http_place_state state;
    int64_t since_ns; /* monotonic: of the state, or of the last bytes */
    bool leaving;     /* was shut down, libmicrohttpd is about to see it */
    struct http_place *next, *prev;
};

/* How hard it was to find a place since a quarter of them was last free. */
enum http_places_need { PLACES_FREE, PLACES_MADE, PLACES_NONE };

struct http_places {
    pthread_mutex_t lock; /* of all below and of every place */
    struct http_place *places;
    struct cw_http_connections counts;
    unsigned nleaving; /* of counts.open */
    enum http_places_need need;
};

void http_places_init(struct http_places *places);
void http_places_fini(struct http_places *places);
/* Before the first connection. */
void http_places_limit(struct http_places *places, unsigned max);
/* Is there a place for one more, or was one made? */
bool http_places_room(struct http_places *places);
struct http_place *http_places_take(struct http_places *places, int fd);
/* While the socket is still open; frees the place. */
void http_places_give(struct http_places *places, struct http_place *place);
/* Something happened on the connection; it is in that state now. */
void http_place_enter(struct http_places *places, struct http_place *place,
                      enum http_place_state state);

#endif
