/* Waits for the disk that go on at once. */
#include <criterion/criterion.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/many_waits.h"

static bool no_threads;
static unsigned nrefused;

/* It stands before the system's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                   void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (no_threads) {
        nrefused++;
        return EAGAIN;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, fn, arg);
}

enum { N = 500, FAILS_AT = 100 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t now, most, calls[N];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Each of the first calls stays until as many as may be are in it. */
static int meet(void *arg, size_t i, struct cw_err *err)
{
    pthread_mutex_lock(&seen.lock);
    seen.calls[i]++;
    seen.now++;
    seen.most = CW_MAX(seen.most, seen.now);
    pthread_cond_broadcast(&seen.changed);
    while (seen.most < *(size_t *)arg)
        pthread_cond_wait(&seen.changed, &seen.lock);
    seen.now--;
    pthread_mutex_unlock(&seen.lock);
    return 0;
}

Test(many_waits, eight_go_on_at_once_and_each_is_done_once, .timeout = 60)
{
    size_t all = CW_MANY_WAITS_MAX;
    struct cw_err err = {0};
    cr_assert_eq(cw_many_waits(N, meet, &all, &err), 0);
    cr_assert_eq(seen.most, CW_MANY_WAITS_MAX, "no more");
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(seen.calls[i], 1);
    cr_assert_eq(cw_many_waits(0, meet, &all, &err), 0);
    cr_assert_eq(cw_many_waits(1, meet, &all, &err), 0);
}

static int fail_once(void *arg, size_t i, struct cw_err *err)
{
    atomic_fetch_add((atomic_size_t *)arg, 1);
    return i == FAILS_AT ? cw_err_set(err, CW_E_IO, "number %zu", i) : 0;
}

Test(many_waits, a_failure_ends_it_and_is_told)
{
    atomic_size_t ncalls = 0;
    struct cw_err err = {0};
    cr_assert_eq(cw_many_waits(N, fail_once, &ncalls, &err), CW_E_IO);
    cr_assert_str_eq(err.text, "number 100");
    ncalls = 0;
    no_threads = true; /* in order */
    cr_assert_eq(cw_many_waits(N, fail_once, &ncalls, NULL), CW_E_IO);
    cr_assert_eq(ncalls, FAILS_AT + 1);
}

Test(many_waits, folders_that_are_not_there_are_named)
{
    char *dirs[] = {"/tmp", "/tmp/cw-test-no-such-folder", "/"};
    struct cw_err err = {0};
    cr_assert_eq(cw_many_sync_dirs(dirs, CW_COUNT(dirs), &err), CW_E_NOT_FOUND);
    cr_assert_not_null(strstr(err.text, "/tmp/cw-test-no-such-folder"), "%s", err.text);
    dirs[1] = "/tmp";
    cr_assert_eq(cw_many_sync_dirs(dirs, CW_COUNT(dirs), &err), 0);
}

Test(many_waits, without_threads_the_caller_does_it_all)
{
    atomic_size_t ncalls = 0;
    struct cw_err err = {0};
    no_threads = true;
    cr_assert_eq(cw_many_waits(FAILS_AT, fail_once, &ncalls, &err), 0);
    cr_assert_eq(ncalls, FAILS_AT);
    cr_assert_eq(nrefused, 1, "it asks once");
}
