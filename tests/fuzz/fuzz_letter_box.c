/* fuzz_letter_box.c - any bytes as the progress of a resend, as they are and behind the right first lines. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "common/base/buf.h"
#include "shipper/letter_box.h"

static void try(struct cw_str text)
{
    struct cw_letter_box box = {
        .arena = cw_arena_new(), .progress_path = "p", .dev = 1, .ino = 2, .map = {.len = 1000}};
    struct cw_err err;
    if (cw_letter_box_progress_decode(&box, text, &err) == 0)
        for (size_t i = 0; i < box.nroutes; i++)
            CW_ASSERT(box.routes[i].done <= 1000 && box.routes[i].client.len > 0);
    cw_arena_free(&box.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf text;
    try(cw_str_make(data, size));
    cw_buf_init(&text, 64 << 20);
    cw_buf_addz(
        &text,
        "cordwood-resend 1\nfile 1 2 1000\nagain 7\nshipper 00112233445566778899aabbccddeeff "
        "session 00112233445566778899aabbccddeeff source 00112233445566778899aabbccddeeff\n");
    cw_buf_add(&text, data, size);
    try(cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}
