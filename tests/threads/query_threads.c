/* Queries of both kinds at once over one pool, some of them cancelled while they run. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "querier/api/coordinator.h"
#include "querier/engine/log_query.h"
#include "querier/engine/metric_query.h"
#include "tests/support/mem_source.h"

#define ROUNDS 30
#define ENTRIES 2000

struct shared {
    struct cw_entry_store store;
    struct cw_pool *pool;
    struct cw_coordinator *coordinator;
    bool cancels; /* this thread's queries lose their client */
    int failures;
};

static void fail(struct shared *shared, const char *what)
{
    fprintf(stderr, "%s\n", what);
    shared->failures++;
}

static void run_logs(struct shared *shared, struct cw_query_context *context,
                     const struct cw_query *query)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    struct cw_err err;
    size_t n = 0;
    int rc = cw_log_query_open(context, query->root, 0, ENTRIES, true, &log_query, &err);
    while (rc == 0 && !page.last) {
        rc = cw_log_query_page(log_query, 97, 1 << 20, &page, &err);
        n += rc == 0 ? page.n : 0;
    }
    cw_log_query_close(&log_query);
    if (rc == 0 ? n != ENTRIES : !shared->cancels || rc != CW_E_CANCELED)
        fail(shared, "a log query gave the wrong answer");
}

static void run_metric(struct shared *shared, struct cw_query_context *context,
                       const struct cw_query *query)
{
    struct cw_grid grid;
    struct cw_result result;
    struct cw_err err;
    cw_grid_init_instant(&grid, ENTRIES);
    int rc = cw_metric_query_run(context, query->root, &grid, CW_EVAL_INSTANT, 500, &result, &err);
    if (rc == 0) {
        if (result.table->n != 1 || result.table->items[0].values[0] != ENTRIES)
            fail(shared, "a metric query gave the wrong answer");
        cw_result_fini(&result);
    } else if (!shared->cancels || rc != CW_E_CANCELED) {
        fail(shared, "a metric query failed");
    }
}

/* Each of them has every entry. */
static const char *const log_queries[] = {
    "{a=~\".+\"}",
    "{a=~\".+\"} | logfmt | distinct n",
    "{a=~\".+\"} | logfmt | sort by (n desc)",
    "{a=~\".+\"} |= \"7\" | context -C 20",
};

static void *set_flag(void *flag)
{
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void run_round(struct shared *shared, int round)
{
    bool metric = round % 2 == 1;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query = NULL;
    struct cw_err err;
    atomic_bool gone = false;
    pthread_t leaver;
    const char *text =
        metric ? "sum(count_over_time({a=~\".+\"}[1h]))" : log_queries[round / 2 % 4];
    if (shared->store.snapshot(shared->store.ctx, CW_STR("fake"), &snapshot, &err) < 0 ||
        cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &query, &err) < 0)
        abort();
    cw_query_context_init(&context, shared->pool, &snapshot, 0);
    context.client_gone = &gone;
    cw_coordinator_watch(shared->coordinator, &context);
    if (shared->cancels)
        pthread_create(&leaver, NULL, set_flag, &gone);
    if (metric)
        run_metric(shared, &context, query);
    else
        run_logs(shared, &context, query);
    cw_coordinator_unwatch(shared->coordinator, &context);
    if (shared->cancels)
        pthread_join(leaver, NULL);
    cw_query_free(&query);
    cw_snapshot_fini(&snapshot);
}

static void *run_thread(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        run_round(arg, i);
    return NULL;
}

int main(void)
{
    struct mem_store *store = mem_store_new(2, 50, 10);
    struct shared shared[4];
    pthread_t threads[4];
    int failures = 0;
    for (int i = 0; i < ENTRIES; i++) {
        char line[16];
        snprintf(line, sizeof line, "n=%d", i);
        mem_store_add(store, (size_t)i % 2, i % 3 ? "{a=\"1\"}" : "{a=\"2\"}", i, line, NULL);
    }
    struct cw_pool *pool = cw_pool_new(3, NULL);
    struct cw_coordinator *coordinator = cw_coordinator_new(1, 1, NULL);
    for (int i = 0; i < 4; i++) {
        shared[i] = (struct shared){mem_store_entry_store(store), pool, coordinator, i % 2 == 1, 0};
        pthread_create(&threads[i], NULL, run_thread, &shared[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        failures += shared[i].failures;
    }
    cw_coordinator_free(&coordinator);
    cw_pool_free(&pool);
    mem_store_free(&store);
    return failures > 0;
}
