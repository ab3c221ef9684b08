/*
 * prom_text.h - Prometheus' text exposition format 0.0.4, for our own metrics and for series made from logs.
 *
 * Bytes      Values and help texts may hold any bytes: they are escaped, and invalid UTF-8 becomes U+FFFD.
 *            Names are the caller's to check (cw_prom_name_valid) or to mend (cw_prom_name_add).
 */
#ifndef CW_METRICS_PROM_TEXT_H
#define CW_METRICS_PROM_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/buf.h"
#include "common/base/str.h"

#define CW_PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct cw_prom_label {
    struct cw_str name, value;
};

/* "# HELP" (when help is not empty) and "# TYPE" ("counter", "gauge", "histogram", "summary", "untyped"). */
void cw_prom_head(struct cw_buf *out, struct cw_str name, struct cw_str help, const char *type);
/* One line: name, suffix ("", "_bucket", ...), labels in the order given, value. */
void cw_prom_sample(struct cw_buf *out, struct cw_str name, const char *suffix,
                    const struct cw_prom_label *labels, size_t nlabels, double value);
/* The shortest text that reads back as the same double; "NaN", "+Inf", "-Inf". */
void cw_prom_value(struct cw_buf *out, double value);
/* [a-zA-Z_:][a-zA-Z0-9_:]*; of a label: without ':' and not beginning with "__". */
bool cw_prom_name_valid(struct cw_str name);
bool cw_prom_label_name_valid(struct cw_str name);
/* The name with what may not stand in a label name replaced by '_'. */
void cw_prom_name_add(struct cw_buf *out, struct cw_str name);

#endif
