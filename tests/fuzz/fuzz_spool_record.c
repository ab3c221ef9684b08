/*
 * fuzz_spool_record.c - any bytes as a spool segment, as they are and as a payload with a right
 * checksum. What is read is written, and must be read the same; every step goes forward.
 */
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "shipper/spool_record.h"

static void again(const struct cw_spool_record *record, struct cw_arena *arena)
{
    struct cw_spool_record copy;
    struct cw_buf bytes;
    size_t at = 0;
    cw_buf_init(&bytes, 2 * CW_SPOOL_RECORD_BYTES);
    if (cw_spool_record_encode(record, &bytes, NULL) == 1) {
        int rc = cw_spool_record_next(cw_buf_str(&bytes), &at, arena, &copy, NULL);
        CW_ASSERT(rc == 1 && at == bytes.len && copy.ts_ns == record->ts_ns);
        CW_ASSERT(cw_labels_eq(copy.labels, record->labels) &&
                  cw_labels_eq(copy.metadata, record->metadata));
        CW_ASSERT(cw_str_eq(copy.tenant, record->tenant) && cw_str_eq(copy.line, record->line) &&
                  cw_str_eq(copy.cursor, record->cursor));
    }
    cw_buf_fini(&bytes);
}

static void walk(struct cw_str bytes)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_spool_record record;
    for (size_t at = 0; at < bytes.len;) {
        size_t from = at;
        int rc = cw_spool_record_next(bytes, &at, arena, &record, NULL);
        if (rc == 1)
            again(&record, arena);
        else if (rc == 0)
            at = cw_spool_record_resync(bytes, at);
        CW_ASSERT(at > from && at <= bytes.len);
    }
    cw_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(cw_str_make(data, size));
    struct cw_buf framed;
    uint32_t len = htole32((uint32_t)size);
    uint64_t check = htole64(cw_hash64(data, size));
    cw_buf_init(&framed, SIZE_MAX);
    cw_buf_addz(&framed, "CWSp");
    cw_buf_add(&framed, &len, sizeof len);
    cw_buf_add(&framed, &check, sizeof check);
    cw_buf_add(&framed, data, size);
    walk(cw_buf_str(&framed));
    cw_buf_fini(&framed);
    return 0;
}
