/*
 * field_walk.h - the fields of one entry after the other, as they are detected: structured metadata, what the query parsed, and what
 * `json`, or else `logfmt`, finds in the line.
 *
 * Ownership  What is visited is borrowed, and dies with the call that visits it.
 * Threads    One.
 */
#ifndef CW_ENGINE_FIELD_WALK_H
#define CW_ENGINE_FIELD_WALK_H
#include "common/extract/extract_json.h"
#include "querier/engine/log_top.h"

enum cw_field_parser { CW_FIELD_BY_NONE = 0, CW_FIELD_BY_JSON = 1, CW_FIELD_BY_LOGFMT = 2 };

struct cw_field_value {
    struct cw_str name, value;
    enum cw_field_parser parser; /* of the line; NONE: it is metadata, or neither reads the line */
    const struct cw_str *json_path; /* NULL: not known */
    size_t njson_path;
};
typedef void (*cw_field_visit_fn)(void *arg, const struct cw_field_value *value);

struct cw_field_walk {
    struct cw_label_hints hints; /* every label is wanted */
    struct cw_label_builder builder;
    struct cw_arena *scratch; /* of the entry */
    struct cw_field_path
        *paths; /* of the labels that `json` found; by name once the line is read */
    size_t npaths, paths_cap;
};

void cw_field_walk_init(struct cw_field_walk *walk);
void cw_field_walk_fini(struct cw_field_walk *walk);
/* `entry` is one of a log query's page. A name may be visited twice: by the query's parser and by ours. */
void cw_field_walk_entry(struct cw_field_walk *walk, const struct cw_log_entry *entry,
                         cw_field_visit_fn visit, void *arg);

#endif
