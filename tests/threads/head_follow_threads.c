/*
 * head_follow_threads.c - followers read while one writer appends, commits, rolls back, closes and drops generations: each sees
 * every committed row once, a stream's in order. For the thread sanitizer.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/logql/ast.h"
#include "common/store/head_follow.h"
#include "common/wire/push_resolve.h"
#include "tests/threads/check.h"

enum { ROUNDS = 600, STREAMS = 4, ENTRIES = 15, FOLLOWERS = 3 };

static struct cw_head *head;
static struct cw_query *query;
static atomic_bool done;

/* The lines of a stream are numbers that go up by one; `next` is moved on by commits only. */
static void append(const int64_t *next, bool keep)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_push push = {.streams = CW_ARENA_ARRAY(arena, struct cw_push_stream, STREAMS),
                           .nstreams = STREAMS,
                           .nentries = STREAMS * ENTRIES};
    struct cw_hash128 *ids;
    struct cw_err err = {0};
    struct cw_head_dropped twins = {0};
    struct cw_label metadata = {CW_STR("k"), CW_STR("v")};
    for (int s = 0; s < STREAMS; s++) {
        push.streams[s].labels_text = cw_arena_printf(arena, "{app=\"a\", s=\"%d\"}", s);
        push.streams[s].entries = CW_ARENA_ARRAY(arena, struct cw_push_entry, ENTRIES);
        push.streams[s].nentries = ENTRIES;
        for (int e = 0; e < ENTRIES; e++) {
            struct cw_push_entry *entry = &push.streams[s].entries[e];
            entry->ts_ns = next[s] + e;
            entry->line = keep ? cw_arena_printf(arena, "%lld", (long long)next[s] + e)
                               : CW_STR("taken back");
            entry->metadata = &metadata;
            entry->nmetadata = e % 2;
        }
    }
    CHECK(cw_push_resolve(&push, NULL, arena, &ids, &err) == 0);
    struct cw_head_batch batch = {
        .tenant = CW_STR("t"), .push = &push, .ids = ids, .duplicates = CW_HEAD_KEEP_DUPLICATES};
    cw_head_append(head, &batch, &twins);
    free(twins.items);
    cw_arena_free(&arena);
}

/* All that is there for now. */
static void read_ready(struct cw_head_follow *follow, int64_t *next)
{
    struct cw_follow_batch batch;
    struct cw_err err;
    int rc;
    while ((rc = cw_head_follow_next(follow, &batch, &err)) == 1) {
        struct cw_str s = cw_labels_get(batch.rows.stream.labels, CW_STR("s"));
        CHECK(s.len == 1 && !batch.lost);
        int stream = s.ptr[0] - '0';
        for (size_t i = 0; i < batch.rows.n; i++) {
            int64_t number;
            CHECK(cw_str_to_i64(batch.rows.lines[i], &number));
            if (next[stream] < 0)
                next[stream] = number;
            CHECK(number == next[stream] && batch.rows.ts_ns[i] == number);
            CHECK(batch.rows.metadata[i].n == (size_t)(number % ENTRIES % 2));
            next[stream]++;
        }
    }
    CHECK(rc == 0);
}

static void *follower(void *arg)
{
    struct cw_follow_options options = {.tenant = CW_STR("t"), .selector = &query->root->selector};
    struct cw_head_follow *follow;
    struct cw_err err;
    int64_t next[STREAMS];
    /* One stays to the end, the others come and go. */
    bool stays = arg != NULL;
    do {
        CHECK(cw_head_follow_open(head, &options, &follow, &err) == 0);
        for (int s = 0; s < STREAMS; s++)
            next[s] = -1;
        for (int i = 0; (stays || i < 20) && !atomic_load(&done); i++)
            read_ready(follow, next);
        if (stays) {
            read_ready(follow, next);
            for (int s = 0; s < STREAMS; s++)
                CHECK(next[s] == ((int64_t *)arg)[s]);
        }
        cw_head_follow_close(&follow);
    } while (!atomic_load(&done));
    return NULL;
}

int main(void)
{
    pthread_t followers[FOLLOWERS];
    struct cw_err err;
    int64_t next[STREAMS] = {0};
    CHECK(cw_logql_parse(CW_STR("{app=\"a\"}"), &query, &err) == 0);
    head = cw_head_new(0);
    for (int i = 0; i < FOLLOWERS; i++)
        pthread_create(&followers[i], NULL, follower, i == 0 ? next : NULL);
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 7 == 3) {
            append(next, false);
            cw_head_rollback(head);
        }
        append(next, true);
        for (int s = 0; s < STREAMS; s++)
            next[s] += ENTRIES;
        cw_head_commit(head, (uint64_t)round + 1);
        if (round % 25 == 24) {
            struct cw_generation *closed = cw_head_freeze(head);
            cw_head_drop(head, closed);
            cw_generation_unref(&closed);
        }
    }
    atomic_store(&done, true);
    for (int i = 0; i < FOLLOWERS; i++)
        pthread_join(followers[i], NULL);
    cw_head_free(&head);
    cw_query_free(&query);
    return 0;
}
