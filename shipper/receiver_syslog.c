/* receiver_syslog.c - syslog messages over TCP and UDP. */
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/datagrams.h"
#include "shipper/receiver.h"
#include "shipper/stream_listener.h"
#include "shipper/syslog_message.h"

/* Ahead of a counted message. */
enum { COUNT_BYTES = 16, HEADER_LABELS = 9 };
#define HOSTNAME_LABEL CW_STR("__syslog_connection_hostname")

struct syslog {
    struct cw_receiver receiver;
    struct cw_stream_listener *listener; /* or */
    struct cw_datagrams *datagrams;
    struct cw_peer_names *names; /* NULL: no rule asks for them */
    struct cw_arena *arena;
};

struct peer {
    const char *address, *name;
};

static const struct cw_syslog_config *config_of(const struct syslog *syslog)
{
    return syslog->receiver.config;
}

/* ---- messages ---- */

static void label_add(struct cw_label *labels, size_t *n, struct cw_str name, struct cw_str value)
{
    if (value.len > 0)
        labels[(*n)++] = (struct cw_label){name, value};
}

/* __syslog_message_sd_<id>_<name>; what no label has becomes '_'. */
static struct cw_str param_name(struct cw_arena *arena, const struct cw_syslog_param *param)
{
    struct cw_str name = cw_arena_printf(arena, "__syslog_message_sd_%.*s_%.*s",
                                         CW_STR_ARG(param->id), CW_STR_ARG(param->name));
    return cw_label_name_sanitize(arena, name);
}

static const struct cw_label *labels_of(struct syslog *syslog,
                                        const struct cw_syslog_message *message, bool decoded,
                                        struct peer peer, size_t *n_out)
{
    struct cw_arena *arena = syslog->arena;
    size_t n = 0, nparams = config_of(syslog)->label_structured_data ? message->nparams : 0;
    struct cw_label *labels = CW_ARENA_ARRAY(arena, struct cw_label, HEADER_LABELS + nparams);
    label_add(labels, &n, CW_STR("__syslog_connection_ip_address"), cw_str_of(peer.address));
    label_add(labels, &n, HOSTNAME_LABEL, cw_str_of(peer.name));
    if (decoded) {
        label_add(labels, &n, CW_STR("__syslog_message_severity"),
                  cw_str_of(cw_syslog_severity(message->severity)));
        label_add(labels, &n, CW_STR("__syslog_message_facility"),
                  cw_str_of(cw_syslog_facility(message->facility)));
        label_add(labels, &n, CW_STR("__syslog_message_hostname"), message->hostname);
        label_add(labels, &n, CW_STR("__syslog_message_app_name"), message->app_name);
        label_add(labels, &n, CW_STR("__syslog_message_proc_id"), message->proc_id);
        label_add(labels, &n, CW_STR("__syslog_message_msg_id"), message->msg_id);
    }
    for (size_t i = 0; i < nparams; i++)
        label_add(labels, &n, param_name(arena, &message->params[i]), message->params[i].value);
    *n_out = n;
    return labels;
}

static bool decode(struct syslog *syslog, struct cw_str raw, struct cw_syslog_message *message)
{
    int format = config_of(syslog)->syslog_format;
    bool old = format == CW_SYSLOG_AUTO || format == CW_SYSLOG_RFC3164;
    bool new = format == CW_SYSLOG_AUTO || format == CW_SYSLOG_RFC5424;
    return (new &&cw_syslog_rfc5424_decode(raw, syslog->arena, message, NULL) == 0) ||
           (old && cw_syslog_rfc3164_decode(raw, cw_clock_now_ns(), message, NULL) == 0);
}

static void message_put(struct syslog *syslog, struct cw_str raw, struct peer peer)
{
    const struct cw_syslog_config *config = config_of(syslog);
    struct cw_syslog_message message = {0};
    cw_arena_reset(syslog->arena);
    bool decoded = decode(syslog, raw, &message);
    if (!decoded && config->syslog_format != CW_SYSLOG_RAW)
        cw_received_bad(&syslog->receiver.received, CW_RECEIVED_KEPT, "not a syslog message");
    struct cw_received_entry entry = {
        .ts_ns = decoded && config->use_incoming_timestamp ? message.ts_ns : CW_PUSH_TS_NONE,
        .line = decoded && !config->use_rfc5424_message ? message.text : raw};
    size_t nlabels;
    const struct cw_label *labels = labels_of(syslog, &message, decoded, peer, &nlabels);
    if (cw_received_stream(&syslog->receiver.received, labels, nlabels))
        cw_received_put(&syslog->receiver.received, &entry);
}

static struct cw_str limited(struct syslog *syslog, struct cw_str raw)
{
    size_t max = (size_t)config_of(syslog)->max_message_length;
    if (raw.len > max)
        cw_received_bad(&syslog->receiver.received, CW_RECEIVED_CUT,
                        "a message over max_message_length");
    return cw_str_sub(raw, 0, max);
}

/* ---- TCP ---- */

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    struct syslog *syslog = arg;
    struct cw_str rest = bytes, message;
    size_t max = (size_t)config_of(syslog)->max_message_length, skip = 0;
    enum cw_syslog_frame frame;
    while (skip == 0 && (frame = cw_syslog_frame_take(&rest, more == CW_STREAM_END, max, &message,
                                                      &skip)) != CW_SYSLOG_FRAME_NONE) {
        if (frame == CW_SYSLOG_FRAME_CUT)
            cw_received_bad(&syslog->receiver.received, CW_RECEIVED_CUT,
                            "a message over max_message_length");
        if (message.len > 0)
            message_put(syslog, message,
                        (struct peer){reader->peer, reader->peer_name ? reader->peer_name : ""});
    }
    cw_stream_reader_skip(reader, skip);
    cw_receiver_flush(&syslog->receiver, NULL, NULL);
    return bytes.len - rest.len;
}

static bool room(void *arg)
{
    const struct syslog *syslog = arg;
    return cw_receiver_room(&syslog->receiver);
}

/* ---- UDP ---- */

static void on_datagram(void *arg, struct cw_str bytes, const char *peer)
{
    struct syslog *syslog = arg;
    while (bytes.len > 0 && (bytes.ptr[bytes.len - 1] == '\n' || bytes.ptr[bytes.len - 1] == '\0'))
        bytes.len--;
    if (bytes.len == 0)
        return;
    const char *name = syslog->names ? cw_peer_names_ask(syslog->names, peer, NULL, NULL) : NULL;
    message_put(syslog, limited(syslog, bytes), (struct peer){peer, name != NULL ? name : ""});
}

static void on_pause(void *arg)
{
    struct syslog *syslog = arg;
    cw_receiver_flush(&syslog->receiver, NULL, NULL);
}

/* ---- the receiver ---- */

static int syslog_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct syslog *syslog = CW_CONTAINER_OF(receiver, struct syslog, receiver);
    const struct cw_syslog_config *config = config_of(syslog);
    uv_loop_t *loop = receiver->host->loop;
    const char *address = config->listen_address.ptr;
    syslog->arena = cw_arena_new();
    if (cw_relabel_reads(receiver->scrape->relabel, HOSTNAME_LABEL))
        syslog->names = cw_peer_names_new(loop);
    int rc;
    if (config->listen_protocol == CW_SYSLOG_UDP) {
        struct cw_datagrams_options options = {on_datagram, on_pause, room, syslog};
        rc = cw_datagrams_open(loop, address, &options, &syslog->datagrams, err);
    } else {
        struct cw_stream_reader_options options = {
            .buffer_bytes = (size_t)config->max_message_length + COUNT_BYTES,
            .idle_ms = (uint64_t)(config->idle_timeout_ns / CW_NS_PER_MS),
            .names = syslog->names,
            .on_bytes = on_bytes,
            .room = room,
            .arg = syslog};
        rc = cw_receiver_tls(receiver, &config->tls, &options.tls, err);
        if (rc == 0)
            rc = cw_stream_listener_open(loop, address, &options, &syslog->listener, err);
    }
    if (rc == 0)
        cw_log_info("%s: listening on %s (%s)", receiver->name,
                    syslog->listener ? cw_stream_listener_address(syslog->listener)
                                     : cw_datagrams_address(syslog->datagrams),
                    syslog->listener ? "tcp" : "udp");
    return rc;
}

static bool syslog_waits(const struct cw_receiver *receiver)
{
    const struct cw_syslog_config *config = receiver->config;
    return config->listen_protocol == CW_SYSLOG_TCP;
}

static void syslog_resume(struct cw_receiver *receiver)
{
    struct syslog *syslog = CW_CONTAINER_OF(receiver, struct syslog, receiver);
    if (syslog->listener != NULL)
        cw_stream_listener_resume(syslog->listener);
    else
        cw_datagrams_resume(syslog->datagrams);
}

static void syslog_stop(struct cw_receiver *receiver)
{
    struct syslog *syslog = CW_CONTAINER_OF(receiver, struct syslog, receiver);
    cw_stream_listener_close(&syslog->listener);
    cw_datagrams_close(&syslog->datagrams);
    cw_peer_names_close(&syslog->names);
}

static void syslog_fini(struct cw_receiver *receiver)
{
    cw_arena_free(&CW_CONTAINER_OF(receiver, struct syslog, receiver)->arena);
}

const struct cw_receiver_def cw_receiver_syslog = {
    .kind = "syslog",
    CW_RECEIVER_OFFSETS(syslog),
    .size = sizeof(struct syslog),
    .failure = CW_SPOOL_RETRY,
    .waits = syslog_waits,
    .start = syslog_start,
    .resume = syslog_resume,
    .stop = syslog_stop,
    .fini = syslog_fini,
};
