#include "common/pipeline/stage_config.h"

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

static const struct cw_key_def json_keys[] = {
    {"expressions", CW_KEY_MAP, AT(json, expressions),
     .doc = "Names of extracted values, and for each the JMESPath expression that gives it; empty: "
            "the key of that name."},
    ROW_SOURCE(json),
    {"drop_malformed", CW_KEY_BOOL, AT(json, drop_malformed), .def = "false",
     .doc = "Drop entries that are no JSON object."},
};
static const struct cw_table_def json_table =
    CW_TABLE("json", json_keys, struct cw_stage_json_config);

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
     .doc = "What the time is when none can be read: that of the entry before and a nanosecond, or "
            "the one that the entry has."},
    {"action_on_duplicate_timestamp", CW_KEY_ENUM, AT(timestamp, action_on_duplicate),
     .def = "keep", .names = duplicate_names,
     .doc = "What it is when it is the same as that of the entry before."},
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
          .doc = "Read lines of Docker's json-file driver: time, label stream, text."),
    STAGE(decolorize, CW_KEY_TABLE, .table = &none_table,
          .doc = "Take ANSI colour sequences out of the line."),
    STAGE(drop, CW_KEY_TABLE, .table = &drop_table,
          .doc = "Drop entries for which all of the options hold."),
    STAGE(json, CW_KEY_TABLE, .table = &json_table, .doc = "Extract values from a JSON object."),
    STAGE(labels, CW_KEY_MAP,
          .doc = "Labels, and for each the extracted value that it gets; empty: the one of its "
                 "name."),
    STAGE(timestamp, CW_KEY_TABLE, .table = &timestamp_table,
          .doc = "Set the entry's time from an extracted value."),
};

/* A stage that cannot be compiled is told with its place in the file. */
static int check_stage(const void *value, struct cw_err *err)
{
    struct cw_config_tables one = {(void *)value, 1};
    struct cw_stages *stages = NULL;
    int rc = cw_stages_new(&one, NULL, &stages, err);
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
