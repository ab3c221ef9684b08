#include <criterion/criterion.h>

#include "common/config/docs.h"
#include "common/config/yaml_load.h"

struct rule {
    struct cw_str name;
    int64_t every_ns;
};
struct config {
    int64_t size, port;
    bool sync;
    struct cw_config_strings hosts;
    struct cw_config_map labels;
    struct cw_config_tables rules;
    struct rule rule;
    struct cw_config_table_map named;
};

static const struct cw_key_def rule_keys[] = {
    {"name", CW_KEY_STRING, offsetof(struct rule, name), .flags = CW_KEY_REQUIRED,
     .doc = "Its name."},
    {"every", CW_KEY_DURATION, offsetof(struct rule, every_ns), .def = "1m", .doc = "How often."},
};
static const struct cw_table_def rule_table = CW_TABLE("rule", rule_keys, struct rule);
static const struct cw_key_def keys[] = {
    {"wal.size", CW_KEY_BYTES, offsetof(struct config, size), .def = "64MiB", .min = "1MiB",
     .doc = "Begin a new one."},
    {"wal.sync", CW_KEY_BOOL, offsetof(struct config, sync), .def = "true",
     .doc = "Wait\\for the disk."},
    {"port", CW_KEY_INT, offsetof(struct config, port), .doc = "'quoted' first."},
    {"hosts", CW_KEY_STRINGS, offsetof(struct config, hosts), .def = "a,b", .doc = "Hosts."},
    {"labels", CW_KEY_MAP, offsetof(struct config, labels), .doc = "Labels."},
    {"rules", CW_KEY_TABLES, offsetof(struct config, rules), .table = &rule_table, .doc = "Rules."},
    {"named", CW_KEY_TABLE_MAP, offsetof(struct config, named), .table = &rule_table,
     .doc = "Rules with names."},
    {"old", CW_KEY_IGNORED, .doc = "it went."},
    {"other", CW_KEY_IGNORED, .flags = CW_KEY_REFUSED, .doc = "use port."},
};
static const struct cw_table_def table = CW_TABLE("test", keys, struct config);

static const struct cw_flag_def rows[] = {
    {"config", 'c', CW_KEY_STRING, 0, .arg = "FILE", .doc = "Read FILE."},
    {"secret", .kind = CW_KEY_STRING, .show = CW_FLAG_HIDDEN, .doc = "Not shown."},
};
static const struct cw_flag_group group = CW_FLAG_GROUP("Options", rows);
static const struct cw_flag_group *const groups[] = {&group, NULL};
static const struct cw_command_def sub = {
    .name = "prog run", .brief = "runs", .doc = "Runs it.", .groups = groups};
static const struct cw_command_def *const commands[] = {&sub, NULL};
static const struct cw_endpoint_def endpoints[] = {{"GET /ready", "Is it?"}, {NULL, NULL}};
static const struct cw_exit_def exits[] = {{0, "Fine."}, {2, "Wrong usage."}, {0, NULL}};
static const struct cw_example_def examples[] = {{"prog -c x", "An example."}, {NULL, NULL}};
static const struct cw_command_def program = {
    .name = "prog",
    .brief = "a program - for tests",
    .doc = ".Starts with a dot.\n'and a quote' \\ here\n\n  verbatim  text\n",
    .groups = groups,
    .commands = commands,
    .config = &table,
    .endpoints = endpoints,
    .exits = exits,
    .examples = examples,
};

static struct cw_buf out;

static void setup(void)
{
    cw_buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    cw_buf_fini(&out);
}

TestSuite(docs, .init = setup, .fini = teardown);

Test(docs, the_man_page_has_every_section_and_every_row)
{
    static const char *const wants[] = {
        ".TH PROG 1 ",
        "\nprog \\- a program \\- for tests\n",
        ".SH SYNOPSIS\n\\fBprog [FLAG]... COMMAND [ARGUMENT]...\\fR\n",
        ".SH DESCRIPTION\n\\&.Starts with a dot.\n\\&\\(aqand a quote\\(aq \\e here\n.PP\n.nf\n  "
        "verbatim  text\n",
        ".TP\n\\fB\\-c, \\-\\-config FILE\\fR\nRead FILE.\n",
        ".SS prog run [FLAG]...\nRuns it.\n",
        ".TP\n\\fBwal.size\\fR\n(a size such as 64MiB) Begin a new one. At least 1MiB. Default: "
        "64MiB.\n",
        "Wait\\efor the disk. Default: true.\n",
        ".TP\n\\fBrules[].name\\fR\n(text) Its name. Required.\n",
        "Rules with names. The keys are those of rules.\n.TP\n\\fBold",
        "Accepted and ignored: it went.\n",
        "\\fBother\\fR\nNot supported: use port.\n",
        ".SH HTTP ENDPOINTS\n.TP\n\\fBGET /ready\\fR\nIs it?\n",
        ".SH EXIT STATUS\n.TP\n\\fB0\\fR\nFine.\n.TP\n\\fB2\\fR\nWrong usage.\n",
        ".SH EXAMPLES\n.TP\n\\fBprog \\-c x\\fR\nAn example.\n",
    };
    cw_docs_man(&program, &out);
    cr_assert_not(cw_buf_failed(&out));
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        cr_assert_not_null(strstr(cw_buf_z(&out), wants[i]), "%s in:\n%s", wants[i], out.ptr);
    cr_assert_null(strstr(out.ptr, "secret"));
}

Test(docs, no_line_of_the_man_page_is_an_accidental_request)
{
    static const char *const macros[] = {".TH ", ".SH ", ".SS ", ".TP", ".PP", ".nf", ".fi"};
    cw_docs_man(&program, &out);
    struct cw_str text = cw_buf_str(&out), line;
    while (cw_str_split(&text, '\n', &line)) {
        bool known = line.len == 0 || (line.ptr[0] != '.' && line.ptr[0] != '\'');
        for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++)
            known |= cw_str_starts(line, cw_str_of(macros[i]));
        cr_assert(known, "%.*s", CW_STR_ARG(line));
    }
}

Test(docs, the_reference_configuration_loads_to_the_defaults)
{
    struct config config;
    struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    cw_docs_config(&table, &out);
    cr_assert_eq(
        cw_yaml_load_text(cw_buf_str(&out), "ref", &table, NULL, arena, &config, NULL, &err), 0,
        "%s\n%s", err.text, cw_buf_z(&out));
    cr_assert_eq(config.size, 64 << 20);
    cr_assert(config.sync);
    cr_assert_eq(config.hosts.n, 2);
    cr_assert_eq(config.rules.n, 0);
    cw_arena_free(&arena);
}

Test(docs, the_reference_configuration_shows_lists_of_tables)
{
    cw_docs_config(&table, &out);
    cr_assert_not_null(strstr(cw_buf_z(&out), "#rules:\n"
                                              "#  -\n"
                                              "#    # Its name. Required.\n"
                                              "#    name: \"\"\n"
                                              "#    # How often.\n"
                                              "#    every: 1m\n"
                                              "# Rules with names.\n"
                                              "#named:\n"
                                              "#  NAME:\n"
                                              "#    # The keys are those of rules.\n"),
                       "%s", out.ptr);
    cr_assert_null(strstr(out.ptr, "old"));
}
