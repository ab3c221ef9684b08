#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include "shipper/shipper_config.h"
#include "tests/support/log_folder.h"

static int load(const char *yaml, struct cw_shipper_config *out, struct cw_arena *arena,
                struct cw_err *err)
{
    return cw_yaml_load_text(cw_str_of(yaml), "s.yaml", &cw_shipper_table, NULL, arena, out, NULL,
                             err);
}

Test(shipper_config, the_tables_are_sound)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_schema_check(&cw_shipper_table, &err), 0, "%s", err.text);
}

Test(shipper_config, promtails_example_is_read)
{
    static const char yaml[] =
        "server:\n  http_listen_port: 9080\n  grpc_listen_port: 0\n"
        "positions:\n  filename: /tmp/positions.yaml\n"
        "clients:\n  - url: http://localhost:3100/loki/api/v1/push\n    batchsize: 102400\n    "
        "batchwait: 2s\n"
        "    external_labels: {dc: x}\n    backoff_config: {min_period: 100ms, max_period: 5m, "
        "max_retries: 4}\n"
        "scrape_configs:\n  - job_name: system\n    static_configs:\n      - targets: [localhost]\n"
        "        labels:\n          job: varlogs\n          __path__: /var/log/*log\n          "
        "__path_exclude__: /var/log/x*\n";
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config config;
    struct cw_err err = {0};
    cr_assert_eq(load(yaml, &config, arena, &err), 0, "%s", err.text);
    cr_assert_eq(config.server.http_listen_port, 9080);
    const struct cw_client_config *client = config.clients.items;
    cr_assert(client->batch_bytes == 102400 && client->batch_wait_ns == 2000000000 &&
              client->backoff.max_retries == 4);
    const struct cw_scrape_config *scrape = config.scrape_configs.items;
    const struct cw_static_config *files = scrape->static_configs.items;
    cr_assert(scrape->static_configs.n == 1 && files->labels.n == 3);
    cr_assert(cw_str_eqz(cw_config_map_get(&files->labels, "__path__"), "/var/log/*log"));
    cw_arena_free(&arena);
}

Test(shipper_config, mistakes_are_told_with_their_place)
{
    static const struct {
        const char *yaml, *told;
    } cases[] = {
        {"clients: [{url: 'http://x', batchwat: 1s}]", "s.yaml:1:"},
        {"clients: [{url: 'http://x', batchwat: 1s}]", "batchwait"},
        {"clients: [{}]", "url"},
        {"clients: [{url: 'localhost:3100'}]", "http://"},
        {"clients: [{url: 'http://x', batchsize: 1GB}]", "batchsize"},
        {"clients: [{url: 'http://x', backoff_config: {min_period: 1m, max_period: 1s}}]",
         "max_period"},
        {"clients: [{url: 'http://x', bearer_token: t, basic_auth: {username: u}}]", "at most one"},
        {"scrape_configs: [{job_name: j, static_configs: [{labels: {__path__: '/a[', a: b}}]}]",
         "\"[\""},
        {"scrape_configs: [{job_name: j, static_configs: [{labels: {__path__: /a, a-b: c}}]}]",
         "label name"},
        {"scrape_configs: [{job_name: j, docker_sd_configs: [{host: 'ssh://x:1'}]}]", "unix:///"},
        {"scrape_configs: [{job_name: j, kafka: {brokers: [a]}}]",
         "scrape_configs[0]: \"kafka\" is not supported: let the programs push"},
        {"scrape_configs: [{job_name: j, dns_sd_configs: []}]", "file_sd_configs"},
        {"scrape_configs: [{job_name: j, file_sd_configs: [{files: [a.txt]}]}]",
         "path name \"a.txt\" is not valid for file discovery"},
        {"scrape_configs: [{job_name: j, file_sd_configs: [{files: []}]}]", "at least one path"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{}]}]",
         "the key \"role\" is missing"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: service}]}]",
         "of another role relabel_configs must make __path__"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: pod, api_server: 'http://a', "
         "kubeconfig_file: /b}]}]",
         "'kubeconfig_file' and 'api_server'"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: pod, bearer_token: a}]}]",
         "need an 'api_server'"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: node, attach_metadata: {node: "
         "true}}], relabel_configs: [{target_label: a}]}]",
         "attach_metadata.node goes with"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: endpoints, selectors: [{role: "
         "node}]}], relabel_configs: [{target_label: a}]}]",
         "endpoints role supports only pod, service, endpoints selectors"},
        {"clients: [{url: 'https://x', tls_config: {ca: x, ca_file: y}}]", "ca: no PEM text"},
        {"clients: [{url: 'https://x', tls_config: {ca: '-----BEGIN X', ca_file: y}}]",
         "at most one of ca and ca_file"},
        {"clients: [{url: 'https://x', tls_config: {cert_file: y}}]", "go together"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: pod, api_server: x:1}]}]",
         "no http:// or https:// URL"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: pod, selectors: [{role: "
         "node}]}]}]",
         "pod role supports only pod selectors"},
        {"scrape_configs: [{job_name: j, kubernetes_sd_configs: [{role: pod, bearer_token: a, "
         "basic_auth: {username: b}}]}]",
         "at most one of"},
        {"scrape_configs: [{job_name: j, relabel_config: []}]",
         "did you mean \"relabel_configs\"?"},
        {"scrape_configs: [{job_name: j, relabel_configs: [{action: kep}]}]",
         "unknown relabel action"},
        {"server: {log_level: loud}", "log_level"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_shipper_config config;
        struct cw_err err = {0};
        cr_assert_eq(load(cases[i].yaml, &config, arena, &err), CW_E_INVALID, "%s", cases[i].yaml);
        cr_assert(strstr(err.text, cases[i].told) != NULL, "%s: %s", cases[i].yaml, err.text);
        cw_arena_free(&arena);
    }
}

static int from_args(const char *push, struct cw_str path, struct cw_shipper_config *out,
                     struct cw_arena *arena)
{
    static struct cw_config_pair label = {CW_STR("job"), CW_STR("x")};
    struct cw_shipper_args args = {
        .push = cw_str_of(push), .labels = {&label, 1}, .state_dir = CW_STR("/state")};
    struct cw_err err = {0};
    return cw_shipper_config_from_args(&args, &path, path.len > 0, arena, out, &err);
}

Test(shipper_config, the_short_form_needs_no_file)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config config;
    static const struct {
        const char *push, *url;
    } urls[] = {
        {"http://h:3100", "http://h:3100/loki/api/v1/push"},
        {"http://h:3100/", "http://h:3100/loki/api/v1/push"},
        {"https://h/insert/loki/api/v1/push", "https://h/insert/loki/api/v1/push"},
    };
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(from_args(urls[i].push, CW_STR("/nowhere/*.log"), &config, arena), 0);
        cr_assert(cw_str_eqz(((struct cw_client_config *)config.clients.items)->url, urls[i].url));
    }
    cr_assert(cw_str_eqz(config.positions_file, "/state/positions"));
    const struct cw_scrape_config *scrape = config.scrape_configs.items;
    const struct cw_static_config *files = scrape[1].static_configs.items;
    cr_assert(cw_str_eqz(cw_config_map_get(&files->labels, "__path__"), "/nowhere/*.log") &&
              files->labels.n == 2);
    cr_assert(scrape[0].static_configs.n == 0 && !scrape[1].named &&
              !scrape[1].decompression.enabled);
    cr_assert_not(cw_shipper_config_ends(&config));
    cr_assert_eq(from_args("http://h", CW_STR("/nowhere/a.gz"), &config, arena), 0);
    scrape = config.scrape_configs.items;
    files = scrape[0].static_configs.items;
    cr_assert(cw_str_eqz(cw_config_map_get(&files->labels, "__path__"), "/nowhere/a.gz"));
    cr_assert(scrape[1].static_configs.n == 0 && scrape[0].named &&
              scrape[0].decompression.enabled);
    cr_assert_eq(from_args("http://h", CW_STR("-"), &config, arena), 0);
    cr_assert(cw_shipper_config_ends(&config));
    cr_assert_eq(from_args("h:3100", CW_STR("/x"), &config, arena), CW_E_INVALID);
    cr_assert_eq(from_args("http://h", CW_STR_NONE, &config, arena), CW_E_INVALID);
    cr_assert_eq(from_args("", CW_STR("/x"), &config, arena), CW_E_INVALID);
    cw_arena_free(&arena);
}

Test(shipper_config, promtails_receivers_are_read)
{
    static const char yaml[] =
        "clients: [{url: 'http://localhost:3100/loki/api/v1/push'}]\n"
        "scrape_configs:\n"
        "  - job_name: journal\n    journal:\n      json: false\n      max_age: 12h\n"
        "      path: /var/log/journal\n      matches: _TRANSPORT=kernel\n"
        "      labels: {job: systemd-journal}\n"
        "    relabel_configs: [{source_labels: ['__journal__systemd_unit'], target_label: unit}]\n"
        "  - job_name: syslog\n    syslog:\n      listen_address: 0.0.0.0:1514\n"
        "      idle_timeout: 60s\n      label_structured_data: yes\n      labels: {job: syslog}\n"
        "  - job_name: push1\n    loki_push_api:\n      server:\n        http_listen_port: 3500\n"
        "        grpc_listen_port: 3600\n      labels: {pushserver: push1}\n"
        "  - job_name: gelf\n    gelf:\n      use_incoming_timestamp: false\n"
        "      labels: {job: gelf}\n";
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config config;
    struct cw_err err = {0};
    cr_assert_eq(load(yaml, &config, arena, &err), 0, "%s", err.text);
    const struct cw_scrape_config *scrape = config.scrape_configs.items;
    cr_assert(scrape[0].journal.seen && !scrape[0].syslog.seen && !scrape[0].journal.json);
    cr_assert_eq(scrape[0].journal.max_age_ns, INT64_C(12) * 3600 * 1000000000);
    cr_assert(scrape[1].syslog.seen && scrape[1].syslog.label_structured_data);
    cr_assert_eq(scrape[1].syslog.listen_protocol, CW_SYSLOG_TCP, "as in promtail");
    cr_assert_eq(scrape[1].syslog.max_message_length, 8192);
    cr_assert_eq(scrape[2].loki_push_api.server.http_listen_port, 3500);
    cr_assert_not(scrape[2].loki_push_api.use_incoming_timestamp);
    cr_assert(cw_str_eqz(scrape[3].gelf.listen_address, "0.0.0.0:12201"));
    cw_arena_free(&arena);
}

/* "name=labels;" of each client, or the error. */
static void expect_external_labels(const char *yaml, const char *flag, const char *want)
{
    struct cw_log_folder folder;
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config config;
    struct cw_err err = {0};
    struct cw_buf got;
    cw_log_folder_init(&folder);
    cw_buf_init(&got, 1 << 16);
    cw_log_folder_append(&folder, "c.yml", yaml);
    struct cw_shipper_args args = {.config = cw_str_of(cw_log_folder_path(&folder, "c.yml")),
                                   .external_labels = cw_str_of(flag)};
    int rc = cw_shipper_config_load(&args, arena, &config, &err);
    const struct cw_client_config *clients = config.clients.items;
    for (size_t i = 0; rc == 0 && i < config.clients.n; i++) {
        cw_buf_addf(&got, "%.*s", CW_STR_ARG(clients[i].name));
        for (size_t k = 0; k < clients[i].external_labels.n; k++)
            cw_buf_addf(&got, " %.*s=%.*s", CW_STR_ARG(clients[i].external_labels.items[k].name),
                        CW_STR_ARG(clients[i].external_labels.items[k].value));
        cw_buf_addz(&got, ";");
    }
    if (rc < 0)
        cr_expect_not_null(strstr(err.text, want), "%s: %s", yaml, err.text);
    else
        cr_expect_str_eq(cw_buf_z(&got), want, "%s", yaml);
    cw_buf_fini(&got);
    cw_arena_free(&arena);
    cw_log_folder_fini(&folder);
}

/* As promtail's Setup() merges them: what a client says itself goes first. */
Test(shipper_config, labels_of_client_and_of_the_flag_are_those_of_all_clients)
{
    static const char two[] = "clients: [{url: 'http://a', external_labels: {own: 1, dc: a}}, "
                              "{url: 'http://b'}]\n";
    char yaml[400];
    expect_external_labels(two, "", "a own=1 dc=a;b-1;");
    snprintf(yaml, sizeof yaml, "client: {external_labels: {dc: all, x: y}}\n%s", two);
    expect_external_labels(yaml, "", "a own=1 dc=a x=y;b-1 dc=all x=y;");
    expect_external_labels(yaml, "x=flag,f=1=2", "a own=1 dc=a x=y f=1=2;b-1 dc=all x=y f=1=2;");
    snprintf(yaml, sizeof yaml, "client: {url: 'http://c', external_labels: {dc: all}}\n%s", two);
    expect_external_labels(yaml, "", "a own=1 dc=a;b-1 dc=all;c-2 dc=all;");
    expect_external_labels(two, "host=h", "a own=1 dc=a host=h;b-1 host=h;");
    expect_external_labels(two, "host", "-client.external-labels: \"host\" is to be NAME=VALUE");
    expect_external_labels(
        "client: {batchwait: 1s}\nclients: [{url: 'http://a'}]\n", "",
        ":1:9: client: wants a url, or external_labels for the servers of clients");
    expect_external_labels("client: {external_labels: {a: b}}\n", "", "no clients: where to push?");
}

Test(shipper_config, each_client_has_a_name_of_its_own)
{
    expect_external_labels("clients: [{url: 'http://a'}, {url: 'http://b', name: x}, "
                           "{url: 'http://a'}, {url: 'http://c', name: x}]\n",
                           "", "clients[1] and clients[3] are both called \"x\"");
    expect_external_labels("clients: [{url: 'http://a'}, {url: 'http://a'}]\n", "", "a;a-1;");
}

/* -stdin reads no files, and its lines have the labels of the target that says none. */
Test(shipper_config, a_target_without_a_path_is_used_by_stdin)
{
    struct cw_log_folder folder;
    struct cw_arena *arena = cw_arena_new();
    struct cw_shipper_config config;
    struct cw_err err = {0};
    cw_log_folder_init(&folder);
    cw_log_folder_append(&folder, "c.yml",
                         "clients: [{url: 'http://a'}]\n"
                         "scrape_configs: [{static_configs: [{labels: {app: x}}]}]\n");
    struct cw_shipper_args args = {.config = cw_str_of(cw_log_folder_path(&folder, "c.yml")),
                                   .promtail.read_stdin = true};
    cr_redirect_stderr();
    cr_assert_eq(cw_shipper_config_load(&args, arena, &config, &err), 0, "%s", err.text);
    fflush(stderr);
    const struct cw_scrape_config *scrape = config.scrape_configs.items;
    cr_expect(cw_str_eqz(cw_config_map_get(&scrape->standard_input.labels, "app"), "x"));
    cr_expect_stderr_eq_str("");
    cw_arena_free(&arena);
    cw_log_folder_fini(&folder);
}
