#include "shipper/folder_search.h"
#include <criterion/criterion.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "shipper/tail_reader.h"
#include "tests/support/log_folder.h"

/* The others are there so that the kernel reads the folder in pieces. */
enum { NFILES = 40, NOTHERS = 2000, NSEARCHES = 1000 };

static struct cw_log_folder folder;
static char path[PATH_MAX];

static void setup(void)
{
    cw_log_folder_init(&folder);
}

static void teardown(void)
{
    cw_log_folder_fini(&folder);
}

TestSuite(folder_search, .init = setup, .fini = teardown);

static struct cw_file_identity made(const char *name)
{
    struct cw_tail tail;
    struct cw_err err;
    cw_log_folder_append(&folder, name, "a line\n");
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, name), &err), 0);
    struct cw_file_identity identity = tail.identity;
    cw_tail_close(&tail);
    return identity;
}

static enum cw_folder_answer asked(const struct cw_file_identity *identity)
{
    unsigned nvain = 0;
    return cw_folder_search(cw_log_folder_path(&folder, "a"), identity, &nvain, path, sizeof path);
}

Test(folder_search, a_file_is_found_under_its_new_name_and_is_missing_at_once_when_it_is_removed)
{
    struct cw_file_identity a = made("a");
    cw_log_folder_rename(&folder, "a", "a.1");
    cr_assert_eq(asked(&a), CW_FOLDER_FOUND);
    cr_assert_str_eq(path, cw_log_folder_path(&folder, "a.1"));
    cw_log_folder_remove(&folder, "a.1");
    cr_assert_eq(asked(&a), CW_FOLDER_MISSING, "though its folder was changed in this very tick");
}

Test(folder_search, a_folder_that_was_removed_has_none_and_one_that_is_not_mounted_tells_nothing)
{
    struct cw_file_identity a = made("a");
    unsigned nvain = 0;
    cr_assert_eq(
        cw_folder_search(cw_log_folder_path(&folder, "gone/a"), &a, &nvain, path, sizeof path),
        CW_FOLDER_MISSING, "its parent holds something");
    cw_log_folder_mkdir(&folder, "empty");
    cr_assert_eq(cw_folder_search(cw_log_folder_path(&folder, "empty/gone/a"), &a, &nvain, path,
                                  sizeof path),
                 CW_FOLDER_UNREADABLE);
}

/* "0.x" <-> "0.y", "1.x" <-> "1.y", ...: each file is always there. */
static void *rename_all_the_time(void *arg)
{
    char x[16], y[16];
    for (unsigned turn = 0; !atomic_load((atomic_bool *)arg); turn++)
        for (unsigned i = 0; i < NFILES; i++) {
            snprintf(x, sizeof x, "%u.%c", i, turn % 2 ? 'y' : 'x');
            snprintf(y, sizeof y, "%u.%c", i, turn % 2 ? 'x' : 'y');
            cw_log_folder_rename(&folder, x, y);
        }
    return NULL;
}

Test(folder_search, a_file_is_never_missing_that_is_renamed_whenever_it_is_looked_for)
{
    struct cw_file_identity files[NFILES];
    for (unsigned i = 0; i < NFILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.x", i);
        files[i] = made(name);
    }
    for (unsigned i = 0; i < NOTHERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "another file %u", i);
        cw_log_folder_append(&folder, name, "");
    }
    atomic_bool ended = false;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, rename_all_the_time, &ended), 0);
    unsigned nmissing = 0, nbusy = 0;
    for (unsigned i = 0; i < NSEARCHES; i++) {
        unsigned nvain = CW_FOLDER_VAIN_MAX - 1; /* one reading each */
        enum cw_folder_answer answer = cw_folder_search(
            cw_log_folder_path(&folder, "a"), &files[i % NFILES], &nvain, path, sizeof path);
        nmissing += answer == CW_FOLDER_MISSING;
        nbusy += answer == CW_FOLDER_BUSY;
    }
    atomic_store(&ended, true);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(nmissing, 0);
    cr_log_info("%u of %u readings did not meet it", nbusy, NSEARCHES);
}
