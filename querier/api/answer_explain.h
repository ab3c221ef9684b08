/*
 * answer_explain.h - what a query would do, and what it did, as JSON: `data` of /cordwood/v1/explain and analyze.
 *
 * Names end in their unit; times are nanoseconds since the epoch as strings, as in Loki's answers. Sums of a step are over all scans.
 *
 * Errors     As answer.h.
 */
#ifndef CW_API_ANSWER_EXPLAIN_H
#define CW_API_ANSWER_EXPLAIN_H
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "querier/engine/explain.h"
#include "querier/querier.h"

/* What was asked, as far as it is no part of the expression. */
struct cw_explain_asked {
    const struct cw_query *query;
    int64_t start_ns, end_ns;   /* of an instant query both are its time */
    const struct cw_grid *grid; /* NULL: a log query */
    enum cw_eval_kind kind;     /* of a metric */
    uint32_t limit;             /* entries of a log query; 0: no limit */
    bool forward;
    unsigned workers;
    /* NULL: none (no server is asked). `refused`: how the query would be refused by one; empty: it would not. */
    const struct cw_query_limits *limits;
    struct cw_str refused;
};

/* What a query that ran came to. */
struct cw_explain_result {
    const struct cw_query_context *query;
    int64_t queue_ns, total_ns;
    uint64_t entries,
        series; /* of the answer, which is not given; the one that it has none of is 0 */
    uint64_t answer_bytes;
};

/* "query": ..., "scans": [...], "estimate": {...}, "limits": [...]: members of an object that is under way. */
void cw_answer_explain(const struct cw_explain_asked *asked, const struct cw_explain *explain,
                       struct cw_json_writer *w);
/* "result": {...}, "time": {...}, "streams": ...: likewise. */
void cw_answer_analyze(const struct cw_explain_result *result, struct cw_json_writer *w);

#endif
