/* quarantine.c - copy bad blocks and move bad files out of the way. */
#include "common/store/quarantine.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/log.h"

struct cw_quarantine {
    char *data_dir, *dir;
    atomic_uint_fast64_t nblocks;
    uint64_t wal_bytes; /* of copies */
};

int cw_quarantine_open(const char *data_dir, struct cw_quarantine **out, struct cw_err *err)
{
    struct cw_buf dir;
    cw_buf_init(&dir, SIZE_MAX);
    cw_buf_addf(&dir, "%s/quarantine", data_dir);
    int rc = cw_file_mkdirs(cw_buf_z(&dir), err);
    if (rc == 0) {
        *out = cw_mem_new(sizeof(**out));
        (*out)->data_dir = cw_str_dupz(cw_str_of(data_dir));
        (*out)->dir = cw_str_dupz(cw_buf_str(&dir));
    }
    cw_buf_fini(&dir);
    return rc;
}

void cw_quarantine_close(struct cw_quarantine **quarantine)
{
    struct cw_quarantine *q = *quarantine;
    *quarantine = NULL;
    if (q == NULL)
        return;
    free(q->data_dir);
    free(q->dir);
    free(q);
}

uint64_t cw_quarantine_blocks(const struct cw_quarantine *q)
{
    return q == NULL ? 0 : atomic_load(&q->nblocks);
}

int cw_quarantine_keep_block(struct cw_quarantine *q, const struct cw_part_reader *reader,
                             uint32_t block, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%016" PRIx64 "-block-%u.bin", q->dir,
                cw_part_reader_footer(reader)->info.id, block);
    /* The part is not changed, so an earlier run's copy is as good. */
    int rc = cw_file_exists(cw_buf_z(&path))
                 ? 0
                 : cw_file_replace(path.ptr, cw_part_reader_block_bytes(reader, block), err);
    cw_buf_fini(&path);
    return rc;
}

void cw_quarantine_block(struct cw_quarantine *q, const struct cw_part_reader *reader,
                         uint32_t block)
{
    struct cw_err err;
    atomic_fetch_add(&q->nblocks, 1);
    if (cw_quarantine_keep_block(q, reader, block, &err) < 0)
        cw_log_warn("setting aside a bad block: %s", err.text);
}

/* A name in the folder that is free: what was set aside before is kept. */
static void free_path(const struct cw_quarantine *q, const char *name, struct cw_buf *to)
{
    cw_buf_addf(to, "%s/%s", q->dir, name);
    size_t len = to->len;
    for (unsigned i = 1; cw_file_exists(cw_buf_z(to)); i++) {
        to->len = len;
        cw_buf_addf(to, ".%u", i);
    }
}

static int move_as(struct cw_quarantine *q, const char *path, const char *name, struct cw_err *err)
{
    struct cw_buf to;
    cw_buf_init(&to, SIZE_MAX);
    free_path(q, name, &to);
    cw_log_warn("setting aside %s as %s", path, to.ptr);
    int rc = cw_file_rename(path, to.ptr, err);
    cw_buf_fini(&to);
    return rc;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int cw_quarantine_link_part(struct cw_quarantine *q, const char *path, struct cw_buf *path_out,
                            struct cw_err *err)
{
    free_path(q, name_of(path), path_out);
    return cw_file_link(path, cw_buf_z(path_out), err);
}

void cw_quarantine_part_path(const struct cw_quarantine *q, uint64_t id, struct cw_buf *path_out)
{
    cw_buf_addf(path_out, "%s/%016" PRIx64 ".part", q->dir, id);
    cw_buf_z(path_out);
}

static int move(struct cw_quarantine *q, const char *path, struct cw_err *err)
{
    return move_as(q, path, name_of(path), err);
}

int cw_quarantine_part(struct cw_quarantine *q, const char *path, struct cw_err *err)
{
    return move(q, path, err);
}

int cw_quarantine_file(struct cw_quarantine *q, const char *name, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%s", q->data_dir, name);
    int rc = move(q, cw_buf_z(&path), err);
    cw_buf_fini(&path);
    return rc;
}

void cw_quarantine_wal_bytes(struct cw_quarantine *q, const struct cw_wal_bad *bad)
{
    struct cw_err err;
    struct cw_buf path;
    q->wal_bytes += bad->bytes.len;
    if (q->wal_bytes > CW_QUARANTINE_WAL_BYTES_MAX)
        return;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/wal-%016" PRIu64 "-%" PRIu64, q->dir, bad->segment, bad->off);
    cw_log_warn("setting aside %zu bad bytes of the log as %s", bad->bytes.len, cw_buf_z(&path));
    if (cw_file_replace(path.ptr, bad->bytes, &err) < 0)
        cw_log_warn("no copy of them could be made: %s", err.text);
    cw_buf_fini(&path);
}

int cw_quarantine_wal_segment(struct cw_quarantine *q, uint64_t segment, const char *path,
                              struct cw_err *err)
{
    struct cw_buf name;
    cw_buf_init(&name, SIZE_MAX);
    cw_buf_addf(&name, "wal-%016" PRIu64, segment);
    int rc = move_as(q, path, cw_buf_z(&name), err);
    cw_buf_fini(&name);
    return rc;
}
