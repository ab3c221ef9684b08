/*
 * level_detect.h - the level of a log line, as Loki finds it when `discover_log_levels` is on.
 *
 * A line that begins with '{' and ends with '}' is JSON: the first member under one of the fields that is a string counts (names
 * to the letter), in the line's order, objects within objects down to a depth. Another line that has a '=' is logfmt: the value
 * of the field that stands first in the list counts (names up to case), up to the first broken pair. Where that says no known
 * word, and in all other lines, the first of the words trace, debug, fatal, critical, error, err, warning, warn and info (up to
 * case) counts that stands by itself: behind the start, white space or one of [({"= and before the end, white space or one of
 * []({}):,!"= .
 *
 * Case       Is ASCII's.
 * Bounds     Objects nested deeper than CW_JSON_SCAN_DEPTH are passed over.
 * Threads    A detector is read-only once made.
 * Source     Loki's documentation of log_level_fields and log_level_from_json_max_depth, and what Loki 3.7 answers.
 */
#ifndef CW_EXTRACT_LEVEL_DETECT_H
#define CW_EXTRACT_LEVEL_DETECT_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/str.h"
#include "common/match/triple_scan.h"

/* The structured metadata that the level becomes. */
#define CW_LEVEL_LABEL CW_STR("detected_level")
/* The fields that are looked at unless somebody says others: Loki's. */
#define CW_LEVEL_FIELDS                                                                            \
    "level, LEVEL, Level, log.level, severity, SEVERITY, Severity, SeverityText, lvl, LVL, Lvl, "  \
    "severity_text, Severity_Text, SEVERITY_TEXT"

enum cw_level {
    CW_LEVEL_UNKNOWN,
    CW_LEVEL_TRACE,
    CW_LEVEL_DEBUG,
    CW_LEVEL_INFO,
    CW_LEVEL_WARN,
    CW_LEVEL_ERROR,
    CW_LEVEL_CRITICAL,
    CW_LEVEL_FATAL,
    CW_LEVEL_N,
};
/* "unknown", "trace", ... */
extern const struct cw_str cw_level_names[CW_LEVEL_N];

/* What the value of a field says: "WARNING", "wrn" and "warn" are warn. False: it is none of the known words. */
bool cw_level_of_word(struct cw_str word, enum cw_level *out);
/* OpenTelemetry's severity number, as text; what is no number is info. */
enum cw_level cw_level_of_severity(struct cw_str number);

struct cw_level_detector {
    const struct cw_str *fields; /* borrowed */
    size_t nfields;
    unsigned json_depth;           /* levels of objects that are looked at; 0: all */
    bool any_key;                  /* some field is too short to be looked for */
    unsigned char last_bytes[256]; /* bit 0: a field ends in that byte; bit 1: up to case */
    /* Where the end of a field may be, with what follows it; where a word may begin, with what is before it. */
    struct cw_triple_scan json_keys, logfmt_keys, words;
};

void cw_level_detector_init(struct cw_level_detector *detector, const struct cw_str *fields,
                            size_t nfields, unsigned json_depth);
/* The arena takes texts that held escapes. */
enum cw_level cw_level_detect(const struct cw_level_detector *detector, struct cw_str line,
                              struct cw_arena *arena);

#endif
