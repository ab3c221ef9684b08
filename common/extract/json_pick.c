#include "common/extract/json_pick.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- paths: a tree of keys ---- */

struct key_node {
    struct cw_str key;
    struct key_node *next;     /* of the same object */
    struct key_node *children; /* of the object that is its value */
    size_t *outs;              /* of out[], that take the value */
    size_t nouts;
};

struct cw_json_picker {
    struct cw_arena *arena;
    struct key_node *top;
    size_t npaths;
};

static struct key_node *child_of(struct cw_arena *arena, struct key_node **first, struct cw_str key)
{
    struct key_node **at = first;
    for (; *at != NULL; at = &(*at)->next) {
        if (cw_str_eq((*at)->key, key))
            return *at;
    }
    *at = CW_ARENA_NEW(arena, struct key_node);
    (*at)->key = cw_arena_dup(arena, key);
    return *at;
}

struct cw_json_picker *cw_json_picker_new(const struct cw_json_keys *paths, size_t n)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_json_picker *picker = CW_ARENA_NEW(arena, struct cw_json_picker);
    picker->arena = arena;
    picker->npaths = n;
    for (size_t i = 0; i < n; i++) {
        struct key_node **level = &picker->top, *node = NULL;
        for (size_t k = 0; k < paths[i].n; k++) {
            node = child_of(arena, level, paths[i].items[k]);
            level = &node->children;
        }
        size_t cap = node->nouts;
        node->outs = cw_arena_grow(arena, node->outs, node->nouts, &cap, node->nouts + 1,
                                   sizeof *node->outs);
        node->outs[node->nouts++] = i;
    }
    return picker;
}

void cw_json_picker_free(struct cw_json_picker **picker)
{
    struct cw_arena *arena = *picker != NULL ? (*picker)->arena : NULL;
    *picker = NULL;
    cw_arena_free(&arena);
}

/* ---- the document ---- */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* The first byte that ends or escapes a string, or may not be in one. */
static const char *string_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1F);
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* The length of the escape at `p`; 0: it is none. */
static size_t escape_len(const char *p, const char *end)
{
    if (end - p < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    if (end - p < 6)
        return 0;
    for (int i = 2; i < 6; i++) {
        if (cw_str_hex_digit(p[i]) < 0)
            return 0;
    }
    return 6;
}

/* From behind the opening quote to behind the closing one; NULL: broken. */
static const char *pass_string(const char *p, const char *end, bool *escaped)
{
    *escaped = false;
    for (;;) {
        p = string_stop(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        size_t n = *p == '\\' ? escape_len(p, end) : 0;
        if (n == 0)
            return NULL;
        *escaped = true;
        p += n;
    }
}

static const char *pass_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static const char *pass_number(const char *p, const char *end)
{
    const char *digits;
    if (p < end && *p == '-')
        p++;
    digits = p;
    p = pass_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        return NULL;
    if (p < end && *p == '.') {
        digits = ++p;
        p = pass_digits(p, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = pass_digits(p, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

static const char *pass_word(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

/* What is no object and no array. */
static const char *pass_scalar(const char *p, const char *end, struct cw_json_value *out)
{
    const char *from = p;
    out->escaped = false;
    switch (p < end ? *p : '\0') {
    case '"':
        out->type = CW_JSON_TYPE_STRING;
        p = pass_string(p + 1, end, &out->escaped);
        if (p != NULL)
            out->text = cw_str_make(from + 1, (size_t)(p - from) - 2);
        return p;
    case 't':
        out->type = CW_JSON_TYPE_BOOL;
        p = pass_word(p, end, "true");
        break;
    case 'f':
        out->type = CW_JSON_TYPE_BOOL;
        p = pass_word(p, end, "false");
        break;
    case 'n':
        out->type = CW_JSON_TYPE_NULL;
        p = pass_word(p, end, "null");
        break;
    default: out->type = CW_JSON_TYPE_NUMBER; p = pass_number(p, end);
    }
    if (p != NULL)
        out->text = cw_str_make(from, (size_t)(p - from));
    return p;
}

/* From `"key"` to behind its colon and the white space there. */
static const char *pass_key(const char *p, const char *end, struct cw_str *key, bool *escaped)
{
    if (p == end || *p != '"')
        return NULL;
    const char *from = p + 1;
    p = pass_string(from, end, escaped);
    if (p == NULL)
        return NULL;
    *key = cw_str_make(from, (size_t)(p - from) - 1);
    p = skip_space(p, end);
    return p < end && *p == ':' ? skip_space(p + 1, end) : NULL;
}

/* An object or array with all that it nests, without recursion: a bit per level says which it is. */
static const char *pass_nested(const char *p, const char *end)
{
    uint64_t in_object[CW_JSON_PICK_DEPTH / 64];
    size_t depth = 0;
    struct cw_json_value value;
    struct cw_str key;
    bool escaped;
    for (;;) {
        /* At the begin of a value. */
        if (p < end && (*p == '{' || *p == '[')) {
            bool object = *p == '{';
            if (depth == CW_JSON_PICK_DEPTH)
                return NULL;
            uint64_t *word = &in_object[depth / 64], bit = UINT64_C(1) << (depth % 64);
            *word = depth % 64 == 0 ? 0 : *word & ~bit;
            *word |= object ? bit : 0;
            depth++;
            p = skip_space(p + 1, end);
            if (p < end && *p == (object ? '}' : ']')) {
                p++;
                depth--;
            } else if (object) {
                p = pass_key(p, end, &key, &escaped);
                if (p == NULL)
                    return NULL;
                continue;
            } else {
                continue;
            }
        } else {
            p = pass_scalar(p, end, &value);
            if (p == NULL)
                return NULL;
        }
        /* Behind a value. */
        for (;;) {
            if (depth == 0)
                return p;
            bool object = in_object[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
            p = skip_space(p, end);
            if (p == end)
                return NULL;
            if (*p == ',') {
                p = skip_space(p + 1, end);
                if (object)
                    p = pass_key(p, end, &key, &escaped);
                if (p == NULL)
                    return NULL;
                break;
            }
            if (*p != (object ? '}' : ']'))
                return NULL;
            p++;
            depth--;
        }
    }
}

static const char *pass_value(const char *p, const char *end, struct cw_json_value *out)
{
    if (p < end && (*p == '{' || *p == '[')) {
        const char *from = p;
        out->type = *p == '{' ? CW_JSON_TYPE_OBJECT : CW_JSON_TYPE_ARRAY;
        out->escaped = false;
        p = pass_nested(p, end);
        if (p != NULL)
            out->text = cw_str_make(from, (size_t)(p - from));
        return p;
    }
    return pass_scalar(p, end, out);
}

bool cw_json_pass(struct cw_str document, size_t *at, struct cw_json_value *out)
{
    const char *end = document.ptr + document.len;
    const char *p = pass_value(skip_space(document.ptr + *at, end), end, out);
    if (p != NULL)
        *at = (size_t)(p - document.ptr);
    return p != NULL;
}

static const struct key_node *find_key(const struct key_node *nodes, struct cw_str key)
{
    for (; nodes != NULL; nodes = nodes->next) {
        if (nodes->key.len == key.len && memcmp(nodes->key.ptr, key.ptr, key.len) == 0)
            return nodes;
    }
    return NULL;
}

/* A key of the document with escapes: rare, so that it may cost. */
static const struct key_node *find_escaped(const struct key_node *nodes, struct cw_str key)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str plain;
    const struct key_node *node =
        cw_json_unescape(key, arena, &plain) ? find_key(nodes, plain) : NULL;
    cw_arena_free(&arena);
    return node;
}

/* A second value of a key replaces all of the first one. */
static void forget(const struct key_node *node, struct cw_json_picked *out)
{
    for (size_t i = 0; i < node->nouts; i++)
        out[node->outs[i]].found = false;
    for (const struct key_node *c = node->children; c != NULL; c = c->next)
        forget(c, out);
}

/* From behind the bracket to behind the one that closes. Recurses as deep as paths go. */
static const char *walk_object(const char *p, const char *end, const struct key_node *nodes,
                               struct cw_json_picked *out);

static const char *walk_member(const char *p, const char *end, const struct key_node *node,
                               struct cw_json_picked *out)
{
    struct cw_json_value value;
    const char *from = p;
    forget(node, out);
    if (node->children == NULL || p == end || *p != '{') {
        p = pass_value(p, end, &value);
    } else {
        p = walk_object(p + 1, end, node->children, out);
        value = (struct cw_json_value){.type = CW_JSON_TYPE_OBJECT};
        if (p != NULL)
            value.text = cw_str_make(from, (size_t)(p - from));
    }
    for (size_t i = 0; p != NULL && i < node->nouts; i++)
        out[node->outs[i]] = (struct cw_json_picked){true, value};
    return p;
}

static const char *walk_object(const char *p, const char *end, const struct key_node *nodes,
                               struct cw_json_picked *out)
{
    struct cw_json_value value;
    p = skip_space(p, end);
    if (p < end && *p == '}')
        return p + 1;
    for (;;) {
        struct cw_str key;
        bool escaped;
        p = pass_key(p, end, &key, &escaped);
        if (p == NULL)
            return NULL;
        const struct key_node *node = escaped ? find_escaped(nodes, key) : find_key(nodes, key);
        p = node != NULL ? walk_member(p, end, node, out) : pass_value(p, end, &value);
        if (p == NULL)
            return NULL;
        p = skip_space(p, end);
        if (p == end)
            return NULL;
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
        p = skip_space(p + 1, end);
    }
}

enum cw_json_document cw_json_pick(const struct cw_json_picker *picker, struct cw_str document,
                                   struct cw_json_picked *out)
{
    struct cw_json_value value;
    if (document.len == 0)
        return CW_JSON_BROKEN;
    const char *end = document.ptr + document.len, *p = skip_space(document.ptr, end);
    bool object = p < end && *p == '{';
    for (size_t i = 0; i < picker->npaths; i++)
        out[i].found = false;
    p = object ? walk_object(p + 1, end, picker->top, out) : pass_value(p, end, &value);
    if (p == NULL || skip_space(p, end) != end)
        return CW_JSON_BROKEN;
    return object ? CW_JSON_AN_OBJECT : CW_JSON_OTHER;
}
