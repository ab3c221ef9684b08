/*
 * Any bytes are frames, or are refused with a close code; what is read does not depend on the pieces that they come in. The
 * first byte says whose end it is and how long the pieces are. What the reader gives can be written and read again. The bytes
 * as a server's answer to a handshake are read, or refused.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/net/websocket_frame.h"
#include "common/net/websocket_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 4096 };

static struct cw_err err;

static void write_again(const struct cw_websocket_message *message)
{
    struct cw_websocket_reader reader;
    struct cw_websocket_message again;
    struct cw_buf bytes;
    const uint8_t mask[4] = {1, 2, 3, 4};
    cw_buf_init(&bytes, SIZE_MAX);
    cw_websocket_reader_init(&reader, CW_WEBSOCKET_SERVER, MESSAGE_MAX);
    if (message->opcode == CW_WEBSOCKET_CLOSE && message->close_code != CW_WEBSOCKET_NO_CODE)
        cw_websocket_write_close(&bytes, message->close_code, message->payload, mask);
    else
        cw_websocket_write(&bytes, message->opcode, message->payload, mask);
    struct cw_str in = cw_buf_str(&bytes);
    CW_ASSERT(cw_websocket_reader_next(&reader, &in, &again, &err) == 1 && in.len == 0);
    CW_ASSERT(again.opcode == message->opcode && cw_str_eq(again.payload, message->payload));
    cw_websocket_reader_fini(&reader);
    cw_buf_fini(&bytes);
}

/* A hash of all that is read from the bytes in pieces of so many. */
static uint64_t read_pieces(struct cw_str bytes, enum cw_websocket_role role, size_t piece)
{
    struct cw_websocket_reader reader;
    struct cw_websocket_message message;
    uint64_t hash = 0;
    int rc = 0;
    cw_websocket_reader_init(&reader, role, MESSAGE_MAX);
    while (bytes.len > 0 && rc >= 0) {
        struct cw_str in = cw_str_sub(bytes, 0, piece);
        bytes = cw_str_sub(bytes, in.len, bytes.len);
        while ((rc = cw_websocket_reader_next(&reader, &in, &message, &err)) > 0) {
            uint64_t parts[] = {hash, (uint64_t)message.opcode, (uint64_t)message.close_code,
                                cw_hash64(message.payload.ptr, message.payload.len)};
            CW_ASSERT(message.payload.len <= MESSAGE_MAX);
            hash = cw_hash64(parts, sizeof parts);
            write_again(&message);
        }
        CW_ASSERT(rc < 0 || in.len == 0);
    }
    hash += (uint64_t)reader.close_code;
    CW_ASSERT((rc < 0) == (reader.close_code != 0));
    cw_websocket_reader_fini(&reader);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_websocket_answer answer;
    if (size == 0)
        return 0;
    struct cw_str bytes = cw_str_make(data + 1, size - 1);
    enum cw_websocket_role role = data[0] & 1 ? CW_WEBSOCKET_SERVER : CW_WEBSOCKET_CLIENT;
    CW_ASSERT(read_pieces(bytes, role, SIZE_MAX) == read_pieces(bytes, role, 1 + data[0] / 2));
    if (cw_websocket_answer_parse(bytes, CW_STR("dGhlIHNhbXBsZSBub25jZQ=="), &answer, &err) > 0)
        CW_ASSERT(answer.head_len <= bytes.len && answer.status >= 100);
    return 0;
}
