#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/api/coordinator.h"

struct job {
    struct cw_coordinator_job base;
    sem_t *begun, *go_on;
    atomic_int *ran;
};

static void run_job(struct cw_coordinator_job *base)
{
    struct job *job = CW_CONTAINER_OF(base, struct job, base);
    if (job->begun != NULL)
        sem_post(job->begun);
    if (job->go_on != NULL)
        sem_wait(job->go_on);
    atomic_fetch_add(job->ran, 1);
}

Test(coordinator, refuses_when_the_queue_is_full_and_runs_what_it_took)
{
    sem_t begun, go_on;
    atomic_int ran = 0;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 2, NULL);
    struct job jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct job){{.fn = run_job}, &begun, &go_on, &ran};
    cr_assert(cw_coordinator_submit(coordinator, &jobs[0].base));
    sem_wait(&begun);
    cr_expect(cw_coordinator_submit(coordinator, &jobs[1].base));
    cr_expect(cw_coordinator_submit(coordinator, &jobs[2].base));
    cr_expect_not(cw_coordinator_submit(coordinator, &jobs[3].base));
    size_t running, queued;
    cw_coordinator_load(coordinator, &running, &queued);
    cr_expect_eq(running, 1);
    cr_expect_eq(queued, 2);
    for (int i = 0; i < 3; i++)
        sem_post(&go_on);
    cw_coordinator_free(&coordinator);
    cr_expect_eq(atomic_load(&ran), 3);
    cr_expect_null(coordinator);
    sem_destroy(&begun);
    sem_destroy(&go_on);
}

Test(coordinator, raises_stop_when_the_client_leaves)
{
    atomic_bool gone = false;
    struct cw_query_context query;
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 1, NULL);
    cw_query_context_init(&query, NULL, NULL, 0);
    query.client_gone = &gone;
    cw_coordinator_watch(coordinator, &query);
    cr_expect_not(atomic_load(&query.stop));
    int64_t begun = cw_clock_mono_ns();
    atomic_store(&gone, true);
    while (!atomic_load(&query.stop) && cw_clock_mono_ns() - begun < 5 * CW_NS_PER_S)
        ;
    cr_expect(atomic_load(&query.stop));
    cw_coordinator_unwatch(coordinator, &query);
    cw_coordinator_free(&coordinator);
}

Test(coordinator, raises_stop_when_the_time_is_up)
{
    struct cw_query_context query;
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 1, NULL);
    cw_query_context_init(&query, NULL, NULL, 0);
    query.deadline_mono_ns = cw_clock_mono_ns() + CW_NS_PER_MS;
    cw_coordinator_watch(coordinator, &query);
    int64_t begun = cw_clock_mono_ns();
    while (!atomic_load(&query.stop) && cw_clock_mono_ns() - begun < 5 * CW_NS_PER_S)
        ;
    struct cw_err err;
    cr_expect_eq(cw_query_context_check(&query, &err), CW_E_TIMEOUT);
    cr_expect(cw_str_starts(cw_str_of(err.text), CW_STR("Request timed out")));
    cw_coordinator_unwatch(coordinator, &query);
    cw_coordinator_free(&coordinator);
}

Test(coordinator, ends_while_nothing_happens)
{
    struct cw_coordinator *coordinator = cw_coordinator_new(3, 1, NULL);
    cw_coordinator_free(&coordinator);
    cw_coordinator_free(&coordinator);
}

/* Jobs of two tenants in the order in which they began. */
struct turn {
    struct cw_coordinator_job base;
    sem_t *begun, *go_on;
    char *order;
    atomic_int *n;
    char name;
};

static void run_turn(struct cw_coordinator_job *base)
{
    struct turn *turn = CW_CONTAINER_OF(base, struct turn, base);
    turn->order[atomic_fetch_add(turn->n, 1)] = turn->name;
    sem_post(turn->begun);
    sem_wait(turn->go_on);
}

Test(coordinator, a_tenant_with_many_jobs_leaves_threads_and_turns_to_others)
{
    sem_t begun, go_on;
    atomic_int n = 0;
    char order[16] = {0};
    struct turn turns[10];
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    struct cw_coordinator *coordinator = cw_coordinator_new(4, 100, NULL);
    for (int i = 0; i < 8; i++) {
        turns[i] = (struct turn){
            {.fn = run_turn, .tenant = 1}, &begun, &go_on, order, &n, (char)('a' + i)};
        cr_assert(cw_coordinator_submit(coordinator, &turns[i].base));
    }
    for (int i = 0; i < 3; i++)
        sem_wait(&begun);
    for (int i = 8; i < 10; i++) {
        turns[i] = (struct turn){
            {.fn = run_turn, .tenant = 2}, &begun, &go_on, order, &n, (char)('Y' + i - 8)};
        cr_assert(cw_coordinator_submit(coordinator, &turns[i].base));
    }
    sem_wait(
        &begun); /* the fourth thread: the other tenant's first, ahead of five that came before */
    cr_expect_eq(order[3], 'Y');
    size_t running, queued;
    cw_coordinator_load(coordinator, &running, &queued);
    cr_expect_eq(running, 4);
    cr_expect_eq(queued, 6);
    sem_post(&go_on);
    sem_wait(&begun); /* whoever ended: the other tenant has fewer under way */
    cr_expect_eq(order[4], 'Z');
    for (int i = 0; i < 9; i++)
        sem_post(&go_on);
    cw_coordinator_free(&coordinator);
    cr_expect_eq(atomic_load(&n), 10);
    for (int i = 0; i < 10; i++) /* those that begin at once may stand in any order */
        if (i < 3 || i > 4)
            cr_expect(i < 3 ? order[i] < 'd' : order[i] >= 'd', "%s", order);
}

Test(coordinator, threads_that_cannot_be_started_are_an_error)
{
    struct cw_err err = {0};
    pthread_attr_t wide;
    pthread_attr_init(&wide);
    cr_assert_eq(pthread_attr_setstacksize(&wide, (size_t)1 << 47),
                 0); /* all addresses there are */
    cr_assert_eq(pthread_setattr_default_np(&wide), 0);
    cr_assert_null(cw_coordinator_new(2, 1, &err));
    cr_assert_eq(err.code, CW_E_UNAVAILABLE);
    cr_assert_str_eq(err.text, "start a thread for queries: Resource temporarily unavailable");
}
