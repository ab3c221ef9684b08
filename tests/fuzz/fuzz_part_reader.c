/* Any bytes as a part: its checksums are put right first, so that the bytes behind them are read. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/block_reader.h"
#include "common/store/block_writer.h"
#include "common/store/encode_int.h"
#include "common/store/listing.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"
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

static void seal(uint8_t *bytes, size_t len)
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

static void list(struct cw_source *source, const struct cw_listing *listing)
{
    struct cw_list_cursor *cursor;
    struct cw_list_item item;
    struct cw_err err;
    uint64_t sum = 0;
    if (source->ops->list(source, listing, &cursor, &err) < 0)
        return;
    for (int i = 0; i < 10000 && cw_list_cursor_next(cursor, &item, &err) > 0; i++)
        sum += listing->what == CW_LIST_STREAMS ? cw_labels_hash(item.stream.labels).lo
                                                : cw_hash64(item.text.ptr, item.text.len);
    __asm__ volatile("" : : "r"(sum));
    cw_list_cursor_close(&cursor);
}

static void scan(struct cw_source *source, const struct cw_scan *what)
{
    struct cw_units units = {0};
    struct cw_err err;
    if (source->ops->plan(source, what, &units, &err) == 0) {
        for (size_t i = 0; i < units.n && i < 32; i++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            if (source->ops->open(source, what, &units.items[i], &cursor, &err) < 0)
                continue;
            uint64_t sum = 0;
            while (cw_cursor_next(cursor, &batch, &err) > 0)
                for (size_t r = 0; r < batch.n; r++) {
                    sum +=
                        batch.lines != NULL ? cw_hash64(batch.lines[r].ptr, batch.lines[r].len) : 0;
                    for (size_t m = 0; batch.metadata != NULL && m < batch.metadata[r].n; m++)
                        sum += cw_hash64(batch.metadata[r].items[m].value.ptr,
                                         batch.metadata[r].items[m].value.len);
                }
            __asm__ volatile("" : : "r"(sum));
            cw_cursor_close(&cursor);
        }
    }
    cw_units_fini(&units);
}

static void read_part(struct cw_str bytes)
{
    struct cw_part_verified verified;
    cw_part_verify_bytes(bytes, NULL, NULL, &verified);
    struct cw_part_reader *reader;
    struct cw_err err;
    if (cw_part_reader_open_bytes("fuzz", bytes, &reader, &err) < 0)
        return;
    struct cw_source *source = cw_part_source_new(reader, NULL);
    struct cw_scan all = {.start_ns = INT64_MIN,
                          .end_ns = INT64_MAX,
                          .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_selector selector;
    scan(source, &all);
    struct cw_selector asked;
    struct cw_meta_filter filters[2];
    cw_selector_init(&asked);
    if (cw_selector_add(&asked, CW_MATCH_EQ, CW_STR("trace_id"),
                        CW_STR("0123456789abcdef0fedcba987654321"), &err) == 0 &&
        cw_selector_add(&asked, CW_MATCH_NRE, CW_STR("user"), CW_STR("u[0-9]|.*a"), &err) == 0) {
        for (size_t i = 0; i < 2; i++)
            cw_meta_filter_init(&filters[i], &asked.items[i]);
        for (size_t i = 0; i < 2; i++) {
            all.meta_filters = &filters[i];
            all.nmeta_filters = 1;
            scan(source, &all);
        }
        for (size_t i = 0; i < 2; i++)
            cw_meta_filter_fini(&filters[i]);
    }
    cw_selector_fini(&asked);
    cw_selector_init(&selector);
    if (cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("app"), CW_STR("app1"), &err) == 0 &&
        cw_selector_add(&selector, CW_MATCH_NE, CW_STR("host"), CW_STR("h-1"), &err) == 0) {
        struct cw_scan some = {.selector = &selector,
                               .start_ns = 0,
                               .end_ns = INT64_C(1728000000000000000),
                               .need = CW_NEED_SIZES,
                               .newest_first = true};
        scan(source, &some);
        const struct cw_selector *selectors[] = {&selector};
        struct cw_listing listing = {.name = CW_STR("host"), .end_ns = INT64_MAX};
        for (int what = CW_LIST_STREAMS; what <= CW_LIST_VALUES; what++) {
            listing.what = what;
            listing.selectors = NULL;
            listing.nselectors = 0;
            listing.start_ns = INT64_MIN;
            list(source, &listing);
            listing.selectors = selectors;
            listing.nselectors = 1;
            listing.start_ns = 1;
            list(source, &listing);
        }
    }
    cw_selector_fini(&selector);
    cw_source_unref(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t values[512];
    struct cw_err err;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    read_part(cw_str_make(data, size));
    if (cw_decode_int(cw_str_make(data, size), 512, values, NULL, &err) < 0 &&
        size < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return 0;
    if (size < CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    seal(copy, size);
    read_part(cw_str_make(copy, size));
    free(copy);
    return 0;
}
