/*
 * A sequence is: ESC or U+009B; any of []()#;? ; then either letters, digits and ';' up to a BEL, or
 * parameters (up to four digits each, the first not empty, ';' between) and one final byte.
 */
#include "common/extract/decolorize.h"

#include <stdbool.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_intro(char c)
{
    return c != '\0' && strchr("[]()#;?", c) != NULL;
}

static bool is_final(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'P') || (c >= 'f' && c <= 'n') ||
           (c != '\0' && strchr("RZcqry=><~t", c) != NULL);
}

static size_t skip_digits(struct cw_str line, size_t at, size_t max)
{
    size_t end = at;
    while (end < line.len && end < at + max && is_digit(line.ptr[end]))
        end++;
    return end;
}

/* The end of a sequence whose introducers end at `at`; 0: there is none. */
static size_t sequence_end(struct cw_str line, size_t at)
{
    size_t end = at;
    while (end < line.len && (is_alnum(line.ptr[end]) || line.ptr[end] == ';'))
        end++;
    if (end < line.len && line.ptr[end] == '\a')
        return end + 1;
    end = skip_digits(line, at, 4);
    while (end > at && end < line.len && line.ptr[end] == ';')
        end = skip_digits(line, end + 1, 4);
    if (end < line.len && is_final(line.ptr[end]))
        return end + 1;
    /* The last digit may be the final byte itself. */
    while (end > at && !is_digit(line.ptr[end - 1]))
        end--;
    return end > at ? end : 0;
}

static size_t escape_len(struct cw_str line, size_t at)
{
    if (line.ptr[at] == '\x1B')
        return 1;
    return line.ptr[at] == '\xC2' && at + 1 < line.len && line.ptr[at + 1] == '\x9B' ? 2 : 0;
}

struct cw_str cw_decolorize(struct cw_str line, struct cw_arena *arena)
{
    char *out = NULL;
    size_t len = 0, copied = 0;
    for (size_t at = 0; at < line.len;) {
        size_t end = at + escape_len(line, at);
        if (end == at) {
            at++;
            continue;
        }
        while (end < line.len && is_intro(line.ptr[end]))
            end++;
        end = sequence_end(line, end);
        if (end == 0) {
            at++;
            continue;
        }
        if (out == NULL)
            out = cw_arena_alloc(arena, line.len);
        memcpy(out + len, line.ptr + copied, at - copied);
        len += at - copied;
        copied = at = end;
    }
    if (out == NULL)
        return line;
    memcpy(out + len, line.ptr + copied, line.len - copied);
    return cw_str_make(out, len + line.len - copied);
}
