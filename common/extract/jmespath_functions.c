#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/jmespath_priv.h"

/* What an argument may be, as bits. */
enum {
    NUM = 1 << CW_JSON_TYPE_NUMBER,
    STR = 1 << CW_JSON_TYPE_STRING,
    BOOLEAN = 1 << CW_JSON_TYPE_BOOL,
    NOTHING = 1 << CW_JSON_TYPE_NULL,
    OBJECT = 1 << CW_JSON_TYPE_OBJECT,
    ARRAY = 1 << CW_JSON_TYPE_ARRAY,
    NUMS = 1 << 6, /* an array of them */
    STRS = 1 << 7,
    EXPREF = 1 << 8,
    ANY = NUM | STR | BOOLEAN | NOTHING | OBJECT | ARRAY,
};
enum { ARGS_MAX = 2, ENDLESS = 1 };
/* So many bytes of a text cost as much as a value. */
enum { BYTES_A_STEP = 16 };

struct arg {
    const struct cw_json_node *value; /* NULL: an expression */
    const struct jmes_node *expref;
};

struct jmes_function {
    const char *name;
    unsigned args[ARGS_MAX]; /* 0: no more */
    unsigned flags;          /* ENDLESS: the last one may repeat */
    const struct cw_json_node *(*fn)(struct jmes_run *run, const struct arg *args, size_t n);
};

typedef const struct cw_json_node *result;
#define VALUE(i) (args[i].value)

/* ---- numbers ---- */

static result f_abs(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_number(run, fabs(VALUE(0)->number));
}

static result f_ceil(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_number(run, ceil(VALUE(0)->number));
}

static result f_floor(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_number(run, floor(VALUE(0)->number));
}

static double sum_of(const struct cw_json_node *array)
{
    double sum = 0;
    for (size_t i = 0; i < array->n; i++)
        sum += array->items[i]->number;
    return sum;
}

static result f_sum(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_number(run, sum_of(VALUE(0)));
}

static result f_avg(struct jmes_run *run, const struct arg *args, size_t n)
{
    if (VALUE(0)->n == 0)
        return &cw_json_null_node;
    return cw_jmes_number(run, sum_of(VALUE(0)) / (double)VALUE(0)->n);
}

/* ---- texts ---- */

static result f_starts_with(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_bool(cw_str_starts(VALUE(0)->text, VALUE(1)->text));
}

static result f_ends_with(struct jmes_run *run, const struct arg *args, size_t n)
{
    return cw_jmes_bool(cw_str_ends(VALUE(0)->text, VALUE(1)->text));
}

/* A text that was composed; the buffer is done with. */
static result take_text(struct jmes_run *run, struct cw_buf *buf)
{
    result text = &cw_json_null_node;
    if (cw_buf_failed(buf))
        cw_jmes_fail(run, "a text becomes too long");
    else if (cw_jmes_step(run, buf->len / BYTES_A_STEP))
        text = cw_jmes_string(run, cw_arena_dup(run->arena, cw_buf_str(buf)));
    cw_buf_fini(buf);
    return text;
}

static result f_join(struct jmes_run *run, const struct arg *args, size_t n)
{
    struct cw_buf out;
    cw_buf_init(&out, CW_JMESPATH_RESULT_BYTES);
    for (size_t i = 0; i < VALUE(1)->n; i++) {
        if (i > 0)
            cw_buf_adds(&out, VALUE(0)->text);
        cw_buf_adds(&out, VALUE(1)->items[i]->text);
    }
    return take_text(run, &out);
}

static result f_to_string(struct jmes_run *run, const struct arg *args, size_t n)
{
    if (VALUE(0)->type == CW_JSON_TYPE_STRING)
        return VALUE(0);
    struct cw_buf out;
    cw_buf_init(&out, CW_JMESPATH_RESULT_BYTES);
    cw_json_tree_print(VALUE(0), &out);
    return take_text(run, &out);
}

static result f_to_number(struct jmes_run *run, const struct arg *args, size_t n)
{
    double number;
    if (VALUE(0)->type == CW_JSON_TYPE_NUMBER)
        return VALUE(0);
    if (VALUE(0)->type == CW_JSON_TYPE_STRING && cw_str_to_f64(VALUE(0)->text, &number) &&
        isfinite(number))
        return cw_jmes_number(run, number);
    return &cw_json_null_node;
}

/* ---- texts or arrays ---- */

static result f_contains(struct jmes_run *run, const struct arg *args, size_t n)
{
    result in = VALUE(0), what = VALUE(1);
    if (in->type == CW_JSON_TYPE_STRING)
        return cw_jmes_bool(what->type == CW_JSON_TYPE_STRING &&
                            cw_str_find(in->text, what->text) >= 0);
    for (size_t i = 0; i < in->n; i++) {
        if (cw_jmes_equal(run, in->items[i], what))
            return cw_jmes_bool(true);
    }
    return cw_jmes_bool(false);
}

static result f_length(struct jmes_run *run, const struct arg *args, size_t n)
{
    struct cw_str rest = VALUE(0)->text;
    uint32_t rune;
    size_t length = VALUE(0)->n;
    if (VALUE(0)->type == CW_JSON_TYPE_STRING) {
        for (length = 0; rest.len > 0; length++)
            rest = cw_str_sub(rest, cw_utf8_decode(rest, &rune), rest.len);
    }
    return cw_jmes_number(run, (double)length);
}

static struct cw_str reverse_text(struct jmes_run *run, struct cw_str text)
{
    char *out = cw_arena_alloc(run->arena, text.len);
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        size_t len = cw_utf8_decode(cw_str_sub(text, at, text.len), &rune);
        memcpy(out + text.len - at - len, text.ptr + at, len);
        at += len;
    }
    return cw_str_make(out, text.len);
}

static result f_reverse(struct jmes_run *run, const struct arg *args, size_t n)
{
    result from = VALUE(0);
    if (from->type == CW_JSON_TYPE_STRING)
        return cw_jmes_string(run, reverse_text(run, from->text));
    struct cw_json_node *out = cw_jmes_array(run, from->n);
    for (size_t i = from->n; i > 0 && run->failed == NULL; i--)
        out->items[out->n++] = from->items[i - 1];
    return out;
}

/* ---- order ---- */

struct keyed {
    result key, item;
    size_t at; /* equal ones stay in their order */
};

static int order_values(result a, result b)
{
    if (a->type == CW_JSON_TYPE_STRING)
        return cw_str_cmp(a->text, b->text);
    return a->number < b->number ? -1 : a->number > b->number;
}

static int order_keyed(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = order_values(x->key, y->key);
    return order != 0 ? order : x->at < y->at ? -1 : x->at > y->at;
}

/* The elements with their keys (themselves, without an expression), which are all numbers or all texts; NULL: they are not. */
static struct keyed *keys_of(struct jmes_run *run, result array, const struct jmes_node *expref)
{
    if (!cw_jmes_step(run, array->n))
        return NULL;
    struct keyed *keyed = CW_ARENA_ARRAY(run->arena, struct keyed, array->n);
    for (size_t i = 0; i < array->n; i++) {
        result item = array->items[i];
        keyed[i] = (struct keyed){expref != NULL ? cw_jmes_eval(run, expref, item) : item, item, i};
        enum cw_json_type type = keyed[i].key->type;
        if ((type != CW_JSON_TYPE_NUMBER && type != CW_JSON_TYPE_STRING) ||
            type != keyed[0].key->type)
            cw_jmes_fail(run, "what it orders is neither all numbers nor all texts");
        if (run->failed != NULL)
            return NULL;
    }
    return keyed;
}

static result sort_by(struct jmes_run *run, result array, const struct jmes_node *expref)
{
    struct keyed *keyed = keys_of(run, array, expref);
    struct cw_json_node *out = cw_jmes_array(run, array->n);
    if (run->failed != NULL || array->n == 0)
        return out;
    qsort(keyed, array->n, sizeof *keyed, order_keyed);
    for (size_t i = 0; i < array->n; i++)
        out->items[out->n++] = keyed[i].item;
    return out;
}

/* The first element whose key is largest (sign 1) or smallest (-1). */
static result extreme(struct jmes_run *run, result array, const struct jmes_node *expref, int sign)
{
    struct keyed *keyed = keys_of(run, array, expref);
    if (run->failed != NULL || array->n == 0)
        return &cw_json_null_node;
    size_t best = 0;
    for (size_t i = 1; i < array->n; i++) {
        if (order_values(keyed[i].key, keyed[best].key) * sign > 0)
            best = i;
    }
    return keyed[best].item;
}

static result f_sort(struct jmes_run *run, const struct arg *args, size_t n)
{
    return sort_by(run, VALUE(0), NULL);
}

static result f_sort_by(struct jmes_run *run, const struct arg *args, size_t n)
{
    return sort_by(run, VALUE(0), args[1].expref);
}

static result f_max(struct jmes_run *run, const struct arg *args, size_t n)
{
    return extreme(run, VALUE(0), NULL, 1);
}

static result f_max_by(struct jmes_run *run, const struct arg *args, size_t n)
{
    return extreme(run, VALUE(0), args[1].expref, 1);
}

static result f_min(struct jmes_run *run, const struct arg *args, size_t n)
{
    return extreme(run, VALUE(0), NULL, -1);
}

static result f_min_by(struct jmes_run *run, const struct arg *args, size_t n)
{
    return extreme(run, VALUE(0), args[1].expref, -1);
}

/* ---- objects and the rest ---- */

static result f_keys(struct jmes_run *run, const struct arg *args, size_t n)
{
    struct cw_json_node *out = cw_jmes_array(run, VALUE(0)->n);
    for (size_t i = 0; i < VALUE(0)->n && run->failed == NULL; i++)
        out->items[out->n++] = cw_jmes_string(run, VALUE(0)->keys[i]);
    return out;
}

static result f_values(struct jmes_run *run, const struct arg *args, size_t n)
{
    struct cw_json_node *out = cw_jmes_array(run, 0);
    out->items = VALUE(0)->items;
    out->n = VALUE(0)->n;
    return out;
}

static void put_member(struct jmes_run *run, struct cw_json_node *in, struct cw_str key,
                       result item)
{
    size_t at = 0;
    if (!cw_jmes_step(run, in->n))
        return;
    while (at < in->n && !cw_str_eq(in->keys[at], key))
        at++;
    in->keys[at] = key;
    in->items[at] = item;
    in->n = CW_MAX(in->n, at + 1);
}

static result f_merge(struct jmes_run *run, const struct arg *args, size_t n)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++)
        room += VALUE(i)->n;
    struct cw_json_node *out = cw_jmes_array(run, room);
    out->type = CW_JSON_TYPE_OBJECT;
    out->keys = run->failed == NULL ? CW_ARENA_ARRAY(run->arena, struct cw_str, room) : NULL;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < VALUE(i)->n && run->failed == NULL; j++)
            put_member(run, out, VALUE(i)->keys[j], VALUE(i)->items[j]);
    }
    return out;
}

static result f_map(struct jmes_run *run, const struct arg *args, size_t n)
{
    struct cw_json_node *out = cw_jmes_array(run, VALUE(1)->n);
    for (size_t i = 0; i < VALUE(1)->n && run->failed == NULL; i++) {
        result item = cw_jmes_eval(run, args[0].expref, VALUE(1)->items[i]);
        if (run->failed == NULL)
            out->items[out->n++] = item;
    }
    return out;
}

static result f_not_null(struct jmes_run *run, const struct arg *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (VALUE(i)->type != CW_JSON_TYPE_NULL)
            return VALUE(i);
    }
    return &cw_json_null_node;
}

static result f_to_array(struct jmes_run *run, const struct arg *args, size_t n)
{
    if (VALUE(0)->type == CW_JSON_TYPE_ARRAY)
        return VALUE(0);
    struct cw_json_node *out = cw_jmes_array(run, 1);
    if (run->failed == NULL)
        out->items[out->n++] = VALUE(0);
    return out;
}

static result f_type(struct jmes_run *run, const struct arg *args, size_t n)
{
    static const char *const names[] = {
        [CW_JSON_TYPE_STRING] = "string", [CW_JSON_TYPE_NUMBER] = "number",
        [CW_JSON_TYPE_BOOL] = "boolean",  [CW_JSON_TYPE_NULL] = "null",
        [CW_JSON_TYPE_OBJECT] = "object", [CW_JSON_TYPE_ARRAY] = "array",
    };
    return cw_jmes_string(run, cw_str_of(names[VALUE(0)->type]));
}

/* The only list of functions. */
static const struct jmes_function functions[] = {
    {"abs", {NUM}, 0, f_abs},
    {"avg", {NUMS}, 0, f_avg},
    {"ceil", {NUM}, 0, f_ceil},
    {"contains", {STR | ARRAY, ANY}, 0, f_contains},
    {"ends_with", {STR, STR}, 0, f_ends_with},
    {"floor", {NUM}, 0, f_floor},
    {"join", {STR, STRS}, 0, f_join},
    {"keys", {OBJECT}, 0, f_keys},
    {"length", {STR | ARRAY | OBJECT}, 0, f_length},
    {"map", {EXPREF, ARRAY}, 0, f_map},
    {"max", {NUMS | STRS}, 0, f_max},
    {"max_by", {ARRAY, EXPREF}, 0, f_max_by},
    {"merge", {OBJECT}, ENDLESS, f_merge},
    {"min", {NUMS | STRS}, 0, f_min},
    {"min_by", {ARRAY, EXPREF}, 0, f_min_by},
    {"not_null", {ANY}, ENDLESS, f_not_null},
    {"reverse", {STR | ARRAY}, 0, f_reverse},
    {"sort", {NUMS | STRS}, 0, f_sort},
    {"sort_by", {ARRAY, EXPREF}, 0, f_sort_by},
    {"starts_with", {STR, STR}, 0, f_starts_with},
    {"sum", {NUMS}, 0, f_sum},
    {"to_array", {ANY}, 0, f_to_array},
    {"to_number", {ANY}, 0, f_to_number},
    {"to_string", {ANY}, 0, f_to_string},
    {"type", {ANY}, 0, f_type},
    {"values", {OBJECT}, 0, f_values},
};

const struct jmes_function *cw_jmes_function(struct cw_str name)
{
    for (size_t i = 0; i < CW_COUNT(functions); i++) {
        if (cw_str_eqz(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

static size_t nargs_of(const struct jmes_function *function)
{
    return function->args[1] != 0 ? 2 : 1;
}

bool cw_jmes_takes(const struct jmes_function *function, size_t nargs)
{
    size_t want = nargs_of(function);
    return nargs == want || (nargs > want && function->flags & ENDLESS);
}

/* Each element is of that type. */
static bool all_of(result array, enum cw_json_type type)
{
    for (size_t i = 0; i < array->n; i++) {
        if (array->items[i]->type != type)
            return false;
    }
    return array->type == CW_JSON_TYPE_ARRAY;
}

static bool fits(const struct arg *arg, unsigned want)
{
    if (arg->value == NULL)
        return want & EXPREF;
    return (want & (1u << arg->value->type)) != 0 ||
           (want & NUMS && all_of(arg->value, CW_JSON_TYPE_NUMBER)) ||
           (want & STRS && all_of(arg->value, CW_JSON_TYPE_STRING));
}

const struct cw_json_node *cw_jmes_call(struct jmes_run *run, const struct jmes_node *call,
                                        const struct cw_json_node *value)
{
    struct arg *args = CW_ARENA_ARRAY(run->arena, struct arg, call->n);
    size_t last = nargs_of(call->function) - 1;
    for (size_t i = 0; i < call->n; i++) {
        const struct jmes_node *item = call->items[i];
        if (item->kind == JMES_EXPREF)
            args[i].expref = item->left;
        else
            args[i].value = cw_jmes_eval(run, item, value);
        if (run->failed == NULL && !fits(&args[i], call->function->args[CW_MIN(i, last)]))
            cw_jmes_fail(run, "a function does not take an argument of that type");
        if (run->failed != NULL)
            return &cw_json_null_node;
        if (args[i].value != NULL &&
            !cw_jmes_step(run, args[i].value->n + args[i].value->text.len / BYTES_A_STEP))
            return &cw_json_null_node;
    }
    result out = call->function->fn(run, args, call->n);
    return run->failed == NULL ? out : &cw_json_null_node;
}
