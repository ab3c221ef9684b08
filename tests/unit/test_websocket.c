#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/websocket.h"

/* Both ends of a connection. */
static int fds[2];
static struct cw_websocket server, client;
static struct cw_websocket_message message;
static struct cw_err err;

static ssize_t fd_read(void *ctx, char *to, size_t max)
{
    ssize_t n = recv(*(int *)ctx, to, max, MSG_DONTWAIT);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : CW_E_IO;
}

static ssize_t fd_write(void *ctx, const char *from, size_t len)
{
    ssize_t n = send(*(int *)ctx, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? 0 : CW_E_IO;
}

static void setup_early(struct cw_str early)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct cw_websocket_transport a = {fds[0], fd_read, fd_write, &fds[0]},
                                  b = {fds[1], fd_read, fd_write, &fds[1]};
    cw_websocket_init(&server, CW_WEBSOCKET_SERVER, &a, early, 1000);
    cw_websocket_init(&client, CW_WEBSOCKET_CLIENT, &b, CW_STR_NONE, 1 << 20);
}

static void setup(void)
{
    setup_early(CW_STR_NONE);
}

static void teardown(void)
{
    cw_websocket_fini(&server);
    cw_websocket_fini(&client);
    close(fds[0]);
    close(fds[1]);
}

TestSuite(websocket, .init = setup, .fini = teardown);

Test(websocket, messages_go_both_ways)
{
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), 0, "nothing yet");
    cw_websocket_send(&client, CW_WEBSOCKET_TEXT, CW_STR("to the server"));
    cw_websocket_send(&server, CW_WEBSOCKET_TEXT, CW_STR("one"));
    cw_websocket_send(&server, CW_WEBSOCKET_BINARY, CW_STR("two"));
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), 1);
    cr_expect(cw_str_eqz(message.payload, "to the server"));
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), 1);
    cr_expect(cw_str_eqz(message.payload, "one"));
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), 1);
    cr_expect(cw_str_eqz(message.payload, "two"));
    cr_expect_eq(message.opcode, CW_WEBSOCKET_BINARY);
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), 0);
}

Test(websocket, what_came_with_the_handshake_is_read_first)
{
    teardown();
    setup_early(CW_STR("\x81\x82\0\0\0\0ok"));
    cw_websocket_send(&client, CW_WEBSOCKET_TEXT, CW_STR("then"));
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), 1);
    cr_expect(cw_str_eqz(message.payload, "ok"));
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), 1);
    cr_expect(cw_str_eqz(message.payload, "then"));
}

Test(websocket, pings_are_answered)
{
    cw_websocket_send(&server, CW_WEBSOCKET_PING, CW_STR("?"));
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), 0);
    char pong[16];
    cr_assert_eq(recv(fds[0], pong, sizeof pong, 0), 7);
    cr_expect_eq((unsigned char)pong[0], 0x8a);
}

Test(websocket, who_pings_and_does_not_read_is_not_answered_for_ever)
{
    while (cw_websocket_unsent(&server) == 0)
        cw_websocket_send(&server, CW_WEBSOCKET_TEXT, CW_STR("fill the pipe"));
    for (int i = 0; i < 200000; i++) {
        cw_websocket_send(&client, CW_WEBSOCKET_PING, CW_STR("?"));
        cr_assert_eq(cw_websocket_receive(&server, &message, &err), 0);
    }
    cr_expect_lt(cw_websocket_unsent(&server), 70000);
}

Test(websocket, more_than_the_pipe_holds_waits_and_goes_on)
{
    enum { MESSAGES = 2000 };
    char text[600];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < MESSAGES; i++)
        cw_websocket_send(&server, CW_WEBSOCKET_TEXT, cw_str_make(text, sizeof text));
    cr_assert_gt(cw_websocket_unsent(&server), 0);
    cr_expect(cw_websocket_events(&server) & POLLOUT);
    int n = 0, rc;
    while (n < MESSAGES) {
        while ((rc = cw_websocket_receive(&client, &message, &err)) == 1) {
            cr_assert_eq(message.payload.len, sizeof text);
            n++;
        }
        cr_assert_eq(rc, 0);
        cr_assert_eq(cw_websocket_flush(&server, &err), 0);
    }
    cr_expect_eq(cw_websocket_unsent(&server), 0);
    cr_expect_not(cw_websocket_events(&server) & POLLOUT);
}

Test(websocket, a_goodbye_is_answered)
{
    cw_websocket_close(&server, CW_WEBSOCKET_INTERNAL, CW_STR("because"));
    cw_websocket_send(&server, CW_WEBSOCKET_TEXT, CW_STR("too late"));
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), CW_E_CANCELED);
    cr_expect_eq(client.peer_code, CW_WEBSOCKET_INTERNAL);
    cr_expect(cw_str_eqz(cw_buf_str(&client.peer_reason), "because"));
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), CW_E_CANCELED);
    cr_expect_eq(server.peer_code, CW_WEBSOCKET_INTERNAL, "the same code comes back");
    cr_expect_eq(cw_websocket_receive(&client, &message, &err), CW_E_CANCELED, "and nothing more");
}

Test(websocket, a_broken_rule_is_told)
{
    cr_assert_eq(send(fds[1], "\x81\x01x", 3, 0), 3);
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), CW_E_INVALID);
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), CW_E_CANCELED);
    cr_expect_eq(client.peer_code, CW_WEBSOCKET_PROTOCOL_ERROR);
}

Test(websocket, a_message_over_the_bound_is_told)
{
    char text[1001] = {0};
    memset(text, 'x', sizeof text);
    cw_websocket_send(&client, CW_WEBSOCKET_TEXT, cw_str_make(text, sizeof text));
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), CW_E_TOO_LARGE);
    cr_assert_eq(cw_websocket_receive(&client, &message, &err), CW_E_CANCELED);
    cr_expect_eq(client.peer_code, CW_WEBSOCKET_TOO_BIG);
}

Test(websocket, a_connection_that_breaks_is_an_error)
{
    shutdown(fds[1], SHUT_RDWR);
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), CW_E_IO);
    cr_assert_eq(cw_websocket_receive(&server, &message, &err), CW_E_CANCELED);
}
