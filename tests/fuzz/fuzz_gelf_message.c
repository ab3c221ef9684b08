/*
 * fuzz_gelf_message.c - any bytes as datagrams of GELF (each begins with its length in a byte), and
 * what becomes whole as a message.
 */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/gelf_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_gelf_chunks *chunks = cw_gelf_chunks_new();
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf raw;
    uint64_t lost = 0;
    cw_buf_init(&raw, CW_GELF_BYTES);
    for (size_t at = 0; at < size;) {
        size_t len = CW_MIN((size_t)data[at], size - at - 1);
        struct cw_str message, json;
        struct cw_gelf_message got;
        int rc = cw_gelf_chunks_add(chunks, cw_str_make(data + at + 1, len), (int64_t)at << 26,
                                    &message, &lost, NULL);
        if (rc == 1 && cw_gelf_unpack(message, &raw, &json, NULL) == 0)
            (void)!cw_gelf_message_decode(json, arena, &got, NULL);
        at += len + 1;
    }
    struct cw_gelf_message got;
    struct cw_err err;
    (void)!cw_gelf_message_decode(cw_str_make(data, size), arena, &got, &err);
    cw_buf_fini(&raw);
    cw_arena_free(&arena);
    cw_gelf_chunks_free(&chunks);
    return 0;
}
