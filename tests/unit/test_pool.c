#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/pool.h"

static void count_up(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

Test(pool, wait_returns_when_every_job_of_the_group_ran)
{
    struct cw_pool *pool = cw_pool_new(3, NULL);
    cr_assert_eq(cw_pool_threads(pool), 3);
    struct cw_pool_group *group = cw_pool_group_new(pool, CW_POOL_NORMAL);
    atomic_int count = 0;
    cw_pool_wait(group);
    for (int i = 1; i <= 3 * CW_POOL_GROUP_JOBS; i++)
        cw_pool_submit(group, count_up, &count);
    cw_pool_wait(group);
    cr_assert_eq(atomic_load(&count), 3 * CW_POOL_GROUP_JOBS);
    cw_pool_submit(group, count_up, &count);
    cw_pool_group_free(&group);
    cr_assert_null(group);
    cr_assert_eq(atomic_load(&count), 3 * CW_POOL_GROUP_JOBS + 1);
    cw_pool_free(&pool);
    cr_assert_null(pool);
    cw_pool_free(&pool);
}

/* A gate that holds the only worker until the test has queued what it wants to see ordered. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

static void gate_job(void *arg)
{
    struct gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_close(struct gate *gate, struct cw_pool_group *group)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->entered = gate->open = false;
    cw_pool_submit(group, gate_job, gate);
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static char order[64];
static atomic_size_t norder;

static void note(void *arg)
{
    order[atomic_fetch_add(&norder, 1)] = *(const char *)arg;
}

Test(pool, a_wait_for_a_time_says_whether_all_ran)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_pool_group *group = cw_pool_group_new(pool, CW_POOL_NORMAL);
    struct gate gate;
    cr_assert(cw_pool_wait_for(group, 0));
    gate_close(&gate, group);
    int64_t begun_ns = cw_clock_mono_ns();
    cr_assert_not(cw_pool_wait_for(group, 20 * CW_NS_PER_MS));
    cr_assert_geq(cw_clock_mono_ns() - begun_ns, 20 * CW_NS_PER_MS);
    gate_open(&gate);
    cr_assert(cw_pool_wait_for(group, 3600 * CW_NS_PER_S));
    cw_pool_group_free(&group);
    cw_pool_free(&pool);
}

Test(pool, who_used_less_goes_ahead_none_starves_and_low_priority_waits_for_all)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_pool_group *first = cw_pool_group_new(pool, CW_POOL_NORMAL);
    struct cw_pool_group *large = cw_pool_group_new(pool, CW_POOL_NORMAL);
    struct cw_pool_group *small = cw_pool_group_new(pool, CW_POOL_NORMAL);
    struct cw_pool_group *merge = cw_pool_group_new(pool, CW_POOL_LOW);
    struct gate gate;
    gate_close(&gate, first);
    cw_pool_group_used(large, UINT64_C(3600) * CW_NS_PER_S);
    cw_pool_submit(merge, note, "m");
    for (int i = 0; i < 5; i++)
        cw_pool_submit(large, note, "L");
    for (int i = 0; i < 6; i++)
        cw_pool_submit(small, note, "s");
    gate_open(&gate);
    cw_pool_wait(merge);
    cr_assert_eq(atomic_load(&norder), 12);
    /* The gate had the first turn; each fourth is that of who waits for the longest. */
    cr_assert_eq(memcmp(order, "ssLsssLsLLLm", 12), 0, "%.12s", order);
    cw_pool_group_free(&first);
    cw_pool_group_free(&large);
    cw_pool_group_free(&small);
    cw_pool_group_free(&merge);
    cw_pool_free(&pool);
}

struct spawner {
    struct cw_pool_group *group;
    atomic_int count;
};

static void spawn(void *arg)
{
    struct spawner *s = arg;
    for (int i = 0; i < CW_POOL_GROUP_JOBS + 100; i++)
        cw_pool_submit(s->group, count_up, &s->count);
}

Test(pool, a_job_may_submit_past_the_bound_of_its_queue)
{
    struct cw_pool *pool = cw_pool_new(1, NULL); /* nobody else could make room */
    struct spawner s = {.group = cw_pool_group_new(pool, CW_POOL_NORMAL)};
    cw_pool_submit(s.group, spawn, &s);
    cw_pool_wait(s.group);
    cr_assert_eq(atomic_load(&s.count), CW_POOL_GROUP_JOBS + 100);
    cw_pool_group_free(&s.group);
    cw_pool_free(&pool);
}

Test(pool, no_number_means_one_thread_a_core)
{
    struct cw_pool *pool = cw_pool_new(0, NULL);
    cr_assert_geq(cw_pool_threads(pool), 1);
    cw_pool_free(&pool);
}

Test(pool, a_thread_that_cannot_be_started_is_an_error)
{
    struct cw_err err = {0};
    pthread_attr_t wide;
    pthread_attr_init(&wide);
    cr_assert_eq(pthread_attr_setstacksize(&wide, (size_t)1 << 47),
                 0); /* all addresses there are */
    cr_assert_eq(pthread_setattr_default_np(&wide), 0);
    cr_assert_null(cw_pool_new(3, &err));
    cr_assert_eq(err.code, CW_E_UNAVAILABLE);
    cr_assert_str_eq(err.text, "start worker thread 1 of 3: Resource temporarily unavailable");
}
