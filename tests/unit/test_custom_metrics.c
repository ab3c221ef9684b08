#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/check_line.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/custom_metrics.h"

#define NOW (INT64_C(1767571200) * CW_NS_PER_S)

static struct cw_err err;
static const struct cw_label shop[] = {{{"app", 3}, {"shop", 4}}};
static const struct cw_label both[] = {{{"app", 3}, {"a\"b\n", 4}}, {{"le", 2}, {"x", 1}}};

static size_t add(struct cw_custom_metrics *metrics, const char *name, enum cw_custom_type type)
{
    struct cw_custom_metric_def def = {.name = cw_str_of(name),
                                       .description = CW_STR("What it is."),
                                       .type = type,
                                       .max_idle_ns = 5 * 60 * CW_NS_PER_S};
    size_t idx;
    cr_assert_eq(cw_custom_metrics_add(metrics, &def, &idx, &err), 0, "%s", err.text);
    return idx;
}

static void update(struct cw_custom_metrics *metrics, size_t idx, enum cw_custom_action action,
                   double value)
{
    cw_custom_metrics_update(metrics, idx, action, (struct cw_labels){shop, 1}, value, NOW);
}

/* What /metrics shows, ended by NUL. */
static const char *rendered(struct cw_custom_metrics *metrics, int64_t now_ns)
{
    static char text[8192];
    struct cw_buf out;
    cw_buf_init(&out, sizeof text - 1);
    cw_custom_metrics_render(metrics, now_ns, &out);
    snprintf(text, sizeof text, "%s", cw_buf_z(&out));
    cw_buf_fini(&out);
    return text;
}

static void expect_line(struct cw_custom_metrics *metrics, const char *line)
{
    cr_expect(strstr(rendered(metrics, NOW), line) != NULL, "%s is not in\n%s", line,
              rendered(metrics, NOW));
}

#define REFUSED                                                                                                \
    "# HELP cordwood_custom_metric_series_refused_total Updates of custom metrics that had too many series.\n" \
    "# TYPE cordwood_custom_metric_series_refused_total counter\ncordwood_custom_metric_series_refused_total 0\n"

Test(custom_metrics, counters_gauges_and_histograms_are_shown_as_prometheus_wants_them)
{
    static const double buckets[] = {0.1, 1, INFINITY};
    struct cw_custom_metric_def def = {.name = CW_STR("x_seconds"),
                                       .type = CW_CUSTOM_HISTOGRAM,
                                       .buckets = buckets,
                                       .nbuckets = 3};
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    size_t lines = add(metrics, "x_lines_total", CW_CUSTOM_COUNTER),
           depth = add(metrics, "x_depth", CW_CUSTOM_GAUGE), seconds;
    cr_assert_eq(cw_custom_metrics_add(metrics, &def, &seconds, &err), 0);
    update(metrics, lines, CW_CUSTOM_INC, 0);
    update(metrics, lines, CW_CUSTOM_ADD, 2.5);
    update(metrics, lines, CW_CUSTOM_ADD, -1); /* no counter goes down */
    update(metrics, lines, CW_CUSTOM_SET, 100);
    update(metrics, depth, CW_CUSTOM_SET, 10);
    update(metrics, depth, CW_CUSTOM_DEC, 0);
    update(metrics, depth, CW_CUSTOM_SUB, 4);
    update(metrics, depth, CW_CUSTOM_ADD, 1);
    update(metrics, depth, CW_CUSTOM_INC, 0);
    update(metrics, depth, CW_CUSTOM_SET, NAN);
    for (int i = 0; i < 3; i++)
        cw_custom_metrics_update(metrics, seconds, CW_CUSTOM_OBSERVE, (struct cw_labels){both, 2},
                                 i, NOW);
    cw_custom_metrics_update(metrics, seconds, CW_CUSTOM_OBSERVE, (struct cw_labels){both, 2}, 0.1,
                             NOW);
    cw_custom_metrics_update(metrics, depth, CW_CUSTOM_SET, CW_LABELS_NONE, 7, NOW);
    cr_expect_str_eq(rendered(metrics, NOW),
                     "# HELP x_lines_total What it is.\n# TYPE x_lines_total counter\n"
                     "x_lines_total{app=\"shop\"} 3.5\n"
                     "# HELP x_depth What it is.\n# TYPE x_depth gauge\n"
                     "x_depth{app=\"shop\"} 7\nx_depth 7\n"
                     "# TYPE x_seconds histogram\n"
                     "x_seconds_bucket{app=\"a\\\"b\\n\",le=\"0.1\"} 2\n"
                     "x_seconds_bucket{app=\"a\\\"b\\n\",le=\"1\"} 3\n"
                     "x_seconds_bucket{app=\"a\\\"b\\n\",le=\"+Inf\"} 4\n"
                     "x_seconds_sum{app=\"a\\\"b\\n\"} 3.1\n"
                     "x_seconds_count{app=\"a\\\"b\\n\"} 4\n" REFUSED);
    cw_custom_metrics_free(&metrics);
}

Test(custom_metrics, a_series_that_rests_is_forgotten)
{
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    size_t idx = add(metrics, "x_total", CW_CUSTOM_COUNTER);
    update(metrics, idx, CW_CUSTOM_INC, 0);
    cw_custom_metrics_update(metrics, idx, CW_CUSTOM_INC, CW_LABELS_NONE, 0,
                             NOW + 200 * CW_NS_PER_S);
    cr_expect(strstr(rendered(metrics, NOW + 300 * CW_NS_PER_S), "shop") != NULL);
    cr_expect(strstr(rendered(metrics, NOW + 301 * CW_NS_PER_S), "shop") == NULL);
    cr_expect(strstr(rendered(metrics, NOW + 301 * CW_NS_PER_S), "x_total 1\n") != NULL);
    cw_custom_metrics_update(metrics, idx, CW_CUSTOM_INC, CW_LABELS_NONE, 0,
                             NOW + 302 * CW_NS_PER_S);
    update(metrics, idx, CW_CUSTOM_INC, 0);
    cr_expect(strstr(rendered(metrics, NOW), "x_total 2\nx_total{app=\"shop\"} 1\n") != NULL, "%s",
              rendered(metrics, NOW));
    cr_expect_str_eq(rendered(metrics, NOW + 1000 * CW_NS_PER_S), REFUSED);
    cw_custom_metrics_free(&metrics);
}

Test(custom_metrics, series_are_bounded)
{
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    size_t idx = add(metrics, "x_total", CW_CUSTOM_COUNTER);
    for (int i = 0; i < CW_CUSTOM_METRIC_SERIES + 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        struct cw_label label = {CW_STR("id"), cw_str_of(text)};
        cw_custom_metrics_update(metrics, idx, CW_CUSTOM_INC, (struct cw_labels){&label, 1}, 0,
                                 NOW);
    }
    struct cw_buf out;
    cw_buf_init(&out, 16 << 20);
    cw_custom_metrics_render(metrics, NOW, &out);
    cr_expect(strstr(cw_buf_z(&out), "refused_total 5\n") != NULL);
    cr_expect(strstr(cw_buf_z(&out), "{id=\"10000\"}") == NULL);
    cw_buf_fini(&out);
    /* When the others rest, there is room again. */
    cw_custom_metrics_update(metrics, idx, CW_CUSTOM_INC, CW_LABELS_NONE, 0,
                             NOW + 1000 * CW_NS_PER_S);
    cr_expect(strstr(rendered(metrics, NOW + 1000 * CW_NS_PER_S), "x_total 1\n") != NULL);
    cw_custom_metrics_free(&metrics);
}

Test(custom_metrics, definitions_are_checked_and_shared)
{
    static const double falling[] = {2, 1};
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    size_t idx = add(metrics, "x_total", CW_CUSTOM_COUNTER),
           again = add(metrics, "x_total", CW_CUSTOM_COUNTER);
    cr_expect_eq(idx, again);
    struct cw_custom_metric_def def = {.name = CW_STR("x_total"), .type = CW_CUSTOM_GAUGE};
    cr_expect_eq(cw_custom_metrics_add(metrics, &def, &idx, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "the metric x_total is defined in two ways");
    def.name = CW_STR("x-y");
    cr_expect_eq(cw_custom_metrics_add(metrics, &def, &idx, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "\"x-y\" is no name of a metric");
    def = (struct cw_custom_metric_def){
        .name = CW_STR("h"), .type = CW_CUSTOM_HISTOGRAM, .buckets = falling, .nbuckets = 2};
    cr_expect_eq(cw_custom_metrics_add(metrics, &def, &idx, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "h: the buckets do not rise");
    cw_custom_metrics_free(&metrics);
}

Test(custom_metrics, numbers_may_be_durations)
{
    double value;
    cr_expect(cw_custom_metric_number(CW_STR("0.804"), &value) && value == 0.804);
    cr_expect(cw_custom_metric_number(CW_STR("0.5ms"), &value) && value == 0.0005);
    cr_expect(cw_custom_metric_number(CW_STR("10h"), &value) && value == 36000);
    cr_expect_not(cw_custom_metric_number(CW_STR("ten"), &value));
    cr_expect_not(cw_custom_metric_number(CW_STR(""), &value));
}

/* ---- kept across restarts ---- */

static struct cw_custom_metrics *of_all_types(void)
{
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    add(metrics, "x_total", CW_CUSTOM_COUNTER);
    add(metrics, "x_depth", CW_CUSTOM_GAUGE);
    add(metrics, "x_seconds", CW_CUSTOM_HISTOGRAM);
    return metrics;
}

static void fill(struct cw_custom_metrics *metrics)
{
    update(metrics, 0, CW_CUSTOM_ADD, 0.1);
    update(metrics, 1, CW_CUSTOM_SET, -3);
    cw_custom_metrics_update(metrics, 1, CW_CUSTOM_SET, CW_LABELS_NONE, INFINITY, NOW);
    cw_custom_metrics_update(metrics, 2, CW_CUSTOM_OBSERVE, (struct cw_labels){both, 2}, 0.3, NOW);
    cw_custom_metrics_update(metrics, 2, CW_CUSTOM_OBSERVE, (struct cw_labels){both, 2}, 99, NOW);
}

static char path[64];

static void in_a_file(void)
{
    snprintf(path, sizeof path, "/tmp/custom_metrics.%d", (int)getpid());
    unlink(path);
}

static void no_file(void)
{
    unlink(path);
}

Test(custom_metrics, what_was_saved_is_loaded, .init = in_a_file, .fini = no_file)
{
    struct cw_custom_metrics *before = of_all_types(), *after = of_all_types();
    char text[8192];
    cr_expect_eq(cw_custom_metrics_load(after, path, &err), CW_E_NOT_FOUND);
    fill(before);
    snprintf(text, sizeof text, "%s", rendered(before, NOW));
    cr_assert_eq(cw_custom_metrics_save(before, path, &err), 0, "%s", err.text);
    cr_assert_eq(cw_custom_metrics_load(after, path, &err), 0, "%s", err.text);
    cr_expect_str_eq(rendered(after, NOW), text);
    update(after, 0, CW_CUSTOM_ADD, 1);
    expect_line(after, "x_total{app=\"shop\"} 1.1\n");
    cr_expect(strstr(rendered(after, NOW + 301 * CW_NS_PER_S), "x_") == NULL,
              "the time of the last update is kept");
    cw_custom_metrics_free(&before);
    cw_custom_metrics_free(&after);
}

Test(custom_metrics, series_of_other_definitions_are_left_out, .init = in_a_file, .fini = no_file)
{
    static const double buckets[] = {1, 2};
    struct cw_custom_metric_def def = {.name = CW_STR("x_seconds"),
                                       .type = CW_CUSTOM_HISTOGRAM,
                                       .buckets = buckets,
                                       .nbuckets = 2};
    struct cw_custom_metrics *before = of_all_types(), *after = cw_custom_metrics_new();
    size_t idx;
    fill(before);
    cr_assert_eq(cw_custom_metrics_save(before, path, &err), 0);
    add(after, "x_total", CW_CUSTOM_GAUGE);
    cr_assert_eq(cw_custom_metrics_add(after, &def, &idx, &err), 0);
    cr_assert_eq(cw_custom_metrics_load(after, path, &err), 0);
    cr_expect_str_eq(rendered(after, NOW), REFUSED);
    cw_custom_metrics_free(&before);
    cw_custom_metrics_free(&after);
}

Test(custom_metrics, damage_is_noticed_at_every_byte, .init = in_a_file, .fini = no_file)
{
    struct cw_custom_metrics *before = of_all_types();
    struct cw_buf bytes;
    fill(before);
    cw_buf_init(&bytes, 1 << 20);
    cr_assert_eq(cw_custom_metrics_save(before, path, &err), 0);
    cr_assert_eq(cw_file_read(path, 1 << 20, &bytes, &err), 0);
    struct cw_custom_metrics *after = of_all_types();
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x40;
        cr_expect_eq(cw_custom_metrics_decode(after, cw_buf_str(&bytes), &err), CW_E_CORRUPT, "%zu",
                     i);
        bytes.ptr[i] ^= 0x40;
        cr_expect_eq(cw_custom_metrics_decode(after, cw_str_sub(cw_buf_str(&bytes), 0, i), &err),
                     CW_E_CORRUPT, "%zu", i);
    }
    cr_expect_str_eq(rendered(after, NOW), REFUSED);
    /* With a right checksum, but lines that make no sense: each is passed over. */
    static const char *const lines[] = {"series",
                                        "series counter x_total",
                                        "series counter x_total 1 1 0 0 {a=",
                                        "series gauge x_total 1 1 0 0 {}",
                                        "series histogram x_seconds 1 1 1 11 0.005 1 {}",
                                        "series counter x_total 1 one 0 0 {}",
                                        "nonsense"};
    for (size_t i = 0; i < CW_COUNT(lines); i++) {
        cw_buf_clear(&bytes);
        cw_buf_addf(&bytes, "cordwood-custom-metrics 1\n%s\n", lines[i]);
        cw_check_line_add(&bytes, 0);
        cr_expect_eq(cw_custom_metrics_decode(after, cw_buf_str(&bytes), &err), 0);
    }
    cr_expect_str_eq(rendered(after, NOW), REFUSED);
    cw_buf_fini(&bytes);
    cw_custom_metrics_free(&before);
    cw_custom_metrics_free(&after);
}
