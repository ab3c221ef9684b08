#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
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

TestSuite(tail_reader, .init = setup, .fini = teardown);

static struct cw_tail opened(const char *name)
{
    struct cw_tail tail;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, name), &err), 0, "%s", err.text);
    return tail;
}

Test(tail_reader, bytes_come_from_their_offset_and_end_with_the_file)
{
    cw_log_folder_append(&folder, "a", "0123456789");
    struct cw_tail tail = opened("a");
    char bytes[64];
    size_t len;
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_read(&tail, 4, bytes, 3, &len, &verdict, &err), 0);
    cr_assert(len == 3 && memcmp(bytes, "456", 3) == 0 && verdict == CW_FILE_SAME);
    cr_assert_eq(cw_tail_read(&tail, 8, bytes, sizeof bytes, &len, &verdict, &err), 0);
    cr_assert(len == 2 && memcmp(bytes, "89", 2) == 0);
    cw_tail_close(&tail);
}

Test(tail_reader, a_deleted_file_is_read_on)
{
    cw_log_folder_append(&folder, "a", "still here\n");
    struct cw_tail tail = opened("a");
    cw_log_folder_remove(&folder, "a");
    char bytes[64];
    size_t len;
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_read(&tail, 0, bytes, sizeof bytes, &len, &verdict, &err), 0);
    cr_assert_eq(len, 11);
    cr_assert_eq(tail.nlinks, 0);
    cw_tail_close(&tail);
}

Test(tail_reader, bytes_of_other_contents_are_told_as_changed)
{
    cw_log_folder_append(&folder, "a", "the first contents, ten of them\n");
    struct cw_tail tail = opened("a");
    cw_log_folder_truncate(&folder, "a", 0);
    cw_log_folder_append(&folder, "a", "other contents that are longer than the first were\n");
    char bytes[64];
    size_t len;
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_read(&tail, 10, bytes, sizeof bytes, &len, &verdict, &err), 0);
    cr_assert_eq(verdict, CW_FILE_CHANGED);
    cw_tail_close(&tail);
}

Test(tail_reader, what_is_no_regular_file_is_refused_without_hanging)
{
    struct cw_tail tail;
    struct cw_err err = {0};
    cr_assert_eq(mkfifo(cw_log_folder_path(&folder, "pipe"), 0600), 0);
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, "pipe"), &err), CW_E_INVALID);
    cr_assert_eq(cw_tail_open(&tail, cw_log_folder_path(&folder, "none"), &err), CW_E_NOT_FOUND);
    cr_assert_eq(cw_tail_open(&tail, folder.dir, &err), CW_E_INVALID);
    cr_assert_eq(tail.fd, -1);
}

Test(tail_reader, the_end_of_a_line_is_found_beyond_any_buffer)
{
    char *line = malloc(100001);
    memset(line, 'x', 100000);
    line[100000] = '\0';
    cw_log_folder_append(&folder, "a", line);
    struct cw_tail tail = opened("a");
    char scratch[4096];
    uint64_t off;
    struct cw_err err = {0};
    cr_assert_eq(
        cw_tail_find_newline(&tail, &cw_text_as_is, 10, scratch, sizeof scratch, &off, &err), 0);
    cr_assert_eq(off, UINT64_MAX);
    cw_log_folder_append(&folder, "a", "\nnext\n");
    cr_assert_eq(
        cw_tail_find_newline(&tail, &cw_text_as_is, 10, scratch, sizeof scratch, &off, &err), 0);
    cr_assert_eq(off, 100001);
    cr_assert_eq(
        cw_tail_find_newline(&tail, &cw_text_as_is, 100001, scratch, sizeof scratch, &off, &err),
        0);
    cr_assert_eq(off, 100006);
    cw_tail_close(&tail);
    free(line);
}
