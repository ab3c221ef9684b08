/*
 * extract_json.h - LogQL's `| json`, `| json x="a.b"` and `| unpack`: fields of a JSON line as labels.
 *
 * Without expressions every string, number and boolean is a label, nested ones under their joined names (a_b); arrays and
 * nulls are passed over. A broken line keeps what was found ahead of the fault and gets JSONParserErr.
 *
 * Bounds     Objects nested deeper than CW_JSON_SCAN_DEPTH are passed over.
 * Ownership  Labels borrow from line and builder, the expressions from the caller.
 */
#ifndef CW_EXTRACT_EXTRACT_JSON_H
#define CW_EXTRACT_EXTRACT_JSON_H
#include "common/extract/extract_path.h"
#include "common/extract/label_builder.h"

struct cw_json_expression {
    struct cw_str name; /* of the label */
    struct cw_json_path path;
};

/* Told of each label that a line gives: what it is called, and the keys that lead to its value, as the line has them (decoded). All
 * of it dies with the call. */
struct cw_json_trace {
    void (*fn)(void *arg, struct cw_str name, const struct cw_str *keys, size_t nkeys);
    void *arg;
};

/* Of an array so many elements are labels; the others are counted. */
#define CW_JSON_ARRAY_ELEMENTS 100

/* `trace` may be NULL. */
void cw_extract_json(struct cw_str line, const struct cw_json_trace *trace,
                     struct cw_label_builder *builder);
/* The same with arrays (an extension): an element's key is its number (tags_0, tags_1_name), and tags_length says how many there are. The
 * line may be an array itself: _0, _1, length. */
void cw_extract_json_arrays(struct cw_str line, struct cw_label_builder *builder);
/* Each name gets the value at its path, or an empty one. */
void cw_extract_json_paths(struct cw_str line, const struct cw_json_expression *expressions,
                           size_t n, struct cw_label_builder *builder);
/* Strings of a flat object are labels if it has an "_entry", which is the new line; returned. */
struct cw_str cw_extract_unpack(struct cw_str line, struct cw_label_builder *builder);

#endif
