/* part_reseal.c - from the innermost checksums outwards. */
#include "tests/support/part_reseal.h"

#include "common/base/hash.h"
#include "common/store/block_writer.h"
#include "tests/support/part_seal.h"

static void block_seal(uint8_t *block, uint64_t size)
{
    if (size < CW_BLOCK_HEADER_BYTES)
        return;
    uint32_t dir_bytes = cw_get32(block + 48);
    if (dir_bytes > size - CW_BLOCK_HEADER_BYTES)
        return;
    uint64_t section = CW_BLOCK_HEADER_BYTES + dir_bytes;
    for (uint32_t d = 0; d + CW_BLOCK_SECTION_BYTES <= dir_bytes; d += CW_BLOCK_SECTION_BYTES) {
        uint8_t *e = block + CW_BLOCK_HEADER_BYTES + d;
        uint32_t stored = cw_get32(e + 8);
        if (stored > size - section)
            break;
        if (e[0] == CW_SECTION_META_VALUES) /* smaller than the block that holds it */
            block_seal(block + section, stored);
        cw_put32(e + 12, (uint32_t)cw_hash64(block + section, stored));
        section += stored;
    }
    cw_block_seal(block, cw_str_make(block + CW_BLOCK_HEADER_BYTES, dir_bytes));
}

static void blocks_seal(uint8_t *bytes, size_t len, const uint8_t *footer)
{
    uint64_t off = cw_get64(footer + 96 + 24 * CW_REGION_BLOCKS),
             n = cw_get64(footer + 104 + 24 * CW_REGION_BLOCKS) / CW_PART_BLOCK_ENTRY_BYTES;
    for (uint64_t i = 0;
         i < n && i < 64 && off < len && (i + 1) * CW_PART_BLOCK_ENTRY_BYTES <= len - off; i++) {
        const uint8_t *entry = bytes + off + i * CW_PART_BLOCK_ENTRY_BYTES;
        uint64_t at = cw_get64(entry), size = cw_get32(entry + 8);
        if (at <= len && size <= len - at)
            block_seal(bytes + at, size);
    }
}

/* Groups and chunks have checksums of their own: at `sum_at` of entries of `entry_bytes`. */
static void entries_seal(uint8_t *region, uint64_t len, uint64_t dir, uint64_t n,
                         size_t entry_bytes)
{
    for (uint64_t i = 0; i < n && i < 256 && dir + (i + 1) * entry_bytes <= len; i++) {
        uint8_t *e = region + dir + i * entry_bytes;
        uint64_t off = cw_get64(e), stored = cw_get32(e + 12);
        if (off <= len && stored <= len - off)
            cw_put32(e + 20, (uint32_t)cw_hash64(region + off, stored));
    }
}

void part_reseal(uint8_t *bytes, size_t len)
{
    uint8_t *footer = bytes + len - CW_PART_FOOTER_BYTES;
    cw_put64(bytes, CW_PART_MAGIC);
    cw_put64(footer, CW_PART_MAGIC);
    cw_put64(footer + 248, CW_PART_MAGIC);
    blocks_seal(bytes, len, footer);
    for (int i = 0; i < CW_REGIONS; i++) {
        uint8_t *entry = footer + 96 + 24 * i;
        uint64_t off = cw_get64(entry), size = cw_get64(entry + 8);
        if (off > len - CW_PART_FOOTER_BYTES || size > len - CW_PART_FOOTER_BYTES - off)
            continue;
        uint8_t *region = bytes + off;
        if (i == CW_REGION_STREAMS)
            entries_seal(region, size, 0, (cw_get32(footer + 84) + 255) / 256,
                         CW_PART_GROUP_ENTRY_BYTES);
        if (i == CW_REGION_POSTINGS && size >= CW_POSTINGS_HEADER_BYTES)
            entries_seal(region, size,
                         CW_POSTINGS_HEADER_BYTES +
                             (uint64_t)cw_get32(region) * CW_POSTINGS_NAME_BYTES,
                         cw_get32(region + 4), CW_POSTINGS_CHUNK_BYTES);
    }
    part_seal((char *)bytes, len);
}
