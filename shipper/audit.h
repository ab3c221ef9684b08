/*
 * audit.h - `cordwood-shipper audit`: what the state directory says of every source, and, of a shipper that runs, its /targets:
 * how far each file is, what became of its lines, what is missing.
 */
#ifndef CW_SHIPPER_AUDIT_H
#define CW_SHIPPER_AUDIT_H
#include "shipper/shipper_config.h"

/* The exit status: 0 nothing was refused and nothing is missing, 1 something is, or the state cannot be read. */
int cw_audit_run(const struct cw_shipper_config *config, bool json);

#endif
