#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/net/websocket_frame.h"

static struct cw_websocket_reader reader;
static struct cw_websocket_message message;
static struct cw_err err;
static struct cw_buf bytes;

static void begin(enum cw_websocket_role role, size_t max_bytes)
{
    cw_websocket_reader_init(&reader, role, max_bytes);
    cw_buf_init(&bytes, SIZE_MAX);
}

static void teardown(void)
{
    cw_websocket_reader_fini(&reader);
    cw_buf_fini(&bytes);
}

TestSuite(websocket_frame, .fini = teardown);

/* The first message of some bytes, which are all used up by it. */
static int read_all(struct cw_str in)
{
    int rc = cw_websocket_reader_next(&reader, &in, &message, &err);
    if (rc > 0)
        cr_expect_eq(in.len, 0);
    return rc;
}

static int read_raw(const char *frame, size_t len)
{
    return read_all(cw_str_make(frame, len));
}
#define READ(literal) read_raw(literal, sizeof(literal) - 1)

static const uint8_t some_mask[4] = {0x37, 0xfa, 0x21, 0x3d};

Test(websocket_frame, the_examples_of_the_rfc_are_read)
{
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cr_assert_eq(READ("\x81\x05Hello"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_TEXT);
    cr_expect(cw_str_eqz(message.payload, "Hello"));
    cr_assert_eq(READ("\x01\x03Hel"), 0);
    cr_assert_eq(READ("\x80\x02lo"), 1);
    cr_expect(cw_str_eqz(message.payload, "Hello"));
    cr_assert_eq(READ("\x89\x05Hello"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_PING);
    teardown();
    begin(CW_WEBSOCKET_SERVER, 1000);
    cr_assert_eq(READ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1);
    cr_expect(cw_str_eqz(message.payload, "Hello"));
    cr_assert_eq(READ("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_PONG);
    cr_expect(cw_str_eqz(message.payload, "Hello"));
}

Test(websocket_frame, lengths_have_three_forms_and_only_the_shortest_is_taken)
{
    static const struct {
        size_t len, header;
    } cases[] = {{0, 2}, {125, 2}, {126, 4}, {127, 4}, {65535, 4}, {65536, 10}, {70000, 10}};
    char *payload = malloc(70000);
    memset(payload, 'x', 70000);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        for (int masked = 0; masked < 2; masked++) {
            begin(masked ? CW_WEBSOCKET_SERVER : CW_WEBSOCKET_CLIENT, 70000);
            cw_websocket_write(&bytes, CW_WEBSOCKET_TEXT, cw_str_make(payload, cases[i].len),
                               masked ? some_mask : NULL);
            cr_expect_eq(bytes.len, cases[i].header + (masked ? 4 : 0) + cases[i].len);
            cr_assert_eq(read_all(cw_buf_str(&bytes)), 1, "%zu", cases[i].len);
            cr_expect(cw_str_eq(message.payload, cw_str_make(payload, cases[i].len)));
            teardown();
        }
    }
    free(payload);
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cr_expect_eq(READ("\x81\x7e\x00\x7d"), CW_E_INVALID);
    cr_expect_eq(reader.close_code, CW_WEBSOCKET_PROTOCOL_ERROR);
    teardown();
    begin(CW_WEBSOCKET_CLIENT, 100000);
    cr_expect_eq(READ("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), CW_E_INVALID);
    cr_expect_eq(reader.close_code, CW_WEBSOCKET_PROTOCOL_ERROR);
}

Test(websocket_frame, bytes_may_come_one_at_a_time)
{
    begin(CW_WEBSOCKET_SERVER, 1000);
    cw_websocket_write(&bytes, CW_WEBSOCKET_TEXT, CW_STR("one"), some_mask);
    cw_websocket_write(&bytes, CW_WEBSOCKET_PING, CW_STR("two"), some_mask);
    cw_websocket_write(&bytes, CW_WEBSOCKET_BINARY, CW_STR("\xff three"), some_mask);
    static const char *const want[] = {"one", "two", "\xff three"};
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        struct cw_str in = cw_str_make(bytes.ptr + i, 1);
        int rc = cw_websocket_reader_next(&reader, &in, &message, &err);
        cr_assert_geq(rc, 0);
        if (rc > 0)
            cr_expect(cw_str_eqz(message.payload, want[n++]));
    }
    cr_expect_eq(n, 3);
}

Test(websocket_frame, control_frames_stand_between_fragments)
{
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cr_assert_eq(READ("\x01\x02He"), 0);
    cr_assert_eq(READ("\x89\x01?"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_PING);
    cr_expect(cw_str_eqz(message.payload, "?"));
    cr_assert_eq(READ("\x00\x00"), 0, "an empty fragment");
    cr_assert_eq(READ("\x8a\x00"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_PONG);
    cr_assert_eq(READ("\x80\x03llo"), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_TEXT);
    cr_expect(cw_str_eqz(message.payload, "Hello"));
    cr_assert_eq(READ("\x82\x02ok"), 1, "and another message");
    cr_expect(cw_str_eqz(message.payload, "ok"));
}

Test(websocket_frame, a_character_may_be_cut_by_fragments)
{
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cr_assert_eq(READ("\x01\x01\xc3"), 0);
    cr_assert_eq(READ("\x80\x01\xa9"), 1);
    cr_expect(cw_str_eqz(message.payload, "\xc3\xa9"));
}

Test(websocket_frame, bad_frames_are_told_by_their_code)
{
    static const struct {
        const char *frame;
        size_t len;
        int code;
    } cases[] = {
#define CASE(literal, code) {literal, sizeof(literal) - 1, code}
        CASE("\xc1\x01x", CW_WEBSOCKET_PROTOCOL_ERROR),                 /* RSV1 */
        CASE("\x91\x01x", CW_WEBSOCKET_PROTOCOL_ERROR),                 /* RSV3 */
        CASE("\x83\x01x", CW_WEBSOCKET_PROTOCOL_ERROR),                 /* opcode 3 */
        CASE("\x8f\x00", CW_WEBSOCKET_PROTOCOL_ERROR),                  /* opcode 15 */
        CASE("\x81\x81\x01\x02\x03\x04x", CW_WEBSOCKET_PROTOCOL_ERROR), /* masked by a server */
        CASE("\x80\x01x", CW_WEBSOCKET_PROTOCOL_ERROR),                 /* continues nothing */
        CASE("\x01\x01x\x81\x01x", CW_WEBSOCKET_PROTOCOL_ERROR),        /* a message in a message */
        CASE("\x09\x00", CW_WEBSOCKET_PROTOCOL_ERROR),                  /* half a ping */
        CASE("\x89\x7e\x00\x7e", CW_WEBSOCKET_PROTOCOL_ERROR),          /* a ping of 126 bytes */
        CASE("\x88\x01\x03", CW_WEBSOCKET_PROTOCOL_ERROR),              /* half a code */
        CASE("\x88\x02\x03\xed", CW_WEBSOCKET_PROTOCOL_ERROR),          /* 1005 */
        CASE("\x88\x02\x03\xe7", CW_WEBSOCKET_PROTOCOL_ERROR),          /* 999 */
        CASE("\x88\x02\x13\x88", CW_WEBSOCKET_PROTOCOL_ERROR),          /* 5000 */
        CASE("\x88\x03\x03\xe8\xff", CW_WEBSOCKET_BAD_DATA),
        CASE("\x81\x01\xff", CW_WEBSOCKET_BAD_DATA),
        CASE("\x01\x01\xc3\x80\x01x", CW_WEBSOCKET_BAD_DATA),
        CASE("\x81\x7e\x03\xe9", CW_WEBSOCKET_TOO_BIG),
        CASE("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", CW_WEBSOCKET_TOO_BIG),
        CASE("\x01\x01x\x80\x7e\x03\xe8", CW_WEBSOCKET_TOO_BIG), /* all of them together */
#undef CASE
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        begin(CW_WEBSOCKET_CLIENT, 1000);
        struct cw_str in = cw_str_make(cases[i].frame, cases[i].len);
        cr_expect_lt(cw_websocket_reader_next(&reader, &in, &message, &err), 0, "case %zu", i);
        cr_expect_eq(reader.close_code, cases[i].code, "case %zu: %d", i, reader.close_code);
        cr_expect_eq(READ("\x81\x01x"), CW_E_INVALID, "nothing is read behind it");
        teardown();
    }
    begin(CW_WEBSOCKET_SERVER, 1000);
    cr_expect_eq(READ("\x81\x01x"), CW_E_INVALID, "a client's frame that is not masked");
    cr_expect_eq(reader.close_code, CW_WEBSOCKET_PROTOCOL_ERROR);
}

Test(websocket_frame, close_frames_have_a_code_and_a_reason_or_neither)
{
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cr_assert_eq(READ("\x88\x00"), 1);
    cr_expect_eq(message.close_code, CW_WEBSOCKET_NO_CODE);
    cw_websocket_write_close(&bytes, CW_WEBSOCKET_INTERNAL, CW_STR("why"), NULL);
    cr_assert_eq(read_all(cw_buf_str(&bytes)), 1);
    cr_expect_eq(message.opcode, CW_WEBSOCKET_CLOSE);
    cr_expect_eq(message.close_code, CW_WEBSOCKET_INTERNAL);
    cr_expect(cw_str_eqz(message.payload, "why"));
}

Test(websocket_frame, a_long_reason_is_cut_between_characters)
{
    char reason[200];
    memset(reason, 'x', sizeof reason);
    memcpy(&reason[122], "\xc3\xa9", 2); /* bytes 122 and 123: the second one finds no room */
    begin(CW_WEBSOCKET_CLIENT, 1000);
    cw_websocket_write_close(&bytes, CW_WEBSOCKET_NORMAL, cw_str_make(reason, sizeof reason), NULL);
    cr_assert_eq(read_all(cw_buf_str(&bytes)), 1);
    cr_expect_eq(message.payload.len, 122);
}
