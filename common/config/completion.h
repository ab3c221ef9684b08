/*
 * completion.h - completions for shells, made from the tables that the parser reads: subcommands, flags, values.
 */
#ifndef CW_CONFIG_COMPLETION_H
#define CW_CONFIG_COMPLETION_H
#include "common/base/buf.h"
#include "common/config/flags.h"

/* For share/bash-completion/completions; bash 4 or later, needs nothing of bash-completion's. */
void cw_completion_bash(const struct cw_command_def *program, struct cw_buf *out);
/* For share/fish/vendor_completions.d, as NAME.fish. */
void cw_completion_fish(const struct cw_command_def *program, struct cw_buf *out);
/* For a folder of zsh's fpath, as _NAME. */
void cw_completion_zsh(const struct cw_command_def *program, struct cw_buf *out);

#endif
