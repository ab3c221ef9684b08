#include "querier/engine/distinct.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/hash.h"

enum { INDEX_BITS = 14, NREGISTERS = 1 << INDEX_BITS, TABLE_MIN = 16 };
_Static_assert((size_t)NREGISTERS <= (size_t)CW_DISTINCT_BYTES,
               "an estimate takes no more than the values");

void cw_distinct_fini(struct cw_distinct *c)
{
    free(c->hashes);
    free(c->registers);
    *c = (struct cw_distinct){0};
}

/* The register keeps the most leading zeros that were seen behind its index. */
static void registers_add(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << INDEX_BITS | UINT64_C(1) << (INDEX_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1),
            *at = &registers[hash >> (64 - INDEX_BITS)];
    if (rank > *at)
        *at = rank;
}

/* True: the hash is new. */
static bool table_put(uint64_t *hashes, size_t cap, uint64_t hash)
{
    size_t at = (size_t)hash & (cap - 1);
    for (; hashes[at] != 0; at = (at + 1) & (cap - 1))
        if (hashes[at] == hash)
            return false;
    hashes[at] = hash;
    return true;
}

static void table_grow(struct cw_distinct *c)
{
    uint64_t *old = c->hashes;
    size_t old_cap = c->cap;
    c->cap = old_cap > 0 ? 2 * old_cap : TABLE_MIN;
    c->hashes = cw_mem_array(c->cap, sizeof *c->hashes);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i] != 0)
            table_put(c->hashes, c->cap, old[i]);
    free(old);
}

static void begin_estimate(struct cw_distinct *c)
{
    c->registers = cw_mem_array(NREGISTERS, sizeof *c->registers);
    for (size_t i = 0; i < c->cap; i++)
        if (c->hashes[i] != 0)
            registers_add(c->registers, c->hashes[i]);
    free(c->hashes);
    c->hashes = NULL;
}

void cw_distinct_add(struct cw_distinct *c, struct cw_str value)
{
    uint64_t hash = cw_hash64(value.ptr, value.len);
    if (c->registers != NULL) {
        registers_add(c->registers, hash);
        return;
    }
    if (2 * c->n >= c->cap && c->n < CW_DISTINCT_EXACT)
        table_grow(c);
    c->n += table_put(c->hashes, c->cap, hash != 0 ? hash : 1);
    if (c->n > CW_DISTINCT_EXACT)
        begin_estimate(c);
}

uint64_t cw_distinct_get(const struct cw_distinct *c)
{
    if (c->registers == NULL)
        return c->n;
    const double m = NREGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
    double sum = 0;
    size_t nzero = 0;
    for (size_t i = 0; i < NREGISTERS; i++) {
        sum += ldexp(1, -c->registers[i]);
        nzero += c->registers[i] == 0;
    }
    double estimate = alpha * m * m / sum;
    /* While many registers are empty, their number tells more. */
    if (estimate <= 2.5 * m && nzero > 0)
        estimate = m * log(m / (double)nzero);
    return (uint64_t)(estimate + 0.5);
}
