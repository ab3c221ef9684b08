/* block_sections.c - compress a section, and put down where it stands. */
#include "common/store/block_sections.h"

#include "common/base/hash.h"

void cw_block_sections_init(struct cw_block_sections *s)
{
    cw_buf_init(&s->bytes, 2u * (CW_BLOCK_RAW_MAX + CW_BLOCK_META_RAW_MAX));
    cw_buf_init(&s->entries, CW_BLOCK_SECTIONS_MAX * CW_BLOCK_SECTION_BYTES);
}

void cw_block_sections_fini(struct cw_block_sections *s)
{
    cw_buf_fini(&s->bytes);
    cw_buf_fini(&s->entries);
}

void cw_block_sections_clear(struct cw_block_sections *s)
{
    cw_buf_clear(&s->bytes);
    cw_buf_clear(&s->entries);
}

int cw_block_sections_add(struct cw_block_sections *s, enum cw_section_kind kind,
                          enum cw_codec codec, uint16_t count, struct cw_str raw,
                          struct cw_err *err)
{
    size_t start = s->bytes.len;
    if (codec != CW_CODEC_NONE) {
        int rc = cw_codec_compress(codec, raw, &s->bytes, err);
        if (rc < 0)
            return rc;
        if (s->bytes.len - start >= raw.len) {
            s->bytes.len = start;
            codec = CW_CODEC_NONE;
        }
    }
    if (codec == CW_CODEC_NONE)
        cw_buf_adds(&s->bytes, raw);
    uint8_t entry[CW_BLOCK_SECTION_BYTES] = {(uint8_t)kind, (uint8_t)codec};
    cw_put16(entry + 2, count);
    cw_put32(entry + 4, (uint32_t)raw.len);
    cw_put32(entry + 8, (uint32_t)(s->bytes.len - start));
    cw_put32(entry + 12, (uint32_t)cw_hash64(s->bytes.ptr + start, s->bytes.len - start));
    cw_buf_add(&s->entries, entry, sizeof(entry));
    return 0;
}

void cw_block_sections_put(struct cw_block_sections *s, const uint8_t *entry, struct cw_str stored)
{
    cw_buf_adds(&s->bytes, stored);
    cw_buf_add(&s->entries, entry, CW_BLOCK_SECTION_BYTES);
}

void cw_block_sections_append(struct cw_block_sections *s, const struct cw_block_sections *more)
{
    cw_buf_adds(&s->bytes, cw_buf_str(&more->bytes));
    cw_buf_adds(&s->entries, cw_buf_str(&more->entries));
}

int cw_block_sections_check(const struct cw_block_sections *s, struct cw_err *err)
{
    if (cw_buf_failed(&s->bytes) || cw_buf_failed(&s->entries))
        return cw_err_set(err, CW_E_LIMIT, "a block does not fit its buffers");
    return 0;
}
