#include <bzlib.h>
#include <criterion/criterion.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/base/decoder.h"

static struct cw_err err;

static void pack(enum cw_codec codec, const char *text, size_t len, struct cw_buf *out)
{
    char packed[16384];
    size_t packed_len = 0;
    unsigned bzip2_len = sizeof packed;
    if (codec == CW_CODEC_BZIP2) {
        cr_assert_eq(
            BZ2_bzBuffToBuffCompress(packed, &bzip2_len, (char *)text, (unsigned)len, 9, 0, 0),
            BZ_OK);
        cw_buf_add(out, packed, bzip2_len);
        return;
    }
    if (codec == CW_CODEC_XZ) {
        cr_assert_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text, len,
                                             (uint8_t *)packed, &packed_len, sizeof packed),
                     LZMA_OK);
        cw_buf_add(out, packed, packed_len);
        return;
    }
    if (codec == CW_CODEC_DEFLATE) { /* with zlib's frame around it */
        uLongf zlib_len = sizeof packed;
        cr_assert_eq(compress((Bytef *)packed, &zlib_len, (const Bytef *)text, len), Z_OK);
        cw_buf_add(out, packed, zlib_len);
        return;
    }
    cr_assert_eq(cw_codec_compress(codec, cw_str_make(text, len), out, &err), 0, "%s", err.text);
}

/* Input in pieces of `in_step`, output in pieces of `room`; the code of the first error. */
static int run(enum cw_codec codec, struct cw_str packed, size_t in_step, size_t room,
               struct cw_buf *out, bool *at_end)
{
    struct cw_decoder *decoder = cw_decoder_new(codec);
    char *piece = malloc(room);
    int rc = 0;
    while (rc == 0 && packed.len > 0) {
        struct cw_str in = cw_str_sub(packed, 0, in_step);
        packed = cw_str_sub(packed, in.len, packed.len);
        size_t n = room;
        while (rc == 0 && (in.len > 0 || n == room)) {
            rc = cw_decoder_run(decoder, &in, piece, room, &n, &err);
            cw_buf_add(out, piece, n);
        }
    }
    *at_end = cw_decoder_at_end(decoder);
    free(piece);
    cw_decoder_free(&decoder);
    return rc;
}

static const enum cw_codec codecs[] = {CW_CODEC_GZIP, CW_CODEC_ZSTD, CW_CODEC_BZIP2, CW_CODEC_XZ,
                                       CW_CODEC_DEFLATE};
enum { CODECS = sizeof codecs / sizeof codecs[0] };

Test(decoder, streams_come_back_in_pieces_of_any_size)
{
    char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 23);
    static const size_t steps[] = {1, 2, 7, 100, 4096, 100000};
    for (size_t c = 0; c < CODECS; c++) {
        struct cw_buf packed, out;
        cw_buf_init(&packed, SIZE_MAX);
        pack(codecs[c], text, sizeof text, &packed);
        pack(codecs[c], text, 10, &packed); /* another member */
        pack(codecs[c], text, 0, &packed);  /* an empty one */
        for (size_t i = 0; i < 6; i++) {
            for (size_t k = 0; k < 6; k++) {
                bool at_end;
                cw_buf_init(&out, SIZE_MAX);
                cr_assert_eq(run(codecs[c], cw_buf_str(&packed), steps[i], steps[k], &out, &at_end),
                             0, "%s", err.text);
                cr_assert(at_end);
                cr_assert_eq(out.len, sizeof text + 10, "%zu %zu: %zu", steps[i], steps[k],
                             out.len);
                cr_assert_arr_eq(out.ptr, text, sizeof text);
                cw_buf_fini(&out);
            }
        }
        cw_buf_fini(&packed);
    }
}

Test(decoder, a_stream_that_is_cut_is_not_at_its_end)
{
    char text[1000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i % 251);
    for (size_t c = 0; c < CODECS; c++) {
        struct cw_buf packed, out;
        cw_buf_init(&packed, SIZE_MAX);
        pack(codecs[c], text, sizeof text, &packed);
        for (size_t len = 1; len < packed.len; len++) {
            bool at_end = true;
            cw_buf_init(&out, SIZE_MAX);
            cr_assert_eq(
                run(codecs[c], cw_str_sub(cw_buf_str(&packed), 0, len), 64, 64, &out, &at_end), 0);
            cr_assert_not(at_end, "%zu", len);
            cr_assert_leq(out.len, sizeof text);
            cr_assert_arr_eq(out.ptr != NULL ? out.ptr : text, text, out.len);
            cw_buf_fini(&out);
        }
        cw_buf_fini(&packed);
    }
}

Test(decoder, bytes_that_are_no_such_stream_are_an_error_behind_what_was_good)
{
    for (size_t c = 0; c < CODECS; c++) {
        struct cw_buf packed, out;
        bool at_end;
        cw_buf_init(&packed, SIZE_MAX);
        cw_buf_init(&out, SIZE_MAX);
        pack(codecs[c], "good", 4, &packed);
        cw_buf_addz(&packed, "no stream of any kind");
        cr_assert_eq(run(codecs[c], cw_buf_str(&packed), 5, 5, &out, &at_end), CW_E_INVALID);
        cr_assert(cw_str_eqz(cw_buf_str(&out), "good"));
        cw_buf_fini(&packed);
        cw_buf_fini(&out);
    }
}

Test(decoder, a_stream_is_known_by_its_first_bytes)
{
    for (size_t c = 0; c < CODECS; c++) {
        struct cw_buf packed;
        cw_buf_init(&packed, SIZE_MAX);
        pack(codecs[c], "good", 4, &packed);
        struct cw_str first = cw_str_sub(cw_buf_str(&packed), 0, CW_DECODER_MAGIC_BYTES);
        bool zlib = codecs[c] == CW_CODEC_DEFLATE;
        cr_assert_eq(cw_decoder_codec_of(first), zlib ? CW_CODEC_NONE : codecs[c]);
        cr_assert_eq(cw_decoder_may_be_zlib(first), zlib);
        cr_assert_eq(cw_decoder_codec_of(cw_str_sub(cw_buf_str(&packed), 0, 2)), CW_CODEC_NONE);
        cw_buf_fini(&packed);
    }
}

Test(decoder, a_text_is_no_stream_for_its_first_letters)
{
    static const char *const texts[] = {"BZh", "BZhang logged in", "BZh9 of 10", "2026-01-05",
                                        "x",   "{\"a\":1}",        "Hello"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_expect_eq(cw_decoder_codec_of(cw_str_of(texts[i])), CW_CODEC_NONE, "%s", texts[i]);
        cr_expect_not(cw_decoder_may_be_zlib(cw_str_of(texts[i])), "%s", texts[i]);
    }
}
