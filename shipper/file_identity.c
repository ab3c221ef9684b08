#include "shipper/file_identity.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/hash.h"

/* Up to n bytes from the beginning; fewer at the end of the file. With `least` it need not be asked whether that is its end. */
static int prefix_read(int fd, char *bytes, size_t least, size_t n, size_t *len_out,
                       struct cw_err *err)
{
    size_t len = 0;
    while (len < n) {
        size_t want = n - len;
        ssize_t got = pread(fd, bytes + len, want, (off_t)len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "reading the file's beginning");
        len += (size_t)got;
        if (got == 0 || ((size_t)got < want && len >= least))
            break;
    }
    *len_out = len;
    return 0;
}

static void inode_take(const struct statx *st, struct cw_file_identity *out)
{
    out->dev = makedev(st->stx_dev_major, st->stx_dev_minor);
    out->ino = st->stx_ino;
    out->birth_ns =
        st->stx_mask & STATX_BTIME ? st->stx_btime.tv_sec * CW_NS_PER_S + st->stx_btime.tv_nsec : 0;
}

bool cw_file_identity_is_at(const char *path, const struct cw_file_identity *identity)
{
    struct statx st;
    struct cw_file_identity there;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st) < 0)
        return false;
    inode_take(&st, &there);
    return cw_file_identity_same_inode(&there, identity);
}

int cw_file_identity_read(int fd, struct cw_file_identity *out, uint64_t *size_out,
                          struct cw_err *err)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "statx");
    char prefix[CW_FILE_PREFIX_BYTES];
    size_t len = 0;
    int rc = prefix_read(fd, prefix, sizeof prefix, sizeof prefix, &len, err);
    if (rc < 0)
        return rc;
    inode_take(&st, out);
    out->prefix_len = (uint32_t)len;
    out->prefix_hash = cw_hash64(prefix, len);
    *size_out = st.stx_size;
    return 0;
}

bool cw_file_identity_same_inode(const struct cw_file_identity *a, const struct cw_file_identity *b)
{
    return a->dev == b->dev && a->ino == b->ino &&
           (a->birth_ns == b->birth_ns || a->birth_ns == 0 || b->birth_ns == 0);
}

static enum cw_file_verdict prefix_verdict(const struct cw_file_identity *identity,
                                           const char *prefix, size_t len)
{
    return len >= identity->prefix_len &&
                   cw_hash64(prefix, identity->prefix_len) == identity->prefix_hash
               ? CW_FILE_SAME
               : CW_FILE_CHANGED;
}

int cw_file_identity_check(int fd, const struct cw_file_identity *identity,
                           enum cw_file_verdict *out, struct cw_err *err)
{
    char prefix[CW_FILE_PREFIX_BYTES];
    size_t len = 0;
    int rc = prefix_read(fd, prefix, identity->prefix_len, identity->prefix_len, &len, err);
    if (rc == 0)
        *out = prefix_verdict(identity, prefix, len);
    return rc;
}

enum cw_file_verdict cw_file_identity_extend_by(struct cw_file_identity *identity,
                                                const char *bytes, size_t len)
{
    enum cw_file_verdict verdict = prefix_verdict(identity, bytes, len);
    if (verdict == CW_FILE_SAME && len > identity->prefix_len) {
        /* Of one read: if the file was truncated in the middle of it, the next check shows it. */
        identity->prefix_len = (uint32_t)len;
        identity->prefix_hash = cw_hash64(bytes, len);
    }
    return verdict;
}

int cw_file_identity_extend(int fd, struct cw_file_identity *identity, enum cw_file_verdict *out,
                            struct cw_err *err)
{
    char prefix[CW_FILE_PREFIX_BYTES];
    size_t len = 0;
    int rc = prefix_read(fd, prefix, identity->prefix_len, sizeof prefix, &len, err);
    if (rc == 0)
        *out = cw_file_identity_extend_by(identity, prefix, len);
    return rc;
}
