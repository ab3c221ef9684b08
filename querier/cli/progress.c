#include "querier/cli/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"

#define FIRST_NS CW_NS_PER_S
#define EVERY_NS (200 * CW_NS_PER_MS)
#define ERASE "\r\033[K"

struct cw_progress {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows, and the line */
    pthread_cond_t changed;
    bool stopping, paused, shown;
    int64_t start_ns; /* monotonic */
    cw_progress_fn say;
    void *arg;
};

static unsigned columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void erase(struct cw_progress *progress)
{
    if (!progress->shown)
        return;
    fputs(ERASE, stderr);
    fflush(stderr);
    progress->shown = false;
}

static void draw(struct cw_progress *progress)
{
    struct cw_buf text;
    cw_buf_init(&text, 4096);
    int64_t seconds = (cw_clock_mono_ns() - progress->start_ns) / CW_NS_PER_S;
    cw_buf_addf(&text, "%lld s", (long long)seconds);
    if (progress->say != NULL)
        progress->say(progress->arg, &text);
    size_t len = CW_MIN(text.len, (size_t)columns() - 1); /* a line that wraps cannot be erased */
    fprintf(stderr, ERASE "%.*s", (int)len, cw_buf_z(&text));
    fflush(stderr);
    progress->shown = true;
    cw_buf_fini(&text);
}

static void *run(void *arg)
{
    struct cw_progress *progress = arg;
    int64_t next_ns = progress->start_ns + FIRST_NS;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stopping) {
        struct timespec until = {.tv_sec = next_ns / CW_NS_PER_S, .tv_nsec = next_ns % CW_NS_PER_S};
        pthread_cond_timedwait(&progress->changed, &progress->lock, &until);
        if (progress->stopping || cw_clock_mono_ns() < next_ns)
            continue;
        if (!progress->paused)
            draw(progress);
        next_ns = cw_clock_mono_ns() + EVERY_NS;
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

static void progress_free(struct cw_progress *progress)
{
    pthread_cond_destroy(&progress->changed);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

struct cw_progress *cw_progress_start(cw_progress_fn say, void *arg)
{
    if (!isatty(STDERR_FILENO))
        return NULL;
    struct cw_progress *progress = cw_mem_new(sizeof *progress);
    progress->say = say;
    progress->arg = arg;
    progress->start_ns = cw_clock_mono_ns();
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&progress->thread, NULL, run, progress) == 0)
        return progress;
    progress_free(progress);
    return NULL;
}

void cw_progress_pause(struct cw_progress *progress)
{
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->paused = true;
    erase(progress);
    pthread_mutex_unlock(&progress->lock);
}

void cw_progress_resume(struct cw_progress *progress)
{
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->paused = false;
    pthread_mutex_unlock(&progress->lock);
}

void cw_progress_stop(struct cw_progress **handle)
{
    struct cw_progress *progress = *handle;
    *handle = NULL;
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->stopping = true;
    erase(progress);
    pthread_cond_signal(&progress->changed);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    progress_free(progress);
}
