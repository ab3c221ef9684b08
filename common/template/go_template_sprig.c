/* The functions that promtail's templates have besides those of LogQL: its own, and sprig's that are in use. What reads the machine
 * (env) or draws by chance is not among them: the same line gives the same text. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/digest.h"
#include "common/template/go_template_math.h"
#include "common/template/go_template_sprig_priv.h"
#include "common/template/go_template_strings.h"
#include "common/wire/json_writer.h"

static int give_text(struct cw_go_value *out, struct cw_str text)
{
    *out = cw_go_string(text);
    return 0;
}

/* sprig's strval: a text as it is, anything else as %v prints it. */
int cw_gt_text_of(struct cw_go_template_run *run, struct cw_go_value value, struct cw_str *out)
{
    value = cw_gt_unbox(value);
    *out = value.kind == CW_GO_STRING ? value.text : CW_STR_NONE;
    if (value.kind == CW_GO_STRING)
        return 0;
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    cw_go_print_value(value, &text);
    int rc = cw_buf_failed(&text)
                 ? cw_gt_fail_limit(run, "the template makes more text than it may")
                 : cw_gt_spend(run, 0, text.len);
    if (rc == 0)
        *out = cw_arena_dup(run->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return rc;
}

static bool is_nothing(struct cw_go_value value)
{
    return cw_gt_unbox(value).kind == CW_GO_INVALID;
}

/* ---- lists ---- */

int cw_gt_list_add(struct cw_go_template_run *run, struct cw_gt_list_builder *list,
                   struct cw_go_value value)
{
    if (cw_gt_spend(run, 1, 0) < 0)
        return -1;
    list->items = cw_arena_grow(run->arena, list->items, list->n, &list->cap, list->n + 1,
                                sizeof *list->items);
    value.boxed = true;
    list->items[list->n++] = value;
    return 0;
}

int cw_gt_give_list(struct cw_go_template_run *run, const struct cw_gt_list_builder *list,
                    struct cw_go_value *out)
{
    struct cw_go_list *made = CW_ARENA_NEW(run->arena, struct cw_go_list);
    *made = (struct cw_go_list){list->items, list->n, list->n};
    *out = (struct cw_go_value){.kind = CW_GO_LIST, .list = made};
    return 0;
}

static int give_item(struct cw_go_value item, struct cw_go_value *out)
{
    *out = item;
    out->boxed = true;
    return 0;
}

static int give_nil(struct cw_go_value *out)
{
    *out = (struct cw_go_value){.kind = CW_GO_NIL, .boxed = true};
    return 0;
}

int cw_gt_want_list(struct cw_go_template_run *run, const char *name, struct cw_go_value value,
                    const struct cw_go_list **out)
{
    static const struct cw_go_list none;
    *out = &none;
    value = cw_gt_unbox(value);
    if (value.kind != CW_GO_LIST)
        return cw_gt_fail(run, "Cannot find %s on type %s", name, cw_go_type_name(value.kind));
    *out = value.list;
    return 0;
}

static CW_GT_FN(list)
{
    struct cw_gt_list_builder list = {0};
    for (size_t i = 0; i < nargs; i++) {
        if (cw_gt_list_add(run, &list, args[i]) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &list, out);
}

static CW_GT_FN(first)
{
    const struct cw_go_list *list;
    if (cw_gt_want_list(run, "first", args[0], &list) < 0)
        return -1;
    return list->n > 0 ? give_item(list->items[0], out) : give_nil(out);
}

static CW_GT_FN(last)
{
    const struct cw_go_list *list;
    if (cw_gt_want_list(run, "last", args[0], &list) < 0)
        return -1;
    return list->n > 0 ? give_item(list->items[list->n - 1], out) : give_nil(out);
}

/* From item `from` up to `to`. */
static int give_part(struct cw_go_template_run *run, const struct cw_go_list *list, size_t from,
                     size_t to, struct cw_go_value *out)
{
    struct cw_gt_list_builder part = {(struct cw_go_value *)list->items + from, to - from, 0};
    return cw_gt_give_list(run, &part, out);
}

static CW_GT_FN(rest)
{
    const struct cw_go_list *list;
    if (cw_gt_want_list(run, "rest", args[0], &list) < 0)
        return -1;
    return give_part(run, list, list->n > 0, list->n, out);
}

static CW_GT_FN(initial)
{
    const struct cw_go_list *list;
    if (cw_gt_want_list(run, "initial", args[0], &list) < 0)
        return -1;
    return give_part(run, list, 0, list->n - (list->n > 0), out);
}

static CW_GT_FN(reverse)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "reverse", args[0], &list) < 0)
        return -1;
    for (size_t i = list->n; i-- > 0;) {
        if (cw_gt_list_add(run, &made, list->items[i]) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

/* 1: the same kind and text; 0: others. */
static int same(struct cw_go_template_run *run, struct cw_go_value a, struct cw_go_value b)
{
    struct cw_str left, right;
    if (cw_gt_spend(run, 1, 0) < 0)
        return -1;
    if (cw_gt_unbox(a).kind != cw_gt_unbox(b).kind)
        return 0;
    if (cw_gt_text_of(run, a, &left) < 0 || cw_gt_text_of(run, b, &right) < 0)
        return -1;
    return cw_str_eq(left, right);
}

int cw_gt_list_has(struct cw_go_template_run *run, const struct cw_go_value *items, size_t n,
                   struct cw_go_value value)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = same(run, items[i], value);
    return rc;
}

static CW_GT_FN(uniq)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "uniq", args[0], &list) < 0)
        return -1;
    for (size_t i = 0; i < list->n; i++) {
        int has = cw_gt_list_has(run, made.items, made.n, list->items[i]);
        if (has < 0 || (has == 0 && cw_gt_list_add(run, &made, list->items[i]) < 0))
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

static CW_GT_FN(compact)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "compact", args[0], &list) < 0)
        return -1;
    for (size_t i = 0; i < list->n; i++) {
        if (cw_go_truth(cw_gt_unbox(list->items[i])) &&
            cw_gt_list_add(run, &made, list->items[i]) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

/* has needle list */
static CW_GT_FN(has)
{
    const struct cw_go_list *list;
    *out = cw_go_bool(false);
    if (is_nothing(args[1]))
        return 0;
    if (cw_gt_want_list(run, "has", args[1], &list) < 0)
        return -1;
    int rc = cw_gt_list_has(run, list->items, list->n, args[0]);
    *out = cw_go_bool(rc == 1);
    return rc < 0 ? -1 : 0;
}

static int compare_texts(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_go_value *)a)->text, ((const struct cw_go_value *)b)->text);
}

static CW_GT_FN(sort_alpha)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "sortAlpha", args[0], &list) < 0)
        return -1;
    for (size_t i = 0; i < list->n; i++) {
        struct cw_str text;
        if (cw_gt_text_of(run, list->items[i], &text) < 0 ||
            cw_gt_list_add(run, &made, cw_go_string(text)) < 0)
            return -1;
    }
    if (made.n > 0)
        qsort(made.items, made.n, sizeof *made.items, compare_texts);
    return cw_gt_give_list(run, &made, out);
}

static CW_GT_FN(to_string)
{
    struct cw_str text;
    return cw_gt_text_of(run, args[0], &text) < 0 ? -1 : give_text(out, text);
}

/* join separator list */
static CW_GT_FN(join)
{
    struct cw_go_value value = cw_gt_unbox(args[1]);
    struct cw_str text;
    if (is_nothing(value))
        return give_text(out, CW_STR(""));
    if (value.kind != CW_GO_LIST)
        return cw_gt_fn_to_string(run, &value, 1, out);
    cw_buf_clear(&run->tmp);
    bool any = false;
    for (size_t i = 0; i < value.list->n; i++) {
        if (is_nothing(value.list->items[i]))
            continue;
        if (cw_gt_text_of(run, value.list->items[i], &text) < 0)
            return -1;
        if (any)
            cw_buf_adds(&run->tmp, args[0].text);
        cw_buf_adds(&run->tmp, text);
        any = true;
    }
    return cw_gt_take_tmp(run, out);
}

/* strings.SplitN: at most `max` pieces, all when it is negative. */
static int split(struct cw_go_template_run *run, struct cw_str separator, int64_t max,
                 struct cw_str text, struct cw_gt_list_builder *made)
{
    while (max != 0) {
        ptrdiff_t at = max == 1 ? -1 : cw_str_find(text, separator);
        if (separator.len == 0 && max != 1) {
            uint32_t rune;
            size_t len = cw_utf8_decode(text, &rune);
            if (len == 0)
                return 0;
            at = len < text.len ? (ptrdiff_t)len : -1;
        }
        struct cw_str piece = at < 0 ? text : cw_str_sub(text, 0, (size_t)at);
        if (cw_gt_list_add(run, made, cw_go_string(piece)) < 0)
            return -1;
        if (at < 0)
            return 0;
        text = cw_str_sub(text, (size_t)at + separator.len, text.len);
        max -= max > 0;
    }
    return 0;
}

/* splitList separator text */
static CW_GT_FN(split_list)
{
    struct cw_gt_list_builder made = {0};
    if (split(run, args[0].text, -1, args[1].text, &made) < 0)
        return -1;
    return cw_gt_give_list(run, &made, out);
}

/* ---- maps ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct cw_go_pair *x = a, *y = b;
    return cw_str_cmp(x->key, y->key);
}

int cw_gt_give_map(struct cw_go_template_run *run, struct cw_go_pair *pairs, size_t n,
                   struct cw_go_value *out)
{
    struct cw_go_map *map = CW_ARENA_NEW(run->arena, struct cw_go_map);
    if (n > 0)
        qsort(pairs, n, sizeof *pairs, compare_pairs);
    *map = (struct cw_go_map){pairs, n};
    *out = (struct cw_go_value){.kind = CW_GO_MAP, .map = map};
    return 0;
}

/* The pieces as a map with the keys _0, _1, ... */
static int give_numbered(struct cw_go_template_run *run, const struct cw_gt_list_builder *list,
                         struct cw_go_value *out)
{
    static const char longest_key[] = "_18446744073709551615";
    if (cw_gt_spend(run, 0, list->n * (sizeof(struct cw_go_pair) + sizeof longest_key)) < 0)
        return -1;
    struct cw_go_pair *pairs = CW_ARENA_ARRAY(run->arena, struct cw_go_pair, list->n);
    for (size_t i = 0; i < list->n; i++)
        pairs[i] = (struct cw_go_pair){cw_arena_printf(run->arena, "_%zu", i), list->items[i]};
    return cw_gt_give_map(run, pairs, list->n, out);
}

static CW_GT_FN(split)
{
    struct cw_gt_list_builder made = {0};
    if (split(run, args[0].text, -1, args[1].text, &made) < 0)
        return -1;
    return give_numbered(run, &made, out);
}

/* splitn separator n text */
static CW_GT_FN(splitn)
{
    struct cw_gt_list_builder made = {0};
    if (split(run, args[0].text, args[1].number, args[2].text, &made) < 0)
        return -1;
    return give_numbered(run, &made, out);
}

/* dict key value ... */
static CW_GT_FN(dict)
{
    struct cw_go_pair *pairs = CW_ARENA_ARRAY(run->arena, struct cw_go_pair, nargs / 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < nargs; i += 2) {
        struct cw_str key;
        if (cw_gt_text_of(run, args[i], &key) < 0)
            return -1;
        struct cw_go_value value = i + 1 < nargs ? args[i + 1] : cw_go_string(CW_STR(""));
        size_t at = 0;
        while (at < n && !cw_str_eq(pairs[at].key, key))
            at++;
        value.boxed = true;
        pairs[at] = (struct cw_go_pair){key, value};
        n += at == n;
    }
    return cw_gt_give_map(run, pairs, n, out);
}

int cw_gt_want_map(struct cw_go_template_run *run, struct cw_go_value value,
                   const struct cw_go_map **out)
{
    static const struct cw_go_map none;
    *out = &none;
    value = cw_gt_unbox(value);
    if (value.kind != CW_GO_MAP && value.kind != CW_GO_FIELDS)
        return cw_gt_fail(run, "wrong type for value; expected map[string]interface {}; got %s",
                          cw_go_type_name(value.kind));
    *out = value.map;
    return 0;
}

/* get map key */
static CW_GT_FN(get)
{
    const struct cw_go_map *map;
    bool found;
    if (cw_gt_want_map(run, args[0], &map) < 0)
        return -1;
    struct cw_go_value value = cw_go_map_get(map, args[1].text, &found);
    return found ? give_item(value, out) : give_text(out, CW_STR(""));
}

static CW_GT_FN(has_key)
{
    const struct cw_go_map *map;
    bool found;
    if (cw_gt_want_map(run, args[0], &map) < 0)
        return -1;
    cw_go_map_get(map, args[1].text, &found);
    *out = cw_go_bool(found);
    return 0;
}

static CW_GT_FN(keys)
{
    struct cw_gt_list_builder made = {0};
    const struct cw_go_map *map;
    for (size_t i = 0; i < nargs; i++) {
        if (cw_gt_want_map(run, args[i], &map) < 0)
            return -1;
        for (size_t k = 0; k < map->n; k++) {
            if (cw_gt_list_add(run, &made, cw_go_string(map->items[k].key)) < 0)
                return -1;
        }
    }
    return cw_gt_give_list(run, &made, out);
}

static CW_GT_FN(values)
{
    struct cw_gt_list_builder made = {0};
    const struct cw_go_map *map;
    if (cw_gt_want_map(run, args[0], &map) < 0)
        return -1;
    for (size_t k = 0; k < map->n; k++) {
        if (cw_gt_list_add(run, &made, map->items[k].value) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

/* ---- choices ---- */

static CW_GT_FN(coalesce)
{
    for (size_t i = 0; i < nargs; i++) {
        if (cw_go_truth(cw_gt_unbox(args[i])))
            return give_item(args[i], out);
    }
    return give_nil(out);
}

/* ternary yes no condition */
static CW_GT_FN(ternary)
{
    struct cw_go_value condition = cw_gt_unbox(args[2]);
    if (condition.kind != CW_GO_BOOL)
        return cw_gt_fail(run, "wrong type for value; expected bool; got %s",
                          cw_go_type_name(condition.kind));
    return give_item(condition.truth ? args[0] : args[1], out);
}

static CW_GT_FN(empty)
{
    *out = cw_go_bool(!cw_go_truth(cw_gt_unbox(args[0])));
    return 0;
}

static CW_GT_FN(all)
{
    bool truth = true;
    for (size_t i = 0; i < nargs; i++)
        truth &= cw_go_truth(cw_gt_unbox(args[i]));
    *out = cw_go_bool(truth);
    return 0;
}

static CW_GT_FN(any)
{
    bool truth = false;
    for (size_t i = 0; i < nargs; i++)
        truth |= cw_go_truth(cw_gt_unbox(args[i]));
    *out = cw_go_bool(truth);
    return 0;
}

static CW_GT_FN(kind_of)
{
    switch (cw_gt_unbox(args[0]).kind) {
    case CW_GO_LIST: return give_text(out, CW_STR("slice"));
    case CW_GO_MAP:
    case CW_GO_FIELDS: return give_text(out, CW_STR("map"));
    case CW_GO_TIME: return give_text(out, CW_STR("struct"));
    case CW_GO_LOCATION: return give_text(out, CW_STR("ptr"));
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY: return give_text(out, CW_STR("int"));
    case CW_GO_DURATION: return give_text(out, CW_STR("int64"));
    case CW_GO_INVALID: return give_text(out, CW_STR("invalid"));
    default: return give_text(out, cw_str_of(cw_go_type_name(cw_gt_unbox(args[0]).kind)));
    }
}

static CW_GT_FN(fail)
{
    return cw_gt_fail(run, "%.*s", CW_STR_ARG(args[0].text));
}

/* ---- conversions ---- */

static CW_GT_FN(int64)
{
    *out = cw_go_int64(cw_go_to_int(args[0]));
    return 0;
}

/* strconv.Atoi; 0 for what is no number. */
static CW_GT_FN(atoi)
{
    int64_t number = 0;
    if (!cw_go_parse_int(args[0].text, 10, &number))
        number = 0;
    *out = cw_go_int(number);
    return 0;
}

static CW_GT_FN(add1)
{
    *out = cw_go_int64((int64_t)((uint64_t)cw_go_to_int(args[0]) + 1));
    return 0;
}

static CW_GT_FN(until)
{
    struct cw_gt_list_builder made = {0};
    int64_t count = args[0].number, step = count < 0 ? -1 : 1;
    for (int64_t i = 0; i != count; i += step) {
        if (cw_gt_list_add(run, &made, cw_go_int(i)) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

static int add_json(struct cw_go_template_run *run, struct cw_go_value value,
                    struct cw_json_writer *w, unsigned depth)
{
    struct cw_str text;
    value = cw_gt_unbox(value);
    if (depth > CW_LIMIT_TEMPLATE_DEPTH || ++run->steps > CW_LIMIT_TEMPLATE_STEPS)
        return cw_gt_fail_limit(run, "the template takes more steps than it may");
    switch (value.kind) {
    case CW_GO_INVALID:
    case CW_GO_NIL: cw_json_null(w); break;
    case CW_GO_BOOL: cw_json_bool(w, value.truth); break;
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_DURATION: cw_json_i64(w, value.number); break;
    case CW_GO_FLOAT: cw_json_f64(w, value.real); break;
    case CW_GO_STRING: cw_json_string(w, value.text); break;
    case CW_GO_LIST:
        cw_json_begin_array(w);
        for (size_t i = 0; i < value.list->n; i++) {
            if (add_json(run, value.list->items[i], w, depth + 1) < 0)
                return -1;
        }
        cw_json_end_array(w);
        break;
    case CW_GO_MAP:
    case CW_GO_FIELDS:
        cw_json_begin_object(w);
        for (size_t i = 0; i < value.map->n; i++) {
            cw_json_key(w, value.map->items[i].key);
            if (add_json(run, value.map->items[i].value, w, depth + 1) < 0)
                return -1;
        }
        cw_json_end_object(w);
        break;
    default:
        if (cw_gt_text_of(run, value, &text) < 0)
            return -1;
        cw_json_string(w, text);
    }
    return 0;
}

static CW_GT_FN(to_json)
{
    struct cw_buf json;
    cw_buf_init(&json, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    struct cw_json_writer w = cw_json_writer_make(&json);
    int rc = add_json(run, args[0], &w, 0);
    cw_buf_clear(&run->tmp);
    cw_buf_adds(&run->tmp, cw_buf_str(&json));
    run->tmp.failed |= cw_buf_failed(&json);
    cw_buf_fini(&json);
    return rc < 0 ? rc : cw_gt_take_tmp(run, out);
}

/* ---- texts ---- */

enum piece_style { PIECE_AS_IS, PIECE_GO_QUOTED, PIECE_IN_APOSTROPHES };

/* What there is of the arguments, with spaces between. */
static int joined_pieces(struct cw_go_template_run *run, const struct cw_go_value *args,
                         size_t nargs, enum piece_style style, struct cw_go_value *out)
{
    bool any = false;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < nargs; i++) {
        if (is_nothing(args[i]))
            continue;
        struct cw_str text;
        if (cw_gt_text_of(run, args[i], &text) < 0)
            return -1;
        if (any)
            cw_buf_addc(&run->tmp, ' ');
        any = true;
        switch (style) {
        case PIECE_AS_IS: cw_buf_adds(&run->tmp, text); break;
        case PIECE_GO_QUOTED: cw_quote_go(text, &run->tmp); break;
        case PIECE_IN_APOSTROPHES:
            cw_buf_addc(&run->tmp, '\'');
            cw_buf_adds(&run->tmp, text);
            cw_buf_addc(&run->tmp, '\'');
            break;
        }
    }
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(quote)
{
    return joined_pieces(run, args, nargs, PIECE_GO_QUOTED, out);
}

static CW_GT_FN(squote)
{
    return joined_pieces(run, args, nargs, PIECE_IN_APOSTROPHES, out);
}

static CW_GT_FN(cat)
{
    return joined_pieces(run, args, nargs, PIECE_AS_IS, out);
}

static CW_GT_FN(nospace)
{
    struct cw_str text = args[0].text;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && !(text.ptr[i] >= '\t' && text.ptr[i] <= '\r'))
            cw_buf_addc(&run->tmp, text.ptr[i]);
    }
    return cw_gt_take_tmp(run, out);
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* snake_case and kebab-case: words begin behind what is no letter or digit, and at capitals behind small letters. */
static int joined_words(struct cw_go_template_run *run, struct cw_str text, char joint,
                        struct cw_go_value *out)
{
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], before = i > 0 ? text.ptr[i - 1] : '\0';
        bool plain = is_alnum(c) || (unsigned char)c >= 0x80;
        bool next_small = i + 1 < text.len && text.ptr[i + 1] >= 'a' && text.ptr[i + 1] <= 'z';
        bool begins = is_upper(c) && i > 0 && is_alnum(before) && (!is_upper(before) || next_small);
        if ((!plain || begins) && run->tmp.len > 0 && run->tmp.ptr[run->tmp.len - 1] != joint)
            cw_buf_addc(&run->tmp, joint);
        if (plain)
            cw_buf_addc(&run->tmp, is_upper(c) ? (char)(c | 0x20) : c);
    }
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(snakecase)
{
    return joined_words(run, args[0].text, '_', out);
}

static CW_GT_FN(kebabcase)
{
    return joined_words(run, args[0].text, '-', out);
}

static CW_GT_FN(camelcase)
{
    struct cw_str text = args[0].text;
    bool begins = true;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = is_alnum(c) || (unsigned char)c >= 0x80;
        if (plain)
            cw_buf_addc(&run->tmp, begins && c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c);
        begins = !plain;
    }
    return cw_gt_take_tmp(run, out);
}

/* untitle: the first letter of each word small. */
static CW_GT_FN(untitle)
{
    struct cw_str text = args[0].text;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < text.len; i++) {
        bool begins = i == 0 || text.ptr[i - 1] == ' ';
        cw_buf_addc(&run->tmp,
                    begins && is_upper(text.ptr[i]) ? (char)(text.ptr[i] | 0x20) : text.ptr[i]);
    }
    return cw_gt_take_tmp(run, out);
}

/* abbrev width text: cut to so many bytes, with "..." as the end. */
static CW_GT_FN(abbrev)
{
    int64_t width = args[0].number;
    struct cw_str text = args[1].text;
    if (width < 4 || (uint64_t)width >= text.len)
        return give_text(out, text);
    cw_buf_clear(&run->tmp);
    cw_buf_adds(&run->tmp, cw_str_sub(text, 0, (size_t)width - 3));
    cw_buf_addz(&run->tmp, "...");
    return cw_gt_take_tmp(run, out);
}

/* plural one many count */
static CW_GT_FN(plural)
{
    return give_text(out, args[2].number == 1 ? args[0].text : args[1].text);
}

/* ---- paths ---- */

static CW_GT_FN(base)
{
    struct cw_str path = args[0].text;
    if (path.len == 0)
        return give_text(out, CW_STR("."));
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    if (path.len == 0)
        return give_text(out, CW_STR("/"));
    size_t from = path.len;
    while (from > 0 && path.ptr[from - 1] != '/')
        from--;
    return give_text(out, cw_str_sub(path, from, path.len));
}

static CW_GT_FN(ext)
{
    struct cw_str path = args[0].text;
    for (size_t i = path.len; i-- > 0 && path.ptr[i] != '/';) {
        if (path.ptr[i] == '.')
            return give_text(out, cw_str_sub(path, i, path.len));
    }
    return give_text(out, CW_STR(""));
}

/* ---- regular expressions ---- */

static CW_GT_FN(regex_match)
{
    const struct cw_regex *regex = cw_gt_regex(run, args[0].text);
    int rc = regex != NULL ? cw_regex_match(regex, args[1].text, &run->err) : -1;
    *out = cw_go_bool(rc == 1);
    return rc < 0 ? -1 : 0;
}

/* Matches one after the other, at most `max` unless it is negative: they, or what stands between them. */
static int each_piece(struct cw_go_template_run *run, struct cw_str pattern, struct cw_str text,
                      int64_t max, bool between, struct cw_gt_list_builder *made)
{
    const struct cw_regex *regex = cw_gt_regex(run, pattern);
    struct cw_regex_scan scan = {.text = text};
    struct cw_str match;
    size_t done = 0;
    int rc = regex != NULL ? 0 : -1;
    for (int64_t n = 0; rc >= 0 && (max < 0 || n < max - (between ? 1 : 0));) {
        rc = scan.from <= text.len ? cw_regex_scan_next(regex, &scan, &match, 1, &run->err) : 0;
        if (rc <= 0)
            break;
        size_t start = (size_t)(match.ptr - text.ptr), end = start + match.len;
        struct cw_str piece = between ? cw_str_sub(text, done, start) : match;
        if (!(between && match.len == 0 && start == done)) {
            if (cw_gt_list_add(run, made, cw_go_string(piece)) < 0)
                return -1;
            n++;
            done = end;
        }
        uint32_t rune;
        size_t step = cw_utf8_decode(cw_str_sub(text, end, text.len), &rune);
        scan.from = match.len > 0 ? end : end + (step > 0 ? step : 1);
    }
    if (rc >= 0 && between && max != 0)
        rc = cw_gt_list_add(run, made, cw_go_string(cw_str_sub(text, done, text.len)));
    return rc < 0 ? -1 : 0;
}

/* regexFind regex text */
static CW_GT_FN(regex_find)
{
    struct cw_gt_list_builder made = {0};
    if (each_piece(run, args[0].text, args[1].text, 1, false, &made) < 0)
        return -1;
    return give_text(out, made.n > 0 ? made.items[0].text : CW_STR(""));
}

/* regexFindAll regex text n */
static CW_GT_FN(regex_find_all)
{
    struct cw_gt_list_builder made = {0};
    if (each_piece(run, args[0].text, args[1].text, args[2].number, false, &made) < 0)
        return -1;
    return cw_gt_give_list(run, &made, out);
}

/* regexSplit regex text n */
static CW_GT_FN(regex_split)
{
    struct cw_gt_list_builder made = {0};
    if (each_piece(run, args[0].text, args[1].text, args[2].number, true, &made) < 0)
        return -1;
    return cw_gt_give_list(run, &made, out);
}

static CW_GT_FN(regex_quote_meta)
{
    struct cw_str text = args[0].text;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr("\\.+*?()|[]{}^$", text.ptr[i]) != NULL)
            cw_buf_addc(&run->tmp, '\\');
        cw_buf_addc(&run->tmp, text.ptr[i]);
    }
    return cw_gt_take_tmp(run, out);
}

/* ---- digests ---- */

typedef void (*digest_fn)(struct cw_str text, uint8_t *out);

static int give_digest(struct cw_go_template_run *run, digest_fn digest, size_t nbytes,
                       struct cw_str salt, struct cw_str text, struct cw_go_value *out)
{
    uint8_t bytes[CW_SHA256_BYTES];
    cw_buf_clear(&run->tmp);
    cw_buf_adds(&run->tmp, salt);
    cw_buf_adds(&run->tmp, text);
    digest(cw_buf_str(&run->tmp), bytes);
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < nbytes; i++)
        cw_buf_addf(&run->tmp, "%02x", bytes[i]);
    return cw_gt_take_tmp(run, out);
}

/* Hash salt text, or text salt: promtail puts the first in front. */
static CW_GT_FN(hash)
{
    return give_digest(run, cw_sha3_256, CW_SHA3_256_BYTES, args[0].text, args[1].text, out);
}

static CW_GT_FN(sha2_hash)
{
    return give_digest(run, cw_sha256, CW_SHA256_BYTES, args[0].text, args[1].text, out);
}

static CW_GT_FN(sha1sum)
{
    return give_digest(run, cw_sha1, CW_SHA1_BYTES, CW_STR_NONE, args[0].text, out);
}

static CW_GT_FN(sha256sum)
{
    return give_digest(run, cw_sha256, CW_SHA256_BYTES, CW_STR_NONE, args[0].text, out);
}

/* ---- the table ---- */

#define ANY CW_GT_T_ANY
#define STR CW_GT_T_STRING
#define INT CW_GT_T_INT

static const struct cw_gt_func funcs[] = {
    /* Sorted by name. */
    {"Hash", cw_gt_fn_hash, 2, false, {STR, STR}},
    {"Sha2Hash", cw_gt_fn_sha2_hash, 2, false, {STR, STR}},
    {"abbrev", cw_gt_fn_abbrev, 2, false, {INT, STR}},
    {"add1", cw_gt_fn_add1, 1, false, {ANY}},
    {"all", cw_gt_fn_all, 0, true, {ANY}},
    {"any", cw_gt_fn_any, 0, true, {ANY}},
    {"atoi", cw_gt_fn_atoi, 1, false, {STR}},
    {"base", cw_gt_fn_base, 1, false, {STR}},
    {"camelcase", cw_gt_fn_camelcase, 1, false, {STR}},
    {"cat", cw_gt_fn_cat, 0, true, {ANY}},
    {"coalesce", cw_gt_fn_coalesce, 0, true, {ANY}},
    {"compact", cw_gt_fn_compact, 1, false, {ANY}},
    {"dict", cw_gt_fn_dict, 0, true, {ANY}},
    {"empty", cw_gt_fn_empty, 1, false, {ANY}},
    {"ext", cw_gt_fn_ext, 1, false, {STR}},
    {"fail", cw_gt_fn_fail, 1, false, {STR}},
    {"first", cw_gt_fn_first, 1, false, {ANY}},
    {"get", cw_gt_fn_get, 2, false, {ANY, STR}},
    {"has", cw_gt_fn_has, 2, false, {ANY, ANY}},
    {"hasKey", cw_gt_fn_has_key, 2, false, {ANY, STR}},
    {"initial", cw_gt_fn_initial, 1, false, {ANY}},
    {"int64", cw_gt_fn_int64, 1, false, {ANY}},
    {"join", cw_gt_fn_join, 2, false, {STR, ANY}},
    {"kebabcase", cw_gt_fn_kebabcase, 1, false, {STR}},
    {"keys", cw_gt_fn_keys, 0, true, {ANY}},
    {"kindOf", cw_gt_fn_kind_of, 1, false, {ANY}},
    {"last", cw_gt_fn_last, 1, false, {ANY}},
    {"list", cw_gt_fn_list, 0, true, {ANY}},
    {"mustCompact", cw_gt_fn_compact, 1, false, {ANY}},
    {"mustFirst", cw_gt_fn_first, 1, false, {ANY}},
    {"mustHas", cw_gt_fn_has, 2, false, {ANY, ANY}},
    {"mustInitial", cw_gt_fn_initial, 1, false, {ANY}},
    {"mustLast", cw_gt_fn_last, 1, false, {ANY}},
    {"mustRegexFind", cw_gt_fn_regex_find, 2, false, {STR, STR}},
    {"mustRegexFindAll", cw_gt_fn_regex_find_all, 3, false, {STR, STR, INT}},
    {"mustRegexMatch", cw_gt_fn_regex_match, 2, false, {STR, STR}},
    {"mustRegexReplaceAll", cw_gt_fn_regex_replace_all, 3, false, {STR, STR, STR}},
    {"mustRegexReplaceAllLiteral", cw_gt_fn_regex_replace_all_literal, 3, false, {STR, STR, STR}},
    {"mustRegexSplit", cw_gt_fn_regex_split, 3, false, {STR, STR, INT}},
    {"mustRest", cw_gt_fn_rest, 1, false, {ANY}},
    {"mustReverse", cw_gt_fn_reverse, 1, false, {ANY}},
    {"mustToJson", cw_gt_fn_to_json, 1, false, {ANY}},
    {"mustUniq", cw_gt_fn_uniq, 1, false, {ANY}},
    {"nospace", cw_gt_fn_nospace, 1, false, {STR}},
    {"osBase", cw_gt_fn_base, 1, false, {STR}},
    {"osExt", cw_gt_fn_ext, 1, false, {STR}},
    {"plural", cw_gt_fn_plural, 3, false, {STR, STR, INT}},
    {"quote", cw_gt_fn_quote, 0, true, {ANY}},
    {"regexFind", cw_gt_fn_regex_find, 2, false, {STR, STR}},
    {"regexFindAll", cw_gt_fn_regex_find_all, 3, false, {STR, STR, INT}},
    {"regexMatch", cw_gt_fn_regex_match, 2, false, {STR, STR}},
    {"regexQuoteMeta", cw_gt_fn_regex_quote_meta, 1, false, {STR}},
    {"regexSplit", cw_gt_fn_regex_split, 3, false, {STR, STR, INT}},
    {"rest", cw_gt_fn_rest, 1, false, {ANY}},
    {"reverse", cw_gt_fn_reverse, 1, false, {ANY}},
    {"sha1sum", cw_gt_fn_sha1sum, 1, false, {STR}},
    {"sha256sum", cw_gt_fn_sha256sum, 1, false, {STR}},
    {"snakecase", cw_gt_fn_snakecase, 1, false, {STR}},
    {"sortAlpha", cw_gt_fn_sort_alpha, 1, false, {ANY}},
    {"split", cw_gt_fn_split, 2, false, {STR, STR}},
    {"splitList", cw_gt_fn_split_list, 2, false, {STR, STR}},
    {"splitn", cw_gt_fn_splitn, 3, false, {STR, INT, STR}},
    {"squote", cw_gt_fn_squote, 0, true, {ANY}},
    {"ternary", cw_gt_fn_ternary, 3, false, {ANY, ANY, ANY}},
    {"toJson", cw_gt_fn_to_json, 1, false, {ANY}},
    {"toString", cw_gt_fn_to_string, 1, false, {ANY}},
    {"tuple", cw_gt_fn_list, 0, true, {ANY}},
    {"uniq", cw_gt_fn_uniq, 1, false, {ANY}},
    {"until", cw_gt_fn_until, 1, false, {INT}},
    {"untitle", cw_gt_fn_untitle, 1, false, {STR}},
    {"values", cw_gt_fn_values, 1, false, {ANY}},
};

const struct cw_gt_func *cw_gt_func_find_shipper(struct cw_str name)
{
    const struct cw_gt_func *func = cw_gt_func_in(funcs, CW_COUNT(funcs), name);
    if (func == NULL)
        func = cw_gt_func_find_sprig_more(name);
    return func != NULL ? func : cw_gt_func_find(name);
}
