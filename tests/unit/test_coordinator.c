#include <criterion/criterion.h>
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
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 2);
    struct job jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = (struct job){{run_job, NULL}, &begun, &go_on, &ran};
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

Test(coordinator, raises_stop_within_100_ms_of_the_clients_leaving)
{
    atomic_bool gone = false;
    struct cw_query_context query;
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 1);
    cw_query_context_init(&query, NULL, NULL, 0);
    query.client_gone = &gone;
    cw_coordinator_watch(coordinator, &query);
    cr_expect_not(atomic_load(&query.stop));
    int64_t begun = cw_clock_mono_ns();
    atomic_store(&gone, true);
    while (!atomic_load(&query.stop) && cw_clock_mono_ns() - begun < 5 * CW_NS_PER_S)
        ;
    cr_expect(atomic_load(&query.stop));
    cr_expect_lt(cw_clock_mono_ns() - begun, 100 * CW_NS_PER_MS);
    cw_coordinator_unwatch(coordinator, &query);
    cw_coordinator_free(&coordinator);
}

Test(coordinator, raises_stop_when_the_time_is_up)
{
    struct cw_query_context query;
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 1);
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
    struct cw_coordinator *coordinator = cw_coordinator_new(3, 1);
    cw_coordinator_free(&coordinator);
    cw_coordinator_free(&coordinator);
}
