#include "shipper/dry_run.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/batch.h"
#include "shipper/inspect.h"

struct cw_dry_run {
    struct cw_batch *batch;
    struct cw_inspect *inspect; /* NULL: entries alone */
};

enum { DRY_RUN_BYTES = 256 << 10 };

struct cw_dry_run *cw_dry_run_new(const struct cw_limits_config *limits, bool inspect)
{
    struct cw_dry_run *dry_run = cw_mem_new(sizeof *dry_run);
    dry_run->inspect = inspect ? cw_inspect_new(stdout) : NULL;
    struct cw_batch_options options = {.all_tenants = true,
                                       .inspect = dry_run->inspect,
                                       .bytes = DRY_RUN_BYTES,
                                       .max_line_bytes = (size_t)limits->max_line_bytes,
                                       .long_lines = cw_limits_long_lines(limits),
                                       .truncated_mark = limits->max_line_truncate_mark};
    dry_run->batch = cw_batch_new(&options);
    return dry_run;
}

void cw_dry_run_free(struct cw_dry_run **dry_run)
{
    if (*dry_run == NULL)
        return;
    cw_batch_free(&(*dry_run)->batch);
    cw_inspect_free(&(*dry_run)->inspect);
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

static bool on_tenant(void *arg, struct cw_str tenant)
{
    (void)arg;
    (void)tenant;
    return true;
}

static void entry_print(const struct cw_batch *batch, const struct cw_batch_entry *entry)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_time_format_rfc3339(entry->push.ts_ns, &text);
    cw_buf_addc(&text, '\t');
    cw_buf_adds(&text, cw_batch_labels(batch, entry));
    cw_buf_addc(&text, '\t');
    cw_buf_adds(&text, entry->push.line);
    cw_buf_addc(&text, '\n');
    fwrite(text.ptr, 1, text.len, stdout);
    cw_buf_fini(&text);
}

bool cw_dry_run_pump(struct cw_dry_run *dry_run, struct cw_sources *sources)
{
    struct cw_batch *batch = dry_run->batch;
    struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped, NULL};
    if (cw_batch_cut(batch, sources->active.items, sources->active.n, CW_BATCH_ENTRIES_MAX,
                     cw_clock_now_ns(), &report) == 0)
        return false;
    for (size_t i = 0; i < batch->nparts; i++) {
        const struct cw_batch_part *part = &batch->parts[i];
        for (size_t k = 0; k < part->nentries; k++)
            entry_print(batch, &batch->entries[part->first + k]);
        cw_ledger_stored(&part->source->rows[0], part->to, part->last_ts_ns);
    }
    fflush(stdout);
    cw_batch_drop(batch);
    return true;
}

static void on_finding(void *arg, struct cw_str rule, uint64_t n, bool left)
{
    const struct cw_str *job = arg;
    if (n > 0)
        fprintf(stderr, "redact: job \"%.*s\": %.*s: %" PRIu64 "%s\n", CW_STR_ARG(*job),
                CW_STR_ARG(rule), n, left ? " (left as it is, by dry_run)" : "");
}

void cw_dry_run_findings(const struct cw_stages *stages, struct cw_str job)
{
    if (stages != NULL)
        cw_stages_findings(stages, on_finding, &job);
}
