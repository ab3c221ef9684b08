/* test_head_follow.c - what a follower sees of a head that is written, rolled back, closed and dropped. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/memory_budget.h"
#include "common/logql/ast.h"
#include "common/store/head_follow.h"
#include "common/wire/push_resolve.h"

static struct cw_arena *arena;
static struct cw_head *head;
static struct cw_query *query;
static struct cw_head_follow *follow;
static uint64_t seq;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
    head = cw_head_new(0);
    cr_assert_eq(cw_logql_parse(CW_STR("{app=\"a\"}"), &query, &err), 0);
}

static void teardown(void)
{
    cw_head_follow_close(&follow);
    cw_head_free(&head);
    cw_query_free(&query);
    cw_arena_free(&arena);
}

TestSuite(head_follow, .init = setup, .fini = teardown);

static void begin(const struct cw_line_filter *const *filters, size_t nfilters)
{
    struct cw_follow_options options = {.tenant = CW_STR("t"),
                                        .selector = &query->root->selector,
                                        .filters = filters,
                                        .nfilters = nfilters};
    cr_assert_eq(cw_head_follow_open(head, &options, &follow, &err), 0, "%s", err.text);
}

/* Append n entries "<word> <i>" to one stream; not yet seen by anybody. */
static void append(const char *tenant, const char *labels, const char *word, int n)
{
    struct cw_push_stream *stream = CW_ARENA_NEW(arena, struct cw_push_stream);
    struct cw_push push = {.streams = stream, .nstreams = 1, .nentries = (size_t)n};
    struct cw_head_dropped twins = {0};
    struct cw_hash128 *ids;
    stream->labels_text = cw_str_of(labels);
    stream->entries = CW_ARENA_ARRAY(arena, struct cw_push_entry, (size_t)n);
    stream->nentries = (size_t)n;
    for (int i = 0; i < n; i++) {
        stream->entries[i].ts_ns = 1000 + i;
        stream->entries[i].line = cw_arena_printf(arena, "%s %d", word, i);
    }
    cr_assert_eq(cw_push_resolve(&push, NULL, arena, &ids, &err), 0, "%s", err.text);
    struct cw_head_batch batch = {.tenant = cw_str_of(tenant),
                                  .push = &push,
                                  .ids = ids,
                                  .duplicates = CW_HEAD_KEEP_DUPLICATES};
    cw_head_append(head, &batch, &twins);
    free(twins.items);
}

static void commit(void)
{
    cw_head_commit(head, ++seq);
}

static void put(const char *labels, const char *word, int n)
{
    append("t", labels, word, n);
    commit();
}

/* All that comes until there is nothing for now, as "line|line|"; lost ones as "-<how many>|". */
static const char *all(void)
{
    static struct cw_buf text;
    struct cw_follow_batch batch;
    int rc;
    cw_buf_fini(&text);
    cw_buf_init(&text, SIZE_MAX);
    while ((rc = cw_head_follow_next(follow, &batch, &err)) == 1) {
        cr_assert_gt(batch.rows.n, 0);
        cr_assert(cw_str_eqz(cw_labels_get(batch.rows.stream.labels, CW_STR("app")), "a"));
        for (size_t i = 0; !batch.lost && i < batch.rows.n; i++)
            cw_buf_addf(&text, "%.*s|", CW_STR_ARG(batch.rows.lines[i]));
        if (batch.lost)
            cw_buf_addf(&text, "-%zu|", batch.rows.n);
    }
    cr_assert_eq(rc, 0, "%s", err.text);
    return cw_buf_z(&text);
}

Test(head_follow, it_begins_behind_what_is_there)
{
    put("{app=\"a\"}", "old", 3);
    append("t", "{app=\"a\"}", "coming", 2);
    begin(NULL, 0);
    cr_expect_str_eq(all(), "");
    commit();
    cr_expect_str_eq(all(), "coming 0|coming 1|");
    cr_expect_str_eq(all(), "", "once");
    put("{app=\"a\"}", "new", 1);
    put("{app=\"a\", x=\"y\"}", "of a new stream", 1);
    cr_expect_str_eq(all(), "new 0|of a new stream 0|");
}

Test(head_follow, other_streams_and_tenants_are_not_seen)
{
    begin(NULL, 0);
    put("{app=\"b\"}", "other", 2);
    append("u", "{app=\"a\"}", "of u", 2);
    commit();
    cr_expect_str_eq(all(), "");
    put("{app=\"a\"}", "mine", 1);
    cr_expect_str_eq(all(), "mine 0|");
}

Test(head_follow, what_is_taken_back_is_never_seen)
{
    begin(NULL, 0);
    put("{app=\"a\"}", "one", 1);
    for (int i = 0; i < 5; i++) {
        append("t", "{app=\"a\"}", "taken back", 300); /* some blocks */
        cr_expect_str_eq(all(), i == 0 ? "one 0|" : "");
        cw_head_rollback(head);
        cr_expect_str_eq(all(), "");
    }
    put("{app=\"a\"}", "two", 2);
    cr_expect_str_eq(all(), "two 0|two 1|");
}

Test(head_follow, line_filters_run_beside_the_rows)
{
    struct cw_query *filtered;
    cr_assert_eq(cw_logql_parse(CW_STR("{app=\"a\"} |= \"7\""), &filtered, &err), 0);
    const struct cw_line_filter *filters[] = {filtered->root->stages->filter};
    begin(filters, 1);
    put("{app=\"a\"}", "line", 80);
    cr_expect_str_eq(all(), "line 7|line 17|line 27|line 37|line 47|line 57|line 67|line 70|line "
                            "71|line 72|line 73|line 74|line 75|line 76|line 77|line 78|line 79|");
    put("{app=\"a\"}", "more", 8);
    cr_expect_str_eq(all(), "more 7|", "in the middle of a block");
    cw_query_free(&filtered);
}

Test(head_follow, generations_that_are_closed_and_dropped_are_read_to_their_end)
{
    begin(NULL, 0);
    for (int i = 0; i < 5; i++) {
        put("{app=\"a\"}", i % 2 ? "odd" : "even", 1);
        struct cw_generation *closed = cw_head_freeze(head);
        cw_head_drop(head, closed);
        cw_generation_unref(&closed);
    }
    put("{app=\"a\"}", "current", 1);
    cr_expect_str_eq(all(), "even 0|odd 0|even 0|odd 0|even 0|current 0|");
    cr_expect_str_eq(all(), "");
}

Test(head_follow, who_falls_too_far_behind_is_told_what_was_lost)
{
    begin(NULL, 0);
    char *word = malloc(100001);
    memset(word, 'x', 100000);
    word[100000] = '\0';
    for (int i = 0; i < 3; i++) {
        put("{app=\"a\"}", word, i == 1 ? 200 : 3); /* the second one is of 20 MB */
        struct cw_generation *closed = cw_head_freeze(head);
        cw_head_drop(head, closed);
        cw_generation_unref(&closed);
    }
    free(word);
    put("{app=\"a\"}", "current", 1);
    const char *got = all();
    cr_expect_eq(strncmp(got, "-1|-1|-1|x", 10), 0,
                 "the first is given up, the large one is read: %.20s", got);
    cr_expect(strstr(got, "x 199|") != NULL);
    cr_expect(strstr(got, "|current 0|") != NULL);
}

Test(head_follow, a_follower_counts_what_it_holds)
{
    static struct cw_memory_budget budget; /* the head tells it of its end */
    cw_memory_budget_init(&budget, UINT64_C(1) << 30);
    cw_head_set_budget(head, &budget);
    begin(NULL, 0);
    put("{app=\"a\"}", "line", 1);
    all();
    cr_expect_gt(cw_memory_used(&budget, CW_MEMORY_QUERIES), 0);
    cw_head_follow_close(&follow);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_QUERIES), 0);
}
