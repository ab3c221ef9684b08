#include "shipper/target_labels.h"
#include "common/base/assert.h"

struct cw_target_labels cw_target_labels_make(struct cw_arena *arena)
{
    return (struct cw_target_labels){.arena = arena};
}

struct cw_target_labels cw_target_labels_copy(const struct cw_target_labels *labels,
                                              struct cw_arena *arena)
{
    struct cw_target_labels copy = {.arena = arena, .n = labels->n, .cap = labels->n};
    copy.items = CW_ARENA_ARRAY(arena, struct cw_label, labels->n);
    for (size_t i = 0; i < labels->n; i++)
        copy.items[i] = labels->items[i];
    return copy;
}

static struct cw_label *find(const struct cw_target_labels *labels, struct cw_str name)
{
    for (size_t i = 0; i < labels->n; i++)
        if (cw_str_eq(labels->items[i].name, name))
            return &labels->items[i];
    return NULL;
}

struct cw_str cw_target_labels_get(const struct cw_target_labels *labels, struct cw_str name)
{
    const struct cw_label *label = find(labels, name);
    return label != NULL ? label->value : CW_STR_NONE;
}

void cw_target_labels_set(struct cw_target_labels *labels, struct cw_str name, struct cw_str value)
{
    struct cw_label *label = find(labels, name);
    if (label != NULL && value.len == 0) {
        *label = labels->items[--labels->n];
        return;
    }
    if (label != NULL) {
        label->value = value;
        return;
    }
    if (value.len == 0)
        return;
    labels->items = cw_arena_grow(labels->arena, labels->items, labels->n, &labels->cap,
                                  labels->n + 1, sizeof *labels->items);
    labels->items[labels->n++] = (struct cw_label){name, value};
}

void cw_target_labels_add(struct cw_target_labels *labels, struct cw_str name, struct cw_str value)
{
    if (find(labels, name) == NULL)
        cw_target_labels_set(labels, name, value);
}

void cw_target_labels_set_meta(struct cw_target_labels *labels, const char *prefix,
                               struct cw_str name, struct cw_str value)
{
    struct cw_str full = cw_arena_printf(labels->arena, "%s%.*s", prefix, CW_STR_ARG(name));
    for (char *c = (char *)full.ptr; c < full.ptr + full.len; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    cw_target_labels_set(labels, full, value);
}

struct cw_labels cw_target_labels_public(const struct cw_target_labels *labels)
{
    struct cw_label *pairs = CW_ARENA_ARRAY(labels->arena, struct cw_label, labels->n);
    size_t n = 0;
    for (size_t i = 0; i < labels->n; i++)
        if (!cw_str_starts(labels->items[i].name, CW_STR("__")))
            pairs[n++] = labels->items[i];
    struct cw_labels out;
    int rc = cw_labels_from_pairs(pairs, n, &out, NULL);
    CW_ASSERT(rc == 0); /* names are unique */
    return out;
}
