#include "common/base/decoder.h"

#include <bzlib.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_decoder {
    enum cw_codec codec;
    z_stream gzip; /* or zlib */
    ZSTD_DCtx *zstd;
    bz_stream bzip2;
    lzma_stream xz;
    bool at_end; /* a member is whole, and nothing of another one was seen */
};

struct cw_decoder *cw_decoder_new(enum cw_codec codec)
{
    struct cw_decoder *decoder = cw_mem_new(sizeof *decoder);
    decoder->codec = codec;
    switch (codec) {
    case CW_CODEC_GZIP: CW_ASSERT(inflateInit2(&decoder->gzip, 15 + 16) == Z_OK); break;
    case CW_CODEC_DEFLATE: CW_ASSERT(inflateInit2(&decoder->gzip, 15) == Z_OK); break;
    case CW_CODEC_ZSTD:
        decoder->zstd = ZSTD_createDCtx();
        CW_ASSERT(decoder->zstd != NULL);
        ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, CW_DECODER_WINDOW_LOG);
        break;
    case CW_CODEC_BZIP2: CW_ASSERT(BZ2_bzDecompressInit(&decoder->bzip2, 0, 0) == BZ_OK); break;
    case CW_CODEC_XZ:
        decoder->xz = (lzma_stream)LZMA_STREAM_INIT;
        CW_ASSERT(lzma_stream_decoder(&decoder->xz, CW_DECODER_XZ_BYTES, 0) == LZMA_OK);
        break;
    default: CW_ASSERT(!"a codec without a decoder");
    }
    return decoder;
}

void cw_decoder_free(struct cw_decoder **handle)
{
    struct cw_decoder *decoder = *handle;
    *handle = NULL;
    if (decoder == NULL)
        return;
    if (decoder->codec == CW_CODEC_GZIP || decoder->codec == CW_CODEC_DEFLATE)
        inflateEnd(&decoder->gzip);
    if (decoder->codec == CW_CODEC_BZIP2)
        BZ2_bzDecompressEnd(&decoder->bzip2);
    if (decoder->codec == CW_CODEC_XZ)
        lzma_end(&decoder->xz);
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder);
}

bool cw_decoder_at_end(const struct cw_decoder *decoder)
{
    return decoder->at_end;
}

static int run_gzip(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                    size_t *written_out, struct cw_err *err)
{
    z_stream *z = &decoder->gzip;
    if (decoder->at_end) /* another member */
        inflateReset(z);
    size_t take = CW_MIN(in->len, (size_t)UINT_MAX), give = CW_MIN(room, (size_t)UINT_MAX);
    z->next_in = (Bytef *)in->ptr;
    z->avail_in = (uInt)take;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)give;
    int rc = inflate(z, Z_NO_FLUSH);
    *written_out = give - z->avail_out;
    *in = cw_str_sub(*in, take - z->avail_in, in->len);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return cw_err_set(err, CW_E_INVALID, "%s: %s",
                          decoder->codec == CW_CODEC_GZIP ? "gzip" : "zlib",
                          z->msg != NULL ? z->msg : "broken data");
    decoder->at_end = rc == Z_STREAM_END;
    return 0;
}

static int run_zstd(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                    size_t *written_out, struct cw_err *err)
{
    ZSTD_inBuffer src = {in->ptr, in->len, 0};
    ZSTD_outBuffer dst = {out, room, 0};
    size_t rc = ZSTD_decompressStream(decoder->zstd, &dst, &src);
    *written_out = dst.pos;
    *in = cw_str_sub(*in, src.pos, in->len);
    if (ZSTD_isError(rc))
        return cw_err_set(err, CW_E_INVALID, "zstd: %s", ZSTD_getErrorName(rc));
    decoder->at_end = rc == 0;
    return 0;
}

static int run_bzip2(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                     size_t *written_out, struct cw_err *err)
{
    bz_stream *z = &decoder->bzip2;
    if (decoder->at_end) { /* another stream */
        BZ2_bzDecompressEnd(z);
        *z = (bz_stream){0};
        CW_ASSERT(BZ2_bzDecompressInit(z, 0, 0) == BZ_OK);
    }
    size_t take = CW_MIN(in->len, (size_t)UINT_MAX), give = CW_MIN(room, (size_t)UINT_MAX);
    z->next_in = (char *)in->ptr;
    z->avail_in = (unsigned)take;
    z->next_out = out;
    z->avail_out = (unsigned)give;
    int rc = BZ2_bzDecompress(z);
    *written_out = give - z->avail_out;
    *in = cw_str_sub(*in, take - z->avail_in, in->len);
    if (rc != BZ_OK && rc != BZ_STREAM_END)
        return cw_err_set(err, CW_E_INVALID, "bzip2: broken data (%d)", rc);
    decoder->at_end = rc == BZ_STREAM_END;
    return 0;
}

static int run_xz(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                  size_t *written_out, struct cw_err *err)
{
    lzma_stream *z = &decoder->xz;
    if (decoder->at_end) /* another stream: what was allocated is used again */
        CW_ASSERT(lzma_stream_decoder(z, CW_DECODER_XZ_BYTES, 0) == LZMA_OK);
    z->next_in = (const uint8_t *)in->ptr;
    z->avail_in = in->len;
    z->next_out = (uint8_t *)out;
    z->avail_out = room;
    lzma_ret rc = lzma_code(z, LZMA_RUN);
    *written_out = room - z->avail_out;
    *in = cw_str_sub(*in, in->len - z->avail_in, in->len);
    if (rc == LZMA_MEMLIMIT_ERROR)
        return cw_err_set(err, CW_E_INVALID, "xz: it needs more than %u MiB of memory",
                          CW_DECODER_XZ_BYTES >> 20);
    if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
        return cw_err_set(err, CW_E_INVALID, "xz: broken data (%d)", (int)rc);
    decoder->at_end = rc == LZMA_STREAM_END;
    return 0;
}

int cw_decoder_run(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                   size_t *written_out, struct cw_err *err)
{
    if (decoder->at_end && in->len == 0) {
        *written_out = 0;
        return 0;
    }
    switch (decoder->codec) {
    case CW_CODEC_GZIP:
    case CW_CODEC_DEFLATE: return run_gzip(decoder, in, out, room, written_out, err);
    case CW_CODEC_ZSTD: return run_zstd(decoder, in, out, room, written_out, err);
    case CW_CODEC_BZIP2: return run_bzip2(decoder, in, out, room, written_out, err);
    default: return run_xz(decoder, in, out, room, written_out, err);
    }
}

enum cw_codec cw_decoder_codec_of(struct cw_str first)
{
    static const struct {
        struct cw_str magic;
        enum cw_codec codec;
    } magics[] = {{CW_STR("\x1f\x8b\x08"), CW_CODEC_GZIP},
                  {CW_STR("\x28\xb5\x2f\xfd"), CW_CODEC_ZSTD},
                  {CW_STR("\xfd"
                          "7zXZ\0"),
                   CW_CODEC_XZ}};
    for (size_t i = 0; i < CW_COUNT(magics); i++)
        if (cw_str_starts(first, magics[i].magic))
            return magics[i].codec;
    /* Behind the size of its blocks the first one begins, or it has none: BZh alone may be a text. */
    bool bzip2 = cw_str_starts(first, CW_STR("BZh")) && first.len >= CW_DECODER_MAGIC_BYTES &&
                 first.ptr[3] >= '1' && first.ptr[3] <= '9' &&
                 (memcmp(first.ptr + 4, "1A", 2) == 0 || memcmp(first.ptr + 4, "\x17\x72", 2) == 0);
    return bzip2 ? CW_CODEC_BZIP2 : CW_CODEC_NONE;
}

bool cw_decoder_may_be_zlib(struct cw_str first)
{
    enum { DEFLATE = 8, WINDOW_MAX = 7, DICTIONARY = 0x20, CHECK = 31 };
    if (first.len < 2)
        return false;
    unsigned method = (unsigned char)first.ptr[0], flags = (unsigned char)first.ptr[1];
    return (method & 15) == DEFLATE && method >> 4 <= WINDOW_MAX && !(flags & DICTIONARY) &&
           (method << 8 | flags) % CHECK == 0;
}
