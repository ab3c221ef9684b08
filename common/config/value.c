#include "common/config/value.h"

#include <math.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/float_text.h"

/* A quoted value in a message: whoever wrote more than this knows it again by its beginning. */
enum { SHOWN_BYTES = 80 };

const char *cw_value_kind_text(enum cw_key_kind kind)
{
    static const char *const texts[] = {
        [CW_KEY_STRING] = "text",
        [CW_KEY_BOOL] = "true or false",
        [CW_KEY_INT] = "a whole number",
        [CW_KEY_FLOAT] = "a number",
        [CW_KEY_BYTES] = "a size such as 64MiB",
        [CW_KEY_DURATION] = "a duration such as 30s or 1h",
        [CW_KEY_ENUM] = "a name",
        [CW_KEY_STRINGS] = "a list",
        [CW_KEY_MAP] = "names with values",
        [CW_KEY_TABLE] = "keys with values",
        [CW_KEY_TABLES] = "a list",
        [CW_KEY_TABLE_MAP] = "names with keys",
        [CW_KEY_IGNORED] = "anything",
    };
    CW_ASSERT((size_t)kind < CW_COUNT(texts));
    return texts[kind];
}

/* A unit's power of 1024, or -1. The empty unit is bytes. */
static int bytes_power(struct cw_str unit)
{
    static const char letters[] = "kmgtpe";
    if (unit.len == 0 || cw_str_eq_nocase(unit, CW_STR("b")))
        return 0;
    for (int i = 0; letters[i] != '\0'; i++) {
        if ((unit.ptr[0] | 0x20) != letters[i])
            continue;
        struct cw_str rest = cw_str_sub(unit, 1, unit.len);
        if (rest.len == 0 || cw_str_eq_nocase(rest, CW_STR("b")) ||
            cw_str_eq_nocase(rest, CW_STR("ib")))
            return i + 1;
    }
    return -1;
}

bool cw_value_parse_bytes(struct cw_str text, int64_t *out)
{
    size_t at = 0, nfraction = 0;
    uint64_t whole = 0, fraction = 0, scale = 1;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) {
        if (__builtin_mul_overflow(whole, 10u, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(text.ptr[at] - '0'), &whole))
            return false;
    }
    if (at == 0)
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        for (at++; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++, nfraction++) {
            if (nfraction < 9) {
                fraction = fraction * 10 + (uint64_t)(text.ptr[at] - '0');
                scale *= 10;
            }
        }
        if (nfraction == 0)
            return false;
    }
    int power = bytes_power(cw_str_trim(cw_str_sub(text, at, text.len)));
    if (power < 0 || (power == 0 && nfraction > 0))
        return false;
    unsigned __int128 unit = (unsigned __int128)1 << (10 * power);
    unsigned __int128 value = whole * unit + fraction * unit / scale;
    if (value > INT64_MAX)
        return false;
    *out = (int64_t)value;
    return true;
}

bool cw_value_parse_duration(struct cw_str text, int64_t *ns_out)
{
    return cw_duration_parse_go(text, ns_out) || cw_duration_parse_prom(text, ns_out);
}

static bool parse_bool(struct cw_str text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < CW_COUNT(yes); i++) {
        if (cw_str_eq_nocase(text, cw_str_of(yes[i]))) {
            *out = true;
            return true;
        }
        if (cw_str_eq_nocase(text, cw_str_of(no[i]))) {
            *out = false;
            return true;
        }
    }
    return false;
}

static int fail_kind(const struct cw_value_rule *rule, struct cw_str text, struct cw_err *err)
{
    text = cw_str_sub(text, 0, SHOWN_BYTES);
    int64_t number;
    if (rule->kind == CW_KEY_DURATION && cw_str_to_i64(text, &number))
        return cw_err_set(err, CW_E_INVALID, "\"%.*s\" has no unit: write %.*ss", CW_STR_ARG(text),
                          CW_STR_ARG(text));
    return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is not %s", CW_STR_ARG(text),
                      cw_value_kind_text(rule->kind));
}

static int parse_enum(const struct cw_value_rule *rule, struct cw_str text, int *out,
                      struct cw_err *err)
{
    struct cw_buf all;
    cw_buf_init(&all, CW_ERR_TEXT_BYTES / 2);
    for (int i = 0; rule->names[i] != NULL; i++) {
        if (cw_str_eqz(text, rule->names[i])) {
            *out = i;
            cw_buf_fini(&all);
            return 0;
        }
        if (i > 0)
            cw_buf_addz(&all, ", ");
        cw_buf_addz(&all, rule->names[i]);
    }
    cw_err_set(err, CW_E_INVALID, "\"%.*s\" is none of %s",
               CW_STR_ARG(cw_str_sub(text, 0, SHOWN_BYTES)), cw_buf_z(&all));
    cw_buf_fini(&all);
    return CW_E_INVALID;
}

/* INT, BYTES, DURATION. */
static bool parse_i64(enum cw_key_kind kind, struct cw_str text, int64_t *out)
{
    if (kind == CW_KEY_BYTES)
        return cw_value_parse_bytes(text, out);
    if (kind == CW_KEY_DURATION)
        return cw_value_parse_duration(text, out);
    return cw_str_to_i64(text, out);
}

static int parse_whole(const struct cw_value_rule *rule, struct cw_str text, int64_t *out,
                       struct cw_err *err)
{
    int64_t value, bound;
    if (!parse_i64(rule->kind, text, &value))
        return fail_kind(rule, text, err);
    text = cw_str_sub(text, 0, SHOWN_BYTES);
    if (rule->min != NULL) {
        CW_ASSERT(parse_i64(rule->kind, cw_str_of(rule->min), &bound));
        if (value < bound)
            return cw_err_set(err, CW_E_INVALID, "%.*s is less than %s", CW_STR_ARG(text),
                              rule->min);
    }
    if (rule->max != NULL) {
        CW_ASSERT(parse_i64(rule->kind, cw_str_of(rule->max), &bound));
        if (value > bound)
            return cw_err_set(err, CW_E_INVALID, "%.*s is more than %s", CW_STR_ARG(text),
                              rule->max);
    }
    *out = value;
    return 0;
}

static int parse_float(const struct cw_value_rule *rule, struct cw_str text, double *out,
                       struct cw_err *err)
{
    double value, bound;
    if (!cw_str_to_f64(text, &value) || isnan(value))
        return fail_kind(rule, text, err);
    text = cw_str_sub(text, 0, SHOWN_BYTES);
    if (rule->min != NULL) {
        CW_ASSERT(cw_str_to_f64(cw_str_of(rule->min), &bound));
        if (value < bound)
            return cw_err_set(err, CW_E_INVALID, "%.*s is less than %s", CW_STR_ARG(text),
                              rule->min);
    }
    if (rule->max != NULL) {
        CW_ASSERT(cw_str_to_f64(cw_str_of(rule->max), &bound));
        if (value > bound)
            return cw_err_set(err, CW_E_INVALID, "%.*s is more than %s", CW_STR_ARG(text),
                              rule->max);
    }
    *out = value;
    return 0;
}

int cw_value_parse(const struct cw_value_rule *rule, struct cw_str text, struct cw_arena *arena,
                   void *out, struct cw_err *err)
{
    switch (rule->kind) {
    case CW_KEY_STRING: *(struct cw_str *)out = cw_arena_dup(arena, text); return 0;
    case CW_KEY_BOOL: return parse_bool(text, out) ? 0 : fail_kind(rule, text, err);
    case CW_KEY_INT:
    case CW_KEY_BYTES:
    case CW_KEY_DURATION: return parse_whole(rule, text, out, err);
    case CW_KEY_FLOAT: return parse_float(rule, text, out, err);
    case CW_KEY_ENUM: return parse_enum(rule, text, out, err);
    default: CW_ASSERT(!"a kind with one value"); return CW_E_INTERNAL;
    }
}

static void format_bytes(int64_t value, struct cw_buf *out)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t power = 0;
    while (value != 0 && value % 1024 == 0 && power + 1 < CW_COUNT(units)) {
        value /= 1024;
        power++;
    }
    cw_buf_addf(out, "%lld%s", (long long)value, units[power]);
}

static void format_duration(int64_t ns, struct cw_buf *out)
{
    /* Prometheus' form is shorter and knows days, but has no sign and nothing below a millisecond. */
    if (ns >= 0 && ns % CW_NS_PER_MS == 0)
        cw_duration_format_prom(ns, out);
    else
        cw_duration_format_go(ns, out);
}

void cw_value_format(const struct cw_value_rule *rule, const void *value, struct cw_buf *out)
{
    switch (rule->kind) {
    case CW_KEY_STRING: cw_buf_adds(out, *(const struct cw_str *)value); break;
    case CW_KEY_BOOL: cw_buf_addz(out, *(const bool *)value ? "true" : "false"); break;
    case CW_KEY_INT: cw_buf_addf(out, "%lld", (long long)*(const int64_t *)value); break;
    case CW_KEY_FLOAT: cw_float_text_general(*(const double *)value, out); break;
    case CW_KEY_BYTES: format_bytes(*(const int64_t *)value, out); break;
    case CW_KEY_DURATION: format_duration(*(const int64_t *)value, out); break;
    case CW_KEY_ENUM: cw_buf_addz(out, rule->names[*(const int *)value]); break;
    default: CW_ASSERT(!"a kind with one value");
    }
}
