#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/un.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/net/http_client.h"
#include "tests/support/http_socket.h"

/* A server that gives one prepared answer a connection, after it has read the head and what the test says of the body. */
struct canned {
    int fd;
    pthread_t thread;
    const char *answer;
    size_t body_bytes; /* of the request */
    bool stay;         /* do not close after the answer */
    bool reset;        /* reset the connection when the next request comes on it */
    char url[128];
    char request[8192];
};
static struct canned canned;
static uv_loop_t loop;
static struct cw_http_client *client;
static struct cw_err err;

static void *canned_main(void *arg)
{
    struct canned *c = arg;
    for (;;) {
        int fd = accept(c->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        size_t n = 0;
        char *end = NULL;
        while (n < sizeof c->request - 1 &&
               (end == NULL || n < (size_t)(end + 4 - c->request) + c->body_bytes)) {
            ssize_t rc = recv(fd, c->request + n, sizeof c->request - 1 - n, 0);
            if (rc <= 0)
                break;
            n += (size_t)rc;
            c->request[n] = '\0';
            end = strstr(c->request, "\r\n\r\n");
        }
        http_socket_send(fd, c->answer, strlen(c->answer));
        char byte;
        if (c->reset && recv(fd, &byte, 1, 0) > 0) {
            struct linger none = {.l_onoff = 1};
            usleep(2000); /* until the client polls, mostly: it must cope either way */
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
            close(fd);
            continue;
        }
        if (c->stay) {
            while (recv(fd, &byte, 1, 0) > 0)
                continue;
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

static void serve(const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    canned.answer = answer;
    canned.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(canned.fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(canned.fd, 16), 0);
    cr_assert_eq(getsockname(canned.fd, (struct sockaddr *)&address, &len), 0);
    snprintf(canned.url, sizeof canned.url, "http://127.0.0.1:%d/path?q=1",
             ntohs(address.sin_port));
    cr_assert_eq(pthread_create(&canned.thread, NULL, canned_main, &canned), 0);
}

static void setup(void)
{
    canned = (struct canned){.fd = -1};
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(cw_http_client_new(&loop, &client, &err), 0);
}

static void teardown(void)
{
    if (client != NULL)
        cw_http_client_close(client, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
    if (canned.fd >= 0) {
        shutdown(canned.fd, SHUT_RDWR);
        pthread_join(canned.thread, NULL);
        close(canned.fd);
    }
}

TestSuite(http_client, .init = setup, .fini = teardown, .timeout = 60);

struct outcome {
    int ndone, nfailed, rc, status;
    int64_t retry_after_s;
    struct cw_err err;
    char body[4096], content_type[100];
    size_t ndata;
    int data_rc; /* what on_data returns */
    struct cw_http_call_handle *handle;
    enum { JUST_NOTE, START_AGAIN, CLOSE_CLIENT, ABORT_CALL } then;
};

static struct cw_http_call get_call(void)
{
    return (struct cw_http_call){.method = "GET", .url = canned.url, .max_answer_bytes = 1 << 20};
}

static void on_done(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *failure)
{
    struct outcome *o = arg;
    o->ndone++;
    o->nfailed += rc < 0;
    o->rc = rc;
    o->err = *failure;
    o->status = answer->status;
    o->retry_after_s = answer->retry_after_s;
    snprintf(o->body, sizeof o->body, "%.*s", CW_STR_ARG(answer->body));
    snprintf(o->content_type, sizeof o->content_type, "%.*s", CW_STR_ARG(answer->content_type));
    struct cw_http_call call = get_call();
    if (o->then == START_AGAIN && o->ndone < 3) {
        cr_expect_eq(cw_http_client_start(client, &call, NULL, on_done, o, &o->handle, &err), 0);
    } else if (o->then == CLOSE_CLIENT) {
        struct cw_http_client *closed = client;
        client = NULL;
        cw_http_client_close(closed, NULL, NULL);
    }
}

static int on_data(void *arg, struct cw_str bytes, struct cw_err *failure)
{
    struct outcome *o = arg;
    o->ndata += bytes.len;
    if (o->then == ABORT_CALL) {
        cw_http_client_abort(client, &o->handle);
    } else if (o->then == CLOSE_CLIENT) {
        struct cw_http_client *closed = client;
        client = NULL;
        cw_http_client_close(closed, NULL, NULL);
    }
    if (o->data_rc < 0)
        return cw_err_set(failure, o->data_rc, "enough");
    return 0;
}

static void run(const struct cw_http_call *call, cw_http_data_fn data, struct outcome *o)
{
    cr_assert_eq(cw_http_client_start(client, call, data, on_done, o, &o->handle, &err), 0);
    cr_expect_eq(o->ndone, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}

Test(http_client, an_answer_comes_with_status_body_and_type)
{
    serve("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    run(&call, NULL, &o);
    cr_expect_eq(o.ndone, 1);
    cr_expect_eq(o.rc, 0);
    cr_expect_eq(o.status, 200);
    cr_expect_eq(o.retry_after_s, -1);
    cr_expect_str_eq(o.body, "hello");
    cr_expect_str_eq(o.content_type, "text/plain");
    cr_expect(strncmp(canned.request, "GET /path?q=1 HTTP/1.1\r\n", 24) == 0);
}

Test(http_client, method_headers_body_and_credentials_are_sent)
{
    serve("HTTP/1.1 204 No Content\r\n\r\n");
    canned.body_bytes = 4;
    const char *const headers[] = {"X-Scope-OrgID: me", "Content-Type: application/x-protobuf",
                                   NULL};
    struct cw_http_call call = {.method = "POST",
                                .url = canned.url,
                                .headers = headers,
                                .body = CW_STR("a\0bc"),
                                .user = "who:secret",
                                .max_answer_bytes = 100};
    struct outcome o = {0};
    run(&call, NULL, &o);
    cr_expect_eq(o.status, 204);
    cr_expect(strstr(canned.request, "POST /path") == canned.request);
    cr_expect(strstr(canned.request, "X-Scope-OrgID: me\r\n") != NULL);
    cr_expect(strstr(canned.request, "Content-Type: application/x-protobuf\r\n") != NULL);
    cr_expect(strstr(canned.request, "Content-Length: 4\r\n") != NULL);
    cr_expect(strstr(canned.request, "Authorization: Basic d2hvOnNlY3JldA==\r\n") != NULL);
    cr_expect(strstr(canned.request, "Expect") == NULL);
    call.user = NULL;
    call.bearer = "token";
    o = (struct outcome){0};
    run(&call, NULL, &o);
    cr_expect(strstr(canned.request, "Authorization: Bearer token\r\n") != NULL);
}

Test(http_client, retry_after_is_read_as_seconds_or_as_a_date)
{
    char answer[200], date[64];
    time_t later = time(NULL) + 100;
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&later, &tm));
    snprintf(answer, sizeof answer,
             "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
    serve(answer);
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    run(&call, NULL, &o);
    cr_expect_eq(o.status, 429);
    cr_expect(o.retry_after_s >= 90 && o.retry_after_s <= 100, "%lld", (long long)o.retry_after_s);
    static const struct {
        const char *answer;
        int64_t want;
    } cases[] = {
        {"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7},
        {"HTTP/1.1 503 x\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: "
         "0\r\n\r\n",
         0},
        {"HTTP/1.1 503 x\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", -1},
        {"HTTP/1.1 503 x\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", -1},
        {"HTTP/1.1 503 x\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n", -1},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        canned.answer = cases[i].answer;
        o = (struct outcome){0};
        run(&call, NULL, &o);
        cr_expect_eq(o.retry_after_s, cases[i].want, "%s: %lld", cases[i].answer,
                     (long long)o.retry_after_s);
    }
}

Test(http_client, answers_over_the_bound_are_refused)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    call.max_answer_bytes = 10;
    run(&call, NULL, &o);
    cr_expect_eq(o.rc, CW_E_TOO_LARGE);
    cr_expect(strstr(o.err.text, "over 10 bytes") != NULL, "%s", o.err.text);
    cr_expect_eq(o.status, 0);
}

Test(http_client, broken_answers_are_errors)
{
    static const char *const cases[] = {
        "",
        "GARBAGE\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: 1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"};
    serve("");
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        canned.answer = cases[i];
        struct outcome o = {0};
        struct cw_http_call call = get_call();
        run(&call, NULL, &o);
        cr_expect_eq(o.rc, CW_E_IO, "%s: %d %s", cases[i], o.rc, o.err.text);
        cr_expect(strstr(o.err.text, "http://127.0.0.1:") == o.err.text &&
                      strchr(o.err.text, '?') == NULL,
                  "%s", o.err.text);
    }
}

Test(http_client, who_does_not_listen_is_unavailable)
{
    serve("");
    shutdown(canned.fd, SHUT_RDWR);
    pthread_join(canned.thread, NULL);
    close(canned.fd);
    canned.fd = -1;
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    run(&call, NULL, &o);
    cr_expect_eq(o.rc, CW_E_UNAVAILABLE, "%s", o.err.text);
    call.url = "http://user:secret@nosuch..invalid/x?token=secret";
    o = (struct outcome){0};
    run(&call, NULL, &o);
    cr_expect_eq(o.rc, CW_E_UNAVAILABLE);
    cr_expect(strstr(o.err.text, "secret") == NULL, "%s", o.err.text);
    call.url = "ftp://127.0.0.1/x";
    o = (struct outcome){0};
    run(&call, NULL, &o);
    cr_expect_eq(o.rc, CW_E_INVALID);
}

Test(http_client, a_server_that_does_not_answer_times_out)
{
    serve("");
    canned.stay = true;
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    call.timeout_ns = 50 * CW_NS_PER_MS;
    run(&call, NULL, &o);
    cr_expect_eq(o.rc, CW_E_TIMEOUT, "%s", o.err.text);
}

Test(http_client, a_callback_may_start_the_next_call)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct outcome o = {.then = START_AGAIN};
    struct cw_http_call call = get_call();
    run(&call, NULL, &o);
    cr_expect_eq(o.ndone, 3);
    cr_expect_eq(o.nfailed, 0);
    cr_expect_eq(o.status, 200);
}

Test(http_client, a_kept_connection_that_is_reset_by_the_next_call_is_replaced)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    canned.reset = true;
    for (int i = 0; i < 5; i++) { /* it learns of the reset as it polls, or before */
        struct outcome o = {.then = START_AGAIN};
        struct cw_http_call call = get_call();
        run(&call, NULL, &o);
        cr_expect_eq(o.ndone, 3);
        cr_expect_eq(o.nfailed, 0);
    }
}

Test(http_client, a_callback_may_close_the_client)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    struct outcome o = {.then = CLOSE_CLIENT};
    struct cw_http_call call = get_call();
    run(&call, NULL, &o);
    cr_expect_eq(o.ndone, 1);
    cr_expect_null(client);
}

Test(http_client, data_may_close_the_client)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    canned.stay = true;
    struct outcome o = {.then = CLOSE_CLIENT};
    struct cw_http_call call = get_call();
    run(&call, on_data, &o);
    cr_expect_eq(o.ndone, 0);
    cr_expect_eq(o.ndata, 4);
}

Test(http_client, data_is_handed_on_and_may_end_the_call)
{
    serve("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    run(&call, on_data, &o);
    cr_expect_eq(o.ndata, 11);
    cr_expect_eq(o.rc, 0);
    cr_expect_str_eq(o.body, "");
    o = (struct outcome){.data_rc = CW_E_LIMIT};
    run(&call, on_data, &o);
    cr_expect_eq(o.rc, CW_E_LIMIT);
    cr_expect_str_eq(o.err.text, "enough");
    o = (struct outcome){.then = ABORT_CALL};
    run(&call, on_data, &o);
    cr_expect_eq(o.ndone, 0);
    cr_expect_null(o.handle);
}

Test(http_client, an_aborted_call_is_silent)
{
    serve("");
    canned.stay = true;
    struct outcome o = {0};
    struct cw_http_call call = get_call();
    cr_assert_eq(cw_http_client_start(client, &call, NULL, on_done, &o, &o.handle, &err), 0);
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    cw_http_client_abort(client, &o.handle);
    cw_http_client_abort(client, &o.handle);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(o.ndone, 0);
}

Test(http_client, unix_sockets_are_reached)
{
    char dir[] = "/tmp/cw-http-XXXXXX", path[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sock", dir);
    strcpy(address.sun_path, path);
    canned.answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndocker";
    canned.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(canned.fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(canned.fd, 4), 0);
    cr_assert_eq(pthread_create(&canned.thread, NULL, canned_main, &canned), 0);
    struct cw_http_call call = {.method = "GET",
                                .url = "http://docker/v1.40/info",
                                .unix_socket = path,
                                .max_answer_bytes = 100};
    struct outcome o = {0};
    run(&call, NULL, &o);
    cr_expect_str_eq(o.body, "docker");
    unlink(path);
    rmdir(dir);
}

static int noted_status;

static int note_status(void *arg, struct cw_str bytes, struct cw_err *failure)
{
    (void)bytes, (void)failure;
    noted_status = *(int *)arg;
    return 0;
}

Test(http_client, a_blocking_call_gives_the_same)
{
    serve("HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone");
    struct cw_http_call call = get_call();
    struct cw_buf body;
    int status;
    cw_buf_init(&body, 1 << 20);
    cr_expect_eq(cw_http_fetch(&call, &status, &body, &err), 0);
    cr_expect_eq(status, 404);
    cr_expect_str_eq(cw_buf_z(&body), "gone");
    call.max_answer_bytes = 3;
    cr_expect_eq(cw_http_fetch(&call, &status, &body, &err), CW_E_TOO_LARGE);
    struct outcome o = {0};
    cr_expect_eq(cw_http_fetch_stream(&call, &status, on_data, &o, &err), 0);
    cr_expect_eq(o.ndata, 4);
    status = -1;
    cr_expect_eq(cw_http_fetch_stream(&call, &status, note_status, &status, &err), 0);
    cr_expect_eq(noted_status, 404);
    atomic_bool cancel = true;
    call.cancel = &cancel;
    cr_expect_eq(cw_http_fetch(&call, &status, &body, &err), CW_E_CANCELED, "%s", err.text);
    cw_buf_fini(&body);
}
