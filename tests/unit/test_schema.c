#include <criterion/criterion.h>

#include "common/config/yaml_load.h"

struct rule {
    struct cw_str name;
    int64_t every_ns;
};
struct limits {
    int64_t max_bytes;
    struct cw_config_strings drop;
};
struct config {
    struct cw_str dir, password;
    bool sync;
    int64_t segment_bytes, age_ns, count;
    double ratio;
    int level;
    struct cw_config_strings hosts;
    struct cw_config_map labels;
    struct limits limits;
    struct cw_config_tables rules;
    struct cw_config_table_map overrides;
};

static const char *const levels[] = {"debug", "info", NULL};
static const struct cw_key_def rule_keys[] = {
    {"name", CW_KEY_STRING, offsetof(struct rule, name), .flags = CW_KEY_REQUIRED, .doc = "Name."},
    {"every", CW_KEY_DURATION, offsetof(struct rule, every_ns), .def = "1m", .doc = "Interval."},
};
static const struct cw_table_def rule_table = CW_TABLE("rule", rule_keys, struct rule);
static const struct cw_key_def limit_keys[] = {
    {"max_bytes", CW_KEY_BYTES, offsetof(struct limits, max_bytes), .def = "1MiB",
     .doc = "Largest."},
    {"drop", CW_KEY_STRINGS, offsetof(struct limits, drop), .def = "a, b", .doc = "What to drop."},
};
static const struct cw_table_def limit_table = CW_TABLE("limits", limit_keys, struct limits);
static const struct cw_key_def keys[] = {
    {"wal.dir", CW_KEY_STRING, offsetof(struct config, dir), .def = "./wal", .doc = "Folder."},
    {"wal.sync", CW_KEY_BOOL, offsetof(struct config, sync), .def = "true", .doc = "Sync."},
    {"wal.segment.bytes", CW_KEY_BYTES, offsetof(struct config, segment_bytes), .def = "64MiB",
     .min = "1MiB", .max = "1GiB", .doc = "Size."},
    {"password", CW_KEY_STRING, offsetof(struct config, password), .flags = CW_KEY_SECRET,
     .doc = "Secret."},
    {"wal.age", CW_KEY_DURATION, offsetof(struct config, age_ns), .def = "90s", .doc = "Age."},
    {"count", CW_KEY_INT, offsetof(struct config, count), .doc = "Count."},
    {"ratio", CW_KEY_FLOAT, offsetof(struct config, ratio), .def = "0.5", .doc = "Ratio."},
    {"level", CW_KEY_ENUM, offsetof(struct config, level), .def = "info", .names = levels,
     .doc = "Level."},
    {"hosts", CW_KEY_STRINGS, offsetof(struct config, hosts), .doc = "Hosts."},
    {"labels", CW_KEY_MAP, offsetof(struct config, labels), .doc = "Labels."},
    {"limits", CW_KEY_TABLE, offsetof(struct config, limits), .table = &limit_table,
     .doc = "Limits."},
    {"rules", CW_KEY_TABLES, offsetof(struct config, rules), .table = &rule_table, .doc = "Rules."},
    {"overrides", CW_KEY_TABLE_MAP, offsetof(struct config, overrides), .table = &limit_table,
     .inherit = CW_KEY_AT(struct config, limits), .doc = "Per tenant."},
};
static const struct cw_table_def table = CW_TABLE("test", keys, struct config);

Test(schema, a_sound_table_passes_and_defaults_are_filled_in)
{
    struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct config config;
    cr_assert_eq(cw_schema_check(&table, &err), 0);
    memset(&config, 0xAA, sizeof config);
    cw_schema_defaults(&table, arena, &config);
    cr_assert_str_eq(config.dir.ptr, "./wal");
    cr_assert(config.sync);
    cr_assert_eq(config.segment_bytes, 64 << 20);
    cr_assert_eq(config.count, 0);
    cr_assert_eq(config.level, 1);
    cr_assert_str_eq(config.password.ptr, "");
    cr_assert_eq(config.limits.drop.n, 2);
    cr_assert(cw_str_eqz(config.limits.drop.items[1], "b"));
    cr_assert_eq(config.rules.n, 0);
    cw_arena_free(&arena);
}

Test(schema, rows_that_contradict_themselves_are_found)
{
    struct cw_err err;
    static const struct cw_key_def bad[][2] = {
        {{"a", CW_KEY_INT, 0, .def = "5", .max = "4", .doc = "x"}},
        {{"a", CW_KEY_INT, 0, .min = "low", .doc = "x"}},
        {{"a", CW_KEY_INT, 0, .doc = ""}},
        {{"a", CW_KEY_INT, 99999, .doc = "x"}},
        {{"a", CW_KEY_ENUM, 0, .doc = "x"}},
        {{"a", CW_KEY_ENUM, 0, .names = levels, .def = "loud", .doc = "x"}},
        {{"a", CW_KEY_TABLE, 0, .doc = "x"}},
        {{"a", CW_KEY_INT, 0, .doc = "x"}, {"a", CW_KEY_INT, 8, .doc = "x"}},
        {{"a", CW_KEY_INT, 0, .doc = "x"}, {"a.b", CW_KEY_INT, 8, .doc = "x"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cw_table_def t = {
            .name = "bad", .keys = bad[i], .nkeys = bad[i][1].name ? 2 : 1, .size = 16};
        cr_assert_lt(cw_schema_check(&t, &err), 0, "table %zu", i);
        cr_assert_eq(strncmp(err.text, "bad: a", 6), 0, "%s", err.text);
    }
}

Test(schema, the_nearest_name_is_looked_for_at_its_level)
{
    size_t len = 0;
    const char *near = cw_schema_nearest(&table, CW_STR(""), CW_STR("pasword"), &len);
    cr_assert(near != NULL && cw_str_eqz(cw_str_make(near, len), "password"));
    near = cw_schema_nearest(&table, CW_STR(""), CW_STR("wall"), &len);
    cr_assert(near != NULL && cw_str_eqz(cw_str_make(near, len), "wal"));
    near = cw_schema_nearest(&table, CW_STR("wal."), CW_STR("segmnt"), &len);
    cr_assert(near != NULL && cw_str_eqz(cw_str_make(near, len), "segment"));
    cr_assert_null(cw_schema_nearest(&table, CW_STR("wal."), CW_STR("password"), &len));
    cr_assert_null(cw_schema_nearest(&table, CW_STR(""), CW_STR("xyz"), &len));
}

static const char full[] = "wal:\n"
                           "  dir: \"/a b/c\"\n"
                           "  sync: false\n"
                           "  segment:\n"
                           "    bytes: 2MiB\n"
                           "  age: 1s500ms\n"
                           "password: \"\"\n"
                           "count: -7\n"
                           "ratio: 1e-07\n"
                           "level: debug\n"
                           "hosts:\n"
                           "  - plain\n"
                           "  - \"true\"\n"
                           "  - \"12\"\n"
                           "  - \"- \\\"q\\\" \\\\ \\n \\x01 \xC3\xA9 #\"\n"
                           "  - \"\"\n"
                           "labels:\n"
                           "  app: web\n"
                           "  \"odd key\": \"a: b\"\n"
                           "limits:\n"
                           "  max_bytes: 1000\n"
                           "  drop: []\n"
                           "rules:\n"
                           "  - name: r1\n"
                           "    every: 1m\n"
                           "  - name: r2\n"
                           "    every: 5s\n"
                           "overrides:\n"
                           "  t1:\n"
                           "    max_bytes: 1000\n"
                           "    drop:\n"
                           "      - z\n";

Test(schema, what_is_printed_loads_back_to_the_same_text)
{
    struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct config config;
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cr_assert_eq(cw_yaml_load_text(cw_str_of(full), "f", &table, NULL, arena, &config, NULL, &err),
                 0, "%s", err.text);
    cw_schema_print(&table, &config, &out);
    cr_assert_str_eq(cw_buf_z(&out), full);
    cw_buf_clear(&out);
    cw_schema_defaults(&table, arena, &config);
    cw_schema_print(&table, &config, &out);
    cr_assert_eq(cw_yaml_load_text(cw_buf_str(&out), "f", &table, NULL, arena, &config, NULL, &err),
                 0, "%s", err.text);
    cr_assert_eq(config.segment_bytes, 64 << 20);
    cw_buf_fini(&out);
    cw_arena_free(&arena);
}

Test(schema, secrets_are_not_printed)
{
    struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct config config;
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cr_assert_eq(cw_yaml_load_text(CW_STR("password: hunter2"), "f", &table, NULL, arena, &config,
                                   NULL, &err),
                 0);
    cw_schema_print(&table, &config, &out);
    cr_assert_null(strstr(cw_buf_z(&out), "hunter2"));
    cr_assert_not_null(strstr(cw_buf_z(&out), "password: \"<secret>\"\n"));
    cw_buf_fini(&out);
    cw_arena_free(&arena);
}

Test(schema, a_mapping_is_printed_though_its_first_key_was_not_given)
{
    static const struct nested {
        bool has_a;
        struct cw_str a, b;
    } nested = {.b = {"2", 1}};
    static const struct cw_key_def rows[] = {
        {"m.a", CW_KEY_STRING, offsetof(struct nested, a), .seen = CW_KEY_AT(struct nested, has_a),
         .doc = "x"},
        {"m.b", CW_KEY_STRING, offsetof(struct nested, b), .doc = "x"},
    };
    static const struct cw_table_def nested_table = CW_TABLE("nested", rows, struct nested);
    struct cw_buf out;
    cw_buf_init(&out, 1024);
    cw_schema_print(&nested_table, &nested, &out);
    cr_expect_str_eq(cw_buf_z(&out), "m:\n  b: \"2\"\n");
    cw_buf_fini(&out);
}

Test(schema, a_reload_keeps_what_only_a_start_can_change_and_names_it)
{
    static const struct cw_key_def rows[] = {
        {"wal.dir", CW_KEY_STRING, offsetof(struct config, dir), .doc = "Folder."},
        {"wal.sync", CW_KEY_BOOL, offsetof(struct config, sync), .doc = "Sync."},
        {"age", CW_KEY_DURATION, offsetof(struct config, age_ns), .doc = "Age."},
        {"count", CW_KEY_INT, offsetof(struct config, count), .flags = CW_KEY_RELOADED,
         .doc = "N."},
        {"ratio", CW_KEY_FLOAT, offsetof(struct config, ratio), .doc = "Ratio."},
        {"level", CW_KEY_ENUM, offsetof(struct config, level), .names = levels, .doc = "Level."},
        {"hosts", CW_KEY_STRINGS, offsetof(struct config, hosts), .flags = CW_KEY_RELOADED,
         .doc = "Hosts."},
        {"old", CW_KEY_IGNORED, .doc = "Nothing."},
    };
    static const struct cw_table_def some = CW_TABLE("some", rows, struct config);
    struct cw_arena *arena = cw_arena_new();
    struct config old = {.dir = CW_STR("/old"), .sync = true, .age_ns = 1, .count = 2, .ratio = 3},
                  new = {.dir = CW_STR("/old"), .sync = true, .age_ns = 1, .count = 7, .ratio = 3};
    struct cw_buf kept;
    cw_buf_init(&kept, 4096);
    cw_schema_keep(&some, &old, &new, arena, &kept);
    cr_expect_eq(kept.len, 0, "%s", cw_buf_z(&kept));
    cr_expect_eq(new.count, 7);
    new = (struct config){.dir = CW_STR("/new"), .age_ns = 5, .ratio = 6, .level = 1};
    cw_schema_keep(&some, &old, &new, arena, &kept);
    cr_expect_str_eq(cw_buf_z(&kept), "wal.dir, wal.sync, age, ratio, level");
    cr_expect(cw_str_eqz(new.dir, "/old") && new.dir.ptr != old.dir.ptr);
    cr_expect(new.sync &&new.age_ns == 1 && new.ratio == 3 && new.level == 0 && new.count == 0);
    cw_buf_fini(&kept);
    cw_arena_free(&arena);
}
