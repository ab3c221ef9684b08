/* Tokens of partial answers: any text, and any bytes under a right checksum. What is read makes sense, and is written again as it was. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/base64.h"
#include "querier/api/continuation.h"

static void read_token(struct cw_str token)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_continuation one, two;
    struct cw_err err;
    if (cw_continuation_decode(token, arena, &one, &err) == 0) {
        struct cw_buf again;
        cw_buf_init(&again, SIZE_MAX);
        cw_continuation_encode(&one, &again);
        if (one.rest.start_ns > one.rest.end_ns ||
            cw_continuation_decode(cw_buf_str(&again), arena, &two, &err) < 0 ||
            one.query != two.query || one.rest.given != two.rest.given ||
            !cw_labels_eq(one.rest.edge, two.rest.edge))
            abort();
        cw_buf_fini(&again);
    }
    cw_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf bytes, token;
    uint64_t sum = cw_hash64(data, size);
    read_token(cw_str_make(data, size));
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&token, SIZE_MAX);
    cw_buf_add(&bytes, data, size);
    for (int i = 0; i < 8; i++)
        cw_buf_addc(&bytes, (char)(sum >> (8 * i)));
    cw_base64_encode(cw_buf_str(&bytes), &token);
    while (token.len > 0 && token.ptr[token.len - 1] == '=')
        token.len--;
    for (size_t i = 0; i < token.len; i++)
        token.ptr[i] = token.ptr[i] == '+' ? '-' : token.ptr[i] == '/' ? '_' : token.ptr[i];
    read_token(cw_buf_str(&token));
    cw_buf_fini(&bytes);
    cw_buf_fini(&token);
    return 0;
}
