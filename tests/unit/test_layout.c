/* test_layout.c - which slots share a column, and what a layout refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/store/layout.h"

static struct cw_layout layout;

static void init(void)
{
    cw_layout_init(&layout);
}

static void fini(void)
{
    cw_layout_fini(&layout);
}

TestSuite(layout, .init = init, .fini = fini);

static int add(struct cw_str text)
{
    struct cw_err err;
    return cw_layout_add(&layout, text, &err);
}

static uint16_t column(uint32_t template, uint32_t slot)
{
    return layout.slots[layout.templates[template].first_slot + slot].column;
}

Test(layout, slots_behind_the_same_text_share_a_column)
{
    cr_assert_eq(add(CW_STR("GET /a: it took \x06 ms")), 0);
    cr_assert_eq(add(CW_STR("POST /b: it took \x06 ms, size \x06")), 0);
    cr_assert_eq(column(0, 0), column(1, 0));
    cr_assert_neq(column(1, 0), column(1, 1));
    cr_assert_eq(layout.ncolumns, 2);
}

Test(layout, slots_of_another_type_do_not)
{
    cr_assert_eq(add(CW_STR("took \x06")), 0);
    cr_assert_eq(add(CW_STR("took \x05")), 0);
    cr_assert_neq(column(0, 0), column(1, 0));
}

Test(layout, a_short_text_means_what_stands_before_it)
{
    cr_assert_eq(add(CW_STR("date \x06-\x06-\x06")), 0);
    cr_assert_eq(add(CW_STR("date \x06-\x06-\x06 more")), 0);
    cr_assert_eq(layout.ncolumns, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(column(0, i), column(1, i));
}

Test(layout, a_template_that_is_refused_leaves_no_trace)
{
    char many[2 * (CW_TEMPLATE_SLOTS_MAX + 1)];
    for (size_t i = 0; i < sizeof(many); i += 2) {
        many[i] = (char)('!' + i % 90);
        many[i + 1] = CW_SLOT_NUM;
    }
    cr_assert_eq(add(CW_STR("a \x06")), 0);
    cr_assert_eq(add(cw_str_make(many, sizeof(many))), CW_E_LIMIT);
    cr_assert_eq(layout.ntemplates, 1);
    cr_assert_eq(layout.nslots, 1);
    cr_assert_eq(layout.ncolumns, 1);
    cr_assert_eq(add(CW_STR("b \x06")), 0);
    cr_assert_eq(layout.ncolumns, 2);
    cr_assert_eq(add(CW_STR("c a \x06")), 0);
    cr_assert_eq(column(2, 0), 2, "8 bytes before the slot tell its column");
}

Test(layout, a_raw_line_stands_alone)
{
    cr_assert_eq(add(CW_STR("\x11")), 0);
    cr_assert_eq(add(CW_STR("x\x11")), CW_E_CORRUPT);
    cr_assert_eq(add(cw_str_make("x\0y", 3)), CW_E_CORRUPT);
}

Test(layout, too_many_columns_are_refused)
{
    int rc = 0;
    uint32_t n = 0;
    for (; rc == 0; n++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%c%c%c%c \x06", 'a' + n % 26, 'a' + n / 26 % 26,
                           'a' + n / 676 % 26, 'k');
        char *copy = strdup(text); /* lives until the process ends, as the layout borrows it */
        rc = add(cw_str_make(copy, (size_t)len));
    }
    cr_assert_eq(rc, CW_E_LIMIT);
    cr_assert_eq(layout.ncolumns, CW_BLOCK_COLUMNS_MAX);
    cr_assert_eq(layout.ntemplates, CW_BLOCK_COLUMNS_MAX);
}

Test(layout, the_reserved_bytes_are_the_slots_and_nul)
{
    for (unsigned c = 0; c < 256; c++)
        cr_assert_eq(cw_slot_reserved((unsigned char)c), c <= 0x08 || (c >= 0x0e && c <= 0x11),
                     "0x%02x", c);
}
