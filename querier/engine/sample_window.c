#include "querier/engine/sample_window.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/match_stop.h"

void cw_sample_list_fini(struct cw_sample_list *list)
{
    free(list->items);
    *list = (struct cw_sample_list){NULL, 0, 0};
}

static size_t grown_cap(const struct cw_sample_list *list, size_t n)
{
    size_t want = list->n + n;
    return want <= list->cap ? list->cap : CW_MAX(want, CW_MAX(16, list->cap * 2));
}

size_t cw_sample_list_growth(const struct cw_sample_list *list, size_t n)
{
    return (grown_cap(list, n) - list->cap) * sizeof(struct cw_sample);
}

void cw_sample_list_add(struct cw_sample_list *list, const struct cw_sample *items, size_t n)
{
    if (n == 0)
        return;
    size_t cap = grown_cap(list, n);
    if (cap != list->cap)
        list->items = cw_mem_resize(list->items, cap * sizeof *list->items);
    list->cap = cap;
    memcpy(list->items + list->n, items, n * sizeof *items);
    list->n += n;
}

static bool comes_after(const struct cw_sample *a, const struct cw_sample *b)
{
    return a->ts_ns > b->ts_ns || (a->ts_ns == b->ts_ns && a->place > b->place);
}

/* Where the run that begins at `from` ends: samples in order. */
static size_t run_end(const struct cw_sample_list *list, size_t from)
{
    size_t end = from + 1;
    while (end < list->n && !comes_after(&list->items[end - 1], &list->items[end]))
        end++;
    return end;
}

struct run_sort {
    struct cw_sample *items;
    const size_t *ends;     /* of runs */
    struct cw_sample *left; /* room for the left one of two that are merged */
    size_t left_cap;
};

/* Samples between two looks at whether the query is to end. */
enum { CHECK_EVERY = 1 << 16 };

/* The runs items[0, mid) and items[mid, n) become one. */
static int merge_runs(struct run_sort *sort, struct cw_sample *items, size_t mid, size_t n,
                      struct cw_err *err)
{
    size_t i = 0, k = mid;
    struct cw_sample *to = items;
    int rc = cw_match_stop_check(err);
    if (rc < 0 || !comes_after(&items[mid - 1], &items[mid]))
        return rc;
    if (mid > sort->left_cap) {
        free(sort->left);
        sort->left_cap = mid;
        sort->left = cw_mem_resize(NULL, mid * sizeof *sort->left);
    }
    memcpy(sort->left, items, mid * sizeof *items);
    while (rc == 0 && i < mid && k < n) {
        *to++ = comes_after(&sort->left[i], &items[k]) ? items[k++] : sort->left[i++];
        if ((i + k) % CHECK_EVERY == 0)
            rc = cw_match_stop_check(err);
    }
    memcpy(to, sort->left + i, (mid - i) * sizeof *to);
    return rc;
}

/* Runs [run, run + n); neighbours first, while they are in the cache. */
static int sort_runs(struct run_sort *sort, size_t run, size_t n, struct cw_err *err)
{
    size_t start = run > 0 ? sort->ends[run - 1] : 0, half = n / 2;
    if (n < 2)
        return 0;
    int rc = sort_runs(sort, run, half, err);
    if (rc == 0)
        rc = sort_runs(sort, run + half, n - half, err);
    return rc < 0 ? rc
                  : merge_runs(sort, sort->items + start, sort->ends[run + half - 1] - start,
                               sort->ends[run + n - 1] - start, err);
}

/* Streams and blocks come one after the other, each in order of time: a few long runs, and many of them do not overlap. */
int cw_sample_list_sort(struct cw_sample_list *list, struct cw_err *err)
{
    size_t n = 0, cap = 0, *ends = NULL;
    for (size_t at = 0; at < list->n;) {
        if (n == cap) {
            cap = CW_MAX(64, cap * 2);
            ends = cw_mem_resize(ends, cap * sizeof *ends);
        }
        ends[n++] = at = run_end(list, at);
    }
    struct run_sort sort = {.items = list->items, .ends = ends};
    int rc = sort_runs(&sort, 0, n, err);
    free(sort.left);
    free(ends);
    return rc;
}

size_t cw_sample_list_sort_bytes(const struct cw_sample_list *list)
{
    return list->n * (sizeof(struct cw_sample) + 2 * sizeof(size_t));
}

/* ---- functions ---- */

double cw_sample_window_sum(const struct cw_sample_window *window)
{
    double sum = 0;
    for (size_t i = 0; i < window->n; i++)
        sum += window->items[i].value;
    return sum;
}

double cw_sample_window_rate(const struct cw_sample_window *window)
{
    return cw_sample_window_sum(window) / window->range_s;
}

double cw_sample_window_avg(const struct cw_sample_window *window)
{
    double mean = 0, count = 0;
    for (size_t i = 0; i < window->n; i++) {
        double value = window->items[i].value;
        count++;
        if (isinf(mean)) {
            /* The mean of an infinity and what is not its opposite is the infinity, not NaN. */
            if (isinf(value) ? (mean > 0) == (value > 0) : !isnan(value))
                continue;
        }
        mean += value / count - mean / count;
    }
    return mean;
}

double cw_sample_window_min(const struct cw_sample_window *window)
{
    double min = window->items[0].value;
    for (size_t i = 1; i < window->n; i++)
        if (window->items[i].value < min || isnan(min))
            min = window->items[i].value;
    return min;
}

double cw_sample_window_max(const struct cw_sample_window *window)
{
    double max = window->items[0].value;
    for (size_t i = 1; i < window->n; i++)
        if (window->items[i].value > max || isnan(max))
            max = window->items[i].value;
    return max;
}

double cw_sample_window_stdvar(const struct cw_sample_window *window)
{
    double mean = 0, count = 0, squares = 0;
    for (size_t i = 0; i < window->n; i++) {
        double delta = window->items[i].value - mean;
        count++;
        mean += delta / count;
        squares += delta * (window->items[i].value - mean);
    }
    return squares / count;
}

double cw_sample_window_stddev(const struct cw_sample_window *window)
{
    return sqrt(cw_sample_window_stdvar(window));
}

double cw_sample_window_first(const struct cw_sample_window *window)
{
    return window->items[0].value;
}

double cw_sample_window_last(const struct cw_sample_window *window)
{
    return window->items[window->n - 1].value;
}

/* Growth between the first and the last value, resets added up. */
static double counter_growth(const struct cw_sample_window *window)
{
    double growth = cw_sample_window_last(window) - cw_sample_window_first(window), last = 0;
    for (size_t i = 0; i < window->n; i++) {
        if (window->items[i].value < last)
            growth += last;
        last = window->items[i].value;
    }
    return growth;
}

/* How far the values are taken to reach beyond the samples, to an edge of the window that lies so far off. */
static double reach(double to_edge, double average)
{
    return to_edge < average * 1.1 ? to_edge : average / 2;
}

/* As Prometheus extrapolates. */
double cw_sample_window_rate_counter(const struct cw_sample_window *window)
{
    if (window->n < 2)
        return 0;
    const struct cw_sample *first = &window->items[0], *last = &window->items[window->n - 1];
    double growth = counter_growth(window);
    double span = (double)(last->ts_ns - first->ts_ns) / 1e9;
    double average = span / (double)(window->n - 1);
    double to_end = (double)(window->end_ns - last->ts_ns) / 1e9;
    double to_start = window->range_s - to_end - span;
    /* A counter does not begin below zero. */
    if (growth > 0 && first->value >= 0 && span * (first->value / growth) < to_start)
        to_start = span * (first->value / growth);
    double length = span + reach(to_start, average) + reach(to_end, average);
    return growth * (length / span) / window->range_s;
}
