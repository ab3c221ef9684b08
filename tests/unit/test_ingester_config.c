/* test_ingester_config.c - the tables, overrides, and the file that conformance runs with. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "ingester/ingester_config.h"

static int load_text(const char *text, struct cw_ingester_config **out, struct cw_err *err)
{
    char path[] = "/tmp/cw-test-config-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    int rc = cw_ingester_config_load(path, out, NULL, err);
    unlink(path);
    return rc;
}

Test(ingester_config, the_tables_hold)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_schema_check(&cw_ingester_table, &err), 0, "%s", err.text);
}

Test(ingester_config, defaults_are_safe)
{
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(cw_ingester_config_load("", &config, NULL, &err), 0);
    cr_assert(cw_str_eqz(config->listen_address, "127.0.0.1"));
    cr_assert_eq(config->listen_port, 3100);
    cr_assert_eq(config->wal_sync, 0, "every push is on disk before its answer");
    cr_assert_not(config->limits.reject_old_samples);
    cr_assert_eq(config->limits.max_line_size, 256 << 10);
    cr_assert_eq(config->limits.query_timeout_ns, 60 * CW_NS_PER_S);
    cr_assert_gt(cw_ingester_memory(config), 1 << 20);
    cw_ingester_config_free(&config);
}

Test(ingester_config, overrides_begin_with_the_limits_of_everybody)
{
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(load_text("limits_config: {max_line_size: 1KB, retention_period: 7d}\noverrides: "
                           "{big: {max_line_size: 1MB}}\nmemory: {limit: 100MB}\n",
                           &config, &err),
                 0, "%s", err.text);
    const struct cw_ingester_limits *items = config->overrides.items;
    cr_assert_eq(config->overrides.n, 1);
    cr_assert_eq(items[0].max_line_size, 1 << 20);
    cr_assert_eq(items[0].retention_period_ns, 7 * 24 * 3600 * CW_NS_PER_S);
    cr_assert_eq(cw_ingester_memory(config), 100 << 20);
    cw_ingester_config_free(&config);
}

Test(ingester_config, errors_name_the_place_and_the_nearest_key)
{
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(load_text("wal: {segment_byte: 1}\n", &config, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, ":1:7:"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "segment_bytes"), "%s", err.text);
    cw_ingester_config_free(&config);
    cr_assert_eq(load_text("wal: {segment_bytes: 1}\n", &config, &err), CW_E_INVALID,
                 "below the minimum");
    cw_ingester_config_free(&config);
}

Test(ingester_config, values_that_cannot_work_are_refused_with_what_can)
{
    static const struct {
        const char *text, *place, *why;
    } rows[] = {
        {"memory: {limit: 1KiB}\n", ":1:17: memory.limit: ", "1KiB is less than 8MiB (or 0: "},
        {"memory:\n  limit: 8388607\n", ":2:10: memory.limit: ", "8388607 is less than 8MiB"},
        {"storage: {max_bytes: 1}\n", ":1:22: storage.max_bytes: ", "1 is less than 16MiB (or 0: "},
        {"storage: {max_bytes: 63MiB}\n",
         ":1:22: ", "storage.max_bytes (63MiB) is less than wal.segment_bytes (64MiB)"},
        {"wal: {segment_bytes: 33MiB}\nstorage:\n  max_bytes: 32MiB\n",
         ":3:14: ", "storage.max_bytes (32MiB) is less than wal.segment_bytes (33MiB)"},
        {"memory: {caches: nan}\n", ":1:18: memory.caches: ", "\"nan\" is not a number"},
        {"storage: {min_free: -inf}\n", ":1:21: storage.min_free: ", "-inf is less than 0"},
        {"server: {http_listen_address: 'not an address'}\n",
         ":1:31: server.http_listen_address: ", "\"not an address\" is neither an IP address"},
        {"server: {http_listen_address: '[::1'}\n", "address: ", "\"[::1\" is neither"},
        {"server: {http_listen_address: '::1::2'}\n", "address: ", "\"::1::2\" is neither"},
        {"server: {http_listen_address: 'localhost:3100'}\n", "address: ", "neither"},
        {"limits_config: {max_line_size: 1TB}\n", "max_line_size: ", "1TB is more than 128MiB"},
        {"limits_config: {max_structured_metadata_size: 17MiB}\n", "metadata_size: ", "16MiB"},
        {"limits_config: {max_structured_metadata_entries_count: 65537}\n", "count: ", "65536"},
        {"overrides:\n  good: {}\n  a/b: {}\n", ":3:3: overrides: ", "unsupported character '/'"},
        {"overrides: {'..': {}}\n", ":1:13: overrides: ", "tenant ID is '.' or '..'"},
        {"overrides: {'': {}}\n", ":1:13: overrides: ", "tenant ID is empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_ingester_config *config;
        struct cw_err err = {0};
        cr_assert_eq(load_text(rows[i].text, &config, &err), CW_E_INVALID, "%s", rows[i].text);
        cr_assert_not_null(strstr(err.text, rows[i].place), "%s", err.text);
        cr_assert_not_null(strstr(err.text, rows[i].why), "%s", err.text);
        cw_ingester_config_free(&config);
    }
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(load_text("memory: {limit: 8MiB}\nwal: {segment_bytes: 1MiB}\n"
                           "storage: {max_bytes: 16MiB}\noverrides: {a.b: {max_line_size: 0}}\n",
                           &config, &err),
                 0, "%s", err.text);
    cw_ingester_config_free(&config);
}

Test(ingester_config, flags_win_over_the_file)
{
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(load_text("data_dir: /file\nserver: {http_listen_port: 1}\n", &config, &err), 0);
    struct cw_ingester_args args = {.data_dir = CW_STR("/flag"), .listen = CW_STR("[::1]:77")};
    cr_assert_eq(cw_ingester_config_flags(config, &args, &err), 0, "%s", err.text);
    cr_assert(cw_str_eqz(config->data_dir, "/flag"));
    cr_assert(cw_str_eqz(config->listen_address, "[::1]"));
    cr_assert_eq(config->listen_port, 77);
    args = (struct cw_ingester_args){.listen = CW_STR("::1:77")};
    cr_assert_eq(cw_ingester_config_flags(config, &args, &err), CW_E_INVALID);
    cw_ingester_config_free(&config);
}

Test(ingester_config, retention_by_stream_is_read_and_overrides_replace_it)
{
    struct cw_ingester_config *config;
    struct cw_err err = {0};
    cr_assert_eq(
        load_text("limits_config:\n"
                  "  retention_stream:\n"
                  "  - {selector: '{a=\"b\"}', priority: 3, period: 24h}\n"
                  "  - {selector: '{c=~\"d.*\"}', period: 0}\n"
                  "  - {selector: '{e=\"f\"}', bytes: 2GB}\n"
                  "  retention_bytes: 5GB\n"
                  "  deletion_mode: filter-only\n"
                  "overrides: {one: {retention_stream: []}, two: {retention_period: 1h}}\n",
                  &config, &err),
        0, "%s", err.text);
    const struct cw_retention_stream *rules = config->limits.retention_stream.items;
    const struct cw_ingester_limits *items = config->overrides.items;
    cr_assert_eq(config->limits.retention_stream.n, 3);
    cr_assert(cw_str_eqz(rules[1].selector, "{c=~\"d.*\"}"));
    cr_assert_eq(rules[0].priority, 3);
    cr_assert_eq(rules[0].period_ns, 24 * 3600 * CW_NS_PER_S);
    cr_assert_eq(rules[0].bytes, 0);
    cr_assert_eq(rules[2].period_ns, 0);
    cr_assert_eq(rules[2].bytes, INT64_C(2) << 30);
    cr_assert_eq(config->limits.retention_bytes, INT64_C(5) << 30);
    cr_assert_eq(config->limits.deletion_mode, CW_DELETION_FILTER_ONLY);
    cr_assert_eq(items[0].retention_stream.n, 0);
    cr_assert_eq(items[1].retention_stream.n, 3);
    cw_ingester_config_free(&config);
    static const char *const wrong[] = {
        "[{selector: '{a', period: 1d}]",         "[{selector: '{a=\"b\"}'}]",
        "[{selector: '{a=\"b\"}', bytes: 0}]",    "[{selector: '{a=\"b\"}', bytes: -1}]",
        "[{selector: '{a=\"b\"}', bytes: some}]", "[{bytes: 1GB}]",
        "[{selector: '{a=\"b\"}', period: -1h}]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "limits_config: {retention_stream: %s}\n", wrong[i]);
        cr_assert_eq(load_text(text, &config, &err), CW_E_INVALID, "%s", wrong[i]);
        cw_ingester_config_free(&config);
    }
}
