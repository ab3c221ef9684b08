#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "querier/engine/log_query.h"
#include "tests/support/mem_source.h"
#include "tests/support/part_model.h"

#define PLENTY ((size_t)1 << 30)
enum { NENTRIES_MAX = 300, NSTREAMS = 3 };

/* Entry i has time i. */
struct model {
    size_t n;
    unsigned stream[NENTRIES_MAX];
    bool hits[NENTRIES_MAX];
};

struct fixture {
    struct mem_store *store;
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
};

/* The second stream has the labels of the first, and one more. */
static const char *const labels[NSTREAMS] = {"{app=\"a\"}", "{app=\"a\", host=\"h\"}",
                                             "{app=\"b\", context=\"mine\"}"};

static void begin(struct fixture *f, const struct model *m, size_t unit, const char *text)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, unit, 7);
    for (size_t i = 0; i < m->n; i++) {
        char line[32];
        snprintf(line, sizeof line, "%zu %s", i, m->hits[i] ? "hit" : "-");
        mem_store_add(f->store, i * 7 / 5 % 2, labels[m->stream[i]], (int64_t)i, line, NULL);
    }
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    f->pool = cw_pool_new(2, NULL);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &f->query, &err), 0,
                 "%s: %s", text, err.text);
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    mem_store_free(&f->store);
}

/* "3 4b 5a": times, and what is context. */
static char *answer(struct fixture *f, int64_t start, int64_t stop, bool newest_first, size_t limit)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    struct cw_err err;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cr_assert_eq(
        cw_log_query_open(&f->context, f->query->root, start, stop, newest_first, &log_query, &err),
        0);
    cw_log_query_expect(log_query, limit);
    while (!page.last) {
        cr_assert_eq(cw_log_query_page(log_query, 50, PLENTY, &page, &err), 0, "%s", err.text);
        for (size_t i = 0; i < page.n; i++) {
            const struct cw_log_entry *entry = &page.entries[i];
            bool clash = cw_labels_has(entry->stream, CW_STR("context"));
            struct cw_str mark = cw_labels_get(entry->parsed, clash ? CW_STR("context_extracted")
                                                                    : CW_STR("context"));
            cw_buf_addf(&out, "%s%lld%.*s", out.len > 0 ? " " : "", (long long)entry->ts_ns,
                        mark.len > 0 ? 1 : 0, mark.ptr);
        }
    }
    cw_log_query_close(&log_query);
    cw_buf_z(&out);
    return cw_buf_take(&out, &(size_t){0});
}

/* The same in the plainest way: positions within streams are counted, entry by entry. */
static char *plain_answer(const struct model *m, size_t start, size_t stop, bool newest_first,
                          size_t limit, size_t before, size_t after)
{
    char marks[NENTRIES_MAX];
    size_t first[NSTREAMS], last[NSTREAMS], found = 0;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    memset(marks, 0, sizeof marks);
    for (unsigned s = 0; s < NSTREAMS; s++)
        first[s] = SIZE_MAX;
    for (size_t k = 0; k < stop - start && found < limit; k++) {
        size_t i = newest_first ? stop - 1 - k : start + k;
        unsigned s = m->stream[i];
        if (!m->hits[i])
            continue;
        found++;
        last[s] = first[s] == SIZE_MAX || i > last[s] ? i : last[s];
        first[s] = first[s] == SIZE_MAX || i < first[s] ? i : first[s];
    }
    for (size_t i = start; i < stop; i++) {
        unsigned s = m->stream[i];
        if (!m->hits[i] || first[s] == SIZE_MAX || i < first[s] || i > last[s])
            continue;
        marks[i] = 'm';
        for (size_t k = i + 1, n = 0; k < stop && n < after; k++)
            if (m->stream[k] == s && ++n > 0 && marks[k] != 'm')
                marks[k] = 'a';
        for (size_t k = i, n = 0; k-- > start && n < before;)
            if (m->stream[k] == s && ++n > 0 && marks[k] == 0)
                marks[k] = 'b';
    }
    found = 0;
    for (size_t k = 0; k < stop - start && found < limit; k++) {
        size_t i = newest_first ? stop - 1 - k : start + k;
        if (marks[i] == 0)
            continue;
        cw_buf_addf(&out, "%s%zu%s", found++ > 0 ? " " : "", i,
                    marks[i] == 'm'   ? ""
                    : marks[i] == 'a' ? "a"
                                      : "b");
    }
    cw_buf_z(&out);
    return cw_buf_take(&out, &(size_t){0});
}

Test(log_context, random_streams_answer_as_a_plain_walk_over_them_does)
{
    uint64_t state = 3;
    for (int round = 0; round < 250; round++) {
        static const size_t limits[] = {1, 3, 10, 60, SIZE_MAX};
        struct fixture f;
        struct model m = {.n = 1 + part_model_random(&state) % NENTRIES_MAX};
        char text[96];
        size_t before = part_model_random(&state) % 6, after = part_model_random(&state) % 6,
               rare = 2 + part_model_random(&state) % 30, start = part_model_random(&state) % m.n,
               stop = start + 1 + part_model_random(&state) % (m.n - start),
               limit = limits[part_model_random(&state) % 5];
        bool newest_first = part_model_random(&state) % 2 == 0;
        for (size_t i = 0; i < m.n; i++) {
            m.stream[i] = (unsigned)(part_model_random(&state) % NSTREAMS);
            m.hits[i] = part_model_random(&state) % rare == 0;
        }
        snprintf(text, sizeof text, "{app=~\".+\"} %s | context -B %zu -A %zu",
                 round % 2 == 0 ? "|= \"hit\"" : "| pattern \"<n> <what>\" | what=\"hit\"", before,
                 after);
        begin(&f, &m, 1 + part_model_random(&state) % 40, text);
        char *got = answer(&f, (int64_t)start, (int64_t)stop, newest_first, limit);
        char *want = plain_answer(&m, start, stop, newest_first, limit, before, after);
        cr_assert_str_eq(got, want, "round %d, %s [%zu, %zu) limit %zu", round, text, start, stop,
                         limit);
        free(got);
        free(want);
        end(&f);
    }
}

Test(log_context, a_match_is_as_the_pipeline_left_it_and_context_as_it_was)
{
    struct model m = {.n = 3, .hits = {false, true, false}};
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    struct cw_err err;
    begin(&f, &m, 10, "{app=\"a\"} |= \"hit\" | line_format \"new\" | context -C 1");
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 3, false, &log_query, &err), 0);
    cr_assert_eq(cw_log_query_page(log_query, 9, PLENTY, &page, &err), 0);
    cr_assert_eq(page.n, 3);
    cr_assert(page.last);
    cr_expect(cw_str_eqz(page.entries[0].line, "0 -"));
    cr_expect(cw_str_eqz(page.entries[1].line, "new"));
    cr_expect_eq(page.entries[1].parsed.n, 0);
    cr_expect(cw_str_eqz(cw_labels_get(page.entries[0].parsed, CW_STR("context")), "before"));
    cr_expect(cw_str_eqz(cw_labels_get(page.entries[2].parsed, CW_STR("context")), "after"));
    cw_log_query_close(&log_query);
    end(&f);
}

Test(log_context, memory_is_the_querys)
{
    struct model m = {.n = NENTRIES_MAX};
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    struct cw_err err;
    for (size_t i = 0; i < m.n; i++)
        m.hits[i] = true;
    begin(&f, &m, 10, "{app=\"a\"} |= \"hit\" | context -C 1");
    cw_allowance_init(&f.context.allowance, 50000);
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 1000, true, &log_query, &err), 0);
    cr_expect_eq(cw_log_query_page(log_query, 10, PLENTY, &page, &err), CW_E_LIMIT);
    cw_log_query_close(&log_query);
    end(&f);
}
