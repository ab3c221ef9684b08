/* test_packed_piece.c - what is packed is read again, and every damage of it is told. */
#include <criterion/criterion.h>
#include "common/store/packed_piece.h"

static struct cw_buf region, raw;
static uint8_t entry[CW_PACKED_PIECE_ENTRY_BYTES];
static struct cw_err err;

static void setup(void)
{
    cw_buf_init(&region, 1 << 20);
    cw_buf_init(&raw, 1 << 20);
    cw_buf_addz(&region, "before");
}

static void teardown(void)
{
    cw_buf_fini(&region);
    cw_buf_fini(&raw);
}

TestSuite(packed_piece, .init = setup, .fini = teardown);

static struct cw_str repeats(void)
{
    static char text[1000];
    memset(text, 'x', sizeof text);
    return cw_str_make(text, sizeof text);
}

static const char *read_back(uint64_t raw_max)
{
    cw_buf_clear(&raw);
    return cw_packed_piece_read(entry, cw_buf_str(&region), raw_max, &raw);
}

Test(packed_piece, what_compresses_is_compressed_and_the_rest_stands_as_it_is)
{
    struct cw_str texts[] = {repeats(), CW_STR("short"), CW_STR("")};
    size_t stored[] = {0, 5, 0};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t before = region.len;
        cr_assert_eq(cw_packed_piece_add(texts[i], &region, entry, &err), 0);
        if (i == 0)
            cr_expect_lt(region.len - before, texts[i].len / 2);
        else
            cr_expect_eq(region.len - before, stored[i]);
        cr_assert_null(read_back(1000));
        cr_expect(cw_str_eq(cw_buf_str(&raw), texts[i]));
    }
}

Test(packed_piece, damage_is_told)
{
    cr_assert_eq(cw_packed_piece_add(repeats(), &region, entry, &err), 0);
    cr_expect_str_eq(read_back(999), "is too large");
    region.len--;
    cr_expect_str_eq(read_back(1000), "lies outside the region");
    region.len++;
    static const struct {
        size_t at;
        const char *wrong;
    } rows[] = {{0, "has a wrong checksum"},         {4, "lies outside the region"},
                {7, "lies outside the region"},      {8, "does not decompress"},
                {12, "has a wrong checksum"},        {15, "lies outside the region"},
                {16, "has a codec that is unknown"}, {20, "has a wrong checksum"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t mask = rows[i].at == 0 || rows[i].at == 12 ? 1 : 0x40;
        /* One byte less than there is: still inside. */
        uint8_t good = entry[rows[i].at];
        entry[rows[i].at] =
            rows[i].at == 0 || rows[i].at == 12 ? (uint8_t)(good - mask) : (uint8_t)(good ^ mask);
        const char *wrong = read_back(UINT32_MAX);
        cr_expect(wrong != NULL && strcmp(wrong, rows[i].wrong) == 0, "byte %zu: %s", rows[i].at,
                  wrong ? wrong : "fine");
        entry[rows[i].at] = good;
    }
    region.ptr[region.len - 1] ^= 1;
    cr_expect_str_eq(read_back(1000), "has a wrong checksum");
}
