#include "common/extract/json_scan.h"

static const char no_json[] = "Malformed JSON error";
static const char no_string[] = "Value is string, but can't find closing '\"' symbol";
static const char no_array[] = "Value is array, but can't find closing ']' symbol";
static const char no_object[] = "Value looks like object, but can't find closing '}' symbol";
static const char no_type[] = "Unknown value type";
static const char no_escape[] = "Encountered an invalid escape sequence in a string";

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* False: only white space follows. */
static bool skip_space(struct cw_str data, size_t *at)
{
    while (*at < data.len && is_space(data.ptr[*at]))
        (*at)++;
    return *at < data.len;
}

/* From behind the opening quote to behind the closing one; false: there is none. */
static bool skip_string(struct cw_str data, size_t *at, bool *escaped)
{
    const char *p = data.ptr + *at, *end = data.ptr + data.len;
    *escaped = false;
    for (; p < end; p++) {
        if (*p == '"') {
            *at = (size_t)(p + 1 - data.ptr);
            return true;
        }
        if (*p == '\\') {
            *escaped = true;
            if (++p == end)
                break;
        }
    }
    return false;
}

/* From the opening bracket to behind the one that balances it. */
static bool skip_block(struct cw_str data, size_t *at, char open, char close)
{
    size_t level = 0, i = *at;
    while (i < data.len) {
        char c = data.ptr[i++];
        bool escaped;
        if (c == '"') {
            if (!skip_string(data, &i, &escaped))
                return false;
        } else if (c == open) {
            level++;
        } else if (c == close && --level == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool ends_token(char c)
{
    return is_space(c) || c == ',' || c == '}' || c == ']';
}

static const char *scan_token(struct cw_str data, size_t *at, struct cw_json_value *out)
{
    size_t from = *at;
    while (*at < data.len && !ends_token(data.ptr[*at]))
        (*at)++;
    out->text = cw_str_sub(data, from, *at);
    char c = data.ptr[from];
    if ((c >= '0' && c <= '9') || c == '-')
        out->type = CW_JSON_TYPE_NUMBER;
    else if (cw_str_eqz(out->text, "true") || cw_str_eqz(out->text, "false"))
        out->type = CW_JSON_TYPE_BOOL;
    else if (cw_str_eqz(out->text, "null"))
        out->type = CW_JSON_TYPE_NULL;
    else
        return no_type;
    return NULL;
}

const char *cw_json_scan_value(struct cw_str data, size_t *at, struct cw_json_value *out)
{
    if (!skip_space(data, at))
        return no_json;
    size_t from = *at;
    out->escaped = false;
    switch (data.ptr[from]) {
    case '"':
        out->type = CW_JSON_TYPE_STRING;
        (*at)++;
        if (!skip_string(data, at, &out->escaped))
            return no_string;
        out->text = cw_str_sub(data, from + 1, *at - 1);
        return NULL;
    case '{':
        out->type = CW_JSON_TYPE_OBJECT;
        if (!skip_block(data, at, '{', '}'))
            return no_object;
        break;
    case '[':
        out->type = CW_JSON_TYPE_ARRAY;
        if (!skip_block(data, at, '[', ']'))
            return no_array;
        break;
    default: return scan_token(data, at, out);
    }
    out->text = cw_str_sub(data, from, *at);
    return NULL;
}

void cw_json_members_init(struct cw_json_members *members, struct cw_str data,
                          struct cw_arena *arena)
{
    *members = (struct cw_json_members){.data = data, .arena = arena};
}

/* To the quote of the next key. 1: there is one, 0: the object is over. */
static int to_key(struct cw_json_members *members, const char **why)
{
    struct cw_str data = members->data;
    if (!members->begun) {
        members->begun = true;
        *why = no_object;
        if (!skip_space(data, &members->at) || data.ptr[members->at] != '{')
            return -1;
        members->at++;
        *why = no_json;
        if (!skip_space(data, &members->at))
            return -1;
    } else {
        *why = no_array;
        if (!skip_space(data, &members->at))
            return -1;
        *why = no_object;
        if (data.ptr[members->at] == '}')
            return 0;
        if (data.ptr[members->at] != ',')
            return -1;
        members->at++;
        *why = no_array;
        if (!skip_space(data, &members->at))
            return -1;
    }
    *why = no_object;
    if (data.ptr[members->at] == '}')
        return 0;
    return data.ptr[members->at] == '"' ? 1 : -1;
}

bool cw_json_members_next(struct cw_json_members *members, struct cw_str *key,
                          struct cw_json_value *value, const char **why)
{
    struct cw_str data = members->data;
    int state = to_key(members, why);
    if (state <= 0) {
        if (state == 0)
            *why = NULL;
        return false;
    }
    bool escaped;
    size_t from = ++members->at;
    *why = no_json;
    if (!skip_string(data, &members->at, &escaped))
        return false;
    *key = cw_str_sub(data, from, members->at - 1);
    if (escaped && !cw_json_unescape(*key, members->arena, key)) {
        *why = no_escape;
        return false;
    }
    if (!skip_space(data, &members->at) || data.ptr[members->at] != ':')
        return false;
    members->at++;
    *why = cw_json_scan_value(data, &members->at, value);
    return *why == NULL;
}

bool cw_json_members_seek(struct cw_json_members *members, struct cw_str *key,
                          struct cw_json_value *value, const char **why)
{
    struct cw_str data = members->data;
    bool escaped;
    *why = NULL;
    if (!members->begun) {
        members->begun = true;
        if (!skip_space(data, &members->at) || data.ptr[members->at++] != '{')
            return false;
    }
    do {
        while (members->at < data.len && memchr("\"{}[]", data.ptr[members->at], 5) == NULL)
            members->at++;
        if (members->at == data.len || data.ptr[members->at] != '"')
            return false;
        size_t from = ++members->at;
        if (!skip_string(data, &members->at, &escaped))
            return false;
        *key = cw_str_sub(data, from, members->at - 1);
        if (!skip_space(data, &members->at))
            return false;
    } while (data.ptr[members->at] != ':');
    if (escaped && !cw_json_unescape(*key, members->arena, key))
        return false;
    size_t from = ++members->at;
    *why = cw_json_scan_value(data, &members->at, value);
    if (*why != NULL)
        members->at = from;
    return *why == NULL;
}

void cw_json_elements_init(struct cw_json_elements *elements, struct cw_str data)
{
    *elements = (struct cw_json_elements){.data = data};
}

/* Behind '[' or ','. 1: an element follows, 0: the array is over. */
static int to_element(struct cw_json_elements *elements, const char **why)
{
    struct cw_str data = elements->data;
    bool first = elements->at == 0;
    *why = no_array;
    if (!skip_space(data, &elements->at))
        return -1;
    char c = data.ptr[elements->at];
    if (c == ']' && !first)
        return 0;
    if (c != (first ? '[' : ','))
        return -1;
    elements->at++;
    if (!skip_space(data, &elements->at))
        return -1;
    return data.ptr[elements->at] == ']' ? 0 : 1;
}

bool cw_json_elements_next(struct cw_json_elements *elements, struct cw_json_value *value,
                           const char **why)
{
    int state = to_element(elements, why);
    if (state == 0)
        *why = NULL;
    if (state <= 0)
        return false;
    *why = cw_json_scan_value(elements->data, &elements->at, value);
    return *why == NULL;
}

/* ---- escapes ---- */

static bool take_hex(struct cw_str text, size_t at, uint32_t *out)
{
    if (text.len - at < 6 || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
        return false;
    *out = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = cw_str_hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* A \u escape, or two that are a surrogate pair; returns its length, 0: wrong. A lone surrogate has length 6 and is told as it is. */
static size_t take_unicode(struct cw_str text, size_t at, uint32_t *rune)
{
    uint32_t low;
    if (!take_hex(text, at, rune))
        return 0;
    if (*rune < 0xD800 || *rune >= 0xDC00 || text.len - at < 12 || !take_hex(text, at + 6, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return 6;
    *rune = 0x10000 + ((*rune - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

/* The escape at `at`, decoded; returns its length, 0: wrong. */
static size_t take_escape(struct cw_str text, size_t at, uint32_t *rune)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (at + 1 == text.len)
        return 0;
    char c = text.ptr[at + 1];
    const char *plain = c != '\0' ? strchr(from, c) : NULL;
    if (plain == NULL)
        return take_unicode(text, at, rune);
    *rune = (uint32_t)to[plain - from];
    return 2;
}

static bool is_surrogate(uint32_t rune)
{
    return rune >= 0xD800 && rune <= 0xDFFF;
}

bool cw_json_unescape(struct cw_str text, struct cw_arena *arena, struct cw_str *out)
{
    char *decoded = cw_arena_alloc(arena, text.len); /* an escape is longer than what it means */
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        if (text.ptr[at] != '\\') {
            decoded[len++] = text.ptr[at++];
            continue;
        }
        size_t n = take_escape(text, at, &rune);
        if (n == 0 || is_surrogate(rune))
            return false;
        len += cw_utf8_encode(rune, decoded + len);
        at += n;
    }
    *out = cw_str_make(decoded, len);
    return true;
}

struct cw_str cw_json_unescape_go(struct cw_str text, struct cw_arena *arena)
{
    char *decoded = cw_arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        size_t n = text.ptr[at] == '\\' ? take_escape(text, at, &rune) : 0;
        if (n == 0) {
            decoded[len++] = text.ptr[at++];
            continue;
        }
        len += cw_utf8_encode(is_surrogate(rune) ? 0xFFFD : rune, decoded + len);
        at += n;
    }
    return cw_str_make(decoded, len);
}
