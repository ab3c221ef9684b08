/*
 * labels.h - a sorted set of name/value pairs: the identity of a stream, of a series, and structured metadata.
 *
 * Ownership  A cw_labels borrows its pairs and their text from whoever made it (an arena, a part, the head).
 * Order      By name (bytes); names are unique; a pair with an empty value is no pair and never in the set.
 * Source     Loki's and Prometheus' labels; the text form is `{a="b", c="d"}` with Go's quoting.
 */
#ifndef CW_LABELS_LABELS_H
#define CW_LABELS_LABELS_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/str.h"

struct cw_label {
    struct cw_str name, value;
};

struct cw_labels {
    const struct cw_label *items;
    size_t n;
};

#define CW_LABELS_NONE ((struct cw_labels){NULL, 0})

/* Parse `{a="b", ...}` (strings in "", '' or ``) into the arena, sorted, empty values dropped. CW_E_INVALID with the whole
 * text that Loki answers to a push: "couldn't parse labels: 1:9: parse error: ...", or, for a name that is there twice,
 * "stream '{...}' has duplicate label name: 'a'". An empty set is allowed here. */
int cw_labels_parse(struct cw_str text, struct cw_arena *arena, struct cw_labels *out,
                    struct cw_err *err) CW_MUST_USE;
/* Sort pairs by name in place; pairs of one name keep their order. */
void cw_label_pairs_sort(struct cw_label *pairs, size_t n);
/* Sort pairs in place, drop empty values; CW_E_INVALID names a duplicate. */
int cw_labels_from_pairs(struct cw_label *pairs, size_t n, struct cw_labels *out,
                         struct cw_err *err) CW_MUST_USE;
/* `{a="b", c="d"}` as Loki prints it (Go's strconv.Quote). */
void cw_labels_format(struct cw_labels labels, struct cw_buf *out);
/* The value, or an empty text when the name is not there (LogQL does not tell them apart). */
struct cw_str cw_labels_get(struct cw_labels labels, struct cw_str name);
bool cw_labels_has(struct cw_labels labels, struct cw_str name);
bool cw_labels_eq(struct cw_labels a, struct cw_labels b);
int cw_labels_cmp(struct cw_labels a, struct cw_labels b); /* pair by pair, then by count */
/* XXH3-128 over the pairs (each text followed by a byte 0xFF): the stream id. Stable on disk. */
struct cw_hash128 cw_labels_hash(struct cw_labels labels);
/* The labels with `name` set to `value`, or without it when that is empty. Texts are borrowed. */
struct cw_labels cw_labels_with(struct cw_arena *arena, struct cw_labels labels, struct cw_str name,
                                struct cw_str value);
/* A deep copy into the arena. */
struct cw_labels cw_labels_dup(struct cw_arena *arena, struct cw_labels labels);
/* What the pairs take with their texts behind them. */
size_t cw_labels_block_bytes(struct cw_labels labels);
/* A deep copy in the caller's block of so many bytes, which is aligned for pointers. */
struct cw_labels cw_labels_copy_into(void *block, struct cw_labels labels);
/* A deep copy in one heap block that free() releases (through items). */
struct cw_labels cw_labels_dup_heap(struct cw_labels labels);
/* [a-zA-Z_][a-zA-Z0-9_]* */
bool cw_label_name_valid(struct cw_str name);
/* What is not [a-zA-Z0-9_] becomes '_', a leading digit gets "key_" before it. Borrowed when it is fine already. */
struct cw_str cw_label_name_sanitize(struct cw_arena *arena, struct cw_str name);
/* The name under which Loki stores a pair of structured metadata (otlptranslator's LabelNamer.Build): sanitised, and runs of
 * what is no letter or digit, '_' too, become one '_', but for a "__" at both ends. Borrowed when it is that already. */
struct cw_str cw_label_name_normalize(struct cw_arena *arena, struct cw_str name);
/* Has it a letter or digit of ASCII? Of a name without one nothing but '_' would be left: Loki refuses it, with this sentence. */
bool cw_label_name_admissible(struct cw_str name);
struct cw_str cw_label_name_refusal(struct cw_arena *arena, struct cw_str name);
/* Go's strconv.Quote and Unquote ("", ``); unquote returns false for what Go refuses. */
void cw_quote_go(struct cw_str s, struct cw_buf *out);
bool cw_unquote_go(struct cw_str quoted, struct cw_arena *arena, struct cw_str *out);

#endif
