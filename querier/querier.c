#include "querier/querier.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "querier/api/api_request.h"
#include "querier/api/live_tails.h"
#include "querier/api/routes.h"

/* Queries at a time: so many that short ones find a thread beside many long ones (the pool serves first what has used the least), as
 * long as each can have some of the memory of queries. */
#define MAX_QUERIES 128
#define MIN_QUERIES 16
#define QUERY_BYTES (4 << 20)

struct cw_querier {
    struct cw_api api;
};

const struct cw_http_route *cw_querier_routes(void)
{
    return cw_routes_table;
}

static unsigned queries_at_once(const struct cw_memory_budget *memory)
{
    uint64_t n = memory != NULL ? memory->uses[CW_MEMORY_QUERIES].max / QUERY_BYTES : MAX_QUERIES;
    return (unsigned)CW_MAX(CW_MIN(n, MAX_QUERIES), MIN_QUERIES);
}

int cw_querier_new(const struct cw_querier_options *options, struct cw_querier **out,
                   struct cw_err *err)
{
    struct cw_querier *querier = cw_mem_new(sizeof *querier);
    querier->api.options = *options;
    querier->api.tails = cw_live_tails_new();
    querier->api.queries =
        cw_coordinator_new(queries_at_once(options->memory), CW_API_MAX_QUEUED, err);
    if (querier->api.queries != NULL)
        querier->api.exports = cw_coordinator_new(CW_API_EXPORT_THREADS, CW_API_MAX_QUEUED, err);
    if (querier->api.exports == NULL) {
        cw_querier_free(&querier);
        return err->code;
    }
    cw_http_server_routes(options->server, cw_routes_table, &querier->api);
    *out = querier;
    return 0;
}

void cw_querier_free(struct cw_querier **querier)
{
    if (*querier == NULL)
        return;
    cw_live_tails_free(&(*querier)->api.tails); /* they watch their queries with the coordinator */
    cw_coordinator_free(&(*querier)->api.queries);
    cw_coordinator_free(&(*querier)->api.exports);
    free(*querier);
    *querier = NULL;
}

static void write_metric(struct cw_buf *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
    cw_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
                (unsigned long long)value);
}

void cw_querier_metrics(const struct cw_querier *querier, struct cw_buf *out)
{
    const struct cw_api *api = &querier->api;
    size_t running, queued, exporting, exports_queued;
    cw_coordinator_load(api->queries, &running, &queued);
    cw_coordinator_load(api->exports, &exporting, &exports_queued);
    write_metric(out, "cordwood_queries_total", "counter",
                 "Requests to the query API that were answered.",
                 atomic_load(&api->counters.queries));
    write_metric(out, "cordwood_queries_failed_total", "counter",
                 "Queries that ended with an error, cancelled ones included.",
                 atomic_load(&api->counters.failed));
    write_metric(out, "cordwood_queries_refused_total", "counter",
                 "Queries refused because too many were waiting.",
                 atomic_load(&api->counters.refused));
    write_metric(out, "cordwood_query_entries_total", "counter", "Entries and series in answers.",
                 atomic_load(&api->counters.entries));
    write_metric(out, "cordwood_query_scanned_bytes_total", "counter",
                 "Bytes decompressed for queries.", atomic_load(&api->counters.bytes));
    write_metric(out, "cordwood_queries_running", "gauge", "Queries and exports under way.",
                 running + exporting);
    write_metric(out, "cordwood_queries_waiting", "gauge",
                 "Queries and exports that wait for a thread.", queued + exports_queued);
    write_metric(out, "cordwood_tails_total", "counter", "Live tails that began.",
                 atomic_load(&api->counters.tails));
    write_metric(out, "cordwood_tails", "gauge", "Live tails under way.",
                 cw_live_tails_count(api->tails));
    write_metric(out, "cordwood_tail_entries_total", "counter", "Entries sent to live tails.",
                 atomic_load(&api->counters.tail_entries));
    write_metric(out, "cordwood_tail_dropped_total", "counter",
                 "Entries that live tails were too slow for.",
                 atomic_load(&api->counters.tail_dropped));
}
