#include "common/extract/json_tree.h"

#include <math.h>
#include <stdlib.h>

#include "common/extract/json_strict.h"
#include "common/wire/json_writer.h"

const struct cw_json_node cw_json_null_node = {.type = CW_JSON_TYPE_NULL};
const struct cw_json_node cw_json_true_node = {.type = CW_JSON_TYPE_BOOL, .truth = true};
const struct cw_json_node cw_json_false_node = {.type = CW_JSON_TYPE_BOOL};

struct build {
    struct cw_json_walk walk;
    struct cw_arena *arena;
};

/* An object or array that grows. */
struct growing {
    const struct cw_json_node **items;
    struct cw_str *keys;
    size_t n, items_cap, keys_cap;
};

static const struct cw_json_node *build_value(struct build *build);

static void add_item(struct build *build, struct growing *in, const struct cw_json_node *item)
{
    in->items = cw_arena_grow(build->arena, in->items, in->n, &in->items_cap, in->n + 1,
                              sizeof(*in->items));
    in->items[in->n++] = item;
}

static const struct cw_json_node *finish(struct build *build, enum cw_json_type type,
                                         const struct growing *from)
{
    struct cw_json_node *node = CW_ARENA_NEW(build->arena, struct cw_json_node);
    node->type = type;
    node->items = from->items;
    node->keys = from->keys;
    node->n = from->n;
    return node;
}

static const struct cw_json_node *build_array(struct build *build)
{
    struct growing in = {0};
    int state = -1;
    if (!cw_json_walk_enter(&build->walk))
        return NULL;
    for (size_t n = 0; (state = cw_json_walk_next(&build->walk, n, ']')) > 0; n++) {
        const struct cw_json_node *item = build_value(build);
        if (item == NULL)
            return NULL;
        add_item(build, &in, item);
    }
    return state == 0 ? finish(build, CW_JSON_TYPE_ARRAY, &in) : NULL;
}

static int order_keys(const void *a, const void *b)
{
    const struct cw_str *const *x = a, *const *y = b;
    int order = cw_str_cmp(**x, **y);
    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

/* Keys that stand twice become one, at the first one's place and with the last one's value. Sorted, for an object may have a hundred
 * thousand keys. */
static void unite_keys(struct build *build, struct growing *in)
{
    const struct cw_str **sorted = CW_ARENA_ARRAY(build->arena, const struct cw_str *, in->n);
    bool *gone = CW_ARENA_ARRAY(build->arena, bool, in->n);
    for (size_t i = 0; i < in->n; i++)
        sorted[i] = &in->keys[i];
    qsort(sorted, in->n, sizeof(*sorted), order_keys);
    for (size_t i = 0, first = 0; i < in->n; i++) {
        if (!cw_str_eq(*sorted[first], *sorted[i]))
            first = i;
        if (first == i)
            continue;
        size_t at = (size_t)(sorted[i] - in->keys);
        in->items[sorted[first] - in->keys] = in->items[at];
        gone[at] = true;
    }
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (gone[i])
            continue;
        in->keys[n] = in->keys[i];
        in->items[n++] = in->items[i];
    }
    in->n = n;
}

static const struct cw_json_node *build_object(struct build *build)
{
    struct growing in = {0};
    int state = -1;
    if (!cw_json_walk_enter(&build->walk))
        return NULL;
    for (size_t n = 0; (state = cw_json_walk_next(&build->walk, n, '}')) > 0; n++) {
        struct cw_str key;
        bool escaped;
        if (!cw_json_walk_key(&build->walk, &key, &escaped))
            return NULL;
        if (escaped)
            key = cw_json_unescape_go(key, build->arena);
        const struct cw_json_node *item = build_value(build);
        if (item == NULL)
            return NULL;
        in.keys =
            cw_arena_grow(build->arena, in.keys, in.n, &in.keys_cap, in.n + 1, sizeof(*in.keys));
        in.keys[in.n] = key;
        add_item(build, &in, item);
    }
    if (state != 0)
        return NULL;
    if (in.n > 1)
        unite_keys(build, &in);
    return finish(build, CW_JSON_TYPE_OBJECT, &in);
}

static const struct cw_json_node *build_scalar(struct build *build)
{
    struct cw_json_value value;
    if (!cw_json_walk_value(&build->walk, &value))
        return NULL;
    if (value.type == CW_JSON_TYPE_NULL)
        return &cw_json_null_node;
    if (value.type == CW_JSON_TYPE_BOOL)
        return value.text.ptr[0] == 't' ? &cw_json_true_node : &cw_json_false_node;
    struct cw_json_node *node = CW_ARENA_NEW(build->arena, struct cw_json_node);
    node->type = value.type;
    if (value.type == CW_JSON_TYPE_STRING)
        node->text = value.escaped ? cw_json_unescape_go(value.text, build->arena) : value.text;
    else if (!cw_str_to_f64(value.text, &node->number) || !isfinite(node->number))
        return NULL;
    return node;
}

static const struct cw_json_node *build_value(struct build *build)
{
    cw_json_walk_space(&build->walk);
    if (build->walk.at == build->walk.end)
        return NULL;
    switch (*build->walk.at) {
    case '{': return build_object(build);
    case '[': return build_array(build);
    default: return build_scalar(build);
    }
}

bool cw_json_tree_parse(struct cw_str text, struct cw_arena *arena, const struct cw_json_node **out)
{
    struct build build = {.walk = {text.ptr, text.ptr + text.len}, .arena = arena};
    *out = build_value(&build);
    return *out != NULL && cw_json_walk_done(&build.walk);
}

const struct cw_json_node *cw_json_tree_member(const struct cw_json_node *object, struct cw_str key)
{
    if (object->type != CW_JSON_TYPE_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->n; i++) {
        if (cw_str_eq(object->keys[i], key))
            return object->items[i];
    }
    return NULL;
}

static void print_node(const struct cw_json_node *node, struct cw_json_writer *writer)
{
    switch (node->type) {
    case CW_JSON_TYPE_STRING: cw_json_string(writer, node->text); break;
    case CW_JSON_TYPE_NUMBER: cw_json_f64(writer, node->number); break;
    case CW_JSON_TYPE_BOOL: cw_json_bool(writer, node->truth); break;
    case CW_JSON_TYPE_NULL: cw_json_null(writer); break;
    case CW_JSON_TYPE_ARRAY:
        cw_json_begin_array(writer);
        for (size_t i = 0; i < node->n && !cw_buf_failed(writer->out); i++)
            print_node(node->items[i], writer);
        cw_json_end_array(writer);
        break;
    case CW_JSON_TYPE_OBJECT:
        cw_json_begin_object(writer);
        for (size_t i = 0; i < node->n && !cw_buf_failed(writer->out); i++) {
            cw_json_key(writer, node->keys[i]);
            print_node(node->items[i], writer);
        }
        cw_json_end_object(writer);
        break;
    }
}

void cw_json_tree_print(const struct cw_json_node *node, struct cw_buf *out)
{
    struct cw_json_writer writer = cw_json_writer_make(out);
    print_node(node, &writer);
}
