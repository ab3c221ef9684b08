/*
 * push_client.h - one output, a client for one tenant: cuts batches when they are due, pushes them one at a time, and keeps
 * the ledger by the answers.
 *
 *             ask, answered              batch                2xx; 409 "range": cut again;
 *   ASKING -----------------> IDLE ------------> SENDING -----> IDLE   4xx: push_refusal.h
 *     |  ^                                        |    |
 *     |  |                                        |    +--- 409 "session" ---> ASKING
 *     v  | timer                                  | 429, 5xx, none: the batch is kept, and
 *   BACKOFF <-------------------------------------+ sent again if the marks are at its start
 *                                                       any -- close --> STOPPED
 *
 * To a server that does not know /cordwood/v1/sources (Loki, VictoriaLogs) batches go without
 * ranges: at least once.
 *
 * Ownership  Options and what they point to outlive the client.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_PUSH_CLIENT_H
#define CW_SHIPPER_PUSH_CLIENT_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "common/metrics/metrics.h"
#include "common/net/http_client.h"
#include "shipper/batch.h"
#include "shipper/dead_letters.h"
#include "shipper/shipper_config.h"
#include "shipper/sources.h"

struct cw_push_client;

/* What all outputs share. Its functions may be called from within any of ours: they note what is to
 * be done, and return. */
struct cw_push_host {
    uv_loop_t *loop;
    struct cw_http_client *http;
    struct cw_sources *sources;
    struct cw_metrics *metrics;
    struct cw_dead_letters *dead_letters;
    struct cw_batch_pieces *pieces;
    struct cw_id128 shipper;   /* each client pushes under an uuid of its own: client_ids.h */
    struct cw_id128 *sessions; /* this start's last */
    size_t nsessions;
    const struct cw_limits_config *limits;
    bool hurry; /* stopping: do not wait for full batches */
    bool once;  /* do not wait for full batches; each client gives up after max_retries */
    /* The state directory was copied: draw another uuid, make it durable, _restart all. */
    void (*on_twin)(void *arg);
    void (*on_changed)(void *arg); /* a source was found to be truncated */
    void (*on_settled)(void *arg); /* something was settled, or the client is idle again: pump */
    void (*on_give_up)(void *arg); /* a client did: its output has gave_up */
    /* An entry for another tenant was met: batch.h, on_tenant. */
    bool (*on_tenant)(void *arg, struct cw_str tenant);
    void *arg;
};

/* All of it is borrowed. */
struct cw_push_client_options {
    const struct cw_client_config *config;
    struct cw_labels external;          /* for streams that have not these names */
    const struct cw_selector *selector; /* only streams that it matches; may be NULL */
    struct cw_id128 id;                 /* client_ids.h; copied */
    size_t output;                      /* in the table of sources: whose tenant, which rows */
};

struct cw_push_client *cw_push_client_new(struct cw_push_host *host,
                                          const struct cw_push_client_options *options);
/* Ask, then be idle. */
void cw_push_client_start(struct cw_push_client *client);
/* Entries that the server refused for good since the start. */
uint64_t cw_push_client_refused(const struct cw_push_client *client);
/* Send what is due. */
void cw_push_client_pump(struct cw_push_client *client);
/* The uuid is another: ask again before anything else is sent. What is under way ends first. */
void cw_push_client_restart(struct cw_push_client *client);
/* Forget a batch that waits for a server and names a truncated file, so that its next generation
 * can begin for the other outputs. */
void cw_push_client_release_changed(struct cw_push_client *client);
/* A push is under way. */
bool cw_push_client_sending(const struct cw_push_client *client);
/* Nothing is under way, kept or waited for, and the server has answered. */
bool cw_push_client_idle(const struct cw_push_client *client);
/* When its last push began, or it was made (monotonic). */
int64_t cw_push_client_sent_ns(const struct cw_push_client *client);
/* The server has answered at least one ask. */
bool cw_push_client_ready(const struct cw_push_client *client);
/* Abort what is under way and free when the loop has run. */
void cw_push_client_close(struct cw_push_client **client);

#endif
