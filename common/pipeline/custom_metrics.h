/*
 * custom_metrics.h - counters, gauges and histograms that stages make out of entries: one registry a program, shown at /metrics.
 *
 * A metric has a series for each set of labels that it was updated with. A series that was not updated for the metric's idle time
 * is forgotten, as promtail does it.
 *
 * Kept       cw_custom_metrics_save() writes all series to a file (replaced whole, with a checksum), and _load() adds them to the
 *            metrics that are defined the same way; series of others are left out.
 * Ownership  The registry copies all that it is given.
 * Threads    Any may call everything but _new and _free: /metrics is another thread's than the stages'.
 * Bounds     CW_CUSTOM_METRIC_SERIES a metric; updates of more are refused and counted in
 *            cordwood_custom_metric_series_refused_total.
 */
#ifndef CW_PIPELINE_CUSTOM_METRICS_H
#define CW_PIPELINE_CUSTOM_METRICS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"

enum { CW_CUSTOM_METRIC_SERIES = 10000, CW_CUSTOM_METRIC_BUCKETS = 200 };
/* A saved file: so many series with labels of usual length. */
#define CW_CUSTOM_METRICS_FILE_BYTES (256u << 20)

enum cw_custom_type { CW_CUSTOM_COUNTER, CW_CUSTOM_GAUGE, CW_CUSTOM_HISTOGRAM };
enum cw_custom_action {
    CW_CUSTOM_INC,
    CW_CUSTOM_ADD,
    CW_CUSTOM_SET,
    CW_CUSTOM_DEC,
    CW_CUSTOM_SUB,
    CW_CUSTOM_OBSERVE,
};

struct cw_custom_metric_def {
    struct cw_str name; /* whole, the prefix included */
    struct cw_str description;
    enum cw_custom_type type;
    const double *buckets; /* HISTOGRAM: upper bounds, rising; none: Prometheus' usual ones */
    size_t nbuckets;
    int64_t max_idle_ns; /* 0: series are never forgotten */
};

struct cw_custom_metrics;

struct cw_custom_metrics *cw_custom_metrics_new(void);
void cw_custom_metrics_free(struct cw_custom_metrics **metrics);

/* *idx_out names the metric from now on. One that is there already with the same definition is shared. CW_E_INVALID: it is no name of
 * a metric, it is there with another definition, or the buckets do not rise. */
int cw_custom_metrics_add(struct cw_custom_metrics *metrics, const struct cw_custom_metric_def *def,
                          size_t *idx_out, struct cw_err *err) CW_MUST_USE;
/* A counter takes INC and ADD (nothing negative), a gauge all but OBSERVE, a histogram OBSERVE; NaN is nobody's. What does not fit is
 * ignored. */
void cw_custom_metrics_update(struct cw_custom_metrics *metrics, size_t idx,
                              enum cw_custom_action action, struct cw_labels labels, double value,
                              int64_t now_ns);
/* A number, or a duration as Go writes them ("0.5ms"), which becomes seconds. */
bool cw_custom_metric_number(struct cw_str text, double *out);

/* Prometheus text, in the order in which metrics were added and series begun. */
void cw_custom_metrics_render(struct cw_custom_metrics *metrics, int64_t now_ns,
                              struct cw_buf *out);

/* Nothing is written when nothing changed since the last time. */
int cw_custom_metrics_save(struct cw_custom_metrics *metrics, const char *path,
                           struct cw_err *err) CW_MUST_USE;
/* Adds what the file holds to what there is (which begins empty). CW_E_NOT_FOUND, CW_E_CORRUPT: then nothing was added. */
int cw_custom_metrics_load(struct cw_custom_metrics *metrics, const char *path,
                           struct cw_err *err) CW_MUST_USE;
/* The bytes of such a file. */
int cw_custom_metrics_decode(struct cw_custom_metrics *metrics, struct cw_str bytes,
                             struct cw_err *err) CW_MUST_USE;

#endif
