/*
 * own_server.h - the shipper's own HTTP server: /targets, /metrics, /ready and /reload.
 *
 * Ownership  Options are copied; what they point to outlives the server.
 * Threads    The loop's. /metrics and /ready are answered on a thread of the server.
 * Errors     CW_E_INVALID (TLS), CW_E_UNAVAILABLE (cannot be bound).
 */
#ifndef CW_SHIPPER_OWN_SERVER_H
#define CW_SHIPPER_OWN_SERVER_H
#include <stdatomic.h>
#include <uv.h>
#include "common/metrics/metrics.h"
#include "shipper/kept_metrics.h"
#include "shipper/server_config.h"
#include "shipper/sources.h"

struct cw_own_server;

struct cw_own_server_options {
    uv_loop_t *loop;
    const struct cw_server_config *config;
    struct cw_metrics *metrics;
    struct cw_kept_metrics *kept_metrics;
    struct cw_sources *sources;
    const atomic_bool *ready; /* has every server answered? */
    /* Take the configuration anew; an error leaves all as it is. Runs on the loop, whose work it is to stop after an answer. */
    int (*reload)(void *arg, struct cw_err *err);
    void *arg;
};

/* *out becomes NULL where the configuration wants none. */
int cw_own_server_open(const struct cw_own_server_options *options, struct cw_own_server **out,
                       struct cw_err *err) CW_MUST_USE;
/* "http://127.0.0.1:9080": where its paths begin; append it to *out. */
void cw_own_server_url(const struct cw_own_server *server, struct cw_buf *out);
/* The loop answers no more; its handles close. */
void cw_own_server_close(struct cw_own_server *server);
/* No thread of it runs any more; before what the options name is freed. NULL is fine. */
void cw_own_server_stop(struct cw_own_server *server);
/* After the loop has run. Sets *server to NULL. */
void cw_own_server_free(struct cw_own_server **server);

#endif
