/*
 * fuzz_yaml_load.c - any bytes as a configuration file: every kind of key, with each style of expansion.
 * What loads is printed, must load again, and be printed the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/assert.h"
#include "common/config/yaml_load.h"

struct item {
    struct cw_str name;
    int64_t n;
    struct cw_config_tables items;
};
struct config {
    struct cw_str text;
    bool flag;
    int64_t number, bytes, age_ns;
    double ratio;
    int level;
    struct cw_config_strings list;
    struct cw_config_map map;
    struct item item;
    struct cw_config_tables items;
    struct cw_config_table_map named;
};

static const char *const levels[] = {"low", "high", NULL};
static const struct cw_table_def item_table;
static const struct cw_key_def item_keys[] = {
    {"name", CW_KEY_STRING, offsetof(struct item, name), .def = "x", .doc = "x"},
    {"n", CW_KEY_INT, offsetof(struct item, n), .doc = "x"},
    {"items", CW_KEY_TABLES, offsetof(struct item, items), .table = &item_table, .doc = "x"},
};
static const struct cw_table_def item_table = CW_TABLE("item", item_keys, struct item);
static const struct cw_key_def keys[] = {
    {"a.text", CW_KEY_STRING, offsetof(struct config, text), .def = "d", .doc = "x"},
    {"a.flag", CW_KEY_BOOL, offsetof(struct config, flag), .doc = "x"},
    {"number", CW_KEY_INT, offsetof(struct config, number), .min = "-5", .max = "500", .doc = "x"},
    {"bytes", CW_KEY_BYTES, offsetof(struct config, bytes), .doc = "x"},
    {"age", CW_KEY_DURATION, offsetof(struct config, age_ns), .doc = "x"},
    {"ratio", CW_KEY_FLOAT, offsetof(struct config, ratio), .doc = "x"},
    {"level", CW_KEY_ENUM, offsetof(struct config, level), .names = levels, .doc = "x"},
    {"list", CW_KEY_STRINGS, offsetof(struct config, list), .def = "p,q", .doc = "x"},
    {"map", CW_KEY_MAP, offsetof(struct config, map), .doc = "x"},
    {"item", CW_KEY_TABLE, offsetof(struct config, item), .table = &item_table, .doc = "x"},
    {"items", CW_KEY_TABLES, offsetof(struct config, items), .table = &item_table, .doc = "x"},
    {"named", CW_KEY_TABLE_MAP, offsetof(struct config, named), .table = &item_table,
     .inherit = CW_KEY_AT(struct config, item), .doc = "x"},
    {"old", CW_KEY_IGNORED, .doc = "x"},
};
static const struct cw_table_def table = CW_TABLE("fuzz", keys, struct config);

static const char *lookup(const char *name, void *arg)
{
    (void)arg;
    return name[0] == 'A' ? "[x, y]" : name[0] == 'B' ? "" : NULL;
}

/* Print what was loaded, load that and print it again. */
static void round_trip(const struct config *config, struct cw_arena *arena)
{
    struct config again;
    struct cw_buf first, second;
    struct cw_err err;
    cw_buf_init(&first, 64 << 20);
    cw_buf_init(&second, 64 << 20);
    cw_schema_print(&table, config, &first);
    /* Aliases may make it larger than a file may be. */
    if (first.len < 1 << 20) {
        CW_ASSERT(cw_yaml_load_text(cw_buf_str(&first), "again", &table, NULL, arena, &again, NULL,
                                    &err) == 0);
        cw_schema_print(&table, &again, &second);
        CW_ASSERT(cw_str_eq(cw_buf_str(&first), cw_buf_str(&second)));
    }
    cw_buf_fini(&first);
    cw_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int style = CW_YAML_EXPAND_NONE; style <= CW_YAML_EXPAND_PROMTAIL; style++) {
        struct cw_yaml_options options = {.expand = (enum cw_yaml_expand)style, .lookup = lookup};
        struct cw_config_problems problems;
        struct config config;
        struct cw_err err;
        struct cw_arena *arena = cw_arena_new();
        int rc = cw_yaml_load_text(cw_str_make(data, size), "f", &table, &options, arena, &config,
                                   &problems, &err);
        CW_ASSERT(rc == 0 || err.text[0] != '\0');
        CW_ASSERT((rc == 0) == (problems.nerrors == 0 && rc != CW_E_TOO_LARGE));
        if (rc == 0)
            round_trip(&config, arena);
        cw_arena_free(&arena);
    }
    return 0;
}
