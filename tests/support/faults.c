/*
 * faults.c - a preloaded library that makes chosen file operations slow, fail, or the last that the process did.
 *
 * LD_PRELOAD=libfaults.so CW_FAULTS=/path/of/orders PROGRAM
 *
 * The file of orders is read again at each operation, so that a test changes them while the program runs. One order a
 * line: OPERATION PART-OF-PATH ACTION, with OPERATION one of sync, write, rename; ACTION one of
 *   delay:MS   wait first          fail:ERRNO   do nothing, fail with this number
 *   kill       SIGKILL before it   killafter    SIGKILL when it is done
 * A finished order is noted by a file "<orders>.<line number from 0>".
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum action { NOTHING, FAIL, KILL_AFTER };

/* What is ordered for `operation` on `path`: FAIL sets errno; delay and kill are done here. */
static enum action ordered(const char *operation, const char *path)
{
    const char *orders = getenv("CW_FAULTS");
    FILE *f = orders ? fopen(orders, "re") : NULL;
    if (!f)
        return NOTHING;
    char line[512], op[32], part[256], what[64], note[PATH_MAX];
    enum action result = NOTHING;
    for (int n = 0; result == NOTHING && fgets(line, sizeof line, f); n++) {
        if (sscanf(line, "%31s %255s %63s", op, part, what) != 3 || strcmp(op, operation) != 0 ||
            !strstr(path, part))
            continue;
        snprintf(note, sizeof note, "%s.%d", orders, n);
        int fd = REAL(open)(note, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
        if (strncmp(what, "delay:", 6) == 0)
            usleep((useconds_t)atoi(what + 6) * 1000);
        else if (strncmp(what, "fail:", 5) == 0) {
            errno = atoi(what + 5);
            result = FAIL;
        } else if (strcmp(what, "kill") == 0)
            kill(getpid(), SIGKILL);
        else if (strcmp(what, "killafter") == 0)
            result = KILL_AFTER;
    }
    int saved = errno;
    fclose(f);
    errno = saved;
    return result;
}

static const char *path_of(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    return out;
}

static int synced(int fd, int (*real)(int))
{
    char path[PATH_MAX];
    enum action action = ordered("sync", path_of(fd, path));
    if (action == FAIL)
        return -1;
    int rc = real(fd);
    if (action == KILL_AFTER)
        kill(getpid(), SIGKILL);
    return rc;
}
int fsync(int fd)
{
    return synced(fd, REAL(fsync));
}
int fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync));
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    if (fd > 2 && ordered("write", path_of(fd, path)) == FAIL)
        return -1;
    return REAL(write)(fd, bytes, n);
}
ssize_t writev(int fd, const struct iovec *parts, int nparts)
{
    char path[PATH_MAX];
    if (fd > 2 && ordered("write", path_of(fd, path)) == FAIL)
        return -1;
    return REAL(writev)(fd, parts, nparts);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t off)
{
    char path[PATH_MAX];
    if (fd > 2 && ordered("write", path_of(fd, path)) == FAIL)
        return -1;
    return REAL(pwrite64)(fd, bytes, n, off);
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t off)
{
    return pwrite64(fd, bytes, n, off);
}

int rename(const char *from, const char *to)
{
    enum action action = ordered("rename", to);
    if (action == FAIL)
        return -1;
    int rc = REAL(rename)(from, to);
    if (action == KILL_AFTER)
        kill(getpid(), SIGKILL);
    return rc;
}
