/* fuzz_delivery.c - the JSON between shipper and ingester: any bytes, and what was read is read again when it is written. */
#include <stdlib.h>

#include "common/wire/delivery.h"

static void again(const struct cw_delivery_ask *ask)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_delivery_ask back;
    struct cw_err err = {0};
    struct cw_buf bytes;
    cw_buf_init(&bytes, 1u << 20);
    cw_delivery_ask_encode(ask, &bytes);
    if (cw_delivery_ask_decode(cw_buf_str(&bytes), arena, &back, &err) < 0 ||
        back.nsessions != ask->nsessions ||
        memcmp(back.sessions, ask->sessions, ask->nsessions * sizeof(*ask->sessions)) != 0)
        abort();
    cw_buf_fini(&bytes);
    cw_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    struct cw_delivery_ask ask;
    struct cw_delivery_answer answer;
    if (cw_delivery_ask_decode(cw_str_make(data, size), arena, &ask, &err) == 0)
        again(&ask);
    if (cw_delivery_answer_decode(cw_str_make(data, size), arena, &answer, &err) == 0 &&
        answer.nmarks > size)
        abort();
    cw_arena_free(&arena);
    return 0;
}
