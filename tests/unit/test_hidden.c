/* test_hidden.c - a source without its hidden rows, in both orders and for every need. (Parts: test_parts.c.) */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/store/listing.h"
#include "querier/querier.h"
#include "tests/support/mem_source.h"

static struct cw_err err;

static void keep(struct cw_hidden_owner *owner)
{
}

static struct cw_hidden_owner owner = {1, keep};

/* Two streams of 20 lines "line 0" .. "line 19", at 0 .. 19 s; even ones have metadata. */
static struct mem_store *store_of(void)
{
    struct mem_store *store = mem_store_new(1, 6, 4);
    for (int i = 0; i < 20; i++) {
        char line[20];
        snprintf(line, sizeof(line), "line %d", i);
        for (int s = 0; s < 2; s++)
            mem_store_add(store, 0, s ? "{a=\"y\"}" : "{a=\"x\"}", i * INT64_C(1000000000), line,
                          i % 2 ? NULL : "{m=\"even\"}");
    }
    return store;
}

struct counted {
    size_t rows, units, wrapped;
    uint64_t bytes;
};

/* All rows of a scan; what was not asked for is not given. */
static struct counted read_all(struct cw_source *source, unsigned need, bool newest_first)
{
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = need,
                           .newest_first = newest_first,
                           .stats = &stats};
    struct cw_units units = {0};
    struct counted out = {0};
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    out.units = units.n;
    for (size_t i = 0; i < units.n; i++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch b;
        struct cw_source *from = units.items[i].source;
        out.wrapped += from == source;
        cr_assert_eq(from->ops->open(from, &scan, &units.items[i], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &b, &err) > 0) {
            cr_assert_gt(b.n, 0);
            out.rows += b.n;
            if (from == source) {
                cr_assert_eq(b.ts_ns != NULL, (need & CW_NEED_TIMES) != 0);
                /* this source has no templates: it gives lines for them */
                unsigned lines = CW_NEED_LINES | CW_NEED_TEMPLATES;
                cr_assert_eq(b.lines != NULL, (need & lines) != 0);
                cr_assert_eq(b.sizes != NULL, (need & (lines | CW_NEED_SIZES)) != 0);
                cr_assert(b.metadata == NULL || (need & CW_NEED_METADATA) != 0);
            }
            for (size_t r = 0; b.ts_ns != NULL && r + 1 < b.n; r++)
                cr_assert(newest_first ? b.ts_ns[r] > b.ts_ns[r + 1] : b.ts_ns[r] < b.ts_ns[r + 1]);
            for (size_t r = 0; b.sizes != NULL && r < b.n; r++)
                out.bytes += b.sizes[r];
        }
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return out;
}

static struct cw_source *wrap(struct mem_store *store, const struct cw_hidden_rule *rule)
{
    struct cw_entry_store entries = mem_store_entry_store(store);
    struct cw_snapshot snapshot;
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("t"), &snapshot, &err), 0);
    cr_assert_eq(snapshot.n, 1);
    struct cw_source *source =
        cw_hidden_source_new(cw_source_ref(snapshot.sources[0]), rule, 1, &owner);
    cw_snapshot_fini(&snapshot);
    return source;
}

Test(hidden, every_need_and_order_gives_the_rows_that_are_left)
{
    struct mem_store *store = store_of();
    static const struct {
        const char *query;
        int64_t first_s, last_s;
        size_t left;
    } cases[] = {
        {"{a=\"x\"}", 0, 19, 20},           {"{a=\"x\"}", 5, 9, 35},
        {"{a=~\".\"} |= \"1\"", 0, 19, 18}, {"{a=\"y\"} | m=\"even\"", 0, 19, 30},
        {"{a=\"z\"}", 0, 19, 40},           {"{a=\"x\"} |= \"line 3\"", 4, 19, 40},
        {"{a=~\".\"}", 0, 19, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cw_entry_test *test;
        cr_assert_eq(cw_entry_test_new(cw_str_of(cases[i].query), &test, &err), 0, "%s", err.text);
        struct cw_hidden_rule rule = {.selector = cw_entry_test_selector(test),
                                      .first_ns = cases[i].first_s * 1000000000,
                                      .last_ns = cases[i].last_s * 1000000000,
                                      .filter = cw_entry_test_filter(test)};
        struct cw_source *source = wrap(store, &rule);
        for (unsigned need = 0; need < 32; need++)
            for (int newest = 0; newest < 2; newest++)
                cr_assert_eq(read_all(source, need, newest).rows, cases[i].left, "%s, need %u",
                             cases[i].query, need);
        struct cw_index_stats stats = {0};
        cr_assert_eq(source->ops->stats(source, NULL, INT64_MIN, INT64_MAX, &stats, &err), 0);
        cr_assert_eq(stats.entries, cases[i].left);
        cr_assert_eq(stats.bytes, read_all(source, CW_NEED_SIZES, false).bytes);
        cw_source_unref(&source);
        cw_entry_test_free(&test);
    }
    mem_store_free(&store);
}

/* How many items the listing of the whole source has. */
static size_t listed(struct cw_source *source, enum cw_list_what what, const char *name)
{
    struct cw_listing listing = {
        .what = what, .name = cw_str_of(name), .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    struct cw_list_cursor *cursor;
    struct cw_list_item item;
    size_t n = 0;
    int rc;
    cr_assert_eq(source->ops->list(source, &listing, &cursor, &err), 0, "%s", err.text);
    while ((rc = cw_list_cursor_next(cursor, &item, &err)) > 0)
        n++;
    cr_assert_eq(rc, 0);
    cw_list_cursor_close(&cursor);
    return n;
}

Test(hidden, units_that_no_rule_touches_stay_the_inner_source_s)
{
    struct mem_store *store = store_of();
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("a"), CW_STR("x"), &err), 0);
    struct cw_hidden_rule rule = {.selector = &selector, .first_ns = 0, .last_ns = 1000000000};
    struct cw_source *source = wrap(store, &rule);
    struct counted counted = read_all(source, CW_NEED_LINES, false);
    cr_assert_eq(counted.wrapped, 1, "%zu of %zu", counted.wrapped, counted.units);
    cr_assert_gt(counted.units, 4);
    cr_assert_eq(listed(source, CW_LIST_STREAMS, ""), 2, "it hides some of its rows only");
    cr_assert_eq(listed(source, CW_LIST_VALUES, "a"), 2);
    cw_source_unref(&source);
    rule.last_ns = INT64_MAX;
    source = wrap(store, &rule);
    cr_assert_eq(listed(source, CW_LIST_STREAMS, ""), 1);
    cr_assert_eq(listed(source, CW_LIST_VALUES, "a"), 1);
    cr_assert_eq(listed(source, CW_LIST_NAMES, ""), 1);
    cw_source_unref(&source);
    cw_selector_fini(&selector);
    mem_store_free(&store);
}

/* A source of very many streams, {a="x"} and {a="y"} in turn with a name of their own; it has nothing but a listing. */
enum { MANY = 100000 };

static int many_list(struct cw_source *source, const struct cw_listing *listing,
                     struct cw_list_cursor **out, struct cw_err *why)
{
    static struct cw_label labels[MANY][2];
    static char ids[MANY][8];
    struct cw_stream_ref *streams = cw_mem_array(MANY, sizeof(*streams));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%05zu", i);
        labels[i][0] = (struct cw_label){CW_STR("a"), i % 2 ? CW_STR("x") : CW_STR("y")};
        labels[i][1] = (struct cw_label){CW_STR("id"), cw_str_of(ids[i])};
        streams[i].labels = (struct cw_labels){labels[i], 2};
    }
    return cw_list_cursor_of(listing, streams, MANY, out, why);
}

static void many_destroy(struct cw_source *source)
{
}

Test(hidden, names_and_values_of_very_many_streams_cost_what_differs)
{
    static const struct cw_source_ops ops = {.list = many_list, .destroy = many_destroy};
    struct cw_source many = {.ops = &ops, .refs = 1, .min_ns = 0, .max_ns = 9};
    struct cw_selector selector;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("a"), CW_STR("x"), &err), 0);
    struct cw_hidden_rule rule = {.selector = &selector, .first_ns = 0, .last_ns = 9};
    struct cw_source *source = cw_hidden_source_new(&many, &rule, 1, &owner);
    cr_assert_eq(listed(source, CW_LIST_STREAMS, ""), MANY / 2);
    cr_assert_eq(listed(source, CW_LIST_VALUES, "a"), 1);
    cr_assert_eq(listed(source, CW_LIST_NAMES, ""), 2);
    cr_assert_eq(listed(source, CW_LIST_VALUES, "id"), MANY / 2);
    cw_source_unref(&source);
    cw_selector_fini(&selector);
}

Test(hidden, what_cannot_be_evaluated_is_no_test)
{
    struct cw_entry_test *test;
    cr_assert_eq(cw_entry_test_new(CW_STR("rate({a=\"b\"}[1m])"), &test, &err), CW_E_INVALID);
    cr_assert_str_eq(err.text, "only log selector is supported");
    cr_assert_eq(cw_entry_test_new(CW_STR("{a=\"b\"} |~ \"(\""), &test, &err), CW_E_INVALID);
    cr_assert_eq(cw_entry_test_new(CW_STR("{a=\"b\"} | json x=\"[\""), &test, &err), CW_E_INVALID);
    cr_assert_eq(cw_entry_test_new(CW_STR("{a=\"b\"}"), &test, &err), 0);
    cr_assert_null(cw_entry_test_filter(test));
    cw_entry_test_free(&test);
}
