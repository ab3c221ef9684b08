#include <criterion/criterion.h>
#include <stdlib.h>
#include "shipper/framing.h"
#include "shipper/spool_record.h"

static struct cw_arena *arena;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(framing, .init = setup, .fini = teardown);

static struct cw_framing framing_of(enum cw_source_format format, struct cw_str bytes)
{
    return (struct cw_framing){.format = format,
                               .bytes = bytes.ptr,
                               .len = bytes.len,
                               .start = 1000,
                               .at_end = true,
                               .arena = arena};
}

static void expect(struct cw_framing *framing, const char *line, uint64_t from, uint64_t to)
{
    struct cw_framed framed;
    cr_assert(cw_framing_next(framing, &framed), "%s", line);
    cr_assert(cw_str_eqz(framed.line, line), "\"%.*s\" is not \"%s\"", CW_STR_ARG(framed.line),
              line);
    cr_assert(framed.from == from && framed.to == to, "%lu to %lu", framed.from, framed.to);
}

static void expect_end(struct cw_framing *framing, uint64_t unfinished)
{
    struct cw_framed framed;
    cr_assert_not(cw_framing_next(framing, &framed));
    cr_assert_eq(cw_framing_unfinished(framing), unfinished);
}

Test(framing, a_line_ends_with_its_newline_or_where_nobody_goes_on)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, CW_STR("one\n\ntwo"));
    expect(&framing, "one", 1000, 1004);
    expect(&framing, "", 1004, 1005);
    expect_end(&framing, 1005);
    framing.final = true;
    expect(&framing, "two", 1005, 1008);
    expect_end(&framing, 1008);
}

Test(framing, a_line_that_no_buffer_holds_goes_in_pieces)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, CW_STR("xxxxx"));
    struct cw_framed framed;
    framing.at_end = false;
    expect_end(&framing, 1000);
    framing.whole = true;
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.split && framed.line.len == 5 && framed.to == 1005);
}

Test(framing, lines_of_another_encoding_keep_the_offsets_of_their_bytes)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, CW_STR("o\0n\0\n\0\x0a\x0a\n\0h\0a"));
    framing.encoding = &cw_text_utf16le;
    expect(&framing, "on", 1000, 1006);
    expect(&framing, "\u0a0a", 1006, 1010);
    expect_end(&framing, 1010);
    framing.final = true;
    expect(&framing, "h\uFFFD", 1010, 1013);
}

Test(framing, a_position_within_a_character_is_moved_to_the_next)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, CW_STR("\0a\0\n\0"));
    framing.encoding = &cw_text_utf16le;
    framing.start = 1001;
    expect(&framing, "a", 1002, 1006);
}

Test(framing, nul_characters_ahead_of_a_line_are_left_out_and_others_are_kept)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, CW_STR("\0\0\0a\0b\n\0\0"));
    struct cw_framed framed;
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.nuls && framed.from == 1000 && framed.to == 1003);
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(cw_str_eq(framed.line, CW_STR("a\0b")) && framed.from == 1003 && !framed.nuls);
    expect_end(&framing, 1007);
    framing.final = true;
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.nuls && framed.to == 1009);
    expect_end(&framing, 1009);
}

Test(framing, a_piece_ends_between_characters)
{
    struct cw_framing framing = framing_of(CW_SOURCE_LINES, cw_str_of("xx\xe4\xbd"));
    struct cw_framed framed;
    framing.at_end = false;
    framing.whole = true;
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.split && cw_str_eqz(framed.line, "xx") && framed.to == 1002);
    cr_assert_eq(framed.nbad, 0);
    framing = framing_of(CW_SOURCE_LINES, CW_STR("x\0\x3d\xd8\xa9"));
    framing.encoding = &cw_text_utf16le;
    framing.whole = true;
    framing.at_end = false;
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.split && cw_str_eqz(framed.line, "x") && framed.to == 1002);
    cr_assert_eq(framed.nbad, 0);
}

#define DOCKER(text, stream)                                                                       \
    "{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"2026-01-05T10:00:00Z\"}\n"

Test(framing, pieces_of_two_streams_are_told_apart)
{
    static const char bytes[] = DOCKER("a", "stdout") DOCKER("b\\n", "stderr")
        DOCKER("c\\n", "stdout") DOCKER("d", "stderr");
    struct cw_framing framing = framing_of(CW_SOURCE_DOCKER, cw_str_of(bytes));
    struct cw_framed framed;
    size_t len = strlen(DOCKER("a", "stdout"));
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(cw_str_eqz(framed.line, "b") && framed.stream == CW_DOCKER_STDERR && !framed.joined);
    cr_assert_eq(cw_framing_unfinished(&framing), 1000, "the other stream's has begun there");
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(cw_str_eqz(framed.line, "ac") && framed.joined && framed.from == 1000);
    cr_assert_eq(framed.to, 1000 + len + 2 * (len + 2));
    expect_end(&framing, framed.to);
    cr_assert(cw_framing_flush(&framing, &framed));
    cr_assert(cw_str_eqz(framed.line, "d") && framed.split);
    cr_assert_not(cw_framing_flush(&framing, &framed));
}

Test(framing, a_spool_gives_its_records_and_says_what_is_damaged)
{
    struct cw_label app = {CW_STR("app"), CW_STR("x")}, trace = {CW_STR("trace"), CW_STR("7")};
    struct cw_spool_record record = {.ts_ns = 5,
                                     .labels = {&app, 1},
                                     .metadata = {&trace, 1},
                                     .tenant = CW_STR("t"),
                                     .line = CW_STR("hello")};
    struct cw_buf bytes;
    struct cw_err err;
    struct cw_framed framed;
    cw_buf_init(&bytes, 1 << 20);
    cr_assert_eq(cw_spool_record_encode(&record, &bytes, &err), 1);
    size_t len = bytes.len;
    for (int i = 0; i < 2; i++)
        cr_assert_eq(cw_spool_record_encode(&record, &bytes, &err), 1);
    bytes.ptr[len + 20] ^= 1;
    struct cw_framing framing = framing_of(CW_SOURCE_SPOOL, cw_buf_str(&bytes));
    expect(&framing, "hello", 1000, 1000 + len);
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(framed.lost && framed.to == 1000 + 2 * len);
    cr_assert(cw_framing_next(&framing, &framed));
    cr_assert(cw_str_eqz(framed.tenant, "t") && framed.ts_ns == 5 && framed.has_ts);
    cr_assert(cw_str_eqz(cw_labels_get(framed.labels, CW_STR("app")), "x"));
    cr_assert(cw_str_eqz(cw_labels_get(framed.metadata, CW_STR("trace")), "7"));
    expect_end(&framing, 1000 + 3 * len);
    framing = framing_of(CW_SOURCE_SPOOL, cw_str_make(bytes.ptr, len - 1));
    expect_end(&framing, 1000);
    framing.final = true;
    cr_assert(cw_framing_next(&framing, &framed) && framed.lost && framed.to == 1000 + len - 1,
              "torn, and nobody goes on with it");
    cw_buf_fini(&bytes);
}
