/*
 * sample_window.h - values of one series in time order, and what range functions make of those in a window.
 *
 * Ownership  A list owns its items; a window borrows them.
 * Threads    One at a time.
 */
#ifndef CW_ENGINE_SAMPLE_WINDOW_H
#define CW_ENGINE_SAMPLE_WINDOW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

struct cw_sample {
    int64_t ts_ns;
    double value;
    uint64_t place; /* order of arrival, among equal times */
};

struct cw_sample_list {
    struct cw_sample *items;
    size_t n, cap;
};
void cw_sample_list_fini(struct cw_sample_list *list);
/* Bytes that adding so many would allocate. */
size_t cw_sample_list_growth(const struct cw_sample_list *list, size_t n);
void cw_sample_list_add(struct cw_sample_list *list, const struct cw_sample *items, size_t n);
/* One more, if there is room without growing. */
static inline bool cw_sample_list_push(struct cw_sample_list *list, const struct cw_sample *item)
{
    if (list->n == list->cap)
        return false;
    list->items[list->n++] = *item;
    return true;
}
/* By time and place. CW_E_CANCELED (match_stop.h). */
int cw_sample_list_sort(struct cw_sample_list *list, struct cw_err *err) CW_MUST_USE;
/* Bytes that it allocates meanwhile, at most. */
size_t cw_sample_list_sort_bytes(const struct cw_sample_list *list);

struct cw_sample_window {
    const struct cw_sample *items; /* n > 0 */
    size_t n;
    double range_s;
    int64_t end_ns; /* the window ends with it */
};

/* As Loki computes them, NaN and infinities included. */
double cw_sample_window_sum(const struct cw_sample_window *window);
double cw_sample_window_rate(const struct cw_sample_window *window);
double cw_sample_window_rate_counter(const struct cw_sample_window *window);
double cw_sample_window_avg(const struct cw_sample_window *window);
double cw_sample_window_min(const struct cw_sample_window *window);
double cw_sample_window_max(const struct cw_sample_window *window);
double cw_sample_window_stdvar(const struct cw_sample_window *window);
double cw_sample_window_stddev(const struct cw_sample_window *window);
double cw_sample_window_first(const struct cw_sample_window *window);
double cw_sample_window_last(const struct cw_sample_window *window);

#endif
