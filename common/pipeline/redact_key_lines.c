/* The part of redact.h that follows a private key whose lines arrive as entries of their own. */
#include "common/pipeline/redact_priv.h"

#define BEGINS CW_STR("-----BEGIN ")
#define ENDS CW_STR("-----END ")
#define DASHES CW_STR("-----")

enum {
    LONE_BYTES = 40, /* of Base64: a line of a key, wherever it begins */
    KIND_BYTES = 40, /* at most, behind "-----END " */
};

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

/* The first beginning of a private key; the line's length: there is none. */
static size_t find_begin(struct cw_str line)
{
    struct cw_span span;
    size_t at = 0;
    for (ptrdiff_t next; (next = cw_str_find(cw_str_sub(line, at, line.len), BEGINS)) >= 0;
         at += BEGINS.len) {
        at += (size_t)next;
        if (cw_detect_private_key(line, at, &span))
            return at;
    }
    return line.len;
}

/* The first end of one; empty behind the line: there is none. */
static struct cw_span find_end(struct cw_str line)
{
    size_t at = 0;
    for (ptrdiff_t next; (next = cw_str_find(cw_str_sub(line, at, line.len), ENDS)) >= 0;) {
        size_t from = at + (size_t)next;
        at = from + ENDS.len;
        struct cw_str kind = cw_str_sub(line, at, at + KIND_BYTES);
        ptrdiff_t dashes = cw_str_find(kind, DASHES);
        if (dashes >= 0)
            kind.len = (size_t)dashes;
        if (cw_str_find(kind, CW_STR("PRIVATE KEY")) >= 0)
            return (struct cw_span){from, dashes < 0 ? line.len : at + kind.len + DASHES.len};
    }
    return (struct cw_span){line.len, line.len};
}

/* Nothing of the line is behind `at`, or what a format puts behind a text. */
static bool is_text_end(struct cw_str line, size_t at)
{
    char c = cw_at(line, at);
    if (c == '"' || c == '\'' || c == '\\' || c == '<')
        return true;
    while (at < line.len && (line.ptr[at] == '\r' || line.ptr[at] == ' '))
        at++;
    return at == line.len;
}

/* Letters of both cases: Base64 of so many bytes has them, digests and most paths have not. */
static bool is_lone(struct cw_str run)
{
    bool upper = false, lower = false;
    for (size_t i = 0; i < run.len; i++) {
        upper |= cw_is_upper(run.ptr[i]);
        lower |= cw_is_alnum(run.ptr[i]) && !cw_is_upper(run.ptr[i]) && !cw_is_digit(run.ptr[i]);
    }
    return run.len >= LONE_BYTES && upper && lower;
}

struct spans {
    struct cw_arena *arena;
    struct cw_span *items;
    size_t n, cap;
};

static void add_span(struct spans *spans, size_t from, size_t to)
{
    spans->items = cw_arena_grow(spans->arena, spans->items, spans->n, &spans->cap, spans->n + 1,
                                 sizeof *spans->items);
    spans->items[spans->n++] = (struct cw_span){from, to};
}

/* Base64 ahead of `end` that begins where the key did, or that is long enough. */
static void add_body(struct spans *spans, struct cw_str line, size_t end, size_t column)
{
    for (size_t from = 0, to; from < end; from = to + 1) {
        for (to = from; to < end && is_base64(line.ptr[to]);)
            to++;
        if (to > from &&
            (is_lone(cw_str_sub(line, from, to)) || (from == column && is_text_end(line, to))))
            add_span(spans, from, to);
    }
}

/* The end, and Base64 directly ahead of it; lines of that may have been joined. */
static void add_end(struct spans *spans, struct cw_str line, struct cw_span end)
{
    size_t from = end.from;
    while (from > 0 && (is_base64(line.ptr[from - 1]) || strchr("\\\r\n", line.ptr[from - 1])))
        from--;
    add_span(spans, from, end.to);
}

struct cw_str cw_redact_key_line(struct cw_redact *redact, struct cw_str line, size_t column,
                                 bool counting, struct cw_arena *arena, size_t *n_out,
                                 enum cw_redact_key_line *is_out)
{
    struct spans spans = {.arena = arena};
    struct cw_span end = find_end(line);
    bool ends = end.to > end.from, begins = find_begin(line) < end.from;
    if (!begins)
        add_body(&spans, line, end.from, column);
    if (!begins && ends)
        add_end(&spans, line, end);
    *is_out = begins || ends ? CW_REDACT_KEY_END
              : spans.n > 0  ? CW_REDACT_KEY_BODY
                             : CW_REDACT_KEY_OTHER;
    return cw_redact_around(redact, line, spans.items, spans.n, counting, arena, n_out);
}
