/* test_file_scarce.c - files where the kernel gives no more mappings: mmap stands before libc's. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/file_tree.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "tests/support/part_model.h"
#include "tests/support/parts_rig.h"

static atomic_int left = INT32_MAX; /* mappings of files that there are */

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (fd >= 0 && (flags & MAP_SHARED) != 0 && atomic_fetch_sub(&left, 1) <= 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, off);
}

static char dir[] = "/tmp/cw-test-scarce-XXXXXX";
static struct cw_err err;

static void setup(void)
{
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0);
}

TestSuite(file_scarce, .init = setup, .fini = teardown);

static const char *put(const char *name, size_t n)
{
    static char path[100];
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    cr_assert_eq(cw_file_replace(path, cw_str_make(bytes, n), &err), 0);
    free(bytes);
    return path;
}

static void check_bytes(const struct cw_file_map *map, size_t n)
{
    cr_assert_eq(map->len, n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(map->ptr[i], (uint8_t)(i * 7 + i / 256));
}

Test(file_scarce, a_small_file_is_read_into_memory_and_its_advice_harms_nothing)
{
    struct cw_file_map map, mapped;
    const char *path = put("small", CW_FILE_COPY_MAX);
    cr_assert_eq(cw_file_map_or_copy(path, &mapped, &err), 0);
    cr_assert_not(mapped.is_copy, "as long as there are mappings");
    atomic_store(&left, 0);
    cr_assert_eq(cw_file_map_or_copy(path, &map, &err), 0, "%s", err.text);
    cr_assert(map.is_copy);
    cr_assert_eq(map.written_ns, mapped.written_ns);
    cw_file_map_random(&map);
    cw_file_will_read(cw_str_make(map.ptr, map.len));
    cw_file_map_rest(&map);
    cr_assert_not(cw_file_map_lost(&map));
    cr_assert_eq(truncate(path, 1), 0);
    cr_assert_not(cw_file_map_is_cut(&map, path), "it has all bytes");
    check_bytes(&map, CW_FILE_COPY_MAX);
    cw_file_unmap(&map);
    cr_assert_null(map.ptr);
    cw_file_unmap(&map);
    cw_file_unmap(&mapped);
}

Test(file_scarce, a_larger_one_and_who_wants_a_mapping_are_told_what_to_raise)
{
    struct cw_file_map map;
    const char *path = put("large", CW_FILE_COPY_MAX + 1);
    atomic_store(&left, 0);
    cr_assert_eq(cw_file_map_or_copy(path, &map, &err), CW_E_IO);
    cr_assert(strstr(err.text, path) && strstr(err.text, "sysctl -w vm.max_map_count="), "%s",
              err.text);
    cr_assert_eq(cw_file_map(put("small", 10), &map, &err), CW_E_IO);
    cr_assert_not_null(strstr(err.text, "vm.max_map_count"), "%s", err.text);
}

Test(file_scarce, what_is_read_into_memory_is_bounded)
{
    enum { N = CW_FILE_COPIES_MAX / CW_FILE_COPY_MAX };
    static struct cw_file_map maps[N], more;
    const char *path = put("small", CW_FILE_COPY_MAX);
    atomic_store(&left, 0);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(cw_file_map_or_copy(path, &maps[i], &err), 0, "%s", err.text);
    cr_assert_eq(cw_file_map_or_copy(path, &more, &err), CW_E_IO);
    cw_file_unmap(&maps[0]);
    cr_assert_eq(cw_file_map_or_copy(path, &more, &err), 0, "what was given back is there again");
    cw_file_unmap(&more);
    for (size_t i = 1; i < N; i++)
        cw_file_unmap(&maps[i]);
}

/* More parts than mappings: writes, a start and reads go on. */
Test(file_scarce, a_store_takes_starts_with_and_reads_more_parts_than_there_are_mappings)
{
    enum { DAY = 20000, PARTS = 30, MAPS = 10 };
    struct parts_rig rig;
    struct part_model all, one;
    const struct cw_scan scan = {.start_ns = INT64_MIN,
                                 .end_ns = INT64_MAX,
                                 .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    parts_rig_open(&rig);
    part_model_init(&all);
    atomic_store(&left, MAPS);
    for (int i = 0; i < PARTS; i++) {
        part_model_init(&one);
        int64_t ns = (DAY + i) * INT64_C(86400000000000);
        part_model_add(&one, part_model_stream(&one, "{a=\"b\"}"), ns, CW_STR("a line"), NULL);
        part_model_add(&all, part_model_stream(&all, "{a=\"b\"}"), ns, CW_STR("a line"), NULL);
        parts_rig_add(&rig, &one, "t", DAY + i);
        part_model_fini(&one);
    }
    atomic_store(&left, MAPS);
    parts_rig_reopen(&rig);
    cr_assert_eq(parts_rig_nparts(&rig), PARTS);
    struct cw_snapshot s = {0};
    struct model_rows want = {0}, got = {0};
    cw_parts_all(rig.parts, &s);
    for (size_t i = 0; i < s.n; i++) {
        cw_part_reader_rest(cw_part_source_reader(s.sources[i]));
        cw_part_reader_rest_block(cw_part_source_reader(s.sources[i]), 0);
        cr_assert_eq(model_rows_of_source(s.sources[i], &scan, &got, &err), 0, "%s", err.text);
    }
    model_rows_of_model(&all, &scan, &want);
    cr_assert(model_rows_equal(&got, &want));
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_snapshot_fini(&s);
    part_model_fini(&all);
    parts_rig_close(&rig);
}
