#include <criterion/criterion.h>

#include "querier/engine/stream_query.h"
#include "querier/engine/volume.h"
#include "tests/support/mem_source.h"

struct fixture {
    struct mem_store *store;
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
    const struct cw_selector *selector;
    struct cw_arena *arena;
};

/* Streams 1 and 2 lie in both sources. */
static void begin(struct fixture *f, const char *selector)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, 2, 2);
    for (size_t source = 0; source < 2; source++) {
        mem_store_add(f->store, source, "{app=\"web\", host=\"h1\"}", 10, "12345", NULL);
        mem_store_add(f->store, source, "{app=\"web\", host=\"h2\"}", 20, "123", NULL);
    }
    mem_store_add(f->store, 1, "{app=\"db\", tier=\"gold\"}", 30, "1", NULL);
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    f->arena = cw_arena_new();
    f->pool = cw_pool_new(2, NULL);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
    cr_assert_eq(cw_logql_parse(cw_str_of(selector), &f->query, &err), 0);
    f->selector = &f->query->root->selector;
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    cw_arena_free(&f->arena);
    mem_store_free(&f->store);
}

static int add_item(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    struct cw_buf *text = arg;
    if (text->len > 0)
        cw_buf_addc(text, ' ');
    if (item->text.ptr != NULL)
        cw_buf_adds(text, item->text);
    else
        cw_labels_format(item->stream.labels, text);
    return 0;
}

static void expect_list(struct fixture *f, const struct cw_listing *listing, const char *want)
{
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, 4096);
    cr_assert_eq(cw_stream_query_list(&f->context, listing, add_item, &text, &err), 0);
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
}

Test(stream_query, names_and_values_come_once_and_sorted)
{
    struct fixture f;
    begin(&f, "{app=\"web\"}");
    struct cw_listing names = {.what = CW_LIST_NAMES, .end_ns = 100},
                      values = {.what = CW_LIST_VALUES, .name = CW_STR("app"), .end_ns = 100};
    expect_list(&f, &names, "app host tier");
    expect_list(&f, &values, "db web");
    names.selectors = values.selectors = &f.selector;
    names.nselectors = values.nselectors = 1;
    expect_list(&f, &names, "app host");
    values.name = CW_STR("host");
    expect_list(&f, &values, "h1 h2");
    values.name = CW_STR("nosuch");
    expect_list(&f, &values, "");
    values.name = CW_STR("host");
    values.end_ns = 15;
    expect_list(&f, &values, "h1");
    end(&f);
}

Test(stream_query, series_and_stats_count_a_stream_of_two_sources_once)
{
    struct fixture f;
    struct cw_index_stats stats;
    struct cw_err err;
    begin(&f, "{app=\"web\"}");
    const struct cw_selector *both[] = {f.selector, f.selector};
    struct cw_listing listing = {
        .what = CW_LIST_STREAMS, .selectors = both, .nselectors = 2, .end_ns = 100};
    expect_list(&f, &listing, "{app=\"web\", host=\"h1\"} {app=\"web\", host=\"h2\"}");
    listing.nselectors = 1;
    cr_assert_eq(cw_stream_query_stats(&f.context, &listing, &stats, &err), 0);
    cr_expect_eq(stats.streams, 2);
    cr_expect_eq(stats.entries, 4);
    cr_expect_eq(stats.bytes, 16);
    listing.nselectors = 0;
    expect_list(
        &f, &listing,
        "{app=\"db\", tier=\"gold\"} {app=\"web\", host=\"h1\"} {app=\"web\", host=\"h2\"}");
    end(&f);
}

static int refuse_second(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    int *n = arg;
    return ++*n == 2 ? cw_err_set(err, CW_E_CANCELED, "enough") : 0;
}

Test(stream_query, a_listing_ends_when_it_is_cancelled_or_its_reader_says_so)
{
    struct fixture f;
    struct cw_err err;
    atomic_bool gone = true;
    int n = 0;
    begin(&f, "{app=\"web\"}");
    struct cw_listing listing = {.what = CW_LIST_STREAMS, .end_ns = 100};
    cr_expect_eq(cw_stream_query_list(&f.context, &listing, refuse_second, &n, &err),
                 CW_E_CANCELED);
    cr_expect_eq(n, 2);
    f.context.client_gone = &gone;
    cr_expect_eq(cw_stream_query_list(&f.context, &listing, refuse_second, &n, &err),
                 CW_E_CANCELED);
    cr_expect_eq(n, 2);
    end(&f);
}

Test(stream_query, volumes_add_up_by_series_and_by_name)
{
    struct fixture f;
    struct cw_volumes out;
    struct cw_err err;
    begin(&f, "{app=~\".+\"}");
    struct cw_volume_options options = {
        .start_ns = 0, .end_ns = 100, .limit = 10, .max_series = 10};
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_assert_eq(out.n, 2);
    cr_expect(cw_str_eqz(cw_labels_get(out.items[0].labels, CW_STR("app")), "web"));
    cr_expect_eq(out.items[0].bytes, 16);
    cr_expect_eq(out.items[1].bytes, 1);
    struct cw_str host = CW_STR("host");
    options.max_series = 1;
    cr_expect_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err),
                 CW_E_LIMIT);
    cr_expect_str_eq(err.text, "the query hit the max number of series limit (limit: 1 series)");
    options.max_series = 10;
    options.targets = &host;
    options.ntargets = 1;
    options.limit = 1;
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_assert_eq(out.n, 1);
    cr_expect_eq(out.items[0].bytes, 10);
    options = (struct cw_volume_options){
        .start_ns = 0, .end_ns = 100, .limit = 10, .max_series = 10, .by_label_names = true};
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_assert_eq(out.n, 3);
    cr_expect(cw_str_eqz(out.items[0].labels.items[0].name, "app"));
    cr_expect_eq(out.items[0].bytes, 17);
    end(&f);
}

Test(stream_query, steps_of_a_volume_end_at_multiples_and_at_the_end)
{
    const int64_t ms = 1000000;
    struct cw_volume_steps steps;
    cw_volume_steps_init(&steps, 7 * ms, 23 * ms, 10 * ms);
    cr_assert_eq(steps.n, 3);
    cr_expect_eq(cw_volume_steps_time(&steps, 0), 9 * ms);
    cr_expect_eq(cw_volume_steps_time(&steps, 1), 19 * ms);
    cr_expect_eq(cw_volume_steps_time(&steps, 2), 23 * ms);
    cw_volume_steps_init(&steps, 10 * ms, 30 * ms, 10 * ms);
    cr_assert_eq(steps.n, 2);
    cr_expect_eq(cw_volume_steps_time(&steps, 0), 19 * ms);
    cr_expect_eq(cw_volume_steps_time(&steps, 1), 30 * ms);
    cw_volume_steps_init(&steps, -7 * ms, 1, 10 * ms);
    cr_assert_eq(steps.n, 2);
    cr_expect_eq(cw_volume_steps_time(&steps, 0), -1 * ms);
    cw_volume_steps_init(&steps, 5, 5, 10 * ms);
    cr_expect_eq(steps.n, 0);
    cw_volume_steps_init(&steps, INT64_MIN, INT64_MAX, INT64_MAX);
    cr_assert(steps.n == 3 || steps.n == 2);
    cr_expect_eq(cw_volume_steps_time(&steps, steps.n - 1), INT64_MAX);
}

Test(stream_query, volumes_by_step_count_an_entry_once_and_have_the_largest_of_each)
{
    struct fixture f;
    struct cw_volumes out;
    struct cw_err err;
    begin(&f, "{app=~\".+\"}");
    struct cw_volume_steps steps;
    cw_volume_steps_init(&steps, 0, 100, 10);
    cr_assert_eq(steps.n, 10);
    struct cw_volume_options options = {
        .end_ns = 100, .limit = 10, .max_series = 10, .steps = &steps};
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_assert_eq(out.n, 2);
    cr_expect_eq(out.items[0].bytes, 10);
    cr_expect_eq(out.items[0].steps[0], 0);
    cr_expect_eq(out.items[0].steps[1], 10);
    cr_expect_eq(out.items[0].steps[2], 6);
    cr_expect_eq(out.items[0].steps[3], 0);
    cr_expect_eq(out.items[1].steps[3], 1);
    options.limit = options.max_series = 1; /* they lie in different steps */
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_expect_eq(out.n, 2);
    options.max_series = 0;
    cr_expect_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err),
                 CW_E_LIMIT);
    options.max_series = 2;
    cw_volume_steps_init(&steps, 0, 100, 100);
    cr_assert_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err), 0);
    cr_assert_eq(out.n, 1);
    cr_expect_eq(out.items[0].steps[0], 16);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    cw_allowance_init(&f.context.allowance, 8);
    cr_expect_eq(cw_volume_query(&f.context, f.query->root, &options, f.arena, &out, &err),
                 CW_E_LIMIT);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}
