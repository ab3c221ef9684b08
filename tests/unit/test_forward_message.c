#include <criterion/criterion.h>
#include "common/base/codec.h"
#include "common/wire/push.h"
#include "shipper/forward_message.h"

static struct cw_arena *arena;
static struct cw_forward_message got;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(forward_message, .init = setup, .fini = teardown);

#define RECORD                                                                                     \
    "\x82\xa1"                                                                                     \
    "a\x01\xa1"                                                                                    \
    "b\xa1"                                                                                        \
    "c"
#define RECORD_JSON "{\"a\":1,\"b\":\"c\"}"
#define EVENT_TIME "\xd7\x00\x00\x00\x00\x02\x00\x00\x00\x03"
#define TAG                                                                                        \
    "\xa3"                                                                                         \
    "web"
#define OPTION                                                                                     \
    "\x82\xa4"                                                                                     \
    "size\x01\xa5"                                                                                 \
    "chunk\xa2"                                                                                    \
    "id"

static int decode(struct cw_str message)
{
    return cw_forward_message_decode(message, arena, &got, NULL);
}

static void is(size_t n, int64_t ts_ns, const char *line, const char *chunk)
{
    cr_assert(cw_str_eqz(got.tag, "web"));
    cr_assert_eq(got.n, n);
    cr_assert_eq(got.entries[n - 1].ts_ns, ts_ns);
    cr_assert(cw_str_eqz(got.entries[n - 1].line, line), "%.*s",
              CW_STR_ARG(got.entries[n - 1].line));
    cr_assert(cw_str_eqz(got.chunk, chunk));
}

Test(forward_message, message_mode)
{
    cr_assert_eq(decode(CW_STR("\x93" TAG "\x05" RECORD)), 0);
    is(1, INT64_C(5000000000), RECORD_JSON, "");
    cr_assert_eq(decode(CW_STR("\x94" TAG EVENT_TIME RECORD OPTION)), 0);
    is(1, INT64_C(2000000003), RECORD_JSON, "id");
    cr_assert_eq(decode(CW_STR("\x93" TAG "\x05\x81\xa3"
                               "log\xa3"
                               "x\ny")),
                 0);
    is(1, INT64_C(5000000000), "x\ny", "");
    cr_assert_eq(decode(CW_STR("\x93" TAG "\x05\x81\xa7"
                               "message\xa2"
                               "x\n")),
                 0);
    is(1, INT64_C(5000000000), "x", "");
}

Test(forward_message, forward_mode)
{
    cr_assert_eq(decode(CW_STR("\x92" TAG "\x92\x92\x01" RECORD "\x92" EVENT_TIME RECORD)), 0);
    is(2, INT64_C(2000000003), RECORD_JSON, "");
    cr_assert_eq(decode(CW_STR("\x93" TAG "\x91\x92\x92" EVENT_TIME "\x80" RECORD OPTION)), 0);
    is(1, INT64_C(2000000003), RECORD_JSON, "id");
}

Test(forward_message, packed_modes)
{
    cr_assert_eq(decode(CW_STR("\x93" TAG "\xc4\x14\x92\x01" RECORD "\x92\x02" RECORD OPTION)), 0);
    is(2, INT64_C(2000000000), RECORD_JSON, "id");
    struct cw_buf message;
    struct cw_buf packed;
    cw_buf_init(&message, 4096);
    cw_buf_init(&packed, 4096);
    struct cw_str entries = CW_STR("\x92\x01" RECORD "\x92\x02" RECORD);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, entries, &packed, NULL), 0);
    cw_buf_adds(&message, CW_STR("\x93" TAG "\xc4"));
    cw_buf_addc(&message, (char)packed.len);
    cw_buf_adds(&message, cw_buf_str(&packed));
    cw_buf_adds(&message, CW_STR("\x81\xaa"
                                 "compressed\xa4"
                                 "gzip"));
    cr_assert_eq(decode(cw_buf_str(&message)), 0);
    is(2, INT64_C(2000000000), RECORD_JSON, "");
    message.ptr[message.len - 1] = 'q';
    cr_assert_eq(decode(cw_buf_str(&message)), CW_E_INVALID);
    cw_buf_fini(&message);
    cw_buf_fini(&packed);
}

Test(forward_message, what_is_none)
{
    static const struct cw_str bad[] = {
        CW_STR(""),
        CW_STR("\xc0"),
        CW_STR("\x91" TAG),
        CW_STR("\x92" TAG "\x05"),
        CW_STR("\x93\x01\x05" RECORD),
        CW_STR("\x93" TAG "\x05\x01"),
        CW_STR("\x93" TAG "\xc3" RECORD),
        CW_STR("\x92" TAG "\x91\x91\x01"),
        CW_STR("\x92" TAG "\xc4\x03\x92\x01\x82"),
        CW_STR("\x93" TAG "\x05" RECORD "\x01"),
        CW_STR("\x94" TAG "\x05" RECORD "\x01"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(decode(bad[i]), CW_E_INVALID, "%zu", i);
}

Test(forward_message, an_ack_names_the_chunk)
{
    struct cw_buf out;
    cw_buf_init(&out, 4096);
    cw_forward_ack_encode(CW_STR("id"), &out);
    cr_assert(cw_str_eq(cw_buf_str(&out), CW_STR("\x81\xa3"
                                                 "ack\xa2"
                                                 "id")));
    cw_buf_fini(&out);
}
