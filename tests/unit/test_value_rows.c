/* Rows of blocks of templates as values: which blocks are handed out so, and what becomes of them in another block. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/block_writer.h"
#include "common/store/value_rows.h"
#include "tests/support/line_kinds.h"
#include "tests/support/part_model.h"
#include "tests/support/template_model.h"
#include "tests/support/value_model.h"

enum { BLOCKS = 3 };

static struct cw_err err;
static struct cw_buf blocks[BLOCKS], wrong;
static struct value_model_counts counts;
static uint64_t state;

static void setup(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        cw_buf_init(&blocks[i], SIZE_MAX);
    cw_buf_init(&wrong, SIZE_MAX);
    counts = (struct value_model_counts){0};
    state = 1;
}

static void teardown(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        cw_buf_fini(&blocks[i]);
    cw_buf_fini(&wrong);
}

TestSuite(value_rows, .init = setup, .fini = teardown);

/* Lines through the tokenizer. */
static void compose(void (*generate)(uint64_t *state, struct cw_buf *out), size_t n,
                    enum cw_token_mode mode, struct cw_buf *out)
{
    struct cw_block_writer *w = cw_block_writer_new(CW_CODEC_LZ4);
    struct cw_template_memory memory = {.mode_known = true, .mode = mode, .plain_permille = 1000};
    struct cw_block_summary summary;
    struct cw_buf line, filter;
    cw_buf_init(&line, SIZE_MAX);
    cw_buf_init(&filter, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        struct cw_block_row row = {.ts_ns = (int64_t)i};
        cw_buf_clear(&line);
        generate(&state, &line);
        cr_assert_eq(cw_block_writer_add(w, &row, cw_buf_str(&line), &err), 1);
    }
    cw_buf_clear(out);
    cr_assert_eq(cw_block_writer_finish(w, &memory, out, &filter, &summary, &err), 0);
    cw_block_writer_free(&w);
    cw_buf_fini(&line);
    cw_buf_fini(&filter);
}

static void check(size_t nqueries)
{
    struct cw_str all[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        all[i] = cw_buf_str(&blocks[i]);
    bool good = value_model_check(all, BLOCKS, &state, nqueries, &counts, &wrong);
    cr_assert(good, "%.*s", (int)wrong.len, wrong.ptr);
}

Test(value_rows, what_the_tokenizer_made_is_written_as_values_and_found_again)
{
    for (int round = 0; round < 8; round++) {
        compose(line_like_a_log, 900, CW_TOKEN_PLAIN, &blocks[0]);
        compose(line_like_json, 700, (enum cw_token_mode)(round % 3), &blocks[1]);
        compose(line_like_a_log, 1 + (size_t)round * 10, CW_TOKEN_QUOTED, &blocks[2]);
        check(60);
    }
    cr_assert_gt(counts.as_values, 1000);
    cr_assert_gt(counts.queries, 300);
    cr_assert_eq(counts.as_lines, 0);
}

/* Nearly all of them are templates of their own. */
Test(value_rows, what_looks_nearly_like_a_form_is_found_again)
{
    for (int round = 0; round < 12; round++) {
        for (size_t i = 0; i < BLOCKS; i++)
            compose(line_adversarial, 200, (enum cw_token_mode)(part_model_random(&state) % 3),
                    &blocks[i]);
        check(60);
    }
    cr_assert_gt(counts.as_values, 1000);
}

static void model_encode(struct template_model *model, struct cw_buf *out)
{
    cw_buf_clear(out);
    template_model_encode(model, part_model_random(&state), out);
    template_model_fini(model);
}

/* Strings of the model are of any bytes, so most such blocks are not the tokenizer's. */
Test(value_rows, blocks_of_any_templates_and_values_are_found_again)
{
    static const char *const shapes[] = {
        "took \x05 ms, size=\x06 size=\x06, hash \x07",
        "\x03 id=\x0e then \x08.",
        "to \x04 at \x02",
        "user=\"\x10\" size=\x06",
        "name=\x0f b",
        "ab\x06 c",
        "\x06\x06-\x0f",
        "plain \x10 text",
        "\x11",
    };
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            struct cw_str templates[CW_COUNT(shapes)];
            struct template_model model;
            size_t n = 1 + part_model_random(&state) % (round % 2 == 0 ? 3 : CW_COUNT(shapes));
            for (size_t t = 0; t < n; t++)
                templates[t] = cw_str_of(shapes[t]);
            template_model_make(&model, templates, n, 300, part_model_random(&state));
            model_encode(&model, &blocks[i]);
        }
        check(20);
    }
    cr_assert_gt(counts.as_values, 1000);
    cr_assert_gt(counts.as_lines, 100);
}

/* What cw_value_rows_open() says of a block of one template; `value`, if there is one, is the text of all values of its column 0. */
static int opened(const char *shape, const char *value)
{
    static uint32_t sizes[CW_BLOCK_ROWS_MAX];
    static struct cw_block block;
    struct cw_str template = cw_str_of(shape);
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_value_rows rows;
    struct template_model model;
    template_model_make(&model, &template, 1, 20, 1);
    for (uint32_t i = 0; value != NULL && i < model.nvalues[0]; i++) {
        model.values[0][i] = cw_str_of(value);
        model.lines[i] = cw_arena_printf(model.arena, "%s%s", shape, value); /* long enough */
    }
    model_encode(&model, &blocks[0]);
    cr_assert_eq(cw_block_open(cw_buf_str(&blocks[0]), &block, &err), 0, "%s", err.text);
    cr_assert_eq(cw_template_block_open(tb, &block, &err), 0, "%s", err.text);
    int rc = cw_value_rows_open(&rows, tb, sizes, &err);
    cw_template_block_free(&tb);
    return rc;
}

Test(value_rows, slots_that_touch_what_no_slot_touches_are_not_handed_out)
{
    static const char *const good[] = {"\x06", "a \x06 b", "a=\x06,\x07", "\xff\x06\xff", "\x04"};
    static const char *const bad[] = {"a\x06",
                                      "\x06z",
                                      "0\x06",
                                      "\x06\x07",
                                      "A\x04 ",
                                      "x \x0e"
                                      "9"};
    for (size_t i = 0; i < CW_COUNT(good); i++)
        cr_assert_eq(opened(good[i], NULL), 1, "%zu", i);
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_assert_eq(opened(bad[i], NULL), 0, "%zu", i);
    cr_assert_eq(opened("k=\"\x10\" b", "ab"), 1);
    cr_assert_eq(opened("\"\x10\"", ""), 1);
    cr_assert_eq(opened("k=\x10 b", "ab"), 0);
    cr_assert_eq(opened("k=\"\x10 b", "ab"), 0);
    cr_assert_eq(opened("\x10\"", "ab"), 0);
}

Test(value_rows, values_that_no_slot_has_are_not_handed_out)
{
    cr_assert_eq(opened("k=\x0f", "ab1"), 1);
    cr_assert_eq(opened("k=\x0f", "ab"), 0);
    cr_assert_eq(opened("k=\x0f", ""), 0);
    cr_assert_eq(opened("k=\x0f", "a 1"), 0);
    cr_assert_eq(opened("k=\x0f", "\xc3\xa4"
                                  "1"),
                 0);
    cr_assert_eq(opened("k=\"\x10\"", "a \"1\" \xff"), 1);
    cr_assert_eq(opened("k=\"\x10\"", "a\x06"), 0);
    cr_assert_eq(opened("k=\x06", "9999999999999999999"), 1);
    cr_assert_eq(opened("k=\x06", "10000000000000000000"), 0);
    cr_assert_eq(opened("k=\x06", "00000000000000000001"), 0);
}

Test(value_rows, a_mode_that_is_not_known_is_not_handed_out)
{
    static uint32_t sizes[CW_BLOCK_ROWS_MAX];
    static struct cw_block block;
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_value_rows rows;
    compose(line_like_a_log, 100, CW_TOKEN_PLAIN, &blocks[0]);
    for (int mode = 0; mode < 5; mode++) {
        blocks[0].ptr[7] = (char)mode;
        template_model_reseal(blocks[0].ptr, blocks[0].len);
        cr_assert_eq(cw_block_open(cw_buf_str(&blocks[0]), &block, &err), 0, "%s", err.text);
        cr_assert_eq(cw_template_block_open(tb, &block, &err), 0, "%s", err.text);
        cr_assert_eq(cw_value_rows_open(&rows, tb, sizes, &err), mode <= CW_TOKEN_QUOTED);
    }
    cw_template_block_free(&tb);
}
