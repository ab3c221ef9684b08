#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/kept_times.h"
#include "common/store/part_reader.h"
#include "tests/support/part_model.h"

enum { ROWS = 1000 };

static struct cw_err err;
static struct part_model model;
static struct cw_buf file;
static struct cw_part_reader *reader;
static struct cw_block block;
static struct cw_part_cache *cache;
static struct cw_cache_slot slot;
/* As if the block had two streams: what is kept is what was given. */
static const struct cw_part_run runs[] = {{3, 0, 400}, {7, 400, ROWS}};

static void init(void)
{
    char path[] = "/tmp/cw-kept-times-XXXXXX";
    struct cw_part_info info = part_model_info(1);
    part_model_init(&model);
    size_t stream = part_model_stream(&model, "{a=\"b\"}");
    for (int64_t i = 0; i < ROWS; i++)
        part_model_add(&model, stream, i * i, CW_STR("a line"), i == 5 ? "{k=\"v\"}" : NULL);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    part_model_write(&model, path, &info);
    cw_buf_init(&file, SIZE_MAX);
    cr_assert_geq(cw_file_read(path, SIZE_MAX / 2, &file, &err), 0);
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(cw_part_reader_open_bytes("bytes", cw_buf_str(&file), &reader, &err), 0);
    cr_assert_eq(cw_block_open(cw_part_reader_block_bytes(reader, 0), &block, &err), 0);
    cr_assert_eq(block.rows, ROWS);
    slot = (struct cw_cache_slot){0};
}

static void fini(void)
{
    if (cache != NULL)
        cw_part_cache_drop(cache, &slot, 1);
    cw_part_cache_free(&cache);
    cw_part_reader_close(&reader);
    cw_buf_fini(&file);
    part_model_fini(&model);
}

TestSuite(kept_times, .init = init, .fini = fini);

static struct cw_cache_place place_of(size_t bytes_max)
{
    cache = cw_part_cache_new(bytes_max, NULL);
    return (struct cw_cache_place){.cache = cache, .slot = &slot};
}

Test(kept_times, what_was_kept_is_found)
{
    struct cw_cache_place place = place_of(SIZE_MAX);
    struct cw_kept_times *kept, *found;
    cr_assert_null(cw_kept_times_get(place));
    cr_assert_eq(cw_kept_times_keep(place, &block, runs, CW_COUNT(runs), &kept, &err), 0);
    cr_assert_not_null(kept);
    found = cw_kept_times_get(place);
    cr_assert_eq(found, kept);
    cr_expect_eq(found->kind, block.kind);
    cr_expect(found->has_metadata);
    cr_assert_eq(found->nruns, CW_COUNT(runs));
    cr_expect_arr_eq(found->runs, runs, sizeof(runs));
    for (int64_t i = 0; i < ROWS; i++)
        cr_assert_eq(found->ns[i], i * i);
    cw_cached_unref(&found->base);
    cw_cached_unref(&kept->base);
}

Test(kept_times, nothing_is_decoded_that_would_not_be_kept)
{
    struct cw_kept_times *kept = (struct cw_kept_times *)&file;
    cr_assert_eq(cw_kept_times_keep(place_of(1000), &block, runs, CW_COUNT(runs), &kept, &err), 0);
    cr_expect_null(kept);
    cr_assert_eq(cw_kept_times_keep((struct cw_cache_place){0}, &block, runs, 1, &kept, &err), 0);
    cr_expect_null(kept);
    cr_expect_null(cw_kept_times_get((struct cw_cache_place){0}));
}

Test(kept_times, damaged_times_are_an_error_and_not_kept)
{
    struct cw_cache_place place = place_of(SIZE_MAX);
    struct cw_kept_times *kept = NULL;
    file.ptr[block.times.stored.ptr - file.ptr] ^= 1;
    cr_assert_eq(cw_kept_times_keep(place, &block, runs, CW_COUNT(runs), &kept, &err),
                 CW_E_CORRUPT);
    cr_expect_null(kept);
    cr_expect_null(cw_kept_times_get(place));
}
