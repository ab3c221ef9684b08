/*
 * Any bytes as a compressed stream (the first byte says of what kind, the next two in what pieces it comes and goes): in pieces it says what it
 * says at once. And as base64.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/base64.h"
#include "common/base/decoder.h"

enum { OUT_MAX = 1 << 18 };

/* What the stream says, at most OUT_MAX bytes of it. */
static int decode(enum cw_codec codec, struct cw_str packed, size_t step, size_t room,
                  struct cw_buf *out)
{
    struct cw_decoder *decoder = cw_decoder_new(codec);
    struct cw_err err;
    char *piece = malloc(room);
    int rc = 0;
    while (rc == 0 && packed.len > 0 && out->len < OUT_MAX) {
        struct cw_str in = cw_str_sub(packed, 0, step);
        packed = cw_str_sub(packed, in.len, packed.len);
        size_t n = room;
        while (rc == 0 && (in.len > 0 || n == room) && out->len < OUT_MAX) {
            size_t before = in.len;
            rc = cw_decoder_run(decoder, &in, piece, room, &n, &err);
            CW_ASSERT(n <= room && in.len <= before);
            CW_ASSERT(rc == 0 || rc == CW_E_INVALID);
            CW_ASSERT(rc < 0 || in.len == 0 || in.len < before || n > 0); /* it goes on */
            cw_buf_add(out, piece, n);
        }
    }
    (void)cw_decoder_at_end(decoder);
    cw_decoder_free(&decoder);
    free(piece);
    return rc;
}

static void stream_check(enum cw_codec codec, struct cw_str packed, size_t step, size_t room)
{
    struct cw_buf whole, pieces;
    cw_buf_init(&whole, SIZE_MAX);
    cw_buf_init(&pieces, SIZE_MAX);
    int rc = decode(codec, packed, packed.len, OUT_MAX, &whole);
    int again = decode(codec, packed, step, room, &pieces);
    if (rc == 0 && again == 0) {
        size_t len = CW_MIN(whole.len, pieces.len);
        CW_ASSERT(len == 0 || memcmp(whole.ptr, pieces.ptr, len) == 0);
        CW_ASSERT(whole.len == pieces.len || len >= OUT_MAX);
    }
    CW_ASSERT((rc == 0) == (again == 0) || whole.len >= OUT_MAX || pieces.len >= OUT_MAX);
    cw_buf_fini(&whole);
    cw_buf_fini(&pieces);
}

static void base64_check(struct cw_str text)
{
    struct cw_buf bytes, encoded, back;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&encoded, SIZE_MAX);
    cw_buf_init(&back, SIZE_MAX);
    bool is_base64 = cw_base64_decode(text, &bytes);
    struct cw_str said = is_base64 ? cw_buf_str(&bytes) : text;
    cw_base64_encode(said, &encoded);
    CW_ASSERT(encoded.len == (said.len + 2) / 3 * 4);
    CW_ASSERT(!is_base64 || encoded.len == text.len);
    CW_ASSERT(cw_base64_decode(cw_buf_str(&encoded), &back));
    CW_ASSERT(cw_str_eq(cw_buf_str(&back), said));
    cw_buf_fini(&bytes);
    cw_buf_fini(&encoded);
    cw_buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum cw_codec codecs[] = {CW_CODEC_GZIP, CW_CODEC_ZSTD, CW_CODEC_DEFLATE,
                                           CW_CODEC_BZIP2, CW_CODEC_XZ};
    base64_check(cw_str_make(data, size));
    if (size < 4)
        return 0;
    struct cw_str packed = cw_str_make(data + 3, size - 3);
    (void)cw_decoder_codec_of(packed);
    (void)cw_decoder_may_be_zlib(packed);
    stream_check(codecs[data[0] % CW_COUNT(codecs)], packed, 1 + data[1] % 64,
                 1 + (size_t)data[2] * 16);
    return 0;
}
