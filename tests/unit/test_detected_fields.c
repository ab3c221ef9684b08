#include <criterion/criterion.h>

#include "querier/engine/detected_fields.h"
#include "tests/support/mem_source.h"

struct fixture {
    struct mem_store *store;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
    struct cw_arena *arena;
    struct cw_detected_options options;
    int64_t next_ns;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, 2, 2);
    f->arena = cw_arena_new();
    f->options = (struct cw_detected_options){
        .start_ns = 0, .end_ns = 1000, .line_limit = 100, .limit = 1000, .sample_bytes = 1 << 20};
}

/* The next entry, a nanosecond later. */
static void add(struct fixture *f, const char *labels, const char *line, const char *metadata)
{
    mem_store_add(f->store, 0, labels, ++f->next_ns, line, metadata);
}

static void ask(struct fixture *f, const char *query)
{
    struct cw_err err;
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    cw_snapshot_fini(&f->snapshot);
    cw_query_free(&f->query);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cw_query_context_init(&f->context, NULL, &f->snapshot, 0);
    cr_assert_eq(cw_logql_parse(cw_str_of(query), &f->query, &err), 0);
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_arena_free(&f->arena);
    mem_store_free(&f->store);
}

/* Fields as "name:type:cardinality:parsers:path", parsers "j" and "l", path "a/b". */
static void expect(struct fixture *f, const char *query, const char *want)
{
    struct cw_detected_fields fields;
    struct cw_err err;
    struct cw_buf text;
    ask(f, query);
    cr_assert_eq(
        cw_detected_fields_query(&f->context, f->query->root, &f->options, f->arena, &fields, &err),
        0, "%s", err.text);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < fields.n; i++) {
        const struct cw_detected_field *field = &fields.items[i];
        cw_buf_addf(&text, "%s%.*s:%s:%llu:%s%s:", i > 0 ? " " : "", CW_STR_ARG(field->name),
                    cw_field_type_name(field->type), (unsigned long long)field->cardinality,
                    field->parsers & CW_FIELD_BY_JSON ? "j" : "",
                    field->parsers & CW_FIELD_BY_LOGFMT ? "l" : "");
        for (size_t k = 0; k < field->njson_path; k++)
            cw_buf_addf(&text, "%s%.*s", k > 0 ? "/" : "", CW_STR_ARG(field->json_path[k]));
    }
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
}

static void expect_values(struct fixture *f, const char *query, const char *name, const char *want)
{
    struct cw_detected_values values;
    struct cw_err err;
    struct cw_buf text;
    ask(f, query);
    cr_assert_eq(cw_detected_values_query(&f->context, f->query->root, &f->options, cw_str_of(name),
                                          f->arena, &values, &err),
                 0, "%s", err.text);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < values.n; i++)
        cw_buf_addf(&text, "%s%.*s", i > 0 ? " " : "", CW_STR_ARG(values.items[i]));
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
}

Test(detected_fields, lines_of_json_have_paths)
{
    struct fixture f;
    begin(&f);
    add(&f, "{app=\"a\"}", "{\"n\":1,\"obj\":{\"x-y\":\"2s\",\"deep\":{\"k\":true}}}", NULL);
    add(&f, "{app=\"a\"}", "{\"n\":2,\"app\":\"z\"}", NULL);
    expect(&f, "{app=\"a\"}",
           "app_extracted:string:1:j:app n:int:2:j:n obj_deep_k:boolean:1:j:obj/deep/k "
           "obj_x_y:duration:1:j:obj/x-y");
    end(&f);
}

Test(detected_fields, what_is_no_json_is_read_as_logfmt)
{
    struct fixture f;
    begin(&f);
    add(&f, "{app=\"a\"}", "level=info size=5MB ratio=0.5", NULL);
    add(&f, "{app=\"a\"}", "{\"level\":\"warn\"}", NULL);
    add(&f, "{app=\"a\"}", "{\"half\":1,\"level", NULL);
    add(&f, "{app=\"a\"}", "just words", NULL);
    expect(&f, "{app=\"a\"}", "level:string:2:jl:level ratio:float:1:l: size:bytes:1:l:");
    end(&f);
}

Test(detected_fields, metadata_and_the_querys_own_labels_are_fields)
{
    struct fixture f;
    begin(&f);
    add(&f, "{app=\"a\", env=\"e\"}", "GET /x 200", "{env=\"m\", trace=\"t1\"}");
    add(&f, "{app=\"a\", env=\"e\"}", "GET /y 404", "{trace=\"t2\"}");
    expect(&f, "{app=\"a\"}", "env_extracted:string:1:: trace:string:2::");
    expect(&f, "{app=\"a\"} | pattern \"<method> <path> <status>\"",
           "env_extracted:string:1:: method:string:1:l: path:string:2:l: status:int:2:l: "
           "trace:string:2::");
    expect(&f, "{app=\"a\"} |= \"404\" | pattern \"<method> <_> <status>\" | status > 400",
           "method:string:1:l: status:int:1:l: trace:string:1::");
    end(&f);
}

Test(detected_fields, only_the_newest_lines_are_looked_at)
{
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 20; i++)
        add(&f, "{app=\"a\"}", i < 10 ? "old=1" : "new=1", NULL);
    f.options.line_limit = 10;
    expect(&f, "{app=\"a\"}", "new:int:1:l:");
    f.options.line_limit = 11;
    expect(&f, "{app=\"a\"}", "new:int:1:l: old:int:1:l:");
    f.options.limit = 1;
    expect(&f, "{app=\"a\"}", "new:int:1:l:");
    end(&f);
}

Test(detected_fields, values_come_once_and_in_order)
{
    struct fixture f;
    begin(&f);
    add(&f, "{app=\"a\"}", "k=b", NULL);
    add(&f, "{app=\"a\"}", "k=a other=x", NULL);
    add(&f, "{app=\"a\"}", "{\"k\":\"b\"}", "{k=\"meta\"}");
    expect_values(&f, "{app=\"a\"}", "k", "a b meta");
    expect_values(&f, "{app=\"a\"}", "none", "");
    f.options.limit = 2;
    expect_values(&f, "{app=\"a\"}", "k", "b meta");
    end(&f);
}

Test(detected_fields, fields_beyond_the_allowance_are_refused)
{
    struct fixture f;
    struct cw_detected_fields fields;
    struct cw_err err;
    begin(&f);
    add(&f, "{app=\"a\"}", "a=1 b=1 c=1 d=1 e=1", NULL);
    ask(&f, "{app=\"a\"}");
    cw_query_context_init(&f.context, NULL, &f.snapshot, 60000);
    cr_expect_eq(
        cw_detected_fields_query(&f.context, f.query->root, &f.options, f.arena, &fields, &err),
        CW_E_LIMIT);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}
