/*
 * receivers.h - all receivers of a configuration, with their spools: made, started, pruned, stopped.
 *
 * Each scrape config's receiver has the spool <folder>/<kind>.<job_name>, so a job's name is part of
 * its identity; what a receiver that is configured no longer left in its spool is still delivered.
 *
 * Ownership  Options outlive the object.
 * Threads    The loop's.
 * Errors     CW_E_INVALID (two receivers of one name), those of spool_writer.h and of the receivers.
 */
#ifndef CW_SHIPPER_RECEIVERS_H
#define CW_SHIPPER_RECEIVERS_H
#include <stdbool.h>
#include <uv.h>
#include "common/metrics/metrics.h"
#include "shipper/scrape.h"
#include "shipper/sources.h"

struct cw_receivers;

struct cw_receivers_options {
    uv_loop_t *loop;
    const struct cw_shipper_config *config;
    const struct cw_scrape *scrapes;
    size_t nscrapes;
    const char *folder;         /* of all spools */
    struct cw_sources *sources; /* get the spools as targets */
    struct cw_metrics *metrics;
    bool once;
    void (*on_segment)(void *arg); /* a spool has a new file: scan */
    void (*on_stopped)(void *arg); /* after _stop(): all that a receiver took is durable */
    void *arg;
};

/* Of a configuration: appends a line, "file:line: sentence" and a newline, for each receiver that _new() would refuse for its name;
 * returns how many. */
size_t cw_receivers_namesakes_tell(const struct cw_shipper_config *config, const char *file,
                                   struct cw_buf *out);
/* Their spools are open and are targets; nothing is received yet. */
int cw_receivers_new(const struct cw_receivers_options *options, struct cw_receivers **out,
                     struct cw_err *err) CW_MUST_USE;
int cw_receivers_start(struct cw_receivers *receivers, struct cw_err *err) CW_MUST_USE;
/* Delete settled segments, keep the bounds. Each tick. */
void cw_receivers_prune(struct cw_receivers *receivers, int64_t now_ns);
/* With --once: all inputs that end have ended, and what they said is durable. */
bool cw_receivers_done(const struct cw_receivers *receivers);
/* Take nothing more. Again is fine. */
void cw_receivers_stop(struct cw_receivers *receivers);
/* What was taken is durable (or cannot be written). */
bool cw_receivers_idle(const struct cw_receivers *receivers);
/* Stops, and closes the spools. The loop must run before it is freed. */
void cw_receivers_close(struct cw_receivers *receivers);
void cw_receivers_free(struct cw_receivers **receivers);

#endif
