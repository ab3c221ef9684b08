/* Lines of every kind through the writer and back. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/block_writer.h"
#include "tests/support/block_round_trip.h"
#include "tests/support/line_kinds.h"
#include "tests/support/part_model.h"

static struct cw_arena *arena;
static struct cw_str *lines;
static size_t nlines, bytes;

static void setup(void)
{
    arena = cw_arena_new();
    lines = cw_mem_array(CW_BLOCK_ROWS_MAX, sizeof(*lines));
    nlines = bytes = 0;
}

static void teardown(void)
{
    cw_arena_free(&arena);
    free(lines);
}

TestSuite(template_writer, .init = setup, .fini = teardown);

static bool add(struct cw_str line)
{
    if (nlines == CW_BLOCK_ROWS_MAX || bytes + line.len > CW_BLOCK_RAW_TARGET)
        return false;
    lines[nlines++] = cw_arena_dup(arena, line);
    bytes += line.len;
    return true;
}

static struct block_round_trip check(void)
{
    struct block_round_trip r = block_round_trip(lines, nlines, CW_CODEC_LZ4);
    cr_assert_null(r.wrong, "%s", r.wrong);
    return r;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

/* ---- more generators: one line each ---- */

static void random_bytes(uint64_t *state, struct cw_buf *out)
{
    for (uint64_t n = below(state, 100); n > 0; n--)
        cw_buf_addc(out, (char)below(state, 256));
}

static void base64(uint64_t *state, struct cw_buf *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint64_t n = 100; n > 0; n--)
        cw_buf_addc(out, letters[below(state, 64)]);
}

static void random_words(uint64_t *state, struct cw_buf *out)
{
    for (uint64_t n = 12; n > 0; n--) {
        for (uint64_t l = below(state, 8); l > 0; l--)
            cw_buf_addc(out, (char)('a' + below(state, 26)));
        cw_buf_addc(out, ' ');
    }
}

static void many_numbers(uint64_t *state, struct cw_buf *out)
{
    for (uint64_t n = 2000; n > 0; n--)
        cw_buf_addf(out, "%u ", (unsigned)below(state, 100000));
}

static void one_byte(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addc(out, (char)below(state, 256));
}

/* Whole lines in RAW, of few lengths. */
static void reserved(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addf(out, "\x01 the same text %.*s", below(state, 2) ? 3 : 9, "and its tail");
}

static void empty(uint64_t *state, struct cw_buf *out)
{
}

/* 20 addresses with two random separators: every slot a column of its own. */
static void many_columns(uint64_t *state, struct cw_buf *out)
{
    for (uint64_t n = 20; n > 0; n--)
        cw_buf_addf(out, "%c%c%c%c10.0.0.%u", (int)('A' + below(state, 26)),
                    (int)('A' + below(state, 26)), (int)('A' + below(state, 26)), '/',
                    (unsigned)below(state, 256));
}

typedef void (*generator_fn)(uint64_t *state, struct cw_buf *out);

static struct block_round_trip check_generated(generator_fn generate, uint64_t seed, size_t most)
{
    struct cw_buf line;
    cw_buf_init(&line, SIZE_MAX);
    nlines = bytes = 0;
    do {
        cw_buf_clear(&line);
        generate(&seed, &line);
    } while (nlines < most && add(cw_buf_str(&line)));
    cw_buf_fini(&line);
    return check();
}

Test(template_writer, logs_become_templates_and_come_back)
{
    struct block_round_trip r = check_generated(line_like_a_log, 1, SIZE_MAX);
    cr_assert_eq(r.kind, CW_BLOCK_TEMPLATES);
    cr_assert_leq(r.templates, 2 * 4 * 4); /* an id of digits alone is another form */
    cr_assert_gt(r.filter_bytes, 0);
    r = check_generated(line_like_json, 2, SIZE_MAX);
    cr_assert_eq(r.kind, CW_BLOCK_TEMPLATES);
    /* Messages are values: the templates differ in the key alone that has a number. */
    cr_assert_eq(r.templates, 1);
}

Test(template_writer, what_looks_nearly_like_a_form_comes_back)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        check_generated(line_adversarial, seed, 1500);
        check_generated(line_adversarial, seed + 100, 7);
    }
}

Test(template_writer, hostile_text_comes_back)
{
    static const generator_fn generators[] = {random_bytes, base64,           random_words,
                                              many_numbers, one_byte,         empty,
                                              many_columns, line_adversarial, reserved};
    for (size_t i = 0; i < CW_COUNT(generators); i++) {
        check_generated(generators[i], 77, SIZE_MAX);
        check_generated(generators[i], 78, 1);
    }
    cr_assert_eq(check_generated(base64, 5, SIZE_MAX).kind, CW_BLOCK_PLAIN);
    cr_assert_eq(check_generated(random_words, 5, SIZE_MAX).kind, CW_BLOCK_PLAIN);
    cr_assert_eq(check_generated(many_columns, 5, SIZE_MAX).kind, CW_BLOCK_PLAIN);
}

/* What a block writer makes of lines, and what it learns of their app. */
static enum cw_block_kind finish(struct cw_block_writer *w, generator_fn generate,
                                 struct cw_template_memory *memory)
{
    struct cw_buf line, out, filter;
    struct cw_block_summary summary;
    struct cw_err err;
    uint64_t seed = 5;
    cw_buf_init(&line, SIZE_MAX);
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_init(&filter, SIZE_MAX);
    for (int i = 0; i < 5000; i++) {
        cw_buf_clear(&line);
        generate(&seed, &line);
        struct cw_block_row row = {.ts_ns = i};
        cr_assert_eq(cw_block_writer_add(w, &row, cw_buf_str(&line), &err), 1);
    }
    cr_assert_eq(cw_block_writer_finish(w, memory, &out, &filter, &summary, &err), 0);
    enum cw_block_kind kind = (enum cw_block_kind)out.ptr[6];
    cw_buf_fini(&line);
    cw_buf_fini(&out);
    cw_buf_fini(&filter);
    return kind;
}

static void of_one_shape(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addf(out, "user %u opened door %u", (unsigned)below(state, 1000),
                (unsigned)below(state, 10));
}

Test(template_writer, after_two_blocks_that_were_given_up_none_is_tried)
{
    struct cw_template_memory memory = {0}, fresh = {0};
    struct cw_block_writer *w = cw_block_writer_new(CW_CODEC_LZ4);
    cr_expect_eq(finish(w, of_one_shape, &memory), CW_BLOCK_TEMPLATES);
    cr_expect_eq(finish(w, random_words, &memory), CW_BLOCK_PLAIN);
    cr_expect_not(cw_template_memory_given_up(&memory));
    cr_expect_eq(finish(w, of_one_shape, &memory), CW_BLOCK_TEMPLATES);
    for (int i = 0; i < 2; i++)
        cr_expect_eq(finish(w, random_words, &memory), CW_BLOCK_PLAIN);
    cr_expect(cw_template_memory_given_up(&memory));
    cr_expect_eq(finish(w, of_one_shape, &memory), CW_BLOCK_PLAIN, "it is not tried");
    cr_expect_eq(finish(w, of_one_shape, &fresh), CW_BLOCK_TEMPLATES);
    cw_block_writer_free(&w);
}

/* ---- bounds of a block ---- */

/* Three lines of each template. */
enum { LINES_OF_TEMPLATE = 3 };
static void other_words(uint64_t *state, struct cw_buf *out)
{
    uint64_t n = (*state)++ / LINES_OF_TEMPLATE;
    for (int i = 0; i < 5; i++, n /= 20)
        cw_buf_addc(out, (char)('g' + n % 20));
    cw_buf_addz(out, " of a text that all lines have in common 17");
}

/* Half of the text and more is in dictionaries: strings that never come again. */
static void other_strings(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addf(out, "%08llxx%08llxx%08llxx", (unsigned long long)part_model_random(state),
                (unsigned long long)part_model_random(state),
                (unsigned long long)part_model_random(state));
}

Test(template_writer, a_block_over_a_bound_is_plain)
{
    size_t most = (size_t)CW_BLOCK_TEMPLATES_MAX * LINES_OF_TEMPLATE;
    struct block_round_trip r = check_generated(other_words, 0, most);
    cr_expect_eq(r.kind, CW_BLOCK_TEMPLATES);
    cr_expect_eq(r.templates, CW_BLOCK_TEMPLATES_MAX);
    cr_expect_eq(check_generated(other_words, 0, most + 1).kind, CW_BLOCK_PLAIN);
    cr_expect_eq(check_generated(other_strings, 1, 20000).kind, CW_BLOCK_PLAIN);
    cr_expect_eq(check_generated(many_columns, 1, 20000).kind, CW_BLOCK_PLAIN);
    r = check_generated(many_columns, 1, CW_BLOCK_COLUMNS_MAX / 20);
    cr_expect_leq(r.columns, CW_BLOCK_COLUMNS_MAX);
}

Test(template_writer, a_line_as_long_as_a_block_comes_back)
{
    static const char *const units[] = {"a",    "1 ",  "\"",   "\\\"",
                                        "1.1.", "ab1", "\x01", "12:30:45:"};
    for (size_t i = 0; i < CW_COUNT(units); i++) {
        struct cw_buf line;
        cw_buf_init(&line, SIZE_MAX);
        while (line.len + 9 < CW_BLOCK_RAW_TARGET)
            cw_buf_addz(&line, units[i]);
        nlines = bytes = 0;
        cr_assert(add(cw_buf_str(&line)));
        check();
        cw_buf_clear(&line);
        cw_buf_fini(&line);
    }
    struct cw_str line = CW_STR_NONE;
    char *large = malloc(CW_BLOCK_RAW_TARGET + 1000);
    memset(large, 'x', CW_BLOCK_RAW_TARGET + 1000);
    line = cw_str_make(large, CW_BLOCK_RAW_TARGET + 1000);
    cr_assert_null(block_round_trip(&line, 1, CW_CODEC_LZ4).wrong);
    free(large);
}

Test(template_writer, every_byte_comes_back_from_every_place)
{
    for (int c = 0; c < 256; c++) {
        for (int at = 0; at < 70; at += 3) {
            char line[80];
            memset(line, at % 2 ? '7' : 'f', sizeof(line));
            line[at] = (char)c;
            add(cw_str_make(line, 71));
        }
    }
    check();
}

/* A file's lines, and the same as a Windows program would write them. */
static void check_file(const char *path)
{
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, SIZE_MAX);
    cr_assert_eq(cw_file_read(path, SIZE_MAX / 2, &text, &err), 0);
    for (int crlf = 0; crlf < 2; crlf++) {
        struct cw_str rest = cw_buf_str(&text), line;
        nlines = bytes = 0;
        while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
            if (crlf)
                line = cw_arena_printf(arena, "%.*s\r", CW_STR_ARG(line));
            if (!add(line))
                break;
        }
        check();
    }
    cw_buf_fini(&text);
}

static void check_folder(const char *folder)
{
    struct cw_file_names names;
    struct cw_err err;
    cr_assert_eq(cw_file_list(folder, &names, &err), 0, "%s", err.text);
    for (size_t i = 0; i < names.n; i++) {
        char path[512];
        if (!cw_str_ends(cw_str_of(names.names[i]), CW_STR(".log")))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, names.names[i]);
        check_file(path);
    }
    cw_file_names_free(&names);
}

Test(template_writer, real_logs_come_back)
{
    check_folder(getenv("CW_TEST_DATA"));
    if (getenv("CORDWOOD_SAMPLES") != NULL)
        check_folder(getenv("CORDWOOD_SAMPLES"));
}
