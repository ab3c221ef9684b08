#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check_line.h"
#include "common/base/file.h"
#include "common/base/file_tree.h"
#include "common/base/file_writer.h"

static char folder[64], path[96];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/cw-writer-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void teardown(void)
{
    struct cw_err err;
    cr_assert_eq(cw_file_tree_remove(folder, &err), 0);
}

TestSuite(file_writer, .init = setup, .fini = teardown);

/* `nlines` lines of 100 bytes. */
static int write_lines(size_t nlines, uint64_t max_bytes, struct cw_err *err)
{
    struct cw_file_writer writer;
    cw_file_writer_open(&writer, path, max_bytes);
    for (size_t i = 0; i < nlines; i++) {
        cw_buf_addf(&writer.piece, "%099zu\n", i);
        cw_file_writer_pass(&writer);
        cr_assert_lt(writer.piece.len, 100u << 10, "not all of it is held");
    }
    cw_file_writer_check_line(&writer);
    return cw_file_writer_commit(&writer, err);
}

static void expect_lines(size_t nlines)
{
    struct cw_buf bytes;
    struct cw_err err;
    cw_buf_init(&bytes, SIZE_MAX);
    cr_assert_eq(cw_file_read(path, 64 << 20, &bytes, &err), 0, "%s", err.text);
    struct cw_str text = cw_buf_str(&bytes);
    cr_assert(cw_check_line_strip(&text));
    cr_assert_eq(text.len, 100 * nlines);
    for (size_t i = 0; i < nlines; i++) {
        char line[101];
        snprintf(line, sizeof line, "%099zu\n", i);
        cr_assert_eq(memcmp(text.ptr + 100 * i, line, 100), 0);
    }
    cw_buf_fini(&bytes);
}

Test(file_writer, pieces_become_a_file_with_a_checksum)
{
    static const size_t sizes[] = {0, 1, 655, 656, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cw_err err = {0};
        cr_assert_eq(write_lines(sizes[i], SIZE_MAX, &err), 0, "%s", err.text);
        expect_lines(sizes[i]);
        struct cw_file_names names;
        cr_assert_eq(cw_file_list(folder, &names, &err), 0);
        cr_assert_eq(names.n, 1, "no temporary file stays");
        cw_file_names_free(&names);
    }
}

Test(file_writer, what_fails_leaves_the_old_file)
{
    struct cw_err err = {0};
    char tmp[128];
    cr_assert_eq(write_lines(3, SIZE_MAX, &err), 0);
    cr_assert_eq(write_lines(100000, 1 << 20, &err), CW_E_TOO_LARGE);
    expect_lines(3);
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    cr_assert_not(cw_file_exists(tmp));
    cr_assert_eq(mkdir(tmp, 0700), 0);
    cr_assert_eq(write_lines(5, SIZE_MAX, &err), CW_E_IO);
    cr_assert(cw_file_exists(tmp));
    expect_lines(3);
}
