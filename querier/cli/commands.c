/* commands.c - the only list of subcommands, and the flags that they share. */
#include "querier/cli/cli.h"

static const char *const outputs[] = {"default", "raw", "jsonl", NULL};
static const char *const whens[] = {"auto", "always", "never", NULL};
static const char *const zones[] = {"Local", "UTC", NULL};
static const char *const switches[] = {"off", "on", NULL};

#define AT(member) offsetof(struct cw_cli_args, member)
#define SEEN(member) CW_KEY_AT(struct cw_cli_args, member)

static const struct cw_flag_def server_rows[] = {
    {"addr", .kind = CW_KEY_STRING, .offset = AT(addr), .arg = "URL",
     .def = "http://127.0.0.1:3100", .env = "CORDWOOD_ADDR LOKI_ADDR", .doc = "The server."},
    {"org-id", .kind = CW_KEY_STRING, .offset = AT(org_id), .arg = "TENANT",
     .env = "CORDWOOD_ORG_ID LOKI_ORG_ID",
     .doc = "Ask for this tenant (the header X-Scope-OrgID)."},
    {"username", .kind = CW_KEY_STRING, .offset = AT(username), .arg = "NAME",
     .env = "LOKI_USERNAME", .doc = "User name for HTTP basic authentication."},
    {"password", .kind = CW_KEY_STRING, .offset = AT(password), .arg = "TEXT",
     .env = "LOKI_PASSWORD", .doc = "Its password."},
    {"bearer-token", .kind = CW_KEY_STRING, .offset = AT(bearer_token), .arg = "TEXT",
     .env = "LOKI_BEARER_TOKEN", .doc = "Send this bearer token."},
    {"ca-cert", .kind = CW_KEY_STRING, .offset = AT(ca_file), .arg = "FILE",
     .env = "LOKI_CA_CERT_PATH", .doc = "Trust this certificate authority."},
    {"cert", .kind = CW_KEY_STRING, .offset = AT(cert_file), .arg = "FILE",
     .env = "LOKI_CLIENT_CERT_PATH", .doc = "Show this client certificate."},
    {"key", .kind = CW_KEY_STRING, .offset = AT(key_file), .arg = "FILE",
     .env = "LOKI_CLIENT_KEY_PATH", .doc = "The key of the client certificate."},
    {"tls-skip-verify", .kind = CW_KEY_BOOL, .offset = AT(tls_skip_verify),
     .env = "LOKI_TLS_SKIP_VERIFY", .doc = "Do not check the server's certificate."},
    {"proxy-url", .kind = CW_KEY_STRING, .offset = AT(proxy_url), .arg = "URL",
     .env = "LOKI_HTTP_PROXY_URL", .doc = "Go through this proxy."},
    {"timeout", .kind = CW_KEY_DURATION, .offset = AT(timeout_ns), .arg = "DURATION", .def = "5m",
     .min = "1ms", .doc = "Give up on an answer after this time (exports have none)."},
};
static const struct cw_flag_group server_flags = CW_FLAG_GROUP("Server", server_rows);

static const struct cw_flag_def language_rows[] = {
    {"extensions", .kind = CW_KEY_ENUM, .offset = AT(extensions), .arg = "SWITCH", .def = "on",
     .names = switches,
     .doc = "on: the query may use what Loki's language has not (see cordwood query --help). A "
            "query without it means the same either way. off: refuse what Loki refuses, to try a "
            "query that is meant for Grafana or for rules."},
};
static const struct cw_flag_group language_flags = CW_FLAG_GROUP("Language", language_rows);

#define ZONE_ROW                                                                                       \
    {                                                                                                  \
        "timezone", 'z', CW_KEY_ENUM, AT(zone),                                                        \
            .arg = "ZONE", .def = "Local", .names = zones,                                             \
            .doc =                                                                                     \
                "The zone of times: of those that are shown, and of those that are given or stand in " \
                "files without one."                                                                   \
    }

/* What stands for a server. */
static const struct cw_flag_def local_rows[] = {
    {"data-dir", .kind = CW_KEY_STRING, .offset = AT(data_dir), .arg = "DIR",
     .seen = CW_KEY_AT(struct cw_cli_args, has_data_dir),
     .doc = "Read an ingester's data directory. Nothing in it is changed, and a server may be "
            "running on it."},
    {"file", .kind = CW_KEY_STRINGS, .offset = AT(files), .arg = "GLOB",
     .doc = "Read log files, plain, gzip or zstd; in quotes a pattern ('/var/log/*.log', {a,b}). "
            "Lines are merged by the times that stand in them."},
    {"stdin", .kind = CW_KEY_BOOL, .offset = AT(use_stdin),
     .doc = "Read log lines from standard input."},
    {"label", 'l', CW_KEY_MAP, AT(labels), .arg = "NAME=VALUE",
     .doc = "A label of all lines of --file and --stdin. Files have filename and job (the file's "
            "name up to its first dot) beside."},
};
static const struct cw_flag_group local_flags = CW_FLAG_GROUP("Without a server", local_rows);

#define SINCE_ROW(default_text)                                                                    \
    {                                                                                              \
        "since", .kind = CW_KEY_STRING, .offset = AT(since), .seen = SEEN(has_since),              \
                 .arg = "DURATION|TIME",                                                           \
                 .doc = "Look back so far from the end (" default_text "), or to this time."       \
    }
#define FROM_ROW                                                                                   \
    {                                                                                              \
        "from",                                                                                    \
            .kind = CW_KEY_STRING, .offset = AT(from), .seen = SEEN(has_from), .arg = "TIME",      \
            .doc = "Begin at this time: RFC 3339 (2026-01-05T10:00:00Z), a date (2026-01-05), a "  \
                   "time of day (10:30), \"yesterday 10:30\", monday, \"2h ago\", now-15m, 2h "    \
                   "(before now), or Unix nanoseconds."                                            \
    }
#define TO_ROW                                                                                     \
    {                                                                                              \
        "to", .kind = CW_KEY_STRING, .offset = AT(to), .seen = SEEN(has_to), .arg = "TIME",        \
              .doc = "End before this time; now by default."                                       \
    }

/* Of commands that ask a server. */
static const struct cw_flag_def time_rows[] = {
    SINCE_ROW("1h by default"),
    FROM_ROW,
    TO_ROW,
    ZONE_ROW,
};
static const struct cw_flag_group time_flags = CW_FLAG_GROUP("Time", time_rows);

/* Of those that need none. */
static const struct cw_flag_def any_time_rows[] = {
    SINCE_ROW("1h by default; without a server, as far as there is something"),
    FROM_ROW,
    TO_ROW,
    ZONE_ROW,
};
static const struct cw_flag_group any_time_flags = CW_FLAG_GROUP("Time", any_time_rows);

static const struct cw_flag_def tail_rows[] = {
    {"since", .kind = CW_KEY_STRING, .offset = AT(since), .seen = SEEN(has_since),
     .arg = "DURATION|TIME",
     .doc = "Begin with entries of so long ago (1h by default), or of this time."},
    {"from", .kind = CW_KEY_STRING, .offset = AT(from), .seen = SEEN(has_from), .arg = "TIME",
     .doc = "Begin with entries of this time, given as for --from of `cordwood query`."},
    {"limit", .kind = CW_KEY_INT, .offset = AT(limit), .arg = "N", .def = "30", .min = "0",
     .max = "1000000000",
     .doc = "Of the entries that are there already print the N newest; 0 is all of them."},
    {"delay-for", .kind = CW_KEY_DURATION, .offset = AT(delay_for_ns), .arg = "DURATION",
     .def = "0", .min = "0", .max = "5s",
     .doc = "Wait so long (whole seconds) for late entries, to put them in order."},
    {"quiet", 'q', CW_KEY_BOOL, AT(quiet),
     .doc = "Do not tell on stderr that the connection was lost, and made again."},
    ZONE_ROW,
};
static const struct cw_flag_group tail_flags = CW_FLAG_GROUP("Tail", tail_rows);

static const struct cw_flag_def now_rows[] = {
    {"now", .kind = CW_KEY_STRING, .offset = AT(now), .seen = SEEN(has_now), .arg = "TIME",
     .doc = "Evaluate at this time, given as for --from of `cordwood query`."},
    ZONE_ROW,
};
static const struct cw_flag_group now_flags = CW_FLAG_GROUP("Time", now_rows);

static const struct cw_flag_def query_rows[] = {
    {"limit", .kind = CW_KEY_INT, .offset = AT(limit), .arg = "N", .def = "30", .min = "0",
     .max = "1000000000", .seen = CW_KEY_AT(struct cw_cli_args, has_limit),
     .doc = "Print at most N entries; 0 is all of them, and so is no --limit without a server."},
    {"batch", .kind = CW_KEY_INT, .offset = AT(batch), .arg = "N", .def = "1000", .min = "1",
     .max = "1000000", .doc = "Ask for so many entries at a time."},
    {"step", .kind = CW_KEY_DURATION, .offset = AT(step_ns), .arg = "DURATION", .min = "0",
     .doc = "Distance of a metric query's samples; the server's choice by default."},
    {"forward", .kind = CW_KEY_BOOL, .offset = AT(forward), .doc = "Oldest entries first."},
    {"quiet", 'q', CW_KEY_BOOL, AT(quiet), .doc = "Do not print which labels all entries share."},
};
static const struct cw_flag_def explain_rows[] = {
    {"explain", .kind = CW_KEY_BOOL, .offset = AT(explain),
     .doc = "Do not run the query: print what it would do, and what that would cost. -o jsonl "
            "prints the JSON that the server answers (/cordwood/v1/explain, analyze)."},
    {"analyze", .kind = CW_KEY_BOOL, .offset = AT(analyze),
     .doc = "Run the query, and print what it did and what that took in place of its answer."},
};
static const struct cw_flag_group explain_flags = CW_FLAG_GROUP("Explain", explain_rows);

static const struct cw_flag_group query_flags = CW_FLAG_GROUP("Query", query_rows);

static const struct cw_flag_def output_rows[] = {
    {"output", 'o', CW_KEY_ENUM, AT(output), .arg = "FORM", .def = "default", .names = outputs,
     .doc = "default (time, labels, line), raw (the line alone) or jsonl. Bytes that are no UTF-8 "
            "come as U+FFFD: the API speaks JSON. export -o raw has lines as they came."},
    {"colored-output", .kind = CW_KEY_ENUM, .offset = AT(colour), .arg = "WHEN", .def = "auto",
     .names = whens, .alias = "color",
     .doc = "auto (on a terminal, unless NO_COLOR is set), always or never."},
    {"escape", .kind = CW_KEY_ENUM, .offset = AT(escape), .arg = "WHEN", .def = "auto",
     .names = whens,
     .doc =
         "Show control characters of lines as \\xNN, so that a log cannot speak to the terminal: "
         "auto (on a terminal), always or never."},
    {"no-labels", .kind = CW_KEY_BOOL, .offset = AT(no_labels), .doc = "Do not print labels."},
    {"include-label", .kind = CW_KEY_STRINGS, .offset = AT(include_labels), .arg = "NAME",
     .doc = "Print only this label."},
    {"exclude-label", .kind = CW_KEY_STRINGS, .offset = AT(exclude_labels), .arg = "NAME",
     .doc = "Do not print this label."},
    {"labels-length", .kind = CW_KEY_INT, .offset = AT(labels_length), .arg = "N", .def = "0",
     .min = "0", .max = "10000", .doc = "Pad the labels to so many characters."},
};
static const struct cw_flag_group output_flags = CW_FLAG_GROUP("Output", output_rows);

/* Of commands that sum up. */
#define OVERVIEW_ROWS(raw_text)                                                                    \
    {"output",         'o',                                                                        \
     CW_KEY_ENUM,      AT(output),                                                                 \
     .arg = "FORM",    .def = "default",                                                           \
     .names = outputs, .doc = "default (a table), raw (" raw_text " alone) or jsonl."},            \
    {                                                                                              \
        "escape", .kind = CW_KEY_ENUM, .offset = AT(escape), .arg = "WHEN", .def = "auto",         \
                  .names = whens,                                                                  \
                  .doc = "auto (on a terminal), always or never: control characters and bytes "    \
                         "that are no UTF-8 as \\xNN."                                             \
    }

static const struct cw_flag_def volume_rows[] = {
    {"limit", .kind = CW_KEY_INT, .offset = AT(limit), .arg = "N", .def = "100", .min = "1",
     .max = "1000000000", .doc = "The N largest."},
    {"target-labels", .kind = CW_KEY_STRING, .offset = AT(target_labels), .arg = "NAME,...",
     .alias = "targetLabels",
     .doc = "Sum up by these labels instead of those that the selector names."},
    {"aggregate-by-labels", .kind = CW_KEY_BOOL, .offset = AT(by_label),
     .alias = "aggregateByLabels",
     .doc = "Sum up by the names of labels alone: how much has each of them."},
    OVERVIEW_ROWS("the labels"),
};
static const struct cw_flag_group volume_flags = CW_FLAG_GROUP("Volume", volume_rows);

static const struct cw_flag_def pattern_rows[] = {OVERVIEW_ROWS("the pattern")};
static const struct cw_flag_group pattern_flags = CW_FLAG_GROUP("Output", pattern_rows);

static const struct cw_flag_def field_rows[] = {
    {"limit", .kind = CW_KEY_INT, .offset = AT(limit), .arg = "N", .def = "1000", .min = "1",
     .max = "1000000000", .doc = "At most N fields, or values."},
    {"line-limit", .kind = CW_KEY_INT, .offset = AT(line_limit), .arg = "N", .def = "100",
     .min = "1", .max = "1000000000", .doc = "Look at the N newest lines."},
    OVERVIEW_ROWS("the name or value"),
};
static const struct cw_flag_group field_flags = CW_FLAG_GROUP("Fields", field_rows);

static const struct cw_flag_def export_rows[] = {
    {"output", 'o', CW_KEY_ENUM, AT(output), .arg = "FORM", .def = "jsonl", .names = outputs,
     .doc = "jsonl (as the server exports: ts, labels, line or line_b64, metadata) or raw (the "
            "line as it came)."},
    {"escape", .kind = CW_KEY_ENUM, .offset = AT(escape), .arg = "WHEN", .def = "auto",
     .names = whens,
     .doc =
         "Show control characters of raw lines as \\xNN, so that a log cannot speak to the terminal: "
         "auto (on a terminal), always or never."},
};
static const struct cw_flag_group export_flags = CW_FLAG_GROUP("Output", export_rows);

static const struct cw_flag_def push_rows[] = {
    {"label", 'l', CW_KEY_MAP, AT(labels), .arg = "NAME=VALUE",
     .doc = "A label of the stream; one at least."},
};
static const struct cw_flag_group push_flags = CW_FLAG_GROUP("Stream", push_rows);

static const struct cw_flag_def delete_rows[] = {
    {"from", .kind = CW_KEY_STRING, .offset = AT(from), .seen = SEEN(has_from), .arg = "TIME",
     .doc = "create: delete entries from this time on (given as for `cordwood query`). Required."},
    {"to", .kind = CW_KEY_STRING, .offset = AT(to), .seen = SEEN(has_to), .arg = "TIME",
     .doc = "create: up to this time; now by default."},
    {"force", .kind = CW_KEY_BOOL, .offset = AT(force),
     .doc = "create: remove at once, without a period to cancel in. cancel: also a delete that is "
            "being carried out; what is left of its entries is seen again."},
};
static const struct cw_flag_group delete_flags = CW_FLAG_GROUP("Delete", delete_rows);

static const struct cw_flag_def metrics_rows[] = {
    {"config", .kind = CW_KEY_STRING, .offset = AT(config), .arg = "FILE",
     .doc = "The exports to serve (YAML; its keys are in cordwood(1))."},
    {"listen", .kind = CW_KEY_STRING, .offset = AT(listen), .arg = "HOST:PORT",
     .def = "127.0.0.1:9099", .doc = "Serve /metrics there; port 0 takes any."},
    {"listen-file", .kind = CW_KEY_STRING, .offset = AT(listen_file), .arg = "FILE",
     .doc = "Write HOST:PORT there after the bind."},
    {"once", .kind = CW_KEY_BOOL, .offset = AT(once),
     .doc = "Evaluate once, print the metrics, and end."},
};
static const struct cw_flag_group metrics_flags = CW_FLAG_GROUP("Exporter", metrics_rows);

static const struct cw_flag_def inspect_rows[] = {
    {"limit", .kind = CW_KEY_INT, .offset = AT(limit), .arg = "N", .def = "20", .min = "0",
     .max = "1000000000", .doc = "Print at most N rows of each table; 0 is all of them."},
};
static const struct cw_flag_group inspect_flags = CW_FLAG_GROUP("Output", inspect_rows);

static const struct cw_flag_def fsck_rows[] = {
    {"repair", .kind = CW_KEY_BOOL, .offset = AT(repair),
     .doc = "Set aside what is bad (in quarantine/ of the directory) and make the rest whole. No "
            "server may be running on it."},
};
static const struct cw_flag_group fsck_flags = CW_FLAG_GROUP("Repair", fsck_rows);

#define GROUPS(name, ...) static const struct cw_flag_group *const name[] = {__VA_ARGS__, NULL}
GROUPS(query_groups, &query_flags, &language_flags, &explain_flags, &any_time_flags, &output_flags,
       &local_flags, &server_flags);
GROUPS(tail_groups, &tail_flags, &language_flags, &output_flags, &server_flags);
GROUPS(instant_groups, &now_flags, &language_flags, &explain_flags, &local_flags, &server_flags);
GROUPS(fmt_groups, &language_flags);
GROUPS(stream_groups, &time_flags, &server_flags);
GROUPS(volume_groups, &volume_flags, &time_flags, &server_flags);
GROUPS(pattern_groups, &pattern_flags, &time_flags, &server_flags);
GROUPS(field_groups, &field_flags, &time_flags, &server_flags);
GROUPS(export_groups, &language_flags, &time_flags, &export_flags, &server_flags);
GROUPS(push_groups, &push_flags, &server_flags);
GROUPS(delete_groups, &delete_flags, &server_flags);
GROUPS(metrics_groups, &metrics_flags, &server_flags);
GROUPS(inspect_groups, &inspect_flags);
GROUPS(fsck_groups, &fsck_flags);
GROUPS(snapshot_groups, &server_flags);

extern const struct cw_table_def cw_exports_table; /* export/exports_config.c */

/* What --extensions is about. */
static const struct cw_example_def query_examples[] = {
    {"cordwood query --limit 10 '{app=\"web\"} | json | sort by (ms desc) | distinct user'",
     "The slowest request of each user."},
    {"cordwood query '{app=\"web\"} | json | user in ({app=\"auth\"} | json | status >= 500)'",
     "What those did for whom something else failed."},
    {"cordwood query 'count_distinct_over_time(user, {app=\"web\"} | json [5m]) by (path)'",
     "How many users each page has, over time."},
    {"cordwood query '{app=\"web\"} |= \"panic\" | context -B 5 -A 20'", "What led to it."},
    {"cordwood query '{app=\"web\"} | template | distinct template'", "One line of each kind."},
    {0},
};
static const struct cw_command_def query_def = {
    .name = "cordwood query",
    .brief = "print entries, or a metric over time",
    .arguments = "[QUERY]",
    .max_args = 1,
    .doc =
        "Runs a LogQL query over a time range. Entries come newest first; a metric query prints "
        "its matrix as JSON. What the server warns of (damaged blocks, a log that is still "
        "replayed) is told once on standard error, and the exit status is 4 then, whatever was "
        "found.\n\n"
        "With --data-dir, --file or --stdin no server is asked. What is damaged or missing in a data "
        "directory is told as a server would, with exit status 4. A query of files may leave the "
        "selector out, or write it as {}: every file. The time of a line is what stands in it: RFC "
        "3339 and its kin, syslog (RFC 3164, RFC 5424), access logs, klog and glog, Go's log, "
        "Docker's and CRI's files, seconds to nanoseconds since 1970; in JSON time, ts, timestamp "
        "or @timestamp; in logfmt ts=, time= or timestamp=. A line without one has the time of the "
        "line before. Times without a zone are of the zone of --timezone. A run of NULs, as it is "
        "in a file that was cut while its writer went on, ends a line and is passed over. A file "
        "that cannot be read, or is no text (its first 8 KiB have more runs of NULs than one in "
        "256 bytes), is told, the others are read, and the exit status is 3.\n\n"
        "Beyond Loki's language (--extensions):\n\n"
        "| distinct LABEL, ...: the first entry of each combination of values, in the direction of "
        "the query or, behind sort by, in its order. A label that is not there is empty. Filters "
        "behind it see what it left.\n\n"
        "| sort by (LABEL [asc|desc], ...): the order of the answer, of which --limit takes the "
        "first. Numbers go by value, then durations (1m30s) and sizes (4KB) by theirs, ahead of texts; "
        "entries without the label come last.\n\n"
        "LABEL in (QUERY), LABEL not in (QUERY): a label filter. The values are those that QUERY, "
        "run first over the same time, finds: of the label of the same name of its entries, or of "
        "the series that a metric query has at the end of that time.\n\n"
        "count_distinct_over_time(LABEL, {...} [5m]) by (...): how many different values there are, "
        "exactly. Without by, series are told apart by all other labels; by () counts over all.\n\n"
        "| json --arrays: elements of arrays are labels (tags_0, tags_1, up to 100), and so is how "
        "many there are (tags_length).\n\n"
        "| context -B N -A N (or -C N), as the last stage: N entries before and after each match in "
        "its stream, each once, with the label context=before or after. The matches are the first "
        "--limit ones, and of all that the answer is the first --limit entries.\n\n"
        "| template: the line's pattern, with <_> for what varies, as the label template; |> takes "
        "it.",
    .groups = query_groups,
    .examples = query_examples};
static const struct cw_command_def tail_def = {
    .name = "cordwood tail",
    .brief = "print entries as they come",
    .arguments = "QUERY",
    .min_args = 1,
    .max_args = 1,
    .doc = "Prints what a log query selects, oldest first, and goes on with what comes, until it "
           "is interrupted. When the connection is lost it is made again, and what came meanwhile "
           "is printed: nothing twice, and nothing is left out but what came half a minute or more "
           "behind its time while there was no connection. What the server dropped because it was "
           "not read in time is told on stderr.",
    .groups = tail_groups};
static const struct cw_command_def instant_def = {.name = "cordwood instant-query",
                                                  .brief = "evaluate a metric query at one time",
                                                  .arguments = "[QUERY]",
                                                  .max_args = 1,
                                                  .doc = "Prints the vector or scalar as JSON.",
                                                  .groups = instant_groups};
static const struct cw_command_def labels_def = {.name = "cordwood labels",
                                                 .brief = "list label names, or the values of one",
                                                 .arguments = "[NAME]",
                                                 .max_args = 1,
                                                 .doc = "Prints one a line: the names, or the "
                                                        "values of NAME.",
                                                 .groups = stream_groups};
static const struct cw_command_def series_def = {.name = "cordwood series",
                                                 .brief = "list the streams that match",
                                                 .arguments = "SELECTOR",
                                                 .min_args = 1,
                                                 .max_args = 1,
                                                 .doc = "Prints the labels of one stream a line.",
                                                 .groups = stream_groups};
static const struct cw_command_def stats_def = {.name = "cordwood stats",
                                                .brief =
                                                    "how many streams, entries and bytes match",
                                                .arguments = "SELECTOR",
                                                .min_args = 1,
                                                .max_args = 1,
                                                .doc = "Prints the numbers as JSON.",
                                                .groups = stream_groups};
static const struct cw_command_def volume_def = {
    .name = "cordwood volume",
    .brief = "which streams have how many bytes",
    .arguments = "SELECTOR",
    .min_args = 1,
    .max_args = 1,
    .doc = "Prints bytes of lines and the labels that the selector names, the largest first; "
           "'{}' is every stream, by all its labels.",
    .groups = volume_groups};
static const struct cw_command_def patterns_def = {
    .name = "cordwood patterns",
    .brief = "what lines look like, and how many of each there are",
    .arguments = "SELECTOR",
    .min_args = 1,
    .max_args = 1,
    .doc = "Prints how many lines have the pattern, their level, and the pattern with <_> for "
           "what varies, the most frequent first.",
    .groups = pattern_groups};
static const struct cw_command_def fields_def = {
    .name = "cordwood detected-fields",
    .brief = "which fields lines have, or the values of one",
    .arguments = "QUERY [FIELD]",
    .min_args = 1,
    .max_args = 2,
    .doc = "Looks at the newest lines of a log query. Prints how many different values the field "
           "has there, its type, its name, and in brackets which parsers find it (none: it is "
           "structured metadata). With FIELD its values, one a line.",
    .groups = field_groups};
static const struct cw_command_def export_def = {
    .name = "cordwood export",
    .brief = "all matching entries, oldest first, of any number",
    .arguments = "QUERY",
    .min_args = 1,
    .max_args = 1,
    .doc = "Streams from a cordwood ingester (GET /cordwood/v1/export) in bounded memory. The exit "
           "status tells whether the export is whole.",
    .groups = export_groups};
static const struct cw_command_def push_def = {
    .name = "cordwood push",
    .brief = "store the lines of files or of standard input",
    .arguments = "[FILE]...",
    .max_args = SIZE_MAX,
    .doc = "Each line becomes an entry with the time of now. Lines that the server refuses (too "
           "long, say) are told and counted, the others are stored; the exit status is 3 then. "
           "For logs that grow, and for exactly-once delivery, use cordwood-shipper.",
    .groups = push_groups};
static const struct cw_command_def delete_def = {
    .name = "cordwood delete",
    .brief = "delete entries, list deletes, cancel one",
    .arguments = "create QUERY | list | cancel ID",
    .min_args = 1,
    .max_args = 2,
    .doc =
        "create hides what QUERY selects (a selector, filters if wanted) and was stored before, "
        "at once; the server removes it from the disk when its cancel period is over. list "
        "prints of each delete its id, its status (received; processed when it is carried "
        "out), how many entries are removed so far, when it was made, from when on its entries "
        "are removed, the range it is of, and its query. create prints the id. cancel takes one back: its entries "
        "are seen again. What a snapshot holds, or quarantine/ of the server's data directory, no "
        "delete reaches: drop the snapshot (cordwood snapshot delete), and remove the file.",
    .groups = delete_groups};
static const struct cw_command_def fmt_def = {.name = "cordwood fmt",
                                              .brief = "print a query in the usual form",
                                              .arguments = "QUERY",
                                              .min_args = 1,
                                              .max_args = 1,
                                              .doc = "Asks no server.",
                                              .groups = fmt_groups};
static const struct cw_command_def metrics_def = {
    .name = "cordwood metrics",
    .brief = "serve log-derived metrics to Prometheus",
    .doc = "Evaluates LogQL metric queries at their intervals and serves the results as gauges at "
           "/metrics. A query that fails drops its "
           "series and raises cordwood_export_errors_total.",
    .groups = metrics_groups,
    .config = &cw_exports_table};

static const struct cw_command_def inspect_def = {
    .name = "cordwood inspect",
    .brief = "what a part, or a data directory, is made of",
    .arguments = "PART|DIR",
    .min_args = 1,
    .max_args = 1,
    .doc =
        "Prints the layout, the bytes that each kind of section and region takes, and how well "
        "each stream is compressed. Streams share blocks: a block's bytes are shared out by the "
        "length of their lines, so that streams of one block show one ratio. Reads the files; a server may be running on them. The exit "
        "status is 3 when a part or a block cannot be read.",
    .groups = inspect_groups};
static const struct cw_command_def fsck_def = {
    .name = "cordwood fsck",
    .brief = "check every byte of a data directory",
    .arguments = "DIR",
    .min_args = 1,
    .max_args = 1,
    .doc = "Verifies every checksum of catalog, parts and log, and that all of it can be decoded. "
           "Prints each problem: where it is, what is wrong, what it costs. The exit status is 0 "
           "when all is clean, 1 when there were problems (repaired or not), 3 when it could not "
           "be checked or repaired. Without --repair nothing is changed, and a server may be "
           "running on the directory.\n\n"
           "A damaged value filter costs queries time and no entries: they go on without it, and "
           "only fsck tells it. What was set aside before stays in quarantine/ of the directory "
           "and is served no more; how many files there are is told, and the rest can be clean.",
    .groups = fsck_groups};
static const struct cw_command_def snapshot_def = {
    .name = "cordwood snapshot",
    .brief = "copy a server's store as it is at this moment",
    .arguments = "create|list|delete [NAME]",
    .min_args = 1,
    .max_args = 2,
    .doc = "A snapshot is a folder of hard links below snapshots/ of the server's data directory: "
           "it is made in milliseconds, whatever the size, and holds every entry that was "
           "acknowledged before. To restore one, copy the folder and start a server with the copy "
           "as its --data-dir. It keeps the space of what it holds until it is deleted.",
    .groups = snapshot_groups};

const struct cw_cli_command cw_cli_commands[] = {
    {&query_def, cw_cmd_query},
    {&tail_def, cw_cmd_tail},
    {&instant_def, cw_cmd_instant_query},
    {&labels_def, cw_cmd_labels},
    {&series_def, cw_cmd_series},
    {&stats_def, cw_cmd_stats},
    {&volume_def, cw_cmd_volume},
    {&patterns_def, cw_cmd_patterns},
    {&fields_def, cw_cmd_detected_fields},
    {&export_def, cw_cmd_export},
    {&push_def, cw_cmd_push},
    {&delete_def, cw_cmd_delete},
    {&fmt_def, cw_cmd_fmt},
    {&metrics_def, cw_cmd_metrics},
    {&inspect_def, cw_cmd_inspect},
    {&fsck_def, cw_cmd_fsck},
    {&snapshot_def, cw_cmd_snapshot},
    {NULL, NULL},
};
