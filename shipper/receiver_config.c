#include "shipper/receiver_config.h"
#include "common/net/http_listen.h"
#include "shipper/discovery_config.h"

/* HOST:PORT, or unix:/path where `local` says so. */
static int address_check(struct cw_str address, bool local, struct cw_err *err)
{
    if (local && cw_str_starts(address, CW_STR("unix:/")))
        return 0;
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

#define ROW(type, member) offsetof(struct type, member)
#define LABELS_ROW(type, text)                                                                     \
    {                                                                                              \
        "labels", CW_KEY_MAP, ROW(type, labels), .check = cw_labels_map_check, .doc = text         \
    }
#define LABELS_DOC "Labels of all entries."

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
    LABELS_ROW(cw_syslog_config, LABELS_DOC " For relabeling there are __syslog_message_severity, "
                                            "_facility, _hostname, _app_name, _proc_id, _msg_id "
                                            "and __syslog_connection_ip_address."),
};
const struct cw_table_def cw_syslog_table =
    CW_TABLE("syslog", syslog_keys, struct cw_syslog_config);

static const struct cw_key_def loki_push_keys[] = {
    {"server.http_listen_address", CW_KEY_STRING, ROW(cw_loki_push_config, http_listen_address),
     .def = "", .doc = "The address of this receiver's own server; empty: all."},
    {"server.http_listen_port", CW_KEY_INT, ROW(cw_loki_push_config, http_listen_port),
     .def = "3500", .min = "0", .max = "65535", .doc = "Its port; 0 takes a free one."},
    {"server.grpc_listen_port", CW_KEY_IGNORED, .doc = "there is no gRPC here"},
    {"server.grpc_listen_address", CW_KEY_IGNORED, .doc = "there is no gRPC here"},
    {"server.log_level", CW_KEY_IGNORED, .doc = "the shipper has one log level: server.log_level"},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_loki_push_config, use_incoming_timestamp),
     .def = "false", .doc = "An entry's time is the sender's, not that of its arrival."},
    LABELS_ROW(cw_loki_push_config, "Labels of all entries, beside those that were pushed."),
};
const struct cw_table_def cw_loki_push_table =
    CW_TABLE("loki_push_api", loki_push_keys, struct cw_loki_push_config);

static const struct cw_key_def journal_keys[] = {
    {"path", CW_KEY_STRING, ROW(cw_journal_config, path), .def = "",
     .doc = "The folder of the journal's files; empty: the machine's own journal."},
    {"matches", CW_KEY_STRING, ROW(cw_journal_config, matches), .def = "",
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
    LABELS_ROW(cw_gelf_config, LABELS_DOC " For relabeling there are __gelf_message_host, _level, "
                                          "_version and _facility."),
};
const struct cw_table_def cw_gelf_table = CW_TABLE("gelf", gelf_keys, struct cw_gelf_config);

static const struct cw_key_def forward_keys[] = {
    {"listen_address", CW_KEY_STRING, ROW(cw_forward_config, listen_address),
     .def = "0.0.0.0:24224", .check = listen_local_check,
     .doc = "HOST:PORT for TCP, or unix:/path for a Unix socket."},
    {"idle_timeout", CW_KEY_DURATION, ROW(cw_forward_config, idle_timeout_ns), .def = "0",
     .min = "0", .max = "1d", .doc = "Close a connection that is silent for so long; 0: never."},
    {"use_incoming_timestamp", CW_KEY_BOOL, ROW(cw_forward_config, use_incoming_timestamp),
     .def = "true", .doc = "An entry's time is the event's, not that of its arrival."},
    LABELS_ROW(cw_forward_config, LABELS_DOC " __fluentd_tag is there for relabeling."),
};
const struct cw_table_def cw_forward_table =
    CW_TABLE("forward", forward_keys, struct cw_forward_config);
