/*
 * powercut.c - a preloaded library that records what a program does to the files below one folder, so that
 * powercut.py can rebuild every state in which a disk may legally be when the power goes.
 *
 * LD_PRELOAD=libpowercut.so CW_POWERCUT_ROOT=/data CW_POWERCUT_LOG=/elsewhere/journal PROGRAM
 *
 * The journal is a row of frames, little-endian:
 *   u8 op | u64 mono_ns | u64 inode | u64 a | u64 b | u32 len1 | u32 len2 | bytes1 | bytes2
 *   'C' made: inode, path1          'W' written: inode, a = offset, bytes1       'T' cut or grown: inode, a = length
 *   'b' sync begins: inode, a = n   'e' sync ended well: inode, a = the n of its 'b' (files and folders alike)
 *   'R' renamed: path1 to path2     'U' unlinked: path1   'L' linked: path1, path2   'M' folder made: inode, path1   'X' folder gone: path1
 * An operation is written to the journal after it succeeded, a sync also before it starts: what a finished sync surely
 * covers is all that stands before its 'b'.
 *
 * Threads    One lock orders the journal; it is not held over the sync itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char root[PATH_MAX];
static size_t root_len;
static uint64_t nsyncs;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void)
{
    const char *dir = getenv("CW_POWERCUT_ROOT"), *log = getenv("CW_POWERCUT_LOG");
    if (!dir || !log || !realpath(dir, root))
        return;
    root_len = strlen(root);
    journal = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(char op, uint64_t inode, uint64_t a, uint64_t b, const void *p1, size_t n1,
                const void *p2, size_t n2)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t mono = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    unsigned char head[41];
    uint32_t len1 = (uint32_t)n1, len2 = (uint32_t)n2;
    head[0] = (unsigned char)op;
    memcpy(head + 1, &mono, 8);
    memcpy(head + 9, &inode, 8);
    memcpy(head + 17, &a, 8);
    memcpy(head + 25, &b, 8);
    memcpy(head + 33, &len1, 4);
    memcpy(head + 37, &len2, 4);
    struct iovec parts[3] = {{head, sizeof head}, {(void *)p1, n1}, {(void *)p2, n2}};
    ssize_t want = (ssize_t)(sizeof head + n1 + n2);
    if (REAL(writev)(journal, parts, 3) != want)
        abort(); /* a journal with a hole would prove nothing */
}

/* The absolute path of `path` seen from `dirfd`, if it lies below the root. */
static int inside(int dirfd, const char *path, char out[PATH_MAX])
{
    if (journal < 0 || !path)
        return 0;
    if (path[0] == '/') {
        if (snprintf(out, PATH_MAX, "%s", path) >= PATH_MAX)
            return 0;
    } else {
        char link[64], base[PATH_MAX];
        if (dirfd == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0)
            return 0;
        base[n] = 0;
        if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
            return 0;
    }
    return strncmp(out, root, root_len) == 0 && (out[root_len] == '/' || out[root_len] == 0);
}

static int watched(int fd, struct stat *st)
{
    char link[64], path[PATH_MAX];
    if (journal < 0 || fd == journal)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < (ssize_t)root_len || strncmp(path, root, root_len) != 0)
        return 0;
    return fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

static int opened(int dirfd, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE ||
        !inside(dirfd, path, full))
        return REAL(openat)(dirfd, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before, after;
    int was = stat(full, &before) == 0;
    int fd = REAL(openat)(dirfd, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && fstat(fd, &after) == 0 && S_ISREG(after.st_mode)) {
        if (!was)
            put('C', after.st_ino, 0, 0, full, strlen(full), NULL, 0);
        else if ((flags & O_TRUNC) && before.st_size > 0)
            put('T', after.st_ino, 0, 0, NULL, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return fd;
}

#define MODE_ARGUMENT(flags)                                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return opened(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return opened(AT_FDCWD, path, flags, mode);
}
int openat(int dirfd, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return opened(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags)
    return opened(dirfd, path, flags, mode);
}
int creat(const char *path, mode_t mode)
{
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* Sequential writes: where they went is the file position afterwards (right for O_APPEND too). */
ssize_t write(int fd, const void *bytes, size_t n)
{
    struct stat st;
    if (!watched(fd, &st))
        return REAL(write)(fd, bytes, n);
    pthread_mutex_lock(&lock);
    ssize_t done = REAL(write)(fd, bytes, n);
    int saved = errno;
    if (done > 0)
        put('W', st.st_ino, (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)done, 0, bytes,
            (size_t)done, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return done;
}
static ssize_t written_at(int fd, const void *bytes, size_t n, off_t off)
{
    struct stat st;
    if (!watched(fd, &st))
        return REAL(pwrite64)(fd, bytes, n, off);
    pthread_mutex_lock(&lock);
    ssize_t done = REAL(pwrite64)(fd, bytes, n, off);
    int saved = errno;
    if (done > 0)
        put('W', st.st_ino, (uint64_t)off, 0, bytes, (size_t)done, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t off)
{
    return written_at(fd, bytes, n, off);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t off)
{
    return written_at(fd, bytes, n, off);
}
static ssize_t written_parts(int fd, const struct iovec *parts, int nparts, int with_off, off_t off)
{
    struct stat st;
    int is_watched = watched(fd, &st);
    if (is_watched)
        pthread_mutex_lock(&lock);
    ssize_t done =
        with_off ? REAL(pwritev64)(fd, parts, nparts, off) : REAL(writev)(fd, parts, nparts);
    int saved = errno;
    if (!is_watched)
        return done;
    uint64_t at = with_off ? (uint64_t)off
                           : (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)(done > 0 ? done : 0);
    size_t left = done > 0 ? (size_t)done : 0;
    for (int i = 0; i < nparts && left > 0; i++) {
        size_t n = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (n > 0)
            put('W', st.st_ino, at, 0, parts[i].iov_base, n, NULL, 0);
        at += n;
        left -= n;
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return done;
}
ssize_t writev(int fd, const struct iovec *parts, int nparts)
{
    return written_parts(fd, parts, nparts, 0, 0);
}
ssize_t pwritev(int fd, const struct iovec *parts, int nparts, off_t off)
{
    return written_parts(fd, parts, nparts, 1, off);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int nparts, off_t off)
{
    return written_parts(fd, parts, nparts, 1, off);
}

static int resized(int fd, off_t length)
{
    struct stat st;
    if (!watched(fd, &st))
        return REAL(ftruncate64)(fd, length);
    pthread_mutex_lock(&lock);
    int rc = REAL(ftruncate64)(fd, length);
    int saved = errno;
    if (rc == 0)
        put('T', st.st_ino, (uint64_t)length, 0, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return rc;
}
int ftruncate(int fd, off_t length)
{
    return resized(fd, length);
}
int ftruncate64(int fd, off_t length)
{
    return resized(fd, length);
}
/* Reserving space may grow the file: recorded as growth. */
static int reserved(int fd, int mode, off_t off, off_t len)
{
    struct stat st, after;
    int is_watched = watched(fd, &st);
    if (is_watched)
        pthread_mutex_lock(&lock);
    int rc = REAL(fallocate64)(fd, mode, off, len);
    int saved = errno;
    if (is_watched) {
        if (rc == 0 && fstat(fd, &after) == 0 && after.st_size != st.st_size)
            put('T', st.st_ino, (uint64_t)after.st_size, 0, NULL, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int fallocate(int fd, int mode, off_t off, off_t len)
{
    return reserved(fd, mode, off, len);
}
int fallocate64(int fd, int mode, off_t off, off_t len)
{
    return reserved(fd, mode, off, len);
}
int posix_fallocate(int fd, off_t off, off_t len)
{
    return reserved(fd, 0, off, len) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off_t off, off_t len)
{
    return reserved(fd, 0, off, len) == 0 ? 0 : errno;
}

static int synced(int fd, int data_only)
{
    struct stat st;
    int is_watched = watched(fd, &st);
    uint64_t n = 0;
    if (is_watched) {
        pthread_mutex_lock(&lock);
        n = ++nsyncs;
        put('b', st.st_ino, n, 0, NULL, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    int rc = data_only ? REAL(fdatasync)(fd) : REAL(fsync)(fd);
    int saved = errno;
    if (is_watched && rc == 0) {
        pthread_mutex_lock(&lock);
        put('e', st.st_ino, n, 0, NULL, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int fsync(int fd)
{
    return synced(fd, 0);
}
int fdatasync(int fd)
{
    return synced(fd, 1);
}

static int moved(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char a[PATH_MAX], b[PATH_MAX];
    int both = inside(from_dir, from, a) && inside(to_dir, to, b);
    if (both)
        pthread_mutex_lock(&lock);
    int rc = flags ? REAL(renameat2)(from_dir, from, to_dir, to, flags)
                   : REAL(renameat)(from_dir, from, to_dir, to);
    int saved = errno;
    if (both) {
        if (rc == 0)
            put('R', 0, 0, 0, a, strlen(a), b, strlen(b));
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int rename(const char *from, const char *to)
{
    return moved(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return moved(from_dir, from, to_dir, to, 0);
}
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return moved(from_dir, from, to_dir, to, flags);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char a[PATH_MAX], b[PATH_MAX];
    int both = inside(from_dir, from, a) && inside(to_dir, to, b);
    if (both)
        pthread_mutex_lock(&lock);
    int rc = REAL(linkat)(from_dir, from, to_dir, to, flags);
    int saved = errno;
    if (both) {
        if (rc == 0)
            put('L', 0, 0, 0, a, strlen(a), b, strlen(b));
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
static int removed(int dirfd, const char *path, int flags)
{
    char full[PATH_MAX];
    int is_inside = inside(dirfd, path, full);
    if (is_inside)
        pthread_mutex_lock(&lock);
    int rc = REAL(unlinkat)(dirfd, path, flags);
    int saved = errno;
    if (is_inside) {
        if (rc == 0)
            put(flags & AT_REMOVEDIR ? 'X' : 'U', 0, 0, 0, full, strlen(full), NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int unlink(const char *path)
{
    return removed(AT_FDCWD, path, 0);
}
int unlinkat(int dirfd, const char *path, int flags)
{
    return removed(dirfd, path, flags);
}
int rmdir(const char *path)
{
    return removed(AT_FDCWD, path, AT_REMOVEDIR);
}
int mkdirat(int dirfd, const char *path, mode_t mode)
{
    char full[PATH_MAX];
    int is_inside = inside(dirfd, path, full);
    if (is_inside)
        pthread_mutex_lock(&lock);
    int rc = REAL(mkdirat)(dirfd, path, mode);
    int saved = errno;
    struct stat st;
    if (is_inside) {
        if (rc == 0 && stat(full, &st) == 0)
            put('M', st.st_ino, 0, 0, full, strlen(full), NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    errno = saved;
    return rc;
}
int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
