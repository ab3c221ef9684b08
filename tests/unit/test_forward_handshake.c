#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "shipper/forward_handshake.h"
#include "shipper/msgpack_reader.h"

static const struct cw_forward_user users[] = {{CW_STR("eve"), CW_STR("other")},
                                               {CW_STR("ann"), CW_STR("pw")}};
static const struct cw_forward_rules rules = {CW_STR("gate"), CW_STR("key"), users, 2};
static const struct cw_forward_rules no_users = {CW_STR("gate"), CW_STR("key"), NULL, 0};
static const struct cw_forward_handshake drawn = {
    {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'},
    {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P'}};

/* By sha512sum of "salt" "box" nonce "key", of "salt" "gate" nonce "key", and of auth "ann" "pw". */
#define THEIRS                                                                                     \
    "614c4c9ad9244b221730597fc6c8ca7924f97254a6153995491f5ae5c0adb78aa7e3ff686a6dc41bb541eeba1bd5" \
    "3681bf96c28673e40f5923cb88e22dd6bb26"
#define OURS                                                                                       \
    "b30c36d3b5ee02e76bb1b4e2b2951b5bce97c79aa054a06e75f88fc22bbcd6507dc6976ed647211a982461e185ab" \
    "9865adebcf723615b3864603210fb44e6352"
#define PASSWORD                                                                                   \
    "0d98ecb4e6a437382a4c6daf21600da70b0bfe1bcc28c89c532966caa127f2ab1cf02aeffa03d79fc000f9cfa1d0" \
    "90690a8cb262bc10bfc863d127bf0aac51f4"
#define PING(kind, key, user, password)                                                            \
    CW_STR("\x96\xa4" kind "\xa3"                                                                  \
           "box\xc4\x04"                                                                           \
           "salt\xd9\x80" key user password)
#define ANN                                                                                        \
    "\xa3"                                                                                         \
    "ann"
#define HEX(text) "\xd9\x80" text

static int ping(const struct cw_forward_rules *by, struct cw_str message, struct cw_str want_reason)
{
    struct cw_buf out;
    struct cw_msgpack_value value[6];
    struct cw_err err = {0};
    cw_buf_init(&out, 4096);
    int rc = cw_forward_ping(by, &drawn, message, &out, &err);
    struct cw_str rest = cw_buf_str(&out);
    for (size_t i = 0; i < CW_COUNT(value); i++)
        cr_assert_eq(cw_msgpack_next(&rest, &value[i], NULL), 1);
    cr_assert(rest.len == 0 && value[0].kind == CW_MSGPACK_ARRAY && value[0].n == 5);
    cr_assert(cw_str_eqz(value[1].bytes, "PONG"));
    cr_expect_eq(value[2].number, rc == 0);
    cr_expect(cw_str_eq(value[3].bytes, want_reason), "%.*s", CW_STR_ARG(value[3].bytes));
    cr_expect(cw_str_eqz(value[4].bytes, rc == 0 ? "gate" : ""));
    cr_expect(cw_str_eqz(value[5].bytes, rc == 0 ? OURS : ""));
    cw_buf_fini(&out);
    return rc;
}

Test(forward_handshake, who_knows_the_key_and_is_a_user)
{
    const struct {
        const struct cw_forward_rules *by;
        struct cw_str message;
        int rc;
        const char *reason;
    } rows[] = {
        {&rules, PING("PING", THEIRS, ANN, HEX(PASSWORD)), 0, ""},
        {&no_users, PING("PING", THEIRS, "\xa0", "\xa0"), 0, ""},
        {&no_users, PING("PING", THEIRS, "\xc0", "\xc0"), 0, ""}, /* nil for none */
        {&no_users, PING("PING", OURS, "\xa0", "\xa0"), CW_E_FORBIDDEN, "shared_key mismatch"},
        {&rules, PING("PING", THEIRS, "\xa0", "\xa0"), CW_E_FORBIDDEN,
         "username/password mismatch"},
        {&rules, PING("PING", THEIRS, ANN, HEX(THEIRS)), CW_E_FORBIDDEN,
         "username/password mismatch"},
        {&rules,
         PING("PING", THEIRS,
              "\xa3"
              "eve",
              HEX(PASSWORD)),
         CW_E_FORBIDDEN, "username/password mismatch"},
        {&rules, PING("PONG", THEIRS, ANN, HEX(PASSWORD)), CW_E_INVALID, "invalid ping message"},
        {&rules, PING("PING", THEIRS, ANN, "\x01"), CW_E_INVALID, "invalid ping message"},
        {&rules, PING("PING", THEIRS, ANN, HEX(PASSWORD) "\xc0"), CW_E_INVALID,
         "invalid ping message"},
        {&rules, PING("PING", THEIRS, ANN, ""), CW_E_INVALID, "invalid ping message"},
        {&rules,
         CW_STR("\x92\xa4"
                "PING\x01"),
         CW_E_INVALID, "invalid ping message"},
        {&rules, CW_STR(""), CW_E_INVALID, "invalid ping message"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        cr_expect_eq(ping(rows[i].by, rows[i].message, cw_str_of(rows[i].reason)), rows[i].rc,
                     "%zu", i);
}

Test(forward_handshake, a_helo_is_drawn_anew)
{
    struct cw_forward_handshake one, two;
    struct cw_buf out;
    struct cw_str rest;
    struct cw_msgpack_value value;
    cw_buf_init(&out, 4096);
    cw_forward_helo(&rules, &one, &out);
    cw_buf_clear(&out);
    cw_forward_helo(&rules, &two, &out);
    cr_assert_neq(memcmp(one.nonce, two.nonce, sizeof one.nonce), 0);
    cr_assert_neq(memcmp(two.auth, two.nonce, sizeof two.auth), 0);
    rest = cw_buf_str(&out);
    static const char *const keys[] = {"nonce", "auth", "keepalive"};
    cr_assert(cw_msgpack_next(&rest, &value, NULL) == 1 && value.n == 2);
    cr_assert(cw_msgpack_next(&rest, &value, NULL) == 1 && cw_str_eqz(value.bytes, "HELO"));
    cr_assert(cw_msgpack_next(&rest, &value, NULL) == 1 && value.n == 3);
    for (size_t i = 0; i < CW_COUNT(keys); i++) {
        cr_assert(cw_msgpack_next(&rest, &value, NULL) == 1 && cw_str_eqz(value.bytes, keys[i]));
        cr_assert(cw_msgpack_next(&rest, &value, NULL) == 1);
        if (i < 2)
            cr_assert_eq(memcmp(value.bytes.ptr, i == 0 ? two.nonce : two.auth, 16), 0);
    }
    cr_assert(rest.len == 0 && value.kind == CW_MSGPACK_BOOL && value.number == 1);
    cw_buf_fini(&out);
}
