#include "shipper/docker_since.h"
#include <stdlib.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "shipper/docker_line.h"
#include "shipper/docker_place.h"

/* A line holds 16 KiB of text, of which each byte may be written as six, and its attributes. */
enum { LINE_BYTES_MAX = 256 << 10 };

struct lines {
    int fd;
    uint64_t size;
    char *bytes, *text;
};

struct at {
    uint64_t from, to; /* of the line, with its newline */
    int64_t ts_ns;
};

/* The first whole line that begins at `off` or behind it; at the file's beginning and behind a newline. False: none can be read. */
static bool line_from(const struct lines *lines, uint64_t off, struct at *out)
{
    uint64_t back = off > 0; /* the byte before may be the newline */
    ssize_t n = pread(lines->fd, lines->bytes, LINE_BYTES_MAX, (off_t)(off - back));
    struct cw_str rest = cw_str_make(lines->bytes, n > 0 ? (size_t)n : 0), line;
    struct cw_docker_line decoded;
    struct cw_err err;
    if (back > 0) {
        ptrdiff_t end = cw_str_find_byte(rest, '\n');
        if (end < 0)
            return false;
        out->from = off - back + (uint64_t)end + 1;
        rest = cw_str_sub(rest, (size_t)end + 1, rest.len);
    } else {
        out->from = 0;
    }
    ptrdiff_t end = cw_str_find_byte(rest, '\n');
    if (end < 0)
        return false;
    line = cw_str_sub(rest, 0, (size_t)end);
    out->to = out->from + line.len + 1;
    if (cw_docker_line_decode(line, lines->text, &decoded, &err) < 0)
        return false;
    out->ts_ns = decoded.ts_ns;
    return true;
}

/* No line ahead of the offset that is returned is so young. */
static uint64_t bisect(const struct lines *lines, int64_t since_ns)
{
    uint64_t low = 0, high = lines->size;
    struct at at;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (line_from(lines, middle, &at) && at.ts_ns < since_ns && at.from < high)
            low = at.to;
        else
            high = middle;
    }
    return low;
}

uint64_t cw_docker_since_offset(int fd, uint64_t size, int64_t since_s)
{
    struct lines lines = {fd, size, cw_mem_new(LINE_BYTES_MAX), cw_mem_new(LINE_BYTES_MAX)};
    int64_t since_ns = since_s * CW_NS_PER_S;
    uint64_t off = bisect(&lines, since_ns - CW_DOCKER_DISORDER_S * CW_NS_PER_S);
    struct at at;
    while (off < size && line_from(&lines, off, &at) && at.from == off && at.ts_ns < since_ns)
        off = at.to;
    free(lines.bytes);
    free(lines.text);
    return CW_MIN(off, size);
}
