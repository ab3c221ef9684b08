#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "querier/local/log_file.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_err err;
static atomic_uint_fast64_t nread;
static atomic_size_t spool_room = 1u << 20; /* and so files are used too */

static void setup(void)
{
    cw_log_folder_init(&folder);
}

static void teardown(void)
{
    cw_log_folder_fini(&folder);
}

TestSuite(log_file, .init = setup, .fini = teardown);

static struct cw_log_file *open_named(const char *name)
{
    struct cw_log_file *file = NULL;
    cr_assert_eq(cw_log_file_open(cw_log_folder_path(&folder, name), &spool_room, &file, &err), 0,
                 "%s", err.text);
    cr_assert_eq(cw_log_file_load(file, &nread, &err), 0, "%s", err.text);
    return file;
}

/* All chunks, one behind the other; each must begin and end with whole lines. */
static void read_all(struct cw_log_file *file, struct cw_buf *out)
{
    struct cw_buf room;
    cw_buf_init(&room, SIZE_MAX);
    for (size_t i = 0; i < cw_log_file_chunks(file); i++) {
        struct cw_str lines;
        cr_assert_eq(cw_log_file_read(file, i, &room, &lines, &err), 0, "%s", err.text);
        cr_assert(out->len == 0 || lines.len == 0 || out->ptr[out->len - 1] == '\n');
        cw_buf_adds(out, lines);
    }
    cw_buf_fini(&room);
}

/* Lines of changing lengths, some of them around the ends of chunks. */
static void text_of(size_t seed, size_t bytes, bool last_newline, struct cw_buf *out)
{
    static const size_t lengths[] = {0, 1, 100, 4095, 65536, 17};
    char *filler = cw_mem_array(65536, 1);
    memset(filler, 'x', 65536);
    for (size_t i = seed; out->len < bytes; i++) {
        cw_buf_addf(out, "%zu ", i);
        cw_buf_add(out, filler, lengths[i * i % 6]);
        cw_buf_addc(out, '\n');
    }
    if (!last_newline)
        out->len--;
    free(filler);
}

Test(log_file, plain_and_compressed_files_give_the_same_lines)
{
    for (size_t seed = 0; seed < 4; seed++) {
        struct cw_buf text, packed, got;
        cw_buf_init(&text, SIZE_MAX);
        text_of(seed, (3u << 20) + seed * 1000, seed % 2 == 0, &text);
        static const enum cw_codec codecs[] = {CW_CODEC_NONE, CW_CODEC_GZIP, CW_CODEC_ZSTD};
        for (size_t i = 0; i < 3; i++) {
            char name[32];
            snprintf(name, sizeof name, "%zu.%zu", seed, i);
            cw_buf_init(&packed, SIZE_MAX);
            if (codecs[i] != CW_CODEC_NONE)
                cr_assert_eq(cw_codec_compress(codecs[i], cw_buf_str(&text), &packed, &err), 0);
            struct cw_str bytes =
                codecs[i] != CW_CODEC_NONE ? cw_buf_str(&packed) : cw_buf_str(&text);
            cw_log_folder_append_bytes(&folder, name, bytes.ptr, bytes.len);
            struct cw_log_file *file = open_named(name);
            cr_assert_geq(cw_log_file_chunks(file), 3);
            cw_buf_init(&got, SIZE_MAX);
            read_all(file, &got);
            cr_assert(cw_str_eq(cw_buf_str(&text), cw_buf_str(&got)), "%s", name);
            cr_assert_not(cw_log_file_has_long_lines(file));
            cw_buf_fini(&got);
            cw_buf_fini(&packed);
            cw_log_file_close(&file);
        }
        cw_buf_fini(&text);
    }
}

Test(log_file, lines_of_exactly_a_chunk_begin_where_they_do)
{
    /* The first line ends with the first chunk; the second is empty. */
    struct cw_buf text, got;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&got, SIZE_MAX);
    char *filler = cw_mem_array(1u << 17, 1);
    memset(filler, 'y', 1u << 17);
    for (int i = 0; i < 8; i++) {
        cw_buf_add(&text, filler, (1u << 17) - 1);
        cw_buf_addc(&text, '\n');
    }
    cr_assert_eq(text.len, CW_LOG_FILE_CHUNK_BYTES);
    cw_buf_addz(&text, "\nlast\n");
    cw_log_folder_append_bytes(&folder, "a", text.ptr, text.len);
    struct cw_log_file *file = open_named("a");
    struct cw_buf room;
    struct cw_str lines;
    cw_buf_init(&room, SIZE_MAX);
    cr_assert_eq(cw_log_file_read(file, 0, &room, &lines, &err), 0);
    cr_assert_eq(lines.len, CW_LOG_FILE_CHUNK_BYTES);
    cr_assert_eq(cw_log_file_read(file, 1, &room, &lines, &err), 0);
    cr_assert(cw_str_eqz(lines, "\nlast\n"));
    cw_log_file_close(&file);
    cw_buf_fini(&room);
    cw_buf_fini(&text);
    cw_buf_fini(&got);
    free(filler);
}

/* One run of NULs, of several lengths, at every place around the border of two chunks; another in front. */
Test(log_file, nuls_end_lines_and_are_none)
{
    static const size_t runs[] = {1, 2, 7, CW_LOG_FILE_CHUNK_BYTES + 3,
                                  3 * CW_LOG_FILE_CHUNK_BYTES};
    static const char front[] = "first\n\n", behind[] = "behind\n";
    char name[32];
    for (size_t i = 0; i < 2 * sizeof runs / sizeof runs[0] * 9; i++) {
        size_t run = runs[i / 2 % 5], at = CW_LOG_FILE_CHUNK_BYTES - 4 + i / 10;
        struct cw_buf text, want, got, packed;
        cw_buf_init(&text, SIZE_MAX);
        cw_buf_init(&want, SIZE_MAX);
        cw_buf_init(&got, SIZE_MAX);
        cw_buf_init(&packed, SIZE_MAX);
        memset(cw_buf_reserve(&text, 100), '\0', 100);
        text.len += 100;
        cw_buf_addz(&text, front);
        while (text.len + 50 < at)
            cw_buf_addz(&text, "a line of thirty-one characters\n");
        cw_buf_addz(&text, at % 2 ? "\n" : "");
        while (text.len < at)
            cw_buf_addc(&text, 'x');
        cw_buf_add(&want, text.ptr + 100, text.len - 100);
        cw_buf_addc(&want, '\n');
        memset(cw_buf_reserve(&text, run), '\0', run);
        text.len += run;
        cw_buf_addz(&text, behind);
        cw_buf_addz(&want, behind);
        if (i % 2)
            cr_assert_eq(cw_codec_compress(CW_CODEC_ZSTD, cw_buf_str(&text), &packed, &err), 0);
        struct cw_str bytes = cw_buf_str(i % 2 ? &packed : &text);
        snprintf(name, sizeof name, "nuls.%zu", i);
        cw_log_folder_append_bytes(&folder, name, bytes.ptr, bytes.len);
        struct cw_log_file *file = open_named(name);
        read_all(file, &got);
        cr_expect(cw_str_eq(cw_buf_str(&want), cw_buf_str(&got)), "%zu NULs at %zu: %zu, not %zu",
                  run, at, got.len, want.len);
        cr_expect_not(cw_log_file_has_long_lines(file));
        cw_log_file_close(&file);
        unlink(cw_log_folder_path(&folder, name));
        cw_buf_fini(&text);
        cw_buf_fini(&want);
        cw_buf_fini(&got);
        cw_buf_fini(&packed);
    }
}

Test(log_file, a_line_that_is_too_long_goes_and_the_others_stay)
{
    struct cw_buf text, packed;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&packed, SIZE_MAX);
    char *filler = cw_mem_array(5u << 20, 1);
    memset(filler, 'z', 5u << 20);
    cw_buf_addz(&text, "first\n");
    cw_buf_add(&text, filler, 5u << 20); /* over several chunks */
    cw_buf_addz(&text, "\nlast");
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(&text), &packed, &err), 0);
    cw_log_folder_append_bytes(&folder, "plain", text.ptr, text.len);
    cw_log_folder_append_bytes(&folder, "packed", packed.ptr, packed.len);
    static const char *const names[] = {"plain", "packed"};
    for (size_t i = 0; i < 2; i++) {
        struct cw_log_file *file = open_named(names[i]);
        struct cw_buf got;
        cw_buf_init(&got, SIZE_MAX);
        read_all(file, &got);
        cr_expect(cw_log_file_has_long_lines(file), "%s", names[i]);
        cr_expect(cw_str_ends(cw_buf_str(&got), CW_STR("last")), "%s", names[i]);
        cr_expect_lt(got.len, 2u << 20, "%s", names[i]);
        cw_buf_fini(&got);
        cw_log_file_close(&file);
    }
    cw_buf_fini(&text);
    cw_buf_fini(&packed);
    free(filler);
}

Test(log_file, a_file_that_is_cut_while_it_is_read_ends_there)
{
    struct cw_buf text, got;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&got, SIZE_MAX);
    text_of(0, 3u << 20, true, &text);
    cw_log_folder_append_bytes(&folder, "a", text.ptr, text.len);
    struct cw_log_file *file = open_named("a");
    cw_log_folder_truncate(&folder, "a", 1000000);
    read_all(file, &got);
    cr_assert_leq(got.len, 1000000);
    cr_assert(cw_str_starts(cw_buf_str(&text), cw_buf_str(&got)));
    cw_log_file_close(&file);
    cw_buf_fini(&text);
    cw_buf_fini(&got);
}

Test(log_file, what_is_no_log_is_told_by_name)
{
    cw_log_folder_mkdir(&folder, "folder");
    cw_log_folder_append_bytes(&folder, "nul", "a\0b\0c", 5);
    cw_log_folder_append(&folder, "bz", "BZh91AY");
    cw_log_folder_append(&folder, "xz",
                         "\xfd"
                         "7zXZ");
    static const struct {
        const char *name;
        int code;
        const char *says;
    } rows[] = {
        {"none", CW_E_NOT_FOUND, "No such file"},
        {"folder", CW_E_INVALID, "a folder"},
        {"nul", CW_E_INVALID, "2 of its first 5 bytes are NULs, the first at offset 1"},
        {"bz", CW_E_INVALID, "bzip2 -dc"},
        {"xz", CW_E_INVALID, "xz -dc"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_log_file *file = NULL;
        const char *path = cw_log_folder_path(&folder, rows[i].name);
        cr_expect_eq(cw_log_file_open(path, &spool_room, &file, &err), rows[i].code, "%s",
                     rows[i].name);
        cr_expect_null(file);
        cr_expect_not_null(strstr(err.text, path), "%s", err.text);
        cr_expect_not_null(strstr(err.text, rows[i].says), "%s", err.text);
    }
}

Test(log_file, an_empty_file_has_no_chunks)
{
    cw_log_folder_append(&folder, "empty", "");
    struct cw_log_file *file = open_named("empty");
    cr_assert_eq(cw_log_file_chunks(file), 0);
    cw_log_file_close(&file);
    cw_log_file_close(&file);
}

Test(log_file, what_breaks_in_the_middle_gives_what_is_before)
{
    struct cw_buf text, packed, got;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&packed, SIZE_MAX);
    cw_buf_init(&got, SIZE_MAX);
    for (unsigned i = 0; i < 300000; i++)
        cw_buf_addf(&text, "line %u %u\n", i, i * 2654435761u);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(&text), &packed, &err), 0);
    cw_log_folder_append_bytes(&folder, "cut.gz", packed.ptr, packed.len / 2);
    struct cw_log_file *file = NULL;
    cr_assert_eq(cw_log_file_open(cw_log_folder_path(&folder, "cut.gz"), &spool_room, &file, &err),
                 0);
    cr_assert_eq(cw_log_file_load(file, &nread, &err), CW_E_INVALID);
    cr_assert_not_null(strstr(err.text, "cut.gz"), "%s", err.text);
    read_all(file, &got);
    cr_assert_gt(got.len, text.len / 3);
    cr_assert(cw_str_starts(cw_buf_str(&text), cw_buf_str(&got)));
    cw_log_file_close(&file);
    cw_buf_fini(&text);
    cw_buf_fini(&packed);
    cw_buf_fini(&got);
}
