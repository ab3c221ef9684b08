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
/* The tables whose keys stand in the text already, and where: each is told once, also one that nests itself. */
struct cw_docs_told {
    struct cw_arena *arena;
    struct cw_docs_place {
        const struct cw_table_def *table;
        struct cw_str where;
    } * places;
    size_t n, cap;
};
/* Is the table told already? *where_out is the place; else it is told at `where` from now on. One without keys needs no telling. */
bool cw_docs_told(struct cw_docs_told *told, const struct cw_table_def *table, struct cw_str where,
                  struct cw_str *where_out);

#endif
