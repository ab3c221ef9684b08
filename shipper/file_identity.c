#include "shipper/file_identity.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/hash.h"

/* Up to n bytes from the beginning; fewer at the end of the file. */
static int prefix_read(int fd, char *bytes, size_t n, size_t *len_out, struct cw_err *err)
{
    size_t len = 0;
    while (len < n) {
        ssize_t got = pread(fd, bytes + len, n - len, (off_t)len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "reading the file's beginning");
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *len_out = len;
    return 0;
}

int cw_file_identity_read(int fd, struct cw_file_identity *out, uint64_t *size_out,
                          struct cw_err *err)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "statx");
    char prefix[CW_FILE_PREFIX_BYTES];
    size_t len = 0;
    int rc = prefix_read(fd, prefix, sizeof prefix, &len, err);
    if (rc < 0)
        return rc;
    *out = (struct cw_file_identity){
        .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
        .ino = st.stx_ino,
        .birth_ns = st.stx_mask & STATX_BTIME
                        ? st.stx_btime.tv_sec * CW_NS_PER_S + st.stx_btime.tv_nsec
                        : 0,
        .prefix_len = (uint32_t)len,
        .prefix_hash = cw_hash64(prefix, len),
    };
    *size_out = st.stx_size;
    return 0;
}

bool cw_file_identity_same_inode(const struct cw_file_identity *a, const struct cw_file_identity *b)
{
    return a->dev == b->dev && a->ino == b->ino &&
           (a->birth_ns == b->birth_ns || a->birth_ns == 0 || b->birth_ns == 0);
}

int cw_file_identity_check(int fd, const struct cw_file_identity *identity,
                           enum cw_file_verdict *out, struct cw_err *err)
{
    char prefix[CW_FILE_PREFIX_BYTES];
    size_t len = 0;
    int rc = prefix_read(fd, prefix, identity->prefix_len, &len, err);
    if (rc < 0)
        return rc;
    *out = len == identity->prefix_len && cw_hash64(prefix, len) == identity->prefix_hash
               ? CW_FILE_SAME
               : CW_FILE_CHANGED;
    return 0;
}
