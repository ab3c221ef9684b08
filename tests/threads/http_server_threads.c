/* Many clients at once against the HTTP server: late answers, streams, leaves and a stop in the middle of it. */
#include <pthread.h>

#include "common/base/clock.h"
#include "common/net/http_server.h"
#include "tests/support/http_socket.h"

enum { NCLIENTS = 8, NROUNDS = 60, NWORKERS = 4, NQUEUE = 1024 };

/* Workers that answer what handlers leave to them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct cw_http_request *queue[NQUEUE];
static size_t nqueue;
static bool done;
static atomic_int nanswered, nok;

static void answer_stream(struct cw_http_request *request)
{
    struct cw_err err;
    char block[4096];
    memset(block, 's', sizeof block);
    int rc = cw_http_stream_begin(request, 200, "text/plain", &err);
    if (rc < 0) {
        cw_http_respond_err(request, &err);
        return;
    }
    for (int i = 0; rc == 0 && i < 500; i++)
        rc = cw_http_stream_write(request, cw_str_make(block, sizeof block), &err);
    cw_http_stream_end(request, rc == 0);
}

static void answer_late(struct cw_http_request *request)
{
    struct cw_buf body;
    const atomic_bool *cancelled = cw_http_cancelled(request);
    for (int i = 0; i < 100 && !atomic_load(cancelled); i++)
        sched_yield();
    cw_buf_init(&body, 1 << 20);
    cw_buf_addf(&body, "late %zu", cw_http_body(request).len);
    cw_http_respond(request, 200, "text/plain", &body);
    cw_buf_fini(&body);
}

static void *worker_main(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (nqueue == 0 && !done)
            pthread_cond_wait(&more, &lock);
        struct cw_http_request *request = nqueue > 0 ? queue[--nqueue] : NULL;
        pthread_mutex_unlock(&lock);
        if (request == NULL)
            return NULL;
        if (cw_str_eqz(cw_http_path(request), "/stream"))
            answer_stream(request);
        else
            answer_late(request);
    }
}

static void handle_later(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    CW_ASSERT(nqueue < NQUEUE);
    queue[nqueue++] = request;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static void handle_now(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    cw_http_respond(request, 204, NULL, NULL);
}

static void on_answered(void *ctx, struct cw_http_request *request, int status, int64_t duration_ns)
{
    (void)ctx, (void)request, (void)status, (void)duration_ns;
    atomic_fetch_add(&nanswered, 1);
}

static const struct cw_http_route routes[] = {
    {CW_HTTP_POST, "/late", handle_later, 1 << 20, "late"},
    {CW_HTTP_GET, "/stream", handle_later, 0, "stream"},
    {CW_HTTP_GET, "/now", handle_now, 0, "now"},
    {CW_HTTP_GET, NULL, NULL, 0, NULL},
};

static const char *address;

static void *client_main(void *arg)
{
    static const char *const requests[] = {
        "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "GET /now HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"};
    uintptr_t seed = (uintptr_t)arg;
    for (uintptr_t i = 0; i < NROUNDS; i++) {
        const char *request = requests[(i + seed) % CW_COUNT(requests)];
        int fd = http_socket_connect(address);
        http_socket_send(fd, request, strlen(request));
        if ((i + seed) % 5 != 0) { /* else leave at once */
            struct http_reply reply = http_socket_read(fd, false);
            atomic_fetch_add(&nok, reply.whole);
            http_reply_fini(&reply);
        }
        close(fd);
    }
    return NULL;
}

int main(void)
{
    struct cw_http_server_options options = {
        .listen = "127.0.0.1:0", .nthreads = 3, .on_done = on_answered};
    struct cw_http_server *server = NULL;
    static struct cw_err err;
    pthread_t clients[NCLIENTS], workers[NWORKERS];
    CW_ASSERT(cw_http_server_new(&options, &server, &err) == 0);
    cw_http_server_routes(server, routes, NULL);
    CW_ASSERT(cw_http_server_start(server, &err) == 0);
    address = cw_http_server_address(server);
    for (int i = 0; i < NWORKERS; i++)
        pthread_create(&workers[i], NULL, worker_main, NULL);
    for (uintptr_t i = 0; i < NCLIENTS; i++)
        pthread_create(&clients[i], NULL, client_main, (void *)i);
    for (int i = 0; i < NCLIENTS; i++)
        pthread_join(clients[i], NULL);
    CW_ASSERT(atomic_load(&nok) >= NCLIENTS * NROUNDS / 2);

    /* Leave some under way and stop. */
    int fds[NCLIENTS];
    const char *request = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < NCLIENTS; i++) {
        fds[i] = http_socket_connect(address);
        http_socket_send(fds[i], request, strlen(request));
    }
    cw_http_server_stop(server, CW_NS_PER_MS);
    pthread_mutex_lock(&lock);
    done = true;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < NWORKERS; i++)
        pthread_join(workers[i], NULL);
    cw_http_server_free(&server);
    for (int i = 0; i < NCLIENTS; i++)
        close(fds[i]);
    return 0;
}
