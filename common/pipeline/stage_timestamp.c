#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/pipeline/stage_priv.h"
#include "common/template/go_time.h"

enum form_kind { FORM_LAYOUT, FORM_RFC3339, FORM_UNIX, FORM_UNIX_MS, FORM_UNIX_US, FORM_UNIX_NS };

struct form {
    enum form_kind kind;
    struct cw_str layout;
    struct cw_str with_year; /* a layout without a year, with one in front; else empty */
};

struct timestamp_stage {
    uint32_t source;
    struct form *forms; /* tried in turn */
    size_t nforms;
    const struct cw_go_zone *zone;
    enum cw_stage_time_action on_failure, on_duplicate;
    bool keeps_time; /* one of them is fudge */
};

struct timestamp_run {
    bool met;
    struct cw_labels labels; /* of the last entry, and their key */
    uint64_t key;
};

static const struct {
    const char *name;
    enum form_kind kind;
    const char *layout;
} named_forms[] = {
    {"ANSIC", FORM_LAYOUT, "Mon Jan _2 15:04:05 2006"},
    {"UnixDate", FORM_LAYOUT, "Mon Jan _2 15:04:05 MST 2006"},
    {"RubyDate", FORM_LAYOUT, "Mon Jan 02 15:04:05 -0700 2006"},
    {"RFC822", FORM_LAYOUT, "02 Jan 06 15:04 MST"},
    {"RFC822Z", FORM_LAYOUT, "02 Jan 06 15:04 -0700"},
    {"RFC850", FORM_LAYOUT, "Monday, 02-Jan-06 15:04:05 MST"},
    {"RFC1123", FORM_LAYOUT, "Mon, 02 Jan 2006 15:04:05 MST"},
    {"RFC1123Z", FORM_LAYOUT, "Mon, 02 Jan 2006 15:04:05 -0700"},
    {"RFC3339", FORM_RFC3339, "2006-01-02T15:04:05Z07:00"},
    {"RFC3339Nano", FORM_RFC3339, "2006-01-02T15:04:05.999999999Z07:00"},
    {"Unix", FORM_UNIX, ""},
    {"UnixMs", FORM_UNIX_MS, ""},
    {"UnixUs", FORM_UNIX_US, ""},
    {"UnixNs", FORM_UNIX_NS, ""},
};

/* ---- compiling ---- */

static int64_t year_of(struct cw_go_time t)
{
    struct cw_go_civil civil;
    cw_go_time_civil(t, &civil);
    return civil.year;
}

/* Does what the layout writes not say the year? */
static bool lacks_year(struct cw_str layout)
{
    struct cw_buf text;
    struct cw_go_time back;
    cw_buf_init(&text, 64 << 10);
    cw_go_time_format(cw_go_time_unix(1549440000, 0), layout, &text); /* in 2019 */
    bool reads = cw_go_time_parse(layout, cw_buf_str(&text), NULL, &back);
    cw_buf_fini(&text);
    return reads && year_of(back) == 0;
}

static int compile_form(struct cw_stages_build *build, struct cw_str format, struct form *out,
                        struct cw_err *err)
{
    if (format.len == 0)
        return cw_err_set(err, CW_E_INVALID, "a format is empty");
    for (size_t i = 0; i < sizeof named_forms / sizeof named_forms[0]; i++) {
        if (!cw_str_eqz(format, named_forms[i].name))
            continue;
        *out = (struct form){named_forms[i].kind, cw_str_of(named_forms[i].layout), CW_STR_NONE};
        return 0;
    }
    *out = (struct form){FORM_LAYOUT, format, CW_STR_NONE};
    if (lacks_year(format))
        out->with_year = cw_arena_printf(build->arena, "2006 %.*s", CW_STR_ARG(format));
    return 0;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_timestamp_config *c = config;
    struct timestamp_stage *stage = CW_ARENA_NEW(build->arena, struct timestamp_stage);
    node->state = stage;
    if (c->source.len == 0 || c->format.len == 0)
        return cw_err_set(err, CW_E_INVALID, "%s is missing",
                          c->source.len == 0 ? "source" : "format");
    stage->source = cw_stage_slot(build, c->source);
    stage->on_failure = (enum cw_stage_time_action)c->action_on_failure;
    stage->on_duplicate = (enum cw_stage_time_action)c->action_on_duplicate;
    stage->keeps_time =
        stage->on_failure == CW_STAGE_TIME_FUDGE || stage->on_duplicate == CW_STAGE_TIME_FUDGE;
    build->stages->keeps_time |= stage->keeps_time;
    stage->nforms = 1 + c->fallback_formats.n;
    stage->forms = CW_ARENA_ARRAY(build->arena, struct form, stage->nforms);
    if (!cw_go_zone_load(c->location, &stage->zone))
        return cw_err_set(err, CW_E_INVALID, "location: no time zone is called \"%.*s\"",
                          CW_STR_ARG(c->location));
    int rc = compile_form(build, c->format, &stage->forms[0], err);
    for (size_t i = 0; rc == 0 && i < c->fallback_formats.n; i++)
        rc = compile_form(build, c->fallback_formats.items[i], &stage->forms[i + 1], err);
    return rc;
}

/* ---- reading ---- */

static bool to_ns(struct cw_go_time t, int64_t *ns_out)
{
    int64_t ns;
    if (__builtin_mul_overflow(t.sec, CW_NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (int64_t)t.nsec, ns_out))
        return false;
    return true;
}

/* "1562708916", "1562708916.123": the digits behind the ninth are dropped. */
static bool read_unix(struct cw_str text, int64_t *ns_out)
{
    struct cw_str whole;
    int64_t seconds, ns = 0, unit = CW_NS_PER_S / 10;
    if (cw_str_find_byte(text, '.') == (ptrdiff_t)text.len - 1 ||
        !cw_str_split(&text, '.', &whole) || !cw_str_to_i64(whole, &seconds))
        return false;
    for (size_t i = 0; i < text.len; i++, unit /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        ns += (text.ptr[i] - '0') * unit;
    }
    if (whole.ptr[0] == '-')
        ns = -ns;
    return !__builtin_mul_overflow(seconds, CW_NS_PER_S, &seconds) &&
           !__builtin_add_overflow(seconds, ns, ns_out);
}

static bool read_units(struct cw_str text, int64_t unit_ns, int64_t *ns_out)
{
    int64_t n;
    return cw_str_to_i64(text, &n) && !__builtin_mul_overflow(n, unit_ns, ns_out);
}

static bool read_in_year(const struct form *form, int64_t year, struct cw_str text,
                         const struct cw_go_zone *zone, struct cw_arena *arena,
                         struct cw_go_time *out)
{
    struct cw_str dated = cw_arena_printf(arena, "%04lld %.*s", (long long)year, CW_STR_ARG(text));
    return cw_go_time_parse(form->with_year, dated, zone, out);
}

/* This year; but in January what says December is of the last one, and the other way round. */
static bool read_without_year(const struct form *form, struct cw_str text,
                              const struct cw_go_zone *zone, const struct cw_stages_run *run,
                              struct cw_go_time *out)
{
    struct cw_go_civil now, read;
    struct cw_arena *arena = run->options.arena;
    struct cw_go_time now_time = cw_go_time_unix(0, run->options.now_ns);
    now_time.zone = zone;
    cw_go_time_civil(now_time, &now);
    if (!read_in_year(form, now.year, text, zone, arena, out))
        return false;
    cw_go_time_civil(*out, &read);
    if (read.month == 12 && now.month == 1)
        return read_in_year(form, now.year - 1, text, zone, arena, out);
    if (read.month == 1 && now.month == 12)
        return read_in_year(form, now.year + 1, text, zone, arena, out);
    return true;
}

static bool read_form(const struct timestamp_stage *stage, const struct form *form,
                      struct cw_str text, const struct cw_stages_run *run, int64_t *ns_out)
{
    struct cw_go_time t;
    switch (form->kind) {
    case FORM_UNIX: return read_unix(text, ns_out);
    case FORM_UNIX_MS: return read_units(text, CW_NS_PER_MS, ns_out);
    case FORM_UNIX_US: return read_units(text, CW_NS_PER_US, ns_out);
    case FORM_UNIX_NS: return read_units(text, 1, ns_out);
    case FORM_RFC3339:
        if (cw_time_parse_rfc3339(text, ns_out))
            return true;
        break;
    case FORM_LAYOUT: break;
    }
    if (form->with_year.len > 0)
        return read_without_year(form, text, stage->zone, run, &t) && to_ns(t, ns_out);
    return cw_go_time_parse(form->layout, text, stage->zone, &t) && to_ns(t, ns_out);
}

static bool read_time(const struct timestamp_stage *stage, const struct cw_stages_run *run,
                      const struct cw_stage_item *item, int64_t *ns_out)
{
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text))
        return false;
    for (size_t i = 0; i < stage->nforms; i++) {
        if (read_form(stage, &stage->forms[i], text, run, ns_out))
            return true;
    }
    return false;
}

/* Of the entry's labels; each stage knows its own times, as in promtail. Mostly they are those of the entry before. */
static uint64_t key_of(const struct cw_stage_node *node, struct cw_stages_run *run,
                       const struct cw_stage_item *item)
{
    struct timestamp_run *state = cw_stage_run_state(node, run);
    struct cw_labels labels = {item->entry.labels, item->entry.nlabels};
    if (!state->met || !cw_labels_eq(labels, state->labels)) {
        uint64_t of[] = {cw_labels_hash(labels).lo, node->idx};
        *state = (struct timestamp_run){true, labels, cw_hash64(of, sizeof of)};
    }
    return state->key;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct timestamp_stage *stage = node->state;
    int64_t read_ns;
    bool read = read_time(stage, run, item, &read_ns);
    if (read)
        item->entry.ts_ns = read_ns;
    if (!stage->keeps_time)
        return CW_STAGE_ON;
    uint64_t key = key_of(node, run, item);
    const struct cw_stage_time *last = cw_stage_time_find(run, key);
    bool again = last != NULL && last->given_ns < INT64_MAX;
    if (!read && (!again || stage->on_failure != CW_STAGE_TIME_FUDGE))
        return CW_STAGE_ON;
    if (!read)
        read_ns = last->read_ns;
    else if (stage->on_duplicate != CW_STAGE_TIME_FUDGE)
        again = false;
    if (again && last->read_ns == read_ns)
        item->entry.ts_ns = last->given_ns + 1;
    cw_stage_time_put(run, item, (struct cw_stage_time){key, read_ns, item->entry.ts_ns});
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_timestamp_def = {
    .compile = compile, .run = run_stage, .run_bytes = sizeof(struct timestamp_run)};
