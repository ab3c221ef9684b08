/*
 * hidden.h - a source without some of its rows: what deletes and retention by selector hide.
 *
 * A rule hides rows of the streams that it matches between two times; its filter, if it has one, picks among them. The source
 * that is made of an inner one and rules gives the inner one's units: those that no rule touches stay the inner one's own and
 * cost nothing, the others are opened here, and rows are dropped from their batches.
 *
 * Wider      labels and series leave a stream out only where a rule without a filter covers all of the range that the source
 *            has (labels only while the source has 65,536 streams or fewer); a stream of which all rows are hidden otherwise is listed
 *            until they are removed. Stats are exact.
 * Ownership  The source holds a reference on the inner one and on the owner of what its rules point to.
 * Threads    As cursor.h. A judge belongs to one thread at a time.
 * Errors     As cursor.h; what a filter fails with (a regex's limit): hidden or not cannot be told, so the scan fails.
 */
#ifndef CW_STORE_HIDDEN_H
#define CW_STORE_HIDDEN_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "common/store/cursor.h"

/* Picks rows; first member of whatever does so (querier.h makes one of a pipeline). */
struct cw_entry_filter;
struct cw_entry_filter_ops {
    /* What a cursor works with; NULL is fine. */
    void *(*begin)(const struct cw_entry_filter *filter);
    void (*end)(void *run);
    /* 1 picked, 0 not, or negative: an error. */
    int (*entry)(const struct cw_entry_filter *filter, void *run, int64_t ts_ns,
                 struct cw_labels stream, struct cw_labels metadata, struct cw_str line,
                 struct cw_err *err);
};
struct cw_entry_filter {
    const struct cw_entry_filter_ops *ops;
};

struct cw_hidden_rule {
    const struct cw_selector *selector; /* NULL: every stream */
    /* Streams that one of these matches are not the rule's: another rule comes before it. */
    const struct cw_selector *const *except;
    size_t nexcept;
    int64_t first_ns, last_ns;            /* inclusive */
    const struct cw_entry_filter *filter; /* NULL: every row */
};

/* Keeps alive what rules point to; first member of whatever does so. */
struct cw_hidden_owner {
    atomic_int refs; /* born with 1 */
    void (*destroy)(struct cw_hidden_owner *owner);
};
struct cw_hidden_owner *cw_hidden_owner_ref(struct cw_hidden_owner *owner);
void cw_hidden_owner_unref(struct cw_hidden_owner **owner);

/* Takes the reference on `inner`, copies the rules (at least one), refers to the owner. */
struct cw_source *cw_hidden_source_new(struct cw_source *inner, const struct cw_hidden_rule *rules,
                                       size_t n, struct cw_hidden_owner *owner);
/* Does the rule hide rows between these times (inclusive), if it matches their streams? */
bool cw_hidden_rule_touches(const struct cw_hidden_rule *rule, int64_t min_ns, int64_t max_ns);
/* 1 the stream is the rule's, 0 not, or a negative error. */
int cw_hidden_rule_stream(const struct cw_hidden_rule *rule, struct cw_labels labels,
                          struct cw_err *err) CW_MUST_USE;

/* Which rows of a batch are hidden. */
struct cw_hidden_judge;
struct cw_hidden_judge *cw_hidden_judge_new(const struct cw_hidden_rule *rules, size_t n);
void cw_hidden_judge_free(struct cw_hidden_judge **judge);
/* Rows that were hidden by each rule so far; the first that hides a row counts. */
const uint64_t *cw_hidden_judge_counts(const struct cw_hidden_judge *judge);
/* hidden[i] says it of row i; how many they are, or a negative error. The batch has times, and lines and metadata where a rule has a
 * filter. */
int64_t cw_hidden_judge_batch(struct cw_hidden_judge *judge, const struct cw_entry_batch *batch,
                              bool *hidden, struct cw_err *err) CW_MUST_USE;

#endif
