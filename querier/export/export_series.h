/*
 * export_series.h - the answer of an instant metric query as Prometheus text.
 *
 * Errors     CW_E_INVALID: the answer is no vector or scalar, a series has a name that Prometheus refuses, or two series have
 *            the same labels.
 */
#ifndef CW_EXPORT_EXPORT_SERIES_H
#define CW_EXPORT_EXPORT_SERIES_H
#include "querier/export/exports_config.h"

/* `result` is the JSON under data.result, of this type. Appends the metric's head and its samples to *out. */
int cw_export_series(const struct cw_export *export, struct cw_str result_type,
                     struct cw_str result, struct cw_buf *out, struct cw_err *err) CW_MUST_USE;

#endif
