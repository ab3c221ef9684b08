/*
 * process_metrics_priv.h - what the kernel knows about this process, as Prometheus' clients name it.
 */
#ifndef CW_METRICS_PROCESS_METRICS_PRIV_H
#define CW_METRICS_PROCESS_METRICS_PRIV_H
#include "common/base/buf.h"

/* process_* series; those that /proc does not tell are left out. */
void cw_process_metrics_render(struct cw_buf *out);

#endif
