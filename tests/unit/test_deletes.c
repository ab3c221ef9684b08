/* test_deletes.c - the registry of deletes: its states, and what each of them is of. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/assert.h"
#include "common/base/log.h"
#include "ingester/deletes.h"
#include "tests/support/io_trace.h"

static char dir[64];
static struct cw_err err;
static struct cw_deletes *deletes;

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-deletes-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    cr_assert_eq(cw_deletes_open(dir, &deletes, &err), 0, "%s", err.text);
}

static void teardown(void)
{
    char command[200];
    cw_deletes_close(&deletes);
    snprintf(command, sizeof(command), "chmod 700 %s; rm -r %s", dir, dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(deletes, .init = setup, .fini = teardown);

static void reopen(void)
{
    cw_deletes_close(&deletes);
    cr_assert_eq(cw_deletes_open(dir, &deletes, &err), 0, "%s", err.text);
}

static void add(uint64_t wal_seq, int64_t due_ns)
{
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{a=\"b\"} |= \"x\""),
                                .wal_seq = wal_seq,
                                .first_ns = 100,
                                .last_ns = 200,
                                .due_ns = due_ns};
    cr_assert_eq(cw_deletes_add(deletes, &row, &err), 0, "%s", err.text);
}

/* The last one of tenant "t". */
static size_t last_nrefused, last_nno_room;

static void last_row(void *arg, const struct cw_delete_row *row,
                     const struct cw_deletes_waits *waits)
{
    struct cw_delete_row *out = arg;
    *out = *row;
    last_nrefused = waits->refused;
    last_nno_room = waits->no_room;
}

static struct cw_delete_row last(void)
{
    struct cw_delete_row row = {0};
    cw_deletes_each(deletes, CW_STR("t"), last_row, &row);
    return row;
}

static int cancel(const char *tenant, uint32_t id, enum cw_deletes_cancel how)
{
    char text[9];
    snprintf(text, sizeof(text), "%08x", id);
    return cw_deletes_cancel(deletes, cw_str_of(tenant), cw_str_of(text), how, &err);
}

static bool may, asked;
static uint64_t log_oldest_seq = UINT64_MAX;

static bool may_remove(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out)
{
    cr_assert(cw_str_eqz(row->tenant, "t"));
    cr_assert_eq(cw_deletes_version(deletes) % 2, 1, "who looks now begins again");
    asked = true;
    *purge_id_out = 50;
    return may;
}

static int forget_rc;
static uint32_t forgotten;

static int forget(void *ctx, const struct cw_delete_row *row, struct cw_err *e)
{
    forgotten = row->id;
    return forget_rc < 0 ? cw_err_set(e, forget_rc, "no room") : 0;
}

static int advance(int64_t now_ns, const struct cw_part_footer *part)
{
    struct cw_deletes_advance step = {.now_ns = now_ns,
                                      .log_oldest_seq = log_oldest_seq,
                                      .may_remove = may_remove,
                                      .forget = forget,
                                      .parts = &part,
                                      .nparts = part != NULL ? 1 : 0};
    int rc = cw_deletes_advance(deletes, &step, &err);
    cr_assert_eq(cw_deletes_version(deletes) % 2, 0);
    return rc;
}

static struct cw_part_footer part(uint64_t id, uint64_t wal_last, int64_t min_ns, int64_t max_ns)
{
    return (struct cw_part_footer){
        .info = {.id = id, .tenant = CW_STR("t"), .wal_first = 1, .wal_last = wal_last},
        .min_ns = min_ns,
        .max_ns = max_ns};
}

static bool is_of(uint64_t id, uint64_t wal_last, int64_t min_ns, int64_t max_ns,
                  enum cw_deletes_which which)
{
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, CW_STR("t"), which);
    struct cw_delete_place place = {id, wal_last, min_ns, max_ns};
    struct cw_hidden_rule rule;
    bool of = view != NULL && cw_deletes_view_rule(view, 0, &place, &rule);
    cw_deletes_view_free(&view);
    return of;
}

Test(deletes, a_delete_is_of_what_was_stored_before_it)
{
    add(10, 1000);
    cr_assert(is_of(7, 10, 0, 100, CW_DELETES_HIDING));
    cr_assert(is_of(7, 3, 200, 300, CW_DELETES_HIDING));
    cr_assert(is_of(0, 10, 150, 150, CW_DELETES_HIDING), "the head");
    cr_assert_not(is_of(7, 11, 0, 100, CW_DELETES_HIDING), "later");
    cr_assert_not(is_of(7, 10, 0, 99, CW_DELETES_HIDING), "older entries");
    cr_assert_not(is_of(7, 10, 201, 300, CW_DELETES_HIDING), "newer entries");
    cr_assert_not(is_of(7, 10, 0, 100, CW_DELETES_REMOVING), "it can be cancelled");
    cr_assert_null(cw_deletes_view_new(deletes, CW_STR("other"), CW_DELETES_HIDING));
    cr_assert_eq(cw_deletes_last_seq(deletes), 10);
    cr_assert(cw_deletes_between(deletes, 10, 11));
    cr_assert(cw_deletes_between(deletes, 3, 20));
    cr_assert_not(cw_deletes_between(deletes, 3, 10));
    cr_assert_not(cw_deletes_between(deletes, 11, 20));
    reopen();
    cr_assert(is_of(7, 10, 0, 100, CW_DELETES_HIDING));
}

Test(deletes, it_goes_from_received_to_processed)
{
    struct cw_part_footer before = part(7, 10, 0, 100), anew = part(51, 10, 0, 100),
                          after = part(8, 11, 0, 100);
    add(10, 1000);
    may = false;
    cr_assert_eq(advance(999, &before), 0);
    cr_assert_not(asked, "its time has not come");
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert(asked);
    cr_assert_eq(last().state, CW_DELETE_RECEIVED);
    cr_assert_not(cw_deletes_holds(deletes, &before));
    may = true;
    uint64_t version = cw_deletes_version(deletes);
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert_neq(cw_deletes_version(deletes), version);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING);
    for (int round = 0; round < 2; round++) {
        cr_assert(cw_deletes_holds(deletes, &before));
        cr_assert_not(cw_deletes_holds(deletes, &anew));
        cr_assert_not(cw_deletes_holds(deletes, &after));
        cr_assert(is_of(7, 10, 0, 100, CW_DELETES_REMOVING));
        cr_assert_not(is_of(51, 10, 0, 100, CW_DELETES_HIDING));
        cr_assert_eq(cw_deletes_last_id(deletes), 50);
        reopen();
    }
    cr_assert_eq(advance(2000, &before), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING);
    log_oldest_seq = 10;
    cr_assert_eq(advance(2500, &anew), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING, "its entries are in the log");
    cr_assert_eq(cw_deletes_removing_seq(deletes), 10);
    log_oldest_seq = 11;
    cr_assert_eq(forgotten, 0);
    forget_rc = CW_E_UNAVAILABLE;
    cr_assert_eq(advance(2700, &anew), 0);
    cr_assert_eq(forgotten, last().id);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING, "a part that is missing may come back");
    forget_rc = 0;
    cr_assert_eq(advance(3000, &anew), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSED);
    cr_assert_eq(cw_deletes_removing_seq(deletes), 0);
    cr_assert_not(is_of(7, 10, 0, 100, CW_DELETES_HIDING));
    cr_assert_not(cw_deletes_between(deletes, 3, 20));
    reopen();
    cr_assert_eq(last().finished_ns, 3000);
    cr_assert_eq(advance(3000 + CW_DELETES_RECEIPT_NS - 1, &anew), 0);
    cr_assert_neq(last().id, 0);
    cr_assert_eq(advance(3000 + CW_DELETES_RECEIPT_NS, &anew), 0);
    cr_assert_eq(last().id, 0);
}

Test(deletes, a_part_in_which_nothing_matches_is_clean)
{
    struct cw_part_footer before = part(7, 10, 0, 100);
    add(10, 1000);
    may = true;
    cr_assert_eq(advance(1000, &before), 0);
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, CW_STR("t"), CW_DELETES_REMOVING);
    cr_assert(cw_deletes_holds(deletes, &before));
    cw_deletes_clean(view, 7);
    cr_assert_not(cw_deletes_holds(deletes, &before));
    cw_deletes_view_free(&view);
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSED);
}

Test(deletes, cancelling_is_for_those_that_can_be_taken_back)
{
    struct cw_part_footer before = part(7, 10, 0, 100);
    may = true;
    add(10, 1000);
    uint32_t id = last().id;
    cr_assert_eq(cancel("other", id, CW_DELETES_CANCEL_WHOLE), CW_E_NOT_FOUND);
    cr_assert_eq(cancel("t", id + 1, CW_DELETES_CANCEL_WHOLE), CW_E_NOT_FOUND);
    cr_assert_eq(cancel("t", id, CW_DELETES_CANCEL_WHOLE), 0);
    cr_assert_not(is_of(7, 10, 0, 100, CW_DELETES_HIDING));
    reopen();
    cr_assert_eq(last().id, 0);
    add(10, 1000);
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert_eq(cancel("t", last().id, CW_DELETES_CANCEL_WHOLE), CW_E_INVALID);
    cr_assert_eq(cancel("t", last().id, CW_DELETES_CANCEL_FORCE), 0);
    cr_assert_eq(last().id, 0);
    add(10, 1000);
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert_eq(advance(1000, NULL), 0);
    cr_assert_eq(cancel("t", last().id, CW_DELETES_CANCEL_FORCE), CW_E_INVALID, "it is done");
}

Test(deletes, what_was_cancelled_is_not_committed)
{
    struct cw_part_footer before = part(7, 10, 0, 100);
    struct cw_deletes_done done = {.removed = 5, .unread = 3};
    may = true;
    add(10, 1000);
    cr_assert_eq(advance(1000, &before), 0);
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, CW_STR("t"), CW_DELETES_REMOVING);
    cr_assert_eq(cw_deletes_commit_begin(view, &err), 0);
    cw_deletes_commit_end(view, &done);
    cr_assert_eq(last().nremoved, 5);
    cr_assert_eq(last().nunread, 3);
    cr_assert_eq(cancel("t", last().id, CW_DELETES_CANCEL_FORCE), 0);
    cr_assert_eq(cw_deletes_commit_begin(view, &err), CW_E_CONFLICT);
    cw_deletes_view_free(&view);
}

Test(deletes, who_waits_for_a_part_that_cannot_be_written_anew_is_told)
{
    struct cw_part_footer before = part(7, 10, 0, 100), other = part(8, 11, 0, 100);
    may = true;
    add(10, 1000);
    cw_deletes_refuse(deletes, &before);
    cw_deletes_refuse(deletes, &other);
    last();
    cr_assert_eq(last_nrefused, 0, "it is not carried out yet");
    cr_assert_eq(advance(1000, &before), 0);
    last();
    cr_assert_eq(last_nrefused, 1, "the other part holds only what was stored later");
    cr_assert_eq(advance(1000, &before), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING);
    cr_assert_eq(advance(1000, NULL), 0);
    cr_assert_eq(last().state, CW_DELETE_PROCESSED);
    cr_assert_eq(last_nrefused, 0);
}

Test(deletes, who_waits_for_room_is_told_until_the_part_has_left)
{
    struct cw_part_footer before = part(7, 10, 0, 100), anew = part(51, 10, 0, 100);
    may = true;
    add(10, 1000);
    cr_assert_eq(advance(1000, &before), 0);
    cw_deletes_no_room(deletes, &before);
    cw_deletes_no_room(deletes, &before); /* tried again */
    last();
    cr_assert_eq(last_nno_room, 1);
    cr_assert_eq(last_nrefused, 0);
    cr_assert_eq(advance(1000, &anew), 0);
    last();
    cr_assert_eq(last_nno_room, 0);
}

/* Three changes in a row without room for the file: each takes the reserve and makes it again. */
Test(deletes, a_full_disk_does_not_stop_a_delete)
{
    char reserve[128];
    struct stat st;
    snprintf(reserve, sizeof(reserve), "%s/deletes.reserve", dir);
    cr_assert_eq(stat(reserve, &st), 0);
    cr_assert_eq((size_t)st.st_size, CW_DELETES_RESERVE_BYTES);
    may = true;
    io_trace_room("/deletes.tmp", 0);
    add(10, 1000);
    add(11, 1000);
    cr_assert_eq(io_trace_nrefused(), 2);
    uint32_t id = last().id;
    cr_assert_eq(advance(1000, NULL), 0);
    cr_assert_eq(io_trace_nrefused(), 3);
    io_trace_room(NULL, 0);
    cr_assert_eq(stat(reserve, &st), 0);
    cr_assert_eq((size_t)st.st_size, CW_DELETES_RESERVE_BYTES);
    reopen();
    cr_assert_eq(last().id, id);
    cr_assert_eq(last().state, CW_DELETE_PROCESSING);
}

Test(deletes, a_file_that_cannot_be_written_changes_nothing)
{
    may = true;
    add(10, 1000);
    /* A folder stands where the file is to be. */
    char command[256];
    snprintf(command, sizeof(command), "rm %s/deletes && mkdir -p %s/deletes/x", dir, dir);
    cr_assert_eq(system(command), 0);
    struct cw_delete_row row = {.tenant = CW_STR("t"), .query = CW_STR("{a=\"b\"}"), .wal_seq = 11};
    uint32_t id = last().id;
    cr_assert_lt(cw_deletes_add(deletes, &row, &err), 0);
    cr_assert_eq(last().id, id);
    cr_assert_lt(cancel("t", id, CW_DELETES_CANCEL_WHOLE), 0);
    cr_assert_lt(advance(1000, NULL), 0);
    cr_assert_eq(last().state, CW_DELETE_RECEIVED);
    cr_assert(is_of(7, 10, 0, 100, CW_DELETES_HIDING));
    snprintf(command, sizeof(command), "rm -r %s/deletes", dir);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(cancel("t", id, CW_DELETES_CANCEL_WHOLE), 0);
}

Test(deletes, parts_of_a_day_that_it_touches_lie_apart)
{
    struct cw_part_info before = {.tenant = CW_STR("t"), .day = 0, .wal_last = 10};
    struct cw_part_info after = before, other_day = before, mixed = before, others = before;
    after.wal_last = other_day.wal_last = mixed.wal_last = others.wal_last = 11;
    other_day.day = 1;
    mixed.day = CW_DAY_MIXED;
    others.tenant = CW_STR("other");
    add(10, 1000);
    cr_assert_neq(cw_deletes_epoch(deletes, &before), cw_deletes_epoch(deletes, &after));
    cr_assert_eq(cw_deletes_epoch(deletes, &mixed), cw_deletes_epoch(deletes, &after));
    cr_assert_eq(cw_deletes_epoch(deletes, &before), cw_deletes_epoch(deletes, &other_day));
    cr_assert_eq(cw_deletes_epoch(deletes, &before), cw_deletes_epoch(deletes, &others));
}
