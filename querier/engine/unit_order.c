/* unit_order.c - a heap that is emptied into its own end: there the entries that were asked for stand in order, the first one last. */
#include "querier/engine/unit_order.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct entry {
    int64_t key, tie; /* smaller comes first */
    size_t unit;
};

struct cw_unit_order {
    size_t n, nleft; /* items[0, nleft) are the heap, with its first at 0 */
    struct entry items[];
};

static bool before(const struct entry *a, const struct entry *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void sift_down(struct cw_unit_order *order, size_t i)
{
    struct entry *items = order->items, moved = items[i];
    for (size_t child; (child = 2 * i + 1) < order->nleft; i = child) {
        if (child + 1 < order->nleft && before(&items[child + 1], &items[child]))
            child++;
        if (!before(&items[child], &moved))
            break;
        items[i] = items[child];
    }
    items[i] = moved;
}

struct cw_unit_order *cw_unit_order_new(const struct cw_units *units, bool newest_first)
{
    struct cw_unit_order *order =
        cw_mem_resize(NULL, sizeof *order + units->n * sizeof order->items[0]);
    order->n = order->nleft = units->n;
    for (size_t i = 0; i < units->n; i++) {
        const struct cw_unit *unit = &units->items[i];
        order->items[i] = newest_first ? (struct entry){~unit->max_ns, ~(int64_t)i, i}
                                       : (struct entry){unit->min_ns, (int64_t)i, i};
    }
    for (size_t i = order->n / 2; i > 0; i--)
        sift_down(order, i - 1);
    return order;
}

void cw_unit_order_free(struct cw_unit_order **order)
{
    free(*order);
    *order = NULL;
}

size_t cw_unit_order_get(struct cw_unit_order *order, size_t position)
{
    CW_ASSERT(position < order->n);
    while (position >= order->n - order->nleft) {
        struct entry first = order->items[0], *last = &order->items[--order->nleft];
        order->items[0] = *last;
        *last = first;
        sift_down(order, 0);
    }
    return order->items[order->n - 1 - position].unit;
}
