/*
 * local_query.h - `cordwood query` and `instant-query` without a server: over a data directory, or over log files and standard
 * input, with the server's engine.
 *
 * A query of files may leave its selector out, or say `{}`: every file. All time is asked for, and every entry, unless flags say
 * otherwise.
 *
 * Memory     CW_LOCAL_QUERY_BYTES for what the query itself gathers, beside what data_dir.h and files_source.h say.
 */
#ifndef CW_CLI_LOCAL_QUERY_H
#define CW_CLI_LOCAL_QUERY_H
#include <stdbool.h>
#include "querier/cli/cli.h"

#define CW_LOCAL_QUERY_BYTES ((size_t)1 << 30)

/* Do the flags name what stands for a server, or speak of it? */
bool cw_cli_is_local(const struct cw_cli_args *args);
/* Exit statuses: files that could not be read whole are CW_EXIT_ERROR, whatever the others gave; damage of a data directory is
 * CW_EXIT_WARNED, whatever was found, as where a server answers. */
int cw_cli_local_query(struct cw_cli *cli);
int cw_cli_local_instant_query(struct cw_cli *cli);

#endif
