/* receiver_lines.c - lines over TCP or a Unix socket; the last one of a connection needs no newline. */
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/receiver.h"
#include "shipper/stream_listener.h"

struct lines {
    struct cw_receiver receiver;
    struct cw_stream_listener *listener;
};

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    struct lines *lines = arg;
    struct cw_label peer = {CW_STR("__lines_connection_ip_address"), cw_str_of(reader->peer)};
    struct cw_received *received = &lines->receiver.received;
    struct cw_received_entry entry = {.ts_ns = CW_PUSH_TS_NONE};
    struct cw_str rest = bytes;
    bool kept = cw_received_stream(received, &peer, 1);
    if (kept && more == CW_STREAM_FULL)
        cw_received_bad(received, CW_RECEIVED_CUT, CW_RECEIVED_LONG);
    while (cw_stream_line_take(&rest, more, &entry.line))
        if (kept)
            cw_received_put(received, &entry);
    cw_receiver_flush(&lines->receiver, NULL, NULL);
    return bytes.len - rest.len;
}

static bool room(void *arg)
{
    const struct lines *lines = arg;
    return cw_receiver_room(&lines->receiver);
}

static int lines_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct lines *lines = CW_CONTAINER_OF(receiver, struct lines, receiver);
    const struct cw_lines_config *config = receiver->config;
    struct cw_stream_reader_options options = {
        .idle_ms = (uint64_t)(config->idle_timeout_ns / CW_NS_PER_MS),
        .on_bytes = on_bytes,
        .room = room,
        .arg = lines};
    int rc = cw_receiver_tls(receiver, &config->tls, &options.tls, err);
    if (rc == 0)
        rc = cw_stream_listener_open(receiver->host->loop, config->listen_address.ptr, &options,
                                     &lines->listener, err);
    if (rc == 0)
        cw_log_info("%s: listening on %s", receiver->name,
                    cw_stream_listener_address(lines->listener));
    return rc;
}

static void lines_resume(struct cw_receiver *receiver)
{
    cw_stream_listener_resume(CW_CONTAINER_OF(receiver, struct lines, receiver)->listener);
}

static void lines_stop(struct cw_receiver *receiver)
{
    cw_stream_listener_close(&CW_CONTAINER_OF(receiver, struct lines, receiver)->listener);
}

const struct cw_receiver_def cw_receiver_lines = {
    .kind = "lines",
    CW_RECEIVER_OFFSETS(lines),
    .size = sizeof(struct lines),
    .failure = CW_SPOOL_RETRY,
    .start = lines_start,
    .resume = lines_resume,
    .stop = lines_stop,
};
