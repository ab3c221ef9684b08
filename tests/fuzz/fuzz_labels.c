/* Label texts of pushes: what parses must survive being printed and parsed again. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/labels/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_labels labels, again;
    struct cw_err err;
    struct cw_str text = cw_str_make(data, size), out;
    if (cw_labels_parse(text, arena, &labels, &err) == 0) {
        struct cw_buf buf;
        cw_buf_init(&buf, SIZE_MAX);
        cw_labels_format(labels, &buf);
        int rc = cw_labels_parse(cw_buf_str(&buf), arena, &again, &err);
        CW_ASSERT(rc == 0 && cw_labels_eq(labels, again));
        CW_ASSERT(cw_hash128_eq(cw_labels_hash(labels), cw_labels_hash(again)));
        cw_buf_fini(&buf);
    }
    (void)cw_unquote_go(text, arena, &out);
    (void)cw_label_name_sanitize(arena, text);
    cw_arena_free(&arena);
    return 0;
}
