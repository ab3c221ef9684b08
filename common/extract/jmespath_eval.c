#include "common/base/assert.h"
#include "common/extract/jmespath_priv.h"

const struct cw_json_node *cw_jmes_fail(struct jmes_run *run, const char *why)
{
    if (run->failed == NULL)
        run->failed = why;
    return &cw_json_null_node;
}

bool cw_jmes_step(struct jmes_run *run, size_t n)
{
    if (run->failed == NULL && n > CW_JMESPATH_STEPS - run->nsteps)
        cw_jmes_fail(run, "it takes too many steps");
    if (run->failed != NULL)
        return false;
    run->nsteps += (unsigned)n;
    return true;
}

const struct cw_json_node *cw_jmes_bool(bool truth)
{
    return truth ? &cw_json_true_node : &cw_json_false_node;
}

static struct cw_json_node *new_node(struct jmes_run *run, enum cw_json_type type)
{
    struct cw_json_node *node = CW_ARENA_NEW(run->arena, struct cw_json_node);
    node->type = type;
    return node;
}

const struct cw_json_node *cw_jmes_number(struct jmes_run *run, double number)
{
    struct cw_json_node *node = new_node(run, CW_JSON_TYPE_NUMBER);
    node->number = number;
    return node;
}

const struct cw_json_node *cw_jmes_string(struct jmes_run *run, struct cw_str text)
{
    struct cw_json_node *node = new_node(run, CW_JSON_TYPE_STRING);
    node->text = text;
    return node;
}

struct cw_json_node *cw_jmes_array(struct jmes_run *run, size_t room)
{
    struct cw_json_node *node = new_node(run, CW_JSON_TYPE_ARRAY);
    if (cw_jmes_step(run, room))
        node->items = CW_ARENA_ARRAY(run->arena, const struct cw_json_node *, room);
    return node;
}

/* ---- truth and order ---- */

static bool is_true(const struct cw_json_node *value)
{
    switch (value->type) {
    case CW_JSON_TYPE_NULL: return false;
    case CW_JSON_TYPE_BOOL: return value->truth;
    case CW_JSON_TYPE_STRING: return value->text.len > 0;
    case CW_JSON_TYPE_NUMBER: return true;
    default: return value->n > 0;
    }
}

static bool equal_objects(struct jmes_run *run, const struct cw_json_node *a,
                          const struct cw_json_node *b)
{
    for (size_t i = 0; i < a->n; i++) {
        if (!cw_jmes_step(run, b->n))
            return false;
        const struct cw_json_node *other = cw_json_tree_member(b, a->keys[i]);
        if (other == NULL || !cw_jmes_equal(run, a->items[i], other))
            return false;
    }
    return true;
}

bool cw_jmes_equal(struct jmes_run *run, const struct cw_json_node *a, const struct cw_json_node *b)
{
    if (!cw_jmes_step(run, 1) || a->type != b->type || a->n != b->n)
        return false;
    switch (a->type) {
    case CW_JSON_TYPE_NULL: return true;
    case CW_JSON_TYPE_BOOL: return a->truth == b->truth;
    case CW_JSON_TYPE_STRING: return cw_str_eq(a->text, b->text);
    case CW_JSON_TYPE_NUMBER: return a->number == b->number;
    case CW_JSON_TYPE_OBJECT: return equal_objects(run, a, b);
    case CW_JSON_TYPE_ARRAY: break;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (!cw_jmes_equal(run, a->items[i], b->items[i]))
            return false;
    }
    return true;
}

static const struct cw_json_node *compare(struct jmes_run *run, enum jmes_op op,
                                          const struct cw_json_node *a,
                                          const struct cw_json_node *b)
{
    if (op == JMES_EQ || op == JMES_NE)
        return cw_jmes_bool(cw_jmes_equal(run, a, b) == (op == JMES_EQ));
    if (a->type != CW_JSON_TYPE_NUMBER || b->type != CW_JSON_TYPE_NUMBER)
        return &cw_json_null_node;
    switch (op) {
    case JMES_LT: return cw_jmes_bool(a->number < b->number);
    case JMES_LE: return cw_jmes_bool(a->number <= b->number);
    case JMES_GT: return cw_jmes_bool(a->number > b->number);
    default: return cw_jmes_bool(a->number >= b->number);
    }
}

/* ---- arrays ---- */

static const struct cw_json_node *element(const struct cw_json_node *array, int64_t index)
{
    if (array->type != CW_JSON_TYPE_ARRAY)
        return &cw_json_null_node;
    if (index < 0)
        index += (int64_t)array->n;
    return index >= 0 && index < (int64_t)array->n ? array->items[index] : &cw_json_null_node;
}

/* A bound of a slice, counted from the front and clamped to what a walk in that direction needs. */
static int64_t slice_bound(const struct jmes_node *node, size_t part, int64_t n, int64_t step)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    if (!node->has[part])
        return (part == 0) == (step > 0) ? low : high;
    int64_t bound = node->part[part];
    if (bound < 0)
        bound = bound < -n ? -1 : bound + n;
    return bound < low ? low : bound > high ? high : bound;
}

static const struct cw_json_node *slice(struct jmes_run *run, const struct jmes_node *node,
                                        const struct cw_json_node *array)
{
    int64_t step = node->has[2] ? node->part[2] : 1;
    if (array->type != CW_JSON_TYPE_ARRAY)
        return &cw_json_null_node;
    if (step == 0)
        return cw_jmes_fail(run, "the step of a slice is 0");
    int64_t n = (int64_t)array->n;
    if (step > n)
        step = n + 1;
    if (step < -n)
        step = -n - 1;
    int64_t from = slice_bound(node, 0, n, step), to = slice_bound(node, 1, n, step);
    struct cw_json_node *out = cw_jmes_array(run, array->n);
    for (int64_t i = from; run->failed == NULL && (step > 0 ? i < to : i > to); i += step)
        out->items[out->n++] = array->items[i];
    return out;
}

static const struct cw_json_node *flatten(struct jmes_run *run, const struct cw_json_node *array)
{
    if (array->type != CW_JSON_TYPE_ARRAY)
        return &cw_json_null_node;
    size_t n = 0;
    for (size_t i = 0; i < array->n; i++) {
        size_t inner = array->items[i]->type == CW_JSON_TYPE_ARRAY ? array->items[i]->n : 1;
        if (!cw_jmes_step(run, inner)) /* and so the sum is bounded */
            return &cw_json_null_node;
        n += inner;
    }
    struct cw_json_node *out = cw_jmes_array(run, n);
    for (size_t i = 0; i < array->n && run->failed == NULL; i++) {
        const struct cw_json_node *item = array->items[i];
        if (item->type != CW_JSON_TYPE_ARRAY) {
            out->items[out->n++] = item;
            continue;
        }
        for (size_t j = 0; j < item->n; j++)
            out->items[out->n++] = item->items[j];
    }
    return out;
}

static const struct cw_json_node *project(struct jmes_run *run, const struct jmes_node *node,
                                          const struct cw_json_node *value)
{
    const struct cw_json_node *from = cw_jmes_eval(run, node->left, value);
    if (from->type != (node->kind == JMES_VALUES ? CW_JSON_TYPE_OBJECT : CW_JSON_TYPE_ARRAY))
        return &cw_json_null_node;
    struct cw_json_node *out = cw_jmes_array(run, from->n);
    for (size_t i = 0; i < from->n && run->failed == NULL; i++) {
        if (node->kind == JMES_FILTER &&
            !is_true(cw_jmes_eval(run, node->condition, from->items[i])))
            continue;
        const struct cw_json_node *item = cw_jmes_eval(run, node->right, from->items[i]);
        if (item->type != CW_JSON_TYPE_NULL)
            out->items[out->n++] = item;
    }
    return out;
}

static const struct cw_json_node *select_many(struct jmes_run *run, const struct jmes_node *node,
                                              const struct cw_json_node *value)
{
    if (value->type == CW_JSON_TYPE_NULL)
        return value;
    struct cw_json_node *out = cw_jmes_array(run, node->n);
    if (node->kind == JMES_HASH) {
        out->type = CW_JSON_TYPE_OBJECT;
        out->keys = CW_ARENA_ARRAY(run->arena, struct cw_str, node->n);
    }
    for (size_t i = 0; i < node->n && run->failed == NULL; i++) {
        size_t at = out->n;
        const struct cw_json_node *item = cw_jmes_eval(run, node->items[i], value);
        if (node->kind == JMES_HASH) {
            for (at = 0; at < out->n && !cw_str_eq(out->keys[at], node->keys[i]);)
                at++;
            out->keys[at] = node->keys[i];
        }
        if (run->failed == NULL)
            out->items[at] = item;
        out->n = CW_MAX(out->n, at + 1);
    }
    return run->failed == NULL ? out : &cw_json_null_node;
}

const struct cw_json_node *cw_jmes_eval(struct jmes_run *run, const struct jmes_node *node,
                                        const struct cw_json_node *value)
{
    const struct cw_json_node *left;
    if (!cw_jmes_step(run, 1))
        return &cw_json_null_node;
    switch (node->kind) {
    case JMES_CURRENT: return value;
    case JMES_FIELD:
        left = cw_json_tree_member(value, node->name);
        return left != NULL ? left : &cw_json_null_node;
    case JMES_INDEX: return element(value, node->index);
    case JMES_SLICE: return slice(run, node, value);
    case JMES_CHAIN: return cw_jmes_eval(run, node->right, cw_jmes_eval(run, node->left, value));
    case JMES_PROJECT:
    case JMES_VALUES:
    case JMES_FILTER: return project(run, node, value);
    case JMES_FLATTEN: return flatten(run, cw_jmes_eval(run, node->left, value));
    case JMES_COMPARE:
        left = cw_jmes_eval(run, node->left, value);
        return compare(run, node->op, left, cw_jmes_eval(run, node->right, value));
    case JMES_OR:
        left = cw_jmes_eval(run, node->left, value);
        return is_true(left) ? left : cw_jmes_eval(run, node->right, value);
    case JMES_AND:
        left = cw_jmes_eval(run, node->left, value);
        return is_true(left) ? cw_jmes_eval(run, node->right, value) : left;
    case JMES_NOT: return cw_jmes_bool(!is_true(cw_jmes_eval(run, node->left, value)));
    case JMES_LIST:
    case JMES_HASH: return select_many(run, node, value);
    case JMES_LITERAL: return node->literal;
    case JMES_CALL: return cw_jmes_call(run, node, value);
    case JMES_EXPREF: break;
    }
    return cw_jmes_fail(run, "'&' stands where no function takes it");
}
