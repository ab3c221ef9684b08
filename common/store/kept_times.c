#include "common/store/kept_times.h"

#include <string.h>

#include "common/base/assert.h"

static struct cw_kept_times *set_of(struct cw_cached *cached)
{
    return cached != NULL ? CW_CONTAINER_OF(cached, struct cw_kept_times, base) : NULL;
}

struct cw_kept_times *cw_kept_times_get(struct cw_cache_place place)
{
    return set_of(cw_part_cache_get(place));
}

int cw_kept_times_keep(struct cw_cache_place place, const struct cw_block *block,
                       const struct cw_part_run *runs, uint32_t nruns, struct cw_kept_times **out,
                       struct cw_err *err)
{
    size_t times_bytes = block->rows * sizeof(int64_t), runs_bytes = nruns * sizeof(runs[0]);
    size_t bytes = sizeof(struct cw_kept_times) + times_bytes + runs_bytes;
    *out = NULL;
    if (!cw_part_cache_wants(place, bytes))
        return 0;
    struct cw_kept_times *set = cw_cached_new(bytes);
    struct cw_part_run *kept_runs = (struct cw_part_run *)(set->ns + block->rows);
    set->kind = block->kind;
    set->has_metadata = block->meta.stored.ptr != NULL;
    set->nruns = nruns;
    set->runs = memcpy(kept_runs, runs, runs_bytes);
    int rc = cw_block_times(block, set->ns, err);
    if (rc < 0)
        cw_cached_unref(&set->base);
    else
        *out = set_of(cw_part_cache_put(place, &set->base));
    return rc;
}
