/*
 * codec.h - the one home of the compressors. Output is bounded before anything is decompressed.
 *
 * Errors     CW_E_INVALID (not such a stream), CW_E_TOO_LARGE (says the size or the bound). No input aborts.
 * Sources    snappy: format_description.txt (block format); gzip RFC 1952; zlib RFC 1950; raw deflate RFC 1951; lz4 block and frame format; zstd RFC 8878.
 */
#ifndef CW_BASE_CODEC_H
#define CW_BASE_CODEC_H
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* The numbers stand in part and WAL files: never renumber. */
enum cw_codec {
    CW_CODEC_NONE = 0,
    CW_CODEC_LZ4 = 1,    /* block; the raw size is known from outside */
    CW_CODEC_ZSTD = 2,   /* frame, level 1 */
    CW_CODEC_SNAPPY = 3, /* block */
    CW_CODEC_GZIP = 4,
    CW_CODEC_DEFLATE = 5,   /* raw; zlib-wrapped input is accepted too */
    CW_CODEC_LZ4_FRAME = 6, /* decompressed only */
    CW_CODEC_BZIP2 = 7,     /* these two by decoder.h alone */
    CW_CODEC_XZ = 8,
};

/* Append the decompressed bytes to *out, whose length is as before on an error; at most `max_bytes` of them. For LZ4 and NONE the result must be exactly `max_bytes`. */
int cw_codec_decompress(enum cw_codec codec, struct cw_str in, size_t max_bytes, struct cw_buf *out,
                        struct cw_err *err) CW_MUST_USE;
/* Append the compressed bytes to *out. */
int cw_codec_compress(enum cw_codec codec, struct cw_str in, struct cw_buf *out,
                      struct cw_err *err) CW_MUST_USE;
/* Decompress exactly raw_bytes into memory of the caller (LZ4, ZSTD, NONE): no copy on the query's hot path. */
int cw_codec_decompress_into(enum cw_codec codec, struct cw_str in, void *out, size_t raw_bytes,
                             struct cw_err *err) CW_MUST_USE;

#endif
