/* postings_read.c - find names and chunks in a POSTINGS region, and walk the values of a chunk. */
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/packed_piece.h"
#include "common/store/postings_priv.h"

int postings_bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "postings: %s", what);
}

int cw_postings_open(struct cw_str region, uint32_t nstreams, enum cw_postings_layout layout,
                     struct cw_postings *out, struct cw_err *err)
{
    if (region.len < CW_POSTINGS_HEADER_BYTES)
        return postings_bad(err, "no header");
    *out = (struct cw_postings){.region = region,
                                .nstreams = nstreams,
                                .nnames = cw_get32(region.ptr),
                                .nchunks = cw_get32(region.ptr + 4)};
    uint64_t names = (uint64_t)out->nnames * CW_POSTINGS_NAME_BYTES,
             chunks = (uint64_t)out->nchunks * CW_POSTINGS_CHUNK_BYTES,
             fences = layout == CW_POSTINGS_FENCED
                          ? (uint64_t)out->nchunks * CW_POSTINGS_FENCE_BYTES
                          : 0;
    if (CW_POSTINGS_HEADER_BYTES + names + chunks + fences > region.len)
        return postings_bad(err, "directories longer than the region");
    out->names = region.ptr + CW_POSTINGS_HEADER_BYTES;
    out->chunks = out->names + names;
    out->fences = layout == CW_POSTINGS_FENCED ? out->chunks + chunks : NULL;
    return 0;
}

struct cw_str cw_postings_front(const struct cw_postings *postings)
{
    uint64_t end = postings->nchunks > 0 ? cw_get64(postings->chunks) : postings->region.len;
    return cw_str_sub(postings->region, 0, CW_MIN(end, (uint64_t)postings->region.len));
}

static bool text_at(const struct cw_postings *postings, const char *entry, struct cw_str *out)
{
    uint64_t off = cw_get32(entry), len = cw_get32(entry + 4);
    if (off + len > postings->region.len)
        return false;
    *out = cw_str_make(postings->region.ptr + off, len);
    return true;
}

bool postings_name(const struct cw_postings *postings, uint32_t i, struct cw_str *out)
{
    return text_at(postings, postings->names + (size_t)i * CW_POSTINGS_NAME_BYTES, out);
}

int postings_chunks(const struct cw_postings *postings, uint32_t i, uint32_t *first_out,
                    uint32_t *n_out, struct cw_err *err)
{
    const char *entry = postings->names + (size_t)i * CW_POSTINGS_NAME_BYTES;
    uint64_t first = cw_get32(entry + 8), n = cw_get32(entry + 12);
    if (first + n > postings->nchunks)
        return postings_bad(err, "a name with chunks that are not there");
    *first_out = (uint32_t)first;
    *n_out = (uint32_t)n;
    return 0;
}

int postings_find(const struct cw_postings *postings, struct cw_str name, uint32_t *first_out,
                  uint32_t *n_out, struct cw_err *err)
{
    uint32_t lo = 0, hi = postings->nnames;
    *n_out = 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct cw_str at;
        if (!postings_name(postings, mid, &at))
            return postings_bad(err, "a name outside the region");
        int c = cw_str_cmp(at, name);
        if (c == 0)
            return postings_chunks(postings, mid, first_out, n_out, err);
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}

/* Is `value` in chunk i or behind it? The fence says; without fences the chunk's first value. */
static int reaches_chunk(const struct cw_postings *postings, struct postings_chunk *chunk,
                         uint32_t i, struct cw_str value, bool *out, struct cw_err *err)
{
    struct cw_str fence;
    if (postings->fences != NULL) {
        if (!text_at(postings, postings->fences + (size_t)i * CW_POSTINGS_FENCE_BYTES, &fence))
            return postings_bad(err, "a fence outside the region");
    } else {
        int rc = postings_chunk_read(chunk, postings, i, err);
        if (rc == 0)
            rc = postings_chunk_value(chunk, err);
        if (rc < 0)
            return rc;
        fence = cw_buf_str(&chunk->value);
    }
    *out = cw_str_cmp(fence, value) <= 0;
    return 0;
}

int postings_chunk_of(const struct cw_postings *postings, uint32_t first, uint32_t n,
                      struct cw_str value, uint32_t *out, struct cw_err *err)
{
    struct postings_chunk chunk;
    uint32_t lo = 0, hi = n; /* the answer is in [lo, hi) */
    int rc = 0;
    postings_chunk_init(&chunk);
    while (rc == 0 && hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        bool reaches = false;
        rc = reaches_chunk(postings, &chunk, first + mid, value, &reaches, err);
        if (reaches)
            lo = mid;
        else
            hi = mid;
    }
    postings_chunk_fini(&chunk);
    *out = first + lo;
    return rc;
}

/* ---- a chunk ---- */

void postings_chunk_init(struct postings_chunk *chunk)
{
    *chunk = (struct postings_chunk){0};
    cw_buf_init(&chunk->raw, CW_POSTINGS_CHUNK_RAW_MAX);
    cw_buf_init(&chunk->value, CW_POSTINGS_CHUNK_RAW_MAX);
}

void postings_chunk_fini(struct postings_chunk *chunk)
{
    cw_buf_fini(&chunk->raw);
    cw_buf_fini(&chunk->value);
}

int postings_chunk_read(struct postings_chunk *chunk, const struct cw_postings *postings,
                        uint32_t i, struct cw_err *err)
{
    const char *entry = postings->chunks + (size_t)i * CW_POSTINGS_CHUNK_BYTES;
    cw_buf_clear(&chunk->raw);
    cw_buf_clear(&chunk->value);
    chunk->nleft = 0;
    const char *wrong =
        cw_packed_piece_read(entry, postings->region, CW_POSTINGS_CHUNK_RAW_MAX, &chunk->raw);
    if (wrong != NULL)
        return cw_err_set(err, CW_E_CORRUPT, "postings: a chunk %s", wrong);
    chunk->nstreams = postings->nstreams;
    chunk->rest = cw_buf_str(&chunk->raw);
    chunk->nleft = cw_get32(entry + 24);
    return 0;
}

int postings_chunk_value(struct postings_chunk *chunk, struct cw_err *err)
{
    struct cw_str *in = &chunk->rest;
    struct cw_buf *value = &chunk->value;
    uint64_t shared, more;
    if (chunk->nleft == 0)
        return 0;
    if (!cw_decode_varint(in, &shared) || !cw_decode_varint(in, &more) || shared > value->len ||
        more > in->len)
        return postings_bad(err, "a value is cut");
    value->len = shared;
    cw_buf_add(value, in->ptr, more);
    in->ptr += more;
    in->len -= more;
    chunk->nleft--;
    return cw_buf_failed(value) ? postings_bad(err, "a value is too long") : 1;
}

int postings_chunk_runs(struct postings_chunk *chunk, struct cw_stream_set *add,
                        const struct cw_stream_set *of, bool *any_out, struct cw_err *err)
{
    struct cw_str *in = &chunk->rest;
    uint64_t nruns, at = 0;
    bool any = false;
    if (!cw_decode_varint(in, &nruns) || nruns > in->len / 2)
        return postings_bad(err, "no count of runs");
    for (uint64_t i = 0; i < nruns; i++) {
        uint64_t gap, len;
        if (!cw_decode_varint(in, &gap) || !cw_decode_varint(in, &len))
            return postings_bad(err, "a run is cut");
        if (gap >= chunk->nstreams - at || len >= chunk->nstreams - at - gap)
            return postings_bad(err, "a run of streams that are not there");
        uint32_t first = (uint32_t)(at + gap);
        if (add != NULL)
            cw_stream_set_add_run(add, first, (uint32_t)len + 1);
        if (of != NULL && !any)
            any = cw_stream_set_any(of, first, first + (uint32_t)len);
        at += gap + len + 1;
    }
    if (any_out != NULL)
        *any_out = any;
    return 0;
}
