#include "common/base/hash.h"

#include <stdlib.h>

#include "common/base/assert.h"

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

struct cw_hash_stream {
    XXH3_state_t state;
};

struct cw_hash_stream *cw_hash_stream_new(void)
{
    size_t align = _Alignof(struct cw_hash_stream);
    struct cw_hash_stream *stream = aligned_alloc(align, sizeof *stream);
    CW_ASSERT(stream != NULL);
    (void)XXH3_64bits_reset(&stream->state);
    return stream;
}

void cw_hash_stream_add(struct cw_hash_stream *stream, const void *bytes, size_t len)
{
    if (len > 0)
        (void)XXH3_64bits_update(&stream->state, bytes, len);
}

uint64_t cw_hash_stream_end(const struct cw_hash_stream *stream)
{
    return XXH3_64bits_digest(&stream->state);
}

void cw_hash_stream_free(struct cw_hash_stream **stream)
{
    free(*stream);
    *stream = NULL;
}
