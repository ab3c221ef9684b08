#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "shipper/letter_box.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_err err;
static char *path;

static void setup(void)
{
    cw_log_folder_init(&folder);
    path = cw_str_dupz(cw_str_of(cw_log_folder_path(&folder, "refused")));
}

static void teardown(void)
{
    free(path);
    cw_log_folder_fini(&folder);
}

TestSuite(letter_box, .init = setup, .fini = teardown);

static bool exists(const char *name)
{
    return cw_file_exists(cw_log_folder_path(&folder, name));
}

Test(letter_box, what_was_done_and_kept_survives_and_what_was_not_saved_is_kept_again)
{
    struct cw_letter_box box;
    struct cw_str line;
    uint64_t at = 0;
    cw_log_folder_append(&folder, "refused", "one\ntwo\nthree");
    cr_assert_eq(cw_letter_box_open(path, &box, &err), 0, "%s", err.text);
    struct cw_id128 source = box.source;
    cr_assert(cw_letter_box_line(&box, &at, &line) && cw_str_eqz(line, "one"));
    cw_letter_box_route(&box, CW_STR("a b"), CW_STR("red"))->done = at;
    cw_letter_box_route(&box, CW_STR("c"), CW_STR(""))->done = 2;
    cr_assert_eq(cw_letter_box_keep(&box, CW_STR("one\n"), &err), 0);
    cr_assert_eq(cw_letter_box_save(&box, &err), 0, "%s", err.text);
    cr_assert_eq(cw_letter_box_keep(&box, CW_STR("never saved\n"), &err), 0);
    cw_letter_box_close(&box);

    cr_assert_eq(cw_letter_box_open(path, &box, &err), 0, "%s", err.text);
    cr_assert(memcmp(&box.source, &source, sizeof source) == 0 && box.again_bytes == 4);
    cr_assert_eq(cw_letter_box_route(&box, CW_STR("a b"), CW_STR("red"))->done, 4u);
    cr_assert_eq(cw_letter_box_route(&box, CW_STR("c"), CW_STR(""))->done, 2u);
    cr_assert(cw_letter_box_line(&box, &at, &line) && cw_letter_box_line(&box, &at, &line) &&
              cw_str_eqz(line, "three") && !cw_letter_box_line(&box, &at, &line));
    cr_assert_eq(cw_letter_box_finish(&box, &err), 0, "%s", err.text);
    cw_letter_box_close(&box);
    cr_assert(!exists("refused.again") && !exists("refused.progress"));

    cr_assert_eq(cw_letter_box_open(path, &box, &err), 0, "%s", err.text);
    cr_assert(box.map.len == 4 && box.nroutes == 0, "what was kept is the file now");
    cr_assert(memcmp(&box.source, &source, sizeof source) != 0, "and another source");
    cr_assert_eq(cw_letter_box_finish(&box, &err), 0);
    cw_letter_box_close(&box);
    cr_assert(!exists("refused") && !exists("refused.again") && !exists("refused.progress"));
}

Test(letter_box, two_do_not_send_one_file)
{
    struct cw_letter_box box, other;
    cw_log_folder_append(&folder, "refused", "one\n");
    cr_assert_eq(cw_letter_box_open(path, &box, &err), 0);
    cr_assert_eq(cw_letter_box_open(path, &other, &err), CW_E_FORBIDDEN);
    cw_letter_box_close(&box);
    cr_assert_eq(cw_letter_box_open(path, &other, &err), 0);
    cw_letter_box_close(&other);
}

Test(letter_box, damaged_progress_is_told_and_that_of_another_file_is_void)
{
    struct cw_letter_box box;
    cw_log_folder_append(&folder, "refused", "one\n");
    cw_log_folder_append(&folder, "refused.progress", "cordwood-resend 1\nfile 1 2 3\nagain 9\n");
    cr_assert_eq(cw_letter_box_open(path, &box, &err), 0, "%s", err.text);
    cr_assert_eq(box.again_bytes, 0u);
    cw_letter_box_close(&box);
    cw_log_folder_append(&folder, "refused.progress", "done 5 c t\n");
    cr_assert_eq(cw_letter_box_open(path, &box, &err), CW_E_CORRUPT, "5 is behind the end");
    cw_log_folder_truncate(&folder, "refused.progress", 4);
    cr_assert_eq(cw_letter_box_open(path, &box, &err), CW_E_CORRUPT);
}

Test(letter_box, what_a_shipper_wrote_is_taken_under_the_next_numbers)
{
    struct cw_arena *arena = cw_arena_new();
    const char **paths;
    size_t n;
    cr_assert_eq(cw_letter_box_take(path, &err), 0, "none is fine");
    cw_log_folder_append(&folder, "refused", "new\n");
    cw_log_folder_append(&folder, "refused.old", "old\n");
    cw_log_folder_append(&folder, "refused.7", "kept\n");
    cw_log_folder_append(&folder, "refused.7.again", "");
    cw_log_folder_append(&folder, "refused.x", "");
    cr_assert_eq(cw_letter_box_take(path, &err), 0, "%s", err.text);
    cr_assert(!exists("refused") && !exists("refused.old") && exists("refused.8"));
    cr_assert_eq(cw_letter_box_list(path, arena, &paths, &n, &err), 0);
    cr_assert_eq(n, 3u);
    cr_assert(cw_str_ends(cw_str_of(paths[0]), CW_STR(".7")) &&
              cw_str_ends(cw_str_of(paths[2]), CW_STR(".9")));
    cw_arena_free(&arena);
}
