#include "querier/engine/log_cut.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "querier/engine/unit_run.h"

enum {
    UNITS_MIN = 4,      /* fewer are read as they are */
    ENTRIES_MAX = 8192, /* who wants more reads most of what there is */
};

struct cut_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    const struct cw_scan *scan; /* the caller's */
    pthread_mutex_t lock;       /* guards what follows */
    size_t max, n;
    int64_t *keys; /* of the best rows: a heap with the worst at 0 */
};

/* One unit being read. */
struct cut_unit {
    struct cut_run *run;
    int64_t cut_ns;
};

/* Greater is better; and back. */
static int64_t key_of(const struct cut_run *run, int64_t ts_ns)
{
    return run->scan->newest_first ? ts_ns : ~ts_ns;
}

static void sift_up(int64_t *keys, size_t i, int64_t key)
{
    for (; i > 0 && keys[(i - 1) / 2] > key; i = (i - 1) / 2)
        keys[i] = keys[(i - 1) / 2];
    keys[i] = key;
}

static void sift_down(int64_t *keys, size_t n, int64_t key)
{
    size_t i = 0, child;
    while ((child = 2 * i + 1) < n) {
        child += child + 1 < n && keys[child + 1] < keys[child];
        if (keys[child] >= key)
            break;
        keys[i] = keys[child];
        i = child;
    }
    keys[i] = key;
}

/* False: neither it nor what is worse finds room. */
static bool key_add(struct cut_run *run, int64_t key)
{
    if (run->n < run->max)
        sift_up(run->keys, run->n++, key);
    else if (key > run->keys[0])
        sift_down(run->keys, run->n, key);
    else
        return false;
    return true;
}

/* Under the lock: rows past it find no room. */
static int64_t cut_now(const struct cut_run *run)
{
    if (run->n == run->max)
        return key_of(run, run->keys[0]);
    return run->scan->newest_first ? INT64_MIN : INT64_MAX;
}

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct cut_unit *unit = arg;
    struct cut_run *run = unit->run;
    (void)err;
    pthread_mutex_lock(&run->lock);
    for (size_t i = 0; i < batch->n && key_add(run, key_of(run, batch->ts_ns[i])); i++)
        continue;
    unit->cut_ns = cut_now(run);
    pthread_mutex_unlock(&run->lock);
    return 0;
}

static bool touches(const struct cw_scan *scan, const struct cw_unit *unit)
{
    return unit->max_ns >= scan->start_ns && unit->min_ns < scan->end_ns;
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct cut_run *run = arg;
    const struct cw_unit *unit = &run->plan->units.items[idx];
    (void)slot;
    if (!touches(run->scan, unit))
        return 0;
    int64_t best = key_of(run, run->scan->newest_first ? unit->max_ns : unit->min_ns);
    pthread_mutex_lock(&run->lock);
    struct cut_unit state = {run, cut_now(run)};
    bool behind = run->n == run->max && best <= run->keys[0];
    pthread_mutex_unlock(&run->lock);
    if (behind)
        return 1; /* and so is every unit behind it */
    struct cw_scan scan = *run->scan;
    scan.need = CW_NEED_TIMES;
    scan.cut_ns = &state.cut_ns;
    scan.stats = NULL; /* the page counts what it reads */
    return cw_unit_read(run->query, &scan, unit, add_batch, &state, err);
}

int cw_log_cut_find(struct cw_query_context *query, const struct cw_plan *plan,
                    const struct cw_scan *scan, size_t nentries, int64_t *out, struct cw_err *err)
{
    size_t nunits = 0;
    for (size_t i = 0; i < plan->units.n; i++)
        nunits += touches(scan, &plan->units.items[i]);
    if (nunits < UNITS_MIN || nentries > ENTRIES_MAX)
        return 0;
    struct cut_run run = {.query = query, .plan = plan, .scan = scan, .max = nentries};
    run.keys = cw_mem_array(nentries, sizeof *run.keys);
    pthread_mutex_init(&run.lock, NULL);
    int rc = cw_unit_run(query, plan, read_unit, &run, err);
    pthread_mutex_destroy(&run.lock);
    if (rc == 0 && run.n == run.max) {
        *out = cut_now(&run);
        rc = 1;
    }
    free(run.keys);
    return rc;
}
