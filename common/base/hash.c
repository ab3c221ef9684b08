#include "common/base/hash.h"

/* Inlined and compiled with our flags: the shared library's copy is built for the oldest CPU. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cw_hash64(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

struct cw_hash128 cw_hash128(const void *bytes, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);
    return (struct cw_hash128){.lo = hash.low64, .hi = hash.high64};
}
