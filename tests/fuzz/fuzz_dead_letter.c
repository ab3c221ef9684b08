/* fuzz_dead_letter.c - any bytes as a dead letter. What is read is written, and must be read again the same. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/buf.h"
#include "shipper/dead_letters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_dead_letter letter, again;
    struct cw_err err = {0};
    if (cw_dead_letter_parse(cw_str_make(data, size), arena, &letter, &err) == 0) {
        struct cw_buf text;
        cw_buf_init(&text, 64 << 20);
        cw_dead_letter_format(&letter, &text);
        int rc = cw_dead_letter_parse(cw_str_sub(cw_buf_str(&text), 0, text.len - 1), arena, &again,
                                      &err);
        CW_ASSERT(rc == 0 && again.entry.ts_ns == letter.entry.ts_ns &&
                  cw_str_eq(again.entry.line, letter.entry.line) &&
                  again.entry.nmetadata == letter.entry.nmetadata);
        cw_buf_fini(&text);
    }
    cw_arena_free(&arena);
    return 0;
}
