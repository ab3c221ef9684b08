#include <criterion/criterion.h>
#include <pthread.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/net/http_server.h"
#include "tests/support/http_socket.h"

static struct cw_http_server *server;
static const char *address;
static struct cw_err err;
static atomic_int ndone, last_status, ncancelled, nheld;
static atomic_bool release; /* what /hold waits for */

static void answer_text(struct cw_http_request *request, int status, const char *text)
{
    struct cw_buf body;
    cw_buf_init(&body, 64 << 20);
    cw_buf_addz(&body, text);
    cw_http_respond(request, status, "text/plain", &body);
    cw_buf_fini(&body);
}

static void handle_echo(struct cw_http_request *request, void *ctx)
{
    struct cw_buf body;
    (void)ctx;
    cw_buf_init(&body, 64 << 20);
    cw_buf_adds(&body, cw_http_body(request));
    cw_http_set_header(request, "X-Len", "set");
    cw_http_respond(request, 200, "application/octet-stream", &body);
    cw_buf_fini(&body);
}

/* All that is known of the request. */
static void handle_tell(struct cw_http_request *request, void *ctx)
{
    struct cw_buf body;
    struct cw_str value;
    (void)ctx;
    cw_buf_init(&body, 1 << 20);
    cw_buf_addf(&body, "%d %.*s name=%.*s", (int)cw_http_method(request),
                CW_STR_ARG(cw_http_path(request)), CW_STR_ARG(cw_http_path_param(request, "name")));
    for (size_t i = 0; cw_http_param_at(request, "q", i, &value); i++)
        cw_buf_addf(&body, " q=%.*s", CW_STR_ARG(value));
    cw_buf_addf(&body, " has=%d header=%.*s", cw_http_has_param(request, "q"),
                CW_STR_ARG(cw_http_header(request, "x-test")));
    cw_http_respond(request, 200, "text/plain", &body);
    cw_buf_fini(&body);
}

static void run_thread(void *(*fn)(void *), struct cw_http_request *request)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, fn, request), 0);
    pthread_detach(thread);
}

static void *late_main(void *arg)
{
    answer_text(arg, 200, "late");
    return NULL;
}

static void handle_late(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    run_thread(late_main, request);
}

static void *hold_main(void *arg)
{
    const atomic_bool *cancelled = cw_http_cancelled(arg);
    atomic_fetch_add(&nheld, 1);
    while (!atomic_load(cancelled) && !atomic_load(&release))
        usleep(1000);
    if (atomic_load(cancelled))
        atomic_fetch_add(&ncancelled, 1);
    answer_text(arg, 200, "held");
    return NULL;
}

static void handle_hold(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    run_thread(hold_main, request);
}

/* n kilobytes; "cut" ends without completeness. */
static void *stream_main(void *arg)
{
    struct cw_http_request *request = arg;
    int64_t n = 0;
    char block[1024];
    bool complete = !cw_http_has_param(request, "cut");
    cw_str_to_i64(cw_http_param(request, "n"), &n);
    memset(block, 'x', sizeof block);
    int rc = cw_http_stream_begin(request, 200, "application/x-ndjson", &err);
    if (rc < 0) {
        cw_http_respond_err(request, &err);
        return NULL;
    }
    for (int64_t i = 0; rc == 0 && i < n; i++)
        rc = cw_http_stream_write(request, cw_str_make(block, sizeof block), &err);
    if (rc == CW_E_CANCELED)
        atomic_fetch_add(&ncancelled, 1);
    cw_http_stream_end(request, rc == 0 && complete);
    return NULL;
}

static void handle_stream(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    run_thread(stream_main, request);
}

static void handle_big(struct cw_http_request *request, void *ctx)
{
    struct cw_buf body;
    (void)ctx;
    cw_buf_init(&body, 1 << 20);
    for (int i = 0; i < 10000; i++)
        cw_buf_addf(&body, "line %d\n", i);
    cw_http_respond(request, 200, "text/plain", &body);
    cw_buf_fini(&body);
}

static void handle_fail(struct cw_http_request *request, void *ctx)
{
    struct cw_err failure;
    (void)ctx;
    cw_err_set(&failure, CW_E_OVERLOAD, "too much");
    cw_http_respond_err(request, &failure);
}

static void handle_empty(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    cw_http_respond(request, 204, NULL, NULL);
}

static const struct cw_http_route routes[] = {
    {CW_HTTP_POST, "/echo", handle_echo, 1 << 20, "echo"},
    {CW_HTTP_GET | CW_HTTP_POST, "/tell", handle_tell, 4 << 20, "tell"},
    {CW_HTTP_GET, "/label/{name}/values", handle_tell, 0, "tell"},
    {CW_HTTP_GET | CW_HTTP_POST, "/late", handle_late, 0, "late"},
    {CW_HTTP_GET, "/hold", handle_hold, 0, "hold"},
    {CW_HTTP_GET, "/stream", handle_stream, 0, "stream"},
    {CW_HTTP_GET, "/big", handle_big, 0, "big"},
    {CW_HTTP_GET, "/fail", handle_fail, 0, "fail"},
    {CW_HTTP_GET, NULL, NULL, 0, NULL},
};
static const struct cw_http_route more_routes[] = {
    {CW_HTTP_DELETE, "/tell", handle_empty, 0, "the same path in another table"},
    {CW_HTTP_POST, "/empty", handle_empty, 0, "no body either way"},
    {CW_HTTP_GET, NULL, NULL, 0, NULL},
};

static void on_done(void *ctx, struct cw_http_request *request, int status, int64_t duration_ns)
{
    (void)ctx;
    cr_expect(duration_ns >= 0 && cw_http_path(request).len > 0);
    atomic_store(&last_status, status);
    atomic_fetch_add(&ndone, 1);
}

static void start(struct cw_http_server_options options)
{
    options.on_done = on_done;
    if (options.listen == NULL)
        options.listen = "127.0.0.1:0";
    cr_assert_eq(cw_http_server_new(&options, &server, &err), 0, "%s", err.text);
    cw_http_server_routes(server, routes, NULL);
    cw_http_server_routes(server, more_routes, NULL);
    cr_assert_eq(cw_http_server_start(server, &err), 0, "%s", err.text);
    address = cw_http_server_address(server);
}

static void setup(void)
{
    start((struct cw_http_server_options){.nthreads = 2, .check_origin = true});
}

static void teardown(void)
{
    atomic_store(&release, true);
    cw_http_server_free(&server);
}

TestSuite(http_server, .init = setup, .fini = teardown, .timeout = 60);

static void check(const char *request, int status, const char *text)
{
    struct http_reply reply = http_socket_ask(address, request);
    cr_expect_eq(reply.status, status, "%s: %d", request, reply.status);
    cr_expect_str_eq(cw_buf_z(&reply.body), text, "%s", request);
    http_reply_fini(&reply);
}

#define HOST "Host: localhost\r\n"

Test(http_server, paths_names_and_parameters_reach_the_handler)
{
    check("GET /tell?q=a+b&q=%7B HTTP/1.1\r\n" HOST "X-Test: yes\r\n\r\n", 200,
          "1 /tell name= q=a b q={ has=1 header=yes");
    check("GET /label/a%2Fb+c/values HTTP/1.1\r\n" HOST "\r\n", 200,
          "1 /label/a/b+c/values name=a/b+c has=0 header=");
    check("POST /tell?q=1 HTTP/1.1\r\n" HOST "Content-Type: application/x-www-form-urlencoded; "
          "charset=utf-8\r\nContent-Length: 9\r\n\r\nq=2&r=%41",
          200, "2 /tell name= q=2 q=1 has=1 header=");
    check("POST /tell HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nq=2",
          200, "2 /tell name= has=0 header=");
    check("GET /tell HTTP/1.0\r\n\r\n", 200, "1 /tell name= has=0 header=");
}

Test(http_server, a_target_with_scheme_and_host_is_as_one_without)
{
    check("GET http://localhost/tell?q=a HTTP/1.1\r\n" HOST "\r\n", 200,
          "1 /tell name= q=a has=1 header=");
    check("GET HTTP://127.0.0.1:3100/label/a%2Fb/values HTTP/1.1\r\n" HOST "\r\n", 200,
          "1 /label/a/b/values name=a/b has=0 header=");
    check("POST http://localhost/echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", 200, "hi");
    check("GET http://localhost HTTP/1.1\r\n" HOST "\r\n", 404, "404 page not found\n");
    check("GET http://me@localhost/tell HTTP/1.1\r\n" HOST "\r\n", 400,
          "the request's target has a user before its host\n");
}

/* At once, not when the client gives up; what is behind could be read as anything. */
Test(http_server, a_body_whose_end_is_not_known_is_refused_at_once_and_the_connection_closed)
{
    static const struct {
        const char *fields;
        int status;
    } rows[] = {
        {"Transfer-Encoding: gzip, chunked\r\n", 501},
        {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501},
        {"Transfer-Encoding: gzip\r\n", 400},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", 400},
        {"Transfer-Encoding: chunked, chunked\r\n", 400},
        {"Transfer-Encoding: identity\r\nContent-Length: 2\r\n", 400},
        {"Transfer-Encoding:\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 8\r\n", 400},
        {"Content-Length: 8\r\nTransfer-Encoding: chunked\r\n", 400},
        {"content-length: 8\r\nContent-Length: 3\r\n", 400},
        {"Content-Length: 8\r\nTransfer-Encoding : chunked\r\n", 400},
        {"Content-Length\t: 8\r\n", 400},
        {"Content-Length: 8\r\nContent-Length: 8\r\nContent-Length: 08\r\n", 400},
    };
    static const char *const lines[] = {"POST /echo HTTP/1.1\r\n" HOST,
                                        "GET /nosuch HTTP/1.1\r\n" HOST};
    for (size_t i = 0; i < CW_COUNT(rows) * CW_COUNT(lines); i++) {
        char text[512], rest[16];
        const char *fields = rows[i / CW_COUNT(lines)].fields;
        int fd = http_socket_connect(address);
        snprintf(text, sizeof(text), "%s%s\r\n3\r\nabc\r\n", lines[i % CW_COUNT(lines)], fields);
        http_socket_send(fd, text, strlen(text));
        struct http_reply reply = http_socket_read(fd, false);
        cr_expect_eq(reply.status, rows[i / CW_COUNT(lines)].status, "%s: %d", text, reply.status);
        cr_expect(reply.whole);
        cr_expect_str_eq(http_reply_header(&reply, "Connection"), "close");
        cr_expect_leq(recv(fd, rest, sizeof(rest), 0), 0);
        http_reply_fini(&reply);
        close(fd);
    }
}

Test(http_server, the_same_length_twice_is_one_and_old_clients_have_no_chunks)
{
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200,
          "hello");
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400,
          "Content-Length: expected one, got \"5\" and \"6\"\n");
    check("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
          "Transfer-Encoding \"chunked\": HTTP/1.0 has none, expected Content-Length\n");
}

Test(http_server, a_request_names_one_host_and_its_target_has_no_space)
{
    check("GET /tell HTTP/1.1\r\n\r\n", 400, "Host: HTTP/1.1 needs one, got none\n");
    check("GET /tell HTTP/1.1\r\n" HOST "host: 127.0.0.1\r\n\r\n", 400,
          "Host: expected one, got 2\n");
    check("GET /te ll HTTP/1.1\r\n" HOST "\r\n", 400, "the request's target has a space\n");
}

Test(http_server, what_no_route_takes_is_404_or_405)
{
    check("GET /nosuch HTTP/1.1\r\n" HOST "\r\n", 404, "404 page not found\n");
    check("GET /tell/ HTTP/1.1\r\n" HOST "\r\n", 404, "404 page not found\n");
    check("GET /label//values HTTP/1.1\r\n" HOST "\r\n", 404, "404 page not found\n");
    check("POST /nosuch HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 404,
          "404 page not found\n");
    struct http_reply reply = http_socket_ask(address, "PUT /tell HTTP/1.1\r\n" HOST "\r\n");
    cr_expect_eq(reply.status, 405);
    cr_expect_str_eq(http_reply_header(&reply, "Allow"), "GET, HEAD, POST, DELETE");
    http_reply_fini(&reply);
    check("PATCH /tell HTTP/1.1\r\n" HOST "\r\n", 405, "Method Not Allowed\n");
    check("DELETE /tell HTTP/1.1\r\n" HOST "\r\n", 204, "");
    cr_expect_eq(atomic_load(&last_status), 204);
}

Test(http_server, bad_escapes_are_400)
{
    check("GET /tell?q=%zz HTTP/1.1\r\n" HOST "\r\n", 400, "invalid URL escape \"%zz\"\n");
    check("GET /tell/%g HTTP/1.1\r\n" HOST "\r\n", 400, "invalid URL escape \"%g\"\n");
    check("POST /tell HTTP/1.1\r\n" HOST
          "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\nq=%1",
          400, "invalid URL escape \"%1\"\n");
}

Test(http_server, errors_are_text_with_their_status)
{
    check("GET /fail HTTP/1.1\r\n" HOST "\r\n", 429, "too much\n");
}

Test(http_server, head_has_no_body)
{
    struct http_reply reply = http_socket_ask(address, "HEAD /big HTTP/1.1\r\n" HOST "\r\n");
    cr_expect_eq(reply.status, 200);
    cr_expect_str_eq(http_reply_header(&reply, "Content-Length"), "98890");
    http_reply_fini(&reply);
}

Test(http_server, bodies_come_whole_with_a_length_and_in_chunks)
{
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "hello");
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "");
    check("POST /echo HTTP/1.1\r\n" HOST
          "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
          200, "hello");
    check("POST /empty HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 204, "");
}

Test(http_server, a_body_over_the_bound_is_413)
{
    size_t n = (1 << 20) + 1;
    char *zeros = calloc(1, 3 * n);
    int fd = http_socket_connect(address);
    const char *head = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n";
    http_socket_send(fd, head, strlen(head));
    cr_expect_eq(http_socket_send(fd, zeros, n), n);
    struct http_reply reply = http_socket_read(fd, false);
    cr_expect_eq(reply.status, 413);
    cr_expect_str_eq(cw_buf_z(&reply.body), "http: request body too large\n");
    http_reply_fini(&reply);
    close(fd);
    /* One that does not tell its length */
    fd = http_socket_connect(address);
    head = "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n200000\r\n";
    http_socket_send(fd, head, strlen(head));
    http_socket_send(fd, zeros, 0x200000);
    http_socket_send(fd, "\r\n0\r\n\r\n", 7);
    reply = http_socket_read(fd, false);
    cr_expect_eq(reply.status, 413);
    http_reply_fini(&reply);
    close(fd);
    /* One that asks first is told at once. */
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n",
          413, "http: request body too large\n");
    check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi", 200,
          "hi");
    free(zeros);
}

Test(http_server, a_body_of_endless_length_is_cut_off)
{
    int fd = http_socket_connect(address);
    char *zeros = calloc(1, 1 << 20);
    const char *head = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 999999999999\r\n\r\n";
    http_socket_send(fd, head, strlen(head));
    size_t sent = 0, n;
    do {
        n = http_socket_send(fd, zeros, 1 << 20);
        sent += n;
    } while (n == 1 << 20 && sent < (size_t)1 << 30);
    cr_expect(sent < (size_t)300 << 20, "%zu", sent);
    free(zeros);
    close(fd);
}

Test(http_server, malformed_requests_are_400_or_cut)
{
    static const char *const cases[] = {
        "GET /tell HTTP/1.1\r\n\r\n", /* 1.1 without Host */
        "GARBAGE\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: abc\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct http_reply reply = http_socket_ask(address, cases[i]);
        cr_expect(reply.status == 0 || (reply.status >= 400 && reply.status < 600), "%s: %d",
                  cases[i], reply.status);
        http_reply_fini(&reply);
    }
    check("GET /tell HTTP/1.1\r\n" HOST "\r\n", 200, "1 /tell name= has=0 header=");
}

Test(http_server, huge_headers_and_urls_are_refused_and_large_ones_taken)
{
    struct cw_buf text;
    cw_buf_init(&text, 8 << 20);
    cw_buf_addz(&text, "GET /tell?q=");
    for (int i = 0; i < 60000; i++)
        cw_buf_addc(&text, 'q');
    cw_buf_addz(&text, " HTTP/1.1\r\n" HOST "\r\n");
    struct http_reply reply = http_socket_ask(address, cw_buf_z(&text));
    cr_expect_eq(reply.status, 200);
    cr_expect(reply.body.len > 60000);
    http_reply_fini(&reply);
    cw_buf_clear(&text);
    cw_buf_addz(&text, "GET /tell HTTP/1.1\r\n" HOST "X-Test: ");
    for (int i = 0; i < 1 << 20; i++)
        cw_buf_addc(&text, 'h');
    cw_buf_addz(&text, "\r\n\r\n");
    reply = http_socket_ask(address, cw_buf_z(&text));
    cr_expect(reply.status == 0 || (reply.status >= 400 && reply.status < 500), "%d", reply.status);
    http_reply_fini(&reply);
    cw_buf_fini(&text);
}

Test(http_server, ten_thousand_parameters_of_a_target_are_read)
{
    struct cw_buf text;
    cw_buf_init(&text, 8 << 20);
    cw_buf_addz(&text, "GET /tell?");
    for (int i = 0; i < 10000; i++)
        cw_buf_addf(&text, "p%d=%d&", i, i);
    cw_buf_addz(&text, "q=last HTTP/1.1\r\n" HOST "\r\n");
    check(cw_buf_z(&text), 200, "1 /tell name= q=last has=1 header=");
    cw_buf_fini(&text);
}

Test(http_server, ten_thousand_parameters_of_a_form_are_read)
{
    struct cw_buf form, text;
    cw_buf_init(&form, 8 << 20);
    cw_buf_init(&text, 8 << 20);
    for (int i = 0; i < 10000; i++)
        cw_buf_addf(&form, "p%d=%d&", i, i);
    cw_buf_addz(&form, "q=last");
    cw_buf_addf(&text,
                "POST /tell HTTP/1.1\r\n" HOST
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n",
                form.len);
    cw_buf_adds(&text, cw_buf_str(&form));
    check(cw_buf_z(&text), 200, "2 /tell name= q=last has=1 header=");
    cw_buf_fini(&form);
    cw_buf_fini(&text);
}

Test(http_server, requests_may_be_pipelined_and_connections_kept)
{
    int fd = http_socket_connect(address);
    const char *three = "GET /tell?q=1 HTTP/1.1\r\n" HOST "\r\nPOST /echo HTTP/1.1\r\n" HOST
                        "Content-Length: 3\r\n\r\ntwo"
                        "GET /late HTTP/1.1\r\n" HOST "\r\n";
    static const char *const want[] = {"1 /tell name= q=1 has=1 header=", "two", "late"};
    http_socket_send(fd, three, strlen(three));
    for (int i = 0; i < 3; i++) {
        struct http_reply reply = http_socket_read(fd, false);
        cr_expect_eq(reply.status, 200);
        cr_expect_str_eq(cw_buf_z(&reply.body), want[i]);
        http_reply_fini(&reply);
    }
    http_socket_send(fd, three, 40);
    close(fd);
}

Test(http_server, large_answers_are_packed_for_who_takes_gzip)
{
    static const char *const takes[] = {"gzip", "deflate, GZIP;q=0.5", "br,gzip"};
    static const char *const refuses[] = {"identity", "gzip;q=0", "xgzip"};
    char request[200];
    for (size_t i = 0; i < 3; i++) {
        snprintf(request, sizeof request,
                 "GET /big HTTP/1.1\r\n" HOST "Accept-Encoding: %s\r\n\r\n", takes[i]);
        struct http_reply reply = http_socket_ask(address, request);
        cr_expect_str_eq(http_reply_header(&reply, "Content-Encoding"), "gzip", "%s", takes[i]);
        static unsigned char raw[1 << 17];
        z_stream z = {.next_in = (void *)reply.body.ptr,
                      .avail_in = (unsigned)reply.body.len,
                      .next_out = raw,
                      .avail_out = sizeof raw};
        cr_assert_eq(inflateInit2(&z, 31), Z_OK);
        cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
        cr_expect_eq(z.total_out, 98890);
        inflateEnd(&z);
        http_reply_fini(&reply);
        snprintf(request, sizeof request,
                 "GET /big HTTP/1.1\r\n" HOST "Accept-Encoding: %s\r\n\r\n", refuses[i]);
        reply = http_socket_ask(address, request);
        cr_expect_str_eq(http_reply_header(&reply, "Content-Encoding"), "", "%s", refuses[i]);
        cr_expect_eq(reply.body.len, 98890);
        http_reply_fini(&reply);
    }
}

Test(http_server, foreign_pages_are_refused_on_loopback)
{
    check("GET /tell HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403,
          "refused: Host or Origin is not this machine, and this server listens on loopback "
          "without access control\n");
    check("GET http://evil.example/tell HTTP/1.1\r\n" HOST "\r\n", 403, /* not what Host says */
          "refused: Host or Origin is not this machine, and this server listens on loopback "
          "without access control\n");
    struct http_reply reply =
        http_socket_ask(address, "POST /echo HTTP/1.1\r\n" HOST
                                 "Origin: https://evil.example\r\nContent-Length: 2\r\n\r\nhi");
    cr_expect_eq(reply.status, 403);
    http_reply_fini(&reply);
    check("POST /echo HTTP/1.1\r\n" HOST
          "Origin: http://localhost:3000\r\nContent-Length: 2\r\n\r\nhi",
          200, "hi");
}

static void wait_for(atomic_int *value, int want)
{
    for (int i = 0; i < 10000 && atomic_load(value) < want; i++)
        usleep(1000);
    cr_expect_eq(atomic_load(value), want);
}

Test(http_server, a_client_that_leaves_cancels_its_request)
{
    int fd = http_socket_connect(address);
    const char *request = "GET /hold HTTP/1.1\r\n" HOST "\r\n";
    http_socket_send(fd, request, strlen(request));
    close(fd);
    wait_for(&ncancelled, 1);
}

Test(http_server, a_client_that_leaves_ends_a_stream)
{
    int fd = http_socket_connect(address);
    const char *request = "GET /stream?n=1000000 HTTP/1.1\r\n" HOST "\r\n";
    http_socket_send(fd, request, strlen(request));
    char some[100];
    cr_expect(recv(fd, some, sizeof some, 0) > 0);
    close(fd);
    wait_for(&ncancelled, 1);
    wait_for(&ndone, 1);
    cr_expect_eq(atomic_load(&last_status), 499);
}

Test(http_server, a_stream_of_any_size_comes_whole)
{
    static const int kilobytes[] = {0, 1, 1000, 30000};
    for (size_t i = 0; i < CW_COUNT(kilobytes); i++) {
        char request[100];
        snprintf(request, sizeof request, "GET /stream?n=%d HTTP/1.1\r\n" HOST "\r\n",
                 kilobytes[i]);
        struct http_reply reply = http_socket_ask(address, request);
        cr_expect_eq(reply.status, 200);
        cr_expect(reply.whole);
        cr_expect_eq(reply.body.len, (size_t)kilobytes[i] * 1024);
        http_reply_fini(&reply);
    }
}

Test(http_server, a_stream_that_fails_is_seen_as_cut)
{
    struct http_reply reply =
        http_socket_ask(address, "GET /stream?n=100&cut=1 HTTP/1.1\r\n" HOST "\r\n");
    cr_expect_eq(reply.status, 200);
    cr_expect_not(reply.whole);
    http_reply_fini(&reply);
}

Test(http_server, slow_readers_do_not_hold_up_others)
{
    int slow[20];
    const char *request = "GET /stream?n=20000 HTTP/1.1\r\n" HOST "\r\n";
    for (size_t i = 0; i < CW_COUNT(slow); i++) {
        slow[i] = http_socket_connect(address);
        http_socket_send(slow[i], request, strlen(request));
    }
    for (int i = 0; i < 20; i++)
        check("GET /late HTTP/1.1\r\n" HOST "\r\n", 200, "late");
    struct http_reply reply = http_socket_read(slow[0], false);
    cr_expect(reply.whole && reply.body.len == 20000 * 1024);
    http_reply_fini(&reply);
    for (size_t i = 0; i < CW_COUNT(slow); i++)
        close(slow[i]);
}

Test(http_server, stopping_waits_for_requests_under_way)
{
    int fd = http_socket_connect(address);
    const char *request = "GET /stream?n=5000 HTTP/1.1\r\n" HOST "\r\n";
    http_socket_send(fd, request, strlen(request));
    char some;
    cr_expect_eq(recv(fd, &some, 1, MSG_PEEK), 1);
    pthread_t stopper;
    cr_assert_eq(
        pthread_create(&stopper, NULL, (void *(*)(void *))(void *)cw_http_server_free, &server), 0);
    /* free() stops with no grace: the stream is cut at a moment of its own; stop() with grace is in the next test */
    struct http_reply reply = http_socket_read(fd, false);
    cr_expect_eq(reply.status, 200);
    pthread_join(stopper, NULL);
    http_reply_fini(&reply);
    close(fd);
}

static void *stop_main(void *arg)
{
    (void)arg;
    cw_http_server_stop(server, 20 * CW_NS_PER_S);
    return NULL;
}

Test(http_server, a_graceful_stop_lets_requests_end_and_takes_no_new_ones)
{
    int held = http_socket_connect(address), kept = http_socket_connect(address);
    const char *request = "GET /hold HTTP/1.1\r\n" HOST "\r\n",
               *other = "GET /tell HTTP/1.1\r\n" HOST "\r\n";
    http_socket_send(kept, other, strlen(other));
    struct http_reply reply = http_socket_read(kept, false);
    http_reply_fini(&reply);
    http_socket_send(held, request, strlen(request));
    wait_for(&nheld, 1);
    pthread_t stopper;
    cr_assert_eq(pthread_create(&stopper, NULL, stop_main, NULL), 0);
    do {
        http_socket_send(kept, other, strlen(other));
        reply = http_socket_read(kept, false);
        int status = reply.status;
        http_reply_fini(&reply);
        if (status != 200) {
            cr_expect_eq(status, 503);
            break;
        }
    } while (true);
    atomic_store(&release, true);
    reply = http_socket_read(held, false);
    cr_expect_eq(reply.status, 200);
    cr_expect_str_eq(cw_buf_z(&reply.body), "held");
    http_reply_fini(&reply);
    pthread_join(stopper, NULL);
    cr_expect_eq(atomic_load(&ncancelled), 0);
    close(held);
    close(kept);
}

Test(http_server, after_the_grace_requests_are_cancelled)
{
    int fd = http_socket_connect(address);
    const char *request = "GET /hold HTTP/1.1\r\n" HOST "\r\n";
    http_socket_send(fd, request, strlen(request));
    wait_for(&nheld, 1);
    cw_http_server_stop(server, 0);
    cr_expect_eq(atomic_load(&ncancelled), 1);
    close(fd);
}

enum { HALVES = 16 };
static int halves[HALVES];

static void *halves_main(void *arg)
{
    (void)arg;
    for (int i = 0; i < HALVES; i++)
        send(halves[i], "b", 1, MSG_NOSIGNAL); /* the server may have cut it already */
    return NULL;
}

Test(http_server, bodies_that_end_while_the_server_stops_are_answered_or_cut, .init = NULL)
{
    enum { ROUNDS = 100 };
    const char *request = "POST /late HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na";
    for (int round = 0; round < ROUNDS; round++) {
        start((struct cw_http_server_options){.nthreads = 2});
        for (int i = 0; i < HALVES; i++) {
            halves[i] = http_socket_connect(address);
            http_socket_send(halves[i], request, strlen(request));
        }
        usleep(1000);
        pthread_t sender;
        cr_assert_eq(pthread_create(&sender, NULL, halves_main, NULL), 0);
        usleep((useconds_t)(round % 10) * 20);
        cw_http_server_stop(server, 20 * CW_NS_PER_S);
        pthread_join(sender, NULL);
        for (int i = 0; i < HALVES; i++)
            close(halves[i]);
        cw_http_server_free(&server);
    }
}

Test(http_server, bodies_over_the_budget_of_all_are_429_and_one_over_it_alone_413, .init = NULL)
{
    static const char head[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n";
    char zeros[2000] = {0};
    start((struct cw_http_server_options){
        .nthreads = 1, .body_budget_bytes = 1000, .body_budget_name = "a key's"});
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_buf_addz(&text, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2000\r\n\r\n");
    for (int i = 0; i < 2000; i++)
        cw_buf_addc(&text, 'b');
    struct http_reply reply = http_socket_ask(address, cw_buf_z(&text));
    cr_expect_eq(reply.status, 413);
    cr_expect_str_eq(cw_buf_z(&reply.body),
                     "the request body is larger than 1000 bytes, which is all the memory for "
                     "bodies: a key's\n");
    http_reply_fini(&reply);
    cw_buf_fini(&text);
    /* One is under way, without its last byte; the answer to another says that the bytes sent were looked at. */
    int first = http_socket_connect(address), second = http_socket_connect(address);
    http_socket_send(first, head, strlen(head));
    http_socket_send(first, zeros, 899);
    check("GET /tell HTTP/1.1\r\n" HOST "\r\n", 200, "1 /tell name= has=0 header=");
    http_socket_send(second, head, strlen(head));
    http_socket_send(second, zeros, 900);
    reply = http_socket_read(second, false);
    cr_expect_eq(reply.status, 429);
    cr_expect_str_eq(http_reply_header(&reply, "Retry-After"), "1");
    http_reply_fini(&reply);
    http_socket_send(first, zeros, 1);
    reply = http_socket_read(first, false);
    cr_expect_eq(reply.status, 200);
    http_reply_fini(&reply);
    close(first);
    close(second);
    for (int i = 0; i < 5; i++)
        check("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi", 200, "hi");
}

Test(http_server, idle_connections_are_cut, .init = NULL)
{
    start((struct cw_http_server_options){.nthreads = 1, .idle_timeout_s = 1});
    int fd = http_socket_connect(address);
    http_socket_send(fd, "GET /te", 7);
    struct http_reply reply = http_socket_read(fd, false);
    cr_expect(reply.status == 0 || reply.status == 408, "%d", reply.status);
    http_reply_fini(&reply);
    close(fd);
}

/* Ask on a connection that stays; its socket. */
static int ask_and_stay(const char *request, int status)
{
    int fd = http_socket_connect(address);
    http_socket_send(fd, request, strlen(request));
    struct http_reply reply = http_socket_read(fd, false);
    cr_expect_eq(reply.status, status, "%s: %d", request, reply.status);
    http_reply_fini(&reply);
    return fd;
}

static int send_and_stay(const char *bytes)
{
    int fd = http_socket_connect(address);
    http_socket_send(fd, bytes, strlen(bytes));
    return fd;
}

#define ASK_TELL "GET /tell HTTP/1.1\r\n" HOST "\r\n"

/* Another request on a connection that is open: its status, 0 when it was closed. */
static int ask_again(int fd)
{
    http_socket_send(fd, ASK_TELL, strlen(ASK_TELL));
    struct http_reply reply = http_socket_read(fd, false);
    http_reply_fini(&reply);
    return reply.status;
}

/* Ask on new connections until one is answered. */
static void ask_until_answered(void)
{
    struct http_reply reply;
    int64_t until = cw_clock_mono_ns() + 45 * CW_NS_PER_S;
    do {
        reply = http_socket_ask(address, ASK_TELL);
        http_reply_fini(&reply);
        if (reply.status == 0)
            usleep(20000);
    } while (reply.status == 0 && cw_clock_mono_ns() < until);
    cr_expect_eq(reply.status, 200);
}

static struct cw_http_connections wait_open(unsigned nopen)
{
    struct cw_http_connections counts;
    int64_t until = cw_clock_mono_ns() + 30 * CW_NS_PER_S;
    do {
        usleep(1000);
        cw_http_server_connections(server, &counts);
    } while (counts.open != nopen && cw_clock_mono_ns() < until);
    cr_expect_eq(counts.open, nopen, "%u", counts.open);
    return counts;
}

Test(http_server, the_connection_that_is_idle_longest_gives_way_to_a_new_one, .init = NULL)
{
    /* One thread: it notes that a connection is idle behind its reply, and before it reads the next request. */
    start((struct cw_http_server_options){.nthreads = 1, .max_connections = 3});
    int idle[4];
    for (int i = 0; i < 3; i++)
        idle[i] = ask_and_stay(ASK_TELL, 200);
    cr_expect_eq(ask_again(idle[0]), 200); /* now the second one waits longest */
    idle[3] = ask_and_stay(ASK_TELL, 200);
    struct cw_http_connections counts = wait_open(3);
    cr_expect(counts.max == 3 && counts.gave_way == 1 && counts.refused == 0, "%u: %llu, %llu",
              counts.max, (unsigned long long)counts.gave_way, (unsigned long long)counts.refused);
    cr_expect_eq(ask_again(idle[1]), 0);
    cr_expect_eq(ask_again(idle[0]), 200);
    cr_expect_eq(ask_again(idle[2]), 200);
    cr_expect_eq(ask_again(idle[3]), 200);
    for (int i = 0; i < 4; i++)
        close(idle[i]);
}

Test(http_server, requests_under_way_keep_their_places, .init = NULL)
{
    start((struct cw_http_server_options){.nthreads = 1, .max_connections = 2});
    int first = send_and_stay("GET /hold HTTP/1.1\r\n" HOST "\r\n"),
        second = send_and_stay("GET /hold HTTP/1.1\r\n" HOST "\r\n");
    while (atomic_load(&nheld) < 2)
        usleep(1000);
    struct http_reply reply = http_socket_ask(address, ASK_TELL);
    cr_expect_eq(reply.status, 0);
    http_reply_fini(&reply);
    cr_expect_eq(wait_open(2).refused, 1);
    atomic_store(&release, true);
    for (int i = 0; i < 2; i++) {
        reply = http_socket_read(i == 0 ? first : second, false);
        cr_expect_eq(reply.status, 200);
        http_reply_fini(&reply);
    }
    ask_until_answered();
    close(first);
    close(second);
}

Test(http_server, half_headers_and_half_bodies_give_way_when_they_are_quiet, .init = NULL)
{
    static const char *const halves[] = {"", "GET /te", "GET /tell HTTP/1.1\r\nHo",
                                         "POST /echo HTTP/1.1\r\n" HOST
                                         "Content-Length: 100\r\n\r\nhalf"};
    start((struct cw_http_server_options){.nthreads = 1, .max_connections = 2});
    for (size_t i = 0; i < CW_COUNT(halves); i++) {
        int first = send_and_stay(halves[i]), second = send_and_stay(halves[i]);
        wait_open(2);
        ask_until_answered();
        close(first);
        close(second);
        wait_open(0);
    }
}

Test(http_server, a_quarter_of_the_memory_is_for_connections, .init = NULL)
{
    static struct cw_memory_budget memory;
    struct cw_http_connections counts;
    cw_memory_budget_init(&memory, 5 << 20);
    start((struct cw_http_server_options){.nthreads = 1, .memory = &memory});
    cw_http_server_connections(server, &counts);
    cr_expect_eq(counts.max, 5);
}

Test(http_server, addresses_of_all_kinds_are_bound, .init = NULL, .fini = NULL)
{
    static const char *const good[] = {"127.0.0.1:0", "[::1]:0",   ":0",
                                       "[::]:0",      "0.0.0.0:0", "localhost:0"};
    static const char *const bad[] = {
        "",         "3100",      "127.0.0.1",       "127.0.0.1:", "127.0.0.1:99999",
        "::1:3100", "host:port", "nosuch.invalid:0"};
    for (size_t i = 0; i < CW_COUNT(good); i++) {
        start((struct cw_http_server_options){.listen = good[i], .nthreads = 1});
        char local[100];
        const char *colon = strrchr(address, ':');
        cr_expect_neq(atoi(colon + 1), 0);
        snprintf(local, sizeof local, "%s%s",
                 strstr(good[i], "::1") != NULL ? "[::1]" : "127.0.0.1", colon);
        address = local;
        if (strncmp(good[i], "localhost", 9) != 0)
            check("GET /tell HTTP/1.1\r\nHost: anything\r\n\r\n", 200,
                  "1 /tell name= has=0 header=");
        cw_http_server_free(&server);
    }
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        struct cw_http_server_options options = {.listen = bad[i]};
        cr_expect_lt(cw_http_server_new(&options, &server, &err), 0, "%s", bad[i]);
        cr_expect_null(server);
    }
}

Test(http_server, a_port_that_is_taken_is_named)
{
    struct cw_http_server *second = NULL;
    struct cw_http_server_options options = {.listen = address};
    cr_expect_eq(cw_http_server_new(&options, &second, &err), CW_E_UNAVAILABLE);
    cr_expect(strstr(err.text, address) != NULL && strstr(err.text, "in use") != NULL, "%s",
              err.text);
}
