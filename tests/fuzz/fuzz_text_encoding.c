/*
 * Any bytes as the beginning of a file of some encoding (the first byte names it, in the byte 0xff the rest does): it is cut into lines, and what
 * these become is UTF-8, whatever they were.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "shipper/text_encoding.h"

static const char *const names[] = {"utf-16le",     "utf-16be", "shift_jis", "gbk",
                                    "gb18030",      "big5",     "euc-kr",    "euc-jp",
                                    "windows-1252", "koi8-r",   "utf-8",     "macintosh"};

static void line_check(const struct cw_text_encoding *encoding, struct cw_str line,
                       struct cw_arena *arena)
{
    struct cw_text text;
    cw_text_convert(encoding, line, arena, &text);
    CW_ASSERT(text.whole <= line.len && text.utf8_whole <= text.utf8.len);
    CW_ASSERT(text.nbad <= line.len);
    if (encoding->units == CW_TEXT_BYTES && encoding->iconv == NULL) {
        CW_ASSERT(cw_str_eq(text.utf8, line));
        return;
    }
    CW_ASSERT(cw_utf8_valid(text.utf8));
    CW_ASSERT(cw_utf8_valid(cw_str_sub(text.utf8, 0, text.utf8_whole)));
    for (size_t max = 0; max < 16; max++) {
        size_t cut = cw_text_utf8_cut(text.utf8, max);
        CW_ASSERT(cut <= max && (max < 4 || cw_utf8_valid(cw_str_sub(text.utf8, 0, cut))));
    }
}

static void lines_check(const struct cw_text_encoding *encoding, struct cw_str rest,
                        struct cw_arena *arena)
{
    size_t unit = cw_text_unit(encoding), nuls = cw_text_nuls(encoding, rest);
    CW_ASSERT(nuls <= rest.len && nuls % unit == 0);
    for (;;) {
        ptrdiff_t end = cw_text_newline(encoding, rest);
        CW_ASSERT(end < (ptrdiff_t)rest.len && (end < 0 || (size_t)end % unit == 0));
        size_t len = end < 0 ? rest.len : (size_t)end;
        line_check(encoding, cw_str_sub(rest, 0, len), arena);
        if (end < 0)
            return;
        CW_ASSERT(len + unit <= rest.len);
        rest = cw_str_sub(rest, len + unit, rest.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_text_encoding *configured = NULL;
    struct cw_err err;
    if (size < 1)
        return 0;
    char *copy = malloc(size); /* of its own, so that a read past its end is seen */
    memcpy(copy, data + 1, size - 1);
    struct cw_str file = cw_str_make(copy, size - 1);
    struct cw_arena *arena = cw_arena_new();
    struct cw_str name =
        data[0] == 0xff ? file : cw_str_of(names[data[0] % (sizeof(names) / sizeof(names[0]))]);
    int rc = cw_text_encoding_new(name, &configured, &err);
    CW_ASSERT(rc == 0 || rc == CW_E_INVALID);
    enum cw_text_bom bom = cw_text_bom_of(file);
    size_t skip = cw_text_bom_len(bom);
    CW_ASSERT(skip <= file.len);
    lines_check(cw_text_encoding_by(bom, configured), cw_str_sub(file, skip, file.len), arena);
    cw_text_encoding_free(&configured);
    cw_arena_free(&arena);
    free(copy);
    return 0;
}
