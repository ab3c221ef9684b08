#include "ingester/wal_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/wal_reader.h"

/* Bodies from this size on are written from where they are, without a copy. */
enum { WAL_DIRECT_BYTES = 32 << 10 };

struct sealed {
    uint64_t segment, last_seq, bytes;
};

struct cw_wal_writer {
    char *dir;
    uint64_t segment_bytes;
    int fd;              /* -1: no segment */
    char *path;          /* of the open segment */
    uint64_t segment;    /* the open one, or the next */
    uint64_t good_bytes; /* of the segment: behind the last frame that a sync covered */
    uint64_t good_seq;
    uint64_t durable_bytes; /* behind the last frame that an fsync covered */
    uint64_t bytes, seq;    /* as good_*, with what was appended since */
    bool dirty;             /* written, not fsynced */
    struct cw_buf gather;

    pthread_mutex_t lock;  /* the list */
    struct sealed *sealed; /* oldest first */
    size_t nsealed, sealed_cap;
    atomic_uint_fast64_t open_bytes;
};

struct cw_wal_writer *cw_wal_writer_new(const char *dir, uint64_t segment_bytes)
{
    struct cw_wal_writer *writer = cw_mem_new(sizeof(*writer));
    writer->dir = cw_str_dupz(cw_str_of(dir));
    writer->segment = 1;
    writer->segment_bytes = segment_bytes;
    writer->fd = -1;
    /* A frame's meta is the largest thing that is ever gathered whole. */
    cw_buf_init(&writer->gather, CW_WAL_META_BYTES_MAX + (1u << 20));
    pthread_mutex_init(&writer->lock, NULL);
    return writer;
}

void cw_wal_writer_continue(struct cw_wal_writer *writer, uint64_t segment, uint64_t last_seq)
{
    CW_ASSERT(writer->fd < 0);
    writer->segment = segment;
    writer->seq = writer->good_seq = last_seq;
}

static void segment_close(struct cw_wal_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
    free(writer->path);
    writer->path = NULL;
    writer->dirty = false;
    cw_buf_clear(&writer->gather);
    atomic_store(&writer->open_bytes, 0);
}

void cw_wal_writer_add_old(struct cw_wal_writer *writer, uint64_t segment, uint64_t last_seq,
                           uint64_t bytes)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->nsealed == writer->sealed_cap) {
        writer->sealed_cap = writer->sealed_cap ? 2 * writer->sealed_cap : 16;
        writer->sealed =
            cw_mem_resize(writer->sealed, writer->sealed_cap * sizeof(*writer->sealed));
    }
    writer->sealed[writer->nsealed++] = (struct sealed){segment, last_seq, bytes};
    pthread_mutex_unlock(&writer->lock);
}

/* The segment ends here, good or not; its number is used up. Closed before it is listed: as long as one is open, those in the
 * list may go, and this one's checkpoint is the only durable one until the next is begun. */
static void segment_end(struct cw_wal_writer *writer)
{
    uint64_t good_bytes = writer->good_bytes;
    writer->bytes = writer->good_bytes = 0;
    writer->seq = writer->good_seq;
    segment_close(writer);
    cw_wal_writer_add_old(writer, writer->segment++, writer->good_seq, good_bytes);
}

/* Cut to the last good frame. That this may fail too does no harm: the next segment says what is void. */
static bool segment_cut(struct cw_wal_writer *writer)
{
    bool cut = ftruncate(writer->fd, (off_t)writer->good_bytes) == 0;
    if (!cut)
        cw_log_warn("cannot cut %s at %llu after a failed write: %s", writer->path,
                    (unsigned long long)writer->good_bytes, strerror(errno));
    return cut;
}

/* Go on behind the last good frame with another descriptor. The cut is not durable yet, and need not be before the next sync:
 * frames that a power cut brings back were never answered but with an error. */
static int segment_reopen(struct cw_wal_writer *writer, struct cw_err *err)
{
    int fd = cw_file_open(writer->path, O_WRONLY, err);
    if (fd < 0)
        return fd;
    if (lseek(fd, (off_t)writer->good_bytes, SEEK_SET) < 0) {
        int rc = cw_err_errno(err, CW_E_IO, errno, "seek in %s", writer->path);
        close(fd);
        return rc;
    }
    close(writer->fd);
    writer->fd = fd;
    writer->bytes = writer->good_bytes;
    writer->seq = writer->good_seq;
    writer->dirty = true;
    cw_buf_clear(&writer->gather);
    return 0;
}

/* A write that found no room took nothing away: what was written before is in the file as it was. The segment is cut and goes
 * on, so that a full disk is not filled with segments that hold nothing. After any other failure it ends, durable as every
 * segment is before the next begins (with wal.sync: interval there are frames without their fsync). */
static void write_failed(struct cw_wal_writer *writer, int rc)
{
    struct cw_err err = {0};
    if (segment_cut(writer) && rc == CW_E_UNAVAILABLE && segment_reopen(writer, &err) == 0)
        return;
    if (err.code < 0)
        cw_log_warn("this segment of the log ends: %s", err.text);
    if (writer->good_bytes > writer->durable_bytes &&
        cw_file_sync(writer->fd, writer->path, &err) < 0)
        cw_log_error("pushes that were answered may not survive a power cut: %s", err.text);
    segment_end(writer);
}

static int gather_write(struct cw_wal_writer *writer, struct cw_err *err)
{
    CW_ASSERT(!cw_buf_failed(&writer->gather));
    int rc =
        cw_file_write_all(writer->fd, writer->gather.ptr, writer->gather.len, writer->path, err);
    if (writer->gather.len > 0)
        writer->dirty = true;
    cw_buf_clear(&writer->gather);
    return rc;
}

int cw_wal_writer_sync(struct cw_wal_writer *writer, enum cw_wal_sync sync, struct cw_err *err)
{
    if (writer->fd < 0)
        return 0;
    int rc = gather_write(writer, err);
    if (rc < 0) {
        write_failed(writer, rc);
        return rc;
    }
    if (sync == CW_WAL_SYNC_DURABLE && writer->dirty) {
        rc = cw_file_sync(writer->fd, writer->path, err);
        if (rc < 0) {
            /* The kernel may have dropped pages: nothing that it says of this file from now on counts. */
            segment_cut(writer);
            segment_end(writer);
            return rc;
        }
        writer->dirty = false;
        writer->durable_bytes = writer->bytes;
    }
    writer->good_bytes = writer->bytes;
    writer->good_seq = writer->seq;
    atomic_store(&writer->open_bytes, writer->bytes);
    return 0;
}

void cw_wal_writer_close(struct cw_wal_writer **handle)
{
    struct cw_wal_writer *writer = *handle;
    struct cw_err err = {0};
    if (!writer)
        return;
    if (cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err) < 0)
        cw_log_error("the end of the log may be lost: %s", err.text);
    segment_close(writer);
    cw_buf_fini(&writer->gather);
    pthread_mutex_destroy(&writer->lock);
    free(writer->sealed);
    free(writer->dir);
    free(writer);
    *handle = NULL;
}

bool cw_wal_writer_ready(const struct cw_wal_writer *writer)
{
    return writer->fd >= 0 && writer->bytes < writer->segment_bytes;
}

static int frame_put(struct cw_wal_writer *writer, struct cw_wal_frame *frame, struct cw_err *err)
{
    static const char zeros[CW_WAL_ALIGN];
    frame->seq = ++writer->seq;
    frame->segment = writer->segment;
    size_t at = writer->gather.len;
    cw_wal_frame_encode(frame, &writer->gather);
    size_t len = writer->gather.len - at + frame->body.len, padding = cw_wal_frame_padding(len);
    writer->bytes += len + padding;
    if (frame->body.len < WAL_DIRECT_BYTES) {
        cw_buf_adds(&writer->gather, frame->body);
        cw_buf_add(&writer->gather, zeros, padding);
        return writer->gather.len >= CW_WAL_GATHER_BYTES ? gather_write(writer, err) : 0;
    }
    int rc = gather_write(writer, err);
    if (rc == 0)
        rc = cw_file_write_all(writer->fd, frame->body.ptr, frame->body.len, writer->path, err);
    cw_buf_add(&writer->gather, zeros, padding);
    return rc;
}

int cw_wal_writer_append(struct cw_wal_writer *writer, struct cw_wal_frame *frame,
                         struct cw_err *err)
{
    CW_ASSERT(writer->fd >= 0);
    int rc = frame_put(writer, frame, err);
    if (rc < 0)
        write_failed(writer, rc);
    return rc;
}

/* A segment that could not be begun leaves no file: without header and checkpoint it would say nothing. Its number is free
 * again, unless the file stays. */
static int begin_failed(struct cw_wal_writer *writer, int rc)
{
    struct cw_err ignored = {0};
    if (cw_file_unlink(writer->path, &ignored) < 0) {
        cw_log_warn("%s", ignored.text);
        writer->segment++;
    }
    writer->seq = writer->good_seq;
    writer->bytes = writer->good_bytes = 0;
    segment_close(writer);
    return rc;
}

int cw_wal_writer_begin(struct cw_wal_writer *writer, struct cw_str marks,
                        enum cw_wal_before before, int64_t now_ns, struct cw_err *err)
{
    if (writer->fd >= 0) {
        int rc = cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, err);
        if (rc < 0)
            return rc;
        segment_end(writer);
    }
    struct cw_buf path;
    cw_buf_init(&path, 1 << 16);
    cw_wal_path(writer->dir, writer->segment, &path);
    cw_buf_z(&path);
    writer->path = cw_buf_take(&path, NULL);
    writer->fd = cw_file_open(writer->path, O_WRONLY | O_CREAT | O_EXCL, err);
    if (writer->fd < 0) {
        int rc = writer->fd;
        writer->fd = -1;
        free(writer->path);
        writer->path = NULL;
        return rc;
    }
    struct cw_wal_header header = {.segment = writer->segment,
                                   .first_seq = writer->good_seq + 1,
                                   .created_ns = now_ns,
                                   .before = before};
    struct cw_wal_frame frame = {.kind = CW_WAL_CHECKPOINT,
                                 .received_ns = now_ns,
                                 .body = marks,
                                 .body_raw = (uint32_t)marks.len,
                                 .last_seq = writer->good_seq};
    cw_wal_header_encode(&header, &writer->gather);
    writer->bytes = writer->gather.len;
    int rc = frame_put(writer, &frame, err);
    if (rc == 0)
        rc = gather_write(writer, err);
    if (rc == 0)
        rc = cw_file_sync(writer->fd, writer->path, err);
    if (rc == 0)
        rc = cw_file_sync_dir(writer->dir, err);
    if (rc < 0)
        return begin_failed(writer, rc);
    writer->dirty = false;
    writer->good_bytes = writer->durable_bytes = writer->bytes;
    writer->good_seq = writer->seq;
    atomic_store(&writer->open_bytes, writer->bytes);
    return 0;
}

uint64_t cw_wal_writer_last_seq(const struct cw_wal_writer *writer)
{
    return writer->good_seq;
}

bool cw_wal_writer_dirty(const struct cw_wal_writer *writer)
{
    return writer->dirty;
}

int cw_wal_writer_remove_before(struct cw_wal_writer *writer, uint64_t flushed_seq,
                                struct cw_err *err)
{
    int rc = 0;
    for (;;) {
        struct cw_buf path;
        pthread_mutex_lock(&writer->lock);
        /* The newest sealed one may have to wait for the checkpoint of the next, which is durable once that is open. */
        bool due = writer->nsealed > 0 && writer->sealed[0].last_seq <= flushed_seq &&
                   atomic_load(&writer->open_bytes) > 0;
        uint64_t segment = due ? writer->sealed[0].segment : 0;
        pthread_mutex_unlock(&writer->lock);
        if (!due)
            return rc;
        cw_buf_init(&path, 1 << 16);
        cw_wal_path(writer->dir, segment, &path);
        rc = cw_file_unlink(cw_buf_z(&path), err);
        cw_buf_fini(&path);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&writer->lock);
        memmove(&writer->sealed[0], &writer->sealed[1],
                (writer->nsealed - 1) * sizeof(*writer->sealed));
        writer->nsealed--;
        pthread_mutex_unlock(&writer->lock);
    }
}

void cw_wal_writer_count(struct cw_wal_writer *writer, uint64_t *bytes_out, uint64_t *nsegments_out)
{
    uint64_t open_bytes = atomic_load(&writer->open_bytes), bytes = open_bytes;
    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < writer->nsealed; i++)
        bytes += writer->sealed[i].bytes;
    *nsegments_out = writer->nsealed + (open_bytes > 0);
    pthread_mutex_unlock(&writer->lock);
    *bytes_out = bytes;
}
