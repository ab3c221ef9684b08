#include "querier/local/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/file.h"

struct block {
    char *bytes; /* heap; NULL: in the file, from `off` on */
    uint64_t off;
    size_t len, raw_len;
};

struct cw_spool {
    struct block *blocks;
    size_t n, cap;
    atomic_size_t *room;
    int fd; /* -1: there is none yet */
    uint64_t file_bytes;
    const char *dir;
};

struct cw_spool *cw_spool_new(atomic_size_t *room)
{
    struct cw_spool *spool = cw_mem_new(sizeof *spool);
    spool->fd = -1;
    spool->room = room;
    return spool;
}

void cw_spool_free(struct cw_spool **handle)
{
    struct cw_spool *spool = *handle;
    *handle = NULL;
    if (spool == NULL)
        return;
    for (size_t i = 0; i < spool->n; i++)
        free(spool->blocks[i].bytes);
    free(spool->blocks);
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool);
}

size_t cw_spool_blocks(const struct cw_spool *spool)
{
    return spool->n;
}

/* O_TMPFILE is not everywhere; a name that is removed at once is. */
static int open_in(const char *dir, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/cordwood-XXXXXX", dir);
    cw_buf_z(&path);
    int fd = mkostemp(path.ptr, O_CLOEXEC);
    if (fd < 0)
        fd = cw_err_errno(err, CW_E_IO, errno, "a temporary file in %s", dir);
    else
        unlink(path.ptr);
    cw_buf_fini(&path);
    return fd;
}

static int open_file(struct cw_spool *spool, struct cw_err *err)
{
    const char *given = getenv("TMPDIR");
    const char *const dirs[] = {"/var/tmp", "/tmp"};
    int fd = -1;
    if (given != NULL && *given != '\0') {
        spool->dir = given;
        fd = open_in(given, err);
    } else {
        for (size_t i = 0; fd < 0 && i < 2; i++) {
            spool->dir = dirs[i];
            fd = open_in(dirs[i], err);
        }
    }
    if (fd < 0)
        return fd;
    spool->fd = fd;
    return 0;
}

static int add_to_file(struct cw_spool *spool, struct block *block, struct cw_str bytes,
                       struct cw_err *err)
{
    int rc = spool->fd < 0 ? open_file(spool, err) : 0;
    if (rc == 0)
        rc = cw_file_write_all(spool->fd, bytes.ptr, bytes.len, spool->dir, err);
    if (rc < 0)
        return rc;
    block->off = spool->file_bytes;
    spool->file_bytes += bytes.len;
    return 0;
}

/* Bytes of the memory that spools share, if there are so many. */
static bool take_room(atomic_size_t *room, size_t n)
{
    size_t left = atomic_load(room);
    while (left >= n)
        if (atomic_compare_exchange_weak(room, &left, left - n))
            return true;
    return false;
}

int cw_spool_add(struct cw_spool *spool, struct cw_str text, struct cw_err *err)
{
    struct cw_buf packed;
    cw_buf_init(&packed, SIZE_MAX);
    int rc = cw_codec_compress(CW_CODEC_LZ4, text, &packed, err);
    struct block block = {.len = packed.len, .raw_len = text.len};
    if (rc == 0 && take_room(spool->room, packed.len)) {
        block.bytes = cw_mem_resize(NULL, packed.len);
        memcpy(block.bytes, packed.ptr, packed.len);
    } else if (rc == 0) {
        rc = add_to_file(spool, &block, cw_buf_str(&packed), err);
    }
    cw_buf_fini(&packed);
    if (rc < 0)
        return rc;
    if (spool->n == spool->cap) {
        spool->cap = spool->cap > 0 ? 2 * spool->cap : 64;
        spool->blocks = cw_mem_resize(spool->blocks, spool->cap * sizeof *spool->blocks);
    }
    spool->blocks[spool->n++] = block;
    return 0;
}

int cw_spool_read(const struct cw_spool *spool, size_t i, struct cw_buf *out, struct cw_err *err)
{
    const struct block *block = &spool->blocks[i];
    char *packed = block->bytes;
    int rc = 0;
    if (packed == NULL) {
        packed = cw_mem_resize(NULL, block->len);
        rc = cw_file_pread_all(spool->fd, packed, block->len, block->off, spool->dir, err);
    }
    char *text = cw_buf_reserve(out, block->raw_len);
    CW_ASSERT(text != NULL); /* its cap is the reader's own */
    if (rc == 0)
        rc = cw_codec_decompress_into(CW_CODEC_LZ4, cw_str_make(packed, block->len), text,
                                      block->raw_len, err);
    if (rc == 0)
        out->len += block->raw_len;
    if (packed != block->bytes)
        free(packed);
    return rc;
}
