/*
 * fuzz_framing.c - any bytes as a file of any format and encoding: entries cover it in order, and
 * what is not handed out is unfinished.
 */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/framing.h"

static const char *const encodings[] = {"utf-8",   "utf-16le",  "utf-16be", "windows-1252",
                                        "gb18030", "shift_jis", "euc-kr",   "iso-2022-jp"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct cw_text_encoding *encoding = NULL;
    struct cw_err err;
    if (data[0] & 8)
        CW_ASSERT(cw_text_encoding_new(cw_str_of(encodings[data[0] & 7]), &encoding, &err) == 0);
    struct cw_arena *arena = cw_arena_new();
    struct cw_framing framing = {.format = (enum cw_source_format)(data[1] % 4),
                                 .encoding = encoding,
                                 .bytes = (const char *)data + 2,
                                 .len = size - 2,
                                 .start = data[0] >> 4,
                                 .at_end = data[1] & 64,
                                 .final = data[1] & 32,
                                 .whole = (data[1] & 80) == 16,
                                 .arena = arena};
    struct cw_framed framed;
    uint64_t at = 0, end = framing.start + framing.len;
    while (cw_framing_next(&framing, &framed)) {
        CW_ASSERT(framed.from < framed.to && framed.to <= end);
        CW_ASSERT(framed.joined || framed.from >= at || framing.format == CW_SOURCE_DOCKER ||
                  framing.format == CW_SOURCE_DOCKER_LOCAL);
        at = framed.to;
    }
    CW_ASSERT(cw_framing_unfinished(&framing) <= end);
    cw_text_encoding_free(&encoding);
    cw_arena_free(&arena);
    return 0;
}
