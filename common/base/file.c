#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file_lost.h"

static int file_fail(struct cw_err *err, const char *what, const char *path)
{
    int errnum = errno;
    int code = errnum == ENOENT ? CW_E_NOT_FOUND : CW_E_IO;
    return cw_err_errno(err, code, errnum, "%s %s", what, path);
}

int cw_file_open(const char *path, int flags, struct cw_err *err)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? file_fail(err, "open", path) : fd;
}

int cw_file_write_all(int fd, const void *bytes, size_t n, const char *path, struct cw_err *err)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return file_fail(err, "write", path);
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int cw_file_pread_all(int fd, void *bytes, size_t n, uint64_t off, const char *path,
                      struct cw_err *err)
{
    char *at = bytes;
    while (n > 0) {
        ssize_t done = pread(fd, at, n, (off_t)off);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return file_fail(err, "read", path);
        if (done == 0)
            return cw_err_set(err, CW_E_IO, "read %s: it ends at byte %llu, %zu bytes too early",
                              path, (unsigned long long)off, n);
        at += done;
        off += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

int cw_file_sync(int fd, const char *path, struct cw_err *err)
{
    /* Not repeated on failure: the kernel may have dropped the dirty pages, and a second call would lie. */
    return fdatasync(fd) < 0 ? file_fail(err, "fdatasync", path) : 0;
}

int cw_file_sync_dir(const char *dir, struct cw_err *err)
{
    int fd = cw_file_open(dir, O_RDONLY | O_DIRECTORY, err);
    if (fd < 0)
        return fd;
    int rc = fsync(fd) < 0 ? file_fail(err, "fsync", dir) : 0;
    close(fd);
    return rc;
}

/* fsync of the folder that `path` stands in. */
static int sync_parent(const char *path, struct cw_err *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return cw_file_sync_dir(".", err);
    char *dir = cw_str_dupz(cw_str_make(path, slash == path ? 1 : (size_t)(slash - path)));
    int rc = cw_file_sync_dir(dir, err);
    free(dir);
    return rc;
}

int cw_file_read(const char *path, size_t max_bytes, struct cw_buf *out, struct cw_err *err)
{
    enum { STEP = 64 << 10 };
    int fd = cw_file_open(path, O_RDONLY, err);
    if (fd < 0)
        return fd;
    size_t start = out->len;
    int rc = 0;
    char *step = cw_mem_resize(NULL, STEP);
    for (;;) {
        /* One byte more than allowed tells a file that is too large from one that just fits. */
        size_t want = CW_MIN((size_t)STEP, max_bytes - (out->len - start) + 1);
        ssize_t n = read(fd, step, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = file_fail(err, "read", path);
        else if ((size_t)n > max_bytes - (out->len - start) || (size_t)n > out->max - out->len)
            rc = cw_err_set(err, CW_E_TOO_LARGE, "read %s: larger than %zu bytes", path, max_bytes);
        else
            cw_buf_add(out, step, (size_t)n);
        if (rc < 0 || n == 0)
            break;
    }
    if (rc < 0)
        out->len = start;
    free(step);
    close(fd);
    return rc;
}

int cw_file_replace(const char *path, struct cw_str bytes, struct cw_err *err)
{
    /* One fixed name: what a crash leaves behind is overwritten by the next call. */
    size_t len = strlen(path) + sizeof ".tmp";
    char *tmp = cw_mem_new(len);
    snprintf(tmp, len, "%s.tmp", path);
    int rc = 0;
    int fd = cw_file_open(tmp, O_WRONLY | O_CREAT | O_TRUNC, err);
    if (fd < 0) {
        rc = fd;
        goto out;
    }
    rc = cw_file_write_all(fd, bytes.ptr, bytes.len, tmp, err);
    if (rc == 0)
        rc = cw_file_sync(fd, tmp, err);
    close(fd);
    if (rc == 0)
        rc = cw_file_rename(tmp, path, err);
    if (rc < 0)
        unlink(tmp);
out:
    free(tmp);
    return rc;
}

int cw_file_replace_by(const char *path, const char *spare, struct cw_str bytes, struct cw_err *err)
{
    /* Written before it is cut: what is freed first, somebody else may take. */
    int fd = cw_file_open(spare, O_WRONLY, err);
    if (fd < 0)
        return fd;
    int rc = cw_file_write_all(fd, bytes.ptr, bytes.len, spare, err);
    if (rc == 0 && ftruncate(fd, (off_t)bytes.len) < 0)
        rc = file_fail(err, "cut", spare);
    if (rc == 0)
        rc = cw_file_sync(fd, spare, err);
    close(fd);
    return rc < 0 ? rc : cw_file_rename(spare, path, err);
}

int cw_file_move(const char *from, const char *to, struct cw_err *err)
{
    if (rename(from, to) == 0)
        return 0;
    int errnum = errno;
    return cw_err_errno(err, errnum == ENOENT ? CW_E_NOT_FOUND : CW_E_IO, errnum, "rename %s to %s",
                        from, to);
}

int cw_file_rename(const char *from, const char *to, struct cw_err *err)
{
    int rc = cw_file_move(from, to, err);
    return rc < 0 ? rc : sync_parent(to, err);
}

int cw_file_link(const char *from, const char *to, struct cw_err *err)
{
    if (link(from, to) == 0)
        return 0;
    int errnum = errno;
    return cw_err_errno(err, errnum == ENOENT ? CW_E_NOT_FOUND : CW_E_IO, errnum, "link %s as %s",
                        from, to);
}

int cw_file_unlink(const char *path, struct cw_err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return file_fail(err, "unlink", path);
    return 0;
}

/* 1: made, 0: it was there. */
static int mkdir_made(const char *dir, struct cw_err *err)
{
    if (mkdir(dir, 0700) == 0)
        return 1;
    int errnum = errno;
    struct stat st;
    if (stat(dir, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        errnum = ENOTDIR;
    }
    errno = errnum;
    return file_fail(err, "mkdir", dir);
}

int cw_file_mkdir(const char *dir, struct cw_err *err)
{
    int rc = mkdir_made(dir, err);
    return rc < 0 ? rc : 0;
}

/* One folder; its parent exists. */
static int mkdir_one(const char *dir, struct cw_err *err)
{
    int rc = mkdir_made(dir, err);
    return rc == 1 ? sync_parent(dir, err) : rc;
}

int cw_file_mkdirs(const char *dir, struct cw_err *err)
{
    char *path = cw_str_dupz(cw_str_of(dir));
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    int rc = 0;
    for (char *at = path + 1; rc == 0 && len > 0 && *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        rc = mkdir_one(path, err);
        *at = '/';
    }
    if (rc == 0)
        rc = mkdir_one(path, err);
    free(path);
    return rc;
}

bool cw_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int names_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int cw_file_list(const char *dir, struct cw_file_names *out, struct cw_err *err)
{
    struct cw_file_names names = {NULL, 0};
    size_t cap = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return file_fail(err, "open folder", dir);
    struct dirent *entry;
    while (errno = 0, (entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names.n == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            names.names = cw_mem_resize(names.names, cap * sizeof *names.names);
        }
        names.names[names.n++] = cw_str_dupz(cw_str_of(entry->d_name));
    }
    int rc = errno != 0 ? file_fail(err, "read folder", dir) : 0;
    closedir(d);
    if (rc < 0) {
        cw_file_names_free(&names);
        return rc;
    }
    if (names.n > 0)
        qsort(names.names, names.n, sizeof *names.names, names_order);
    *out = names;
    return 0;
}

void cw_file_names_free(struct cw_file_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct cw_file_names){NULL, 0};
}

/* A time that int64 cannot hold (a file system says anything) is 0. */
static int64_t timespec_ns(const struct timespec *t)
{
    int64_t ns;
    return __builtin_mul_overflow((int64_t)t->tv_sec, CW_NS_PER_S, &ns) ||
                   __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns)
               ? 0
               : ns;
}

/* Of this process. */
static atomic_size_t maps_live, copies_bytes;

/* The kernel's bound, read anew each time that one opens a file beyond MAPS_UNASKED: it may be raised meanwhile. */
enum { MAPS_DEFAULT = 65530, MAPS_UNASKED = 32768 };
static size_t maps_allowed(void)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    size_t n = 0;
    if (cw_file_read("/proc/sys/vm/max_map_count", 32, &text, NULL) == 0)
        n = strtoul(cw_buf_z(&text), NULL, 10);
    cw_buf_fini(&text);
    return n > 0 ? n : MAPS_DEFAULT;
}

static bool maps_are_scarce(void)
{
    size_t live = atomic_load(&maps_live);
    return live >= MAPS_UNASKED && live >= maps_allowed() / 4 * 3;
}

static int map_fail(const char *path, int errnum, struct cw_err *err)
{
    if (errnum != ENOMEM)
        return cw_err_errno(err, CW_E_IO, errnum, "mmap %s", path);
    size_t allowed = maps_allowed();
    return cw_err_errno(err, CW_E_IO, errnum,
                        "mmap %s: %zu files are mapped, and vm.max_map_count allows a process %zu "
                        "mappings: if these are all, raise it (sysctl -w vm.max_map_count=%zu)",
                        path, atomic_load(&maps_live), allowed, 4 * allowed);
}

static bool copy_fits(size_t size)
{
    if (size > CW_FILE_COPY_MAX)
        return false;
    bool fits = atomic_fetch_add(&copies_bytes, size) + size <= CW_FILE_COPIES_MAX;
    if (!fits)
        atomic_fetch_sub(&copies_bytes, size);
    return fits;
}

/* The caller has counted it. */
static int copy_make(int fd, const char *path, struct cw_file_map *map, struct cw_err *err)
{
    uint8_t *bytes = cw_mem_resize(NULL, map->len);
    int rc = cw_file_pread_all(fd, bytes, map->len, 0, path, err);
    if (rc < 0) {
        atomic_fetch_sub(&copies_bytes, map->len);
        free(bytes);
        return rc;
    }
    map->ptr = bytes;
    map->is_copy = true;
    return 0;
}

enum scarce { SCARCE_FAILS, SCARCE_COPIES };

static int map_make(int fd, const char *path, enum scarce scarce, struct cw_file_map *map,
                    struct cw_err *err)
{
    if (scarce == SCARCE_COPIES && maps_are_scarce() && copy_fits(map->len))
        return copy_make(fd, path, map, err);
    void *at = mmap(NULL, map->len, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) {
        atomic_fetch_add(&maps_live, 1);
        map->ptr = at;
        cw_file_lost_watch(map->ptr, map->len);
        return 0;
    }
    int errnum = errno;
    if (errnum == ENOMEM && scarce == SCARCE_COPIES && copy_fits(map->len))
        return copy_make(fd, path, map, err);
    return map_fail(path, errnum, err);
}

static int file_map(const char *path, enum scarce scarce, struct cw_file_map *out,
                    struct cw_err *err)
{
    int fd = cw_file_open(path, O_RDONLY | O_NONBLOCK, err); /* a pipe is not waited for */
    if (fd < 0)
        return fd;
    struct stat st;
    int rc = 0;
    struct cw_file_map map = {.ptr = NULL};
    if (fstat(fd, &st) < 0) {
        rc = file_fail(err, "stat", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = cw_err_set(err, CW_E_CORRUPT, "map %s: not a regular file", path);
    } else if (st.st_size > 0) {
        map = (struct cw_file_map){.len = (size_t)st.st_size,
                                   .dev = st.st_dev,
                                   .ino = st.st_ino,
                                   .written_ns = timespec_ns(&st.st_mtim)};
        rc = map_make(fd, path, scarce, &map, err);
    }
    close(fd);
    if (rc == 0)
        *out = map;
    return rc;
}

int cw_file_map(const char *path, struct cw_file_map *out, struct cw_err *err)
{
    return file_map(path, SCARCE_FAILS, out, err);
}

int cw_file_map_or_copy(const char *path, struct cw_file_map *out, struct cw_err *err)
{
    return file_map(path, SCARCE_COPIES, out, err);
}

void cw_file_unmap(struct cw_file_map *map)
{
    if (map->is_copy) {
        atomic_fetch_sub(&copies_bytes, map->len);
        free((void *)map->ptr);
    } else if (map->ptr != NULL) {
        cw_file_lost_forget(map->ptr);
        munmap((void *)map->ptr, map->len);
        atomic_fetch_sub(&maps_live, 1);
    }
    *map = (struct cw_file_map){.ptr = NULL};
}

bool cw_file_map_lost(const struct cw_file_map *map)
{
    return map->ptr != NULL && !map->is_copy && cw_file_lost_any(map->ptr);
}

bool cw_file_map_is_cut(const struct cw_file_map *map, const char *path)
{
    struct stat st;
    return map->ptr != NULL && !map->is_copy && stat(path, &st) == 0 && st.st_dev == map->dev &&
           st.st_ino == map->ino && (uint64_t)st.st_size < map->len;
}

void cw_file_map_random(const struct cw_file_map *map)
{
    if (map->ptr != NULL && !map->is_copy)
        madvise((void *)map->ptr, map->len, MADV_RANDOM);
}

void cw_file_will_read(struct cw_str bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)bytes.ptr & -page;
    size_t len = (uintptr_t)bytes.ptr + bytes.len - from;
    /* A single page comes as it is touched. Advice that is not taken costs time only. */
    if (bytes.ptr != NULL && len > page)
        madvise((void *)from, len, MADV_WILLNEED);
}

void cw_file_map_rest(const struct cw_file_map *map)
{
    if (map->ptr != NULL && !map->is_copy)
        madvise((void *)map->ptr, map->len, MADV_DONTNEED);
}

void cw_file_rest(struct cw_str bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)bytes.ptr + page - 1) & -page;
    uintptr_t to = ((uintptr_t)bytes.ptr + bytes.len) & -page;
    if (bytes.ptr != NULL && from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

int cw_file_space(const char *path, uint64_t *free_out, uint64_t *total_out, struct cw_err *err)
{
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return file_fail(err, "statvfs", path);
    *free_out = (uint64_t)st.f_bavail * st.f_frsize;
    *total_out = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

void cw_file_random(void *bytes, size_t n)
{
    char *at = bytes;
    while (n > 0) {
        ssize_t done = getrandom(at, n, 0);
        if (done < 0 && errno == EINTR)
            continue;
        CW_ASSERT(done > 0);
        at += done;
        n -= (size_t)done;
    }
}
