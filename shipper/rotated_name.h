/*
 * rotated_name.h - is this the name of an older part of that log? app.log.1, app.log-20260105,
 * app-2026-01-05.log, ...
 */
#ifndef CW_SHIPPER_ROTATED_NAME_H
#define CW_SHIPPER_ROTATED_NAME_H
#include <stdbool.h>
#include "common/base/str.h"

/* Both are names without folders. Compressed files (.gz) are none: they hold other bytes. */
bool cw_rotated_name(struct cw_str log, struct cw_str name);
/* The same for two paths; they must be in one folder. */
bool cw_rotated_path(const char *log, const char *path);
/* Tell every path of which `path` may be a rotation by its name, whether it is there or not; until `visit` returns true, which
 * is returned. */
bool cw_rotated_logs(const char *path, bool (*visit)(void *arg, const char *log), void *arg);
/* Tell every path in the log's folder that is such a name. A folder that cannot be read has none. */
void cw_rotated_walk(const char *log, void (*visit)(void *arg, const char *path), void *arg);

#endif
