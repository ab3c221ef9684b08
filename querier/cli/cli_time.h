/*
 * cli_time.h - --since, --from, --to and --now as a range of nanoseconds, and times as they are shown. What they take beside
 * machines' forms is in time_words.h.
 */
#ifndef CW_CLI_CLI_TIME_H
#define CW_CLI_CLI_TIME_H
#include "querier/cli/cli.h"

struct cw_cli_range {
    int64_t start_ns, end_ns; /* half open */
};

/* What is given, of a run that began at now_ns; where nothing is, the range has no end there (INT64_MIN, INT64_MAX). CW_E_INVALID
 * names the flag and what it takes. */
int cw_cli_range_given(const struct cw_cli_args *args, int64_t now_ns, struct cw_cli_range *out,
                       struct cw_err *err) CW_MUST_USE;
/* For a server: it ends now and is an hour long, where nothing else is given. */
int cw_cli_range(const struct cw_cli_args *args, struct cw_cli_range *out,
                 struct cw_err *err) CW_MUST_USE;
/* --now, or the time of now. */
int cw_cli_now(const struct cw_cli_args *args, int64_t *ns_out, struct cw_err *err) CW_MUST_USE;
/* --step as a parameter of the API, in the arena; empty when it is not given. */
struct cw_str cw_cli_step(struct cw_cli *cli);
/* RFC 3339 with nanoseconds as needed, in the zone that was asked for. */
void cw_cli_time_format(int64_t ns, enum cw_cli_zone zone, struct cw_buf *out);

#endif
