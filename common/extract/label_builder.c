#include "common/extract/label_builder.h"

#include <stdlib.h>

#include "common/base/assert.h"

static const struct cw_str suffix = {"_extracted", 10};

void cw_label_builder_init(struct cw_label_builder *builder, const struct cw_label_hints *hints)
{
    memset(builder, 0, sizeof *builder);
    builder->hints = hints;
    builder->scratch = cw_arena_new();
}

void cw_label_builder_fini(struct cw_label_builder *builder)
{
    cw_arena_free(&builder->scratch);
    free(builder->stream_gone);
    free(builder->items);
    free(builder->sorted);
    memset(builder, 0, sizeof *builder);
}

/* The place of a name in a sorted set; set.n when it is not there. */
static size_t place_of(struct cw_labels set, struct cw_str name)
{
    for (size_t i = 0; i < set.n; i++)
        if (cw_str_eq(set.items[i].name, name))
            return i;
    return set.n;
}

static struct cw_str with_suffix(struct cw_label_builder *builder, struct cw_str name)
{
    char *text = cw_arena_alloc(builder->scratch, name.len + suffix.len);
    memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, suffix.ptr, suffix.len);
    return cw_str_make(text, name.len + suffix.len);
}

static bool is_required(const struct cw_label_builder *builder, struct cw_str name)
{
    for (size_t i = 0; i < builder->hints->nrequired; i++)
        if (cw_str_eq(builder->hints->required[i], name))
            return true;
    return false;
}

static void append(struct cw_label_builder *builder, enum cw_label_category category,
                   struct cw_str name, struct cw_str value)
{
    if (builder->n == builder->cap) {
        builder->cap = CW_MAX(32, builder->cap * 2);
        builder->items = cw_mem_resize(builder->items, builder->cap * sizeof *builder->items);
    }
    builder->items[builder->n++] = (struct cw_built_label){name, value, category, true};
    if (category == CW_LABEL_PARSED && builder->hints->nrequired > 0)
        builder->nfound += is_required(builder, name);
}

void cw_label_builder_begin(struct cw_label_builder *builder, struct cw_labels stream,
                            struct cw_labels metadata)
{
    cw_arena_reset(builder->scratch);
    if (stream.n > builder->stream_cap) {
        builder->stream_cap = stream.n;
        builder->stream_gone = cw_mem_resize(builder->stream_gone, stream.n * sizeof(bool));
    }
    if (stream.n > 0)
        memset(builder->stream_gone, 0, stream.n * sizeof(bool));
    builder->stream = stream;
    builder->nstream_gone = builder->n = builder->nfound = 0;
    builder->error = builder->details = CW_STR_NONE;
    builder->preserve_error = builder->deleted = false;
    for (size_t i = 0; i < metadata.n; i++) {
        struct cw_str name = metadata.items[i].name;
        if (place_of(stream, name) < stream.n)
            name = with_suffix(builder, name);
        if (cw_str_eqz(name, "__error__"))
            builder->error = metadata.items[i].value;
        else if (cw_str_eqz(name, "__error_details__"))
            builder->details = metadata.items[i].value;
        else
            cw_label_builder_set(builder, CW_LABEL_METADATA, name, metadata.items[i].value);
    }
}

bool cw_label_builder_get(const struct cw_label_builder *builder, struct cw_str name,
                          struct cw_str *value_out, enum cw_label_category *category_out)
{
    for (size_t i = 0; i < builder->n; i++) {
        const struct cw_built_label *item = &builder->items[i];
        if (item->live && cw_str_eq(item->name, name)) {
            *value_out = item->value;
            *category_out = item->category;
            return true;
        }
    }
    size_t at = place_of(builder->stream, name);
    if (at == builder->stream.n || builder->stream_gone[at])
        return false;
    *value_out = builder->stream.items[at].value;
    *category_out = CW_LABEL_STREAM;
    return true;
}

static void hide_in_stream(struct cw_label_builder *builder, struct cw_str name)
{
    size_t at = place_of(builder->stream, name);
    if (at < builder->stream.n && !builder->stream_gone[at]) {
        builder->stream_gone[at] = true;
        builder->nstream_gone++;
    }
}

/* One live item a name: a category below one that has the name is not set, one above takes its place. */
void cw_label_builder_set(struct cw_label_builder *builder, enum cw_label_category category,
                          struct cw_str name, struct cw_str value)
{
    struct cw_built_label *own = NULL;
    for (size_t i = 0; i < builder->n; i++) {
        struct cw_built_label *item = &builder->items[i];
        if (!cw_str_eq(item->name, name))
            continue;
        if (item->category == category)
            own = item;
        else if (item->live && item->category > category)
            return;
        else
            item->live = false;
    }
    hide_in_stream(builder, name);
    if (own == NULL) {
        append(builder, category, name, value);
        return;
    }
    own->value = value;
    own->live = true;
}

void cw_label_builder_delete(struct cw_label_builder *builder, struct cw_str name)
{
    for (size_t i = 0; i < builder->n; i++)
        if (cw_str_eq(builder->items[i].name, name))
            builder->items[i].live = false;
    hide_in_stream(builder, name);
    builder->deleted = true;
}

void cw_label_builder_set_error(struct cw_label_builder *builder, struct cw_str error,
                                struct cw_str details)
{
    builder->error = error;
    builder->details = details;
}

struct cw_str cw_label_builder_details(const struct cw_label_builder *builder)
{
    bool shows = builder->error.len > 0 || builder->deleted || builder->n > 0;
    return shows ? builder->details : CW_STR_NONE;
}

void cw_label_builder_parse_error(struct cw_label_builder *builder, struct cw_str error,
                                  struct cw_str details)
{
    /* A parser that has nothing to say about its error leaves what an earlier one said, as in Loki. */
    cw_label_builder_set_error(builder, error, details.ptr != NULL ? details : builder->details);
    if (is_required(builder, CW_STR("__error__")))
        cw_label_builder_set(builder, CW_LABEL_PARSED, CW_STR("__preserve_error__"),
                             CW_STR("true"));
}

bool cw_label_builder_parsed(const struct cw_label_builder *builder, struct cw_str name)
{
    for (size_t i = 0; i < builder->n; i++)
        if (builder->items[i].category == CW_LABEL_PARSED &&
            cw_str_eq(builder->items[i].name, name))
            return true;
    return false;
}

static bool clashes(const struct cw_label_builder *builder, struct cw_str name)
{
    if (place_of(builder->stream, name) < builder->stream.n)
        return true;
    for (size_t i = 0; i < builder->n; i++)
        if (builder->items[i].category == CW_LABEL_METADATA && builder->items[i].live &&
            cw_str_eq(builder->items[i].name, name))
            return true;
    return false;
}

bool cw_label_builder_needs(const struct cw_label_builder *builder, struct cw_str name)
{
    return builder->hints->nrequired == 0 || is_required(builder, name);
}

struct cw_str cw_label_builder_name(struct cw_label_builder *builder, struct cw_str name)
{
    return clashes(builder, name) ? with_suffix(builder, name) : name;
}

bool cw_label_builder_wants(struct cw_label_builder *builder, struct cw_str name,
                            struct cw_str *name_out)
{
    if (name.len == 0)
        return false;
    name = cw_label_builder_name(builder, name);
    *name_out = name;
    return cw_label_builder_needs(builder, name) && !cw_label_builder_parsed(builder, name);
}

void cw_label_builder_add(struct cw_label_builder *builder, struct cw_str name, struct cw_str value)
{
    cw_label_builder_set(builder, CW_LABEL_PARSED, name, value);
}

bool cw_label_builder_wants_prefix(const struct cw_label_builder *builder, struct cw_str prefix)
{
    for (size_t i = 0; i < builder->hints->nrequired; i++)
        if (cw_str_starts(builder->hints->required[i], prefix))
            return true;
    return builder->hints->nrequired == 0;
}

bool cw_label_builder_has_all(const struct cw_label_builder *builder)
{
    const struct cw_label_hints *hints = builder->hints;
    return hints->no_labels || (hints->nrequired > 0 && builder->nfound == hints->nrequired);
}

/* ---- names and texts ---- */

static bool is_name_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Go's unicode.IsSpace. */
static bool is_space(uint32_t rune)
{
    return (rune >= '\t' && rune <= '\r') || rune == ' ' || rune == 0x85 || rune == 0xA0 ||
           rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 ||
           rune == 0x2029 || rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

static struct cw_str trim(struct cw_str s)
{
    uint32_t rune;
    size_t from = 0, to = 0;
    for (size_t at = 0, n; at < s.len; at += n) {
        n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if (!is_space(rune))
            to = at + n;
        else if (to == 0)
            from = at + n;
    }
    return cw_str_sub(s, from, to > from ? to : from);
}

static bool is_clean(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte((unsigned char)name.ptr[i]))
            return false;
    return true;
}

/* Writes at most name.len bytes. */
static size_t write_clean(struct cw_str name, char *out)
{
    size_t len = 0;
    for (size_t at = 0, n; at < name.len; at += n) {
        uint32_t rune;
        n = cw_utf8_decode(cw_str_sub(name, at, name.len), &rune);
        out[len++] = rune < 0x80 && is_name_byte((unsigned char)rune) ? (char)rune : '_';
    }
    return len;
}

struct cw_str cw_label_builder_clean(struct cw_label_builder *builder, struct cw_str name)
{
    if (name.len > 0 && is_clean(name) && !is_digit(name.ptr[0]))
        return name;
    name = trim(name);
    if (name.len == 0)
        return CW_STR_NONE;
    char *text = cw_arena_alloc(builder->scratch, name.len + 1);
    size_t len = 0;
    if (is_digit(name.ptr[0]))
        text[len++] = '_';
    len += write_clean(name, text + len);
    return cw_str_make(text, len);
}

struct cw_str cw_label_builder_join(struct cw_label_builder *builder, struct cw_str prefix,
                                    struct cw_str name)
{
    name = trim(name);
    if (name.len == 0)
        return prefix;
    char *text = cw_arena_alloc(builder->scratch, prefix.len + name.len + 1);
    memcpy(text, prefix.ptr, prefix.len);
    text[prefix.len] = '_';
    return cw_str_make(text, prefix.len + 1 + write_clean(name, text + prefix.len + 1));
}

struct cw_str cw_label_builder_text(struct cw_label_builder *builder, struct cw_str text)
{
    if (cw_utf8_valid(text) && cw_str_find(text, CW_STR("\xEF\xBF\xBD")) < 0)
        return text;
    char *clean = cw_arena_alloc(builder->scratch, text.len);
    size_t len = 0;
    for (size_t at = 0, n; at < text.len; at += n) {
        uint32_t rune;
        n = cw_utf8_decode(cw_str_sub(text, at, text.len), &rune);
        if (rune == 0xFFFD) {
            clean[len++] = ' ';
        } else {
            memcpy(clean + len, text.ptr + at, n);
            len += n;
        }
    }
    return cw_str_make(clean, len);
}

/* ---- results ---- */

/* Insertion: a handful of labels, most of them in order. */
static void sort_labels(struct cw_label *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct cw_label item = items[i];
        size_t k = i;
        for (; k > 0 && cw_str_cmp(item.name, items[k - 1].name) < 0; k--)
            items[k] = items[k - 1];
        items[k] = item;
    }
}

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_label *)a)->name, ((const struct cw_label *)b)->name);
}

/* Past this many labels a line is hostile: no quadratic sort. */
#define INSERTION_SORT_MAX 64

static struct cw_labels sorted_set(struct cw_label *items, size_t n)
{
    if (n <= INSERTION_SORT_MAX)
        sort_labels(items, n);
    else
        qsort(items, n, sizeof *items, by_name);
    return (struct cw_labels){items, n};
}

/* Labels of the categories [from, to] behind `out`; there is room for all. */
static size_t collect(const struct cw_label_builder *builder, enum cw_label_category from,
                      enum cw_label_category to, struct cw_label *out)
{
    size_t n = 0;
    if (from == CW_LABEL_STREAM)
        for (size_t i = 0; i < builder->stream.n; i++)
            if (!builder->stream_gone[i])
                out[n++] = builder->stream.items[i];
    for (size_t i = 0; i < builder->n; i++) {
        const struct cw_built_label *item = &builder->items[i];
        if (item->live && item->category >= from && item->category <= to)
            out[n++] = (struct cw_label){item->name, item->value};
    }
    if (to < CW_LABEL_PARSED)
        return n;
    const struct cw_label errors[] = {
        {CW_STR("__error__"), builder->error},
        {CW_STR("__error_details__"), cw_label_builder_details(builder)}};
    for (size_t i = 0; i < CW_COUNT(errors); i++) {
        if (errors[i].value.len == 0)
            continue;
        size_t k = 0;
        while (k < n && !cw_str_eq(out[k].name, errors[i].name))
            k++;
        out[k] = errors[i];
        n += k == n;
    }
    return n;
}

static size_t room(const struct cw_label_builder *builder)
{
    return builder->stream.n + builder->n + 2;
}

void cw_label_builder_sort(struct cw_label_builder *builder, struct cw_built_labels *out)
{
    struct cw_label *items =
        cw_arena_alloc(builder->scratch, room(builder) * 2 * sizeof(struct cw_label));
    out->stream = builder->stream;
    if (builder->nstream_gone > 0 || builder->n > 0) {
        size_t n = collect(builder, CW_LABEL_STREAM, CW_LABEL_STREAM, items);
        /* Nothing of it was touched: the set itself, so that the caller sees it is the same one. */
        if (builder->nstream_gone > 0 || n != builder->stream.n)
            out->stream = sorted_set(items, n);
        items += n;
    }
    size_t n = collect(builder, CW_LABEL_METADATA, CW_LABEL_METADATA, items);
    out->metadata = sorted_set(items, n);
    items += n;
    out->parsed = sorted_set(items, collect(builder, CW_LABEL_PARSED, CW_LABEL_PARSED, items));
}

struct cw_labels cw_label_builder_get_all(struct cw_label_builder *builder)
{
    if (room(builder) > builder->sorted_cap) {
        builder->sorted_cap = room(builder) * 2;
        builder->sorted =
            cw_mem_resize(builder->sorted, builder->sorted_cap * sizeof *builder->sorted);
    }
    return sorted_set(builder->sorted,
                      collect(builder, CW_LABEL_STREAM, CW_LABEL_PARSED, builder->sorted));
}

struct cw_labels cw_label_builder_get_named(struct cw_label_builder *builder,
                                            const struct cw_str *names, size_t n)
{
    if (n > builder->sorted_cap) {
        builder->sorted_cap = n;
        builder->sorted = cw_mem_resize(builder->sorted, n * sizeof *builder->sorted);
    }
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        enum cw_label_category category;
        struct cw_label *item = &builder->sorted[found];
        item->name = names[i];
        found += cw_label_builder_get(builder, names[i], &item->value, &category);
    }
    return (struct cw_labels){builder->sorted, found};
}
