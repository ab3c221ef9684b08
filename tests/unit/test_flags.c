#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/config/docs.h"
#include "common/config/flags.h"

struct args {
    struct cw_str config, addr;
    bool quiet, forward, saw_limit;
    int64_t limit, since_ns, size;
    int output;
    struct cw_config_strings files;
    struct cw_config_map labels;
};

static const char *const outputs[] = {"default", "raw", "jsonl", NULL};
static const struct cw_flag_def common_rows[] = {
    {"config", .kind = CW_KEY_STRING, .offset = offsetof(struct args, config), .arg = "FILE",
     .alias = "config.file cfg", .doc = "Read the configuration from FILE."},
    {"addr", .kind = CW_KEY_STRING, .offset = offsetof(struct args, addr), .arg = "URL",
     .def = "http://localhost:3100", .env = "CW_TEST_ADDR CW_TEST_LOKI_ADDR",
     .doc = "Ask the server at URL."},
    {"quiet", 'q', CW_KEY_BOOL, offsetof(struct args, quiet), .doc = "Say less."},
};
static const struct cw_flag_def query_rows[] = {
    {"forward", 'f', CW_KEY_BOOL, offsetof(struct args, forward), .doc = "Oldest first."},
    {"limit", 'n', CW_KEY_INT, offsetof(struct args, limit), .def = "30", .min = "-3",
     .seen = CW_KEY_AT(struct args, saw_limit), .doc = "At most this many."},
    {"since", .kind = CW_KEY_DURATION, .offset = offsetof(struct args, since_ns), .def = "1h",
     .doc = "How far back."},
    {"size", .kind = CW_KEY_BYTES, .offset = offsetof(struct args, size), .doc = "Hidden.",
     .show = CW_FLAG_HIDDEN},
    {"output", 'o', CW_KEY_ENUM, offsetof(struct args, output), .names = outputs,
     .doc = "Form of the answer."},
    {"file", .kind = CW_KEY_STRINGS, .offset = offsetof(struct args, files), .def = "a,b",
     .arg = "PATH", .doc = "Files."},
    {"label", 'l', CW_KEY_MAP, offsetof(struct args, labels), .arg = "NAME=VALUE",
     .doc = "Labels."},
};
static const struct cw_flag_group common_group = CW_FLAG_GROUP("Common flags", common_rows);
static const struct cw_flag_group query_group = CW_FLAG_GROUP("Query flags", query_rows);
static const struct cw_flag_group *const groups[] = {&common_group, &query_group, NULL};
static const struct cw_exit_def exits[] = {{0, "Results."}, {1, "None."}, {0, NULL}};
static const struct cw_example_def examples[] = {{"cordwood query '{app=\"x\"}'", "All of app x."},
                                                 {NULL, NULL}};
static const struct cw_command_def query = {
    .name = "cordwood query",
    .brief = "ask for entries",
    .arguments = "QUERY",
    .max_args = 2,
    .doc = "Asks a server.\n\nSecond paragraph with a .dot\n.line start and a back\\slash.",
    .groups = groups,
    .exits = exits,
    .examples = examples};
static const struct cw_command_def tail = {
    .name = "cordwood tail", .brief = "follow", .groups = groups, .max_args = 1};
static const struct cw_command_def *const commands[] = {&query, &tail, NULL};
static const struct cw_command_def program = {
    .name = "cordwood", .brief = "the client", .commands = commands, .max_args = 9};
static const struct cw_command_def one_dash = {.name = "shipper",
                                               .brief = "b",
                                               .style = CW_FLAGS_ONE_DASH,
                                               .foreign = "log. label.",
                                               .groups = groups,
                                               .max_args = SIZE_MAX};

static struct cw_arena *arena;
static struct args args;
static struct cw_flags_rest rest;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(flags, .init = setup, .fini = teardown);

/* Words separated by spaces; "''" is an empty one. */
static int parse(const struct cw_command_def *command, const char *line)
{
    char *argv[32], *copy = strdup(line), *save = NULL;
    int argc = 0;
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(w, "''") == 0 ? "" : w;
    int rc = cw_flags_parse(command, argc, argv, arena, &args, &rest, &err);
    free(copy);
    return rc;
}

static void assert_error(const struct cw_command_def *command, const char *line, const char *want)
{
    cr_assert_eq(parse(command, line), CW_E_INVALID, "%s", line);
    cr_assert_str_eq(err.text, want);
}

Test(flags, defaults_stand_where_nothing_is_given)
{
    cr_assert_eq(parse(&query, ""), 0);
    cr_assert_eq(rest.action, CW_FLAGS_RUN);
    cr_assert_eq(rest.nargs, 0);
    cr_assert_str_eq(args.config.ptr, "");
    cr_assert_str_eq(args.addr.ptr, "http://localhost:3100");
    cr_assert_eq(args.limit, 30);
    cr_assert_not(args.saw_limit);
    cr_assert_eq(args.since_ns, INT64_C(3600000000000));
    cr_assert_eq(args.files.n, 2);
    cr_assert_str_eq(args.files.items[1].ptr, "b");
}

Test(flags, every_form_is_read)
{
    cr_assert_eq(
        parse(&query,
              "--limit 5 x --since=2h -qf -o raw -ljob=a=b --label=z= -l job=c --config=c.yml"),
        0, "%s", err.text);
    cr_assert_eq(args.limit, 5);
    cr_assert(args.saw_limit);
    cr_assert_eq(args.since_ns, INT64_C(7200000000000));
    cr_assert(args.quiet && args.forward);
    cr_assert_eq(args.output, 1);
    cr_assert_eq(args.labels.n, 2);
    cr_assert_str_eq(args.labels.items[0].name.ptr, "job");
    cr_assert_str_eq(args.labels.items[0].value.ptr, "c");
    cr_assert_str_eq(args.labels.items[1].value.ptr, "");
    cr_assert_eq(rest.nargs, 1);
    cr_assert_eq(parse(&query, "-n7 -n=8 -qn9 --config ''"), 0, "%s", err.text);
    cr_assert_eq(args.limit, 9);
    cr_assert(args.quiet);
}

Test(flags, lists_replace_their_default_and_grow)
{
    cr_assert_eq(parse(&query, "--file x --file=y --file z"), 0);
    cr_assert_eq(args.files.n, 3);
    cr_assert_str_eq(args.files.items[0].ptr, "x");
    cr_assert_str_eq(args.files.items[2].ptr, "z");
}

Test(flags, switches_can_be_turned_off)
{
    cr_assert_eq(parse(&query, "--quiet --no-quiet"), 0);
    cr_assert_not(args.quiet);
    cr_assert_eq(parse(&query, "--quiet=false -f"), 0);
    cr_assert(!args.quiet && args.forward);
    assert_error(&query, "--no-limit", "unknown flag --no-limit; --help lists them");
    assert_error(&query, "--no-quiet=x", "--no-quiet takes no value");
}

Test(flags, a_double_dash_ends_flags_and_a_dash_is_an_argument)
{
    cr_assert_eq(parse(&query, "- -- --limit"), 0);
    cr_assert_eq(rest.nargs, 2);
    cr_assert_str_eq(rest.args[0].ptr, "-");
    cr_assert_str_eq(rest.args[1].ptr, "--limit");
    assert_error(&query, "a b c", "unexpected argument \"c\"");
}

Test(flags, unknown_flags_name_the_nearest)
{
    assert_error(&query, "--lmit 5", "unknown flag --lmit; did you mean --limit?");
    assert_error(&query, "--forwrd=1", "unknown flag --forwrd; did you mean --forward?");
    assert_error(&query, "--zebra", "unknown flag --zebra; --help lists them");
    assert_error(&query, "-x", "unknown flag -x; --help lists them");
    assert_error(&query, "-qx", "unknown flag -qx; --help lists them");
}

Test(flags, bad_values_name_the_flag)
{
    assert_error(&query, "--limit", "--limit wants a value behind it");
    assert_error(&query, "--config", "--config wants FILE behind it");
    assert_error(&query, "--limit x", "--limit: \"x\" is not a whole number");
    assert_error(&query, "-n -5", "-n: -5 is less than -3");
    assert_error(&query, "--output=xml", "--output: \"xml\" is none of default, raw, jsonl");
    assert_error(&query, "--label x", "--label: \"x\" is not NAME=VALUE");
    assert_error(&query, "--label =x", "--label: \"=x\" is not NAME=VALUE");
}

Test(flags, one_dash_serves_for_long_names_where_allowed)
{
    cr_assert_eq(parse(&one_dash, "-config.file=p.yml -limit 4 -q --cfg x -qf -n3"), 0, "%s",
                 err.text);
    cr_assert_str_eq(args.config.ptr, "x");
    cr_assert_eq(args.limit, 3);
    cr_assert(args.quiet && args.forward);
    assert_error(&one_dash, "-confg.file x", "unknown flag -confg.file; --help lists them");
    cr_assert_eq(parse(&one_dash, "-lab=x"), 0); /* -l ab=x */
    cr_assert_str_eq(args.labels.items[0].name.ptr, "ab");
    assert_error(&one_dash, "-log.level=x", "unknown flag -log.level; --help lists them");
    assert_error(&one_dash, "-label.x=y", "unknown flag -label.x; did you mean --label?");
    assert_error(&query, "-config.file x", "unknown flag -config.file; --help lists them");
    cr_assert_eq(parse(&one_dash, "-help"), 0);
    cr_assert_eq(rest.action, CW_FLAGS_HELP);
}

Test(flags, help_version_and_man_stop_the_parsing)
{
    cr_assert_eq(parse(&query, "--help --zebra"), 0);
    cr_assert_eq(rest.action, CW_FLAGS_HELP);
    cr_assert_eq(parse(&query, "-qh"), 0);
    cr_assert_eq(rest.action, CW_FLAGS_HELP);
    cr_assert_eq(parse(&query, "a --version"), 0);
    cr_assert_eq(rest.action, CW_FLAGS_VERSION);
    cr_assert_eq(parse(&query, "--man"), 0);
    cr_assert_eq(rest.action, CW_FLAGS_MAN);
}

Test(flags, completions_name_a_shell_and_belong_to_whole_programs)
{
    static const struct cw_command_def sub = {.name = "prog sub"};
    cr_assert_eq(parse(&one_dash, "--completion bash"), 0, "%s", err.text);
    cr_assert_eq(rest.action, CW_FLAGS_BASH);
    cr_assert_eq(parse(&one_dash, "--completion=zsh"), 0, "%s", err.text);
    cr_assert_eq(rest.action, CW_FLAGS_ZSH);
    cr_assert_eq(parse(&one_dash, "--completion fish"), 0, "%s", err.text);
    cr_assert_eq(rest.action, CW_FLAGS_FISH);
    assert_error(&one_dash, "--completion", "--completion wants bash, fish or zsh behind it");
    assert_error(&one_dash, "--completion=csh", "--completion wants bash, fish or zsh behind it");
    assert_error(&sub, "--completion bash", "unknown flag --completion; --help lists them");
}

Test(flags, the_reference_configuration_is_there_where_a_program_has_one)
{
    static const struct cw_key_def keys[] = {{"key", CW_KEY_IGNORED, .doc = "Nothing."}};
    static const struct cw_table_def table = {.name = "table", .keys = keys, .nkeys = 1, .size = 1};
    static const struct cw_command_def configured = {.name = "prog", .config = &table};
    cr_assert_eq(parse(&configured, "--reference-config"), 0, "%s", err.text);
    cr_assert_eq(rest.action, CW_FLAGS_REFERENCE_CONFIG);
    assert_error(&query, "--reference-config",
                 "unknown flag --reference-config; --help lists them");
}

Test(flags, the_environment_serves_where_no_flag_is_given)
{
    setenv("CW_TEST_LOKI_ADDR", "http://second", 1);
    cr_assert_eq(parse(&query, ""), 0);
    cr_assert_str_eq(args.addr.ptr, "http://second");
    setenv("CW_TEST_ADDR", "http://first", 1);
    cr_assert_eq(parse(&query, ""), 0);
    cr_assert_str_eq(args.addr.ptr, "http://first");
    cr_assert_eq(parse(&query, "--addr http://flag"), 0);
    cr_assert_str_eq(args.addr.ptr, "http://flag");
}

Test(flags, subcommands_are_found_and_near_misses_named)
{
    cr_assert_eq(cw_flags_command(&program, "tail", &err), &tail);
    cr_assert_null(cw_flags_command(&program, "tial", &err));
    cr_assert_str_eq(err.text, "unknown command \"tial\"; did you mean \"cordwood tail\"?");
    cr_assert_null(cw_flags_command(&program, "zebra", &err));
    cr_assert_str_eq(err.text, "unknown command \"zebra\"; cordwood --help lists them");
}

Test(flags, help_shows_what_the_tables_hold_and_fits_the_line)
{
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cw_docs_help(&query, &out);
    const char *help = cw_buf_z(&out);
    cr_assert_eq(strncmp(help, "Usage: cordwood query [FLAG]... QUERY\n\nAsks a server.\n", 54), 0,
                 "%s", help);
    static const char *const wants[] = {
        "\nCommon flags:\n", "      --config FILE ",        "  -q, --quiet ",
        "Default: 30.",      "One of default, raw, jsonl.", "CW_TEST_ADDR, CW_TEST_LOKI_ADDR.",
        "May be repeated.",  "Also --config.file, --cfg.",  "At least -3.",
        "  1  None.\n"};
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        cr_assert_not_null(strstr(help, wants[i]), "%s in:\n%s", wants[i], help);
    cr_assert_null(strstr(help, "--size"));
    struct cw_str text = cw_buf_str(&out), line;
    while (cw_str_split(&text, '\n', &line))
        cr_assert_leq(line.len, 100, "%.*s", CW_STR_ARG(line));
    cw_buf_clear(&out);
    cw_docs_help(&program, &out);
    cr_assert_not_null(strstr(cw_buf_z(&out), "\n  query             ask for entries\n"), "%s",
                       cw_buf_z(&out));
    cw_buf_fini(&out);
}
