/*
 * metrics.h - a program's own counters, gauges and histograms, shown as Prometheus text at /metrics.
 *
 * A program has one const table of cw_metric_def and an enum of its rows:
 *
 *   enum { M_PUSHES, M_PUSH_SECONDS, M_NMETRICS };
 *   static const struct cw_metric_def metric_defs[M_NMETRICS] = {
 *       [M_PUSHES] = {"cordwood_pushes_total", CW_METRIC_COUNTER, "Pushes by status.", .labels = {"status"}},
 *       ...
 *   };
 *   cw_metrics_add(metrics, M_LINES, n);                                      no labels
 *   cw_metric_add(cw_metrics_child(metrics, M_PUSHES, &status), 1);          one label
 *
 * Units      Values are whole; .scale divides what is shown: seconds are kept in nanoseconds with .scale = 1e9.
 * Threads    Any thread may call everything but _new and _free. Increments are one relaxed atomic; a child is
 *            looked up under a lock: keep the pointer where it is hot.
 * Bounds     At most .max_children label sets a metric (default 1000); more share one child whose values are "_overflow".
 */
#ifndef CW_METRICS_METRICS_H
#define CW_METRICS_METRICS_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/str.h"

enum cw_metric_type { CW_METRIC_COUNTER, CW_METRIC_GAUGE, CW_METRIC_HISTOGRAM };
enum { CW_METRIC_LABELS_MAX = 4, CW_METRIC_BUCKETS_MAX = 24 };

struct cw_metric_def {
    const char *name;
    enum cw_metric_type type;
    const char *help;
    const char *labels[CW_METRIC_LABELS_MAX]; /* the rest NULL */
    double scale;                             /* 0 is 1 */
    /* HISTOGRAM: upper bounds as shown, rising, without +Inf. */
    const double *buckets;
    size_t nbuckets;
    size_t max_children;
};

/* Upper bounds for things that take from a millisecond to a minute, in seconds. */
extern const double cw_metric_seconds_buckets[];
extern const size_t cw_metric_seconds_nbuckets;
#define CW_METRIC_SECONDS .scale = 1e9, .buckets = cw_metric_seconds_buckets, .nbuckets = 15

struct cw_metrics;
struct cw_metric; /* one series; lives as long as its cw_metrics */

struct cw_metrics *cw_metrics_new(const struct cw_metric_def *defs, size_t n);
void cw_metrics_free(struct cw_metrics **metrics);

/* The series of these label values (as many as the row has names). It exists, with 0, from the first call on. */
struct cw_metric *cw_metrics_child(struct cw_metrics *metrics, size_t idx,
                                   const struct cw_str *values);
/* Show it no more (a target is gone). Its pointer stays valid; asked for again it starts at 0. */
void cw_metrics_child_drop(struct cw_metrics *metrics, size_t idx, const struct cw_str *values);

void cw_metric_add(struct cw_metric *metric, int64_t delta); /* counter, gauge */
/* Gauge; a counter that somebody else counts, when it is collected. */
void cw_metric_set(struct cw_metric *metric, int64_t value);
void cw_metric_observe(struct cw_metric *metric, int64_t value); /* histogram */
/* Counter, gauge; histogram: the number of observations. */
int64_t cw_metric_value(const struct cw_metric *metric);

/* The same for rows without labels. */
void cw_metrics_add(struct cw_metrics *metrics, size_t idx, int64_t delta);
void cw_metrics_set(struct cw_metrics *metrics, size_t idx, int64_t value);
void cw_metrics_observe(struct cw_metrics *metrics, size_t idx, int64_t value);

/* `fn` runs at the start of each render, on its thread: for gauges that are only known by asking. */
typedef void (*cw_metrics_collect_fn)(struct cw_metrics *metrics, void *arg);
void cw_metrics_on_collect(struct cw_metrics *metrics, cw_metrics_collect_fn fn, void *arg);

/* All series in the order of the table, labels sorted by value, then the process_* series and cordwood_build_info. */
void cw_metrics_render(struct cw_metrics *metrics, struct cw_buf *out);

#endif
