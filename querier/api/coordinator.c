#include "querier/api/coordinator.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"

/* How often queries under way are looked at. Nothing ticks while there is none. */
#define WATCH_INTERVAL_NS (25 * CW_NS_PER_MS)

struct cw_coordinator {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work;  /* a job, or the end */
    struct cw_coordinator_job *first, *last;
    size_t nqueued, max_queued, nrunning;
    bool stopping;
    pthread_cond_t watch_changed;
    struct cw_query_context **watched;
    size_t nwatched, watched_cap;
    pthread_t watcher;
    bool watches; /* it has started */
    unsigned nthreads, max_threads, max_of_tenant;
    unsigned nidle;    /* threads that wait for a job */
    uint64_t *running; /* tenants of the nrunning jobs */
    pthread_t threads[];
};

static unsigned count_running(const struct cw_coordinator *coordinator, uint64_t tenant)
{
    unsigned n = 0;
    for (size_t i = 0; i < coordinator->nrunning; i++)
        n += coordinator->running[i] == tenant;
    return n;
}

/* Take the job whose turn it is out of the queue; NULL: none that may run. */
static struct cw_coordinator_job *take_job(struct cw_coordinator *coordinator)
{
    struct cw_coordinator_job *best_before = NULL, *best = NULL, *before = NULL;
    unsigned fewest = coordinator->max_of_tenant;
    for (struct cw_coordinator_job *job = coordinator->first; job != NULL && fewest > 0;
         before = job, job = job->next) {
        unsigned n = count_running(coordinator, job->tenant);
        if (n >= fewest)
            continue;
        fewest = n;
        best = job;
        best_before = before;
    }
    if (best == NULL)
        return NULL;
    if (best_before != NULL)
        best_before->next = best->next;
    else
        coordinator->first = best->next;
    if (coordinator->last == best)
        coordinator->last = best_before;
    coordinator->nqueued--;
    coordinator->running[coordinator->nrunning++] = best->tenant;
    return best;
}

static void job_ended(struct cw_coordinator *coordinator, uint64_t tenant)
{
    size_t i = 0;
    while (coordinator->running[i] != tenant)
        i++;
    coordinator->running[i] = coordinator->running[--coordinator->nrunning];
}

static void *worker(void *arg)
{
    struct cw_coordinator *coordinator = arg;
    pthread_mutex_lock(&coordinator->lock);
    for (;;) {
        struct cw_coordinator_job *job = take_job(coordinator);
        if (job == NULL) {
            if (coordinator->stopping && coordinator->first == NULL)
                break;
            coordinator->nidle++;
            pthread_cond_wait(&coordinator->work, &coordinator->lock);
            coordinator->nidle--;
            continue;
        }
        uint64_t tenant = job->tenant; /* the job is gone when it ran */
        pthread_mutex_unlock(&coordinator->lock);
        job->fn(job);
        pthread_mutex_lock(&coordinator->lock);
        job_ended(coordinator, tenant);
        /* Its tenant may have waited for this. */
        if (coordinator->first != NULL || coordinator->stopping)
            pthread_cond_broadcast(&coordinator->work);
    }
    pthread_mutex_unlock(&coordinator->lock);
    return NULL;
}

static void *watcher(void *arg)
{
    struct cw_coordinator *coordinator = arg;
    pthread_mutex_lock(&coordinator->lock);
    while (!coordinator->stopping || coordinator->nwatched > 0) {
        if (coordinator->nwatched == 0) {
            pthread_cond_wait(&coordinator->watch_changed, &coordinator->lock);
            continue;
        }
        for (size_t i = 0; i < coordinator->nwatched; i++)
            cw_query_context_poll(coordinator->watched[i]);
        pthread_mutex_unlock(&coordinator->lock);
        nanosleep(&(struct timespec){.tv_nsec = WATCH_INTERVAL_NS}, NULL);
        pthread_mutex_lock(&coordinator->lock);
    }
    pthread_mutex_unlock(&coordinator->lock);
    return NULL;
}

/* 0, or the error's number: the system has no more threads. */
static int thread_start(pthread_t *out, void *(*run)(void *), struct cw_coordinator *coordinator,
                        const char *name)
{
    /* Signals are the main thread's. */
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of a mapped file: file_lost.h */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int errnum = pthread_create(out, NULL, run, coordinator);
    if (errnum == 0)
        pthread_setname_np(*out, name);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return errnum;
}

static int worker_start(struct cw_coordinator *coordinator)
{
    int errnum =
        thread_start(&coordinator->threads[coordinator->nthreads], worker, coordinator, "cw-query");
    coordinator->nthreads += errnum == 0;
    return errnum;
}

struct cw_coordinator *cw_coordinator_new(unsigned max_threads, size_t max_queued,
                                          struct cw_err *err)
{
    CW_ASSERT(max_threads > 0);
    struct cw_coordinator *coordinator =
        cw_mem_new(sizeof *coordinator + max_threads * sizeof coordinator->threads[0]);
    pthread_mutex_init(&coordinator->lock, NULL);
    pthread_cond_init(&coordinator->work, NULL);
    pthread_cond_init(&coordinator->watch_changed, NULL);
    coordinator->max_queued = max_queued;
    coordinator->max_threads = max_threads;
    coordinator->max_of_tenant = (max_threads * 3 + 3) / 4;
    coordinator->running = cw_mem_array(max_threads, sizeof *coordinator->running);
    int errnum = worker_start(coordinator);
    if (errnum == 0)
        errnum = thread_start(&coordinator->watcher, watcher, coordinator, "cw-watch");
    coordinator->watches = errnum == 0;
    if (errnum != 0) {
        cw_err_errno(err, CW_E_UNAVAILABLE, errnum, "start a thread for queries");
        cw_coordinator_free(&coordinator);
    }
    return coordinator;
}

void cw_coordinator_free(struct cw_coordinator **coordinator)
{
    struct cw_coordinator *c = *coordinator;
    if (c == NULL)
        return;
    *coordinator = NULL;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->work);
    pthread_cond_broadcast(&c->watch_changed);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->nthreads; i++)
        pthread_join(c->threads[i], NULL);
    if (c->watches)
        pthread_join(c->watcher, NULL);
    CW_ASSERT(c->nwatched == 0);
    free(c->watched);
    free(c->running);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->watch_changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool cw_coordinator_submit(struct cw_coordinator *coordinator, struct cw_coordinator_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&coordinator->lock);
    bool taken = !coordinator->stopping && coordinator->nqueued < coordinator->max_queued;
    if (taken) {
        if (coordinator->last != NULL)
            coordinator->last->next = job;
        else
            coordinator->first = job;
        coordinator->last = job;
        coordinator->nqueued++;
        if (coordinator->nidle < coordinator->nqueued &&
            coordinator->nthreads < coordinator->max_threads)
            (void)worker_start(coordinator); /* without it the job waits for another */
        pthread_cond_signal(&coordinator->work);
    }
    pthread_mutex_unlock(&coordinator->lock);
    return taken;
}

void cw_coordinator_watch(struct cw_coordinator *coordinator, struct cw_query_context *query)
{
    pthread_mutex_lock(&coordinator->lock);
    if (coordinator->nwatched == coordinator->watched_cap) {
        coordinator->watched_cap = coordinator->watched_cap > 0 ? coordinator->watched_cap * 2 : 16;
        coordinator->watched = cw_mem_resize(
            coordinator->watched, coordinator->watched_cap * sizeof *coordinator->watched);
    }
    coordinator->watched[coordinator->nwatched++] = query;
    pthread_cond_signal(&coordinator->watch_changed);
    pthread_mutex_unlock(&coordinator->lock);
}

void cw_coordinator_unwatch(struct cw_coordinator *coordinator, struct cw_query_context *query)
{
    pthread_mutex_lock(&coordinator->lock);
    for (size_t i = 0; i < coordinator->nwatched; i++) {
        if (coordinator->watched[i] != query)
            continue;
        coordinator->watched[i] = coordinator->watched[--coordinator->nwatched];
        break;
    }
    pthread_mutex_unlock(&coordinator->lock);
}

void cw_coordinator_load(struct cw_coordinator *coordinator, size_t *running_out,
                         size_t *queued_out)
{
    pthread_mutex_lock(&coordinator->lock);
    *running_out = coordinator->nrunning;
    *queued_out = coordinator->nqueued;
    pthread_mutex_unlock(&coordinator->lock);
}
