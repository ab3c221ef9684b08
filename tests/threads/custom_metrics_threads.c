/* The registry of metrics stages, as the shipper uses it: the loop's stages update series, are reloaded and save them, while
 * threads of the HTTP server render them. What was counted is all there in the end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/pipeline/custom_metrics.h"
#include "tests/threads/check.h"

enum { UPDATERS = 2, RENDERERS = 2, UPDATES = 20000, SERIES = 50, MORE_METRICS = 40 };

static struct cw_custom_metrics *metrics;
static size_t counter, gauge, histogram;
static atomic_int nrunning;

static size_t metric_add(const char *name, enum cw_custom_type type, int64_t max_idle_ns)
{
    struct cw_custom_metric_def def = {cw_str_of(name), CW_STR("of a test"), type, NULL, 0,
                                       max_idle_ns};
    struct cw_err err = {0};
    size_t idx;
    CHECK(cw_custom_metrics_add(metrics, &def, &idx, &err) == 0);
    return idx;
}

static void *update(void *arg)
{
    (void)arg;
    for (int i = 0; i < UPDATES; i++) {
        char value[16];
        struct cw_label label = {CW_STR("series"),
                                 {value, (size_t)snprintf(value, sizeof value, "%d", i % SERIES)}};
        struct cw_labels labels = {&label, 1};
        cw_custom_metrics_update(metrics, counter, CW_CUSTOM_INC, labels, 0, i);
        /* These are forgotten, and begin again. */
        cw_custom_metrics_update(metrics, gauge, CW_CUSTOM_SET, labels, i, i);
        cw_custom_metrics_update(metrics, histogram, CW_CUSTOM_OBSERVE, labels, .01 * i, i);
    }
    atomic_fetch_sub(&nrunning, 1);
    return NULL;
}

static uint64_t total(void)
{
    struct cw_buf text;
    uint64_t sum = 0;
    cw_buf_init(&text, SIZE_MAX);
    cw_custom_metrics_render(metrics, 0, &text);
    struct cw_str rest = cw_buf_str(&text), line;
    while (cw_str_split(&rest, '\n', &line)) {
        uint64_t value;
        ptrdiff_t blank = cw_str_find_byte(line, ' ');
        if (cw_str_starts(line, CW_STR("lines_total{")) &&
            cw_str_to_u64(cw_str_sub(line, (size_t)blank + 1, line.len), &value))
            sum += value;
    }
    cw_buf_fini(&text);
    return sum;
}

static void *render(void *arg)
{
    uint64_t before = 0;
    (void)arg;
    while (atomic_load(&nrunning) > 0) {
        uint64_t now = total();
        CHECK(now >= before);
        before = now;
    }
    return NULL;
}

/* Also what the loop does between updates. */
static void *save_and_add(void *arg)
{
    for (int i = 0; atomic_load(&nrunning) > 0; i++) {
        char name[32];
        struct cw_err err = {0};
        snprintf(name, sizeof name, "more_%d", i % MORE_METRICS);
        (void)metric_add(name, CW_CUSTOM_GAUGE, 0);
        CHECK(cw_custom_metrics_save(metrics, arg, &err) == 0);
    }
    return NULL;
}

int main(void)
{
    char path[64];
    pthread_t threads[UPDATERS + RENDERERS + 1];
    size_t n = 0;
    snprintf(path, sizeof path, "/tmp/cw-custom-metrics-%ld", (long)getpid());
    metrics = cw_custom_metrics_new();
    counter = metric_add("lines_total", CW_CUSTOM_COUNTER, 0);
    gauge = metric_add("last", CW_CUSTOM_GAUGE, SERIES / 2);
    histogram = metric_add("took", CW_CUSTOM_HISTOGRAM, SERIES / 2);
    atomic_store(&nrunning, UPDATERS);
    for (int i = 0; i < UPDATERS; i++)
        CHECK(pthread_create(&threads[n++], NULL, update, NULL) == 0);
    for (int i = 0; i < RENDERERS; i++)
        CHECK(pthread_create(&threads[n++], NULL, render, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, save_and_add, path) == 0);
    for (size_t i = 0; i < n; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(total() == (uint64_t)UPDATERS * UPDATES);
    struct cw_err err = {0};
    CHECK(cw_custom_metrics_save(metrics, path, &err) == 0);
    cw_custom_metrics_free(&metrics);
    metrics = cw_custom_metrics_new();
    counter = metric_add("lines_total", CW_CUSTOM_COUNTER, 0);
    CHECK(cw_custom_metrics_load(metrics, path, &err) == 0);
    CHECK(total() == (uint64_t)UPDATERS * UPDATES);
    cw_custom_metrics_free(&metrics);
    CHECK(unlink(path) == 0);
    return 0;
}
