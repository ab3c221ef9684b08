#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "shipper/tail_reader.h"
#include "shipper/watch.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static uv_loop_t loop;
static struct cw_watch *watch;
static char heard[4096]; /* one letter and a name an event */
static unsigned nchanges;

static const char *name_of(const char *path)
{
    return path + strlen(folder.dir) + 1;
}

static void on_renamed(void *arg, const char *from, const char *to)
{
    sprintf(heard + strlen(heard), "r:%s>%s ", name_of(from), name_of(to));
}

static bool on_name(void *arg, const char *path)
{
    sprintf(heard + strlen(heard), "n:%s ", name_of(path));
    return strstr(path, "ignored") == NULL;
}

static void on_file(void *arg, int number, bool written)
{
    if (strstr(heard, "f:") == NULL)
        sprintf(heard + strlen(heard), "f:%d%s ", number, written ? "w" : "");
}

static void on_change(void *arg, bool names)
{
    strcat(heard, names ? "names " : "files ");
    nchanges++;
    uv_stop(&loop);
}

static void setup(void)
{
    struct cw_watch_events events = {on_renamed, on_name, on_file, on_change, NULL};
    struct cw_err err = {0};
    cw_log_folder_init(&folder);
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(cw_watch_open(&loop, &events, &watch, &err), 0, "%s", err.text);
    cr_assert(cw_watch_dir(watch, folder.dir));
    cr_assert(cw_watch_dir(watch, folder.dir), "again is fine");
}

static void teardown(void)
{
    cw_watch_close(&watch);
    cr_assert_null(watch);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    cw_log_folder_fini(&folder);
}

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 60);

/* What is heard until the next change. */
static const char *hear(void)
{
    heard[0] = '\0';
    uv_run(&loop, UV_RUN_DEFAULT);
    return heard;
}

Test(watch, new_names_and_renames_are_told_with_their_paths)
{
    cw_log_folder_append(&folder, "a", "x");
    cr_assert_str_eq(hear(), "n:a names ");
    cw_log_folder_rename(&folder, "a", "a.1");
    cw_log_folder_append(&folder, "a", "y");
    cr_assert_str_eq(hear(), "n:a r:a>a.1 n:a.1 n:a names ");
    cw_log_folder_remove(&folder, "a");
    cr_assert_str_eq(hear(), "n:a names ");
}

Test(watch, names_that_do_not_matter_wake_nobody)
{
    cw_log_folder_append(&folder, "ignored", "x");
    cw_log_folder_append(&folder, "wanted", "x");
    cr_assert_str_eq(hear(), "n:ignored n:wanted names ");
    cr_assert_eq(nchanges, 1);
}

Test(watch, a_written_file_is_told_by_its_number_until_it_is_forgotten)
{
    cw_log_folder_append(&folder, "a", "x");
    (void)hear();
    struct cw_tail tail;
    struct cw_err err;
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, "a"), &err), 0);
    int number = cw_watch_file(watch, tail.fd);
    cr_assert_geq(number, 0);
    cw_log_folder_append(&folder, "a", "more");
    char want[64];
    snprintf(want, sizeof want, "f:%dw files ", number);
    cr_assert_str_eq(hear(), want);
    cw_watch_forget(watch, number);
    cw_log_folder_append(&folder, "a", "nobody hears this");
    cw_log_folder_append(&folder, "b", "x");
    cr_assert_str_eq(hear(), "n:b names ");
    number = cw_watch_file(watch, tail.fd);
    cw_log_folder_remove(&folder, "a");
    snprintf(want, sizeof want, "f:%d n:a names ", number);
    cr_assert_str_eq(hear(), want, "it lost its name");
    cw_tail_close(&tail);
}
