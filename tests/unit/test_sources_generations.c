#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "tests/support/sources_rig.h"

static struct cw_sources_rig rig;

/* What is that much later than the time of a file happened behind it, whatever the tick of its clock. */
#define LATER_NS (100 * CW_NS_PER_MS)

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void setup(void)
{
    cw_sources_rig_init(&rig, "*.log");
}

static void teardown(void)
{
    cw_sources_rig_fini(&rig);
}

TestSuite(sources_generations, .init = setup, .fini = teardown);

static void append(const char *name, const char *text)
{
    cw_log_folder_append(&rig.folder, name, text);
}

static bool is_there(const char *name)
{
    return access(cw_log_folder_path(&rig.folder, name), F_OK) == 0;
}

/* log.1.gz becomes log.2.gz and so on. */
static void chain_move(const char *log)
{
    char from[64], to[64];
    for (int i = 200; i > 0; i--) {
        snprintf(from, sizeof from, "%s.%d.gz", log, i);
        snprintf(to, sizeof to, "%s.%d.gz", log, i + 1);
        if (is_there(from))
            cw_log_folder_rename(&rig.folder, from, to);
    }
}

/* As logrotate and Docker do, but for the new log. */
static void rotate(const char *log)
{
    char plain[64], packed[64];
    snprintf(plain, sizeof plain, "%s.1", log);
    snprintf(packed, sizeof packed, "%s.1.gz", log);
    chain_move(log);
    cw_log_folder_rename(&rig.folder, log, plain);
    cw_log_folder_gzip(&rig.folder, plain, packed, SIZE_MAX);
    cw_log_folder_remove(&rig.folder, plain);
}

static void look_and_ship(void)
{
    for (int i = 0; i < 3; i++) {
        cw_sources_rig_look(&rig);
        cw_sources_rig_ship(&rig);
    }
}

static void expect(const char *lines)
{
    look_and_ship();
    cr_assert_str_eq(cw_sources_rig_lines(&rig), lines);
}

/* Until no file that is there now is younger than the last look. */
static void settle(void)
{
    int64_t until_ns = cw_clock_now_ns() + CW_NS_PER_S;
    rig.quiet_ns += 2 * CW_SOURCES_CLOSE_WAIT_NS;
    do
        look_and_ship();
    while (rig.sources->looked_ns < until_ns);
    look_and_ship();
}

Test(sources_generations, what_was_rotated_and_compressed_between_two_scans_is_read_once)
{
    append("a.log", "1\n");
    expect("1");
    append("a.log", "2\n");
    rotate("a.log");
    append("a.log", "3\n");
    rotate("a.log");
    append("a.log", "4\n4b\n");
    rotate("a.log");
    append("a.log", "5\n");
    expect("2 3 4 4b 5");
    cr_assert_eq(rig.sources->n, 4);
    for (size_t i = 0; i < rig.sources->n; i++)
        cr_assert_str_eq(rig.sources->items[i]->path, cw_log_folder_path(&rig.folder, "a.log"));
    rotate("a.log");
    append("a.log", "6\n");
    expect("6");
    cw_sources_rig_kill(&rig);
    expect("");
}

Test(sources_generations, what_was_rotated_before_any_scan_is_read_though_no_log_is_in_its_place)
{
    append("a.log", "1\n");
    expect("1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    expect("");
    cw_sources_rig_tick();
    cw_log_folder_rename(&rig.folder, "a.log.1", "a.log.2");
    append("a.log", "2\n");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    settle();
    cr_assert_str_eq(cw_sources_rig_lines(&rig), "2");
    cr_assert_eq(rig.sources->n, 2);
    cr_assert_str_eq(rig.sources->items[1]->path, cw_log_folder_path(&rig.folder, "a.log"));
}

/* A kill at each step; what was not saved is done again, what was is not. */
Test(sources_generations, a_log_that_was_begun_rotated_and_compressed_while_it_was_down_is_read)
{
    append("a.log", "1\n");
    expect("1");
    cw_sources_rig_kill(&rig);
    append("b.log", "2\n");
    rotate("b.log");
    append("b.log", "3\n");
    expect("2 3");
    cw_sources_rig_kill(&rig);
    expect("");
}

/* The same without compression: how far logs were followed is known, though none of that one was. */
Test(sources_generations, a_log_that_was_begun_and_rotated_while_it_was_down_is_read)
{
    append("a.log", "1\n");
    append("c.log.1", "old\n");
    expect("1");
    settle();
    cw_sources_rig_kill(&rig);
    append("b.log", "2\n");
    cw_log_folder_rename(&rig.folder, "b.log", "b.log.1");
    append("b.log", "3\n");
    append("c.log", "4\n");
    expect("2 3 4");
    cr_assert_eq(rig.sources->n, 4);
    for (size_t i = 0; i < rig.sources->n; i++)
        cr_assert(strstr(rig.sources->items[i]->path, ".log.") == NULL);
    cw_sources_rig_kill(&rig);
    expect("");
}

/* A file that was met under the name of a generation, as a pattern or a container has those too, is compressed under a later one. */
static void later_generation_is_read_on(void)
{
    append("a.log.1", "1\n2\n");
    append("a.log", "3\n");
    cw_sources_rig_look(&rig);
    cw_sources_rig_push(&rig, 1);
    chain_move("a.log");
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.2.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "4\n");
}

Test(sources_generations, one_that_was_met_under_a_rotated_name_is_read_once)
{
    rig.patterns[0] = "*.log*";
    cw_sources_rig_kill(&rig);
    append("b.log", "0\n");
    expect("0");
    later_generation_is_read_on();
    expect("1 2 3 4");
    rotate("a.log");
    expect("");
    cw_sources_rig_kill(&rig);
    expect("");
}

Test(sources_generations, one_that_was_met_under_a_rotated_name_is_read_once_over_a_kill)
{
    rig.patterns[0] = "*.log*";
    cw_sources_rig_kill(&rig);
    append("b.log", "0\n");
    expect("0");
    later_generation_is_read_on();
    cw_sources_rig_kill(&rig);
    expect("1 2 3 4");
}

/* With nothing left in its place: that it was there shows by its generation alone. */
Test(sources_generations, a_log_that_is_rotated_before_it_is_met_is_read)
{
    append("c.log.1", "old\n"); /* before the very first look: nobody's */
    append("a.log", "1\n");
    expect("1");
    append("b.log", "2\n");
    cw_log_folder_rename(&rig.folder, "b.log", "b.log.1");
    append("d.log", "3\n");
    rotate("d.log");
    cw_log_folder_rename(&rig.folder, "c.log.1", "c.log.2");
    expect("2 3");
    settle();
    cw_sources_rig_kill(&rig);
    append("e.log", "4\n");
    cw_log_folder_rename(&rig.folder, "e.log", "e.log-20260105");
    append("f.log", "5\n");
    rotate("f.log");
    expect("4 5");
    for (size_t i = 0; i < rig.sources->n; i++)
        cr_assert(strstr(rig.sources->items[i]->path, ".log.") == NULL);
    cw_sources_rig_kill(&rig);
    expect("");
    settle();
    cr_assert_str_eq(cw_sources_rig_lines(&rig), "");
}

/* A pattern may match compressed files too: what they hold is no text. */
Test(sources_generations,
     a_log_is_read_that_is_compressed_before_it_is_met_under_a_name_that_matches)
{
    rig.patterns[0] = "*.log*";
    cw_sources_rig_kill(&rig);
    append("a.log", "1\n");
    expect("1");
    append("b.log", "2\n");
    rotate("b.log");
    expect("2");
    settle();
    append("c.log", "3\n");
    rotate("c.log");
    append("a.log", "4\n");
    expect("3 4");
    cw_sources_rig_kill(&rig);
    expect("");
}

/* Its first byte does not say yet that it is no text. */
Test(sources_generations, a_compressed_file_that_was_just_begun_is_not_read_as_text)
{
    rig.patterns[0] = "*.log*";
    cw_sources_rig_kill(&rig);
    append("a.log", "1\n");
    append("b.log.1.gz", "\x1f");
    append("c.log.gz", "2\n");
    expect("1");
    cr_assert_eq(rig.sources->n, 1);
    append("c.log.gz", "is text\n");
    expect("2 is text");
}

Test(sources_generations, a_log_without_a_file_in_its_place_is_rotated_again_before_it_is_met)
{
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    expect("");
    settle();
    append("a.log", "2\n");
    rotate("a.log");
    append("a.log", "3\n");
    rotate("a.log");
    settle();
    cr_assert_str_eq(cw_sources_rig_lines(&rig), "2 3");
}

static void copy_truncate_gzip(const char *log, const char *text, const char *copy,
                               const char *packed)
{
    append(copy, text);
    cw_log_folder_truncate(&rig.folder, log, 0);
    cw_log_folder_gzip(&rig.folder, copy, packed, SIZE_MAX);
    cw_log_folder_remove(&rig.folder, copy);
}

/* Times of files are those of the kernel's ticks, and so may be ahead of a look that came before. */
Test(sources_generations, a_log_that_is_copied_truncated_and_compressed_in_the_tick_of_a_look)
{
    for (int i = 0; i < 20; i++) {
        append("a.log", "1\n"); /* the very first look */
        cw_sources_rig_look(&rig);
        cw_sources_rig_ship(&rig);
        copy_truncate_gzip("a.log", "1\n", "a.log.2", "a.log.2.gz");
        expect("1");
        append("a.log", "2\n"); /* the first look at these contents, and at b.log */
        append("b.log", "3\n");
        cw_sources_rig_look(&rig);
        cw_sources_rig_ship(&rig);
        copy_truncate_gzip("a.log", "2\n", "a.log.1", "a.log.1.gz");
        copy_truncate_gzip("b.log", "3\n", "b.log.1", "b.log.1.gz");
        expect("2 3");
        cw_sources_rig_kill(&rig);
        expect("");
        cw_sources_rig_fini(&rig);
        cw_sources_rig_init(&rig, "*.log");
    }
}

static int64_t birth_of(const char *name)
{
    struct statx st;
    cr_assert_eq(statx(AT_FDCWD, cw_log_folder_path(&rig.folder, name), 0, STATX_BTIME, &st), 0);
    return st.stx_btime.tv_sec * CW_NS_PER_S + st.stx_btime.tv_nsec;
}

/* Births are told to a tick of the kernel. (Newer ones have finer times in between: then it takes some tries.) */
Test(sources_generations, a_log_that_came_in_the_tick_in_which_the_last_one_was_compressed)
{
    int nsame = 0;
    for (int i = 0; i < 3000 && nsame == 0; i++) {
        append("a.log", "1\n");
        cw_sources_rig_look(&rig);
        rotate("a.log");
        cw_sources_rig_scan(&rig);
        append("a.log", "2\n");
        nsame += birth_of("a.log") == birth_of("a.log.1.gz");
        cw_log_folder_rename(&rig.folder, "a.log.1.gz", "a.log.2.gz");
        cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
        expect("1 2");
        cw_sources_rig_kill(&rig);
        expect("");
        cw_sources_rig_fini(&rig);
        cw_sources_rig_init(&rig, "*.log");
    }
    cr_assert_eq(nsame, 1);
}

/* Its first bytes were not known, so that it shows nowhere in the file that it was truncated. */
Test(sources_generations, an_empty_log_that_is_written_copied_and_truncated_between_two_looks)
{
    for (int packed = 0; packed < 2; packed++) {
        for (int written = 0; written < 2; written++) {
            append("a.log", "");
            expect("");
            settle();
            append("a.log", "1\n");
            append("a.log.1", "1\n");
            cw_log_folder_truncate(&rig.folder, "a.log", 0);
            if (packed)
                cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX);
            if (packed)
                cw_log_folder_remove(&rig.folder, "a.log.1");
            if (written)
                append("a.log", "2\n");
            look_and_ship();
            settle();
            cr_assert_str_eq(cw_sources_rig_lines(&rig), written ? "1 2" : "1",
                             "packed %d, written %d", packed, written);
            cw_sources_rig_fini(&rig);
            cw_sources_rig_init(&rig, "*.log");
        }
    }
}

/* What a target leaves out is not read for what it might be. */
Test(sources_generations, a_generation_of_a_log_that_nobody_met_may_be_excluded)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err;
    cr_assert_eq(
        cw_glob_compile(cw_str_of(cw_log_folder_path(&rig.folder, "*.txt")), &target->glob, &err),
        0);
    cr_assert_eq(cw_glob_compile(cw_str_of(cw_log_folder_path(&rig.folder, "{*.1,*.1.gz,s*}")),
                                 &target->exclude, &err),
                 0);
    target->name = cw_str_dupz(CW_STR("other"));
    cw_sources_target_add(rig.sources, target);
    append("a.log", "1\n");
    expect("1");
    append("b.txt.1", "left out\n");
    append("c.txt", "left out\n");
    rotate("c.txt");
    append("secret.txt.2", "left out\n");
    append("d.txt.2", "2\n");
    expect("2");
}

/* It is made with the log, and has a name that a rotation may give, but no target asks for it. */
Test(sources_generations, a_log_of_its_own_is_not_read_for_one_that_is_begun_with_it)
{
    cw_sources_rig_fini(&rig);
    cw_sources_rig_init(&rig, "?.log");
    append("a.log", "1\n");
    expect("1");
    append("b-1.log", "other\n");
    append("b.log", "2\n");
    append("b-2.log", "other\n");
    expect("2");
    append("c-1.log", "other\n");
    expect("");
}

/* Out of a backup, with the times that it had: it is born, but was written long before. */
Test(sources_generations, an_old_generation_that_is_copied_with_its_log_is_not_read)
{
    const struct timespec long_ago[] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    append("a.log", "1\n");
    expect("1");
    append("b.log.1", "old\n");
    cr_assert_eq(utimensat(AT_FDCWD, cw_log_folder_path(&rig.folder, "b.log.1"), long_ago, 0), 0);
    append("b.log", "2\n");
    expect("2");
}

static void link_made(const char *name, const char *link_name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", cw_log_folder_path(&rig.folder, name));
    cr_assert_eq(link(path, cw_log_folder_path(&rig.folder, link_name)), 0);
}

Test(sources_generations, a_link_that_is_rotated_and_compressed_is_read_under_its_other_name_alone)
{
    static const char *const pairs[][2] = {{"a.log", "b.log"}, {"d.log", "c.log"}};
    char line[CW_FILE_PREFIX_BYTES + 2];
    memset(line, 'x', sizeof line);
    for (size_t i = 0; i < CW_COUNT(pairs);
         i++) { /* either may be the one that the source is known by */
        strcpy(line + CW_FILE_PREFIX_BYTES, "\n");
        append(pairs[i][0], line);
        link_made(pairs[i][0], pairs[i][1]);
        line[CW_FILE_PREFIX_BYTES] = '\0';
        expect(line);
        cw_sources_rig_kill(&rig);
        append(pairs[i][0], "2\n");
        rotate(pairs[i][0]);
        expect("2"); /* the new log is not there yet */
        append(pairs[i][0], "3\n");
        expect("3");
        append(pairs[i][1], "4\n");
        cw_sources_rig_kill(&rig);
        expect("4");
    }
}

Test(sources_generations, a_log_that_began_as_another_one_is_read_too)
{
    append("a.log", "starting\n");
    expect("starting");
    cw_sources_rig_kill(&rig);
    append("b.log", "starting\n");
    rotate("b.log");
    append("b.log", "2\n");
    append("a.log", "3\n");
    expect("2 3 starting");
}

Test(sources_generations, kills_between_the_steps_repeat_and_lose_nothing)
{
    for (int step = 0; step < 6; step++) {
        char name[24], line[128], want[256];
        snprintf(name, sizeof name, "k%d.log", step);
        append(name, "a\nb\n");
        cw_sources_rig_look(&rig);
        if (step != 4)
            cw_sources_rig_ship(&rig);
        for (int i = 1; i < 4; i++) {
            snprintf(line, sizeof line, "%d\n%d more\n", i, i);
            append(name, line);
            rotate(name);
        }
        append(name, "z\n");
        if (step == 0)
            cw_sources_rig_kill(&rig);
        cw_sources_rig_scan(&rig);
        if (step == 1)
            cw_sources_rig_kill(&rig);
        cw_sources_rig_refresh(&rig);
        cw_sources_rig_save(&rig);
        if (step == 2)
            cw_sources_rig_kill(&rig);
        cw_sources_rig_scan(&rig);
        cw_sources_rig_refresh(&rig);
        (void)cw_sources_rig_push(&rig, 2); /* stored, but that is not saved */
        if (step >= 3)
            cw_sources_rig_kill(&rig);
        rig.quiet_ns += 2 * CW_SOURCES_CLOSE_WAIT_NS * (step == 5);
        snprintf(want, sizeof want, "1 1 more 2 2 more 3 3 more a b z");
        look_and_ship();
        cr_assert_str_eq(cw_sources_rig_lines(&rig), want, "step %d", step);
        cw_sources_rig_kill(&rig);
        expect("");
    }
}

Test(sources_generations, over_many_rotations_nothing_comes_twice_and_what_was_read_is_forgotten)
{
    unsigned n = 0, nkills = 0;
    size_t most = 0, nlines = 0;
    append("a.log", "begin\n");
    look_and_ship();
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 1 + round % 4; i++) {
            char line[32];
            snprintf(line, sizeof line, "line %u\n", n++);
            append("a.log", line);
            if (i > 0 || round % 3 > 0)
                rotate("a.log");
        }
        if (!is_there("a.log"))
            append("a.log", "");
        if (round % 5 == 3) {
            cw_sources_rig_kill(&rig);
            nkills++;
        }
        if (round % 13 == 12)
            settle();
        look_and_ship();
        most = CW_MAX(most, rig.sources->n);
    }
    settle();
    cr_assert_leq(rig.sources->n, 3, "%zu", rig.sources->n);
    nlines = rig.nlines;
    cr_assert_eq(nlines, n + 1, "%zu lines of %u, %u kills", nlines, n + 1, nkills);
    cr_assert_eq(cw_sources_rig_lost_bytes(&rig), 0);
}

Test(sources_generations, archives_that_were_there_before_it_are_not_read)
{
    append("a.log", "old\n");
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    cr_assert_eq(utimensat(AT_FDCWD, cw_log_folder_path(&rig.folder, "a.log"), old, 0), 0);
    rotate("a.log");
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    append("a.log", "2\n");
    rotate("a.log");
    append("a.log", "3\n");
    expect("2 3");
}

Test(sources_generations, generations_that_begin_alike_are_told_apart)
{
    char banner[2 * CW_FILE_PREFIX_BYTES + 2];
    memset(banner, 'x', sizeof banner - 2);
    memcpy(banner + sizeof banner - 2, "\n", 2);
    append("a.log", banner);
    append("a.log", "1\n");
    look_and_ship();
    (void)cw_sources_rig_lines(&rig);
    for (int i = 2; i < 5; i++) {
        char line[16];
        snprintf(line, sizeof line, "%d\n", i);
        append("a.log", line); /* of the first the shipper had read a part */
        rotate("a.log");
        append("a.log", banner);
    }
    look_and_ship();
    cr_assert_eq(rig.nlines, 3 + 3, "three lines, three banners");
    char *lines = strdup(cw_sources_rig_lines(&rig));
    cr_assert(strncmp(lines, "2 3 4 xxx", 9) == 0, "%s", lines);
    free(lines);
    cr_assert_eq(rig.sources->n, 4);
    expect("");
}

/* a.log.1.gz and a.log, which begin with the same bytes, as many as a file is known by. */
static void begin_two_alike(void)
{
    char banner[CW_FILE_PREFIX_BYTES + 2];
    memset(banner, 'x', sizeof banner - 2);
    memcpy(banner + sizeof banner - 2, "\n", 2);
    append("a.log", banner);
    append("a.log", "1\n");
    look_and_ship();
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", banner);
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.1");
}

/* logrotate makes the new log before it compresses the old one; which is read, and of an age at which nothing is new. Then the new
 * one is rotated while the shipper is down, and knows its log by the first bytes alone. */
Test(sources_generations, one_that_was_read_is_not_taken_for_that_of_a_later_log_which_begins_alike)
{
    begin_two_alike();
    look_and_ship();
    rig.wall_ns += 60 * CW_NS_PER_S;
    settle();
    (void)cw_sources_rig_lines(&rig);
    cw_sources_rig_kill(&rig);
    append("a.log", "2\n");
    rotate("a.log");
    expect("2");
    expect("");
}

/* As one that is too old is. */
Test(sources_generations,
     one_that_was_read_and_removed_while_it_was_down_does_not_take_a_later_one_that_begins_alike)
{
    begin_two_alike();
    settle();
    (void)cw_sources_rig_lines(&rig);
    cw_sources_rig_kill(&rig);
    append("a.log", "2\n");
    cw_log_folder_remove(&rig.folder, "a.log.1.gz");
    rotate("a.log");
    expect("2");
    expect("");
}

/* logrotate makes the new log before it compresses the old one. What is remembered is looked at in every scan, and unpacked at each start. */
Test(sources_generations, one_that_begins_otherwise_than_its_log_is_not_remembered)
{
    append("a.log", "1\n");
    expect("1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "2\n");
    cw_sources_rig_tick();
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.1");
    expect("2");
    settle();
    cr_assert_eq(rig.sources->n, 1);
    cw_sources_rig_kill(&rig);
    expect("");
}

Test(sources_generations, a_log_is_remembered_that_has_no_file_but_a_compressed_one)
{
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    expect("");
    settle();
    cr_assert_eq(rig.sources->n, 1);
    append("a.log", "2\n");
    chain_move("a.log");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "3\n");
    expect("2 3");
}

/* What is in its place is empty, and leaves no trace when it is removed. */
Test(sources_generations, a_log_is_remembered_when_its_empty_file_is_removed)
{
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    append("a.log", "");
    expect("");
    settle();
    cw_log_folder_remove(&rig.folder, "a.log");
    settle();
    append("a.log", "2\n");
    rotate("a.log");
    settle();
    append("a.log", "3\n");
    expect("2 3");
}

Test(sources_generations, generations_with_the_same_text_are_each_read)
{
    append("a.log", "same\n");
    expect("same");
    for (int i = 0; i < 3; i++) {
        rotate("a.log");
        append("a.log", "same\n");
    }
    expect("same same same");
    expect("");
}

Test(sources_generations, one_that_is_being_written_waits)
{
    append("a.log", "1\n");
    expect("1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "2\n");
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.1");
    cw_log_folder_rename(&rig.folder, "a.log.1.gz", "a.log.2.gz");
    append("a.log", "2b\n");
    cw_log_folder_rename(&rig.folder, "a.log",
                         "a.log.1.unseen"); /* under a name that is no rotation's */
    append("a.log", "3\n");
    for (size_t nbytes = 0; nbytes < 16; nbytes += 5) {
        cw_log_folder_gzip(&rig.folder, "a.log.1.unseen", "a.log.1.gz", nbytes);
        look_and_ship();
        if (nbytes == 10)
            cw_sources_rig_kill(&rig);
    }
    cr_assert_gt(rig.sources->nrotated_logs, 0);
    cr_assert(rig.sources->deferred);
    cr_assert_str_eq(cw_sources_rig_lines(&rig), "3");
    cw_log_folder_gzip(&rig.folder, "a.log.1.unseen", "a.log.1.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.1.unseen");
    expect("2 2b");
    cr_assert_eq(rig.sources->nrotated_logs, 0);
    expect("");
}

Test(sources_generations, one_beside_the_file_that_it_is_made_of_waits)
{
    append("a.log", "1\n");
    expect("1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.2");
    append("a.log", "2\n");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "3\n");
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX);
    cw_log_folder_gzip(&rig.folder, "a.log.2", "a.log.2.gz", 12);
    expect("2 3");
    cw_sources_rig_kill(&rig);
    look_and_ship();
    cw_log_folder_gzip(&rig.folder, "a.log.2", "a.log.2.gz", SIZE_MAX);
    cw_log_folder_remove(&rig.folder, "a.log.2");
    cw_log_folder_remove(&rig.folder, "a.log.1");
    expect("");
    cw_sources_rig_kill(&rig);
    expect("");
}

Test(sources_generations, a_copy_beside_its_original_is_left_alone)
{
    append("a.log", "1\n");
    expect("1");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    append("a.log", "2\n");
    cw_log_folder_gzip(&rig.folder, "a.log.1", "a.log.1.gz", SIZE_MAX); /* gzip -k */
    expect("2");
    int64_t looked_ns = rig.sources->looked_ns;
    rig.wall_ns += 61 * CW_NS_PER_S;
    expect("");
    cr_assert_gt(rig.sources->looked_ns, looked_ns, "it does not wait any more");
    cr_assert_eq(rig.sources->nrotated_logs, 0);
    cw_log_folder_remove(&rig.folder, "a.log.1");
    expect("");
}

Test(sources_generations, a_name_that_the_compressor_gives_at_the_end)
{
    append("a.log", "1\n");
    expect("1");
    for (int i = 2; i < 5; i++) { /* as the kubelet */
        char plain[32], tmp[40], packed[40], line[16];
        snprintf(plain, sizeof plain, "a.log.2026-%d", i);
        snprintf(tmp, sizeof tmp, "%s.tmp", plain);
        snprintf(packed, sizeof packed, "%s.gz", plain);
        snprintf(line, sizeof line, "%d\n", i);
        cw_log_folder_rename(&rig.folder, "a.log", plain);
        cw_log_folder_gzip(&rig.folder, plain, tmp, SIZE_MAX);
        append("a.log", line);
        if (i == 3)
            look_and_ship();
        cw_log_folder_rename(&rig.folder, tmp, packed);
        cw_log_folder_remove(&rig.folder, plain);
    }
    expect("2 3 4");
    expect("");
}

Test(sources_generations, several_logs_in_one_folder)
{
    static const char *const logs[] = {"a.log", "b.log", "ab.log"};
    for (size_t i = 0; i < 3; i++)
        append(logs[i], "begin\n");
    expect("begin begin begin");
    for (int n = 0; n < 3; n++)
        for (size_t i = 0; i < 3; i++) {
            char line[24];
            snprintf(line, sizeof line, "%s-%d\n", logs[i], n);
            append(logs[i], line);
            rotate(logs[i]);
        }
    for (size_t i = 0; i < 3; i++)
        append(logs[i], "end\n");
    expect(
        "a.log-0 a.log-1 a.log-2 ab.log-0 ab.log-1 ab.log-2 b.log-0 b.log-1 b.log-2 end end end");
    for (size_t i = 0; i < rig.sources->n; i++)
        cr_assert(strstr(rig.sources->items[i]->path, ".log.") == NULL);
}

/* It was read to its end and is deleted; the compressed file is met by a scan only after the time for which a file must be quiet. */
Test(sources_generations, a_refresh_does_not_forget_what_was_compressed_since_the_scan)
{
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    append("a.log", "2\n");
    rig.quiet_ns += CW_SOURCES_FINAL_WAIT_NS + CW_SOURCES_CLOSE_WAIT_NS;
    for (int i = 0; i < 3; i++) {
        rig.quiet_ns += CW_SOURCES_FINAL_WAIT_NS;
        cw_sources_rig_ship(&rig);
    }
    cr_assert(rig.sources->deferred);
    expect("2");
}

Test(sources_generations, copies_of_a_truncated_log_that_were_compressed)
{
    append("a.log", "begin\n");
    expect("begin");
    for (int i = 1; i < 4; i++) {
        char line[24];
        snprintf(line, sizeof line, "%d\n", i);
        append("a.log", line);
        chain_move("a.log");
        cw_sources_rig_tick();
        cw_log_folder_gzip(&rig.folder, "a.log", "a.log.1.gz", SIZE_MAX);
        cw_log_folder_truncate(&rig.folder, "a.log", 0);
    }
    append("a.log", "4\n");
    expect("1 2 3 4");
    cr_assert_eq(cw_sources_rig_lost_bytes(&rig), 0);
    cw_sources_rig_kill(&rig);
    expect("");
}

Test(sources_generations, a_compressed_log_itself)
{
    append("a.log", "1\n");
    expect("1");
    for (int i = 2; i < 4; i++) { /* gzip a.log; the program makes another one */
        char line[16];
        snprintf(line, sizeof line, "%d\n", i);
        append("a.log", line);
        chain_move("a.log");
        if (is_there("a.log.gz"))
            cw_log_folder_rename(&rig.folder, "a.log.gz", "a.log.1.gz");
        cw_log_folder_gzip(&rig.folder, "a.log", "a.log.gz", SIZE_MAX);
        cw_log_folder_remove(&rig.folder, "a.log");
        append("a.log", "");
    }
    append("a.log", "4\n");
    expect("2 3 4");
}

static void large_generation(unsigned seed)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (unsigned i = 0; i < 200000; i++)
        cw_buf_addf(&text, "%u of generation %u\n", i, seed);
    cw_log_folder_append_bytes(&rig.folder, "a.log", text.ptr, text.len);
    cw_buf_fini(&text);
    rotate("a.log");
}

Test(sources_generations, large_ones_have_their_turns_and_one_that_is_removed_before_is_counted)
{
    append("a.log", "begin\n");
    expect("begin");
    for (unsigned i = 1; i < 4; i++)
        large_generation(i);
    append("a.log", "end\n");
    cw_sources_rig_scan(&rig);
    cr_assert(rig.sources->next_due && rig.sources->deferred);
    cw_sources_rig_save(&rig);
    cw_log_folder_remove(&rig.folder, "a.log.1.gz"); /* the last, which waits */
    for (int i = 0; i < 4; i++)
        look_and_ship();
    cr_assert_eq(rig.nlines, 2 + 2 * 200000 - 1, "begin was counted before");
    cr_assert_eq(cw_sources_rig_lost_bytes(&rig), CW_FILE_PREFIX_BYTES, "so much of it was seen");
}

enum { BUSY_ROTATIONS = 150, BUSY_LINES = 20 };

static void *rotate_all_the_time(void *arg)
{
    atomic_bool *ended = arg;
    for (int i = 0; i < BUSY_ROTATIONS; i++) {
        for (int k = 0; k < BUSY_LINES; k++) {
            char line[48];
            snprintf(line, sizeof line, "%d of rotation %d\n", k, i);
            append("a.log", line);
        }
        if (i + 1 < BUSY_ROTATIONS)
            rotate("a.log");
    }
    atomic_store(ended, true);
    return NULL;
}

/* Files are renamed and removed while they are listed, compared and read; in between the shipper is killed. */
Test(sources_generations, rotations_at_the_same_time_as_looks)
{
    atomic_bool ended = false;
    pthread_t thread;
    append("a.log", "begin\n");
    look_and_ship();
    cr_assert_eq(pthread_create(&thread, NULL, rotate_all_the_time, &ended), 0);
    for (unsigned i = 0; !atomic_load(&ended); i++) {
        cw_sources_rig_look(&rig);
        (void)cw_sources_rig_push(&rig, 100);
        if (i % 16 == 15)
            cw_sources_rig_kill(&rig);
    }
    cr_assert_eq(pthread_join(thread, NULL), 0);
    settle();
    cr_assert_eq(rig.nlines, 1 + BUSY_ROTATIONS * BUSY_LINES);
    qsort(rig.lines, rig.nlines, sizeof *rig.lines, by_text);
    for (size_t i = 1; i < rig.nlines; i++)
        cr_assert_neq(strcmp(rig.lines[i - 1], rig.lines[i]), 0, "%s comes twice", rig.lines[i]);
}

Test(sources_generations, a_clock_that_is_set_back_repeats_nothing)
{
    append("a.log", "1\n");
    expect("1");
    rotate("a.log");
    append("a.log", "2\n");
    expect("2");
    settle();
    rig.wall_ns -= 3600 * CW_NS_PER_S;
    look_and_ship();
    rotate("a.log");
    append("a.log", "3\n");
    look_and_ship();
    rig.wall_ns = 0;
    expect("3");
}

static void target_add(const char *pattern, const char *exclude)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err;
    cr_assert_eq(
        cw_glob_compile(cw_str_of(cw_log_folder_path(&rig.folder, pattern)), &target->glob, &err),
        0);
    if (exclude != NULL)
        cr_assert_eq(cw_glob_compile(cw_str_of(cw_log_folder_path(&rig.folder, exclude)),
                                     &target->exclude, &err),
                     0);
    target->name = cw_str_dupz(CW_STR("other"));
    cw_sources_target_add(rig.sources, target);
}

Test(sources_generations, what_another_job_leaves_out_is_read_by_the_one_that_has_the_log)
{
    target_add("*.txt", "access.txt*");
    target_add("access.txt", NULL);
    append("a.log", "1\n");
    expect("1");
    append("access.txt.1", "2\n");
    append("other.txt.1", "3\n");
    expect("2 3");
}

static void times_set(const char *path, int64_t written_ns)
{
    const struct timespec at = {written_ns / CW_NS_PER_S, written_ns % CW_NS_PER_S};
    cr_assert_eq(utimensat(AT_FDCWD, path, (const struct timespec[]){at, at}, 0), 0);
}

/* cp -p: the copy is as old as its original. */
static void copy(const char *from, const char *to)
{
    struct stat st;
    char text[8192];
    int fd = open(cw_log_folder_path(&rig.folder, from), O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    ssize_t n = read(fd, text, sizeof text);
    cr_assert_eq(n, st.st_size);
    close(fd);
    cw_log_folder_append_bytes(&rig.folder, to, text, (size_t)n);
    times_set(cw_log_folder_path(&rig.folder, to),
              st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec);
}

/* The text of a copy is as long as tells that it is no other log's. */
static void long_text(char out[2 * CW_FILE_PREFIX_BYTES])
{
    memset(out, 'x', 2 * CW_FILE_PREFIX_BYTES);
    memcpy(out + 2 * CW_FILE_PREFIX_BYTES - 2, "\n", 2);
}

static void backups_are_not_read(bool down)
{
    char text[2 * CW_FILE_PREFIX_BYTES];
    long_text(text);
    append("a.log", text);
    look_and_ship();
    rotate("a.log");
    append("b.log", "1\n");
    look_and_ship();
    cw_log_folder_rename(&rig.folder, "b.log", "b.log.1");
    look_and_ship();
    cr_assert_eq(rig.nlines, 2);
    if (down)
        cw_sources_rig_kill(&rig);
    int64_t until_ns = cw_clock_now_ns() + LATER_NS;
    while (cw_clock_now_ns() <= until_ns)
        cw_sources_rig_tick();
    copy("b.log.1", "b.log-20260105"); /* of a log that has no file in its place */
    copy("b.log.1", "backup-b.log.1"); /* by their names of logs that nobody met */
    copy("a.log.1.gz", "backup-a.log.1.gz");
    settle();
    cr_assert_eq(rig.nlines, 2);
}

Test(sources_generations, backups_beside_logs_are_not_read)
{
    backups_are_not_read(false);
}

Test(sources_generations, backups_that_were_made_while_it_was_down_are_not_read)
{
    backups_are_not_read(true);
}

/* Programs that have a log each. */
Test(sources_generations, names_that_count_programs_are_of_no_rotation)
{
    cw_sources_rig_fini(&rig);
    cw_sources_rig_init(&rig, "{a.log,worker}");
    append("a.log", "1\n");
    expect("1");
    append("worker-2", "left out\n");
    expect("");
    append("worker-20260105", "2\n");
    expect("2");
    cw_log_folder_rename(&rig.folder, "a.log", "a.log.1");
    expect("");
    append("a-1.log", "left out\n");
    expect("");
    cw_log_folder_rename(&rig.folder, "a.log.1", "a.log.2");
    append("a.log", "3\n");
    expect("3");
    cw_sources_rig_kill(&rig);
    expect("");
}

/* The folder of a file system that counts whole seconds. */
Test(sources_generations, a_folder_whose_time_is_the_same_after_a_change)
{
    int64_t second_ns, now_ns;
    append("a.log", "1\n");
    expect("1");
    do { /* once the look is in the second, behind what is the margin elsewhere */
        now_ns = cw_clock_now_ns();
        second_ns = now_ns / CW_NS_PER_S * CW_NS_PER_S;
        times_set(rig.folder.dir, second_ns);
        cw_sources_rig_look(&rig);
    } while (now_ns - second_ns <= LATER_NS || cw_clock_now_ns() - second_ns >= CW_NS_PER_S);
    append("b.log.1", "2\n");
    times_set(rig.folder.dir, second_ns);
    expect("2");
}
