#include "querier/engine/value_set.h"

#include "common/base/assert.h"
#include "common/base/hash.h"

struct cw_value_set {
    struct cw_arena *arena;
    struct cw_str *slots; /* empty: free */
    size_t nslots;        /* a power of two, more than twice the values */
    size_t n, max;
};

static size_t nslots_of(size_t max_values)
{
    size_t n = 16;
    while (n < 2 * max_values + 1)
        n *= 2;
    return n;
}

struct cw_value_set *cw_value_set_new(struct cw_arena *arena, size_t max_values)
{
    struct cw_value_set *set = CW_ARENA_NEW(arena, struct cw_value_set);
    *set =
        (struct cw_value_set){.arena = arena, .nslots = nslots_of(max_values), .max = max_values};
    set->slots = CW_ARENA_ARRAY(arena, struct cw_str, set->nslots);
    return set;
}

size_t cw_value_set_bytes(size_t max_values, size_t text_bytes)
{
    return sizeof(struct cw_value_set) + nslots_of(max_values) * sizeof(struct cw_str) + text_bytes;
}

static struct cw_str *find(const struct cw_value_set *set, struct cw_str value)
{
    size_t at = (size_t)cw_hash64(value.ptr, value.len) & (set->nslots - 1);
    while (set->slots[at].len > 0 && !cw_str_eq(set->slots[at], value))
        at = (at + 1) & (set->nslots - 1);
    return &set->slots[at];
}

void cw_value_set_add(struct cw_value_set *set, struct cw_str value)
{
    CW_ASSERT(value.len > 0);
    struct cw_str *slot = find(set, value);
    if (slot->len > 0)
        return;
    CW_ASSERT(set->n++ < set->max);
    *slot = cw_arena_dup(set->arena, value);
}

bool cw_value_set_has(const struct cw_value_set *set, struct cw_str value)
{
    return value.len > 0 && find(set, value)->len > 0;
}
