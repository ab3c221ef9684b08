#include "shipper/spool_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "shipper/shipper_metrics.h"
#include "shipper/spool_record.h"

/* With max_age a segment ends after a part of that, so that age is kept about so exactly. */
enum { AGE_PARTS = 8, NUMBER_DIGITS = 16 };
/* A batch goes past the end of its segment, and files of another configuration may be larger. */
#define SEGMENT_READ_BYTES (1u << 30)

struct segment {
    uint64_t number, size;
    int64_t begun_ns, written_ns; /* wall */
};

struct waiter {
    cw_spool_waiter_fn fn;
    void *ctx;
};
struct waiters {
    struct waiter *items;
    size_t n, cap;
};

/* What waits for one write. */
struct load {
    struct cw_buf bytes;
    size_t nrecords;
    struct cw_str cursor; /* heap */
    struct waiters waiters;
};

struct cw_spool_writer {
    struct cw_spool_options options;
    char *folder, *name;
    int fd; /* of the last segment while it is written to; else -1 */
    struct segment *segments;
    size_t nsegments, segments_cap;
    uint64_t next_number;
    struct load pending, writing;
    size_t written; /* of `writing`: in segments before this one */
    char *cursor;
    size_t cursor_len;
    bool busy, failed, over, refused, closing;
    uv_work_t work;
    uv_timer_t retry;
    /* the job's: its own until it is done */
    struct {
        char *path; /* of a segment to be made, or NULL */
        uint64_t offset;
        struct cw_str bytes; /* of `writing` */
        int fd, rc;
        struct cw_err err;
    } job;
    struct cw_metric *received, *lost, *lost_bytes, *failures, *bytes;
};

static void load_init(struct load *load)
{
    *load = (struct load){0};
    cw_buf_init(&load->bytes, SIZE_MAX);
}

static void load_fini(struct load *load)
{
    cw_buf_fini(&load->bytes);
    free((void *)load->cursor.ptr);
    free(load->waiters.items);
}

static char *segment_path(const struct cw_spool_writer *writer, uint64_t number)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%0*" PRIu64 CW_SPOOL_SUFFIX, writer->folder, NUMBER_DIGITS, number);
    char *z = cw_str_dupz(cw_buf_str(&path));
    cw_buf_fini(&path);
    return z;
}

static void segment_delete(const struct cw_spool_writer *writer, uint64_t number)
{
    struct cw_err err;
    char *path = segment_path(writer, number);
    if (cw_file_unlink(path, &err) < 0)
        cw_log_warn("%s: %s", writer->name, err.text);
    free(path);
}

static struct segment *segment_add(struct cw_spool_writer *writer, uint64_t number)
{
    if (writer->nsegments == writer->segments_cap) {
        writer->segments_cap = writer->segments_cap ? 2 * writer->segments_cap : 16;
        writer->segments =
            cw_mem_resize(writer->segments, writer->segments_cap * sizeof *writer->segments);
    }
    struct segment *segment = &writer->segments[writer->nsegments++];
    *segment = (struct segment){.number = number};
    return segment;
}

static uint64_t bytes_in_all(const struct cw_spool_writer *writer)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < writer->nsegments; i++)
        sum += writer->segments[i].size;
    return sum;
}

/* ---- what is there at the start ---- */

static void cursor_set(struct cw_spool_writer *writer, struct cw_str cursor)
{
    free(writer->cursor);
    writer->cursor = cw_str_dupz(cursor);
    writer->cursor_len = cursor.len;
}

/* Where the last whole record ends; its cursor, if it has one, is set. */
static size_t segment_walk(struct cw_spool_writer *writer, struct cw_str bytes)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_spool_record record;
    size_t end = 0;
    for (size_t at = 0; at < bytes.len;) {
        int rc = cw_spool_record_next(bytes, &at, arena, &record, NULL);
        if (rc == 1) {
            end = at;
            if (record.cursor.len > 0)
                cursor_set(writer, record.cursor);
        } else if (rc == 0) {
            at = cw_spool_record_resync(bytes, at);
        }
        cw_arena_reset(arena);
    }
    cw_arena_free(&arena);
    return end;
}

static int segment_cut(const char *path, uint64_t size, struct cw_err *err)
{
    int rc = 0, fd = cw_file_open(path, O_WRONLY, err);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "cut %s", path);
    if (rc == 0)
        rc = cw_file_sync(fd, path, err);
    close(fd);
    return rc;
}

/* Take over a segment of an earlier start. An empty one goes. */
static int segment_restore(struct cw_spool_writer *writer, const char *name, struct cw_err *err)
{
    uint64_t number;
    struct cw_str digits = cw_str_sub(cw_str_of(name), 0, NUMBER_DIGITS);
    if (!cw_str_to_u64(digits, &number) || strcmp(name + digits.len, CW_SPOOL_SUFFIX) != 0)
        return 0; /* not ours */
    struct cw_buf bytes;
    cw_buf_init(&bytes, SEGMENT_READ_BYTES);
    char *path = segment_path(writer, number);
    int rc = cw_file_read(path, SEGMENT_READ_BYTES, &bytes, err);
    size_t end = rc < 0 ? 0 : segment_walk(writer, cw_buf_str(&bytes));
    if (rc == 0 && end < bytes.len) {
        cw_log_warn("%s: the last %zu bytes of %s are torn and cut off", writer->name,
                    bytes.len - end, path);
        rc = segment_cut(path, end, err);
    }
    struct stat st;
    if (rc == 0 && end > 0 && stat(path, &st) == 0) {
        struct segment *segment = segment_add(writer, number);
        segment->size = end;
        segment->begun_ns = segment->written_ns =
            st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec;
    } else if (rc == 0) {
        segment_delete(writer, number);
    }
    writer->next_number = CW_MAX(writer->next_number, number + 1);
    free(path);
    cw_buf_fini(&bytes);
    return rc;
}

int cw_spool_writer_open(const struct cw_spool_options *options, struct cw_spool_writer **out,
                         struct cw_err *err)
{
    struct cw_spool_writer *writer = cw_mem_new(sizeof *writer);
    writer->options = *options;
    writer->folder = cw_str_dupz(cw_str_of(options->folder));
    writer->name = cw_str_dupz(cw_str_of(options->name));
    writer->fd = -1;
    writer->next_number = 1;
    load_init(&writer->pending);
    load_init(&writer->writing);
    struct cw_str name = cw_str_of(writer->name);
    writer->received = cw_metrics_child(options->metrics, CW_M_RECEIVED, &name);
    writer->lost = cw_metrics_child(options->metrics, CW_M_SPOOL_LOST, &name);
    writer->lost_bytes = cw_metrics_child(options->metrics, CW_M_SPOOL_LOST_BYTES, &name);
    writer->failures = cw_metrics_child(options->metrics, CW_M_SPOOL_FAILURES, &name);
    writer->bytes = cw_metrics_child(options->metrics, CW_M_SPOOL_BYTES, &name);
    uv_timer_init(options->loop, &writer->retry);
    writer->retry.data = writer;
    struct cw_file_names names = {0};
    int rc = cw_file_mkdirs(writer->folder, err);
    if (rc == 0)
        rc = cw_file_list(writer->folder, &names, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        rc = segment_restore(writer, names.names[i], err);
    cw_file_names_free(&names);
    if (rc < 0) {
        cw_err_wrap(err, "%s", writer->name);
        cw_spool_writer_close(&writer);
    }
    *out = writer;
    return rc;
}

struct cw_str cw_spool_writer_cursor(const struct cw_spool_writer *writer)
{
    return cw_str_make(writer->cursor, writer->cursor_len);
}

/* ---- writing ---- */

bool cw_spool_writer_room(struct cw_spool_writer *writer)
{
    bool room = !writer->failed && !writer->over && !writer->closing &&
                writer->pending.bytes.len < CW_SPOOL_PENDING_BYTES;
    writer->refused |= !room;
    return room;
}

static void room_tell(struct cw_spool_writer *writer)
{
    if (!writer->refused || !cw_spool_writer_room(writer))
        return;
    writer->refused = false;
    if (writer->options.on_room != NULL)
        writer->options.on_room(writer->options.arg);
}

void cw_spool_writer_add(struct cw_spool_writer *writer, struct cw_str records, size_t n,
                         struct cw_str cursor)
{
    struct load *load = &writer->pending;
    cw_buf_adds(&load->bytes, records);
    load->nrecords += n;
    if (cursor.len > 0) {
        free((void *)load->cursor.ptr);
        load->cursor = cw_str_make(cw_str_dupz(cursor), cursor.len);
    }
}

static void waiters_tell(struct load *load, int rc)
{
    struct waiters waiters = load->waiters;
    load->waiters = (struct waiters){0};
    for (size_t i = 0; i < waiters.n; i++)
        waiters.items[i].fn(waiters.items[i].ctx, rc);
    free(waiters.items);
}

static void load_clear(struct load *load)
{
    cw_buf_fini(&load->bytes); /* a flood's memory is not kept */
    free((void *)load->cursor.ptr);
    load->cursor = CW_STR_NONE;
    load->nrecords = 0;
}

/* In the pool: owns writer->job and writer->writing meanwhile. */
static void job_run(uv_work_t *work)
{
    struct cw_spool_writer *writer = work->data;
    struct cw_str bytes = writer->job.bytes;
    struct cw_err *err = &writer->job.err;
    int rc = 0;
    if (writer->job.path != NULL) {
        rc = writer->job.fd = cw_file_open(writer->job.path, O_WRONLY | O_CREAT | O_EXCL, err);
        if (rc >= 0)
            rc = cw_file_sync_dir(writer->folder, err);
    }
    if (rc >= 0)
        rc = cw_file_write_all(writer->job.fd, bytes.ptr, bytes.len, writer->folder, err);
    if (rc >= 0)
        rc = cw_file_sync(writer->job.fd, writer->folder, err);
    if (rc < 0 && writer->job.fd >= 0 && ftruncate(writer->job.fd, (off_t)writer->job.offset) < 0)
        cw_err_wrap(err, "cut: %s", strerror(errno));
    writer->job.rc = CW_MIN(rc, 0);
}

static void job_start(struct cw_spool_writer *writer);

static void on_retry(uv_timer_t *timer)
{
    struct cw_spool_writer *writer = timer->data;
    writer->failed = false;
    job_start(writer);
    room_tell(writer);
}

static void segment_end(struct cw_spool_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
}

static void job_failed(struct cw_spool_writer *writer)
{
    struct load *load = &writer->writing;
    cw_log_error("%s: the spool cannot be written (%zu bytes wait): %s", writer->name,
                 load->bytes.len - writer->written + writer->pending.bytes.len,
                 writer->job.err.text);
    cw_metric_add(writer->failures, 1);
    writer->fd = writer->job.fd;
    const struct segment *last = &writer->segments[writer->nsegments - 1];
    if (last->size == 0) { /* it holds nothing */
        if (writer->fd >= 0)
            segment_delete(writer, last->number);
        writer->nsegments--;
    }
    segment_end(writer);
    writer->failed = true;
    if (writer->options.failure == CW_SPOOL_GIVE_BACK) { /* it was in one piece */
        load_clear(load);
        waiters_tell(load, writer->job.rc);
    }
    if (!writer->closing)
        uv_timer_start(&writer->retry, on_retry, CW_SPOOL_RETRY_MS, 0);
}

static void load_written(struct cw_spool_writer *writer)
{
    struct load *load = &writer->writing;
    writer->written = 0;
    cw_metric_add(writer->received, (int64_t)load->nrecords);
    if (load->cursor.len > 0)
        cursor_set(writer, load->cursor);
}

static void job_written(struct cw_spool_writer *writer)
{
    struct load *load = &writer->writing;
    struct segment *last = &writer->segments[writer->nsegments - 1];
    last->size += writer->job.bytes.len;
    last->written_ns = cw_clock_now_ns();
    writer->fd = writer->job.fd;
    writer->written += writer->job.bytes.len;
    bool whole = writer->written == load->bytes.len;
    if (whole)
        load_written(writer);
    cw_metric_set(writer->bytes, (int64_t)bytes_in_all(writer));
    if (!whole || last->size >= writer->options.segment_bytes)
        segment_end(writer);
    if (writer->options.full == CW_SPOOL_WAIT)
        writer->over = bytes_in_all(writer) >= writer->options.max_bytes;
    bool begun = writer->job.path != NULL;
    if (whole) {
        load_clear(load);
        waiters_tell(load, 0);
    }
    if (begun && !writer->closing && writer->options.on_segment != NULL)
        writer->options.on_segment(writer->options.arg);
}

static void on_closed(uv_handle_t *handle)
{
    struct cw_spool_writer *writer = handle->data;
    waiters_tell(&writer->writing, CW_E_UNAVAILABLE);
    waiters_tell(&writer->pending, CW_E_UNAVAILABLE);
    load_fini(&writer->pending);
    load_fini(&writer->writing);
    free(writer->segments);
    free(writer->folder);
    free(writer->name);
    free(writer->cursor);
    free(writer);
}

static void on_job(uv_work_t *work, int status)
{
    struct cw_spool_writer *writer = work->data;
    (void)status; /* never cancelled */
    writer->busy = false;
    if (writer->job.rc < 0)
        job_failed(writer);
    else
        job_written(writer);
    free(writer->job.path);
    writer->job.path = NULL;
    if (writer->closing) {
        segment_end(writer);
        uv_close((uv_handle_t *)&writer->retry, on_closed);
        return;
    }
    job_start(writer);
    room_tell(writer);
}

/* How much of what waits goes into a segment with `room` bytes left: whole records, one at least. What a sender would send again is
 * in one piece: it must not be half here. */
static struct cw_str piece_of(const struct cw_spool_writer *writer, uint64_t room)
{
    struct cw_str rest = cw_buf_str(&writer->writing.bytes);
    rest = cw_str_sub(rest, writer->written, rest.len);
    if (rest.len <= room || writer->options.failure == CW_SPOOL_GIVE_BACK)
        return rest;
    struct cw_arena *arena = cw_arena_new();
    struct cw_spool_record record;
    size_t end = 0;
    for (size_t at = 0; cw_spool_record_next(rest, &at, arena, &record, NULL) == 1;) {
        if (end > 0 && at > room)
            break;
        end = at;
        cw_arena_reset(arena);
    }
    cw_arena_free(&arena);
    return cw_str_sub(rest, 0, end);
}

/* Write what waits, unless a write is under way. */
static void job_start(struct cw_spool_writer *writer)
{
    if (writer->busy || writer->failed || writer->closing)
        return;
    if (writer->writing.bytes.len == 0) { /* else it failed before, or there is more of it */
        if (writer->pending.bytes.len == 0)
            return;
        struct load empty = writer->writing;
        writer->writing = writer->pending;
        writer->pending = empty;
    }
    int64_t now_ns = cw_clock_now_ns();
    if (writer->fd >= 0 && writer->options.max_age_ns > 0 &&
        now_ns - writer->segments[writer->nsegments - 1].begun_ns >
            writer->options.max_age_ns / AGE_PARTS)
        segment_end(writer);
    writer->job.fd = writer->fd;
    if (writer->fd < 0) {
        struct segment *segment = segment_add(writer, writer->next_number++);
        segment->begun_ns = segment->written_ns = now_ns;
        writer->job.path = segment_path(writer, segment->number);
    }
    uint64_t offset = writer->job.offset = writer->segments[writer->nsegments - 1].size;
    uint64_t segment_bytes = writer->options.segment_bytes;
    writer->job.bytes = piece_of(writer, segment_bytes - CW_MIN(offset, segment_bytes));
    writer->work.data = writer;
    writer->busy = true;
    int rc = uv_queue_work(writer->options.loop, &writer->work, job_run, on_job);
    CW_ASSERT(rc == 0);
}

void cw_spool_writer_commit(struct cw_spool_writer *writer, cw_spool_waiter_fn fn, void *ctx)
{
    struct load *load = writer->pending.bytes.len > 0 ? &writer->pending : &writer->writing;
    if (fn != NULL && load->bytes.len == 0) {
        fn(ctx, 0);
    } else if (fn != NULL) {
        struct waiters *waiters = &load->waiters;
        if (waiters->n == waiters->cap) {
            waiters->cap = waiters->cap ? 2 * waiters->cap : 8;
            waiters->items = cw_mem_resize(waiters->items, waiters->cap * sizeof *waiters->items);
        }
        waiters->items[waiters->n++] = (struct waiter){fn, ctx};
    }
    job_start(writer);
}

bool cw_spool_writer_idle(const struct cw_spool_writer *writer)
{
    return !writer->busy && writer->pending.bytes.len == 0 && writer->writing.bytes.len == 0;
}

/* ---- deleting ---- */

/* Nobody writes the segment any more: what has no end in it never will. */
static void source_finish(struct cw_source *source)
{
    if (source->final || source->tail.fd < 0)
        return;
    source->final = true;
    for (size_t i = 0; i < source->nrows; i++)
        source->rows[i].held_size = 0;
}

static struct cw_source *source_of(const struct cw_sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->n; i++)
        if (strcmp(sources->items[i]->path, path) == 0)
            return sources->items[i];
    return NULL;
}

/* It stays in the ledger; who asks for it sees the gap. */
static void gap_tell(const struct cw_spool_writer *writer, struct cw_sources *sources,
                     struct cw_source *source, uint64_t from, uint64_t to, size_t n)
{
    struct cw_buf why;
    cw_buf_init(&why, SIZE_MAX);
    cw_buf_addf(&why, "%zu entries of %s, whose spool was over its bounds", n, writer->name);
    cw_sources_count_gap(sources, source, from, to, cw_buf_str(&why));
    cw_buf_fini(&why);
}

/* Count what a segment that goes holds unsettled, and have its source end where it is. */
static void segment_lose(struct cw_spool_writer *writer, struct cw_sources *sources,
                         const struct segment *segment, const char *path, struct cw_source *source)
{
    struct cw_buf bytes;
    struct cw_err err;
    uint64_t from = source ? cw_source_position(source) : 0;
    size_t n = 0;
    cw_buf_init(&bytes, SEGMENT_READ_BYTES);
    struct cw_arena *arena = cw_arena_new();
    if (cw_file_read(path, SEGMENT_READ_BYTES, &bytes, &err) == 0) {
        struct cw_spool_record record;
        for (size_t at = CW_MIN(from, bytes.len);;) {
            int rc = cw_spool_record_next(cw_buf_str(&bytes), &at, arena, &record, NULL);
            if (rc == 0)
                break;
            n += rc == 1;
            cw_arena_reset(arena);
        }
    }
    cw_arena_free(&arena);
    cw_buf_fini(&bytes);
    for (size_t i = 0; source != NULL && i < source->nrows; i++)
        cw_ledger_dropped(&source->rows[i], CW_MAX(segment->size, cw_ledger_next(&source->rows[i])),
                          0);
    cw_metric_add(writer->lost, (int64_t)n);
    cw_metric_add(writer->lost_bytes, (int64_t)(segment->size - CW_MIN(from, segment->size)));
    gap_tell(writer, sources, source, CW_MIN(from, segment->size), segment->size, n);
    cw_log_error("%s: the spool is over its bounds: %zu entries are lost with %s", writer->name, n,
                 path);
}

static bool segment_over(const struct cw_spool_writer *writer, size_t i, uint64_t bytes,
                         int64_t now_ns)
{
    const struct cw_spool_options *options = &writer->options;
    if (options->max_age_ns > 0 && now_ns - writer->segments[i].written_ns > options->max_age_ns)
        return true;
    return options->full == CW_SPOOL_DROP_OLDEST && bytes > options->max_bytes;
}

void cw_spool_writer_prune(struct cw_spool_writer *writer, struct cw_sources *sources,
                           int64_t now_ns)
{
    uint64_t bytes = bytes_in_all(writer);
    size_t kept = 0, n = writer->nsegments;
    for (size_t i = 0; i < n; i++) {
        const struct segment *segment = &writer->segments[i];
        /* The one that is written, and the newest that has the cursor, stay. */
        bool written = i + 1 == n && (writer->fd >= 0 || writer->busy);
        bool needed = written || (i + 1 == n && writer->cursor_len > 0);
        char *path = segment_path(writer, segment->number);
        struct cw_source *source = source_of(sources, path);
        if (source != NULL && !written)
            source_finish(source);
        bool settled = source != NULL && cw_source_position(source) >= segment->size;
        bool over = !needed && !settled && segment_over(writer, i, bytes, now_ns);
        if (over)
            segment_lose(writer, sources, segment, path, source);
        free(path);
        if (needed || !(settled || over)) {
            writer->segments[kept++] = *segment;
            continue;
        }
        bytes -= segment->size;
        segment_delete(writer, segment->number);
    }
    writer->nsegments = kept;
    writer->over = writer->options.full == CW_SPOOL_WAIT && bytes >= writer->options.max_bytes;
    cw_metric_set(writer->bytes, (int64_t)bytes);
    room_tell(writer);
}

void cw_spool_writer_close(struct cw_spool_writer **writer)
{
    struct cw_spool_writer *w = *writer;
    *writer = NULL;
    if (w == NULL)
        return;
    w->closing = true;
    if (w->busy)
        return; /* on_job goes on */
    segment_end(w);
    uv_close((uv_handle_t *)&w->retry, on_closed);
}
