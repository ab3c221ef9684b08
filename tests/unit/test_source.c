#include <criterion/criterion.h>
#include "shipper/source.h"

Test(source, an_entry_has_the_time_when_its_end_was_first_seen)
{
    struct cw_sightings seen = {0};
    cr_assert_eq(cw_sightings_time(&seen, 1, 99), 99, "not seen yet: now");
    cw_sightings_add(&seen, 100, 10);
    cw_sightings_add(&seen, 100, 15);
    cw_sightings_add(&seen, 200, 20);
    cr_assert_eq(cw_sightings_time(&seen, 1, 99), 10);
    cr_assert_eq(cw_sightings_time(&seen, 100, 99), 10);
    cr_assert_eq(cw_sightings_time(&seen, 101, 99), 20);
    cr_assert_eq(cw_sightings_time(&seen, 201, 99), 99);
    cw_sightings_prune(&seen, 100);
    cr_assert(cw_sightings_size(&seen) == 200 && cw_sightings_time(&seen, 150, 99) == 20);
    cw_sightings_prune(&seen, 200);
    cr_assert(cw_sightings_size(&seen) == 0 && cw_sightings_time(&seen, 150, 99) == 99);
    cw_sightings_fini(&seen);
}

Test(source, many_sightings_are_joined_and_none_gets_too_early)
{
    struct cw_sightings seen = {0};
    for (int i = 1; i <= 1000; i++)
        cw_sightings_add(&seen, (uint64_t)i * 10, i);
    cr_assert_leq(seen.many->n, CW_SIGHTINGS_MAX);
    for (int i = 1; i <= 1000; i++)
        cr_assert_geq(cw_sightings_time(&seen, (uint64_t)i * 10, 2000), i);
    cr_assert_eq(cw_sightings_time(&seen, 10000, 2000), 1000);
    cw_sightings_fini(&seen);
}

Test(source, it_is_pending_only_when_it_may_be_pushed)
{
    struct cw_source *source = cw_source_new(2, "/x");
    source->tail.fd = 0;
    source->tail.size = 10;
    cr_assert(!cw_source_pending(source, 0), "its id is not on disk");
    source->durable = true;
    cr_assert(cw_source_pending(source, 0) && cw_source_pending(source, 1));
    source->rows[0].done = 10;
    cr_assert(!cw_source_pending(source, 0) && cw_source_pending(source, 1));
    source->rows[1].held_size = 10;
    cr_assert(!cw_source_pending(source, 1), "half a line");
    source->tail.size = 11;
    cr_assert(cw_source_pending(source, 1));
    source->changed = true;
    cr_assert(!cw_source_pending(source, 1), "truncated");
    source->tail.fd = -1;
    cw_source_free(&source);
    cr_assert_null(source);
}

Test(source, rows_keep_what_they_say_when_one_is_added)
{
    struct cw_source *source = cw_source_new(0, "/x");
    for (size_t i = 0; i < 3; i++) {
        cw_source_row_add(source);
        cr_assert_eq(source->nrows, i + 1);
        cr_assert_eq(source->rows[i].done, i ? 100u : 0u, "what is settled for all others");
        source->rows[i].done = 100 + 10 * i;
    }
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(source->rows[i].done, 100 + 10 * i);
    cw_source_free(&source);
}

Test(source, a_raised_generation_begins_at_0_and_must_be_durable_first)
{
    struct cw_source *source = cw_source_new(1, "/x");
    source->generation = 3;
    source->durable = source->changed = true;
    cw_source_seek(source, 500);
    cr_assert_eq(cw_source_position(source), 500);
    cw_source_raise(source);
    cr_assert(source->generation == 4 && !source->durable && !source->changed &&
              cw_source_position(source) == 0);
    cw_source_free(&source);
}
