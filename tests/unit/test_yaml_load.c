#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/config/yaml_load.h"

struct item {
    struct cw_str name;
    int64_t port;
    struct cw_config_map labels;
    size_t line;
};
struct limits {
    int64_t max_bytes, max_count;
};
struct config {
    struct cw_str dir;
    int64_t bytes, age_ns, port;
    bool sync, saw_sync, saw_port;
    struct cw_config_strings hosts;
    struct cw_config_map labels;
    struct cw_config_tables items;
    struct limits limits;
    struct cw_config_table_map overrides;
};

static int item_check(const void *value, struct cw_err *err)
{
    const struct item *item = value;
    if (item->port == 0 && item->labels.n == 0)
        return cw_err_set(err, CW_E_INVALID, "port or labels must be set");
    return 0;
}

static int dir_check(const void *value, struct cw_err *err)
{
    const struct cw_str *dir = value;
    return cw_str_starts(*dir, CW_STR("/"))
               ? 0
               : cw_err_set(err, CW_E_INVALID, "\"%s\" is not absolute", dir->ptr);
}

static const struct cw_key_def item_keys[] = {
    {"name", CW_KEY_STRING, offsetof(struct item, name), .flags = CW_KEY_REQUIRED, .doc = "x"},
    {"port", CW_KEY_INT, offsetof(struct item, port), .min = "0", .max = "65535", .doc = "x"},
    {"labels", CW_KEY_MAP, offsetof(struct item, labels), .doc = "x"},
};
static const struct cw_table_def item_table = {.name = "item",
                                               .keys = item_keys,
                                               .nkeys = 3,
                                               .size = sizeof(struct item),
                                               .check = item_check,
                                               .line = CW_KEY_AT(struct item, line)};
static const struct cw_key_def limit_keys[] = {
    {"max_bytes", CW_KEY_BYTES, offsetof(struct limits, max_bytes), .def = "1KiB", .doc = "x"},
    {"max_count", CW_KEY_INT, offsetof(struct limits, max_count), .def = "3", .doc = "x"},
};
static const struct cw_table_def limit_table = CW_TABLE("limits", limit_keys, struct limits);
static const struct cw_key_def keys[] = {
    {"wal.dir", CW_KEY_STRING, offsetof(struct config, dir), .def = "/var", .doc = "x",
     .check = dir_check},
    {"wal.segment_bytes", CW_KEY_BYTES, offsetof(struct config, bytes), .def = "64MiB",
     .min = "1MiB", .doc = "x"},
    {"age", CW_KEY_DURATION, offsetof(struct config, age_ns), .doc = "x"},
    {"port", CW_KEY_INT, offsetof(struct config, port), .def = "80",
     .seen = CW_KEY_AT(struct config, saw_port), .doc = "x"},
    {"sync", CW_KEY_BOOL, offsetof(struct config, sync), .seen = CW_KEY_AT(struct config, saw_sync),
     .doc = "x"},
    {"hosts", CW_KEY_STRINGS, offsetof(struct config, hosts), .doc = "x"},
    {"labels", CW_KEY_MAP, offsetof(struct config, labels), .doc = "x"},
    {"items", CW_KEY_TABLES, offsetof(struct config, items), .table = &item_table, .doc = "x"},
    {"limits", CW_KEY_TABLE, offsetof(struct config, limits), .table = &limit_table, .doc = "x"},
    {"overrides", CW_KEY_TABLE_MAP, offsetof(struct config, overrides), .table = &limit_table,
     .inherit = CW_KEY_AT(struct config, limits), .doc = "x"},
    {"tracing", CW_KEY_IGNORED, .doc = "there are no traces."},
};
static const struct cw_table_def table = CW_TABLE("test", keys, struct config);

static struct cw_arena *arena;
static struct config config;
static struct cw_config_problems problems;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(yaml_load, .init = setup, .fini = teardown);

static int load(const char *text)
{
    return cw_yaml_load_text(cw_str_of(text), "f.yml", &table, NULL, arena, &config, &problems,
                             &err);
}

static void assert_only_problem(const char *text, const char *want)
{
    cr_assert_eq(load(text), CW_E_INVALID, "no error in: %s", text);
    cr_assert_eq(problems.nerrors, 1, "%zu errors, second: %s", problems.nerrors,
                 problems.errors[1].ptr);
    cr_assert_str_eq(problems.errors[0].ptr, want);
    cr_assert_str_eq(err.text, want);
}

Test(yaml_load, every_kind_is_read)
{
    cr_assert_eq(load("wal:\n  dir: /x # comment\n  segment_bytes: 2MB\nage: 1h30m\nport: 0x\n"),
                 CW_E_INVALID);
    cr_assert_eq(
        load("wal: {dir: /x, segment_bytes: 2MB}\nage: 1h30m\nport: 9\nsync: yes\n"
             "hosts: [a, 12, \"true\", ~]\nlabels: {a: 1, b: }\n"
             "items:\n- name: one\n  port: 1\n- {name: two, labels: {x: y}}\ntracing: {a: [b]}\n"),
        0, "%s", err.text);
    cr_assert_str_eq(config.dir.ptr, "/x");
    cr_assert_eq(config.bytes, 2 << 20);
    cr_assert_eq(config.age_ns, INT64_C(5400000000000));
    cr_assert(config.sync && config.saw_sync && config.saw_port);
    cr_assert_eq(config.hosts.n, 4);
    cr_assert_str_eq(config.hosts.items[2].ptr, "true");
    cr_assert_str_eq(config.hosts.items[3].ptr, "");
    cr_assert_str_eq(config.labels.items[0].value.ptr, "1");
    cr_assert_str_eq(config.labels.items[1].value.ptr, "");
    const struct item *items = config.items.items;
    cr_assert_eq(config.items.n, 2);
    cr_assert_eq(items[0].port, 1);
    cr_assert_str_eq(items[1].labels.items[0].value.ptr, "y");
    cr_assert_eq(items[0].line, 8);
    cr_assert_eq(items[1].line, 10);
    cr_assert_eq(problems.nwarnings, 1);
    cr_assert_str_eq(problems.warnings[0].ptr,
                     "f.yml:11:1: tracing is ignored: there are no traces.");
}

Test(yaml_load, nothing_is_all_defaults)
{
    static const char *const empty[] = {
        "", "\n# only a comment\n", "---\n", "{}", "~", "wal:\nport:\nhosts: ~\nitems: null\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        cr_assert_eq(load(empty[i]), 0, "%zu: %s", i, err.text);
        cr_assert_eq(config.bytes, 64 << 20);
        cr_assert_eq(config.port, 80);
        cr_assert_eq(config.items.n, 0);
    }
    cr_assert_eq(cw_yaml_load_text(CW_STR_NONE, "f", &table, NULL, arena, &config, NULL, &err), 0);
}

Test(yaml_load, unknown_keys_are_errors_that_name_the_nearest)
{
    assert_only_problem(
        "wal:\n  segmnt_bytes: 2MB\n",
        "f.yml:2:3: unknown key \"segmnt_bytes\" in wal; did you mean \"segment_bytes\"?");
    assert_only_problem("itms: []\n", "f.yml:1:1: unknown key \"itms\"; did you mean \"items\"?");
    assert_only_problem("zebra: 1\n", "f.yml:1:1: unknown key \"zebra\"");
    assert_only_problem("wal.dir: /x\n", "f.yml:1:1: unknown key \"wal.dir\"");
    assert_only_problem("items:\n- name: a\n  port: 1\n- name: b\n  prot: 2\n  port: 2\n",
                        "f.yml:5:3: unknown key \"prot\" in items[1]; did you mean \"port\"?");
}

Test(yaml_load, wrong_types_and_bounds_are_errors_at_the_value)
{
    assert_only_problem("port: many\n", "f.yml:1:7: port: \"many\" is not a whole number");
    assert_only_problem("port: [1]\n", "f.yml:1:7: port wants a whole number, not a list");
    assert_only_problem("hosts: a\n", "f.yml:1:8: hosts wants a list, not a single value");
    assert_only_problem("hosts: [a, [b]]\n", "f.yml:1:12: hosts wants text, not a list");
    assert_only_problem("labels: [a]\n", "f.yml:1:9: labels wants names with values, not a list");
    assert_only_problem("items: {a: b}\n", "f.yml:1:8: items wants a list, not keys with values");
    assert_only_problem("items: [a]\n",
                        "f.yml:1:9: items[0] wants keys with values, not a single value");
    assert_only_problem("wal: 3\n", "f.yml:1:6: wal wants keys with values, not a single value");
    assert_only_problem("wal:\n  segment_bytes: 5\n",
                        "f.yml:2:18: wal.segment_bytes: 5 is less than 1MiB");
    assert_only_problem("age: 30\n", "f.yml:1:6: age: \"30\" has no unit: write 30s");
    assert_only_problem("items:\n- {name: a, port: 70000}\n",
                        "f.yml:2:19: items[0].port: 70000 is more than 65535");
    assert_only_problem("- a\n", "f.yml:1:1: the file wants keys with values, not a list");
    assert_only_problem("just text\n",
                        "f.yml:1:1: the file wants keys with values, not a single value");
    assert_only_problem("? [a]\n: b\n", "f.yml:1:3: a key must be a single value, not a list");
}

Test(yaml_load, missing_duplicate_and_contradicting_keys_are_errors)
{
    assert_only_problem("items:\n- port: 1\n", "f.yml:2:3: items[0]: the key \"name\" is missing");
    assert_only_problem("port: 1\nage: 1s\nport: 2\n",
                        "f.yml:3:1: the key \"port\" stands here a second time");
    assert_only_problem("labels: {a: 1, b: 2, a: 3}\n",
                        "f.yml:1:22: the key \"a\" stands here a second time");
    assert_only_problem("items:\n  - name: a\n", "f.yml:2:5: items[0]: port or labels must be set");
    assert_only_problem("wal: {dir: x}\n", "f.yml:1:12: wal.dir: \"x\" is not absolute");
    assert_only_problem("port: 1\n---\nport: 2\n",
                        "f.yml:3:1: a second document begins here; one file holds one");
}

/* Editors of Windows write one. */
Test(yaml_load, a_byte_order_mark_is_no_column)
{
    static const char text[] = "\xef\xbb\xbfport: 7\nhosts: [a]\n";
    cr_assert_eq(load(text), 0, "%s", err.text);
    cr_assert_eq(config.port, 7);
    cr_assert_eq(config.hosts.n, 1);
    cr_assert_eq(load("\xef\xbb\xbfprt: 7\nhosts: [a]\n"), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, ":1:1: "), "%s", err.text);
}

Test(yaml_load, syntax_errors_have_their_place)
{
    cr_assert_eq(load("port: 1\nhosts: [a\nage: 1s\n"), CW_E_INVALID);
    cr_assert_eq(strncmp(problems.errors[0].ptr, "f.yml:3:", 8), 0, "%s", problems.errors[0].ptr);
    cr_assert_eq(load("a: \xff\n"), CW_E_INVALID);
    cr_assert_eq(strncmp(problems.errors[0].ptr, "f.yml:1:4: ", 11), 0, "%s",
                 problems.errors[0].ptr);
    cr_assert_eq(load("port: 1\n\tage: 2\n"), CW_E_INVALID);
    cr_assert_eq(load("port: *nowhere\n"), CW_E_INVALID);
    cr_assert_not_null(strstr(problems.errors[0].ptr, "undefined alias"));
}

Test(yaml_load, all_problems_are_collected_up_to_fifty)
{
    char text[4000] = "port: many\nwal:\n  dir: x\nzebra: 1\n";
    cr_assert_eq(load(text), CW_E_INVALID);
    cr_assert_eq(problems.nerrors, 3);
    cr_assert_str_eq(err.text, "f.yml:1:7: port: \"many\" is not a whole number (and 2 more)");
    text[0] = '\0';
    for (int i = 0; i < 80; i++)
        sprintf(text + strlen(text), "zebra%d: 1\n", i);
    cr_assert_eq(load(text), CW_E_INVALID);
    cr_assert_eq(problems.nerrors, CW_CONFIG_PROBLEMS_MAX);
    cr_assert_eq(problems.nmore, 30);
    cr_assert_not_null(strstr(err.text, "(and 79 more)"));
}

Test(yaml_load, control_characters_of_the_file_do_not_reach_the_terminal)
{
    assert_only_problem("\"a\\e[31m\": 1\n", "f.yml:1:1: unknown key \"a?[31m\"");
}

Test(yaml_load, anchors_and_merge_keys_work)
{
    cr_assert_eq(load("items:\n- &one {name: a, port: 1}\n- <<: *one\n  name: b\n- *one\n"
                      "- <<: [{port: 7}, *one]\n  labels: {x: y}\n"),
                 0, "%s", err.text);
    const struct item *items = config.items.items;
    cr_assert_eq(config.items.n, 4);
    cr_assert_str_eq(items[1].name.ptr, "b");
    cr_assert_eq(items[1].port, 1);
    cr_assert_str_eq(items[2].name.ptr, "a");
    cr_assert_eq(items[3].port, 7);
    cr_assert_str_eq(items[3].name.ptr, "a");
}

Test(yaml_load, maps_of_tables_start_from_their_sibling)
{
    cr_assert_eq(load("overrides:\n  a: {max_count: 9}\n  b:\nlimits: {max_bytes: 5KB}\n"), 0, "%s",
                 err.text);
    const struct limits *items = config.overrides.items;
    cr_assert_eq(config.overrides.n, 2);
    cr_assert_str_eq(config.overrides.names[0].ptr, "a");
    cr_assert_eq(items[0].max_bytes, 5 << 10);
    cr_assert_eq(items[0].max_count, 9);
    cr_assert_eq(items[1].max_bytes, 5 << 10);
    cr_assert_eq(items[1].max_count, 3);
    assert_only_problem(
        "overrides:\n  a: {max_cnt: 9}\n",
        "f.yml:2:7: unknown key \"max_cnt\" in overrides.a; did you mean \"max_count\"?");
}

Test(yaml_load, bombs_of_aliases_are_refused_quickly)
{
    char text[8000];
    size_t at = 0;
    /* nine levels of nine: 387 million entries */
    at += (size_t)sprintf(text + at, "tracing:\n- &a0 {name: x, port: 1}\n");
    for (int i = 1; i <= 9; i++) {
        at += (size_t)sprintf(text + at, "- &a%d {<<: [", i);
        for (int k = 0; k < 9; k++)
            at += (size_t)sprintf(text + at, "*a%d%s", i - 1, k < 8 ? "," : "");
        at += (size_t)sprintf(text + at, "]}\n");
    }
    at += (size_t)sprintf(text + at, "items: [*a9]\n");
    cr_assert_eq(load(text), CW_E_INVALID);
    /* whichever bound is met first */
    cr_assert(strstr(err.text, "aliases expand to more than") != NULL ||
                  strstr(err.text, "take more than") != NULL,
              "%s", err.text);
    cr_assert_lt(cw_arena_bytes(arena), 256 << 20);
}

Test(yaml_load, a_mapping_that_contains_itself_ends)
{
    cr_assert_eq(load("items:\n- &a\n  <<: *a\n  name: x\n  port: 1\n"), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "nested deeper"), "%s", err.text);
}

/* CPU seconds that a load of `text` takes; it must be refused with `error`. */
static double seconds_to_refuse(struct cw_buf *text, const char *error)
{
    clock_t start = clock();
    cr_assert_eq(load(cw_buf_z(text)), CW_E_INVALID);
    cr_assert_str_eq(err.text, error);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* libyaml's time grows with the squares of these: minutes, if it were left to it. */
Test(yaml_load, brackets_and_anchors_beyond_their_bounds_are_refused_quickly)
{
    struct cw_buf text;
    cw_buf_init(&text, 4 << 20);
    for (int i = 0; i < 200000; i++)
        cw_buf_addz(&text, "[");
    cr_assert_lt(seconds_to_refuse(&text, "f.yml:1:65: nested deeper than 64 levels"), 2);
    cw_buf_clear(&text);
    cw_buf_addz(&text, "items:\n");
    for (int i = 0; i < 100000; i++)
        cw_buf_addf(&text, "- &a%d 1\n", i);
    cr_assert_lt(seconds_to_refuse(&text, "f.yml:4098:3: more than 4096 anchors"), 2);
    cw_buf_fini(&text);
}

Test(yaml_load, a_file_may_nest_and_name_up_to_the_bounds)
{
    struct cw_buf text;
    cw_buf_init(&text, 4 << 20);
    cw_buf_addz(&text, "hosts: [");
    for (int i = 0; i < 4096; i++)
        cw_buf_addf(&text, "&a%d x,", i);
    cw_buf_addz(&text, "]\n");
    cr_assert_eq(load(cw_buf_z(&text)), 0, "%s", err.text);
    cr_assert_eq(config.hosts.n, 4096);
    cw_buf_clear(&text);
    for (int i = 0; i < 64; i++)
        cw_buf_addz(&text, "[");
    for (int i = 0; i < 64; i++)
        cw_buf_addz(&text, "]");
    cr_assert_eq(load(cw_buf_z(&text)), CW_E_INVALID);
    cr_assert_null(strstr(err.text, "nested deeper"), "%s", err.text);
    cw_buf_fini(&text);
}

Test(yaml_load, long_lists_of_large_values_stop_at_the_memory_bound)
{
    struct cw_buf text;
    cw_buf_init(&text, 4 << 20);
    cw_buf_addz(&text, "tracing: &x \"");
    for (int i = 0; i < 100000; i++)
        cw_buf_addz(&text, "0123456789");
    cw_buf_addz(&text, "\"\nhosts: [");
    for (int i = 0; i < 1000; i++)
        cw_buf_addz(&text, "*x,");
    cw_buf_addz(&text, "]\n");
    cr_assert_eq(load(cw_buf_z(&text)), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "take more than"), "%s", err.text);
    cw_buf_fini(&text);
}

Test(yaml_load, a_text_over_the_limit_is_too_large)
{
    char *text = malloc(5 << 20);
    memset(text, '#', 5 << 20);
    cr_assert_eq(cw_yaml_load_text(cw_str_make(text, 5 << 20), "f", &table, NULL, arena, &config,
                                   NULL, &err),
                 CW_E_TOO_LARGE);
    free(text);
}

/* ---- variables ---- */

static const char *lookup(const char *name, void *arg)
{
    if (strcmp(name, "PORT") == 0)
        return "1234";
    if (strcmp(name, "HOSTS") == 0)
        return "a, b\xC3\xA9";
    if (strcmp(name, "1") == 0)
        return "one";
    return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static int expand(enum cw_yaml_expand style, const char *text)
{
    struct cw_yaml_options options = {.expand = style, .lookup = lookup};
    return cw_yaml_load_text(cw_str_of(text), "f.yml", &table, &options, arena, &config, &problems,
                             &err);
}

Test(yaml_load, variables_are_expanded_with_defaults)
{
    cr_assert_eq(expand(CW_YAML_EXPAND_STRICT,
                        "port: ${PORT}\nhosts: [${HOSTS}, ${NONE:-c}, \"${EMPTY:-d}\", "
                        "\"${EMPTY}\", '${1}', $PORT, $$, '$${PORT}']\n"
                        "age: ${AGE:-5m} # or ${UNSET}\n"),
                 0, "%s", err.text);
    static const char *const want[] = {"a",    "b\xC3\xA9", "c", "d",      "",
                                       "${1}", "$PORT",     "$", "${PORT}"};
    cr_assert_eq(config.port, 1234);
    cr_assert_eq(config.hosts.n, 9);
    for (size_t i = 0; i < 9; i++)
        cr_assert_str_eq(config.hosts.items[i].ptr, want[i]);
    cr_assert_eq(config.age_ns, INT64_C(300000000000));
}

/* Each looks for the end of its default: all through the rest of the line it would take minutes. */
Test(yaml_load, defaults_that_are_not_closed_are_passed_over_in_no_time, .timeout = 30)
{
    struct cw_buf text;
    cw_buf_init(&text, 8 << 20);
    cw_buf_addz(&text, "# ");
    for (int i = 0; i < 400000; i++)
        cw_buf_addz(&text, "${a:-");
    cw_buf_addz(&text, "\nport: ${PORT:-1}\n");
    cr_assert_eq(expand(CW_YAML_EXPAND_STRICT, cw_buf_z(&text)), 0, "%s", err.text);
    cr_assert_eq(expand(CW_YAML_EXPAND_PROMTAIL, cw_buf_z(&text)), CW_E_INVALID);
    cr_assert_str_eq(err.text, "f.yml:1:83: ${...} within ${...} deeper than 16 levels");
    cw_buf_fini(&text);
}

Test(yaml_load, promtails_syntax_is_expanded_when_asked_for)
{
    cr_assert_eq(expand(CW_YAML_EXPAND_PROMTAIL,
                        "port: ${PORT}\nhosts: [\"${NONE:x}\", \"${NONE:-${NO:-y}}\", \"${NONE}\", "
                        "\"${1^^}\", '^\\\\S+$']\n"),
                 0, "%s", err.text);
    static const char *const want[] = {"x", "y", "", "ONE", "^\\S+$"};
    cr_assert_eq(config.port, 1234);
    cr_assert_eq(config.hosts.n, 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert_str_eq(config.hosts.items[i].ptr, want[i]);
}

/* There is no dollar in the file. */
Test(yaml_load, backslashes_are_halved_as_promtails_documentation_says)
{
    cr_assert_eq(expand(CW_YAML_EXPAND_PROMTAIL, "hosts: ['\\\\d\\\\\\\\.', '\\d']\nport: x\n"),
                 CW_E_INVALID);
    cr_assert_str_eq(config.hosts.items[0].ptr, "\\d\\\\.");
    cr_assert_str_eq(config.hosts.items[1].ptr, "\\d");
    cr_assert_str_eq(err.text, "f.yml:2:7: port: \"x\" is not a whole number");
}

Test(yaml_load, what_promtail_cannot_expand_is_refused_at_its_place)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"port: 1\nhosts: ['\xC3\xA9${}']\n", "f.yml:2:11: behind ${ stands no variable's name"},
        {"hosts: ['${PORT-1}']\n",
         "f.yml:1:10: ${NAME is followed neither by } nor by an operator"},
        {"hosts: ['${PORT']\n", "f.yml:1:10: ${NAME is followed neither by } nor by an operator"},
        {"hosts: ['${PORT:-${HOSTS#}}']\n", "f.yml:1:18: an operator of ${...} has nothing behind"},
        {"hosts: ['${PORT^x}']\n", "f.yml:1:10: ${...} goes on where } should stand"},
        {"hosts: ['${HOSTS^^}']\n", "f.yml:1:10: ^ and , of ${...} change ASCII letters alone"},
        {"hosts: ['${PORT:0:-1}']\n", "f.yml:1:10: ${NAME:offset:length} with a length that"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(expand(CW_YAML_EXPAND_PROMTAIL, cases[i].text), CW_E_INVALID);
        cr_assert(cw_str_starts(cw_str_of(err.text), cw_str_of(cases[i].problem)), "%s", err.text);
        cr_assert_eq(problems.nerrors, 1);
    }
}

/* The ingester's own form has no more than a default: what would be taken for text otherwise is told. */
Test(yaml_load, the_strict_form_refuses_what_it_does_not_have)
{
    static const char *const cases[] = {"${PORT:=x}", "${PORT^^}", "${PORT:9}", "${NONE:-${PORT}}",
                                        "${PORT"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "hosts: ['%s'] # or %s\n", cases[i], cases[i]);
        cr_assert_eq(expand(CW_YAML_EXPAND_STRICT, text), CW_E_INVALID, "%s", text);
        cr_assert_str_eq(err.text,
                         "f.yml:1:10: neither ${NAME} nor ${NAME:-default} with a default "
                         "that holds no other ${...}; for the characters themselves "
                         "write $${");
    }
}

Test(yaml_load, nothing_is_expanded_unasked)
{
    cr_assert_eq(load("hosts: ['${PORT}', $$]\n"), 0);
    cr_assert_str_eq(config.hosts.items[0].ptr, "${PORT}");
    cr_assert_str_eq(config.hosts.items[1].ptr, "$$");
}

Test(yaml_load, an_unset_variable_without_default_is_an_error_at_its_place)
{
    cr_assert_eq(expand(CW_YAML_EXPAND_STRICT, "port: 1\nwal: {dir: \"/\xC3\xA9${NOPE}\"}\n"),
                 CW_E_INVALID);
    cr_assert_str_eq(err.text,
                     "f.yml:2:15: the environment variable NOPE is not set, and has no default");
}

/* The place of a problem is found from the text's front: only of those that are told. */
Test(yaml_load, very_many_unset_variables_are_told_quickly)
{
    struct cw_buf text;
    cw_buf_init(&text, 4 << 20);
    for (int i = 0; i < 300000; i++)
        cw_buf_addz(&text, "${NOPE}");
    clock_t start = clock();
    cr_assert_eq(expand(CW_YAML_EXPAND_STRICT, cw_buf_z(&text)), CW_E_INVALID);
    cr_assert_lt((double)(clock() - start) / CLOCKS_PER_SEC, 5);
    cr_assert_eq(problems.nerrors, CW_CONFIG_PROBLEMS_MAX);
    cr_assert_geq(problems.nmore, 300000 - CW_CONFIG_PROBLEMS_MAX);
    cw_buf_fini(&text);
}

Test(yaml_load, places_after_an_expansion_are_those_of_the_source)
{
    cr_assert_eq(
        expand(CW_YAML_EXPAND_STRICT, "hosts: [${HOSTS}] \nlabels: {a: ${PORT}, a: 1}\nport: x\n"),
        CW_E_INVALID);
    cr_assert_str_eq(problems.errors[0].ptr, "f.yml:2:22: the key \"a\" stands here a second time");
    cr_assert_str_eq(problems.errors[1].ptr, "f.yml:3:7: port: \"x\" is not a whole number");
    cr_assert_eq(expand(CW_YAML_EXPAND_STRICT, "age: ${PORT}\n"), CW_E_INVALID);
    cr_assert_str_eq(err.text, "f.yml:1:6: age: \"1234\" has no unit: write 1234s");
}

Test(yaml_load, the_environment_is_read_without_a_lookup)
{
    struct cw_yaml_options options = {.expand = CW_YAML_EXPAND_STRICT};
    setenv("CW_TEST_YAML_PORT", "77", 1);
    cr_assert_eq(cw_yaml_load_text(CW_STR("port: ${CW_TEST_YAML_PORT}"), "f", &table, &options,
                                   arena, &config, NULL, &err),
                 0);
    cr_assert_eq(config.port, 77);
}

Test(yaml_load, files_are_read_and_missing_ones_named)
{
    char path[] = "/tmp/cw-test-yaml-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, "port: 5\n", 8), 8);
    close(fd);
    cr_assert_eq(cw_yaml_load_file(path, &table, NULL, arena, &config, &problems, &err), 0);
    cr_assert_eq(config.port, 5);
    unlink(path);
    cr_assert_eq(cw_yaml_load_file(path, &table, NULL, arena, &config, &problems, &err),
                 CW_E_NOT_FOUND);
    cr_assert_not_null(strstr(err.text, path));
    cr_assert_eq(config.port, 80);
}
