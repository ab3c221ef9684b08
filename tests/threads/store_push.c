#include "tests/threads/store_push.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/wire/push_resolve.h"
#include "tests/threads/check.h"

struct push_op {
    struct cw_store_op op;
    struct cw_push *push;
    struct cw_hash128 *ids;
    struct cw_buf body;
    sem_t done;
};

static int prepare(struct cw_store_op *base, struct cw_store *s, struct cw_err *err)
{
    struct push_op *op = CW_CONTAINER_OF(base, struct push_op, op);
    struct cw_head_batch batch = {.tenant = CW_STR("t"), .push = op->push, .ids = op->ids};
    struct cw_head_dropped dropped = {0};
    struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                 .format = CW_WAL_BODY_LOKI_PROTOBUF,
                                 .tenant = CW_STR("t"),
                                 .body = cw_buf_str(&op->body),
                                 .body_raw = (uint32_t)op->body.len};
    cw_head_append(cw_store_head(s), &batch, &dropped);
    return cw_store_append(s, &frame, err);
}

static void finish(struct cw_store_op *base, int rc, const struct cw_err *err)
{
    (void)err;
    CHECK(rc == 0);
    sem_post(&CW_CONTAINER_OF(base, struct push_op, op)->done);
}

void store_push(struct cw_store *store, const char *labels, const struct cw_push_entry *entries,
                size_t n)
{
    struct cw_arena *arena = cw_arena_new();
    struct push_op op = {.op = {.prepare = prepare, .finish = finish, .bytes = 0}};
    struct cw_err err = {0};
    op.push = CW_ARENA_NEW(arena, struct cw_push);
    op.push->streams = CW_ARENA_NEW(arena, struct cw_push_stream);
    op.push->nstreams = 1;
    op.push->streams->labels_text = cw_str_of(labels);
    op.push->streams->entries = CW_ARENA_ARRAY(arena, struct cw_push_entry, n);
    op.push->streams->nentries = op.push->nentries = (uint32_t)n;
    memcpy(op.push->streams->entries, entries, n * sizeof(entries[0]));
    cw_buf_init(&op.body, 1 << 20);
    cw_push_loki_protobuf_encode(op.push, &op.body);
    CHECK(cw_push_resolve(op.push, NULL, arena, &op.ids, &err) == 0);
    sem_init(&op.done, 0, 0);
    CHECK(cw_store_admit(store, &op.op.bytes, op.body.len, &err) == 0);
    CHECK(cw_store_submit(store, &op.op, &err) == 0);
    sem_wait(&op.done);
    sem_destroy(&op.done);
    cw_buf_fini(&op.body);
    cw_arena_free(&arena);
}
