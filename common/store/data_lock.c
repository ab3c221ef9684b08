#include "common/store/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/file.h"

struct cw_data_lock {
    int fd;
    char *path;
};

static int lock_fd(int fd, const char *data_dir, struct cw_err *err)
{
    char holder[128] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return cw_err_errno(err, CW_E_IO, errno, "flock %s/LOCK", data_dir);
    ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
    holder[n > 0 ? strcspn(holder, "\n") : 0] = '\0';
    return cw_err_set(err, CW_E_UNAVAILABLE,
                      "the data directory %s is in use by another process (%s)", data_dir, holder);
}

int cw_data_lock_take(const char *data_dir, struct cw_data_lock **out, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/LOCK", data_dir);
    int fd = cw_file_open(cw_buf_z(&path), O_RDWR | O_CREAT, err);
    int rc = fd < 0 ? fd : lock_fd(fd, data_dir, err);
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        cw_buf_fini(&path);
        return rc;
    }
    struct cw_data_lock *lock = cw_mem_new(sizeof(*lock));
    lock->fd = fd;
    lock->path = cw_buf_take(&path, NULL);
    *out = lock;
    return 0;
}

int cw_data_lock_set_address(struct cw_data_lock *lock, const char *address, struct cw_err *err)
{
    char text[300];
    int n = snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), address);
    if (n < 0 || (size_t)n >= sizeof(text))
        return cw_err_set(err, CW_E_INVALID, "the address %s is too long", address);
    /* Overwritten first: on a full disk the page that is there already can still be used. */
    if (pwrite(lock->fd, text, (size_t)n, 0) != n || ftruncate(lock->fd, n) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "write %s", lock->path);
    return 0;
}

void cw_data_lock_release(struct cw_data_lock **handle)
{
    struct cw_data_lock *lock = *handle;
    *handle = NULL;
    if (lock == NULL)
        return;
    close(lock->fd);
    free(lock->path);
    free(lock);
}
