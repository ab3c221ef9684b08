#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "querier/api/tail_answer.h"

static struct cw_arena *arena;
static struct cw_buf text, frame;
static struct cw_tail_drops drops;
static struct cw_tail_queue queue;

static void setup(void)
{
    arena = cw_arena_new();
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&frame, SIZE_MAX);
    cw_tail_drops_init(&drops);
    cw_tail_queue_init(&queue, SIZE_MAX, NULL);
}

static void teardown(void)
{
    cw_arena_free(&arena);
    cw_buf_fini(&text);
    cw_buf_fini(&frame);
    cw_tail_drops_fini(&drops);
    cw_tail_queue_fini(&queue);
}

TestSuite(tail_answer, .init = setup, .fini = teardown);

/* Put an entry with one label of each kind into the queue; returns its labels' text. */
static struct cw_str put(int64_t ts_ns, const char *line, enum cw_tail_form form)
{
    struct cw_label stream = {CW_STR("app"), CW_STR("a")}, metadata = {CW_STR("t"), CW_STR("1")},
                    parsed = {CW_STR("k"), CW_STR("v")};
    struct cw_log_entry entry = {.ts_ns = ts_ns,
                                 .line = cw_str_of(line),
                                 .stream = {&stream, 1},
                                 .metadata = {&metadata, 1},
                                 .parsed = {&parsed, 1}};
    struct cw_str labels;
    cw_buf_clear(&text);
    cw_tail_answer_entry(&entry, form, arena, &text, &labels);
    cr_assert(cw_tail_queue_add(&queue, ts_ns, cw_buf_str(&text), labels));
    return labels;
}

static const char *whole_frame(enum cw_tail_form form)
{
    cw_tail_frame_begin(&frame);
    while (cw_tail_queue_first(&queue) != NULL) {
        struct cw_tail_item *item = cw_tail_queue_pop(&queue);
        cw_tail_frame_add(&frame, item);
        free(item);
    }
    cw_tail_frame_end(&frame, &drops, form);
    return cw_buf_z(&frame);
}

Test(tail_answer, each_entry_has_a_stream_of_its_own)
{
    put(1, "one", CW_TAIL_PLAIN);
    put(2, "two \"<\"", CW_TAIL_PLAIN);
    cr_expect_str_eq(
        whole_frame(CW_TAIL_PLAIN),
        "{\"streams\":[{\"stream\":{\"app\":\"a\",\"k\":\"v\",\"t\":\"1\"},\"values\":[[\"1\","
        "\"one\"]]},{\"stream\":{\"app\":\"a\",\"k\":\"v\",\"t\":\"1\"},\"values\":[[\"2\",\"two "
        "\\\"\\u003c\\\"\"]]}]}");
}

Test(tail_answer, categorised_labels_stand_behind_the_line)
{
    cr_expect(cw_str_eqz(put(1, "one", CW_TAIL_CATEGORISED), "{\"app\":\"a\"}"));
    cr_expect_str_eq(whole_frame(CW_TAIL_CATEGORISED),
                     "{\"streams\":[{\"stream\":{\"app\":\"a\"},\"values\":[[\"1\",\"one\",{"
                     "\"structuredMetadata\":{\"t\":\"1\"},\"parsed\":{\"k\":\"v\"}}]]}],"
                     "\"encodingFlags\":[\"categorize-labels\"]}");
}

Test(tail_answer, what_was_dropped_is_told_once)
{
    struct cw_str labels = put(1, "one", CW_TAIL_PLAIN);
    cw_tail_drops_add(&drops, 7, labels, CW_TAIL_PLAIN);
    cw_tail_drops_add(&drops, 8, CW_STR("{}"), CW_TAIL_PLAIN);
    cr_expect_not_null(
        strstr(whole_frame(CW_TAIL_PLAIN),
               "]}],\"dropped_entries\":[{\"timestamp\":\"7\",\"labels\":{\"app\":\"a\",\"k\":"
               "\"v\",\"t\":\"1\"}},{\"timestamp\":\"8\",\"labels\":{}}]}"));
    put(2, "two", CW_TAIL_PLAIN);
    cr_expect_null(strstr(whole_frame(CW_TAIL_PLAIN), "dropped"));
    cr_expect_eq(drops.total, 2);
}

Test(tail_answer, so_many_are_told_and_the_rest_is_counted)
{
    for (int i = 0; i < 1500; i++)
        cw_tail_drops_add(&drops, i, CW_STR("{}"), CW_TAIL_PLAIN);
    cr_expect_eq(drops.n, 1000);
    cr_expect_eq(drops.total, 1500);
    cr_expect_not(cw_tail_drops_room(&drops));
}

Test(tail_answer, the_old_form)
{
    cr_expect(
        cw_str_eqz(put(1, "one", CW_TAIL_OLD), "\"{app=\\\"a\\\", k=\\\"v\\\", t=\\\"1\\\"}\""));
    cr_expect_str_eq(whole_frame(CW_TAIL_OLD),
                     "{\"streams\":[{\"labels\":\"{app=\\\"a\\\", k=\\\"v\\\", t=\\\"1\\\"}\","
                     "\"entries\":[{\"ts\":\"1970-01-01T00:00:00.000000001Z\",\"line\":\"one\"}]}],"
                     "\"dropped_entries\":null}");
    cw_tail_drops_add(&drops, 1, CW_STR("\"{}\""), CW_TAIL_OLD);
    cr_expect_str_eq(whole_frame(CW_TAIL_OLD),
                     "{\"streams\":[],\"dropped_entries\":[{\"Timestamp\":\"1970-01-01T00:00:00."
                     "000000001Z\",\"Labels\":\"{}\"}]}");
}
