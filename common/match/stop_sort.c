#include "common/match/stop_sort.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/match_stop.h"

struct sort {
    size_t size;
    cw_stop_sort_fn compare;
    void *arg;
    char *left; /* room for the left one of two runs that are merged */
};

/* items[0, mid) and items[mid, n) become one. What is not merged yet when the flag is raised goes behind what is. */
static int merge(const struct sort *sort, char *items, size_t mid, size_t n, struct cw_err *err)
{
    size_t size = sort->size, i = 0, k = mid, nlooks = 0;
    char *to = items;
    int rc = 0;
    if (sort->compare(items + (mid - 1) * size, items + mid * size, sort->arg) <= 0)
        return 0;
    memcpy(sort->left, items, mid * size);
    while (i < mid && k < n) {
        if (++nlooks % CW_STOP_SORT_RUN == 0 && (rc = cw_match_stop_check(err)) < 0)
            break;
        if (sort->compare(items + k * size, sort->left + i * size, sort->arg) < 0)
            memcpy(to, items + k++ * size, size);
        else
            memcpy(to, sort->left + i++ * size, size);
        to += size;
    }
    memcpy(to, sort->left + i * size, (mid - i) * size);
    return rc;
}

/* Runs of `len` items become runs of twice as many. */
static int merge_all(const struct sort *sort, char *items, size_t n, size_t len, struct cw_err *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && n - at > len; at += CW_MIN(2 * len, n - at))
        rc = merge(sort, items + at * sort->size, len, CW_MIN(2 * len, n - at), err);
    return rc;
}

int cw_stop_sort(void *items, size_t n, size_t size, cw_stop_sort_fn compare, void *arg,
                 struct cw_err *err)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < n; at += CW_STOP_SORT_RUN) {
        rc = cw_match_stop_check(err);
        if (rc == 0)
            qsort_r((char *)items + at * size, CW_MIN(n - at, (size_t)CW_STOP_SORT_RUN), size,
                    compare, arg);
    }
    if (rc < 0 || n <= CW_STOP_SORT_RUN)
        return rc;
    struct sort sort = {size, compare, arg, cw_mem_array(n, size)};
    for (size_t len = CW_STOP_SORT_RUN; rc == 0 && len < n; len *= 2)
        rc = merge_all(&sort, items, n, len, err);
    free(sort.left);
    return rc;
}
