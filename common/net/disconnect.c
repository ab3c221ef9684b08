#include "common/net/disconnect.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

enum { DISCONNECT_EVENTS = 64 };
#define DISCONNECT_STOP UINT64_MAX /* the epoll data of the stopping eventfd */

struct watch {
    int fd; /* -1: free */
    uint32_t generation;
    cw_disconnect_fn fn; /* NULL: has run */
    void *arg;
    int next_free;
};

struct cw_disconnect {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t ran;   /* `running` became -1 */
    int running;          /* the watch whose function runs now, or -1 */
    pthread_t thread;
    int epoll_fd, stop_fd;
    struct watch *watches;
    int nwatches, first_free;
};

/* An event names its watch by index and generation: one that was freed and taken again meanwhile is not meant. */
static uint64_t watch_key(int idx, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint32_t)idx;
}

static void on_event(struct cw_disconnect *d, uint64_t key)
{
    int idx = (int)(uint32_t)key;
    pthread_mutex_lock(&d->lock);
    struct watch *watch = &d->watches[idx];
    if (watch->fd >= 0 && watch->generation == key >> 32 && watch->fn != NULL) {
        cw_disconnect_fn fn = watch->fn;
        void *arg = watch->arg;
        watch->fn = NULL;
        d->running = idx;
        pthread_mutex_unlock(&d->lock);
        fn(arg);
        pthread_mutex_lock(&d->lock);
        d->running = -1;
        pthread_cond_broadcast(&d->ran);
    }
    pthread_mutex_unlock(&d->lock);
}

static void *disconnect_main(void *arg)
{
    struct cw_disconnect *d = arg;
    struct epoll_event events[DISCONNECT_EVENTS];
    for (;;) {
        int n = epoll_wait(d->epoll_fd, events, DISCONNECT_EVENTS, -1);
        CW_ASSERT(n >= 0 || errno == EINTR);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == DISCONNECT_STOP)
                return NULL;
            on_event(d, events[i].data.u64);
        }
    }
}

int cw_disconnect_open(struct cw_disconnect **out, struct cw_err *err)
{
    struct cw_disconnect *d = cw_mem_new(sizeof *d);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = DISCONNECT_STOP};
    d->first_free = d->running = -1;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->ran, NULL);
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool watches = d->epoll_fd >= 0 && d->stop_fd >= 0 &&
                   epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, d->stop_fd, &event) == 0;
    int errnum = watches ? pthread_create(&d->thread, NULL, disconnect_main, d) : errno;
    if (errnum == 0) {
        *out = d;
        return 0;
    }
    if (d->epoll_fd >= 0)
        close(d->epoll_fd);
    if (d->stop_fd >= 0)
        close(d->stop_fd);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->ran);
    free(d);
    return cw_err_errno(err, CW_E_INTERNAL, errnum, "start the watcher of connections");
}

void cw_disconnect_close(struct cw_disconnect **disconnect)
{
    struct cw_disconnect *d = *disconnect;
    if (d == NULL)
        return;
    uint64_t one = 1;
    ssize_t n = write(d->stop_fd, &one, sizeof one);
    CW_ASSERT(n == (ssize_t)sizeof one);
    pthread_join(d->thread, NULL);
    for (int i = 0; i < d->nwatches; i++)
        CW_ASSERT(d->watches[i].fd < 0);
    close(d->epoll_fd);
    close(d->stop_fd);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->ran);
    free(d->watches);
    free(d);
    *disconnect = NULL;
}

static int take_watch(struct cw_disconnect *d)
{
    if (d->first_free < 0) {
        int n = d->nwatches > 0 ? d->nwatches * 2 : 16;
        d->watches = cw_mem_resize(d->watches, (size_t)n * sizeof *d->watches);
        for (int i = n - 1; i >= d->nwatches; i--) {
            d->watches[i] = (struct watch){.fd = -1, .next_free = d->first_free};
            d->first_free = i;
        }
        d->nwatches = n;
    }
    int idx = d->first_free;
    d->first_free = d->watches[idx].next_free;
    return idx;
}

static void give_watch(struct cw_disconnect *d, int idx)
{
    struct watch *watch = &d->watches[idx];
    watch->fd = -1;
    watch->generation++;
    watch->next_free = d->first_free;
    d->first_free = idx;
}

int cw_disconnect_watch(struct cw_disconnect *d, int fd, cw_disconnect_fn fn, void *arg)
{
    pthread_mutex_lock(&d->lock);
    int idx = take_watch(d);
    struct watch *watch = &d->watches[idx];
    watch->fd = fd;
    watch->fn = fn;
    watch->arg = arg;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT,
                                .data.u64 = watch_key(idx, watch->generation)};
    if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        give_watch(d, idx);
        idx = -1;
    }
    pthread_mutex_unlock(&d->lock);
    return idx;
}

void cw_disconnect_unwatch(struct cw_disconnect *d, int ticket)
{
    if (ticket < 0)
        return;
    pthread_mutex_lock(&d->lock);
    CW_ASSERT(ticket < d->nwatches && d->watches[ticket].fd >= 0);
    while (d->running == ticket)
        pthread_cond_wait(&d->ran, &d->lock);
    epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, d->watches[ticket].fd, NULL);
    give_watch(d, ticket);
    pthread_mutex_unlock(&d->lock);
}
