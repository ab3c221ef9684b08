#include "ingester/ingester_metrics.h"

#include "common/net/http_server.h"
#include "ingester/push.h"
#include "ingester/store.h"

const struct cw_metric_def cw_ingester_metric_defs[CW_M_NMETRICS] = {
    [CW_M_REQUESTS] = {"cordwood_http_requests_total", CW_METRIC_COUNTER,
                       "HTTP requests by route and status.", .labels = {"route", "status"}},
    [CW_M_REQUEST_SECONDS] = {"cordwood_http_request_seconds", CW_METRIC_HISTOGRAM,
                              "Time to answer a request.", .labels = {"route"}, CW_METRIC_SECONDS},
    [CW_M_RECEIVED_BYTES] = {"cordwood_received_bytes_total", CW_METRIC_COUNTER,
                             "Bytes of push bodies as received.", .labels = {"tenant"}},
    [CW_M_RECEIVED_LINES] = {"cordwood_received_lines_total", CW_METRIC_COUNTER, "Entries stored.",
                             .labels = {"tenant"}},
    [CW_M_RECEIVED_LINE_BYTES] = {"cordwood_received_line_bytes_total", CW_METRIC_COUNTER,
                                  "Bytes of the lines of entries stored.", .labels = {"tenant"}},
    [CW_M_DISCARDED] = {"cordwood_discarded_entries_total", CW_METRIC_COUNTER,
                        "Entries that were not stored, by reason.", .labels = {"reason", "tenant"}},
    [CW_M_DELIVERY_REFUSED] = {"cordwood_deliveries_refused_total", CW_METRIC_COUNTER,
                               "Pushes of shippers whose range or session did not fit (they cut or "
                               "ask again), and repeats.",
                               .labels = {"reason"}},
    [CW_M_HEAD_BYTES] = {"cordwood_head_bytes", CW_METRIC_GAUGE,
                         "Memory of entries that are in no part yet."},
    [CW_M_HEAD_STREAMS] = {"cordwood_head_streams", CW_METRIC_GAUGE, "Streams with such entries."},
    [CW_M_HEAD_ENTRIES] = {"cordwood_head_entries", CW_METRIC_GAUGE,
                           "Entries that are in no part yet."},
    [CW_M_PENDING_BYTES] = {"cordwood_pending_bytes", CW_METRIC_GAUGE,
                            "Memory of pushes that wait for the log."},
    [CW_M_HEAD_LIMIT_BYTES] = {"cordwood_head_memory_limit_bytes", CW_METRIC_GAUGE,
                               "The budget of head and pending pushes."},
    [CW_M_MEMORY_BYTES] = {"cordwood_memory_bytes", CW_METRIC_GAUGE,
                           "Memory by what it is used for.", .labels = {"use"}},
    [CW_M_MEMORY_PEAK_BYTES] = {"cordwood_memory_peak_bytes", CW_METRIC_GAUGE,
                                "The most that each use held at once.", .labels = {"use"}},
    [CW_M_MEMORY_LIMIT_BYTES] = {"cordwood_memory_limit_bytes", CW_METRIC_GAUGE,
                                 "What all uses may hold together (memory.limit)."},
    [CW_M_CONNECTIONS] = {"cordwood_http_connections", CW_METRIC_GAUGE, "Connections of clients."},
    [CW_M_CONNECTIONS_MAX] = {"cordwood_http_connections_limit", CW_METRIC_GAUGE,
                              "Places for them: 1024, or one for each MiB of memory.limit."},
    [CW_M_CONNECTIONS_GAVE_WAY] = {"cordwood_http_connections_gave_way_total", CW_METRIC_COUNTER,
                                   "Connections that waited for their client and were closed for "
                                   "new ones."},
    [CW_M_CONNECTIONS_REFUSED] = {"cordwood_http_connections_refused_total", CW_METRIC_COUNTER,
                                  "New connections closed because requests held all places."},
    [CW_M_CACHE_HITS] = {"cordwood_cache_hits_total", CW_METRIC_COUNTER,
                         "What queries needed decoded of parts and found so (memory.caches)."},
    [CW_M_CACHE_MISSES] = {"cordwood_cache_misses_total", CW_METRIC_COUNTER,
                           "What they had to decode."},
    [CW_M_CACHE_EVICTED] = {"cordwood_cache_evicted_total", CW_METRIC_COUNTER,
                            "What left the cache for something newer, or because its memory was "
                            "needed."},
    [CW_M_WAL_BYTES] = {"cordwood_wal_bytes", CW_METRIC_GAUGE, "Size of the write-ahead log."},
    [CW_M_WAL_SEGMENTS] = {"cordwood_wal_segments", CW_METRIC_GAUGE,
                           "Segments of the write-ahead log."},
    [CW_M_WAL_SYNCS] = {"cordwood_wal_syncs_total", CW_METRIC_COUNTER,
                        "Syncs of the log; each serves all pushes that wait."},
    [CW_M_WAL_SYNC_SECONDS] = {"cordwood_wal_sync_seconds_total", CW_METRIC_COUNTER,
                               "Time spent in them.", .scale = 1e9},
    [CW_M_WAL_FAILURES] = {"cordwood_wal_failures_total", CW_METRIC_COUNTER,
                           "Groups of pushes refused because the log could not be written."},
    [CW_M_WAL_BAD] = {"cordwood_wal_bad_total", CW_METRIC_COUNTER,
                      "Places of the log that were bad at replay; copies are in quarantine/."},
    [CW_M_WAL_MISSING] =
        {"cordwood_wal_missing_frames_total", CW_METRIC_COUNTER,
         "Frames (a push each, at most) that the log should hold and does not: found at replay."},
    [CW_M_REPLAYED] = {"cordwood_wal_replayed_entries_total", CW_METRIC_COUNTER,
                       "Entries that the start took from the log."},
    [CW_M_FLUSHES] = {"cordwood_flushes_total", CW_METRIC_COUNTER,
                      "Generations of the head written into parts."},
    [CW_M_FLUSH_FAILURES] = {"cordwood_flush_failures_total", CW_METRIC_COUNTER,
                             "Flushes that failed and were or will be tried again."},
    [CW_M_MARKS] = {"cordwood_source_marks", CW_METRIC_GAUGE, "Marks of shippers' sources."},
    [CW_M_MARKS_FORGOTTEN] = {"cordwood_source_marks_forgotten_total", CW_METRIC_COUNTER,
                              "Marks dropped after sources.forget of silence."},
    [CW_M_PARTS] = {"cordwood_parts", CW_METRIC_GAUGE, "Parts on disk."},
    [CW_M_PARTS_BYTES] = {"cordwood_parts_bytes", CW_METRIC_GAUGE, "Their size."},
    [CW_M_PARTS_RAW_BYTES] = {"cordwood_parts_raw_bytes", CW_METRIC_GAUGE,
                              "Bytes of the lines in them."},
    [CW_M_PARTS_ENTRIES] = {"cordwood_parts_entries", CW_METRIC_GAUGE, "Entries in them."},
    [CW_M_BAD_BLOCKS] = {"cordwood_bad_blocks_total", CW_METRIC_COUNTER,
                         "Blocks whose bytes failed their checksum."},
    [CW_M_BAD_PARTS] = {"cordwood_bad_parts_total", CW_METRIC_COUNTER,
                        "Parts set aside in quarantine/."},
    [CW_M_PARTS_MISSING] = {"cordwood_parts_missing", CW_METRIC_GAUGE,
                            "Parts that were not there, or set aside, at some start: one that is "
                            "put back is taken in by the next."},
    [CW_M_BAD_INDEXES] = {"cordwood_bad_indexes_total", CW_METRIC_COUNTER,
                          "Parts whose stream labels or postings failed their checksum."},
    [CW_M_MERGES] = {"cordwood_merges_total", CW_METRIC_COUNTER, "Merges of parts."},
    [CW_M_MERGE_FAILURES] = {"cordwood_merge_failures_total", CW_METRIC_COUNTER,
                             "Merges that failed."},
    [CW_M_RETENTION_DROPPED] = {"cordwood_retention_dropped_parts_total", CW_METRIC_COUNTER,
                                "Parts dropped. Other reasons than age cut into the period that "
                                "was promised.",
                                .labels = {"reason"}},
    [CW_M_PARTS_REWRITTEN] = {"cordwood_parts_rewritten_total", CW_METRIC_COUNTER,
                              "Parts written anew without entries that deletes or "
                              "retention_stream removed."},
    [CW_M_PARTS_REWRITE_FAILURES] = {"cordwood_parts_rewrite_failures_total", CW_METRIC_COUNTER,
                                     "Parts that could not be written anew: what is hidden in "
                                     "them stays hidden."},
    [CW_M_ENTRIES_REMOVED] = {"cordwood_removed_entries_total", CW_METRIC_COUNTER,
                              "Entries that such parts lost."},
    [CW_M_DELETES] = {"cordwood_deletes", CW_METRIC_GAUGE,
                      "Deletes, by state; processed ones are receipts.", .labels = {"state"}},
    [CW_M_READY] = {"cordwood_ready", CW_METRIC_GAUGE,
                    "1 when the log is replayed and the server does not stop, as /ready."},
};

static void collect_memory(struct cw_metrics *metrics, const struct cw_memory_budget *memory)
{
    for (size_t i = 0; i < CW_MEMORY_NUSES; i++) {
        struct cw_str use = cw_str_of(cw_memory_use_names[i]);
        cw_metric_set(cw_metrics_child(metrics, CW_M_MEMORY_BYTES, &use),
                      (int64_t)cw_memory_used(memory, i));
        cw_metric_set(cw_metrics_child(metrics, CW_M_MEMORY_PEAK_BYTES, &use),
                      (int64_t)cw_memory_peak(memory, i));
    }
}

static void collect_one(struct cw_metrics *metrics, enum cw_ingester_metric idx,
                        const struct cw_str *labels, uint64_t value)
{
    struct cw_metric *metric = cw_metrics_child(metrics, idx, labels);
    if (cw_ingester_metric_defs[idx].type == CW_METRIC_GAUGE)
        cw_metric_set(metric, (int64_t)value);
    else /* the store counts; here only what came since the last render is added */
        cw_metric_add(metric, (int64_t)value - cw_metric_value(metric));
}

void cw_ingester_metrics_collect(struct cw_metrics *metrics, void *arg)
{
    struct cw_ingester *ingester = arg;
    struct cw_store *store = ingester->store;
    collect_memory(metrics, &ingester->memory);
    struct cw_store_counts c;
    struct cw_part_cache_counts cache;
    cw_store_count(store, &c);
    cw_part_cache_count(ingester->cache, &cache);
    struct cw_http_connections connections = {0};
    if (ingester->http != NULL)
        cw_http_server_connections(ingester->http, &connections);
    const struct {
        enum cw_ingester_metric idx;
        uint64_t value;
    } values[] = {
        {CW_M_HEAD_BYTES, c.head_bytes},
        {CW_M_HEAD_STREAMS, c.head_streams},
        {CW_M_HEAD_ENTRIES, c.head_entries},
        {CW_M_PENDING_BYTES, c.pending_bytes},
        {CW_M_HEAD_LIMIT_BYTES, c.memory_bytes},
        {CW_M_MEMORY_LIMIT_BYTES, ingester->memory.limit},
        {CW_M_CONNECTIONS, connections.open},
        {CW_M_CONNECTIONS_MAX, connections.max},
        {CW_M_CONNECTIONS_GAVE_WAY, connections.gave_way},
        {CW_M_CONNECTIONS_REFUSED, connections.refused},
        {CW_M_CACHE_HITS, cache.hits},
        {CW_M_CACHE_MISSES, cache.misses},
        {CW_M_CACHE_EVICTED, cache.evicted},
        {CW_M_WAL_BYTES, c.wal_bytes},
        {CW_M_WAL_SEGMENTS, c.wal_segments},
        {CW_M_WAL_SYNCS, c.wal_syncs},
        {CW_M_WAL_SYNC_SECONDS, c.wal_sync_ns},
        {CW_M_WAL_FAILURES, c.wal_failures},
        {CW_M_WAL_BAD, c.wal_bad_frames},
        {CW_M_WAL_MISSING, c.wal_missing_frames},
        {CW_M_REPLAYED, c.replayed_entries},
        {CW_M_FLUSHES, c.flushes},
        {CW_M_FLUSH_FAILURES, c.flush_failures},
        {CW_M_MARKS, c.marks},
        {CW_M_MARKS_FORGOTTEN, c.marks_forgotten},
        {CW_M_PARTS, c.parts.parts},
        {CW_M_PARTS_BYTES, c.parts.bytes},
        {CW_M_PARTS_RAW_BYTES, c.parts.raw_bytes},
        {CW_M_PARTS_ENTRIES, c.parts.entries},
        {CW_M_BAD_BLOCKS, c.parts.bad_blocks},
        {CW_M_BAD_PARTS, c.parts.bad_parts},
        {CW_M_PARTS_MISSING, c.parts.missing},
        {CW_M_BAD_INDEXES, c.parts.bad_indexes},
        {CW_M_MERGES, c.merges.merges},
        {CW_M_MERGE_FAILURES, c.merges.failed},
        {CW_M_PARTS_REWRITTEN, c.purge.rewritten},
        {CW_M_PARTS_REWRITE_FAILURES, c.purge.failed},
        {CW_M_ENTRIES_REMOVED, c.purge.removed},
        {CW_M_READY, cw_store_ready(store, NULL)},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        collect_one(metrics, values[i].idx, NULL, values[i].value);
    const struct {
        enum cw_ingester_metric idx;
        struct cw_str label;
        uint64_t value;
    } labelled[] = {
        {CW_M_RETENTION_DROPPED, CW_STR("age"), c.retention.age},
        {CW_M_RETENTION_DROPPED, CW_STR("tenant_bytes"), c.retention.tenant_bytes},
        {CW_M_RETENTION_DROPPED, CW_STR("store_bytes"), c.retention.store_bytes},
        {CW_M_RETENTION_DROPPED, CW_STR("free_space"), c.retention.free_space},
        {CW_M_DELETES, CW_STR("received"), c.deletes.received},
        {CW_M_DELETES, CW_STR("processing"), c.deletes.processing},
        {CW_M_DELETES, CW_STR("processed"), c.deletes.processed},
    };
    for (size_t i = 0; i < sizeof(labelled) / sizeof(labelled[0]); i++)
        collect_one(metrics, labelled[i].idx, &labelled[i].label, labelled[i].value);
}
