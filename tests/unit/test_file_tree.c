/* Folders with all that is below them. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/file_tree.h"

static char dir[64], sub[96], outside[64];
static struct cw_err err;

static void put(const char *folder, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    cr_assert_eq(cw_file_replace(path, cw_str_of(text), &err), 0);
}

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-tree-XXXXXX");
    strcpy(outside, "/tmp/cw-test-outside-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_not_null(mkdtemp(outside));
    snprintf(sub, sizeof(sub), "%s/a/b/c", dir);
    cr_assert_eq(cw_file_mkdirs(sub, &err), 0);
    put(dir, "one", "12345");
    put(sub, "two", "123");
    put(outside, "kept", "x");
}

static void teardown(void)
{
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0);
    cr_assert_eq(cw_file_tree_remove(outside, &err), 0);
}

TestSuite(file_tree, .init = setup, .fini = teardown);

Test(file_tree, bytes_are_those_of_all_files)
{
    uint64_t bytes;
    cr_assert_eq(cw_file_tree_bytes(dir, &bytes, &err), 0);
    cr_assert_eq(bytes, 8);
    cr_assert_eq(cw_file_tree_sync(dir, &err), 0);
    cr_assert_eq(cw_file_tree_bytes("/tmp/cw-test-no-such-folder", &bytes, &err), CW_E_NOT_FOUND);
}

Test(file_tree, removing_takes_everything_below_and_nothing_that_a_link_points_to)
{
    char link[200];
    snprintf(link, sizeof(link), "%s/link", sub);
    cr_assert_eq(symlink(outside, link), 0);
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0, "%s", err.text);
    cr_assert_not(cw_file_exists(dir));
    snprintf(link, sizeof(link), "%s/kept", outside);
    cr_assert(cw_file_exists(link));
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0); /* it is not there */
}

Test(file_tree, a_link_is_the_same_file_and_never_replaces_one)
{
    char from[200], to[200];
    snprintf(from, sizeof(from), "%s/one", dir);
    snprintf(to, sizeof(to), "%s/again", sub);
    cr_assert_eq(cw_file_link(from, to, &err), 0);
    cr_assert_eq(cw_file_unlink(from, &err), 0);
    cr_assert(cw_file_exists(to));
    cr_assert_eq(cw_file_link(from, to, &err), CW_E_NOT_FOUND);
    put(dir, "one", "other");
    cr_assert_eq(cw_file_link(from, to, &err), CW_E_IO);
    cr_assert_eq(cw_file_mkdir(sub, &err), 0); /* it is there */
    cr_assert_eq(cw_file_mkdir(to, &err), CW_E_IO);
}
