#include "common/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"

struct pool_job {
    cw_pool_fn fn;
    void *arg;
};

struct cw_pool_group {
    struct cw_pool *pool;
    enum cw_pool_priority priority;
    struct cw_pool_group *next; /* in its pool's ready list, while it has queued jobs */
    struct pool_job *jobs;      /* ring of `cap`, a power of two */
    size_t cap, first, nqueued;
    size_t nrunning;
    uint64_t used_ns;       /* CPU of its jobs that ran */
    pthread_cond_t changed; /* a job ended, or the queue has room */
};

/* Of so many turns one is that of the group that waits for the longest. */
enum { FAIR_TURNS = 4 };

/* Groups that have queued jobs; who was served goes to the end: the first waits for the longest. */
struct ready_list {
    struct cw_pool_group *first, *last;
};

struct cw_pool {
    pthread_mutex_t lock; /* guards everything below and every group */
    pthread_cond_t work;
    struct ready_list ready[CW_POOL_LOW + 1];
    unsigned nturns;
    bool stopping;
    size_t ngroups;
    unsigned nthreads;
    pthread_t threads[];
};

/* Which pool the thread works for: its jobs must not wait for room in a queue that they are to empty. */
static __thread const struct cw_pool *pool_of_thread;

static void ready_push(struct cw_pool *pool, struct cw_pool_group *group)
{
    struct ready_list *list = &pool->ready[group->priority];
    group->next = NULL;
    if (list->last != NULL)
        list->last->next = group;
    else
        list->first = group;
    list->last = group;
}

/* The group whose turn it is, and the one before it. */
static struct cw_pool_group *ready_find(const struct ready_list *list, bool longest_waiting,
                                        struct cw_pool_group **before_out)
{
    struct cw_pool_group *best = list->first, *before = NULL;
    *before_out = NULL;
    for (struct cw_pool_group *group = list->first; group != NULL && !longest_waiting;
         before = group, group = group->next) {
        if (group->used_ns >= best->used_ns)
            continue;
        best = group;
        *before_out = before;
    }
    return best;
}

static struct cw_pool_group *ready_pop(struct cw_pool *pool)
{
    for (size_t i = 0; i < CW_COUNT(pool->ready); i++) {
        struct ready_list *list = &pool->ready[i];
        struct cw_pool_group *before;
        if (list->first == NULL)
            continue;
        struct cw_pool_group *group = ready_find(list, ++pool->nturns % FAIR_TURNS == 0, &before);
        if (before != NULL)
            before->next = group->next;
        else
            list->first = group->next;
        if (list->last == group)
            list->last = before;
        return group;
    }
    return NULL;
}

/* With the lock held; it is released while the job runs. False when nothing is queued. */
static bool run_one(struct cw_pool *pool)
{
    struct cw_pool_group *group = ready_pop(pool);
    if (group == NULL)
        return false;
    struct pool_job job = group->jobs[group->first];
    group->first = (group->first + 1) & (group->cap - 1);
    group->nqueued--;
    group->nrunning++;
    if (group->nqueued > 0)
        ready_push(pool, group);
    if (group->nqueued == CW_POOL_GROUP_JOBS - 1)
        pthread_cond_broadcast(&group->changed);
    pthread_mutex_unlock(&pool->lock);
    int64_t begun_ns = cw_clock_thread_cpu_ns();
    job.fn(job.arg);
    int64_t used_ns = cw_clock_thread_cpu_ns() - begun_ns;
    pthread_mutex_lock(&pool->lock);
    group->used_ns += (uint64_t)used_ns;
    group->nrunning--;
    if (group->nrunning == 0 && group->nqueued == 0)
        pthread_cond_broadcast(&group->changed);
    return true;
}

static void *worker(void *arg)
{
    struct cw_pool *pool = arg;
    pool_of_thread = pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (run_one(pool))
            continue;
        if (pool->stopping)
            break;
        pthread_cond_wait(&pool->work, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Cores that this process may use: a container's cpuset counts. */
static unsigned usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

struct cw_pool *cw_pool_new(unsigned nthreads, struct cw_err *err)
{
    if (nthreads == 0)
        nthreads = usable_cores();
    struct cw_pool *pool = cw_mem_new(sizeof *pool + nthreads * sizeof pool->threads[0]);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    /* Signals are the main thread's: a worker that took one would break its wait. */
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of a mapped file: file_lost.h */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = 0;
    while (pool->nthreads < nthreads && failed == 0) {
        pthread_t *thread = &pool->threads[pool->nthreads];
        failed = pthread_create(thread, NULL, worker, pool);
        if (failed != 0)
            break;
        pthread_setname_np(*thread, "cw-pool");
        pool->nthreads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        cw_err_errno(err, CW_E_UNAVAILABLE, failed, "start worker thread %u of %u",
                     pool->nthreads + 1, nthreads);
        cw_pool_free(&pool);
    }
    return pool;
}

void cw_pool_free(struct cw_pool **pool)
{
    struct cw_pool *p = *pool;
    if (p == NULL)
        return;
    *pool = NULL;
    pthread_mutex_lock(&p->lock);
    CW_ASSERT(p->ngroups == 0);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

unsigned cw_pool_threads(const struct cw_pool *pool)
{
    return pool->nthreads;
}

struct cw_pool_group *cw_pool_group_new(struct cw_pool *pool, enum cw_pool_priority priority)
{
    struct cw_pool_group *group = cw_mem_new(sizeof *group);
    group->pool = pool;
    group->priority = priority;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&group->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_lock(&pool->lock);
    pool->ngroups++;
    pthread_mutex_unlock(&pool->lock);
    return group;
}

void cw_pool_group_used(struct cw_pool_group *group, uint64_t cpu_ns)
{
    CW_ASSERT(group->nqueued == 0 && group->nrunning == 0);
    group->used_ns = cpu_ns;
}

static void ring_push(struct cw_pool_group *group, struct pool_job job)
{
    if (group->nqueued == group->cap) {
        size_t cap = group->cap > 0 ? group->cap * 2 : 16;
        struct pool_job *jobs = cw_mem_array(cap, sizeof *jobs);
        for (size_t i = 0; i < group->nqueued; i++)
            jobs[i] = group->jobs[(group->first + i) & (group->cap - 1)];
        free(group->jobs);
        group->jobs = jobs;
        group->cap = cap;
        group->first = 0;
    }
    group->jobs[(group->first + group->nqueued) & (group->cap - 1)] = job;
    group->nqueued++;
}

void cw_pool_submit(struct cw_pool_group *group, cw_pool_fn fn, void *arg)
{
    struct cw_pool *pool = group->pool;
    pthread_mutex_lock(&pool->lock);
    while (group->nqueued >= CW_POOL_GROUP_JOBS && pool_of_thread != pool)
        pthread_cond_wait(&group->changed, &pool->lock);
    ring_push(group, (struct pool_job){fn, arg});
    if (group->nqueued == 1)
        ready_push(pool, group);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static bool group_rests(const struct cw_pool_group *group)
{
    return group->nqueued == 0 && group->nrunning == 0;
}

void cw_pool_wait(struct cw_pool_group *group)
{
    struct cw_pool *pool = group->pool;
    CW_ASSERT(pool_of_thread != pool);
    pthread_mutex_lock(&pool->lock);
    while (!group_rests(group))
        pthread_cond_wait(&group->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

bool cw_pool_wait_for(struct cw_pool_group *group, int64_t ns)
{
    struct cw_pool *pool = group->pool;
    int64_t end_ns = cw_clock_mono_ns() + ns;
    struct timespec end = {.tv_sec = end_ns / CW_NS_PER_S, .tv_nsec = end_ns % CW_NS_PER_S};
    CW_ASSERT(pool_of_thread != pool);
    pthread_mutex_lock(&pool->lock);
    while (!group_rests(group) &&
           pthread_cond_timedwait(&group->changed, &pool->lock, &end) != ETIMEDOUT)
        continue;
    bool rests = group_rests(group);
    pthread_mutex_unlock(&pool->lock);
    return rests;
}

void cw_pool_group_free(struct cw_pool_group **group)
{
    struct cw_pool_group *g = *group;
    if (g == NULL)
        return;
    cw_pool_wait(g);
    *group = NULL; /* not before: a job that runs may submit another to the group */
    pthread_mutex_lock(&g->pool->lock);
    g->pool->ngroups--;
    pthread_mutex_unlock(&g->pool->lock);
    pthread_cond_destroy(&g->changed);
    free(g->jobs);
    free(g);
}
