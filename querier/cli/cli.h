/*
 * cli.h - what the subcommands of `cordwood` share: flags, the server they ask, and how a failure is told.
 *
 * A subcommand is a row in commands.c: its cw_command_def (flags, help) and its function, in cmd_<name>.c. Flags of all
 * subcommands fill one struct, so that a flag means the same everywhere.
 *
 * Errors     A command returns an exit status: 0 results, 1 none, 2 usage, 3 query or server error, 4 an answer that
 *            may miss something; it printed the sentence.
 */
#ifndef CW_CLI_CLI_H
#define CW_CLI_CLI_H
#include <stdatomic.h>
#include "common/base/arena.h"
#include "common/config/flags.h"
#include "common/labels/labels.h"

enum cw_exit {
    CW_EXIT_RESULTS = 0,
    CW_EXIT_NOTHING = 1, /* 2: CW_EXIT_USAGE */
    CW_EXIT_ERROR = 3,
    CW_EXIT_WARNED = 4
};
enum cw_cli_output { CW_CLI_OUTPUT_DEFAULT, CW_CLI_OUTPUT_RAW, CW_CLI_OUTPUT_JSONL };
/* auto: on a terminal */
enum cw_cli_when { CW_CLI_WHEN_AUTO, CW_CLI_WHEN_ALWAYS, CW_CLI_WHEN_NEVER };
enum cw_cli_switch { CW_CLI_OFF, CW_CLI_ON };
enum cw_cli_zone { CW_CLI_ZONE_LOCAL, CW_CLI_ZONE_UTC };

struct cw_cli_args {
    /* instead of a server */
    struct cw_str data_dir;
    bool has_data_dir; /* given, if only as "" */
    bool has_since, has_from, has_to, has_now;
    struct cw_config_strings files;
    bool use_stdin;
    /* server */
    struct cw_str addr, org_id, username, password, bearer_token, ca_file, cert_file, key_file,
        proxy_url;
    bool tls_skip_verify;
    int64_t timeout_ns;
    /* time */
    struct cw_str since, from, to, now;
    /* query */
    int64_t limit, batch, step_ns, delay_for_ns;
    bool has_limit;
    bool forward, quiet, explain, analyze;
    int extensions; /* enum cw_cli_switch */
    /* volume, detected-fields */
    struct cw_str target_labels;
    bool by_label;
    int64_t line_limit;
    /* output */
    int output, colour, escape, zone;
    bool no_labels;
    struct cw_config_strings include_labels, exclude_labels;
    int64_t labels_length;
    /* push, files */
    struct cw_config_map labels;
    /* delete */
    bool force;
    /* metrics */
    struct cw_str config, listen, listen_file;
    bool once;
    /* fsck */
    bool repair;
};

/* One run of a subcommand. */
struct cw_cli {
    const struct cw_cli_args *args;
    const struct cw_str *rest; /* the arguments that are no flags, each ended by NUL */
    size_t nrest;
    struct cw_arena *arena;    /* for as long as the program runs */
    const atomic_bool *cancel; /* raised: a request under way ends; NULL: none is ended */
};

struct cw_cli_command {
    const struct cw_command_def *def;
    int (*run)(struct cw_cli *cli);
};
/* The only list of subcommands, ended by def NULL (commands.c). */
extern const struct cw_cli_command cw_cli_commands[];

int cw_cmd_query(struct cw_cli *cli);
int cw_cmd_instant_query(struct cw_cli *cli);
int cw_cmd_tail(struct cw_cli *cli);
int cw_cmd_labels(struct cw_cli *cli);
int cw_cmd_series(struct cw_cli *cli);
int cw_cmd_stats(struct cw_cli *cli);
int cw_cmd_volume(struct cw_cli *cli);
int cw_cmd_patterns(struct cw_cli *cli);
int cw_cmd_detected_fields(struct cw_cli *cli);
int cw_cmd_export(struct cw_cli *cli);
int cw_cmd_push(struct cw_cli *cli);
int cw_cmd_delete(struct cw_cli *cli);
int cw_cmd_fmt(struct cw_cli *cli);
int cw_cmd_metrics(struct cw_cli *cli);
int cw_cmd_inspect(struct cw_cli *cli);
int cw_cmd_fsck(struct cw_cli *cli);
int cw_cmd_snapshot(struct cw_cli *cli);

/* The dialect of queries that --extensions says (enum cw_logql_dialect). */
unsigned cw_cli_dialect(const struct cw_cli_args *args);
/* --label NAME=VALUE ...; CW_E_INVALID. */
int cw_cli_labels(struct cw_cli *cli, struct cw_labels *out, struct cw_err *err) CW_MUST_USE;
/* Print "cordwood: <sentence>" to stderr; returns the status for its code (CW_E_INVALID of our own making is usage: pass CW_EXIT_USAGE). */
int cw_cli_fail(const struct cw_err *err, int status);
/* Print "1 part", "2 parts" to standard output. */
void cw_cli_print_count(uint64_t n, const char *one, const char *many);

#endif
