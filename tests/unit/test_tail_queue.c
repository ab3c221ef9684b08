#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "querier/api/tail_queue.h"

static struct cw_tail_queue queue;
static struct cw_memory_budget budget;

static void setup(void)
{
    cw_memory_budget_init(&budget, 1 << 20);
    cw_tail_queue_init(&queue, 1000, &budget);
}

static void teardown(void)
{
    cw_tail_queue_fini(&queue);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_QUERIES), 0);
}

TestSuite(tail_queue, .init = setup, .fini = teardown);

static bool add(int64_t ts_ns, const char *text)
{
    struct cw_str all = cw_str_of(text);
    return cw_tail_queue_add(&queue, ts_ns, all, cw_str_sub(all, 1, 2));
}

static void expect_next(const char *text)
{
    struct cw_tail_item *item = cw_tail_queue_pop(&queue);
    cr_expect(cw_str_eqz(cw_str_make(item->text, item->len), text));
    cr_expect_eq(item->labels_at, 1);
    free(item);
}

Test(tail_queue, the_oldest_comes_first_and_ties_in_order_of_arrival)
{
    cr_assert(add(5, "e1"));
    cr_assert(add(3, "c"));
    cr_assert(add(5, "e2"));
    cr_assert(add(1, "a"));
    cr_assert(add(5, "e3"));
    cr_expect_eq(cw_tail_queue_first(&queue)->ts_ns, 1);
    static const char *const want[] = {"a", "c", "e1", "e2", "e3"};
    for (size_t i = 0; i < 5; i++)
        expect_next(want[i]);
    cr_expect_null(cw_tail_queue_first(&queue));
}

Test(tail_queue, it_takes_so_much_and_no_more)
{
    char text[300];
    memset(text, 'x', sizeof text);
    text[299] = '\0';
    int n = 0;
    while (add(n, text))
        n++;
    cr_expect_eq(n, 2);
    cr_expect_leq(queue.bytes, 1000);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_QUERIES), queue.bytes);
    free(cw_tail_queue_pop(&queue));
    cr_expect(add(9, text), "there is room again");
}

Test(tail_queue, one_large_entry_finds_room_alone)
{
    char text[3000];
    memset(text, 'x', sizeof text);
    text[2999] = '\0';
    cr_assert(add(1, text));
    cr_expect_not(cw_tail_queue_fits(&queue, 1));
    cr_expect_not(add(2, "y"));
}

Test(tail_queue, the_budget_decides_too)
{
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 1 << 20, NULL), 0);
    cr_expect_not(add(1, "no room"));
    cw_memory_give(&budget, CW_MEMORY_QUERIES, 1 << 20);
    cr_expect(add(1, "room"));
}

Test(tail_queue, items_move_to_another_queue)
{
    struct cw_tail_queue other;
    cw_tail_queue_init(&other, 1000, &budget);
    cr_assert(add(2, "two"));
    cr_assert(add(1, "one"));
    while (cw_tail_queue_first(&queue) != NULL)
        cr_assert(cw_tail_queue_put(&other, cw_tail_queue_pop(&queue)));
    cr_expect_eq(queue.bytes, 0);
    cr_expect_eq(other.n, 2);
    cw_tail_queue_fini(&other);
}

Test(tail_queue, many_in_any_order_come_out_in_order)
{
    queue.max_bytes = 1 << 20;
    uint64_t state = 7;
    for (int i = 0; i < 3000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        cr_assert(add((int64_t)(state >> 60), "xy"));
    }
    int64_t last = -1;
    uint64_t order = 0;
    while (cw_tail_queue_first(&queue) != NULL) {
        struct cw_tail_item *item = cw_tail_queue_pop(&queue);
        cr_assert(item->ts_ns > last || (item->ts_ns == last && item->order > order));
        last = item->ts_ns;
        order = item->order;
        free(item);
    }
}
