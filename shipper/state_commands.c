#include "shipper/state_commands.h"
#include <signal.h>
#include <stdio.h>
#include "common/base/log.h"
#include "shipper/audit.h"
#include "shipper/resend.h"

struct subcommand_args {
    struct cw_shipper_args common;
    bool json;
};

#define ARG(member) offsetof(struct subcommand_args, member)
static const struct cw_flag_def state_flags[] = {
    {"config", 'c', CW_KEY_STRING, ARG(common.config), .arg = "FILE", .alias = "config.file",
     .doc = "The shipper's configuration: its clients, and where its state is."},
    {"config.expand-env", 0, CW_KEY_BOOL, ARG(common.expand_env), .def = "false",
     .doc = "Expand environment variables in it as promtail does: ${VAR}, ${VAR:-default} and the "
            "other operators of its envsubst. Then a backslash is written \\\\."},
    {"state-dir", 0, CW_KEY_STRING, ARG(common.state_dir), .arg = "DIR",
     .doc = "Without a configuration: the folder of the shipper's state; default: "
            "$XDG_STATE_HOME/cordwood, else /var/lib/cordwood-shipper."},
};
static const struct cw_flag_def push_flags[] = {
    {"push", 'p', CW_KEY_STRING, ARG(common.push), .arg = "URL",
     .doc = "Without a configuration: where to push."},
    {"tenant", 0, CW_KEY_STRING, ARG(common.tenant), .arg = "ID",
     .doc = "Push as this tenant (X-Scope-OrgID)."},
};
static const struct cw_flag_def json_flags[] = {
    {"json", 0, CW_KEY_BOOL, ARG(json), .def = "false", .doc = "Print one JSON object."},
};
static const struct cw_flag_group state_group = CW_FLAG_GROUP("State", state_flags);
static const struct cw_flag_group push_group = CW_FLAG_GROUP("Server", push_flags);
static const struct cw_flag_group json_group = CW_FLAG_GROUP("Output", json_flags);
static const struct cw_flag_group *const resend_groups[] = {&state_group, &push_group, NULL};
static const struct cw_flag_group *const audit_groups[] = {&state_group, &json_group, NULL};

static const struct cw_exit_def resend_exits[] = {
    {0, "All letters arrived, or there were none."},
    {1, "Some were refused again, or their server cannot be reached: they are kept."},
    {2, "Wrong usage or configuration."},
    {0, NULL},
};
static const struct cw_exit_def audit_exits[] = {
    {0, "Nothing was refused, nothing is missing."},
    {1, "Something was refused or is missing, or the state cannot be read."},
    {2, "Wrong usage or configuration."},
    {0, NULL},
};

const struct cw_command_def cw_resend_command = {
    .name = "cordwood-shipper resend",
    .brief = "push once more what a server refused",
    .arguments = "[FILE]...",
    .max_args = SIZE_MAX,
    .doc =
        "What a server refuses for good is in the file of dead letters beside the positions. "
        "This pushes it once more, each letter to the client of its name (with a single client "
        "all to that), and keeps what is refused again, in its file. Without FILE it takes what the "
        "shipper wrote, which may go on running. It may be interrupted and run again: into "
        "cordwood each letter comes once, into other servers at least once.",
    .groups = resend_groups,
    .style = CW_FLAGS_ONE_DASH,
    .exits = resend_exits,
};
const struct cw_command_def cw_audit_command = {
    .name = "cordwood-shipper audit",
    .brief = "tell what became of all lines, and what is missing",
    .max_args = 0,
    .doc =
        "For each file: how far it is settled (of a compressed one in bytes of its text), how many lines were read, joined, dropped and by "
        "which stage, left out, sent, acknowledged and refused, and which bytes are missing (a log "
        "that was truncated before it was read). Once all is settled it adds up for each client: "
        "read (and made more, of one line) = joined to another's entry + dropped + left out + "
        "acknowledged + refused. What a server had stored before a kill (or behind an answer that "
        "was lost), and the ledger had not, is told in bytes as there already: it is not read once "
        "more, and the counts of lines lack it. It reads the shipper's state; while the shipper "
        "runs and serves HTTP, it asks that.",
    .groups = audit_groups,
    .style = CW_FLAGS_ONE_DASH,
    .exits = audit_exits,
};

/* Flags and configuration; false: *status is the program's. */
static bool prepare(const struct cw_command_def *command, int argc, char **argv,
                    struct cw_arena *arena, struct subcommand_args *args,
                    struct cw_shipper_config *config, struct cw_flags_rest *rest, int *status)
{
    struct cw_err err = {0};
    *status = CW_EXIT_USAGE;
    if (cw_flags_parse(command, argc, argv, arena, args, rest, &err) < 0 ||
        (rest->action == CW_FLAGS_RUN &&
         cw_shipper_config_of_state(&args->common, arena, config, &err) < 0)) {
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
        return false;
    }
    if (rest->action != CW_FLAGS_RUN) {
        *status = cw_flags_answer(command, rest);
        return false;
    }
    cw_log_init((enum cw_log_level)config->server.log_level,
                (enum cw_log_format)config->server.log_format);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

int cw_resend_command_run(int argc, char **argv)
{
    struct cw_arena *arena = cw_arena_new();
    struct subcommand_args args = {0};
    struct cw_shipper_config config = {0};
    struct cw_flags_rest rest = {0};
    int status;
    if (prepare(&cw_resend_command, argc, argv, arena, &args, &config, &rest, &status)) {
        if (config.clients.n > 0)
            status = cw_resend_run(&config, rest.args, rest.nargs);
        else
            fprintf(stderr,
                    "cordwood-shipper: --config FILE or --push URL is needed (see --help)\n");
    }
    cw_arena_free(&arena);
    return status;
}

int cw_audit_command_run(int argc, char **argv)
{
    struct cw_arena *arena = cw_arena_new();
    struct subcommand_args args = {0};
    struct cw_shipper_config config = {0};
    struct cw_flags_rest rest = {0};
    int status;
    if (prepare(&cw_audit_command, argc, argv, arena, &args, &config, &rest, &status))
        status = cw_audit_run(&config, args.json);
    cw_arena_free(&arena);
    return status;
}
