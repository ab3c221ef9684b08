#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/assert.h"
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

/* A file of `n` lines of 10 bytes. */
static void lines_write(char digit, int n)
{
    char line[] = "xx line x\n";
    line[8] = digit;
    cw_log_folder_truncate(&folder, "a", 0);
    for (int i = 0; i < n; i++)
        cw_log_folder_append(&folder, "a", line);
}

/* Short ones are read in another way than long ones. */
static const int line_counts[] = {3, 50, 102, 103, 200, 409, 410, 1000};

Test(tail_reader, bytes_of_other_contents_are_told_as_changed)
{
    for (size_t i = 0; i < CW_COUNT(line_counts); i++) {
        cw_log_folder_append(&folder, "a", "");
        lines_write('1', line_counts[i]);
        struct cw_tail tail = opened("a");
        char bytes[64];
        size_t len;
        enum cw_file_verdict verdict;
        struct cw_err err = {0};
        uint64_t off = 10 * (uint64_t)line_counts[i] - 10;
        cr_assert_eq(cw_tail_read(&tail, off, bytes, 10, &len, &verdict, &err), 0);
        cr_expect(verdict == CW_FILE_SAME && len == 10 && memcmp(bytes, "xx line 1\n", 10) == 0);
        lines_write('2', line_counts[i] + 1);
        cr_assert_eq(cw_tail_read(&tail, off, bytes, 10, &len, &verdict, &err), 0);
        cr_expect_eq(verdict, CW_FILE_CHANGED, "%d lines", line_counts[i]);
        cr_assert_eq(cw_tail_read(&tail, off, bytes, sizeof bytes, &len, &verdict, &err), 0);
        cr_expect_eq(verdict, CW_FILE_CHANGED, "%d lines", line_counts[i]);
        lines_write('2', 1);
        cr_assert_eq(cw_tail_read(&tail, off, bytes, 10, &len, &verdict, &err), 0);
        cr_expect_eq(verdict, CW_FILE_CHANGED, "%d lines", line_counts[i]);
        cr_expect_eq(len, 0);
        cw_tail_close(&tail);
    }
}

Test(tail_reader, whatever_is_read_the_prefix_grows_with_the_file)
{
    cw_log_folder_append(&folder, "a", "");
    for (size_t i = 0; i < CW_COUNT(line_counts); i++) {
        lines_write('1', 2);
        struct cw_tail tail = opened("a");
        lines_write('1', line_counts[i]);
        struct cw_tail whole = opened("a");
        char bytes[10];
        size_t len;
        enum cw_file_verdict verdict;
        struct cw_err err = {0};
        uint64_t off = 10 * (uint64_t)line_counts[i] - 10;
        cr_assert_eq(cw_tail_read(&tail, off, bytes, 10, &len, &verdict, &err), 0);
        cr_expect(verdict == CW_FILE_SAME && len == 10);
        cr_expect_eq(tail.identity.prefix_len, whole.identity.prefix_len, "%d", line_counts[i]);
        cr_expect_eq(tail.identity.prefix_hash, whole.identity.prefix_hash, "%d", line_counts[i]);
        cw_tail_close(&tail);
        cw_tail_close(&whole);
    }
}

static enum cw_file_verdict glanced(struct cw_tail *tail, uint64_t off)
{
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    cr_assert_eq(cw_tail_glance(tail, off, &verdict, &err), 0, "%s", err.text);
    return verdict;
}

Test(tail_reader, a_glance_tells_the_size_and_leaves_the_rest_as_it_was)
{
    for (size_t i = 0; i < CW_COUNT(line_counts); i++) {
        uint64_t size = 10 * (uint64_t)line_counts[i];
        cw_log_folder_append(&folder, "a", "");
        lines_write('1', 2);
        struct cw_tail tail = opened("a");
        enum cw_file_verdict verdict;
        struct cw_err err = {0};
        cr_assert_eq(cw_tail_stat(&tail, 0, &verdict, &err), 0);
        int64_t written_ns = tail.written_ns;
        lines_write('1', line_counts[i]);
        cr_expect_eq(glanced(&tail, size), CW_FILE_SAME, "%d lines", line_counts[i]);
        cr_expect(tail.size == size && tail.glanced && tail.written_ns == written_ns);
        cr_expect_eq(glanced(&tail, size + 1), CW_FILE_CHANGED, "shorter than what was read");
        cr_assert_eq(cw_tail_stat(&tail, 0, &verdict, &err), 0);
        cr_expect(tail.size == size && !tail.glanced);
        tail.ends = true;
        tail.end = size - 10;
        cr_expect_eq(glanced(&tail, 0), CW_FILE_SAME);
        cr_expect(tail.size == size - 10 && tail.outgrown);
        lines_write('2', 1);
        cr_expect_eq(glanced(&tail, 0), CW_FILE_CHANGED, "other bytes, or fewer than the prefix");
        cw_tail_close(&tail);
    }
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
