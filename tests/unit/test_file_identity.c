#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>
#include "shipper/tail_reader.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;

static void setup(void)
{
    cw_log_folder_init(&folder);
}

static void teardown(void)
{
    cw_log_folder_fini(&folder);
}

TestSuite(file_identity, .init = setup, .fini = teardown);

static struct cw_tail opened(const char *name)
{
    struct cw_tail tail;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, name), &err), 0, "%s", err.text);
    return tail;
}

static enum cw_file_verdict checked(struct cw_tail *tail, uint64_t off)
{
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_check(tail, off, &verdict, &err), 0, "%s", err.text);
    return verdict;
}

Test(file_identity, a_renamed_file_is_the_same_and_a_new_one_of_its_name_is_not)
{
    cw_log_folder_append(&folder, "a", "one\n");
    struct cw_tail before = opened("a");
    cw_log_folder_rename(&folder, "a", "a.1");
    cw_log_folder_append(&folder, "a", "one\n");
    struct cw_tail old = opened("a.1"), new = opened("a");
    cr_assert(cw_file_identity_same_inode(&before.identity, &old.identity));
    cr_assert(!cw_file_identity_same_inode(&before.identity, &new.identity));
    cw_tail_close(&before);
    cw_tail_close(&old);
    cw_tail_close(&new);
}

Test(file_identity, another_birth_of_the_same_inode_is_another_file)
{
    struct cw_file_identity a = {.dev = 1, .ino = 2, .birth_ns = 3}, b = a;
    b.birth_ns = 4;
    cr_assert(!cw_file_identity_same_inode(&a, &b));
    b.birth_ns = 0; /* the file system does not say */
    cr_assert(cw_file_identity_same_inode(&a, &b));
}

Test(file_identity, the_prefix_grows_with_the_file_up_to_its_bound)
{
    cw_log_folder_append(&folder, "a", "");
    struct cw_tail tail = opened("a");
    cr_assert_eq(tail.identity.prefix_len, 0);
    cw_log_folder_append(&folder, "a", "first\n");
    cr_assert_eq(checked(&tail, 0), CW_FILE_SAME);
    cr_assert_eq(tail.identity.prefix_len, 6);
    for (int i = 0; i < 100; i++)
        cw_log_folder_append(&folder, "a", "a line of twenty-one\n");
    cr_assert_eq(checked(&tail, 6), CW_FILE_SAME);
    cr_assert_eq(tail.identity.prefix_len, CW_FILE_PREFIX_BYTES);
    cw_tail_close(&tail);
}

Test(file_identity, fewer_bytes_or_others_at_the_front_are_a_change)
{
    cw_log_folder_append(&folder, "a", "first line\nsecond line\n");
    struct cw_tail tail = opened("a");
    cw_log_folder_truncate(&folder, "a", 0);
    cr_assert_eq(checked(&tail, 0), CW_FILE_CHANGED);
    cw_log_folder_append(&folder, "a", "other first line\nand more than there was before\n");
    cr_assert_eq(checked(&tail, 5), CW_FILE_CHANGED);
    cw_tail_close(&tail);
    tail = opened("a");
    cr_assert_eq(checked(&tail, tail.size), CW_FILE_SAME);
    cr_assert_eq(checked(&tail, tail.size + 1), CW_FILE_CHANGED, "shorter than what was read");
    cw_tail_close(&tail);
}
