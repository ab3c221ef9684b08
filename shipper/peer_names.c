#include "shipper/peer_names.h"
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/arena.h"
#include "common/base/assert.h"

enum { ADDRESS_BYTES = 64, BUCKETS = 256 };

/* Who waits for a name. */
struct waiter {
    cw_peer_name_fn fn;
    void *arg;
    struct waiter *next;
};

struct peer {
    struct cw_peer_names *names;
    uv_getnameinfo_t request;
    char address[ADDRESS_BYTES];
    char name[NI_MAXHOST + 1];
    bool asking;
    uint64_t known_ms; /* since when */
    struct waiter *waiters;
    struct peer *next;          /* of its bucket */
    struct peer *newer, *older; /* of all that are known, by known_ms */
};

struct cw_peer_names {
    uv_loop_t *loop;
    struct peer *buckets[BUCKETS];
    struct peer *newest, *oldest;
    size_t n, nasking;
    bool closed;
};

struct cw_peer_names *cw_peer_names_new(uv_loop_t *loop)
{
    struct cw_peer_names *names = cw_mem_new(sizeof *names);
    names->loop = loop;
    return names;
}

static struct peer **bucket_of(struct cw_peer_names *names, const char *address)
{
    unsigned hash = 5381;
    for (const char *at = address; *at != '\0'; at++)
        hash = hash * 33 + (unsigned char)*at;
    return &names->buckets[hash % BUCKETS];
}

/* ---- the known ones, by age ---- */

static void age_unlink(struct peer *peer)
{
    struct cw_peer_names *names = peer->names;
    *(peer->newer != NULL ? &peer->newer->older : &names->newest) = peer->older;
    *(peer->older != NULL ? &peer->older->newer : &names->oldest) = peer->newer;
    peer->newer = peer->older = NULL;
}

static void age_link(struct peer *peer)
{
    struct cw_peer_names *names = peer->names;
    peer->older = names->newest;
    *(peer->older != NULL ? &peer->older->newer : &names->oldest) = peer;
    names->newest = peer;
}

static void peer_remove(struct peer *peer)
{
    struct peer **at = bucket_of(peer->names, peer->address);
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    age_unlink(peer);
    peer->names->n--;
    free(peer);
}

/* ---- questions ---- */

static void free_if_done(struct cw_peer_names *names)
{
    if (!names->closed || names->nasking > 0)
        return;
    while (names->oldest != NULL)
        peer_remove(names->oldest);
    free(names);
}

static void on_name(uv_getnameinfo_t *request, int status, const char *name, const char *service)
{
    struct peer *peer = CW_CONTAINER_OF(request, struct peer, request);
    struct cw_peer_names *names = peer->names;
    size_t len = status == 0 ? strlen(name) : 0;
    bool dot = len > 0 && memchr(name, '.', len) != NULL && name[len - 1] != '.';
    (void)service;
    snprintf(peer->name, sizeof peer->name, "%.*s%s", (int)len, len > 0 ? name : "",
             dot ? "." : "");
    peer->asking = false;
    peer->known_ms = uv_now(names->loop);
    names->nasking--;
    age_link(peer);
    while (peer->waiters != NULL) {
        struct waiter *waiter = peer->waiters;
        peer->waiters = waiter->next;
        waiter->fn(waiter->arg, peer->name);
        free(waiter);
    }
    free_if_done(names);
}

static bool question_start(struct peer *peer)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    if (uv_ip4_addr(peer->address, 0, &to.v4) < 0 && uv_ip6_addr(peer->address, 0, &to.v6) < 0)
        return false;
    peer->asking =
        uv_getnameinfo(peer->names->loop, &peer->request, on_name, &to.any, NI_NAMEREQD) == 0;
    peer->names->nasking += peer->asking;
    return peer->asking;
}

static void waiter_add(struct peer *peer, cw_peer_name_fn fn, void *arg)
{
    if (fn == NULL)
        return;
    struct waiter *waiter = cw_mem_new(sizeof *waiter);
    *waiter = (struct waiter){fn, arg, peer->waiters};
    peer->waiters = waiter;
}

const char *cw_peer_names_ask(struct cw_peer_names *names, const char *address, cw_peer_name_fn fn,
                              void *arg)
{
    struct peer *peer = *bucket_of(names, address);
    while (peer != NULL && strcmp(peer->address, address) != 0)
        peer = peer->next;
    if (peer != NULL && !peer->asking && uv_now(names->loop) - peer->known_ms >= CW_PEER_NAMES_MS) {
        peer_remove(peer);
        peer = NULL;
    }
    if (peer == NULL) {
        if (names->n == CW_PEER_NAMES_MAX && names->oldest == NULL)
            return "";
        if (names->n == CW_PEER_NAMES_MAX)
            peer_remove(names->oldest);
        peer = cw_mem_new(sizeof *peer);
        peer->names = names;
        snprintf(peer->address, sizeof peer->address, "%s", address);
        struct peer **bucket = bucket_of(names, peer->address);
        peer->next = *bucket;
        *bucket = peer;
        names->n++;
        if (!question_start(peer)) {
            peer->known_ms = uv_now(names->loop);
            age_link(peer);
        }
    }
    if (!peer->asking)
        return peer->name;
    waiter_add(peer, fn, arg);
    return NULL;
}

void cw_peer_names_forget(struct cw_peer_names *names, const void *arg)
{
    for (size_t i = 0; i < BUCKETS && names->nasking > 0; i++)
        for (struct peer *peer = names->buckets[i]; peer != NULL; peer = peer->next)
            for (struct waiter **at = &peer->waiters; *at != NULL;) {
                struct waiter *waiter = *at;
                if (waiter->arg != arg) {
                    at = &waiter->next;
                    continue;
                }
                *at = waiter->next;
                free(waiter);
            }
}

void cw_peer_names_close(struct cw_peer_names **names)
{
    struct cw_peer_names *n = *names;
    *names = NULL;
    if (n == NULL)
        return;
    n->closed = true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct peer *peer = n->buckets[i]; peer != NULL; peer = peer->next)
            if (peer->asking)
                (void)uv_cancel((uv_req_t *)&peer->request); /* one that runs, runs on */
    free_if_done(n);
}
