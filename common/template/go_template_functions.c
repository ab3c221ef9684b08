/* The only list of a template's functions: Go's own, and those that Loki's documentation names. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/template/go_template_math.h"
#include "common/template/go_template_strings.h"

/* ---- Go's own ---- */

CW_GT_FN(and)
{
    return cw_gt_fail(run, "unreachable"); /* the evaluator's: it stops at what decides */
}

CW_GT_FN(or)
{
    return cw_gt_fail(run, "unreachable");
}

static CW_GT_FN(not )
{
    *out = cw_go_bool(!cw_go_truth(args[0]));
    return 0;
}

enum basic_kind {
    BASIC_NONE,
    BASIC_BOOL,
    BASIC_INT,
    BASIC_UINT,
    BASIC_FLOAT,
    BASIC_COMPLEX,
    BASIC_STRING
};

static enum basic_kind basic_kind(struct cw_go_value value)
{
    switch (value.kind) {
    case CW_GO_BOOL: return BASIC_BOOL;
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_DURATION: return BASIC_INT;
    case CW_GO_UINT8: return BASIC_UINT;
    case CW_GO_FLOAT: return BASIC_FLOAT;
    case CW_GO_COMPLEX: return BASIC_COMPLEX;
    case CW_GO_STRING: return BASIC_STRING;
    default: return BASIC_NONE;
    }
}

static int fail_incompatible(struct cw_go_template_run *run, struct cw_go_value a,
                             struct cw_go_value b)
{
    return cw_gt_fail(run, "incompatible types for comparison: %s and %s", cw_go_type_name(a.kind),
                      cw_go_type_name(b.kind));
}

static bool is_whole(enum basic_kind kind)
{
    return kind == BASIC_INT || kind == BASIC_UINT;
}

/* Values that are no basic ones: nil is like nil; of containers none is comparable. */
static int equal_others(struct cw_go_template_run *run, struct cw_go_value a, struct cw_go_value b,
                        bool *out)
{
    struct cw_buf text;
    bool nil_a = a.kind == CW_GO_INVALID, nil_b = b.kind == CW_GO_INVALID;
    if (nil_a || nil_b) {
        *out = nil_a && nil_b;
        return 0;
    }
    if (a.kind == CW_GO_TIME && b.kind == CW_GO_TIME) {
        *out = a.time->sec == b.time->sec && a.time->nsec == b.time->nsec &&
               a.time->zone == b.time->zone && a.time->fixed == b.time->fixed &&
               a.time->offset_s == b.time->offset_s;
        return 0;
    }
    if (a.kind == CW_GO_LOCATION && b.kind == CW_GO_LOCATION) {
        *out =
            a.time == b.time || (!a.time->fixed && !b.time->fixed && a.time->zone == b.time->zone);
        return 0;
    }
    bool same = a.kind == b.kind || (a.kind >= CW_GO_MAP && b.kind >= CW_GO_MAP);
    cw_buf_init(&text, CW_ERR_TEXT_BYTES);
    cw_go_printf(CW_STR("%s"), same ? &b : &a, 1,
                 &text); /* numbers within show as %!s(float64=1) */
    if (same) {
        cw_gt_fail(run, "non-comparable type %s: %s", cw_buf_z(&text), cw_go_type_name(b.kind));
    } else {
        cw_buf_addf(&text, ": %s, %s: ", cw_go_type_name(a.kind), cw_go_type_name(b.kind));
        cw_go_print_value(b, &text);
        cw_gt_fail(run, "non-comparable types %s", cw_buf_z(&text));
    }
    cw_buf_fini(&text);
    return -1;
}

static int equal(struct cw_go_template_run *run, struct cw_go_value a, struct cw_go_value b,
                 bool *out)
{
    enum basic_kind ka = basic_kind(a), kb = basic_kind(b);
    *out = false;
    if (ka != kb && !(is_whole(ka) && is_whole(kb))) {
        if (a.kind == CW_GO_INVALID || b.kind == CW_GO_INVALID)
            return 0;
        return fail_incompatible(run, a, b);
    }
    switch (ka) {
    case BASIC_BOOL: *out = a.truth == b.truth; return 0;
    case BASIC_INT:
    case BASIC_UINT: *out = a.number == b.number; return 0;
    case BASIC_FLOAT: *out = a.real == b.real; return 0;
    case BASIC_COMPLEX: *out = a.real == b.real && a.imaginary == b.imaginary; return 0;
    case BASIC_STRING: *out = cw_str_eq(a.text, b.text); return 0;
    case BASIC_NONE: break;
    }
    return equal_others(run, a, b, out);
}

static int less(struct cw_go_template_run *run, struct cw_go_value a, struct cw_go_value b,
                bool *out)
{
    a = cw_gt_unbox(a);
    b = cw_gt_unbox(b);
    enum basic_kind ka = basic_kind(a), kb = basic_kind(b);
    if (ka == BASIC_NONE || kb == BASIC_NONE)
        return cw_gt_fail(run, "invalid type for comparison");
    if (ka != kb && !(is_whole(ka) && is_whole(kb)))
        return fail_incompatible(run, a, b);
    if (ka == BASIC_BOOL || ka == BASIC_COMPLEX)
        return cw_gt_fail(run, "invalid type for comparison");
    *out = ka == BASIC_FLOAT    ? a.real < b.real
           : ka == BASIC_STRING ? cw_str_cmp(a.text, b.text) < 0
                                : a.number < b.number;
    return 0;
}

static CW_GT_FN(eq)
{
    bool same = false;
    if (nargs < 2)
        return cw_gt_fail(run, "missing argument for comparison");
    for (size_t i = 1; i < nargs && !same; i++)
        if (equal(run, cw_gt_unbox(args[0]), cw_gt_unbox(args[i]), &same) < 0)
            return -1;
    *out = cw_go_bool(same);
    return 0;
}

static CW_GT_FN(ne)
{
    if (cw_gt_fn_eq(run, args, nargs, out) < 0)
        return -1;
    out->truth = !out->truth;
    return 0;
}

static CW_GT_FN(lt)
{
    bool truth = false;
    if (less(run, args[0], args[1], &truth) < 0)
        return -1;
    *out = cw_go_bool(truth);
    return 0;
}

static CW_GT_FN(le)
{
    if (cw_gt_fn_lt(run, args, nargs, out) < 0)
        return -1;
    return out->truth ? 0 : cw_gt_fn_eq(run, args, nargs, out);
}

static CW_GT_FN(gt)
{
    if (cw_gt_fn_le(run, args, nargs, out) < 0)
        return -1;
    out->truth = !out->truth;
    return 0;
}

static CW_GT_FN(ge)
{
    if (cw_gt_fn_lt(run, args, nargs, out) < 0)
        return -1;
    out->truth = !out->truth;
    return 0;
}

/* Of what a pointer points to. */
static const char *item_type_name(enum cw_go_kind kind)
{
    return kind == CW_GO_LOCATION ? "time.Location" : cw_go_type_name(kind);
}

static CW_GT_FN(len)
{
    switch (args[0].kind) {
    case CW_GO_STRING: *out = cw_go_int((int64_t)args[0].text.len); return 0;
    case CW_GO_LIST: *out = cw_go_int((int64_t)args[0].list->n); return 0;
    case CW_GO_MAP:
    case CW_GO_FIELDS: *out = cw_go_int((int64_t)args[0].map->n); return 0;
    case CW_GO_NIL: return cw_gt_fail(run, "len of nil pointer");
    case CW_GO_INVALID: return cw_gt_fail(run, "reflect: call of reflect.Value.Type on zero Value");
    default: return cw_gt_fail(run, "len of type %s", item_type_name(args[0].kind));
    }
}

/* An index of a text or list of that length. */
static int index_arg(struct cw_go_template_run *run, struct cw_go_value index, size_t len,
                     size_t *out)
{
    index = cw_gt_unbox(index);
    if (index.kind == CW_GO_INVALID)
        return cw_gt_fail(run, "cannot index slice/array with nil");
    if (!is_whole(basic_kind(index)))
        return cw_gt_fail(run, "cannot index slice/array with type %s",
                          cw_go_type_name(index.kind));
    if (index.number < 0 || (uint64_t)index.number > len)
        return cw_gt_fail(run, "index out of range: %lld", (long long)index.number);
    *out = (size_t)index.number;
    return 0;
}

static int map_index(struct cw_go_template_run *run, struct cw_go_value map,
                     struct cw_go_value index, struct cw_go_value *out)
{
    bool found;
    index = cw_gt_unbox(index);
    if (index.kind == CW_GO_INVALID)
        return cw_gt_fail(run, "value is nil; should be of type string");
    if (index.kind != CW_GO_STRING)
        return cw_gt_fail(run, "value has type %s; should be string", cw_go_type_name(index.kind));
    *out = cw_go_map_get(map.map, index.text, &found);
    if (!found && map.kind == CW_GO_FIELDS)
        *out = cw_gt_missing(run);
    return 0;
}

static CW_GT_FN(index)
{
    struct cw_go_value item = cw_gt_unbox(args[0]);
    size_t at = 0;
    if (item.kind == CW_GO_INVALID)
        return cw_gt_fail(run, "index of untyped nil");
    for (size_t i = 1; i < nargs; i++) {
        if (item.kind == CW_GO_NIL)
            return cw_gt_fail(run, "index of nil pointer");
        if (item.kind == CW_GO_MAP || item.kind == CW_GO_FIELDS) {
            if (map_index(run, item, args[i], &item) < 0)
                return -1;
        } else if (item.kind == CW_GO_STRING || item.kind == CW_GO_LIST) {
            size_t len = item.kind == CW_GO_LIST ? item.list->n : item.text.len;
            if (index_arg(run, args[i], len, &at) < 0)
                return -1;
            if (at == len) /* let through by Go's own check, refused by reflect */
                return cw_gt_fail(run, "reflect: %s index out of range",
                                  item.kind == CW_GO_LIST ? "slice" : "string");
            item = item.kind == CW_GO_LIST
                       ? item.list->items[at]
                       : (struct cw_go_value){.kind = CW_GO_UINT8,
                                              .number = (unsigned char)item.text.ptr[at]};
        } else {
            return cw_gt_fail(run, "can't index item of type %s", item_type_name(item.kind));
        }
    }
    *out = item;
    return 0;
}

/* A part of the same items; what stands behind it is in reach of the next slice, up to `cap`. */
static int slice_list(struct cw_go_template_run *run, const struct cw_go_list *list, size_t from,
                      size_t to, size_t cap, struct cw_go_value *out)
{
    struct cw_go_list *part = CW_ARENA_NEW(run->arena, struct cw_go_list);
    *part = (struct cw_go_list){list->items + from, to - from, cap - from};
    *out = (struct cw_go_value){.kind = CW_GO_LIST, .list = part};
    return 0;
}

static CW_GT_FN(slice)
{
    struct cw_go_value item = cw_gt_unbox(args[0]);
    if (item.kind == CW_GO_INVALID)
        return cw_gt_fail(run, "slice of untyped nil");
    if (nargs > 4)
        return cw_gt_fail(run, "too many slice indexes: %zu", nargs - 1);
    if (item.kind != CW_GO_STRING && item.kind != CW_GO_LIST)
        return cw_gt_fail(run, "can't slice item of type %s", item_type_name(item.kind));
    bool list = item.kind == CW_GO_LIST;
    if (!list && nargs == 4)
        return cw_gt_fail(run, "cannot 3-index slice a string");
    size_t len = list ? item.list->n : item.text.len, cap = list ? item.list->cap : len;
    size_t at[3] = {0, len, cap};
    for (size_t i = 1; i < nargs; i++) {
        if (args[i].boxed)
            return cw_gt_fail(run, "cannot index slice/array with type interface {}");
        if (index_arg(run, args[i], cap, &at[i - 1]) < 0)
            return -1;
    }
    if (at[0] > at[1])
        return cw_gt_fail(run, "invalid slice index: %zu > %zu", at[0], at[1]);
    if (at[1] > at[2])
        return cw_gt_fail(run, "invalid slice index: %zu > %zu", at[1], at[2]);
    if (list)
        return slice_list(run, item.list, at[0], at[1], at[2], out);
    *out = cw_go_string(cw_str_sub(item.text, at[0], at[1]));
    return 0;
}

static CW_GT_FN(print)
{
    cw_buf_clear(&run->tmp);
    cw_go_print(args, nargs, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(println)
{
    cw_buf_clear(&run->tmp);
    cw_go_println(args, nargs, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(printf)
{
    cw_buf_clear(&run->tmp);
    cw_go_printf(args[0].text, args + 1, nargs - 1, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(call)
{
    struct cw_go_value value = cw_gt_unbox(args[0]);
    if (value.kind == CW_GO_INVALID)
        return cw_gt_fail(run, "call of nil");
    return cw_gt_fail(run, "non-function %.*s of type %s", CW_STR_ARG(run->callee),
                      cw_go_type_name(value.kind));
}

/* The arguments as print writes them, to be escaped. */
static int printed(struct cw_go_template_run *run, const struct cw_go_value *args, size_t nargs,
                   struct cw_go_value *out)
{
    struct cw_go_value *shown = CW_ARENA_ARRAY(run->arena, struct cw_go_value, nargs);
    for (size_t i = 0; i < nargs; i++) {
        shown[i] = args[i];
        if (cw_gt_unbox(args[i]).kind == CW_GO_INVALID)
            shown[i] = cw_go_string(CW_STR("<no value>"));
    }
    return cw_gt_fn_print(run, shown, nargs, out);
}

static CW_GT_FN(html)
{
    if (printed(run, args, nargs, out) < 0)
        return -1;
    struct cw_str s = out->text;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        const char *escape = c == '"'    ? "&#34;"
                             : c == '\'' ? "&#39;"
                             : c == '&'  ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '\0' ? "\xEF\xBF\xBD"
                                         : NULL;
        if (escape != NULL)
            cw_buf_addz(&run->tmp, escape);
        else
            cw_buf_addc(&run->tmp, c);
    }
    return cw_gt_take_tmp(run, out);
}

/* Is it printed as it is? Go's quoting knows. */
static bool is_print(struct cw_str rune_text)
{
    struct cw_buf quoted;
    cw_buf_init(&quoted, 64);
    cw_quote_go(rune_text, &quoted);
    bool plain = quoted.ptr[1] != '\\';
    cw_buf_fini(&quoted);
    return plain;
}

static CW_GT_FN(js)
{
    if (printed(run, args, nargs, out) < 0)
        return -1;
    struct cw_str s = out->text;
    cw_buf_clear(&run->tmp);
    for (size_t at = 0, n; at < s.len; at += n) {
        uint32_t rune;
        n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        char c = s.ptr[at];
        char utf8[4];
        struct cw_str text = cw_str_make(utf8, cw_utf8_encode(rune, utf8));
        if (rune >= 0x80 && is_print(text))
            cw_buf_adds(&run->tmp, cw_str_sub(s, at, at + n));
        else if (rune >= 0x80)
            cw_buf_addf(&run->tmp, "\\u%04X", rune);
        else if (c == '\\' || c == '\'' || c == '"')
            cw_buf_addf(&run->tmp, "\\%c", c);
        else if (rune < 0x20 || c == '<' || c == '>' || c == '&' || c == '=')
            cw_buf_addf(&run->tmp, "\\u%04X", rune);
        else
            cw_buf_addc(&run->tmp, c);
    }
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(urlquery)
{
    if (printed(run, args, nargs, out) < 0)
        return -1;
    cw_buf_clear(&run->tmp);
    cw_go_query_escape(out->text, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

/* ---- the line, JSON, defaults ---- */

static CW_GT_FN(line)
{
    *out = cw_go_string(run->input->line);
    return 0;
}

static CW_GT_FN(timestamp)
{
    return cw_gt_give_time(run, cw_go_time_unix(0, run->input->timestamp_ns), out);
}

static CW_GT_FN(from_json)
{
    if (!cw_go_json_parse(args[0].text, run->arena, out))
        *out = (struct cw_go_value){.kind = CW_GO_NIL};
    out->boxed = true;
    return 0;
}

/* default fallback value */
static CW_GT_FN(default)
{
    bool given = nargs > 1 && cw_go_truth(args[1]);
    *out = given ? args[1] : args[0];
    out->boxed = true;
    return 0;
}

/* ---- times ---- */

static CW_GT_FN(now)
{
    return cw_gt_give_time(run, cw_go_time_unix(0, run->input->now_ns), out);
}

/* date layout time: a number is seconds since 1970, anything else now. */
static CW_GT_FN(date)
{
    struct cw_go_value value = cw_gt_unbox(args[1]);
    struct cw_go_time time = cw_go_time_unix(0, run->input->now_ns);
    if (value.kind == CW_GO_TIME)
        time = *value.time;
    else if (value.kind == CW_GO_INT || value.kind == CW_GO_INT64)
        time = cw_go_time_unix(value.number, 0);
    time = (struct cw_go_time){.sec = time.sec, .nsec = time.nsec};
    cw_buf_clear(&run->tmp);
    cw_go_time_format(time, args[0].text, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(to_date)
{
    struct cw_go_time time;
    cw_go_time_parse(args[0].text, args[1].text, NULL, &time);
    return cw_gt_give_time(run, time, out);
}

/* toDateInZone layout zone text: a zone that is none is UTC. */
static CW_GT_FN(to_date_in_zone)
{
    struct cw_go_time time;
    if (!run->zone_known || !cw_str_eq(cw_buf_str(&run->zone_name), args[1].text)) {
        cw_go_zone_load(args[1].text, &run->zone);
        cw_buf_clear(&run->zone_name);
        cw_buf_adds(&run->zone_name, args[1].text);
        run->zone_known = true;
    }
    cw_go_time_parse(args[0].text, args[2].text, run->zone, &time);
    return cw_gt_give_time(run, time, out);
}

static int give_number(struct cw_go_template_run *run, int64_t number, struct cw_go_value *out)
{
    cw_buf_clear(&run->tmp);
    cw_buf_addf(&run->tmp, "%lld", (long long)number);
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(unix_epoch)
{
    return give_number(run, args[0].time->sec, out);
}

static CW_GT_FN(unix_epoch_millis)
{
    return give_number(run, cw_go_time_unix_ms(*args[0].time), out);
}

static CW_GT_FN(unix_epoch_nanos)
{
    return give_number(run, cw_go_time_unix_ns(*args[0].time), out);
}

/* The number of digits says the unit. */
static CW_GT_FN(unix_to_time)
{
    struct cw_str s = args[0].text;
    int64_t number;
    if (!cw_go_parse_int(s, 10, &number)) {
        struct cw_str digits =
            cw_str_sub(s, s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'), s.len);
        bool is_number = digits.len > 0;
        for (size_t i = 0; i < digits.len; i++)
            is_number &= digits.ptr[i] >= '0' && digits.ptr[i] <= '9';
        cw_buf_clear(&run->tmp);
        cw_quote_go(s, &run->tmp);
        return cw_gt_fail(run, "unable to parse time '%.*s': strconv.ParseInt: parsing %s: %s",
                          CW_STR_ARG(s), cw_buf_z(&run->tmp),
                          is_number ? "value out of range" : "invalid syntax");
    }
    uint64_t u = (uint64_t)number;
    switch (s.len) {
    case 5: return cw_gt_give_time(run, cw_go_time_unix((int64_t)(u * 86400), 0), out);
    case 10: return cw_gt_give_time(run, cw_go_time_unix(number, 0), out);
    case 13: return cw_gt_give_time(run, cw_go_time_unix(0, (int64_t)(u * CW_NS_PER_MS)), out);
    case 16: return cw_gt_give_time(run, cw_go_time_unix(0, (int64_t)(u * CW_NS_PER_US)), out);
    case 19: return cw_gt_give_time(run, cw_go_time_unix(0, number), out);
    default: return cw_gt_fail(run, "unable to parse time '%.*s': %%!w(<nil>)", CW_STR_ARG(s));
    }
}

/* ---- the table ---- */

#define ANY CW_GT_T_ANY
#define REF CW_GT_T_REFLECT
#define STR CW_GT_T_STRING
#define INT CW_GT_T_INT
#define FLOAT CW_GT_T_FLOAT
#define TIME CW_GT_T_TIME

static const struct cw_gt_func funcs[] = {
    /* Sorted by name. With `true` the last type is that of any further arguments. */
    {"Replace", cw_gt_fn_replace_n, 4, false, {STR, STR, STR, INT}},
    {"ToLower", cw_gt_fn_lower, 1, false, {STR}},
    {"ToUpper", cw_gt_fn_upper, 1, false, {STR}},
    {"Trim", cw_gt_fn_trim_both, 2, false, {STR, STR}},
    {"TrimLeft", cw_gt_fn_trim_left, 2, false, {STR, STR}},
    {"TrimPrefix", cw_gt_fn_trim_prefix_of, 2, false, {STR, STR}},
    {"TrimRight", cw_gt_fn_trim_right, 2, false, {STR, STR}},
    {"TrimSpace", cw_gt_fn_trim_space, 1, false, {STR}},
    {"TrimSuffix", cw_gt_fn_trim_suffix_of, 2, false, {STR, STR}},
    {"__line__", cw_gt_fn_line, 0, false, {0}},
    {"__timestamp__", cw_gt_fn_timestamp, 0, false, {0}},
    {"add", cw_gt_fn_add, 0, true, {ANY}},
    {"addf", cw_gt_fn_addf, 0, true, {ANY}},
    {"alignLeft", cw_gt_fn_align_left, 2, false, {INT, STR}},
    {"alignRight", cw_gt_fn_align_right, 2, false, {INT, STR}},
    {"and", cw_gt_fn_and, 1, true, {REF, REF}},
    {"b64dec", cw_gt_fn_b64dec, 1, false, {STR}},
    {"b64enc", cw_gt_fn_b64enc, 1, false, {STR}},
    {"bytes", cw_gt_fn_bytes, 1, false, {STR}},
    {"call", cw_gt_fn_call, 1, true, {REF, REF}},
    {"ceil", cw_gt_fn_ceil, 1, false, {ANY}},
    {"contains", cw_gt_fn_contains, 2, false, {STR, STR}},
    {"count", cw_gt_fn_count, 2, false, {STR, STR}},
    {"date", cw_gt_fn_date, 2, false, {STR, ANY}},
    {"default", cw_gt_fn_default, 1, true, {ANY, ANY}},
    {"div", cw_gt_fn_div, 2, false, {ANY, ANY}},
    {"divf", cw_gt_fn_divf, 1, true, {ANY, ANY}},
    {"duration", cw_gt_fn_duration, 1, false, {STR}},
    {"duration_seconds", cw_gt_fn_duration, 1, false, {STR}},
    {"eq", cw_gt_fn_eq, 1, true, {REF, REF}},
    {"float64", cw_gt_fn_float64, 1, false, {ANY}},
    {"floor", cw_gt_fn_floor, 1, false, {ANY}},
    {"fromJson", cw_gt_fn_from_json, 1, false, {STR}},
    {"ge", cw_gt_fn_ge, 2, false, {REF, REF}},
    {"gt", cw_gt_fn_gt, 2, false, {REF, REF}},
    {"hasPrefix", cw_gt_fn_has_prefix, 2, false, {STR, STR}},
    {"hasSuffix", cw_gt_fn_has_suffix, 2, false, {STR, STR}},
    {"html", cw_gt_fn_html, 0, true, {ANY}},
    {"indent", cw_gt_fn_indent, 2, false, {INT, STR}},
    {"index", cw_gt_fn_index, 1, true, {REF, REF}},
    {"int", cw_gt_fn_int, 1, false, {ANY}},
    {"js", cw_gt_fn_js, 0, true, {ANY}},
    {"le", cw_gt_fn_le, 2, false, {REF, REF}},
    {"len", cw_gt_fn_len, 1, false, {REF}},
    {"lower", cw_gt_fn_lower, 1, false, {STR}},
    {"lt", cw_gt_fn_lt, 2, false, {REF, REF}},
    {"max", cw_gt_fn_max, 1, true, {ANY, ANY}},
    {"maxf", cw_gt_fn_maxf, 1, true, {ANY, ANY}},
    {"min", cw_gt_fn_min, 1, true, {ANY, ANY}},
    {"minf", cw_gt_fn_minf, 1, true, {ANY, ANY}},
    {"mod", cw_gt_fn_mod, 2, false, {ANY, ANY}},
    {"mul", cw_gt_fn_mul, 1, true, {ANY, ANY}},
    {"mulf", cw_gt_fn_mulf, 1, true, {ANY, ANY}},
    {"ne", cw_gt_fn_ne, 2, false, {REF, REF}},
    {"nindent", cw_gt_fn_nindent, 2, false, {INT, STR}},
    {"not", cw_gt_fn_not, 1, false, {REF}},
    {"now", cw_gt_fn_now, 0, false, {0}},
    {"or", cw_gt_fn_or, 1, true, {REF, REF}},
    {"print", cw_gt_fn_print, 0, true, {ANY}},
    {"printf", cw_gt_fn_printf, 1, true, {STR, ANY}},
    {"println", cw_gt_fn_println, 0, true, {ANY}},
    {"regexReplaceAll", cw_gt_fn_regex_replace_all, 3, false, {STR, STR, STR}},
    {"regexReplaceAllLiteral", cw_gt_fn_regex_replace_all_literal, 3, false, {STR, STR, STR}},
    {"repeat", cw_gt_fn_repeat, 2, false, {INT, STR}},
    {"replace", cw_gt_fn_replace, 3, false, {STR, STR, STR}},
    {"round", cw_gt_fn_round, 2, true, {ANY, INT, FLOAT}},
    {"slice", cw_gt_fn_slice, 1, true, {REF, REF}},
    {"sub", cw_gt_fn_sub, 2, false, {ANY, ANY}},
    {"subf", cw_gt_fn_subf, 1, true, {ANY, ANY}},
    {"substr", cw_gt_fn_substr, 3, false, {INT, INT, STR}},
    {"title", cw_gt_fn_title, 1, false, {STR}},
    {"toDate", cw_gt_fn_to_date, 2, false, {STR, STR}},
    {"toDateInZone", cw_gt_fn_to_date_in_zone, 3, false, {STR, STR, STR}},
    {"trim", cw_gt_fn_trim_space, 1, false, {STR}},
    {"trimAll", cw_gt_fn_trim_all, 2, false, {STR, STR}},
    {"trimPrefix", cw_gt_fn_trim_prefix, 2, false, {STR, STR}},
    {"trimSuffix", cw_gt_fn_trim_suffix, 2, false, {STR, STR}},
    {"trunc", cw_gt_fn_trunc, 2, false, {INT, STR}},
    {"unixEpoch", cw_gt_fn_unix_epoch, 1, false, {TIME}},
    {"unixEpochMillis", cw_gt_fn_unix_epoch_millis, 1, false, {TIME}},
    {"unixEpochNanos", cw_gt_fn_unix_epoch_nanos, 1, false, {TIME}},
    {"unixToTime", cw_gt_fn_unix_to_time, 1, false, {STR}},
    {"upper", cw_gt_fn_upper, 1, false, {STR}},
    {"urldecode", cw_gt_fn_urldecode, 1, false, {STR}},
    {"urlencode", cw_gt_fn_urlencode, 1, false, {STR}},
    {"urlquery", cw_gt_fn_urlquery, 0, true, {ANY}},
};

static int compare_name(const void *key, const void *row)
{
    const struct cw_str *name = key;
    return cw_str_cmp(*name, cw_str_of(((const struct cw_gt_func *)row)->name));
}

const struct cw_gt_func *cw_gt_func_in(const struct cw_gt_func *table, size_t n, struct cw_str name)
{
    return bsearch(&name, table, n, sizeof *table, compare_name);
}

const struct cw_gt_func *cw_gt_func_find(struct cw_str name)
{
    return cw_gt_func_in(funcs, CW_COUNT(funcs), name);
}
