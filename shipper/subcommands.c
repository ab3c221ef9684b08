#include "shipper/subcommands.h"
#include "shipper/test_command.h"

const struct cw_shipper_subcommand cw_shipper_subcommands[] = {
    {"test", cw_test_command_run},
    {NULL, NULL},
};

const struct cw_command_def *const cw_shipper_subcommand_defs[] = {&cw_test_command, NULL};
