/*
 * threads_base.c - the pool, the log, the metrics and the memory budget under several threads at once; for TSan.
 * What they add up to is checked, what races is TSan's to find.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/log.h"
#include "common/base/memory_budget.h"
#include "common/base/pool.h"
#include "common/metrics/metrics.h"

enum { NTHREADS = 4, NROUNDS = 300, NJOBS = 20 };
enum { M_JOBS, M_BY_KEY, M_SECONDS, M_NMETRICS };
static const struct cw_metric_def defs[M_NMETRICS] = {
    [M_JOBS] = {"t_jobs_total", CW_METRIC_COUNTER, "Jobs."},
    [M_BY_KEY] = {"t_by_key", CW_METRIC_COUNTER, "By key.", .labels = {"key"}, .max_children = 50},
    [M_SECONDS] = {"t_seconds", CW_METRIC_HISTOGRAM, "Time.", CW_METRIC_SECONDS},
};

static struct cw_metrics *metrics;
static struct cw_pool *pool;
static atomic_int nran;

static void job(void *arg)
{
    char key[16];
    int n = atomic_fetch_add(&nran, 1);
    struct cw_str value = cw_str_make(key, (size_t)snprintf(key, sizeof key, "k%d", n % 60));
    cw_metrics_add(metrics, M_JOBS, 1);
    cw_metric_add(cw_metrics_child(metrics, M_BY_KEY, &value), 1);
    if (n % 7 == 0)
        cw_metrics_child_drop(metrics, M_BY_KEY, &value);
    cw_metrics_observe(metrics, M_SECONDS, n);
    if (n % 500 == 0)
        cw_log_info("job %d", n);
    if (n % 100 == 0) {
        /* Compression contexts are kept by thread. */
        struct cw_buf packed, back;
        struct cw_err err;
        cw_buf_init(&packed, 1000);
        cw_buf_init(&back, 1000);
        CW_ASSERT(cw_codec_compress(CW_CODEC_ZSTD, value, &packed, &err) == 0);
        CW_ASSERT(cw_codec_decompress(CW_CODEC_ZSTD, cw_buf_str(&packed), 100, &back, &err) == 0);
        CW_ASSERT(cw_str_eq(cw_buf_str(&back), value));
        cw_buf_fini(&packed);
        cw_buf_fini(&back);
    }
    *(int *)arg += 1; /* the submitter reads it after the wait, without a lock */
}

static void *submitter(void *arg)
{
    enum cw_pool_priority priority = arg != NULL ? CW_POOL_LOW : CW_POOL_NORMAL;
    for (int round = 0; round < NROUNDS; round++) {
        int done[NJOBS] = {0};
        struct cw_pool_group *group = cw_pool_group_new(pool, priority);
        for (int i = 0; i < NJOBS; i++)
            cw_pool_submit(group, job, &done[i]);
        if (round % 2 == 0)
            cw_pool_wait(group);
        cw_pool_group_free(&group);
        for (int i = 0; i < NJOBS; i++)
            CW_ASSERT(done[i] == 1);
    }
    return NULL;
}

static void *renderer(void *arg)
{
    atomic_bool *stop = arg;
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    while (!atomic_load(stop)) {
        cw_buf_clear(&out);
        cw_metrics_render(metrics, &out);
        CW_ASSERT(!cw_buf_failed(&out));
    }
    cw_buf_fini(&out);
    return NULL;
}

/* Takes and gives at the edge of what there is: the sums never pass it, and come out even. */
static struct cw_memory_budget budget;
static atomic_int ntaken;

static void *taker(void *arg)
{
    enum cw_memory_use use = *(const enum cw_memory_use *)arg;
    for (int i = 0; i < 20000; i++) {
        uint64_t bytes = (uint64_t)(i % 70) + 1;
        if (cw_memory_take(&budget, use, bytes, NULL) < 0)
            continue;
        atomic_fetch_add(&ntaken, 1);
        CW_ASSERT(cw_memory_used(&budget, use) <= 80);
        CW_ASSERT(atomic_load(&budget.used) <= budget.limit);
        cw_memory_give(&budget, use, bytes);
    }
    return NULL;
}

static void check_budget(void)
{
    enum cw_memory_use uses[NTHREADS] = {CW_MEMORY_HEAD, CW_MEMORY_QUERIES, CW_MEMORY_QUERIES,
                                         CW_MEMORY_PUSHES};
    pthread_t threads[NTHREADS];
    cw_memory_budget_init(&budget, 100);
    for (int i = 0; i < CW_MEMORY_NUSES; i++)
        cw_memory_budget_share(&budget, i, 80);
    for (int i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, taker, &uses[i]);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);
    CW_ASSERT(atomic_load(&budget.used) == 0 && atomic_load(&ntaken) > 0);
    for (int i = 0; i < CW_MEMORY_NUSES; i++)
        CW_ASSERT(cw_memory_used(&budget, i) == 0 && cw_memory_peak(&budget, i) <= 80);
}

int main(void)
{
    check_budget();
    int null = open("/dev/null", O_WRONLY);
    int saved = dup(STDERR_FILENO);
    pthread_t threads[NTHREADS], render;
    atomic_bool stop = false;
    metrics = cw_metrics_new(defs, M_NMETRICS);
    pool = cw_pool_new(3, NULL);
    dup2(null, STDERR_FILENO);
    pthread_create(&render, NULL, renderer, &stop);
    for (int i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, submitter, i == 0 ? (void *)&stop : NULL);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&stop, true);
    pthread_join(render, NULL);
    dup2(saved, STDERR_FILENO);
    close(null);
    close(saved);
    int want = NTHREADS * NROUNDS * NJOBS;
    CW_ASSERT(atomic_load(&nran) == want);
    struct cw_buf out;
    char line[64];
    cw_buf_init(&out, 1 << 20);
    cw_metrics_render(metrics, &out);
    snprintf(line, sizeof line, "\nt_jobs_total %d\n", want);
    CW_ASSERT(strstr(cw_buf_z(&out), line) != NULL);
    snprintf(line, sizeof line, "\nt_seconds_count %d\n", want);
    CW_ASSERT(strstr(cw_buf_z(&out), line) != NULL);
    cw_buf_fini(&out);
    cw_pool_free(&pool);
    cw_metrics_free(&metrics);
    return 0;
}
