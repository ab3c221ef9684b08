/* Patterns of a part's blocks, of lines in memory, and of both; and that `|>` finds with a pattern what was counted under it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/pattern_match.h"
#include "common/store/format.h"
#include "common/store/part_source.h"
#include "querier/engine/patterns.h"
#include "tests/support/mem_source.h"
#include "tests/support/part_model.h"

#define SECOND_NS CW_NS_PER_S

static char dir[64], path[96];
static struct cw_err err;
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
enum { LINES = 4000 };

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-patterns-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(patterns, .init = setup, .fini = teardown);

/* One line a second. */
static void write_json(size_t i, char *line, size_t size)
{
    static const char *const messages[] = {"user logged in", "cache is cold", "job 17 done"};
    snprintf(line, size, "{\"ts\":%zu,\"level\":\"%s\",\"msg\":\"%s\",\"took\":\"%zums\"}", i,
             i % 5 == 0 ? "warn" : "info", messages[i % 3], i % 977);
}

static void write_plain(size_t i, char *line, size_t size)
{
    static const char *const users[] = {"ann",  "bob",  "cho",  "dee", "eve",
                                        "fred", "gina", "hugo", "ivy", "jon"};
    if (i % 4 == 0)
        snprintf(line, size, "2026-01-05 10:%02zu:%02zu,123 WARN disk sd%zu is slow", i / 60 % 60,
                 i % 60, i % 7);
    else
        snprintf(line, size,
                 "2026-01-05 10:%02zu:%02zu,123 INFO %s read /data/%zu from 10.0.0.%zu:80",
                 i / 60 % 60, i % 60, users[i % 10], i, i % 250);
}

typedef void (*write_fn)(size_t i, char *line, size_t size);

/* The lines as a part, whose blocks are of templates. */
static struct cw_source *in_part(write_fn write)
{
    struct part_model model;
    struct cw_part_info info = part_model_info(1);
    struct cw_source *source;
    part_model_init(&model);
    size_t stream = part_model_stream(&model, "{app=\"a\"}");
    for (size_t i = 0; i < LINES; i++) {
        char line[200];
        write(i, line, sizeof(line));
        part_model_add(&model, stream, day_ns + (int64_t)i * SECOND_NS, cw_str_of(line), NULL);
    }
    part_model_write(&model, path, &info);
    part_model_fini(&model);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    cr_assert_eq(cw_part_reader_block_bytes(cw_part_source_reader(source), 0).ptr[6],
                 CW_BLOCK_TEMPLATES);
    return source;
}

static struct mem_store *in_memory(write_fn write)
{
    struct mem_store *store = mem_store_new(1, 1000, 300);
    for (size_t i = 0; i < LINES; i++) {
        char line[200];
        write(i, line, sizeof(line));
        mem_store_add(store, 0, "{app=\"a\"}", day_ns + (int64_t)i * SECOND_NS, line, NULL);
    }
    return store;
}

static void ask(struct cw_snapshot *snapshot, unsigned nthreads, int64_t step_ns,
                struct cw_query_context *context, struct cw_patterns *out)
{
    struct cw_pool *pool = nthreads > 0 ? cw_pool_new(nthreads, NULL) : NULL;
    struct cw_query *query;
    cr_assert_eq(cw_logql_parse(CW_STR("{app=\"a\"}"), &query, &err), 0);
    cw_query_context_init(context, pool, snapshot, 0);
    int rc = cw_patterns_query(context, query->root, day_ns, day_ns + LINES * SECOND_NS, step_ns,
                               out, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    cw_query_free(&query);
    cw_pool_free(&pool);
}

/* "count level pattern" a line. */
static char *text_of(const struct cw_patterns *patterns)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < patterns->n; i++) {
        const struct cw_pattern_series *series = &patterns->series[i];
        cw_buf_addf(&text, "%llu %.*s %.*s\n", (unsigned long long)series->count,
                    CW_STR_ARG(cw_level_names[series->level]), CW_STR_ARG(series->text));
    }
    cw_buf_z(&text);
    return cw_buf_take(&text, &(size_t){0});
}

static void expect(struct cw_snapshot *snapshot, unsigned nthreads, const char *want)
{
    struct cw_query_context context;
    struct cw_patterns patterns;
    ask(snapshot, nthreads, 60 * SECOND_NS, &context, &patterns);
    char *got = text_of(&patterns);
    cr_expect_str_eq(got, want);
    free(got);
    cw_patterns_fini(&patterns);
    cr_expect_eq(atomic_load(&context.allowance.used), 0);
}

static void expect_everywhere(write_fn write, const char *want)
{
    struct cw_source *source = in_part(write);
    struct cw_snapshot of_part = {&source, 1};
    expect(&of_part, 0, want);
    cw_source_unref(&source);
    struct mem_store *store = in_memory(write);
    struct cw_entry_store entries = mem_store_entry_store(store);
    struct cw_snapshot of_memory = {0};
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &of_memory, &err), 0);
    expect(&of_memory, 0, want);
    expect(&of_memory, 3, want);
    cw_snapshot_fini(&of_memory);
    mem_store_free(&store);
}

Test(patterns, of_json_are_its_messages)
{
    expect_everywhere(write_json, "1334 unknown <_>user logged in<_>\n"
                                  "1333 unknown <_>cache is cold<_>\n"
                                  "1333 unknown <_>job <_> done<_>\n");
}

Test(patterns, words_that_vary_are_placeholders)
{
    expect_everywhere(write_plain, "3000 unknown <_> <_> INFO <_> read /data/<_> from <_>\n"
                                   "1000 unknown <_> <_> WARN disk <_> is slow\n");
}

Test(patterns, steps_begin_at_multiples_of_the_step)
{
    struct cw_source *source = in_part(write_plain);
    struct cw_snapshot snapshot = {&source, 1};
    struct cw_query_context context;
    struct cw_patterns patterns;
    ask(&snapshot, 0, 7000 * SECOND_NS, &context, &patterns);
    cr_assert_eq(patterns.first_ns % (7000 * SECOND_NS), 0);
    for (size_t i = 0; i < patterns.n; i++) {
        const struct cw_pattern_series *sum = &patterns.series[i];
        uint64_t total = 0;
        for (size_t k = 0; k < sum->n; k++) {
            int64_t from_ns =
                cw_patterns_step_ns(patterns.first_ns, patterns.step_ns, sum->samples[k].step);
            cr_expect(from_ns > day_ns - 7000 * SECOND_NS && from_ns < day_ns + LINES * SECOND_NS);
            total += sum->samples[k].count;
        }
        cr_expect_eq(total, sum->count);
    }
    cw_patterns_fini(&patterns);
    cw_source_unref(&source);
}

Test(patterns, the_pattern_filter_finds_what_was_counted)
{
    static const write_fn writes[] = {write_json, write_plain};
    for (size_t w = 0; w < CW_COUNT(writes); w++) {
        struct cw_source *source = in_part(writes[w]);
        struct cw_snapshot snapshot = {&source, 1};
        struct cw_query_context context;
        struct cw_patterns patterns;
        ask(&snapshot, 0, 60 * SECOND_NS, &context, &patterns);
        for (size_t i = 0; i < patterns.n; i++) {
            struct cw_pattern_match *match;
            uint64_t n = 0;
            cr_assert_eq(cw_pattern_match_new(patterns.series[i].text, &match, &err), 0);
            for (size_t k = 0; k < LINES; k++) {
                char line[200];
                writes[w](k, line, sizeof(line));
                n += cw_pattern_match_test(match, cw_str_of(line));
            }
            cr_expect_eq(n, patterns.series[i].count, "%.*s", CW_STR_ARG(patterns.series[i].text));
            cw_pattern_match_free(&match);
        }
        cw_patterns_fini(&patterns);
        cw_source_unref(&source);
    }
}

/* Only what discovery, or the client, said of an entry is its level. */
Test(patterns, of_different_levels_are_apart)
{
    static const char *const metadata[] = {"{detected_level=\"info\"}", "{detected_level=\"WARN\"}",
                                           "{detected_level=\"notice\"}", "{level=\"error\"}",
                                           NULL};
    struct mem_store *store = mem_store_new(1, 1000, 300);
    struct cw_snapshot snapshot = {0};
    for (size_t i = 0; i < LINES; i++)
        mem_store_add(store, 0, "{app=\"a\"}", day_ns + (int64_t)i * SECOND_NS, "job done",
                      i % 4 > 0 ? metadata[0] : metadata[i / 4 % CW_COUNT(metadata)]);
    struct cw_entry_store entries = mem_store_entry_store(store);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &snapshot, &err), 0);
    for (unsigned nthreads = 0; nthreads < 3; nthreads++)
        expect(&snapshot, nthreads,
               "3200 info job done\n600 unknown job done\n200 warn job done\n");
    cw_snapshot_fini(&snapshot);
    mem_store_free(&store);
}

Test(patterns, they_stay_within_the_allowance)
{
    struct cw_source *source = in_part(write_plain);
    struct cw_snapshot snapshot = {&source, 1};
    struct cw_query_context context;
    struct cw_patterns patterns;
    struct cw_query *query;
    cr_assert_eq(cw_logql_parse(CW_STR("{app=\"a\"}"), &query, &err), 0);
    cw_query_context_init(&context, NULL, &snapshot, 4096);
    cr_expect_eq(cw_patterns_query(&context, query->root, day_ns, day_ns + LINES * SECOND_NS,
                                   SECOND_NS, &patterns, &err),
                 CW_E_LIMIT);
    cw_patterns_fini(&patterns);
    cw_query_free(&query);
    cw_source_unref(&source);
}
