/* Any bytes are decoded or refused, and what was decoded survives being encoded again. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct cw_push *push, struct cw_arena *arena)
{
    static struct cw_err err;
    struct cw_push again;
    struct cw_buf body;
    for (size_t i = 0; i < push->nstreams; i++) {
        for (size_t j = 0; j < push->streams[i].nentries; j++) {
            if (push->streams[i].entries[j].ts_ns == CW_PUSH_TS_NONE)
                return; /* there is no way to say so */
        }
    }
    cw_buf_init(&body, 64 << 20);
    cw_push_loki_protobuf_encode(push, &body);
    CW_ASSERT(!cw_buf_failed(&body));
    CW_ASSERT(cw_push_loki_protobuf_decode(cw_buf_str(&body), arena, &again, &err) == 0);
    CW_ASSERT(again.nstreams == push->nstreams && again.nentries == push->nentries);
    CW_ASSERT(again.line_bytes == push->line_bytes);
    CW_ASSERT(again.delivery.nranges == push->delivery.nranges);
    CW_ASSERT(again.delivery.nconfirms == push->delivery.nconfirms);
    cw_buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct cw_push push;
    if (cw_push_loki_protobuf_decode(cw_str_make(data, size), arena, &push, &err) == 0)
        check_round_trip(&push, arena);
    cw_arena_free(&arena);
    return 0;
}
