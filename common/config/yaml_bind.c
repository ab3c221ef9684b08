#include "common/config/yaml_bind_priv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/config/value.h"

/* Where in the configuration the walk is: "scrape_configs[2].labels", made into text only for a message. */
struct path {
    const struct path *up; /* NULL at the root */
    struct cw_str name;    /* of a key, else NONE */
    size_t idx;            /* in a list */
};

/* One struct that is being filled. */
struct frame {
    const struct cw_table_def *table;
    char *base;
    yaml_node_t *node;      /* of its mapping; NULL where the file has none */
    yaml_node_t **values;   /* per row of the table; NULL where the file has none */
    struct deferred *later; /* maps of tables that inherit from a sibling */
    const struct path *path;
};

struct deferred {
    struct deferred *next;
    const struct cw_key_def *key;
    yaml_node_t *node;
    const struct path *path;
    unsigned depth;
};

/* One key of a mapping, its own or by a merge key. */
struct pair {
    struct cw_str name;
    yaml_node_t *key, *value;
    size_t seq;
    bool merged, dropped;
};
struct pairs {
    struct pair *items;
    size_t n, cap;
};

static void bind_struct(struct cw_yaml_bind *bind, const struct cw_table_def *table,
                        yaml_node_t *node, void *base, const struct path *path, unsigned depth);

/* ---- problems ---- */

void cw_yaml_bind_report(struct cw_yaml_bind *bind, struct cw_str *list, size_t *n, size_t line,
                         size_t column, const char *text)
{
    if (*n == CW_CONFIG_PROBLEMS_MAX) {
        bind->problems->nmore += list == bind->problems->errors;
        return;
    }
    struct cw_str told =
        cw_arena_printf(bind->arena, "%s:%zu:%zu: %s", bind->name, line + 1, column + 1, text);
    /* It may quote the file, and goes to a terminal. */
    for (char *p = (char *)told.ptr; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
    }
    list[(*n)++] = told;
}

static void place_of(struct cw_yaml_bind *bind, const yaml_node_t *node, size_t *line,
                     size_t *column)
{
    *line = node != NULL ? node->start_mark.line : 0;
    *column = node != NULL ? node->start_mark.column : 0;
    if (node != NULL && bind->source->npieces > 0)
        cw_yaml_expand_locate(bind->source, node->start_mark.index, line, column);
}

static void problem(struct cw_yaml_bind *bind, const yaml_node_t *node, const char *fmt, ...)
    CW_PRINTF(3, 4);

static void problem(struct cw_yaml_bind *bind, const yaml_node_t *node, const char *fmt, ...)
{
    struct cw_config_problems *problems = bind->problems;
    /* Places are only worth finding for what will be told. */
    if (problems->nerrors == CW_CONFIG_PROBLEMS_MAX) {
        problems->nmore++;
        return;
    }
    char text[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t line, column;
    place_of(bind, node, &line, &column);
    cw_yaml_bind_report(bind, problems->errors, &problems->nerrors, line, column, text);
}

static void warning(struct cw_yaml_bind *bind, const yaml_node_t *node, const char *name,
                    const char *why)
{
    struct cw_config_problems *problems = bind->problems;
    if (problems->nwarnings == CW_CONFIG_PROBLEMS_MAX)
        return;
    char text[512];
    snprintf(text, sizeof text, "%s is ignored: %s", name, why);
    size_t line, column;
    place_of(bind, node, &line, &column);
    cw_yaml_bind_report(bind, problems->warnings, &problems->nwarnings, line, column, text);
}

/* The path as text for a message, from its end where it is long. */
struct path_text {
    char z[256];
};

static struct path_text path_text(const struct path *path)
{
    struct path_text text;
    size_t at = sizeof text.z - 1;
    text.z[at] = '\0';
    for (; path != NULL; path = path->up) {
        char piece[96];
        int n = path->name.ptr != NULL
                    ? snprintf(piece, sizeof piece, "%s%.*s", path->up != NULL ? "." : "",
                               CW_STR_ARG(cw_str_sub(path->name, 0, 60)))
                    : snprintf(piece, sizeof piece, "[%zu]", path->idx);
        if (n < 0 || (size_t)n > at)
            break;
        at -= (size_t)n;
        memcpy(text.z + at, piece, (size_t)n);
    }
    memmove(text.z, text.z + at, sizeof text.z - at);
    return text;
}

/* ---- bounds ---- */

/* One node more is looked at; false when the walk is to stop. */
static bool visit(struct cw_yaml_bind *bind, const yaml_node_t *node, unsigned depth)
{
    if (bind->gave_up)
        return false;
    bind->nnodes++;
    if (depth > CW_YAML_DEPTH_MAX)
        problem(bind, node, "nested deeper than %d levels", CW_YAML_DEPTH_MAX);
    else if (bind->nnodes > CW_YAML_NODES_MAX)
        problem(bind, node, "its aliases expand to more than %d values", CW_YAML_NODES_MAX);
    else
        return true;
    bind->gave_up = true;
    return false;
}

/* May `n` more things of `size` bytes be held? */
static bool afford(struct cw_yaml_bind *bind, const yaml_node_t *node, size_t n, size_t size)
{
    size_t used = cw_arena_bytes(bind->arena) - bind->start_bytes, more;
    if (bind->gave_up)
        return false;
    if (used <= CW_YAML_MEMORY_MAX_BYTES && !__builtin_mul_overflow(n, size, &more) &&
        more <= CW_YAML_MEMORY_MAX_BYTES - used)
        return true;
    problem(bind, node, "its values take more than %d bytes", CW_YAML_MEMORY_MAX_BYTES);
    bind->gave_up = true;
    return false;
}

/* ---- nodes ---- */

static yaml_node_t *node_at(struct cw_yaml_bind *bind, int index)
{
    return yaml_document_get_node(bind->document, index);
}

static struct cw_str scalar_text(const yaml_node_t *node)
{
    return cw_str_make(node->data.scalar.value, node->data.scalar.length);
}

/* As if the key were not there: a default stays. */
static bool is_null(const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node == NULL || node->type == YAML_NO_NODE)
        return true;
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < CW_COUNT(nulls); i++) {
        if (cw_str_eqz(scalar_text(node), nulls[i]))
            return true;
    }
    return false;
}

static const char *node_kind(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return "keys with values";
    return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}

static bool wants_node(struct cw_yaml_bind *bind, const yaml_node_t *node, yaml_node_type_t type,
                       enum cw_key_kind kind, const struct path *path)
{
    if (node->type == type)
        return true;
    if (path != NULL)
        problem(bind, node, "%s wants %s, not %s", path_text(path).z, cw_value_kind_text(kind),
                node_kind(node));
    else
        problem(bind, node, "the file wants %s, not %s", cw_value_kind_text(kind), node_kind(node));
    return false;
}

/* ---- pairs of a mapping ---- */

static int pairs_order(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = cw_str_cmp(x->name, y->name);
    if (order != 0)
        return order;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int pairs_seq_order(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void add_mapping(struct cw_yaml_bind *bind, yaml_node_t *node, bool merged,
                        struct pairs *pairs, unsigned depth);

static void add_merge(struct cw_yaml_bind *bind, yaml_node_t *value, struct pairs *pairs,
                      unsigned depth)
{
    if (!visit(bind, value, depth))
        return;
    if (value->type == YAML_MAPPING_NODE) {
        add_mapping(bind, value, true, pairs, depth + 1);
    } else if (value->type == YAML_SEQUENCE_NODE && depth < CW_YAML_DEPTH_MAX) {
        for (yaml_node_item_t *item = value->data.sequence.items.start;
             item < value->data.sequence.items.top && !bind->gave_up; item++)
            add_merge(bind, node_at(bind, *item), pairs, depth + 1);
    } else {
        problem(bind, value, "<< wants a mapping or a list of mappings");
    }
}

static void add_mapping(struct cw_yaml_bind *bind, yaml_node_t *node, bool merged,
                        struct pairs *pairs, unsigned depth)
{
    yaml_node_pair_t *start = node->data.mapping.pairs.start, *top = node->data.mapping.pairs.top;
    for (yaml_node_pair_t *p = start; p < top; p++) {
        yaml_node_t *key = node_at(bind, p->key), *value = node_at(bind, p->value);
        if (!visit(bind, key, depth))
            return;
        if (key->type != YAML_SCALAR_NODE) {
            problem(bind, key, "a key must be a single value, not %s", node_kind(key));
            continue;
        }
        if (cw_str_eqz(scalar_text(key), "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            continue;
        if (!afford(bind, key, pairs->n + 1, 2 * sizeof *pairs->items))
            return;
        pairs->items = cw_arena_grow(bind->arena, pairs->items, pairs->n, &pairs->cap, pairs->n + 1,
                                     sizeof *pairs->items);
        pairs->items[pairs->n] = (struct pair){.name = scalar_text(key),
                                               .key = key,
                                               .value = value,
                                               .seq = pairs->n,
                                               .merged = merged};
        pairs->n++;
    }
    /* After its own keys: what is merged gives way to them. */
    for (yaml_node_pair_t *p = start; p < top && !bind->gave_up; p++) {
        yaml_node_t *key = node_at(bind, p->key);
        if (key->type == YAML_SCALAR_NODE && cw_str_eqz(scalar_text(key), "<<") &&
            key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            add_merge(bind, node_at(bind, p->value), pairs, depth + 1);
    }
}

/* The keys of a mapping in the order of the file, each once. */
static struct pairs pairs_of(struct cw_yaml_bind *bind, yaml_node_t *node, unsigned depth)
{
    struct pairs pairs = {NULL, 0, 0};
    add_mapping(bind, node, false, &pairs, depth);
    if (pairs.n < 2)
        return pairs;
    qsort(pairs.items, pairs.n, sizeof *pairs.items, pairs_order);
    for (size_t i = 1; i < pairs.n; i++) {
        struct pair *pair = &pairs.items[i];
        if (!cw_str_eq(pair->name, pairs.items[i - 1].name))
            continue;
        pair->dropped = true;
        if (!pair->merged)
            problem(bind, pair->key, "the key \"%.*s\" stands here a second time",
                    CW_STR_ARG(cw_str_sub(pair->name, 0, 80)));
    }
    qsort(pairs.items, pairs.n, sizeof *pairs.items, pairs_seq_order);
    size_t n = 0;
    for (size_t i = 0; i < pairs.n; i++) {
        if (!pairs.items[i].dropped)
            pairs.items[n++] = pairs.items[i];
    }
    pairs.n = n;
    return pairs;
}

/* ---- values ---- */

static struct path *path_new(struct cw_yaml_bind *bind, const struct path *up, struct cw_str name,
                             size_t idx)
{
    struct path *path = CW_ARENA_NEW(bind->arena, struct path);
    *path = (struct path){up, name, idx};
    return path;
}

static bool bind_scalar(struct cw_yaml_bind *bind, const struct cw_key_def *key, yaml_node_t *node,
                        void *at, const struct path *path)
{
    struct cw_value_rule rule = {key->kind, key->min, key->max, key->names};
    struct cw_err err;
    if (!wants_node(bind, node, YAML_SCALAR_NODE, key->kind, path) ||
        !afford(bind, node, scalar_text(node).len, 1))
        return false;
    if (cw_value_parse(&rule, scalar_text(node), bind->arena, at, &err) == 0)
        return true;
    problem(bind, node, "%s: %s", path_text(path).z, err.text);
    return false;
}

/* A scalar inside of a list or map, copied; null is empty. */
static bool bind_text(struct cw_yaml_bind *bind, yaml_node_t *node, struct cw_str *out,
                      const struct path *path, unsigned depth)
{
    *out = CW_STR("");
    if (!visit(bind, node, depth))
        return false;
    if (is_null(node))
        return true;
    if (!wants_node(bind, node, YAML_SCALAR_NODE, CW_KEY_STRING, path) ||
        !afford(bind, node, scalar_text(node).len + sizeof *out, 1))
        return false;
    *out = cw_arena_dup(bind->arena, scalar_text(node));
    return true;
}

/* "a, b" for a list. */
static bool bind_split(struct cw_yaml_bind *bind, yaml_node_t *node, struct cw_config_strings *out)
{
    struct cw_str text = scalar_text(node), piece;
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',';
    if (!afford(bind, node, n, sizeof *out->items + text.len))
        return false;
    *out = (struct cw_config_strings){CW_ARENA_ARRAY(bind->arena, struct cw_str, n), 0};
    while (cw_str_split(&text, ',', &piece))
        out->items[out->n++] = cw_arena_dup(bind->arena, cw_str_trim(piece));
    return true;
}

static bool bind_strings(struct cw_yaml_bind *bind, yaml_node_t *node, unsigned flags,
                         struct cw_config_strings *out, const struct path *path, unsigned depth)
{
    if ((flags & CW_KEY_ONE_OR_LIST) && node->type == YAML_SCALAR_NODE)
        return bind_split(bind, node, out);
    if (!wants_node(bind, node, YAML_SEQUENCE_NODE, CW_KEY_STRINGS, path))
        return false;
    yaml_node_item_t *start = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - start);
    if (!afford(bind, node, n, sizeof *out->items))
        return false;
    out->items = CW_ARENA_ARRAY(bind->arena, struct cw_str, n);
    out->n = n;
    bool good = true;
    for (size_t i = 0; i < n && !bind->gave_up; i++)
        good &= bind_text(bind, node_at(bind, start[i]), &out->items[i], path, depth + 1);
    return good;
}

static bool bind_map(struct cw_yaml_bind *bind, yaml_node_t *node, struct cw_config_map *out,
                     const struct path *path, unsigned depth)
{
    if (!wants_node(bind, node, YAML_MAPPING_NODE, CW_KEY_MAP, path))
        return false;
    struct pairs pairs = pairs_of(bind, node, depth + 1);
    if (!afford(bind, node, pairs.n, sizeof *out->items))
        return false;
    out->items = CW_ARENA_ARRAY(bind->arena, struct cw_config_pair, pairs.n);
    out->n = pairs.n;
    bool good = true;
    for (size_t i = 0; i < pairs.n && !bind->gave_up; i++) {
        good &= bind_text(bind, pairs.items[i].key, &out->items[i].name, path, depth + 1);
        good &= bind_text(bind, pairs.items[i].value, &out->items[i].value, path, depth + 1);
    }
    return good;
}

static bool bind_tables(struct cw_yaml_bind *bind, const struct cw_table_def *table,
                        yaml_node_t *node, struct cw_config_tables *out, const struct path *path,
                        unsigned depth)
{
    if (!wants_node(bind, node, YAML_SEQUENCE_NODE, CW_KEY_TABLES, path))
        return false;
    yaml_node_item_t *start = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - start);
    if (!afford(bind, node, n, table->size))
        return false;
    char *items = cw_arena_calloc(bind->arena, n, table->size);
    *out = (struct cw_config_tables){items, n};
    for (size_t i = 0; i < n; i++)
        cw_schema_defaults(table, bind->arena, items + i * table->size);
    for (size_t i = 0; i < n && !bind->gave_up; i++)
        bind_struct(bind, table, node_at(bind, start[i]), items + i * table->size,
                    path_new(bind, path, CW_STR_NONE, i), depth + 1);
    return true;
}

static bool bind_table_map(struct cw_yaml_bind *bind, const struct cw_key_def *key,
                           yaml_node_t *node, char *base, const struct path *path, unsigned depth)
{
    const struct cw_table_def *table = key->table;
    struct cw_config_table_map *out = (struct cw_config_table_map *)(base + key->offset);
    if (!wants_node(bind, node, YAML_MAPPING_NODE, CW_KEY_TABLE_MAP, path))
        return false;
    struct pairs pairs = pairs_of(bind, node, depth + 1);
    if (!afford(bind, node, pairs.n, table->size + sizeof *out->names))
        return false;
    char *items = cw_arena_calloc(bind->arena, pairs.n, table->size);
    out->names = CW_ARENA_ARRAY(bind->arena, struct cw_str, pairs.n);
    out->items = items;
    out->n = pairs.n;
    for (size_t i = 0; i < pairs.n; i++) {
        if (key->inherit != 0)
            memcpy(items + i * table->size, base + key->inherit - 1, table->size);
        else
            cw_schema_defaults(table, bind->arena, items + i * table->size);
    }
    for (size_t i = 0; i < pairs.n && !bind->gave_up; i++) {
        struct cw_err err = {0};
        if (bind_text(bind, pairs.items[i].key, &out->names[i], path, depth + 1) &&
            key->check_name != NULL && key->check_name(&out->names[i], &err) < 0)
            problem(bind, pairs.items[i].key, "%s: %s", path_text(path).z, err.text);
        bind_struct(bind, table, pairs.items[i].value, items + i * table->size,
                    path_new(bind, path, pairs.items[i].name, 0), depth + 1);
    }
    return true;
}

static bool bind_kind(struct cw_yaml_bind *bind, const struct cw_key_def *key, yaml_node_t *node,
                      char *base, const struct path *path, unsigned depth)
{
    void *at = base + key->offset;
    switch (key->kind) {
    case CW_KEY_STRINGS: return bind_strings(bind, node, key->flags, at, path, depth);
    case CW_KEY_MAP: return bind_map(bind, node, at, path, depth);
    case CW_KEY_TABLES: return bind_tables(bind, key->table, node, at, path, depth);
    case CW_KEY_TABLE_MAP: return bind_table_map(bind, key, node, base, path, depth);
    case CW_KEY_TABLE: bind_struct(bind, key->table, node, at, path, depth + 1); return true;
    default: return bind_scalar(bind, key, node, at, path);
    }
}

static void bind_value(struct cw_yaml_bind *bind, const struct cw_key_def *key, yaml_node_t *node,
                       char *base, const struct path *path, unsigned depth)
{
    size_t before = bind->problems->nerrors + bind->problems->nmore;
    if (!bind_kind(bind, key, node, base, path, depth) || key->check == NULL ||
        before != bind->problems->nerrors + bind->problems->nmore)
        return;
    struct cw_err err = {0};
    if (key->check(base + key->offset, &err) < 0)
        problem(bind, node, "%s: %s", path_text(path).z, err.text);
}

/* ---- structs ---- */

static void unknown_key(struct cw_yaml_bind *bind, const struct frame *frame, struct cw_str prefix,
                        const struct pair *pair, const struct path *path)
{
    size_t len = 0;
    struct cw_str name = cw_str_sub(pair->name, 0, 80);
    const char *near = cw_schema_nearest(frame->table, prefix, pair->name, &len);
    struct path_text in = path_text(path);
    problem(bind, pair->key, "unknown key \"%.*s\"%s%s%s%.*s%s", CW_STR_ARG(name),
            in.z[0] != '\0' ? " in " : "", in.z, near != NULL ? "; did you mean \"" : "", (int)len,
            near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* Row of the key prefix + name; *below tells whether rows lie below it ("name." is a prefix). */
static const struct cw_key_def *find_row(const struct cw_table_def *table, struct cw_str prefix,
                                         struct cw_str name, bool *below)
{
    *below = false;
    for (size_t i = 0; i < table->nkeys; i++) {
        struct cw_str key = cw_str_of(table->keys[i].name);
        if (!cw_str_starts(key, prefix))
            continue;
        struct cw_str rest = cw_str_sub(key, prefix.len, key.len);
        if (cw_str_eq(rest, name))
            return &table->keys[i];
        if (rest.len > name.len && rest.ptr[name.len] == '.' && cw_str_starts(rest, name))
            *below = true;
    }
    return NULL;
}

static void bind_level(struct cw_yaml_bind *bind, struct frame *frame, yaml_node_t *node,
                       struct cw_str prefix, const struct path *path, unsigned depth);

static void bind_pair(struct cw_yaml_bind *bind, struct frame *frame, const struct pair *pair,
                      struct cw_str prefix, const struct path *up, unsigned depth)
{
    bool below;
    const struct cw_key_def *key = find_row(frame->table, prefix, pair->name, &below);
    /* A dot in the file's key would match a row's path by accident. */
    if ((key == NULL && !below) || cw_str_find_byte(pair->name, '.') >= 0) {
        unknown_key(bind, frame, prefix, pair, up);
        return;
    }
    if (!visit(bind, pair->value, depth))
        return;
    if (key != NULL && (key->flags & CW_KEY_REFUSED)) {
        struct path_text in = path_text(up);
        problem(bind, pair->key, "%s%s\"%s\" is not supported: %s", in.z, in.z[0] ? ": " : "",
                key->name, key->doc);
        return;
    }
    if (key != NULL && key->kind == CW_KEY_IGNORED) {
        warning(bind, pair->key, key->name, key->doc);
        return;
    }
    if (key != NULL && key->seen != 0)
        *(bool *)(frame->base + key->seen - 1) = true;
    if (is_null(pair->value))
        return;
    struct path *path = path_new(bind, up, pair->name, 0);
    if (key == NULL) {
        size_t len = prefix.len + pair->name.len + 1;
        struct cw_str inner =
            cw_arena_printf(bind->arena, "%.*s%.*s.", CW_STR_ARG(prefix), CW_STR_ARG(pair->name));
        CW_ASSERT(inner.len == len);
        if (wants_node(bind, pair->value, YAML_MAPPING_NODE, CW_KEY_TABLE, path))
            bind_level(bind, frame, pair->value, inner, path, depth + 1);
        return;
    }
    frame->values[key - frame->table->keys] = pair->value;
    if (key->inherit != 0) {
        struct deferred *later = CW_ARENA_NEW(bind->arena, struct deferred);
        *later = (struct deferred){frame->later, key, pair->value, path, depth};
        frame->later = later;
        return;
    }
    bind_value(bind, key, pair->value, frame->base, path, depth);
}

static void bind_level(struct cw_yaml_bind *bind, struct frame *frame, yaml_node_t *node,
                       struct cw_str prefix, const struct path *path, unsigned depth)
{
    struct pairs pairs = pairs_of(bind, node, depth);
    for (size_t i = 0; i < pairs.n && !bind->gave_up; i++)
        bind_pair(bind, frame, &pairs.items[i], prefix, path, depth);
}

static bool row_seen(const struct frame *frame, size_t i)
{
    return *(const bool *)(frame->base + frame->table->keys[i].seen - 1);
}

/* A mapping of one key, which says what the mapping is. */
static void check_one_of(struct cw_yaml_bind *bind, const struct frame *frame, struct path_text in)
{
    const struct cw_table_def *table = frame->table;
    size_t n = 0, first = 0, second = 0;
    for (size_t i = 0; i < table->nkeys; i++) {
        if (!row_seen(frame, i))
            continue;
        if (n == 0)
            first = i;
        else if (n == 1)
            second = i;
        n++;
    }
    if (n == 0)
        problem(bind, frame->node, "%s: a %s is missing", in.z, table->name);
    else if (n > 1)
        problem(bind, frame->node, "%s: %s and %s are each a %s of its own, with a dash in front",
                in.z, table->keys[first].name, table->keys[second].name, table->name);
}

/* Where to tell what the check of a table found: at the value of the key that its sentence begins with, else at the mapping, which begins
 * with its one key where there is only one. */
static const yaml_node_t *place_of_rule(const struct frame *frame, const char *text)
{
    size_t len = strcspn(text, " :");
    for (size_t i = 0; !frame->table->one_of && i < frame->table->nkeys; i++) {
        if (frame->values[i] != NULL &&
            cw_str_eqz(cw_str_make(text, len), frame->table->keys[i].name))
            return frame->values[i];
    }
    return frame->node;
}

static void check_struct(struct cw_yaml_bind *bind, const struct frame *frame, size_t before)
{
    const struct cw_table_def *table = frame->table;
    struct path_text in = path_text(frame->path);
    for (size_t i = 0; i < table->nkeys; i++) {
        if ((table->keys[i].flags & CW_KEY_REQUIRED) && frame->values[i] == NULL)
            problem(bind, frame->node, "%s%sthe key \"%s\" is missing", in.z,
                    in.z[0] != '\0' ? ": " : "", table->keys[i].name);
    }
    if (table->one_of && before == bind->problems->nerrors + bind->problems->nmore)
        check_one_of(bind, frame, in);
    /* A rule between keys has nothing to say where one of them is wrong already. */
    if (table->check == NULL || before != bind->problems->nerrors + bind->problems->nmore)
        return;
    struct cw_err err = {0};
    int rc = table->check(frame->base, &err);
    if (rc < 0)
        problem(bind, place_of_rule(frame, err.text), "%s%s%s", in.z, in.z[0] != '\0' ? ": " : "",
                err.text);
    else if (rc > 0)
        warning(bind, frame->node, in.z, err.text);
}

static void bind_struct(struct cw_yaml_bind *bind, const struct cw_table_def *table,
                        yaml_node_t *node, void *base, const struct path *path, unsigned depth)
{
    struct frame frame = {.table = table, .base = base, .node = node, .path = path};
    size_t before = bind->problems->nerrors + bind->problems->nmore;
    if ((node != NULL && !visit(bind, node, depth)) ||
        !afford(bind, node, table->nkeys, sizeof(*frame.values)))
        return;
    frame.values = CW_ARENA_ARRAY(bind->arena, yaml_node_t *, table->nkeys);
    if (table->line > 0 && node != NULL) {
        size_t line, column;
        place_of(bind, node, &line, &column);
        *(size_t *)((char *)base + table->line - 1) = line + 1;
    }
    if (!is_null(node)) {
        if (!wants_node(bind, node, YAML_MAPPING_NODE, CW_KEY_TABLE, path))
            return;
        bind_level(bind, &frame, node, CW_STR(""), path, depth + 1);
    }
    for (struct deferred *later = frame.later; later != NULL; later = later->next)
        bind_value(bind, later->key, later->node, frame.base, later->path, later->depth);
    if (!bind->gave_up)
        check_struct(bind, &frame, before);
}

void cw_yaml_bind_root_list(struct cw_yaml_bind *bind, const struct cw_table_def *table, void *out)
{
    yaml_node_t *root = yaml_document_get_root_node(bind->document);
    if (!is_null(root))
        bind_tables(bind, table, root, out, NULL, 0);
}

void cw_yaml_bind_root(struct cw_yaml_bind *bind, const struct cw_table_def *table, void *out)
{
    bind_struct(bind, table, yaml_document_get_root_node(bind->document), out, NULL, 0);
}
