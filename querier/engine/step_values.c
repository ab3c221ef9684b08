#include "querier/engine/step_values.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/match_stop.h"

static size_t nwords_of(size_t nsteps)
{
    return (nsteps + 63) / 64;
}

void cw_step_values_init(struct cw_step_values *values)
{
    *values = (struct cw_step_values){.bits = NULL};
    cw_id_map_init(&values->ids);
}

void cw_step_values_fini(struct cw_step_values *values)
{
    cw_id_map_fini(&values->ids);
    free(values->bits);
    values->bits = NULL;
}

size_t cw_step_values_bytes(size_t nsteps)
{
    return CW_ID_MAP_ENTRY_BYTES + 2 * nwords_of(nsteps) * sizeof(uint64_t);
}

static uint64_t *bits_of(struct cw_step_values *values, size_t nsteps, struct cw_hash128 id,
                         bool *added)
{
    size_t nwords = nwords_of(nsteps), idx = cw_id_map_put(&values->ids, id, added);
    if (idx == values->cap) {
        values->cap = CW_MAX(8, 2 * values->cap);
        values->bits = cw_mem_resize(values->bits, values->cap * nwords * sizeof(uint64_t));
    }
    uint64_t *bits = values->bits + idx * nwords;
    if (*added)
        memset(bits, 0, nwords * sizeof *bits);
    return bits;
}

bool cw_step_values_add(struct cw_step_values *values, size_t nsteps, struct cw_str value,
                        size_t first, size_t last)
{
    bool added;
    CW_ASSERT(first <= last && last < nsteps);
    uint64_t *bits = bits_of(values, nsteps, cw_hash128(value.ptr, value.len), &added);
    for (size_t word = first / 64; word <= last / 64; word++) {
        uint64_t mask = UINT64_MAX;
        if (word == first / 64)
            mask &= UINT64_MAX << first % 64;
        if (word == last / 64)
            mask &= UINT64_MAX >> (63 - last % 64);
        bits[word] |= mask;
    }
    return added;
}

size_t cw_step_values_merge(struct cw_step_values *values, size_t nsteps,
                            const struct cw_step_values *from)
{
    size_t nwords = nwords_of(nsteps), nadded = 0;
    for (size_t i = 0; i < from->ids.n; i++) {
        bool added;
        uint64_t *bits = bits_of(values, nsteps, from->ids.ids[i], &added);
        for (size_t word = 0; word < nwords; word++)
            bits[word] |= from->bits[i * nwords + word];
        nadded += added;
    }
    return nadded;
}

int cw_step_values_count(const struct cw_step_values *values, size_t nsteps, uint64_t *counts,
                         struct cw_err *err)
{
    int rc = 0;
    size_t nwords = nwords_of(nsteps);
    for (size_t i = 0; rc == 0 && i < values->ids.n; i++) {
        rc = cw_match_stop_check(err);
        for (size_t word = 0; word < nwords; word++)
            for (uint64_t rest = values->bits[i * nwords + word]; rest != 0; rest &= rest - 1)
                counts[64 * word + (size_t)__builtin_ctzll(rest)]++;
    }
    return rc;
}
