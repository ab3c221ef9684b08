#include <criterion/criterion.h>

#include <stdlib.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/assert.h"
#include "common/base/codec.h"

static const enum cw_codec all_codecs[] = {CW_CODEC_NONE,   CW_CODEC_LZ4,  CW_CODEC_ZSTD,
                                           CW_CODEC_SNAPPY, CW_CODEC_GZIP, CW_CODEC_DEFLATE};

/* Text-like bytes of any length, the same each time. */
static struct cw_str sample(size_t len)
{
    static char bytes[3 << 20];
    uint32_t x = 12345;
    for (size_t i = 0; i < len; i++) {
        x = x * 1103515245u + 12345u;
        bytes[i] = i % 7 == 0 ? (char)(x >> 24) : (char)('a' + i % 13);
    }
    return cw_str_make(bytes, len);
}

Test(codec, every_codec_gives_back_what_it_was_given)
{
    static const size_t lens[] = {0, 1, 2, 100, 65535, 65536, 65537, 3 << 20};
    for (size_t c = 0; c < CW_COUNT(all_codecs); c++) {
        for (size_t i = 0; i < CW_COUNT(lens); i++) {
            struct cw_str raw = sample(lens[i]);
            struct cw_buf packed, back;
            struct cw_err err;
            cw_buf_init(&packed, 8 << 20);
            cw_buf_init(&back, 8 << 20);
            cw_buf_addz(&packed, "#");
            cw_buf_addz(&back, "#");
            cr_assert_eq(cw_codec_compress(all_codecs[c], raw, &packed, &err), 0, "codec %d",
                         all_codecs[c]);
            struct cw_str in = cw_str_sub(cw_buf_str(&packed), 1, packed.len);
            int rc = cw_codec_decompress(all_codecs[c], in, raw.len, &back, &err);
            cr_assert_eq(rc, 0, "codec %d, %zu bytes: %s", all_codecs[c], raw.len,
                         rc < 0 ? err.text : "");
            cr_assert_eq(back.len, raw.len + 1);
            cr_assert(raw.len == 0 || memcmp(back.ptr + 1, raw.ptr, raw.len) == 0);
            cw_buf_fini(&packed);
            cw_buf_fini(&back);
        }
    }
}

Test(codec, one_byte_over_the_bound_is_too_large_and_leaves_the_output_alone)
{
    struct cw_str raw = sample(200000);
    for (size_t c = 0; c < CW_COUNT(all_codecs); c++) {
        struct cw_buf packed, back;
        struct cw_err err;
        cw_buf_init(&packed, 8 << 20);
        cw_buf_init(&back, 8 << 20);
        cr_assert_eq(cw_codec_compress(all_codecs[c], raw, &packed, &err), 0);
        cw_buf_addz(&back, "keep");
        int rc = cw_codec_decompress(all_codecs[c], cw_buf_str(&packed), raw.len - 1, &back, &err);
        bool sized = all_codecs[c] == CW_CODEC_NONE || all_codecs[c] == CW_CODEC_LZ4;
        cr_assert_eq(rc, sized ? CW_E_INVALID : CW_E_TOO_LARGE, "codec %d: %s", all_codecs[c],
                     err.text);
        cr_assert(cw_str_eqz(cw_buf_str(&back), "keep"));
        cw_buf_fini(&back);
        /* the buffer's own cap binds as well */
        cw_buf_init(&back, raw.len - 1);
        rc = cw_codec_decompress(all_codecs[c], cw_buf_str(&packed), raw.len, &back, &err);
        cr_assert_eq(rc, CW_E_TOO_LARGE, "codec %d", all_codecs[c]);
        cw_buf_fini(&packed);
        cw_buf_fini(&back);
    }
}

Test(codec, cut_and_flipped_input_is_an_error_or_other_bytes_but_no_crash)
{
    struct cw_str raw = sample(5000);
    for (size_t c = 1; c < CW_COUNT(all_codecs); c++) {
        struct cw_buf packed, back;
        struct cw_err err;
        cw_buf_init(&packed, 1 << 20);
        cw_buf_init(&back, 1 << 20);
        cr_assert_eq(cw_codec_compress(all_codecs[c], raw, &packed, &err), 0);
        for (size_t len = 0; len < packed.len; len++) {
            cw_buf_clear(&back);
            cr_assert_lt(cw_codec_decompress(all_codecs[c], cw_str_sub(cw_buf_str(&packed), 0, len),
                                             raw.len, &back, &err),
                         0, "codec %d cut at %zu of %zu", all_codecs[c], len, packed.len);
        }
        for (size_t i = 0; i < packed.len; i++) {
            packed.ptr[i] ^= 0x55;
            cw_buf_clear(&back);
            int rc = cw_codec_decompress(all_codecs[c], cw_buf_str(&packed), raw.len, &back, &err);
            cr_assert(rc == 0 || rc == CW_E_INVALID || rc == CW_E_TOO_LARGE);
            cr_assert_leq(back.len, raw.len);
            packed.ptr[i] ^= 0x55;
        }
        cw_buf_fini(&packed);
        cw_buf_fini(&back);
    }
}

Test(codec, a_snappy_bomb_is_refused_by_its_length_alone)
{
    struct cw_buf back;
    struct cw_err err;
    cw_buf_init(&back, SIZE_MAX);
    /* 4 GB - 1, then nothing */
    cr_assert_eq(cw_codec_decompress(CW_CODEC_SNAPPY, CW_STR("\xff\xff\xff\xff\x0f"), 128 << 20,
                                     &back, &err),
                 CW_E_TOO_LARGE);
    cr_assert_str_eq(err.text, "snappy: says 4294967295 bytes, 134217728 are allowed");
    /* within the bound, but no input of that size can reach it */
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_SNAPPY, CW_STR("\x80\x80\x80\x20"), 128 << 20, &back, &err),
        CW_E_INVALID);
    cr_assert_null(back.ptr);
    cr_assert_eq(cw_codec_decompress(CW_CODEC_SNAPPY, CW_STR_NONE, 10, &back, &err), CW_E_INVALID);
}

/* `n` zero bytes, packed. */
static void pack_zeros(enum cw_codec codec, size_t n, struct cw_buf *out)
{
    char *zeros = calloc(1, n);
    struct cw_err err;
    cr_assert_eq(cw_codec_compress(codec, cw_str_make(zeros, n), out, &err), 0);
    free(zeros);
}

Test(codec, bombs_stop_at_the_bound_without_holding_more_memory)
{
    static const enum cw_codec bombs[] = {CW_CODEC_GZIP, CW_CODEC_DEFLATE, CW_CODEC_ZSTD};
    for (size_t c = 0; c < CW_COUNT(bombs); c++) {
        struct cw_buf packed, back;
        struct cw_err err;
        cw_buf_init(&packed, 256 << 20);
        pack_zeros(bombs[c], 64 << 20, &packed);
        cw_buf_init(&back, SIZE_MAX);
        cr_assert_eq(cw_codec_decompress(bombs[c], cw_buf_str(&packed), 1 << 20, &back, &err),
                     CW_E_TOO_LARGE);
        cr_assert_leq(back.cap, 4 << 20);
        cw_buf_fini(&packed);
        cw_buf_fini(&back);
    }
}

Test(codec, gzip_members_follow_one_another)
{
    struct cw_buf packed, back;
    struct cw_err err;
    cw_buf_init(&packed, 1 << 20);
    cw_buf_init(&back, 1 << 20);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, CW_STR("first "), &packed, &err), 0);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, CW_STR(""), &packed, &err), 0);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, CW_STR("second"), &packed, &err), 0);
    cr_assert_eq(cw_codec_decompress(CW_CODEC_GZIP, cw_buf_str(&packed), 12, &back, &err), 0);
    cr_assert(cw_str_eqz(cw_buf_str(&back), "first second"));
    cw_buf_clear(&back);
    cr_assert_eq(cw_codec_decompress(CW_CODEC_GZIP, cw_buf_str(&packed), 11, &back, &err),
                 CW_E_TOO_LARGE);
    cw_buf_addz(&packed, "rubbish");
    cr_assert_eq(cw_codec_decompress(CW_CODEC_GZIP, cw_buf_str(&packed), 100, &back, &err),
                 CW_E_INVALID);
    cw_buf_fini(&packed);
    cw_buf_fini(&back);
}

Test(codec, lz4_frames_are_read_and_bounded)
{
    struct cw_str raw = sample(200000);
    size_t cap = LZ4F_compressFrameBound(raw.len, NULL);
    char *packed = malloc(2 * cap);
    size_t n = LZ4F_compressFrame(packed, cap, raw.ptr, raw.len, NULL);
    cr_assert(!LZ4F_isError(n));
    memcpy(packed + n, packed, n);
    struct cw_buf back;
    struct cw_err err;
    cw_buf_init(&back, SIZE_MAX);
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_LZ4_FRAME, cw_str_make(packed, 2 * n), 400000, &back, &err), 0,
        "%s", err.text);
    cr_assert_eq(back.len, 2 * raw.len, "frames follow one another");
    cr_assert_eq(memcmp(back.ptr + raw.len, raw.ptr, raw.len), 0);
    cw_buf_clear(&back);
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_LZ4_FRAME, cw_str_make(packed, n), 199999, &back, &err),
        CW_E_TOO_LARGE);
    for (size_t cut = 0; cut < n; cut += 997)
        cr_assert_eq(
            cw_codec_decompress(CW_CODEC_LZ4_FRAME, cw_str_make(packed, cut), 400000, &back, &err),
            CW_E_INVALID, "%zu bytes", cut);
    cw_buf_fini(&back);
    free(packed);
}

Test(codec, deflate_is_read_raw_and_wrapped)
{
    unsigned char wrapped[100];
    uLongf len = sizeof wrapped;
    struct cw_buf back;
    struct cw_err err;
    cw_buf_init(&back, 100);
    for (int level = 0; level <= 9; level++) {
        len = sizeof wrapped;
        cr_assert_eq(compress2(wrapped, &len, (const Bytef *)"hello hello", 11, level), Z_OK);
        cw_buf_clear(&back);
        cr_assert_eq(
            cw_codec_decompress(CW_CODEC_DEFLATE, cw_str_make(wrapped, len), 11, &back, &err), 0);
        cr_assert(cw_str_eqz(cw_buf_str(&back), "hello hello"));
        cr_assert_eq(
            cw_codec_decompress(CW_CODEC_DEFLATE, cw_str_make(wrapped, len), 10, &back, &err),
            CW_E_TOO_LARGE);
        cr_assert_eq(
            cw_codec_decompress(CW_CODEC_DEFLATE, cw_str_make(wrapped, len + 1), 100, &back, &err),
            CW_E_INVALID);
    }
    cr_assert_eq(cw_codec_decompress(CW_CODEC_DEFLATE, CW_STR("not deflate"), 100, &back, &err),
                 CW_E_INVALID);
    cw_buf_fini(&back);
}

Test(codec, a_zstd_frame_without_its_size_is_read_and_bounded)
{
    static char packed[1 << 20];
    struct cw_str raw = sample(300000);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_inBuffer src = {raw.ptr, raw.len, 0};
    ZSTD_outBuffer dst = {packed, sizeof packed, 0};
    cr_assert_not(ZSTD_isError(ZSTD_compressStream2(c, &dst, &src, ZSTD_e_continue)));
    cr_assert_eq(ZSTD_compressStream2(c, &dst, &src, ZSTD_e_end), 0);
    ZSTD_freeCCtx(c);
    cr_assert_eq(ZSTD_getFrameContentSize(packed, dst.pos), ZSTD_CONTENTSIZE_UNKNOWN);
    struct cw_buf back;
    struct cw_err err;
    cw_buf_init(&back, 1 << 20);
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_ZSTD, cw_str_make(packed, dst.pos), raw.len, &back, &err), 0);
    cr_assert(cw_str_eq(cw_buf_str(&back), raw));
    cw_buf_clear(&back);
    cr_assert_eq(
        cw_codec_decompress(CW_CODEC_ZSTD, cw_str_make(packed, dst.pos), raw.len - 1, &back, &err),
        CW_E_TOO_LARGE);
    cw_buf_fini(&back);
}

Test(codec, decompressing_in_place_wants_the_exact_size)
{
    static const enum cw_codec codecs[] = {CW_CODEC_NONE, CW_CODEC_LZ4, CW_CODEC_ZSTD};
    static char out[5001];
    struct cw_str raw = sample(5000);
    for (size_t c = 0; c < CW_COUNT(codecs); c++) {
        struct cw_buf packed;
        struct cw_err err;
        cw_buf_init(&packed, 1 << 20);
        cr_assert_eq(cw_codec_compress(codecs[c], raw, &packed, &err), 0);
        cr_assert_eq(cw_codec_decompress_into(codecs[c], cw_buf_str(&packed), out, 5000, &err), 0);
        cr_assert_eq(memcmp(out, raw.ptr, 5000), 0);
        cr_assert_eq(cw_codec_decompress_into(codecs[c], cw_buf_str(&packed), out, 5001, &err),
                     CW_E_INVALID);
        cr_assert_eq(cw_codec_decompress_into(codecs[c], cw_buf_str(&packed), out, 4999, &err),
                     CW_E_INVALID);
        cw_buf_fini(&packed);
    }
    struct cw_err err;
    cr_assert_eq(cw_codec_decompress_into(CW_CODEC_GZIP, CW_STR(""), out, 0, &err), CW_E_INVALID);
}

Test(codec, an_output_without_room_and_unknown_codecs_are_errors)
{
    struct cw_buf out;
    struct cw_err err;
    cw_buf_init(&out, 10);
    for (size_t c = 0; c < CW_COUNT(all_codecs); c++)
        cr_assert_eq(cw_codec_compress(all_codecs[c], sample(5000), &out, &err), CW_E_TOO_LARGE);
    cr_assert_eq(cw_codec_compress((enum cw_codec)99, CW_STR("x"), &out, &err), CW_E_INVALID);
    cr_assert_eq(cw_codec_decompress((enum cw_codec)99, CW_STR("x"), 1, &out, &err), CW_E_INVALID);
    cr_assert_eq(out.len, 0);
    cw_buf_fini(&out);
}
