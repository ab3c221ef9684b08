/* The source of files as the engine reads it; whole queries are in tests/e2e/test_query_local.py. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/store/listing.h"
#include "querier/local/files_source.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_err err;
static atomic_uint_fast64_t nread;
static char told[8192];

static void setup(void)
{
    cw_log_folder_init(&folder);
    told[0] = '\0';
}

static void teardown(void)
{
    cw_log_folder_fini(&folder);
}

TestSuite(files_source, .init = setup, .fini = teardown);

static void on_bad(void *ctx, const struct cw_err *why)
{
    strncat(told, why->text, sizeof told - strlen(told) - 1);
}

static struct cw_source *open_named(const char *a, const char *b)
{
    struct cw_str paths[2] = {cw_str_of(cw_log_folder_path(&folder, a))};
    if (b != NULL)
        paths[1] = cw_str_of(cw_log_folder_path(&folder, b));
    return cw_files_source_new(&(struct cw_files_options){.paths = paths,
                                                          .npaths = b != NULL ? 2 : 1,
                                                          .zone = CW_ZONE_UTC,
                                                          .bad = on_bad,
                                                          .loaded_bytes = &nread});
}

/* What a scan gives, unit by unit: "<seconds of the day> <line>\n"; how many units were not empty. */
static size_t scan_all(struct cw_source *source, const struct cw_scan *scan, struct cw_buf *out)
{
    struct cw_units units = {0};
    size_t nfull = 0;
    cr_assert_eq(source->ops->plan(source, scan, &units, &err), 0, "%s", err.text);
    for (size_t i = 0; i < units.n; i++) {
        struct cw_cursor *cursor = NULL;
        struct cw_entry_batch batch;
        size_t before = out->len;
        cr_assert_eq(source->ops->open(source, scan, &units.items[i], &cursor, &err), 0);
        int rc;
        while ((rc = cw_cursor_next(cursor, &batch, &err)) > 0) {
            for (size_t k = 0; k < batch.n; k++) {
                cr_assert_geq(batch.ts_ns[k], units.items[i].min_ns);
                cr_assert_leq(batch.ts_ns[k], units.items[i].max_ns);
                cr_assert_eq(batch.sizes[k], batch.lines[k].len);
                cw_buf_addf(out, "%lld %.*s\n", (long long)(batch.ts_ns[k] / CW_NS_PER_S % 86400),
                            CW_STR_ARG(batch.lines[k]));
            }
        }
        cr_assert_eq(rc, 0);
        cw_cursor_close(&cursor);
        nfull += out->len > before;
    }
    cw_units_fini(&units);
    return nfull;
}

static const struct cw_scan everything = {
    .start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = CW_NEED_TIMES | CW_NEED_LINES};

static void expect_scan(struct cw_source *source, const struct cw_scan *scan, const char *want)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    scan_all(source, scan, &out);
    cr_expect_str_eq(cw_buf_z(&out), want, "%s, not %s", cw_buf_z(&out), want);
    cw_buf_fini(&out);
}

static struct cw_line_filter *filter_of(enum cw_filter_op op, const char *text)
{
    struct cw_line_filter *filter;
    cr_assert_eq(cw_line_filter_new(op, &filter, &err), 0);
    cr_assert_eq(cw_line_filter_add(filter, cw_str_of(text), 0, &err), 0);
    return filter;
}

Test(files_source, rows_of_a_unit_come_in_the_order_of_their_times)
{
    cw_log_folder_append(&folder, "a",
                         "2026-01-05T00:00:03Z c\n2026-01-05T00:00:01Z a\n  more a\n"
                         "2026-01-05T00:00:03Z d\n2026-01-05T00:00:02Z b");
    struct cw_source *source = open_named("a", NULL);
    struct cw_scan scan = everything;
    expect_scan(source, &scan,
                "1 2026-01-05T00:00:01Z a\n1   more a\n2 2026-01-05T00:00:02Z b\n"
                "3 2026-01-05T00:00:03Z c\n3 2026-01-05T00:00:03Z d\n");
    scan.newest_first = true;
    expect_scan(source, &scan,
                "3 2026-01-05T00:00:03Z d\n3 2026-01-05T00:00:03Z c\n2 2026-01-05T00:00:02Z b\n"
                "1   more a\n1 2026-01-05T00:00:01Z a\n");
    scan.newest_first = false;
    scan.start_ns = INT64_C(1767571202) * CW_NS_PER_S;
    scan.end_ns = scan.start_ns + CW_NS_PER_S;
    expect_scan(source, &scan, "2 2026-01-05T00:00:02Z b\n");
    cr_assert_not(cw_files_source_bad(source));
    cw_source_unref(&source);
}

Test(files_source, a_filter_that_names_a_text_gives_what_one_that_does_not_gives)
{
    cw_log_folder_append(
        &folder, "a",
        "ahead needle\n2026-01-05T00:00:01Z x\n  one needle\n\n two Needle needle\n"
        "2026-01-05T00:00:09Z needle\n2026-01-05T00:00:05Z y\nneedle");
    struct cw_source *source = open_named("a", NULL);
    static const char *const want = "1 ahead needle\n1   one needle\n1  two Needle needle\n"
                                    "5 needle\n9 2026-01-05T00:00:09Z needle\n";
    struct cw_line_filter *text = filter_of(CW_FILTER_CONTAINS, "needle"),
                          *regex = filter_of(CW_FILTER_RE, "need(le|les)$"),
                          *any = filter_of(CW_FILTER_RE, "(?i)ne+d.e$"),
                          *not = filter_of(CW_FILTER_NOT_CONTAINS, "[xy]$");
    struct cw_line_filter *const filters[] = {text, regex, any};
    for (size_t i = 0; i < 3; i++) {
        const struct cw_line_filter *both[] = {not, filters[i]};
        struct cw_scan scan = everything;
        scan.filters = both;
        scan.nfilters = 2;
        for (int again = 0; again < 3; again++) /* the bounds are learnt on the way */
            expect_scan(source, &scan, want);
    }
    cw_line_filter_free(&text);
    cw_line_filter_free(&regex);
    cw_line_filter_free(&any);
    cw_line_filter_free(&not );
    cw_source_unref(&source);
}

/* Lines of 1,000 bytes, one a second; `every` so many have a time. */
static void write_large(const char *name, size_t n, size_t every)
{
    struct cw_buf text;
    char filler[1000];
    memset(filler, 'f', sizeof filler);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i % every == 0)
            cw_buf_addf(&text, "2026-01-05T%02zu:%02zu:%02zuZ ", i / 3600, i / 60 % 60, i % 60);
        cw_buf_addf(&text, "%06zu ", i);
        cw_buf_add(&text, filler, sizeof filler);
        cw_buf_addc(&text, '\n');
    }
    cw_log_folder_append_bytes(&folder, name, text.ptr, text.len);
    cw_buf_fini(&text);
}

Test(files_source, a_line_without_a_time_finds_it_chunks_before)
{
    write_large("a", 6000, 5000); /* 6 MB; the second time is in the fifth */
    struct cw_source *source = open_named("a", NULL);
    struct cw_line_filter *filter = filter_of(CW_FILTER_RE, "00(4800|5999) ");
    const struct cw_line_filter *filters[] = {filter};
    struct cw_scan scan = everything;
    scan.filters = filters;
    scan.nfilters = 1;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    scan_all(source, &scan, &out);
    cr_assert_not_null(strstr(cw_buf_z(&out), "0 004800 "));
    cr_assert_not_null(strstr(out.ptr, "5000 005999 "));
    cw_buf_fini(&out);
    cw_line_filter_free(&filter);
    cw_source_unref(&source);
}

Test(files_source, chunks_whose_times_are_known_are_planned_by_them)
{
    write_large("a", 6000, 1);
    struct cw_source *source = open_named("a", NULL);
    struct cw_units units = {0};
    struct cw_scan scan = everything;
    scan.start_ns = (INT64_C(1767571200) + 5900) * CW_NS_PER_S;
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    size_t nall = units.n;
    cr_assert_geq(nall, 6);
    cw_units_fini(&units);
    int64_t min_ns, max_ns;
    cr_assert(cw_files_source_bounds(source, NULL, &min_ns, &max_ns));
    cr_assert_eq(min_ns, INT64_C(1767571200) * CW_NS_PER_S);
    cr_assert_eq(max_ns, (INT64_C(1767571200) + 5999) * CW_NS_PER_S);
    units = (struct cw_units){0};
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    cr_assert_eq(units.n, 1);
    cw_units_fini(&units);
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cr_assert_eq(scan_all(source, &scan, &out), 1);
    cw_buf_fini(&out);
    cw_source_unref(&source);
}

Test(files_source, files_are_streams_with_their_names)
{
    cw_log_folder_append(&folder, "access.log.1", "2026-01-05T00:00:01Z x\n");
    cw_log_folder_append(&folder, ".hidden", "2026-01-05T00:00:02Z y\n");
    struct cw_source *source = open_named("access.log.1", ".hidden");
    struct cw_listing listing = {
        .what = CW_LIST_VALUES, .name = CW_STR("job"), .start_ns = INT64_MIN, .end_ns = INT64_MAX};
    struct cw_list_cursor *cursor = NULL;
    struct cw_list_item item;
    cr_assert_eq(source->ops->list(source, &listing, &cursor, &err), 0);
    cr_assert_eq(cw_list_cursor_next(cursor, &item, &err), 1);
    cr_assert(cw_str_eqz(item.text, ".hidden"));
    cr_assert_eq(cw_list_cursor_next(cursor, &item, &err), 1);
    cr_assert(cw_str_eqz(item.text, "access"));
    cr_assert_eq(cw_list_cursor_next(cursor, &item, &err), 0);
    cw_list_cursor_close(&cursor);
    struct cw_index_stats stats = {0};
    cr_assert_eq(source->ops->stats(source, NULL, INT64_MIN, INT64_MAX, &stats, &err), 0);
    cr_assert_eq(stats.streams, 2);
    cr_assert_eq(stats.bytes, 46);
    cw_source_unref(&source);
}

Test(files_source, a_file_that_cannot_be_read_is_told_and_the_others_are_read)
{
    cw_log_folder_append(&folder, "good", "2026-01-05T00:00:01Z x\n");
    struct cw_source *source = open_named("missing", "good");
    cr_assert(cw_files_source_bad(source));
    cr_assert_not_null(strstr(told, "missing"), "%s", told);
    struct cw_scan scan = everything;
    expect_scan(source, &scan, "1 2026-01-05T00:00:01Z x\n");
    cw_source_unref(&source);
}
