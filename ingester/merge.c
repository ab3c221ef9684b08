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
#include "ingester/merge_pick.h"
#include "ingester/merge_run.h"
#include "ingester/purge.h"

/* A slice: short beside a query's unit of work. */
static const int64_t slice_ns = 10 * CW_NS_PER_MS;

enum {
    FAN_IN_MAX = 2 * CW_MERGE_FAN_IN, /* after a burst of flushes */
    FAN_IN_MIN = 2,                   /* where memory is short */
    /* After a failure the same work begins again after so long, twice as long each time: on a full disk every try fills what room
     * there is (with up to CW_MERGE_PART_BYTES_MAX), and takes it from the log and the flushes while it lasts. */
    RETRY_MS_FIRST = 1000,
    RETRY_MS_MAX = 60 * 1000,
    /* Where nothing was due and nothing has changed since, only the time can make something due, and what it does (a day is over and
     * quiet, a stream's period ends) takes hours to come: a look at each of thousands of parts each second would cost more than it finds. */
    LOOK_AGAIN_MS = 10 * 1000,
};

/* The last look at all parts found nothing that is due. */
struct vain_look {
    bool known;
    uint64_t parts_version, deletes_version; /* before it */
    int64_t until_ns;                        /* monotonic */
};

/* Work that failed, and may go well another time. */
struct retry {
    const char *what;
    unsigned nfailed; /* in a row; 0: nothing is waited for */
    int code;         /* of the last failure: another one is told again */
    int64_t after_ns; /* monotonic */
    uint64_t nleft,
        deletes_version; /* at the last failure: when they are others there may be room, or other work */
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
    bool asked;   /* somebody waits: failed work is tried at once */
    bool running; /* a job is queued or runs; it owns `run`, `purging`, `refused` and the retries */
    bool purging; /* the purge has a run */
    struct cw_merge_counts counts;
    struct cw_merge_run *run;
    uint64_t inputs[FAN_IN_MAX]; /* of `run`: ids, and ... */
    size_t ninputs;
    uint64_t input_bytes;  /* ... their size */
    uint64_t memory_bytes; /* taken for it */
    uint64_t *refused;     /* ids of parts whose merge failed for a reason that stays */
    size_t nrefused;
    struct retry merge_retry, purge_retry;
    bool short_of_memory;  /* a merge is due */
    struct vain_look vain; /* the job's, too */
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
    m->merge_retry.what = "merging parts";
    m->purge_retry.what = "writing parts anew without what is hidden in them";
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
    bool again = true;
    pthread_mutex_lock(&m->lock);
    m->asked = true;
    while (again) {
        pthread_mutex_unlock(&m->lock);
        cw_merge_kick(m);
        pthread_mutex_lock(&m->lock);
        while (m->running)
            pthread_cond_wait(&m->idle, &m->lock);
        again = m->asked && !atomic_load(&m->stopping); /* what ran had looked before */
    }
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

/* ---- after a failure ---- */

static bool retry_waits(const struct cw_merge *m, const struct retry *retry)
{
    return retry->nfailed > 0 && cw_clock_mono_ns() < retry->after_ns &&
           cw_parts_nleft(m->parts) == retry->nleft &&
           cw_deletes_version(m->deletes) == retry->deletes_version;
}

/* Somebody waits, who wants to know it now. */
static void retries_hurry(struct cw_merge *m)
{
    pthread_mutex_lock(&m->lock);
    if (m->asked) {
        m->merge_retry.after_ns = m->purge_retry.after_ns = 0;
        m->vain.known = false;
    }
    m->asked = false;
    pthread_mutex_unlock(&m->lock);
}

static void retry_failed(struct cw_merge *m, struct retry *retry, const struct cw_err *err)
{
    int64_t wait_ms = RETRY_MS_FIRST;
    for (unsigned i = 0; i < retry->nfailed && wait_ms < RETRY_MS_MAX; i++)
        wait_ms *= 2;
    wait_ms = CW_MIN(wait_ms, (int64_t)RETRY_MS_MAX);
    if (retry->nfailed++ == 0 || retry->code != err->code)
        cw_log_warn(
            "%s failed, it is tried again every %d s at the latest, and when parts leave: %s",
            retry->what, RETRY_MS_MAX / 1000, err->text);
    retry->code = err->code;
    retry->after_ns = cw_clock_mono_ns() + wait_ms * CW_NS_PER_MS;
    retry->nleft = cw_parts_nleft(m->parts);
    retry->deletes_version = cw_deletes_version(m->deletes);
}

/* It went well, or there is nothing left to do. */
static void retry_over(struct retry *retry)
{
    if (retry->nfailed > 0)
        cw_log_info("%s: done, after %u failures", retry->what, retry->nfailed);
    retry->nfailed = 0;
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
static int run_begin(struct cw_merge *m, const struct cw_merge_candidate *parts, size_t n,
                     struct cw_err *err)
{
    struct cw_source *sources[FAN_IN_MAX];
    uint64_t bytes = CW_PART_WRITER_MEMORY + n * CW_PART_CURSOR_MEMORY;
    if (cw_memory_take(m->budget, CW_MEMORY_MERGE, bytes, NULL) < 0)
        return 0;
    m->memory_bytes = bytes;
    m->input_bytes = 0;
    for (m->ninputs = 0; m->ninputs < n; m->ninputs++) {
        sources[m->ninputs] = parts[m->ninputs].arg;
        m->inputs[m->ninputs] = parts[m->ninputs].id;
        m->input_bytes += parts[m->ninputs].bytes;
    }
    int rc = cw_merge_run_new(m->parts, sources, n, m->codec, &m->run, err);
    if (rc < 0)
        run_end(m);
    return rc;
}

/* Begin the first merge of the kind that finds room: m->run. 1: some are due, 0: none. */
static int kind_find(struct cw_merge *m, struct cw_merge_candidate *parts, size_t n,
                     enum cw_merge_kind kind, struct cw_err *err)
{
    int64_t now_ns = cw_clock_now_ns();
    int due = 0;
    cw_merge_sort(parts, n, kind);
    for (size_t from = 0, take; m->run == NULL; from += take) {
        take = cw_merge_due(parts, n, kind, inputs_max(m), now_ns, &from);
        if (take == 0)
            return due;
        int rc = run_begin(m, &parts[from], take, err);
        if (rc < 0)
            return rc;
        due = 1;
    }
    return due;
}

/* The source of each is what `all` holds. */
static size_t candidates_list(struct cw_merge *m, const struct cw_snapshot *all,
                              struct cw_merge_candidate *out)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        struct cw_source *source = all->sources[i];
        const struct cw_part_footer *f = footer_of(source);
        if (may_merge(m, source))
            out[n++] = (struct cw_merge_candidate){
                .tenant = f->info.tenant,
                .day = f->info.day,
                .level = f->info.level,
                .epoch = cw_deletes_epoch(m->deletes, &f->info),
                .id = f->info.id,
                .wal_first = f->info.wal_first,
                .bytes = f->file_bytes,
                .made_ns = cw_part_reader_written_ns(cw_part_source_reader(source)),
                .arg = source};
    }
    return n;
}

/* Begin the merge that is due, if any: m->run. 1: some are due, 0: none. */
static int run_find(struct cw_merge *m, struct cw_err *err)
{
    struct cw_snapshot all = {0};
    uint64_t before = cw_deletes_version(m->deletes);
    cw_parts_all(m->parts, &all);
    struct cw_merge_candidate *parts = cw_mem_array(all.n + 1, sizeof(*parts));
    size_t n = candidates_list(m, &all, parts);
    int rc = kind_find(m, parts, n, CW_MERGE_LEVEL, err);
    if (rc == 0)
        rc = kind_find(m, parts, n, CW_MERGE_REST, err);
    free(parts);
    cw_snapshot_fini(&all);
    if (rc == 0)
        retry_over(&m->merge_retry);
    if (m->run != NULL && (before % 2 == 1 || cw_deletes_version(m->deletes) != before)) {
        run_end(m);
        rc = cw_err_set(err, CW_E_CONFLICT, "a delete is carried out from now on");
    }
    return rc;
}

/* ---- slices ---- */

/* All of these: 1: go on at once, 0: nothing is due or it waits, or an error. */

static int failed(struct cw_merge *m, struct retry *retry, int rc, const struct cw_err *err)
{
    if (rc == CW_E_CORRUPT || rc == CW_E_LIMIT || rc == CW_E_INVALID)
        cw_log_warn("%s: %s", retry->what, err->text); /* those parts are not tried again */
    else if (rc != CW_E_CONFLICT)
        retry_failed(m, retry, err);
    return rc;
}

static int purge_work(struct cw_merge *m, struct cw_err *err)
{
    bool goes_on = m->purging;
    if (!goes_on && retry_waits(m, &m->purge_retry))
        return 0;
    int rc = goes_on ? cw_purge_step(m->purge, slice_ns, err) : cw_purge_next(m->purge, err);
    m->purging = rc == 1;
    if (rc < 0)
        return failed(m, &m->purge_retry, rc, err);
    if (rc == 0 && !goes_on)
        retry_over(&m->purge_retry);
    return goes_on ? 1 : rc;
}

static int merge_begin(struct cw_merge *m, struct cw_err *err)
{
    if (retry_waits(m, &m->merge_retry))
        return 0;
    int rc = run_find(m, err);
    m->short_of_memory = rc == 1 && m->run == NULL;
    if (rc == CW_E_CORRUPT || rc == CW_E_LIMIT)
        refuse_inputs(m);
    return rc < 0 ? failed(m, &m->merge_retry, rc, err) : m->run != NULL;
}

static int merge_work(struct cw_merge *m, struct cw_err *err)
{
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
        retry_over(&m->merge_retry);
    } else if (rc == CW_E_LIMIT || (rc == CW_E_CORRUPT && !cw_merge_run_has_bad_block(m->run))) {
        refuse_inputs(m);
    }
    run_end(m);
    return rc < 0 ? failed(m, &m->merge_retry, rc, err) : 1;
}

static bool is_idle(const struct cw_merge *m)
{
    return m->vain.known && m->vain.parts_version == cw_parts_version(m->parts) &&
           m->vain.deletes_version == cw_deletes_version(m->deletes) &&
           cw_clock_mono_ns() < m->vain.until_ns;
}

/* Is there something that is due, but was not begun? */
static bool something_waits(const struct cw_merge *m)
{
    return m->merge_retry.nfailed > 0 || m->purge_retry.nfailed > 0 || m->short_of_memory ||
           cw_purge_short_of_memory(m->purge);
}

static int slice_work(struct cw_merge *m, struct cw_err *err)
{
    if (m->run != NULL)
        return merge_work(m, err);
    if (!m->purging)
        retries_hurry(m);
    if (!m->purging && is_idle(m))
        return 0;
    struct vain_look look = {.parts_version = cw_parts_version(m->parts),
                             .deletes_version = cw_deletes_version(m->deletes),
                             .until_ns = cw_clock_mono_ns() + LOOK_AGAIN_MS * CW_NS_PER_MS};
    int rc = purge_work(m, err);
    if (rc == 0)
        rc = merge_begin(m, err);
    look.known = rc == 0 && look.deletes_version % 2 == 0 && !something_waits(m);
    m->vain = look;
    return rc;
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
    pthread_mutex_lock(&m->lock);
    m->counts.failed += rc < 0;
    m->running = false;
    pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
    (void)malloc_trim(0); /* flushes and merges leave holes of many MB in the heaps */
}
