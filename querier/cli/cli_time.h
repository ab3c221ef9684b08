/*
 * cli_time.h - --since, --from, --to and --now as a range of nanoseconds, and times as they are shown.
 */
#ifndef CW_CLI_CLI_TIME_H
#define CW_CLI_CLI_TIME_H
#include "querier/cli/cli.h"

struct cw_cli_range {
    int64_t start_ns, end_ns; /* half open */
};

/* CW_E_INVALID names the flag and what it takes. */
int cw_cli_range(const struct cw_cli_args *args, struct cw_cli_range *out,
                 struct cw_err *err) CW_MUST_USE;
/* --now, or the time of now. */
int cw_cli_now(const struct cw_cli_args *args, int64_t *ns_out, struct cw_err *err) CW_MUST_USE;
/* RFC 3339 with nanoseconds as needed, in the zone that was asked for. */
void cw_cli_time_format(int64_t ns, enum cw_cli_zone zone, struct cw_buf *out);

#endif
