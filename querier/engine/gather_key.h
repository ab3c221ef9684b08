/*
 * gather_key.h - what `distinct` and `sort by` note of an entry as it passes them: which combination of values it is of, and the values
 * that it is sorted by.
 *
 * Order      Numbers, then durations (1m30s), then sizes (1.5MB), each by value and told as label filters tell them; then texts, which go
 *            by their bytes; `desc` turns that round. Entries without the label come last either way.
 * Ownership  Values borrow from the entry until cw_sort_values_copy_into().
 */
#ifndef CW_ENGINE_GATHER_KEY_H
#define CW_ENGINE_GATHER_KEY_H
#include "common/base/hash.h"
#include "common/extract/label_builder.h"
#include "common/logql/ast.h"

enum cw_sort_kind { CW_SORT_NUMBER, CW_SORT_DURATION, CW_SORT_BYTES, CW_SORT_TEXT, CW_SORT_NONE };
struct cw_sort_value {
    enum cw_sort_kind kind;
    double number; /* of a duration its nanoseconds */
    struct cw_str text;
};

/* All zero: the entry came to neither stage. */
struct cw_gather_key {
    bool reached_distinct;
    struct cw_hash128 combination;
    const struct cw_sort_value *values; /* as many as the stage has keys */
};

/* The stage is DISTINCT or SORT. */
void cw_gather_key_note(const struct cw_stage *stage, struct cw_label_builder *builder,
                        struct cw_gather_key *key);
/* Below zero: a stands before b. */
int cw_sort_values_cmp(const struct cw_stage *sort, const struct cw_sort_value *a,
                       const struct cw_sort_value *b);
size_t cw_sort_values_bytes(const struct cw_sort_value *values, size_t n);
/* Into the caller's block of cw_sort_values_bytes(), the texts too. */
struct cw_sort_value *cw_sort_values_copy_into(void *block, const struct cw_sort_value *values,
                                               size_t n);

#endif
