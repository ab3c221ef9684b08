/* test_marks.c - the rules of tests/models/delivery.py, one by one. */
#include <criterion/criterion.h>
#include "common/store/wal_frame.h"
#include "ingester/marks.h"

#define TENANT CW_STR("A")
static const struct cw_id128 shipper = {{1}}, session = {{2}}, source = {{3}}, source2 = {{4}};

static struct cw_marks *marks_new(void)
{
    struct cw_marks *marks = cw_marks_new();
    struct cw_err err = {0};
    cr_assert_eq(cw_marks_set_session(marks, &shipper, &session, 1, &err), 0);
    cw_marks_commit(marks);
    return marks;
}

static struct cw_push_delivery one(struct cw_push_range *range, uint64_t from, uint64_t to)
{
    *range = (struct cw_push_range){.source = source, .from = from, .to = to};
    return (struct cw_push_delivery){
        .present = true, .shipper = shipper, .session = session, .ranges = range, .nranges = 1};
}

static enum cw_marks_verdict check(struct cw_marks *marks, uint64_t from, uint64_t to)
{
    struct cw_push_range range;
    struct cw_push_delivery delivery = one(&range, from, to);
    return cw_marks_check(marks, TENANT, &delivery);
}

static void apply(struct cw_marks *marks, uint64_t from, uint64_t to)
{
    struct cw_push_range range;
    struct cw_push_delivery delivery = one(&range, from, to);
    cr_assert_eq(cw_marks_check(marks, TENANT, &delivery), CW_MARKS_NEW);
    cw_marks_apply(marks, TENANT, &delivery, 100);
}

Test(marks, a_range_that_begins_at_the_mark_is_stored_once)
{
    struct cw_marks *marks = marks_new();
    apply(marks, 0, 10);
    cr_assert_eq(cw_marks_get(marks, TENANT, &shipper, &source, 0), 10);
    cr_assert_eq(check(marks, 0, 10), CW_MARKS_REPEAT);
    cr_assert_eq(check(marks, 0, 5), CW_MARKS_REPEAT);
    cr_assert_eq(check(marks, 0, 11), CW_MARKS_RANGE);
    cr_assert_eq(check(marks, 11, 12), CW_MARKS_RANGE);
    cr_assert_eq(check(marks, 10, 12), CW_MARKS_NEW);
    cw_marks_free(&marks);
}

Test(marks, order_counts_before_the_commit)
{
    struct cw_marks *marks = marks_new();
    apply(marks, 0, 10); /* in a frame that waits for its fsync */
    cr_assert_eq(check(marks, 0, 10), CW_MARKS_REPEAT);
    apply(marks, 10, 20);
    cw_marks_commit(marks);
    cr_assert_eq(cw_marks_get(marks, TENANT, &shipper, &source, 0), 20);
    cw_marks_free(&marks);
}

Test(marks, a_failed_fsync_takes_back_new_marks_and_old_values)
{
    struct cw_marks *marks = marks_new();
    struct cw_err err = {0};
    struct cw_id128 other = {{77}};
    apply(marks, 0, 10);
    cw_marks_commit(marks);
    apply(marks, 10, 20);
    apply(marks, 20, 30);
    struct cw_push_range range = {.source = source2, .to = 5};
    struct cw_push_delivery delivery = {
        .present = true, .shipper = shipper, .session = session, .ranges = &range, .nranges = 1};
    cw_marks_apply(marks, CW_STR("B"), &delivery, 100);
    cr_assert_eq(cw_marks_set_session(marks, &shipper, &other, 2, &err), 0);
    cr_assert_eq(cw_marks_set_session(marks, &other, &other, 2, &err), 0);
    cw_marks_rollback(marks);
    cr_assert_eq(cw_marks_get(marks, TENANT, &shipper, &source, 0), 10);
    cr_assert_eq(cw_marks_get(marks, CW_STR("B"), &shipper, &source2, 0), 0);
    cr_assert_eq(cw_marks_count(marks), 1);
    cr_assert(memcmp(cw_marks_session(marks, &shipper), &session, 16) == 0);
    cr_assert_null(cw_marks_session(marks, &other));
    apply(marks, 10, 20);
    cw_marks_free(&marks);
}

Test(marks, a_push_of_new_and_stored_ranges_is_refused_whole)
{
    struct cw_marks *marks = marks_new();
    apply(marks, 0, 10);
    struct cw_push_range ranges[] = {{.source = source, .from = 0, .to = 10},
                                     {.source = source2, .from = 0, .to = 3}};
    struct cw_push_delivery delivery = {
        .present = true, .shipper = shipper, .session = session, .ranges = ranges, .nranges = 2};
    cr_assert_eq(cw_marks_check(marks, TENANT, &delivery), CW_MARKS_RANGE);
    ranges[0].from = ranges[0].to = 10;
    cr_assert_eq(cw_marks_check(marks, TENANT, &delivery), CW_MARKS_NEW);
    cw_marks_free(&marks);
}

Test(marks, tenants_generations_and_shippers_have_marks_of_their_own)
{
    struct cw_marks *marks = marks_new();
    apply(marks, 0, 10);
    cr_assert_eq(cw_marks_get(marks, CW_STR("B"), &shipper, &source, 0), 0);
    cr_assert_eq(cw_marks_get(marks, TENANT, &shipper, &source, 1), 0);
    cr_assert_eq(cw_marks_get(marks, TENANT, &session, &source, 0), 0);
    cw_marks_free(&marks);
}

Test(marks, only_the_session_that_the_store_knows_may_push)
{
    struct cw_marks *marks = cw_marks_new();
    struct cw_err err = {0};
    struct cw_id128 newer = {{9}};
    cr_assert_eq(check(marks, 0, 1), CW_MARKS_SESSION);
    cr_assert_eq(cw_marks_set_session(marks, &shipper, &session, 1, &err), 0);
    cr_assert_eq(check(marks, 0, 1), CW_MARKS_NEW);
    cr_assert_eq(cw_marks_set_session(marks, &shipper, &newer, 1, &err), 0);
    cr_assert_eq(check(marks, 0, 1), CW_MARKS_SESSION);
    cw_marks_free(&marks);
}

Test(marks, a_mark_is_forgotten_only_after_silence_and_confirmation)
{
    struct cw_marks *marks = marks_new();
    apply(marks, 0, 10);
    cw_marks_commit(marks);
    cr_assert_eq(cw_marks_forget(marks, 1000, 500), 0, "not confirmed");
    struct cw_push_confirm confirm = {.source = source, .offset = 9};
    struct cw_push_delivery delivery = {.present = true,
                                        .shipper = shipper,
                                        .session = session,
                                        .confirms = &confirm,
                                        .nconfirms = 1};
    cw_marks_apply(marks, TENANT, &delivery, 200);
    cw_marks_commit(marks);
    cr_assert_eq(cw_marks_forget(marks, 1000, 500), 0, "confirmed up to 9 of 10");
    confirm.offset = 10;
    cw_marks_apply(marks, TENANT, &delivery, 600);
    cw_marks_commit(marks);
    cr_assert_eq(cw_marks_forget(marks, 1000, 500), 0, "not silent for long enough");
    cr_assert_eq(cw_marks_forget(marks, 1100, 500), 1);
    cr_assert_eq(cw_marks_count(marks), 0);
    cr_assert_eq(check(marks, 0, 1), CW_MARKS_SESSION,
                 "the session went with it: the shipper asks");
    struct cw_err err = {0};
    cr_assert_eq(cw_marks_set_session(marks, &shipper, &session, 1100, &err), 0);
    cr_assert_eq(check(marks, 0, 1), CW_MARKS_NEW);
    cw_marks_free(&marks);
}

Test(marks, a_session_is_forgotten_with_the_last_mark_of_its_shipper)
{
    struct cw_marks *marks = marks_new();
    const struct cw_id128 idle = {{9}};
    struct cw_err err = {0};
    cr_assert_eq(cw_marks_set_session(marks, &idle, &session, 700, &err), 0);
    apply(marks, 0, 10);
    cw_marks_commit(marks);
    cr_assert_eq(cw_marks_forget(marks, 1100, 500), 0);
    cr_assert_not_null(cw_marks_session(marks, &shipper), "it has a mark");
    cr_assert_not_null(cw_marks_session(marks, &idle), "it is young");
    cr_assert_eq(cw_marks_forget(marks, 1200, 500), 0);
    cr_assert_null(cw_marks_session(marks, &idle));
    cr_assert_not_null(cw_marks_session(marks, &shipper));
    cr_assert_eq(check(marks, 10, 12), CW_MARKS_NEW);
    cw_marks_free(&marks);
}

Test(marks, a_confirmation_of_an_unknown_source_makes_no_mark)
{
    struct cw_marks *marks = marks_new();
    struct cw_push_confirm confirm = {.source = source, .offset = 9};
    struct cw_push_delivery delivery = {.present = true,
                                        .shipper = shipper,
                                        .session = session,
                                        .confirms = &confirm,
                                        .nconfirms = 1};
    cr_assert_eq(cw_marks_check(marks, TENANT, &delivery), CW_MARKS_NEW);
    cw_marks_apply(marks, TENANT, &delivery, 1);
    cr_assert_eq(cw_marks_count(marks), 0);
    cw_marks_free(&marks);
}

Test(marks, a_checkpoint_carries_all_marks_and_sessions)
{
    struct cw_marks *marks = marks_new(), *back = cw_marks_new();
    struct cw_arena *arena = cw_arena_new();
    struct cw_wal_checkpoint checkpoint;
    struct cw_err err = {0};
    struct cw_buf bytes;
    for (uint64_t i = 0; i < 2000; i++) {
        struct cw_push_range range = {
            .source = {{(uint8_t)i, (uint8_t)(i >> 8), 5}}, .generation = i % 3, .to = i + 1};
        struct cw_push_delivery delivery = {.present = true,
                                            .shipper = shipper,
                                            .session = session,
                                            .ranges = &range,
                                            .nranges = 1};
        cw_marks_apply(marks, TENANT, &delivery, (int64_t)i);
    }
    cw_marks_commit(marks);
    cw_buf_init(&bytes, 1 << 24);
    cw_marks_checkpoint(marks, &bytes);
    cr_assert_eq(cw_wal_checkpoint_decode(cw_buf_str(&bytes), arena, &checkpoint, &err), 0);
    cw_marks_replace(back, &checkpoint);
    cr_assert_eq(cw_marks_count(back), 2000);
    for (uint64_t i = 0; i < 2000; i++) {
        struct cw_id128 id = {{(uint8_t)i, (uint8_t)(i >> 8), 5}};
        cr_assert_eq(cw_marks_get(back, TENANT, &shipper, &id, i % 3), i + 1);
    }
    cr_assert(memcmp(cw_marks_session(back, &shipper), &session, 16) == 0);
    cw_buf_fini(&bytes);
    cw_arena_free(&arena);
    cw_marks_free(&marks);
    cw_marks_free(&back);
}

Test(marks, replay_takes_marks_as_the_frames_say_without_checking_ranges)
{
    struct cw_marks *marks = cw_marks_new();
    struct cw_delivery_mark mark = {.source = source, .offset = 40};
    struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                 .tenant = TENANT,
                                 .has_delivery = true,
                                 .shipper = shipper,
                                 .marks = &mark,
                                 .nmarks = 1};
    cw_marks_replay(marks, &frame);
    mark.offset = 20; /* forgotten and begun again between */
    cw_marks_replay(marks, &frame);
    cr_assert_eq(cw_marks_get(marks, TENANT, &shipper, &source, 0), 20);
    cw_marks_free(&marks);
}

Test(marks, ranges_that_are_none_are_refused)
{
    struct cw_push_range ranges[] = {{.source = source, .from = 5, .to = 4},
                                     {.source = source2, .to = 1}};
    struct cw_push push = {.nentries = 1,
                           .delivery = {.present = true, .ranges = ranges, .nranges = 2}};
    struct cw_err err = {0};
    cr_assert_eq(cw_marks_validate(&push, &err), CW_E_INVALID);
    ranges[0].from = 4;
    cr_assert_eq(cw_marks_validate(&push, &err), 0);
    ranges[1].source = source;
    cr_assert_eq(cw_marks_validate(&push, &err), CW_E_INVALID);
    ranges[1].generation = 1;
    cr_assert_eq(cw_marks_validate(&push, &err), 0);
    ranges[1].to = UINT64_MAX;
    cr_assert_eq(cw_marks_validate(&push, &err), CW_E_INVALID);
    push.delivery.nranges = 0;
    cr_assert_eq(cw_marks_validate(&push, &err), CW_E_INVALID, "entries without a range");
    push.nentries = 0;
    cr_assert_eq(cw_marks_validate(&push, &err), 0, "confirmations alone");
}
