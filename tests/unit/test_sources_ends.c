#include <criterion/criterion.h>
#include "common/base/clock.h"
#include "tests/support/sources_rig.h"
#include "tests/support/stage_lines.h"

/* Where files end: their target is taken away, or the shipper stops. */
static struct cw_sources_rig rig;

static void begin(void)
{
    cw_sources_rig_init(&rig, "*.log");
    rig.sources->targets[0]->ends_removed = true;
}

static void end(void)
{
    cw_sources_rig_fini(&rig);
}

TestSuite(sources_ends, .init = begin, .fini = end);

static void append(const char *text)
{
    cw_log_folder_append(&rig.folder, "a.log", text);
}

/* What a shipper does in so many seconds. */
static void pass(int64_t seconds)
{
    rig.quiet_ns += seconds * CW_NS_PER_S;
    cw_sources_rig_look(&rig);
    cw_sources_rig_ship(&rig);
    cw_sources_rig_refresh(&rig);
}

static const char *shipped(void)
{
    pass(0);
    return cw_sources_rig_lines(&rig);
}

static void target_remove(void)
{
    cw_sources_target_remove(rig.sources, rig.sources->targets[0]);
}

static void target_return(void)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err;
    cr_assert_eq(
        cw_glob_compile(cw_str_of(cw_log_folder_path(&rig.folder, "*.log")), &target->glob, &err),
        0);
    target->name = cw_str_dupz(CW_STR("again"));
    target->ends_removed = true;
    cw_sources_target_add(rig.sources, target);
}

static bool is_open(void)
{
    cr_assert_eq(rig.sources->n, 1);
    return rig.sources->items[0]->tail.fd >= 0;
}

Test(sources_ends, nothing_is_read_that_came_behind_the_removal_of_its_target)
{
    append("1\n");
    cr_assert_str_eq(shipped(), "1");
    append("2\n"); /* not looked at yet */
    target_remove();
    append("3\n");
    cr_assert_str_eq(shipped(), "2");
    cr_assert(!is_open());
    append("4\n");
    pass(100);
    cr_assert_str_eq(shipped(), "");
    cw_sources_rig_kill(&rig); /* which brings the target back */
    cr_assert_str_eq(shipped(), "3 4");
}

Test(sources_ends, a_target_that_comes_back_goes_on_where_it_was)
{
    append("1\n2\n");
    cw_sources_rig_look(&rig);
    target_remove();
    append("3\n");
    cr_assert_str_eq(shipped(), "1 2");
    cr_assert(!is_open());
    target_return();
    cr_assert_str_eq(shipped(), "3");
    append("4\n");
    cr_assert_str_eq(shipped(), "4");
    cr_assert_eq(rig.sources->n, 1);
}

Test(sources_ends, one_that_comes_back_at_once_stops_nothing)
{
    append("1\n");
    cw_sources_rig_look(&rig);
    target_remove();
    append("2\n");
    target_return();
    cr_assert_str_eq(shipped(), "1 2");
    cr_assert(is_open());
}

Test(sources_ends, what_was_not_delivered_yet_is_read_though_the_server_was_away)
{
    append("1\n");
    cw_sources_rig_look(&rig);
    target_remove();
    append("2\n");
    rig.quiet_ns += 3600 * CW_NS_PER_S;
    cw_sources_rig_look(&rig);
    cr_assert(is_open());
    cr_assert_str_eq(shipped(), "1");
    cr_assert(!is_open());
}

Test(sources_ends, a_last_line_that_is_written_on_is_left_to_who_has_the_file_next)
{
    append("1\nhal");
    cr_assert_str_eq(shipped(), "1");
    target_remove();
    append("f\n");
    cr_assert_str_eq(shipped(), "");
    cr_assert(!is_open());
    target_return();
    cr_assert_str_eq(shipped(), "half");
}

Test(sources_ends, a_last_line_that_nobody_writes_on_needs_no_newline)
{
    append("1\nlast");
    cr_assert_str_eq(shipped(), "1");
    target_remove();
    cr_assert_str_eq(shipped(), "");
    cr_assert(is_open());
    pass(6);
    cr_assert_str_eq(shipped(), "last");
    cr_assert(!is_open());
}

Test(sources_ends, a_log_that_is_truncated_behind_the_removal_is_read_no_further)
{
    append("1\n");
    cr_assert_str_eq(shipped(), "1");
    append("2\n");
    target_remove();
    cw_log_folder_truncate(&rig.folder, "a.log", 0);
    append("n\n");
    cr_assert_str_eq(shipped(), "");
    cr_assert(!is_open());
}

Test(sources_ends, a_copy_of_a_log_is_read_to_where_it_was_at_the_removal)
{
    append("1\n");
    cr_assert_str_eq(shipped(), "1");
    append("2\n");
    target_remove();
    append("3\n");
    cw_sources_rig_tick();
    cw_log_folder_append(&rig.folder, "a.log.1", "1\n2\n3\n");
    cw_log_folder_truncate(&rig.folder, "a.log", 0);
    append("n\n");
    cr_assert_str_eq(shipped(), "2");
    for (size_t i = 0; i < rig.sources->n; i++)
        cr_assert_lt(rig.sources->items[i]->tail.fd, 0);
}

Test(sources_ends, containers_that_are_found_no_longer_are_read_to_their_ends)
{
    append("1\n");
    cw_sources_rig_look(&rig);
    rig.sources->targets[0]->ends_removed = false;
    target_remove();
    append("2\n");
    cr_assert_str_eq(shipped(), "1 2");
    append("3\n");
    cr_assert_str_eq(shipped(), "3");
    pass(61);
    cr_assert(!is_open());
}

/* ---- stack traces at a stop ---- */

static struct cw_stage_lines stages;

static void stages_begin(const char *text)
{
    cw_stage_lines_init(&stages, text);
    rig.sources->targets[0]->stages = stages.stages;
}

#define JOINED_FOR_10_S "- multiline: {firstline: '^\\d', max_wait_time: 10s}"

Test(sources_ends, a_stop_waits_for_the_rest_of_an_entry_no_longer_than_it_may)
{
    stages_begin(JOINED_FOR_10_S);
    append("1 a\n2 b\n at\n");
    cr_assert_str_eq(shipped(), "1 a");
    pass(3);
    cr_assert_str_eq(shipped(), "");
    cw_sources_drain(rig.sources, 5 * CW_NS_PER_S);
    cr_assert_str_eq(shipped(), "");
    cr_assert_not(cw_sources_drained(rig.sources));
    append(" at\n"); /* it is still written */
    pass(4);
    cr_assert_str_eq(shipped(), "");
    pass(6);
    cr_assert_str_eq(shipped(), "2 b\n at\n at");
    cr_assert(cw_sources_drained(rig.sources));
    cw_stage_lines_fini(&stages);
}

Test(sources_ends, an_entry_waits_as_configured_where_that_is_less)
{
    stages_begin(JOINED_FOR_10_S);
    append("1 a\n");
    cr_assert_str_eq(shipped(), "");
    cw_sources_drain(rig.sources, 60 * CW_NS_PER_S);
    pass(9);
    cr_assert_str_eq(shipped(), "");
    pass(2);
    cr_assert_str_eq(shipped(), "1 a");
    cw_stage_lines_fini(&stages);
}

Test(sources_ends, an_entry_ends_with_its_target_once_it_waited)
{
    stages_begin(JOINED_FOR_10_S);
    append("1 a\n at\n");
    cr_assert_str_eq(shipped(), "");
    target_remove();
    append(" at\n");
    pass(5);
    cr_assert_str_eq(shipped(), "");
    cr_assert(is_open());
    pass(6);
    cr_assert_str_eq(shipped(), "1 a\n at");
    cr_assert(!is_open());
    cw_stage_lines_fini(&stages);
}
