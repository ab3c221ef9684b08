#include "common/wire/json_reader.h"

#include <string.h>

/* What may come next; a comma or colon is taken with the token behind it. */
enum {
    EXPECT_VALUE, /* the document's, an element's after a comma, or a member's after its colon */
    EXPECT_VALUE_OR_END, /* right after '[' */
    EXPECT_KEY_OR_END,   /* right after '{' */
    EXPECT_COMMA_OR_END, /* after a value inside an array or object */
    EXPECT_COLON,        /* after a key */
    EXPECT_NOTHING,      /* the document is over */
};

void cw_json_reader_init(struct cw_json_reader *reader, struct cw_str input, struct cw_arena *arena)
{
    reader->text = CW_STR_NONE;
    reader->start = reader->at = input.len > 0 ? input.ptr : "";
    reader->end = reader->start + input.len;
    reader->arena = arena;
    reader->depth = 0;
    reader->expect = EXPECT_VALUE;
}

size_t cw_json_offset(const struct cw_json_reader *reader)
{
    return (size_t)(reader->at - reader->start);
}

int cw_json_error(const struct cw_json_reader *reader, struct cw_err *err, const char *sentence)
{
    return cw_err_set(err, CW_E_INVALID, "%s at byte %zu", sentence, cw_json_offset(reader));
}

static int unexpected(const struct cw_json_reader *reader, struct cw_err *err)
{
    if (reader->at == reader->end)
        return cw_json_error(reader, err, "unexpected end of JSON input");
    return cw_json_error(reader, err, "invalid character in JSON input");
}

static void skip_space(struct cw_json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

/* Bytes that end the plain run of a string: '"', '\\' and control characters; eight at a time. */
static const char *plain_run(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    for (; end - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
        uint64_t hit =
            ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v);
        if ((hit & high) != 0)
            break;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static bool hex4(const char *at, const char *end, uint32_t *out)
{
    uint32_t value = 0;
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = cw_str_hex_digit(at[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

/* reader->at is behind "\u". */
static int read_unicode_escape(struct cw_json_reader *reader, uint32_t *rune, struct cw_err *err)
{
    uint32_t low;
    if (!hex4(reader->at, reader->end, rune))
        return cw_json_error(reader, err, "bad \\u escape");
    reader->at += 4;
    if (*rune < 0xD800 || *rune > 0xDFFF)
        return 0;
    if (*rune > 0xDBFF || reader->end - reader->at < 6 || reader->at[0] != '\\' ||
        reader->at[1] != 'u' || !hex4(reader->at + 2, reader->end, &low) || low < 0xDC00 ||
        low > 0xDFFF) {
        /* cw_utf8_encode() writes U+FFFD for it. */
        return reader->lone_surrogates == CW_JSON_SURROGATES_REPLACED
                   ? 0
                   : cw_json_error(reader, err, "lone surrogate in a \\u escape");
    }
    reader->at += 6;
    *rune = 0x10000 + ((*rune - 0xD800) << 10) + (low - 0xDC00);
    return 0;
}

/* reader->at is behind the backslash. */
static int read_escape(struct cw_json_reader *reader, char **out, struct cw_err *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end)
        return unexpected(reader, err);
    char c = *reader->at;
    if (c == 'u') {
        uint32_t rune = 0;
        reader->at++;
        int rc = read_unicode_escape(reader, &rune, err);
        if (rc == 0)
            *out += cw_utf8_encode(rune, *out);
        return rc;
    }
    const char *which = c != '\0' ? strchr(from, c) : NULL;
    if (which == NULL)
        return cw_json_error(reader, err, "bad escape in a string");
    reader->at++;
    *(*out)++ = to[which - from];
    return 0;
}

/* Where the string ends, escapes skipped unread; the end of input when it does not end. */
static const char *string_end(const char *at, const char *end)
{
    for (;;) {
        at = plain_run(at, end);
        if (at == end || *at != '\\')
            return at;
        at++;
        if (at < end)
            at++;
    }
}

/* A string with escapes: decoded it is never longer than as written. reader->at is at the first of them. */
static int read_escaped(struct cw_json_reader *reader, const char *first, struct cw_err *err)
{
    const char *stop = string_end(reader->at, reader->end);
    char *text = cw_arena_alloc(reader->arena, (size_t)(stop - first));
    char *out = text;
    size_t n = (size_t)(reader->at - first);
    memcpy(out, first, n);
    out += n;
    while (reader->at < reader->end && *reader->at == '\\') {
        reader->at++;
        int rc = read_escape(reader, &out, err);
        if (rc < 0)
            return rc;
        const char *next = plain_run(reader->at, reader->end);
        n = (size_t)(next - reader->at);
        memcpy(out, reader->at, n);
        out += n;
        reader->at = next;
    }
    reader->text = cw_str_make(text, (size_t)(out - text));
    return 0;
}

/* reader->at is behind the opening quote. */
static int read_string(struct cw_json_reader *reader, struct cw_err *err)
{
    const char *first = reader->at;
    reader->at = plain_run(reader->at, reader->end);
    reader->text = cw_str_make(first, (size_t)(reader->at - first));
    if (reader->at < reader->end && *reader->at == '\\') {
        int rc = read_escaped(reader, first, err);
        if (rc < 0)
            return rc;
    }
    if (reader->at == reader->end)
        return unexpected(reader, err);
    if (*reader->at != '"')
        return cw_json_error(reader, err, "control character in a string");
    reader->at++;
    return 0;
}

static bool skip_digits(struct cw_json_reader *reader)
{
    const char *first = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > first;
}

static bool take(struct cw_json_reader *reader, char a, char b)
{
    if (reader->at == reader->end || (*reader->at != a && *reader->at != b))
        return false;
    reader->at++;
    return true;
}

static int read_number(struct cw_json_reader *reader, struct cw_err *err)
{
    const char *first = reader->at;
    take(reader, '-', '-');
    if (!take(reader, '0', '0') && !skip_digits(reader))
        return unexpected(reader, err);
    if (take(reader, '.', '.') && !skip_digits(reader))
        return unexpected(reader, err);
    if (take(reader, 'e', 'E')) {
        take(reader, '+', '-');
        if (!skip_digits(reader))
            return unexpected(reader, err);
    }
    reader->text = cw_str_make(first, (size_t)(reader->at - first));
    return CW_JSON_NUMBER;
}

static int read_word(struct cw_json_reader *reader, const char *word, int event, struct cw_err *err)
{
    size_t n = strlen(word);
    if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, word, n) != 0)
        return unexpected(reader, err);
    reader->at += n;
    return event;
}

static void value_over(struct cw_json_reader *reader)
{
    reader->expect = reader->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static int open_level(struct cw_json_reader *reader, int event, struct cw_err *err)
{
    if (reader->depth == CW_JSON_DEPTH)
        return cw_json_error(reader, err, "JSON nests too deep");
    reader->at++;
    reader->in_object[reader->depth++] = event == CW_JSON_OBJECT;
    reader->expect = event == CW_JSON_OBJECT ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return event;
}

static int close_level(struct cw_json_reader *reader)
{
    int event = reader->in_object[--reader->depth] ? CW_JSON_OBJECT_END : CW_JSON_ARRAY_END;
    reader->at++;
    value_over(reader);
    return event;
}

static int read_value(struct cw_json_reader *reader, struct cw_err *err)
{
    int rc;
    if (reader->at == reader->end)
        return unexpected(reader, err);
    switch (*reader->at) {
    case '{': return open_level(reader, CW_JSON_OBJECT, err);
    case '[': return open_level(reader, CW_JSON_ARRAY, err);
    case '"':
        reader->at++;
        rc = read_string(reader, err);
        if (rc == 0)
            rc = CW_JSON_STRING;
        break;
    case 't': rc = read_word(reader, "true", CW_JSON_TRUE, err); break;
    case 'f': rc = read_word(reader, "false", CW_JSON_FALSE, err); break;
    case 'n': rc = read_word(reader, "null", CW_JSON_NULL, err); break;
    default: rc = read_number(reader, err); break;
    }
    if (rc >= 0)
        value_over(reader);
    return rc;
}

static int read_key(struct cw_json_reader *reader, struct cw_err *err)
{
    if (!take(reader, '"', '"'))
        return unexpected(reader, err);
    int rc = read_string(reader, err);
    if (rc < 0)
        return rc;
    reader->expect = EXPECT_COLON;
    return CW_JSON_KEY;
}

int cw_json_next(struct cw_json_reader *reader, struct cw_err *err)
{
    if (reader->expect == EXPECT_NOTHING)
        return CW_JSON_DONE;
    skip_space(reader);
    if (reader->at == reader->end)
        return unexpected(reader, err);
    bool in_object = reader->depth > 0 && reader->in_object[reader->depth - 1];
    switch (reader->expect) {
    case EXPECT_COLON:
        if (!take(reader, ':', ':'))
            return unexpected(reader, err);
        skip_space(reader);
        return read_value(reader, err);
    case EXPECT_KEY_OR_END: return *reader->at == '}' ? close_level(reader) : read_key(reader, err);
    case EXPECT_VALUE_OR_END:
        return *reader->at == ']' ? close_level(reader) : read_value(reader, err);
    case EXPECT_COMMA_OR_END:
        if (*reader->at == (in_object ? '}' : ']'))
            return close_level(reader);
        if (!take(reader, ',', ','))
            return unexpected(reader, err);
        skip_space(reader);
        return in_object ? read_key(reader, err) : read_value(reader, err);
    default: return read_value(reader, err);
    }
}

int cw_json_text_from(struct cw_json_reader *reader, size_t offset, struct cw_str *out,
                      struct cw_err *err)
{
    const char *first = reader->start + offset, *stop = reader->at;
    *out = cw_str_make(first, (size_t)(stop - first));
    if (memchr(first, '\\', out->len) == NULL)
        return 0;
    char *text = cw_arena_alloc(reader->arena, out->len), *to = text;
    int rc = 0;
    for (reader->at = first; rc == 0 && reader->at < stop;) {
        char c = *reader->at++;
        if (c == '\\')
            rc = read_escape(reader, &to, err);
        else
            *to++ = c;
    }
    *out = cw_str_make(text, (size_t)(to - text));
    return rc;
}

int cw_json_skip_rest(struct cw_json_reader *reader, int event, struct cw_err *err)
{
    if (event != CW_JSON_OBJECT && event != CW_JSON_ARRAY)
        return 0;
    unsigned outside = reader->depth - 1;
    while (reader->depth > outside) {
        int rc = cw_json_next(reader, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cw_json_skip(struct cw_json_reader *reader, struct cw_err *err)
{
    int event = cw_json_next(reader, err);
    return event < 0 ? event : cw_json_skip_rest(reader, event, err);
}
