/* receiver_forward.c - events of Fluentd and Fluent Bit over TCP or a Unix socket, acknowledged when
 * they are durable. */
#include <stdlib.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/forward_handshake.h"
#include "shipper/forward_message.h"
#include "shipper/msgpack_reader.h"
#include "shipper/receiver.h"
#include "shipper/stream_listener.h"

/* A chunk's id is 24 bytes; a longer one than this is none. */
enum { CHUNK_BYTES_MAX = 1024 };

struct forward {
    struct cw_receiver receiver;
    struct cw_forward_rules rules; /* no shared key: everybody may send */
    char hostname[CW_FORWARD_HOST_BYTES + 1];
    struct cw_stream_listener *listener;
    struct cw_arena *arena;
    struct ack *acks; /* that wait for the disk */
};

/* What is known of a connection. */
struct connection {
    struct cw_forward_handshake handshake;
    bool known;                  /* it may send */
    struct cw_msgpack_walk walk; /* through a message that is not whole yet */
};

/* An answer on its way; the connection may be gone before it. */
struct ack {
    struct forward *forward;
    struct cw_stream_reader *reader; /* NULL: closed */
    struct ack *next;
    size_t len;
    char bytes[];
};

static void on_durable(void *ctx, int rc)
{
    struct ack *ack = ctx;
    struct ack **at = &ack->forward->acks;
    while (*at != ack)
        at = &(*at)->next;
    *at = ack->next;
    if (ack->reader != NULL && rc == 0)
        cw_stream_reader_answer(ack->reader, cw_str_make(ack->bytes, ack->len));
    else if (ack->reader != NULL)
        cw_stream_reader_close(ack->reader); /* it sends again over another connection */
    struct forward *forward = ack->forward;
    free(ack);
    if (forward->receiver.stopped && forward->acks == NULL)
        cw_stream_listener_close(&forward->listener);
}

static void on_closed(void *arg, struct cw_stream_reader *reader)
{
    struct forward *forward = arg;
    free(reader->state);
    for (struct ack *ack = forward->acks; ack != NULL; ack = ack->next)
        if (ack->reader == reader)
            ack->reader = NULL;
}

static void ack_later(struct forward *forward, struct cw_stream_reader *reader, struct cw_str chunk)
{
    struct cw_buf bytes;
    cw_buf_init(&bytes, SIZE_MAX);
    cw_forward_ack_encode(cw_str_sub(chunk, 0, CHUNK_BYTES_MAX), &bytes);
    struct ack *ack = cw_mem_new(sizeof *ack + bytes.len);
    memcpy(ack->bytes, bytes.ptr, bytes.len);
    ack->forward = forward;
    ack->reader = reader;
    ack->len = bytes.len;
    ack->next = forward->acks;
    forward->acks = ack;
    cw_buf_fini(&bytes);
    cw_receiver_flush(&forward->receiver, on_durable, ack);
}

static int message_put(struct forward *forward, struct cw_stream_reader *reader,
                       struct cw_str bytes, struct cw_err *err)
{
    const struct cw_forward_config *config = forward->receiver.config;
    struct cw_forward_message message;
    cw_arena_reset(forward->arena);
    int rc = cw_forward_message_decode(bytes, forward->arena, &message, err);
    if (rc < 0)
        return rc;
    struct cw_label tag = {CW_STR("__fluentd_tag"), message.tag};
    bool kept = cw_received_stream(&forward->receiver.received, &tag, 1);
    for (size_t i = 0; i < message.n && kept; i++) {
        struct cw_received_entry entry = {
            .ts_ns = config->use_incoming_timestamp ? message.entries[i].ts_ns : CW_PUSH_TS_NONE,
            .line = message.entries[i].line};
        cw_received_put(&forward->receiver.received, &entry);
    }
    if (message.chunk.len > 0)
        ack_later(forward, reader, message.chunk);
    return 0;
}

static void on_opened(void *arg, struct cw_stream_reader *reader)
{
    struct forward *forward = arg;
    struct connection *connection = cw_mem_new(sizeof *connection);
    reader->state = connection;
    connection->known = forward->rules.shared_key.len == 0;
    if (connection->known)
        return;
    struct cw_buf helo;
    cw_buf_init(&helo, SIZE_MAX);
    cw_forward_helo(&forward->rules, &connection->handshake, &helo);
    cw_stream_reader_answer(reader, cw_buf_str(&helo));
    cw_buf_fini(&helo);
}

static int ping_take(struct forward *forward, struct cw_stream_reader *reader, struct cw_str bytes,
                     struct cw_err *err)
{
    struct connection *connection = reader->state;
    struct cw_buf pong;
    cw_buf_init(&pong, SIZE_MAX);
    int rc = cw_forward_ping(&forward->rules, &connection->handshake, bytes, &pong, err);
    cw_stream_reader_answer(reader, cw_buf_str(&pong));
    cw_buf_fini(&pong);
    connection->known = rc == 0;
    return rc;
}

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    struct forward *forward = arg;
    struct connection *connection = reader->state;
    struct cw_msgpack_walk *walk = &connection->walk;
    struct cw_str rest = bytes;
    struct cw_err err;
    int rc;
    while ((rc = cw_msgpack_measure(rest, walk, &err)) > 0) {
        struct cw_str message = cw_str_sub(rest, 0, walk->at);
        rc = connection->known ? message_put(forward, reader, message, &err)
                               : ping_take(forward, reader, message, &err);
        if (rc < 0)
            break;
        rest = cw_str_sub(rest, walk->at, rest.len);
        *walk = (struct cw_msgpack_walk){0};
    }
    if (rc == 0 && !connection->known && rest.len > CW_FORWARD_PING_BYTES)
        rc = cw_err_set(&err, CW_E_INVALID, "no PING where a client is to say who it is");
    cw_receiver_flush(&forward->receiver, NULL, NULL);
    if (rc < 0 || more == CW_STREAM_FULL || (more == CW_STREAM_END && rest.len > 0)) {
        cw_received_bad(&forward->receiver.received, CW_RECEIVED_DROPPED,
                        rc < 0                   ? err.text
                        : more == CW_STREAM_FULL ? "a forward message that is too large"
                                                 : "a forward message that was cut off");
        return SIZE_MAX;
    }
    return bytes.len - rest.len;
}

static bool room(void *arg)
{
    const struct forward *forward = arg;
    return !forward->receiver.stopped && cw_receiver_room(&forward->receiver);
}

static void rules_make(struct forward *forward)
{
    const struct cw_forward_config *config = forward->receiver.config;
    if (gethostname(forward->hostname, sizeof forward->hostname) < 0)
        strcpy(forward->hostname, "cordwood-shipper");
    forward->hostname[CW_FORWARD_HOST_BYTES] = '\0';
    forward->rules = (struct cw_forward_rules){.hostname = config->self_hostname.len > 0
                                                               ? config->self_hostname
                                                               : cw_str_of(forward->hostname),
                                               .shared_key = config->shared_key,
                                               .users = config->users.items,
                                               .nusers = config->users.n};
}

static int forward_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct forward *forward = CW_CONTAINER_OF(receiver, struct forward, receiver);
    const struct cw_forward_config *config = receiver->config;
    struct cw_stream_reader_options options = {
        .buffer_bytes = CW_FORWARD_MESSAGE_BYTES,
        .idle_ms = (uint64_t)(config->idle_timeout_ns / CW_NS_PER_MS),
        .on_opened = on_opened,
        .on_bytes = on_bytes,
        .room = room,
        .on_closed = on_closed,
        .arg = forward};
    forward->arena = cw_arena_new();
    rules_make(forward);
    int rc = cw_receiver_tls(receiver, &config->tls, &options.tls, err);
    if (rc == 0)
        rc = cw_stream_listener_open(receiver->host->loop, config->listen_address.ptr, &options,
                                     &forward->listener, err);
    if (rc == 0)
        cw_log_info("%s: listening on %s", receiver->name,
                    cw_stream_listener_address(forward->listener));
    return rc;
}

static void forward_resume(struct cw_receiver *receiver)
{
    cw_stream_listener_resume(CW_CONTAINER_OF(receiver, struct forward, receiver)->listener);
}

/* What is on its way to the disk is acknowledged first: or it would be sent again. */
static void forward_stop(struct cw_receiver *receiver)
{
    struct forward *forward = CW_CONTAINER_OF(receiver, struct forward, receiver);
    if (forward->acks == NULL)
        cw_stream_listener_close(&forward->listener);
}

static void forward_fini(struct cw_receiver *receiver)
{
    cw_arena_free(&CW_CONTAINER_OF(receiver, struct forward, receiver)->arena);
}

const struct cw_receiver_def cw_receiver_forward = {
    .kind = "forward",
    CW_RECEIVER_OFFSETS(forward),
    .size = sizeof(struct forward),
    .failure = CW_SPOOL_RETRY,
    .start = forward_start,
    .resume = forward_resume,
    .stop = forward_stop,
    .fini = forward_fini,
};
