/* head_threads.c - one writer appends, commits, rolls back and freezes; readers scan; a flusher drops: for the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/store/head.h"
#include "common/wire/push_resolve.h"
#include "tests/threads/check.h"

enum { ROUNDS = 400, STREAMS = 5, ENTRIES = 20, READERS = 3 };

static struct cw_head *head;
static atomic_bool done;
static atomic_uint_fast64_t committed; /* entries, by the writer after its commit */
static atomic_uint_fast64_t dropped;

static void append(int round)
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
        push.streams[s].labels_text = cw_arena_printf(arena, "{s=\"%d\"}", s + round % 7);
        push.streams[s].entries = CW_ARENA_ARRAY(arena, struct cw_push_entry, ENTRIES);
        push.streams[s].nentries = ENTRIES;
        for (int e = 0; e < ENTRIES; e++) {
            struct cw_push_entry *entry = &push.streams[s].entries[e];
            /* Out of order now and then, so that streams are sorted and tables are made while they are read. */
            entry->ts_ns = (int64_t)round * 1000 + e - (round % 50 == 49 ? 40000 : 0);
            entry->line = cw_arena_printf(arena, "round %d entry %d of stream %d", round, e, s);
            entry->metadata = &metadata;
            entry->nmetadata = e % 2;
        }
    }
    CHECK(cw_push_resolve(&push, NULL, arena, &ids, &err) == 0);
    struct cw_head_batch batch = {
        .tenant = CW_STR("t"), .push = &push, .ids = ids, .duplicates = CW_HEAD_DROP_DUPLICATES};
    cw_head_append(head, &batch, &twins);
    CHECK(twins.n == 0);
    free(twins.items);
    cw_arena_free(&arena);
}

static uint64_t scan(bool newest_first)
{
    struct cw_snapshot snapshot = {0};
    struct cw_err err = {0};
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .newest_first = newest_first,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    uint64_t n = 0;
    cw_head_add_sources(head, CW_STR("t"), INT64_MIN, &snapshot);
    for (size_t s = 0; s < snapshot.n; s++) {
        struct cw_units units = {0};
        CHECK(snapshot.sources[s]->ops->plan(snapshot.sources[s], &scan, &units, &err) == 0);
        for (size_t u = 0; u < units.n; u++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            int64_t last = newest_first ? INT64_MAX : INT64_MIN;
            CHECK(snapshot.sources[s]->ops->open(snapshot.sources[s], &scan, &units.items[u],
                                                 &cursor, &err) == 0);
            while (cw_cursor_next(cursor, &batch, &err) == 1) {
                for (size_t i = 0; i < batch.n; i++) {
                    CHECK(newest_first ? batch.ts_ns[i] <= last : batch.ts_ns[i] >= last);
                    CHECK(batch.lines[i].len > 10 && batch.lines[i].ptr[0] == 'r');
                    last = batch.ts_ns[i];
                }
                n += batch.n;
            }
            cw_cursor_close(&cursor);
        }
        cw_units_fini(&units);
    }
    cw_snapshot_fini(&snapshot);
    return n;
}

static void *reader(void *arg)
{
    bool newest_first = arg != NULL;
    while (!atomic_load(&done)) {
        /* What was committed before the snapshot and not dropped by its end must be there. */
        uint64_t before = atomic_load(&committed);
        uint64_t n = scan(newest_first), gone = atomic_load(&dropped);
        CHECK(n + gone >= before);
    }
    return NULL;
}

int main(void)
{
    pthread_t readers[READERS];
    struct cw_generation *frozen = NULL;
    uint64_t frozen_entries = 0, since = 0;
    head = cw_head_new(0);
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, reader, i % 2 ? head : NULL);
    for (int round = 0; round < ROUNDS; round++) {
        append(round);
        if (round % 10 == 9) {
            cw_head_rollback(head);
            continue;
        }
        cw_head_commit(head, (uint64_t)round + 1);
        since += STREAMS * ENTRIES;
        atomic_fetch_add(&committed, STREAMS * ENTRIES);
        if (round % 40 != 35)
            continue;
        if (frozen) {
            atomic_fetch_add(&dropped, frozen_entries);
            cw_head_drop(head, frozen);
            cw_generation_unref(&frozen);
        }
        frozen = cw_head_freeze(head);
        frozen_entries = since;
        since = 0;
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    CHECK(scan(false) + atomic_load(&dropped) == atomic_load(&committed));
    cw_generation_unref(&frozen);
    cw_head_free(&head);
    return 0;
}
