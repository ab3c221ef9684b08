/*
 * fuzz_forward_message.c - any bytes as MessagePack and as a forward message: what is walked through
 * in pieces ends where it does in one, and what is whole is written as JSON; and as a PING, which
 * shows no key.
 */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/forward_handshake.h"
#include "shipper/forward_message.h"
#include "shipper/msgpack_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str bytes = cw_str_make(data, size), rest = bytes;
    struct cw_msgpack_walk whole = {0}, pieces = {0};
    struct cw_arena *arena = cw_arena_new();
    struct cw_forward_message message;
    struct cw_buf json;
    int rc = cw_msgpack_measure(bytes, &whole, NULL);
    int first = cw_msgpack_measure(cw_str_sub(bytes, 0, size / 2), &pieces, NULL);
    if (first == 0)
        first = cw_msgpack_measure(bytes, &pieces, NULL);
    CW_ASSERT(first == rc && (rc <= 0 || pieces.at == whole.at));
    cw_buf_init(&json, 1u << 20);
    struct cw_json_writer writer = cw_json_writer_make(&json);
    if (cw_msgpack_to_json(&rest, &writer, NULL) == 0)
        CW_ASSERT(rc == 1 && size - rest.len == whole.at);
    size_t sum = 0;
    if (cw_forward_message_decode(bytes, arena, &message, NULL) == 0)
        for (size_t i = 0; i < message.n; i++)
            for (size_t k = 0; k < message.entries[i].line.len; k++)
                sum += (unsigned char)message.entries[i].line.ptr[k];
    static const struct cw_forward_user user = {CW_STR("u"), CW_STR("p")};
    const struct cw_forward_rules rules = {CW_STR("h"), CW_STR("k"), &user, 1};
    const struct cw_forward_handshake handshake = {{0}, {0}};
    struct cw_err err;
    cw_buf_clear(&json);
    CW_ASSERT(cw_forward_ping(&rules, &handshake, bytes, &json, &err) < 0 && json.len > 0);
    cw_buf_fini(&json);
    cw_arena_free(&arena);
    return sum == SIZE_MAX;
}
