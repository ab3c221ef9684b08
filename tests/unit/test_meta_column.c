#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/store/format.h"
#include "common/store/meta_column.h"

enum { ROWS = 3000 };

static struct cw_err err;

/* Values of a few kinds: one, some, as many as a dictionary holds, one more, all different; "" is none. */
static struct cw_str value_of(char *text, size_t size, unsigned kind, uint32_t row)
{
    static const unsigned distinct[] = {1, 3, CW_BLOCK_META_DICTIONARY_MAX,
                                        CW_BLOCK_META_DICTIONARY_MAX + 1, ROWS};
    if (kind % 2 == 1 && row % 7 == 0)
        return CW_STR("");
    int len = snprintf(text, size, "%.*s%u", (int)(row % distinct[kind] % 5), "wxyz",
                       row % distinct[kind]);
    return cw_str_make(text, (size_t)len);
}

static size_t pairs_of(uint32_t row, char texts[5][24], struct cw_label *out)
{
    static const struct cw_str names[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
    size_t n = 0;
    for (unsigned kind = 0; kind < 5; kind++) {
        struct cw_str value = value_of(texts[kind], sizeof(texts[kind]), kind, row);
        if (value.len > 0)
            out[n++] = (struct cw_label){names[kind], value};
    }
    return n;
}

static void write_rows(uint32_t rows, struct cw_buf *out, uint32_t *incompat)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    char texts[5][24];
    struct cw_label pairs[5];
    for (uint32_t row = 0; row < rows; row++) {
        size_t n = pairs_of(row, texts, pairs);
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){pairs, n}, &err), 0);
    }
    *incompat = cw_meta_writer_finish(writer, rows, out);
    cw_meta_writer_free(&writer);
}

Test(meta_column, rows_have_the_pairs_that_they_were_given)
{
    struct cw_meta_reader *reader;
    struct cw_buf section;
    uint32_t incompat;
    cw_buf_init(&section, CW_BLOCK_META_RAW_MAX);
    write_rows(ROWS, &section, &incompat);
    cr_expect_eq(incompat, CW_BLOCK_INCOMPAT_META_DICTIONARY);
    cr_assert_eq(cw_meta_reader_open(cw_buf_str(&section), ROWS, &reader, &err), 0, "%s", err.text);
    for (uint32_t row = 0; row < ROWS; row++) {
        char texts[5][24];
        struct cw_label want[5], got[5];
        size_t n = pairs_of(row, texts, want);
        cr_assert_eq(cw_meta_reader_row(reader, row, got, 5), n);
        cr_assert(cw_labels_eq((struct cw_labels){got, n}, (struct cw_labels){want, n}));
    }
    struct cw_labels shared;
    cr_expect_not(cw_meta_reader_shared(reader, 0, &shared), "values of some names are many");
    cw_meta_reader_close(&reader);
    cw_buf_fini(&section);
}

Test(meta_column, rows_with_the_same_few_values_share_their_pairs)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    struct cw_meta_reader *reader;
    struct cw_labels first[4] = {{NULL, 0}}, got;
    struct cw_buf section;
    static const struct cw_label both[] = {{{"a", 1}, {"x", 1}}, {{"b", 1}, {"y", 1}}};
    static const struct cw_label other[] = {{{"a", 1}, {"z", 1}}};
    static const struct cw_labels kinds[] = {{both, 2}, {both, 1}, {other, 1}, {NULL, 0}};
    cw_buf_init(&section, CW_BLOCK_META_RAW_MAX);
    for (uint32_t row = 0; row < ROWS; row++)
        cr_assert_eq(cw_meta_writer_add(writer, row, kinds[row * row % 7 % 4], &err), 0);
    cw_meta_writer_finish(writer, ROWS, &section);
    cr_assert_eq(cw_meta_reader_open(cw_buf_str(&section), ROWS, &reader, &err), 0, "%s", err.text);
    for (uint32_t row = 0; row < ROWS; row++) {
        unsigned kind = row * row % 7 % 4;
        cr_assert(cw_meta_reader_shared(reader, row, &got));
        cr_assert(cw_labels_eq(got, kinds[kind]), "row %u", row);
        if (first[kind].items != NULL)
            cr_assert_eq(got.items, first[kind].items, "row %u", row);
        first[kind] = got;
    }
    cw_meta_reader_close(&reader);
    cw_buf_fini(&section);
    cw_meta_writer_free(&writer);
}

Test(meta_column, a_dictionary_is_not_worth_it_for_few_rows)
{
    struct cw_buf section;
    uint32_t incompat;
    cw_buf_init(&section, CW_BLOCK_META_RAW_MAX);
    write_rows(3, &section, &incompat);
    cr_expect_eq(incompat, 0);
    cw_buf_fini(&section);
}

Test(meta_column, values_of_few_kinds_cost_a_bit_or_two)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    static const struct cw_str levels[] = {{"info", 4}, {"warn", 4}, {"error", 5}};
    struct cw_buf section;
    cw_buf_init(&section, CW_BLOCK_META_RAW_MAX);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct cw_label pair = {{"detected_level", 14}, levels[row * row % 3]};
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){&pair, 1}, &err), 0);
    }
    cw_meta_writer_finish(writer, ROWS, &section);
    cr_expect_leq(section.len, ROWS / 8 + ROWS * 2 / 8 + 200, "%zu", section.len);
    cw_meta_writer_free(&writer);
    cw_buf_fini(&section);
}

/* Rows whose pairs differ in number, names and size. */
static struct cw_labels pairs_of_sizes(uint32_t row, const char *long_text, char names[8][24],
                                       struct cw_label *out)
{
    uint32_t group = row / 40, n = group % 9 % 8;
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "%c%u", (int)('a' + i), group % 300);
        out[i] = (struct cw_label){cw_str_make(names[i], (size_t)len),
                                   cw_str_make(long_text, 1 + row * 31 % 3000)};
    }
    return (struct cw_labels){out, n};
}

Test(meta_column, rows_that_fit_find_no_block_that_is_full)
{
    enum { MANY = 20000, SOME = 100 };
    static char long_text[3000], names[SOME][8][24];
    static struct cw_label items[SOME][8];
    struct cw_labels pairs[SOME];
    struct cw_meta_writer *writer = cw_meta_writer_new();
    uint32_t row = 0, ncalls = 0;
    memset(long_text, 'x', sizeof(long_text));
    while (row < MANY && !cw_meta_writer_full(writer, row, row / 40 % 9 % 8)) {
        for (uint32_t i = 0; i < SOME; i++)
            pairs[i] = pairs_of_sizes(row + i, long_text, names[i], items[i]);
        uint32_t n = cw_meta_writer_fit(writer, row, pairs, SOME);
        cr_assert_gt(n, 0);
        for (uint32_t i = 0; i < n; i++, row++) {
            cr_assert(!cw_meta_writer_full(writer, row, pairs[i].n), "row %u", row);
            cr_assert_eq(cw_meta_writer_add(writer, row, pairs[i], &err), 0);
        }
        ncalls++;
    }
    cr_expect_lt(row, MANY, "nothing was full");
    cr_expect_lt(ncalls, row / 20, "%u calls for %u rows", ncalls, row);
    cr_expect_eq(cw_meta_writer_fit(writer, row, pairs, SOME), 0);
    cw_meta_writer_free(&writer);
}

Test(meta_column, damaged_bytes_are_told)
{
    struct cw_meta_reader *reader;
    struct cw_buf section;
    uint32_t incompat;
    cw_buf_init(&section, CW_BLOCK_META_RAW_MAX);
    write_rows(400, &section, &incompat);
    for (size_t n = 0; n < section.len; n++)
        cr_assert_lt(cw_meta_reader_open(cw_str_make(section.ptr, n), 400, &reader, &err), 0, "%zu",
                     n);
    for (size_t i = 0; i < section.len; i++) {
        section.ptr[i] ^= 0x55;
        if (cw_meta_reader_open(cw_buf_str(&section), 400, &reader, &err) == 0) {
            struct cw_label pairs[8]; /* other values are read, nothing outside of the section */
            for (uint32_t row = 0; row < 400; row++)
                cw_meta_reader_row(reader, row, pairs, 8);
            cw_meta_reader_close(&reader);
        }
        section.ptr[i] ^= 0x55;
    }
    cw_buf_fini(&section);
}
