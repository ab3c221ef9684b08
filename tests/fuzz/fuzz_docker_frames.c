/* fuzz_docker_frames.c - any bytes as an Engine's log stream: the same messages whole and byte by byte. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/docker_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_message(void *arg, const struct cw_docker_line *message)
{
    struct cw_buf *out = arg;
    cw_buf_addf(out, "%d %lld %d ", (int)message->stream, (long long)message->ts_ns,
                message->partial);
    cw_buf_adds(out, message->text);
}

static int run(struct cw_str bytes, bool tty, size_t step, struct cw_buf *out)
{
    struct cw_docker_frames frames;
    struct cw_err err;
    int rc = 0;
    cw_docker_frames_init(&frames, tty);
    for (size_t at = 0; rc == 0 && at < bytes.len; at += step)
        rc =
            cw_docker_frames_feed(&frames, cw_str_sub(bytes, at, at + step), on_message, out, &err);
    cw_docker_frames_fini(&frames);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf whole, pieces;
    struct cw_str bytes = cw_str_make(data, size);
    if (size == 0)
        return 0;
    cw_buf_init(&whole, 1 << 24);
    cw_buf_init(&pieces, 1 << 24);
    bool tty = data[0] >= ' ';
    int a = run(bytes, tty, size, &whole), b = run(bytes, tty, 1, &pieces);
    CW_ASSERT(a == b && cw_str_eq(cw_buf_str(&whole), cw_buf_str(&pieces)));
    cw_buf_fini(&whole);
    cw_buf_fini(&pieces);
    return 0;
}
