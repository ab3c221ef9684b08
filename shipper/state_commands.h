/*
 * state_commands.h - the subcommands on a shipper's state: `resend` and `audit`.
 */
#ifndef CW_SHIPPER_STATE_COMMANDS_H
#define CW_SHIPPER_STATE_COMMANDS_H
#include "common/config/flags.h"

extern const struct cw_command_def cw_resend_command, cw_audit_command;
/* Without the program's name and the word; the exit status. */
int cw_resend_command_run(int argc, char **argv);
int cw_audit_command_run(int argc, char **argv);

#endif
