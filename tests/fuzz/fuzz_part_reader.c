/* Any bytes as a part: its checksums are put right first, so that the bytes behind them are read. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/block_reader.h"
#include "common/store/encode_int.h"
#include "common/store/listing.h"
#include "common/store/part_source.h"
#include "common/store/part_verify.h"
#include "tests/support/part_reseal.h"

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
    part_reseal(copy, size);
    read_part(cw_str_make(copy, size));
    free(copy);
    return 0;
}
