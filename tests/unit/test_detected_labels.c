#include <criterion/criterion.h>

#include "querier/engine/detected_labels.h"
#include "tests/support/mem_source.h"

struct fixture {
    struct mem_store *store;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_arena *arena;
};

static void begin(struct fixture *f, const char *const *streams, size_t n)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, 2, 2);
    for (size_t i = 0; i < n; i++)
        mem_store_add(f->store, i % 2, streams[i], 10 + (int64_t)i, "line", NULL);
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    f->arena = cw_arena_new();
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
}

static void end(struct fixture *f)
{
    cw_snapshot_fini(&f->snapshot);
    cw_arena_free(&f->arena);
    mem_store_free(&f->store);
}

static void expect(const char *const *streams, size_t n, const char *want)
{
    struct fixture f;
    struct cw_detected_labels labels;
    struct cw_err err;
    struct cw_buf text;
    begin(&f, streams, n);
    cw_query_context_init(&f.context, NULL, &f.snapshot, 0);
    struct cw_listing listing = {
        .what = CW_LIST_STREAMS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    cr_assert_eq(cw_detected_labels_query(&f.context, &listing, f.arena, &labels, &err), 0);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < labels.n; i++)
        cw_buf_addf(&text, "%s%.*s=%llu", i > 0 ? " " : "", CW_STR_ARG(labels.items[i].name),
                    (unsigned long long)labels.items[i].cardinality);
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}

Test(detected_labels, each_value_counts_once)
{
    static const char *const streams[] = {"{app=\"web\", host=\"a\"}", "{app=\"web\", host=\"b\"}",
                                          "{app=\"db\", host=\"a\"}", "{app=\"db\", host=\"a\"}"};
    expect(streams, 4, "app=2 host=2");
    expect(NULL, 0, "");
}

Test(detected_labels, ids_alone_are_no_label_to_choose_from)
{
    static const char *const streams[] = {
        "{app=\"a\", job=\"1\", mixed=\"1\", pod=\"7\", up=\"0\", zone=\"2\"}",
        "{app=\"b\", job=\"2\", mixed=\"x\", pod=\"8\", up=\"1\", zone=\"2\"}",
        "{app=\"b\", job=\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\", up=\"1\"}"};
    expect(streams, 3, "app=2 mixed=2 pod=2 up=2");
}

Test(detected_labels, names_beyond_the_allowance_are_refused)
{
    static const char *const streams[] = {"{a=\"1\", b=\"x\", c=\"x\", d=\"x\"}"};
    struct fixture f;
    struct cw_detected_labels labels;
    struct cw_err err;
    begin(&f, streams, 1);
    cw_query_context_init(&f.context, NULL, &f.snapshot, 40000);
    struct cw_listing listing = {
        .what = CW_LIST_STREAMS, .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    cr_expect_eq(cw_detected_labels_query(&f.context, &listing, f.arena, &labels, &err),
                 CW_E_LIMIT);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}
