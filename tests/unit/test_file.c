#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/pool.h"

static char dir[64];
static struct cw_err err;

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-file-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

TestSuite(file, .init = setup, .fini = teardown);

Test(file, what_was_written_is_read)
{
    const char *path = in_dir("a");
    int fd = cw_file_open(path, O_RDWR | O_CREAT, &err);
    cr_assert_geq(fd, 0);
    cr_assert_eq(cw_file_write_all(fd, "hello world", 11, path, &err), 0);
    cr_assert_eq(cw_file_sync(fd, path, &err), 0);
    char bytes[5];
    cr_assert_eq(cw_file_pread_all(fd, bytes, 5, 6, path, &err), 0);
    cr_assert_eq(memcmp(bytes, "world", 5), 0);
    cr_assert_eq(cw_file_pread_all(fd, bytes, 5, 7, path, &err), CW_E_IO);
    cr_assert_not_null(strstr(err.text, "ends at byte 11"));
    struct stat st;
    fstat(fd, &st);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

Test(file, a_missing_file_is_not_found_and_named)
{
    cr_assert_eq(cw_file_open(in_dir("none"), O_RDONLY, &err), CW_E_NOT_FOUND);
    cr_assert_not_null(strstr(err.text, "/none: No such file"));
    struct cw_buf buf;
    cw_buf_init(&buf, 10);
    cr_assert_eq(cw_file_read(in_dir("none"), 10, &buf, &err), CW_E_NOT_FOUND);
    cr_assert_eq(cw_file_rename(in_dir("none"), in_dir("x"), &err), CW_E_NOT_FOUND);
    cr_assert_eq(cw_file_unlink(in_dir("none"), &err), 0);
    cr_assert_not(cw_file_exists(in_dir("none")));
}

Test(file, reading_is_bounded)
{
    const char *path = in_dir("a");
    struct cw_buf buf;
    cw_buf_init(&buf, 1 << 20);
    cr_assert_eq(cw_file_replace(path, CW_STR("12345"), &err), 0);
    cr_assert_eq(cw_file_read(path, 5, &buf, &err), 0);
    cr_assert_eq(cw_file_read(path, 4, &buf, &err), CW_E_TOO_LARGE);
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "12345"));
    cr_assert_eq(cw_file_read("/dev/zero", 100000, &buf, &err),
                 CW_E_TOO_LARGE); /* says its size is 0 */
    cr_assert_eq(cw_file_read(dir, 100, &buf, &err), CW_E_IO);
    cr_assert_eq(buf.len, 5);
    cw_buf_fini(&buf);
}

Test(file, replace_is_whole_and_leaves_no_temporary_file)
{
    const char *path = in_dir("a");
    struct cw_buf buf;
    struct cw_file_names names;
    cw_buf_init(&buf, 100);
    cr_assert_eq(cw_file_replace(path, CW_STR("old and longer"), &err), 0);
    cr_assert_eq(cw_file_replace(path, CW_STR("new"), &err), 0);
    cr_assert_eq(cw_file_read(path, 100, &buf, &err), 0);
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "new"));
    cr_assert_eq(cw_file_list(dir, &names, &err), 0);
    cr_assert_eq(names.n, 1);
    cw_file_names_free(&names);
    cr_assert_lt(cw_file_replace(in_dir("no/such/folder"), CW_STR("x"), &err), 0);
    cw_buf_fini(&buf);
}

Test(file, folders_are_made_with_their_parents_and_listed_in_order)
{
    cr_assert_eq(cw_file_mkdirs(in_dir("p/q/r//"), &err), 0);
    cr_assert_eq(cw_file_mkdirs(in_dir("p/q/r"), &err), 0);
    struct stat st;
    cr_assert_eq(stat(in_dir("p/q"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0700);
    cr_assert_eq(cw_file_mkdirs(in_dir("p/b"), &err), 0);
    cr_assert_eq(cw_file_replace(in_dir("p/B"), CW_STR(""), &err), 0);
    cr_assert_eq(cw_file_mkdirs(in_dir("p/B"), &err), CW_E_IO);
    cr_assert_not_null(strstr(err.text, "Not a directory"));
    struct cw_file_names names;
    cr_assert_eq(cw_file_list(in_dir("p"), &names, &err), 0);
    cr_assert_eq(names.n, 3);
    cr_assert_str_eq(names.names[0], "B");
    cr_assert_str_eq(names.names[1], "b");
    cr_assert_str_eq(names.names[2], "q");
    cw_file_names_free(&names);
    cr_assert_eq(cw_file_list(in_dir("none"), &names, &err), CW_E_NOT_FOUND);
}

Test(file, maps_hold_the_bytes_and_an_empty_file_is_fine)
{
    struct cw_file_map map;
    cr_assert_eq(cw_file_replace(in_dir("a"), CW_STR("bytes"), &err), 0);
    cr_assert_eq(cw_file_map(in_dir("a"), &map, &err), 0);
    cr_assert_eq(map.len, 5);
    cr_assert_eq(memcmp(map.ptr, "bytes", 5), 0);
    cw_file_unmap(&map);
    cr_assert_null(map.ptr);
    cw_file_unmap(&map);
    cr_assert_eq(cw_file_replace(in_dir("e"), CW_STR(""), &err), 0);
    cr_assert_eq(cw_file_map(in_dir("e"), &map, &err), 0);
    cr_assert(map.ptr == NULL && map.len == 0);
    cr_assert_eq(cw_file_map(dir, &map, &err), CW_E_CORRUPT);
}

Test(file, a_map_whose_file_is_cut_reads_zeros_there)
{
    enum { BYTES = 1 << 20 };
    struct cw_file_map map, other;
    char *bytes = malloc(BYTES);
    memset(bytes, 'x', BYTES);
    const char *path = in_dir("cut");
    cr_assert_eq(cw_file_replace(path, cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_map(path, &other, &err), 0);
    cw_file_unmap(&other);
    cr_assert_eq(cw_file_map(path, &map, &err), 0);
    cr_assert_eq(cw_file_map(path, &other, &err), 0);
    cr_assert_eq(truncate(path, 100000), 0);
    cr_assert_eq(memcmp(map.ptr, bytes, 100000), 0);
    for (size_t i = 102400; i < BYTES; i++) /* behind the page of the end */
        cr_assert_eq(map.ptr[i], 0);
    cr_assert_eq(other.ptr[BYTES - 1], 0);
    cw_file_unmap(&map);
    cw_file_unmap(&other);
    free(bytes);
}

static void read_end(void *arg)
{
    const struct cw_file_map *map = arg;
    cr_assert_eq(map->ptr[map->len - 1], 0);
}

Test(file, a_map_whose_file_is_cut_does_not_end_a_pool_s_thread)
{
    enum { BYTES = 1 << 20 };
    struct cw_file_map map;
    char *bytes = calloc(1, BYTES);
    bytes[BYTES - 1] = 'x';
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_pool_group *group = cw_pool_group_new(pool, CW_POOL_LOW);
    cr_assert_eq(cw_file_replace(in_dir("cut"), cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_map(in_dir("cut"), &map, &err), 0);
    cr_assert_eq(truncate(in_dir("cut"), 100), 0);
    cw_pool_submit(group, read_end, &map);
    cw_pool_group_free(&group); /* waits for it */
    cw_pool_free(&pool);
    cr_assert_eq(map.ptr[BYTES - 1], 0);
    cw_file_unmap(&map);
    free(bytes);
}

Test(file, a_map_tells_whether_pages_of_it_were_lost)
{
    enum { BYTES = 1 << 20 };
    struct cw_file_map cut, whole, later, empty = {0};
    char *bytes = calloc(1, BYTES);
    bytes[BYTES - 1] = 'x';
    cr_assert_eq(cw_file_replace(in_dir("cut"), cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_replace(in_dir("whole"), cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_map(in_dir("cut"), &cut, &err), 0);
    cr_assert_eq(cw_file_map(in_dir("whole"), &whole, &err), 0);
    cr_assert_eq(truncate(in_dir("cut"), 100), 0);
    cr_assert_not(cw_file_map_lost(&cut), "nobody has looked");
    cr_assert_eq(cut.ptr[BYTES - 1], 0);
    cr_assert_eq(whole.ptr[BYTES - 1], 'x');
    cr_assert(cw_file_map_lost(&cut));
    cr_assert_not(cw_file_map_lost(&whole));
    cr_assert_not(cw_file_map_lost(&empty));
    cw_file_unmap(&cut);
    cr_assert_eq(cw_file_map(in_dir("whole"), &later, &err), 0); /* where the other was */
    cr_assert_eq(later.ptr[BYTES - 1], 'x');
    cr_assert_not(cw_file_map_lost(&later));
    cw_file_unmap(&later);
    cw_file_unmap(&whole);
    free(bytes);
}

Test(file, a_map_tells_whether_its_file_was_cut_within_the_last_page)
{
    enum { BYTES = 5000 };
    struct cw_file_map map, empty = {0};
    char *bytes = malloc(BYTES);
    memset(bytes, 'x', BYTES);
    cr_assert_eq(cw_file_replace(in_dir("cut"), cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_map(in_dir("cut"), &map, &err), 0);
    cr_assert_not(cw_file_map_is_cut(&map, in_dir("cut")));
    cr_assert_eq(truncate(in_dir("cut"), BYTES - 1), 0);
    cr_assert_eq(map.ptr[BYTES - 1], 0);
    cr_assert_not(cw_file_map_lost(&map), "no page is");
    cr_assert(cw_file_map_is_cut(&map, in_dir("cut")));
    cr_assert_not(cw_file_map_is_cut(&empty, in_dir("cut")));
    cr_assert_eq(cw_file_replace(in_dir("cut"), cw_str_make(bytes, 10), &err), 0);
    cr_assert_not(cw_file_map_is_cut(&map, in_dir("cut")), "another file");
    cr_assert_eq(unlink(in_dir("cut")), 0);
    cr_assert_not(cw_file_map_is_cut(&map, in_dir("cut")));
    cw_file_unmap(&map);
    free(bytes);
}

static long resident_file_kb(void)
{
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (kb < 0 && fgets(line, sizeof(line), f))
        sscanf(line, "RssFile: %ld", &kb);
    fclose(f);
    return kb;
}

Test(file, a_map_that_rests_costs_no_memory_and_keeps_its_bytes)
{
    enum { BYTES = 16 << 20 };
    struct cw_file_map map;
    char *bytes = malloc(BYTES);
    memset(bytes, 'x', BYTES);
    const char *path = in_dir("large");
    cr_assert_eq(cw_file_replace(path, cw_str_make(bytes, BYTES), &err), 0);
    cr_assert_eq(cw_file_map(path, &map, &err), 0);
    cr_assert_eq(memcmp(map.ptr, bytes, BYTES), 0);
    long before_kb = resident_file_kb();
    cw_file_map_random(&map);
    cw_file_will_read(cw_str_make((const char *)map.ptr + 5000, BYTES - 5000));
    cw_file_will_read(CW_STR_NONE);
    cr_assert_eq(memcmp(map.ptr, bytes, BYTES), 0);
    cw_file_map_rest(&map);
    cr_assert_leq(resident_file_kb(), before_kb - BYTES / 1024 * 3 / 4);
    cr_assert_eq(memcmp(map.ptr, bytes, BYTES), 0);
    cw_file_unmap(&map);
    cw_file_map_rest(&map);
    free(bytes);
}

Test(file, a_full_device_is_unavailable)
{
    int fd = cw_file_open("/dev/full", O_WRONLY, &err);
    cr_assert_geq(fd, 0);
    cr_assert_eq(cw_file_write_all(fd, "x", 1, "/dev/full", &err), CW_E_UNAVAILABLE);
    close(fd);
}

Test(file, space_and_random_bytes)
{
    uint64_t free_bytes = 0, total = 0;
    cr_assert_eq(cw_file_space(dir, &free_bytes, &total, &err), 0);
    cr_assert(total > 0 && free_bytes <= total);
    cr_assert_eq(cw_file_space(in_dir("none"), &free_bytes, &total, &err), CW_E_NOT_FOUND);
    uint64_t a[2] = {0}, b[2] = {0};
    cw_file_random(a, sizeof a);
    cw_file_random(b, sizeof b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
}

Test(file, a_spare_file_becomes_the_new_one_without_a_block_more)
{
    const char *path = in_dir("catalog");
    struct cw_file_names names;
    struct cw_buf buf;
    struct stat before, after;
    char zeros[8192] = {0}, spare[128];
    snprintf(spare, sizeof spare, "%s", in_dir("spare"));
    path = in_dir("catalog");
    cr_assert_eq(cw_file_replace(path, CW_STR("old"), &err), 0);
    cr_assert_eq(cw_file_replace(spare, cw_str_make(zeros, sizeof zeros), &err), 0);
    cr_assert_eq(stat(spare, &before), 0);
    cr_assert_eq(cw_file_replace_by(path, spare, CW_STR("the new one"), &err), 0);
    cw_buf_init(&buf, 100);
    cr_assert_eq(cw_file_read(path, 100, &buf, &err), 0);
    cr_assert(cw_str_eqz(cw_buf_str(&buf), "the new one"));
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_eq(after.st_ino, before.st_ino);
    cr_assert_leq(after.st_blocks, before.st_blocks);
    cr_assert_eq(cw_file_list(dir, &names, &err), 0);
    cr_assert_eq(names.n, 1, "the spare one is used up");
    cw_file_names_free(&names);
    cr_assert_eq(cw_file_replace_by(path, spare, CW_STR("x"), &err), CW_E_NOT_FOUND);
    cw_buf_fini(&buf);
}
