#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/format.h"
#include "common/store/meta_reader.h"
#include "common/store/meta_writer.h"
#include "common/store/row_bits.h"
#include "common/store/section_kinds.h"
#include "tests/support/template_model.h"

enum { ROWS = 3000, KINDS = 9, TEXT_MAX = 80 };

static struct cw_err err;

static uint64_t mix(uint64_t x)
{
    x = (x + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 29) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 32;
}

/* Ids of 32 digits, one in ten no id; ids that come again; words that do, more than a byte can number; noise of any bytes. */
static int text_of(char *text, unsigned kind, uint32_t row)
{
    uint32_t id = kind == 5 ? row : row % 700, word = (uint32_t)mix(row) % 600;
    switch (kind) {
    case 5:
        if (row % 10 == 3)
            return snprintf(text, TEXT_MAX, "%s", row % 20 == 3 ? "none" : "-\n\r\t");
        /* fall through */
    case 6:
        return snprintf(text, TEXT_MAX, "%016llx%016llx", (unsigned long long)mix(id),
                        (unsigned long long)mix(mix(id)));
    case 7:
        return snprintf(text, TEXT_MAX, "%c%c-%c customer of /%c%c%c", 'a' + word % 26,
                        'a' + word / 26, 'a' + word % 7, 'k' + word % 3, 'a' + word % 5,
                        'f' + word % 4);
    default:
        for (unsigned i = 0; i < 24; i++)
            text[i] = (char)mix(row * 24 + i);
        return row % 3 == 0 ? 1 + (int)(row % 24) : 24;
    }
}

/* Values of a few kinds: one, some, as many as a dictionary always holds, one more, all different, and those above; "" is none. */
static struct cw_str value_of(char *text, unsigned kind, uint32_t row)
{
    static const unsigned distinct[] = {1, 3, CW_BLOCK_META_DICTIONARY_MAX,
                                        CW_BLOCK_META_DICTIONARY_MAX + 1, ROWS};
    if (kind % 2 == 1 && row % 7 == 0)
        return CW_STR("");
    if (kind > 4)
        return cw_str_make(text, (size_t)text_of(text, kind, row));
    int len = snprintf(text, TEXT_MAX, "%.*s%u", (int)(row % distinct[kind] % 5), "wxyz",
                       row % distinct[kind]);
    return cw_str_make(text, (size_t)len);
}

static size_t pairs_of(uint32_t row, char texts[KINDS][TEXT_MAX], struct cw_label *out)
{
    static const char names[] = "abcdefghi";
    size_t n = 0;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct cw_str value = value_of(texts[kind], kind, row);
        if (value.len > 0)
            out[n++] = (struct cw_label){cw_str_make(names + kind, 1), value};
    }
    return n;
}

/* The sections of one block's metadata. */
struct written {
    struct cw_block_sections sections;
    uint32_t rows, incompat;
    struct cw_str meta;
    struct cw_section values[CW_BLOCK_META_VALUES_MAX];
    uint32_t nvalues;
    struct cw_meta_memory *memory;
};

static void written_init(struct written *w)
{
    *w = (struct written){.memory = cw_meta_memory_new()};
    cw_block_sections_init(&w->sections);
}

static void written_fini(struct written *w)
{
    cw_block_sections_fini(&w->sections);
    cw_meta_memory_free(&w->memory);
}

static void finish(struct cw_meta_writer *writer, uint32_t rows, struct written *w)
{
    struct cw_value_filter_builder *keys = cw_value_filter_builder_new();
    w->rows = rows;
    w->nvalues = 0;
    cw_block_sections_clear(&w->sections);
    cr_assert_eq(
        cw_meta_writer_finish(writer, rows, CW_CODEC_NONE, &w->sections, keys, &w->incompat, &err),
        0, "%s", err.text);
    cw_value_filter_builder_free(&keys);
    const char *bytes = w->sections.bytes.ptr;
    for (size_t at = 0; at < w->sections.entries.len; at += CW_BLOCK_SECTION_BYTES) {
        const char *entry = w->sections.entries.ptr + at;
        struct cw_str stored = cw_str_make(bytes, cw_get32(entry + 8));
        if (entry[0] == CW_SECTION_META)
            w->meta = stored;
        else
            w->values[w->nvalues++] =
                (struct cw_section){stored, cw_get32(entry + 4), cw_get32(entry + 12), 0};
        bytes += stored.len;
    }
}

static int open_reader(struct written *w, struct cw_meta_reader **out)
{
    return cw_meta_reader_open(w->meta, w->rows, w->values, w->nvalues, w->memory, out, &err);
}

static void write_rows(uint32_t rows, struct written *w)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    char texts[KINDS][TEXT_MAX];
    struct cw_label pairs[KINDS];
    written_init(w);
    for (uint32_t row = 0; row < rows; row++) {
        size_t n = pairs_of(row, texts, pairs);
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){pairs, n}, &err), 0);
    }
    finish(writer, rows, w);
    cw_meta_writer_free(&writer);
}

/* Rows of [from, from + n) whose bit is set. */
static void check_rows(struct cw_meta_reader *reader, const uint64_t *keep, uint32_t from,
                       uint32_t n)
{
    cr_assert_eq(cw_meta_reader_read(reader, keep, from, n, &err), 0, "%s", err.text);
    for (uint32_t i = 0; (i = cw_bits_next(keep, i, n)) < n; i++) {
        char texts[KINDS][TEXT_MAX];
        struct cw_label want[KINDS], got[KINDS];
        size_t npairs = pairs_of(from + i, texts, want);
        cr_assert_eq(cw_meta_reader_row(reader, from + i, got, KINDS), npairs);
        cr_assert(cw_labels_eq((struct cw_labels){got, npairs}, (struct cw_labels){want, npairs}),
                  "row %u", from + i);
    }
}

Test(meta_column, rows_have_the_pairs_that_they_were_given)
{
    static uint64_t all[ROWS / 64 + 1];
    struct cw_meta_reader *reader;
    struct written w;
    write_rows(ROWS, &w);
    cw_bits_set(all, 0, ROWS);
    cr_expect_eq(w.incompat, CW_BLOCK_INCOMPAT_META_DICTIONARY | CW_BLOCK_INCOMPAT_META_VALUES);
    cr_expect_geq(w.nvalues, 2, "%u names have blocks of their own", w.nvalues);
    cr_assert_eq(open_reader(&w, &reader), 0, "%s", err.text);
    check_rows(reader, all, 0, ROWS);
    struct cw_labels shared;
    cr_expect_not(cw_meta_reader_shared(reader, 0, &shared), "values of some names are many");
    cw_meta_reader_close(&reader);
    written_fini(&w);
}

Test(meta_column, any_rows_are_read_in_any_order)
{
    struct cw_meta_reader *reader;
    struct written w;
    write_rows(ROWS, &w);
    for (unsigned round = 0; round < 60; round++) {
        cr_assert_eq(open_reader(&w, &reader), 0, "%s", err.text);
        unsigned one_in = 1 + round * round % 97, n = 64 + round * 37 % 900;
        for (unsigned piece = 0; piece < 8; piece++) {
            uint64_t keep[1024 / 64] = {0};
            uint32_t from = round % 3 == 0   ? piece * n % (ROWS - n)
                            : round % 3 == 1 ? (ROWS - n) - piece * n % (ROWS - n)
                                             : (uint32_t)mix(round * 8 + piece) % (ROWS - n);
            for (uint32_t i = 0; i < n; i++)
                if (mix(piece * 1000 + i + round) % one_in == 0)
                    cw_bits_set(keep, i, i + 1);
            check_rows(reader, keep, from, n);
        }
        cw_meta_reader_close(&reader);
    }
    written_fini(&w);
}

Test(meta_column, rows_with_the_same_few_values_share_their_pairs)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    struct cw_meta_reader *reader;
    struct cw_labels first[4] = {{NULL, 0}}, got;
    struct written w;
    static const struct cw_label both[] = {{{"a", 1}, {"x", 1}}, {{"b", 1}, {"y", 1}}};
    static const struct cw_label other[] = {{{"a", 1}, {"z", 1}}};
    static const struct cw_labels kinds[] = {{both, 2}, {both, 1}, {other, 1}, {NULL, 0}};
    static uint64_t all[ROWS / 64 + 1];
    written_init(&w);
    for (uint32_t row = 0; row < ROWS; row++)
        cr_assert_eq(cw_meta_writer_add(writer, row, kinds[row * row % 7 % 4], &err), 0);
    finish(writer, ROWS, &w);
    cr_assert_eq(open_reader(&w, &reader), 0, "%s", err.text);
    cw_bits_set(all, 0, ROWS);
    cr_assert_eq(cw_meta_reader_read(reader, all, 0, ROWS, &err), 0, "%s", err.text);
    for (uint32_t row = 0; row < ROWS; row++) {
        unsigned kind = row * row % 7 % 4;
        cr_assert(cw_meta_reader_shared(reader, row, &got));
        cr_assert(cw_labels_eq(got, kinds[kind]), "row %u", row);
        if (first[kind].items != NULL)
            cr_assert_eq(got.items, first[kind].items, "row %u", row);
        first[kind] = got;
    }
    cw_meta_reader_close(&reader);
    written_fini(&w);
    cw_meta_writer_free(&writer);
}

/* `ndistinct` ids in turn as the only metadata of ROWS rows; `print` is of an id. */
static void write_ids(const char *print, uint32_t ndistinct, struct written *w)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    written_init(w);
    for (uint32_t row = 0; row < ROWS; row++) {
        char text[TEXT_MAX];
        uint64_t id = mix(row % ndistinct);
        int len = snprintf(text, sizeof(text), print, (unsigned long long)id,
                           (unsigned long long)mix(id));
        struct cw_label pair = {{"id", 2}, {text, (size_t)len}};
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){&pair, 1}, &err), 0);
    }
    finish(writer, ROWS, w);
    cw_meta_writer_free(&writer);
}

/* META and META_VALUES together. */
static size_t size_of_ids(const char *print, uint32_t ndistinct)
{
    struct written w;
    write_ids(print, ndistinct, &w);
    size_t size = w.sections.bytes.len;
    written_fini(&w);
    return size;
}

enum { HEADERS = 200 + ROWS / 8 };

Test(meta_column, ids_cost_the_bits_that_they_have)
{
    cr_expect_leq(size_of_ids("%016llx%016llx", ROWS), ROWS * 16 + HEADERS);
    cr_expect_leq(size_of_ids("%016llx", ROWS), ROWS * 9 + HEADERS); /* some are numbers */
}

Test(meta_column, ids_that_come_again_cost_a_number_each_time)
{
    cr_expect_leq(size_of_ids("%016llx%016llx", 500), 500 * 16 + ROWS * 9 / 8 + HEADERS);
    cr_expect_leq(size_of_ids("%016llx%016llx", 1500), 1500 * 16 + ROWS * 11 / 8 + HEADERS);
}

Test(meta_column, rows_share_pairs_of_encoded_values_once_all_were_read)
{
    static uint64_t all[ROWS / 64 + 1], one[1] = {1};
    struct cw_meta_reader *reader;
    struct cw_labels got, again;
    struct written w;
    write_ids("customer-%016llx-%016llx", 200, &w);
    cw_bits_set(all, 0, ROWS);
    cr_assert_eq(w.nvalues, 1);
    cr_assert_eq(open_reader(&w, &reader), 0, "%s", err.text);
    cr_assert_eq(cw_meta_reader_read(reader, one, 0, 1, &err), 0);
    cr_expect_not(cw_meta_reader_shared(reader, 0, &got));
    cr_assert_eq(cw_meta_reader_read(reader, all, 0, ROWS, &err), 0);
    cr_assert(cw_meta_reader_shared(reader, 7, &got));
    cr_assert_eq(cw_meta_reader_read(reader, one, 100, 1, &err), 0);
    cr_assert(cw_meta_reader_shared(reader, 207, &again));
    cr_expect_eq(got.items, again.items);
    cr_expect_eq(got.items[0].value.len, strlen("customer-") + 33);
    cw_meta_reader_close(&reader);
    written_fini(&w);
}

Test(meta_column, a_dictionary_is_not_worth_it_for_few_rows)
{
    struct written w;
    write_rows(3, &w);
    cr_expect_eq(w.incompat, 0);
    cr_expect_eq(w.nvalues, 0);
    written_fini(&w);
}

Test(meta_column, values_of_few_kinds_cost_a_bit_or_two)
{
    struct cw_meta_writer *writer = cw_meta_writer_new();
    static const struct cw_str levels[] = {{"info", 4}, {"warn", 4}, {"error", 5}};
    struct written w;
    written_init(&w);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct cw_label pair = {{"detected_level", 14}, levels[row * row % 3]};
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){&pair, 1}, &err), 0);
    }
    finish(writer, ROWS, &w);
    cr_expect_leq(w.meta.len, ROWS / 8 + ROWS * 2 / 8 + 200, "%zu", w.meta.len);
    cr_expect_eq(w.incompat, CW_BLOCK_INCOMPAT_META_DICTIONARY);
    cw_meta_writer_free(&writer);
    written_fini(&w);
}

Test(meta_column, names_past_the_most_that_have_blocks_of_values_stand_in_one_section)
{
    enum { NAMES = CW_BLOCK_META_VALUES_MAX + 3, SOME = 100 };
    struct cw_meta_writer *writer = cw_meta_writer_new();
    static char names[NAMES][8], texts[NAMES][TEXT_MAX];
    static const uint64_t all[SOME / 64 + 1] = {UINT64_MAX, (UINT64_C(1) << SOME % 64) - 1};
    struct cw_label pairs[NAMES], got[NAMES];
    struct cw_meta_reader *reader;
    struct written w;
    written_init(&w);
    for (uint32_t row = 0; row < SOME; row++) {
        for (uint32_t i = 0; i < NAMES; i++) {
            int len = snprintf(names[i], sizeof(names[i]), "n%03u", i);
            pairs[i] = (struct cw_label){
                cw_str_make(names[i], (size_t)len),
                cw_str_make(texts[i], (size_t)text_of(texts[i], 6, row * NAMES + i))};
        }
        cr_assert_eq(cw_meta_writer_add(writer, row, (struct cw_labels){pairs, NAMES}, &err), 0);
    }
    finish(writer, SOME, &w);
    cr_expect_eq(w.nvalues, CW_BLOCK_META_VALUES_MAX);
    cr_assert_eq(open_reader(&w, &reader), 0, "%s", err.text);
    cr_assert_eq(cw_meta_reader_read(reader, all, 0, SOME, &err), 0, "%s", err.text);
    cr_assert_eq(cw_meta_reader_row(reader, SOME - 1, got, NAMES), NAMES);
    cr_expect(cw_labels_eq((struct cw_labels){got, NAMES}, (struct cw_labels){pairs, NAMES}));
    cw_meta_reader_close(&reader);
    cw_meta_writer_free(&writer);
    written_fini(&w);
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

static void check_filter(struct written *w, enum cw_match_op op, char name, struct cw_str value)
{
    struct cw_meta_reader *reader;
    struct cw_selector selector;
    struct cw_meta_filter filter;
    uint64_t keep[ROWS / 64 + 1] = {0};
    bool by_values = false;
    cw_selector_init(&selector);
    cr_assert_eq(cw_selector_add(&selector, op, cw_str_make(&name, 1), value, &err), 0);
    cw_meta_filter_init(&filter, &selector.items[0]);
    cr_assert_eq(open_reader(w, &reader), 0, "%s", err.text);
    for (uint32_t row = 0; row < ROWS; row++)
        if (row % 11 != 4)
            cw_bits_set(keep, row, row + 1);
    cr_assert_eq(cw_meta_reader_match(reader, &filter, CW_STR_NONE, keep, &by_values, &err), 0,
                 "%s", err.text);
    cr_expect_not(by_values);
    for (uint32_t row = 0; row < ROWS; row++) {
        char text[TEXT_MAX];
        struct cw_str has =
            name < 'a' + KINDS ? value_of(text, (unsigned)(name - 'a'), row) : CW_STR("");
        bool want = row % 11 != 4 && cw_matcher_match(&selector.items[0], has, &err) == 1;
        cr_assert_eq(keep[row / 64] >> (row % 64) & 1, want, "row %u, name %c, op %d", row, name,
                     op);
    }
    /* What is read afterwards is what it was. */
    keep[0] = 0x3ff;
    check_rows(reader, keep, 64, 200);
    cw_meta_reader_close(&reader);
    cw_meta_filter_fini(&filter);
    cw_selector_fini(&selector);
}

Test(meta_column, filters_keep_the_rows_that_their_matchers_do, .timeout = 100)
{
    static const char *const regexes[] = {".*",        ".+",         "",        "w.*",
                                          "[0-9a-f]+", "x1|y2|yz50", "(?i)WX7", ".*customer of.*a.",
                                          "[^0-9]+",   "n.*e",       "0+",      "-.*"};
    struct written w;
    write_rows(ROWS, &w);
    for (char name = 'a'; name <= 'a' + KINDS; name++) {
        for (enum cw_match_op op = CW_MATCH_EQ; op <= CW_MATCH_NE; op++) {
            for (uint32_t row = 0; row < ROWS; row += 613) {
                char text[TEXT_MAX];
                struct cw_str value = value_of(text, (unsigned)(name - 'a') % KINDS, row);
                check_filter(&w, op, name, value);
                check_filter(&w, op, name, cw_str_sub(value, 0, value.len / 2));
            }
            check_filter(&w, op, name, CW_STR("00112233445566778899aabbccddeeff"));
            check_filter(&w, op, name, CW_STR("none"));
        }
        for (enum cw_match_op op = CW_MATCH_RE; op <= CW_MATCH_NRE; op++)
            for (size_t i = 0; i < CW_COUNT(regexes); i++)
                check_filter(&w, op, name, cw_str_of(regexes[i]));
    }
    written_fini(&w);
}

enum { DAMAGE_PIECE = 250 };

/* Other values are read, or an error is told; nothing outside of the sections is touched. */
static struct cw_selector damage_selector;
static struct cw_meta_filter damage_filters[KINDS];

static void damage_filters_make(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        char name = (char)('a' + kind), text[TEXT_MAX];
        struct cw_str value = value_of(text, kind, 8);
        cr_assert_eq(cw_selector_add(&damage_selector, CW_MATCH_EQ + kind % 2,
                                     cw_str_make(&name, 1), value, &err),
                     0);
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        cw_meta_filter_init(&damage_filters[kind], &damage_selector.items[kind]);
}

static void damage_filters_free(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        cw_meta_filter_fini(&damage_filters[kind]);
    cw_selector_fini(&damage_selector);
}

static void read_damaged(struct written *w)
{
    static uint64_t all[ROWS / 64 + 1];
    struct cw_meta_reader *reader;
    struct cw_label pairs[KINDS];
    cw_bits_set(all, 0, DAMAGE_PIECE);
    if (open_reader(w, &reader) < 0) {
        cr_assert_eq(err.code, CW_E_CORRUPT);
        return;
    }
    uint64_t keep[ROWS / 64 + 1];
    bool by_values = false;
    memcpy(keep, all, sizeof(keep));
    for (size_t i = 0; i < CW_COUNT(damage_filters); i++)
        if (cw_meta_reader_match(reader, &damage_filters[i], CW_STR_NONE, keep, &by_values, &err) <
            0)
            cr_assert_eq(err.code, CW_E_CORRUPT, "%s", err.text);
    /* A piece after the other, also behind one that cannot be read. */
    for (uint32_t from = 0; from < w->rows; from += DAMAGE_PIECE) {
        uint32_t n = CW_MIN(w->rows - from, (uint32_t)DAMAGE_PIECE);
        if (cw_meta_reader_read(reader, all, from, n, &err) < 0)
            cr_assert_eq(err.code, CW_E_CORRUPT, "%s", err.text);
        else
            for (uint32_t row = from; row < from + n; row++)
                cw_meta_reader_row(reader, row, pairs, KINDS);
    }
    cw_meta_reader_close(&reader);
}

Test(meta_column, damaged_bytes_are_told)
{
    struct cw_meta_reader *reader;
    struct written w;
    damage_filters_make();
    write_rows(400, &w);
    struct cw_str meta = w.meta;
    cr_assert_geq(w.nvalues, 1);
    for (size_t n = 0; n < meta.len; n++) {
        w.meta.len = n;
        cr_assert_lt(open_reader(&w, &reader), 0, "%zu", n);
    }
    w.meta = meta;
    for (size_t i = 0; i < meta.len; i++) {
        ((char *)meta.ptr)[i] ^= 0x55;
        read_damaged(&w);
        ((char *)meta.ptr)[i] ^= 0x55;
    }
    w.nvalues--;
    cr_assert_lt(open_reader(&w, &reader), 0);
    damage_filters_free();
    written_fini(&w);
}

Test(meta_column, damaged_values_are_told, .timeout = 100)
{
    struct cw_meta_reader *reader;
    struct written w;
    damage_filters_make();
    write_rows(400, &w);
    for (uint32_t v = 0; v < w.nvalues; v++) {
        struct cw_section *section = &w.values[v];
        size_t len = section->stored.len;
        char *bytes = (char *)section->stored.ptr, *was = cw_mem_resize(NULL, len);
        memcpy(was, bytes, len);
        for (size_t n = 0; n < len; n += 1 + n / 16) {
            section->stored.len = n;
            read_damaged(&w);
        }
        section->stored.len = len;
        for (size_t i = 0; i < len; i += 1 + i / 64) {
            for (unsigned change = 0; change < 3; change++) {
                bytes[i] = (char)(change == 0 ? was[i] ^ 1 : change == 1 ? 0 : 0xff);
                template_model_reseal(bytes, len);
                read_damaged(&w);
                memcpy(bytes, was, len);
            }
        }
        bytes[CW_BLOCK_HEADER_BYTES - 1] ^= 1; /* its checksum */
        cr_assert_lt(open_reader(&w, &reader), 0);
        bytes[CW_BLOCK_HEADER_BYTES - 1] ^= 1;
        free(was);
    }
    damage_filters_free();
    written_fini(&w);
}
