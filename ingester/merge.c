/* merge.c - find what is due, and run it in slices on the pool. */
#include "ingester/merge.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"
#include "ingester/deletes.h"
#include "ingester/merge_run.h"
#include "ingester/purge.h"

/* A slice: short beside a query's unit of work. */
static const int64_t slice_ns = 10 * CW_NS_PER_MS;

enum {
    FAN_IN_MAX = 2 * CW_MERGE_FAN_IN, /* after a burst of flushes */
    FAN_IN_MIN = 2,                   /* where memory is short */
};

struct cw_merge {
    struct cw_parts *parts;
    enum cw_codec codec;
    struct cw_memory_budget *budget; /* may be NULL */
    struct cw_deletes *deletes;
    struct cw_purge *purge;
    struct cw_pool_group *group;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;
    bool running; /* a job is queued or runs; it owns `run`, `purging` and `refused` */
    bool purging; /* the purge has a run */
    struct cw_merge_counts counts;
    struct cw_merge_run *run;
    uint64_t inputs[FAN_IN_MAX]; /* of `run`: ids, and ... */
    size_t ninputs;
    uint64_t input_bytes;  /* ... their size */
    uint64_t memory_bytes; /* taken for it */
    uint64_t *refused;     /* ids of parts whose merge failed for a reason that stays */
    size_t nrefused;
};

static void slice(void *arg);
static void run_end(struct cw_merge *m);

struct cw_merge *cw_merge_new(struct cw_parts *parts, struct cw_deletes *deletes,
                              struct cw_purge *purge, struct cw_pool *pool, enum cw_codec codec)
{
    struct cw_merge *m = cw_mem_new(sizeof(*m));
    m->parts = parts;
    m->deletes = deletes;
    m->purge = purge;
    m->codec = codec;
    m->group = cw_pool_group_new(pool, CW_POOL_LOW);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->idle, NULL);
    return m;
}

void cw_merge_set_budget(struct cw_merge *m, struct cw_memory_budget *budget)
{
    m->budget = budget;
    cw_purge_set_budget(m->purge, budget);
}

void cw_merge_kick(struct cw_merge *m)
{
    pthread_mutex_lock(&m->lock);
    bool start = !m->running && !atomic_load(&m->stopping);
    m->running |= start;
    pthread_mutex_unlock(&m->lock);
    if (start)
        cw_pool_submit(m->group, slice, m);
}

void cw_merge_wait(struct cw_merge *m)
{
    cw_merge_kick(m);
    pthread_mutex_lock(&m->lock);
    while (m->running)
        pthread_cond_wait(&m->idle, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

void cw_merge_free(struct cw_merge **merge)
{
    struct cw_merge *m = *merge;
    *merge = NULL;
    if (m == NULL)
        return;
    atomic_store(&m->stopping, true);
    cw_pool_group_free(&m->group);
    run_end(m);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->idle);
    free(m->refused);
    free(m);
}

void cw_merge_count(struct cw_merge *m, struct cw_merge_counts *out)
{
    pthread_mutex_lock(&m->lock);
    *out = m->counts;
    pthread_mutex_unlock(&m->lock);
}

/* ---- what is due ---- */

static const struct cw_part_footer *footer_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source));
}

static bool may_merge(const struct cw_merge *m, struct cw_source *source)
{
    if (cw_part_source_has_bad_blocks(source) || cw_deletes_holds(m->deletes, footer_of(source)))
        return false;
    uint64_t id = footer_of(source)->info.id;
    for (size_t i = 0; i < m->nrefused; i++)
        if (m->refused[i] == id)
            return false;
    return true;
}

/* Tenant, day, level, the same deletes, then age: what may become one part lies together. */
static int source_cmp(const void *a, const void *b, void *deletes)
{
    const struct cw_part_info *x = &footer_of(*(struct cw_source *const *)a)->info;
    const struct cw_part_info *y = &footer_of(*(struct cw_source *const *)b)->info;
    int c = cw_str_cmp(x->tenant, y->tenant);
    if (c != 0)
        return c;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    uint64_t before = cw_deletes_epoch(deletes, x), after = cw_deletes_epoch(deletes, y);
    if (before != after)
        return before < after ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool same_row(const struct cw_merge *m, struct cw_source *a, struct cw_source *b)
{
    const struct cw_part_info *x = &footer_of(a)->info, *y = &footer_of(b)->info;
    return x->day == y->day && x->level == y->level && cw_str_eq(x->tenant, y->tenant) &&
           cw_deletes_epoch(m->deletes, x) == cw_deletes_epoch(m->deletes, y);
}

/* A merge asks for half of the budget at most: one that wants more would wait for ever. */
static size_t inputs_max(const struct cw_merge *m)
{
    if (m->budget == NULL)
        return FAN_IN_MAX;
    uint64_t half = m->budget->limit / 2, n = 0;
    if (half > CW_PART_WRITER_MEMORY)
        n = (half - CW_PART_WRITER_MEMORY) / CW_PART_CURSOR_MEMORY;
    return (size_t)CW_MIN(CW_MAX(n, (uint64_t)FAN_IN_MIN), (uint64_t)FAN_IN_MAX);
}

/* How many of sources[0..n), which are of one row, make a merge: 0 when none is due. */
static size_t due_in_row(const struct cw_merge *m, struct cw_source *const *sources, size_t n)
{
    uint64_t bytes = 0;
    size_t take = 0;
    while (take < n && take < FAN_IN_MAX) {
        bytes += footer_of(sources[take])->file_bytes;
        if (bytes > CW_MERGE_PART_BYTES_MAX)
            break;
        take++;
    }
    return take < CW_MERGE_FAN_IN ? 0 : CW_MIN(take, inputs_max(m));
}

/* The inputs are at fault: do not try them again in this life. (Of one with a bad block only itself: may_merge() knows.) */
static void refuse_inputs(struct cw_merge *m)
{
    m->refused = cw_mem_resize(m->refused, (m->nrefused + m->ninputs) * sizeof(*m->refused));
    for (size_t i = 0; i < m->ninputs; i++)
        m->refused[m->nrefused++] = m->inputs[i];
}

static void run_end(struct cw_merge *m)
{
    cw_merge_run_free(&m->run);
    cw_memory_give(m->budget, CW_MEMORY_MERGE, m->memory_bytes);
    m->memory_bytes = 0;
}

/* Begin the merge of these; without room for it none begins. */
static int run_begin(struct cw_merge *m, struct cw_source *const *sources, size_t n,
                     struct cw_err *err)
{
    uint64_t bytes = CW_PART_WRITER_MEMORY + n * CW_PART_CURSOR_MEMORY;
    if (cw_memory_take(m->budget, CW_MEMORY_MERGE, bytes, NULL) < 0)
        return 0;
    m->memory_bytes = bytes;
    m->input_bytes = 0;
    for (m->ninputs = 0; m->ninputs < n; m->ninputs++) {
        m->inputs[m->ninputs] = footer_of(sources[m->ninputs])->info.id;
        m->input_bytes += footer_of(sources[m->ninputs])->file_bytes;
    }
    int rc = cw_merge_run_new(m->parts, sources, n, m->codec, &m->run, err);
    if (rc < 0)
        run_end(m);
    return rc;
}

/* Begin the merge that is due, if any: m->run. */
static int run_find(struct cw_merge *m, struct cw_err *err)
{
    struct cw_snapshot all = {0};
    uint64_t before = cw_deletes_version(m->deletes);
    int rc = 0;
    cw_parts_all(m->parts, &all);
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++) {
        struct cw_source *source = all.sources[i];
        if (!may_merge(m, source)) {
            cw_source_unref(&source);
            continue;
        }
        all.sources[n++] = source;
    }
    all.n = n;
    if (n > 0)
        qsort_r(all.sources, n, sizeof(struct cw_source *), source_cmp, m->deletes);
    for (size_t i = 0, row; rc == 0 && m->run == NULL && i < n; i += row) {
        row = 1;
        while (i + row < n && same_row(m, all.sources[i], all.sources[i + row]))
            row++;
        size_t take = due_in_row(m, &all.sources[i], row);
        if (take > 0)
            rc = run_begin(m, &all.sources[i], take, err);
    }
    cw_snapshot_fini(&all);
    if (m->run != NULL && (before % 2 == 1 || cw_deletes_version(m->deletes) != before)) {
        run_end(m);
        rc = cw_err_set(err, CW_E_CONFLICT, "a delete is carried out from now on");
    }
    return rc;
}

/* ---- slices ---- */

/* 1: go on at once, 0: nothing is due, or an error. */
static int slice_work(struct cw_merge *m, struct cw_err *err)
{
    if (m->purging) {
        int rc = cw_purge_step(m->purge, slice_ns, err);
        m->purging = rc == 1;
        return rc < 0 ? rc : 1;
    }
    if (m->run == NULL) {
        int rc = cw_purge_next(m->purge, err);
        m->purging = rc == 1;
        if (rc != 0)
            return rc;
        rc = run_find(m, err);
        if (rc == CW_E_CORRUPT || rc == CW_E_LIMIT)
            refuse_inputs(m);
        return rc < 0 ? rc : m->run != NULL;
    }
    int rc = cw_merge_run_step(m->run, slice_ns, err);
    if (rc == 1)
        return 1;
    if (rc == 0) {
        pthread_mutex_lock(&m->lock);
        m->counts.merges++;
        m->counts.parts_in += m->ninputs;
        m->counts.bytes_in += m->input_bytes;
        m->counts.bytes_out += cw_merge_run_bytes_out(m->run);
        pthread_mutex_unlock(&m->lock);
    } else if (rc == CW_E_LIMIT || (rc == CW_E_CORRUPT && !cw_merge_run_has_bad_block(m->run))) {
        refuse_inputs(m);
    }
    run_end(m);
    return rc < 0 ? rc : 1;
}

static void slice(void *arg)
{
    struct cw_merge *m = arg;
    struct cw_err err;
    int rc = atomic_load(&m->stopping) ? 0 : slice_work(m, &err);
    /* A conflict: retention was faster, so look again. Anything else waits for the next kick. */
    if ((rc == 1 || rc == CW_E_CONFLICT) && !atomic_load(&m->stopping)) {
        cw_pool_submit(m->group, slice, m);
        return;
    }
    if (rc < 0)
        cw_log_warn("merging parts: %s", err.text);
    pthread_mutex_lock(&m->lock);
    m->counts.failed += rc < 0;
    m->running = false;
    pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
    (void)malloc_trim(0); /* flushes and merges leave holes of many MB in the heaps */
}
