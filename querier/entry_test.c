/* entry_test.c - a log query as a test of single entries: part of querier.h. */
#include "querier/querier.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/logql/ast.h"
#include "querier/engine/eval.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/plan.h"

struct cw_entry_test {
    struct cw_entry_filter filter; /* first */
    struct cw_query *query;
    const struct cw_line_filter **filters; /* that stand ahead of the pipeline */
    size_t nfilters;
    struct cw_pipeline *pipeline;
};

static void *filter_begin(const struct cw_entry_filter *filter)
{
    const struct cw_entry_test *test = (const struct cw_entry_test *)filter;
    return cw_pipeline_run_new(test->pipeline);
}

static void filter_end(void *run)
{
    struct cw_pipeline_run *pipeline_run = run;
    cw_pipeline_run_free(&pipeline_run);
}

static int filter_entry(const struct cw_entry_filter *filter, void *run, int64_t ts_ns,
                        struct cw_labels stream, struct cw_labels metadata, struct cw_str line,
                        struct cw_err *err)
{
    const struct cw_entry_test *test = (const struct cw_entry_test *)filter;
    for (size_t i = 0; i < test->nfilters; i++) {
        int rc = cw_line_filter_match(test->filters[i], line, err);
        if (rc != 1)
            return rc;
    }
    if (cw_pipeline_is_idle(test->pipeline))
        return 1;
    return cw_pipeline_entry(run, ts_ns, stream, metadata, line, err);
}

static const struct cw_entry_filter_ops filter_ops = {filter_begin, filter_end, filter_entry};

int cw_entry_test_new(struct cw_str query, struct cw_entry_test **out, struct cw_err *err)
{
    struct cw_entry_test *test = cw_mem_new(sizeof *test);
    test->filter.ops = &filter_ops;
    int rc = cw_logql_parse(query, &test->query, err);
    if (rc == 0 && test->query->root->kind != CW_EXPR_LOG)
        rc = cw_err_set(err, CW_E_INVALID, "only log selector is supported");
    if (rc == 0)
        rc = cw_eval_check(test->query->root, err);
    if (rc == 0)
        rc = cw_pipeline_new(test->query->root, NULL, CW_PIPELINE_LOGS, &test->pipeline, err);
    if (rc < 0) {
        cw_entry_test_free(&test);
        return rc;
    }
    test->nfilters = cw_plan_filters(test->query->root->stages, &test->filters);
    *out = test;
    return 0;
}

void cw_entry_test_free(struct cw_entry_test **handle)
{
    struct cw_entry_test *test = *handle;
    *handle = NULL;
    if (test == NULL)
        return;
    cw_pipeline_free(&test->pipeline);
    free(test->filters);
    cw_query_free(&test->query);
    free(test);
}

const struct cw_selector *cw_entry_test_selector(const struct cw_entry_test *test)
{
    return &test->query->root->selector;
}

const struct cw_entry_filter *cw_entry_test_filter(const struct cw_entry_test *test)
{
    return test->query->root->stages != NULL ? &test->filter : NULL;
}
