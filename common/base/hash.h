/*
 * hash.h - XXH3, the project's only hash (checksums, stream ids, tables).
 */
#ifndef CW_BASE_HASH_H
#define CW_BASE_HASH_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"

struct cw_hash128 {
    uint64_t lo, hi;
};

uint64_t cw_hash64(const void *bytes, size_t len);
struct cw_hash128 cw_hash128(const void *bytes, size_t len);
/* cw_hash64() of bytes that come in pieces. */
struct cw_hash_stream;
struct cw_hash_stream *cw_hash_stream_new(void);
void cw_hash_stream_add(struct cw_hash_stream *stream, const void *bytes, size_t len);
/* Of all so far. */
uint64_t cw_hash_stream_end(const struct cw_hash_stream *stream);
void cw_hash_stream_free(struct cw_hash_stream **stream);
static inline bool cw_hash128_eq(struct cw_hash128 a, struct cw_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}
static inline int cw_hash128_cmp(struct cw_hash128 a, struct cw_hash128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

#endif
