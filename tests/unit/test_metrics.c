#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/assert.h"
#include "common/metrics/metrics.h"

enum { M_LINES, M_PUSHES, M_QUEUE, M_SECONDS, M_UNSEEN, M_NMETRICS };
static const double bounds[] = {0.1, 1, 10};
static const struct cw_metric_def defs[M_NMETRICS] = {
    [M_LINES] = {"t_lines_total", CW_METRIC_COUNTER, "Lines \\ read\nso far."},
    [M_PUSHES] = {"t_pushes_total", CW_METRIC_COUNTER, "Pushes.", .labels = {"tenant", "status"},
                  .max_children = 3},
    [M_QUEUE] = {"t_queue", CW_METRIC_GAUGE, "Waiting.", .scale = 1000},
    [M_SECONDS] = {"t_seconds", CW_METRIC_HISTOGRAM, "Time.", .labels = {"route"}, .scale = 1e9,
                   .buckets = bounds, .nbuckets = 3},
    [M_UNSEEN] = {"t_unseen", CW_METRIC_GAUGE, "Never set.", .labels = {"x"}},
};

static struct cw_metrics *metrics;
static struct cw_buf out;

static void setup(void)
{
    metrics = cw_metrics_new(defs, M_NMETRICS);
    cw_buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    cw_metrics_free(&metrics);
    cr_assert_null(metrics);
    cw_buf_fini(&out);
}

TestSuite(metrics, .init = setup, .fini = teardown);

/* What is rendered before the series of the process. */
static const char *rendered(void)
{
    cw_buf_clear(&out);
    cw_metrics_render(metrics, &out);
    char *process = strstr((char *)cw_buf_z(&out), "# HELP process_");
    cr_assert_not_null(process);
    *process = '\0';
    return out.ptr;
}

static struct cw_metric *push_of(const char *tenant, const char *status)
{
    struct cw_str values[] = {cw_str_of(tenant), cw_str_of(status)};
    return cw_metrics_child(metrics, M_PUSHES, values);
}

Test(metrics, plain_series_show_zero_and_then_their_value)
{
    cr_assert_str_eq(rendered(), "# HELP t_lines_total Lines \\\\ read\\nso far.\n# TYPE "
                                 "t_lines_total counter\nt_lines_total 0\n"
                                 "# HELP t_queue Waiting.\n# TYPE t_queue gauge\nt_queue 0\n");
    cw_metrics_add(metrics, M_LINES, 5);
    cw_metrics_add(metrics, M_LINES, 2);
    cw_metrics_set(metrics, M_QUEUE, 1500);
    cw_metrics_add(metrics, M_QUEUE, -3000);
    cr_assert_not_null(strstr(rendered(), "\nt_lines_total 7\n"));
    cr_assert_not_null(strstr(rendered(), "\nt_queue -1.5\n"));
}

Test(metrics, children_are_kept_apart_sorted_and_escaped)
{
    cw_metric_add(push_of("b", "204"), 1);
    cw_metric_add(push_of("a", "500"), 2);
    cw_metric_add(push_of("a\"\\\n\xff", "204"), 3);
    cw_metric_add(push_of("b", "204"), 4);
    cr_assert_eq(push_of("b", "204"), push_of("b", "204"));
    cr_assert_not_null(
        strstr(rendered(), "# TYPE t_pushes_total counter\n"
                           "t_pushes_total{tenant=\"a\",status=\"500\"} 2\n"
                           "t_pushes_total{tenant=\"a\\\"\\\\\\n\xEF\xBF\xBD\",status=\"204\"} 3\n"
                           "t_pushes_total{tenant=\"b\",status=\"204\"} 5\n"),
        "%s", out.ptr);
    /* the border between two values counts */
    cr_assert_neq(push_of("x", "yz"), push_of("b", "204"));
}

Test(metrics, label_sets_over_the_bound_share_one_series)
{
    for (int i = 0; i < 100; i++) {
        char tenant[16];
        sprintf(tenant, "t%d", i);
        cw_metric_add(push_of(tenant, "204"), 1);
    }
    cr_assert_not_null(strstr(rendered(),
                              "t_pushes_total{tenant=\"_overflow\",status=\"_overflow\"} 97\n"
                              "t_pushes_total{tenant=\"t0\",status=\"204\"} 1\n"
                              "t_pushes_total{tenant=\"t1\",status=\"204\"} 1\n"
                              "t_pushes_total{tenant=\"t2\",status=\"204\"} 1\n#"),
                       "%s", out.ptr);
}

Test(metrics, a_dropped_series_vanishes_and_comes_back_from_zero)
{
    struct cw_str values[] = {CW_STR("a"), CW_STR("1")};
    struct cw_metric *metric = push_of("a", "1");
    cw_metric_add(metric, 9);
    cw_metrics_child_drop(metrics, M_PUSHES, values);
    cw_metric_add(metric, 1); /* its pointer still may be used */
    cr_assert_null(strstr(rendered(), "t_pushes_total{"));
    cr_assert_eq(push_of("a", "1"), metric);
    cr_assert_not_null(strstr(rendered(), "t_pushes_total{tenant=\"a\",status=\"1\"} 0\n"));
    values[0] = CW_STR("never seen");
    cw_metrics_child_drop(metrics, M_PUSHES, values);
}

Test(metrics, histograms_are_cumulative_with_inclusive_bounds)
{
    struct cw_str route = CW_STR("/push");
    struct cw_metric *metric = cw_metrics_child(metrics, M_SECONDS, &route);
    static const int64_t ns[] = {1, 100000000, 100000001, 1000000000, 5000000000, 10000000001};
    for (size_t i = 0; i < CW_COUNT(ns); i++)
        cw_metric_observe(metric, ns[i]);
    cr_assert_eq(cw_metric_value(metric), 6);
    cr_assert_not_null(strstr(rendered(), "# TYPE t_seconds histogram\n"
                                          "t_seconds_bucket{route=\"/push\",le=\"0.1\"} 2\n"
                                          "t_seconds_bucket{route=\"/push\",le=\"1\"} 4\n"
                                          "t_seconds_bucket{route=\"/push\",le=\"10\"} 5\n"
                                          "t_seconds_bucket{route=\"/push\",le=\"+Inf\"} 6\n"
                                          "t_seconds_sum{route=\"/push\"} 16.200000003\n"
                                          "t_seconds_count{route=\"/push\"} 6\n"),
                       "%s", out.ptr);
}

static void collect(struct cw_metrics *m, void *arg)
{
    cw_metrics_set(m, M_QUEUE, *(int *)arg);
}

Test(metrics, collectors_run_before_each_render)
{
    int waiting = 3000;
    cw_metrics_on_collect(metrics, collect, &waiting);
    cr_assert_not_null(strstr(rendered(), "\nt_queue 3\n"));
    waiting = 4000;
    cr_assert_not_null(strstr(rendered(), "\nt_queue 4\n"));
}

static double value_of(const char *name)
{
    char start[100];
    cw_buf_clear(&out);
    cw_metrics_render(metrics, &out);
    snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(cw_buf_z(&out), start);
    cr_assert_not_null(at, "%s", name);
    return atof(at + strlen(start));
}

Test(metrics, the_process_is_described)
{
    cr_assert_geq(value_of("process_cpu_seconds_total"), 0);
    cr_assert_gt(value_of("process_resident_memory_bytes"), 1e6);
    cr_assert_leq(value_of("process_resident_memory_bytes"),
                  value_of("process_virtual_memory_bytes"));
    cr_assert_gt(value_of("process_open_fds"), 0);
    double start = value_of("process_start_time_seconds");
    cr_assert_leq(start, (double)time(NULL) + 1);
    cr_assert_gt(start, (double)time(NULL) - 600);
    cr_assert_not_null(strstr(out.ptr, "cordwood_build_info{version=\"" CW_VERSION "\"} 1\n"));
}

Test(metrics, the_seconds_buckets_are_as_many_as_the_macro_says)
{
    static const struct cw_metric_def def = {"t_s", CW_METRIC_HISTOGRAM, "x", CW_METRIC_SECONDS};
    cr_assert_eq(def.nbuckets, cw_metric_seconds_nbuckets);
    struct cw_metrics *m = cw_metrics_new(&def, 1);
    cw_metrics_observe(m, 0, INT64_C(70000000000));
    cw_metrics_render(m, &out);
    cr_assert_not_null(
        strstr(cw_buf_z(&out),
               "t_s_bucket{le=\"60\"} 0\nt_s_bucket{le=\"+Inf\"} 1\nt_s_sum 70\nt_s_count 1\n"));
    cw_metrics_free(&m);
}
