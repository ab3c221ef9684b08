#include "querier/api/tail_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

void cw_tail_queue_init(struct cw_tail_queue *queue, size_t max_bytes,
                        struct cw_memory_budget *memory)
{
    *queue = (struct cw_tail_queue){.max_bytes = max_bytes, .memory = memory};
}

static size_t cost(size_t text_len)
{
    return sizeof(struct cw_tail_item) + text_len + sizeof(struct cw_tail_item *);
}

void cw_tail_queue_fini(struct cw_tail_queue *queue)
{
    for (size_t i = 0; i < queue->n; i++)
        free(queue->items[i]);
    free(queue->items);
    cw_memory_give(queue->memory, CW_MEMORY_QUERIES, queue->bytes);
    *queue = (struct cw_tail_queue){0};
}

bool cw_tail_queue_fits(const struct cw_tail_queue *queue, size_t text_len)
{
    return queue->n == 0 ||
           (queue->bytes < queue->max_bytes && cost(text_len) <= queue->max_bytes - queue->bytes);
}

static bool before(const struct cw_tail_item *a, const struct cw_tail_item *b)
{
    return a->ts_ns != b->ts_ns ? a->ts_ns < b->ts_ns : a->order < b->order;
}

static void swap(struct cw_tail_queue *queue, size_t i, size_t k)
{
    struct cw_tail_item *item = queue->items[i];
    queue->items[i] = queue->items[k];
    queue->items[k] = item;
}

static void rise(struct cw_tail_queue *queue, size_t i)
{
    while (i > 0 && before(queue->items[i], queue->items[(i - 1) / 2])) {
        swap(queue, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sink(struct cw_tail_queue *queue)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < queue->n; child++)
            if (before(queue->items[child], queue->items[least]))
                least = child;
        if (least == i)
            return;
        swap(queue, i, least);
        i = least;
    }
}

/* Count an item in. */
static bool take(struct cw_tail_queue *queue, size_t text_len)
{
    struct cw_err ignored;
    if (!cw_tail_queue_fits(queue, text_len) ||
        cw_memory_take(queue->memory, CW_MEMORY_QUERIES, cost(text_len), &ignored) < 0)
        return false;
    queue->bytes += cost(text_len);
    return true;
}

static void insert(struct cw_tail_queue *queue, struct cw_tail_item *item)
{
    if (queue->n == queue->cap) {
        queue->cap = queue->cap ? 2 * queue->cap : 64;
        queue->items = cw_mem_resize(queue->items, queue->cap * sizeof *queue->items);
    }
    queue->items[queue->n++] = item;
    rise(queue, queue->n - 1);
}

bool cw_tail_queue_add(struct cw_tail_queue *queue, int64_t ts_ns, struct cw_str text,
                       struct cw_str labels)
{
    if (!take(queue, text.len))
        return false;
    struct cw_tail_item *item = cw_mem_resize(NULL, sizeof *item + text.len);
    *item = (struct cw_tail_item){.ts_ns = ts_ns,
                                  .order = queue->order++,
                                  .labels_at = (size_t)(labels.ptr - text.ptr),
                                  .labels_len = labels.len,
                                  .len = text.len};
    memcpy(item->text, text.ptr, text.len);
    insert(queue, item);
    return true;
}

bool cw_tail_queue_put(struct cw_tail_queue *queue, struct cw_tail_item *item)
{
    if (!take(queue, item->len))
        return false;
    item->order = queue->order++;
    insert(queue, item);
    return true;
}

const struct cw_tail_item *cw_tail_queue_first(const struct cw_tail_queue *queue)
{
    return queue->n > 0 ? queue->items[0] : NULL;
}

struct cw_tail_item *cw_tail_queue_pop(struct cw_tail_queue *queue)
{
    CW_ASSERT(queue->n > 0);
    struct cw_tail_item *item = queue->items[0];
    queue->items[0] = queue->items[--queue->n];
    sink(queue);
    queue->bytes -= cost(item->len);
    cw_memory_give(queue->memory, CW_MEMORY_QUERIES, cost(item->len));
    return item;
}
