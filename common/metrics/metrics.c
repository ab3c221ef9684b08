#include "common/metrics/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/metrics/process_metrics_priv.h"
#include "common/metrics/prom_text.h"

enum { CHILDREN_DEFAULT = 1000, COLLECTORS_MAX = 16 };

const double cw_metric_seconds_buckets[] = {.001, .0025, .005, .01, .025, .05, .1, .25,
                                            .5,   1,     2.5,  5,   10,   30,  60};
const size_t cw_metric_seconds_nbuckets = CW_COUNT(cw_metric_seconds_buckets);

struct cw_metric {
    struct family *family;
    struct cw_metric *chain; /* of its hash bucket */
    uint64_t hash;
    atomic_bool hidden;
    _Atomic int64_t value;                      /* counter, gauge; histogram: the sum */
    struct cw_str values[CW_METRIC_LABELS_MAX]; /* owned, in one block: values[0].ptr */
    _Atomic uint64_t buckets[]; /* histogram: observations in each, the last is +Inf */
};

/* One row of the table with its series. */
struct family {
    const struct cw_metric_def *def;
    size_t nlabels, nbuckets;              /* nbuckets with +Inf */
    int64_t bounds[CW_METRIC_BUCKETS_MAX]; /* in whole units */
    pthread_mutex_t lock;                  /* guards the table of children, not their numbers */
    struct cw_metric **table;              /* hash buckets, a power of two */
    size_t ntable, nchildren, max_children;
    struct cw_metric *plain, *overflow; /* without labels; for what is over the bound */
};

struct cw_metrics {
    struct family *families;
    size_t n;
    pthread_mutex_t lock; /* guards the collectors */
    struct {
        cw_metrics_collect_fn fn;
        void *arg;
    } collectors[COLLECTORS_MAX];
    size_t ncollectors;
};

static struct cw_metric *metric_new(struct family *family, const struct cw_str *values)
{
    size_t all = 0;
    for (size_t i = 0; i < family->nlabels; i++)
        all += values[i].len;
    struct cw_metric *metric =
        cw_mem_new(sizeof *metric + family->nbuckets * sizeof metric->buckets[0]);
    metric->family = family;
    char *bytes = cw_mem_new(all);
    metric->values[0].ptr = bytes; /* also without labels: it is what is freed */
    for (size_t i = 0; i < family->nlabels; i++) {
        if (values[i].len > 0)
            memcpy(bytes, values[i].ptr, values[i].len);
        metric->values[i] = cw_str_make(bytes, values[i].len);
        bytes += values[i].len;
    }
    return metric;
}

static void metric_free(struct cw_metric *metric)
{
    if (metric == NULL)
        return;
    free((char *)metric->values[0].ptr);
    free(metric);
}

static void family_init(struct family *family, const struct cw_metric_def *def)
{
    family->def = def;
    while (family->nlabels < CW_METRIC_LABELS_MAX && def->labels[family->nlabels] != NULL)
        family->nlabels++;
    family->max_children = def->max_children > 0 ? def->max_children : CHILDREN_DEFAULT;
    pthread_mutex_init(&family->lock, NULL);
    if (def->type == CW_METRIC_HISTOGRAM) {
        CW_ASSERT(def->nbuckets <= CW_METRIC_BUCKETS_MAX && def->buckets != NULL);
        family->nbuckets = def->nbuckets + 1;
        for (size_t i = 0; i < def->nbuckets; i++)
            family->bounds[i] = (int64_t)(def->buckets[i] * (def->scale > 0 ? def->scale : 1));
    }
    if (family->nlabels == 0)
        family->plain = metric_new(family, NULL);
}

struct cw_metrics *cw_metrics_new(const struct cw_metric_def *defs, size_t n)
{
    struct cw_metrics *metrics = cw_mem_new(sizeof *metrics);
    metrics->families = cw_mem_array(n, sizeof *metrics->families);
    metrics->n = n;
    pthread_mutex_init(&metrics->lock, NULL);
    for (size_t i = 0; i < n; i++)
        family_init(&metrics->families[i], &defs[i]);
    return metrics;
}

static void family_fini(struct family *family)
{
    for (size_t i = 0; i < family->ntable; i++) {
        while (family->table[i] != NULL) {
            struct cw_metric *next = family->table[i]->chain;
            metric_free(family->table[i]);
            family->table[i] = next;
        }
    }
    free(family->table);
    metric_free(family->plain);
    metric_free(family->overflow);
    pthread_mutex_destroy(&family->lock);
}

void cw_metrics_free(struct cw_metrics **metrics)
{
    struct cw_metrics *m = *metrics;
    if (m == NULL)
        return;
    *metrics = NULL;
    for (size_t i = 0; i < m->n; i++)
        family_fini(&m->families[i]);
    pthread_mutex_destroy(&m->lock);
    free(m->families);
    free(m);
}

/* ---- children ---- */

static uint64_t values_hash(const struct cw_str *values, size_t n)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t pair[2] = {hash, cw_hash64(values[i].ptr, values[i].len)};
        hash = cw_hash64(pair, sizeof pair);
    }
    return hash;
}

static struct cw_metric *find_child(const struct family *family, uint64_t hash,
                                    const struct cw_str *values)
{
    if (family->ntable == 0)
        return NULL;
    struct cw_metric *metric = family->table[hash & (family->ntable - 1)];
    for (; metric != NULL; metric = metric->chain) {
        bool same = metric->hash == hash;
        for (size_t i = 0; i < family->nlabels && same; i++)
            same = cw_str_eq(metric->values[i], values[i]);
        if (same)
            return metric;
    }
    return NULL;
}

static void table_grow(struct family *family)
{
    size_t n = family->ntable > 0 ? 2 * family->ntable : 16;
    struct cw_metric **table = cw_mem_array(n, sizeof *table);
    for (size_t i = 0; i < family->ntable; i++) {
        while (family->table[i] != NULL) {
            struct cw_metric *metric = family->table[i];
            family->table[i] = metric->chain;
            metric->chain = table[metric->hash & (n - 1)];
            table[metric->hash & (n - 1)] = metric;
        }
    }
    free(family->table);
    family->table = table;
    family->ntable = n;
}

static struct cw_metric *overflow_child(struct family *family)
{
    struct cw_str values[CW_METRIC_LABELS_MAX];
    for (size_t i = 0; i < family->nlabels; i++)
        values[i] = CW_STR("_overflow");
    if (family->overflow == NULL)
        family->overflow = metric_new(family, values);
    return family->overflow;
}

static struct cw_metric *add_child(struct family *family, uint64_t hash,
                                   const struct cw_str *values)
{
    if (family->nchildren >= family->max_children)
        return overflow_child(family);
    if (family->nchildren >= family->ntable)
        table_grow(family);
    struct cw_metric *metric = metric_new(family, values);
    metric->hash = hash;
    metric->chain = family->table[hash & (family->ntable - 1)];
    family->table[hash & (family->ntable - 1)] = metric;
    family->nchildren++;
    return metric;
}

static void metric_reset(struct cw_metric *metric)
{
    atomic_store(&metric->value, 0);
    for (size_t i = 0; i < metric->family->nbuckets; i++)
        atomic_store(&metric->buckets[i], 0);
}

struct cw_metric *cw_metrics_child(struct cw_metrics *metrics, size_t idx,
                                   const struct cw_str *values)
{
    CW_ASSERT(idx < metrics->n);
    struct family *family = &metrics->families[idx];
    if (family->nlabels == 0)
        return family->plain;
    uint64_t hash = values_hash(values, family->nlabels);
    pthread_mutex_lock(&family->lock);
    struct cw_metric *metric = find_child(family, hash, values);
    if (metric == NULL)
        metric = add_child(family, hash, values);
    else if (atomic_exchange(&metric->hidden, false))
        metric_reset(metric);
    pthread_mutex_unlock(&family->lock);
    return metric;
}

void cw_metrics_child_drop(struct cw_metrics *metrics, size_t idx, const struct cw_str *values)
{
    CW_ASSERT(idx < metrics->n);
    struct family *family = &metrics->families[idx];
    pthread_mutex_lock(&family->lock);
    struct cw_metric *metric = find_child(family, values_hash(values, family->nlabels), values);
    if (metric != NULL)
        atomic_store(&metric->hidden, true);
    pthread_mutex_unlock(&family->lock);
}

/* ---- numbers ---- */

void cw_metric_add(struct cw_metric *metric, int64_t delta)
{
    CW_DEBUG_ASSERT(metric->family->def->type != CW_METRIC_HISTOGRAM);
    atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}

void cw_metric_set(struct cw_metric *metric, int64_t value)
{
    CW_DEBUG_ASSERT(metric->family->def->type != CW_METRIC_HISTOGRAM);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void cw_metric_observe(struct cw_metric *metric, int64_t value)
{
    const struct family *family = metric->family;
    CW_ASSERT(family->nbuckets > 0);
    size_t i = 0;
    while (i + 1 < family->nbuckets && value > family->bounds[i])
        i++;
    atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t cw_metric_value(const struct cw_metric *metric)
{
    if (metric->family->nbuckets == 0)
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    uint64_t count = 0;
    for (size_t i = 0; i < metric->family->nbuckets; i++)
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
    return (int64_t)count;
}

static struct cw_metric *plain(struct cw_metrics *metrics, size_t idx)
{
    CW_ASSERT(idx < metrics->n && metrics->families[idx].plain != NULL);
    return metrics->families[idx].plain;
}

void cw_metrics_add(struct cw_metrics *metrics, size_t idx, int64_t delta)
{
    cw_metric_add(plain(metrics, idx), delta);
}

void cw_metrics_set(struct cw_metrics *metrics, size_t idx, int64_t value)
{
    cw_metric_set(plain(metrics, idx), value);
}

void cw_metrics_observe(struct cw_metrics *metrics, size_t idx, int64_t value)
{
    cw_metric_observe(plain(metrics, idx), value);
}

/* ---- rendering ---- */

void cw_metrics_on_collect(struct cw_metrics *metrics, cw_metrics_collect_fn fn, void *arg)
{
    pthread_mutex_lock(&metrics->lock);
    CW_ASSERT(metrics->ncollectors < COLLECTORS_MAX);
    metrics->collectors[metrics->ncollectors].fn = fn;
    metrics->collectors[metrics->ncollectors++].arg = arg;
    pthread_mutex_unlock(&metrics->lock);
}

static void render_histogram(const struct cw_metric *metric, struct cw_prom_label *labels,
                             size_t nlabels, double scale, struct cw_buf *out)
{
    const struct family *family = metric->family;
    struct cw_str name = cw_str_of(family->def->name);
    uint64_t count = 0;
    for (size_t i = 0; i < family->nbuckets; i++) {
        struct cw_buf bound;
        cw_buf_init(&bound, 64);
        if (i + 1 < family->nbuckets)
            cw_prom_value(&bound, family->def->buckets[i]);
        else
            cw_buf_addz(&bound, "+Inf");
        labels[nlabels] = (struct cw_prom_label){CW_STR("le"), cw_buf_str(&bound)};
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        cw_prom_sample(out, name, "_bucket", labels, nlabels + 1, (double)count);
        cw_buf_fini(&bound);
    }
    double sum = (double)atomic_load_explicit(&metric->value, memory_order_relaxed);
    cw_prom_sample(out, name, "_sum", labels, nlabels, sum / scale);
    cw_prom_sample(out, name, "_count", labels, nlabels, (double)count);
}

static void render_metric(const struct cw_metric *metric, struct cw_buf *out)
{
    const struct family *family = metric->family;
    struct cw_prom_label labels[CW_METRIC_LABELS_MAX + 1];
    double scale = family->def->scale > 0 ? family->def->scale : 1;
    for (size_t i = 0; i < family->nlabels; i++)
        labels[i] = (struct cw_prom_label){cw_str_of(family->def->labels[i]), metric->values[i]};
    if (family->nbuckets > 0)
        render_histogram(metric, labels, family->nlabels, scale, out);
    else
        cw_prom_sample(out, cw_str_of(family->def->name), "", labels, family->nlabels,
                       (double)cw_metric_value(metric) / scale);
}

static int metric_order(const void *a, const void *b)
{
    const struct cw_metric *x = *(struct cw_metric *const *)a, *y = *(struct cw_metric *const *)b;
    for (size_t i = 0; i < x->family->nlabels; i++) {
        int order = cw_str_cmp(x->values[i], y->values[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static void render_family(struct family *family, struct cw_buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    /* Children live as long as the family: only the list of them is taken under the lock. */
    pthread_mutex_lock(&family->lock);
    struct cw_metric **list = cw_mem_array(family->nchildren + 2, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < family->ntable; i++) {
        for (struct cw_metric *m = family->table[i]; m != NULL; m = m->chain) {
            if (!atomic_load(&m->hidden))
                list[n++] = m;
        }
    }
    if (family->overflow != NULL)
        list[n++] = family->overflow;
    pthread_mutex_unlock(&family->lock);
    if (family->plain != NULL)
        list[n++] = family->plain;
    qsort(list, n, sizeof *list, metric_order);
    /* A family without series shows nothing: a scraper would take an empty one for a fault. */
    if (n > 0)
        cw_prom_head(out, cw_str_of(family->def->name), cw_str_of(family->def->help),
                     types[family->def->type]);
    for (size_t i = 0; i < n; i++)
        render_metric(list[i], out);
    free(list);
}

void cw_metrics_render(struct cw_metrics *metrics, struct cw_buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    size_t ncollectors = metrics->ncollectors;
    pthread_mutex_unlock(&metrics->lock);
    /* Collectors are only ever added: those counted stay where they are. */
    for (size_t i = 0; i < ncollectors; i++)
        metrics->collectors[i].fn(metrics, metrics->collectors[i].arg);
    for (size_t i = 0; i < metrics->n; i++)
        render_family(&metrics->families[i], out);
    cw_process_metrics_render(out);
    struct cw_prom_label version = {CW_STR("version"), CW_STR(CW_VERSION)};
    cw_prom_head(out, CW_STR("cordwood_build_info"), CW_STR("The running version."), "gauge");
    cw_prom_sample(out, CW_STR("cordwood_build_info"), "", &version, 1, 1);
}
