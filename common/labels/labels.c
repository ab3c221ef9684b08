#include "common/labels/labels.h"

#include <stdlib.h>

#include "common/base/assert.h"

/* Of a name that is refused, as much is told as a person reads. */
#define REFUSED_NAME_BYTES 200

static int label_order(const void *a, const void *b)
{
    const struct cw_label *x = a, *y = b;
    return cw_str_cmp(x->name, y->name);
}

/* A pair and where it stood, since qsort() promises nothing of equals. */
struct placed_label {
    struct cw_label label;
    size_t place;
};

static int placed_order(const void *a, const void *b)
{
    const struct placed_label *x = a, *y = b;
    int order = label_order(&x->label, &y->label);
    if (order != 0)
        return order;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void sort_many(struct cw_label *pairs, size_t n)
{
    struct placed_label *placed = cw_mem_array(n, sizeof *placed);
    for (size_t i = 0; i < n; i++)
        placed[i] = (struct placed_label){pairs[i], i};
    qsort(placed, n, sizeof *placed, placed_order);
    for (size_t i = 0; i < n; i++)
        pairs[i] = placed[i].label;
    free(placed);
}

void cw_label_pairs_sort(struct cw_label *pairs, size_t n)
{
    enum {
        FEW = 32
    }; /* an entry's metadata mostly; the square of this is less than qsort() costs */
    if (n > FEW) {
        sort_many(pairs, n);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct cw_label pair = pairs[i];
        size_t at = i;
        for (; at > 0 && label_order(&pairs[at - 1], &pair) > 0; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = pair;
    }
}

int cw_labels_from_pairs(struct cw_label *pairs, size_t n, struct cw_labels *out,
                         struct cw_err *err)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].value.len == 0)
            continue;
        pairs[kept++] = pairs[i];
        if (kept > 1 && sorted)
            sorted = cw_str_cmp(pairs[kept - 2].name, pairs[kept - 1].name) <= 0;
    }
    if (!sorted)
        qsort(pairs, kept, sizeof pairs[0], label_order);
    for (size_t i = 1; i < kept; i++)
        if (cw_str_eq(pairs[i - 1].name, pairs[i].name))
            return cw_err_set(err, CW_E_INVALID, "duplicate label name: '%.*s'",
                              CW_STR_ARG(pairs[i].name));
    *out = (struct cw_labels){pairs, kept};
    return 0;
}

struct cw_labels cw_labels_with(struct cw_arena *arena, struct cw_labels labels, struct cw_str name,
                                struct cw_str value)
{
    struct cw_label *items = cw_arena_alloc(arena, (labels.n + 1) * sizeof(*items));
    size_t n = 0;
    for (size_t i = 0; i < labels.n; i++)
        if (!cw_str_eq(labels.items[i].name, name))
            items[n++] = labels.items[i];
    if (value.len > 0)
        items[n++] = (struct cw_label){name, value};
    cw_label_pairs_sort(items, n);
    return (struct cw_labels){items, n};
}

/* A name that PromQL cannot write bare is quoted, as Prometheus prints it. */
static void format_name(struct cw_str name, struct cw_buf *out)
{
    if (cw_label_name_valid(name))
        cw_buf_adds(out, name);
    else
        cw_quote_go(name, out);
}

void cw_labels_format(struct cw_labels labels, struct cw_buf *out)
{
    cw_buf_addc(out, '{');
    for (size_t i = 0; i < labels.n; i++) {
        if (i > 0)
            cw_buf_addz(out, ", ");
        format_name(labels.items[i].name, out);
        cw_buf_addc(out, '=');
        cw_quote_go(labels.items[i].value, out);
    }
    cw_buf_addc(out, '}');
}

/* A set has few pairs (15 by default): a walk beats a binary search. */
static const struct cw_label *find_label(struct cw_labels labels, struct cw_str name)
{
    for (size_t i = 0; i < labels.n; i++)
        if (cw_str_eq(labels.items[i].name, name))
            return &labels.items[i];
    return NULL;
}

struct cw_str cw_labels_get(struct cw_labels labels, struct cw_str name)
{
    const struct cw_label *label = find_label(labels, name);
    return label != NULL ? label->value : CW_STR_NONE;
}

bool cw_labels_has(struct cw_labels labels, struct cw_str name)
{
    return find_label(labels, name) != NULL;
}

bool cw_labels_eq(struct cw_labels a, struct cw_labels b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (!cw_str_eq(a.items[i].name, b.items[i].name) ||
            !cw_str_eq(a.items[i].value, b.items[i].value))
            return false;
    return true;
}

int cw_labels_cmp(struct cw_labels a, struct cw_labels b)
{
    for (size_t i = 0; i < CW_MIN(a.n, b.n); i++) {
        int order = cw_str_cmp(a.items[i].name, b.items[i].name);
        if (order == 0)
            order = cw_str_cmp(a.items[i].value, b.items[i].value);
        if (order != 0)
            return order;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static size_t text_bytes(struct cw_labels labels)
{
    size_t bytes = 0;
    for (size_t i = 0; i < labels.n; i++)
        bytes += labels.items[i].name.len + labels.items[i].value.len;
    return bytes;
}

static char *hash_text(char *to, struct cw_str s)
{
    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    to[s.len] = (char)0xFF;
    return to + s.len + 1;
}

struct cw_hash128 cw_labels_hash(struct cw_labels labels)
{
    /* One flat text: hashing it at once is faster than a streaming state, and most sets fit the stack. */
    char small[1024];
    size_t bytes = text_bytes(labels) + 2 * labels.n;
    char *flat = bytes <= sizeof small ? small : cw_mem_new(bytes);
    char *end = flat;
    small[0] = 0; /* gcc sees an empty set hash bytes that were never written */
    for (size_t i = 0; i < labels.n; i++) {
        end = hash_text(end, labels.items[i].name);
        end = hash_text(end, labels.items[i].value);
    }
    struct cw_hash128 hash = cw_hash128(flat, bytes);
    if (flat != small)
        free(flat);
    return hash;
}

static struct cw_str copy_text(char **to, struct cw_str s)
{
    struct cw_str copy = {*to, s.len};
    if (s.len > 0)
        memcpy(*to, s.ptr, s.len);
    *to += s.len;
    return copy;
}

struct cw_labels cw_labels_copy_into(void *block, struct cw_labels labels)
{
    struct cw_label *items = block;
    char *text = (char *)(items + labels.n);
    for (size_t i = 0; i < labels.n; i++) {
        items[i].name = copy_text(&text, labels.items[i].name);
        items[i].value = copy_text(&text, labels.items[i].value);
    }
    return (struct cw_labels){items, labels.n};
}

size_t cw_labels_block_bytes(struct cw_labels labels)
{
    return labels.n * sizeof(struct cw_label) + text_bytes(labels);
}

struct cw_labels cw_labels_dup(struct cw_arena *arena, struct cw_labels labels)
{
    return cw_labels_copy_into(cw_arena_alloc(arena, cw_labels_block_bytes(labels)), labels);
}

struct cw_labels cw_labels_dup_heap(struct cw_labels labels)
{
    if (labels.n == 0)
        return CW_LABELS_NONE;
    return cw_labels_copy_into(cw_mem_new(cw_labels_block_bytes(labels)), labels);
}

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_char(char c)
{
    return name_start(c) || (c >= '0' && c <= '9');
}

bool cw_label_name_valid(struct cw_str name)
{
    if (name.len == 0 || !name_start(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!name_char(name.ptr[i]))
            return false;
    return true;
}

struct cw_str cw_label_name_sanitize(struct cw_arena *arena, struct cw_str name)
{
    static const char prefix[] = "key_";
    size_t clean = 0;
    while (clean < name.len && name_char(name.ptr[clean]))
        clean++;
    bool digit = name.len > 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9';
    if (clean == name.len && !digit)
        return name;
    char *to = cw_arena_alloc(arena, name.len + sizeof prefix);
    size_t n = 0;
    if (digit) {
        memcpy(to, prefix, sizeof prefix - 1);
        n = sizeof prefix - 1;
    }
    for (size_t at = 0; at < name.len;) {
        uint32_t rune; /* a rune of several bytes becomes one '_' */
        size_t len = cw_utf8_decode(cw_str_sub(name, at, name.len), &rune);
        to[n++] = name_char(name.ptr[at]) ? name.ptr[at] : '_';
        at += len;
    }
    return cw_str_make(to, n);
}

static bool letter_or_digit(char c)
{
    return name_char(c) && c != '_';
}

bool cw_label_name_admissible(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (letter_or_digit(name.ptr[i]))
            return true;
    return false;
}

/* It has no run that becomes one '_', and no digit in front. */
static bool is_normal(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.ptr[i]) || (i > 0 && name.ptr[i] == '_' && name.ptr[i - 1] == '_'))
            return false;
    return name.len == 0 || name_start(name.ptr[0]);
}

static bool is_reserved(struct cw_str name)
{
    return name.len >= 4 && memcmp(name.ptr, "__", 2) == 0 &&
           memcmp(name.ptr + name.len - 2, "__", 2) == 0;
}

struct cw_str cw_label_name_normalize(struct cw_arena *arena, struct cw_str name)
{
    static const char digit_prefix[] = "key_";
    if (is_normal(name))
        return name;
    bool reserved = is_reserved(name), gap = false;
    struct cw_buf text;
    cw_buf_init(&text, name.len + sizeof digit_prefix);
    if (name_char(name.ptr[0]) && !name_start(name.ptr[0]))
        cw_buf_addz(&text, digit_prefix);
    if (reserved) {
        cw_buf_addz(&text, "__");
        name = cw_str_sub(name, 2, name.len - 2);
    }
    for (size_t i = 0; i < name.len; i++) {
        bool good = letter_or_digit(name.ptr[i]);
        if (good || !gap)
            cw_buf_addc(&text, good ? name.ptr[i] : '_');
        gap = !good;
    }
    cw_buf_addz(&text, reserved ? "__" : "");
    struct cw_str out = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return out;
}

struct cw_str cw_label_name_refusal(struct cw_arena *arena, struct cw_str name)
{
    if (name.len == 0)
        return CW_STR("label name is empty");
    struct cw_buf text;
    name.len = CW_MIN(name.len, (size_t)REFUSED_NAME_BYTES);
    cw_buf_init(&text, 16 * REFUSED_NAME_BYTES);
    cw_buf_addz(&text, "normalization for label name ");
    cw_quote_go(name, &text);
    cw_buf_addz(&text, " resulted in invalid name ");
    cw_quote_go(cw_label_name_normalize(arena, name), &text);
    struct cw_str out = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return out;
}
