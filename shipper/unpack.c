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
    uint64_t again;               /* bytes to come that are written already */
    bool cut;                     /* it waits at an end in the middle */
    enum cw_codec codec;
    struct cw_str rest; /* of `in`, not decoded yet */
    char *in, *out;
};

struct cw_str cw_unpack_stem(struct cw_str name)
{
    static const struct cw_str ends[] = {CW_STR(".gz"), CW_STR(".zst"), CW_STR(".bz2"),
                                         CW_STR(".xz")};
    for (size_t i = 0; i < CW_COUNT(ends); i++)
        if (name.len > ends[i].len && cw_str_ends(name, ends[i]))
            return cw_str_sub(name, 0, name.len - ends[i].len);
    return CW_STR_NONE;
}

int cw_unpack_format(struct cw_str name, enum cw_codec *out, struct cw_err *err)
{
    static const struct {
        const char *name;
        enum cw_codec codec;
    } formats[] = {{"gz", CW_CODEC_GZIP},
                   {"z", CW_CODEC_DEFLATE},
                   {"bz2", CW_CODEC_BZIP2},
                   {"zst", CW_CODEC_ZSTD},
                   {"xz", CW_CODEC_XZ}};
    for (size_t i = 0; i < CW_COUNT(formats); i++)
        if (cw_str_eqz(name, formats[i].name)) {
            *out = formats[i].codec;
            return 0;
        }
    return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is none of gz, z (zlib), bz2, zst and xz",
                      CW_STR_ARG(name));
}

static enum cw_codec codec_of(int fd, enum cw_codec format)
{
    char first[CW_DECODER_MAGIC_BYTES];
    ssize_t got = pread(fd, first, sizeof first, 0);
    struct cw_str bytes = cw_str_make(first, got > 0 ? (size_t)got : 0);
    enum cw_codec codec = cw_decoder_codec_of(bytes);
    if (codec == CW_CODEC_NONE && format == CW_CODEC_DEFLATE && cw_decoder_may_be_zlib(bytes))
        codec = CW_CODEC_DEFLATE;
    return codec;
}

static int packed_open(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

enum cw_codec cw_unpack_codec_of(const char *path, enum cw_codec format)
{
    int fd = packed_open(path);
    enum cw_codec codec = fd >= 0 ? codec_of(fd, format) : CW_CODEC_NONE;
    if (fd >= 0)
        close(fd);
    return codec;
}

bool cw_unpack_is_packed(const char *path)
{
    return cw_unpack_stem(cw_str_of(path)).len > 0 &&
           cw_unpack_codec_of(path, CW_CODEC_NONE) != CW_CODEC_NONE;
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

static void decoder_make(struct cw_unpack *unpack)
{
    unpack->in = cw_mem_new(IN_BYTES);
    unpack->out = cw_mem_new(OUT_BYTES);
    unpack->decoder = cw_decoder_new(unpack->codec);
}

int cw_unpack_open(const char *path, enum cw_codec format, const char *folder,
                   struct cw_unpack **out, struct cw_err *err)
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
             (unpack->codec = codec_of(unpack->packed_fd, format)) == CW_CODEC_NONE)
        rc = cw_err_set(err, CW_E_INVALID, "%s is not compressed", path);
    else if ((unpack->fd = nameless_file(folder)) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "a file to unpack %s, in %s", path, folder);
    if (rc == 0) {
        decoder_make(unpack);
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

/* Of a file that ends in the middle. By the time of its last byte: what is only moved or renamed now is written no more. */
static enum cw_unpack_state cut_state(struct cw_unpack *unpack, int64_t now_ns, struct cw_err *err)
{
    struct stat st;
    cw_err_set(err, CW_E_CORRUPT, "it ends in the middle");
    unpack->cut = true;
    if (fstat(unpack->packed_fd, &st) < 0 || st.st_nlink == 0)
        return CW_UNPACK_DAMAGED;
    int64_t age_ns = now_ns - st.st_mtim.tv_sec * CW_NS_PER_S;
    bool young = age_ns < CW_UNPACK_CUT_NS && age_ns > -CW_UNPACK_CUT_NS;
    return young ? CW_UNPACK_WAITING : CW_UNPACK_DAMAGED;
}

bool cw_unpack_rests(const struct cw_unpack *unpack)
{
    return unpack->decoder == NULL && unpack->state == CW_UNPACK_WAITING;
}

bool cw_unpack_rest(struct cw_unpack *unpack)
{
    if (unpack->state != CW_UNPACK_WAITING || !unpack->cut)
        return false;
    decoder_drop(unpack);
    return true;
}

/* More of the packed file is there than when it came to rest: from the beginning. */
static bool rest_ends(struct cw_unpack *unpack)
{
    struct stat st;
    if (fstat(unpack->packed_fd, &st) < 0 || (uint64_t)st.st_size <= unpack->in_off)
        return false;
    decoder_make(unpack);
    unpack->in_off = 0;
    unpack->rest = CW_STR_NONE;
    unpack->again = unpack->size;
    return true;
}

/* Take away what was written before a rest. */
static void again_skip(struct cw_unpack *unpack)
{
    size_t skip = (size_t)CW_MIN(unpack->again, (uint64_t)unpack->unwritten);
    unpack->again -= skip;
    unpack->unwritten -= skip;
    if (skip > 0)
        memmove(unpack->out, unpack->out + skip, unpack->unwritten);
}

static enum cw_unpack_state step(struct cw_unpack *unpack, uint64_t settled, int64_t now_ns,
                                 struct cw_err *err)
{
    unpack->cut = false;
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
            return cw_decoder_at_end(unpack->decoder) ? CW_UNPACK_DONE
                                                      : cut_state(unpack, now_ns, err);
        done += unpack->unwritten + IN_BYTES / 16; /* also input that gives nothing takes time */
        again_skip(unpack);
    }
    return CW_UNPACK_MORE;
}

enum cw_unpack_state cw_unpack_step(struct cw_unpack *unpack, uint64_t settled, int64_t now_ns,
                                    struct cw_err *err)
{
    if (cw_unpack_rests(unpack) && !rest_ends(unpack)) {
        unpack->state = cut_state(unpack, now_ns, err);
        return unpack->state;
    }
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
