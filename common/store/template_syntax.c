#include "common/store/template_syntax.h"

#include <string.h>

/* More is not read as one object. */
enum { DEPTH_MAX = 32 };

struct walk {
    struct cw_str text;
    enum cw_syntax syntax;
    size_t at;
    unsigned depth;
};

/* The byte that comes next, 0 at the end. */
static unsigned char peek(const struct walk *w)
{
    return w->at < w->text.len ? (unsigned char)w->text.ptr[w->at] : 0;
}

static bool take(struct walk *w, char c)
{
    if (w->at == w->text.len || w->text.ptr[w->at] != c)
        return false;
    w->at++;
    return true;
}

/* From behind the opening quote to behind the closing one. Keys hold no slot. */
static bool skip_string(struct walk *w, bool is_key)
{
    while (w->at < w->text.len) {
        unsigned char c = (unsigned char)w->text.ptr[w->at++];
        if (c == '"')
            return true;
        if (c == CW_SLOT_RAW || (is_key && cw_slot_reserved(c)))
            return false;
        if (c != '\\')
            continue;
        /* A quoted value may be empty: then the byte behind it is what the backslash is before. In logfmt an escape that is wrong
         * loses the pair, and only the value says whether it is. */
        if (w->at == w->text.len || peek(w) == CW_SLOT_QUOTED ||
            (cw_slot_reserved(peek(w)) && (is_key || w->syntax == CW_SYNTAX_LOGFMT)))
            return false;
        w->at++;
    }
    return false;
}

/* ---- JSON ---- */

static bool json_value(struct walk *w);

static void skip_space(struct walk *w)
{
    while (w->at < w->text.len && strchr(" \t\r\n", w->text.ptr[w->at]) != NULL &&
           w->text.ptr[w->at] != '\0')
        w->at++;
}

/* A number or a word ends here. */
static bool token_ends(const struct walk *w)
{
    return w->at == w->text.len || (peek(w) != 0 && strchr(" \t\r\n,}]", peek(w)) != NULL);
}

static bool json_word(struct walk *w)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        struct cw_str word = cw_str_of(words[i]);
        if (cw_str_starts(cw_str_sub(w->text, w->at, w->text.len), word)) {
            w->at += word.len;
            return token_ends(w);
        }
    }
    return false;
}

static bool json_number(struct walk *w)
{
    take(w, '-');
    if (peek(w) != CW_SLOT_NUM && peek(w) != CW_SLOT_DEC)
        return false;
    w->at++;
    return token_ends(w);
}

static bool json_member(struct walk *w)
{
    if (!take(w, '"') || !skip_string(w, true))
        return false;
    skip_space(w);
    return take(w, ':') && json_value(w);
}

/* Behind the opening bracket. */
static bool json_items(struct walk *w, char close, bool (*item)(struct walk *w))
{
    if (++w->depth > DEPTH_MAX)
        return false;
    skip_space(w);
    for (bool first = true; !take(w, close); first = false) {
        if (!first && !take(w, ','))
            return false;
        skip_space(w);
        if (!item(w))
            return false;
        skip_space(w);
    }
    w->depth--;
    return true;
}

static bool json_value(struct walk *w)
{
    skip_space(w);
    if (take(w, '{'))
        return json_items(w, '}', json_member);
    if (take(w, '['))
        return json_items(w, ']', json_value);
    if (take(w, '"'))
        return skip_string(w, false);
    return json_number(w) || json_word(w);
}

static bool is_json(struct walk *w)
{
    if (peek(w) != '{' || !json_value(w))
        return false;
    skip_space(w);
    return w->at == w->text.len;
}

/* ---- logfmt ---- */

static bool is_gap(unsigned char c)
{
    return c <= ' ' && !cw_slot_reserved(c);
}

static bool logfmt_key(struct walk *w)
{
    size_t from = w->at;
    for (; w->at < w->text.len && peek(w) != '=' && !is_gap(peek(w)); w->at++)
        if (cw_slot_reserved(peek(w)) || peek(w) == '"' || peek(w) >= 0x80)
            return false;
    return w->at > from;
}

static bool logfmt_value(struct walk *w)
{
    if (take(w, '"'))
        return skip_string(w, false);
    for (; w->at < w->text.len && !is_gap(peek(w)); w->at++)
        if (peek(w) == '=' || peek(w) == '"' || peek(w) == CW_SLOT_QUOTED || peek(w) == CW_SLOT_RAW)
            return false;
    return true;
}

static bool is_logfmt(struct walk *w)
{
    for (;;) {
        while (w->at < w->text.len && is_gap(peek(w)))
            w->at++;
        if (w->at == w->text.len)
            return true;
        if (!logfmt_key(w) || (take(w, '=') && !logfmt_value(w)))
            return false;
    }
}

bool cw_template_sample(struct cw_str text, enum cw_syntax syntax, char *sample)
{
    struct walk walk = {.text = text, .syntax = syntax};
    if (!(syntax == CW_SYNTAX_JSON ? is_json(&walk) : is_logfmt(&walk)))
        return false;
    for (size_t i = 0; i < text.len; i++)
        sample[i] = cw_slot_reserved((unsigned char)text.ptr[i]) ? '0' : text.ptr[i];
    return true;
}

/* ---- strings of columns ---- */

enum cw_string_form cw_string_form(struct cw_str text)
{
    bool encoded = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || (c == '\\' && ++i == text.len))
            return CW_STRINGS_OPEN;
        encoded |= c == '\\' || (unsigned char)c >= 0x80 || (unsigned char)c < ' ';
    }
    return encoded ? CW_STRINGS_ENCODED : CW_STRINGS_PLAIN;
}

static bool is_alnum(char c)
{
    return (unsigned char)(c - '0') <= 9 || (unsigned char)((c | 0x20) - 'a') <= 'z' - 'a';
}

static enum cw_string_form run_form(struct cw_str text)
{
    bool good = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        good &= is_alnum(text.ptr[i]);
    return good ? CW_STRINGS_PLAIN : CW_STRINGS_OPEN;
}

enum cw_string_form cw_template_strings(unsigned type, struct cw_str dictionary)
{
    enum cw_string_form worst = CW_STRINGS_PLAIN;
    while (dictionary.len > 0 && worst != CW_STRINGS_OPEN) {
        const char *end = memchr(dictionary.ptr, 0, dictionary.len);
        if (end == NULL)
            return CW_STRINGS_OPEN;
        struct cw_str text = cw_str_sub(dictionary, 0, (size_t)(end - dictionary.ptr));
        enum cw_string_form form = type == CW_SLOT_QUOTED ? cw_string_form(text) : run_form(text);
        worst = form > worst ? form : worst;
        dictionary = cw_str_sub(dictionary, text.len + 1, dictionary.len);
    }
    return worst;
}
