/*
 * tail_queue.h - entries of a live tail that wait to be sent, oldest first, within a bound.
 *
 * Ownership  The queue owns what is in it; what is popped is the caller's: cw_tail_item_free().
 * Memory     Every item is taken from the budget (CW_MEMORY_QUERIES) while it is in the queue.
 */
#ifndef CW_API_TAIL_QUEUE_H
#define CW_API_TAIL_QUEUE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/memory_budget.h"
#include "common/base/str.h"

/* An entry as it goes into a frame. */
struct cw_tail_item {
    int64_t ts_ns;
    uint64_t order;               /* of arrival: ties of time */
    size_t labels_at, labels_len; /* its labels within the text, for when it is dropped */
    size_t len;
    char text[];
};

struct cw_tail_queue {
    struct cw_memory_budget *memory; /* may be NULL */
    size_t max_bytes, bytes;
    struct cw_tail_item **items; /* a heap with the oldest at 0 */
    size_t n, cap;
    uint64_t order;
};

void cw_tail_queue_init(struct cw_tail_queue *queue, size_t max_bytes,
                        struct cw_memory_budget *memory);
void cw_tail_queue_fini(struct cw_tail_queue *queue);
/* Copies the text, `labels` being a part of it. False: there is no room (for one item there is, if the budget has it). */
bool cw_tail_queue_add(struct cw_tail_queue *queue, int64_t ts_ns, struct cw_str text,
                       struct cw_str labels);
/* Is there room for a text of so many bytes, as far as the bound goes? */
bool cw_tail_queue_fits(const struct cw_tail_queue *queue, size_t text_len);
/* The oldest; NULL: none. */
const struct cw_tail_item *cw_tail_queue_first(const struct cw_tail_queue *queue);
struct cw_tail_item *cw_tail_queue_pop(struct cw_tail_queue *queue);
/* A popped item into another queue: false (and it stays the caller's) when there is no room. */
bool cw_tail_queue_put(struct cw_tail_queue *queue, struct cw_tail_item *item);

#endif
