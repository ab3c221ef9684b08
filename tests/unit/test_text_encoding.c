#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "shipper/text_encoding.h"

static struct cw_arena *arena;
static struct cw_text_encoding *encoding;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_text_encoding_free(&encoding);
    cw_arena_free(&arena);
}

TestSuite(text_encoding, .init = setup, .fini = teardown);

static void named(const char *name)
{
    struct cw_err err = {0};
    cw_text_encoding_free(&encoding);
    cr_assert_eq(cw_text_encoding_new(cw_str_of(name), &encoding, &err), 0, "%s: %s", name,
                 err.text);
}

static void expect(const char *name, struct cw_str line, const char *utf8, size_t nbad)
{
    struct cw_text text;
    named(name);
    cw_text_convert(encoding, line, arena, &text);
    cr_assert(cw_str_eqz(text.utf8, utf8), "%s: \"%.*s\" is not \"%s\"", name,
              CW_STR_ARG(text.utf8), utf8);
    cr_assert_eq(text.nbad, nbad, "%s: %zu", name, text.nbad);
}

Test(text_encoding, lines_become_utf8)
{
    expect("ISO-8859-1", CW_STR("caf\xe9"), "café", 0);
    expect("latin1", CW_STR("caf\xe9"), "café", 0);
    expect("windows-1252", CW_STR("\x80 5"), "€ 5", 0);
    expect("Windows-1251", CW_STR("\xcf\xf0\xe8"), "При", 0);
    expect("KOI8-R", CW_STR("\xf0\xd2\xc9"), "При", 0);
    expect("GBK", CW_STR("a\xc4\xe3\xba\xc3"), "a你好", 0);
    expect("GB18030", CW_STR("\xc4\xe3\x94\x39\xda\x33"), "你💩", 0);
    expect("Shift_JIS", CW_STR("C:\\\x93\xfa\x96\x7b"), "C:\\日本", 0);
    expect("EUC-JP", CW_STR("\xc6\xfc\xcb\xdc"), "日本", 0);
    expect("EUC-KR", CW_STR("\xc7\xd1\xb1\xdb"), "한글", 0);
    expect("Big5", CW_STR("\xa7\x41\xa6\x6e"), "你好", 0);
    expect("ISO-2022-JP", CW_STR("\x1b$BF|K\\\x1b(B!"), "日本!", 0);
    expect("UTF-16LE", CW_STR("a\0\x60\x4f\x3d\xd8\xa9\xdc"), "a你💩", 0);
    expect("UTF-16BE", CW_STR("\0a\x4f\x60\xd8\x3d\xdc\xa9"), "a你💩", 0);
    expect("UTF-8", CW_STR("caf\xc3\xa9"), "café", 0);
}

Test(text_encoding, what_means_nothing_becomes_a_replacement_and_is_counted)
{
    expect("UTF-8",
           CW_STR("a\xff\xfe"
                  "b"),
           "a\uFFFD\uFFFDb", 2);
    expect("UTF-8", CW_STR("a\xf7\xbf\xbf\xbf!"), "a\uFFFD\uFFFD\uFFFD\uFFFD!", 4);
    expect("UTF-8", CW_STR("\xfa\xa3\xa3\xa3\xa3\xff"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD", 6);
    expect("GBK",
           CW_STR("\xc4\xe3\xff"
                  "b\xc4"),
           "你\uFFFDb\uFFFD", 2);
    expect("windows-1252", CW_STR("\x81!"), "\uFFFD!", 1);
    expect("UTF-16LE",
           CW_STR("\x3d\xd8"
                  "a\0\xa9\xdc"
                  "b"),
           "\uFFFDa\uFFFD\uFFFD", 3);
    char bytes[3000];
    memset(bytes, 0xff, sizeof bytes);
    struct cw_text text;
    named("utf-8");
    cw_text_convert(encoding, cw_str_make(bytes, sizeof bytes), arena, &text);
    cr_assert(text.nbad == 3000 && text.utf8.len == 9000);
}

Test(text_encoding, no_state_is_left_from_the_line_before)
{
    struct cw_text text;
    named("ISO-2022-JP");
    cw_text_convert(encoding, CW_STR("\x1b$BF|"), arena, &text);
    cr_assert(cw_str_eqz(text.utf8, "日"));
    cw_text_convert(encoding, CW_STR("F|"), arena, &text);
    cr_assert(cw_str_eqz(text.utf8, "F|"));
}

Test(text_encoding, unknown_and_unfit_names_are_refused)
{
    static const char *const names[] = {
        "", "klingon", "UTF-8//TRANSLIT", "UTF-32LE", "IBM037", "ISO-8859-1,GBK", "UCS-2"};
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        struct cw_err err = {0};
        cr_assert_eq(cw_text_encoding_new(cw_str_of(names[i]), &encoding, &err), CW_E_INVALID, "%s",
                     names[i]);
        cr_assert_null(encoding);
    }
}

Test(text_encoding, a_mark_at_the_beginning_is_known_when_it_is_whole)
{
    static const struct {
        struct cw_str first;
        enum cw_text_bom bom;
    } cases[] = {
        {CW_STR(""), CW_BOM_UNKNOWN},           {CW_STR("\xef"), CW_BOM_UNKNOWN},
        {CW_STR("\xef\xbb"), CW_BOM_UNKNOWN},   {CW_STR("\xef\xbb\xbf"), CW_BOM_UTF8},
        {CW_STR("\xff"), CW_BOM_UNKNOWN},       {CW_STR("\xff\xfe"), CW_BOM_UTF16LE},
        {CW_STR("\xfe\xff\0"), CW_BOM_UTF16BE}, {CW_STR("a"), CW_BOM_NONE},
        {CW_STR("\xef\xbb!"), CW_BOM_NONE},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        cr_assert_eq(cw_text_bom_of(cases[i].first), cases[i].bom, "case %zu", i);
    named("gbk");
    cr_assert_eq(cw_text_encoding_by(CW_BOM_NONE, encoding), encoding);
    cr_assert_eq(cw_text_encoding_by(CW_BOM_UTF16LE, encoding), &cw_text_utf16le);
    cr_assert_eq(cw_text_encoding_by(CW_BOM_UTF8, encoding), &cw_text_as_is);
    cr_assert_eq(cw_text_encoding_by(CW_BOM_NONE, NULL), &cw_text_as_is);
}

Test(text_encoding, newlines_of_utf16_are_whole_characters)
{
    /* U+0A0A, U+0A00, U+000A */
    cr_assert_eq(cw_text_newline(&cw_text_utf16be, CW_STR("\x0a\x0a\x0a\x00\x00\x0a")), 4);
    cr_assert_eq(cw_text_newline(&cw_text_utf16le, CW_STR("\x0a\x0a\x00\x0a\x0a\x00")), 4);
    cr_assert_eq(cw_text_newline(&cw_text_utf16le, CW_STR("a\0\n")), -1, "half of one");
    cr_assert_eq(cw_text_newline(&cw_text_as_is, CW_STR("ab\n")), 2);
    cr_assert_eq(cw_text_newline(&cw_text_as_is, CW_STR("")), -1);
    cr_assert_eq(cw_text_nuls(&cw_text_utf16be, CW_STR("\0\0\0a")), 2);
    cr_assert_eq(cw_text_nuls(&cw_text_as_is, CW_STR("\0\0\0a")), 3);
}

Test(text_encoding, utf8_is_cut_between_characters)
{
    cr_assert_eq(cw_text_utf8_cut(CW_STR("abc"), 9), 3);
    cr_assert_eq(cw_text_utf8_cut(CW_STR("abc"), 2), 2);
    cr_assert_eq(cw_text_utf8_cut(cw_str_of("aé"), 2), 1);
    cr_assert_eq(cw_text_utf8_cut(cw_str_of("aé"), 3), 3);
    cr_assert_eq(cw_text_utf8_cut(cw_str_of("a💩b"), 4), 1);
    cr_assert_eq(cw_text_utf8_cut(cw_str_of("a💩b"), 5), 5);
    cr_assert_eq(cw_text_utf8_cut(cw_str_of("💩"), 2), 2, "always on");
    cr_assert_eq(cw_text_utf8_cut(CW_STR("\x80\x80\x80\x80\x80\x80"), 5), 5, "no UTF-8");
}
