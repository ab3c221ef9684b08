#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/net/websocket_handshake.h"

#define KEY CW_STR("dGhlIHNhbXBsZSBub25jZQ==")
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

Test(websocket_handshake, the_example_of_the_rfc_is_answered)
{
    char accept[CW_WEBSOCKET_ACCEPT_BYTES];
    cw_websocket_accept(KEY, accept);
    cr_expect_str_eq(accept, ACCEPT);
}

Test(websocket_handshake, keys_are_good_and_differ)
{
    char a[CW_WEBSOCKET_KEY_BYTES], b[CW_WEBSOCKET_KEY_BYTES];
    cw_websocket_key(a);
    cw_websocket_key(b);
    cr_expect_str_neq(a, b);
    struct cw_websocket_ask ask = {CW_STR("Upgrade"), CW_STR("websocket"), CW_STR("13"),
                                   cw_str_of(a)};
    cr_expect(cw_websocket_asked(&ask));
}

Test(websocket_handshake, a_request_must_say_all_of_it)
{
    const struct cw_websocket_ask good = {CW_STR("keep-alive, upgrade"), CW_STR("WebSocket"),
                                          CW_STR("13"), KEY};
    cr_expect(cw_websocket_asked(&good));
    struct cw_websocket_ask bad[] = {good, good, good, good, good, good};
    bad[0].connection = CW_STR("keep-alive");
    bad[1].upgrade = CW_STR("h2c");
    bad[2].version = CW_STR("8");
    bad[3].key = CW_STR_NONE;
    bad[4].key = CW_STR("dGhlIHNhbXBsZSBub25jZQ=");
    bad[5].key = CW_STR("dGhlIHNhbXBsZSBub25jZSEh"); /* 18 bytes */
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_expect_not(cw_websocket_asked(&bad[i]), "case %zu", i);
}

static int parse(const char *text, struct cw_websocket_answer *out)
{
    struct cw_err err;
    return cw_websocket_answer_parse(cw_str_of(text), KEY, out, &err);
}

Test(websocket_handshake, an_answer_is_read_up_to_its_frames)
{
    const char *head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: "
                       "Upgrade\r\nSEC-WEBSOCKET-ACCEPT: " ACCEPT "\r\n\r\n";
    struct cw_websocket_answer answer;
    char text[300];
    snprintf(text, sizeof text, "%s\x81\x01x", head);
    cr_assert_eq(parse(text, &answer), 1);
    cr_expect_eq(answer.status, 101);
    cr_expect_eq(answer.head_len, strlen(head));
    for (size_t n = 0; n < strlen(head); n++) {
        text[n] = '\0';
        memcpy(text, head, n);
        cr_expect_eq(parse(text, &answer), 0, "%zu bytes are not all of it", n);
    }
}

Test(websocket_handshake, a_refusal_is_no_error)
{
    struct cw_websocket_answer answer;
    cr_assert_eq(parse("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n", &answer), 1);
    cr_expect_eq(answer.status, 400);
    cr_expect_eq(answer.body_len, 3);
    cr_assert_eq(parse("HTTP/1.0 503\r\n\r\n", &answer), 1);
    cr_expect_eq(answer.status, 503);
    cr_expect_eq(answer.body_len, SIZE_MAX, "up to the end of the connection");
}

Test(websocket_handshake, a_wrong_answer_is_an_error)
{
    static const char *const bad[] = {
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 1x1 Fine\r\n\r\n",
        "HTTP/2 101 Fine\r\n\r\n",
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: x\r\n\r\n",
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
        "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    };
    struct cw_websocket_answer answer;
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_expect_eq(parse(bad[i], &answer), CW_E_IO, "case %zu", i);
}
