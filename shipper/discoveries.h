/*
 * discoveries.h - all that finds targets: the discoveries of every scrape config.
 *
 * Static configs are targets at once; the others are started with the loop, and tell when there are other targets.
 *
 * Ownership  Scrapes, their configuration and what the host names outlive it.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_DISCOVERIES_H
#define CW_SHIPPER_DISCOVERIES_H
#include <uv.h>
#include "common/net/http_client.h"
#include "shipper/targets.h"

/* Below the host's folder; no receiver's name. */
#define CW_DISCOVERY_SPOOLS "docker_logs"

struct cw_discovery_host {
    uv_loop_t *loop;
    struct cw_http_client *http;
    struct cw_sources *sources;
    struct cw_metrics *metrics;
    const char *folder; /* of spools, for what has no files */
    const struct cw_spool_config *spool;
    bool once;
    void (*on_targets)(void *arg); /* there are others: scan */
    void *arg;
};

/* One kind of discovery. `self` is what new() returned. */
struct cw_discovery_def {
    void *(*new)(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                 const void *config);
    void (*start)(void *self);
    bool (*listed)(const void *self); /* it knows what there was when it started, or cannot know */
    void (*close)(void *self);        /* frees itself when the loop has run */
};

struct cw_discoveries;

struct cw_discoveries *cw_discoveries_new(const struct cw_discovery_host *host,
                                          const struct cw_scrape *scrapes, size_t n);
void cw_discoveries_start(struct cw_discoveries *discoveries);
/* All have answered once, and what they named is among the targets. */
bool cw_discoveries_listed(const struct cw_discoveries *discoveries);
/* Before the HTTP client is closed. NULL is fine. */
void cw_discoveries_close(struct cw_discoveries **discoveries);

/* What a static config says, as found things in the arena. `path` (may be empty) is the file that holds it. */
struct cw_found *cw_found_static(const struct cw_static_config *config, struct cw_str path,
                                 struct cw_arena *arena, size_t *n_out);

#endif
