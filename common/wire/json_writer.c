#include "common/wire/json_writer.h"

#include <math.h>
#include <string.h>

#include "common/base/float_text.h"

/* Bytes that stand in a string as they are: printable ASCII but for '"', '\\', '<', '>', '&'. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

/* Eight bytes at once: true when all of them are plain. */
static bool is_plain8(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t v, hit;
    memcpy(&v, at, sizeof v);
    hit = v | ((v - ones * 0x20) & ~v);
    static const char special[] = "\"\\<>&";
    for (size_t i = 0; i < sizeof special - 1; i++) {
        uint64_t x = v ^ (ones * (unsigned char)special[i]);
        hit |= (x - ones) & ~x;
    }
    return (hit & high) == 0;
}

static size_t plain_run(struct cw_str s)
{
    size_t i = 0;
    while (s.len - i >= 8 && is_plain8(s.ptr + i))
        i += 8;
    while (i < s.len && is_plain((unsigned char)s.ptr[i]))
        i++;
    return i;
}

/* The rune at the front of `s`, which is not plain; returns how many bytes it took. */
static size_t add_special(struct cw_str s, struct cw_buf *out)
{
    unsigned char c = (unsigned char)s.ptr[0];
    if (c < 0x80) {
        static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
        const char *which = c != '\0' ? strchr(from, c) : NULL;
        if (which != NULL) {
            char pair[2] = {'\\', to[which - from]};
            cw_buf_add(out, pair, sizeof pair);
        } else {
            cw_buf_addf(out, "\\u%04x", c);
        }
        return 1;
    }
    uint32_t rune;
    size_t n = cw_utf8_decode(s, &rune);
    if (rune == 0xFFFD && n == 1)
        cw_buf_addz(out, "\\ufffd");
    else if (rune == 0x2028 || rune == 0x2029) /* line ends in JavaScript */
        cw_buf_addf(out, "\\u%04x", rune);
    else
        cw_buf_add(out, s.ptr, n);
    return n;
}

/* Between quotes, all of it plain: keys, most of what there is. */
static void add_plain(struct cw_str s, struct cw_buf *out)
{
    char *at = cw_buf_reserve(out, s.len + 2);
    if (at == NULL)
        return;
    at[0] = at[s.len + 1] = '"';
    if (s.len > 0)
        memcpy(at + 1, s.ptr, s.len);
    out->len += s.len + 2;
}

void cw_json_quote(struct cw_str s, struct cw_buf *out)
{
    size_t n = plain_run(s);
    if (n == s.len) {
        add_plain(s, out);
        return;
    }
    cw_buf_addc(out, '"');
    for (; s.len > 0; n = plain_run(s)) {
        cw_buf_add(out, s.ptr, n);
        s = cw_str_sub(s, n, s.len);
        if (s.len > 0)
            s = cw_str_sub(s, add_special(s, out), s.len);
    }
    cw_buf_addc(out, '"');
}

static struct cw_buf *next_value(struct cw_json_writer *w)
{
    if (w->comma)
        cw_buf_addc(w->out, ',');
    w->comma = true;
    return w->out;
}

static void begin(struct cw_json_writer *w, char c)
{
    cw_buf_addc(next_value(w), c);
    w->comma = false;
}

static void end(struct cw_json_writer *w, char c)
{
    cw_buf_addc(w->out, c);
    w->comma = true;
}

void cw_json_begin_object(struct cw_json_writer *w)
{
    begin(w, '{');
}

void cw_json_end_object(struct cw_json_writer *w)
{
    end(w, '}');
}

void cw_json_begin_array(struct cw_json_writer *w)
{
    begin(w, '[');
}

void cw_json_end_array(struct cw_json_writer *w)
{
    end(w, ']');
}

void cw_json_key(struct cw_json_writer *w, struct cw_str name)
{
    cw_json_quote(name, next_value(w));
    cw_buf_addc(w->out, ':');
    w->comma = false;
}

void cw_json_string(struct cw_json_writer *w, struct cw_str value)
{
    cw_json_quote(value, next_value(w));
}

void cw_json_i64(struct cw_json_writer *w, int64_t value)
{
    cw_buf_add_i64(next_value(w), value);
}

void cw_json_u64(struct cw_json_writer *w, uint64_t value)
{
    cw_buf_add_u64(next_value(w), value);
}

void cw_json_f64(struct cw_json_writer *w, double value)
{
    if (!isfinite(value)) {
        cw_json_null(w);
        return;
    }
    cw_float_text_json(value, next_value(w));
}

void cw_json_f64_string(struct cw_json_writer *w, double value)
{
    cw_buf_addc(next_value(w), '"');
    cw_float_text_plain(value, w->out);
    cw_buf_addc(w->out, '"');
}

void cw_json_i64_string(struct cw_json_writer *w, int64_t value)
{
    cw_buf_addc(next_value(w), '"');
    cw_buf_add_i64(w->out, value);
    cw_buf_addc(w->out, '"');
}

void cw_json_bool(struct cw_json_writer *w, bool value)
{
    cw_buf_addz(next_value(w), value ? "true" : "false");
}

void cw_json_null(struct cw_json_writer *w)
{
    cw_buf_addz(next_value(w), "null");
}

void cw_json_raw(struct cw_json_writer *w, struct cw_str json)
{
    cw_buf_adds(next_value(w), json);
}

void cw_json_key_string(struct cw_json_writer *w, const char *name, struct cw_str value)
{
    cw_json_key(w, cw_str_of(name));
    cw_json_string(w, value);
}

void cw_json_key_u64(struct cw_json_writer *w, const char *name, uint64_t value)
{
    cw_json_key(w, cw_str_of(name));
    cw_json_u64(w, value);
}
