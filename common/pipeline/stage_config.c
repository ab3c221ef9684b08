#include "common/pipeline/stage_config.h"

#include "common/extract/level_detect.h"
#include "common/pipeline/stages.h"

#define AT(type, member) offsetof(struct cw_stage_##type##_config, member)
#define ROW_SOURCE(type)                                                                           \
    {                                                                                              \
        "source", CW_KEY_STRING, AT(type, source),                                                 \
            .doc = "The extracted value to read; the line itself when it is empty."                \
    }

static const struct cw_key_def cri_keys[] = {
    {"max_partial_lines", CW_KEY_INT, AT(cri, max_partial_lines), .def = "100", .min = "1",
     .max = "1000000",
     .doc = "So many streams may be within a partial line; when there is one more, all go as they "
            "are."},
    {"max_partial_line_size", CW_KEY_BYTES, AT(cri, max_partial_line_size), .def = "0", .min = "0",
     .doc = "What a line of several parts may be long, with max_partial_line_size_truncate."},
    {"max_partial_line_size_truncate", CW_KEY_BOOL, AT(cri, max_partial_line_size_truncate),
     .def = "false", .doc = "Cut such a line off at that length."},
    {"max_wait_time", CW_KEY_DURATION, AT(cri, max_wait_ns), .def = "5s", .min = "1ms",
     .doc = "A line whose parts end without a last one is taken as it is when none follows for so "
            "long (promtail waits without end). What is behind it in the file waits too."},
};
static const struct cw_table_def cri_table = CW_TABLE("cri", cri_keys, struct cw_stage_cri_config);

static const struct cw_table_def none_table = {.name = "stage without options",
                                               .size = sizeof(struct cw_stage_none_config)};

static const struct cw_key_def drop_keys[] = {
    {"source", CW_KEY_STRINGS, AT(drop, source), .flags = CW_KEY_ONE_OR_LIST,
     .doc = "An extracted value, or a list of them, which are joined; the line when there is none. "
            "Alone it drops entries that have all of them."},
    {"separator", CW_KEY_STRING, AT(drop, separator), .def = ";",
     .doc = "What stands between the values of several sources."},
    {"expression", CW_KEY_STRING, AT(drop, expression),
     .doc = "A regular expression (RE2) that the source must match."},
    {"value", CW_KEY_STRING, AT(drop, value),
     .seen = CW_KEY_AT(struct cw_stage_drop_config, has_value),
     .doc = "What the source must be equal to."},
    {"older_than", CW_KEY_DURATION, AT(drop, older_than_ns), .min = "0",
     .seen = CW_KEY_AT(struct cw_stage_drop_config, has_older_than),
     .doc = "The entry's time must be so long ago."},
    {"longer_than", CW_KEY_BYTES, AT(drop, longer_than_bytes), .min = "0",
     .seen = CW_KEY_AT(struct cw_stage_drop_config, has_longer_than),
     .doc = "The line must be longer."},
    {"drop_counter_reason", CW_KEY_STRING, AT(drop, drop_counter_reason), .def = "drop_stage",
     .doc = "The reason that the drops are counted under."},
};
static const struct cw_table_def drop_table =
    CW_TABLE("drop", drop_keys, struct cw_stage_drop_config);

static const struct cw_key_def eventlogmessage_keys[] = {
    {"source", CW_KEY_STRING, AT(eventlogmessage, source), .def = "message",
     .doc = "The extracted value that holds the message: lines of \"Key: value\"."},
    {"drop_invalid_labels", CW_KEY_BOOL, AT(eventlogmessage, drop_invalid_labels), .def = "false",
     .doc = "Leave keys out that are no names; else what no name has becomes '_'."},
    {"overwrite_existing", CW_KEY_BOOL, AT(eventlogmessage, overwrite_existing), .def = "false",
     .doc = "A value takes the place of one that there is under its name."},
};
static const struct cw_table_def eventlogmessage_table =
    CW_TABLE("eventlogmessage", eventlogmessage_keys, struct cw_stage_eventlogmessage_config);

static const char *const geoip_names[] = {"city", "asn", "country", NULL};
static const struct cw_key_def geoip_keys[] = {
    {"db", CW_KEY_STRING, AT(geoip, db), .flags = CW_KEY_REQUIRED,
     .doc = "The database: a file of MaxMind's (GeoIP2, GeoLite2), or one of its form."},
    {"db_type", CW_KEY_ENUM, AT(geoip, db_type), .def = "city", .names = geoip_names,
     .doc = "Which labels it gives: geoip_city_name, _country_name, _country_code, "
            "_continent_name, _continent_code, _location_latitude, _location_longitude, "
            "_postal_code, _timezone, _subdivision_name and _subdivision_code; "
            "geoip_autonomous_system_number and _organization; those of country and continent."},
    {"source", CW_KEY_STRING, AT(geoip, source), .flags = CW_KEY_REQUIRED,
     .doc = "The extracted value that holds the address."},
    {"custom_lookups", CW_KEY_MAP, AT(geoip, custom_lookups),
     .doc = "Further labels, and for each a JMESPath expression on the address' record in the "
            "database: {isp: traits.isp}."},
};
static const struct cw_table_def geoip_table =
    CW_TABLE("geoip", geoip_keys, struct cw_stage_geoip_config);

static const struct cw_key_def json_keys[] = {
    {"expressions", CW_KEY_MAP, AT(json, expressions),
     .doc = "Names of extracted values, and for each the JMESPath expression that gives it; empty: "
            "the key of that name."},
    {"regex", CW_KEY_STRING, AT(json, regex),
     .doc =
         "Extract the members of the object too that match this regular expression (RE2), under their own names, for "
         "structured_metadata_regex and for templates that go through all values."},
    ROW_SOURCE(json),
    {"drop_malformed", CW_KEY_BOOL, AT(json, drop_malformed), .def = "false",
     .doc = "Drop entries that are no JSON object."},
};
static const struct cw_table_def json_table =
    CW_TABLE("json", json_keys, struct cw_stage_json_config);

static const char *const level_as_names[] = {"structured_metadata", "label", "extracted", NULL};
static const struct cw_key_def level_keys[] = {
    ROW_SOURCE(level),
    {"as", CW_KEY_ENUM, AT(level, as), .def = "structured_metadata", .names = level_as_names,
     .doc = "What the level becomes."},
    {"target", CW_KEY_STRING, AT(level, target),
     .doc = "Its name; when empty detected_level as structured metadata, else level."},
    {"fields", CW_KEY_STRINGS, AT(level, fields), .def = CW_LEVEL_FIELDS,
     .doc = "Fields of JSON and logfmt lines that may hold the level."},
    {"json_depth", CW_KEY_INT, AT(level, json_depth), .def = "2", .min = "0", .max = "64",
     .doc = "So many levels of objects are looked at; 0 is all."},
};
static const struct cw_table_def level_table =
    CW_TABLE("level", level_keys, struct cw_stage_level_config);

static const struct cw_key_def limit_keys[] = {
    {"rate", CW_KEY_FLOAT, AT(limit, rate), .flags = CW_KEY_REQUIRED, .min = "0",
     .doc = "So many lines a second pass."},
    {"burst", CW_KEY_INT, AT(limit, burst), .flags = CW_KEY_REQUIRED, .min = "1",
     .max = "1000000000", .doc = "So many may pass at once, after there were few."},
    {"drop", CW_KEY_BOOL, AT(limit, drop), .def = "false",
     .doc = "Drop further lines; else reading waits for them to be due."},
    {"by_label_name", CW_KEY_STRING, AT(limit, by_label_name),
     .doc = "Each value of this label has a limit of its own; lines without it have none. Wants "
            "drop."},
    {"max_distinct_labels", CW_KEY_INT, AT(limit, max_distinct_labels), .def = "10000", .min = "1",
     .max = "10000000", .doc = "So many of the values used last are remembered."},
};
static const struct cw_table_def limit_table =
    CW_TABLE("limit", limit_keys, struct cw_stage_limit_config);

static const struct cw_key_def logfmt_keys[] = {
    {"mapping", CW_KEY_MAP, AT(logfmt, mapping),
     .doc = "Names of extracted values, and for each the key in the line; empty: the one of that "
            "name."},
    {"regex", CW_KEY_STRING, AT(logfmt, regex),
     .doc =
         "Extract those keys too that match this regular expression (RE2), under their own names, for "
         "structured_metadata_regex and for templates that go through all values."},
    ROW_SOURCE(logfmt),
};
static const struct cw_table_def logfmt_table =
    CW_TABLE("logfmt", logfmt_keys, struct cw_stage_logfmt_config);

static const char *const match_names[] = {"keep", "drop", NULL};
static const struct cw_key_def match_keys[] = {
    {"selector", CW_KEY_STRING, AT(match, selector), .flags = CW_KEY_REQUIRED,
     .doc = "LogQL: label matchers and, behind them, line filters."},
    {"stages", CW_KEY_TABLES, AT(match, stages), .table = &cw_stage_table,
     .doc = "What entries that match go through."},
    {"action", CW_KEY_ENUM, AT(match, action), .def = "keep", .names = match_names,
     .doc = "Whether entries that match are kept, or dropped."},
    {"pipeline_name", CW_KEY_STRING, AT(match, pipeline_name),
     .seen = CW_KEY_AT(struct cw_stage_match_config, has_pipeline_name),
     .doc = "A name for these stages, in promtail that of a metric's label; it has no effect."},
    {"drop_counter_reason", CW_KEY_STRING, AT(match, drop_counter_reason), .def = "match_stage",
     .doc = "The reason that drops are counted under."},
};
static const struct cw_table_def match_table =
    CW_TABLE("match", match_keys, struct cw_stage_match_config);

static const struct cw_key_def luhn_keys[] = {
    ROW_SOURCE(luhn),
    {"replacement", CW_KEY_STRING, AT(luhn, replacement), .def = "**REDACTED**",
     .doc = "What stands in place of a number that passes Luhn's check."},
    {"min_length", CW_KEY_INT, AT(luhn, min_length), .def = "13", .min = "1", .max = "19",
     .doc = "Numbers of fewer digits are left alone."},
    {"delimiters", CW_KEY_STRING, AT(luhn, delimiters),
     .doc = "Characters that may stand between the digits of one number."},
    {"skip_regex", CW_KEY_STRING, AT(luhn, skip_regex),
     .doc = "What matches this regular expression (RE2) is left alone."},
};
static const struct cw_table_def luhn_table =
    CW_TABLE("luhn", luhn_keys, struct cw_stage_luhn_config);

static const struct cw_key_def metric_keys[] = {
    {"type", CW_KEY_STRING, AT(metric, type), .flags = CW_KEY_REQUIRED,
     .doc = "Counter, Gauge or Histogram."},
    {"description", CW_KEY_STRING, AT(metric, description), .doc = "Its help text."},
    {"source", CW_KEY_STRING, AT(metric, source),
     .doc = "The extracted value; the one of the metric's name when it is empty. Numbers and "
            "durations (0.5ms becomes 0.0005) count, true is 1."},
    {"prefix", CW_KEY_STRING, AT(metric, prefix), .def = "promtail_custom_",
     .doc = "What its name begins with."},
    {"max_idle_duration", CW_KEY_DURATION, AT(metric, max_idle_ns), .def = "5m", .min = "1s",
     .doc = "A series that was not touched for so long is forgotten."},
    {"config.value", CW_KEY_STRING, AT(metric, value),
     .seen = CW_KEY_AT(struct cw_stage_metric_config, has_value),
     .doc = "Only entries whose value is that count."},
    {"config.action", CW_KEY_STRING, AT(metric, action),
     .doc = "inc or add for a counter; set, inc, dec, add or sub for a gauge. A histogram may have "
            "one of a counter's, which says nothing: it counts the value."},
    {"config.match_all", CW_KEY_BOOL, AT(metric, match_all), .def = "false",
     .doc = "A counter counts all entries, whatever was extracted."},
    {"config.count_entry_bytes", CW_KEY_BOOL, AT(metric, count_entry_bytes), .def = "false",
     .doc = "With match_all and add: the bytes of the lines."},
    {"config.buckets", CW_KEY_STRINGS, AT(metric, buckets),
     .doc = "Upper bounds of a histogram's buckets, rising; else 0.005 to 10."},
};
static const struct cw_table_def metric_table =
    CW_TABLE("metric", metric_keys, struct cw_stage_metric_config);

static const struct cw_key_def multiline_keys[] = {
    {"firstline", CW_KEY_STRING, AT(multiline, firstline),
     .doc = "A regular expression (RE2) that first lines match; the others belong to the first "
            "line ahead of them. Without one, lines of stack traces (Java, Python, Go, Node.js, "
            "Ruby, .NET, PHP, Rust) are told from others."},
    {"continuation", CW_KEY_STRING, AT(multiline, continuation),
     .doc = "In place of firstline: a regular expression that those lines match which go on with "
            "the entry ahead of them (such as ^\\s); all others begin one."},
    {"max_wait_time", CW_KEY_DURATION, AT(multiline, max_wait_ns), .def = "3s", .min = "1ms",
     .doc = "An entry is complete when nothing follows for so long; at a stop, for half of "
            "server.graceful_shutdown_timeout if that is less."},
    {"max_lines", CW_KEY_INT, AT(multiline, max_lines), .def = "128", .min = "0", .max = "1000000",
     .doc = "After so many lines a new entry begins; 0 is no limit."},
    {"trim_newlines", CW_KEY_BOOL, AT(multiline, trim_newlines), .def = "true",
     .doc = "Take newlines off the ends of the lines that are joined."},
};
static const struct cw_table_def multiline_table =
    CW_TABLE("multiline", multiline_keys, struct cw_stage_multiline_config);

static const struct cw_key_def output_keys[] = {
    {"source", CW_KEY_STRING, AT(source, source), .flags = CW_KEY_REQUIRED,
     .doc = "The extracted value that becomes the line."},
};
static const struct cw_table_def output_table =
    CW_TABLE("output", output_keys, struct cw_stage_source_config);

static const struct cw_key_def pack_keys[] = {
    {"labels", CW_KEY_STRINGS, AT(pack, labels),
     .doc =
         "Labels, which are taken away, and extracted values, which go first where both have the "
         "name; without any the object has the line alone."},
    {"ingest_timestamp", CW_KEY_BOOL, AT(pack, ingest_timestamp), .def = "true",
     .doc = "The entry's time becomes now."},
};
static const struct cw_table_def pack_table =
    CW_TABLE("pack", pack_keys, struct cw_stage_pack_config);

#define ROW_LABELS_FROM_GROUPS(type)                                                               \
    {                                                                                              \
        "labels_from_groups", CW_KEY_BOOL, AT(type, labels_from_groups),                           \
            .def = "false", .doc = "The values are labels too."                                    \
    }
static const struct cw_key_def pattern_keys[] = {
    {"pattern", CW_KEY_STRING, AT(pattern, pattern), .flags = CW_KEY_REQUIRED,
     .doc = "As in LogQL: literals with <names> between them; <_> is passed over."},
    ROW_SOURCE(pattern),
    ROW_LABELS_FROM_GROUPS(pattern),
};
static const struct cw_table_def pattern_table =
    CW_TABLE("pattern", pattern_keys, struct cw_stage_pattern_config);

#define REDACT_RULE(member) offsetof(struct cw_stage_redact_rule, member)
static const char *const redact_actions[] = {"mask", "hash", "replace", NULL};
static const struct cw_key_def redact_rule_keys[] = {
    {"name", CW_KEY_STRING, REDACT_RULE(name), .flags = CW_KEY_REQUIRED,
     .doc = "Its name in counters and hashes; without an expression that of a detector."},
    {"expression", CW_KEY_STRING, REDACT_RULE(expression),
     .doc = "A regular expression (RE2): what it matches is redacted."},
    {"action", CW_KEY_ENUM, REDACT_RULE(action), .names = redact_actions,
     .seen = CW_KEY_AT(struct cw_stage_redact_rule, has_action),
     .doc = "That of the stage when it is not given."},
    {"replacement", CW_KEY_STRING, REDACT_RULE(replacement),
     .seen = CW_KEY_AT(struct cw_stage_redact_rule, has_replacement),
     .doc = "That of the stage when it is not given."},
};
static const struct cw_table_def redact_rule_table =
    CW_TABLE("redact rule", redact_rule_keys, struct cw_stage_redact_rule);

static const struct cw_key_def redact_keys[] = {
    {"detectors", CW_KEY_STRINGS, AT(redact, detectors),
     .doc = "What to find: email, card, iban, phone, ipv4, ipv6, us_ssn, jwt, bearer_token, "
            "url_password, aws_key, gcp_key, azure_key, github_token, gitlab_token, slack_token, "
            "stripe_key, openai_key, api_token, private_key. All of them when neither detectors "
            "nor rules are given."},
    {"action", CW_KEY_ENUM, AT(redact, action), .def = "mask", .names = redact_actions,
     .doc = "mask: letters and digits become '*'. hash: a salted hash, the same for the same "
            "value. replace: the replacement."},
    {"replacement", CW_KEY_STRING, AT(redact, replacement), .def = "[redacted]",
     .doc = "What stands in place of what was found."},
    {"salt", CW_KEY_STRING, AT(redact, salt), .flags = CW_KEY_SECRET,
     .doc = "The key of the hashes (HMAC-SHA-256)."},
    {"salt_file", CW_KEY_STRING, AT(redact, salt_file), .doc = "A file that holds the salt."},
    {"dry_run", CW_KEY_BOOL, AT(redact, dry_run), .def = "false",
     .doc = "Count what would be redacted, and leave it."},
    {"labels", CW_KEY_BOOL, AT(redact, labels), .def = "false", .doc = "The values of labels too."},
    {"structured_metadata", CW_KEY_BOOL, AT(redact, structured_metadata), .def = "false",
     .doc = "The values of structured metadata too."},
    ROW_SOURCE(redact),
    {"rules", CW_KEY_TABLES, AT(redact, rules), .table = &redact_rule_table,
     .doc = "Regular expressions, and detectors that are treated in another way."},
};
static const struct cw_table_def redact_table =
    CW_TABLE("redact", redact_keys, struct cw_stage_redact_config);

static const struct cw_key_def regex_keys[] = {
    {"expression", CW_KEY_STRING, AT(regex, expression), .flags = CW_KEY_REQUIRED,
     .doc = "A regular expression (RE2), whose named groups are extracted."},
    ROW_SOURCE(regex),
    ROW_LABELS_FROM_GROUPS(regex),
};
static const struct cw_table_def regex_table =
    CW_TABLE("regex", regex_keys, struct cw_stage_regex_config);

static const struct cw_key_def replace_keys[] = {
    {"expression", CW_KEY_STRING, AT(replace, expression), .flags = CW_KEY_REQUIRED,
     .doc = "A regular expression (RE2), whose groups are replaced; named ones are extracted."},
    ROW_SOURCE(replace),
    {"replace", CW_KEY_STRING, AT(replace, replace),
     .doc = "What stands for a group: a Go template, in which .Value is its text."},
};
static const struct cw_table_def replace_table =
    CW_TABLE("replace", replace_keys, struct cw_stage_replace_config);

static const struct cw_key_def sampling_keys[] = {
    {"rate", CW_KEY_FLOAT, AT(sampling, rate), .flags = CW_KEY_REQUIRED, .min = "0", .max = "1",
     .doc = "The share of entries that stays."},
    {"drop_counter_reason", CW_KEY_STRING, AT(sampling, drop_counter_reason),
     .def = "sampling_stage", .doc = "The reason that drops are counted under."},
};
static const struct cw_table_def sampling_table =
    CW_TABLE("sampling", sampling_keys, struct cw_stage_sampling_config);

static const struct cw_key_def split_json_keys[] = {ROW_SOURCE(source)};
static const struct cw_table_def split_json_table =
    CW_TABLE("split_json", split_json_keys, struct cw_stage_source_config);

static const struct cw_key_def template_keys[] = {
    {"source", CW_KEY_STRING, AT(template, source), .flags = CW_KEY_REQUIRED,
     .doc = "The extracted value that the result becomes; the one that there is is .Value."},
    {"template", CW_KEY_STRING, AT(template, template), .flags = CW_KEY_REQUIRED,
     .doc = "A Go template over the extracted values; .Entry is the line."},
};
static const struct cw_table_def template_table =
    CW_TABLE("template", template_keys, struct cw_stage_template_config);

static const struct cw_key_def tenant_keys[] = {
    {"label", CW_KEY_STRING, AT(tenant, label), .doc = "The label that names the tenant."},
    {"source", CW_KEY_STRING, AT(tenant, source), .doc = "The extracted value that does."},
    {"value", CW_KEY_STRING, AT(tenant, value), .doc = "The tenant itself."},
};
static const struct cw_table_def tenant_table =
    CW_TABLE("tenant", tenant_keys, struct cw_stage_tenant_config);

static const char *const truncate_names[] = {"line", "label", "structured_metadata", "extracted",
                                             NULL};
#define TRUNCATE(member) offsetof(struct cw_stage_truncate_rule, member)
static const struct cw_key_def truncate_rule_keys[] = {
    {"limit", CW_KEY_BYTES, TRUNCATE(limit_bytes), .flags = CW_KEY_REQUIRED, .min = "1",
     .doc = "What is longer is cut to that length, the suffix included."},
    {"source_type", CW_KEY_ENUM, TRUNCATE(source_type), .def = "line", .names = truncate_names,
     .doc = "What is cut."},
    {"sources", CW_KEY_STRINGS, TRUNCATE(sources), .flags = CW_KEY_ONE_OR_LIST,
     .doc = "Names of labels, metadata or extracted values; of the first two all when empty."},
    {"suffix", CW_KEY_STRING, TRUNCATE(suffix), .doc = "Stands at the end of what was cut."},
};
static const struct cw_table_def truncate_rule_table =
    CW_TABLE("truncate rule", truncate_rule_keys, struct cw_stage_truncate_rule);
static const struct cw_key_def truncate_keys[] = {
    {"rules", CW_KEY_TABLES, AT(truncate, rules), .table = &truncate_rule_table,
     .doc = "They apply one after the other."},
};
static const struct cw_table_def truncate_table =
    CW_TABLE("truncate", truncate_keys, struct cw_stage_truncate_config);

static const char *const failure_names[] = {"fudge", "skip", NULL};
static const char *const duplicate_names[] = {"fudge", "keep", NULL};
static const struct cw_key_def timestamp_keys[] = {
    {"source", CW_KEY_STRING, AT(timestamp, source), .flags = CW_KEY_REQUIRED,
     .doc = "The extracted value that holds the time."},
    {"format", CW_KEY_STRING, AT(timestamp, format), .flags = CW_KEY_REQUIRED,
     .doc = "ANSIC, UnixDate, RubyDate, RFC822, RFC822Z, RFC850, RFC1123, RFC1123Z, RFC3339, "
            "RFC3339Nano, Unix, UnixMs, UnixUs, UnixNs, or a layout of Go's time package. Without "
            "a year in it the current one counts."},
    {"fallback_formats", CW_KEY_STRINGS, AT(timestamp, fallback_formats),
     .doc = "Formats that are tried where that one does not fit."},
    {"location", CW_KEY_STRING, AT(timestamp, location),
     .doc = "The time zone (as in tzdata) of times that do not say theirs; else UTC."},
    {"action_on_failure", CW_KEY_ENUM, AT(timestamp, action_on_failure), .def = "fudge",
     .names = failure_names,
     .doc = "What the time is when none can be read: that of the last entry of the same labels and "
            "a nanosecond, if it has one, or the one that the entry has."},
    {"action_on_duplicate_timestamp", CW_KEY_ENUM, AT(timestamp, action_on_duplicate),
     .def = "keep", .names = duplicate_names,
     .doc = "What it is when it is the same as that of the last entry of the same labels."},
};
static const struct cw_table_def timestamp_table =
    CW_TABLE("timestamp", timestamp_keys, struct cw_stage_timestamp_config);

#define STAGE(member, kind, ...)                                                                   \
    {                                                                                              \
#member, kind, offsetof(struct cw_stage_config, member),                                   \
            .seen = CW_KEY_AT(struct cw_stage_config, seen.member), __VA_ARGS__                    \
    }

static const struct cw_key_def stage_keys[] = {
    STAGE(cri, CW_KEY_TABLE, .table = &cri_table,
          .doc = "Read lines of CRI runtimes (containerd, CRI-O): time, label stream, text; joins "
                 "partial lines."),
    STAGE(docker, CW_KEY_TABLE, .table = &none_table,
          .doc = "Read lines of Docker's json-file driver: time, label stream, text; joins the "
                 "pieces of lines over 16 KiB."),
    STAGE(decolorize, CW_KEY_TABLE, .table = &none_table,
          .doc = "Take ANSI colour sequences out of the line."),
    STAGE(drop, CW_KEY_TABLE, .table = &drop_table,
          .doc = "Drop entries for which all of the options hold."),
    STAGE(eventlogmessage, CW_KEY_TABLE, .table = &eventlogmessage_table,
          .doc = "Extract the values of a Windows event's message."),
    STAGE(geoip, CW_KEY_TABLE, .table = &geoip_table,
          .doc = "Labels that say where an IP address is."),
    STAGE(json, CW_KEY_TABLE, .table = &json_table, .doc = "Extract values from a JSON object."),
    STAGE(label_drop, CW_KEY_STRINGS, .doc = "The same as labeldrop."),
    STAGE(label_keep, CW_KEY_STRINGS, .doc = "The same as labelallow."),
    STAGE(labelallow, CW_KEY_STRINGS, .doc = "Take away all labels but these."),
    STAGE(labeldrop, CW_KEY_STRINGS, .doc = "Take away these labels."),
    STAGE(labels, CW_KEY_MAP,
          .doc = "Labels, and for each the extracted value that it gets; empty: the one of its "
                 "name."),
    STAGE(level, CW_KEY_TABLE, .table = &level_table,
          .doc = "Detect the level of the line: trace, debug, info, warn, error, critical, fatal."),
    STAGE(limit, CW_KEY_TABLE, .table = &limit_table, .doc = "Limit how many lines pass a second."),
    STAGE(logfmt, CW_KEY_TABLE, .table = &logfmt_table,
          .doc = "Extract values of key=value pairs."),
    STAGE(luhn, CW_KEY_TABLE, .table = &luhn_table,
          .doc = "Replace numbers of payment cards, and others that pass Luhn's check."),
    STAGE(match, CW_KEY_TABLE, .table = &match_table,
          .doc = "Take entries that match a selector through further stages, or drop them."),
    STAGE(metrics, CW_KEY_TABLE_MAP, .table = &metric_table,
          .doc = "Counters, gauges and histograms, by name, which are shown at /metrics with the "
                 "labels of the entry."),
    STAGE(multiline, CW_KEY_TABLE, .table = &multiline_table,
          .doc = "Join lines into entries, those of each set of labels for themselves."),
    STAGE(non_indexed_labels, CW_KEY_MAP,
          .doc = "The same as structured_metadata, by its old name."),
    STAGE(output, CW_KEY_TABLE, .table = &output_table, .doc = "Make an extracted value the line."),
    STAGE(pack, CW_KEY_TABLE, .table = &pack_table,
          .doc = "Make line and labels one JSON object, which LogQL's unpack takes apart."),
    STAGE(pattern, CW_KEY_TABLE, .table = &pattern_table, .doc = "Extract values by a pattern."),
    STAGE(redact, CW_KEY_TABLE, .table = &redact_table,
          .doc = "Blot out addresses, numbers of cards and accounts, keys and tokens."),
    STAGE(regex, CW_KEY_TABLE, .table = &regex_table,
          .doc = "Extract the named groups of a regular expression."),
    STAGE(replace, CW_KEY_TABLE, .table = &replace_table,
          .doc = "Replace parts of the line or of an extracted value."),
    STAGE(sampling, CW_KEY_TABLE, .table = &sampling_table, .doc = "Keep a share of the entries."),
    STAGE(split_json, CW_KEY_TABLE, .table = &split_json_table,
          .doc = "Make each element of a JSON array an entry of its own."),
    STAGE(static_labels, CW_KEY_MAP,
          .doc = "Labels and their values; an empty one leaves a label as it is."),
    STAGE(structured_metadata, CW_KEY_MAP,
          .doc = "Names of structured metadata, and for each the extracted value or label that it "
                 "gets; empty: the one of its name. A label is one no more, then."),
    STAGE(structured_metadata_drop, CW_KEY_STRINGS,
          .doc = "Take away structured metadata of these names."),
    STAGE(structured_metadata_regex, CW_KEY_STRING,
          .doc = "Make all extracted values whose names match this regular expression (RE2) "
                 "structured metadata."),
    STAGE(template, CW_KEY_TABLE, .table = &template_table,
          .doc = "Make an extracted value of others."),
    STAGE(tenant, CW_KEY_TABLE, .table = &tenant_table, .doc = "Set the tenant of the entry."),
    STAGE(truncate, CW_KEY_TABLE, .table = &truncate_table, .doc = "Cut what is too long."),
    STAGE(timestamp, CW_KEY_TABLE, .table = &timestamp_table,
          .doc = "Set the entry's time from an extracted value."),
};

/* A stage that cannot be compiled, or does nothing, is told with its place in the file. */
static int check_stage(const void *value, struct cw_err *err)
{
    struct cw_config_tables one = {(void *)value, 1};
    struct cw_stages *stages = NULL;
    int rc = cw_stages_new(&one, NULL, &stages, err);
    if (rc == 0 && cw_stages_idle(stages) != NULL) {
        cw_err_set(err, CW_E_INVALID, "%s", cw_stages_idle(stages));
        rc = 1;
    }
    cw_stages_free(&stages);
    return rc;
}

const struct cw_table_def cw_stage_table = {
    .name = "stage",
    .keys = stage_keys,
    .nkeys = sizeof stage_keys / sizeof stage_keys[0],
    .size = sizeof(struct cw_stage_config),
    .one_of = true,
    .check = check_stage,
};
