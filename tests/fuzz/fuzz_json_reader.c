/* Any bytes end the reader, and a string that was read is written and read again as the same. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/wire/json_reader.h"
#include "common/wire/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(struct cw_str text, struct cw_arena *arena)
{
    static struct cw_err err;
    struct cw_json_reader reader;
    struct cw_buf out;
    cw_buf_init(&out, 64 << 20);
    cw_json_quote(text, &out);
    cw_json_reader_init(&reader, cw_buf_str(&out), arena);
    CW_ASSERT(cw_json_next(&reader, &err) == CW_JSON_STRING);
    CW_ASSERT(cw_utf8_valid(reader.text));
    CW_ASSERT(!cw_utf8_valid(text) || cw_str_eq(reader.text, text));
    cw_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct cw_json_reader reader;
    int event;
    cw_json_reader_init(&reader, cw_str_make(data, size), arena);
    do {
        event = cw_json_next(&reader, &err);
        if (event == CW_JSON_STRING || event == CW_JSON_KEY)
            check_string(reader.text, arena);
    } while (event > CW_JSON_DONE);
    CW_ASSERT(cw_json_offset(&reader) <= size);
    cw_arena_free(&arena);
    return 0;
}
