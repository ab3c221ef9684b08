/* The part of redact.h that follows a private key whose lines arrive as entries of their own. */
#include "common/pipeline/redact_priv.h"

#define BEGINS CW_STR("-----BEGIN ")
#define ENDS CW_STR("-----END ")
#define DASHES CW_STR("-----")

enum { LONE_BYTES = 40 }; /* of Base64 to a line's end: a line of a key, wherever it begins */

bool cw_redact_key_opens(const struct cw_redact *redact, struct cw_str line, size_t *column)
{
    size_t at = 0;
    bool open = false;
    struct cw_span span;
    if (!cw_redact_is_on(redact, CW_DETECT_PRIVATE_KEY))
        return false;
    for (ptrdiff_t next; (next = cw_str_find(cw_str_sub(line, at, line.len), BEGINS)) >= 0;) {
        at += (size_t)next;
        open = cw_detect_private_key(line, at, &span);
        if (open) {
            *column = at;
            open = span.to == line.len && cw_str_find(cw_str_sub(line, at, line.len), ENDS) < 0;
            at = span.to;
        } else {
            at += BEGINS.len;
        }
    }
    return open;
}

static bool is_base64(char c)
{
    return cw_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* Base64 up to the line's end, where the key began or long enough; empty: none. */
static struct cw_span body_of(struct cw_str line, size_t column)
{
    size_t to = line.len, from;
    while (to > 0 && (line.ptr[to - 1] == '\r' || line.ptr[to - 1] == ' '))
        to--;
    for (from = to; from > 0 && is_base64(line.ptr[from - 1]);)
        from--;
    bool is = from == column || to - from >= LONE_BYTES;
    return (struct cw_span){is ? from : to, to};
}

struct cw_str cw_redact_key_line(struct cw_redact *redact, struct cw_str line, size_t column,
                                 struct cw_arena *arena, bool *ends)
{
    ptrdiff_t end = cw_str_find(line, ENDS);
    struct cw_span span;
    *ends = end >= 0 &&
            cw_str_find(cw_str_sub(line, (size_t)end, line.len), CW_STR("PRIVATE KEY")) >= 0;
    if (*ends) {
        struct cw_str rest = cw_str_sub(line, (size_t)end + ENDS.len, line.len);
        ptrdiff_t dashes = cw_str_find(rest, DASHES);
        span.to = dashes < 0 ? line.len : line.len - rest.len + (size_t)dashes + DASHES.len;
        for (span.from = (size_t)end; span.from > 0 && is_base64(line.ptr[span.from - 1]);)
            span.from--;
    } else {
        span = body_of(line, column);
    }
    return span.to > span.from ? cw_redact_span(redact, CW_DETECT_PRIVATE_KEY, line, span, arena)
                               : line;
}
