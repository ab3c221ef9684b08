#include "common/base/many_waits.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/assert.h"
#include "common/base/file.h"

struct many {
    size_t n;
    cw_wait_fn fn;
    void *arg;
    atomic_size_t next;
    atomic_bool failed;
    pthread_mutex_t lock; /* guards what follows */
    int rc;
    struct cw_err err;
};

static void *work(void *arg)
{
    struct many *m = arg;
    while (!atomic_load(&m->failed)) {
        size_t i = atomic_fetch_add(&m->next, 1);
        struct cw_err err = {0};
        if (i >= m->n)
            break;
        int rc = m->fn(m->arg, i, &err);
        if (rc >= 0)
            continue;
        atomic_store(&m->failed, true);
        pthread_mutex_lock(&m->lock);
        if (m->rc == 0) {
            m->rc = rc;
            m->err = err;
        }
        pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

int cw_many_waits(size_t n, cw_wait_fn fn, void *arg, struct cw_err *err)
{
    struct many m = {.n = n, .fn = fn, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[CW_MANY_WAITS_MAX - 1];
    size_t wanted = CW_MIN(n > 0 ? n - 1 : 0, CW_COUNT(threads)), started = 0;
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* of a mapped file: file_lost.h */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (started < wanted && pthread_create(&threads[started], NULL, work, &m) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    work(&m);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&m.lock);
    if (m.rc < 0 && err != NULL)
        *err = m.err;
    return m.rc;
}

static int dir_sync(void *arg, size_t i, struct cw_err *err)
{
    char *const *dirs = arg;
    return cw_file_sync_dir(dirs[i], err);
}

int cw_many_sync_dirs(char *const *dirs, size_t n, struct cw_err *err)
{
    return cw_many_waits(n, dir_sync, (void *)dirs, err);
}
