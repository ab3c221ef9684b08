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

#endif
