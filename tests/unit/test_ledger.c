#include <criterion/criterion.h>
#include "shipper/ledger.h"

Test(ledger, a_mark_settles_what_is_below_it_and_may_go_back)
{
    struct cw_ledger_row row = {.done = 100};
    cw_ledger_adopt(&row, 150);
    cr_assert(row.mark == 150 && row.done == 150 && cw_ledger_next(&row) == 150);
    cw_ledger_adopt(&row, 0); /* the store forgot: the next range begins at 0, its lines at 150 */
    cr_assert(row.mark == 0 && row.done == 150 && cw_ledger_next(&row) == 150);
}

Test(ledger, a_refused_line_is_settled_but_moves_no_mark)
{
    struct cw_ledger_row row = {.mark = 10, .done = 10};
    cw_ledger_dropped(&row, 20, 3);
    cr_assert(row.mark == 10 && row.done == 20);
    cw_ledger_stored(&row, 30, 5);
    cr_assert(row.mark == 30 && row.done == 30 && row.done_ts_ns == 5);
    cw_ledger_refused(&row, 40, 7);
    cr_assert(row.mark == 30 && row.done == 40 && row.done_ts_ns == 7);
}

Test(ledger, positions_are_the_least_of_all_outputs)
{
    struct cw_ledger_row rows[] = {
        {.mark = 50, .done = 50}, {.done = 20}, {.mark = 90, .done = 90}};
    cr_assert_eq(cw_ledger_position(rows, 3), 20);
    cr_assert_eq(cw_ledger_position(rows, 0), 0);
}

Test(ledger, a_confirm_is_due_once_positions_on_disk_passed_the_mark)
{
    struct cw_ledger_row row = {.mark = 50, .done = 50};
    cr_assert(!cw_ledger_confirm_due(&row, 49));
    cr_assert(cw_ledger_confirm_due(&row, 50));
    row.confirmed = 50;
    cr_assert(!cw_ledger_confirm_due(&row, 60));
    row.mark = 0;
    cr_assert(!cw_ledger_confirm_due(&row, 60), "nothing to forget");
}

Test(ledger, a_new_generation_is_a_new_account)
{
    struct cw_ledger_row row = {
        .mark = 50, .done = 60, .confirmed = 50, .held_size = 70, .done_ts_ns = 9};
    cw_ledger_raised(&row);
    cr_assert(row.mark == 0 && row.done == 0 && row.confirmed == 0 && row.held_size == 0);
    cr_assert_eq(row.done_ts_ns, 9, "times go on");
}
