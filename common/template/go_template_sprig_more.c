/* More of sprig's functions: parts of lists and dicts, kinds, dates in a zone, paths. And the names of those that are left out. */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/template/go_template_sprig_priv.h"

/* ---- lists ---- */

static int add_all(struct cw_go_template_run *run, struct cw_gt_list_builder *made,
                   const struct cw_go_value *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cw_gt_list_add(run, made, items[i]) < 0)
            return -1;
    return 0;
}

/* append list value */
static CW_GT_FN(append)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "push", args[0], &list) < 0 ||
        add_all(run, &made, list->items, list->n) < 0 || add_all(run, &made, &args[1], 1) < 0)
        return -1;
    return cw_gt_give_list(run, &made, out);
}

/* prepend list value */
static CW_GT_FN(prepend)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "prepend", args[0], &list) < 0 ||
        add_all(run, &made, &args[1], 1) < 0 || add_all(run, &made, list->items, list->n) < 0)
        return -1;
    return cw_gt_give_list(run, &made, out);
}

static CW_GT_FN(concat)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    for (size_t i = 0; i < nargs; i++)
        if (cw_gt_want_list(run, "concat", args[i], &list) < 0 ||
            add_all(run, &made, list->items, list->n) < 0)
            return -1;
    return cw_gt_give_list(run, &made, out);
}

/* without list value... */
static CW_GT_FN(without)
{
    const struct cw_go_list *list;
    struct cw_gt_list_builder made = {0};
    if (cw_gt_want_list(run, "without", args[0], &list) < 0)
        return -1;
    for (size_t i = 0; i < list->n; i++) {
        int has = cw_gt_list_has(run, args + 1, nargs - 1, list->items[i]);
        if (has < 0 || (has == 0 && cw_gt_list_add(run, &made, list->items[i]) < 0))
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

/* untilStep start stop step */
static CW_GT_FN(until_step)
{
    struct cw_gt_list_builder made = {0};
    int64_t at = args[0].number, stop = args[1].number, step = args[2].number;
    bool down = stop < at;
    if (down ? step >= 0 : step <= 0)
        return cw_gt_give_list(run, &made, out);
    while (down ? at > stop : at < stop) {
        if (cw_gt_list_add(run, &made, cw_go_int(at)) < 0)
            return -1;
        if (__builtin_add_overflow(at, step, &at)) /* Go's wraps, and counts on without end */
            return cw_gt_fail_limit(run, "untilStep counts further than an integer goes");
    }
    return cw_gt_give_list(run, &made, out);
}

/* ---- dicts ---- */

/* dig key... default dict: the value at the end of the keys, in dicts within dicts. */
static CW_GT_FN(dig)
{
    const struct cw_go_map *map;
    if (nargs < 3)
        return cw_gt_fail(run, "dig needs at least three arguments");
    struct cw_go_value value = args[nargs - 1];
    for (size_t i = 0; i + 2 < nargs; i++) {
        bool found;
        struct cw_go_value key = cw_gt_unbox(args[i]);
        if (key.kind != CW_GO_STRING)
            return cw_gt_fail(run, "dig: a key is no string but %s", cw_go_type_name(key.kind));
        if (cw_gt_want_map(run, value, &map) < 0)
            return -1;
        value = cw_go_map_get(map, key.text, &found);
        if (!found) {
            value = args[nargs - 2];
            break;
        }
    }
    *out = value;
    out->boxed = true;
    return 0;
}

static bool is_named(const struct cw_go_value *names, size_t n, struct cw_str key)
{
    for (size_t i = 0; i < n; i++)
        if (cw_str_eq(names[i].text, key))
            return true;
    return false;
}

/* The pairs of args[0] whose keys are among the others, or are not. */
static int give_some(struct cw_go_template_run *run, const struct cw_go_value *args, size_t nargs,
                     bool named, struct cw_go_value *out)
{
    const struct cw_go_map *map;
    if (cw_gt_want_map(run, args[0], &map) < 0 ||
        cw_gt_spend(run, map->n, (map->n + 1) * sizeof(struct cw_go_pair)) < 0)
        return -1;
    struct cw_go_pair *pairs = CW_ARENA_ARRAY(run->arena, struct cw_go_pair, map->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++)
        if (is_named(args + 1, nargs - 1, map->items[i].key) == named)
            pairs[n++] = map->items[i];
    return cw_gt_give_map(run, pairs, n, out);
}

static CW_GT_FN(pick)
{
    return give_some(run, args, nargs, true, out);
}

static CW_GT_FN(omit)
{
    return give_some(run, args, nargs, false, out);
}

/* pluck key dict... */
static CW_GT_FN(pluck)
{
    const struct cw_go_map *map;
    struct cw_gt_list_builder made = {0};
    for (size_t i = 1; i < nargs; i++) {
        bool found;
        if (cw_gt_want_map(run, args[i], &map) < 0)
            return -1;
        struct cw_go_value value = cw_go_map_get(map, args[0].text, &found);
        if (found && cw_gt_list_add(run, &made, value) < 0)
            return -1;
    }
    return cw_gt_give_list(run, &made, out);
}

/* ---- kinds ---- */

static struct cw_str type_of(struct cw_go_value value)
{
    value = cw_gt_unbox(value);
    /* What a stage's template is given is such a map. */
    return cw_str_of(cw_go_type_name(value.kind == CW_GO_FIELDS ? CW_GO_MAP : value.kind));
}

static CW_GT_FN(type_of)
{
    *out = cw_go_string(type_of(args[0]));
    return 0;
}

static CW_GT_FN(type_is)
{
    *out = cw_go_bool(cw_str_eq(args[0].text, type_of(args[1])));
    return 0;
}

static CW_GT_FN(type_is_like)
{
    struct cw_str type = type_of(args[1]);
    bool pointer = cw_str_starts(type, CW_STR("*"));
    *out = cw_go_bool(cw_str_eq(args[0].text, type) ||
                      (pointer && cw_str_eq(args[0].text, cw_str_sub(type, 1, type.len))));
    return 0;
}

static CW_GT_FN(kind_is)
{
    struct cw_go_value kind;
    const struct cw_gt_func *kind_of = cw_gt_func_find_shipper(CW_STR("kindOf"));
    if (kind_of->fn(run, args + 1, 1, &kind) < 0)
        return -1;
    *out = cw_go_bool(cw_str_eq(args[0].text, kind.text));
    return 0;
}

/* ---- dates ---- */

static int put_date(struct cw_go_template_run *run, struct cw_str layout, struct cw_go_value value,
                    struct cw_str zone, struct cw_go_value *out)
{
    value = cw_gt_unbox(value);
    struct cw_go_time time = cw_go_time_unix(0, run->input->now_ns);
    if (value.kind == CW_GO_TIME)
        time = *value.time;
    else if (value.kind == CW_GO_INT || value.kind == CW_GO_INT64)
        time = cw_go_time_unix(value.number, 0);
    time = (struct cw_go_time){.sec = time.sec, .nsec = time.nsec};
    /* A zone that is none is UTC, which time has. */
    cw_go_zone_load(zone, &time.zone);
    cw_buf_clear(&run->tmp);
    cw_go_time_format(time, layout, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

/* dateInZone layout date zone */
static CW_GT_FN(date_in_zone)
{
    return put_date(run, args[0].text, args[1], args[2].text, out);
}

/* htmlDateInZone date zone */
static CW_GT_FN(html_date_in_zone)
{
    return put_date(run, CW_STR("2006-01-02"), args[0], args[1].text, out);
}

/* The machine's zone is UTC here, as for `date`. */
static CW_GT_FN(html_date)
{
    return put_date(run, CW_STR("2006-01-02"), args[0], CW_STR("UTC"), out);
}

/* ---- paths ---- */

/* Go's path.Clean. */
static int put_clean(struct cw_go_template_run *run, struct cw_str path, struct cw_go_value *out)
{
    bool rooted = cw_str_starts(path, CW_STR("/"));
    struct cw_buf *made = &run->tmp;
    size_t kept = rooted; /* of `made`, which ".." cannot take off */
    struct cw_str name;
    cw_buf_clear(made);
    if (rooted)
        cw_buf_addc(made, '/');
    while (cw_str_split(&path, '/', &name)) {
        if (name.len == 0 || cw_str_eqz(name, "."))
            continue;
        bool up = cw_str_eqz(name, "..");
        if (up && made->len > kept) {
            while (made->len > kept && made->ptr[made->len - 1] != '/')
                made->len--;
            made->len -= made->len > kept;
            continue;
        }
        if (up && rooted)
            continue;
        if (made->len > (size_t)rooted)
            cw_buf_addc(made, '/');
        cw_buf_adds(made, name);
        if (up)
            kept = made->len;
    }
    if (made->len == 0)
        cw_buf_addc(made, '.');
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(clean)
{
    return put_clean(run, args[0].text, out);
}

static CW_GT_FN(dir)
{
    struct cw_str path = args[0].text;
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return put_clean(run, path, out);
}

static CW_GT_FN(is_abs)
{
    *out = cw_go_bool(cw_str_starts(args[0].text, CW_STR("/")));
    return 0;
}

/* ---- the tables ---- */

#define ANY CW_GT_T_ANY
#define STR CW_GT_T_STRING
#define INT CW_GT_T_INT

static const struct cw_gt_func funcs[] = {
    /* Sorted by name. */
    {"append", cw_gt_fn_append, 2, false, {ANY, ANY}},
    {"clean", cw_gt_fn_clean, 1, false, {STR}},
    {"concat", cw_gt_fn_concat, 0, true, {ANY}},
    {"dateInZone", cw_gt_fn_date_in_zone, 3, false, {STR, ANY, STR}},
    {"date_in_zone", cw_gt_fn_date_in_zone, 3, false, {STR, ANY, STR}},
    {"dig", cw_gt_fn_dig, 0, true, {ANY}},
    {"dir", cw_gt_fn_dir, 1, false, {STR}},
    {"htmlDate", cw_gt_fn_html_date, 1, false, {ANY}},
    {"htmlDateInZone", cw_gt_fn_html_date_in_zone, 2, false, {ANY, STR}},
    {"isAbs", cw_gt_fn_is_abs, 1, false, {STR}},
    {"kindIs", cw_gt_fn_kind_is, 2, false, {STR, ANY}},
    {"mustAppend", cw_gt_fn_append, 2, false, {ANY, ANY}},
    {"mustPrepend", cw_gt_fn_prepend, 2, false, {ANY, ANY}},
    {"mustPush", cw_gt_fn_append, 2, false, {ANY, ANY}},
    {"mustWithout", cw_gt_fn_without, 1, true, {ANY, ANY}},
    {"omit", cw_gt_fn_omit, 1, true, {ANY, STR}},
    {"osClean", cw_gt_fn_clean, 1, false, {STR}},
    {"osDir", cw_gt_fn_dir, 1, false, {STR}},
    {"osIsAbs", cw_gt_fn_is_abs, 1, false, {STR}},
    {"pick", cw_gt_fn_pick, 1, true, {ANY, STR}},
    {"pluck", cw_gt_fn_pluck, 1, true, {STR, ANY}},
    {"prepend", cw_gt_fn_prepend, 2, false, {ANY, ANY}},
    {"push", cw_gt_fn_append, 2, false, {ANY, ANY}},
    {"typeIs", cw_gt_fn_type_is, 2, false, {STR, ANY}},
    {"typeIsLike", cw_gt_fn_type_is_like, 2, false, {STR, ANY}},
    {"typeOf", cw_gt_fn_type_of, 1, false, {ANY}},
    {"untilStep", cw_gt_fn_until_step, 3, false, {INT, INT, INT}},
    {"without", cw_gt_fn_without, 1, true, {ANY, ANY}},
};

const struct cw_gt_func *cw_gt_func_find_sprig_more(struct cw_str name)
{
    return cw_gt_func_in(funcs, CW_COUNT(funcs), name);
}

/* What reads the machine or the network, draws by chance or makes keys, changes a dict, or nobody has asked for. */
static const char left_out[] =
    "abbrevboth add1f adler32sum ago b32dec b32enc bcrypt biggest buildCustomCert chunk "
    "dateModify date_modify decryptAES deepCopy deepEqual derivePassword durationRound "
    "encryptAES env expandenv genCA genCAWithKey genPrivateKey genSelfSignedCert "
    "genSelfSignedCertWithKey genSignedCert genSignedCertWithKey getHostByName hello "
    "htpasswd initials merge mergeOverwrite mustChunk mustDateModify mustDeepCopy "
    "mustFromJson mustMerge mustMergeOverwrite mustSlice mustToDate mustToPrettyJson "
    "mustToRawJson must_date_modify randAlpha randAlphaNum randAscii randBytes randInt "
    "randNumeric semver semverCompare seq set shuffle swapcase toDecimal toPrettyJson "
    "toRawJson toStrings trimall unset urlJoin urlParse uuidv4 wrap wrapWith";

bool cw_gt_sprig_left_out(struct cw_str name)
{
    struct cw_str rest = cw_str_of(left_out), word;
    while (cw_str_split(&rest, ' ', &word))
        if (cw_str_eq(word, name))
            return true;
    return false;
}
