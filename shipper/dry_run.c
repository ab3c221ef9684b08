#include "shipper/dry_run.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/batch.h"
#include "shipper/batch_streams.h"
#include "shipper/inspect.h"
#include "shipper/targets.h"

/* A client, as far as it says what becomes of entries. */
struct destination {
    const struct cw_client_config *config;
    struct cw_labels external; /* one heap block */
    struct cw_query *selector; /* NULL: all streams */
};

struct cw_dry_run {
    struct cw_batch *batch;
    struct cw_inspect *inspect; /* NULL: entries alone */
    struct destination *destinations;
    size_t ndestinations;
    bool tells_clients;     /* not every entry is for all of them */
    struct cw_arena *arena; /* of the entry that is printed */
};

enum { DRY_RUN_BYTES = 256 << 10 };

static void destinations_make(struct cw_dry_run *dry_run, const struct cw_config_tables *clients)
{
    const struct cw_client_config *configs = clients->items;
    dry_run->ndestinations = clients->n;
    dry_run->destinations = cw_mem_array(clients->n + 1, sizeof(struct destination));
    dry_run->tells_clients = clients->n > 1;
    for (size_t i = 0; i < clients->n; i++) {
        struct destination *to = &dry_run->destinations[i];
        struct cw_err err;
        to->config = &configs[i];
        to->external = cw_labels_from_map(&configs[i].external_labels);
        if (configs[i].selector.len == 0)
            continue;
        int rc = cw_client_selector_parse(configs[i].selector, &to->selector, &err);
        CW_ASSERT(rc == 0); /* its row has checked it */
        dry_run->tells_clients = true;
    }
}

struct cw_dry_run *cw_dry_run_new(const struct cw_shipper_config *config, bool inspect)
{
    const struct cw_limits_config *limits = &config->limits;
    struct cw_dry_run *dry_run = cw_mem_new(sizeof *dry_run);
    dry_run->inspect = inspect ? cw_inspect_new(stdout) : NULL;
    dry_run->arena = cw_arena_new();
    destinations_make(dry_run, &config->clients);
    struct cw_batch_options options = {.all_tenants = true,
                                       .keeps_labels = true,
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
    struct cw_dry_run *d = *dry_run;
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->ndestinations; i++) {
        free((void *)d->destinations[i].external.items);
        cw_query_free(&d->destinations[i].selector);
    }
    free(d->destinations);
    cw_arena_free(&d->arena);
    cw_batch_free(&d->batch);
    cw_inspect_free(&d->inspect);
    free(d);
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

/* What one client gets of an entry, or several. */
struct row {
    struct cw_str labels, tenant;
    struct cw_str to; /* their names */
};

/* "kind text", with a space ahead if something stands there already. */
static void extra_add(struct cw_buf *out, size_t start, const char *kind)
{
    if (out->len > start)
        cw_buf_addc(out, ' ');
    cw_buf_addz(out, kind);
}

static void row_print(const struct cw_dry_run *dry_run, const struct cw_push_entry *entry,
                      const struct row *row)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_time_format_rfc3339(entry->ts_ns, &text);
    cw_buf_addc(&text, '\t');
    cw_buf_adds(&text, row->labels);
    cw_buf_addc(&text, '\t');
    size_t start = text.len;
    if (entry->nmetadata > 0) {
        extra_add(&text, start, "metadata ");
        cw_labels_format((struct cw_labels){entry->metadata, entry->nmetadata}, &text);
    }
    if (row->tenant.len > 0) {
        extra_add(&text, start, "tenant=");
        cw_quote_go(row->tenant, &text);
    }
    if (dry_run->tells_clients) {
        extra_add(&text, start, "to ");
        cw_buf_adds(&text, row->to.len > 0 ? row->to : CW_STR("nobody"));
    }
    if (text.len > start)
        cw_buf_addc(&text, '\t');
    cw_buf_adds(&text, entry->line);
    cw_buf_addc(&text, '\n');
    fwrite(text.ptr, 1, text.len, stdout);
    cw_buf_fini(&text);
}

static struct cw_str labels_text(struct cw_arena *arena, struct cw_labels labels)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    struct cw_str copy = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return copy;
}

/* To the row of those that get the same. */
static void row_put(struct row *rows, size_t *nrows, const struct row *row, struct cw_arena *arena)
{
    size_t i = 0;
    while (i < *nrows &&
           !(cw_str_eq(rows[i].labels, row->labels) && cw_str_eq(rows[i].tenant, row->tenant)))
        i++;
    if (i == *nrows)
        rows[(*nrows)++] = *row;
    else
        rows[i].to =
            cw_arena_printf(arena, "%.*s, %.*s", CW_STR_ARG(rows[i].to), CW_STR_ARG(row->to));
}

static void entry_print(struct cw_dry_run *dry_run, const struct cw_batch_entry *entry)
{
    struct cw_arena *arena = dry_run->arena;
    struct cw_labels labels = dry_run->batch->streams->items[entry->stream].labels;
    cw_arena_reset(arena);
    struct row *rows = CW_ARENA_ARRAY(arena, struct row, dry_run->ndestinations + 1);
    size_t nrows = 0;
    for (size_t i = 0; i < dry_run->ndestinations; i++) {
        const struct destination *to = &dry_run->destinations[i];
        struct cw_labels joined = cw_batch_labels_join(arena, labels, to->external);
        struct cw_err err;
        if (to->selector != NULL &&
            cw_selector_match(&to->selector->root->selector, joined, &err) == 0)
            continue;
        const struct row row = {.labels = labels_text(arena, joined),
                                .tenant =
                                    entry->tenant.len > 0 ? entry->tenant : to->config->tenant_id,
                                .to = to->config->name};
        row_put(rows, &nrows, &row, arena);
    }
    if (nrows == 0)
        rows[nrows++] = (struct row){labels_text(arena, labels), entry->tenant, CW_STR_NONE};
    for (size_t i = 0; i < nrows; i++)
        row_print(dry_run, &entry->push, &rows[i]);
}

bool cw_dry_run_pump(struct cw_dry_run *dry_run, struct cw_sources *sources)
{
    struct cw_batch *batch = dry_run->batch;
    struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped, NULL};
    if (cw_batch_cut(batch, &sources->active, CW_BATCH_ENTRIES_MAX, cw_clock_now_ns(), &report) ==
        0)
        return false;
    for (size_t i = 0; i < batch->nparts; i++) {
        const struct cw_batch_part *part = &batch->parts[i];
        for (size_t k = 0; k < part->nentries; k++)
            entry_print(dry_run, &batch->entries[part->first + k]);
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
