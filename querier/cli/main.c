/* cordwood - query a server's logs, export them, and make metrics of them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "common/base/log.h"
#include "querier/cli/cli.h"

static const struct cw_exit_def exits[] = {
    {CW_EXIT_RESULTS, "There were results."},
    {CW_EXIT_NOTHING, "The query was answered, and nothing matched."},
    {CW_EXIT_USAGE, "The command line, or a configuration file that it names, is wrong."},
    {CW_EXIT_ERROR,
     "The query is wrong, the server could not be asked or refused a line, or a file "
     "could not be read whole."},
    {CW_EXIT_WARNED,
     "The query was answered, but with a warning: the answer may not be whole (blocks "
     "are damaged, parts or a piece of the log are missing, or the server is still starting)."},
    {0, NULL},
};

static const struct cw_example_def examples[] = {
    {"cordwood query --since 2h '{app=\"web\"} |= \"error\"'",
     "Lines of the last two hours, newest first."},
    {"cordwood query -o raw --limit 0 '{app=\"web\"}' > web.log",
     "All lines of the last hour, as they came."},
    {"cordwood tail '{app=\"web\"} | json | status >= 500'", "Failures, as they happen."},
    {"cordwood instant-query 'sum by (app) (rate({env=\"prod\"}[5m]))'", "A metric, now."},
    {0},
};

int cw_cli_fail(const struct cw_err *err, int status)
{
    fflush(stdout);
    fprintf(stderr, "cordwood: %s\n", err->text);
    return status;
}

/* The rows of the table as the list that help and man pages read. */
static const struct cw_command_def *const *definitions(struct cw_arena *arena)
{
    size_t n = 0;
    while (cw_cli_commands[n].def)
        n++;
    const struct cw_command_def **defs =
        CW_ARENA_ARRAY(arena, const struct cw_command_def *, n + 1);
    for (size_t i = 0; i < n; i++)
        defs[i] = cw_cli_commands[i].def;
    return defs;
}

static int run_command(const struct cw_command_def *def, int argc, char **argv,
                       struct cw_arena *arena)
{
    struct cw_err err = {0};
    struct cw_cli_args args = {0};
    struct cw_flags_rest rest;
    if (cw_flags_parse(def, argc, argv, arena, &args, &rest, &err) < 0) {
        cw_cli_fail(&err, CW_EXIT_USAGE);
        fprintf(stderr, "Try '%s --help'.\n", def->name);
        return CW_EXIT_USAGE;
    }
    if (cw_flags_answer(def, &rest) == 0)
        return 0;
    struct cw_cli cli = {.args = &args, .rest = rest.args, .nrest = rest.nargs, .arena = arena};
    for (const struct cw_cli_command *command = cw_cli_commands; command->def; command++) {
        if (command->def == def)
            return command->run(&cli);
    }
    return CW_EXIT_USAGE;
}

/* How many words this flag of a command takes, here beginning with `word`; 0: `word` is not this flag. */
static int words_of_flag(const struct cw_flag_def *flag, const char *word)
{
    bool is_switch = flag->kind == CW_KEY_BOOL;
    if (word[1] != '-') {
        bool same = flag->shortname && word[1] == flag->shortname;
        return !same ? 0 : is_switch || word[2] ? 1 : 2;
    }
    size_t len = strlen(flag->name);
    if (strncmp(word + 2, flag->name, len) != 0)
        return 0;
    return word[2 + len] == '=' ? 1 : word[2 + len] ? 0 : is_switch ? 1 : 2;
}

static bool is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

static int words_of(const char *word)
{
    if (is_help(word))
        return 1;
    for (const struct cw_cli_command *command = cw_cli_commands; command->def; command++) {
        const struct cw_flag_group *const *group = command->def->groups;
        for (; group && *group; group++) {
            for (size_t i = 0; i < (*group)->n; i++) {
                int n = words_of_flag(&(*group)->flags[i], word);
                if (n > 0)
                    return n;
            }
        }
    }
    return 0;
}

/* Where the command is: its flags may come before it, as with logcli. argc when there is none, or another flag. */
static int command_at(int argc, char **argv)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-') {
        int n = words_of(argv[at]);
        if (n == 0)
            return argc;
        at += n;
    }
    return at < argc ? at : argc;
}

/* Behind the command all flags are the same: move the ones before it there. Returns the number of words in `out`. */
static int flags_behind(int at, int argc, char **argv, char **out)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (i != at)
            out[n++] = argv[i];
    }
    return n;
}

static int run(int argc, char **argv, struct cw_arena *arena)
{
    const struct cw_command_def program = {
        .name = "cordwood",
        .brief = "search logs and derive metrics from them, with LogQL",
        .arguments = "COMMAND [ARGUMENT]...",
        .max_args = SIZE_MAX,
        .doc =
            "Asks a cordwood ingester, or any server with Loki's HTTP API.\n\n"
            "The server is --addr, else CORDWOOD_ADDR, else LOKI_ADDR, else http://127.0.0.1:3100. "
            "Output is coloured on a terminal, unless NO_COLOR is set.",
        .commands = definitions(arena),
        .exits = exits,
        .examples = examples,
    };
    struct cw_err err = {0};
    bool for_a_shell =
        argc > 1 && strcmp(argv[1], "--completion") == 0; /* the next word is its name */
    int at = for_a_shell ? argc : command_at(argc, argv);
    if (at < argc && strcmp(argv[at], "help") == 0) { /* `help` and `help COMMAND` are --help */
        argv[at] = "--help";
        at = command_at(argc, argv);
    }
    if (at < argc) {
        const struct cw_command_def *def = cw_flags_command(&program, argv[at], &err);
        if (!def)
            return cw_cli_fail(&err, CW_EXIT_USAGE);
        char **words = CW_ARENA_ARRAY(arena, char *, (size_t)argc);
        return run_command(def, flags_behind(at, argc, argv, words), words, arena);
    }
    struct cw_flags_rest rest;
    struct cw_cli_args args;
    /* Known, but not without a command. */
    bool of_a_command = argc > 1 && argv[1][0] == '-' && !is_help(argv[1]) && words_of(argv[1]) > 0;
    if (!of_a_command &&
        cw_flags_parse(&program, argc - 1, argv + 1, arena, &args, &rest, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    if (!of_a_command && cw_flags_answer(&program, &rest) == 0)
        return 0;
    fprintf(stderr, "cordwood: which command? Try 'cordwood --help'.\n");
    return CW_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_DFL); /* `cordwood query ... | head` ends in silence */
    cw_log_init(CW_LOG_WARN, CW_LOG_LOGFMT);
    struct cw_arena *arena = cw_arena_new();
    int status = run(argc, argv, arena);
    cw_arena_free(&arena);
    if (fflush(stdout) != 0 && status < CW_EXIT_USAGE) {
        perror("cordwood: writing the output");
        status = CW_EXIT_ERROR;
    }
    return status;
}
