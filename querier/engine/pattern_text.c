#include "querier/engine/pattern_text.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/match/pattern_match.h"
#include "common/store/layout.h"

static const struct cw_str placeholder = {"<_>", 3};

/* ---- where the message stands ---- */

struct message {
    size_t from, to; /* between its quotes */
};

static const char *const message_keys[] = {"msg", "message", "log", "content", "event"};

/* The value of the key that ends before text[at], which opens with a quote: `"msg": "` and `msg="`. */
static bool message_at(struct cw_str text, size_t at, bool quoted, struct message *out)
{
    if (quoted) {
        if (at + 1 >= text.len || text.ptr[at] != '"' || text.ptr[at + 1] != ':')
            return false;
        at += 2;
        at += at < text.len && text.ptr[at] == ' ';
    } else {
        if (at >= text.len || text.ptr[at] != '=')
            return false;
        at++;
    }
    if (at >= text.len || text.ptr[at] != '"')
        return false;
    out->from = out->to = at + 1;
    while (out->to < text.len && text.ptr[out->to] != '"')
        out->to += text.ptr[out->to] == '\\' ? 2 : 1;
    return out->to < text.len && out->to > out->from;
}

static bool find_message(struct cw_str text, struct message *out)
{
    bool found = false;
    for (size_t k = 0; k < CW_COUNT(message_keys); k++) {
        struct cw_str key = cw_str_of(message_keys[k]), rest = text;
        for (ptrdiff_t at; (at = cw_str_find(rest, key)) >= 0;) {
            size_t from = text.len - rest.len + (size_t)at;
            struct message message;
            char before = from > 0 ? text.ptr[from - 1] : ' ';
            if ((before == '"' || before == ' ') &&
                message_at(text, from + key.len, before == '"', &message) &&
                (!found || message.from < out->from)) {
                *out = message;
                found = true;
                break;
            }
            rest = cw_str_sub(rest, (size_t)at + key.len, rest.len);
        }
    }
    return found;
}

static bool is_slot(struct cw_str template, const struct message *message)
{
    return message->to == message->from + 1 && template.ptr[message->from] == CW_SLOT_QUOTED;
}

bool cw_pattern_message_slot(struct cw_str template, size_t *at_out)
{
    struct message message;
    if (!find_message(template, &message) || !is_slot(template, &message))
        return false;
    *at_out = message.from;
    return true;
}

struct cw_str cw_pattern_message(struct cw_str template, const struct cw_tokens *tokens,
                                 struct cw_str text)
{
    size_t at, slot = 0;
    if (!cw_pattern_message_slot(template, &at))
        return CW_STR_NONE;
    for (size_t i = 0; i < at; i++)
        slot += cw_slot_reserved((unsigned char)template.ptr[i]);
    uint64_t value = tokens->values[slot];
    return cw_str_make(text.ptr + (value >> 32), (uint32_t)value);
}

/* ---- the pattern ---- */

struct pattern {
    struct cw_buf *out;
    size_t behind; /* the last placeholder; 0: there is none */
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool only_joiners(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (memchr(".:-/_,+%", text.ptr[i], 8) == NULL)
            return false;
    return true;
}

static void add_placeholder(struct pattern *p)
{
    struct cw_str text = cw_buf_str(p->out);
    if (p->behind > 0 && only_joiners(cw_str_sub(text, p->behind, text.len))) {
        p->out->len = p->behind;
        return;
    }
    char last = text.len > 0 ? text.ptr[text.len - 1] : ' ';
    if ((last == '-' || last == '+') && (text.len == 1 || !is_alnum(text.ptr[text.len - 2])))
        p->out->len--; /* a sign */
    cw_buf_adds(p->out, placeholder);
    p->behind = p->out->len;
}

/* "Jan" and "Mon" are as much of a date as its numbers. */
static bool is_calendar(struct cw_str run)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDecMonTueWedThuFriSatSun";
    for (size_t i = 0; run.len == 3 && i + 3 < sizeof names; i += 3)
        if (memcmp(run.ptr, names + i, 3) == 0)
            return true;
    return false;
}

/* The length of what begins at text[i] and is one piece: a run of letters, a capture that `|>` would refuse, or a byte. */
static size_t piece_len(struct cw_str text, size_t i, bool *is_placeholder)
{
    size_t end = i;
    unsigned char c = (unsigned char)text.ptr[i];
    *is_placeholder = true;
    if (cw_slot_reserved(c))
        return 1;
    if (c == '<' && (end = cw_pattern_capture_len(cw_str_sub(text, i, text.len))) > 0)
        return end;
    bool digits = false; /* none in a template, but in a message that is a slot */
    for (end = i; end < text.len && is_alnum(text.ptr[end]); end++)
        digits = digits || text.ptr[end] <= '9';
    *is_placeholder = digits || is_calendar(cw_str_sub(text, i, end));
    return end > i ? end - i : 1;
}

static void add_text(struct pattern *p, struct cw_str text)
{
    for (size_t i = 0, len; i < text.len; i += len) {
        bool is_placeholder;
        len = piece_len(text, i, &is_placeholder);
        if (p->out->len + len > CW_PATTERN_TEXT_MAX) {
            add_placeholder(p);
            return;
        }
        if (is_placeholder)
            add_placeholder(p);
        else
            cw_buf_add(p->out, text.ptr + i, len);
    }
}

/* The message alone; false: nothing of it stays the same from line to line. */
static bool add_message(struct cw_str text, struct cw_buf *out)
{
    struct pattern p = {.out = out};
    add_placeholder(&p);
    add_text(&p, text);
    add_placeholder(&p);
    return out->len > placeholder.len;
}

void cw_pattern_text(struct cw_str template, struct cw_str message, struct cw_buf *out)
{
    struct pattern p = {.out = out};
    struct message at = {0};
    bool has_message = find_message(template, &at);
    struct cw_str text = cw_str_sub(template, at.from, at.to);
    cw_buf_clear(out);
    if (has_message && is_slot(template, &at)) {
        has_message = message.len > 0;
        text = message;
    }
    if (has_message && template.ptr[0] == '{' && add_message(text, out))
        return;
    cw_buf_clear(out);
    if (!has_message) {
        add_text(&p, template);
        return;
    }
    add_text(&p, cw_str_sub(template, 0, at.from));
    add_text(&p, text);
    add_text(&p, cw_str_sub(template, at.to, template.len));
}
