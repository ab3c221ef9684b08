#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
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
    return cw_unpack_open(cw_log_folder_path(&folder, name), CW_CODEC_NONE, folder.dir, &unpack,
                          &err);
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

Test(unpack, a_format_is_known_by_promtails_name_and_zlib_only_by_it)
{
    static const char *const names[] = {"gz", "z", "bz2", "zst", "xz"};
    static const enum cw_codec codecs[] = {CW_CODEC_GZIP, CW_CODEC_DEFLATE, CW_CODEC_BZIP2,
                                           CW_CODEC_ZSTD, CW_CODEC_XZ};
    enum cw_codec codec;
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        cr_assert_eq(cw_unpack_format(cw_str_of(names[i]), &codec, &err), 0);
        cr_assert_eq(codec, codecs[i]);
    }
    cr_assert_eq(cw_unpack_format(CW_STR("zip"), &codec, &err), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"zip\" is none of gz, z (zlib), bz2, zst and xz");
    static const char zlib[] = "\x78\x9c\x4b\xe4\x02\x00\x00\xce\x00\x6c"; /* "a\n" */
    cw_log_folder_append_bytes(&folder, "any.name", zlib, sizeof zlib - 1);
    const char *path = cw_log_folder_path(&folder, "any.name");
    cr_assert_eq(cw_unpack_codec_of(path, CW_CODEC_NONE), CW_CODEC_NONE);
    cr_assert_eq(cw_unpack_codec_of(path, CW_CODEC_GZIP), CW_CODEC_NONE);
    cr_assert_eq(cw_unpack_codec_of(path, CW_CODEC_DEFLATE), CW_CODEC_DEFLATE);
    cr_assert_eq(cw_unpack_open(path, CW_CODEC_DEFLATE, folder.dir, &unpack, &err), 0);
    char text[3] = "";
    cr_assert_eq(pread(cw_unpack_fd(unpack), text, sizeof text, 0), 2);
    cr_assert_str_eq(text, "a\n");
}

Test(unpack, a_bomb_takes_no_more_disk_than_what_is_read_ahead)
{
    size_t size = (size_t)300 << 20;
    packed_make("a.gz", 'x', size, 0);
    cr_assert_eq(open_it("a.gz"), 0, "%s", err.text);
    cr_assert_not(cw_unpack_rest(unpack), "it waits for nothing");
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

static enum cw_unpack_state steps(int64_t now_ns)
{
    enum cw_unpack_state state;
    while ((state = cw_unpack_step(unpack, 0, now_ns, &err)) == CW_UNPACK_MORE)
        ;
    return state;
}

/* That it was renamed or moved a moment ago tells nothing of its writer. */
Test(unpack, a_file_that_was_not_written_for_long_is_not_waited_for)
{
    packed_make("b.gz", 'x', 1000000, 9);
    const char *path = cw_log_folder_path(&folder, "b.gz");
    const struct timespec hour_ago[2] = {{time(NULL) - 3600, 0}, {time(NULL) - 3600, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, path, hour_ago, 0), 0);
    cr_assert_eq(open_it("b.gz"), 0);
    cr_assert_eq(steps(cw_clock_now_ns()), CW_UNPACK_DAMAGED);
    cr_assert_str_eq(err.text, "it ends in the middle");
}

Test(unpack, a_file_that_waits_may_rest_and_goes_on_when_more_is_written)
{
    struct cw_buf packed;
    size_t size = 3 << 20;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i * i >> 7);
    cw_buf_init(&packed, SIZE_MAX);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, cw_str_make(text, size), &packed, &err), 0);
    cw_log_folder_append_bytes(&folder, "c.gz", packed.ptr, packed.len / 2);
    cr_assert_eq(open_it("c.gz"), 0);
    int64_t now_ns = cw_clock_now_ns();
    cr_assert_eq(steps(now_ns), CW_UNPACK_WAITING);
    cr_assert(cw_unpack_rest(unpack) && cw_unpack_rests(unpack));
    off_t half = file_look().st_size;
    cr_assert_eq(steps(now_ns), CW_UNPACK_WAITING);
    cr_assert(cw_unpack_rests(unpack));
    cr_assert_eq(file_look().st_size, half);
    cw_log_folder_append_bytes(&folder, "c.gz", packed.ptr + packed.len / 2,
                               packed.len - packed.len / 2);
    cr_assert_eq(steps(now_ns), CW_UNPACK_DONE);
    cr_assert_eq(file_look().st_size, (off_t)size);
    char *read = malloc(size);
    cr_assert_eq(pread(cw_unpack_fd(unpack), read, size, 0), (ssize_t)size);
    cr_assert_eq(memcmp(read, text, size), 0);
    cw_buf_fini(&packed);
    free(text);
    free(read);
}

Test(unpack, a_file_that_rests_is_damaged_when_its_time_is_over)
{
    packed_make("d.gz", 'x', 1000000, 9);
    cr_assert_eq(open_it("d.gz"), 0);
    int64_t now_ns = cw_clock_now_ns();
    cr_assert_eq(steps(now_ns), CW_UNPACK_WAITING);
    cr_assert(cw_unpack_rest(unpack));
    cr_assert_eq(steps(now_ns + CW_UNPACK_CUT_NS + CW_NS_PER_S), CW_UNPACK_DAMAGED);
    cr_assert_not(cw_unpack_rests(unpack));
}
