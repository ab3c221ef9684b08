/* purge.c - which part is next, and its commit. */
#include "ingester/purge.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"
#include "ingester/rewrite_run.h"

/* A part that was looked at: not again while the same rules of retention have come of age in it. */
struct seen {
    uint64_t id, rules;
};

struct cw_purge {
    struct cw_parts *parts;
    struct cw_deletes *deletes;
    const struct cw_retention_options *retention;
    struct cw_retention_shares *shares;
    enum cw_codec codec;
    struct cw_memory_budget *budget; /* may be NULL */
    struct seen *seen; /* in no order; of parts that are gone too, until the next round */
    size_t nseen, seen_cap;
    uint64_t *refused; /* ids of parts that cannot be written anew */
    size_t nrefused;
    /* Parts for which the disk had no room in this round: they are passed over, so that those that go whole, and small ones, make
     * some. When parts have left meanwhile, there is another round. */
    uint64_t *no_room;
    size_t nno_room;
    uint64_t round_nleft;      /* parts that had left when the first of them failed */
    struct cw_err no_room_why; /* of the last of them */
    /* The run under way. */
    struct cw_rewrite_run *run;
    uint64_t memory_bytes; /* taken for it */
    bool short_of_memory;  /* a part is to be written anew */
    struct cw_hiding *hiding;
    struct cw_hiding_rules rules;
    atomic_uint_fast64_t rewritten, removed, failed;
};

struct cw_purge *cw_purge_new(struct cw_parts *parts, struct cw_deletes *deletes,
                              const struct cw_retention_options *retention,
                              struct cw_retention_shares *shares, enum cw_codec codec)
{
    struct cw_purge *p = cw_mem_new(sizeof(*p));
    p->parts = parts;
    p->deletes = deletes;
    p->retention = retention;
    p->shares = shares;
    p->codec = codec;
    return p;
}

void cw_purge_set_budget(struct cw_purge *p, struct cw_memory_budget *budget)
{
    p->budget = budget;
}

static void run_end(struct cw_purge *p)
{
    cw_rewrite_run_free(&p->run);
    cw_memory_give(p->budget, CW_MEMORY_MERGE, p->memory_bytes);
    p->memory_bytes = 0;
    cw_hiding_rules_fini(&p->rules);
    cw_hiding_unref(&p->hiding);
}

void cw_purge_free(struct cw_purge **handle)
{
    struct cw_purge *p = *handle;
    *handle = NULL;
    if (p == NULL)
        return;
    run_end(p);
    free(p->seen);
    free(p->refused);
    free(p->no_room);
    free(p);
}

void cw_purge_count(struct cw_purge *p, struct cw_purge_counts *out)
{
    *out = (struct cw_purge_counts){atomic_load(&p->rewritten), atomic_load(&p->removed),
                                    atomic_load(&p->failed)};
}

bool cw_purge_short_of_memory(const struct cw_purge *p)
{
    return p->short_of_memory;
}

/* ---- which part ---- */

static const struct cw_part_footer *footer_of(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source));
}

static bool is_passed_over(const struct cw_purge *p, uint64_t id)
{
    for (size_t i = 0; i < p->nrefused; i++)
        if (p->refused[i] == id)
            return true;
    for (size_t i = 0; i < p->nno_room; i++)
        if (p->no_room[i] == id)
            return true;
    return false;
}

static struct seen *seen_of(struct cw_purge *p, uint64_t id)
{
    for (size_t i = 0; i < p->nseen; i++)
        if (p->seen[i].id == id)
            return &p->seen[i];
    return NULL;
}

static void seen_set(struct cw_purge *p, uint64_t id, uint64_t rules)
{
    struct seen *seen = seen_of(p, id);
    if (seen != NULL) {
        seen->rules = rules;
        return;
    }
    if (p->nseen == p->seen_cap) {
        p->seen_cap = p->seen_cap ? 2 * p->seen_cap : 64;
        p->seen = cw_mem_resize(p->seen, p->seen_cap * sizeof(*p->seen));
    }
    p->seen[p->nseen++] = (struct seen){id, rules};
}

/* Which rules of retention hide all that the part has of their streams: a number that is another one when they change; 0: none. */
static uint64_t aged_rules(const struct cw_hiding_rules *rules, uint64_t version, int64_t max_ns)
{
    uint64_t mix[2] = {version, 0};
    for (size_t i = rules->ndeletes; i < rules->n; i++)
        if (rules->items[i].nexcept > 0 || rules->items[i].selector != NULL)
            mix[1] =
                mix[1] * 31 + (rules->items[i].last_ns >= max_ns ? rules->items[i].nexcept + 1 : 0);
    return mix[1] == 0 ? 0 : cw_hash64(mix, sizeof(mix)) | 1;
}

/* Does a rule that counts touch a block of a stream that it matches? */
static int touches(struct cw_source *source, const struct cw_hiding_rules *rules, int64_t max_ns,
                   struct cw_err *err)
{
    struct cw_units units = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && units.n == 0 && i < rules->n; i++) {
        const struct cw_hidden_rule *rule = &rules->items[i];
        struct cw_scan scan = {.selector = rule->selector,
                               .start_ns = rule->first_ns,
                               .end_ns =
                                   rule->last_ns == INT64_MAX ? INT64_MAX : rule->last_ns + 1};
        if (i < rules->ndeletes || rule->last_ns >= max_ns)
            rc = source->ops->plan(source, &scan, &units, err);
    }
    size_t n = units.n;
    cw_units_fini(&units);
    return rc < 0 ? rc : n > 0;
}

static bool memory_take(struct cw_purge *p)
{
    uint64_t bytes = CW_PART_WRITER_MEMORY + CW_PART_CURSOR_MEMORY;
    if (cw_memory_take(p->budget, CW_MEMORY_MERGE, bytes, NULL) < 0)
        return false;
    p->memory_bytes = bytes;
    return true;
}

/* Blocks that overlap are open at once: how many is known only now. */
static void memory_follow(struct cw_purge *p)
{
    uint64_t bytes = CW_PART_WRITER_MEMORY + cw_rewrite_run_cursors(p->run) * CW_PART_CURSOR_MEMORY;
    if (bytes <= p->memory_bytes)
        return;
    cw_memory_add(p->budget, CW_MEMORY_MERGE, bytes - p->memory_bytes);
    p->memory_bytes = bytes;
}

/* 1: a run has begun for the part. `over`: by rule of the policy, its streams leave the part. */
static int part_try(struct cw_purge *p, struct cw_source *source,
                    struct cw_retention_policy *policy, const bool *over, struct cw_err *err)
{
    const struct cw_part_footer *footer = footer_of(source);
    uint64_t id = footer->info.id, before = cw_deletes_version(p->deletes);
    struct cw_delete_place place = cw_hiding_place(footer);
    int64_t now_ns = cw_clock_now_ns();
    p->hiding = cw_hiding_new(policy, p->deletes, footer->info.tenant, CW_DELETES_REMOVING, now_ns);
    int64_t horizon_ns = cw_retention_policy_horizon_ns(policy, now_ns);
    if (p->hiding == NULL)
        return 0;
    cw_hiding_rules(p->hiding, &place, over, &p->rules);
    uint64_t aged = aged_rules(&p->rules, policy->version, footer->max_ns);
    const struct seen *seen = seen_of(p, id);
    bool holds = p->rules.ndeletes > 0 && cw_deletes_holds(p->deletes, footer);
    int rc = 0;
    if (holds || (aged != 0 && (seen == NULL || seen->rules != aged)))
        rc = touches(source, &p->rules, footer->max_ns, err);
    else
        return 0;
    if (rc == 0) {
        seen_set(p, id, aged);
        if (p->hiding->deletes != NULL)
            cw_deletes_clean(p->hiding->deletes, id);
    }
    if (rc != 1)
        return rc;
    if (!memory_take(p)) {
        p->short_of_memory = true;
        return 0;
    }
    /* What retention_period hides goes too; its rule comes last. */
    if (horizon_ns > footer->min_ns)
        p->rules.items[p->rules.n++] =
            (struct cw_hidden_rule){.first_ns = INT64_MIN, .last_ns = horizon_ns - 1};
    rc = cw_rewrite_run_new(p->parts, source, p->rules.items, p->rules.n, &p->hiding->owner,
                            p->codec, &p->run, err);
    if (rc == 0 && (before % 2 == 1 || cw_deletes_version(p->deletes) != before))
        rc = cw_err_set(err, CW_E_CONFLICT, "another delete is carried out from now on");
    return rc < 0 ? rc : 1;
}

static void refuse(struct cw_purge *p, const struct cw_part_footer *part)
{
    atomic_fetch_add(&p->failed, 1);
    p->refused = cw_mem_resize(p->refused, (p->nrefused + 1) * sizeof(*p->refused));
    p->refused[p->nrefused++] = part->info.id;
    cw_deletes_refuse(p->deletes, part);
}

static void pass_over(struct cw_purge *p, const struct cw_part_footer *part,
                      const struct cw_err *why)
{
    if (p->nno_room == 0)
        p->round_nleft = cw_parts_nleft(p->parts);
    p->no_room = cw_mem_resize(p->no_room, (p->nno_room + 1) * sizeof(*p->no_room));
    p->no_room[p->nno_room++] = part->info.id;
    p->no_room_why = *why;
    cw_deletes_no_room(p->deletes, part);
}

/* Reasons that will be there again. */
static bool stays(int code)
{
    return code == CW_E_CORRUPT || code == CW_E_LIMIT || code == CW_E_INVALID;
}

/* As part_try(); a part that cannot be written anew is passed over from now on. */
static int part_next(struct cw_purge *p, struct cw_source *source,
                     struct cw_retention_policy *policy, const bool *over, struct cw_err *err)
{
    if (is_passed_over(p, footer_of(source)->info.id))
        return 0;
    int rc = part_try(p, source, policy, over, err);
    if (rc != 1)
        run_end(p);
    if (rc == CW_E_UNAVAILABLE) {
        pass_over(p, footer_of(source), err);
        return 0;
    }
    if (!stays(rc))
        return rc;
    refuse(p, footer_of(source));
    cw_log_error("part %s keeps entries that are hidden: %s",
                 cw_part_reader_path(cw_part_source_reader(source)), err->text);
    return 0;
}

/* Of a tenant's parts, the newest of which is the last. */
static int tenant_next(struct cw_purge *p, struct cw_source *const *parts, size_t n,
                       struct cw_err *err)
{
    struct cw_str tenant = footer_of(parts[0])->info.tenant;
    struct cw_retention_policy *policy = p->retention->policy(p->retention->ctx, tenant);
    struct cw_retention_tally tally;
    bool *over = cw_mem_array(n * policy->n + 1, sizeof(*over)); /* by part, then by rule */
    int rc = 0;
    cw_retention_tally_init(&tally, p->shares, policy);
    for (size_t i = n; i-- > 0;) {
        cw_retention_tally_add(&tally, parts[i]);
        memcpy(over + i * policy->n, tally.over, policy->n * sizeof(*over));
    }
    /* The oldest part first: after a newer one gave up its share, what is older might fit. */
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = part_next(p, parts[i], policy, over + i * policy->n, err);
    free(over);
    cw_retention_tally_fini(&tally);
    cw_retention_policy_unref(&policy);
    return rc;
}

/* Begin with the first part of them that is to be written anew. */
static int all_next(struct cw_purge *p, struct cw_err *err)
{
    struct cw_snapshot all = {0};
    int rc = 0;
    p->short_of_memory = false;
    cw_parts_all(p->parts, &all);
    cw_retention_sort_tenants(&all);
    if (p->nseen > 2 * all.n + 64)
        p->nseen = 0;
    cw_retention_shares_trim(p->shares, all.n);
    for (size_t i = 0, n; rc == 0 && i < all.n; i += n) {
        struct cw_str tenant = footer_of(all.sources[i])->info.tenant;
        for (n = 1; i + n < all.n; n++)
            if (!cw_str_eq(footer_of(all.sources[i + n])->info.tenant, tenant))
                break;
        rc = tenant_next(p, all.sources + i, n, err);
    }
    cw_snapshot_fini(&all);
    return rc;
}

int cw_purge_next(struct cw_purge *p, struct cw_err *err)
{
    int rc;
    bool another;
    do {
        rc = all_next(p, err);
        another = rc == 0 && p->nno_room > 0 && cw_parts_nleft(p->parts) != p->round_nleft;
        if (rc == 0 && !another && p->nno_room > 0)
            rc = cw_err_set(err, CW_E_UNAVAILABLE, "%zu parts wait for room: %s", p->nno_room,
                            p->no_room_why.text);
        if (another || rc < 0)
            p->nno_room = 0;
    } while (another);
    return rc;
}

/* ---- the commit ---- */

static int commit(struct cw_purge *p, struct cw_err *err)
{
    struct cw_deletes_view *view = p->hiding->deletes;
    int rc = cw_deletes_commit_begin(view, err);
    if (rc < 0)
        return rc;
    rc = cw_rewrite_run_commit(p->run, err);
    struct cw_deletes_done *by = cw_mem_array(cw_deletes_view_count(view) + 1, sizeof(*by));
    for (size_t i = 0; i < p->rules.ndeletes; i++)
        by[p->rules.deletes[i]] = (struct cw_deletes_done){cw_rewrite_run_removed_by(p->run)[i],
                                                           cw_rewrite_run_unread_by(p->run)[i]};
    cw_deletes_commit_end(view, rc == 0 ? by : NULL);
    free(by);
    if (rc < 0)
        return rc;
    if (cw_rewrite_run_unread(p->run) > 0)
        cw_log_error("part %016" PRIx64 " was written anew without %" PRIu64
                     " entries of bad blocks that cannot be read: what is left of them is in "
                     "quarantine/",
                     cw_rewrite_run_part(p->run)->info.id, cw_rewrite_run_unread(p->run));
    atomic_fetch_add(&p->rewritten, 1);
    atomic_fetch_add(&p->removed, cw_rewrite_run_removed(p->run));
    return 0;
}

/* The part stays, and need not be looked at again for what was looked for. */
static void nothing_removed(struct cw_purge *p)
{
    const struct cw_part_footer *footer = cw_rewrite_run_part(p->run);
    if (p->hiding->deletes != NULL)
        cw_deletes_clean(p->hiding->deletes, footer->info.id);
    seen_set(p, footer->info.id, aged_rules(&p->rules, p->hiding->policy->version, footer->max_ns));
}

int cw_purge_step(struct cw_purge *p, int64_t cpu_ns, struct cw_err *err)
{
    int rc = cw_rewrite_run_step(p->run, cpu_ns, err);
    memory_follow(p);
    if (rc == 1)
        return 1;
    if (rc == 0 && cw_rewrite_run_removed(p->run) + cw_rewrite_run_unread(p->run) > 0)
        rc = commit(p, err);
    else if (rc == 0)
        nothing_removed(p);
    if (stays(rc)) {
        refuse(p, cw_rewrite_run_part(p->run));
        cw_err_wrap(err, "it keeps entries that are hidden");
    } else if (rc == CW_E_UNAVAILABLE) {
        pass_over(p, cw_rewrite_run_part(p->run), err);
        rc = 0;
    }
    run_end(p);
    return rc;
}
