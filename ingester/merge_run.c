/* merge_run.c - walk the streams of some parts at once and write them as one. */
#include "ingester/merge_run.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/store/format.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"

struct input {
    struct cw_source *source; /* referenced */
    struct cw_part_reader *reader;
    const struct cw_part_footer *footer;
    struct cw_stream_pin pin;
    uint32_t *numbers;    /* of its streams in the new part; they rise */
    uint32_t next_stream; /* the first that has not begun in the new part */
    uint32_t next_block;  /* to be read */
    struct cw_cursor *cursor;
    struct cw_entry_batch batch; /* n = 0: none */
    size_t row;                  /* next of the batch */
    uint32_t stream;             /* the batch's, by this input's numbers */
};

struct cw_merge_run {
    struct cw_parts *parts;
    struct input *inputs; /* the oldest first */
    size_t n;
    struct cw_scan scan;
    struct cw_scan_stats stats;
    uint32_t nstreams, done; /* of the new part; `done` have begun and ended */
    bool in_stream;
    size_t copy_input; /* full blocks: where it stands */
    uint32_t copy_block;
    struct cw_part_writer *writer;
    struct cw_buf path;
    uint64_t *replaced; /* the writer borrows it */
    uint64_t bytes_out;
};

static int input_cmp(const void *a, const void *b)
{
    const struct cw_part_info *x = &((const struct input *)a)->footer->info,
                              *y = &((const struct input *)b)->footer->info;
    if (x->wal_first != y->wal_first)
        return x->wal_first < y->wal_first ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* ---- numbers of streams ---- */

/* A stream of the input; it lives until the next one of the same input is asked for. */
static int stream_at(struct input *in, uint32_t number, const struct cw_part_stream **out,
                     struct cw_err *err)
{
    return cw_part_reader_stream(in->reader, number, &in->pin, out, err);
}

/* Where an input stands while the streams of all are counted. */
struct place {
    uint32_t number; /* nstreams: at its end */
    struct cw_labels labels;
    struct cw_str app; /* of the labels: what streams are ordered by first */
};

static int place_set(struct input *in, uint32_t number, struct place *place, struct cw_err *err)
{
    const struct cw_part_stream *s;
    place->number = number;
    if (number == in->footer->nstreams)
        return 0;
    int rc = stream_at(in, number, &s, err);
    if (rc == 0) {
        place->labels = s->ref.labels;
        place->app = cw_part_stream_app(s->ref.labels);
    }
    return rc;
}

static int place_cmp(const struct place *a, const struct place *b)
{
    int c = cw_str_cmp(a->app, b->app);
    return c != 0 ? c : cw_labels_cmp(a->labels, b->labels);
}

/* The next stream of all gets its number in each input that has it. 1, or 0 at the end. */
static int number_next(struct cw_merge_run *run, struct place *places, struct cw_err *err)
{
    size_t least = run->n;
    for (size_t i = 0; i < run->n; i++)
        if (places[i].number < run->inputs[i].footer->nstreams &&
            (least == run->n || place_cmp(&places[i], &places[least]) < 0))
            least = i;
    if (least == run->n)
        return 0;
    /* It is the first of its equals. Backward, so that it stays where it is until the others are compared with it. */
    for (size_t i = run->n; i-- > least;) {
        struct input *in = &run->inputs[i];
        if (places[i].number == in->footer->nstreams || place_cmp(&places[i], &places[least]) != 0)
            continue;
        in->numbers[places[i].number] = run->nstreams;
        int rc = place_set(in, places[i].number + 1, &places[i], err);
        if (rc < 0)
            return rc;
    }
    run->nstreams++;
    return 1;
}

static int numbers_make(struct cw_merge_run *run, struct cw_err *err)
{
    struct place *places = cw_mem_array(run->n, sizeof(*places));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < run->n; i++)
        rc = place_set(&run->inputs[i], 0, &places[i], err);
    if (rc == 0) {
        do
            rc = number_next(run, places, err);
        while (rc == 1);
    }
    free(places);
    return rc;
}

static int id_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int writer_open(struct cw_merge_run *run, enum cw_codec codec, struct cw_err *err)
{
    struct cw_part_info info = run->inputs[0].footer->info;
    size_t nreplaced = 0;
    for (size_t i = 0; i < run->n; i++)
        nreplaced += 1 + run->inputs[i].footer->info.nreplaced;
    uint64_t *replaced = run->replaced = cw_mem_array(nreplaced, sizeof(*replaced));
    nreplaced = 0;
    bool one_level = true;
    for (size_t i = 0; i < run->n; i++) {
        const struct cw_part_info *in = &run->inputs[i].footer->info;
        one_level &= in->level == run->inputs[0].footer->info.level;
        info.level = CW_MAX(info.level, in->level);
        info.wal_first = CW_MIN(info.wal_first, in->wal_first);
        info.wal_last = CW_MAX(info.wal_last, in->wal_last);
        replaced[nreplaced++] = in->id;
        for (size_t j = 0; j < in->nreplaced; j++)
            replaced[nreplaced++] = in->replaced[j];
    }
    qsort(replaced, nreplaced, sizeof(*replaced), id_cmp);
    info.level += one_level && info.level < UINT8_MAX; /* of several: as the highest */
    info.flush_parts = 0;
    info.flush_id = 0;
    info.replaced = replaced;
    info.nreplaced = nreplaced;
    int rc = cw_parts_new_path(run->parts, info.tenant, info.day, &info.id, &run->path, err);
    if (rc == 0)
        rc = cw_part_writer_new(run->path.ptr, &info, codec, &run->writer, err);
    return rc;
}

int cw_merge_run_new(struct cw_parts *parts, struct cw_source *const *inputs, size_t n,
                     enum cw_codec codec, struct cw_merge_run **out, struct cw_err *err)
{
    struct cw_merge_run *run = cw_mem_new(sizeof(*run));
    CW_ASSERT(n > 0);
    run->parts = parts;
    run->n = n;
    run->scan =
        (struct cw_scan){.start_ns = INT64_MIN,
                         .end_ns = INT64_MAX,
                         .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA | CW_NEED_VALUES,
                         .stats = &run->stats};
    cw_buf_init(&run->path, SIZE_MAX);
    run->inputs = cw_mem_array(n, sizeof(*run->inputs));
    for (size_t i = 0; i < n; i++) {
        struct input *in = &run->inputs[i];
        in->source = cw_source_ref(inputs[i]);
        in->reader = cw_part_source_reader(inputs[i]);
        in->pin.once = true;
        in->footer = cw_part_reader_footer(in->reader);
        in->numbers = cw_mem_array((size_t)in->footer->nstreams + 1, sizeof(*in->numbers));
    }
    qsort(run->inputs, n, sizeof(*run->inputs), input_cmp);
    int rc = numbers_make(run, err);
    if (rc == 0)
        rc = writer_open(run, codec, err);
    if (rc < 0) {
        cw_merge_run_free(&run);
        return rc;
    }
    *out = run;
    return 0;
}

void cw_merge_run_free(struct cw_merge_run **handle)
{
    struct cw_merge_run *run = *handle;
    *handle = NULL;
    if (run == NULL)
        return;
    cw_part_writer_free(&run->writer);
    for (size_t i = 0; i < run->n; i++) {
        cw_cursor_close(&run->inputs[i].cursor);
        cw_stream_pin_fini(&run->inputs[i].pin);
        cw_source_unref(&run->inputs[i].source);
        free(run->inputs[i].numbers);
    }
    free(run->inputs);
    free(run->replaced);
    cw_buf_fini(&run->path);
    free(run);
}

bool cw_merge_run_has_bad_block(const struct cw_merge_run *run)
{
    for (size_t i = 0; i < run->n; i++)
        if (cw_part_source_has_bad_blocks(run->inputs[i].source))
            return true;
    return false;
}

uint64_t cw_merge_run_bytes_out(const struct cw_merge_run *run)
{
    return run->bytes_out;
}

/* ---- rows ---- */

static int bad_block_check(const struct cw_merge_run *run, const struct input *in,
                           struct cw_err *err)
{
    if (atomic_load(&run->stats.corrupt_blocks) == 0)
        return 0;
    return cw_err_set(err, CW_E_CORRUPT, "part %s has a bad block: it is not merged",
                      cw_part_reader_path(in->reader));
}

/* Which of the input's streams the batch is of: they come in order, so it is near the last one. */
static int batch_stream(struct input *in, struct cw_err *err)
{
    for (uint32_t s = in->stream; s < in->footer->nstreams; s++) {
        const struct cw_part_stream *stream;
        int rc = stream_at(in, s, &stream, err);
        if (rc < 0)
            return rc;
        if (cw_hash128_eq(stream->ref.id, in->batch.stream.id)) {
            in->stream = s;
            return 0;
        }
    }
    return cw_err_set(err, CW_E_CORRUPT, "part %s: streams of its blocks are out of order",
                      cw_part_reader_path(in->reader));
}

/* See to it that the input has a row at hand, unless its blocks that are not full are at their end. */
static int input_fill(struct cw_merge_run *run, struct input *in, struct cw_err *err)
{
    while (in->row == in->batch.n) {
        if (in->cursor == NULL) {
            while (in->next_block < in->footer->nblocks) {
                struct cw_part_block b = cw_part_reader_block(in->reader, in->next_block);
                if (!cw_part_block_is_full(&b))
                    break;
                in->next_block++;
            }
            if (in->next_block == in->footer->nblocks)
                return 0;
            struct cw_unit unit = {.source = in->source, .key = in->next_block++};
            int rc = in->source->ops->open(in->source, &run->scan, &unit, &in->cursor, err);
            if (rc < 0)
                return rc;
        }
        in->row = 0;
        int rc = cw_cursor_next(in->cursor, &in->batch, err);
        if (rc == 0)
            rc = bad_block_check(run, in, err);
        if (rc < 0)
            return rc;
        if (in->cursor != NULL && rc == 0) {
            cw_cursor_close(&in->cursor);
            in->batch.n = 0;
            continue;
        }
        rc = batch_stream(in, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool input_has(const struct cw_merge_run *run, const struct input *in)
{
    return in->row < in->batch.n && in->numbers[in->stream] == run->done;
}

static int stream_begin(struct cw_merge_run *run, struct cw_err *err)
{
    struct cw_labels labels = CW_LABELS_NONE;
    uint64_t rows = 0, bytes = 0;
    for (size_t i = 0; i < run->n; i++) {
        struct input *in = &run->inputs[i];
        const struct cw_part_stream *s;
        if (in->next_stream == in->footer->nstreams || in->numbers[in->next_stream] != run->done)
            continue;
        int rc = stream_at(in, in->next_stream++, &s, err);
        if (rc < 0)
            return rc;
        labels = s->ref.labels;
        rows += s->rows;
        bytes += s->raw_bytes;
    }
    run->in_stream = true;
    return cw_part_writer_stream(run->writer, labels, rows, bytes, err);
}

/* Write the longest run of rows that come next and lie in one batch. 1, or 0 when the stream is at its end. */
static int rows_write(struct cw_merge_run *run, struct cw_err *err)
{
    struct input *first = NULL;
    int64_t until_ns = INT64_MAX; /* rows of `first` come next up to here, inclusive ... */
    for (size_t i = 0; i < run->n; i++) {
        struct input *in = &run->inputs[i];
        int rc = input_fill(run, in, err);
        if (rc < 0)
            return rc;
        if (!input_has(run, in))
            continue;
        int64_t ns = in->batch.ts_ns[in->row];
        if (first == NULL) {
            first = in;
        } else if (ns < first->batch.ts_ns[first->row]) {
            /* ... what the older part has at the same time comes before. */
            until_ns = first->batch.ts_ns[first->row] - 1;
            first = in;
        } else {
            until_ns = CW_MIN(until_ns, ns);
        }
    }
    if (first == NULL)
        return 0;
    const struct cw_entry_batch *b = &first->batch;
    size_t from = first->row, to = from + 1;
    while (to < b->n && b->ts_ns[to] <= until_ns)
        to++;
    struct cw_entry_batch some = {
        .n = to - from,
        .ts_ns = b->ts_ns + from,
        .lines = b->lines != NULL ? b->lines + from : NULL,
        .sizes = b->sizes + from,
        .metadata = b->metadata != NULL ? b->metadata + from : NULL,
        .values = b->values,
        .first_row = b->first_row + (uint32_t)from,
    };
    first->row = to;
    int rc = cw_part_writer_add(run->writer, &some, err);
    return rc < 0 ? rc : 1;
}

/* The next full block. 1, or 0 when there is none. */
static int full_block_copy(struct cw_merge_run *run, struct cw_err *err)
{
    for (; run->copy_input < run->n; run->copy_input++, run->copy_block = 0) {
        struct input *in = &run->inputs[run->copy_input];
        while (run->copy_block < in->footer->nblocks) {
            struct cw_part_block b = cw_part_reader_block(in->reader, run->copy_block++);
            if (!cw_part_block_is_full(&b))
                continue;
            int rc = cw_part_writer_copy_block(run->writer, in->reader, run->copy_block - 1,
                                               in->numbers, err);
            if (rc == CW_E_CORRUPT)
                cw_part_source_bad_block(in->source, run->copy_block - 1, err);
            cw_part_reader_rest(in->reader); /* a slice copies tens of megabytes */
            return rc < 0 ? rc : 1;
        }
    }
    return 0;
}

static int run_finish(struct cw_merge_run *run, struct cw_err *err)
{
    for (size_t i = 0; i < run->n; i++)
        if (cw_part_source_lost(run->inputs[i].source))
            return cw_err_set(err, CW_E_CORRUPT,
                              "part %s has pages that cannot be read: it is not merged",
                              cw_part_reader_path(run->inputs[i].reader));
    struct cw_parts_change *change = cw_parts_change_new(run->parts);
    int rc = 0;
    /* Retention may hide all that was left. */
    if (cw_part_writer_rows(run->writer) > 0) {
        rc = cw_part_writer_finish(run->writer, &run->bytes_out, err);
        if (rc == 0)
            rc = cw_parts_change_add(change, run->path.ptr, err);
    }
    for (size_t i = 0; i < run->n; i++)
        cw_parts_change_remove(change, run->inputs[i].source);
    if (rc == 0)
        rc = cw_parts_commit(run->parts, change, err);
    if (rc == 0) {
        cw_parts_lock(run->parts);
        cw_parts_publish(run->parts, change);
        cw_parts_unlock(run->parts);
    }
    cw_parts_change_free(&change);
    return rc;
}

/* One small piece of work. 1: there is more. */
static int run_some(struct cw_merge_run *run, struct cw_err *err)
{
    if (run->in_stream) {
        int rc = rows_write(run, err);
        if (rc == 0) {
            run->in_stream = false;
            run->done++;
        }
        return rc < 0 ? rc : 1;
    }
    if (run->done < run->nstreams) {
        int rc = stream_begin(run, err);
        return rc < 0 ? rc : 1;
    }
    for (size_t i = 0; i < run->n; i++)
        if (run->inputs[i].row < run->inputs[i].batch.n)
            return cw_err_set(err, CW_E_CORRUPT, "part %s: streams of its blocks are out of order",
                              cw_part_reader_path(run->inputs[i].reader));
    int rc = full_block_copy(run, err);
    if (rc != 0)
        return rc;
    return run_finish(run, err);
}

int cw_merge_run_step(struct cw_merge_run *run, int64_t cpu_ns, struct cw_err *err)
{
    int64_t end_ns = cw_clock_thread_cpu_ns() + cpu_ns;
    int rc;
    do {
        rc = run_some(run, err);
    } while (rc == 1 && cw_clock_thread_cpu_ns() < end_ns);
    /* What the slice read would count as this process's memory until the merge ends. */
    for (size_t i = 0; i < run->n; i++)
        cw_part_reader_rest(run->inputs[i].reader);
    return rc;
}
