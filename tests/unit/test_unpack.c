#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "shipper/unpack.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_unpack *unpack;
static struct cw_err err;

static void setup(void)
{
    cw_log_folder_init(&folder);
}

static void teardown(void)
{
    cw_unpack_close(&unpack);
    cw_log_folder_fini(&folder);
}

TestSuite(unpack, .init = setup, .fini = teardown);

/* A file of `n` bytes, all of them `c`, and what it is in gzip. */
static void packed_make(const char *name, char c, size_t n, size_t cut)
{
    char *text = malloc(n);
    struct cw_buf packed;
    cw_buf_init(&packed, SIZE_MAX);
    memset(text, c, n);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, cw_str_make(text, n), &packed, &err), 0);
    cw_log_folder_append_bytes(&folder, name, packed.ptr, packed.len - cut);
    cw_buf_fini(&packed);
    free(text);
}

static struct stat file_look(void)
{
    struct stat st;
    cr_assert_eq(fstat(cw_unpack_fd(unpack), &st), 0);
    return st;
}

static int open_it(const char *name)
{
    return cw_unpack_open(cw_log_folder_path(&folder, name), folder.dir, &unpack, &err);
}

Test(unpack, names_of_compressed_files_have_a_stem)
{
    cr_assert(cw_str_eqz(cw_unpack_stem(CW_STR("a.log.1.gz")), "a.log.1"));
    cr_assert(cw_str_eqz(cw_unpack_stem(CW_STR("a.zst")), "a"));
    cr_assert_eq(cw_unpack_stem(CW_STR("a.log")).len, 0);
    cr_assert_eq(cw_unpack_stem(CW_STR(".gz")).len, 0);
    cw_log_folder_append(&folder, "text.gz", "no such thing\n");
    packed_make("a.gz", 'x', 10, 0);
    cr_assert(cw_unpack_is_packed(cw_log_folder_path(&folder, "a.gz")));
    cr_assert_not(cw_unpack_is_packed(cw_log_folder_path(&folder, "text.gz")));
    cr_assert_not(cw_unpack_is_packed(cw_log_folder_path(&folder, "none.gz")));
    cr_assert_eq(open_it("none.gz"), CW_E_NOT_FOUND);
    cr_assert_eq(open_it("text.gz"), CW_E_INVALID);
}

Test(unpack, a_bomb_takes_no_more_disk_than_what_is_read_ahead)
{
    size_t size = (size_t)300 << 20;
    packed_make("a.gz", 'x', size, 0);
    cr_assert_eq(open_it("a.gz"), 0, "%s", err.text);
    int64_t now_ns = cw_clock_now_ns();
    uint64_t settled = 0, most = 0;
    for (enum cw_unpack_state state;
         (state = cw_unpack_step(unpack, settled, now_ns, &err)) != CW_UNPACK_DONE;) {
        cr_assert(state == CW_UNPACK_MORE || state == CW_UNPACK_AHEAD);
        struct stat st = file_look();
        most = CW_MAX(most, (uint64_t)st.st_blocks * 512);
        if (state == CW_UNPACK_AHEAD) {
            char bytes[2];
            cr_assert_eq(pread(cw_unpack_fd(unpack), bytes, 2, (off_t)settled), 2);
            cr_assert(bytes[0] == 'x' && bytes[1] == 'x');
            settled += 10 << 20;
        }
    }
    cr_assert_eq((size_t)file_look().st_size, size);
    cr_assert_leq(most, CW_UNPACK_AHEAD_BYTES + (8u << 20), "%lu", most);
}

Test(unpack, what_is_settled_already_is_not_written)
{
    packed_make("a.gz", 'x', 100 << 20, 0);
    cr_assert_eq(open_it("a.gz"), 0);
    uint64_t settled = (100 << 20) - 10;
    while (cw_unpack_step(unpack, settled, cw_clock_now_ns(), &err) != CW_UNPACK_DONE)
        ;
    struct stat st = file_look();
    char bytes[1024];
    cr_assert_eq(st.st_size, 100 << 20);
    cr_assert_leq(st.st_blocks * 512, 8 << 20);
    cr_assert_eq(pread(cw_unpack_fd(unpack), bytes, sizeof bytes, (off_t)settled), 10);
    cr_assert(bytes[0] == 'x' && bytes[9] == 'x');
    cr_assert_eq(pread(cw_unpack_fd(unpack), bytes, sizeof bytes, 0), sizeof bytes);
    cr_assert(bytes[0] == 'x' && bytes[1023] == 'x', "the prefix stays");
}

Test(unpack, a_file_that_has_no_end_is_waited_for_and_then_damaged)
{
    packed_make("a.gz", 'x', 1000000, 9);
    cr_assert_eq(open_it("a.gz"), 0);
    int64_t now_ns = cw_clock_now_ns();
    enum cw_unpack_state state;
    while ((state = cw_unpack_step(unpack, 0, now_ns, &err)) == CW_UNPACK_MORE)
        ;
    cr_assert_eq(state, CW_UNPACK_WAITING);
    state = cw_unpack_step(unpack, 0, now_ns + CW_UNPACK_CUT_NS + CW_NS_PER_S, &err);
    cr_assert_eq(state, CW_UNPACK_DAMAGED);
    cr_assert_geq(file_look().st_size, 900000, "what was before is good");
    cr_assert_eq(cw_unpack_step(unpack, 0, now_ns, &err), CW_UNPACK_DAMAGED, "and that is all");
}
