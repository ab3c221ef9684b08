/*
 * test_command.h - `cordwood-shipper test`: lines of stdin through the pipeline stages of a
 * configuration, shown stage by stage. Nothing is sent or remembered.
 */
#ifndef CW_SHIPPER_TEST_COMMAND_H
#define CW_SHIPPER_TEST_COMMAND_H
#include "common/config/flags.h"

extern const struct cw_command_def cw_test_command;

/* argv without the program's name and the word `test`. Returns the exit status. */
int cw_test_command_run(int argc, char **argv);

#endif
