#include <criterion/criterion.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/wire/push.h"

static struct cw_arena *arena;
static struct cw_push push;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(push_loki_protobuf, .init = setup, .fini = teardown);

static int decode(struct cw_str body)
{
    return cw_push_loki_protobuf_decode(body, arena, &push, &err);
}

/* A push with everything in it, encoded. */
static void encode_sample(struct cw_buf *out)
{
    static struct cw_label metadata[] = {{{"trace_id", 8}, {"abc", 3}}, {{"empty", 5}, {"", 0}}};
    static struct cw_push_entry web[] = {
        {INT64_C(1767607200123456789), {"GET /", 5}, metadata, 2},
        {0, {"", 0}, NULL, 0},
        {-1, {"before\0 1970\xff", 13}, NULL, 0},
        {INT64_MAX, {"last", 4}, NULL, 0},
        {INT64_MIN + 1, {"first", 5}, NULL, 0},
    };
    static struct cw_push_stream streams[] = {
        {.labels_text = {"{app=\"web\"}", 11}, .entries = web, .nentries = 5},
        {.labels_text = {"{app=\"idle\"}", 12}},
    };
    static struct cw_push_range ranges[] = {{{{1}}, 1, 0, 4096},
                                            {{{2}}, 7, UINT64_MAX - 1, UINT64_MAX}};
    static struct cw_push_confirm confirms[] = {{{{1}}, 1, 100}};
    struct cw_push sample = {
        .streams = streams,
        .nstreams = 2,
        .delivery = {.present = true,
                     .shipper = {{0xaa}},
                     .session = {{0xbb}},
                     .ranges = ranges,
                     .nranges = 2,
                     .confirms = confirms,
                     .nconfirms = 1},
    };
    cw_push_loki_protobuf_encode(&sample, out);
}

Test(push_loki_protobuf, what_is_encoded_is_decoded)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    encode_sample(&body);
    cr_assert_eq(decode(cw_buf_str(&body)), 0, "%s", err.text);
    cr_assert_eq(push.nstreams, 2);
    cr_expect_eq(push.nentries, 5);
    cr_expect_eq(push.line_bytes, 5 + 13 + 4 + 5);
    const struct cw_push_stream *web = &push.streams[0];
    cr_expect(cw_str_eqz(web->labels_text, "{app=\"web\"}"));
    cr_assert_eq(web->nentries, 5);
    cr_expect_eq(web->entries[0].ts_ns, INT64_C(1767607200123456789));
    cr_expect(cw_str_eqz(web->entries[0].line, "GET /"));
    cr_assert_eq(web->entries[0].nmetadata, 2);
    cr_expect(cw_str_eqz(web->entries[0].metadata[0].name, "trace_id"));
    cr_expect(cw_str_eqz(web->entries[0].metadata[0].value, "abc"));
    cr_expect_eq(web->entries[0].metadata[1].value.len, 0);
    cr_expect_eq(web->entries[1].ts_ns, 0);
    cr_expect_eq(web->entries[2].ts_ns, -1);
    cr_expect(cw_str_eq(web->entries[2].line, CW_STR("before\0 1970\xff")));
    cr_expect_eq(web->entries[3].ts_ns, INT64_MAX);
    cr_expect_eq(web->entries[4].ts_ns, INT64_MIN + 1);
    cr_expect_eq(push.streams[1].nentries, 0);
    const struct cw_push_delivery *delivery = &push.delivery;
    cr_assert(delivery->present);
    cr_expect_eq(delivery->shipper.bytes[0], 0xaa);
    cr_expect_eq(delivery->session.bytes[0], 0xbb);
    cr_assert_eq(delivery->nranges, 2);
    cr_expect_eq(delivery->ranges[0].to, 4096);
    cr_expect_eq(delivery->ranges[1].generation, 7);
    cr_expect_eq(delivery->ranges[1].from, UINT64_MAX - 1);
    cr_assert_eq(delivery->nconfirms, 1);
    cr_expect_eq(delivery->confirms[0].offset, 100);
    cw_buf_fini(&body);
}

Test(push_loki_protobuf, lines_borrow_from_the_body)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    encode_sample(&body);
    cr_assert_eq(decode(cw_buf_str(&body)), 0);
    const char *line = push.streams[0].entries[0].line.ptr;
    cr_expect(line > body.ptr && line < body.ptr + body.len);
    cw_buf_fini(&body);
}

Test(push_loki_protobuf, every_prefix_of_a_push_is_decoded_or_refused)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    encode_sample(&body);
    for (size_t n = 0; n < body.len; n++) {
        /* So that a read past the end is seen. */
        char *exact = cw_str_dupz(cw_str_make(body.ptr, n));
        int rc = decode(cw_str_make(exact, n));
        cr_expect(rc == 0 || rc == CW_E_INVALID, "prefix of %zu bytes: %d", n, rc);
        free(exact);
    }
    cw_buf_fini(&body);
}

Test(push_loki_protobuf, every_flipped_byte_is_decoded_or_refused)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    encode_sample(&body);
    for (size_t i = 0; i < body.len; i++) {
        for (unsigned flip = 1; flip < 256; flip *= 2) {
            body.ptr[i] ^= (char)flip;
            int rc = decode(cw_buf_str(&body));
            cr_expect(rc == 0 || rc == CW_E_INVALID, "byte %zu", i);
            body.ptr[i] ^= (char)flip;
        }
    }
    cw_buf_fini(&body);
}

Test(push_loki_protobuf, an_empty_body_is_a_push_of_nothing)
{
    cr_expect_eq(decode(CW_STR_NONE), 0);
    cr_expect_eq(push.nstreams, 0);
    cr_expect_not(push.delivery.present);
}

Test(push_loki_protobuf, an_entry_without_a_time_has_none)
{
    cr_assert_eq(decode(CW_STR("\x0a\x05\x12\x03\x12\x01x")), 0, "%s", err.text);
    cr_expect_eq(push.streams[0].entries[0].ts_ns, CW_PUSH_TS_NONE);
    /* ... but an empty Timestamp is 1970 */
    cr_assert_eq(decode(CW_STR("\x0a\x07\x12\x05\x0a\x00\x12\x01x")), 0);
    cr_expect_eq(push.streams[0].entries[0].ts_ns, 0);
}

Test(push_loki_protobuf, unknown_fields_are_passed_over)
{
    /* hash = 3 of the stream, field 9 of the request, parsed = 4 of the entry */
    cr_assert_eq(decode(CW_STR("\x4a\x02hi\x0a\x0a\x18\x05\x12\x06\x12\x01x\x22\x01y")), 0, "%s",
                 err.text);
    cr_expect(cw_str_eqz(push.streams[0].entries[0].line, "x"));
    cr_expect_eq(push.streams[0].entries[0].nmetadata, 0);
}

Test(push_loki_protobuf, a_time_that_does_not_fit_is_refused)
{
    /* seconds = 2^62 */
    cr_expect_eq(decode(CW_STR("\x0a\x0e\x12\x0c\x0a\x0a\x08\x80\x80\x80\x80\x80\x80\x80\x80\x40")),
                 CW_E_INVALID);
    cr_expect(strstr(err.text, "do not fit") != NULL, "%s", err.text);
    /* nanos = 10^9 */
    cr_expect_eq(decode(CW_STR("\x0a\x0a\x12\x08\x0a\x06\x10\x80\x94\xeb\xdc\x03")), CW_E_INVALID);
    cr_expect(strstr(err.text, "nanos") != NULL, "%s", err.text);
}

Test(push_loki_protobuf, a_body_of_empty_entries_is_bounded)
{
    size_t nbytes = (size_t)CW_LIMIT_PUSH_ENTRIES * 2 + 2;
    struct cw_buf body;
    cw_buf_init(&body, nbytes + 16);
    cw_buf_addc(&body, 0x0a);
    for (size_t len = nbytes; len > 0; len >>= 7)
        cw_buf_addc(&body, (char)((len & 0x7f) | (len > 0x7f ? 0x80 : 0)));
    for (size_t i = 0; i < nbytes; i += 2)
        cw_buf_add(&body, "\x12\x00", 2);
    cr_expect_eq(decode(cw_buf_str(&body)), CW_E_TOO_LARGE);
    cr_expect(cw_arena_bytes(arena) < 1 << 20);
    cw_buf_fini(&body);
}

Test(push_loki_protobuf, a_delivery_is_whole_or_refused)
{
    static const struct {
        struct cw_str body;
        const char *text;
    } cases[] = {
        {{"\xc2\x3e\x00", 3}, "shipper or session is missing"},
        {{"\xc2\x3e\x03\x0a\x01x", 6}, "shipper has 1 bytes"},
        {{"\xc2\x3e\x02\x1a\x00", 5}, "has no source"},
        {{"\xc2\x3e\x05\x1a\x03\x0a\x01x", 8}, "source has 1 bytes"},
        {{"\xc2\x3e\x14\x1a\x12\x0a\x10"
          "0123456789abcdef",
          23},
         "is empty"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cr_expect_eq(decode(cases[i].body), CW_E_INVALID, "case %zu", i);
        cr_expect(strstr(err.text, cases[i].text) != NULL, "case %zu: %s", i, err.text);
    }
}

Test(push_loki_protobuf, encoding_stops_at_the_cap_of_the_buffer)
{
    struct cw_buf body;
    cw_buf_init(&body, 64);
    encode_sample(&body);
    cr_expect(cw_buf_failed(&body));
    cw_buf_fini(&body);
}

static int refuse_over(void *ctx, size_t bytes)
{
    size_t *left = ctx;
    if (bytes > *left)
        return CW_E_OVERLOAD;
    *left -= bytes;
    return 0;
}

/* A message of one field that is told to be so long. */
static void add_field(struct cw_buf *out, char key, size_t len)
{
    cw_buf_addc(out, key);
    for (; len >= 0x80; len >>= 7)
        cw_buf_addc(out, (char)(len | 0x80));
    cw_buf_addc(out, (char)len);
}

Test(push_loki_protobuf, entries_of_two_bytes_are_refused_before_their_array_is_touched)
{
    enum { N = 1000000 };
    struct cw_buf body;
    size_t left = 1 << 20;
    cw_buf_init(&body, 4 << 20);
    add_field(&body, 0x0a, 2 * N);
    for (int i = 0; i < N; i++)
        cw_buf_add(&body, "\x12\0", 2);
    cw_arena_watch(arena, refuse_over, &left);
    cr_assert_eq(decode(cw_buf_str(&body)), CW_E_OVERLOAD);
    cw_arena_watch(arena, NULL, NULL);
    cr_assert_eq(decode(cw_buf_str(&body)), 0, "%s", err.text);
    cr_assert_eq(push.nentries, N);
    cw_buf_fini(&body);
}
