#include "shipper/dry_run.h"
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/batch.h"

struct cw_dry_run {
    struct cw_batch *batch;
};

enum { DRY_RUN_BYTES = 256 << 10 };

struct cw_dry_run *cw_dry_run_new(const struct cw_limits_config *limits)
{
    struct cw_dry_run *dry_run = cw_mem_new(sizeof *dry_run);
    struct cw_batch_options options = {.bytes = DRY_RUN_BYTES,
                                       .max_line_bytes = (size_t)limits->max_line_bytes,
                                       .truncate = limits->max_line_truncate};
    dry_run->batch = cw_batch_new(&options);
    return dry_run;
}

void cw_dry_run_free(struct cw_dry_run **dry_run)
{
    if (*dry_run == NULL)
        return;
    cw_batch_free(&(*dry_run)->batch);
    free(*dry_run);
    *dry_run = NULL;
}

static void on_error(void *arg, struct cw_source *source, const struct cw_err *err)
{
    (void)arg;
    cw_log_warn("reading %s: %s", source->path_now, err->text);
}

static void on_changed(void *arg, struct cw_source *source)
{
    (void)arg;
    (void)source; /* the next refresh begins it anew */
}

static void on_dropped(void *arg, struct cw_source *source, const struct cw_batch_counts *counts)
{
    (void)arg;
    (void)source;
    (void)counts;
}

bool cw_dry_run_pump(struct cw_dry_run *dry_run, struct cw_sources *sources)
{
    struct cw_batch *batch = dry_run->batch;
    struct cw_batch_report report = {on_error, on_changed, on_dropped, NULL};
    struct cw_buf time;
    cw_buf_init(&time, 64);
    if (cw_batch_cut(batch, sources->items, sources->n, CW_BATCH_ENTRIES_MAX, cw_clock_now_ns(),
                     &report) == 0)
        return false;
    for (size_t i = 0; i < batch->nparts; i++) {
        const struct cw_batch_part *part = &batch->parts[i];
        for (size_t k = 0, stream = 0; k < part->nentries; k++) {
            const struct cw_push_entry *entry = &batch->entries[part->first + k];
            while (stream + 1 < CW_SOURCE_STREAMS && k >= part->stream_ends[stream])
                stream++;
            cw_buf_clear(&time);
            cw_time_format_rfc3339(entry->ts_ns, &time);
            printf("%s\t%s\t", cw_buf_z(&time), part->source->labels[stream]);
            fwrite(entry->line.ptr, 1, entry->line.len, stdout);
            putchar('\n');
        }
        cw_ledger_stored(&part->source->rows[0], part->to, part->last_ts_ns);
    }
    fflush(stdout);
    cw_buf_fini(&time);
    cw_batch_drop(batch);
    return true;
}
