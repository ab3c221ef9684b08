/*
 * part_seal.h - put checksums of a part right again whose bytes a test has changed.
 */
#ifndef CW_TESTS_PART_SEAL_H
#define CW_TESTS_PART_SEAL_H
#include "common/base/hash.h"
#include "common/store/format.h"
#include "common/store/postings.h"
#include "common/store/stream_table.h"

/* Region `which` of a part that may be damaged; empty when it does not lie in the file. */
static inline struct cw_str part_seal_region(const char *part, size_t len,
                                             enum cw_part_region which)
{
    const char *entry = part + len - CW_PART_FOOTER_BYTES + 96 + 24 * which;
    uint64_t off = cw_get64(entry), size = cw_get64(entry + 8);
    if (off > len - CW_PART_FOOTER_BYTES || size > len - CW_PART_FOOTER_BYTES - off)
        return CW_STR_NONE;
    return cw_str_make(part + off, size);
}

/* Of regions, directories and footer. */
static inline void part_seal(char *part, size_t len)
{
    char *footer = part + len - CW_PART_FOOTER_BYTES;
    uint32_t nstreams = cw_get32(footer + 84);
    struct cw_postings postings;
    struct cw_err err;
    for (int i = 0; i < CW_REGIONS; i++) {
        struct cw_str region = part_seal_region(part, len, i);
        if (region.ptr != NULL)
            cw_put64(footer + 96 + 24 * i + 16, cw_hash64(region.ptr, region.len));
    }
    struct cw_str streams = part_seal_region(part, len, CW_REGION_STREAMS);
    if (cw_stream_table_check(streams, nstreams, &err) == 0) {
        struct cw_str front = cw_stream_table_front(streams, nstreams);
        cw_put64(footer + 224, cw_hash64(front.ptr != NULL ? front.ptr : "", front.len));
    }
    if (cw_postings_open(part_seal_region(part, len, CW_REGION_POSTINGS), nstreams,
                         CW_POSTINGS_FENCED, &postings, &err) == 0) {
        struct cw_str front = cw_postings_front(&postings);
        cw_put64(footer + 232, cw_hash64(front.ptr, front.len));
    }
    cw_put64(footer + 240, cw_hash64(footer, 240));
}

#endif
