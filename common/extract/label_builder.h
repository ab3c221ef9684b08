/*
 * label_builder.h - the labels of one entry while a pipeline works on it: those of its stream, its structured metadata and
 * what was parsed, kept apart, as Loki does.
 *
 * Rules      A metadata name that the stream has gets "_extracted" behind it, and so does a parsed name that stream or
 *            metadata have. What was parsed first stays: a name parsed before is not parsed again, even after it was deleted.
 *            Of one name the parsed label hides metadata, which hides the stream's. Empty values are values.
 *            The error stands apart (__error__, __error_details__) and counts as parsed. Details without an error show only
 *            where labels were added or deleted, as in Loki.
 * Hints      A metric query names the labels that it needs; others are not taken, and parsers may end once
 *            cw_label_builder_has_all().
 * Ownership  Names and values are borrowed and live as long as the entry's line, or lie in `scratch`, which
 *            cw_label_builder_begin() empties. In the steady state an entry costs no malloc.
 * Threads    One thread.
 */
#ifndef CW_EXTRACT_LABEL_BUILDER_H
#define CW_EXTRACT_LABEL_BUILDER_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/str.h"
#include "common/labels/labels.h"

enum cw_label_category {
    CW_LABEL_STREAM,
    CW_LABEL_METADATA,
    CW_LABEL_PARSED,
    CW_LABEL_NCATEGORIES
};

struct cw_label_hints {
    bool no_labels;                /* none is needed: parsers do not run */
    const struct cw_str *required; /* only these; none: all. Borrowed. */
    size_t nrequired;
};

struct cw_built_label {
    struct cw_str name, value;
    enum cw_label_category category;
    bool live; /* false: deleted, or hidden by a category above */
};

struct cw_label_builder {
    const struct cw_label_hints *hints;
    struct cw_arena *scratch;
    struct cw_labels stream;
    bool *stream_gone; /* per label of the stream: deleted or hidden */
    size_t stream_cap, nstream_gone;
    struct cw_built_label *items; /* what was added to the stream's labels, in order */
    size_t n, cap;
    size_t nfound; /* of the required ones */
    struct cw_str error, details;
    bool preserve_error;     /* the query asked for errors by name: they are no failure */
    bool deleted;            /* cw_label_builder_delete() was called */
    struct cw_label *sorted; /* cw_label_builder_get_all()'s memory */
    size_t sorted_cap;
};

/* Where the labels of an entry stand in the end: sorted by name; borrowed until the next _begin(). */
struct cw_built_labels {
    struct cw_labels stream, metadata, parsed;
};

/* `hints` is borrowed. */
void cw_label_builder_init(struct cw_label_builder *builder, const struct cw_label_hints *hints);
void cw_label_builder_fini(struct cw_label_builder *builder);
/* A new entry. Both sets are sorted; borrowed until the next one. */
void cw_label_builder_begin(struct cw_label_builder *builder, struct cw_labels stream,
                            struct cw_labels metadata);

/* False: there is no such label. The error is none of them. */
bool cw_label_builder_get(const struct cw_label_builder *builder, struct cw_str name,
                          struct cw_str *value_out, enum cw_label_category *category_out);
void cw_label_builder_set(struct cw_label_builder *builder, enum cw_label_category category,
                          struct cw_str name, struct cw_str value);
void cw_label_builder_delete(struct cw_label_builder *builder, struct cw_str name);
void cw_label_builder_set_error(struct cw_label_builder *builder, struct cw_str error,
                                struct cw_str details);

/* __error_details__ as it shows, or CW_STR_NONE. */
struct cw_str cw_label_builder_details(const struct cw_label_builder *builder);

/* For parsers. What a label of this name is called: "_extracted" is behind it where the stream or the metadata have it. */
struct cw_str cw_label_builder_name(struct cw_label_builder *builder, struct cw_str name);
/* True: the label of this (clean) name is wanted and new; *name_out is what it is called. Follow it with
 * cw_label_builder_add(). */
bool cw_label_builder_wants(struct cw_label_builder *builder, struct cw_str name,
                            struct cw_str *name_out);
void cw_label_builder_add(struct cw_label_builder *builder, struct cw_str name,
                          struct cw_str value);
/* Is the label of this name among those that the query needs, and was it parsed or made by a stage before? */
bool cw_label_builder_needs(const struct cw_label_builder *builder, struct cw_str name);
bool cw_label_builder_parsed(const struct cw_label_builder *builder, struct cw_str name);
/* Could a label whose name begins so be wanted? */
bool cw_label_builder_wants_prefix(const struct cw_label_builder *builder, struct cw_str prefix);
/* Nothing (more) is to be parsed. */
bool cw_label_builder_has_all(const struct cw_label_builder *builder);
/* The error of a parser; a query that groups by __error__ gets it as a label, others fail by it. CW_STR_NONE for `details`
 * leaves those of an earlier error. */
void cw_label_builder_parse_error(struct cw_label_builder *builder, struct cw_str error,
                                  struct cw_str details);

/* The names' form in labels: trimmed, '_' for each rune that is not [a-zA-Z0-9_], a leading digit gets '_' before it.
 * Borrowed when it is clean; else in `scratch`. */
struct cw_str cw_label_builder_clean(struct cw_label_builder *builder, struct cw_str name);
/* Text behind a prefix and '_', cleaned likewise, in `scratch`; the prefix alone where nothing is left of it. */
struct cw_str cw_label_builder_join(struct cw_label_builder *builder, struct cw_str prefix,
                                    struct cw_str name);
/* Bytes that are not UTF-8, and U+FFFD, become spaces; borrowed when there are none. */
struct cw_str cw_label_builder_text(struct cw_label_builder *builder, struct cw_str text);

/* The result by category; the error is among the parsed. */
void cw_label_builder_sort(struct cw_label_builder *builder, struct cw_built_labels *out);
/* All of it in one sorted set. */
struct cw_labels cw_label_builder_get_all(struct cw_label_builder *builder);
/* The labels of these (sorted) names that there are. */
struct cw_labels cw_label_builder_get_named(struct cw_label_builder *builder,
                                            const struct cw_str *names, size_t n);

#endif
