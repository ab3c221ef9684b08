/*
 * docs.h - --help and man pages, made from the tables that the parsers read.
 */
#ifndef CW_CONFIG_DOCS_H
#define CW_CONFIG_DOCS_H
#include "common/base/buf.h"
#include "common/config/flags.h"

/* Plain text, at most 100 columns. */
void cw_docs_help(const struct cw_command_def *command, struct cw_buf *out);
/* roff with man(7) macros, section 1: flags, subcommands with their flags, configuration keys, HTTP endpoints, exit statuses,
 * examples. */
void cw_docs_man(const struct cw_command_def *command, struct cw_buf *out);
/* The keys of a table as commented YAML: a reference configuration with every default. */
void cw_docs_config(const struct cw_table_def *table, struct cw_buf *out);

#endif
