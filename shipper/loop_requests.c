#include "shipper/loop_requests.h"
#include <pthread.h>
#include <stdlib.h>
#include "common/base/assert.h"

struct waiting {
    struct cw_http_request *request;
    cw_loop_answer_fn answer;
    void *arg;
    struct waiting *next;
};

struct cw_loop_requests {
    uv_async_t async;
    pthread_mutex_t lock; /* of what follows */
    struct waiting *waiting, **waiting_end;
    bool closed;
};

static void refuse(struct cw_http_request *request)
{
    struct cw_err err;
    cw_err_set(&err, CW_E_UNAVAILABLE, "the shipper is stopping");
    cw_http_respond_err(request, &err);
}

static struct waiting *waiting_take(struct cw_loop_requests *requests, bool close)
{
    pthread_mutex_lock(&requests->lock);
    struct waiting *first = requests->waiting;
    requests->waiting = NULL;
    requests->waiting_end = &requests->waiting;
    requests->closed |= close;
    pthread_mutex_unlock(&requests->lock);
    return first;
}

static void on_async(uv_async_t *async)
{
    struct cw_loop_requests *requests = CW_CONTAINER_OF(async, struct cw_loop_requests, async);
    for (struct waiting *next, *at = waiting_take(requests, false); at != NULL; at = next) {
        next = at->next;
        at->answer(at->arg, at->request);
        free(at);
    }
}

void cw_loop_requests_hand(struct cw_loop_requests *requests, struct cw_http_request *request,
                           cw_loop_answer_fn answer, void *arg)
{
    pthread_mutex_lock(&requests->lock);
    bool closed = requests->closed;
    if (!closed) {
        struct waiting *waiting = cw_mem_new(sizeof *waiting);
        *waiting = (struct waiting){request, answer, arg, NULL};
        *requests->waiting_end = waiting;
        requests->waiting_end = &waiting->next;
        uv_async_send(&requests->async); /* under the lock: it is not closed meanwhile */
    }
    pthread_mutex_unlock(&requests->lock);
    if (closed)
        refuse(request);
}

struct cw_loop_requests *cw_loop_requests_new(uv_loop_t *loop)
{
    struct cw_loop_requests *requests = cw_mem_new(sizeof *requests);
    requests->waiting_end = &requests->waiting;
    pthread_mutex_init(&requests->lock, NULL);
    int rc = uv_async_init(loop, &requests->async, on_async);
    CW_ASSERT(rc == 0);
    return requests;
}

void cw_loop_requests_close(struct cw_loop_requests *requests)
{
    for (struct waiting *next, *at = waiting_take(requests, true); at != NULL; at = next) {
        next = at->next;
        refuse(at->request);
        free(at);
    }
    uv_close((uv_handle_t *)&requests->async, NULL);
}

void cw_loop_requests_free(struct cw_loop_requests **requests)
{
    if (*requests == NULL)
        return;
    pthread_mutex_destroy(&(*requests)->lock);
    free(*requests);
    *requests = NULL;
}
