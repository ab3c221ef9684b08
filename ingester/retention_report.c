#include "ingester/retention_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/part_source.h"
#include "common/store/stream_set.h"
#include "common/wire/json_writer.h"

/* Some thousand tenants with a few rules each. */
#define REPORT_BYTES_MAX (64u << 20)

struct report {
    struct cw_json_writer json;
    const struct cw_retention_options *options;
    struct cw_deletes *deletes;
    struct cw_retention_shares *shares;
    struct cw_snapshot all; /* the oldest first */
    int64_t now_ns;
    uint64_t log_bytes;
};

static const struct cw_part_footer *footer_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source));
}

static void key_time(struct report *r, const char *name, int64_t ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_time_format_rfc3339(ns, &text);
    cw_json_key_string(&r->json, name, cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void key_period(struct report *r, int64_t period_ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_duration_format_prom(period_ns, &text);
    cw_json_key_string(&r->json, "period", cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void rule_begin(struct report *r, const char *name)
{
    cw_json_begin_object(&r->json);
    cw_json_key_string(&r->json, "rule", cw_str_of(name));
}

enum due { DUE_LATER, DUE_NOW, DUE_AT_A_TIME };

/* `at_ns` counts for DUE_AT_A_TIME. */
static void key_next(struct report *r, struct cw_source *part, enum due due, int64_t at_ns)
{
    const struct cw_part_footer *footer = footer_of(part);
    char id[17];
    snprintf(id, sizeof(id), "%016" PRIx64, footer->info.id);
    cw_json_key(&r->json, CW_STR("next"));
    cw_json_begin_object(&r->json);
    cw_json_key_string(&r->json, "part", cw_str_of(id));
    cw_json_key_string(&r->json, "tenant", footer->info.tenant);
    key_time(r, "from", footer->min_ns);
    key_time(r, "to", footer->max_ns);
    cw_json_key_u64(&r->json, "bytes", footer->file_bytes);
    cw_json_key_u64(&r->json, "entries", footer->rows);
    if (due == DUE_AT_A_TIME)
        key_time(r, "at", at_ns);
    cw_json_key(&r->json, CW_STR("due"));
    cw_json_bool(&r->json, due == DUE_NOW || (due == DUE_AT_A_TIME && at_ns <= r->now_ns));
    cw_json_end_object(&r->json);
}

/* ---- the store ---- */

/* The oldest part whose leaving makes room; *held_out: bytes of those that make none. */
static struct cw_source *first_that_frees(const struct report *r, uint64_t *held_out)
{
    struct cw_source *first = NULL;
    *held_out = 0;
    for (size_t i = 0; i < r->all.n; i++) {
        struct cw_source *part = r->all.sources[i];
        if (cw_retention_frees(part) == 0)
            *held_out += footer_of(part)->file_bytes;
        else if (first == NULL)
            first = part;
    }
    return first;
}

static void store_rules(struct report *r, uint64_t bytes, const char *data_dir)
{
    uint64_t free_bytes, total_bytes, held_bytes, max_bytes = r->options->max_bytes;
    struct cw_err err;
    struct cw_source *oldest = r->all.n > 0 ? r->all.sources[0] : NULL;
    if (max_bytes > 0) {
        rule_begin(r, "storage.max_bytes");
        cw_json_key_u64(&r->json, "max_bytes", max_bytes);
        if (r->all.n > 1)
            key_next(r, oldest, bytes + r->log_bytes > max_bytes ? DUE_NOW : DUE_LATER, 0);
        cw_json_end_object(&r->json);
    }
    if (r->options->min_free > 0 && cw_file_space(data_dir, &free_bytes, &total_bytes, &err) == 0) {
        uint64_t want = (uint64_t)(r->options->min_free * (double)total_bytes);
        rule_begin(r, "storage.min_free");
        cw_json_key_u64(&r->json, "free_bytes", free_bytes);
        cw_json_key_u64(&r->json, "min_free_bytes", want);
        struct cw_source *next = first_that_frees(r, &held_bytes);
        cw_json_key_u64(&r->json, "held_by_snapshots_bytes", held_bytes);
        if (next != NULL && next->max_ns < r->now_ns - CW_RETENTION_YOUNG_NS)
            key_next(r, next, free_bytes < want ? DUE_NOW : DUE_LATER, 0);
        cw_json_end_object(&r->json);
    }
}

/* ---- a tenant: parts [from, to) of `all` that are its own, by index ---- */

struct tenant_parts {
    struct cw_str tenant;
    struct cw_source **parts; /* the oldest first */
    size_t n;
    uint64_t bytes;
};

static int64_t time_after(int64_t ns, int64_t period_ns)
{
    int64_t at_ns;
    return __builtin_add_overflow(ns, period_ns, &at_ns) ? INT64_MAX : at_ns;
}

/* Has the part streams whose period the i-th rule decides (the n-th: retention_period)? Those are its that no rule before it
 * matches. A part whose postings are damaged has none. */
static bool decides(struct cw_source *part, const struct cw_retention_policy *policy, size_t i)
{
    uint32_t nstreams = footer_of(part)->nstreams;
    struct cw_stream_set before, own;
    struct cw_err err;
    int rc = 0;
    if (nstreams == 0)
        return false;
    cw_stream_set_init(&before, nstreams);
    cw_stream_set_init(&own, nstreams);
    for (size_t k = 0; rc == 0 && k <= i && k < policy->n; k++) {
        struct cw_part_selection *selection;
        rc = cw_part_reader_select(cw_part_source_reader(part), &policy->rules[k].selector,
                                   &selection, &err);
        if (rc < 0)
            break;
        cw_stream_set_add_members(k < i ? &before : &own, cw_part_selection_set(selection), 0,
                                  nstreams - 1);
        cw_part_selection_unref(&selection);
    }
    if (i == policy->n)
        cw_stream_set_add_run(&own, 0, nstreams);
    cw_stream_set_invert(&before);
    cw_stream_set_and(&own, &before);
    bool has = rc == 0 && cw_stream_set_count(&own) > 0;
    cw_stream_set_fini(&before);
    cw_stream_set_fini(&own);
    return has;
}

static void stream_rule_begin(struct report *r, const struct cw_retention_stream_rule *rule)
{
    rule_begin(r, "retention_stream");
    cw_json_key_string(&r->json, "selector", rule->text);
    cw_json_key(&r->json, CW_STR("priority"));
    cw_json_i64(&r->json, rule->priority);
}

static void period_rules(struct report *r, const struct tenant_parts *t,
                         const struct cw_retention_policy *policy)
{
    for (size_t i = 0; i <= policy->n; i++) {
        const struct cw_retention_stream_rule *rule = i < policy->n ? &policy->rules[i] : NULL;
        int64_t period_ns = rule != NULL ? rule->period_ns : policy->period_ns;
        if (rule == NULL && period_ns == 0)
            continue;
        if (rule != NULL && period_ns == 0 && rule->bytes_max > 0)
            continue; /* bytes alone */
        if (rule != NULL)
            stream_rule_begin(r, rule);
        else
            rule_begin(r, "retention_period");
        key_period(r, period_ns);
        if (period_ns > 0)
            key_time(r, "hidden_before", cw_retention_horizon(period_ns, r->now_ns));
        size_t next = 0;
        while (period_ns > 0 && next < t->n && !decides(t->parts[next], policy, i))
            next++;
        if (period_ns > 0 && next < t->n)
            key_next(r, t->parts[next], DUE_AT_A_TIME,
                     time_after(t->parts[next]->max_ns, period_ns));
        cw_json_end_object(&r->json);
    }
}

/* Of each rule the oldest part that has its streams is next, unless it is the newest too. */
static void byte_rules(struct report *r, const struct tenant_parts *t,
                       struct cw_retention_policy *policy)
{
    struct cw_retention_tally tally;
    struct cw_source **next = cw_mem_array(policy->n + 1, sizeof(*next));
    cw_retention_tally_init(&tally, r->shares, policy);
    for (size_t k = t->n; policy->has_bytes && k-- > 0;) {
        cw_retention_tally_add(&tally, t->parts[k]);
        for (size_t i = 0; i < policy->n; i++)
            if (tally.share[i] > 0 && tally.bytes[i] > tally.share[i])
                next[i] = t->parts[k];
    }
    for (size_t i = 0; i < policy->n; i++) {
        const struct cw_retention_stream_rule *rule = &policy->rules[i];
        if (rule->bytes_max == 0)
            continue;
        stream_rule_begin(r, rule);
        cw_json_key_u64(&r->json, "max_bytes", rule->bytes_max);
        cw_json_key_u64(&r->json, "used_bytes", tally.bytes[i]);
        if (next[i] != NULL)
            key_next(r, next[i], tally.bytes[i] > rule->bytes_max ? DUE_NOW : DUE_LATER, 0);
        cw_json_end_object(&r->json);
    }
    cw_retention_tally_fini(&tally);
    free(next);
}

static void delete_rule(void *arg, const struct cw_delete_row *row,
                        const struct cw_deletes_waits *waits)
{
    struct report *r = arg;
    char id[9];
    if (row->state == CW_DELETE_PROCESSED)
        return;
    snprintf(id, sizeof(id), "%08" PRIx32, row->id);
    rule_begin(r, "delete");
    cw_json_key_string(&r->json, "request_id", cw_str_of(id));
    cw_json_key_string(&r->json, "query", row->query);
    key_time(r, "from", row->first_ns);
    key_time(r, "to", row->last_ns);
    key_time(r, "removed_from", row->due_ns);
    if (waits->refused > 0)
        cw_json_key_u64(&r->json, "damaged_parts", waits->refused);
    if (waits->no_room > 0)
        cw_json_key_u64(&r->json, "parts_without_room", waits->no_room);
    cw_json_end_object(&r->json);
}

static void tenant_report(struct report *r, const struct tenant_parts *t)
{
    struct cw_retention_policy *policy = r->options->policy(r->options->ctx, t->tenant);
    cw_json_begin_object(&r->json);
    cw_json_key_string(&r->json, "tenant", t->tenant);
    cw_json_key_u64(&r->json, "bytes", t->bytes);
    cw_json_key_u64(&r->json, "parts", t->n);
    if (t->n > 0) {
        int64_t oldest_ns = INT64_MAX;
        for (size_t i = 0; i < t->n; i++)
            oldest_ns = CW_MIN(oldest_ns, t->parts[i]->min_ns);
        key_time(r, "oldest", oldest_ns);
        key_time(r, "newest", t->parts[t->n - 1]->max_ns);
    }
    cw_json_key(&r->json, CW_STR("rules"));
    cw_json_begin_array(&r->json);
    period_rules(r, t, policy);
    byte_rules(r, t, policy);
    if (policy->bytes_max > 0) {
        rule_begin(r, "retention_bytes");
        cw_json_key_u64(&r->json, "max_bytes", policy->bytes_max);
        if (t->n > 1)
            key_next(r, t->parts[0], t->bytes > policy->bytes_max ? DUE_NOW : DUE_LATER, 0);
        cw_json_end_object(&r->json);
    }
    cw_deletes_each(r->deletes, t->tenant, delete_rule, r);
    cw_json_end_array(&r->json);
    cw_json_end_object(&r->json);
    cw_retention_policy_unref(&policy);
}

/* `wanted` empty: all that have parts. */
static void tenants_report(struct report *r, struct cw_str wanted)
{
    bool found = false;
    cw_json_key(&r->json, CW_STR("tenants"));
    cw_json_begin_array(&r->json);
    cw_retention_sort_tenants(&r->all);
    for (size_t i = 0, n; i < r->all.n; i += n) {
        struct tenant_parts t = {.tenant = footer_of(r->all.sources[i])->info.tenant,
                                 .parts = &r->all.sources[i]};
        for (n = 0;
             i + n < r->all.n && cw_str_eq(footer_of(r->all.sources[i + n])->info.tenant, t.tenant);
             n++)
            t.bytes += footer_of(r->all.sources[i + n])->file_bytes;
        t.n = n;
        if (wanted.len > 0 && !cw_str_eq(wanted, t.tenant))
            continue;
        tenant_report(r, &t);
        found = true;
    }
    if (!found && wanted.len > 0)
        tenant_report(r, &(struct tenant_parts){.tenant = wanted});
    cw_json_end_array(&r->json);
}

void cw_retention_report(struct cw_parts *parts, struct cw_deletes *deletes,
                         struct cw_retention_shares *shares,
                         const struct cw_retention_options *options, struct cw_str tenant,
                         uint64_t log_bytes, int64_t now_ns, struct cw_buf *out)
{
    cw_buf_init(out, REPORT_BYTES_MAX);
    struct report r = {.json = cw_json_writer_make(out),
                       .options = options,
                       .deletes = deletes,
                       .shares = shares,
                       .now_ns = now_ns,
                       .log_bytes = log_bytes};
    uint64_t bytes = 0;
    cw_parts_all(parts, &r.all);
    cw_retention_sort(&r.all);
    for (size_t i = 0; i < r.all.n; i++)
        bytes += footer_of(r.all.sources[i])->file_bytes;
    cw_json_begin_object(&r.json);
    key_time(&r, "time", now_ns);
    if (tenant.len == 0) {
        cw_json_key(&r.json, CW_STR("store"));
        cw_json_begin_object(&r.json);
        cw_json_key_u64(&r.json, "bytes", bytes);
        cw_json_key_u64(&r.json, "log_bytes", log_bytes);
        cw_json_key(&r.json, CW_STR("rules"));
        cw_json_begin_array(&r.json);
        store_rules(&r, bytes, cw_parts_data_dir(parts));
        cw_json_end_array(&r.json);
        cw_json_end_object(&r.json);
    }
    tenants_report(&r, tenant);
    cw_json_end_object(&r.json);
    cw_snapshot_fini(&r.all);
}
