/* What `in (...)` may find; what it finds is test_log_gather.c's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/limits.h"
#include "querier/engine/sub_query.h"
#include "querier/engine/value_set.h"
#include "tests/support/mem_source.h"

struct fixture {
    struct mem_store *store;
    struct cw_query *query;
    struct cw_label_filter *filter;
};

static int note_filter(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                       struct cw_err *err)
{
    (void)expr;
    (void)err;
    ((struct fixture *)arg)->filter = filter;
    return 0;
}

static void begin(struct fixture *f, const char *text)
{
    struct cw_err err;
    *f = (struct fixture){.store = mem_store_new(1, 10000, 10000)};
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &f->query, &err), 0,
                 "%s", err.text);
    cr_assert_eq(cw_expr_each_in(f->query->root, note_filter, f, &err), 0);
}

/* Lines "v=<n>" from `from` on, up to `to`. */
static void add_values(struct fixture *f, size_t from, size_t to)
{
    char line[32];
    for (size_t i = from; i < to; i++) {
        snprintf(line, sizeof line, "v=%zu", i);
        mem_store_add(f->store, 0, "{app=\"x\"}", (int64_t)i, line, NULL);
    }
}

static int run(struct fixture *f, size_t memory_bytes, struct cw_err *err)
{
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    struct cw_snapshot snapshot = {0};
    struct cw_query_context context;
    const struct cw_sub_query_span span = {0, INT64_C(1) << 40, NULL};
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &snapshot, err), 0);
    cw_query_context_init(&context, NULL, &snapshot, memory_bytes);
    int rc = cw_sub_queries_run(&context, f->query, &span, err);
    cw_allowance_fini(&context.allowance);
    cw_snapshot_fini(&snapshot);
    return rc;
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    mem_store_free(&f->store);
}

#define WITH_IN "{app=\"y\"} | v in ({app=\"x\"} | logfmt)"

Test(sub_query, finds_a_million_values_and_no_more, .timeout = 300)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, WITH_IN);
    add_values(&f, 0, CW_LIMIT_QUERY_VALUES + 1);
    cr_expect_eq(run(&f, 0, &err), CW_E_LIMIT);
    cr_expect_str_eq(err.text, "`v in (...)` found more than 1000000 values, which is as many as a "
                               "query may tell apart");
    end(&f);
}

Test(sub_query, its_values_are_from_the_querys_memory)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, WITH_IN);
    add_values(&f, 0, 10000);
    cr_expect_eq(run(&f, 1 << 16, &err), CW_E_LIMIT);
    cr_expect_not_null(strstr(err.text, "allowance of 65536 bytes"), "%s", err.text);
    cr_expect_eq(run(&f, 64 << 20, &err), 0, "%s", err.text);
    cr_expect(cw_value_set_has(f.filter->values, CW_STR("9999")));
    cr_expect_not(cw_value_set_has(f.filter->values, CW_STR("10000")));
    end(&f);
}

Test(sub_query, of_no_values_no_entry_passes)
{
    struct fixture f;
    struct cw_err err;
    begin(&f, WITH_IN);
    cr_assert_eq(run(&f, 0, &err), 0);
    cr_expect_not_null(f.filter->values);
    cr_expect_not(cw_value_set_has(f.filter->values, CW_STR("")));
    cr_expect_not(cw_value_set_has(f.filter->values, CW_STR("1")));
    end(&f);
}
