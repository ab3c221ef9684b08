#include "common/net/http_places_priv.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"

/* A client far away has sent its header by then, and bytes of its body come more often than that. */
#define PLACE_START_NS (INT64_C(1) * CW_NS_PER_S)
#define PLACE_SEND_NS (INT64_C(10) * CW_NS_PER_S)

void http_places_init(struct http_places *places)
{
    pthread_mutex_init(&places->lock, NULL);
}

void http_places_fini(struct http_places *places)
{
    CW_ASSERT(places->places == NULL);
    pthread_mutex_destroy(&places->lock);
}

void http_places_limit(struct http_places *places, unsigned max)
{
    CW_ASSERT(max > 0);
    places->counts.max = max;
}

static bool has_bytes(const struct http_place *place)
{
    char byte;
    return recv(place->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* May this connection give way now? */
static bool gives_way(const struct http_place *place, int64_t now_ns)
{
    int64_t quiet_ns = now_ns - place->since_ns;
    if (place->leaving)
        return false;
    switch (place->state) {
    case PLACE_BUSY: return false;
    case PLACE_IDLE: return !has_bytes(place);
    case PLACE_STARTING: return quiet_ns >= PLACE_START_NS && !has_bytes(place);
    case PLACE_SENDING: return quiet_ns >= PLACE_SEND_NS && !has_bytes(place);
    }
    return false;
}

/* Is `a` of less use than `b`, or equally little and quiet for longer? */
static bool goes_before(const struct http_place *a, const struct http_place *b)
{
    return a->state != b->state ? a->state < b->state : a->since_ns < b->since_ns;
}

/* The lock is held. False: nobody gives way. */
static bool make_room(struct http_places *places)
{
    struct http_place *first = NULL;
    int64_t now_ns = cw_clock_mono_ns();
    for (struct http_place *at = places->places; at != NULL; at = at->next) {
        if ((first == NULL || goes_before(at, first)) && gives_way(at, now_ns))
            first = at;
    }
    if (first == NULL)
        return false;
    first->leaving = true;
    places->nleaving++;
    places->counts.gave_way++;
    shutdown(first->fd, SHUT_RDWR); /* its thread sees that as the client's leaving */
    return true;
}

/* Notes what it took to find a place; true when that is to be told. */
static bool note_need(struct http_places *places, enum http_places_need need)
{
    bool worse = need > places->need;
    if (worse)
        places->need = need;
    return worse;
}

bool http_places_room(struct http_places *places)
{
    enum http_places_need need = PLACES_FREE;
    pthread_mutex_lock(&places->lock);
    unsigned max = places->counts.max;
    if (places->counts.open - places->nleaving >= max)
        need = places->nleaving < max && make_room(places) ? PLACES_MADE : PLACES_NONE;
    if (need == PLACES_NONE)
        places->counts.refused++;
    bool tell = note_need(places, need);
    pthread_mutex_unlock(&places->lock);
    if (tell && need == PLACES_MADE)
        cw_log_warn("http: all %u places for connections are taken: those that wait for their "
                    "client longest are closed for new ones",
                    max);
    else if (tell)
        cw_log_warn("http: all %u places for connections are taken by requests under way: new "
                    "connections are closed until some have ended",
                    max);
    return need != PLACES_NONE;
}

struct http_place *http_places_take(struct http_places *places, int fd)
{
    struct http_place *place = cw_mem_new(sizeof *place);
    place->fd = fd;
    place->state = PLACE_STARTING;
    place->since_ns = cw_clock_mono_ns();
    pthread_mutex_lock(&places->lock);
    place->next = places->places;
    if (place->next != NULL)
        place->next->prev = place;
    places->places = place;
    places->counts.open++;
    pthread_mutex_unlock(&places->lock);
    return place;
}

void http_places_give(struct http_places *places, struct http_place *place)
{
    pthread_mutex_lock(&places->lock);
    if (place->prev != NULL)
        place->prev->next = place->next;
    else
        places->places = place->next;
    if (place->next != NULL)
        place->next->prev = place->prev;
    places->counts.open--;
    places->nleaving -= place->leaving;
    unsigned max = places->counts.max, open = places->counts.open;
    bool over = places->need != PLACES_FREE && open <= max - (max + 3) / 4;
    if (over)
        places->need = PLACES_FREE;
    pthread_mutex_unlock(&places->lock);
    if (over)
        cw_log_info("http: there are places for connections again: %u of %u are taken", open, max);
    free(place);
}

void http_place_enter(struct http_places *places, struct http_place *place,
                      enum http_place_state state)
{
    pthread_mutex_lock(&places->lock);
    place->state = state;
    place->since_ns = cw_clock_mono_ns();
    pthread_mutex_unlock(&places->lock);
}
