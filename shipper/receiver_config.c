#include "shipper/receiver_config.h"
#include <ctype.h>
#include "common/net/http_listen.h"
#include "shipper/discovery_config.h"
#include "shipper/forward_handshake.h"

/* HOST:PORT, or unix:/path where `local` says so. */
static int address_check(struct cw_str address, bool local, struct cw_err *err)
{
    if (local && cw_str_starts(address, CW_STR("unix:/")))
        return 0;
    if (cw_str_find(address, CW_STR("://")) >= 0)
        return cw_err_set(err, CW_E_INVALID, "\"%.*s\" has a scheme; HOST:PORT is expected%s",
                          CW_STR_ARG(address), local ? " (TCP), or unix:/path" : "");
    return cw_http_listen_check(address.ptr, err);
}

static int listen_check(const void *value, struct cw_err *err)
{
    return address_check(*(const struct cw_str *)value, false, err);
}

static int listen_local_check(const void *value, struct cw_err *err)
{
    return address_check(*(const struct cw_str *)value, true, err);
}

static int path_check(const void *value, struct cw_err *err)
{
    const struct cw_str *path = value;
    if (path->len == 0 || path->ptr[0] != '/')
        return cw_err_set(err, CW_E_INVALID, "a whole path is needed, from / on");
    return 0;
}

static int command_check(const void *value, struct cw_err *err)
{
    const struct cw_config_strings *command = value;
    if (command->n == 0 || command->items[0].len == 0)
        return cw_err_set(err, CW_E_INVALID, "a program and its arguments are needed");
    return 0;
}

/* What libsystemd takes: FIELD=value, with a space between two. */
static int matches_check(const void *value, struct cw_err *err)
{
    struct cw_str rest = *(const struct cw_str *)value, match;
    while (cw_str_split(&rest, ' ', &match)) {
        size_t len = 0;
        while (len < match.len &&
               (match.ptr[len] == '_' || isupper((unsigned char)match.ptr[len]) ||
                isdigit((unsigned char)match.ptr[len])))
            len++;
        if (match.len > 0 && (len == 0 || len == match.len || match.ptr[len] != '=' ||
                              cw_str_starts(match, CW_STR("__"))))
            return cw_err_set(err, CW_E_INVALID,
                              "\"%.*s\" is no match: FIELD=value, with a space between two",
                              CW_STR_ARG(match));
    }
    return 0;
}

#define ROW(type, member) offsetof(struct type, member)
#define LABELS_ROW(type, text)                                                                     \
    {                                                                                              \
        "labels", CW_KEY_MAP, ROW(type, labels), .check = cw_labels_map_check, .doc = text         \
    }
#define LABELS_DOC "Labels of all entries."

bool cw_receiver_tls_wanted(const struct cw_receiver_tls_config *tls)
{
    return tls->cert.len + tls->cert_file.len > 0;
}

static int tls_check(const void *value, struct cw_err *err)
{
    const struct cw_receiver_tls_config *tls = value;
    bool cert = cw_receiver_tls_wanted(tls), key = tls->key.len + tls->key_file.len > 0;
    bool ca = tls->ca.len + tls->ca_file.len > 0;
    if ((tls->cert.len > 0 && tls->cert_file.len > 0) ||
        (tls->key.len > 0 && tls->key_file.len > 0) || (tls->ca.len > 0 && tls->ca_file.len > 0))
        return cw_err_set(err, CW_E_INVALID,
                          "of a certificate, a key and a CA each is given as text or as a file");
    if (cert != key || (ca && !cert))
        return cw_err_set(err, CW_E_INVALID, "TLS needs both cert_file and key_file");
    return 0;
}

static const char *const tls_versions[] = {"TLS10", "TLS11", "TLS12", "TLS13",
                                           NULL}; /* enum cw_tls_version */
static const struct cw_key_def tls_keys[] = {
    {"cert_file", CW_KEY_STRING, ROW(cw_receiver_tls_config, cert_file),
     .doc = "The server's certificate, with those between it and its root (PEM). Files are read at "
            "the start and at each reload."},
    {"key_file", CW_KEY_STRING, ROW(cw_receiver_tls_config, key_file), .doc = "Its key."},
    {"ca_file", CW_KEY_STRING, ROW(cw_receiver_tls_config, ca_file),
     .doc = "Clients must show a certificate that one of these has signed."},
    {"cert", CW_KEY_STRING, ROW(cw_receiver_tls_config, cert),
     .doc = "The same as text (PEM) in place of cert_file."},
    {"key", CW_KEY_STRING, ROW(cw_receiver_tls_config, key), .flags = CW_KEY_SECRET,
     .doc = "In place of key_file."},
    {"ca", CW_KEY_STRING, ROW(cw_receiver_tls_config, ca), .doc = "In place of ca_file."},
    {"min_version", CW_KEY_ENUM, ROW(cw_receiver_tls_config, min_version), .def = "TLS12",
     .names = tls_versions, .doc = "The oldest version of TLS."},
    {"max_version", CW_KEY_IGNORED, .doc = "the newest that both sides know is spoken"},
    {"server_name", CW_KEY_IGNORED, .doc = "it is for clients"},
    {"insecure_skip_verify", CW_KEY_IGNORED, .doc = "it is for clients"},
};
static const struct cw_table_def receiver_tls_table = {
    .name = "tls_config",
    .keys = tls_keys,
    .nkeys = sizeof tls_keys / sizeof tls_keys[0],
    .size = sizeof(struct cw_receiver_tls_config),
    .check = tls_check};
#define TLS_ROW(type)                                                                              \
    {                                                                                              \
        "tls_config", CW_KEY_TABLE, ROW(type, tls), .table = &receiver_tls_table,                  \
                                                    .doc = "TLS of TCP connections."               \
    }

static const char *const full_names[] = {"wait", "drop_oldest", NULL}; /* enum cw_spool_full */
static const struct cw_key_def spool_keys[] = {
    {"max_bytes", CW_KEY_BYTES, ROW(cw_spool_config, max_bytes), .def = "1GiB", .min = "1MiB",
     .max = "1TiB", .doc = "Bytes of one receiver's spool."},
    {"max_age", CW_KEY_DURATION, ROW(cw_spool_config, max_age_ns), .def = "0", .min = "0",
     .max = "10y", .doc = "What has waited for so long is deleted, and counted; 0: nothing is."},
    {"when_full", CW_KEY_ENUM, ROW(cw_spool_config, when_full), .def = "wait", .names = full_names,
     .doc = "wait: senders are held up (TCP, pipes) or told to come again (push, forward). "
            "drop_oldest: the oldest entries are deleted, and counted, as always for UDP."},
    {"segment_bytes", CW_KEY_BYTES, ROW(cw_spool_config, segment_bytes), .def = "16MiB",
     .min = "64KiB", .max = "256MiB",
     .doc = "Bytes of one file of it, which is deleted when all it holds was delivered."},
};
const struct cw_table_def cw_spool_table = CW_TABLE("spool", spool_keys, struct cw_spool_config);

static const struct cw_key_def stdin_keys[] = {LABELS_ROW(cw_stdin_config, LABELS_DOC)};
const struct cw_table_def cw_stdin_table = CW_TABLE("stdin", stdin_keys, struct cw_stdin_config);

static const struct cw_key_def fifo_keys[] = {
    {"path", CW_KEY_STRING, ROW(cw_fifo_config, path), .flags = CW_KEY_REQUIRED,
     .check = path_check, .doc = "The named pipe; it is made if nothing is there."},
    LABELS_ROW(cw_fifo_config, LABELS_DOC),
};
const struct cw_table_def cw_fifo_table = CW_TABLE("fifo", fifo_keys, struct cw_fifo_config);

static const struct cw_key_def lines_keys[] = {
    {"listen_address", CW_KEY_STRING, ROW(cw_lines_config, listen_address),
     .flags = CW_KEY_REQUIRED, .check = listen_local_check,
     .doc = "HOST:PORT for TCP, or unix:/path for a Unix socket."},
    {"idle_timeout", CW_KEY_DURATION, ROW(cw_lines_config, idle_timeout_ns), .def = "0", .min = "0",
     .max = "1d", .doc = "Close a connection that is silent for so long; 0: never."},
    TLS_ROW(cw_lines_config),
    LABELS_ROW(cw_lines_config,
               LABELS_DOC " __lines_connection_ip_address is there for relabeling."),
};
const struct cw_table_def cw_lines_table = CW_TABLE("lines", lines_keys, struct cw_lines_config);

static const struct cw_key_def exec_keys[] = {
    {"command", CW_KEY_STRINGS, ROW(cw_exec_config, command), .flags = CW_KEY_REQUIRED,
     .check = command_check,
     .doc = "A program and its arguments, run without a shell; the lines of its stdout and stderr "
            "are entries, with the label stream."},
    {"restart_wait", CW_KEY_DURATION, ROW(cw_exec_config, restart_wait_ns), .def = "1s",
     .min = "1ms", .max = "1d",
     .doc = "Run it again so long after it has ended. With --once it runs once."},
    LABELS_ROW(cw_exec_config, LABELS_DOC),
};
const struct cw_table_def cw_exec_table = CW_TABLE("exec", exec_keys, struct cw_exec_config);

static const char *const syslog_protocols[] = {"tcp", "udp", NULL}; /* enum cw_syslog_protocol */
static const char *const syslog_formats[] = {"auto", "rfc5424", "rfc3164", "raw",
                                             NULL}; /* enum cw_syslog_format */
static const struct cw_key_def syslog_keys[] = {
    {"listen_address", CW_KEY_STRING, ROW(cw_syslog_config, listen_address),
     .flags = CW_KEY_REQUIRED, .check = listen_check, .doc = "HOST:PORT."},
    {"listen_protocol", CW_KEY_ENUM, ROW(cw_syslog_config, listen_protocol), .def = "tcp",
     .names = syslog_protocols,
     .doc = "Over TCP messages end with a newline or NUL, or are counted (RFC 6587); each datagram "
            "of UDP is one."},
    {"syslog_format", CW_KEY_ENUM, ROW(cw_syslog_config, syslog_format), .def = "auto",
     .names = syslog_formats,
     .doc = "auto tells RFC 5424 from RFC 3164 message by message; what is neither is kept as it "
            "is. raw takes every message as it is."},
    {"idle_timeout", CW_KEY_DURATION, ROW(cw_syslog_config, idle_timeout_ns), .def = "120s",
     .min = "0", .max = "1d", .doc = "Close a connection that is silent for so long; 0: never."},
    {"max_message_length", CW_KEY_BYTES, ROW(cw_syslog_config, max_message_length), .def = "8KiB",
     .min = "480", .max = "128KiB",
     .doc = "Longer messages are cut, and counted; over TCP without a count the rest of one is an "
            "entry of its own."},
    {"label_structured_data", CW_KEY_BOOL, ROW(cw_syslog_config, label_structured_data),
     .def = "false",
     .doc = "Structured data become __syslog_message_sd_<id>_<name> for relabeling."},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_syslog_config, use_incoming_timestamp),
     .def = "false", .doc = "An entry's time is the message's, not that of its arrival."},
    {"use_rfc5424_message", CW_KEY_BOOL, ROW(cw_syslog_config, use_rfc5424_message), .def = "false",
     .doc = "The line is the whole message as it came, with its header."},
    TLS_ROW(cw_syslog_config),
    LABELS_ROW(cw_syslog_config, LABELS_DOC " For relabeling there are __syslog_message_severity, "
                                            "_facility, _hostname, _app_name, _proc_id, _msg_id, "
                                            "__syslog_connection_ip_address and, if a rule reads "
                                            "it, __syslog_connection_hostname: the peer's name in "
                                            "DNS, which is asked for before a connection is read "
                                            "(datagrams do not wait for it)."),
};
static int syslog_check(const void *value, struct cw_err *err)
{
    const struct cw_syslog_config *syslog = value;
    if (syslog->listen_protocol == CW_SYSLOG_UDP && cw_receiver_tls_wanted(&syslog->tls))
        return cw_err_set(err, CW_E_INVALID,
                          "tls_config is for TCP: over UDP nothing is encrypted");
    return 0;
}

const struct cw_table_def cw_syslog_table = {.name = "syslog",
                                             .keys = syslog_keys,
                                             .nkeys = sizeof syslog_keys / sizeof syslog_keys[0],
                                             .size = sizeof(struct cw_syslog_config),
                                             .check = syslog_check};

static const struct cw_key_def loki_push_keys[] = {
    {"server", CW_KEY_TABLE, ROW(cw_loki_push_config, server), .table = &cw_push_server_table,
     .doc = "The receiver's own HTTP server."},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_loki_push_config, use_incoming_timestamp),
     .def = "false", .doc = "An entry's time is the sender's, not that of its arrival."},
    LABELS_ROW(cw_loki_push_config, "Labels of all entries, beside those that were pushed."),
};
const struct cw_table_def cw_loki_push_table =
    CW_TABLE("loki_push_api", loki_push_keys, struct cw_loki_push_config);

static const struct cw_key_def journal_keys[] = {
    {"path", CW_KEY_STRING, ROW(cw_journal_config, path), .def = "",
     .doc = "The folder of the journal's files; empty: the machine's own journal."},
    {"matches", CW_KEY_STRING, ROW(cw_journal_config, matches), .def = "", .check = matches_check,
     .doc =
         "Only entries with these fields: \"_TRANSPORT=kernel\". Of several, all must match; two "
         "of one field are alternatives."},
    {"max_age", CW_KEY_DURATION, ROW(cw_journal_config, max_age_ns), .def = "7h", .min = "0",
     .max = "10y", .doc = "How far back the first start reads."},
    {"json", CW_KEY_BOOL, ROW(cw_journal_config, json), .def = "false",
     .doc = "The line is a JSON object of all fields, not the message."},
    LABELS_ROW(cw_journal_config, LABELS_DOC " All fields are there for relabeling, as "
                                             "__journal_<field> in small letters, and "
                                             "__journal_priority_keyword."),
};
const struct cw_table_def cw_journal_table =
    CW_TABLE("journal", journal_keys, struct cw_journal_config);

static const char *const gelf_protocols[] = {"udp", "tcp", NULL}; /* enum cw_gelf_protocol */
static const struct cw_key_def gelf_keys[] = {
    {"listen_address", CW_KEY_STRING, ROW(cw_gelf_config, listen_address), .def = "0.0.0.0:12201",
     .check = listen_check, .doc = "HOST:PORT."},
    {"listen_protocol", CW_KEY_ENUM, ROW(cw_gelf_config, listen_protocol), .def = "udp",
     .names = gelf_protocols,
     .doc = "udp: chunked, gzip and zlib are read; tcp: messages end with a NUL."},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_gelf_config, use_incoming_timestamp),
     .def = "false", .doc = "An entry's time is the message's, not that of its arrival."},
    {"idle_timeout", CW_KEY_DURATION, ROW(cw_gelf_config, idle_timeout_ns), .def = "0", .min = "0",
     .max = "1d", .doc = "Close a TCP connection that is silent for so long; 0: never."},
    TLS_ROW(cw_gelf_config),
    LABELS_ROW(cw_gelf_config, LABELS_DOC " For relabeling there are __gelf_message_host, _level, "
                                          "_version and _facility."),
};

static int gelf_check(const void *value, struct cw_err *err)
{
    const struct cw_gelf_config *gelf = value;
    if (gelf->listen_protocol == CW_GELF_UDP && cw_receiver_tls_wanted(&gelf->tls))
        return cw_err_set(err, CW_E_INVALID,
                          "tls_config is for TCP: over UDP nothing is encrypted");
    return 0;
}

const struct cw_table_def cw_gelf_table = {.name = "gelf",
                                           .keys = gelf_keys,
                                           .nkeys = sizeof gelf_keys / sizeof gelf_keys[0],
                                           .size = sizeof(struct cw_gelf_config),
                                           .check = gelf_check};

static const struct cw_key_def forward_user_keys[] = {
    {"username", CW_KEY_STRING, ROW(cw_forward_user, username), .flags = CW_KEY_REQUIRED,
     .doc = "The user's name."},
    {"password", CW_KEY_STRING, ROW(cw_forward_user, password),
     .flags = CW_KEY_REQUIRED | CW_KEY_SECRET, .doc = "The password."},
};
static const struct cw_table_def forward_user_table =
    CW_TABLE("user", forward_user_keys, struct cw_forward_user);

static int forward_check(const void *value, struct cw_err *err)
{
    const struct cw_forward_config *forward = value;
    if (forward->users.n > 0 && forward->shared_key.len == 0)
        return cw_err_set(err, CW_E_INVALID, "users need a shared_key too");
    if (forward->self_hostname.len > CW_FORWARD_HOST_BYTES)
        return cw_err_set(err, CW_E_INVALID, "self_hostname has at most %d bytes",
                          CW_FORWARD_HOST_BYTES);
    return 0;
}

static const struct cw_key_def forward_keys[] = {
    {"listen_address", CW_KEY_STRING, ROW(cw_forward_config, listen_address),
     .def = "0.0.0.0:24224", .check = listen_local_check,
     .doc = "HOST:PORT for TCP, or unix:/path for a Unix socket."},
    {"idle_timeout", CW_KEY_DURATION, ROW(cw_forward_config, idle_timeout_ns), .def = "0",
     .min = "0", .max = "1d", .doc = "Close a connection that is silent for so long; 0: never."},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_forward_config, use_incoming_timestamp),
     .def = "true", .doc = "An entry's time is the event's, not that of its arrival."},
    {"shared_key", CW_KEY_STRING, ROW(cw_forward_config, shared_key), .flags = CW_KEY_SECRET,
     .doc = "Clients must show that they know it (Fluentd's <security>, Fluent Bit's Shared_Key). "
            "It is not sent, but what follows is, in the clear without TLS."},
    {"self_hostname", CW_KEY_STRING, ROW(cw_forward_config, self_hostname),
     .doc = "How the shipper calls itself to them; empty: the machine's name."},
    {"users", CW_KEY_TABLES, ROW(cw_forward_config, users), .table = &forward_user_table,
     .doc = "They must be one of these too."},
    TLS_ROW(cw_forward_config),
    LABELS_ROW(cw_forward_config, LABELS_DOC " __fluentd_tag is there for relabeling."),
};
const struct cw_table_def cw_forward_table = {.name = "forward",
                                              .keys = forward_keys,
                                              .nkeys = sizeof forward_keys / sizeof forward_keys[0],
                                              .size = sizeof(struct cw_forward_config),
                                              .check = forward_check};
