#include "querier/api/live_tails.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct tails_of {
    struct tails_of *next;
    char *tenant;
    uint32_t n;
};

struct cw_live_tails {
    pthread_mutex_t lock;
    pthread_cond_t dropped;
    struct tails_of *tenants; /* that have any */
    uint64_t n;               /* of all */
    uint64_t nheld;
};

struct cw_live_tails *cw_live_tails_new(void)
{
    struct cw_live_tails *tails = cw_mem_new(sizeof *tails);
    pthread_mutex_init(&tails->lock, NULL);
    pthread_cond_init(&tails->dropped, NULL);
    return tails;
}

void cw_live_tails_free(struct cw_live_tails **handle)
{
    struct cw_live_tails *tails = *handle;
    if (tails == NULL)
        return;
    pthread_mutex_lock(&tails->lock);
    while (tails->nheld > 0)
        pthread_cond_wait(&tails->dropped, &tails->lock);
    pthread_mutex_unlock(&tails->lock);
    pthread_cond_destroy(&tails->dropped);
    pthread_mutex_destroy(&tails->lock);
    free(tails);
    *handle = NULL;
}

void cw_live_tails_hold(struct cw_live_tails *tails)
{
    pthread_mutex_lock(&tails->lock);
    tails->nheld++;
    pthread_mutex_unlock(&tails->lock);
}

void cw_live_tails_drop(struct cw_live_tails *tails)
{
    pthread_mutex_lock(&tails->lock);
    tails->nheld--;
    pthread_cond_broadcast(&tails->dropped);
    pthread_mutex_unlock(&tails->lock);
}

/* Where the tenant's stands, or would. */
static struct tails_of **find(struct cw_live_tails *tails, struct cw_str tenant)
{
    struct tails_of **at = &tails->tenants;
    while (*at != NULL && !cw_str_eqz(tenant, (*at)->tenant))
        at = &(*at)->next;
    return at;
}

bool cw_live_tails_enter(struct cw_live_tails *tails, struct cw_str tenant, uint32_t max,
                         uint32_t *n_out)
{
    pthread_mutex_lock(&tails->lock);
    struct tails_of **at = find(tails, tenant);
    *n_out = (*at != NULL ? (*at)->n : 0) + 1;
    bool room = *n_out <= max;
    if (room && *at == NULL) {
        *at = cw_mem_new(sizeof **at);
        (*at)->tenant = cw_str_dupz(tenant);
    }
    if (room) {
        (*at)->n++;
        tails->n++;
    }
    pthread_mutex_unlock(&tails->lock);
    return room;
}

void cw_live_tails_leave(struct cw_live_tails *tails, struct cw_str tenant)
{
    pthread_mutex_lock(&tails->lock);
    struct tails_of **at = find(tails, tenant), *gone = *at;
    CW_ASSERT(gone != NULL);
    if (--gone->n == 0) {
        *at = gone->next;
        free(gone->tenant);
        free(gone);
    }
    tails->n--;
    pthread_mutex_unlock(&tails->lock);
}

uint64_t cw_live_tails_count(struct cw_live_tails *tails)
{
    pthread_mutex_lock(&tails->lock);
    uint64_t n = tails->n;
    pthread_mutex_unlock(&tails->lock);
    return n;
}
