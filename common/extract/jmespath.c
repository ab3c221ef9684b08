#include "common/extract/jmespath.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/float_text.h"
#include "common/extract/jmespath_priv.h"
#include "common/extract/json_strict.h"

/* A step of the paths that expressions begin with, and what is wanted there. */
struct path_node {
    struct cw_str key;
    int64_t index;
    struct path_node *keys, *elements; /* the first of the steps that lead on */
    struct path_node *next;            /* the next one beside this */
    struct wanted *wanted;
};
struct wanted {
    size_t idx; /* of the expression */
    struct wanted *next;
};

struct cw_jmespath_set {
    struct cw_arena *arena;
    struct path_node root;
    const struct jmes_node **rests; /* of each expression what follows its path; NULL: nothing */
    size_t n;
};

/* ---- making a set ---- */

static struct path_node *step_to(struct cw_jmespath_set *set, struct path_node *from,
                                 const struct jmes_node *step)
{
    bool is_key = step->kind == JMES_FIELD;
    struct path_node **at = is_key ? &from->keys : &from->elements;
    for (; *at != NULL; at = &(*at)->next) {
        if (is_key ? cw_str_eq((*at)->key, step->name) : (*at)->index == step->index)
            return *at;
    }
    *at = CW_ARENA_NEW(set->arena, struct path_node);
    (*at)->key = cw_arena_dup(set->arena, step->name);
    (*at)->index = step->index;
    return *at;
}

/* Take the plain steps at the innermost left end of an expression, where it begins, off it: *at goes along them. Returns what
 * is left of it; NULL: nothing. */
static struct jmes_node *take_path(struct cw_jmespath_set *set, struct jmes_node *node,
                                   struct path_node **at)
{
    struct jmes_node *rest;
    switch (node->kind) {
    case JMES_CURRENT: return NULL;
    case JMES_FIELD: *at = step_to(set, *at, node); return NULL;
    case JMES_INDEX:
        if (node->index < 0) /* counted from the end: the array is needed */
            return node;
        *at = step_to(set, *at, node);
        return NULL;
    case JMES_CHAIN:
        rest = take_path(set, node->left, at);
        if (rest == NULL)
            return take_path(set, node->right, at);
        node->left = rest;
        return node;
    case JMES_PROJECT:
    case JMES_VALUES:
    case JMES_FILTER:
    case JMES_FLATTEN:
        rest = take_path(set, node->left, at);
        if (rest == NULL) {
            rest = CW_ARENA_NEW(set->arena, struct jmes_node);
            rest->kind = JMES_CURRENT;
        }
        node->left = rest;
        return node;
    default: return node;
    }
}

static int add_expression(struct cw_jmespath_set *set, size_t idx, struct cw_str text,
                          struct cw_err *err)
{
    struct jmes_node *node;
    struct path_node *at = &set->root;
    int rc = cw_jmes_parse(cw_arena_dup(set->arena, text), set->arena, &node, err);
    if (rc < 0)
        return rc;
    set->rests[idx] = take_path(set, node, &at);
    struct wanted *wanted = CW_ARENA_NEW(set->arena, struct wanted);
    wanted->idx = idx;
    wanted->next = at->wanted;
    at->wanted = wanted;
    return 0;
}

int cw_jmespath_set_new(const struct cw_str *expressions, size_t n, struct cw_jmespath_set **out,
                        struct cw_err *err)
{
    struct cw_jmespath_set *set = cw_mem_new(sizeof *set);
    set->arena = cw_arena_new();
    set->rests = CW_ARENA_ARRAY(set->arena, const struct jmes_node *, n);
    set->n = n;
    for (size_t i = 0; i < n; i++) {
        int rc = add_expression(set, i, expressions[i], err);
        if (rc < 0) {
            cw_jmespath_set_free(&set);
            return rc;
        }
    }
    *out = set;
    return 0;
}

void cw_jmespath_set_free(struct cw_jmespath_set **set)
{
    if (*set == NULL)
        return;
    cw_arena_free(&(*set)->arena);
    free(*set);
    *set = NULL;
}

/* ---- along the paths ---- */

struct search {
    struct cw_json_walk walk;
    struct cw_arena *arena;
    struct cw_json_value *found; /* of each expression; text.ptr NULL: nothing is there */
};

static bool walk_along(struct search *search, const struct path_node *node,
                       struct cw_json_value *value);

/* A key that stands twice: what was found below the first one does not count. */
static void forget_below(struct search *search, const struct path_node *node)
{
    const struct path_node *lists[] = {node->keys, node->elements};
    for (size_t i = 0; i < 2; i++) {
        for (const struct path_node *child = lists[i]; child != NULL; child = child->next) {
            for (const struct wanted *w = child->wanted; w != NULL; w = w->next)
                search->found[w->idx].text = CW_STR_NONE;
            forget_below(search, child);
        }
    }
}

static const struct path_node *child_of_key(struct search *search, const struct path_node *node,
                                            struct cw_str key, bool escaped)
{
    if (escaped)
        key = cw_json_unescape_go(key, search->arena);
    const struct path_node *child = node->keys;
    while (child != NULL && !cw_str_eq(child->key, key))
        child = child->next;
    return child;
}

static bool walk_object(struct search *search, const struct path_node *node)
{
    struct cw_json_value value;
    int state = -1;
    if (!cw_json_walk_enter(&search->walk))
        return false;
    for (size_t n = 0; (state = cw_json_walk_next(&search->walk, n, '}')) > 0; n++) {
        struct cw_str key;
        bool escaped;
        if (!cw_json_walk_key(&search->walk, &key, &escaped))
            return false;
        const struct path_node *child = child_of_key(search, node, key, escaped);
        if (child == NULL ? !cw_json_walk_value(&search->walk, &value)
                          : !walk_along(search, child, &value))
            return false;
    }
    return state == 0;
}

static bool walk_array(struct search *search, const struct path_node *node)
{
    struct cw_json_value value;
    int state = -1;
    if (!cw_json_walk_enter(&search->walk))
        return false;
    for (size_t n = 0; (state = cw_json_walk_next(&search->walk, n, ']')) > 0; n++) {
        const struct path_node *child = node->elements;
        while (child != NULL && child->index != (int64_t)n)
            child = child->next;
        if (child == NULL ? !cw_json_walk_value(&search->walk, &value)
                          : !walk_along(search, child, &value))
            return false;
    }
    return state == 0;
}

/* The value that stands next, at `node`. */
static bool walk_along(struct search *search, const struct path_node *node,
                       struct cw_json_value *value)
{
    struct cw_json_walk *walk = &search->walk;
    cw_json_walk_space(walk);
    const char *from = walk->at;
    char first = from < walk->end ? *from : '\0';
    bool ok;
    forget_below(search, node);
    if (first == '{' && node->keys != NULL) {
        value->type = CW_JSON_TYPE_OBJECT;
        ok = walk_object(search, node);
        value->text = cw_str_make(from, (size_t)(walk->at - from));
    } else if (first == '[' && node->elements != NULL) {
        value->type = CW_JSON_TYPE_ARRAY;
        ok = walk_array(search, node);
        value->text = cw_str_make(from, (size_t)(walk->at - from));
    } else {
        ok = cw_json_walk_value(walk, value);
    }
    for (const struct wanted *w = node->wanted; w != NULL; w = w->next)
        search->found[w->idx] = *value;
    return ok;
}

/* ---- results ---- */

/* A number of at most 15 digits (no two of those are the same double) and no exponent is written the same way again, but for zeros
 * at its end. */
static bool is_shortest(struct cw_str text)
{
    bool point = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.')
            point = true;
        else if (text.ptr[i] == 'e' || text.ptr[i] == 'E')
            return false;
    }
    return text.len <= 15 && !(point && text.ptr[text.len - 1] == '0');
}

static bool number_result(double number, struct cw_arena *arena, struct cw_jmespath_result *out)
{
    struct cw_buf buf;
    if (!isfinite(number))
        return false;
    cw_buf_init(&buf, 512); /* 1.7e308 has 309 digits, 5e-324 326 */
    cw_float_text_plain(number, &buf);
    *out = (struct cw_jmespath_result){CW_JMESPATH_NUMBER, cw_arena_dup(arena, cw_buf_str(&buf))};
    cw_buf_fini(&buf);
    return true;
}

static void tree_result(const struct cw_json_node *node, struct cw_arena *arena,
                        struct cw_jmespath_result *out)
{
    struct cw_buf buf;
    *out = (struct cw_jmespath_result){CW_JMESPATH_NULL, CW_STR_NONE};
    switch (node->type) {
    case CW_JSON_TYPE_NULL: return;
    case CW_JSON_TYPE_STRING:
        *out = (struct cw_jmespath_result){CW_JMESPATH_STRING, node->text};
        return;
    case CW_JSON_TYPE_BOOL:
        *out = (struct cw_jmespath_result){CW_JMESPATH_BOOL,
                                           node->truth ? CW_STR("true") : CW_STR("false")};
        return;
    case CW_JSON_TYPE_NUMBER:
        if (!number_result(node->number, arena, out))
            out->type = CW_JMESPATH_NONE;
        return;
    case CW_JSON_TYPE_OBJECT:
    case CW_JSON_TYPE_ARRAY: break;
    }
    cw_buf_init(&buf, CW_JMESPATH_RESULT_BYTES);
    cw_json_tree_print(node, &buf);
    out->type = cw_buf_failed(&buf) ? CW_JMESPATH_NONE : CW_JMESPATH_JSON;
    if (!cw_buf_failed(&buf))
        out->text = cw_arena_dup(arena, cw_buf_str(&buf));
    cw_buf_fini(&buf);
}

bool cw_jmespath_value(const struct cw_json_value *value, struct cw_arena *arena,
                       struct cw_jmespath_result *out)
{
    const struct cw_json_node *tree;
    double number;
    *out = (struct cw_jmespath_result){CW_JMESPATH_NULL, CW_STR_NONE};
    switch (value->type) {
    case CW_JSON_TYPE_NULL: return true;
    case CW_JSON_TYPE_STRING:
        *out = (struct cw_jmespath_result){CW_JMESPATH_STRING, value->text};
        if (value->escaped)
            out->text = cw_json_unescape_go(value->text, arena);
        return true;
    case CW_JSON_TYPE_BOOL:
        *out = (struct cw_jmespath_result){CW_JMESPATH_BOOL, value->text};
        return true;
    case CW_JSON_TYPE_NUMBER:
        *out = (struct cw_jmespath_result){CW_JMESPATH_NUMBER, value->text};
        if (is_shortest(value->text))
            return true;
        return cw_str_to_f64(value->text, &number) && number_result(number, arena, out);
    case CW_JSON_TYPE_OBJECT:
    case CW_JSON_TYPE_ARRAY: break;
    }
    if (!cw_json_tree_parse(value->text, arena, &tree))
        return false;
    tree_result(tree, arena, out);
    return true;
}

/* Of the rest of an expression, on what stands at its path. */
static bool rest_result(const struct jmes_node *rest, const struct cw_json_value *value,
                        struct cw_arena *arena, struct cw_jmespath_result *out)
{
    const struct cw_json_node *tree = &cw_json_null_node;
    struct jmes_run run = {.arena = arena};
    if (value->text.ptr != NULL && value->type == CW_JSON_TYPE_STRING) {
        struct cw_json_node *node = CW_ARENA_NEW(arena, struct cw_json_node);
        node->type = CW_JSON_TYPE_STRING;
        node->text = value->escaped ? cw_json_unescape_go(value->text, arena) : value->text;
        tree = node;
    } else if (value->text.ptr != NULL && !cw_json_tree_parse(value->text, arena, &tree)) {
        return false;
    }
    const struct cw_json_node *node = cw_jmes_eval(&run, rest, tree);
    *out = (struct cw_jmespath_result){CW_JMESPATH_NONE, CW_STR_NONE};
    if (run.failed == NULL)
        tree_result(node, arena, out);
    return true;
}

bool cw_jmespath_set_search(const struct cw_jmespath_set *set, struct cw_str line,
                            struct cw_arena *arena, struct cw_jmespath_result *results)
{
    if (line.len == 0)
        return false; /* no JSON, and perhaps no pointer */
    struct search search = {
        .walk = {line.ptr, line.ptr + line.len},
        .arena = arena,
        .found = CW_ARENA_ARRAY(arena, struct cw_json_value, set->n),
    };
    struct cw_json_value whole;
    if (!walk_along(&search, &set->root, &whole) || !cw_json_walk_done(&search.walk) ||
        (whole.type != CW_JSON_TYPE_OBJECT && whole.type != CW_JSON_TYPE_NULL))
        return false;
    struct cw_jmespath_result *done = CW_ARENA_ARRAY(arena, struct cw_jmespath_result, set->n);
    for (size_t i = 0; i < set->n; i++) {
        const struct cw_json_value *found = &search.found[i];
        if (set->rests[i] != NULL) {
            if (!rest_result(set->rests[i], found, arena, &done[i]))
                return false;
        } else if (found->text.ptr == NULL) {
            done[i].type = CW_JMESPATH_NULL;
        } else if (!cw_jmespath_value(found, arena, &done[i])) {
            return false;
        }
    }
    memcpy(results, done, set->n * sizeof *done);
    return true;
}
