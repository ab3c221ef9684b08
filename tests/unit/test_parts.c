/* The registry of parts and its catalog; flushes of a generation made of lists; merges; retention; parts written anew. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/catalog.h"
#include "common/store/format.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"
#include "ingester/flush.h"
#include "ingester/merge.h"
#include "ingester/merge_pick.h"
#include "ingester/parts.h"
#include "ingester/purge.h"
#include "ingester/retention.h"
#include "ingester/rewrite_run.h"
#include "tests/support/part_model.h"

static char dir[64];
static struct cw_err err;
static struct cw_parts *parts;
static struct part_model all; /* everything that was flushed for tenant "t" */
static uint64_t seq;          /* of the WAL */
static struct cw_deletes *deletes;
static struct cw_retention_shares *shares;
static struct cw_purge *purge;
static struct cw_retention_options retention; /* keeps all, unless a test says otherwise */
static const int64_t day_ns = 86400 * CW_NS_PER_S;
static const int64_t start_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void reopen(uint64_t wal_oldest_seq)
{
    struct cw_parts_options options = {.data_dir = dir, .wal_oldest_seq = wal_oldest_seq};
    cw_parts_close(&parts);
    cr_assert_eq(cw_parts_open(&options, &parts, &err), 0, "%s", err.text);
}

/* What holds for tenant "t", and for the others. */
static struct cw_ingester_limits limits, other_limits;

/* As a server has them: the same one as long as the limits are. */
static struct cw_retention_policy *policy(void *ctx, struct cw_str tenant)
{
    static struct cw_retention_policy *made[2];
    static struct cw_ingester_limits of[2];
    int i = cw_str_eqz(tenant, "t");
    const struct cw_ingester_limits *now = i ? &limits : &other_limits;
    if (made[i] == NULL || memcmp(&of[i], now, sizeof(*now)) != 0) {
        cw_retention_policy_unref(&made[i]);
        cr_assert_eq(cw_retention_policy_new(now, &made[i], &err), 0, "%s", err.text);
        of[i] = *now;
    }
    return cw_retention_policy_ref(made[i]);
}

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-parts-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    retention = (struct cw_retention_options){.policy = policy};
    limits.deletion_mode = CW_DELETION_FILTER_AND_DELETE;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    part_model_init(&all);
    reopen(0);
    cr_assert_eq(cw_deletes_open(dir, &deletes, &err), 0);
    shares = cw_retention_shares_new();
    purge = cw_purge_new(parts, deletes, &retention, shares, CW_CODEC_LZ4);
}

static void teardown(void)
{
    char command[100];
    cw_purge_free(&purge);
    cw_retention_shares_free(&shares);
    cw_deletes_close(&deletes);
    cw_parts_close(&parts);
    part_model_fini(&all);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(parts, .init = setup, .fini = teardown);

/* ---- a generation made of a model ---- */

struct list_cursor {
    struct cw_cursor base;
    struct cw_entry_batch batch;
    size_t at, n;
    int64_t *times;
    struct cw_str *lines;
    struct cw_labels *metadata;
};

static int list_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *e)
{
    struct list_cursor *c = (struct list_cursor *)cursor;
    if (c->at == c->n)
        return 0;
    size_t n = CW_MIN(c->n - c->at, (size_t)100);
    *out = (struct cw_entry_batch){.n = n,
                                   .ts_ns = c->times + c->at,
                                   .lines = c->lines + c->at,
                                   .metadata = c->metadata + c->at};
    c->at += n;
    return 1;
}

static void list_close(struct cw_cursor *cursor)
{
    struct list_cursor *c = (struct list_cursor *)cursor;
    free(c->times);
    free(c->lines);
    free(c->metadata);
    free(c);
}

static const struct cw_cursor_ops list_ops = {.next = list_next, .close = list_close};

static int by_time(const void *a, const void *b)
{
    const struct model_entry *const *x = a, *const *y = b;
    if ((*x)->ts_ns != (*y)->ts_ns)
        return (*x)->ts_ns < (*y)->ts_ns ? -1 : 1;
    return (*x)->arrival < (*y)->arrival ? -1 : 1;
}

static int list_open(void *ctx, const struct cw_flush_stream *stream, int64_t from_ns,
                     int64_t to_ns, struct cw_cursor **out, struct cw_err *e)
{
    struct part_model *m = ctx;
    struct list_cursor *c = cw_mem_new(sizeof(*c));
    const struct model_entry **some = cw_mem_array(m->n + 1, sizeof(*some));
    c->base.ops = &list_ops;
    for (size_t i = 0; i < m->n; i++)
        if (m->entries[i].stream == stream->key && m->entries[i].ts_ns >= from_ns &&
            (m->entries[i].ts_ns < to_ns || to_ns == INT64_MAX))
            some[c->n++] = &m->entries[i];
    qsort(some, c->n, sizeof(*some), by_time);
    c->times = cw_mem_array(c->n + 1, sizeof(*c->times));
    c->lines = cw_mem_array(c->n + 1, sizeof(*c->lines));
    c->metadata = cw_mem_array(c->n + 1, sizeof(*c->metadata));
    for (size_t i = 0; i < c->n; i++) {
        c->times[i] = some[i]->ts_ns;
        c->lines[i] = some[i]->line;
        c->metadata[i] = some[i]->metadata;
    }
    free(some);
    *out = &c->base;
    return 0;
}

static struct cw_flush_tenant tenant_of(struct part_model *m, const char *name)
{
    struct cw_flush_tenant t = {.tenant = cw_str_of(name),
                                .streams =
                                    cw_mem_array(m->nstreams + 1, sizeof(struct cw_flush_stream))};
    for (size_t s = 0; s < m->nstreams; s++) {
        struct cw_flush_stream f = {.ref = {cw_labels_hash(m->streams[s]), m->streams[s]},
                                    .min_ns = INT64_MAX,
                                    .max_ns = INT64_MIN,
                                    .key = s};
        for (size_t i = 0; i < m->n; i++) {
            if (m->entries[i].stream != s)
                continue;
            f.nentries++;
            f.line_bytes += m->entries[i].line.len;
            f.min_ns = CW_MIN(f.min_ns, m->entries[i].ts_ns);
            f.max_ns = CW_MAX(f.max_ns, m->entries[i].ts_ns);
        }
        if (f.nentries > 0)
            t.streams[t.nstreams++] = f;
    }
    return t;
}

/* Parts of the model's entries on disk, not committed. */
static struct cw_parts_change *flush_write(struct part_model *m)
{
    struct cw_flush_tenant tenant = tenant_of(m, "t");
    struct cw_flush_input input = {.tenants = &tenant,
                                   .ntenants = 1,
                                   .wal_first = seq + 1,
                                   .wal_last = seq + 10,
                                   .ctx = m,
                                   .open = list_open};
    struct cw_parts_change *change;
    seq += 10;
    cr_assert_eq(cw_flush_write(parts, &input, &change, &err), 0, "%s", err.text);
    free(tenant.streams);
    return change;
}

static void publish(struct cw_parts_change *change)
{
    cr_assert_eq(cw_parts_commit(parts, change, &err), 0, "%s", err.text);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    cw_parts_unlock(parts);
    cw_parts_change_free(&change);
}

static void flush(struct part_model *m)
{
    publish(flush_write(m));
    for (size_t i = 0; i < m->n; i++) {
        struct model_entry *e = &m->entries[i];
        struct cw_buf labels, metadata;
        cw_buf_init(&labels, 4096);
        cw_buf_init(&metadata, 4096);
        cw_labels_format(m->streams[e->stream], &labels);
        cw_labels_format(e->metadata, &metadata);
        part_model_add(&all, part_model_stream(&all, cw_buf_z(&labels)), e->ts_ns, e->line,
                       e->metadata.n ? cw_buf_z(&metadata) : NULL);
        cw_buf_fini(&labels);
        cw_buf_fini(&metadata);
    }
}

static void flush_random(uint64_t seed, size_t n, int64_t from_ns)
{
    struct part_model m;
    part_model_init(&m);
    part_model_fill(&m, seed, 10, n, from_ns);
    flush(&m);
    part_model_fini(&m);
}

static struct cw_snapshot snapshot(const char *tenant)
{
    struct cw_snapshot s = {0};
    cw_parts_lock(parts);
    cw_parts_add_sources(parts, cw_str_of(tenant), &s);
    cw_parts_unlock(parts);
    return s;
}

static size_t nparts(void)
{
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    return counts.parts;
}

static void rows_of(struct cw_snapshot *s, struct model_rows *rows)
{
    for (size_t i = 0; i < s->n; i++)
        cr_assert_eq(model_rows_of_source(s->sources[i], &all_rows, rows, &err), 0, "%s", err.text);
}

/* The tenant's parts hold what was flushed, each entry once. */
static void check_all(void)
{
    struct cw_snapshot s = snapshot("t");
    struct model_rows want = {0}, got = {0};
    model_rows_of_model(&all, &all_rows, &want);
    rows_of(&s, &got);
    cr_assert(model_rows_equal(&got, &want));
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_snapshot_fini(&s);
}

static int count_file(void *arg, const char *path, uint64_t id)
{
    ++*(size_t *)arg;
    return 0;
}

static size_t nfiles(void)
{
    size_t n = 0;
    cr_assert_eq(cw_catalog_each_file(dir, count_file, &n, &err), 0);
    return n;
}

static void lose_catalog(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/catalog", dir);
    cr_assert_eq(unlink(path), 0);
}

/* ---- flush ---- */

Test(parts, a_flush_is_there_after_a_restart)
{
    flush_random(1, 500, start_ns);
    check_all();
    cr_assert_eq(cw_parts_wal_flushed(parts), 10);
    size_t n = nparts();
    reopen(0);
    cr_assert_eq(nparts(), n);
    cr_assert_eq(cw_parts_wal_flushed(parts), 10);
    check_all();
}

Test(parts, a_flush_writes_one_part_for_each_day)
{
    struct part_model m;
    part_model_init(&m);
    size_t s = part_model_stream(&m, "{a=\"b\"}"), t = part_model_stream(&m, "{a=\"c\"}");
    for (int day = -3; day <= 3; day++) {
        part_model_add(&m, s, day * day_ns, CW_STR("at midnight"), NULL);
        part_model_add(&m, s, day * day_ns - 1, CW_STR("just before"), NULL);
        part_model_add(&m, t, day * day_ns + 5, CW_STR("later"), "{x=\"y\"}");
    }
    flush(&m);
    cr_assert_eq(nparts(), 8);
    check_all();
    struct cw_snapshot snap = snapshot("t");
    for (size_t i = 0; i < snap.n; i++) {
        int64_t day = cw_part_reader_footer(cw_part_source_reader(snap.sources[i]))->info.day;
        cr_assert(snap.sources[i]->min_ns >= day * day_ns &&
                  snap.sources[i]->max_ns < (day + 1) * day_ns);
        cr_assert_eq(
            cw_part_reader_footer(cw_part_source_reader(snap.sources[i]))->info.flush_parts, 8);
    }
    cw_snapshot_fini(&snap);
    part_model_fini(&m);
}

Test(parts, times_of_every_century_make_few_files)
{
    struct part_model m;
    part_model_init(&m);
    size_t s = part_model_stream(&m, "{a=\"b\"}"), t = part_model_stream(&m, "{a=\"c\"}");
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, 0};
    for (size_t i = 0; i < CW_COUNT(extremes); i++)
        part_model_add(&m, i % 2 ? s : t, extremes[i], CW_STR("extreme"), NULL);
    for (int i = 0; i < 300; i++)
        part_model_add(&m, s, start_ns + i * day_ns,
                       cw_str_make("xxxxxxxxxxxxxxxxxxxx", (size_t)(i % 20)), NULL);
    flush(&m);
    cr_assert_eq(nparts(), CW_FLUSH_DAYS_MAX);
    check_all();
    part_model_fini(&m);
}

Test(parts, an_empty_flush_only_moves_the_wal)
{
    struct cw_flush_input input = {.wal_first = 1, .wal_last = 42};
    struct cw_parts_change *change;
    cr_assert_eq(cw_flush_write(parts, &input, &change, &err), 0);
    publish(change);
    cr_assert_eq(nparts(), 0);
    reopen(0);
    cr_assert_eq(cw_parts_wal_flushed(parts), 42);
}

Test(parts, tenants_are_apart)
{
    struct part_model a, b;
    part_model_init(&a);
    part_model_init(&b);
    part_model_add(&a, part_model_stream(&a, "{x=\"1\"}"), 1, CW_STR("of a"), NULL);
    part_model_add(&b, part_model_stream(&b, "{x=\"1\"}"), 1, CW_STR("of b"), NULL);
    struct cw_flush_tenant tenants[] = {tenant_of(&a, "team-a"), tenant_of(&b, "..")};
    struct cw_flush_input input = {.tenants = tenants,
                                   .ntenants = 2,
                                   .wal_first = 1,
                                   .wal_last = 2,
                                   .ctx = &a,
                                   .open = list_open};
    struct cw_parts_change *change;
    cr_assert_eq(cw_flush_write(parts, &input, &change, &err), 0, "%s", err.text);
    publish(change);
    reopen(0);
    struct cw_snapshot s = snapshot("team-a"), dots = snapshot(".."), none = snapshot("team");
    cr_assert_eq(s.n, 1);
    cr_assert_eq(dots.n, 1);
    cr_assert_eq(none.n, 0);
    cw_snapshot_fini(&s);
    cw_snapshot_fini(&dots);
    free(tenants[0].streams);
    free(tenants[1].streams);
    part_model_fini(&a);
    part_model_fini(&b);
}

/* ---- the catalog and crashes ---- */

Test(parts, a_flush_that_is_not_committed_leaves_nothing)
{
    flush_random(1, 100, start_ns);
    size_t files = nfiles();
    struct part_model m;
    part_model_init(&m);
    part_model_fill(&m, 2, 5, 100, start_ns);
    struct cw_parts_change *change = flush_write(&m);
    cr_assert_gt(nfiles(), files);
    cw_parts_change_free(&change);
    cr_assert_eq(nfiles(), files);
    check_all();
    part_model_fini(&m);
}

/* As after a crash between the parts and the catalog: the files stay behind. */
static void leave_behind(struct cw_parts_change *change)
{
    char command[256];
    snprintf(command, sizeof(command), "cp -r %s/parts %s/kept", dir, dir);
    cr_assert_eq(system(command), 0);
    cw_parts_change_free(&change);
    snprintf(command, sizeof(command), "rm -r %s/parts && mv %s/kept %s/parts", dir, dir, dir);
    cr_assert_eq(system(command), 0);
}

Test(parts, a_crash_before_the_catalog_takes_the_whole_flush_back)
{
    flush_random(1, 100, start_ns);
    size_t files = nfiles();
    struct part_model m;
    part_model_init(&m);
    part_model_fill(&m, 2, 5, 100, start_ns + day_ns / 2);
    leave_behind(flush_write(&m));
    cr_assert_gt(nfiles(), files);
    reopen(0);
    cr_assert_eq(nfiles(), files);
    cr_assert_eq(cw_parts_wal_flushed(parts), 10);
    check_all();
    part_model_fini(&m);
}

Test(parts, a_lost_catalog_is_made_again)
{
    flush_random(1, 100, start_ns);
    flush_random(2, 100, start_ns);
    size_t n = nparts();
    lose_catalog();
    reopen(UINT64_MAX);
    cr_assert_eq(nparts(), n);
    cr_assert_eq(cw_parts_wal_flushed(parts), 20);
    check_all();
    flush_random(3, 100, start_ns); /* ids go on where they were */
    check_all();
}

Test(parts, a_damaged_catalog_is_set_aside_and_made_again)
{
    flush_random(1, 100, start_ns);
    char path[96];
    snprintf(path, sizeof(path), "%s/catalog", dir);
    cr_assert_eq(cw_file_replace(path, CW_STR("cordwood catalog 1\nnonsense"), &err), 0);
    reopen(UINT64_MAX);
    check_all();
    snprintf(path, sizeof(path), "%s/quarantine/catalog", dir);
    cr_assert(cw_file_exists(path));
}

Test(parts, without_a_catalog_a_flush_counts_whole_or_not_at_all)
{
    flush_random(1, 100, start_ns);
    struct part_model m;
    part_model_init(&m);
    size_t s = part_model_stream(&m, "{a=\"b\"}");
    for (int day = 0; day < 3; day++)
        part_model_add(&m, s, start_ns + day * day_ns, CW_STR("x"), NULL);
    leave_behind(flush_write(&m));
    lose_catalog();
    /* One of its three parts never came to be. */
    char command[256];
    snprintf(command, sizeof(command), "rm $(ls %s/parts/t/*/*.part | tail -n 1)", dir);
    cr_assert_eq(system(command), 0);
    reopen(1); /* the WAL still has the frames */
    cr_assert_eq(cw_parts_wal_flushed(parts), 10);
    check_all();
    part_model_fini(&m);
}

Test(parts, without_catalog_and_wal_what_is_there_is_kept)
{
    struct part_model m;
    part_model_init(&m);
    size_t s = part_model_stream(&m, "{a=\"b\"}");
    for (int day = 0; day < 3; day++)
        part_model_add(&m, s, start_ns + day * day_ns, CW_STR("x"), NULL);
    flush(&m);
    cw_parts_close(&parts);
    lose_catalog();
    char command[256];
    snprintf(command, sizeof(command), "rm $(ls %s/parts/t/*/*.part | tail -n 1)", dir);
    cr_assert_eq(system(command), 0);
    reopen(UINT64_MAX);
    cr_assert_eq(nparts(), 2);
    part_model_fini(&m);
}

Test(parts, a_part_that_cannot_be_read_is_set_aside_and_the_rest_is_served)
{
    flush_random(1, 100, start_ns);
    flush_random(2, 100, start_ns + 3 * day_ns);
    size_t n = nparts();
    char command[256];
    snprintf(command, sizeof(command),
             "f=$(ls %s/parts/t/*/*.part | tail -n 1); truncate -s 1000 $f", dir);
    cr_assert_eq(system(command), 0);
    reopen(0);
    cr_assert_eq(nparts(), n - 1);
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    cr_assert_eq(counts.bad_parts, 1);
    snprintf(command, sizeof(command), "ls %s/quarantine/*.part > /dev/null", dir);
    cr_assert_eq(system(command), 0);
    reopen(0);
    cw_parts_count(parts, &counts);
    cr_assert_eq(counts.bad_parts, 0);
}

Test(parts, a_bad_block_is_copied_to_quarantine)
{
    struct part_model m;
    part_model_init(&m);
    part_model_add(&m, part_model_stream(&m, "{a=\"b\"}"), 1, CW_STR("hello"), NULL);
    flush(&m);
    part_model_fini(&m);
    char command[256];
    snprintf(command, sizeof(command),
             "printf x | dd of=$(ls %s/parts/t/*/*.part) bs=1 seek=40 conv=notrunc 2> /dev/null",
             dir);
    cr_assert_eq(system(command), 0);
    for (int i = 0; i < 2; i++) {
        struct cw_snapshot s = snapshot("t");
        struct model_rows got = {0};
        rows_of(&s, &got);
        cr_assert_eq(got.n, 0);
        model_rows_fini(&got);
        cw_snapshot_fini(&s);
    }
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    cr_assert_eq(counts.bad_blocks, 1);
    snprintf(command, sizeof(command), "ls %s/quarantine/*-block-0.bin > /dev/null", dir);
    cr_assert_eq(system(command), 0);
}

Test(parts, a_newer_data_directory_is_refused_by_name)
{
    char path[96];
    struct cw_parts_options options = {.data_dir = dir};
    struct cw_parts *other;
    snprintf(path, sizeof(path), "%s/FORMAT", dir);
    cr_assert_eq(cw_file_replace(path, CW_STR("cordwood 2\n"), &err), 0);
    cr_assert_eq(cw_parts_open(&options, &other, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "newer"));
    cr_assert_eq(cw_file_replace(path, CW_STR("something else\n"), &err), 0);
    cr_assert_eq(cw_parts_open(&options, &other, &err), CW_E_CORRUPT);
}

Test(parts, the_catalog_comes_back_as_it_was_written)
{
    struct cw_catalog catalog, back;
    struct cw_buf text;
    cw_catalog_init(&catalog);
    cw_buf_init(&text, 1 << 20);
    catalog.wal_flushed = UINT64_MAX - 1;
    cw_catalog_add(&catalog, &(struct cw_catalog_part){9, CW_STR("team a/b\n%"), CW_DAY_MIXED, 3,
                                                       INT64_MIN, INT64_MAX, 77, 1, UINT64_MAX});
    cw_catalog_add(&catalog, &(struct cw_catalog_part){2, CW_STR(".x"), -5, 0, -1, 1, 5, 7, 8});
    cw_catalog_add(&catalog, &(struct cw_catalog_part){12, CW_STR("gone"), 6, 1, 2, 3, 4, 5, 6});
    cw_catalog_miss(&catalog, 12);
    catalog.keeps_deletes = true;
    cw_catalog_format(&catalog, &text);
    cr_assert_eq(cw_catalog_parse(cw_buf_str(&text), &back, &err), 0, "%s", err.text);
    cr_assert_eq(back.n, 2);
    cr_assert_eq(back.wal_flushed, catalog.wal_flushed);
    cr_assert_eq(back.next_id, 13);
    cr_assert_eq(back.nmissing, 1);
    cr_assert(back.keeps_deletes);
    cr_assert_null(cw_catalog_find(&back, 12));
    cr_assert(cw_str_eqz(cw_catalog_find_missing(&back, 12)->tenant, "gone"));
    cr_assert_eq(back.missing[0].wal_first, 5);
    cr_assert_eq(back.missing[0].wal_last, 6);
    cr_assert_eq(back.parts[1].wal_last, UINT64_MAX);
    cr_assert(cw_str_eqz(back.parts[1].tenant, "team a/b\n%"));
    cr_assert_eq(back.parts[1].day, CW_DAY_MIXED);
    cr_assert_eq(back.parts[1].min_ns, INT64_MIN);
    cr_assert_eq(back.parts[0].day, -5);
    cw_catalog_fini(&back);
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] ^= 4;
        cr_assert_lt(cw_catalog_parse(cw_buf_str(&text), &back, &err), 0);
        text.ptr[i] ^= 4;
        cr_assert_lt(cw_catalog_parse(cw_str_make(text.ptr, i), &back, &err), 0);
    }
    cw_catalog_fini(&catalog);
    cw_buf_fini(&text);
}

/* ---- merge ---- */

Test(parts, a_merge_holds_what_its_inputs_held)
{
    struct cw_pool *pool = cw_pool_new(2, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        flush_random(100 + i, 3000, start_ns);
    struct cw_snapshot before = snapshot("t");
    cr_assert_eq(before.n, CW_MERGE_FAN_IN);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 1);
    check_all();
    /* Who holds the old ones still reads them. */
    struct model_rows old = {0}, want = {0};
    rows_of(&before, &old);
    model_rows_of_model(&all, &all_rows, &want);
    cr_assert(model_rows_equal(&old, &want));
    cr_assert_eq(nfiles(), CW_MERGE_FAN_IN + 1);
    cw_snapshot_fini(&before);
    cr_assert_eq(nfiles(), 1);
    struct cw_merge_counts counts;
    cw_merge_count(merge, &counts);
    cr_assert_eq(counts.merges, 1);
    cr_assert_eq(counts.parts_in, CW_MERGE_FAN_IN);
    reopen(0);
    check_all();
    cr_assert_eq(cw_parts_wal_flushed(parts), 10 * CW_MERGE_FAN_IN);
    model_rows_fini(&old);
    model_rows_fini(&want);
    /* The merge borrowed the registry that is closed; it has nothing to do with it any more. */
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, a_lost_catalog_knows_merged_parts_from_their_inputs)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        flush_random(200 + i, 300, start_ns);
    /* As after a crash when the merged part is committed and the inputs are not unlinked yet. */
    struct cw_snapshot held = snapshot("t");
    cw_merge_wait(merge);
    char command[256];
    snprintf(command, sizeof(command), "cp -r %s/parts %s/kept", dir, dir);
    cr_assert_eq(system(command), 0);
    cw_snapshot_fini(&held);
    cw_merge_free(&merge);
    cw_pool_free(&pool);
    cw_parts_close(&parts);
    snprintf(command, sizeof(command), "rm -r %s/parts && mv %s/kept %s/parts", dir, dir, dir);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(nfiles(), CW_MERGE_FAN_IN + 1);
    lose_catalog();
    reopen(1);
    cr_assert_eq(nparts(), 1);
    cr_assert_eq(nfiles(), 1);
    check_all();
}

Test(parts, full_blocks_are_copied_and_the_rest_is_joined)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    char line[400];
    uint64_t state = 1;
    for (int p = 0; p < CW_MERGE_FAN_IN; p++) {
        struct part_model m;
        part_model_init(&m);
        for (int i = 0; i < 15000; i++) {
            char labels[64];
            snprintf(labels, sizeof(labels), "{app=\"a\", host=\"%d\"}", i % (3 + p));
            snprintf(line, sizeof(line), "part %d line %d %0300" PRIx64, p, i,
                     part_model_random(&state));
            part_model_add(&m, part_model_stream(&m, labels), start_ns + i * 1000 + p,
                           cw_str_of(line), i % 3 ? NULL : "{k=\"v\"}");
        }
        flush(&m);
        part_model_fini(&m);
    }
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 1);
    check_all();
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, a_part_with_a_bad_block_is_not_merged)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        flush_random(300 + i, 200, start_ns);
    char command[256];
    snprintf(command, sizeof(command),
             "printf x | dd of=$(ls %s/parts/t/*/*.part | head -n 1) bs=1 seek=40 conv=notrunc 2> "
             "/dev/null",
             dir);
    cr_assert_eq(system(command), 0);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), CW_MERGE_FAN_IN);
    flush_random(400, 200, start_ns);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 2, "the good ones are merged without it");
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, a_merge_that_is_given_up_leaves_no_file)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        flush_random(500 + i, 20000, start_ns);
    cw_merge_kick(merge);
    cw_merge_free(&merge);
    cw_pool_free(&pool);
    check_all();
    size_t n = nparts();
    cr_assert_eq(nfiles(), n);
}

/* ---- retention ---- */

static struct cw_retention_counts retain(int64_t now_ns)
{
    struct cw_retention_totals totals = {0};
    struct cw_retention_counts counts;
    cr_assert_eq(cw_retention_run(parts, &retention, now_ns, 0, &totals, &err), 0, "%s", err.text);
    cw_retention_count(&totals, &counts);
    return counts;
}

Test(parts, old_parts_go_and_old_entries_are_hidden)
{
    limits.retention_period_ns = 2 * day_ns;
    for (int i = 0; i < 5; i++)
        flush_random(600 + (uint64_t)i, 300, start_ns + i * day_ns);
    int64_t now_ns = start_ns + 4 * day_ns + day_ns / 2;
    cr_assert_eq(retain(now_ns).age, 2);
    cr_assert_eq(nparts(), 3);
    struct cw_snapshot s = snapshot("t");
    struct model_rows want = {0}, got = {0};
    struct cw_scan scan = all_rows;
    scan.start_ns = now_ns - 2 * day_ns;
    model_rows_of_model(&all, &scan, &want);
    rows_of(&s, &got);
    cr_assert(model_rows_equal(&got, &want));
    cw_snapshot_fini(&s);
    cr_assert_eq(nfiles(), 3);
    reopen(0);
    cr_assert_eq(nparts(), 3);
    model_rows_fini(&want);
    model_rows_fini(&got);
}

Test(parts, a_full_disk_costs_the_oldest_but_nothing_of_the_last_hour)
{
    retention.min_free = 1.0; /* never so much */
    for (int i = 0; i < 3; i++)
        flush_random(700 + (uint64_t)i, 50, start_ns + i * day_ns);
    cr_assert_eq(retain(start_ns + 3 * day_ns).free_space, 2);
    cr_assert_eq(nparts(), 1);
    retention.min_free = 0;
    cr_assert_eq(retain(start_ns + 900 * day_ns).free_space, 0);
}

Test(parts, a_full_disk_does_not_cost_what_a_snapshot_holds)
{
    struct cw_catalog linked;
    struct cw_buf held;
    cw_buf_init(&held, 1000);
    cw_buf_addf(&held, "%s/held", cw_parts_data_dir(parts));
    retention.min_free = 1.0;
    for (int i = 0; i < 3; i++)
        flush_random(710 + (uint64_t)i, 50, start_ns + i * day_ns);
    cr_assert_eq(mkdir(cw_buf_z(&held), 0700), 0);
    cw_catalog_init(&linked);
    cr_assert_eq(cw_parts_link_all(parts, held.ptr, &linked, &err), 0, "%s", err.text);
    cw_catalog_fini(&linked);
    cr_assert_eq(retain(start_ns + 90 * day_ns).free_space, 0, "it would free nothing");
    cr_assert_eq(nparts(), 3);
    flush_random(720, 50, start_ns + 5 * day_ns);
    cr_assert_eq(retain(start_ns + 90 * day_ns).free_space, 1, "that one is in no snapshot");
    cr_assert_eq(nparts(), 3);
    char command[300];
    snprintf(command, sizeof(command), "rm -r %s", held.ptr);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(retain(start_ns + 90 * day_ns).free_space, 3, "and now there is none");
    cw_buf_fini(&held);
}

static uint64_t parts_bytes(void)
{
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    return counts.bytes;
}

/* The day, from the first, of the oldest part that is left. */
static int oldest_day(void)
{
    struct cw_snapshot s = snapshot("t");
    cw_retention_sort(&s);
    cr_assert_gt(s.n, 0);
    int day = (int)((s.sources[0]->max_ns - start_ns) / day_ns);
    cw_snapshot_fini(&s);
    return day;
}

Test(parts, bytes_of_a_tenant_cost_its_oldest_parts)
{
    for (int i = 4; i >= 0; i--)
        flush_random(710 + (uint64_t)i, 300, start_ns + i * day_ns);
    limits.retention_bytes = (int64_t)parts_bytes();
    cr_assert_eq(retain(start_ns).tenant_bytes, 0, "as much as is allowed");
    limits.retention_bytes--;
    cr_assert_eq(retain(start_ns).tenant_bytes, 1);
    cr_assert_eq(oldest_day(), 1);
    limits.retention_bytes = 1;
    cr_assert_eq(retain(start_ns).tenant_bytes, 3, "the newest stays");
    cr_assert_eq(oldest_day(), 4);
    limits.retention_bytes = 0;
    cr_assert_eq(retain(start_ns).tenant_bytes, 0);
}

Test(parts, bytes_of_the_store_cost_the_oldest_parts_of_all)
{
    for (int i = 4; i >= 0; i--)
        flush_random(720 + (uint64_t)i, 300, start_ns + i * day_ns);
    struct cw_retention_totals totals = {0};
    retention.max_bytes = parts_bytes();
    cr_assert_eq(retain(start_ns).store_bytes, 0);
    cr_assert_eq(cw_retention_run(parts, &retention, start_ns, 1, &totals, &err), 0);
    cr_assert_eq(totals.store_bytes, 1, "the log counts");
    cr_assert_eq(oldest_day(), 1);
    retention.max_bytes = 1;
    cr_assert_eq(retain(start_ns).store_bytes, 3);
    cr_assert_eq(oldest_day(), 4);
}

/* ---- parts written anew ---- */

static void owner_keep(struct cw_hidden_owner *owner)
{
}

/* Odd numbers at the end of the line go. */
static int odd_entry(const struct cw_entry_filter *filter, void *run, int64_t ts_ns,
                     struct cw_labels stream, struct cw_labels metadata, struct cw_str line,
                     struct cw_err *e)
{
    return line.len > 0 && line.ptr[line.len - 1] % 2 == 1;
}
static void *odd_begin(const struct cw_entry_filter *filter)
{
    return NULL;
}
static void odd_end(void *run)
{
}
static const struct cw_entry_filter_ops odd_ops = {odd_begin, odd_end, odd_entry};
static const struct cw_entry_filter odd = {&odd_ops};

/* Write all parts anew without what the rules hide; how many rows went. */
static uint64_t rewrite_all(const struct cw_hidden_rule *rules, size_t n)
{
    struct cw_hidden_owner owner = {1, owner_keep};
    struct cw_snapshot s = snapshot("t");
    uint64_t removed = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct cw_rewrite_run *run;
        int rc;
        cr_assert_eq(
            cw_rewrite_run_new(parts, s.sources[i], rules, n, &owner, CW_CODEC_LZ4, &run, &err), 0);
        while ((rc = cw_rewrite_run_step(run, 1, &err)) == 1)
            continue;
        cr_assert_eq(rc, 0, "%s", err.text);
        uint64_t by_rules = 0;
        for (size_t k = 0; k < n; k++)
            by_rules += cw_rewrite_run_removed_by(run)[k];
        cr_assert_eq(by_rules, cw_rewrite_run_removed(run));
        removed += by_rules;
        if (by_rules > 0)
            cr_assert_eq(cw_rewrite_run_commit(run, &err), 0, "%s", err.text);
        cw_rewrite_run_free(&run);
    }
    cw_snapshot_fini(&s);
    return removed;
}

/* Take from the model what the rules hide; how many entries. */
static uint64_t forget(const struct cw_hidden_rule *rules, size_t nrules)
{
    size_t n = 0, before = all.n;
    for (size_t i = 0; i < all.n; i++) {
        const struct model_entry *e = &all.entries[i];
        bool goes = false;
        for (size_t k = 0; k < nrules && !goes; k++)
            goes = e->ts_ns >= rules[k].first_ns && e->ts_ns <= rules[k].last_ns &&
                   cw_hidden_rule_stream(&rules[k], all.streams[e->stream], &err) == 1 &&
                   (rules[k].filter == NULL ||
                    odd_entry(NULL, NULL, 0, CW_LABELS_NONE, CW_LABELS_NONE, e->line, &err) == 1);
        if (!goes)
            all.entries[n++] = *e;
    }
    all.n = n;
    return before - n;
}

/* Totals of the streams are those of their rows: a merge and a query by stream see them. */
static void check_totals(void)
{
    struct cw_snapshot s = snapshot("t");
    for (size_t i = 0; i < s.n; i++) {
        struct cw_part_reader *reader = cw_part_source_reader(s.sources[i]);
        uint64_t rows = 0, bytes = 0;
        struct cw_stream_pin pin = {0};
        for (uint32_t k = 0; k < cw_part_reader_footer(reader)->nstreams; k++) {
            const struct cw_part_stream *stream;
            cr_assert_eq(cw_part_reader_stream(reader, k, &pin, &stream, &err), 0);
            cr_assert_gt(stream->rows, 0, "a stream without rows");
            rows += stream->rows;
            bytes += stream->raw_bytes;
        }
        cw_stream_pin_fini(&pin);
        cr_assert_eq(rows, cw_part_reader_footer(reader)->rows);
        cr_assert_eq(bytes, cw_part_reader_footer(reader)->raw_bytes);
    }
    cw_snapshot_fini(&s);
}

static void selector_of(struct cw_selector *selector, enum cw_match_op op, const char *value)
{
    cw_selector_init(selector);
    cr_assert_eq(cw_selector_add(selector, op, CW_STR("app"), cw_str_of(value), &err), 0);
}

/* Large merged parts: blocks that are full lie behind the others, in another order. */
static void fill_with_full_blocks(void)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    uint64_t state = 7;
    char line[400];
    for (int p = 0; p < CW_MERGE_FAN_IN; p++) {
        struct part_model m;
        part_model_init(&m);
        for (int i = 0; i < 9000; i++) {
            char labels[64];
            snprintf(labels, sizeof(labels), "{app=\"%d\"}", i % 4 ? 0 : i % (5 + p));
            snprintf(line, sizeof(line), "%0300" PRIx64 " part %d line %d",
                     part_model_random(&state), p, i);
            part_model_add(&m, part_model_stream(&m, labels), start_ns + (i * 7 + p) % 9000 * 1000,
                           cw_str_of(line), i % 3 ? NULL : "{k=\"v\"}");
        }
        flush(&m);
        part_model_fini(&m);
    }
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 1);
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, what_rules_hide_is_not_in_the_part_that_is_written_anew)
{
    struct cw_selector app;
    selector_of(&app, CW_MATCH_EQ, "0");
    struct cw_hidden_rule rules[] = {
        {.selector = &app,
         .first_ns = start_ns + 1000000,
         .last_ns = start_ns + 3000000,
         .filter = &odd},
        {.selector = &app, .first_ns = start_ns + 5000000, .last_ns = start_ns + 6000000},
    };
    fill_with_full_blocks();
    uint64_t want = forget(rules, 2);
    cr_assert_gt(want, 100);
    cr_assert_eq(rewrite_all(rules, 2), want);
    check_all();
    check_totals();
    cr_assert_eq(rewrite_all(rules, 2), 0, "nothing is left to remove");
    cr_assert_eq(nfiles(), 1);
    reopen(0);
    check_all();
    lose_catalog();
    reopen(1);
    check_all();
    cw_selector_fini(&app);
}

Test(parts, streams_that_are_hidden_whole_leave_the_part)
{
    struct cw_selector app;
    selector_of(&app, CW_MATCH_NE, "0");
    struct cw_hidden_rule rule = {.selector = &app, .first_ns = INT64_MIN, .last_ns = INT64_MAX};
    fill_with_full_blocks();
    uint64_t want = forget(&rule, 1);
    cr_assert_eq(rewrite_all(&rule, 1), want);
    check_all();
    check_totals();
    rule.selector = NULL;
    cr_assert_eq(rewrite_all(&rule, 1), all.n);
    cr_assert_eq(nparts(), 0);
    cr_assert_eq(nfiles(), 0);
    cw_selector_fini(&app);
}

Test(parts, random_rules_hide_and_remove_the_same)
{
    struct cw_hidden_owner owner = {1, owner_keep};
    uint64_t state = 99;
    for (int round = 0; round < 30; round++) {
        flush_random(900 + (uint64_t)round, 400, start_ns);
        struct cw_selector selectors[2];
        struct cw_hidden_rule rules[2];
        for (int k = 0; k < 2; k++) {
            const struct cw_labels *labels = &all.streams[part_model_random(&state) % all.nstreams];
            cw_selector_init(&selectors[k]);
            cr_assert_eq(cw_selector_add(&selectors[k],
                                         part_model_random(&state) % 3 ? CW_MATCH_EQ : CW_MATCH_NE,
                                         labels->items[0].name, labels->items[0].value, &err),
                         0);
            int64_t a = start_ns + (int64_t)(part_model_random(&state) % (uint64_t)day_ns);
            rules[k] = (struct cw_hidden_rule){
                .selector = &selectors[k],
                .first_ns = a,
                .last_ns = a + (int64_t)(part_model_random(&state) % (uint64_t)day_ns),
                .filter = part_model_random(&state) % 2 ? &odd : NULL};
        }
        struct cw_snapshot s = snapshot("t");
        struct model_rows want = {0}, got = {0};
        for (size_t i = 0; i < s.n; i++)
            s.sources[i] = cw_hidden_source_new(s.sources[i], rules, 2, &owner);
        uint64_t nhidden = forget(rules, 2);
        model_rows_of_model(&all, &all_rows, &want);
        rows_of(&s, &got);
        cr_assert(model_rows_equal(&got, &want), "round %d", round);
        struct cw_index_stats stats = {0};
        for (size_t i = 0; i < s.n; i++)
            cr_assert_eq(
                s.sources[i]->ops->stats(s.sources[i], NULL, INT64_MIN, INT64_MAX, &stats, &err),
                0);
        cr_assert_eq(stats.entries, all.n);
        cw_snapshot_fini(&s);
        cr_assert_eq(rewrite_all(rules, 2), nhidden);
        check_all();
        check_totals();
        model_rows_fini(&want);
        model_rows_fini(&got);
        cw_selector_fini(&selectors[0]);
        cw_selector_fini(&selectors[1]);
    }
}

static bool may_remove(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out)
{
    *purge_id_out = cw_parts_draw_id(parts);
    return true;
}

/* A delete of all that is there, which can be cancelled no more. */
static void delete_for_good(const char *query)
{
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = cw_str_of(query),
                                .wal_seq = seq,
                                .first_ns = INT64_MIN,
                                .last_ns = INT64_MAX};
    cr_assert_eq(cw_deletes_add(deletes, &row, &err), 0, "%s", err.text);
    struct cw_deletes_advance step = {.now_ns = 1, .may_remove = may_remove};
    cr_assert_eq(cw_deletes_advance(deletes, &step, &err), 0, "%s", err.text);
}

Test(parts, a_part_is_written_anew_within_the_memory_budget)
{
    static struct cw_memory_budget budget; /* the purge has it until the end */
    struct cw_purge_counts counts;
    cw_memory_budget_init(&budget, 64 << 20);
    cw_purge_set_budget(purge, &budget);
    flush_random(1190, 100, start_ns);
    delete_for_good("{app=~\".+\"}");
    cw_memory_add(&budget, CW_MEMORY_HEAD, 60 << 20);
    cr_assert_eq(cw_purge_next(purge, &err), 0, "it waits for memory");
    cw_memory_give(&budget, CW_MEMORY_HEAD, 60 << 20);
    cr_assert_eq(cw_purge_next(purge, &err), 1, "%s", err.text);
    cr_assert_geq(cw_memory_used(&budget, CW_MEMORY_MERGE), CW_PART_WRITER_MEMORY);
    while (cw_purge_step(purge, 1000000, &err) == 1)
        continue;
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_MERGE), 0);
    cw_purge_count(purge, &counts);
    cr_assert_gt(counts.removed, 0);
}

Test(parts, a_small_memory_budget_makes_merges_small_and_does_not_end_them)
{
    static struct cw_memory_budget budget; /* the purge has it until the end */
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < 2 * CW_MERGE_FAN_IN; i++)
        flush_random(1200 + i, 100, start_ns);
    cw_memory_budget_init(&budget, 64 << 20);
    cw_merge_set_budget(merge, &budget);
    cw_memory_add(&budget, CW_MEMORY_HEAD, 16 << 20);
    cw_merge_wait(merge);
    cr_assert_lt(nparts(), 2 * CW_MERGE_FAN_IN);
    cr_assert_leq(cw_memory_peak(&budget, CW_MEMORY_MERGE), 48 << 20);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_MERGE), 0);
    check_all();
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, parts_between_which_entries_were_deleted_are_not_joined)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN - 1; i++)
        flush_random(960 + i, 100, start_ns);
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{nothing=\"has it\"}"),
                                .wal_seq = seq,
                                .first_ns = start_ns,
                                .last_ns = start_ns + 5,
                                .due_ns = INT64_MAX};
    cr_assert_eq(cw_deletes_add(deletes, &row, &err), 0, "%s", err.text);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN - 1; i++)
        flush_random(980 + i, 100, start_ns);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 2 * (CW_MERGE_FAN_IN - 1));
    flush_random(999, 100, start_ns);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), CW_MERGE_FAN_IN, "those behind it are joined");
    check_all();
    cw_merge_free(&merge);
    cw_pool_free(&pool);
}

Test(parts, the_reserve_becomes_the_catalog_and_is_made_again)
{
    struct cw_catalog catalog;
    struct stat st;
    char path[96];
    flush_random(710, 50, start_ns);
    snprintf(path, sizeof(path), "%s/catalog.reserve", dir);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, CW_CATALOG_RESERVE_BYTES);
    cr_assert_eq(cw_catalog_read(dir, &catalog, &err), 0);
    cr_assert_eq(cw_catalog_write_reserved(dir, &catalog, &err), 0);
    cw_catalog_fini(&catalog);
    cr_assert_lt(stat(path, &st), 0, "it is used up");
    reopen(0);
    cr_assert_eq(nparts(), 1);
    check_all();
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(truncate(path, 100), 0); /* what a failure left of it is none */
    flush_random(711, 50, start_ns + day_ns);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, CW_CATALOG_RESERVE_BYTES);
}
