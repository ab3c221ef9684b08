/*
 * docker_local.h - entries of the files of Docker's log driver `local`.
 *
 *   entry    |  0 len u32, big-endian | 4 LogEntry, protobuf, len bytes | 4 + len the same len u32
 *   LogEntry | 1 source ("stdout", "stderr") | 2 time_nano int64 | 3 line, without its newline | 4 partial bool
 *            | 5 partial metadata: 1 last bool | 2 id | 3 ordinal
 * What a container writes is cut into pieces of 16 KiB; all pieces of a line have partial metadata, the last one says so.
 *
 * Errors     CW_E_CORRUPT. Any bytes are safe.
 */
#ifndef CW_SHIPPER_DOCKER_LOCAL_H
#define CW_SHIPPER_DOCKER_LOCAL_H
#include "shipper/docker_line.h"

/* Far over what the Engine writes; every buffer that a batch is cut from holds one. */
#define CW_DOCKER_LOCAL_BYTES (128u << 10)

/* The entry at bytes[*at], where one begins; its text borrows from them. Returns 1, and *at is behind it; 0 where the bytes end
 * before it does (*at stays); CW_E_CORRUPT where there is none: *at is moved to where the next one may begin. */
int cw_docker_local_next(struct cw_str bytes, size_t *at, struct cw_docker_line *out,
                         struct cw_err *err) CW_MUST_USE;

#endif
