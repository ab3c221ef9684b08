/*
 * datagrams.h - a UDP socket whose datagrams are handed over one by one.
 *
 * A sender cannot be held up: what comes while there is no room waits in the kernel's buffer, of
 * CW_DATAGRAMS_BUFFER_BYTES where the kernel allows it, and is lost when that is full.
 *
 * Ownership  Frees itself when it is closed and the loop has run.
 * Threads    The loop's.
 * Errors     CW_E_INVALID, CW_E_UNAVAILABLE (cannot be bound).
 */
#ifndef CW_SHIPPER_DATAGRAMS_H
#define CW_SHIPPER_DATAGRAMS_H
#include <stdbool.h>
#include <uv.h>
#include "common/base/err.h"
#include "common/base/str.h"

#define CW_DATAGRAMS_BUFFER_BYTES (4 << 20)

struct cw_datagrams;

struct cw_datagrams_options {
    void (*on_datagram)(void *arg, struct cw_str bytes, const char *peer);
    void (*on_pause)(void *arg); /* no more for now: flush */
    bool (*room)(void *arg);
    void *arg;
};

int cw_datagrams_open(uv_loop_t *loop, const char *address,
                      const struct cw_datagrams_options *options, struct cw_datagrams **out,
                      struct cw_err *err) CW_MUST_USE;
/* After the bind. */
const char *cw_datagrams_address(const struct cw_datagrams *datagrams);
void cw_datagrams_resume(struct cw_datagrams *datagrams);
void cw_datagrams_close(struct cw_datagrams **datagrams);

#endif
