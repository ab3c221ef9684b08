#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "shipper/docker_since.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static uint64_t offsets[2000], size;
static int fd;

/* Line i is of second 1,000 + i / 10; some are long. */
static void file_make(void)
{
    char line[400];
    cw_log_folder_init(&folder);
    for (int i = 0; i < 1000; i++) {
        int second = 1000 + i / 10;
        offsets[i] = size;
        size += (uint64_t)snprintf(line, sizeof line,
                                   "{\"log\":\"line %0*d\\n\",\"stream\":\"stdout\",\"time\":"
                                   "\"1970-01-01T00:%02d:%02d.%d00000000Z\"}\n",
                                   i % 7 == 0 ? 200 : 1, i, second / 60, second % 60, i % 10);
        cw_log_folder_append(&folder, "c.log", line);
    }
    fd = open(cw_log_folder_path(&folder, "c.log"), O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
}

static void file_end(void)
{
    close(fd);
    cw_log_folder_fini(&folder);
}

TestSuite(docker_since, .init = file_make, .fini = file_end);

Test(docker_since, each_second_begins_at_its_first_line)
{
    for (int second = 1000; second < 1100; second++)
        cr_assert_eq(cw_docker_since_offset(fd, size, second), offsets[(second - 1000) * 10], "%d",
                     second);
}

Test(docker_since, all_lines_are_younger_or_older)
{
    cr_assert_eq(cw_docker_since_offset(fd, size, 0), 0);
    cr_assert_eq(cw_docker_since_offset(fd, size, 999), 0);
    cr_assert_eq(cw_docker_since_offset(fd, size, 1100), size);
    cr_assert_eq(cw_docker_since_offset(fd, 0, 1100), 0);
}

Test(docker_since, a_younger_line_that_stands_too_early_is_not_passed_over)
{
    cw_log_folder_append(
        &folder, "d.log",
        "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:01Z\"}\n"
        "{\"log\":\"b\\n\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:12Z\"}\n"
        "{\"log\":\"c\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:09Z\"}\n"
        "{\"log\":\"d\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:13Z\"}\n");
    struct stat st;
    int other = open(cw_log_folder_path(&folder, "d.log"), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fstat(other, &st), 0);
    cr_assert_eq(cw_docker_since_offset(other, (uint64_t)st.st_size, 11), (uint64_t)st.st_size / 4);
    close(other);
}

Test(docker_since, what_is_no_log_of_docker_s_is_read_from_its_beginning)
{
    cw_log_folder_append(&folder, "e.log", "no json\nat all\n");
    int other = open(cw_log_folder_path(&folder, "e.log"), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(cw_docker_since_offset(other, 15, 11), 0);
    close(other);
}
