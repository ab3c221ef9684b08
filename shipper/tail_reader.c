#include "shipper/tail_reader.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"

/* The smallest page there is. */
enum { SHORT_BYTES = 4096 };

int cw_tail_open(struct cw_tail *tail, const char *path, struct cw_err *err)
{
    *tail = (struct cw_tail){.fd = -1};
    /* NONBLOCK: a pipe that took the file's place since it was listed must not hang us. */
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    /* A read behind each write would write the inode once more, for its access time. */
    int fd = open(path, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM) /* only who owns the file, or root, may leave it out */
        fd = open(path, flags);
    if (fd < 0) {
        int code = errno == ENOENT                     ? CW_E_NOT_FOUND
                   : errno == EACCES || errno == EPERM ? CW_E_FORBIDDEN
                                                       : CW_E_IO;
        return cw_err_errno(err, code, errno, "open %s", path);
    }
    return cw_tail_take(tail, fd, path, err);
}

int cw_tail_take(struct cw_tail *tail, int fd, const char *path, struct cw_err *err)
{
    *tail = (struct cw_tail){.fd = fd};
    struct stat st;
    int rc = 0;
    if (fstat(fd, &st) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "stat %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = cw_err_set(err, CW_E_INVALID, "%s is not a regular file", path);
    else
        rc = cw_file_identity_read(fd, &tail->identity, &tail->size, err);
    tail->nlinks = (uint32_t)st.st_nlink;
    if (rc < 0)
        cw_tail_close(tail);
    return rc;
}

int cw_tail_open_packed(struct cw_tail *tail, const char *path, enum cw_codec format,
                        const char *folder, struct cw_err *err)
{
    struct cw_file_identity packed;
    uint64_t packed_size;
    *tail = (struct cw_tail){.fd = -1};
    int rc = cw_unpack_open(path, format, folder, &tail->unpack, err);
    if (rc < 0)
        return rc;
    tail->fd = cw_unpack_fd(tail->unpack);
    rc = cw_file_identity_read(cw_unpack_packed_fd(tail->unpack), &packed, &packed_size, err);
    if (rc == 0)
        rc = cw_file_identity_read(tail->fd, &tail->identity, &tail->size, err);
    tail->identity.dev = packed.dev;
    tail->identity.ino = packed.ino;
    tail->identity.birth_ns = packed.birth_ns;
    tail->nlinks = 1;
    if (rc < 0)
        cw_tail_close(tail);
    return rc;
}

bool cw_tail_unpacking(const struct cw_tail *tail)
{
    return tail->unpack != NULL && cw_unpack_state(tail->unpack) < CW_UNPACK_DONE;
}

void cw_tail_close(struct cw_tail *tail)
{
    if (tail->unpack != NULL)
        cw_unpack_close(&tail->unpack);
    else if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = -1;
}

int cw_tail_end_here(struct cw_tail *tail, struct cw_err *err)
{
    struct stat st;
    if (fstat(tail->fd, &st) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "stat");
    tail->ends = true;
    tail->outgrown = false;
    tail->end = tail->size = (uint64_t)st.st_size;
    return 0;
}

static enum cw_file_verdict size_set(struct cw_tail *tail, uint64_t size, uint64_t off)
{
    tail->outgrown = tail->ends && size > tail->end;
    tail->size = tail->outgrown ? tail->end : size;
    return size < off || size < tail->identity.prefix_len ? CW_FILE_CHANGED : CW_FILE_SAME;
}

int cw_tail_glance(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out,
                   struct cw_err *err)
{
    const struct cw_file_identity *identity = &tail->identity;
    tail->glanced = true;
    if (identity->prefix_len < CW_FILE_PREFIX_BYTES) {
        int rc = cw_file_identity_extend(tail->fd, &tail->identity, out, err);
        if (rc < 0 || *out == CW_FILE_CHANGED)
            return rc;
    }
    off_t size = identity->prefix_len; /* which is all of it, or else more */
    if (size == CW_FILE_PREFIX_BYTES)
        size = lseek(tail->fd, 0, SEEK_END);
    if (size < 0)
        return cw_err_errno(err, CW_E_IO, errno, "seek");
    *out = size_set(tail, (uint64_t)size, off);
    return 0;
}

int cw_tail_stat(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out, struct cw_err *err)
{
    struct stat st, packed;
    if (fstat(tail->fd, &st) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "stat");
    tail->glanced = false;
    tail->nlinks = (uint32_t)st.st_nlink;
    if (tail->unpack != NULL && fstat(cw_unpack_packed_fd(tail->unpack), &packed) == 0)
        tail->nlinks = (uint32_t)packed.st_nlink;
    tail->written_ns = st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec;
    *out = size_set(tail, (uint64_t)st.st_size, off);
    return 0;
}

int cw_tail_check(struct cw_tail *tail, uint64_t off, enum cw_file_verdict *out, struct cw_err *err)
{
    int rc = cw_tail_stat(tail, off, out, err);
    if (rc < 0 || *out == CW_FILE_CHANGED)
        return rc;
    return cw_file_identity_extend(tail->fd, &tail->identity, out, err);
}

/* The same of bytes so near the beginning that one page of the kernel's cache has all up to them. One read tells these and the first
 * ones, as of one time: what truncates the file takes the page away whole, and what is written then comes into another. */
static int short_read(struct cw_tail *tail, uint64_t off, char *bytes, size_t cap, size_t *len_out,
                      enum cw_file_verdict *out, struct cw_err *err)
{
    char front[SHORT_BYTES];
    const struct iovec both[] = {{front, (size_t)off}, {bytes, cap}};
    ssize_t got;
    do
        got = preadv(tail->fd, both, CW_COUNT(both), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return cw_err_errno(err, CW_E_IO, errno, "read");
    size_t len = (size_t)got > off ? (size_t)got - (size_t)off : 0;
    *len_out = len;
    if (len < cap)
        return cw_tail_check(tail, off + len, out, err);
    if ((size_t)got < tail->identity.prefix_len) /* more was not asked for */
        return cw_file_identity_extend(tail->fd, &tail->identity, out, err);
    size_t known = CW_MIN((size_t)got, (size_t)CW_FILE_PREFIX_BYTES);
    if (off < known)
        memcpy(front + off, bytes, known - (size_t)off);
    *out = cw_file_identity_extend_by(&tail->identity, front, known);
    return 0;
}

int cw_tail_read(struct cw_tail *tail, uint64_t off, char *bytes, size_t cap, size_t *len_out,
                 enum cw_file_verdict *out, struct cw_err *err)
{
    size_t len = 0;
    if (cap <= SHORT_BYTES && off <= SHORT_BYTES - cap)
        return short_read(tail, off, bytes, cap, len_out, out, err);
    while (len < cap) {
        ssize_t got = pread(tail->fd, bytes + len, cap - len, (off_t)(off + len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "read");
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *len_out = len;
    if (len == cap) /* the file was so long then: no need to ask */
        return cw_file_identity_extend(tail->fd, &tail->identity, out, err);
    return cw_tail_check(tail, off + len, out, err);
}

int cw_tail_find_newline(struct cw_tail *tail, const struct cw_text_encoding *encoding,
                         uint64_t off, char *scratch, size_t cap, uint64_t *off_out,
                         struct cw_err *err)
{
    size_t unit = cw_text_unit(encoding);
    off -= off % unit;
    for (;;) {
        ssize_t got = pread(tail->fd, scratch, cap - cap % unit, (off_t)off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "read");
        ptrdiff_t newline = cw_text_newline(encoding, cw_str_make(scratch, (size_t)got));
        *off_out = newline < 0 ? UINT64_MAX : off + (uint64_t)newline + unit;
        if ((size_t)got < unit || newline >= 0)
            return 0;
        off += (uint64_t)got - (uint64_t)got % unit;
    }
}

uint64_t cw_tail_skip_hole(const struct cw_tail *tail, uint64_t off)
{
    off_t data = lseek(tail->fd, (off_t)off, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO && tail->size > off ? tail->size : off;
    return (uint64_t)data;
}
