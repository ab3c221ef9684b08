/*
 * fuzz_line_time.c - any bytes as lines of a log: what is read of them is inside them, learning changes no time that stands at the
 * front, and a time that is found once is found again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "querier/local/line_time.h"

static void check_front(struct cw_line_time *reader, struct cw_str line)
{
    struct cw_str rest = line;
    int64_t ns, again;
    if (!cw_time_text_take(&reader->text, &rest, &ns)) {
        CW_ASSERT(rest.ptr == line.ptr && rest.len == line.len);
        return;
    }
    CW_ASSERT(rest.len < line.len && rest.ptr + rest.len == line.ptr + line.len);
    CW_ASSERT(cw_line_time_read(reader, line, &again) && again == ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_line_time reader, other;
    char *text = cw_mem_resize(NULL, size > 0 ? size : 1); /* the sanitizer sees a byte too many */
    if (size > 0)
        memcpy(text, data, size);
    struct cw_str lines = cw_str_make(text, size), rest = lines, line;
    cw_line_time_init(&reader, CW_ZONE_UTC, INT64_C(1767607200000000000));
    while (cw_line_time_next(&rest, &line))
        check_front(&reader, line);
    cw_line_time_learn(&reader, lines);
    cw_line_time_init_like(&other, &reader);
    for (rest = lines; cw_line_time_next(&rest, &line);) {
        int64_t a = 0, b = 0;
        bool found = cw_line_time_read(&reader, line, &a);
        CW_ASSERT(found == cw_line_time_read(&other, line, &b) && a == b);
    }
    cw_line_time_fini(&other);
    cw_line_time_fini(&reader);
    free(text);
    return 0;
}
