/* retention.c - which parts go, and since when entries are hidden. */
#include "ingester/retention.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/part_source.h"

/* Parts with entries of this last time stay when the disk is full. */
static const int64_t young_ns = 3600 * CW_NS_PER_S;

int64_t cw_retention_horizon_ns(const struct cw_retention_options *options, struct cw_str tenant,
                                int64_t now_ns)
{
    int64_t period_ns = options->period_ns(options->ctx, tenant), horizon_ns;
    if (period_ns <= 0 || __builtin_sub_overflow(now_ns, period_ns, &horizon_ns))
        return INT64_MIN;
    return horizon_ns;
}

static const struct cw_part_footer *footer_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source));
}

static void drop(struct cw_parts_change *change, struct cw_source *source, const char *why)
{
    cw_log_info("dropping part %s: %s", cw_part_reader_path(cw_part_source_reader(source)), why);
    cw_parts_change_remove(change, source);
}

static int newest_cmp(const void *a, const void *b)
{
    int64_t x = (*(struct cw_source *const *)a)->max_ns,
            y = (*(struct cw_source *const *)b)->max_ns;
    return x < y ? -1 : x > y;
}

/* Too old: out of *all, into the change. Partly too old: hidden. */
static uint64_t by_age(struct cw_snapshot *all, const struct cw_retention_options *options,
                       int64_t now_ns, struct cw_parts_change *change)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        struct cw_source *source = all->sources[i];
        int64_t horizon_ns =
            cw_retention_horizon_ns(options, footer_of(source)->info.tenant, now_ns);
        if (source->max_ns < horizon_ns) {
            drop(change, source, "all its entries are older than retention_period");
            cw_source_unref(&source);
            continue;
        }
        cw_part_source_hide_before(source, horizon_ns);
        all->sources[n++] = source;
    }
    uint64_t dropped = all->n - n;
    all->n = n;
    return dropped;
}

/* The disk is short: the oldest go. What by_age drops counts as free only once it is. */
static int by_space(struct cw_parts *parts, struct cw_snapshot *all, double min_free,
                    int64_t now_ns, struct cw_parts_change *change, uint64_t *dropped,
                    struct cw_err *err)
{
    uint64_t free_bytes, total_bytes;
    int rc = cw_file_space(cw_parts_data_dir(parts), &free_bytes, &total_bytes, err);
    if (rc < 0)
        return rc;
    double want = min_free * (double)total_bytes, have = (double)free_bytes;
    if (have >= want || all->n == 0)
        return 0;
    qsort(all->sources, all->n, sizeof(struct cw_source *), newest_cmp);
    for (size_t i = 0; i < all->n && have < want; i++) {
        struct cw_source *source = all->sources[i];
        if (source->max_ns >= now_ns - young_ns)
            break;
        drop(change, source,
             "less than storage.min_free of the disk is free, and it is the oldest");
        have += (double)footer_of(source)->file_bytes;
        ++*dropped;
    }
    return 0;
}

int cw_retention_run(struct cw_parts *parts, const struct cw_retention_options *options,
                     int64_t now_ns, uint64_t *ndropped_out, struct cw_err *err)
{
    struct cw_snapshot all = {0};
    struct cw_parts_change *change = cw_parts_change_new(parts);
    int rc = 0;
    cw_parts_all(parts, &all);
    uint64_t dropped = by_age(&all, options, now_ns, change);
    if (dropped == 0 && options->min_free > 0)
        rc = by_space(parts, &all, options->min_free, now_ns, change, &dropped, err);
    if (rc == 0 && dropped > 0)
        rc = cw_parts_commit(parts, change, err);
    if (rc == 0 && dropped > 0) {
        cw_parts_lock(parts);
        cw_parts_publish(parts, change);
        cw_parts_unlock(parts);
    }
    cw_parts_change_free(&change);
    cw_snapshot_fini(&all);
    /* A merge replaced one of them meanwhile: the next run sees the new part. */
    if (rc == CW_E_CONFLICT) {
        rc = 0;
        dropped = 0;
    }
    if (rc == 0 && ndropped_out != NULL)
        *ndropped_out = dropped;
    return rc;
}
