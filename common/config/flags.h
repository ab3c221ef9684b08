/*
 * flags.h - the command line of a program or subcommand, from tables: parser, --help, man page, completions for
 * shells and "did you mean".
 *
 *   static const struct cw_flag_def flag_rows[] = {
 *       {"config", .kind = CW_KEY_STRING, .offset = offsetof(struct args, config), .arg = "FILE",
 *        .alias = "config.file", .doc = "Read the configuration from FILE."},
 *       {"label", 'l', CW_KEY_MAP, offsetof(struct args, labels), .arg = "NAME=VALUE", .doc = "..."},
 *   };
 *   static const struct cw_flag_group options = CW_FLAG_GROUP("Options", flag_rows);
 *   static const struct cw_flag_group *const groups[] = {&options, NULL};
 *   static const struct cw_command_def command = {.name = "cordwood-shipper", .groups = groups, ...};
 *
 *   switch (cw_flags_parse(&command, argc - 1, argv + 1, arena, &args, &rest, &err)) ...
 *
 * Forms      --x v, --x=v, -x v, -xv, -abc (switches), --no-x for a switch, "--" ends flags, "-" is an argument.
 *            With CW_FLAGS_ONE_DASH -x.y=v too. Flags and arguments may mix. A repeated flag: lists and maps grow
 *            (a default is replaced), the last one wins elsewhere. --help and --version are always there.
 * Ownership  Text from argv is copied into the arena.
 * Errors     CW_E_INVALID; the caller prints the sentence to stderr and exits with 2 (CW_EXIT_USAGE).
 */
#ifndef CW_CONFIG_FLAGS_H
#define CW_CONFIG_FLAGS_H
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/config/schema.h"

enum { CW_EXIT_USAGE = 2 };

enum cw_flag_show { CW_FLAG_SHOWN, CW_FLAG_HIDDEN /* works, but --help and man page are silent */ };

struct cw_flag_def {
    const char *name;      /* without dashes */
    char shortname;        /* 0: none */
    enum cw_key_kind kind; /* STRING .. MAP; BOOL is a switch */
    size_t offset;         /* as in cw_key_def */
    const char *arg;       /* how help names the argument: "FILE" */
    const char *def;       /* as a user writes it; STRINGS: split at commas */
    const char *min, *max;
    const char *const *names; /* ENUM */
    const char *alias;        /* other long names, separated by spaces: "config.file" */
    /* Environment variables, separated by spaces; the first that is set is used when the flag is not given. */
    const char *env;
    size_t seen; /* CW_KEY_AT(type, member): a bool, true when the flag was given (not by `env`) */
    enum cw_flag_show show;
    const char *doc;
};

struct cw_flag_group {
    const char *title;
    const struct cw_flag_def *flags;
    size_t n;
};
#define CW_FLAG_GROUP(group_title, rows)                                                           \
    {                                                                                              \
        .title = (group_title), .flags = (rows), .n = sizeof(rows) / sizeof((rows)[0])             \
    }

enum cw_flags_style { CW_FLAGS_GNU, CW_FLAGS_ONE_DASH };

struct cw_exit_def {
    int status;
    const char *doc;
};
struct cw_endpoint_def {
    const char *name; /* "GET, HEAD /ready" */
    const char *doc;
};
struct cw_example_def {
    const char *command;
    const char *doc;
};

struct cw_command_def {
    const char *name;      /* "cordwood-ingester", "cordwood query" */
    const char *brief;     /* one line without a full stop, for NAME and the list of subcommands */
    const char *arguments; /* behind the flags in the synopsis: "[PATH]..."; NULL: none */
    size_t min_args, max_args;                 /* SIZE_MAX: no bound */
    const char *doc;                           /* paragraphs, an empty line between them */
    const struct cw_flag_group *const *groups; /* ended by NULL; may be NULL */
    enum cw_flags_style style;
    /* ONE_DASH: how flags of another program begin, words with spaces between: no such word is short flags. NULL: none are known. */
    const char *foreign;
    const struct cw_command_def *const *commands; /* subcommands, ended by NULL; may be NULL */
    const struct cw_table_def *config;            /* keys for the man page; may be NULL */
    const struct cw_endpoint_def
        *endpoints;                        /* of its HTTP server; ended by name NULL; may be NULL */
    const struct cw_exit_def *exits;       /* ended by doc NULL; may be NULL */
    const struct cw_example_def *examples; /* ended by command NULL; may be NULL */
};

enum cw_flags_action {
    CW_FLAGS_RUN,
    CW_FLAGS_HELP,    /* print cw_docs_help() (docs.h) to stdout, exit 0 */
    CW_FLAGS_VERSION, /* print name and version, exit 0 */
    /* Hidden; the build makes what it installs with them. */
    CW_FLAGS_MAN, /* --man: print cw_docs_man(), exit 0 */
    CW_FLAGS_BASH, /* --completion bash: print cw_completion_bash() (completion.h), exit 0; programs only */
    CW_FLAGS_FISH, /* --completion fish */
    CW_FLAGS_ZSH,  /* --completion zsh */
    CW_FLAGS_REFERENCE_CONFIG, /* --reference-config: print cw_docs_config() of .config, exit 0; where there is one */
};

struct cw_flags_rest {
    enum cw_flags_action action; /* other than RUN: the rest was not parsed, nothing else is set */
    struct cw_str *args;         /* what are no flags, each ended by NUL */
    size_t nargs;
};

/* argv without the program's (and the subcommand's) name. `out` is filled with the defaults first. */
int cw_flags_parse(const struct cw_command_def *command, int argc, char *const *argv,
                   struct cw_arena *arena, void *out, struct cw_flags_rest *rest,
                   struct cw_err *err) CW_MUST_USE;
/* The subcommand that argv[0] names; NULL with an error that names the nearest one. */
const struct cw_command_def *cw_flags_command(const struct cw_command_def *program,
                                              const char *word, struct cw_err *err);
/* Print what --help, --version and the like asked for to stdout; 0, or 1 for CW_FLAGS_RUN (nothing printed). */
int cw_flags_answer(const struct cw_command_def *command, const struct cw_flags_rest *rest);

#endif
