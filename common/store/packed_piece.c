#include "common/store/packed_piece.h"

#include "common/base/codec.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/format.h"

int cw_packed_piece_add(struct cw_str raw, struct cw_buf *bytes, uint8_t *entry, struct cw_err *err)
{
    size_t start = bytes->len;
    enum cw_codec codec = CW_CODEC_LZ4;
    int rc = cw_codec_compress(codec, raw, bytes, err);
    if (rc < 0)
        return rc;
    if (bytes->len - start >= raw.len) {
        bytes->len = start;
        codec = CW_CODEC_NONE;
        cw_buf_adds(bytes, raw);
    }
    size_t stored = bytes->len - start;
    cw_put64(entry, start);
    cw_put32(entry + 8, (uint32_t)raw.len);
    cw_put32(entry + 12, (uint32_t)stored);
    cw_put32(entry + 16, (uint32_t)codec); /* one byte, and three that are 0 */
    cw_put32(entry + 20, (uint32_t)cw_hash64(bytes->ptr + start, stored));
    return 0;
}

const char *cw_packed_piece_read(const void *entry, struct cw_str region, uint64_t raw_max,
                                 struct cw_buf *raw)
{
    const uint8_t *e = entry;
    uint64_t off = cw_get64(e), nraw = cw_get32(e + 8), stored = cw_get32(e + 12);
    int codec = e[16];
    struct cw_err ignored;
    if (off > region.len || stored > region.len - off)
        return "lies outside the region";
    if (nraw > raw_max)
        return "is too large";
    struct cw_str bytes = cw_str_make(region.ptr + off, stored);
    cw_file_will_read(bytes);
    if ((uint32_t)cw_hash64(bytes.ptr, bytes.len) != cw_get32(e + 20))
        return "has a wrong checksum";
    if (codec != CW_CODEC_NONE && codec != CW_CODEC_LZ4)
        return "has a codec that is unknown";
    if (cw_codec_decompress((enum cw_codec)codec, bytes, nraw, raw, &ignored) < 0)
        return "does not decompress";
    return NULL;
}
