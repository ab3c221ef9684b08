/* retention.c - which parts go, and since when entries are hidden. */
#include "ingester/retention.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/part_source.h"

struct run {
    struct cw_parts *parts;
    const struct cw_retention_options *options;
    int64_t now_ns;
    struct cw_snapshot all; /* that stay, the oldest first */
    struct cw_parts_change *change;
    struct cw_retention_counts dropped;
};

static const struct cw_part_footer *footer_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source));
}

static uint64_t bytes_of(struct cw_source *source)
{
    return footer_of(source)->file_bytes;
}

/* The part leaves the list when it is made smaller: NULL stands for it until then. */
static void drop(struct run *run, size_t i, uint64_t *counter, const char *why)
{
    struct cw_source *source = run->all.sources[i];
    cw_log_info("dropping part %s: %s", cw_part_reader_path(cw_part_source_reader(source)), why);
    cw_parts_change_remove(run->change, source);
    cw_source_unref(&run->all.sources[i]);
    ++*counter;
}

static void close_ranks(struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->all.n; i++)
        if (run->all.sources[i] != NULL)
            run->all.sources[n++] = run->all.sources[i];
    run->all.n = n;
}

static int newest_cmp(const void *a, const void *b)
{
    struct cw_source *x = *(struct cw_source *const *)a, *y = *(struct cw_source *const *)b;
    if (x->max_ns != y->max_ns)
        return x->max_ns < y->max_ns ? -1 : 1;
    uint64_t i = footer_of(x)->info.id, k = footer_of(y)->info.id;
    return i < k ? -1 : i > k;
}

void cw_retention_sort(struct cw_snapshot *parts)
{
    if (parts->n > 0)
        qsort(parts->sources, parts->n, sizeof(struct cw_source *), newest_cmp);
}

static int tenant_cmp(const void *a, const void *b)
{
    struct cw_source *x = *(struct cw_source *const *)a, *y = *(struct cw_source *const *)b;
    int c = cw_str_cmp(footer_of(x)->info.tenant, footer_of(y)->info.tenant);
    return c != 0 ? c : newest_cmp(a, b);
}

void cw_retention_sort_tenants(struct cw_snapshot *parts)
{
    if (parts->n > 0)
        qsort(parts->sources, parts->n, sizeof(struct cw_source *), tenant_cmp);
}

static struct cw_retention_policy *policy_of(const struct run *run, struct cw_source *source)
{
    return run->options->policy(run->options->ctx, footer_of(source)->info.tenant);
}

/* Too old: dropped. Partly too old: hidden. */
static void by_age(struct run *run)
{
    for (size_t i = 0; i < run->all.n; i++) {
        struct cw_source *source = run->all.sources[i];
        struct cw_retention_policy *policy = policy_of(run, source);
        int64_t horizon_ns = cw_retention_policy_horizon_ns(policy, run->now_ns);
        cw_retention_policy_unref(&policy);
        if (source->max_ns < horizon_ns)
            drop(run, i, &run->dropped.age, "all its entries are older than retention_period");
        else
            cw_part_source_hide_before(source, horizon_ns);
    }
    close_ranks(run);
}

/* Bytes of the tenant's parts, and which of them is the newest. */
static uint64_t tenant_bytes(const struct run *run, struct cw_str tenant, size_t *newest_out)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < run->all.n; i++) {
        struct cw_source *source = run->all.sources[i];
        if (source == NULL || !cw_str_eq(footer_of(source)->info.tenant, tenant))
            continue;
        bytes += bytes_of(source);
        *newest_out = i;
    }
    return bytes;
}

/* Is it the first of its tenant that is left in the list? */
static bool is_first_of_tenant(const struct run *run, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (run->all.sources[k] != NULL && cw_str_eq(footer_of(run->all.sources[k])->info.tenant,
                                                     footer_of(run->all.sources[i])->info.tenant))
            return false;
    return true;
}

/* Once a tenant: its parts are more than retention_bytes. */
static void by_tenant_bytes(struct run *run)
{
    for (size_t i = 0; i < run->all.n; i++) {
        struct cw_source *first = run->all.sources[i];
        if (first == NULL || !is_first_of_tenant(run, i))
            continue;
        struct cw_retention_policy *policy = policy_of(run, first);
        struct cw_str tenant = footer_of(first)->info.tenant;
        uint64_t bytes_max = policy->bytes_max;
        size_t newest = i;
        cw_retention_policy_unref(&policy);
        if (bytes_max == 0)
            continue;
        uint64_t bytes = tenant_bytes(run, tenant, &newest);
        for (size_t k = i; k < newest && bytes > bytes_max; k++) {
            struct cw_source *source = run->all.sources[k];
            if (source == NULL || !cw_str_eq(footer_of(source)->info.tenant,
                                             footer_of(run->all.sources[newest])->info.tenant))
                continue;
            bytes -= bytes_of(source);
            drop(run, k, &run->dropped.tenant_bytes,
                 "the tenant's parts take more than retention_bytes, and it is the oldest");
        }
    }
    close_ranks(run);
}

static void by_store_bytes(struct run *run, uint64_t log_bytes)
{
    uint64_t bytes = log_bytes;
    if (run->options->max_bytes == 0)
        return;
    for (size_t i = 0; i < run->all.n; i++)
        bytes += bytes_of(run->all.sources[i]);
    for (size_t i = 0; i + 1 < run->all.n && bytes > run->options->max_bytes; i++) {
        bytes -= bytes_of(run->all.sources[i]);
        drop(run, i, &run->dropped.store_bytes,
             "parts and log take more than storage.max_bytes, and it is the oldest");
    }
    close_ranks(run);
}

uint64_t cw_retention_frees(struct cw_source *part)
{
    struct stat st;
    const char *path = cw_part_reader_path(cw_part_source_reader(part));
    return path != NULL && stat(path, &st) == 0 && st.st_nlink == 1 ? bytes_of(part) : 0;
}

/* Once, until there is room again. */
static void tell_held(struct cw_retention_totals *totals, uint64_t held_bytes, bool is_short)
{
    if (!is_short)
        atomic_store(&totals->held_told, false);
    else if (held_bytes > 0 && !atomic_exchange(&totals->held_told, true))
        cw_log_warn(
            "less than storage.min_free of the disk is free, and snapshots hold %" PRIu64
            " bytes of parts that would make room: these stay until the snapshots are deleted",
            held_bytes);
}

static int by_free_space(struct run *run, struct cw_retention_totals *totals, struct cw_err *err)
{
    uint64_t free_bytes, total_bytes;
    int rc = cw_file_space(cw_parts_data_dir(run->parts), &free_bytes, &total_bytes, err);
    if (rc < 0)
        return rc;
    double want = run->options->min_free * (double)total_bytes, have = (double)free_bytes;
    uint64_t held_bytes = 0;
    bool is_short = have < want;
    for (size_t i = 0; i < run->all.n && have < want; i++) {
        struct cw_source *source = run->all.sources[i];
        if (source->max_ns >= run->now_ns - CW_RETENTION_YOUNG_NS)
            break;
        uint64_t frees = cw_retention_frees(source);
        if (frees == 0) {
            held_bytes += bytes_of(source);
            continue;
        }
        have += (double)frees;
        drop(run, i, &run->dropped.free_space,
             "less than storage.min_free of the disk is free, and it is the oldest");
    }
    tell_held(totals, held_bytes, is_short);
    close_ranks(run);
    return 0;
}

static uint64_t total(const struct cw_retention_counts *counts)
{
    return counts->age + counts->tenant_bytes + counts->store_bytes + counts->free_space;
}

static int commit(struct run *run, struct cw_err *err)
{
    int rc = cw_parts_commit(run->parts, run->change, err);
    if (rc == 0) {
        cw_parts_lock(run->parts);
        cw_parts_publish(run->parts, run->change);
        cw_parts_unlock(run->parts);
    }
    return rc;
}

/* Of a part that is missing: it would have been dropped. */
static bool missing_is_past(void *arg, const struct cw_catalog_part *part)
{
    const struct run *run = arg;
    struct cw_retention_policy *policy = run->options->policy(run->options->ctx, part->tenant);
    int64_t horizon_ns = cw_retention_policy_horizon_ns(policy, run->now_ns);
    cw_retention_policy_unref(&policy);
    return part->max_ns < horizon_ns;
}

int cw_retention_run(struct cw_parts *parts, const struct cw_retention_options *options,
                     int64_t now_ns, uint64_t log_bytes, struct cw_retention_totals *totals,
                     struct cw_err *err)
{
    struct run run = {
        .parts = parts, .options = options, .now_ns = now_ns, .change = cw_parts_change_new(parts)};
    int rc = 0;
    cw_parts_all(parts, &run.all);
    cw_retention_sort(&run.all);
    by_age(&run);
    by_tenant_bytes(&run);
    by_store_bytes(&run, log_bytes);
    /* What was dropped above counts as free only once it is. */
    if (total(&run.dropped) == 0 && options->min_free > 0)
        rc = by_free_space(&run, totals, err);
    bool any = total(&run.dropped) > 0;
    if (rc == 0 && any)
        rc = commit(&run, err);
    if (rc == 0)
        rc = cw_parts_forget(parts, missing_is_past, &run, err);
    cw_parts_change_free(&run.change);
    cw_snapshot_fini(&run.all);
    /* A merge replaced one of them meanwhile: the next run sees the new part. */
    if (rc == CW_E_CONFLICT)
        return 0;
    if (rc == 0) {
        atomic_fetch_add(&totals->age, run.dropped.age);
        atomic_fetch_add(&totals->tenant_bytes, run.dropped.tenant_bytes);
        atomic_fetch_add(&totals->store_bytes, run.dropped.store_bytes);
        atomic_fetch_add(&totals->free_space, run.dropped.free_space);
    }
    return rc;
}

void cw_retention_count(struct cw_retention_totals *totals, struct cw_retention_counts *out)
{
    *out = (struct cw_retention_counts){
        atomic_load(&totals->age), atomic_load(&totals->tenant_bytes),
        atomic_load(&totals->store_bytes), atomic_load(&totals->free_space)};
}
