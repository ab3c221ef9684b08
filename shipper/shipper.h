/*
 * shipper.h - the running shipper: sources, outputs, positions and the clock that drives them, on
 * one libuv loop.
 *
 * Life       _new reads positions and takes the lock on them; _run returns when a signal or --once
 *            ends it; _free.
 * Threads    One. /metrics and /ready are answered by the HTTP server's threads from atomics.
 * Errors     Configuration: CW_E_INVALID. Positions: CW_E_CORRUPT, CW_E_IO, CW_E_FORBIDDEN (another
 *            shipper has them).
 */
#ifndef CW_SHIPPER_SHIPPER_H
#define CW_SHIPPER_SHIPPER_H
#include "shipper/shipper_config.h"

struct cw_shipper;

/* SIGTERM, SIGINT and SIGHUP wait until _run is ready for them: at once, before there are threads. */
void cw_shipper_signals_hold(void);
/* Both are borrowed. */
int cw_shipper_new(const struct cw_shipper_config *config, const struct cw_shipper_args *args,
                   struct cw_shipper **out, struct cw_err *err) CW_MUST_USE;
/* SIGHUP, and the configuration is good: run the program again. No exit status of a program. */
#define CW_SHIPPER_RELOAD 256

/* The exit status, or CW_SHIPPER_RELOAD. */
int cw_shipper_run(struct cw_shipper *shipper);
void cw_shipper_free(struct cw_shipper **shipper);

#endif
