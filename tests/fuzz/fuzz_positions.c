/*
 * fuzz_positions.c - any bytes as a positions file, as they are and with a right checksum put
 * behind them. What is read is written, must be read again, and be written the same.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "shipper/positions.h"

static void try(struct cw_str bytes)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions positions, again;
    struct cw_err err;
    if (cw_positions_decode(bytes, arena, &positions, &err) == 0) {
        struct cw_buf first, second;
        cw_buf_init(&first, CW_POSITIONS_BYTES);
        cw_buf_init(&second, CW_POSITIONS_BYTES);
        cw_positions_encode(&positions, &first);
        int rc = cw_positions_decode(cw_buf_str(&first), arena, &again, &err);
        CW_ASSERT(rc == 0);
        cw_positions_encode(&again, &second);
        CW_ASSERT(cw_str_eq(cw_buf_str(&first), cw_buf_str(&second)));
        cw_buf_fini(&first);
        cw_buf_fini(&second);
    }
    cw_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf text;
    try(cw_str_make(data, size));
    cw_buf_init(&text, CW_POSITIONS_BYTES);
    cw_buf_addz(&text, "cordwood-positions 2\n");
    cw_buf_add(&text, data, size);
    cw_buf_addf(&text, "check %016" PRIx64 "\n", cw_hash64(text.ptr, text.len));
    try(cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}
