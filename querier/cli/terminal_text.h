/*
 * terminal_text.h - lines of a log on a terminal: what it would take for a command, and not for text, is escaped.
 */
#ifndef CW_CLI_TERMINAL_TEXT_H
#define CW_CLI_TERMINAL_TEXT_H
#include <stdbool.h>
#include "common/base/buf.h"
#include "common/base/str.h"
#include "querier/cli/cli.h"

/* Is it wanted on standard output? */
bool cw_terminal_text_wanted(enum cw_cli_when when);
/* Append the text with control characters (but tab and newline) and bytes that are no UTF-8 as \xNN. */
void cw_terminal_text_add(struct cw_str text, struct cw_buf *out);

#endif
