#include "common/base/codec.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

enum {
    INFLATE_STEP_BYTES = 64 << 10,
    GZIP_LEVEL = 1, /* answers over HTTP: speed counts */
    ZSTD_LEVEL = 1,
    SNAPPY_MAX_RATIO = 22 /* a copy of 64 bytes takes three */
};

/* Contexts cost more to make than a block to decode: one pair a thread, freed when the thread ends. */
struct zstd_contexts {
    ZSTD_DCtx *d;
    ZSTD_CCtx *c;
};

static pthread_key_t zstd_key;
static pthread_once_t zstd_once = PTHREAD_ONCE_INIT;

static void zstd_contexts_free(void *arg)
{
    struct zstd_contexts *z = arg;
    ZSTD_freeDCtx(z->d);
    ZSTD_freeCCtx(z->c);
    free(z);
}

static void zstd_key_make(void)
{
    CW_ASSERT(pthread_key_create(&zstd_key, zstd_contexts_free) == 0);
}

static struct zstd_contexts *zstd_contexts(void)
{
    pthread_once(&zstd_once, zstd_key_make);
    struct zstd_contexts *z = pthread_getspecific(zstd_key);
    if (z != NULL)
        return z;
    z = cw_mem_new(sizeof *z);
    z->d = ZSTD_createDCtx();
    z->c = ZSTD_createCCtx();
    CW_ASSERT(z->d != NULL && z->c != NULL);
    CW_ASSERT(pthread_setspecific(zstd_key, z) == 0);
    return z;
}

static int too_large(struct cw_err *err, const char *codec, size_t max_bytes)
{
    return cw_err_set(err, CW_E_TOO_LARGE, "%s: decompresses to more than %zu bytes", codec,
                      max_bytes);
}

/* A watched buffer (buf.h) may be refused what its cap allows. */
static int no_memory(struct cw_err *err, const char *codec, size_t bytes)
{
    return cw_err_set(err, CW_E_TOO_LARGE, "%s: no memory for another %zu bytes", codec, bytes);
}

static int snappy_decode(struct cw_str in, size_t room, struct cw_buf *out, struct cw_err *err)
{
    size_t len;
    if (snappy_uncompressed_length(in.ptr, in.len, &len) != SNAPPY_OK)
        return cw_err_set(err, CW_E_INVALID, "snappy: no length at the start");
    if (len > room)
        return cw_err_set(err, CW_E_TOO_LARGE, "snappy: says %zu bytes, %zu are allowed", len,
                          room);
    if (len / SNAPPY_MAX_RATIO > in.len)
        return cw_err_set(err, CW_E_INVALID, "snappy: %zu bytes cannot become %zu", in.len, len);
    char *at = cw_buf_reserve(out, len);
    if (at == NULL)
        return no_memory(err, "snappy", len);
    if (snappy_uncompress(in.ptr, in.len, at, &len) != SNAPPY_OK)
        return cw_err_set(err, CW_E_INVALID, "snappy: corrupt input");
    out->len += len;
    return 0;
}

/* One zlib stream at the front of `in` with the window bits of its format; *used_out is its length. */
static int inflate_one(int window_bits, const char *name, struct cw_str in, size_t room,
                       struct cw_buf *out, size_t *used_out, struct cw_err *err)
{
    z_stream z = {0};
    CW_ASSERT(inflateInit2(&z, window_bits) == Z_OK);
    size_t start = out->len, fed = 0;
    int rc = 0;
    for (;;) {
        if (z.avail_in == 0 && fed < in.len) {
            z.avail_in = (uInt)CW_MIN(in.len - fed, (size_t)UINT_MAX);
            z.next_in = (Bytef *)in.ptr + fed;
            fed += z.avail_in;
        }
        /* At the bound a stream may still have its end to say, but no byte more. */
        size_t left = room - (out->len - start);
        unsigned char over;
        size_t step = CW_MIN(left, CW_MAX((size_t)INFLATE_STEP_BYTES, out->len - start));
        step = CW_MIN(step, (size_t)UINT_MAX);
        z.next_out = left > 0 ? (Bytef *)cw_buf_reserve(out, step) : &over;
        if (z.next_out == NULL) {
            rc = no_memory(err, name, step);
            break;
        }
        z.avail_out = left > 0 ? (uInt)step : 1;
        uInt offered = z.avail_out;
        int zrc = inflate(&z, Z_NO_FLUSH);
        size_t made = offered - z.avail_out;
        if (left == 0 && made > 0) {
            rc = too_large(err, name, room);
            break;
        }
        out->len += made;
        if (zrc == Z_STREAM_END)
            break;
        if (zrc != Z_OK) {
            bool cut = zrc == Z_BUF_ERROR && z.avail_in == 0 && fed == in.len;
            rc = cw_err_set(err, CW_E_INVALID, "%s: %s", name,
                            cut ? "unexpected end of input"
                                : (z.msg != NULL ? z.msg : "corrupt input"));
            break;
        }
    }
    *used_out = fed - z.avail_in;
    inflateEnd(&z);
    return rc;
}

static int gzip_decode(struct cw_str in, size_t room, struct cw_buf *out, struct cw_err *err)
{
    /* RFC 1952: members may follow one another. */
    do {
        size_t used, before = out->len;
        int rc = inflate_one(15 + 16, "gzip", in, room, out, &used, err);
        if (rc < 0)
            return rc;
        room -= out->len - before;
        in = cw_str_sub(in, used, in.len);
    } while (in.len > 0);
    return 0;
}

static int deflate_decode(struct cw_str in, size_t room, struct cw_buf *out, struct cw_err *err)
{
    size_t used, start = out->len;
    const unsigned char *p = (const unsigned char *)in.ptr;
    int rc = CW_E_INVALID;
    /* "deflate" in HTTP means the zlib wrapper to some and none to others: what looks wrapped is tried so first. */
    if (in.len >= 2 && (p[0] & 0x0F) == 8 && (p[0] << 8 | p[1]) % 31 == 0)
        rc = inflate_one(15, "zlib", in, room, out, &used, NULL);
    if (rc == CW_E_INVALID) {
        out->len = start;
        rc = inflate_one(-15, "deflate", in, room, out, &used, err);
    } else if (rc < 0) {
        return too_large(err, "zlib", room);
    }
    if (rc == 0 && used != in.len)
        return cw_err_set(err, CW_E_INVALID, "deflate: %zu bytes follow the end", in.len - used);
    return rc;
}

/* Streaming, so that a frame without its size in the header is bounded too; frames may follow one another. */
static int zstd_decode(struct cw_str in, size_t room, struct cw_buf *out, struct cw_err *err)
{
    ZSTD_DCtx *d = zstd_contexts()->d;
    ZSTD_DCtx_reset(d, ZSTD_reset_session_only);
    ZSTD_inBuffer src = {in.ptr, in.len, 0};
    size_t start = out->len, want = 1;
    while (src.pos < src.size || want != 0) {
        size_t left = room - (out->len - start);
        unsigned char over;
        size_t step = CW_MIN(left, CW_MAX((size_t)INFLATE_STEP_BYTES, out->len - start));
        ZSTD_outBuffer dst = {left > 0 ? (void *)cw_buf_reserve(out, step) : &over,
                              left > 0 ? step : 1, 0};
        if (dst.dst == NULL)
            return no_memory(err, "zstd", step);
        size_t before = src.pos;
        want = ZSTD_decompressStream(d, &dst, &src);
        if (ZSTD_isError(want))
            return cw_err_set(err, CW_E_INVALID, "zstd: %s", ZSTD_getErrorName(want));
        if (left == 0 && dst.pos > 0)
            return too_large(err, "zstd", room);
        out->len += dst.pos;
        if (want != 0 && src.pos == src.size && src.pos == before && dst.pos == 0)
            return cw_err_set(err, CW_E_INVALID, "zstd: unexpected end of input");
    }
    return 0;
}

/* Frames may follow one another. */
static int lz4_frame_decode(struct cw_str in, size_t room, struct cw_buf *out, struct cw_err *err)
{
    LZ4F_dctx *d;
    CW_ASSERT(!LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)));
    size_t start = out->len, at = 0, want = 1;
    int rc = 0;
    while (rc == 0 && (at < in.len || want != 0)) {
        size_t left = room - (out->len - start), taken = in.len - at;
        unsigned char over;
        size_t step = CW_MIN(left, CW_MAX((size_t)INFLATE_STEP_BYTES, out->len - start));
        size_t made = left > 0 ? step : 1;
        void *to = left > 0 ? (void *)cw_buf_reserve(out, step) : &over;
        if (to == NULL) {
            rc = no_memory(err, "lz4", step);
            break;
        }
        want = LZ4F_decompress(d, to, &made, in.ptr + at, &taken, NULL);
        if (LZ4F_isError(want)) {
            rc = cw_err_set(err, CW_E_INVALID, "lz4: %s", LZ4F_getErrorName(want));
        } else if (left == 0 && made > 0) {
            rc = too_large(err, "lz4", room);
        } else if (want != 0 && taken == 0 && made == 0) {
            rc = cw_err_set(err, CW_E_INVALID, "lz4: unexpected end of input");
        } else {
            at += taken;
            out->len += made;
        }
    }
    LZ4F_freeDecompressionContext(d);
    return rc;
}

int cw_codec_decompress_into(enum cw_codec codec, struct cw_str in, void *out, size_t raw_bytes,
                             struct cw_err *err)
{
    if (codec == CW_CODEC_LZ4) {
        if (in.len > INT_MAX || raw_bytes > LZ4_MAX_INPUT_SIZE)
            return cw_err_set(err, CW_E_TOO_LARGE, "lz4: a block of %zu bytes", raw_bytes);
        int n = LZ4_decompress_safe(in.ptr != NULL ? in.ptr : "", out, (int)in.len, (int)raw_bytes);
        if (n < 0 || (size_t)n != raw_bytes)
            return cw_err_set(err, CW_E_INVALID, "lz4: corrupt block, or not of %zu bytes",
                              raw_bytes);
        return 0;
    }
    if (codec == CW_CODEC_ZSTD) {
        size_t n = ZSTD_decompressDCtx(zstd_contexts()->d, out, raw_bytes, in.ptr, in.len);
        if (ZSTD_isError(n))
            return cw_err_set(err, CW_E_INVALID, "zstd: %s", ZSTD_getErrorName(n));
        if (n != raw_bytes)
            return cw_err_set(err, CW_E_INVALID, "zstd: %zu bytes instead of %zu", n, raw_bytes);
        return 0;
    }
    if (codec == CW_CODEC_NONE) {
        if (in.len != raw_bytes)
            return cw_err_set(err, CW_E_INVALID, "%zu plain bytes instead of %zu", in.len,
                              raw_bytes);
        if (raw_bytes > 0)
            memcpy(out, in.ptr, raw_bytes);
        return 0;
    }
    return cw_err_set(err, CW_E_INVALID, "codec %d does not decompress in place", (int)codec);
}

/* LZ4 and NONE: the size is known from outside. */
static int sized_decode(enum cw_codec codec, struct cw_str in, size_t max_bytes, struct cw_buf *out,
                        struct cw_err *err)
{
    enum { LZ4_MAX_RATIO = 256 }; /* each further byte of a length adds at most 255 */
    if (max_bytes > out->max - out->len)
        return cw_err_set(err, CW_E_TOO_LARGE, "%zu bytes, %zu are allowed", max_bytes,
                          out->max - out->len);
    if (max_bytes / LZ4_MAX_RATIO > in.len)
        return cw_err_set(err, CW_E_INVALID, "lz4: %zu bytes cannot become %zu", in.len, max_bytes);
    char *at = cw_buf_reserve(out, max_bytes);
    if (at == NULL)
        return no_memory(err, codec == CW_CODEC_LZ4 ? "lz4" : "none", max_bytes);
    int rc = cw_codec_decompress_into(codec, in, at, max_bytes, err);
    if (rc == 0)
        out->len += max_bytes;
    return rc;
}

int cw_codec_decompress(enum cw_codec codec, struct cw_str in, size_t max_bytes, struct cw_buf *out,
                        struct cw_err *err)
{
    size_t start = out->len;
    size_t room = CW_MIN(max_bytes, out->max - out->len);
    int rc = CW_E_INVALID;
    switch (codec) {
    case CW_CODEC_NONE:
    case CW_CODEC_LZ4: rc = sized_decode(codec, in, max_bytes, out, err); break;
    case CW_CODEC_ZSTD: rc = zstd_decode(in, room, out, err); break;
    case CW_CODEC_SNAPPY: rc = snappy_decode(in, room, out, err); break;
    case CW_CODEC_GZIP: rc = gzip_decode(in, room, out, err); break;
    case CW_CODEC_DEFLATE: rc = deflate_decode(in, room, out, err); break;
    case CW_CODEC_LZ4_FRAME: rc = lz4_frame_decode(in, room, out, err); break;
    default: rc = cw_err_set(err, CW_E_INVALID, "unknown codec %d", (int)codec); break;
    }
    if (rc < 0)
        out->len = start;
    return rc;
}

static int zlib_encode(int window_bits, struct cw_str in, struct cw_buf *out, struct cw_err *err)
{
    z_stream z = {0};
    if (in.len > UINT_MAX / 2)
        return cw_err_set(err, CW_E_TOO_LARGE, "zlib: %zu bytes at once", in.len);
    CW_ASSERT(deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t bound = deflateBound(&z, in.len);
    char *at = cw_buf_reserve(out, bound);
    if (at == NULL) {
        deflateEnd(&z);
        return cw_err_set(err, CW_E_TOO_LARGE, "zlib: no room for %zu bytes", bound);
    }
    z.next_in = (Bytef *)in.ptr;
    z.avail_in = (uInt)in.len;
    z.next_out = (Bytef *)at;
    z.avail_out = (uInt)bound;
    int zrc = deflate(&z, Z_FINISH);
    out->len += bound - z.avail_out;
    deflateEnd(&z);
    CW_ASSERT(zrc == Z_STREAM_END); /* deflateBound() promises it */
    return 0;
}

/* The largest output of the codecs that tell it; 0 when the input is too long for them. */
static size_t encode_bound(enum cw_codec codec, size_t len)
{
    if (codec == CW_CODEC_LZ4)
        return len > LZ4_MAX_INPUT_SIZE ? 0 : (size_t)LZ4_compressBound((int)len);
    if (codec == CW_CODEC_ZSTD)
        return ZSTD_compressBound(len);
    return len > UINT32_MAX ? 0 : snappy_max_compressed_length(len);
}

static int block_encode(enum cw_codec codec, struct cw_str in, struct cw_buf *out,
                        struct cw_err *err)
{
    size_t n = encode_bound(codec, in.len);
    const char *src = in.ptr != NULL ? in.ptr : "";
    char *at = n > 0 ? cw_buf_reserve(out, n) : NULL;
    if (at == NULL)
        return cw_err_set(err, CW_E_TOO_LARGE, "no room to compress %zu bytes", in.len);
    if (codec == CW_CODEC_LZ4) {
        n = (size_t)LZ4_compress_default(src, at, (int)in.len, (int)n);
        CW_ASSERT(n > 0);
    } else if (codec == CW_CODEC_ZSTD) {
        n = ZSTD_compressCCtx(zstd_contexts()->c, at, n, src, in.len, ZSTD_LEVEL);
        CW_ASSERT(!ZSTD_isError(n));
    } else {
        CW_ASSERT(snappy_compress(src, in.len, at, &n) == SNAPPY_OK);
    }
    out->len += n;
    return 0;
}

int cw_codec_compress(enum cw_codec codec, struct cw_str in, struct cw_buf *out, struct cw_err *err)
{
    switch (codec) {
    case CW_CODEC_NONE:
        if (in.len > out->max - out->len)
            return cw_err_set(err, CW_E_TOO_LARGE, "no room for %zu bytes", in.len);
        cw_buf_adds(out, in);
        return 0;
    case CW_CODEC_LZ4:
    case CW_CODEC_ZSTD:
    case CW_CODEC_SNAPPY: return block_encode(codec, in, out, err);
    case CW_CODEC_GZIP: return zlib_encode(15 + 16, in, out, err);
    case CW_CODEC_DEFLATE: return zlib_encode(-15, in, out, err);
    default: return cw_err_set(err, CW_E_INVALID, "unknown codec %d", (int)codec);
    }
}
