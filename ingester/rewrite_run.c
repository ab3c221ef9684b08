/*
 * rewrite_run.c - judge the streams, count what is hidden of the others, write what is left.
 *
 * Whoever meets a bad block makes the run begin again, and know all bad blocks and what can be read of them before it counts: the
 * totals that the part's tables name hold no longer.
 */
#include "ingester/rewrite_run.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/store/block_reader.h"
#include "common/store/part_source.h"
#include "common/store/part_writer.h"

/*   STREAMS ----------------------> COUNT --nothing hidden, or all--> DONE
 *     ^  |                          ^ |                               ^
 *     |  +--there are bad blocks    | +--> WRITE --> COPY ------------+
 *     |              |              |
 *     |              +--> EXAMINE --+
 *     +------------ a bad block, in any other phase                                                               */
enum phase { PHASE_STREAMS, PHASE_EXAMINE, PHASE_COUNT, PHASE_WRITE, PHASE_COPY, PHASE_DONE };

struct stream_state {
    uint64_t rows, bytes; /* that stay */
    bool gone;            /* all of it is hidden, whatever the rows are */
    bool held;            /* a bad block that stays may have rows of it */
};

/* BAD: damaged, and no rule touches it. A damaged one that is JUDGED gives what can be read of it. */
enum block_kind { BLOCK_GONE, BLOCK_JUDGED, BLOCK_REWRITTEN, BLOCK_COPIED, BLOCK_BAD };

/* A block under way. They lie in any order in a part, so all that may hold the next row of a stream are open. */
struct input {
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    size_t row;      /* next of the batch */
    uint32_t stream; /* the batch's */
    struct cw_stream_pin pin;
};

struct cw_rewrite_run {
    struct cw_parts *parts;
    struct cw_source *source; /* the registry's */
    struct cw_source *plain,
        *visible; /* the same part, on which retention hides nothing; and without its hidden rows */
    struct cw_part_reader *reader; /* plain's */
    const struct cw_part_footer *footer;
    enum cw_codec codec;
    struct cw_stream_pin pin; /* of who walks the streams */
    struct cw_hidden_rule *rules;
    size_t nrules;
    struct cw_hidden_judge *judge;
    uint64_t *removed, *unread; /* by rule */
    uint64_t nremoved, nunread;
    uint64_t nleft; /* rows that are written: known from PHASE_WRITE on */
    struct cw_scan scan;
    enum phase phase;
    bool examines;             /* there are bad blocks */
    bool *bad;                 /* by block: it was found bad */
    uint32_t nbad, nbad_known; /* `known`: when they had been examined */
    struct cw_err bad_why;     /* of the last one */
    uint64_t read, read_bytes; /* PHASE_EXAMINE: of the block at hand */
    struct stream_state *streams;
    uint8_t *blocks;    /* enum block_kind */
    uint32_t at;        /* stream or block of the phase */
    struct input count; /* PHASE_EXAMINE, PHASE_COUNT: the block at hand */
    bool *hidden;
    size_t hidden_cap;
    uint32_t *order; /* PHASE_WRITE: blocks by first stream, then time; `next` is to be opened */
    uint32_t norder, next;
    struct input *inputs;
    size_t ninputs, inputs_cap;
    bool in_stream;
    uint32_t *numbers; /* of streams in the new part; they rise */
    uint32_t nnew;
    struct cw_part_info info;
    uint64_t *replaced;
    struct cw_buf path;
    struct cw_part_writer *writer;
    uint64_t bytes_out;
};

static int id_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int info_make(struct cw_rewrite_run *run, struct cw_err *err)
{
    const struct cw_part_info *old = &run->footer->info;
    run->replaced = cw_mem_array(old->nreplaced + 1, sizeof(*run->replaced));
    if (old->nreplaced > 0)
        memcpy(run->replaced, old->replaced, old->nreplaced * sizeof(*run->replaced));
    run->replaced[old->nreplaced] = old->id;
    qsort(run->replaced, old->nreplaced + 1, sizeof(*run->replaced), id_cmp);
    run->info = *old;
    run->info.flush_parts = 0;
    run->info.flush_id = 0;
    run->info.replaced = run->replaced;
    run->info.nreplaced = old->nreplaced + 1;
    return cw_parts_new_path(run->parts, old->tenant, old->day, &run->info.id, &run->path, err);
}

/* Which blocks do rules touch? Those are units of the visible source itself. */
static int blocks_plan(struct cw_rewrite_run *run, struct cw_err *err)
{
    struct cw_units units = {0};
    int rc = run->visible->ops->plan(run->visible, &run->scan, &units, err);
    memset(run->blocks, BLOCK_JUDGED, run->footer->nblocks);
    for (size_t i = 0; rc == 0 && i < units.n; i++) {
        struct cw_part_block b = cw_part_reader_block(run->reader, (uint32_t)units.items[i].key);
        if (units.items[i].source != run->visible)
            run->blocks[units.items[i].key] =
                cw_part_block_is_full(&b) ? BLOCK_COPIED : BLOCK_REWRITTEN;
    }
    cw_units_fini(&units);
    return rc;
}

/* On the run's own thread: only it reads through `plain`. */
static void bad_block_found(struct cw_rewrite_run *run, uint32_t block, const struct cw_err *why)
{
    run->bad_why = *why;
    if (run->bad[block])
        return;
    run->bad[block] = true;
    run->nbad++;
    cw_part_source_bad_block(run->source, block, why);
}

static void on_bad_block(void *ctx, struct cw_part_reader *reader, uint32_t block,
                         const struct cw_err *why)
{
    bad_block_found(ctx, block, why);
}

static void input_close(struct input *in)
{
    cw_cursor_close(&in->cursor);
    cw_stream_pin_fini(&in->pin);
    in->batch.n = 0;
}

static void inputs_close(struct cw_rewrite_run *run)
{
    input_close(&run->count);
    for (size_t i = 0; i < run->ninputs; i++)
        input_close(&run->inputs[i]);
    run->ninputs = 0;
}

int cw_rewrite_run_new(struct cw_parts *parts, struct cw_source *source,
                       const struct cw_hidden_rule *rules, size_t n, struct cw_hidden_owner *owner,
                       enum cw_codec codec, struct cw_rewrite_run **out, struct cw_err *err)
{
    struct cw_rewrite_run *run = cw_mem_new(sizeof(*run));
    run->parts = parts;
    run->codec = codec;
    run->source = cw_source_ref(source);
    run->examines = cw_part_source_has_bad_blocks(source);
    cw_buf_init(&run->path, SIZE_MAX);
    struct cw_part_events events = {.bad_block = on_bad_block, .ctx = run};
    int rc = cw_part_source_open(cw_part_reader_path(cw_part_source_reader(source)), &events,
                                 &run->plain, err);
    if (rc < 0) {
        cw_rewrite_run_free(&run);
        return rc;
    }
    run->visible = cw_hidden_source_new(cw_source_ref(run->plain), rules, n, owner);
    run->reader = cw_part_source_reader(run->plain);
    run->footer = cw_part_reader_footer(run->reader);
    run->rules = cw_mem_array(n, sizeof(*rules));
    memcpy(run->rules, rules, n * sizeof(*rules));
    run->nrules = n;
    run->judge = cw_hidden_judge_new(run->rules, n);
    run->removed = cw_mem_array(n, sizeof(*run->removed));
    run->unread = cw_mem_array(n, sizeof(*run->unread));
    run->scan = (struct cw_scan){.start_ns = INT64_MIN,
                                 .end_ns = INT64_MAX,
                                 .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    run->streams = cw_mem_array((size_t)run->footer->nstreams + 1, sizeof(*run->streams));
    run->numbers = cw_mem_array((size_t)run->footer->nstreams + 1, sizeof(*run->numbers));
    run->blocks = cw_mem_array((size_t)run->footer->nblocks + 1, sizeof(*run->blocks));
    run->bad = cw_mem_array((size_t)run->footer->nblocks + 1, sizeof(*run->bad));
    run->order = cw_mem_array((size_t)run->footer->nblocks + 1, sizeof(*run->order));
    rc = info_make(run, err);
    if (rc == 0)
        rc = blocks_plan(run, err);
    if (rc < 0) {
        cw_rewrite_run_free(&run);
        return rc;
    }
    *out = run;
    return 0;
}

void cw_rewrite_run_free(struct cw_rewrite_run **handle)
{
    struct cw_rewrite_run *run = *handle;
    *handle = NULL;
    if (run == NULL)
        return;
    inputs_close(run);
    cw_stream_pin_fini(&run->pin);
    cw_part_writer_free(&run->writer);
    cw_hidden_judge_free(&run->judge);
    cw_source_unref(&run->visible);
    cw_source_unref(&run->plain);
    cw_source_unref(&run->source);
    free(run->rules);
    free(run->removed);
    free(run->unread);
    free(run->streams);
    free(run->numbers);
    free(run->blocks);
    free(run->bad);
    free(run->order);
    free(run->inputs);
    free(run->hidden);
    free(run->replaced);
    cw_buf_fini(&run->path);
    free(run);
}

/* ---- streams that go whole ---- */

/* Does the rule hide every row that a stream of it can have here? */
static bool rule_takes_all(const struct cw_rewrite_run *run, const struct cw_hidden_rule *rule)
{
    return rule->filter == NULL && rule->first_ns <= run->footer->min_ns &&
           rule->last_ns >= run->footer->max_ns;
}

static int stream_judge(struct cw_rewrite_run *run, uint32_t number, struct cw_err *err)
{
    struct stream_state *state = &run->streams[number];
    const struct cw_part_stream *stream;
    int rc = cw_part_reader_stream(run->reader, number, &run->pin, &stream, err);
    if (rc < 0)
        return rc;
    state->rows = stream->rows;
    state->bytes = stream->raw_bytes;
    for (size_t i = 0; rc == 0 && i < run->nrules && !state->gone; i++) {
        if (!rule_takes_all(run, &run->rules[i]))
            continue;
        rc = cw_hidden_rule_stream(&run->rules[i], stream->ref.labels, err);
        if (rc != 1)
            continue;
        run->removed[i] += state->rows;
        run->nremoved += state->rows;
        state->gone = true;
        state->rows = state->bytes = 0;
        rc = 0;
    }
    return rc;
}

static void blocks_gone(struct cw_rewrite_run *run)
{
    for (uint32_t b = 0; b < run->footer->nblocks; b++) {
        struct cw_part_block block = cw_part_reader_block(run->reader, b);
        bool gone = true;
        for (uint32_t s = block.first_stream; s <= block.last_stream && gone; s++)
            gone = run->streams[s].gone;
        if (gone)
            run->blocks[b] = BLOCK_GONE;
    }
}

/* ---- blocks ---- */

static int input_open(struct cw_rewrite_run *run, uint32_t block, struct cw_source *from,
                      struct input *in, struct cw_err *err)
{
    struct cw_part_block b = cw_part_reader_block(run->reader, block);
    struct cw_unit unit = {.source = from, .key = block, .min_ns = b.min_ns, .max_ns = b.max_ns};
    *in = (struct input){.stream = b.first_stream};
    return from->ops->open(from, &run->scan, &unit, &in->cursor, err);
}

/* Which of the part's streams the batch is of: in a block they come in order. */
static int input_stream(struct cw_rewrite_run *run, struct input *in, struct cw_err *err)
{
    for (; in->stream < run->footer->nstreams; in->stream++) {
        const struct cw_part_stream *stream;
        int rc = cw_part_reader_stream(run->reader, in->stream, &in->pin, &stream, err);
        if (rc < 0)
            return rc;
        if (cw_hash128_eq(stream->ref.id, in->batch.stream.id))
            return 0;
    }
    return cw_err_set(err, CW_E_CORRUPT, "part %s: streams of its blocks are out of order",
                      cw_part_reader_path(run->reader));
}

/* 1 a batch, 0 the block is at its end (and closed). Only what was examined may be bad. */
static int input_next(struct cw_rewrite_run *run, struct input *in, struct cw_err *err)
{
    in->row = 0;
    int rc = cw_cursor_next(in->cursor, &in->batch, err);
    if (rc > 0) {
        rc = input_stream(run, in, err);
        return rc < 0 ? rc : 1;
    }
    input_close(in);
    if (rc == 0 && run->phase != PHASE_EXAMINE && run->nbad != run->nbad_known)
        rc = cw_err_set(err, CW_E_CORRUPT, "part %s has a bad block: %s",
                        cw_part_reader_path(run->reader), run->bad_why.text);
    return rc;
}

/* ---- examining ---- */

/* Does the rule hide rows that the block may have? */
static int rule_touches(struct cw_rewrite_run *run, const struct cw_hidden_rule *rule,
                        const struct cw_part_block *b, struct cw_err *err)
{
    struct cw_part_selection *selection;
    if (!cw_hidden_rule_touches(rule, b->min_ns, b->max_ns))
        return 0;
    int rc = cw_part_reader_select(run->reader, rule->selector, &selection, err);
    if (rc < 0)
        return rc;
    bool any = cw_stream_set_any(cw_part_selection_set(selection), b->first_stream, b->last_stream);
    cw_part_selection_unref(&selection);
    return any;
}

/* Rows of a block that is judged cannot be read: they are not of the new part, and the block's bytes are their only copy. */
static int unread_set_aside(struct cw_rewrite_run *run, const struct cw_part_block *b,
                            uint64_t unread, struct cw_err *err)
{
    int rc = cw_parts_set_aside_block(run->parts, run->reader, run->at, err);
    for (size_t i = 0; rc >= 0 && i < run->nrules; i++) {
        rc = rule_touches(run, &run->rules[i], b, err);
        if (rc == 1)
            run->unread[i] += unread;
    }
    run->nunread += unread;
    return CW_MIN(rc, 0);
}

/* The block stays as it is, and with it the streams that it may have rows of. */
static void bad_block_hold(struct cw_rewrite_run *run, const struct cw_part_block *b,
                           uint64_t unread)
{
    struct stream_state *first = &run->streams[b->first_stream];
    run->blocks[run->at] = BLOCK_BAD;
    for (uint32_t s = b->first_stream; s <= b->last_stream; s++)
        run->streams[s].held = true;
    /* Whose they are may be all that is lost. */
    first->rows += unread;
    first->bytes += b->raw_bytes - CW_MIN((uint64_t)b->raw_bytes, run->read_bytes);
}

/* All that can be read of the block was read. */
static int block_examined(struct cw_rewrite_run *run, struct cw_err *err)
{
    struct cw_part_block b = cw_part_reader_block(run->reader, run->at);
    struct cw_str bytes = cw_part_reader_block_bytes(run->reader, run->at);
    uint64_t unread = b.rows - CW_MIN((uint64_t)b.rows, run->read);
    struct cw_err why;
    if (cw_part_source_lost(run->plain))
        return cw_err_set(err, CW_E_CORRUPT, "part %s has pages that cannot be read",
                          cw_part_reader_path(run->reader));
    if (cw_block_check(bytes, &why) < 0)
        bad_block_found(run, run->at, &why);
    else if (unread > 0 && !run->bad[run->at])
        return cw_err_set(err, CW_E_CORRUPT, "part %s: block %u has not all of its rows",
                          cw_part_reader_path(run->reader), run->at);
    if (!run->bad[run->at])
        return 0;
    if (cw_block_is_newer(bytes))
        return cw_err_set(err, CW_E_CORRUPT, "part %s: block %u is of a newer version",
                          cw_part_reader_path(run->reader), run->at);
    if (run->blocks[run->at] == BLOCK_JUDGED)
        return unread > 0 ? unread_set_aside(run, &b, unread, err) : 0;
    bad_block_hold(run, &b, unread);
    return 0;
}

static void batch_examine(struct cw_rewrite_run *run)
{
    const struct cw_entry_batch *batch = &run->count.batch;
    struct stream_state *state = &run->streams[run->count.stream];
    uint64_t bytes = 0;
    for (size_t i = 0; i < batch->n; i++)
        bytes += batch->lines[i].len;
    run->read += batch->n;
    run->read_bytes += bytes;
    if (state->gone)
        return;
    state->rows += batch->n;
    state->bytes += bytes;
}

/* A batch of a block. 1, or 0 after the last one. */
static int examine_step(struct cw_rewrite_run *run, struct cw_err *err)
{
    int rc;
    if (run->count.cursor == NULL) {
        while (run->at < run->footer->nblocks && run->blocks[run->at] == BLOCK_GONE)
            run->at++;
        if (run->at == run->footer->nblocks)
            return 0;
        run->read = run->read_bytes = 0;
        rc = input_open(run, run->at, run->plain, &run->count, err);
        return rc < 0 ? rc : 1;
    }
    rc = input_next(run, &run->count, err);
    if (rc > 0) {
        batch_examine(run);
    } else if (rc == 0) {
        rc = block_examined(run, err);
        run->at++;
    }
    return rc < 0 ? rc : 1;
}

/* What the part's tables say of rows is not what can be read. */
static void examine_begin(struct cw_rewrite_run *run)
{
    for (uint32_t s = 0; s < run->footer->nstreams; s++)
        run->streams[s].rows = run->streams[s].bytes = 0;
}

/* ---- counting ---- */

static int batch_count(struct cw_rewrite_run *run, struct cw_err *err)
{
    const struct cw_entry_batch *batch = &run->count.batch;
    struct stream_state *state = &run->streams[run->count.stream];
    if (state->gone)
        return 0;
    if (batch->n > run->hidden_cap) {
        run->hidden_cap = batch->n;
        run->hidden = cw_mem_resize(run->hidden, batch->n * sizeof(*run->hidden));
    }
    int64_t n = cw_hidden_judge_batch(run->judge, batch, run->hidden, err);
    if (n < 0)
        return (int)n;
    uint64_t bytes = 0;
    for (size_t i = 0; n > 0 && i < batch->n; i++)
        bytes += run->hidden[i] ? batch->lines[i].len : 0;
    if ((uint64_t)n > state->rows || bytes > state->bytes)
        return cw_err_set(err, CW_E_CORRUPT, "part %s: a stream has more rows than its total",
                          cw_part_reader_path(run->reader));
    state->rows -= (uint64_t)n;
    state->bytes -= bytes;
    run->nremoved += (uint64_t)n;
    return 0;
}

/* A batch of a block that is judged. 1, or 0 after the last one. */
static int count_step(struct cw_rewrite_run *run, struct cw_err *err)
{
    int rc;
    if (run->count.cursor == NULL) {
        while (run->at < run->footer->nblocks && run->blocks[run->at] != BLOCK_JUDGED)
            run->at++;
        if (run->at == run->footer->nblocks)
            return 0;
        rc = input_open(run, run->at++, run->plain, &run->count, err);
        return rc < 0 ? rc : 1;
    }
    rc = input_next(run, &run->count, err);
    if (rc > 0)
        rc = batch_count(run, err);
    return rc < 0 ? rc : 1;
}

/* ---- writing ---- */

static int order_cmp(const void *a, const void *b, void *arg)
{
    const struct cw_rewrite_run *run = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    struct cw_part_block x = cw_part_reader_block(run->reader, i),
                         y = cw_part_reader_block(run->reader, k);
    if (x.first_stream != y.first_stream)
        return x.first_stream < y.first_stream ? -1 : 1;
    if (x.min_ns != y.min_ns)
        return x.min_ns < y.min_ns ? -1 : 1;
    return i < k ? -1 : i > k;
}

static void order_make(struct cw_rewrite_run *run)
{
    for (uint32_t b = 0; b < run->footer->nblocks; b++)
        if (run->blocks[b] == BLOCK_JUDGED || run->blocks[b] == BLOCK_REWRITTEN)
            run->order[run->norder++] = b;
    qsort_r(run->order, run->norder, sizeof(*run->order), order_cmp, run);
}

/* The next block into the inputs; those that are at their end leave. */
static int order_open(struct cw_rewrite_run *run, struct cw_err *err)
{
    uint32_t block = run->order[run->next++];
    size_t n = 0;
    for (size_t i = 0; i < run->ninputs; i++)
        if (run->inputs[i].cursor != NULL)
            run->inputs[n++] = run->inputs[i];
    run->ninputs = n;
    if (n == run->inputs_cap) {
        run->inputs_cap = n ? 2 * n : 8;
        run->inputs = cw_mem_resize(run->inputs, run->inputs_cap * sizeof(*run->inputs));
    }
    struct input *in = &run->inputs[n];
    int rc = input_open(run, block, run->blocks[block] == BLOCK_JUDGED ? run->visible : run->plain,
                        in, err);
    if (rc < 0)
        return rc;
    run->ninputs++;
    rc = input_next(run, in, err);
    return CW_MIN(rc, 0);
}

/* The input with the earliest row of the stream; *until_ns: it has the next rows up to there. */
static int earliest(struct cw_rewrite_run *run, struct input **out, int64_t *until_ns,
                    struct cw_err *err)
{
    *out = NULL;
    *until_ns = INT64_MAX;
    for (size_t i = 0; i < run->ninputs; i++) {
        struct input *in = &run->inputs[i];
        if (in->cursor != NULL && in->row == in->batch.n) {
            int rc = input_next(run, in, err);
            if (rc < 0)
                return rc;
        }
        if (in->row == in->batch.n || in->stream != run->at)
            continue;
        int64_t ns = in->batch.ts_ns[in->row];
        if (*out == NULL) {
            *out = in;
        } else if (ns < (*out)->batch.ts_ns[(*out)->row]) {
            *until_ns = CW_MIN(*until_ns, (*out)->batch.ts_ns[(*out)->row]);
            *out = in;
        } else {
            *until_ns = CW_MIN(*until_ns, ns);
        }
    }
    return 0;
}

static int stream_begin(struct cw_rewrite_run *run, struct cw_err *err)
{
    const struct stream_state *state = &run->streams[run->at];
    const struct cw_part_stream *stream;
    run->numbers[run->at] = run->nnew;
    run->in_stream = true;
    if (state->rows == 0 && !state->held)
        return 0;
    run->nnew++;
    int rc = cw_part_reader_stream(run->reader, run->at, &run->pin, &stream, err);
    return rc < 0 ? rc
                  : cw_part_writer_stream(run->writer, stream->ref.labels, state->rows,
                                          state->bytes, err);
}

static int rows_write(struct cw_rewrite_run *run, struct input *in, int64_t until_ns,
                      struct cw_err *err)
{
    const struct cw_entry_batch *b = &in->batch;
    size_t from = in->row, to = from + 1;
    while (to < b->n && b->ts_ns[to] <= until_ns)
        to++;
    struct cw_entry_batch some = {.n = to - from,
                                  .ts_ns = b->ts_ns + from,
                                  .lines = b->lines + from,
                                  .metadata = b->metadata != NULL ? b->metadata + from : NULL};
    in->row = to;
    if (run->streams[run->at].rows == 0)
        return cw_err_set(err, CW_E_CORRUPT, "part %s: a stream has more rows than its total",
                          cw_part_reader_path(run->reader));
    return cw_part_writer_add(run->writer, &some, err);
}

/* Begin a stream, open a block, or write rows. 1, or 0 when all streams are done. */
static int write_step(struct cw_rewrite_run *run, struct cw_err *err)
{
    struct input *first = NULL;
    int64_t until_ns = INT64_MAX;
    if (run->at == run->footer->nstreams)
        return 0;
    int rc = run->in_stream ? 0 : stream_begin(run, err);
    if (rc == 0)
        rc = earliest(run, &first, &until_ns, err);
    if (rc < 0)
        return rc;
    if (run->next < run->norder) {
        struct cw_part_block b = cw_part_reader_block(run->reader, run->order[run->next]);
        if (b.first_stream <= run->at &&
            (first == NULL || b.min_ns <= first->batch.ts_ns[first->row])) {
            rc = order_open(run, err);
            return rc < 0 ? rc : 1;
        }
        if (b.first_stream <= run->at)
            until_ns = CW_MIN(until_ns, b.min_ns);
    }
    if (first != NULL) {
        rc = rows_write(run, first, until_ns, err);
        return rc < 0 ? rc : 1;
    }
    run->at++;
    run->in_stream = false;
    return 1;
}

/* 1, or 0 when there is none left. */
static int copy_step(struct cw_rewrite_run *run, struct cw_err *err)
{
    while (run->at < run->footer->nblocks && run->blocks[run->at] != BLOCK_COPIED &&
           run->blocks[run->at] != BLOCK_BAD)
        run->at++;
    if (run->at == run->footer->nblocks)
        return 0;
    struct cw_part_block b = cw_part_reader_block(run->reader, run->at);
    int rc = 0;
    if (run->blocks[run->at] == BLOCK_BAD)
        rc =
            cw_part_writer_copy_damaged_block(run->writer, run->reader, run->at, run->numbers, err);
    else if (run->streams[b.first_stream].rows == 0 || run->streams[b.last_stream].rows == 0)
        rc = cw_err_set(err, CW_E_CORRUPT, "part %s: a stream has more rows than its total",
                        cw_part_reader_path(run->reader));
    else if ((rc = cw_part_writer_copy_block(run->writer, run->reader, run->at, run->numbers,
                                             err)) == CW_E_CORRUPT)
        bad_block_found(run, run->at, err);
    run->at++;
    cw_part_reader_rest(run->reader);
    return rc < 0 ? rc : 1;
}

/* ---- phases ---- */

static int totals_wrong(const struct cw_rewrite_run *run, struct cw_err *err)
{
    return cw_err_set(err, CW_E_CORRUPT, "part %s: its totals are not those of its rows",
                      cw_part_reader_path(run->reader));
}

/* All is counted: is there anything to be written? */
static int write_begin(struct cw_rewrite_run *run, struct cw_err *err)
{
    for (size_t i = 0; i < run->nrules; i++)
        run->removed[i] += cw_hidden_judge_counts(run->judge)[i];
    run->nleft = 0;
    for (uint32_t s = 0; s < run->footer->nstreams; s++)
        run->nleft += run->streams[s].rows;
    if (!run->examines && run->nleft + run->nremoved != run->footer->rows)
        return totals_wrong(run, err);
    if (run->nremoved + run->nunread == 0 || run->nleft == 0) {
        run->phase = PHASE_DONE;
        return 0;
    }
    order_make(run);
    return cw_part_writer_new(run->path.ptr, &run->info, run->codec, &run->writer, err);
}

static int enter(struct cw_rewrite_run *run, enum phase phase, struct cw_err *err)
{
    run->phase = phase;
    run->at = 0;
    switch (phase) {
    case PHASE_STREAMS: break;
    case PHASE_EXAMINE:
        blocks_gone(run);
        if (!run->examines)
            return enter(run, PHASE_COUNT, err);
        examine_begin(run);
        break;
    case PHASE_COUNT: run->nbad_known = run->nbad; break;
    case PHASE_WRITE: return write_begin(run, err);
    case PHASE_COPY: break;
    case PHASE_DONE:
        if (cw_part_writer_rows(run->writer) != run->nleft)
            return totals_wrong(run, err);
        return cw_part_writer_finish(run->writer, &run->bytes_out, err);
    }
    return 0;
}

/* Once: from now on the bad blocks are known. */
static int begin_again(struct cw_rewrite_run *run, struct cw_err *err)
{
    inputs_close(run);
    cw_part_writer_free(&run->writer);
    cw_hidden_judge_free(&run->judge);
    run->judge = cw_hidden_judge_new(run->rules, run->nrules);
    memset(run->removed, 0, run->nrules * sizeof(*run->removed));
    run->nremoved = 0;
    memset(run->streams, 0, run->footer->nstreams * sizeof(*run->streams));
    run->norder = run->next = run->nnew = 0;
    run->in_stream = false;
    run->examines = true;
    int rc = blocks_plan(run, err);
    return rc < 0 ? rc : enter(run, PHASE_STREAMS, err);
}

static int run_some(struct cw_rewrite_run *run, struct cw_err *err)
{
    int rc = 0;
    switch (run->phase) {
    case PHASE_STREAMS:
        if (run->at < run->footer->nstreams)
            rc = stream_judge(run, run->at++, err);
        else
            rc = enter(run, PHASE_EXAMINE, err);
        return rc;
    case PHASE_EXAMINE: rc = examine_step(run, err); break;
    case PHASE_COUNT: rc = count_step(run, err); break;
    case PHASE_WRITE: rc = write_step(run, err); break;
    case PHASE_COPY: rc = copy_step(run, err); break;
    case PHASE_DONE: return 0;
    }
    if (rc == 0)
        rc = enter(run, run->phase + 1, err);
    if (rc == CW_E_CORRUPT && run->nbad > 0 && !run->examines)
        rc = begin_again(run, err);
    return CW_MIN(rc, 0);
}

int cw_rewrite_run_step(struct cw_rewrite_run *run, int64_t cpu_ns, struct cw_err *err)
{
    int64_t end_ns = cw_clock_thread_cpu_ns() + cpu_ns;
    int rc;
    do {
        rc = run_some(run, err);
    } while (rc == 0 && run->phase != PHASE_DONE && cw_clock_thread_cpu_ns() < end_ns);
    /* What the slice read would count as this process's memory until the end. */
    cw_part_reader_rest(run->reader);
    return rc < 0 ? rc : run->phase != PHASE_DONE;
}

size_t cw_rewrite_run_cursors(const struct cw_rewrite_run *run)
{
    return CW_MAX(run->ninputs, (size_t)1);
}

uint64_t cw_rewrite_run_unread(const struct cw_rewrite_run *run)
{
    return run->nunread;
}

const uint64_t *cw_rewrite_run_unread_by(const struct cw_rewrite_run *run)
{
    return run->unread;
}

uint64_t cw_rewrite_run_removed(const struct cw_rewrite_run *run)
{
    return run->nremoved;
}

const uint64_t *cw_rewrite_run_removed_by(const struct cw_rewrite_run *run)
{
    return run->removed;
}

const struct cw_part_footer *cw_rewrite_run_part(const struct cw_rewrite_run *run)
{
    return run->footer;
}

uint64_t cw_rewrite_run_bytes_out(const struct cw_rewrite_run *run)
{
    return run->bytes_out;
}

int cw_rewrite_run_commit(struct cw_rewrite_run *run, struct cw_err *err)
{
    struct cw_parts_change *change = cw_parts_change_new(run->parts);
    int rc = 0;
    CW_ASSERT(run->phase == PHASE_DONE && run->nremoved + run->nunread > 0);
    if (cw_part_source_lost(run->source) || cw_part_source_lost(run->plain)) {
        cw_parts_change_free(&change);
        return cw_err_set(err, CW_E_CORRUPT,
                          "part %s has pages that cannot be read: it is not written anew",
                          cw_part_reader_path(run->reader));
    }
    if (run->writer != NULL)
        rc = cw_parts_change_add(change, run->path.ptr, err);
    cw_parts_change_remove(change, run->source);
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
