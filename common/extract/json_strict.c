#include "common/extract/json_strict.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static bool is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The first byte that does not simply stand in a string. */
static const char *plain_end(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), low = _mm_set1_epi8(31);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        hits = _mm_or_si128(hits, _mm_cmpeq_epi8(_mm_min_epu8(bytes, low), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(hits);
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && !is_special(*at))
        at++;
    return at;
}

/* Behind the escape at `at`, or NULL. */
static const char *escape_end(const char *at, const char *end)
{
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2 : NULL;
    if (end - at < 6)
        return NULL;
    for (int i = 2; i < 6; i++) {
        if (cw_str_hex_digit(at[i]) < 0)
            return NULL;
    }
    return at + 6;
}

/* From the opening quote to behind the closing one. */
static bool walk_string(struct cw_json_walk *walk, struct cw_str *text, bool *escaped)
{
    const char *from = walk->at + 1, *at = from;
    *escaped = false;
    for (;;) {
        at = plain_end(at, walk->end);
        if (at == walk->end)
            return false;
        if (*at == '"')
            break;
        if (*at != '\\')
            return false;
        at = escape_end(at, walk->end);
        if (at == NULL)
            return false;
        *escaped = true;
    }
    *text = cw_str_make(from, (size_t)(at - from));
    walk->at = at + 1;
    return true;
}

bool cw_json_walk_key(struct cw_json_walk *walk, struct cw_str *key, bool *escaped)
{
    if (walk->at == walk->end || *walk->at != '"' || !walk_string(walk, key, escaped))
        return false;
    cw_json_walk_space(walk);
    if (walk->at == walk->end || *walk->at != ':')
        return false;
    walk->at++;
    return true;
}

static bool walk_digits(struct cw_json_walk *walk)
{
    const char *from = walk->at;
    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
        walk->at++;
    return walk->at > from;
}

static bool take(struct cw_json_walk *walk, const char *among)
{
    if (walk->at == walk->end || *walk->at == '\0' || strchr(among, *walk->at) == NULL)
        return false;
    walk->at++;
    return true;
}

static bool walk_number(struct cw_json_walk *walk)
{
    take(walk, "-");
    if (!take(walk, "0") && !walk_digits(walk))
        return false;
    if (take(walk, ".") && !walk_digits(walk))
        return false;
    if (!take(walk, "eE"))
        return true;
    take(walk, "+-");
    return walk_digits(walk);
}

static bool walk_word(struct cw_json_walk *walk, struct cw_str word)
{
    if ((size_t)(walk->end - walk->at) < word.len || memcmp(walk->at, word.ptr, word.len) != 0)
        return false;
    walk->at += word.len;
    return true;
}

static bool walk_object(struct cw_json_walk *walk)
{
    struct cw_str key;
    struct cw_json_value value;
    bool escaped;
    int state = -1;
    if (!cw_json_walk_enter(walk))
        return false;
    for (size_t n = 0; (state = cw_json_walk_next(walk, n, '}')) > 0; n++) {
        if (!cw_json_walk_key(walk, &key, &escaped) || !cw_json_walk_value(walk, &value))
            return false;
    }
    return state == 0;
}

static bool walk_array(struct cw_json_walk *walk)
{
    struct cw_json_value value;
    int state = -1;
    if (!cw_json_walk_enter(walk))
        return false;
    for (size_t n = 0; (state = cw_json_walk_next(walk, n, ']')) > 0; n++) {
        if (!cw_json_walk_value(walk, &value))
            return false;
    }
    return state == 0;
}

bool cw_json_walk_value(struct cw_json_walk *walk, struct cw_json_value *out)
{
    cw_json_walk_space(walk);
    if (walk->at == walk->end)
        return false;
    const char *from = walk->at;
    bool ok;
    out->escaped = false;
    switch (*from) {
    case '"': out->type = CW_JSON_TYPE_STRING; return walk_string(walk, &out->text, &out->escaped);
    case '{':
        out->type = CW_JSON_TYPE_OBJECT;
        ok = walk_object(walk);
        break;
    case '[':
        out->type = CW_JSON_TYPE_ARRAY;
        ok = walk_array(walk);
        break;
    case 't':
    case 'f':
        out->type = CW_JSON_TYPE_BOOL;
        ok = walk_word(walk, *from == 't' ? CW_STR("true") : CW_STR("false"));
        break;
    case 'n':
        out->type = CW_JSON_TYPE_NULL;
        ok = walk_word(walk, CW_STR("null"));
        break;
    default:
        out->type = CW_JSON_TYPE_NUMBER;
        ok = walk_number(walk);
        break;
    }
    out->text = cw_str_make(from, (size_t)(walk->at - from));
    return ok;
}
