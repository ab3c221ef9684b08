/* test_delivery.c - the JSON between shipper and ingester. */
#include <criterion/criterion.h>
#include "common/wire/delivery.h"

static struct cw_id128 id_of(uint8_t byte)
{
    struct cw_id128 id;
    memset(id.bytes, byte, sizeof(id.bytes));
    return id;
}

Test(delivery, an_ask_survives_its_encoding)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    struct cw_err err = {0};
    struct cw_id128 sessions[2] = {id_of(1), id_of(0xfe)};
    struct cw_delivery_ask ask = {.shipper = id_of(0xab), .sessions = sessions, .nsessions = 2},
                           back;
    cw_buf_init(&buf, 1 << 20);
    cw_delivery_ask_encode(&ask, &buf);
    cr_assert_eq(cw_delivery_ask_decode(cw_buf_str(&buf), arena, &back, &err), 0, "%s", err.text);
    cr_assert(memcmp(&back.shipper, &ask.shipper, 16) == 0);
    cr_assert_eq(back.nsessions, 2);
    cr_assert(memcmp(back.sessions, sessions, sizeof(sessions)) == 0);
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
}

Test(delivery, a_refusal_carries_its_marks_and_quotes_its_sentence)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    struct cw_err err = {0};
    struct cw_delivery_mark mark = {.source = id_of(7), .generation = 3, .offset = 1u << 30};
    struct cw_delivery_answer back;
    cw_buf_init(&buf, 1 << 20);
    cw_delivery_refusal_encode(CW_DELIVERY_CODE_RANGE, CW_STR("not \"this\"\n\\"), &mark, 1, &buf);
    cr_assert_eq(cw_delivery_answer_decode(cw_buf_str(&buf), arena, &back, &err), 0, "%s",
                 err.text);
    cr_assert(cw_str_eqz(back.code, "range"));
    cr_assert(cw_str_eqz(back.error, "not \"this\"\n\\"));
    cr_assert_eq(back.nmarks, 1);
    cr_assert_eq(back.marks[0].offset, 1u << 30);
    cr_assert_eq(back.marks[0].generation, 3);
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
}

Test(delivery, the_answer_to_an_ask_has_no_code)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    struct cw_err err = {0};
    struct cw_id128 shipper = id_of(1), session = id_of(2);
    struct cw_delivery_answer back;
    cw_buf_init(&buf, 1 << 20);
    cw_delivery_marks_encode(&shipper, &session, NULL, 0, &buf);
    cr_assert_eq(cw_delivery_answer_decode(cw_buf_str(&buf), arena, &back, &err), 0, "%s",
                 err.text);
    cr_assert_eq(back.code.len, 0);
    cr_assert_eq(back.nmarks, 0);
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
}

Test(delivery, wrong_documents_are_refused_with_a_sentence)
{
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "{",
        "{}",
        "{\"shipper\":1,\"sessions\":[]}",
        "{\"shipper\":\"00000000000000000000000000000000\",\"sessions\":[]}",
        "{\"shipper\":\"00000000000000000000000000000000\",\"sessions\":[\"x\"]}",
        "{\"shipper\":\"0000000000000000000000000000000g\",\"sessions\":["
        "\"00000000000000000000000000000000\"]}",
        "{\"shipper\":\"000000000000000000000000000000000\",\"sessions\":["
        "\"00000000000000000000000000000000\"]}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_err err = {0};
        struct cw_delivery_ask ask;
        cr_assert_lt(cw_delivery_ask_decode(cw_str_of(bad[i]), arena, &ask, &err), 0, "%s", bad[i]);
        cr_assert_neq(err.text[0], '\0');
        cw_arena_free(&arena);
    }
}

Test(delivery, a_mark_that_is_negative_or_no_number_is_refused)
{
    static const char *const bad[] = {
        "{\"marks\":[{}]}",
        "{\"marks\":[1]}",
        "{\"marks\":[{\"source\":\"00000000000000000000000000000000\",\"generation\":-1,\"offset\":"
        "0}]}",
        "{\"marks\":[{\"source\":\"00000000000000000000000000000000\",\"generation\":0,\"offset\":"
        "1.5}]}",
        "{\"marks\":[{\"source\":\"00000000000000000000000000000000\",\"generation\":0,\"offset\":"
        "9223372036854775808}]}",
        "{\"marks\":[{\"source\":\"0\",\"generation\":0,\"offset\":1}]}",
        "{\"marks\":[{\"source\":[\"0\"],\"generation\":{},\"offset\":null}]}",
        "{\"marks\":[",
        "{\"marks\":[]",
        "{} {}",
        "<html>",
        "[]",
        "",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_err err = {0};
        struct cw_delivery_answer answer;
        cr_assert_lt(cw_delivery_answer_decode(cw_str_of(bad[i]), arena, &answer, &err), 0, "%s",
                     bad[i]);
        cw_arena_free(&arena);
    }
}

Test(delivery, an_answer_may_hold_more_than_is_known_and_very_many_marks)
{
    enum { MARKS = 50000 };
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    struct cw_err err = {0};
    struct cw_delivery_answer back;
    cw_buf_init(&buf, 64 << 20);
    cw_buf_addz(&buf,
                " {\"new\":[{\"marks\":[1]}],\"code\":null,\"error\":\"a\\u0062\",\"marks\":[");
    for (unsigned i = 0; i < MARKS; i++)
        cw_buf_addf(&buf, "%s{\"x\":[],\"source\":\"%032x\",\"generation\":1,\"offset\":%u}",
                    i ? "," : "", i, 2 * i);
    cw_buf_addz(&buf, "]}\n");
    cr_assert_eq(cw_delivery_answer_decode(cw_buf_str(&buf), arena, &back, &err), 0, "%s",
                 err.text);
    cr_assert(back.code.len == 0 && cw_str_eqz(back.error, "ab"));
    cr_assert_eq(back.nmarks, MARKS);
    for (unsigned i = 0; i < MARKS; i++)
        cr_assert(back.marks[i].generation == 1 && back.marks[i].offset == 2 * i &&
                  back.marks[i].source.bytes[15] == (i & 0xff));
    cr_assert_lt(cw_arena_bytes(arena), 8u << 20);
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
}
