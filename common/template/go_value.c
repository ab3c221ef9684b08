/* Values of templates, and JSON read into them. */
#include "common/template/go_value.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/limits.h"

const char *cw_go_type_name(enum cw_go_kind kind)
{
    static const char *const names[] = {
        [CW_GO_INVALID] = "<nil>",
        [CW_GO_NIL] = "interface {}",
        [CW_GO_BOOL] = "bool",
        [CW_GO_INT] = "int",
        [CW_GO_INT64] = "int64",
        [CW_GO_UINT8] = "uint8",
        [CW_GO_FLOAT] = "float64",
        [CW_GO_COMPLEX] = "complex128",
        [CW_GO_STRING] = "string",
        [CW_GO_TIME] = "time.Time",
        [CW_GO_MONTH] = "time.Month",
        [CW_GO_WEEKDAY] = "time.Weekday",
        [CW_GO_DURATION] = "time.Duration",
        [CW_GO_LOCATION] = "*time.Location",
        [CW_GO_LIST] = "[]interface {}",
        [CW_GO_MAP] = "map[string]interface {}",
        [CW_GO_FIELDS] = "map[string]string",
    };
    return names[kind];
}

bool cw_go_truth(struct cw_go_value value)
{
    switch (value.kind) {
    case CW_GO_BOOL: return value.truth;
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_DURATION: return value.number != 0;
    case CW_GO_FLOAT: return value.real != 0;
    case CW_GO_COMPLEX: return value.real != 0 || value.imaginary != 0;
    case CW_GO_STRING: return value.text.len > 0;
    case CW_GO_LIST: return value.list->n > 0;
    case CW_GO_MAP:
    case CW_GO_FIELDS: return value.map->n > 0;
    case CW_GO_TIME:
    case CW_GO_LOCATION: return true;
    case CW_GO_INVALID:
    case CW_GO_NIL: break;
    }
    return false;
}

struct cw_go_value cw_go_map_get(const struct cw_go_map *map, struct cw_str key, bool *found)
{
    size_t lo = 0, hi = map->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int order = cw_str_cmp(map->items[mid].key, key);
        if (order == 0) {
            *found = true;
            return map->items[mid].value;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return (struct cw_go_value){.kind = CW_GO_NIL, .boxed = true};
}

/* ---- JSON ---- */

/* Each level of a document is two frames of stack here and one when it is printed. */
enum { JSON_DEPTH = 200 };

struct json {
    struct cw_str in;
    size_t at;
    struct cw_arena *arena;
    unsigned depth;
};

static void skip_space(struct json *json)
{
    while (json->at < json->in.len && json->in.ptr[json->at] != '\0' &&
           strchr(" \t\r\n", json->in.ptr[json->at]) != NULL)
        json->at++;
}

static bool take(struct json *json, char c)
{
    skip_space(json);
    if (json->at >= json->in.len || json->in.ptr[json->at] != c)
        return false;
    json->at++;
    return true;
}

static bool read_hex4(struct json *json, uint32_t *out)
{
    if (json->in.len - json->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = cw_str_hex_digit(json->in.ptr[json->at + (size_t)i]);
        if (digit < 0)
            return false;
        value = value * 16 + (uint32_t)digit;
    }
    json->at += 4;
    *out = value;
    return true;
}

/* Behind "\u": surrogates that are no pair become U+FFFD. */
static bool read_escaped_rune(struct json *json, uint32_t *rune)
{
    if (!read_hex4(json, rune))
        return false;
    if (*rune < 0xD800 || *rune > 0xDFFF)
        return true;
    size_t before = json->at;
    uint32_t low;
    if (*rune < 0xDC00 &&
        cw_str_starts(cw_str_sub(json->in, json->at, json->in.len), CW_STR("\\u"))) {
        json->at += 2;
        if (!read_hex4(json, &low))
            return false;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *rune = 0x10000 + ((*rune - 0xD800) << 10) + (low - 0xDC00);
            return true;
        }
        json->at = before;
    }
    *rune = 0xFFFD;
    return true;
}

/* Behind the opening quote. */
static bool read_text(struct json *json, struct cw_str *out)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *ptr = json->in.ptr;
    size_t end = json->at;
    while (end < json->in.len && ptr[end] != '"')
        end += ptr[end] == '\\' ? 2 : 1;
    if (end >= json->in.len)
        return false;
    char *to = cw_arena_alloc(json->arena, 3 * (end - json->at) + 4);
    size_t n = 0;
    while (json->at < end) {
        unsigned char c = (unsigned char)ptr[json->at];
        uint32_t rune;
        if (c < 0x20)
            return false;
        if (c == '\\') {
            char name = ptr[json->at + 1];
            const char *found = name != '\0' ? strchr(names, name) : NULL;
            json->at += 2;
            if (found != NULL) {
                to[n++] = bytes[found - names];
                continue;
            }
            if (name != 'u' || !read_escaped_rune(json, &rune))
                return false;
        } else {
            json->at += cw_utf8_decode(cw_str_sub(json->in, json->at, end), &rune);
        }
        n += cw_utf8_encode(rune, to + n);
    }
    json->at = end + 1;
    *out = cw_str_make(to, n);
    return true;
}

static size_t digits_at(const struct json *json, size_t at)
{
    size_t n = 0;
    while (at + n < json->in.len && json->in.ptr[at + n] >= '0' && json->in.ptr[at + n] <= '9')
        n++;
    return n;
}

static bool read_number(struct json *json, struct cw_go_value *out)
{
    const char *ptr = json->in.ptr;
    size_t at = json->at, n;
    at += ptr[at] == '-';
    n = digits_at(json, at);
    if (n == 0 || (n > 1 && ptr[at] == '0'))
        return false;
    at += n;
    if (at < json->in.len && ptr[at] == '.') {
        n = digits_at(json, at + 1);
        if (n == 0)
            return false;
        at += 1 + n;
    }
    if (at < json->in.len && (ptr[at] | 0x20) == 'e') {
        at++;
        at += at < json->in.len && (ptr[at] == '+' || ptr[at] == '-');
        n = digits_at(json, at);
        if (n == 0)
            return false;
        at += n;
    }
    double real;
    /* A number that no float64 holds stays nil, as Go leaves it. */
    if (cw_str_to_f64(cw_str_sub(json->in, json->at, at), &real))
        *out = cw_go_float(real);
    json->at = at;
    return true;
}

static bool read_value(struct json *json, struct cw_go_value *out);

/* The room that Go's JSON decoder leaves in a list, over elements that are nil. (Beyond 512 Go grows in smaller steps.) */
static struct cw_go_value *leave_room(struct json *json, struct cw_go_value *items, size_t cap,
                                      struct cw_go_list *list)
{
    for (list->cap = list->n > 0 ? 1 : 0; list->cap < list->n;)
        list->cap *= 2;
    items = cw_arena_grow(json->arena, items, list->n, &cap, list->cap, sizeof *items);
    for (size_t i = list->n; i < list->cap; i++)
        items[i] = (struct cw_go_value){.kind = CW_GO_NIL, .boxed = true};
    return items;
}

static bool read_list(struct json *json, struct cw_go_value *out)
{
    struct cw_go_list *list = CW_ARENA_NEW(json->arena, struct cw_go_list);
    struct cw_go_value *items = NULL;
    size_t cap = 0;
    bool more = !take(json, ']');
    while (more) {
        items = cw_arena_grow(json->arena, items, list->n, &cap, list->n + 1, sizeof *items);
        if (!read_value(json, &items[list->n]))
            return false;
        items[list->n++].boxed = true;
        more = take(json, ',');
        if (!more && !take(json, ']'))
            return false;
    }
    list->items = leave_room(json, items, cap, list);
    *out = (struct cw_go_value){.kind = CW_GO_LIST, .list = list};
    return true;
}

struct numbered_pair {
    struct cw_go_pair pair;
    size_t number; /* in the order of the text */
};

static int compare_pairs(const void *a, const void *b)
{
    const struct numbered_pair *left = a, *right = b;
    int order = cw_str_cmp(left->pair.key, right->pair.key);
    return order != 0 ? order : left->number < right->number ? -1 : 1;
}

/* Sorted by key; of equal keys the last one counts. */
static struct cw_go_pair *map_pairs(struct json *json, struct numbered_pair *items, size_t *n)
{
    if (*n > 1)
        qsort(items, *n, sizeof *items, compare_pairs);
    struct cw_go_pair *pairs = CW_ARENA_ARRAY(json->arena, struct cw_go_pair, *n);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (kept > 0 && cw_str_eq(pairs[kept - 1].key, items[i].pair.key))
            kept--;
        pairs[kept++] = items[i].pair;
    }
    *n = kept;
    return pairs;
}

static bool read_map(struct json *json, struct cw_go_value *out)
{
    struct cw_go_map *map = CW_ARENA_NEW(json->arena, struct cw_go_map);
    struct numbered_pair *items = NULL;
    size_t cap = 0;
    bool more = !take(json, '}');
    while (more) {
        struct cw_go_pair pair;
        items = cw_arena_grow(json->arena, items, map->n, &cap, map->n + 1, sizeof *items);
        if (!take(json, '"') || !read_text(json, &pair.key) || !take(json, ':') ||
            !read_value(json, &pair.value))
            return false;
        pair.value.boxed = true;
        items[map->n] = (struct numbered_pair){pair, map->n};
        map->n++;
        more = take(json, ',');
        if (!more && !take(json, '}'))
            return false;
    }
    map->items = map_pairs(json, items, &map->n);
    *out = (struct cw_go_value){.kind = CW_GO_MAP, .map = map};
    return true;
}

static bool read_word(struct json *json, struct cw_str word)
{
    if (!cw_str_starts(cw_str_sub(json->in, json->at, json->in.len), word))
        return false;
    json->at += word.len;
    return true;
}

static bool read_value(struct json *json, struct cw_go_value *out)
{
    *out = (struct cw_go_value){.kind = CW_GO_NIL};
    skip_space(json);
    if (json->at >= json->in.len || cw_arena_bytes(json->arena) > CW_LIMIT_TEMPLATE_MEMORY_BYTES)
        return false;
    bool fine;
    switch (json->in.ptr[json->at]) {
    case '{':
    case '[':
        if (++json->depth > JSON_DEPTH)
            return false;
        fine = json->in.ptr[json->at++] == '{' ? read_map(json, out) : read_list(json, out);
        json->depth--;
        return fine;
    case '"':
        json->at++;
        out->kind = CW_GO_STRING;
        return read_text(json, &out->text);
    case 't':
    case 'f':
        *out = cw_go_bool(json->in.ptr[json->at] == 't');
        return read_word(json, out->truth ? CW_STR("true") : CW_STR("false"));
    case 'n': return read_word(json, CW_STR("null"));
    default: return read_number(json, out);
    }
}

bool cw_go_json_parse(struct cw_str text, struct cw_arena *arena, struct cw_go_value *out)
{
    struct json json = {.in = text, .arena = arena};
    if (!read_value(&json, out))
        return false;
    skip_space(&json);
    return json.at == text.len;
}
