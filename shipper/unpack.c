#include "shipper/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/decoder.h"
#include "shipper/file_identity.h"

enum { IN_BYTES = 64 << 10, OUT_BYTES = 256 << 10, STEP_BYTES = 2 << 20, HOLE_BYTES = 4 << 20 };
/* The beginning stays: by it the file is known. */
enum { KEPT_BYTES = 4096 };
_Static_assert(KEPT_BYTES >= CW_FILE_PREFIX_BYTES, "the prefix is read again and again");

struct cw_unpack {
    int packed_fd, fd;
    struct cw_decoder *decoder; /* NULL: it is done */
    enum cw_unpack_state state;
    uint64_t in_off, size, holed; /* read of the packed file; unpacked; taken back from the disk */
    size_t unwritten;             /* bytes of `out` that the disk had no room for */
    struct cw_str rest;           /* of `in`, not decoded yet */
    char *in, *out;
};

struct cw_str cw_unpack_stem(struct cw_str name)
{
    static const struct cw_str ends[] = {CW_STR(".gz"), CW_STR(".zst"), CW_STR(".bz2"),
                                         CW_STR(".xz")};
    for (size_t i = 0; i < CW_COUNT(ends); i++)
        if (cw_str_ends(name, ends[i]) && name.len > ends[i].len)
            return cw_str_sub(name, 0, name.len - ends[i].len);
    return CW_STR_NONE;
}

static enum cw_codec codec_of(int fd)
{
    char first[CW_DECODER_MAGIC_BYTES];
    ssize_t got = pread(fd, first, sizeof first, 0);
    return got > 0 ? cw_decoder_codec_of(cw_str_make(first, (size_t)got)) : CW_CODEC_NONE;
}

static int packed_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

bool cw_unpack_is_packed(const char *path)
{
    if (cw_unpack_stem(cw_str_of(path)).len == 0)
        return false;
    int fd = packed_open(path);
    bool packed = fd >= 0 && codec_of(fd) != CW_CODEC_NONE;
    if (fd >= 0)
        close(fd);
    return packed;
}

static int nameless_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char path[4096]; /* a file system that has no such files */
    if ((size_t)snprintf(path, sizeof path, "%s/.unpack-XXXXXX", folder) >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int cw_unpack_open(const char *path, const char *folder, struct cw_unpack **out, struct cw_err *err)
{
    struct cw_unpack *unpack = cw_mem_new(sizeof *unpack);
    struct stat st;
    int rc = 0;
    unpack->fd = -1;
    unpack->packed_fd = packed_open(path);
    if (unpack->packed_fd < 0)
        rc = cw_err_errno(err,
                          errno == ENOENT   ? CW_E_NOT_FOUND
                          : errno == EACCES ? CW_E_FORBIDDEN
                                            : CW_E_IO,
                          errno, "open %s", path);
    else if (fstat(unpack->packed_fd, &st) < 0 || !S_ISREG(st.st_mode) ||
             codec_of(unpack->packed_fd) == CW_CODEC_NONE)
        rc = cw_err_set(err, CW_E_INVALID, "%s is not compressed", path);
    else if ((unpack->fd = nameless_file(folder)) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "a file to unpack %s, in %s", path, folder);
    if (rc == 0) {
        unpack->in = cw_mem_new(IN_BYTES);
        unpack->out = cw_mem_new(OUT_BYTES);
        unpack->decoder = cw_decoder_new(codec_of(unpack->packed_fd));
        if (cw_unpack_step(unpack, 0, cw_clock_now_ns(), err) == CW_UNPACK_DAMAGED &&
            unpack->size == 0)
            rc = cw_err_wrap(err, "%s", path);
    }
    if (rc < 0)
        cw_unpack_close(&unpack);
    *out = unpack;
    return rc;
}

static void decoder_drop(struct cw_unpack *unpack)
{
    cw_decoder_free(&unpack->decoder);
    free(unpack->in);
    free(unpack->out);
    unpack->in = unpack->out = NULL;
}

void cw_unpack_close(struct cw_unpack **unpack)
{
    struct cw_unpack *u = *unpack;
    if (u == NULL)
        return;
    decoder_drop(u);
    if (u->fd >= 0)
        close(u->fd);
    if (u->packed_fd >= 0)
        close(u->packed_fd);
    free(u);
    *unpack = NULL;
}

int cw_unpack_fd(const struct cw_unpack *unpack)
{
    return unpack->fd;
}

int cw_unpack_packed_fd(const struct cw_unpack *unpack)
{
    return unpack->packed_fd;
}

enum cw_unpack_state cw_unpack_state(const struct cw_unpack *unpack)
{
    return unpack->state;
}

/* Unpacked bytes at the end of the file without a name; of those that are settled only the first
 * are kept. */
static int text_append(struct cw_unpack *unpack, uint64_t settled, struct cw_err *err)
{
    size_t len = unpack->unwritten;
    uint64_t end = unpack->size + len;
    size_t skip = 0;
    if (unpack->size >= KEPT_BYTES && settled > unpack->size)
        skip = (size_t)CW_MIN((uint64_t)len, settled - unpack->size);
    for (size_t at = skip; at < len;) {
        ssize_t put = pwrite(unpack->fd, unpack->out + at, len - at, (off_t)(unpack->size + at));
        if (put < 0 && errno != EINTR)
            return cw_err_errno(err, CW_E_IO, errno, "unpacking");
        at += put > 0 ? (size_t)put : 0;
    }
    if (skip == len && ftruncate(unpack->fd, (off_t)end) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "unpacking");
    unpack->size = end;
    unpack->unwritten = 0;
    return 0;
}

/* The next bytes of the packed file; 0 at its end. */
static int packed_read(struct cw_unpack *unpack, struct cw_err *err)
{
    ssize_t got;
    do
        got = pread(unpack->packed_fd, unpack->in, IN_BYTES, (off_t)unpack->in_off);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return cw_err_errno(err, CW_E_IO, errno, "read");
    unpack->in_off += (uint64_t)got;
    unpack->rest = cw_str_make(unpack->in, (size_t)got);
    return (int)got;
}

static enum cw_unpack_state at_packed_end(const struct cw_unpack *unpack, int64_t now_ns,
                                          struct cw_err *err)
{
    struct stat st;
    if (cw_decoder_at_end(unpack->decoder))
        return CW_UNPACK_DONE;
    if (fstat(unpack->packed_fd, &st) == 0 && st.st_nlink > 0 &&
        now_ns - st.st_ctim.tv_sec * CW_NS_PER_S < CW_UNPACK_CUT_NS)
        return CW_UNPACK_WAITING;
    cw_err_set(err, CW_E_CORRUPT, "it ends in the middle");
    return CW_UNPACK_DAMAGED;
}

static enum cw_unpack_state step(struct cw_unpack *unpack, uint64_t settled, int64_t now_ns,
                                 struct cw_err *err)
{
    for (size_t done = 0; done < STEP_BYTES;) {
        if (unpack->unwritten > 0 && text_append(unpack, settled, err) < 0)
            return CW_UNPACK_WAITING;
        if (unpack->size >= settled + CW_UNPACK_AHEAD_BYTES)
            return CW_UNPACK_AHEAD;
        int got = unpack->rest.len > 0 ? 1 : packed_read(unpack, err);
        if (got < 0)
            return CW_UNPACK_WAITING;
        if (cw_decoder_run(unpack->decoder, &unpack->rest, unpack->out, OUT_BYTES,
                           &unpack->unwritten, err) < 0)
            return CW_UNPACK_DAMAGED;
        if (got == 0 && unpack->unwritten == 0)
            return at_packed_end(unpack, now_ns, err);
        done += unpack->unwritten + IN_BYTES / 16; /* also input that gives nothing takes time */
    }
    return CW_UNPACK_MORE;
}

enum cw_unpack_state cw_unpack_step(struct cw_unpack *unpack, uint64_t settled, int64_t now_ns,
                                    struct cw_err *err)
{
    if (unpack->decoder == NULL)
        return unpack->state;
    uint64_t hole_end = CW_MIN(settled, unpack->size);
    if (hole_end >= unpack->holed + HOLE_BYTES) {
        (void)fallocate(unpack->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, KEPT_BYTES,
                        (off_t)(hole_end - KEPT_BYTES));
        unpack->holed = hole_end;
    }
    unpack->state = step(unpack, settled, now_ns, err);
    if (unpack->state >= CW_UNPACK_DONE)
        decoder_drop(unpack);
    return unpack->state;
}
