#include "shipper/shipper_config.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"
#include "common/logql/ast.h"
#include "common/pipeline/stage_config.h"
#include "shipper/glob.h"
#include "shipper/listen_clash.h"
#include "shipper/pipelines.h"
#include "shipper/subcommands.h"
#include "shipper/text_encoding.h"
#include "shipper/unpack.h"

#define DOCKER_SOCKET "/var/run/docker.sock"
#define PUSH_PATH "/loki/api/v1/push"

/* ---- rules that a row cannot say ---- */

int cw_client_selector_parse(struct cw_str text, struct cw_query **out, struct cw_err *err)
{
    int rc = cw_logql_parse_dialect(text, CW_LOGQL_ANY_SELECTOR, out, err);
    if (rc < 0)
        return rc;
    if ((*out)->root->kind == CW_EXPR_LOG && (*out)->root->stages == NULL)
        return 0;
    cw_query_free(out);
    return cw_err_set(err, CW_E_INVALID, "only a selector is expected: {a=\"b\"}");
}

static int selector_check(const void *value, struct cw_err *err)
{
    struct cw_str text = *(const struct cw_str *)value;
    struct cw_query *query = NULL;
    int rc = text.len > 0 ? cw_client_selector_parse(text, &query, err) : 0;
    cw_query_free(&query);
    return rc;
}

static int encoding_check(const void *value, struct cw_err *err)
{
    struct cw_str name = *(const struct cw_str *)value;
    struct cw_text_encoding *encoding = NULL;
    int rc = name.len > 0 ? cw_text_encoding_new(name, &encoding, err) : 0;
    cw_text_encoding_free(&encoding);
    return rc;
}

static int unpack_format_check(const void *value, struct cw_err *err)
{
    struct cw_str name = *(const struct cw_str *)value;
    enum cw_codec codec;
    return name.len > 0 ? cw_unpack_format(name, &codec, err) : 0;
}

/* Without rules nothing else could say which files. */
static int scrape_check(const void *value, struct cw_err *err)
{
    const struct cw_scrape_config *scrape = value;
    const struct cw_kubernetes_sd_config *kubernetes = scrape->kubernetes_sd_configs.items;
    for (size_t i = 0; i < scrape->kubernetes_sd_configs.n && scrape->relabel_configs.n == 0; i++)
        if (kubernetes[i].role != CW_KUBERNETES_POD)
            return cw_err_set(err, CW_E_INVALID,
                              "kubernetes_sd_configs[%zu]: only pods are known to have logs: of "
                              "another role relabel_configs must make __path__",
                              i);
    return 0;
}

static int backoff_check(const void *value, struct cw_err *err)
{
    const struct cw_backoff_config *backoff = value;
    if (backoff->max_period_ns < backoff->min_period_ns)
        return cw_err_set(err, CW_E_INVALID, "max_period is less than min_period");
    return 0;
}

/* An empty one is none: client_check(). */
static int url_check(const void *value, struct cw_err *err)
{
    const struct cw_str *url = value;
    return url->len > 0 ? cw_url_check(url, err) : 0;
}

static int client_keys_check(const struct cw_client_config *client, struct cw_err *err)
{
    int nauths = (client->basic_auth.username.len > 0 || client->basic_auth.username_file.len > 0) +
                 (client->bearer_token.len > 0 || client->bearer_token_file.len > 0) +
                 (client->authorization.credentials.len > 0 ||
                  client->authorization.credentials_file.len > 0) +
                 (client->oauth2.client_id.len > 0);
    if (nauths > 1)
        return cw_err_set(err, CW_E_INVALID,
                          "at most one of basic_auth, bearer_token, authorization and oauth2 may "
                          "be set");
    if (client->bearer_token.len > 0 && client->bearer_token_file.len > 0)
        return cw_err_set(err, CW_E_INVALID,
                          "at most one of bearer_token and bearer_token_file may be set");
    return cw_proxy_check(&client->proxy, err);
}

static int client_check(const void *value, struct cw_err *err)
{
    const struct cw_client_config *client = value;
    if (client->url.len == 0)
        return cw_err_set(err, CW_E_INVALID, "the key \"url\" is missing");
    return client_keys_check(client, err);
}

/* Of `client`: without a url it is no server, but may have labels for all. */
static int single_client_check(const void *value, struct cw_err *err)
{
    const struct cw_client_config *client = value;
    if (client->url.len == 0 && client->external_labels.n == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "wants a url, or external_labels for the servers of clients");
    return client_keys_check(client, err);
}

/* ---- the tables ---- */

#define ROW(type, member) offsetof(struct type, member)
/* Keys of promtail's that we do not have: without harm, and with. */
#define IGNORED(key, why)                                                                          \
    {                                                                                              \
        (key), CW_KEY_IGNORED, .doc = (why)                                                        \
    }
#define REFUSED(key, instead)                                                                      \
    {                                                                                              \
        (key), CW_KEY_IGNORED, .flags = CW_KEY_REFUSED, .doc = (instead)                           \
    }

static const struct cw_key_def backoff_keys[] = {
    {"min_period", CW_KEY_DURATION, ROW(cw_backoff_config, min_period_ns), .def = "500ms",
     .min = "1ms", .max = "1h",
     .doc = "The first wait after a failed push; each further one is twice as long, with some "
            "chance in it."},
    {"max_period", CW_KEY_DURATION, ROW(cw_backoff_config, max_period_ns), .def = "30s",
     .min = "1ms", .max = "1h", .doc = "The longest wait."},
    {"max_retries", CW_KEY_INT, ROW(cw_backoff_config, max_retries), .def = "10", .min = "0",
     .max = "1000000",
     .doc = "After so many failures in a row a client gives up in a run with --once; the others "
            "go on to the end. Otherwise nothing is given up: what a server cannot take waits in "
            "its file (promtail would drop it)."},
};
static const struct cw_table_def backoff_table = {.name = "backoff_config",
                                                  .keys = backoff_keys,
                                                  .nkeys = 3,
                                                  .size = sizeof(struct cw_backoff_config),
                                                  .check = backoff_check};

/* enum cw_client_compression */
static const char *const compression_names[] = {"snappy", "gzip", NULL};

static const struct cw_key_def client_keys[] = {
    {"url", CW_KEY_STRING, ROW(cw_client_config, url), .check = url_check,
     .doc = "Where to push, with its path: http://localhost:3100" PUSH_PATH "."},
    {"name", CW_KEY_STRING, ROW(cw_client_config, name),
     .doc = "How log lines, metrics and dead letters call it, and no other. Default: the URL's "
            "host."},
    {"tenant_id", CW_KEY_STRING, ROW(cw_client_config, tenant_id),
     .doc = "Sent as X-Scope-OrgID, unless an entry names its tenant."},
    {"selector", CW_KEY_STRING, ROW(cw_client_config, selector), .check = selector_check,
     .doc = "Only streams that this matches are sent here: {env=\"prod\"}. Default: all."},
    {"batchsize", CW_KEY_BYTES, ROW(cw_client_config, batch_bytes), .def = "1MiB", .min = "1",
     .max = "16MiB", .doc = "Bytes of lines in one push."},
    {"batchwait", CW_KEY_DURATION, ROW(cw_client_config, batch_wait_ns), .def = "1s", .min = "0",
     .max = "1h", .doc = "How long a line waits for a batch to become full."},
    {"compression", CW_KEY_ENUM, ROW(cw_client_config, compression), .def = "snappy",
     .names = compression_names,
     .doc = "Pushes are protobuf in snappy. gzip goes around that, where a network costs more than "
            "CPU: 34 MB of logs of 13 systems are 8.3 MB on the wire instead of 10.4, for 0.45 "
            "seconds of CPU instead of 0.10."},
    {"timeout", CW_KEY_DURATION, ROW(cw_client_config, timeout_ns), .def = "10s", .min = "10ms",
     .max = "1h", .doc = "How long an answer is waited for."},
    {"external_labels", CW_KEY_MAP, ROW(cw_client_config, external_labels),
     .check = cw_labels_map_check,
     .doc = "Labels that every stream gets here, unless it has them."},
    {"headers", CW_KEY_MAP, ROW(cw_client_config, headers), .doc = "Headers for every request."},
    {"basic_auth", CW_KEY_TABLE, ROW(cw_client_config, basic_auth), .table = &cw_basic_auth_table,
     .doc = "HTTP basic authentication."},
    {"bearer_token", CW_KEY_STRING, ROW(cw_client_config, bearer_token), .flags = CW_KEY_SECRET,
     .doc = "A bearer token."},
    {"bearer_token_file", CW_KEY_STRING, ROW(cw_client_config, bearer_token_file),
     .doc = "A file that holds it."},
    {"backoff_config", CW_KEY_TABLE, ROW(cw_client_config, backoff), .table = &backoff_table,
     .doc = "Waits after failures."},
    {"tls_config", CW_KEY_TABLE, ROW(cw_client_config, tls), .table = &cw_tls_table,
     .doc = "TLS of https:// URLs."},
    {"authorization", CW_KEY_TABLE, ROW(cw_client_config, authorization),
     .table = &cw_authorization_table, .doc = "The header Authorization, of any type."},
    {"oauth2", CW_KEY_TABLE, ROW(cw_client_config, oauth2), .table = &cw_oauth2_table,
     .doc = "A token of OAuth 2 (client credentials), fetched when it is needed and again before "
            "it ends."},
    CW_PROXY_ROWS(cw_client_config, proxy),
    {"follow_redirects", CW_KEY_BOOL, ROW(cw_client_config, follow_redirects), .def = "true",
     .doc = "Push to where an answer of status 3xx points."},
    {"drop_rate_limited_batches", CW_KEY_BOOL, ROW(cw_client_config, drop_rate_limited),
     .def = "false",
     .doc = "Do not wait when the server has had enough (429): what it refuses goes to the dead "
            "letters."},
    {"enable_http2", CW_KEY_IGNORED, .doc = "the server decides it"},
    {"stream_lag_labels", CW_KEY_IGNORED, .doc = "/targets shows how far each file is"},
};
static const struct cw_table_def client_table = {.name = "client",
                                                 .keys = client_keys,
                                                 .nkeys =
                                                     sizeof client_keys / sizeof client_keys[0],
                                                 .size = sizeof(struct cw_client_config),
                                                 .check = client_check};
static const struct cw_table_def single_client_table = {.name = "client",
                                                        .keys = client_keys,
                                                        .nkeys = sizeof client_keys /
                                                                 sizeof client_keys[0],
                                                        .size = sizeof(struct cw_client_config),
                                                        .check = single_client_check};

#define RECEIVER_ROW(key, member, rows, text)                                                      \
    {                                                                                              \
        key, CW_KEY_TABLE, ROW(cw_scrape_config, member),                                          \
            .table = &rows, .seen = CW_KEY_AT(struct cw_scrape_config, member.seen), .doc = text   \
    }
static const struct cw_key_def scrape_keys[] = {
    {"job_name", CW_KEY_STRING, ROW(cw_scrape_config, job_name), .doc = "Its name in log lines."},
    {"static_configs", CW_KEY_TABLES, ROW(cw_scrape_config, static_configs),
     .table = &cw_static_config_table, .doc = "Files."},
    {"file_sd_configs", CW_KEY_TABLES, ROW(cw_scrape_config, file_sd_configs),
     .table = &cw_file_sd_table, .doc = "Files that other files name."},
    {"docker_sd_configs", CW_KEY_TABLES, ROW(cw_scrape_config, docker_sd_configs),
     .table = &cw_docker_sd_table,
     .doc = "Containers. Without relabel_configs their entries get the labels container, image, "
            "stream, compose_project, compose_service, swarm_service and swarm_stack."},
    {"kubernetes_sd_configs", CW_KEY_TABLES, ROW(cw_scrape_config, kubernetes_sd_configs),
     .table = &cw_kubernetes_sd_table,
     .doc = "Pods that an API server knows. relabel_configs make __path__ of their labels; without "
            "any the log files of this node's pods are read, with the labels namespace, pod, "
            "container and app."},
    {"pod_logs_configs", CW_KEY_TABLES, ROW(cw_scrape_config, pod_logs_configs),
     .table = &cw_pod_logs_table,
     .doc = "The log files of this node's pods, without an API server. Without relabel_configs "
            "their entries get the labels namespace, pod and container."},
    {"relabel_configs", CW_KEY_TABLES, ROW(cw_scrape_config, relabel_configs),
     .table = &cw_relabel_table,
     .doc = "Prometheus' rules: which targets are kept, and what labels they get."},
    {"pipeline_stages", CW_KEY_TABLES, ROW(cw_scrape_config, pipeline_stages),
     .table = &cw_stage_table, .doc = "What each line goes through, in this order."},
    RECEIVER_ROW("journal", journal, cw_journal_table, "The systemd journal."),
    RECEIVER_ROW("syslog", syslog, cw_syslog_table, "Take syslog messages over TCP or UDP."),
    RECEIVER_ROW("loki_push_api", loki_push_api, cw_loki_push_table,
                 "Take pushes: Loki's (/loki/api/v1/push), OTLP (/otlp/v1/logs), plain lines "
                 "(/loki/api/v1/raw)."),
    RECEIVER_ROW("gelf", gelf, cw_gelf_table, "Take Graylog's GELF messages."),
    RECEIVER_ROW("forward", forward, cw_forward_table,
                 "Take events of Fluentd and Fluent Bit (forward protocol)."),
    RECEIVER_ROW("lines", lines, cw_lines_table, "Take lines over TCP or a Unix socket."),
    RECEIVER_ROW("stdin", standard_input, cw_stdin_table, "Take lines of standard input."),
    RECEIVER_ROW("fifo", fifo, cw_fifo_table, "Take lines of a named pipe."),
    RECEIVER_ROW("exec", exec, cw_exec_table, "Run a program and take its lines."),
    REFUSED("windows_events", "there is no Windows here"),
    REFUSED("kafka", "let the programs push, or read their files"),
    REFUSED("gcplog", "let it push to loki_push_api"),
    REFUSED("azure_event_hubs", "let it push to loki_push_api"),
    REFUSED("azure_event_hub", "let it push to loki_push_api"),
    REFUSED("cloudflare", "let Cloudflare's Logpush write files, and read them"),
    REFUSED("heroku_drain", "Heroku's drains speak syslog too: use syslog"),
    REFUSED("consul_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("consulagent_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("dns_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("ec2_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("gce_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("azure_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("openstack_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("digitalocean_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("dockerswarm_sd_configs", "use docker_sd_configs on each node"),
    REFUSED("marathon_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("nerve_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("serverset_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("triton_sd_configs", "write its targets into a file for file_sd_configs"),
    REFUSED("entry_parser", "write pipeline_stages: [docker: {}] or [cri: {}]"),
    {"decompression.enabled", CW_KEY_BOOL, ROW(cw_scrape_config, decompression.enabled),
     .def = "false",
     .doc = "Read compressed files too (gzip, zstd, bzip2, xz, told by their first bytes, whatever "
            "their names). A log that was rotated and compressed before it was read needs no such "
            "key: it is read on where it was."},
    {"decompression.initial_delay", CW_KEY_DURATION,
     ROW(cw_scrape_config, decompression.initial_delay_ns), .def = "0", .min = "0", .max = "24h",
     .doc = "Only when they were not written for so long."},
    {"decompression.format", CW_KEY_STRING, ROW(cw_scrape_config, decompression.format),
     .check = unpack_format_check,
     .doc = "gz, z (zlib), bz2, zst or xz. A file's first bytes say what it is; those of zlib "
            "could be a text's too, and are asked only with z here."},
    {"encoding", CW_KEY_STRING, ROW(cw_scrape_config, encoding), .check = encoding_check,
     .doc = "What the files are written in, by its IANA name (utf-16le, windows-1252, gbk, "
            "shift_jis, ...): lines are sent as UTF-8. What the encoding does not have becomes "
            "U+FFFD, counted. A byte order mark at a file's beginning comes first; without both, "
            "lines are sent as they are."},
};
static const struct cw_table_def scrape_table = {.name = "scrape_config",
                                                 .keys = scrape_keys,
                                                 .nkeys =
                                                     sizeof scrape_keys / sizeof scrape_keys[0],
                                                 .size = sizeof(struct cw_scrape_config),
                                                 .check = scrape_check,
                                                 .line = CW_KEY_AT(struct cw_scrape_config, line)};

static const struct cw_key_def pipeline_keys[] = {
    {"stages", CW_KEY_TABLES, ROW(cw_pipeline_config, stages), .table = &cw_stage_table,
     .flags = CW_KEY_REQUIRED, .doc = "As pipeline_stages."},
};
static const struct cw_table_def pipeline_table =
    CW_TABLE("pipeline", pipeline_keys, struct cw_pipeline_config);
/* enum cw_long_lines */
static const char *const long_line_names[] = {"skip", "truncate", "split", NULL};

static const struct cw_key_def shipper_keys[] = {
    {"server", CW_KEY_TABLE, ROW(cw_shipper_config, server), .table = &cw_server_table,
     .doc = "The shipper's own HTTP server, its log, and how it stops."},
    IGNORED("tracing", "there are no traces"),
    IGNORED("wal", "what is not delivered waits in its file or, if it was received, in the spool"),
    IGNORED("options.stream_lag_labels", "/targets shows how far each file is"),
    {"global.file_watch_config.min_poll_frequency", CW_KEY_DURATION,
     ROW(cw_shipper_config, poll_min_ns), .def = "250ms", .min = "10ms", .max = "1h",
     .doc = "How often files are looked at where the kernel does not tell of all changes (a "
            "network's file system, an overlay, no inotify watches left), while they change."},
    {"global.file_watch_config.max_poll_frequency", CW_KEY_DURATION,
     ROW(cw_shipper_config, poll_max_ns), .def = "250ms", .min = "10ms", .max = "1h",
     .doc = "The same, while they do not: the time between two looks doubles up to this."},
    {"client", CW_KEY_TABLE, ROW(cw_shipper_config, client), .table = &single_client_table,
     .seen = CW_KEY_AT(struct cw_shipper_config, has_client),
     .doc = "promtail's older key for a single server, one more beside those of clients. Its "
            "external_labels are those of all servers, which may have others of the same names; "
            "that is all it says without a url."},
    {"clients", CW_KEY_TABLES, ROW(cw_shipper_config, clients), .table = &client_table,
     .doc = "Servers; each gets every line."},
    {"positions.filename", CW_KEY_STRING, ROW(cw_shipper_config, positions_file),
     .def = "/var/log/positions.yaml",
     .doc = "promtail's positions file: read at the first start, never written. Ours is beside it, "
            "with .cordwood behind its name."},
    {"positions.sync_period", CW_KEY_DURATION, ROW(cw_shipper_config, positions_sync_ns),
     .def = "10s", .min = "10ms", .max = "1h", .doc = "How often positions are written."},
    {"positions.ignore_invalid_yaml", CW_KEY_IGNORED,
     .doc = "an invalid positions file is always an error: it would repeat lines"},
    {"positions.keep_metrics", CW_KEY_BOOL, ROW(cw_shipper_config, keep_stage_metrics),
     .def = "false",
     .doc = "Keep the series of metrics stages across restarts, in a file beside the positions "
            "(.cordwood.metrics)."},
    {"pipelines", CW_KEY_TABLE_MAP, ROW(cw_shipper_config, pipelines), .table = &pipeline_table,
     .doc = "Stages by name: a container's lines go through those that its label cordwood.pipeline "
            "names, instead of its scrape config's."},
    {"scrape_configs", CW_KEY_TABLES, ROW(cw_shipper_config, scrape_configs),
     .table = &scrape_table, .doc = "What to read."},
    {"target_config.sync_period", CW_KEY_DURATION, ROW(cw_shipper_config, rescan_ns), .def = "10s",
     .min = "10ms", .max = "1h",
     .doc =
         "How often folders are looked through; changes are noticed at once where inotify works."},
    {"limits_config.readline_rate_enabled", CW_KEY_BOOL,
     ROW(cw_shipper_config, limits.rate_enabled), .def = "false",
     .doc = "Limit how many lines leave the stages of all jobs together."},
    {"limits_config.readline_rate", CW_KEY_FLOAT, ROW(cw_shipper_config, limits.rate),
     .def = "10000", .min = "0.001", .doc = "So many lines a second."},
    {"limits_config.readline_burst", CW_KEY_INT, ROW(cw_shipper_config, limits.burst),
     .def = "10000", .min = "1", .max = "1000000000",
     .doc = "So many at once, after there were few."},
    {"limits_config.readline_rate_drop", CW_KEY_BOOL, ROW(cw_shipper_config, limits.rate_drop),
     .def = "true",
     .doc = "Drop further lines, and count them (readline_rate); else reading waits."},
    {"limits_config.max_streams", CW_KEY_INT, ROW(cw_shipper_config, limits.max_streams),
     .def = "0", .min = "0", .max = "1000000",
     .doc = "So many streams in one push, at most; entries of further ones are dropped (and "
            "counted as stream_limited), as in promtail. 0 is no limit."},
    REFUSED("target_config.stdin", "write stdin into a scrape config, or give the flag -stdin"),
    {"limits_config.max_line_size", CW_KEY_BYTES, ROW(cw_shipper_config, limits.max_line_bytes),
     .def = "0", .min = "0", .max = "8MiB",
     .doc = "Longer lines are left out (and counted), unless long_lines says otherwise; 0 is no "
            "limit."},
    {"limits_config.max_line_size_truncate", CW_KEY_BOOL,
     ROW(cw_shipper_config, limits.max_line_truncate), .def = "false",
     .doc = "The same as long_lines: truncate."},
    {"limits_config.max_line_size_truncate_identifier", CW_KEY_STRING,
     ROW(cw_shipper_config, limits.max_line_truncate_mark),
     .doc = "Ends what is kept of a line that was cut, within max_line_size."},
    {"limits_config.long_lines", CW_KEY_ENUM, ROW(cw_shipper_config, limits.long_lines),
     .def = "skip", .names = long_line_names,
     .doc = "What becomes of a line that is longer than max_line_size: it is left out, cut to that "
            "size, or sent in pieces of that size. Each is counted."},
    {"limits_config.max_outputs", CW_KEY_INT, ROW(cw_shipper_config, limits.max_outputs),
     .def = "1000", .min = "1", .max = "20000",
     .doc = "Clients times tenants that entries name, at most. Entries of further tenants wait in "
            "their files until a tenant has had nothing to send for a while and makes room."},
    {"spool", CW_KEY_TABLE, ROW(cw_shipper_config, spool), .table = &cw_spool_table,
     .doc = "Where entries of receivers wait, beside the positions (.cordwood.spool), until every "
            "server has them: on disk before their sender is told."},
};
const struct cw_table_def cw_shipper_table =
    CW_TABLE("cordwood-shipper", shipper_keys, struct cw_shipper_config);

/* ---- the command line ---- */

#define ARG(member) offsetof(struct cw_shipper_args, member)
static const struct cw_flag_def file_flags[] = {
    {"config", 'c', CW_KEY_STRING, ARG(config), .arg = "FILE", .alias = "config.file",
     .doc = "Read the configuration (promtail's format) from FILE."},
    {"config.expand-env", 0, CW_KEY_BOOL, ARG(expand_env), .def = "false",
     .doc = "Expand environment variables in it as promtail does: ${VAR}, ${VAR:-default} and the "
            "other operators of its envsubst. Then a backslash is written \\\\."},
    {"client.external-labels", 0, CW_KEY_STRING, ARG(external_labels), .arg = "NAME=VALUE,...",
     .doc =
         "promtail's flag: labels for all of its servers, which may have others of these names."},
    {"check", 0, CW_KEY_BOOL, ARG(check), .def = "false", .alias = "check-syntax",
     .doc = "Check the configuration, and whether this machine has what it needs (libsystemd, "
            "certificates of what listens): exit status 0 if it is good, 2 if not. Told alone are "
            "files that two jobs name, and secrets and certificates of clients that are missing."},
};
static const struct cw_flag_def short_flags[] = {
    {"push", 'p', CW_KEY_STRING, ARG(push), .arg = "URL",
     .doc = "Push to URL; without a path it gets " PUSH_PATH "."},
    {"label", 'l', CW_KEY_MAP, ARG(labels), .arg = "NAME=VALUE",
     .doc = "Give all entries this label."},
    {"tenant", 0, CW_KEY_STRING, ARG(tenant), .arg = "ID",
     .doc = "Push as this tenant (X-Scope-OrgID)."},
    {"docker", 0, CW_KEY_STRING, ARG(docker), .arg = "SOCKET",
     .doc = "Read the containers of the Docker Engine at SOCKET, usually " DOCKER_SOCKET "."},
    {"from-end", 0, CW_KEY_BOOL, ARG(from_end), .def = "false",
     .doc = "At the very first start leave out what is in the files already."},
    {"state-dir", 0, CW_KEY_STRING, ARG(state_dir), .arg = "DIR",
     .doc = "Keep positions in DIR; default: $XDG_STATE_HOME/cordwood, else "
            "/var/lib/cordwood-shipper."},
};
static const struct cw_flag_def run_flags[] = {
    {"once", 0, CW_KEY_BOOL, ARG(once), .def = "false",
     .doc =
         "Read all files to their ends, deliver, and exit. A last line without a newline is "
         "delivered when it has not grown for half a second; what is appended to it later is "
         "a line of its own. The exit status is 1 when a server refused a line for good, when a client gave up "
         "after max_retries (the others go on to the end), and "
         "when a file could not be read: it may not be, is damaged, or is a PATH that is not "
         "there."},
    {"dry-run", 0, CW_KEY_BOOL, ARG(dry_run), .def = "false",
     .doc = "Print entries to stdout instead of pushing them, and remember nothing: time, labels, "
            "structured metadata, tenant, clients (where not each gets every entry), line."},
    {"inspect", 0, CW_KEY_BOOL, ARG(inspect), .def = "false",
     .doc = "With --dry-run: show also what each pipeline stage does to each line."},
    {"only-public", 0, CW_KEY_BOOL, ARG(only_public), .def = "false",
     .doc =
         "Leave out files that not every user of this machine may read, whoever runs the shipper."},
};
static const struct cw_flag_group file_group = CW_FLAG_GROUP("Configuration file", file_flags);
static const struct cw_flag_group short_group = CW_FLAG_GROUP("Without a file", short_flags);
static const struct cw_flag_group run_group = CW_FLAG_GROUP("Running", run_flags);
static const struct cw_flag_group *const flag_groups[] = {&file_group, &short_group, &run_group,
                                                          &cw_promtail_flags_group, NULL};
static const struct cw_exit_def exits[] = {
    {0, "Stopped by SIGTERM or SIGINT, or done (--once, --check, the end of standard input)."},
    {1, "It could not start, or --once could not read or deliver all."},
    {2, "Wrong usage or configuration."},
    {0, NULL},
};
static const struct cw_example_def examples[] = {
    {"cordwood-shipper --push http://localhost:3100 --label job=varlogs '/var/log/**/*.log'",
     "Ship this machine's logs."},
    {"cordwood-shipper --push http://localhost:3100 --docker " DOCKER_SOCKET,
     "Ship the logs of containers."},
    {"cordwood-shipper --config /etc/promtail/config.yml", "Go on where promtail was."},
    {NULL, NULL},
};
const struct cw_command_def cw_shipper_command = {
    .name = "cordwood-shipper",
    .brief = "ship log files to cordwood, Loki or VictoriaLogs",
    .arguments = "[PATH]...",
    .min_args = 0,
    .max_args = SIZE_MAX,
    .doc = "Follows log files through rotation, truncation and restarts and pushes their lines; to "
           "cordwood each line "
           "exactly once, whatever is killed and whenever. What a log held when it was truncated "
           "in place (logrotate's copytruncate) is read in its copy beside it; for that, logrotate "
           "needs delaycompress where it compresses.\n\n"
           "With --push, each PATH is a file, a folder (all files in it) or a pattern: * ? [a-z] "
           "{a,b} and ** for any folders; - is standard input. A compressed file (gzip, zstd, "
           "bzip2, xz) is read if it is named itself; in folders and patterns they are left out, "
           "as logs that were rotated. Where standard input is all there is to read, the shipper "
           "delivers it to its end and exits.",
    .groups = flag_groups,
    .style = CW_FLAGS_ONE_DASH,
    .foreign = cw_promtail_flags_foreign,
    .commands = cw_shipper_subcommand_defs,
    .config = &cw_shipper_table,
    .exits = exits,
    .examples = examples,
};

/* ---- loading ---- */

struct cw_str cw_client_default_name(struct cw_str url, size_t number, struct cw_arena *arena)
{
    ptrdiff_t scheme = cw_str_find(url, CW_STR("://"));
    struct cw_str rest = cw_str_sub(url, scheme < 0 ? 0 : (size_t)scheme + 3, url.len), host;
    (void)cw_str_split(&rest, '/', &host);
    ptrdiff_t at = cw_str_find_byte(host, '@'); /* no credentials in log lines */
    host = cw_str_sub(host, at < 0 ? 0 : (size_t)at + 1, host.len);
    return number == 0 ? cw_arena_dup(arena, host)
                       : cw_arena_printf(arena, "%.*s-%zu", CW_STR_ARG(host), number);
}

enum cw_long_lines cw_limits_long_lines(const struct cw_limits_config *limits)
{
    if (limits->long_lines == CW_LONG_SKIP && limits->max_line_truncate)
        return CW_LONG_TRUNCATE;
    return (enum cw_long_lines)limits->long_lines;
}

/* The labels of `more` whose names are not in *labels. */
static void labels_merge(struct cw_config_map *labels, const struct cw_config_map *more,
                         struct cw_arena *arena)
{
    struct cw_config_pair *pairs =
        CW_ARENA_ARRAY(arena, struct cw_config_pair, labels->n + more->n);
    size_t n = labels->n;
    if (n > 0)
        memcpy(pairs, labels->items, n * sizeof *pairs);
    for (size_t i = 0; i < more->n; i++) {
        size_t k = 0;
        while (k < n && !cw_str_eq(pairs[k].name, more->items[i].name))
            k++;
        if (k == n)
            pairs[n++] = more->items[i];
    }
    *labels = (struct cw_config_map){pairs, n};
}

static void external_labels_add(struct cw_shipper_config *config, const struct cw_config_map *more,
                                struct cw_arena *arena)
{
    struct cw_client_config *clients = config->clients.items;
    for (size_t i = 0; i < config->clients.n; i++)
        labels_merge(&clients[i].external_labels, more, arena);
}

/* Of promtail's flag: a=1,b=2. */
static int external_labels_read(struct cw_str text, struct cw_arena *arena,
                                struct cw_config_map *out, struct cw_err *err)
{
    struct cw_str pair, name;
    size_t nmax = 1;
    for (size_t i = 0; i < text.len; i++)
        nmax += text.ptr[i] == ',';
    struct cw_config_pair *pairs = CW_ARENA_ARRAY(arena, struct cw_config_pair, nmax);
    *out = (struct cw_config_map){pairs, 0};
    while (text.len > 0 && cw_str_split(&text, ',', &pair)) {
        if (cw_str_find_byte(pair, '=') < 0 || !cw_str_split(&pair, '=', &name))
            return cw_err_set(err, CW_E_INVALID,
                              "-client.external-labels: \"%.*s\" is to be NAME=VALUE",
                              CW_STR_ARG(pair));
        pairs[out->n++] = (struct cw_config_pair){cw_arena_dup(arena, name), pair};
    }
    int rc = cw_labels_map_check(out, err);
    return rc < 0 ? cw_err_wrap(err, "-client.external-labels") : 0;
}

/* `client` becomes the last of `clients`, and all get its labels. */
static void client_add(struct cw_shipper_config *config, struct cw_arena *arena)
{
    size_t n = config->clients.n;
    if (!config->has_client)
        return;
    external_labels_add(config, &config->client.external_labels, arena);
    if (config->client.url.len == 0)
        return;
    struct cw_client_config *clients = CW_ARENA_ARRAY(arena, struct cw_client_config, n + 1);
    if (n > 0)
        memcpy(clients, config->clients.items, n * sizeof *clients);
    clients[n] = config->client;
    config->clients = (struct cw_config_tables){clients, n + 1};
}

static void clients_name(struct cw_shipper_config *config, struct cw_arena *arena)
{
    struct cw_client_config *clients = config->clients.items;
    for (size_t i = 0; i < config->clients.n; i++)
        if (clients[i].name.len == 0)
            clients[i].name = cw_client_default_name(clients[i].url, i, arena);
}

/* Dead letters, ids and counts go by it. */
static int clients_check(const struct cw_shipper_config *config, const char *file,
                         struct cw_err *err)
{
    const struct cw_client_config *clients = config->clients.items;
    for (size_t i = 0; i < config->clients.n; i++)
        for (size_t k = 0; k < i; k++)
            if (cw_str_eq(clients[i].name, clients[k].name))
                return cw_err_set(err, CW_E_INVALID,
                                  "%s: clients[%zu] and clients[%zu] are both called \"%.*s\": "
                                  "give one another name",
                                  file, k, i, CW_STR_ARG(clients[i].name));
    if (config->clients.n == 0)
        return cw_err_set(err, CW_E_INVALID, "%s: no clients: where to push?", file);
    return 0;
}

/* Those of promtail's flags that say what keys say, and the servers that they and `client` make. */
static int promtail_flags_add(const struct cw_shipper_args *args, struct cw_arena *arena,
                              struct cw_shipper_config *out, struct cw_err *err)
{
    struct cw_config_map external = {0};
    int rc = external_labels_read(args->external_labels, arena, &external, err);
    if (rc == 0)
        rc = cw_promtail_flags_apply(&args->promtail, arena, out, err);
    client_add(out, arena);
    external_labels_add(out, &external, arena);
    clients_name(out, arena);
    return rc;
}

int cw_shipper_config_problems(const char *file, const struct cw_buf *lines, size_t n,
                               struct cw_err *err)
{
    if (n == 0)
        return 0;
    if (n == 1)
        return cw_err_set(err, CW_E_INVALID, "%.*s", (int)(lines->len - 1), lines->ptr);
    fwrite(lines->ptr, 1, lines->len, stderr);
    return cw_err_set(err, CW_E_INVALID, "%s: %zu errors", file, n);
}

static int clashes_check(const char *file, const struct cw_shipper_config *config,
                         struct cw_err *err)
{
    struct cw_buf lines;
    cw_buf_init(&lines, SIZE_MAX);
    size_t n = cw_listen_clashes_tell(config, file, &lines);
    int rc = cw_shipper_config_problems(file, &lines, n, err);
    cw_buf_fini(&lines);
    return rc;
}

/* As in promtail, a target without a path is no mistake: nothing is read. With rules one may be made of other labels. */
static void pathless_tell(const struct cw_shipper_config *config, const char *file)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    for (size_t i = 0; i < config->scrape_configs.n; i++) {
        const struct cw_static_config *files = scrapes[i].static_configs.items;
        for (size_t k = 0; k < scrapes[i].static_configs.n && scrapes[i].relabel_configs.n == 0;
             k++)
            if (cw_config_map_get(&files[k].labels, "__path__").len == 0)
                fprintf(stderr,
                        "%s:%zu: scrape_configs[%zu].static_configs[%zu] is ignored: it has no "
                        "label __path__, which says what files to read\n",
                        file, scrapes[i].line, i, k);
    }
}

int cw_shipper_config_load(const struct cw_shipper_args *args, struct cw_arena *arena,
                           struct cw_shipper_config *out, struct cw_err *err)
{
    struct cw_config_problems *problems = cw_mem_new(sizeof *problems);
    struct cw_yaml_options options = {.expand = args->expand_env ? CW_YAML_EXPAND_PROMTAIL
                                                                 : CW_YAML_EXPAND_NONE};
    int rc =
        cw_yaml_load_file(args->config.ptr, &cw_shipper_table, &options, arena, out, problems, err);
    for (size_t i = 0; i < problems->nwarnings; i++)
        fprintf(stderr, "%.*s\n", CW_STR_ARG(problems->warnings[i]));
    /* A single one is the caller's, in *err; of several it gets the number. */
    for (size_t i = 0; problems->nerrors > 1 && i < problems->nerrors; i++)
        fprintf(stderr, "%.*s\n", CW_STR_ARG(problems->errors[i]));
    if (problems->nerrors > 1)
        rc = cw_err_set(err, CW_E_INVALID, "%s: %zu errors%s", args->config.ptr,
                        problems->nerrors + problems->nmore,
                        problems->nmore > 0 ? ", of which the first are shown" : "");
    free(problems);
    if (rc == 0 && !args->promtail.read_stdin)
        pathless_tell(out, args->config.ptr);
    if (rc == 0)
        rc = promtail_flags_add(args, arena, out, err);
    if (rc == 0 && args->promtail.read_stdin)
        cw_promtail_flags_stdin(arena, out);
    if (rc == 0)
        rc = clashes_check(args->config.ptr, out, err);
    if (rc == 0 && !args->dry_run)
        rc = clients_check(out, args->config.ptr, err);
    return rc;
}

static struct cw_str push_url(struct cw_str url, struct cw_arena *arena)
{
    struct cw_str rest = cw_str_sub(url, cw_str_starts(url, CW_STR("https://")) ? 8 : 7, url.len);
    ptrdiff_t slash = cw_str_find_byte(rest, '/');
    if (slash >= 0 && (size_t)slash + 1 < rest.len)
        return url;
    return cw_arena_printf(arena, "%.*s" PUSH_PATH, (int)(url.len - (slash >= 0)), url.ptr);
}

/* A file that exists is meant as it is, a folder with all in it, anything else is a pattern, if it looks so. */
static struct cw_str path_pattern(struct cw_str path, struct cw_arena *arena, bool *named)
{
    struct stat st = {0};
    bool there = stat(path.ptr, &st) == 0;
    *named = there ? !S_ISDIR(st.st_mode) : strpbrk(path.ptr, "*?[{") == NULL;
    if (!there)
        return path;
    struct cw_buf text;
    cw_buf_init(&text, 2 * CW_GLOB_PATTERN_BYTES);
    cw_glob_escape(path, &text);
    if (S_ISDIR(st.st_mode))
        cw_buf_addz(&text, "/**");
    struct cw_str pattern = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return pattern;
}

static int state_positions(const struct cw_shipper_args *args, struct cw_arena *arena,
                           struct cw_str *out)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    if (args->state_dir.len > 0)
        *out = cw_arena_printf(arena, "%s/positions", args->state_dir.ptr);
    else if (xdg != NULL && xdg[0] == '/')
        *out = cw_arena_printf(arena, "%s/cordwood/positions", xdg);
    else
        *out = cw_arena_dup(arena, CW_STR("/var/lib/cordwood-shipper/positions"));
    return 0;
}

/* The client of --push, if it is given, and where its state is. */
static int push_client_set(const struct cw_shipper_args *args, struct cw_arena *arena,
                           struct cw_shipper_config *out, struct cw_err *err)
{
    cw_schema_defaults(&cw_shipper_table, arena, out);
    int rc = cw_url_check(&args->push, err);
    if (rc < 0)
        return rc;
    struct cw_client_config *client = CW_ARENA_NEW(arena, struct cw_client_config);
    cw_schema_defaults(&client_table, arena, client);
    client->url = push_url(args->push, arena);
    client->tenant_id = args->tenant;
    out->clients = (struct cw_config_tables){client, args->push.len > 0};
    clients_name(out, arena);
    return state_positions(args, arena, &out->positions_file);
}

int cw_shipper_config_of_state(const struct cw_shipper_args *args, struct cw_arena *arena,
                               struct cw_shipper_config *out, struct cw_err *err)
{
    if (args->config.len == 0)
        return push_client_set(args, arena, out, err);
    if (args->push.len > 0 || args->state_dir.len > 0)
        return cw_err_set(err, CW_E_INVALID, "--config goes with no --push and no --state-dir");
    return cw_shipper_config_load(args, arena, out, err);
}

/* Add a file or pattern with the labels of the command line. */
static int file_add(struct cw_scrape_config *scrape, const struct cw_config_map *labels,
                    struct cw_str pattern, struct cw_arena *arena, struct cw_err *err)
{
    struct cw_static_config *files = scrape->static_configs.items;
    struct cw_static_config *file = &files[scrape->static_configs.n++];
    struct cw_config_pair *pairs = CW_ARENA_ARRAY(arena, struct cw_config_pair, labels->n + 1);
    for (size_t k = 0; k < labels->n; k++)
        pairs[k] = labels->items[k];
    pairs[labels->n] = (struct cw_config_pair){CW_STR("__path__"), pattern};
    file->labels = (struct cw_config_map){pairs, labels->n + 1};
    return cw_static_labels_check(&file->labels, err);
}

static int docker_add(const struct cw_shipper_args *args, struct cw_arena *arena,
                      struct cw_scrape_config *scrape, struct cw_err *err)
{
    struct cw_docker_sd_config *docker = CW_ARENA_NEW(arena, struct cw_docker_sd_config);
    cw_schema_defaults(&cw_docker_sd_table, arena, docker);
    docker->host = cw_str_find(args->docker, CW_STR("://")) >= 0
                       ? args->docker
                       : cw_arena_printf(arena, "unix://%s", args->docker.ptr);
    scrape->docker_sd_configs = (struct cw_config_tables){docker, 1};
    return cw_docker_host_check(&docker->host, err);
}

int cw_shipper_config_from_args(const struct cw_shipper_args *args, const struct cw_str *paths,
                                size_t npaths, struct cw_arena *arena,
                                struct cw_shipper_config *out, struct cw_err *err)
{
    const struct cw_promtail_flags *promtail = &args->promtail;
    if (args->push.len == 0 && cw_promtail_flags_url(promtail).len == 0 && !args->dry_run)
        return cw_err_set(err, CW_E_INVALID, "--config FILE or --push URL is needed (see --help)");
    if (npaths == 0 && args->docker.len == 0 && !promtail->read_stdin)
        return cw_err_set(err, CW_E_INVALID, "nothing to read: name files, or --docker");
    int rc = push_client_set(args, arena, out, err);
    if (rc == 0)
        rc = cw_labels_map_check(&args->labels, err);
    /* Files that are named, which are read compressed too, and all else. */
    struct cw_scrape_config *scrapes = CW_ARENA_ARRAY(arena, struct cw_scrape_config, 2);
    for (size_t i = 0; i < 2; i++)
        scrapes[i] = (struct cw_scrape_config){
            .static_configs = {CW_ARENA_ARRAY(arena, struct cw_static_config, npaths + 1), 0},
            .named = i == 0,
            .decompression.enabled = i == 0};
    for (size_t i = 0; i < npaths && rc == 0; i++) {
        bool named;
        if (cw_str_eqz(paths[i], "-")) {
            scrapes[1].standard_input = (struct cw_stdin_config){true, args->labels};
            continue;
        }
        struct cw_str pattern = path_pattern(paths[i], arena, &named);
        rc = file_add(&scrapes[!named], &args->labels, pattern, arena, err);
    }
    if (rc == 0 && args->docker.len > 0) {
        rc = docker_add(args, arena, &scrapes[1], err);
        if (out->clients.n > 0)
            ((struct cw_client_config *)out->clients.items)->external_labels = args->labels;
    }
    out->scrape_configs = (struct cw_config_tables){scrapes, 2};
    if (promtail->read_stdin) {
        struct cw_scrape_config *scrape;
        out->scrape_configs.n = 0;
        cw_promtail_flags_stdin(arena, out);
        scrape = out->scrape_configs.items;
        if (args->labels.n > 0)
            scrape->standard_input.labels = args->labels;
    }
    return rc < 0 ? rc : promtail_flags_add(args, arena, out, err);
}

bool cw_shipper_config_ends(const struct cw_shipper_config *config)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    bool any = false;
    for (size_t i = 0; i < config->scrape_configs.n; i++) {
        const struct cw_scrape_config *s = &scrapes[i];
        size_t ndiscoveries = s->static_configs.n + s->file_sd_configs.n + s->docker_sd_configs.n +
                              s->kubernetes_sd_configs.n + s->pod_logs_configs.n;
        bool receives = s->journal.seen || s->syslog.seen || s->loki_push_api.seen ||
                        s->gelf.seen || s->forward.seen || s->lines.seen || s->fifo.seen ||
                        s->exec.seen;
        if (ndiscoveries > 0 || receives)
            return false;
        any |= s->standard_input.seen;
    }
    return any;
}
