/* Parts whose entries have structured metadata: filters of it, decided beside the data, leave the rows that the model leaves. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/format.h"
#include "common/store/meta_filter.h"
#include "common/store/part_source.h"
#include "tests/support/part_model.h"

static char dir[64], path[96];
static struct cw_err err;
static struct part_model model;
static const int64_t day_ns = INT64_C(20000) * 86400 * CW_NS_PER_S;
static const struct cw_scan all_rows = {.start_ns = INT64_MIN,
                                        .end_ns = INT64_MAX,
                                        .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-part-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.part", dir);
    part_model_init(&model);
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(part_meta, .init = setup, .fini = teardown);

static struct cw_source *written(void)
{
    struct cw_source *source;
    struct cw_part_info info = part_model_info(1);
    part_model_write(&model, path, &info);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
    return source;
}

/* The scan gives what the model says, forward and backward. */
static size_t check_scan(struct cw_source *source, struct cw_scan scan)
{
    size_t n = 0;
    for (int backward = 0; backward < 2; backward++) {
        struct model_rows want = {0}, got = {0};
        struct cw_scan_stats stats = {0};
        int64_t everything = backward ? INT64_MIN : INT64_MAX;
        scan.newest_first = backward;
        scan.stats = &stats;
        scan.keep_decoded = true;
        scan.cut_ns = &everything;
        model_rows_of_model(&model, &scan, &want);
        cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0, "%s", err.text);
        cr_assert(model_rows_equal(&got, &want));
        cr_assert_eq(atomic_load(&stats.rows_matched), got.n);
        cr_assert_eq(atomic_load(&stats.corrupt_blocks), 0);
        n = got.n;
        model_rows_fini(&want);
        model_rows_fini(&got);
    }
    return n;
}

/* Three blocks: of templates with ids, words and numbers; of noise with ids; of templates without metadata. */
static struct cw_source *written_metadata(void)
{
    size_t ids = part_model_stream(&model, "{app=\"a\", zone=\"z1\"}"),
           noise = part_model_stream(&model, "{app=\"b\"}"),
           none = part_model_stream(&model, "{app=\"c\"}");
    uint64_t state = 3;
    for (unsigned i = 0; i < 3 * CW_BLOCK_ROWS_MAX; i++) {
        char metadata[200], line[80];
        uint64_t r = part_model_random(&state), s = part_model_random(&state);
        int len = snprintf(line, sizeof(line), "request %u took %u ms", i, (unsigned)(s % 300));
        snprintf(metadata, sizeof(metadata),
                 "{trace_id=\"%032llx\", level=\"%s\", user=\"u%u of %c\", zone=\"z%u\"%s}",
                 (unsigned long long)(i / 3) * 0x9e3779b97f4a7c15ULL, r % 5 ? "info" : "error",
                 (unsigned)(s % 500), (char)('a' + s % 7), (unsigned)(r % 3),
                 i % 9 ? "" : ", rare=\"1\"");
        if (i < CW_BLOCK_ROWS_MAX)
            part_model_add(&model, ids, day_ns + (int64_t)i * 1000000,
                           cw_str_make(line, (size_t)len), metadata);
        else if (i < 2 * CW_BLOCK_ROWS_MAX)
            part_model_add(&model, none, day_ns + (int64_t)i * 1000000,
                           cw_str_make(line, (size_t)len), NULL);
        else {
            for (size_t k = 0; k < sizeof(line); k++)
                line[k] = (char)part_model_random(&state);
            part_model_add(&model, noise, day_ns + (int64_t)i * 1000000,
                           cw_str_make(line, sizeof(line)), metadata);
        }
    }
    return written();
}

struct meta_case {
    enum cw_match_op op;
    const char *name, *value;
    size_t least, most; /* of the rows that it keeps */
};

static void check_meta_filters(struct cw_source *source, const struct meta_case *cases, size_t n,
                               const struct cw_line_filter *const *lines)
{
    struct cw_selector selector;
    struct cw_meta_filter filters[3];
    struct cw_scan scan = all_rows;
    cw_selector_init(&selector);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(cw_selector_add(&selector, cases[i].op, cw_str_of(cases[i].name),
                                     cw_str_of(cases[i].value), &err),
                     0);
    for (size_t i = 0; i < n; i++)
        cw_meta_filter_init(&filters[i], &selector.items[i]);
    scan.meta_filters = filters;
    scan.nmeta_filters = n;
    scan.filters = lines;
    scan.nfilters = lines != NULL;
    size_t rows = check_scan(source, scan);
    if (n == 1 && lines == NULL) {
        cr_expect_geq(rows, cases->least, "%s", cases->name);
        cr_expect_leq(rows, cases->most, "%s", cases->name);
    }
    scan.start_ns = day_ns + 1000 * INT64_C(1000000);
    scan.end_ns = day_ns + INT64_C(2500) * CW_BLOCK_ROWS_MAX * 1000;
    if (lines != NULL) /* and in a part of the time */
        check_scan(source, scan);
    for (size_t i = 0; i < n; i++)
        cw_meta_filter_fini(&filters[i]);
    cw_selector_fini(&selector);
}

Test(part_meta, filters_of_metadata_leave_out_what_they_drop, .timeout = 100)
{
    enum { ALL = 3 * CW_BLOCK_ROWS_MAX, BLOCK = CW_BLOCK_ROWS_MAX };
    static const struct meta_case cases[] = {
        {CW_MATCH_EQ, "trace_id", "00000000000000009e3779b97f4a7c15", 3, 3},
        {CW_MATCH_EQ, "trace_id", "9e3779b97f4a7c15", 0, 0},
        {CW_MATCH_NE, "trace_id", "00000000000000009e3779b97f4a7c15", ALL - 3, ALL - 3},
        {CW_MATCH_EQ, "trace_id", "", BLOCK, BLOCK},
        {CW_MATCH_RE, "trace_id", "0{16}9e3779b97f4a7c1[4-6]|x", 3, 3},
        {CW_MATCH_EQ, "level", "error", BLOCK / 4, BLOCK},
        {CW_MATCH_NRE, "level", "err.*|", BLOCK, 2 * BLOCK},
        {CW_MATCH_RE, "user", "u1[0-9] of .", 100, BLOCK},
        {CW_MATCH_EQ, "rare", "1", BLOCK / 9, BLOCK / 4},
        {CW_MATCH_NE, "rare", "1", 2 * BLOCK, ALL},
        {CW_MATCH_EQ, "absent", "1", 0, 0},
        {CW_MATCH_NE, "absent", "1", ALL, ALL},
        {CW_MATCH_EQ, "zone", "z2", ALL, ALL}, /* a stream's label: not asked */
    };
    struct cw_source *source = written_metadata();
    struct cw_line_filter *took;
    cr_assert_eq(cw_line_filter_new(CW_FILTER_CONTAINS, &took, &err), 0);
    cr_assert_eq(cw_line_filter_add(took, CW_STR("took 17"), 0, &err), 0);
    const struct cw_line_filter *lines[] = {took};
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        check_meta_filters(source, &cases[i], 1, NULL);
    check_meta_filters(source, &cases[0], 1, lines);
    check_meta_filters(source, &cases[5], 3, NULL);
    check_meta_filters(source, &cases[7], 3, lines);
    cw_line_filter_free(&took);
    cw_source_unref(&source);
}

/* An id that no row has: the value filters say so, of a plain block too. */
Test(part_meta, value_filters_rule_out_ids_of_metadata)
{
    struct cw_source *source = written_metadata();
    struct cw_selector selector;
    struct cw_meta_filter filter;
    struct cw_scan_stats stats = {0};
    struct cw_scan scan = all_rows;
    struct model_rows got = {0};
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, CW_MATCH_EQ, CW_STR("trace_id"),
                                 CW_STR("0123456789abcdef0123456789abcdef"), &err),
                 0);
    cw_meta_filter_init(&filter, &selector.items[0]);
    scan.meta_filters = &filter;
    scan.nmeta_filters = 1;
    scan.stats = &stats;
    cr_assert_eq(model_rows_of_source(source, &scan, &got, &err), 0);
    cr_expect_eq(got.n, 0);
    uint64_t with_ids = atomic_load(&stats.blocks_ruled_out_by_values),
             without = atomic_load(&stats.blocks_ruled_out_by_text);
    cr_expect_geq(with_ids, 2);
    cr_expect_geq(without, 1);
    cr_expect_eq(with_ids + without, atomic_load(&stats.blocks_read));
    cr_expect_eq(atomic_load(&stats.rows_ruled_out), 3 * CW_BLOCK_ROWS_MAX);
    cr_expect_eq(atomic_load(&stats.bytes_decompressed), 0);
    model_rows_fini(&got);
    cw_meta_filter_fini(&filter);
    cw_selector_fini(&selector);
    cw_source_unref(&source);
}
