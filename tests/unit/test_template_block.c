/* Blocks of templates: every line and value comes back, whichever rows are asked for; wrong bytes do no harm. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/template_block.h"
#include "tests/support/part_model.h"
#include "tests/support/template_model.h"

static struct cw_err err;
static struct template_model model;
static struct cw_buf bytes, text;
static struct cw_block block;
static struct cw_template_block *tb;
static uint64_t state;
static uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
static uint32_t offsets[CW_BLOCK_ROWS_MAX + 1], sizes[CW_BLOCK_ROWS_MAX];

/* All types; columns that templates share, one of them twice in a line; short and long texts between. */
static const char *const shapes[] = {
    "\x01 plain",
    "2026 \x02 level=info size=\x06 to \x04",
    "\x03 id=\x0e and a text between that is longer than two steps of a copy, \x08.",
    "took \x05 ms, size=\x06 size=\x06, hash \x07",
    "name=\x0f user=\"\x10\" size=\x06",
    "\x11",
    "",
    "no slot at all, but still some text",
    "\x06\x06\x06-\x05:\x07/\x0f",
    "to \x04 hash \x07 id=\x0e",
};

static void setup(void)
{
    cw_buf_init(&bytes, SIZE_MAX);
    cw_buf_init(&text, SIZE_MAX);
    tb = cw_template_block_new();
    state = 1;
}

static void teardown(void)
{
    cw_template_block_free(&tb);
    cw_buf_fini(&bytes);
    cw_buf_fini(&text);
}

TestSuite(template_block, .init = setup, .fini = teardown);

static void make(size_t nshapes, uint32_t nrows, uint64_t seed)
{
    struct cw_str templates[CW_COUNT(shapes)];
    for (size_t i = 0; i < nshapes; i++)
        templates[i] = cw_str_of(shapes[i]);
    template_model_make(&model, templates, nshapes, nrows, seed);
    cw_buf_clear(&bytes);
    template_model_encode(&model, seed, &bytes);
}

static void open_block(void)
{
    cr_assert_eq(cw_block_open(cw_buf_str(&bytes), &block, &err), 0, "%s", err.text);
    cr_assert_eq(cw_template_block_open(tb, &block, &err), 0, "%s", err.text);
}

/* One of `rarity` rows is wanted. */
static void keep_random(uint64_t rarity)
{
    memset(keep, 0, sizeof(keep));
    for (uint32_t row = 0; row < model.nrows; row++)
        if (part_model_random(&state) % rarity == 0)
            keep[row / 64] |= UINT64_C(1) << (row % 64);
}

static void check_rows(uint32_t from, uint32_t to)
{
    cw_buf_clear(&text);
    cr_assert_eq(cw_template_block_lines(tb, keep, from, to, &text, offsets, &err), 0, "%s",
                 err.text);
    cr_assert_eq(cw_template_block_sizes(tb, keep, from, to, sizes, &err), 0, "%s", err.text);
    for (uint32_t row = from; row < to; row++) {
        struct cw_str want = CW_STR_NONE, got = cw_str_sub(cw_buf_str(&text), offsets[row - from],
                                                           offsets[row - from + 1]);
        if ((keep[row / 64] >> (row % 64) & 1) != 0)
            want = model.lines[row];
        cr_assert(cw_str_eq(got, want), "row %u: %.*s against %.*s", row, CW_STR_ARG(got),
                  CW_STR_ARG(want));
        cr_assert_eq(sizes[row - from], want.len);
    }
    cr_assert_eq(offsets[to - from], text.len);
}

Test(template_block, every_line_comes_back)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        size_t nshapes = 1 + seed % CW_COUNT(shapes);
        make(nshapes, (uint32_t)(nshapes + part_model_random(&state) % 2000), seed);
        open_block();
        keep_random(1);
        check_rows(0, model.nrows);
        template_model_fini(&model);
    }
}

Test(template_block, any_rows_in_any_order_come_back)
{
    static const uint64_t rarities[] = {1, 2, 5, 30, 100, 1000, 1000000};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        make(CW_COUNT(shapes), 3000, seed);
        open_block();
        for (size_t i = 0; i < CW_COUNT(rarities); i++) {
            keep_random(rarities[i]);
            check_rows(0, model.nrows);
            for (uint32_t at = 0; at < model.nrows; at += 200)
                check_rows(at, CW_MIN(at + 200, model.nrows));
            for (uint32_t at = model.nrows; at > 0; at -= CW_MIN(at, 77u))
                check_rows(at - CW_MIN(at, 77u), at);
            uint32_t from = (uint32_t)(part_model_random(&state) % model.nrows);
            check_rows(from, from + (uint32_t)(part_model_random(&state) % (model.nrows - from)));
        }
        template_model_fini(&model);
    }
}

Test(template_block, rows_and_counts_are_the_templates)
{
    const uint16_t *rows;
    make(CW_COUNT(shapes), 500, 3);
    open_block();
    cr_assert_eq(cw_template_block_rows(tb, &rows, &err), 0);
    cr_assert_eq(memcmp(rows, model.rows, model.nrows * sizeof(*rows)), 0);
    cr_assert_eq(memcmp(cw_template_block_counts(tb), model.counts,
                        model.layout.ntemplates * sizeof(*model.counts)),
                 0);
    template_model_fini(&model);
}

/* The text that value i of the decoded column stands for, where that is a text already. */
static struct cw_str column_text(const struct cw_column *c, uint32_t i, size_t *raw_at)
{
    if (c->strings != NULL)
        return c->strings[c->values != NULL ? c->values[i] : i];
    struct cw_str line = cw_str_make(c->raw + *raw_at, (size_t)c->values[i]);
    *raw_at += line.len;
    return line;
}

static void check_column(uint32_t number)
{
    const struct cw_column *c;
    size_t raw_at = 0;
    cr_assert_eq(cw_template_block_column(tb, number, &c, &err), 0, "%s", err.text);
    cr_assert_eq(c->type, model.layout.columns[number].type);
    cr_assert_eq(c->n, model.nvalues[number]);
    cr_assert_eq(c->n, cw_template_block_values(tb, number));
    for (uint32_t i = 0; i < c->n; i++) {
        struct cw_str want = model.values[number][i];
        int64_t number_want;
        if (c->strings != NULL || c->raw != NULL) {
            cr_assert(cw_str_eq(column_text(c, i, &raw_at), want));
        } else if (c->type == CW_SLOT_NUM) {
            cr_assert(cw_str_to_i64(want, &number_want));
            cr_assert_eq(c->values[i], number_want);
            if (c->digits != NULL)
                cr_assert_eq(c->digits[i], want.len);
        } else if (c->wide != NULL) {
            const uint8_t *wide = c->wide[c->values != NULL ? c->values[i] : i];
            cr_assert_eq(wide[0],
                         cw_str_hex_digit(want.ptr[0]) << 4 | cw_str_hex_digit(want.ptr[1]));
            cr_assert_eq(wide[15] & 15, cw_str_hex_digit(want.ptr[want.len - 1]));
        } else if (c->type == CW_SLOT_HEX) {
            cr_assert_eq(c->digits[i], want.len);
            cr_assert_eq(c->values[i] & 15, cw_str_hex_digit(want.ptr[want.len - 1]));
        }
    }
}

Test(template_block, columns_hold_the_values)
{
    const struct cw_layout *layout;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        make(CW_COUNT(shapes), 400, seed);
        open_block();
        cr_assert_eq(cw_template_block_layout(tb, &layout, &err), 0, "%s", err.text);
        cr_assert_eq(layout->ncolumns, model.layout.ncolumns);
        for (uint32_t c = 0; c < layout->ncolumns; c++) {
            check_column(c);
            struct cw_str dictionary = cw_template_block_dictionary(tb, c);
            cr_assert_eq(dictionary.len > 0, cw_slot_is_string(layout->columns[c].type));
        }
        keep_random(2);
        check_rows(0, model.nrows);
        template_model_fini(&model);
    }
}

Test(template_block, a_block_of_empty_lines)
{
    struct cw_str templates[] = {CW_STR("")};
    template_model_make(&model, templates, 1, 100, 1);
    template_model_encode(&model, 1, &bytes);
    open_block();
    keep_random(1);
    check_rows(0, 100);
    template_model_fini(&model);
}

/* ---- wrong bytes ---- */

static void read_all(struct cw_str some)
{
    const struct cw_layout *layout;
    const struct cw_column *column;
    if (cw_block_open(some, &block, &err) < 0 || block.kind != CW_BLOCK_TEMPLATES ||
        cw_template_block_open(tb, &block, &err) < 0) {
        cr_assert_eq(err.code == 0 || err.code == CW_E_CORRUPT, 1);
        return;
    }
    static const uint32_t steps[] = {CW_BLOCK_ROWS_MAX, 100};
    for (size_t i = 0; i < CW_COUNT(steps); i++) {
        keep_random(i == 0 ? 1 : 90);
        for (uint32_t row = 0; row < block.rows; row += steps[i]) {
            uint32_t to = CW_MIN(row + steps[i], block.rows);
            cw_buf_clear(&text);
            int rc = cw_template_block_lines(tb, keep, row, to, &text, offsets, &err);
            cr_assert(rc == 0 || rc == CW_E_CORRUPT, "%s", err.text);
            cr_assert(rc < 0 || text.len <= block.raw_bytes);
            rc = cw_template_block_sizes(tb, keep, row, to, sizes, &err);
            cr_assert(rc == 0 || rc == CW_E_CORRUPT);
            if (rc < 0)
                break;
        }
    }
    if (cw_template_block_layout(tb, &layout, &err) < 0)
        return;
    for (uint32_t c = 0; c < layout->ncolumns; c++) {
        int rc = cw_template_block_column(tb, c, &column, &err);
        cr_assert(rc == 0 || rc == CW_E_CORRUPT);
    }
}

Test(template_block, wrong_bytes_are_noticed)
{
    make(CW_COUNT(shapes), 60, 5);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 1;
        keep_random(1);
        int rc = cw_block_open(cw_buf_str(&bytes), &block, &err);
        if (rc == 0 && block.kind == CW_BLOCK_TEMPLATES)
            rc = cw_template_block_open(tb, &block, &err);
        cw_buf_clear(&text);
        if (rc == 0)
            rc = cw_template_block_lines(tb, keep, 0, model.nrows, &text, offsets, &err);
        /* Times are not read here. */
        bool times = (size_t)(block.times.stored.ptr - bytes.ptr) <= i &&
                     i < (size_t)(block.times.stored.ptr - bytes.ptr) + block.times.stored.len;
        cr_assert(rc == CW_E_CORRUPT || times, "byte %zu", i);
        bytes.ptr[i] ^= 1;
    }
    template_model_fini(&model);
}

Test(template_block, wrong_bytes_with_right_checksums_do_no_harm, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        make(1 + seed % CW_COUNT(shapes), 300, seed);
        for (size_t i = 0; i < bytes.len; i += 1 + part_model_random(&state) % 7) {
            struct cw_str was = cw_str_make(malloc(bytes.len), bytes.len);
            memcpy((char *)was.ptr, bytes.ptr, bytes.len);
            size_t n = CW_MIN((size_t)8, bytes.len - i);
            switch (part_model_random(&state) % 4) {
            case 0: bytes.ptr[i] ^= (char)(1 << part_model_random(&state) % 8); break;
            case 1: memset(bytes.ptr + i, 0xff, n); break;
            case 2: memset(bytes.ptr + i, 0, n); break;
            default: bytes.ptr[i] = (char)part_model_random(&state); break;
            }
            template_model_reseal(bytes.ptr, bytes.len);
            read_all(cw_buf_str(&bytes));
            memcpy(bytes.ptr, was.ptr, was.len);
            free((char *)was.ptr);
        }
        template_model_fini(&model);
    }
}

Test(template_block, a_block_cut_anywhere_is_refused)
{
    make(CW_COUNT(shapes), 100, 7);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        char *exact = malloc(cut + 1);
        memcpy(exact, bytes.ptr, cut);
        cr_assert_eq(cw_block_open(cw_str_make(exact, cut), &block, &err), CW_E_CORRUPT);
        free(exact);
    }
    template_model_fini(&model);
}
