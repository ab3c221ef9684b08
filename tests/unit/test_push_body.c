#include <criterion/criterion.h>
#include "common/base/codec.h"
#include "shipper/push_body.h"

#define JSON "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"7\",\"x\"],[\"8\",\"y\"]]}]}"

static struct cw_arena *arena;
static struct cw_buf raw, packed;
static struct cw_push got;

static void setup(void)
{
    arena = cw_arena_new();
    cw_buf_init(&raw, CW_PUSH_BODY_RAW_BYTES);
    cw_buf_init(&packed, CW_PUSH_BODY_RAW_BYTES);
}

static void teardown(void)
{
    cw_arena_free(&arena);
    cw_buf_fini(&raw);
    cw_buf_fini(&packed);
}

TestSuite(push_body, .init = setup, .fini = teardown);

static int decode(enum cw_push_body_kind kind, const char *type, const char *encoding,
                  struct cw_str bytes)
{
    struct cw_push_body body = {kind, cw_str_of(type), cw_str_of(encoding), bytes};
    cw_buf_clear(&raw);
    return cw_push_body_decode(&body, 1, &raw, arena, &got, NULL);
}

static void is_json(void)
{
    cr_assert_eq(got.nentries, 2);
    cr_assert_eq(got.streams[0].entries[1].ts_ns, 8);
    cr_assert(cw_str_eqz(got.streams[0].entries[1].line, "y"));
}

Test(push_body, json_as_it_is_and_packed)
{
    static const struct {
        const char *encoding;
        enum cw_codec codec;
    } cases[] = {{"gzip", CW_CODEC_GZIP}, {"deflate", CW_CODEC_DEFLATE}, {"zstd", CW_CODEC_ZSTD}};
    cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "application/json; charset=utf-8", "", CW_STR(JSON)), 0);
    is_json();
    cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "application/json", "identity", CW_STR(JSON)), 0);
    is_json();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cw_buf_clear(&packed);
        cr_assert_eq(cw_codec_compress(cases[i].codec, CW_STR(JSON), &packed, NULL), 0);
        cr_assert_eq(
            decode(CW_PUSH_BODY_LOKI, "application/json", cases[i].encoding, cw_buf_str(&packed)),
            0, "%s", cases[i].encoding);
        is_json();
    }
}

Test(push_body, protobuf_in_snappy_and_in_gzip_around_it)
{
    struct cw_push_entry entry = {.ts_ns = 7, .line = CW_STR("x")};
    struct cw_push_stream stream = {
        .labels_text = CW_STR("{a=\"b\"}"), .entries = &entry, .nentries = 1};
    struct cw_push push = {.streams = &stream, .nstreams = 1, .nentries = 1};
    struct cw_buf plain, around;
    cw_buf_init(&plain, 4096);
    cw_buf_init(&around, 4096);
    cw_push_loki_protobuf_encode(&push, &plain);
    cr_assert_eq(cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&plain), &packed, NULL), 0);
    cr_assert_eq(cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(&packed), &around, NULL), 0);
    for (int gzip = 0; gzip < 2; gzip++) {
        cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "application/x-protobuf", gzip ? "gzip" : "",
                            cw_buf_str(gzip ? &around : &packed)),
                     0);
        cr_assert_eq(got.nentries, 1);
        cr_assert(cw_str_eqz(got.streams[0].labels_text, "{a=\"b\"}"));
        cr_assert(cw_str_eqz(got.streams[0].entries[0].line, "x"));
    }
    cw_buf_fini(&plain);
    cw_buf_fini(&around);
}

Test(push_body, plain_lines)
{
    cr_assert_eq(decode(CW_PUSH_BODY_LINES, "", "", CW_STR("one\r\n\ntwo\nthree")), 0);
    cr_assert_eq(got.nentries, 3);
    cr_assert(cw_str_eqz(got.streams[0].entries[0].line, "one"));
    cr_assert(cw_str_eqz(got.streams[0].entries[2].line, "three"));
    cr_assert_eq(got.streams[0].entries[2].ts_ns, CW_PUSH_TS_NONE);
}

Test(push_body, what_is_none)
{
    cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "application/json", "br", CW_STR(JSON)), CW_E_INVALID);
    cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "application/json", "gzip", CW_STR(JSON)), CW_E_INVALID);
    cr_assert_eq(decode(CW_PUSH_BODY_LOKI, "", "", CW_STR(JSON)), CW_E_INVALID);
    cr_assert_eq(decode(CW_PUSH_BODY_OTLP, "application/json", "", CW_STR("[")), CW_E_INVALID);
}
