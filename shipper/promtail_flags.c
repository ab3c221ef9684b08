#include "shipper/promtail_flags.h"
#include <stdio.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/config/value.h"
#include "shipper/shipper_config.h"

#define VALUES offsetof(struct cw_shipper_args, promtail.values)
#define SWITCHES offsetof(struct cw_shipper_args, promtail.switches)

/* The flag's value is in the place of its number, and means the key. */
#define VALUE_SHOWN(i, flag, sets, shown)                                                          \
    {                                                                                              \
        .name = (flag), .kind = CW_KEY_STRING, .offset = VALUES + (i) * sizeof(struct cw_str),     \
        .arg = "VALUE", .show = (shown), .doc = "The key " sets "."                                \
    }
#define VALUE(i, flag, sets) VALUE_SHOWN(i, flag, sets, CW_FLAG_SHOWN)
/* Its key is ignored, which is told when it is given. */
#define NO_VALUE(i, flag, sets) VALUE_SHOWN(i, flag, sets, CW_FLAG_HIDDEN)
#define SWITCH_AT(i) (SWITCHES + (i) * sizeof(struct cw_promtail_switch))
#define SWITCH(i, flag, sets)                                                                      \
    {                                                                                              \
        .name = (flag), .kind = CW_KEY_BOOL,                                                       \
        .offset = SWITCH_AT(i) + offsetof(struct cw_promtail_switch, on),                          \
        .seen = SWITCH_AT(i) + offsetof(struct cw_promtail_switch, given) + 1,                     \
        .doc = "The key " sets "."                                                                 \
    }
#define OTHER(flag, member, text, shown)                                                           \
    {                                                                                              \
        .name = (flag), .kind = CW_KEY_BOOL,                                                       \
        .offset = offsetof(struct cw_shipper_args, promtail.member), .show = (shown),              \
        .doc = (text)                                                                              \
    }

static const char *const value_keys[CW_PROMTAIL_VALUES] = {
    "client.url",
    "client.tenant_id",
    "client.batchwait",
    "client.batchsize",
    "client.timeout",
    "client.backoff_config.min_period",
    "client.backoff_config.max_period",
    "client.backoff_config.max_retries",
    "server.log_level",
    "server.log_format",
    "server.http_listen_address",
    "server.http_listen_port",
    "server.graceful_shutdown_timeout",
    "server.http_path_prefix",
    "server.grpc_listen_port",
    "positions.filename",
    "positions.sync_period",
    "target_config.sync_period",
    "limits_config.readline_rate",
    "limits_config.readline_burst",
    "limits_config.max_streams",
    "limits_config.max_line_size",
    "server.http_listen_conn_limit",
    "server.http_server_idle_timeout",
    "server.tls_min_version",
    "server.http_tls_config.cert_file",
    "server.http_tls_config.key_file",
    "server.http_tls_config.client_auth_type",
    "server.http_tls_config.client_ca_file",
    "server.http_server_read_timeout",
    "server.http_server_write_timeout",
    "server.http_listen_network",
    "server.grpc_listen_address",
    "server.grpc_listen_conn_limit",
    "server.grpc_server_max_recv_msg_size",
    "server.grpc_server_max_send_msg_size",
};
static const char *const switch_keys[CW_PROMTAIL_SWITCHES] = {
    "client.drop_rate_limited_batches",
    "server.disable",
    "server.enable_runtime_reload",
    "positions.ignore_invalid_yaml",
    "limits_config.readline_rate_enabled",
    "limits_config.readline_rate_drop",
    "limits_config.max_line_size_truncate",
    "server.register_instrumentation",
    "server.profiling_enabled",
};

static const struct cw_flag_def flag_rows[] = {
    OTHER("stdin", read_stdin,
          "Read standard input to its end, instead of what the configuration says, with the "
          "stages and labels of its first scrape config.",
          CW_FLAG_SHOWN),
    VALUE(0, "client.url", "client.url: a server, one more than those of clients"),
    VALUE(1, "client.tenant-id", "client.tenant_id"),
    VALUE(2, "client.batch-wait", "client.batchwait"),
    VALUE(3, "client.batch-size-bytes", "client.batchsize"),
    VALUE(4, "client.timeout", "client.timeout"),
    VALUE(5, "client.min-backoff", "client.backoff_config.min_period"),
    VALUE(6, "client.max-backoff", "client.backoff_config.max_period"),
    VALUE(7, "client.max-retries", "client.backoff_config.max_retries"),
    VALUE(8, "log.level", "server.log_level"),
    VALUE(9, "log.format", "server.log_format"),
    VALUE(10, "server.http-listen-address", "server.http_listen_address"),
    VALUE(11, "server.http-listen-port", "server.http_listen_port"),
    VALUE(12, "server.graceful-shutdown-timeout", "server.graceful_shutdown_timeout"),
    VALUE(13, "server.path-prefix", "server.http_path_prefix"),
    VALUE(14, "server.grpc-listen-port", "server.grpc_listen_port, which has no effect"),
    VALUE(15, "positions.file", "positions.filename"),
    VALUE(16, "positions.sync-period", "positions.sync_period"),
    VALUE(17, "target.sync-period", "target_config.sync_period"),
    VALUE(18, "limit.readline-rate", "limits_config.readline_rate"),
    VALUE(19, "limit.readline-burst", "limits_config.readline_burst"),
    VALUE(20, "max-streams", "limits_config.max_streams"),
    VALUE(21, "max-line-size", "limits_config.max_line_size"),
    VALUE(22, "server.http-conn-limit", "server.http_listen_conn_limit"),
    VALUE(23, "server.http-idle-timeout", "server.http_server_idle_timeout"),
    VALUE(24, "server.tls-min-version", "server.tls_min_version"),
    VALUE(25, "server.http-tls-cert-path", "server.http_tls_config.cert_file"),
    VALUE(26, "server.http-tls-key-path", "server.http_tls_config.key_file"),
    VALUE(27, "server.http-tls-client-auth", "server.http_tls_config.client_auth_type"),
    VALUE(28, "server.http-tls-ca-path", "server.http_tls_config.client_ca_file"),
    NO_VALUE(29, "server.http-read-timeout", "server.http_server_read_timeout"),
    NO_VALUE(30, "server.http-write-timeout", "server.http_server_write_timeout"),
    NO_VALUE(31, "server.http-listen-network", "server.http_listen_network"),
    NO_VALUE(32, "server.grpc-listen-address", "server.grpc_listen_address"),
    NO_VALUE(33, "server.grpc-conn-limit", "server.grpc_listen_conn_limit"),
    NO_VALUE(34, "server.grpc-max-recv-msg-size-bytes", "server.grpc_server_max_recv_msg_size"),
    NO_VALUE(35, "server.grpc-max-send-msg-size-bytes", "server.grpc_server_max_send_msg_size"),
    SWITCH(0, "client.drop-rate-limited-batches", "client.drop_rate_limited_batches"),
    SWITCH(1, "server.disable", "server.disable"),
    SWITCH(2, "server.enable-runtime-reload", "server.enable_runtime_reload"),
    SWITCH(3, "positions.ignore-invalid-yaml",
           "positions.ignore_invalid_yaml, which has no effect"),
    SWITCH(4, "limit.readline-rate-enabled", "limits_config.readline_rate_enabled"),
    SWITCH(5, "limit.readline-rate-drop", "limits_config.readline_rate_drop"),
    SWITCH(6, "max-line-size-truncate", "limits_config.max_line_size_truncate"),
    SWITCH(7, "server.register-instrumentation", "server.register_instrumentation"),
    SWITCH(8, "server.profiling_enabled", "server.profiling_enabled, which has no effect"),
    OTHER("print-config-stderr", print_config, "No effect.", CW_FLAG_HIDDEN),
    OTHER("log-config-reverse-order", log_config, "No effect.", CW_FLAG_HIDDEN),
};
const struct cw_flag_group cw_promtail_flags_group = CW_FLAG_GROUP("promtail's flags", flag_rows);
const char cw_promtail_flags_foreign[] =
    "client. config. limit. log. max- positions. server. target. tracing.";

struct cw_str cw_promtail_flags_url(const struct cw_promtail_flags *flags)
{
    return flags->values[0];
}

/* The row of the key with that path; *base, the struct that its table begins at, is moved to it, and `seen` of tables is set. */
static const struct cw_key_def *key_find(const struct cw_table_def *table, struct cw_str path,
                                         char **base)
{
    for (size_t i = 0; i < table->nkeys; i++) {
        const struct cw_key_def *key = &table->keys[i];
        struct cw_str name = cw_str_of(key->name);
        if (cw_str_eq(path, name))
            return key;
        if (key->kind != CW_KEY_TABLE || !cw_str_starts(path, name) || path.len == name.len ||
            path.ptr[name.len] != '.')
            continue;
        if (key->seen != 0)
            *(bool *)(*base + key->seen - 1) = true;
        *base += key->offset;
        return key_find(key->table, cw_str_sub(path, name.len + 1, path.len), base);
    }
    return NULL;
}

static int key_set(struct cw_shipper_config *config, const char *path, struct cw_str text,
                   struct cw_arena *arena, struct cw_err *err)
{
    char *base = (char *)config;
    const struct cw_key_def *key = key_find(&cw_shipper_table, cw_str_of(path), &base);
    CW_ASSERT(key != NULL);
    if (key->kind == CW_KEY_IGNORED) {
        fprintf(stderr, "cordwood-shipper: the flag of %s has no effect: %s\n", path, key->doc);
        return 0;
    }
    const struct cw_value_rule rule = {key->kind, key->min, key->max, key->names};
    int rc = cw_value_parse(&rule, text, arena, base + key->offset, err);
    if (rc == 0 && key->check != NULL)
        rc = key->check(base + key->offset, err);
    return rc;
}

static bool is_of_client(const struct cw_promtail_flags *flags, size_t i)
{
    return flags->values[i].len > 0 && cw_str_starts(cw_str_of(value_keys[i]), CW_STR("client."));
}

/* Of `client` alone: without a url its keys would be nobody's. */
static int client_check(const struct cw_promtail_flags *flags,
                        const struct cw_shipper_config *config, struct cw_err *err)
{
    bool any = flags->switches[0].given;
    for (size_t i = 0; i < CW_PROMTAIL_VALUES; i++)
        any |= is_of_client(flags, i);
    if (!any || config->client.url.len > 0)
        return 0;
    return cw_err_set(err, CW_E_INVALID,
                      "flags of promtail's client go with -client.url; for a server of clients "
                      "write their keys into the file");
}

int cw_promtail_flags_apply(const struct cw_promtail_flags *flags, struct cw_arena *arena,
                            struct cw_shipper_config *config, struct cw_err *err)
{
    static const struct cw_str words[] = {CW_STR("false"), CW_STR("true")};
    if (flags->print_config || flags->log_config)
        fprintf(stderr, "cordwood-shipper: configurations are not printed; --check tells what is "
                        "wrong with one\n");
    for (size_t i = 0; i < CW_PROMTAIL_VALUES + CW_PROMTAIL_SWITCHES; i++) {
        bool is_value = i < CW_PROMTAIL_VALUES;
        const struct cw_promtail_switch *s =
            is_value ? NULL : &flags->switches[i - CW_PROMTAIL_VALUES];
        struct cw_str text = is_value ? flags->values[i] : words[s->on];
        const char *key = is_value ? value_keys[i] : switch_keys[i - CW_PROMTAIL_VALUES];
        if (is_value ? text.len == 0 : !s->given)
            continue;
        int rc = key_set(config, key, text, arena, err);
        if (rc < 0)
            return cw_err_wrap(err, "promtail's flag for %s", key);
    }
    return client_check(flags, config, err);
}

struct cw_config_map cw_promtail_flags_static_labels(const struct cw_scrape_config *scrape,
                                                     struct cw_arena *arena)
{
    const struct cw_static_config *files = scrape->static_configs.items;
    struct cw_config_map out = {NULL, 0};
    size_t nmax = 0;
    for (size_t i = 0; i < scrape->static_configs.n; i++)
        nmax += files[i].labels.n;
    struct cw_config_pair *pairs = CW_ARENA_ARRAY(arena, struct cw_config_pair, nmax + 1);
    out.items = pairs;
    for (size_t i = 0; i < scrape->static_configs.n; i++)
        for (size_t k = 0; k < files[i].labels.n; k++) {
            struct cw_config_pair pair = files[i].labels.items[k];
            size_t at = 0;
            while (at < out.n && !cw_str_eq(pairs[at].name, pair.name))
                at++;
            if (cw_str_starts(pair.name, CW_STR("__")))
                continue;
            pairs[at] = pair;
            out.n += at == out.n;
        }
    return out;
}

static struct cw_config_map default_labels(struct cw_arena *arena)
{
    enum { NAME_BYTES = 256 };
    char host[NAME_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
    struct cw_config_pair *pairs = CW_ARENA_ARRAY(arena, struct cw_config_pair, 2);
    pairs[0] = (struct cw_config_pair){CW_STR("job"), CW_STR("stdin")};
    pairs[1] = (struct cw_config_pair){CW_STR("hostname"), cw_arena_dup(arena, cw_str_of(host))};
    return (struct cw_config_map){pairs, host[0] != '\0' ? 2 : 1};
}

void cw_promtail_flags_stdin(struct cw_arena *arena, struct cw_shipper_config *config)
{
    const struct cw_scrape_config *first = config->scrape_configs.items;
    struct cw_scrape_config *scrape = CW_ARENA_NEW(arena, struct cw_scrape_config);
    *scrape = (struct cw_scrape_config){.job_name = CW_STR("stdin")};
    struct cw_config_map labels = {NULL, 0};
    if (config->scrape_configs.n > 0) {
        scrape->job_name = first->job_name;
        scrape->pipeline_stages = first->pipeline_stages;
        scrape->relabel_configs = first->relabel_configs;
        labels = cw_promtail_flags_static_labels(first, arena);
    }
    if (labels.n == 0)
        labels = default_labels(arena);
    scrape->standard_input = (struct cw_stdin_config){true, labels};
    config->scrape_configs = (struct cw_config_tables){scrape, 1};
}
