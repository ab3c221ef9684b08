#include "common/extract/extract_json.h"

#include "common/extract/json_scan.h"

static const struct cw_str parser_err = {"JSONParserErr", 13};

static struct cw_str decode_string(const struct cw_json_value *value,
                                   struct cw_label_builder *builder)
{
    struct cw_str text = value->text;
    if (value->escaped && !cw_json_unescape(text, builder->scratch, &text))
        return CW_STR("");
    return cw_label_builder_text(builder, text);
}

/* Loki takes the escapes out of an array's text as if it were a string's, but leaves an object as it is. */
static struct cw_str decode_array(struct cw_str text, struct cw_label_builder *builder)
{
    const struct cw_json_value as_string = {
        .type = CW_JSON_TYPE_STRING,
        .text = text,
        .escaped = cw_str_find_byte(text, '\\') >= 0,
    };
    return decode_string(&as_string, builder);
}

/* ---- all fields ---- */

enum walk_end { WALK_ON, WALK_DONE, WALK_BROKEN };

struct field_walk {
    struct cw_label_builder *builder;
    const struct cw_json_trace *trace;
    bool arrays;                            /* are they walked into? */
    struct cw_str keys[CW_JSON_SCAN_DEPTH]; /* that lead to the value; as far as the walk is deep */
};

static void add_field(struct field_walk *walk, struct cw_str prefix, struct cw_str key,
                      unsigned depth, const struct cw_json_value *value)
{
    struct cw_label_builder *builder = walk->builder;
    struct cw_str name = prefix.len > 0 ? cw_label_builder_join(builder, prefix, key)
                                        : cw_label_builder_clean(builder, key);
    /* A clash is told of a nested key before it is joined: where nothing was left of it, there are two underscores. */
    if (prefix.len > 0 && name.len == prefix.len &&
        cw_label_builder_name(builder, name).len > name.len)
        name = cw_label_builder_join(builder, prefix, CW_STR("_extracted"));
    if (!cw_label_builder_wants(builder, name, &name))
        return;
    cw_label_builder_add(builder, name,
                         value->type == CW_JSON_TYPE_STRING ? decode_string(value, builder)
                                                            : value->text);
    if (walk->trace != NULL)
        walk->trace->fn(walk->trace->arg, name, walk->keys, depth + 1);
}

static enum walk_end walk_object(struct field_walk *walk, struct cw_str data, struct cw_str prefix,
                                 unsigned depth);
static enum walk_end walk_array(struct field_walk *walk, struct cw_str data, struct cw_str prefix,
                                unsigned depth);

/* A member or an element. */
static enum walk_end walk_value_of(struct field_walk *walk, struct cw_str prefix, struct cw_str key,
                                   unsigned depth, const struct cw_json_value *value)
{
    struct cw_label_builder *builder = walk->builder;
    bool is_array = walk->arrays && value->type == CW_JSON_TYPE_ARRAY;
    walk->keys[depth] = key;
    if ((value->type == CW_JSON_TYPE_OBJECT || is_array) && depth + 1 < CW_JSON_SCAN_DEPTH) {
        struct cw_str inner = prefix.len > 0 ? cw_label_builder_join(builder, prefix, key)
                                             : cw_label_builder_clean(builder, key);
        if (!cw_label_builder_wants_prefix(builder, inner))
            return WALK_ON;
        return is_array ? walk_array(walk, value->text, inner, depth + 1)
                        : walk_object(walk, value->text, inner, depth + 1);
    }
    if (value->type > CW_JSON_TYPE_BOOL)
        return WALK_ON;
    add_field(walk, prefix, key, depth, value);
    return cw_label_builder_has_all(builder) ? WALK_DONE : WALK_ON;
}

static enum walk_end end_walk(struct field_walk *walk, const char *why)
{
    if (why == NULL)
        return WALK_ON;
    cw_label_builder_parse_error(walk->builder, parser_err, cw_str_of(why));
    return WALK_BROKEN;
}

static enum walk_end walk_object(struct field_walk *walk, struct cw_str data, struct cw_str prefix,
                                 unsigned depth)
{
    struct cw_json_members members;
    struct cw_json_value value;
    struct cw_str key;
    const char *why;
    cw_json_members_init(&members, data, walk->builder->scratch);
    while (cw_json_members_next(&members, &key, &value, &why)) {
        enum walk_end end = walk_value_of(walk, prefix, key, depth, &value);
        if (end != WALK_ON)
            return end;
    }
    return end_walk(walk, why);
}

/* Elements have their number as key; how many there are is a label as well. */
static enum walk_end walk_array(struct field_walk *walk, struct cw_str data, struct cw_str prefix,
                                unsigned depth)
{
    struct cw_arena *scratch = walk->builder->scratch;
    struct cw_json_elements elements;
    struct cw_json_value value;
    const char *why;
    size_t n = 0;
    cw_json_elements_init(&elements, data);
    for (; cw_json_elements_next(&elements, &value, &why); n++) {
        if (n >= CW_JSON_ARRAY_ELEMENTS)
            continue;
        enum walk_end end =
            walk_value_of(walk, prefix, cw_arena_printf(scratch, "%zu", n), depth, &value);
        if (end != WALK_ON)
            return end;
    }
    if (why != NULL)
        return end_walk(walk, why);
    struct cw_json_value length = {.type = CW_JSON_TYPE_NUMBER,
                                   .text = cw_arena_printf(scratch, "%zu", n)};
    return walk_value_of(walk, prefix, CW_STR("length"), depth, &length);
}

void cw_extract_json(struct cw_str line, const struct cw_json_trace *trace,
                     struct cw_label_builder *builder)
{
    struct field_walk walk;
    walk.builder = builder;
    walk.trace = trace;
    walk.arrays = false;
    if (!cw_label_builder_has_all(builder))
        walk_object(&walk, line, CW_STR_NONE, 0);
}

void cw_extract_json_arrays(struct cw_str line, struct cw_label_builder *builder)
{
    struct field_walk walk;
    walk.builder = builder;
    walk.trace = NULL;
    walk.arrays = true;
    if (cw_label_builder_has_all(builder))
        return;
    if (cw_str_starts(cw_str_trim(line), CW_STR("[")))
        walk_array(&walk, line, CW_STR_NONE, 0);
    else
        walk_object(&walk, line, CW_STR_NONE, 0);
}

/* ---- expressions ---- */

struct path_walk {
    const struct cw_json_expression *expressions;
    size_t n, nfound;
    size_t *matched; /* steps that lead to where the walk is; SIZE_MAX: found */
    struct cw_label_builder *builder;
};

static void take_value(struct path_walk *walk, size_t idx, const struct cw_json_value *value)
{
    struct cw_str text = value->text;
    walk->matched[idx] = SIZE_MAX;
    walk->nfound++;
    if (value->type == CW_JSON_TYPE_STRING)
        text = decode_string(value, walk->builder);
    else if (value->type == CW_JSON_TYPE_ARRAY)
        text = decode_array(text, walk->builder);
    else if (value->type == CW_JSON_TYPE_NULL)
        text = CW_STR("");
    /* What is asked for by name replaces what was parsed before, as in Loki. */
    cw_label_builder_add(walk->builder,
                         cw_label_builder_name(walk->builder, walk->expressions[idx].name), text);
}

/* Is `step` the way to a member (`key`) or element (`index`)? */
static bool leads_to(const struct cw_path_step *step, const struct cw_str *key, size_t index)
{
    return key != NULL ? !step->is_index && cw_str_eq(step->key, *key)
                       : step->is_index && step->index == index;
}

static void walk_value(struct path_walk *walk, size_t depth, const struct cw_json_value *value);

/* A value `depth` steps below the top: what ends here is found, what goes on goes deeper. */
static void visit(struct path_walk *walk, size_t depth, const struct cw_str *key, size_t index,
                  const struct cw_json_value *value)
{
    bool deeper = false;
    for (size_t i = 0; i < walk->n; i++) {
        const struct cw_json_path *path = &walk->expressions[i].path;
        if (walk->matched[i] != depth || !leads_to(&path->steps[depth], key, index))
            continue;
        if (path->n == depth + 1) {
            take_value(walk, i, value);
        } else {
            walk->matched[i] = depth + 1;
            deeper = true;
        }
    }
    if (!deeper)
        return;
    walk_value(walk, depth + 1, value);
    for (size_t i = 0; i < walk->n; i++)
        if (walk->matched[i] == depth + 1)
            walk->matched[i] = depth;
}

/* Paths that end at this member, whose value is broken, end here. False: there are none. */
static bool give_up(struct path_walk *walk, size_t depth, struct cw_str key)
{
    bool any = false;
    for (size_t i = 0; i < walk->n; i++)
        if (walk->matched[i] == depth && walk->expressions[i].path.n == depth + 1 &&
            leads_to(&walk->expressions[i].path.steps[depth], &key, 0)) {
            walk->matched[i] = SIZE_MAX;
            any = true;
        }
    return any;
}

/* A broken value is an error only where it is asked for, as in Loki. */
static void walk_members(struct path_walk *walk, size_t depth, struct cw_str data)
{
    struct cw_json_members members;
    struct cw_json_value value;
    struct cw_str key;
    const char *why = NULL;
    cw_json_members_init(&members, data, walk->builder->scratch);
    do {
        while (walk->nfound < walk->n && cw_json_members_seek(&members, &key, &value, &why))
            visit(walk, depth, &key, 0, &value);
        if (why != NULL && give_up(walk, depth, key))
            cw_label_builder_parse_error(walk->builder, parser_err, cw_str_of(why));
    } while (walk->nfound < walk->n && why != NULL);
}

static void walk_elements(struct path_walk *walk, size_t depth, struct cw_str data)
{
    struct cw_json_elements elements;
    struct cw_json_value value;
    const char *why;
    size_t index = 0;
    cw_json_elements_init(&elements, data);
    while (walk->nfound < walk->n && cw_json_elements_next(&elements, &value, &why))
        visit(walk, depth, NULL, index++, &value);
}

static void walk_value(struct path_walk *walk, size_t depth, const struct cw_json_value *value)
{
    if (depth >= CW_JSON_SCAN_DEPTH)
        return;
    if (value->type == CW_JSON_TYPE_OBJECT)
        walk_members(walk, depth, value->text);
    else if (value->type == CW_JSON_TYPE_ARRAY)
        walk_elements(walk, depth, value->text);
}

void cw_extract_json_paths(struct cw_str line, const struct cw_json_expression *expressions,
                           size_t n, struct cw_label_builder *builder)
{
    if (line.len == 0 || cw_label_builder_has_all(builder))
        return;
    if (strchr("\"{[", line.ptr[0]) == NULL || line.ptr[0] == '\0') {
        cw_label_builder_parse_error(builder, parser_err, CW_STR_NONE);
        return;
    }
    struct path_walk walk = {.expressions = expressions,
                             .n = n,
                             .matched = CW_ARENA_ARRAY(builder->scratch, size_t, n),
                             .builder = builder};
    if (line.ptr[0] == '{')
        walk_members(&walk, 0, line);
    else if (line.ptr[0] == '[')
        walk_elements(&walk, 0, line);
    for (size_t i = 0; i < n && walk.nfound < n; i++) {
        struct cw_str value;
        enum cw_label_category category;
        if (!cw_label_builder_get(builder, expressions[i].name, &value, &category))
            cw_label_builder_add(builder, expressions[i].name, CW_STR(""));
    }
}

/* ---- unpack ---- */

struct packed {
    struct cw_str key; /* then the label's name; empty: it is not wanted */
    struct cw_json_value value;
};

/* The key as it stands may clash; then it is cleaned. Of one that is there twice the last counts here. */
static void add_packed(struct packed *items, size_t n, struct cw_label_builder *builder)
{
    for (size_t i = 0; i < n; i++) {
        struct cw_str name = cw_label_builder_name(builder, items[i].key);
        bool is_new = !cw_label_builder_parsed(builder, name);
        items[i].key = is_new ? cw_label_builder_clean(builder, name) : CW_STR_NONE;
        if (!cw_label_builder_needs(builder, items[i].key))
            items[i].key = CW_STR_NONE;
    }
    for (size_t i = 0; i < n; i++)
        if (items[i].key.len > 0)
            cw_label_builder_add(builder, items[i].key, decode_string(&items[i].value, builder));
}

struct cw_str cw_extract_unpack(struct cw_str line, struct cw_label_builder *builder)
{
    if (line.len == 0 || cw_label_builder_has_all(builder))
        return line;
    if (line.ptr[0] != '{') {
        cw_label_builder_parse_error(builder, parser_err,
                                     CW_STR("expecting json object(6), but it is not"));
        return line;
    }
    struct cw_json_members members;
    struct packed item, *items = NULL;
    struct cw_str entry = CW_STR_NONE;
    size_t n = 0, cap = 0;
    bool has_entry = false;
    const char *why;
    cw_json_members_init(&members, line, builder->scratch);
    while (cw_json_members_next(&members, &item.key, &item.value, &why)) {
        if (item.value.type != CW_JSON_TYPE_STRING)
            continue;
        if (!cw_str_eqz(item.key, "_entry")) {
            items = cw_arena_grow(builder->scratch, items, n, &cap, n + 1, sizeof *items);
            items[n++] = item;
            continue;
        }
        entry = item.value.text;
        has_entry = true;
        if (item.value.escaped && !cw_json_unescape(entry, builder->scratch, &entry)) {
            why = "Encountered an invalid escape sequence in a string";
            break;
        }
    }
    if (why != NULL) {
        cw_label_builder_parse_error(builder, parser_err, cw_str_of(why));
        return line;
    }
    if (!has_entry)
        return line;
    add_packed(items, n, builder);
    return entry;
}
