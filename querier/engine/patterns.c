#include "querier/engine/patterns.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "querier/engine/pattern_block.h"
#include "querier/engine/pattern_lines.h"
#include "querier/engine/pattern_merge.h"
#include "querier/engine/plan.h"
#include "querier/engine/unit_run.h"

/* What a worker has gathered, and the unit that it reads. */
struct worker {
    struct cw_pattern_table table;
    struct cw_pattern_lines *lines;
    struct cw_pattern_block *block;
    bool have_block; /* `block` is the unit's, and the table's numbers are as they were */
    uint32_t *rows;  /* patterns of the batch */
    size_t rows_cap;
    struct cw_pattern_sample
        *pending; /* by pattern: what was counted, and is not in the table yet */
    size_t pending_cap;
};

struct patterns_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    int64_t first_ns, step_ns;
    struct worker *workers; /* by slot */
};

struct unit_read {
    const struct patterns_run *run;
    struct worker *worker;
};

static void worker_fini(struct worker *worker)
{
    if (worker->lines == NULL)
        return;
    cw_pattern_lines_free(&worker->lines);
    cw_pattern_block_free(&worker->block);
    cw_pattern_table_fini(&worker->table);
    free(worker->rows);
    free(worker->pending);
}

static void rows_room(struct worker *worker, size_t n)
{
    if (n <= worker->rows_cap)
        return;
    worker->rows_cap = n;
    worker->rows = cw_mem_resize(worker->rows, n * sizeof *worker->rows);
}

/* The patterns of the batch's rows, into worker->rows. */
static int batch_patterns(struct worker *worker, const struct cw_entry_batch *batch,
                          struct cw_err *err)
{
    int rc = 0;
    rows_room(worker, batch->n);
    if (batch->templates == NULL)
        return cw_pattern_lines_rows(worker->lines, batch->lines, batch->n, worker->rows, err);
    if (!worker->have_block)
        rc = cw_pattern_block_begin(worker->block, batch->templates, err);
    worker->have_block = rc == 0;
    return rc < 0 ? rc
                  : cw_pattern_block_rows(worker->block, batch->rows, batch->n, worker->rows, err);
}

static int pending_flush(struct worker *worker, size_t pattern, struct cw_err *err)
{
    struct cw_pattern_sample pending = worker->pending[pattern];
    worker->pending[pattern].count = 0;
    return pending.count > 0 ? cw_pattern_table_add(&worker->table, pattern, pending, err) : 0;
}

static int pending_flush_all(struct worker *worker, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CW_MIN(worker->table.n, worker->pending_cap); i++)
        rc = pending_flush(worker, i, err);
    return rc;
}

static void pending_room(struct worker *worker)
{
    size_t n = worker->table.n;
    if (n <= worker->pending_cap)
        return;
    size_t cap = CW_MAX(2 * worker->pending_cap, n);
    worker->pending = cw_mem_resize(worker->pending, cap * sizeof *worker->pending);
    memset(worker->pending + worker->pending_cap, 0,
           (cap - worker->pending_cap) * sizeof *worker->pending);
    worker->pending_cap = cap;
}

/* What the metadata say; a word that is none of the levels is unknown. */
static enum cw_level level_of(struct cw_labels metadata)
{
    struct cw_str word = cw_labels_get(metadata, CW_LEVEL_LABEL);
    for (unsigned i = 0; i < CW_LEVEL_N; i++)
        if (cw_str_eq_nocase(word, cw_level_names[i]))
            return (enum cw_level)i;
    return CW_LEVEL_UNKNOWN;
}

/* Rows come in order of time: mostly of the step of the row before. Rows with the same metadata mostly share them. */
static int batch_count(const struct patterns_run *run, struct worker *worker,
                       const struct cw_entry_batch *batch, struct cw_err *err)
{
    int64_t step_from_ns = 0, step_to_ns = 0;
    uint32_t step = 0, level = CW_LEVEL_UNKNOWN;
    struct cw_labels metadata = CW_LABELS_NONE;
    int rc = 0;
    pending_room(worker);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        int64_t ts_ns = batch->ts_ns[i];
        if (ts_ns < step_from_ns || ts_ns >= step_to_ns) {
            uint64_t behind = (uint64_t)ts_ns - (uint64_t)run->first_ns;
            step = (uint32_t)(behind / (uint64_t)run->step_ns);
            step_from_ns = cw_patterns_step_ns(run->first_ns, run->step_ns, step);
            if (__builtin_add_overflow(step_from_ns, run->step_ns, &step_to_ns))
                step_to_ns = INT64_MAX;
        }
        if (batch->metadata != NULL && batch->metadata[i].items != metadata.items) {
            metadata = batch->metadata[i];
            level = level_of(metadata);
        }
        size_t pattern = worker->rows[i];
        struct cw_pattern_sample *pending = &worker->pending[pattern];
        if (pending->step != step || pending->level != level)
            rc = pending_flush(worker, pattern, err);
        pending->step = step;
        pending->level = level;
        pending->count++;
    }
    return rc;
}

/* Numbers of patterns change when the table makes room: nothing may hold one then. */
static int make_room(struct worker *worker, struct cw_err *err)
{
    if (worker->table.n <= CW_PATTERN_TABLE_MAX)
        return 0;
    int rc = pending_flush_all(worker, err);
    if (rc == 0)
        rc = cw_pattern_table_make_room(&worker->table, err);
    cw_pattern_lines_begin(worker->lines);
    worker->have_block = false;
    return rc;
}

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct unit_read *read = arg;
    int rc = make_room(read->worker, err);
    if (rc == 0)
        rc = batch_patterns(read->worker, batch, err);
    if (rc == 0)
        rc = batch_count(read->run, read->worker, batch, err);
    return rc;
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct patterns_run *run = arg;
    struct worker *worker = &run->workers[slot];
    if (worker->lines == NULL) {
        cw_pattern_table_init(&worker->table, &run->query->allowance);
        worker->lines = cw_pattern_lines_new(&worker->table);
        worker->block = cw_pattern_block_new(&worker->table);
    }
    cw_pattern_lines_begin(worker->lines);
    worker->have_block = false;
    struct unit_read read = {run, worker};
    return cw_unit_read(run->query, &run->plan->scan, &run->plan->units.items[idx], add_batch,
                        &read, err);
}

/* What all workers gathered. */
static int gather(struct patterns_run *run, unsigned nslots, struct cw_pattern_table *out,
                  struct cw_err *err)
{
    struct cw_pattern_table all;
    cw_pattern_table_init(&all, &run->query->allowance);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < nslots; i++) {
        rc = pending_flush_all(&run->workers[i], err);
        if (rc == 0)
            rc = cw_pattern_table_add_table(&all, &run->workers[i].table, err);
        if (rc == 0)
            rc = cw_pattern_table_make_room(&all, err);
    }
    if (rc == 0)
        rc = cw_pattern_merge(&all, out, err);
    cw_pattern_table_fini(&all);
    return rc;
}

/* Cut the pattern's samples by level. */
static size_t add_series(const struct cw_pattern_sum *sum, struct cw_pattern_series *out)
{
    size_t n = 0;
    for (size_t i = 0; i < sum->n; i++) {
        const struct cw_pattern_sample *sample = &sum->samples[i];
        if (n == 0 || out[n - 1].level != (enum cw_level)sample->level)
            out[n++] = (struct cw_pattern_series){
                .text = sum->text, .level = (enum cw_level)sample->level, .samples = sample};
        out[n - 1].n++;
        out[n - 1].count += sample->count;
    }
    return n;
}

static int by_count(const void *a, const void *b)
{
    const struct cw_pattern_series *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int order = cw_str_cmp(x->text, y->text);
    return order != 0 ? order : (int)x->level - (int)y->level;
}

static void cut_series(struct cw_patterns *out)
{
    out->series = cw_mem_array(out->table.n * CW_LEVEL_N + 1, sizeof *out->series);
    for (size_t i = 0; i < out->table.n; i++)
        out->n += add_series(&out->table.items[i], out->series + out->n);
    qsort(out->series, out->n, sizeof *out->series, by_count);
    out->n = CW_MIN(out->n, (size_t)CW_PATTERNS_MAX);
}

int cw_patterns_query(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                      int64_t end_ns, int64_t step_ns, struct cw_patterns *out, struct cw_err *err)
{
    struct cw_plan plan;
    unsigned nslots = cw_unit_run_slots(query);
    int64_t behind = start_ns % step_ns;
    *out = (struct cw_patterns){.step_ns = step_ns};
    if (__builtin_sub_overflow(start_ns, behind < 0 ? behind + step_ns : behind, &out->first_ns))
        out->first_ns = INT64_MIN;
    cw_pattern_table_init(&out->table, &query->allowance);
    int rc = cw_plan_make(query, expr, start_ns, end_ns,
                          CW_NEED_TIMES | CW_NEED_METADATA | CW_NEED_TEMPLATES, false, &plan, err);
    if (rc < 0)
        return rc;
    struct patterns_run run = {
        .query = query, .plan = &plan, .first_ns = out->first_ns, .step_ns = step_ns};
    run.workers = cw_mem_array(nslots, sizeof *run.workers);
    rc = cw_unit_run(query, &plan, read_unit, &run, err);
    if (rc == 0)
        rc = gather(&run, nslots, &out->table, err);
    if (rc == 0)
        cut_series(out);
    for (unsigned i = 0; i < nslots; i++)
        worker_fini(&run.workers[i]);
    free(run.workers);
    cw_plan_fini(&plan);
    return rc;
}

void cw_patterns_fini(struct cw_patterns *patterns)
{
    free(patterns->series);
    cw_pattern_table_fini(&patterns->table);
}
