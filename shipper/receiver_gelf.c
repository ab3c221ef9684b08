/* receiver_gelf.c - Graylog's GELF messages over UDP (chunked, compressed) and TCP (ended by NUL). */
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/datagrams.h"
#include "shipper/gelf_message.h"
#include "shipper/receiver.h"
#include "shipper/stream_listener.h"

struct gelf {
    struct cw_receiver receiver;
    struct cw_stream_listener *listener; /* or */
    struct cw_datagrams *datagrams;
    struct cw_gelf_chunks *chunks;
    struct cw_buf raw;
    struct cw_arena *arena;
};

static void bad(struct gelf *gelf, enum cw_received_bad action, const struct cw_err *err)
{
    cw_received_bad(&gelf->receiver.received, action, err->text);
}

static void message_put(struct gelf *gelf, struct cw_str bytes)
{
    const struct cw_gelf_config *config = gelf->receiver.config;
    struct cw_gelf_message message;
    struct cw_str json;
    struct cw_err err = {0};
    cw_arena_reset(gelf->arena);
    if (cw_gelf_unpack(bytes, &gelf->raw, &json, &err) < 0) {
        bad(gelf, CW_RECEIVED_DROPPED, &err);
        return;
    }
    if (cw_gelf_message_decode(json, gelf->arena, &message, &err) < 0)
        bad(gelf, CW_RECEIVED_KEPT, &err);
    const struct cw_label labels[] = {{CW_STR("__gelf_message_host"), message.host},
                                      {CW_STR("__gelf_message_version"), message.version},
                                      {CW_STR("__gelf_message_level"), message.level},
                                      {CW_STR("__gelf_message_facility"), message.facility}};
    struct cw_received_entry entry = {
        .ts_ns = config->use_incoming_timestamp ? message.ts_ns : CW_PUSH_TS_NONE, .line = json};
    if (cw_received_stream(&gelf->receiver.received, labels, CW_COUNT(labels)))
        cw_received_put(&gelf->receiver.received, &entry);
}

static void on_datagram(void *arg, struct cw_str bytes, const char *peer)
{
    struct gelf *gelf = arg;
    struct cw_str message;
    struct cw_err err = {0};
    uint64_t lost = 0;
    (void)peer;
    int rc = cw_gelf_chunks_add(gelf->chunks, bytes, cw_clock_mono_ns(), &message, &lost, &err);
    for (; lost > 0; lost--)
        cw_received_bad(&gelf->receiver.received, CW_RECEIVED_DROPPED,
                        "a GELF message whose chunks did not all come");
    if (rc > 0)
        message_put(gelf, message);
    else if (rc < 0)
        bad(gelf, CW_RECEIVED_DROPPED, &err);
}

static void on_pause(void *arg)
{
    struct gelf *gelf = arg;
    cw_receiver_flush(&gelf->receiver, NULL, NULL);
}

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    struct gelf *gelf = arg;
    struct cw_str rest = bytes;
    for (;;) {
        ptrdiff_t nul = cw_str_find_byte(rest, '\0');
        if (rest.len == 0 || (nul < 0 && more == CW_STREAM_MORE))
            break;
        size_t end = nul < 0 ? rest.len : (size_t)nul;
        if (end > 0)
            message_put(gelf, cw_str_sub(rest, 0, end));
        rest = cw_str_sub(rest, end + (nul >= 0), rest.len);
    }
    cw_receiver_flush(&gelf->receiver, NULL, NULL);
    return bytes.len - rest.len;
}

static bool room(void *arg)
{
    const struct gelf *gelf = arg;
    return cw_receiver_room(&gelf->receiver);
}

static int gelf_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct gelf *gelf = CW_CONTAINER_OF(receiver, struct gelf, receiver);
    const struct cw_gelf_config *config = receiver->config;
    uv_loop_t *loop = receiver->host->loop;
    const char *address = config->listen_address.ptr;
    gelf->arena = cw_arena_new();
    gelf->chunks = cw_gelf_chunks_new();
    cw_buf_init(&gelf->raw, CW_GELF_BYTES);
    int rc;
    if (config->listen_protocol == CW_GELF_UDP) {
        struct cw_datagrams_options options = {on_datagram, on_pause, room, gelf};
        rc = cw_datagrams_open(loop, address, &options, &gelf->datagrams, err);
    } else {
        struct cw_stream_reader_options options = {
            .buffer_bytes = CW_GELF_BYTES,
            .idle_ms = (uint64_t)(config->idle_timeout_ns / CW_NS_PER_MS),
            .on_bytes = on_bytes,
            .room = room,
            .arg = gelf};
        rc = cw_receiver_tls(receiver, &config->tls, &options.tls, err);
        if (rc == 0)
            rc = cw_stream_listener_open(loop, address, &options, &gelf->listener, err);
    }
    if (rc == 0)
        cw_log_info("%s: listening on %s (%s)", receiver->name,
                    gelf->listener ? cw_stream_listener_address(gelf->listener)
                                   : cw_datagrams_address(gelf->datagrams),
                    gelf->listener ? "tcp" : "udp");
    return rc;
}

static bool gelf_waits(const struct cw_receiver *receiver)
{
    const struct cw_gelf_config *config = receiver->config;
    return config->listen_protocol == CW_GELF_TCP;
}

static void gelf_resume(struct cw_receiver *receiver)
{
    struct gelf *gelf = CW_CONTAINER_OF(receiver, struct gelf, receiver);
    if (gelf->listener != NULL)
        cw_stream_listener_resume(gelf->listener);
    else
        cw_datagrams_resume(gelf->datagrams);
}

static void gelf_stop(struct cw_receiver *receiver)
{
    struct gelf *gelf = CW_CONTAINER_OF(receiver, struct gelf, receiver);
    cw_stream_listener_close(&gelf->listener);
    cw_datagrams_close(&gelf->datagrams);
}

static void gelf_fini(struct cw_receiver *receiver)
{
    struct gelf *gelf = CW_CONTAINER_OF(receiver, struct gelf, receiver);
    cw_gelf_chunks_free(&gelf->chunks);
    cw_buf_fini(&gelf->raw);
    cw_arena_free(&gelf->arena);
}

const struct cw_receiver_def cw_receiver_gelf = {
    .kind = "gelf",
    CW_RECEIVER_OFFSETS(gelf),
    .size = sizeof(struct gelf),
    .failure = CW_SPOOL_RETRY,
    .waits = gelf_waits,
    .start = gelf_start,
    .resume = gelf_resume,
    .stop = gelf_stop,
    .fini = gelf_fini,
};
