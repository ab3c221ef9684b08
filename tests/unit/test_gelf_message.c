#include <criterion/criterion.h>
#include "common/base/codec.h"
#include "common/wire/push.h"
#include "shipper/gelf_message.h"

static struct cw_gelf_chunks *chunks;
static struct cw_str whole;
static uint64_t lost;

static void setup(void)
{
    chunks = cw_gelf_chunks_new();
}

static void teardown(void)
{
    cw_gelf_chunks_free(&chunks);
}

TestSuite(gelf_message, .init = setup, .fini = teardown);

static int chunk(unsigned id, unsigned number, unsigned count, const char *text, int64_t now_ns)
{
    char datagram[256] = "\x1e\x0f";
    memcpy(datagram + 2, &id, sizeof id);
    datagram[10] = (char)number;
    datagram[11] = (char)count;
    memcpy(datagram + 12, text, strlen(text));
    return cw_gelf_chunks_add(chunks, cw_str_make(datagram, 12 + strlen(text)), now_ns, &whole,
                              &lost, NULL);
}

Test(gelf_message, chunks_come_in_any_order_and_mixed)
{
    cr_assert_eq(chunk(1, 2, 3, "c", 0), 0);
    cr_assert_eq(chunk(2, 0, 2, "x", 0), 0);
    cr_assert_eq(chunk(1, 0, 3, "a", 0), 0);
    cr_assert_eq(chunk(1, 0, 3, "a", 0), 0, "a repeated datagram");
    cr_assert_eq(chunk(1, 1, 3, "b", 0), 1);
    cr_assert(cw_str_eqz(whole, "abc"));
    cr_assert_eq(chunk(2, 1, 2, "y", 0), 1);
    cr_assert(cw_str_eqz(whole, "xy"));
    cr_assert_eq(chunk(3, 0, 1, "", 0), 1);
    cr_assert_eq(whole.len, 0);
    cr_assert_eq(cw_gelf_chunks_add(chunks, CW_STR("{}"), 0, &whole, &lost, NULL), 1);
    cr_assert(cw_str_eqz(whole, "{}"), "no chunk: whole as it is");
    cr_assert_eq(lost, 0);
}

Test(gelf_message, what_does_not_become_whole_is_given_up)
{
    cr_assert_eq(chunk(1, 0, 2, "a", 0), 0);
    cr_assert_eq(chunk(1, 1, 2, "b", CW_GELF_PARTIAL_NS + 1), 0);
    cr_assert_eq(lost, 1);
    for (unsigned i = 0; i < CW_GELF_PARTIAL_MAX; i++)
        cr_assert_eq(chunk(100 + i, 0, 2, "a", CW_GELF_PARTIAL_NS + 2), 0);
    cr_assert_eq(lost, 2, "the oldest makes room");
}

Test(gelf_message, chunks_that_are_none)
{
    cr_assert_eq(chunk(1, 0, 0, "a", 0), CW_E_INVALID);
    cr_assert_eq(chunk(1, 2, 2, "a", 0), CW_E_INVALID);
    cr_assert_eq(chunk(1, 0, 129, "a", 0), CW_E_INVALID);
    cr_assert_eq(chunk(1, 0, 2, "a", 0), 0);
    cr_assert_eq(chunk(1, 1, 3, "a", 0), CW_E_INVALID);
    cr_assert_eq(cw_gelf_chunks_add(chunks, CW_STR("\x1e\x0fxxxx"), 0, &whole, &lost, NULL),
                 CW_E_INVALID);
}

Test(gelf_message, compression_is_taken_off)
{
    struct cw_buf packed, raw;
    struct cw_str out;
    cw_buf_init(&packed, 4096);
    cw_buf_init(&raw, CW_GELF_BYTES);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, CW_STR("{\"a\":1}"), &packed, NULL), 0);
    cr_assert_eq(cw_gelf_unpack(cw_buf_str(&packed), &raw, &out, NULL), 0);
    cr_assert(cw_str_eqz(out, "{\"a\":1}"));
    cr_assert_eq(
        cw_gelf_unpack(CW_STR("\x78\x9c\xab\x56\x4a\x54\xb2\x32\xac\x05\x00\x08\x2a\x02\x09"), &raw,
                       &out, NULL),
        0, "zlib");
    cr_assert(cw_str_eqz(out, "{\"a\":1}"), "%.*s", CW_STR_ARG(out));
    cr_assert_eq(cw_gelf_unpack(CW_STR("{\"b\":2}"), &raw, &out, NULL), 0);
    cr_assert(cw_str_eqz(out, "{\"b\":2}"));
    cr_assert_lt(cw_gelf_unpack(cw_str_sub(cw_buf_str(&packed), 0, 15), &raw, &out, NULL), 0);
    cw_buf_fini(&packed);
    cw_buf_fini(&raw);
}

Test(gelf_message, members_and_the_time_to_the_nanosecond)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_gelf_message got;
    cr_assert_eq(
        cw_gelf_message_decode(
            CW_STR("{\"version\":\"1.1\",\"host\":\"web\",\"short_message\":\"x\",\"level\":3,"
                   "\"_a\":{\"b\":[1]},\"timestamp\":1767607200.123456789,\"facility\":\"f\"}\n"),
            arena, &got, NULL),
        0);
    cr_assert(cw_str_eqz(got.version, "1.1") && cw_str_eqz(got.host, "web") &&
              cw_str_eqz(got.level, "error") && cw_str_eqz(got.facility, "f"));
    cr_assert_eq(got.ts_ns, INT64_C(1767607200123456789));
    static const char *const levels[][2] = {
        {"0", "emergency"}, {"7", "debug"},       {"8", ""},
        {"4294967296", ""}, {"\"warn\"", "warn"}, {"\"6\"", "informational"},
        {"null", ""}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        struct cw_str json = cw_arena_printf(arena, "{\"level\":%s}", levels[i][0]);
        cr_assert_eq(cw_gelf_message_decode(json, arena, &got, NULL), 0);
        cr_assert(cw_str_eqz(got.level, levels[i][1]), "%s", levels[i][0]);
    }
    static const char *const times[] = {"1e9", "-1", "99999999999999999999", "\"x\"", "1.5e3"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct cw_str json = cw_arena_printf(arena, "{\"timestamp\":%s}", times[i]);
        cr_assert_eq(cw_gelf_message_decode(json, arena, &got, NULL), 0);
        cr_assert_eq(got.ts_ns, CW_PUSH_TS_NONE, "%s", times[i]);
    }
    static const char *const bad[] = {"", "[]", "{", "{}x", "text", "{\"a\":[}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(cw_gelf_message_decode(cw_str_of(bad[i]), arena, &got, NULL), CW_E_INVALID,
                     "%s", bad[i]);
    cw_arena_free(&arena);
}
