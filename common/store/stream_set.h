/*
 * stream_set.h - a set of stream numbers 0..n-1 of one part.
 *
 * Ownership  The set owns its words.
 * Threads    One; any while nobody changes it.
 */
#ifndef CW_STORE_STREAM_SET_H
#define CW_STORE_STREAM_SET_H
#include <stdbool.h>
#include <stdint.h>

struct cw_stream_set {
    uint64_t *words; /* heap; (n + 63) / 64 */
    uint32_t n;
};

/* Empty. */
void cw_stream_set_init(struct cw_stream_set *set, uint32_t n);
void cw_stream_set_fini(struct cw_stream_set *set);
static inline bool cw_stream_set_has(const struct cw_stream_set *set, uint32_t stream)
{
    return set->words[stream / 64] >> (stream % 64) & 1;
}
uint32_t cw_stream_set_count(const struct cw_stream_set *set);
/* Is any of first..last (inclusive, inside the set) a member? */
bool cw_stream_set_any(const struct cw_stream_set *set, uint32_t first, uint32_t last);
/* Are all of them? */
bool cw_stream_set_all(const struct cw_stream_set *set, uint32_t first, uint32_t last);
/* The first member that is at least `from`; n when there is none. */
uint32_t cw_stream_set_next(const struct cw_stream_set *set, uint32_t from);
void cw_stream_set_add_run(struct cw_stream_set *set, uint32_t first, uint32_t len);
/* Those of first..last (inclusive) that are members of `of`, which is as large. */
void cw_stream_set_add_members(struct cw_stream_set *set, const struct cw_stream_set *of,
                               uint32_t first, uint32_t last);
void cw_stream_set_invert(struct cw_stream_set *set);
void cw_stream_set_and(struct cw_stream_set *set, const struct cw_stream_set *other);

#endif
