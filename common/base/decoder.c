#include "common/base/decoder.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_decoder {
    enum cw_codec codec;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    bool at_end; /* a member is whole, and nothing of another one was seen */
};

struct cw_decoder *cw_decoder_new(enum cw_codec codec)
{
    CW_ASSERT(codec == CW_CODEC_GZIP || codec == CW_CODEC_ZSTD);
    struct cw_decoder *decoder = cw_mem_new(sizeof *decoder);
    decoder->codec = codec;
    if (codec == CW_CODEC_GZIP) {
        CW_ASSERT(inflateInit2(&decoder->gzip, 15 + 16) == Z_OK);
    } else {
        decoder->zstd = ZSTD_createDCtx();
        CW_ASSERT(decoder->zstd != NULL);
        ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, CW_DECODER_WINDOW_LOG);
    }
    return decoder;
}

void cw_decoder_free(struct cw_decoder **handle)
{
    struct cw_decoder *decoder = *handle;
    *handle = NULL;
    if (decoder == NULL)
        return;
    if (decoder->codec == CW_CODEC_GZIP)
        inflateEnd(&decoder->gzip);
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
        return cw_err_set(err, CW_E_INVALID, "gzip: %s", z->msg != NULL ? z->msg : "broken data");
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

int cw_decoder_run(struct cw_decoder *decoder, struct cw_str *in, char *out, size_t room,
                   size_t *written_out, struct cw_err *err)
{
    if (decoder->at_end && in->len == 0) {
        *written_out = 0;
        return 0;
    }
    return decoder->codec == CW_CODEC_GZIP ? run_gzip(decoder, in, out, room, written_out, err)
                                           : run_zstd(decoder, in, out, room, written_out, err);
}
