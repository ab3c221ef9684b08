/*
 * fuzz_syslog_message.c - any bytes as a stream of syslog messages: every step goes forward, no
 * message is over its bound, and each is read as both formats. All texts lie in the message or arena.
 */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/syslog_message.h"

static size_t sum;

static void touch(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.ptr[i];
}

static void touch_all(const struct cw_syslog_message *message)
{
    touch(message->hostname);
    touch(message->app_name);
    touch(message->proc_id);
    touch(message->msg_id);
    touch(message->text);
    for (size_t i = 0; i < message->nparams; i++) {
        touch(message->params[i].id);
        touch(message->params[i].name);
        touch(message->params[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str rest = cw_str_make(data, size), raw;
    size_t skip, max = 64;
    for (;;) {
        struct cw_syslog_message message;
        size_t before = rest.len;
        if (cw_syslog_frame_take(&rest, true, max, &raw, &skip) == CW_SYSLOG_FRAME_NONE)
            break;
        CW_ASSERT(rest.len < before && raw.len <= max && skip == 0);
        if (cw_syslog_rfc5424_decode(raw, arena, &message, NULL) == 0)
            touch_all(&message);
        if (cw_syslog_rfc3164_decode(raw, INT64_C(1767607200000000000), &message, NULL) == 0)
            touch_all(&message);
    }
    CW_ASSERT(rest.len == 0);
    cw_arena_free(&arena);
    return 0;
}
