#include "tests/support/io_trace.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENTS_MAX = 4096 };

static struct {
    bool is_rename;
    char path[200]; /* its end */
} events[EVENTS_MAX];
static unsigned nevents;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *close_end;
static void (*close_fn)(void *arg);
static void *close_arg;
static const char *room_part; /* under the lock, as the two below */
static size_t room_bytes;
static unsigned nrefused;

static void path_of(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
}

static bool ends(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static void note(const char *path, bool is_rename)
{
    pthread_mutex_lock(&lock);
    if (nevents < EVENTS_MAX) {
        size_t len = strlen(path),
               kept = len < sizeof(events[0].path) ? len : sizeof(events[0].path) - 1;
        events[nevents].is_rename = is_rename;
        memcpy(events[nevents++].path, path + len - kept, kept + 1);
    }
    pthread_mutex_unlock(&lock);
}

static int synced(int fd, long number)
{
    char path[PATH_MAX];
    int rc = (int)syscall(number, fd);
    path_of(fd, path);
    note(path, false);
    return rc;
}

int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}

int rename(const char *from, const char *to)
{
    note(to, true);
    return (int)syscall(SYS_rename, from, to);
}

int close(int fd)
{
    char path[PATH_MAX];
    if (close_end) {
        path_of(fd, path);
        if (ends(path, close_end))
            close_fn(close_arg);
    }
    return (int)syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (room_part && n > 0) {
        path_of(fd, path);
        if (strstr(path, room_part)) {
            n = n < room_bytes ? n : room_bytes;
            room_bytes -= n;
            nrefused += n == 0;
        }
        if (n == 0) {
            pthread_mutex_unlock(&lock);
            errno = ENOSPC;
            return -1;
        }
    }
    pthread_mutex_unlock(&lock);
    return syscall(SYS_write, fd, bytes, n);
}

void io_trace_room(const char *part, size_t bytes)
{
    pthread_mutex_lock(&lock);
    room_part = part;
    room_bytes = bytes;
    nrefused = 0;
    pthread_mutex_unlock(&lock);
}

unsigned io_trace_nrefused(void)
{
    pthread_mutex_lock(&lock);
    unsigned n = nrefused;
    pthread_mutex_unlock(&lock);
    return n;
}

void io_trace_clear(void)
{
    pthread_mutex_lock(&lock);
    nevents = 0;
    pthread_mutex_unlock(&lock);
}

bool io_trace_synced(const char *sync_end, const char *rename_end)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nevents && !found; i++) {
        if (rename_end && events[i].is_rename && ends(events[i].path, rename_end))
            break;
        found = !events[i].is_rename && ends(events[i].path, sync_end);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

unsigned io_trace_nsynced(const char *end)
{
    unsigned n = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nevents; i++)
        n += !events[i].is_rename && ends(events[i].path, end);
    pthread_mutex_unlock(&lock);
    return n;
}

void io_trace_on_close(const char *end, void (*fn)(void *arg), void *arg)
{
    close_fn = fn;
    close_arg = arg;
    close_end = end;
}
