/*
 * querier.h - the querier's only public header: mounts the query API on an HTTP server, over whoever keeps the entries.
 *
 * Ownership  The querier borrows the server, the store and the pool; they outlive it.
 * Threads    Handlers run on the server's threads and hand queries to the pool's.
 */
#ifndef CW_QUERIER_QUERIER_H
#define CW_QUERIER_QUERIER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/memory_budget.h"
#include "common/base/pool.h"
#include "common/net/http_server.h"
#include "common/store/cursor.h"
#include "common/store/hidden.h"

/* Loki's limits_config names and defaults; 0 is no limit where Loki says so. */
struct cw_query_limits {
    uint32_t max_entries_limit_per_query;    /* 5000 */
    uint32_t max_query_series;               /* 500 */
    int64_t max_query_length_ns;             /* 721 h */
    int64_t max_query_lookback_ns;           /* 0 */
    int64_t max_query_range_ns;              /* 0 */
    int64_t query_timeout_ns;                /* 1 min */
    uint32_t max_streams_matchers_per_query; /* 1000 */
    uint64_t max_query_bytes_read;           /* 0: no limit */
    uint64_t query_memory_bytes;             /* allowance of one query */
    bool volume_enabled;
    uint32_t volume_max_series;            /* 1000 */
    bool approx_topk;                      /* false */
    bool multi_variant_queries;            /* false */
    uint32_t max_concurrent_tail_requests; /* 10 */
};
void cw_query_limits_default(struct cw_query_limits *limits);

/* A tag of the header X-Query-Tags (`Source=logcli,user=x`); both are compared up to case. */
struct cw_query_tag {
    struct cw_str name, value;
};
/* Loki's blocked_queries: what has the hash, is the pattern (but for white space at its ends), or holds a match of it. Without either it
 * is about every query. */
struct cw_blocked_query {
    struct cw_str pattern;
    bool regex;
    uint32_t hash;              /* FNV-1 of the query's text; 0: not asked */
    const struct cw_str *types; /* metric, filter, limited; ntypes = 0: all */
    size_t ntypes;
    const struct cw_query_tag *tags; /* all must be there */
    size_t ntags;
};
struct cw_query_policy_options {
    const struct cw_str *required_labels;
    size_t nrequired_labels;
    uint32_t minimum_matchers;
    const struct cw_blocked_query *blocked;
    size_t nblocked;
    bool disabled; /* no query is answered */
};
/* Which queries a tenant may not ask. Counted, and read-only once it is made. */
struct cw_query_policy;
/* Copies the options. CW_E_INVALID: a pattern that is no regular expression, in Go's words. */
int cw_query_policy_new(const struct cw_query_policy_options *options, struct cw_query_policy **out,
                        struct cw_err *err) CW_MUST_USE;
struct cw_query_policy *cw_query_policy_ref(struct cw_query_policy *policy);
/* NULL is fine. */
void cw_query_policy_unref(struct cw_query_policy **policy);

struct cw_json_writer;
struct cw_querier_options {
    struct cw_http_server *server;
    struct cw_entry_store store;
    struct cw_pool *pool;
    struct cw_memory_budget *memory; /* what all queries draw from; may be NULL */
    /* The tenant of a request ("fake" without auth); answers the request itself (401) and returns false when it has none. */
    bool (*tenant)(void *ctx, struct cw_http_request *request, struct cw_str *tenant_out);
    /* Limits of a tenant now (they may be reloaded). */
    void (*limits)(void *ctx, struct cw_str tenant, struct cw_query_limits *out);
    /* What it may not ask now; a reference. */
    struct cw_query_policy *(*policy)(void *ctx, struct cw_str tenant);
    /* Writes the limits that clients may know of, as one object. */
    void (*published_limits)(void *ctx, struct cw_str tenant, struct cw_json_writer *out);
    void *ctx;
    int64_t tail_max_duration_ns; /* a live tail is ended after so long; 0: never */
};

struct cw_querier;
/* The routes that it mounts, for the documentation; ended by path NULL. */
const struct cw_http_route *cw_querier_routes(void);
/* Mounts them; before cw_http_server_start(). */
int cw_querier_new(const struct cw_querier_options *options, struct cw_querier **out,
                   struct cw_err *err) CW_MUST_USE;
/* Waits for queries under way (the server is stopped before). */
void cw_querier_free(struct cw_querier **querier);
/* Queries, entries and bytes since the start, for the ingester's /metrics: appends Prometheus text. */
void cw_querier_metrics(const struct cw_querier *querier, struct cw_buf *out);

/* A log query as a test of single entries, for deletes: does the entry pass its pipeline? Read-only once it is made. */
struct cw_entry_test;
/* Any selector and pipeline that can be evaluated. CW_E_INVALID in Loki's words. */
int cw_entry_test_new(struct cw_str query, struct cw_entry_test **out,
                      struct cw_err *err) CW_MUST_USE;
void cw_entry_test_free(struct cw_entry_test **test);
const struct cw_selector *cw_entry_test_selector(const struct cw_entry_test *test);
/* NULL: the query is a selector alone, every entry of its streams passes. */
const struct cw_entry_filter *cw_entry_test_filter(const struct cw_entry_test *test);

#endif
