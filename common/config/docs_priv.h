/*
 * docs_priv.h - what help text and man page have in common.
 */
#ifndef CW_CONFIG_DOCS_PRIV_H
#define CW_CONFIG_DOCS_PRIV_H
#include "common/config/docs.h"
#include "common/config/value.h"

void cw_docs_synopsis(const struct cw_command_def *command, struct cw_buf *out);
/* "-l, --label NAME=VALUE" */
void cw_docs_flag_forms(const struct cw_flag_def *flag, struct cw_buf *out);
/* The row's doc and what its other columns say. */
void cw_docs_flag_text(const struct cw_flag_def *flag, struct cw_buf *out);
/* " From 1MiB to 1GiB. Default: 64MiB." */
void cw_docs_facts(const struct cw_value_rule *rule, const char *def, const char *env,
                   struct cw_buf *out);
/* The key of `table` above `key` whose table is the same, so that its keys need no second list; or NULL. */
const struct cw_key_def *cw_docs_same_keys(const struct cw_table_def *table,
                                           const struct cw_key_def *key);
/* The tables that the walk is within, innermost first. */
struct cw_docs_within {
    const struct cw_docs_within *up;
    const struct cw_table_def *table;
};
/* Does the key nest a table that it stands within? */
bool cw_docs_nests_itself(const struct cw_docs_within *within, const struct cw_key_def *key);

#endif
