/* test_data_lock.c - who holds a data directory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/base/file_tree.h"
#include "common/store/data_lock.h"

static char dir[] = "/tmp/cw-test-lock-XXXXXX";
static struct cw_err err;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0);
}

TestSuite(data_lock, .init = setup, .fini = teardown);

Test(data_lock, a_second_one_is_refused_and_told_who_holds_it)
{
    struct cw_data_lock *first, *second;
    char pid[32];
    cr_assert_eq(cw_data_lock_take(dir, &first, &err), 0);
    cr_assert_eq(cw_data_lock_set_address(first, "127.0.0.1:3100", &err), 0);
    cr_assert_eq(cw_data_lock_take(dir, &second, &err), CW_E_UNAVAILABLE);
    snprintf(pid, sizeof(pid), "%ld 127.0.0.1:3100", (long)getpid());
    cr_assert_not_null(strstr(err.text, pid), "%s", err.text);
    cw_data_lock_release(&first);
    cr_assert_null(first);
    cr_assert_eq(cw_data_lock_take(dir, &second, &err), 0);
    cw_data_lock_release(&second);
    cw_data_lock_release(&second); /* NULL is fine */
}

Test(data_lock, it_goes_with_the_process_that_holds_it)
{
    struct cw_data_lock *lock;
    pid_t child = fork();
    if (child == 0)
        _exit(cw_data_lock_take(dir, &lock, &err) == 0 ? 0 : 1);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(cw_data_lock_take(dir, &lock, &err), 0);
    cw_data_lock_release(&lock);
}

Test(data_lock, a_folder_that_is_not_there_is_an_error)
{
    struct cw_data_lock *lock;
    cr_assert_lt(cw_data_lock_take("/tmp/cw-test-no-such-folder", &lock, &err), 0);
}
