/* hidden_judge.c - rules against rows: part of hidden.h. */
#include "common/store/hidden.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_hidden_judge {
    const struct cw_hidden_rule *rules; /* borrowed */
    size_t n;
    void **runs; /* of their filters; made when a row first needs it */
    bool *begun;
    bool *matches; /* the stream at hand */
    uint64_t *counts;
    struct cw_hash128 stream;
    bool has_stream;
};

bool cw_hidden_rule_touches(const struct cw_hidden_rule *rule, int64_t min_ns, int64_t max_ns)
{
    return rule->first_ns <= max_ns && rule->last_ns >= min_ns;
}

int cw_hidden_rule_stream(const struct cw_hidden_rule *rule, struct cw_labels labels,
                          struct cw_err *err)
{
    int rc = rule->selector != NULL ? cw_selector_match(rule->selector, labels, err) : 1;
    for (size_t i = 0; rc == 1 && i < rule->nexcept; i++) {
        rc = cw_selector_match(rule->except[i], labels, err);
        rc = rc < 0 ? rc : !rc;
    }
    return rc;
}

struct cw_hidden_judge *cw_hidden_judge_new(const struct cw_hidden_rule *rules, size_t n)
{
    struct cw_hidden_judge *judge = cw_mem_new(sizeof(*judge));
    judge->rules = rules;
    judge->n = n;
    judge->runs = cw_mem_array(n + 1, sizeof(*judge->runs));
    judge->begun = cw_mem_array(n + 1, sizeof(*judge->begun));
    judge->matches = cw_mem_array(n + 1, sizeof(*judge->matches));
    judge->counts = cw_mem_array(n + 1, sizeof(*judge->counts));
    return judge;
}

void cw_hidden_judge_free(struct cw_hidden_judge **handle)
{
    struct cw_hidden_judge *judge = *handle;
    *handle = NULL;
    if (judge == NULL)
        return;
    for (size_t i = 0; i < judge->n; i++)
        if (judge->begun[i])
            judge->rules[i].filter->ops->end(judge->runs[i]);
    free(judge->runs);
    free(judge->begun);
    free(judge->matches);
    free(judge->counts);
    free(judge);
}

const uint64_t *cw_hidden_judge_counts(const struct cw_hidden_judge *judge)
{
    return judge->counts;
}

static int stream_judge(struct cw_hidden_judge *judge, const struct cw_stream_ref *stream,
                        struct cw_err *err)
{
    if (judge->has_stream && cw_hash128_eq(judge->stream, stream->id))
        return 0;
    for (size_t i = 0; i < judge->n; i++) {
        int rc = cw_hidden_rule_stream(&judge->rules[i], stream->labels, err);
        if (rc < 0)
            return rc;
        judge->matches[i] = rc == 1;
    }
    judge->stream = stream->id;
    judge->has_stream = true;
    return 0;
}

static int row_judge(struct cw_hidden_judge *judge, size_t idx, const struct cw_entry_batch *batch,
                     size_t row, struct cw_err *err)
{
    const struct cw_hidden_rule *rule = &judge->rules[idx];
    int64_t ts_ns = batch->ts_ns[row];
    if (ts_ns < rule->first_ns || ts_ns > rule->last_ns)
        return 0;
    if (rule->filter == NULL)
        return 1;
    if (!judge->begun[idx]) {
        judge->runs[idx] = rule->filter->ops->begin(rule->filter);
        judge->begun[idx] = true;
    }
    struct cw_labels metadata = batch->metadata != NULL ? batch->metadata[row] : CW_LABELS_NONE;
    return rule->filter->ops->entry(rule->filter, judge->runs[idx], ts_ns, batch->stream.labels,
                                    metadata, batch->lines[row], err);
}

int64_t cw_hidden_judge_batch(struct cw_hidden_judge *judge, const struct cw_entry_batch *batch,
                              bool *hidden, struct cw_err *err)
{
    int64_t n = 0;
    int rc = stream_judge(judge, &batch->stream, err);
    if (rc < 0)
        return rc;
    memset(hidden, 0, batch->n * sizeof(*hidden));
    for (size_t i = 0; i < judge->n; i++) {
        if (!judge->matches[i])
            continue;
        for (size_t row = 0; row < batch->n; row++) {
            if (hidden[row])
                continue;
            rc = row_judge(judge, i, batch, row, err);
            if (rc < 0)
                return rc;
            hidden[row] = rc == 1;
            judge->counts[i] += rc == 1;
            n += rc;
        }
    }
    return n;
}
