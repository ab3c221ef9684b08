/* test_flush.c - a flush of many tenants and days: what it syncs, how often, and what stays of one that fails. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "ingester/flush.h"
#include "tests/support/io_trace.h"
#include "tests/support/parts_rig.h"

/* More files than wait for their fsync at once. */
enum { DAY = 20000, TENANTS = 70, DAYS = 2, PARTS = TENANTS * DAYS };

static const int64_t day_ns = 86400 * CW_NS_PER_S;
static struct parts_rig rig;
static struct cw_flush_tenant tenants[TENANTS];
static char names[TENANTS][8];
static struct cw_err err;

/* One line a day. */
struct lines {
    struct cw_cursor base; /* first */
    int64_t ns[DAYS];
    struct cw_str text[DAYS];
    struct cw_labels metadata[DAYS];
    size_t n;
    bool done;
};

static int lines_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *e)
{
    struct lines *l = (struct lines *)cursor;
    *out = (struct cw_entry_batch){
        .n = l->n, .ts_ns = l->ns, .lines = l->text, .metadata = l->metadata};
    int more = !l->done && l->n > 0;
    l->done = true;
    return more;
}

static void lines_close(struct cw_cursor *cursor)
{
    free(cursor);
}

static const struct cw_cursor_ops lines_ops = {.next = lines_next, .close = lines_close};

static int lines_open(void *ctx, const struct cw_flush_stream *stream, int64_t start_ns,
                      int64_t end_ns, struct cw_cursor **out, struct cw_err *e)
{
    struct lines *l = cw_mem_new(sizeof(*l));
    l->base.ops = &lines_ops;
    for (int day = DAY; day < DAY + DAYS; day++) {
        if (day * day_ns < start_ns || day * day_ns >= end_ns)
            continue;
        l->ns[l->n] = day * day_ns;
        l->text[l->n++] = CW_STR("a line");
    }
    *out = &l->base;
    return 0;
}

static void setup(void)
{
    static struct cw_label label;
    label = (struct cw_label){CW_STR("a"), CW_STR("b")};
    struct cw_labels labels = {.items = &label, .n = 1};
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    parts_rig_open(&rig);
    for (size_t i = 0; i < TENANTS; i++) {
        snprintf(names[i], sizeof(names[i]), "t%zu", i);
        struct cw_flush_stream *stream = cw_mem_new(sizeof(*stream));
        *stream = (struct cw_flush_stream){.ref = {cw_labels_hash(labels), labels},
                                           .nentries = DAYS,
                                           .line_bytes = DAYS * 6,
                                           .min_ns = DAY * day_ns,
                                           .max_ns = (DAY + DAYS - 1) * day_ns};
        tenants[i] = (struct cw_flush_tenant){cw_str_of(names[i]), stream, 1};
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < TENANTS; i++)
        free(tenants[i].streams);
    parts_rig_close(&rig);
}

TestSuite(flush, .init = setup, .fini = teardown);

static int flush(struct cw_parts_change **out)
{
    struct cw_flush_input input = {
        .tenants = tenants, .ntenants = TENANTS, .wal_first = 1, .wal_last = 9, .open = lines_open};
    return cw_flush_write(rig.parts, &input, out, &err);
}

Test(flush, every_file_and_folder_is_durable_before_the_catalog_names_it)
{
    struct cw_parts_change *change;
    char end[700];
    io_trace_clear();
    cr_assert_eq(flush(&change), 0, "%s", err.text);
    cr_assert_eq(cw_parts_commit(rig.parts, change, &err), 0, "%s", err.text);
    for (size_t i = 0; i < TENANTS; i++) {
        for (int day = 4; day <= 5; day++) { /* days 20000 and 20001 are 2024-10-04 and -05 */
            snprintf(end, sizeof(end), "/%s/2024-10-%02d", names[i], day);
            cr_assert(io_trace_synced(end, "/catalog"), "%s", end);
        }
        snprintf(end, sizeof(end), "/parts/%s", names[i]);
        cr_assert(io_trace_synced(end, "/catalog"), "%s", end);
    }
    cr_assert(io_trace_synced("/parts", "/catalog"));
    cr_assert(io_trace_synced(rig.dir, "/catalog"));
    for (uint64_t id = 1; id <= PARTS; id++) {
        snprintf(end, sizeof(end), "%016llx.part", (unsigned long long)id);
        char tmp[710];
        snprintf(tmp, sizeof(tmp), "%s.tmp", end);
        cr_assert(io_trace_synced(tmp, end), "%s", tmp);
    }
    cw_parts_lock(rig.parts);
    cw_parts_publish(rig.parts, change);
    cw_parts_unlock(rig.parts);
    cw_parts_change_free(&change);
    parts_rig_reopen(&rig);
    cr_assert_eq(parts_rig_nparts(&rig), PARTS);
}

Test(flush, a_folder_is_synced_once_however_many_parts_are_below_it)
{
    struct cw_parts_change *change;
    io_trace_clear();
    cr_assert_eq(flush(&change), 0, "%s", err.text);
    cr_assert_eq(io_trace_nsynced("/parts"), 1);
    cr_assert_eq(io_trace_nsynced("/parts/t0"), 1);
    cr_assert_eq(io_trace_nsynced(""), 2 + TENANTS + 2 * PARTS, "and each file and its folder");
    cw_parts_change_free(&change);
}

Test(flush, nothing_stays_of_one_that_fails)
{
    for (size_t room = 0; room < 600000; room = room < 1000 ? room + 100 : room * 3 / 2) {
        struct cw_parts_change *change = NULL;
        io_trace_room(".part", room);
        int rc = flush(&change);
        io_trace_room(NULL, 0);
        if (rc == 0) {
            cr_assert_gt(room, 10000, "it was cut at many places");
            cw_parts_change_free(&change);
            return;
        }
        cr_assert_eq(rc, CW_E_UNAVAILABLE, "%s", err.text);
        cr_assert_eq(parts_rig_nfiles(&rig), 0, "with room for %zu bytes", room);
    }
    cr_assert(false, "it never had room");
}
