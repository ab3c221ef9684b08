/*
 * subcommands.h - the subcommands of cordwood-shipper: its first word, if it is one of these. A file of
 * that name is shipped as ./NAME.
 */
#ifndef CW_SHIPPER_SUBCOMMANDS_H
#define CW_SHIPPER_SUBCOMMANDS_H
#include "common/config/flags.h"

struct cw_shipper_subcommand {
    const char *word;
    int (*run)(int argc,
               char **argv); /* without the program's name and the word; the exit status */
};
/* Ended by a word NULL. */
extern const struct cw_shipper_subcommand cw_shipper_subcommands[];
/* The same for --help, man page and completions. */
extern const struct cw_command_def *const cw_shipper_subcommand_defs[];

#endif
