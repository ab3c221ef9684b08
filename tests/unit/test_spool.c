#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "querier/local/spool.h"

static struct cw_err err;
static atomic_size_t room = CW_SPOOL_MEMORY_BYTES;

/* Bytes that do not compress, the same for the same number. */
static void block_of(size_t number, struct cw_buf *out)
{
    uint64_t state = number * 2654435761u + 1;
    cw_buf_clear(out);
    for (size_t i = 0; i < (1u << 20) / 8 + number; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t word = state >> 17 ^ state << 20;
        cw_buf_add(out, &word, sizeof word);
    }
}

Test(spool, blocks_come_back_from_memory_and_from_the_file)
{
    enum { BLOCKS = 80 }; /* more than CW_SPOOL_MEMORY_BYTES */
    struct cw_spool *spool = cw_spool_new(&room);
    struct cw_buf text, got;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&got, SIZE_MAX);
    cr_assert_eq(cw_spool_blocks(spool), 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        block_of(i, &text);
        cr_assert_eq(cw_spool_add(spool, cw_buf_str(&text), &err), 0, "%s", err.text);
    }
    cr_assert_eq(cw_spool_blocks(spool), BLOCKS);
    for (size_t i = BLOCKS; i-- > 0;) {
        block_of(i, &text);
        cw_buf_clear(&got);
        cr_assert_eq(cw_spool_read(spool, i, &got, &err), 0, "%s", err.text);
        cr_assert(cw_str_eq(cw_buf_str(&text), cw_buf_str(&got)), "%zu", i);
    }
    cw_buf_fini(&text);
    cw_buf_fini(&got);
    cw_spool_free(&spool);
}

Test(spool, a_folder_for_the_file_that_is_not_there_is_told)
{
    struct cw_spool *spool = cw_spool_new(&room);
    struct cw_buf text;
    int rc = 0;
    setenv("TMPDIR", "/nonexistent/folder", 1);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; rc == 0 && i < 100; i++) {
        block_of(i, &text);
        rc = cw_spool_add(spool, cw_buf_str(&text), &err);
    }
    cr_assert_eq(rc, CW_E_IO);
    cr_assert_not_null(strstr(err.text, "/nonexistent/folder"), "%s", err.text);
    cw_buf_fini(&text);
    cw_spool_free(&spool);
}
