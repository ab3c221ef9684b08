#include "querier/api/answer_stats.h"

/* What was read from parts and head; cordwood is one process, so that Loki's "querier" has it all. */
struct figures {
    uint64_t units_planned, units_read, stored_bytes, bytes, rows, matched;
};

static void write_store(struct cw_json_writer *w, const struct figures *f)
{
    cw_json_begin_object(w);
    cw_json_key_u64(w, "totalChunksRef", f->units_planned);
    cw_json_key_u64(w, "totalChunksDownloaded", f->units_read);
    cw_json_key_u64(w, "chunksDownloadTime", 0);
    cw_json_key(w, CW_STR("queryReferencedStructuredMetadata"));
    cw_json_bool(w, false);
    cw_json_key(w, CW_STR("chunk"));
    cw_json_begin_object(w);
    cw_json_key_u64(w, "headChunkBytes", 0);
    cw_json_key_u64(w, "headChunkLines", 0);
    cw_json_key_u64(w, "decompressedBytes", f->bytes);
    cw_json_key_u64(w, "decompressedLines", f->rows);
    cw_json_key_u64(w, "compressedBytes", f->stored_bytes);
    cw_json_key_u64(w, "totalDuplicates", 0);
    cw_json_key_u64(w, "postFilterLines", f->matched);
    cw_json_key_u64(w, "headChunkStructuredMetadataBytes", 0);
    cw_json_key_u64(w, "decompressedStructuredMetadataBytes", 0);
    cw_json_end_object(w);
    cw_json_key_u64(w, "chunkRefsFetchTime", 0);
    cw_json_key_u64(w, "congestionControlLatency", 0);
    cw_json_key_u64(w, "pipelineWrapperFilteredLines", 0);
    cw_json_end_object(w);
}

static void write_caches(struct cw_json_writer *w)
{
    static const char *const names[] = {
        "chunk",        "index",        "result",      "statsResult",
        "volumeResult", "seriesResult", "labelResult", "instantMetricResult"};
    cw_json_begin_object(w);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cw_json_key(w, cw_str_of(names[i]));
        cw_json_begin_object(w);
        cw_json_key_u64(w, "entriesFound", 0);
        cw_json_key_u64(w, "entriesRequested", 0);
        cw_json_key_u64(w, "entriesStored", 0);
        cw_json_key_u64(w, "bytesReceived", 0);
        cw_json_key_u64(w, "bytesSent", 0);
        cw_json_key_u64(w, "requests", 0);
        cw_json_key_u64(w, "downloadTime", 0);
        cw_json_key_u64(w, "queryLengthServed", 0);
        cw_json_end_object(w);
    }
    cw_json_end_object(w);
}

static void write_summary(struct cw_json_writer *w, const struct cw_answer_stats *stats,
                          const struct figures *f)
{
    double seconds = (double)stats->exec_ns / 1e9;
    cw_json_begin_object(w);
    cw_json_key_u64(w, "bytesProcessedPerSecond",
                    seconds > 0 ? (uint64_t)((double)f->bytes / seconds) : 0);
    cw_json_key_u64(w, "linesProcessedPerSecond",
                    seconds > 0 ? (uint64_t)((double)f->rows / seconds) : 0);
    cw_json_key_u64(w, "totalBytesProcessed", f->bytes);
    cw_json_key_u64(w, "totalLinesProcessed", f->rows);
    cw_json_key(w, CW_STR("execTime"));
    cw_json_f64(w, seconds);
    cw_json_key(w, CW_STR("queueTime"));
    cw_json_f64(w, (double)stats->queue_ns / 1e9);
    cw_json_key_u64(w, "subqueries", 0);
    cw_json_key_u64(w, "totalEntriesReturned", stats->entries_returned);
    cw_json_key_u64(w, "splits", 0);
    cw_json_key_u64(w, "shards", 0);
    cw_json_key_u64(w, "totalPostFilterLines", f->matched);
    cw_json_key_u64(w, "totalStructuredMetadataBytesProcessed", 0);
    cw_json_end_object(w);
}

void cw_answer_stats_write(struct cw_json_writer *w, const struct cw_answer_stats *stats)
{
    const struct cw_query_context *query = stats->query;
    struct figures all = {
        .units_planned = atomic_load(&query->units_planned),
        .units_read = atomic_load(&query->units_read),
        .stored_bytes = atomic_load(&query->stats.bytes_stored_read),
        .bytes = atomic_load(&query->stats.bytes_decompressed),
        .rows = atomic_load(&query->stats.rows_seen),
        .matched = atomic_load(&query->stats.rows_matched),
    };
    struct figures none = {0};
    cw_json_begin_object(w);
    cw_json_key(w, CW_STR("summary"));
    write_summary(w, stats, &all);
    cw_json_key(w, CW_STR("querier"));
    cw_json_begin_object(w);
    cw_json_key(w, CW_STR("store"));
    write_store(w, &all);
    cw_json_end_object(w);
    cw_json_key(w, CW_STR("ingester"));
    cw_json_begin_object(w);
    cw_json_key_u64(w, "totalReached", 1);
    cw_json_key_u64(w, "totalChunksMatched", all.units_planned);
    cw_json_key_u64(w, "totalBatches", 0);
    cw_json_key_u64(w, "totalLinesSent", 0);
    cw_json_key(w, CW_STR("store"));
    write_store(w, &none);
    cw_json_end_object(w);
    cw_json_key(w, CW_STR("cache"));
    write_caches(w);
    cw_json_key(w, CW_STR("index"));
    cw_json_begin_object(w);
    cw_json_key_u64(w, "totalChunks", 0);
    cw_json_key_u64(w, "postFilterChunks", 0);
    cw_json_key_u64(w, "shardsDuration", 0);
    cw_json_key(w, CW_STR("usedBloomFilters"));
    cw_json_bool(w, false);
    cw_json_end_object(w);
    cw_json_end_object(w);
}
