#include "shipper/subcommands.h"
#include "shipper/state_commands.h"
#include "shipper/test_command.h"

const struct cw_shipper_subcommand cw_shipper_subcommands[] = {
    {"audit", cw_audit_command_run},
    {"resend", cw_resend_command_run},
    {"test", cw_test_command_run},
    {NULL, NULL},
};

const struct cw_command_def *const cw_shipper_subcommand_defs[] = {
    &cw_audit_command, &cw_resend_command, &cw_test_command, NULL};
