/*
 * stream_listener.h - a listening TCP or Unix socket, whose connections are stream readers.
 *
 * Bounds     At most CW_STREAM_CONNECTIONS_MAX connections: more wait until one is closed.
 * Ownership  Frees itself when it is closed, all its connections are, and the loop has run.
 * Threads    The loop's.
 * Errors     CW_E_INVALID (no such address), CW_E_UNAVAILABLE (cannot be bound).
 */
#ifndef CW_SHIPPER_STREAM_LISTENER_H
#define CW_SHIPPER_STREAM_LISTENER_H
#include "common/base/err.h"
#include "shipper/stream_reader.h"

#define CW_STREAM_CONNECTIONS_MAX 1024

struct cw_stream_listener;

/* `address` is HOST:PORT or unix:/path; a socket that a program left at that path is replaced. */
int cw_stream_listener_open(uv_loop_t *loop, const char *address,
                            const struct cw_stream_reader_options *options,
                            struct cw_stream_listener **out, struct cw_err *err) CW_MUST_USE;
/* After the bind. */
const char *cw_stream_listener_address(const struct cw_stream_listener *listener);
/* There is room again: read on. */
void cw_stream_listener_resume(struct cw_stream_listener *listener);
/* Takes no connections any more and closes all. */
void cw_stream_listener_close(struct cw_stream_listener **listener);

#endif
