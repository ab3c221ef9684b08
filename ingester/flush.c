/* flush.c - sort a generation's streams, find the days that it touches, write a part for each. */
#include "ingester/flush.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/many_waits.h"
#include "common/store/format.h"
#include "common/store/part_writer.h"

/* Files of a flush that wait for their fsync together: each holds a descriptor. */
enum { FILES_AT_ONCE = 64 };

static const int64_t day_ns = 86400 * CW_NS_PER_S;

/* Bytes of a tenant's entries on one day. */
struct day {
    int32_t day;
    uint64_t bytes;
};
struct days {
    struct day *items;
    size_t n, cap;
};

/* [start, end); INT64_MAX as the end is inclusive. */
struct range {
    int64_t start_ns, end_ns;
};

/* A part to be written: its ranges in order of time. A day has one, the mixed part all that the days leave. */
struct job {
    const struct cw_flush_tenant *tenant;
    int32_t day;
    struct range *ranges;
    size_t nranges;
    uint64_t id;
    struct cw_buf path;
};

struct flush {
    struct cw_parts *parts;
    const struct cw_flush_input *input;
    struct cw_parts_change *change;
    struct job *jobs;
    size_t njobs, cap;
    struct cw_part_file files[FILES_AT_ONCE]; /* written, not in the change yet */
    size_t nfiles;
};

static int32_t day_of(int64_t ns)
{
    int64_t day = ns / day_ns;
    return (int32_t)(ns % day_ns < 0 ? day - 1 : day);
}

static int64_t day_start_ns(int32_t day)
{
    int64_t ns;
    return __builtin_mul_overflow((int64_t)day, day_ns, &ns) ? INT64_MIN : ns;
}

static int64_t day_end_ns(int32_t day)
{
    int64_t ns;
    return __builtin_mul_overflow((int64_t)day + 1, day_ns, &ns) ? INT64_MAX : ns;
}

static int stream_cmp(const void *a, const void *b)
{
    return cw_part_stream_cmp(((const struct cw_flush_stream *)a)->ref.labels,
                              ((const struct cw_flush_stream *)b)->ref.labels);
}

/* ---- which days ---- */

static void days_add(struct days *days, int32_t day, uint64_t bytes)
{
    size_t lo = 0, hi = days->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (days->items[mid].day < day)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < days->n && days->items[lo].day == day) {
        days->items[lo].bytes += bytes;
        return;
    }
    if (days->n == days->cap) {
        days->cap = days->cap ? 2 * days->cap : 16;
        days->items = cw_mem_resize(days->items, days->cap * sizeof(*days->items));
    }
    for (size_t i = days->n++; i > lo; i--)
        days->items[i] = days->items[i - 1];
    days->items[lo] = (struct day){day, bytes};
}

static int days_of_stream(const struct cw_flush_input *input, const struct cw_flush_stream *stream,
                          struct days *days, struct cw_err *err)
{
    if (day_of(stream->min_ns) == day_of(stream->max_ns)) {
        days_add(days, day_of(stream->min_ns), stream->line_bytes + stream->nentries);
        return 0;
    }
    struct cw_cursor *cursor;
    int rc = input->open(input->ctx, stream, INT64_MIN, INT64_MAX, &cursor, err);
    if (rc < 0)
        return rc;
    struct cw_entry_batch batch;
    while ((rc = cw_cursor_next(cursor, &batch, err)) > 0)
        for (size_t i = 0; i < batch.n; i++)
            days_add(days, day_of(batch.ts_ns[i]), batch.lines[i].len + 1);
    cw_cursor_close(&cursor);
    return rc;
}

static struct job *job_add(struct flush *f, const struct cw_flush_tenant *tenant, int32_t day,
                           size_t nranges)
{
    if (f->njobs == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 8;
        f->jobs = cw_mem_resize(f->jobs, f->cap * sizeof(*f->jobs));
    }
    struct job *job = &f->jobs[f->njobs++];
    *job = (struct job){.tenant = tenant, .day = day, .nranges = nranges};
    job->ranges = cw_mem_array(nranges, sizeof(*job->ranges));
    cw_buf_init(&job->path, SIZE_MAX);
    return job;
}

static int bytes_cmp(const void *a, const void *b)
{
    const struct day *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->day < y->day ? -1 : x->day > y->day;
}

static int day_cmp(const void *a, const void *b)
{
    const struct day *x = a, *y = b;
    return x->day < y->day ? -1 : x->day > y->day;
}

/* A part for each of the largest days; what lies between them goes into one more. */
static void jobs_of_days(struct flush *f, const struct cw_flush_tenant *tenant, struct days *days)
{
    bool mixed = days->n > CW_FLUSH_DAYS_MAX;
    size_t n = days->n;
    if (mixed) {
        n = CW_FLUSH_DAYS_MAX - 1;
        qsort(days->items, days->n, sizeof(*days->items), bytes_cmp);
        qsort(days->items, n, sizeof(*days->items), day_cmp);
    }
    for (size_t i = 0; i < n; i++) {
        int32_t day = days->items[i].day;
        job_add(f, tenant, day, 1)->ranges[0] = (struct range){day_start_ns(day), day_end_ns(day)};
    }
    if (!mixed)
        return;
    struct job *job = job_add(f, tenant, CW_DAY_MIXED, n + 1);
    int64_t start_ns = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        job->ranges[i] = (struct range){start_ns, day_start_ns(days->items[i].day)};
        start_ns = day_end_ns(days->items[i].day);
    }
    job->ranges[n] = (struct range){start_ns, INT64_MAX};
}

static int jobs_of_tenant(struct flush *f, struct cw_flush_tenant *tenant, struct cw_err *err)
{
    struct days days = {0};
    int rc = 0;
    if (tenant->nstreams > 0)
        qsort(tenant->streams, tenant->nstreams, sizeof(*tenant->streams), stream_cmp);
    for (size_t i = 0; rc == 0 && i < tenant->nstreams; i++)
        rc = days_of_stream(f->input, &tenant->streams[i], &days, err);
    if (rc == 0)
        jobs_of_days(f, tenant, &days);
    free(days.items);
    return rc;
}

/* ---- writing ---- */

static bool range_touches(const struct range *r, const struct cw_flush_stream *stream)
{
    return stream->max_ns >= r->start_ns &&
           (stream->min_ns < r->end_ns || r->end_ns == INT64_MAX) && r->start_ns < r->end_ns;
}

typedef int (*batch_fn)(void *arg, const struct cw_entry_batch *batch, struct cw_err *err);

/* The stream's entries in the job's ranges. */
static int each_batch(const struct flush *f, const struct job *job,
                      const struct cw_flush_stream *stream, batch_fn fn, void *arg,
                      struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->nranges; i++) {
        const struct range *r = &job->ranges[i];
        struct cw_cursor *cursor;
        if (!range_touches(r, stream))
            continue;
        rc = f->input->open(f->input->ctx, stream, r->start_ns, r->end_ns, &cursor, err);
        if (rc < 0)
            return rc;
        struct cw_entry_batch batch;
        while ((rc = cw_cursor_next(cursor, &batch, err)) > 0) {
            rc = fn(arg, &batch, err);
            if (rc < 0)
                break;
        }
        cw_cursor_close(&cursor);
    }
    return rc;
}

struct totals {
    uint64_t rows, bytes;
};

static int batch_count(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct totals *t = arg;
    t->rows += batch->n;
    for (size_t i = 0; i < batch->n; i++)
        t->bytes += batch->lines[i].len;
    return 0;
}

static int batch_write(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    return cw_part_writer_add(arg, batch, err);
}

static int stream_write(const struct flush *f, const struct job *job,
                        const struct cw_flush_stream *stream, struct cw_part_writer *writer,
                        struct cw_err *err)
{
    struct totals totals = {stream->nentries, stream->line_bytes};
    bool all = job->nranges == 1 && stream->min_ns >= job->ranges[0].start_ns &&
               (stream->max_ns < job->ranges[0].end_ns || job->ranges[0].end_ns == INT64_MAX);
    if (!all) {
        totals = (struct totals){0};
        int rc = each_batch(f, job, stream, batch_count, &totals, err);
        if (rc < 0 || totals.rows == 0)
            return rc;
    }
    int rc = cw_part_writer_stream(writer, stream->ref.labels, totals.rows, totals.bytes, err);
    return rc < 0 ? rc : each_batch(f, job, stream, batch_write, writer, err);
}

/* Its file waits for an fsync then. */
static int job_write(struct flush *f, struct job *job, struct cw_err *err)
{
    struct cw_part_info info = {
        .id = job->id,
        .tenant = job->tenant->tenant,
        .day = job->day,
        .wal_first = f->input->wal_first,
        .wal_last = f->input->wal_last,
        .flush_parts = (uint32_t)f->njobs,
        .flush_id = f->jobs[0].id,
    };
    struct cw_part_writer *writer;
    int rc = cw_part_writer_new(job->path.ptr, &info, CW_CODEC_LZ4, &writer, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < job->tenant->nstreams; i++)
        rc = stream_write(f, job, &job->tenant->streams[i], writer, err);
    if (rc == 0)
        rc = cw_part_writer_end(writer, &f->files[f->nfiles], err);
    f->nfiles += rc == 0;
    cw_part_writer_free(&writer);
    return rc;
}

static int file_settle(void *arg, size_t i, struct cw_err *err)
{
    struct flush *f = arg;
    return cw_part_file_settle(&f->files[i], err);
}

/* What was written goes into the change; after a failure, which `rc` may be already, it is removed. */
static int files_settle(struct flush *f, int rc, struct cw_err *err)
{
    if (rc == 0)
        rc = cw_many_waits(f->nfiles, file_settle, f, err);
    for (size_t i = 0; i < f->nfiles; i++) {
        struct cw_part_file *file = &f->files[i];
        bool settled = file->fd < 0;
        if (rc == 0)
            rc = cw_parts_change_add(f->change, file->path, err);
        if (rc < 0 && settled && cw_file_unlink(file->path, NULL) < 0)
            cw_log_warn("part %s stays until the next start", file->path);
        cw_part_file_fini(file);
    }
    f->nfiles = 0;
    return rc;
}

static int jobs_write(struct flush *f, struct cw_err *err)
{
    int rc = 0;
    /* All ids first: each footer says how many parts the flush writes, and which is its first. */
    for (size_t i = 0; rc == 0 && i < f->njobs; i++)
        rc = cw_parts_place(f->parts, f->jobs[i].tenant->tenant, f->jobs[i].day, &f->jobs[i].id,
                            &f->jobs[i].path, err);
    for (size_t i = 0; rc == 0 && i < f->njobs; i++) {
        rc = job_write(f, &f->jobs[i], err);
        if (rc < 0 || f->nfiles == FILES_AT_ONCE || i + 1 == f->njobs)
            rc = files_settle(f, rc, err);
    }
    return rc == 0 && f->njobs > 0 ? cw_parts_change_sync(f->change, err) : rc;
}

int cw_flush_write(struct cw_parts *parts, const struct cw_flush_input *input,
                   struct cw_parts_change **out, struct cw_err *err)
{
    struct flush f = {.parts = parts, .input = input, .change = cw_parts_change_new(parts)};
    int rc = 0;
    cw_parts_change_wal_flushed(f.change, input->wal_last);
    for (size_t i = 0; rc == 0 && i < input->ntenants; i++)
        rc = jobs_of_tenant(&f, &input->tenants[i], err);
    if (rc == 0)
        rc = jobs_write(&f, err);
    for (size_t i = 0; i < f.njobs; i++) {
        free(f.jobs[i].ranges);
        cw_buf_fini(&f.jobs[i].path);
    }
    free(f.jobs);
    if (rc < 0) {
        cw_err_wrap(err, "flushing frames %llu to %llu", (unsigned long long)input->wal_first,
                    (unsigned long long)input->wal_last);
        cw_parts_change_free(&f.change);
        return rc;
    }
    *out = f.change;
    return 0;
}
