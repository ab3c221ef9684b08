#include "common/pipeline/custom_metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/check_line.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/float_text.h"
#include "common/base/id_map.h"
#include "common/metrics/prom_text.h"

#define FIRST_LINE "cordwood-custom-metrics 1"

static const double usual_buckets[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
static const char *const type_names[] = {"counter", "gauge", "histogram"};

struct series {
    struct cw_labels labels; /* owned, in one block */
    double value;            /* HISTOGRAM: the sum */
    uint64_t count;          /* HISTOGRAM: observations */
    uint64_t *buckets;       /* ... by the first bound that holds them */
    int64_t touched_ns;
};

struct metric {
    struct cw_custom_metric_def def; /* texts and buckets are owned */
    struct cw_id_map by_labels;      /* numbers of series */
    struct series *series;
    size_t n, cap;
};

struct cw_custom_metrics {
    pthread_mutex_t lock;   /* of all of it */
    struct cw_arena *arena; /* definitions */
    struct metric *metrics;
    size_t n, cap;
    uint64_t refused;
    bool changed; /* since it was saved */
};

struct cw_custom_metrics *cw_custom_metrics_new(void)
{
    struct cw_custom_metrics *metrics = cw_mem_new(sizeof *metrics);
    metrics->arena = cw_arena_new();
    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

static void series_fini(struct series *series)
{
    free((void *)series->labels.items);
    free(series->buckets);
}

void cw_custom_metrics_free(struct cw_custom_metrics **metrics)
{
    if (*metrics == NULL)
        return;
    for (size_t i = 0; i < (*metrics)->n; i++) {
        struct metric *metric = &(*metrics)->metrics[i];
        for (size_t j = 0; j < metric->n; j++)
            series_fini(&metric->series[j]);
        free(metric->series);
        cw_id_map_fini(&metric->by_labels);
    }
    free((*metrics)->metrics);
    cw_arena_free(&(*metrics)->arena);
    pthread_mutex_destroy(&(*metrics)->lock);
    free(*metrics);
    *metrics = NULL;
}

/* ---- definitions ---- */

static bool same_def(const struct cw_custom_metric_def *a, const struct cw_custom_metric_def *b)
{
    return a->type == b->type && cw_str_eq(a->description, b->description) &&
           a->max_idle_ns == b->max_idle_ns && a->nbuckets == b->nbuckets &&
           (a->nbuckets == 0 ||
            memcmp(a->buckets, b->buckets, a->nbuckets * sizeof *a->buckets) == 0);
}

static struct metric *find_metric(const struct cw_custom_metrics *metrics, struct cw_str name)
{
    for (size_t i = 0; i < metrics->n; i++) {
        if (cw_str_eq(metrics->metrics[i].def.name, name))
            return &metrics->metrics[i];
    }
    return NULL;
}

static int check_def(const struct cw_custom_metric_def *def, struct cw_err *err)
{
    if (!cw_prom_name_valid(def->name))
        return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no name of a metric",
                          CW_STR_ARG(def->name));
    if (def->nbuckets > CW_CUSTOM_METRIC_BUCKETS)
        return cw_err_set(err, CW_E_LIMIT, "%.*s: %zu buckets, at most %d are allowed",
                          CW_STR_ARG(def->name), def->nbuckets, CW_CUSTOM_METRIC_BUCKETS);
    for (size_t i = 0; i < def->nbuckets; i++) {
        if (isnan(def->buckets[i]) || (i > 0 && !(def->buckets[i] > def->buckets[i - 1])))
            return cw_err_set(err, CW_E_INVALID, "%.*s: the buckets do not rise",
                              CW_STR_ARG(def->name));
    }
    return 0;
}

static int add_metric(struct cw_custom_metrics *metrics, const struct cw_custom_metric_def *def,
                      size_t *idx_out, struct cw_err *err)
{
    struct cw_custom_metric_def all = *def;
    if (all.type == CW_CUSTOM_HISTOGRAM && all.nbuckets == 0) {
        all.buckets = usual_buckets;
        all.nbuckets = CW_COUNT(usual_buckets);
    }
    if (all.nbuckets > 0 && isinf(all.buckets[all.nbuckets - 1]))
        all.nbuckets--; /* +Inf is always there */
    struct metric *metric = find_metric(metrics, def->name);
    if (metric != NULL) {
        *idx_out = (size_t)(metric - metrics->metrics);
        return same_def(&metric->def, &all)
                   ? 0
                   : cw_err_set(err, CW_E_INVALID, "the metric %.*s is defined in two ways",
                                CW_STR_ARG(def->name));
    }
    if (metrics->n == metrics->cap) {
        metrics->cap = CW_MAX(2 * metrics->cap, 8);
        metrics->metrics = cw_mem_resize(metrics->metrics, metrics->cap * sizeof *metrics->metrics);
    }
    *idx_out = metrics->n;
    metric = &metrics->metrics[metrics->n++];
    *metric = (struct metric){.def = all};
    cw_id_map_init(&metric->by_labels);
    metric->def.name = cw_arena_dup(metrics->arena, all.name);
    metric->def.description = cw_arena_dup(metrics->arena, all.description);
    double *buckets = CW_ARENA_ARRAY(metrics->arena, double, all.nbuckets);
    if (all.nbuckets > 0)
        memcpy(buckets, all.buckets, all.nbuckets * sizeof *buckets);
    metric->def.buckets = buckets;
    return 0;
}

int cw_custom_metrics_add(struct cw_custom_metrics *metrics, const struct cw_custom_metric_def *def,
                          size_t *idx_out, struct cw_err *err)
{
    int rc = check_def(def, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&metrics->lock);
    rc = add_metric(metrics, def, idx_out, err);
    pthread_mutex_unlock(&metrics->lock);
    return rc;
}

/* ---- series ---- */

static void forget_idle(struct metric *metric, int64_t now_ns)
{
    size_t n = 0;
    if (metric->def.max_idle_ns == 0)
        return;
    for (size_t i = 0; i < metric->n; i++) {
        struct series *series = &metric->series[i];
        if (now_ns > series->touched_ns && now_ns - series->touched_ns > metric->def.max_idle_ns)
            series_fini(series);
        else
            metric->series[n++] = *series;
    }
    if (n == metric->n)
        return;
    metric->n = n;
    cw_id_map_fini(&metric->by_labels);
    cw_id_map_init(&metric->by_labels);
    for (size_t i = 0; i < n; i++) {
        bool added;
        cw_id_map_put(&metric->by_labels, cw_labels_hash(metric->series[i].labels), &added);
    }
}

/* NULL: there are too many. */
static struct series *find_series(struct metric *metric, struct cw_labels labels, int64_t now_ns)
{
    struct cw_hash128 id = cw_labels_hash(labels);
    size_t at;
    bool added;
    if (cw_id_map_find(&metric->by_labels, id, &at))
        return &metric->series[at];
    if (metric->n == CW_CUSTOM_METRIC_SERIES)
        forget_idle(metric, now_ns);
    if (metric->n == CW_CUSTOM_METRIC_SERIES)
        return NULL;
    if (metric->n == metric->cap) {
        metric->cap = CW_MAX(2 * metric->cap, 8);
        metric->series = cw_mem_resize(metric->series, metric->cap * sizeof *metric->series);
    }
    cw_id_map_put(&metric->by_labels, id, &added);
    struct series *series = &metric->series[metric->n++];
    *series = (struct series){.labels = cw_labels_dup_heap(labels)};
    if (metric->def.type == CW_CUSTOM_HISTOGRAM)
        series->buckets = cw_mem_array(metric->def.nbuckets + 1, sizeof *series->buckets);
    return series;
}

static bool fits(enum cw_custom_type type, enum cw_custom_action action, double value)
{
    switch (type) {
    case CW_CUSTOM_COUNTER:
        return action == CW_CUSTOM_INC || (action == CW_CUSTOM_ADD && value >= 0);
    case CW_CUSTOM_GAUGE: return action != CW_CUSTOM_OBSERVE && !isnan(value);
    case CW_CUSTOM_HISTOGRAM: return action == CW_CUSTOM_OBSERVE && !isnan(value);
    }
    return false;
}

static void observe(const struct metric *metric, struct series *series, double value)
{
    size_t i = 0;
    while (i < metric->def.nbuckets && value > metric->def.buckets[i])
        i++;
    series->buckets[i]++;
    series->count++;
    series->value += value;
}

static void apply(struct metric *metric, struct series *series, enum cw_custom_action action,
                  double value)
{
    switch (action) {
    case CW_CUSTOM_INC: series->value += 1; break;
    case CW_CUSTOM_DEC: series->value -= 1; break;
    case CW_CUSTOM_ADD: series->value += value; break;
    case CW_CUSTOM_SUB: series->value -= value; break;
    case CW_CUSTOM_SET: series->value = value; break;
    case CW_CUSTOM_OBSERVE: observe(metric, series, value); break;
    }
}

void cw_custom_metrics_update(struct cw_custom_metrics *metrics, size_t idx,
                              enum cw_custom_action action, struct cw_labels labels, double value,
                              int64_t now_ns)
{
    pthread_mutex_lock(&metrics->lock);
    struct metric *metric = &metrics->metrics[idx];
    bool counts = fits(metric->def.type, action, value);
    struct series *series = counts ? find_series(metric, labels, now_ns) : NULL;
    if (series != NULL) {
        series->touched_ns = now_ns;
        apply(metric, series, action, value);
        metrics->changed = true;
    } else if (counts) {
        metrics->refused++;
    }
    pthread_mutex_unlock(&metrics->lock);
}

bool cw_custom_metric_number(struct cw_str text, double *out)
{
    int64_t ns;
    if (cw_str_to_f64(text, out))
        return true;
    if (!cw_duration_parse_go(text, &ns))
        return false;
    *out = (double)ns / 1e9;
    return true;
}

/* ---- /metrics ---- */

/* A stream's label "le" would be a second one of a histogram. */
static size_t labels_of(const struct metric *metric, const struct series *series,
                        struct cw_prom_label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < series->labels.n; i++) {
        const struct cw_label *label = &series->labels.items[i];
        bool reserved =
            metric->def.type == CW_CUSTOM_HISTOGRAM && cw_str_eq(label->name, CW_STR("le"));
        if (!reserved && cw_prom_label_name_valid(label->name))
            out[n++] = (struct cw_prom_label){label->name, label->value};
    }
    return n;
}

static void render_histogram(const struct metric *metric, const struct series *series,
                             struct cw_prom_label *labels, size_t nlabels, struct cw_buf *out)
{
    uint64_t below = 0;
    struct cw_buf bound;
    cw_buf_init(&bound, 64);
    for (size_t i = 0; i <= metric->def.nbuckets; i++) {
        below += series->buckets[i];
        cw_buf_clear(&bound);
        cw_prom_value(&bound, i < metric->def.nbuckets ? metric->def.buckets[i] : INFINITY);
        labels[nlabels] = (struct cw_prom_label){CW_STR("le"), cw_buf_str(&bound)};
        cw_prom_sample(out, metric->def.name, "_bucket", labels, nlabels + 1, (double)below);
    }
    cw_buf_fini(&bound);
    cw_prom_sample(out, metric->def.name, "_sum", labels, nlabels, series->value);
    cw_prom_sample(out, metric->def.name, "_count", labels, nlabels, (double)series->count);
}

static void render_metric(const struct metric *metric, struct cw_buf *out)
{
    if (metric->n == 0)
        return;
    cw_prom_head(out, metric->def.name, metric->def.description, type_names[metric->def.type]);
    for (size_t i = 0; i < metric->n; i++) {
        const struct series *series = &metric->series[i];
        struct cw_prom_label *labels = cw_mem_array(series->labels.n + 1, sizeof *labels);
        size_t nlabels = labels_of(metric, series, labels);
        if (metric->def.type == CW_CUSTOM_HISTOGRAM)
            render_histogram(metric, series, labels, nlabels, out);
        else
            cw_prom_sample(out, metric->def.name, "", labels, nlabels, series->value);
        free(labels);
    }
}

void cw_custom_metrics_render(struct cw_custom_metrics *metrics, int64_t now_ns, struct cw_buf *out)
{
    const struct cw_str refused = CW_STR("cordwood_custom_metric_series_refused_total");
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->n; i++) {
        forget_idle(&metrics->metrics[i], now_ns);
        render_metric(&metrics->metrics[i], out);
    }
    if (metrics->n > 0) {
        cw_prom_head(out, refused, CW_STR("Updates of custom metrics that had too many series."),
                     "counter");
        cw_prom_sample(out, refused, "", NULL, 0, (double)metrics->refused);
    }
    pthread_mutex_unlock(&metrics->lock);
}

/* ---- the file ----
 *
 * cordwood-custom-metrics 1
 * series <type> <name> <touched, ns> <value> <count> <number of bounds> {<bound> <observations>} <observations above> <labels>
 * check <...>
 */

static void encode_series(const struct metric *metric, const struct series *series,
                          struct cw_buf *out)
{
    cw_buf_addf(out, "series %s %.*s %" PRId64 " ", type_names[metric->def.type],
                CW_STR_ARG(metric->def.name), series->touched_ns);
    cw_float_text_general(series->value, out);
    cw_buf_addf(out, " %" PRIu64 " %zu ", series->count, metric->def.nbuckets);
    for (size_t i = 0; i < metric->def.nbuckets; i++) {
        cw_float_text_general(metric->def.buckets[i], out);
        cw_buf_addf(out, " %" PRIu64 " ", series->buckets[i]);
    }
    if (metric->def.type == CW_CUSTOM_HISTOGRAM)
        cw_buf_addf(out, "%" PRIu64 " ", series->buckets[metric->def.nbuckets]);
    cw_labels_format(series->labels, out);
    cw_buf_addc(out, '\n');
}

static void encode(const struct cw_custom_metrics *metrics, struct cw_buf *out)
{
    cw_buf_addz(out, FIRST_LINE "\n");
    for (size_t i = 0; i < metrics->n; i++) {
        for (size_t j = 0; j < metrics->metrics[i].n; j++)
            encode_series(&metrics->metrics[i], &metrics->metrics[i].series[j], out);
    }
    cw_check_line_add(out, 0);
}

int cw_custom_metrics_save(struct cw_custom_metrics *metrics, const char *path, struct cw_err *err)
{
    struct cw_buf out;
    cw_buf_init(&out, CW_CUSTOM_METRICS_FILE_BYTES);
    pthread_mutex_lock(&metrics->lock);
    bool changed = metrics->changed;
    if (changed)
        encode(metrics, &out);
    metrics->changed = false;
    pthread_mutex_unlock(&metrics->lock);
    int rc = 0;
    if (cw_buf_failed(&out))
        rc = cw_err_set(err, CW_E_LIMIT, "the custom metrics take more than %u MiB",
                        CW_CUSTOM_METRICS_FILE_BYTES >> 20);
    else if (changed)
        rc = cw_file_replace(path, cw_buf_str(&out), err);
    cw_buf_fini(&out);
    if (rc < 0) {
        pthread_mutex_lock(&metrics->lock);
        metrics->changed = true;
        pthread_mutex_unlock(&metrics->lock);
    }
    return rc;
}

static bool take_word(struct cw_str *line, struct cw_str *out)
{
    return line->len > 0 && cw_str_split(line, ' ', out) && out->len > 0;
}

static bool take_f64(struct cw_str *line, double *out)
{
    struct cw_str word;
    return take_word(line, &word) && cw_str_to_f64(word, out);
}

/* The counts of a histogram with the bounds that it has now; false: it had others. */
static bool decode_buckets(const struct metric *metric, struct cw_str *line, uint64_t *buckets)
{
    uint64_t nbuckets;
    double bound;
    if (!cw_str_take_u64(line, &nbuckets) || nbuckets != metric->def.nbuckets)
        return false;
    for (size_t i = 0; i < metric->def.nbuckets; i++) {
        if (!take_f64(line, &bound) || bound != metric->def.buckets[i] ||
            !cw_str_take_u64(line, &buckets[i]))
            return false;
    }
    return metric->def.type != CW_CUSTOM_HISTOGRAM ||
           cw_str_take_u64(line, &buckets[metric->def.nbuckets]);
}

/* One that does not belong to a metric of now is passed over. */
static void decode_series(struct cw_custom_metrics *metrics, struct cw_str line,
                          struct cw_arena *arena)
{
    struct cw_str type, name;
    struct series kept = {0};
    uint64_t buckets[CW_CUSTOM_METRIC_BUCKETS + 1];
    struct cw_labels labels;
    if (!take_word(&line, &type) || !take_word(&line, &name))
        return;
    struct metric *metric = find_metric(metrics, name);
    if (metric == NULL || !cw_str_eqz(type, type_names[metric->def.type]) ||
        !cw_str_take_i64(&line, &kept.touched_ns) || !take_f64(&line, &kept.value) ||
        !cw_str_take_u64(&line, &kept.count) || !decode_buckets(metric, &line, buckets) ||
        cw_labels_parse(line, arena, &labels, NULL) < 0)
        return;
    struct series *series = find_series(metric, labels, kept.touched_ns);
    if (series == NULL) {
        metrics->refused++;
        return;
    }
    series->touched_ns = kept.touched_ns;
    series->value += kept.value;
    series->count += kept.count;
    for (size_t i = 0; metric->def.type == CW_CUSTOM_HISTOGRAM && i <= metric->def.nbuckets; i++)
        series->buckets[i] += buckets[i];
}

int cw_custom_metrics_decode(struct cw_custom_metrics *metrics, struct cw_str bytes,
                             struct cw_err *err)
{
    struct cw_str line, first = bytes;
    if (!cw_str_split(&first, '\n', &line) || !cw_str_eqz(line, FIRST_LINE))
        return cw_err_set(
            err, CW_E_CORRUPT,
            "not a file of custom metrics of this version (its first line must be \"%s\")",
            FIRST_LINE);
    if (!cw_check_line_strip(&bytes))
        return cw_err_set(err, CW_E_CORRUPT, "bad checksum: the file was cut or edited");
    struct cw_arena *arena = cw_arena_new();
    pthread_mutex_lock(&metrics->lock);
    while (cw_str_split(&bytes, '\n', &line)) {
        if (cw_str_starts(line, CW_STR("series ")))
            decode_series(metrics, cw_str_sub(line, 7, line.len), arena);
        cw_arena_reset(arena);
    }
    pthread_mutex_unlock(&metrics->lock);
    cw_arena_free(&arena);
    return 0;
}

int cw_custom_metrics_load(struct cw_custom_metrics *metrics, const char *path, struct cw_err *err)
{
    struct cw_buf bytes;
    cw_buf_init(&bytes, CW_CUSTOM_METRICS_FILE_BYTES);
    int rc = cw_file_read(path, CW_CUSTOM_METRICS_FILE_BYTES, &bytes, err);
    if (rc == 0) {
        rc = cw_custom_metrics_decode(metrics, cw_buf_str(&bytes), err);
        if (rc < 0)
            cw_err_wrap(err, "%s", path);
    }
    cw_buf_fini(&bytes);
    return rc;
}
