#include "shipper/batch.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "shipper/docker_line.h"

/* A decoded Docker entry may be copied once, when pieces of the two streams mix. */
enum { TEXT_FACTOR = 2 };

struct cw_batch *cw_batch_new(const struct cw_batch_options *options)
{
    struct cw_batch *batch = cw_mem_new(sizeof *batch);
    batch->options = *options;
    /* A line that is cut to the limit must fit, and its neighbours too. */
    batch->cap = CW_MAX(CW_MAX(options->bytes, 2 * options->max_line_bytes),
                        (size_t)CW_BATCH_READ_BYTES_MIN);
    batch->bytes = cw_mem_new(batch->cap);
    batch->parts = cw_mem_array(CW_BATCH_SOURCES_MAX, sizeof *batch->parts);
    batch->entries = cw_mem_array(CW_BATCH_ENTRIES_MAX, sizeof *batch->entries);
    cw_buf_init(&batch->raw, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_init(&batch->body, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_init(&batch->packed, CW_LIMIT_PUSH_RAW_BYTES);
    return batch;
}

void cw_batch_free(struct cw_batch **batch)
{
    struct cw_batch *b = *batch;
    if (b == NULL)
        return;
    cw_batch_drop(b);
    cw_buf_fini(&b->raw);
    cw_buf_fini(&b->body);
    cw_buf_fini(&b->packed);
    free(b->bytes);
    free(b->text);
    free(b->parts);
    free(b->entries);
    free(b);
    *batch = NULL;
}

void cw_batch_drop(struct cw_batch *batch)
{
    for (size_t i = 0; i < batch->nparts; i++) {
        CW_ASSERT(batch->parts[i].source->nbusy > 0);
        batch->parts[i].source->nbusy--;
    }
    batch->nparts = batch->nentries = 0;
    batch->line_bytes = 0;
    batch->used = batch->text_used = 0;
}

/* ---- one source's piece of a cut ---- */

struct cut {
    struct cw_batch *batch;
    struct cw_source *source;
    struct cw_ledger_row *row;
    struct cw_batch_part part;
    const char *bytes; /* of the file, from offset `start` */
    size_t len, at;    /* at: the first byte that is not in an entry yet */
    uint64_t start;
    bool at_end; /* the file ended behind `len` */
    bool alone;  /* nothing else is in the batch: a line that does not fit now never will */
    bool full;   /* stopped at a bound: begin with this source next time */
    size_t max_entries;
    int64_t now_ns;
};

static bool room_for(const struct cut *cut, size_t line_len)
{
    const struct cw_batch *batch = cut->batch;
    return batch->nentries < cut->max_entries &&
           (batch->nentries == 0 || batch->line_bytes + line_len <= batch->options.bytes);
}

/* Times within a source only rise, so that equal lines stay apart in a store that drops repeats. */
static int64_t line_time(struct cut *cut)
{
    int64_t ts = cw_sightings_time(&cut->source->seen, cut->start + cut->at, cut->now_ns);
    if (ts <= cut->part.last_ts_ns)
        ts = cut->part.last_ts_ns + 1;
    return ts;
}

static void entry_add(struct cut *cut, struct cw_str line, int64_t ts_ns)
{
    struct cw_batch *batch = cut->batch;
    batch->entries[batch->nentries++] = (struct cw_push_entry){.ts_ns = ts_ns, .line = line};
    batch->line_bytes += line.len;
    cut->part.last_ts_ns = ts_ns;
    cut->part.counts.lines++;
    cut->part.counts.bytes += line.len;
}

/* Apply the limit on lines. False: leave this one out. */
static bool line_limit(struct cut *cut, struct cw_str *line)
{
    const struct cw_batch_options *options = &cut->batch->options;
    if (options->max_line_bytes == 0 || line->len <= options->max_line_bytes)
        return true;
    if (!options->truncate) {
        cut->part.counts.skipped++;
        return false;
    }
    cut->part.counts.truncated++;
    line->len = options->max_line_bytes;
    return true;
}

/* The buffer is full and holds no newline: the line goes in pieces, or, if lines have a limit, its
 * end is looked for in the file and only its beginning is kept. Returns false when the end is not
 * there yet. */
static bool long_line_cut(struct cut *cut, struct cw_err *err)
{
    const struct cw_batch_options *options = &cut->batch->options;
    struct cw_str line = {cut->bytes, cut->len};
    if (options->max_line_bytes == 0) {
        cut->part.counts.split++;
        cut->at = cut->len;
        entry_add(cut, line, line_time(cut));
        return true;
    }
    char *scratch = cut->batch->bytes + options->max_line_bytes;
    uint64_t end;
    int rc = cw_tail_find_newline(&cut->source->tail, cut->start + cut->len, scratch,
                                  cut->batch->cap - options->max_line_bytes, &end, err);
    if (rc < 0)
        return false;
    if (end == UINT64_MAX) {
        if (!cut->source->final)
            return false;
        end = cut->source->tail.size;
    }
    cut->at = (size_t)(end - cut->start);
    if (line_limit(cut, &line))
        entry_add(cut, line, line_time(cut));
    return true;
}

static int lines_cut(struct cut *cut, struct cw_err *err)
{
    while (cut->at < cut->len) {
        const char *from = cut->bytes + cut->at;
        const char *newline = memchr(from, '\n', cut->len - cut->at);
        if (newline == NULL && cut->at == 0 && !cut->at_end && cut->alone &&
            cut->len == cut->batch->cap)
            return long_line_cut(cut, err) ? 0 : err->code;
        if (newline == NULL && !(cut->at_end && cut->source->final)) {
            cut->full = !cut->at_end;
            return 0;
        }
        struct cw_str line = {from, newline ? (size_t)(newline - from) : cut->len - cut->at};
        if (!room_for(cut, line.len)) {
            cut->full = true;
            return 0;
        }
        cut->at += line.len + (newline != NULL);
        if (line_limit(cut, &line))
            entry_add(cut, line, line_time(cut));
    }
    cut->full = !cut->at_end;
    return 0;
}

/* ---- Docker: lines that hold pieces of entries ---- */

struct pending {
    struct cw_str text;
    int64_t ts_ns;
    bool any;
};

struct docker_cut {
    struct cut *cut;
    struct pending pending[CW_SOURCE_STREAMS];
    uint8_t *streams; /* of each entry of the part */
    size_t text_cap;
    size_t safe_at, safe_entries; /* behind them no entry is unfinished */
    uint64_t safe_bytes;
    struct cw_batch_counts safe_counts;
    int64_t safe_ts_ns;
};

static void docker_safe(struct docker_cut *docker)
{
    struct cut *cut = docker->cut;
    docker->safe_at = cut->at;
    docker->safe_entries = cut->batch->nentries;
    docker->safe_bytes = cut->batch->line_bytes;
    docker->safe_counts = cut->part.counts;
    docker->safe_ts_ns = cut->part.last_ts_ns;
}

static void docker_emit(struct docker_cut *docker, unsigned stream)
{
    struct cut *cut = docker->cut;
    struct pending *pending = &docker->pending[stream];
    struct cw_str text = pending->text;
    docker->streams[cut->batch->nentries - cut->part.first] = (uint8_t)stream;
    if (line_limit(cut, &text))
        entry_add(cut, text, pending->ts_ns);
    *pending = (struct pending){0};
}

/* Put a piece behind what its entry has so far. False when there is no room for the text. */
static bool docker_join(struct docker_cut *docker, const struct cw_docker_line *line)
{
    struct cw_batch *batch = docker->cut->batch;
    struct pending *pending = &docker->pending[line->stream];
    const char *end = batch->text + batch->text_used;
    if (!pending->any) {
        *pending = (struct pending){line->text, line->ts_ns, true};
    } else if (pending->text.ptr + pending->text.len == end) {
        pending->text.len += line->text.len;
    } else { /* the other stream wrote in between: move what there is behind it */
        size_t need = pending->text.len + line->text.len;
        if (batch->text_used + need > docker->text_cap)
            return false;
        char *to = batch->text + batch->text_used;
        memmove(to + pending->text.len, line->text.ptr, line->text.len);
        memcpy(to, pending->text.ptr, pending->text.len);
        pending->text = cw_str_make(to, need);
        batch->text_used += need;
        return true;
    }
    batch->text_used += line->text.len;
    return true;
}

/* One line of the file. False: stop here, it does not fit. */
static bool docker_line(struct docker_cut *docker, struct cw_str raw)
{
    struct cut *cut = docker->cut;
    struct cw_batch *batch = cut->batch;
    struct cw_docker_line line;
    if (batch->text_used + raw.len > docker->text_cap || !room_for(cut, raw.len) ||
        batch->nentries + CW_SOURCE_STREAMS >= CW_BATCH_ENTRIES_MAX)
        return false;
    if (cw_docker_line_decode(raw, batch->text + batch->text_used, &line, NULL) < 0) {
        cut->part.counts.malformed++; /* shipped as it is: nothing is lost */
        line = (struct cw_docker_line){.text = raw, .ts_ns = line_time(cut)};
        if (!docker->pending[0].any) {
            docker->pending[0] = (struct pending){line.text, line.ts_ns, true};
            docker_emit(docker, 0);
        } else {
            docker->streams[batch->nentries - cut->part.first] = 0;
            entry_add(cut, raw, line.ts_ns);
        }
        return true;
    }
    if (!docker_join(docker, &line))
        return false;
    if (!line.partial)
        docker_emit(docker, line.stream);
    return true;
}

/* Order the part's entries by stream, each stream in the order of the file. */
static void docker_sort(struct docker_cut *docker)
{
    struct cut *cut = docker->cut;
    size_t n = cut->batch->nentries - cut->part.first, at = 0;
    struct cw_push_entry *entries = cut->batch->entries + cut->part.first;
    struct cw_push_entry *sorted = cw_mem_array(n, sizeof *sorted);
    for (unsigned stream = 0; stream < CW_SOURCE_STREAMS; stream++) {
        for (size_t i = 0; i < n; i++)
            if (docker->streams[i] == stream)
                sorted[at++] = entries[i];
        cut->part.stream_ends[stream] = at;
    }
    memcpy(entries, sorted, n * sizeof *sorted);
    free(sorted);
}

static bool docker_unfinished(const struct docker_cut *docker)
{
    return docker->pending[0].any || docker->pending[1].any;
}

static void docker_lines_cut(struct cut *cut)
{
    struct cw_batch *batch = cut->batch;
    struct docker_cut docker = {.cut = cut, .text_cap = TEXT_FACTOR * batch->cap};
    if (batch->text == NULL)
        batch->text = cw_mem_new(docker.text_cap);
    docker.streams = cw_mem_new(CW_BATCH_ENTRIES_MAX);
    docker_safe(&docker);
    bool stopped = false;
    while (cut->at < cut->len && !stopped) {
        const char *from = cut->bytes + cut->at;
        const char *newline = memchr(from, '\n', cut->len - cut->at);
        bool rest = newline == NULL && ((cut->at_end && cut->source->final) ||
                                        (cut->alone && cut->at == 0 && !cut->at_end));
        if (newline == NULL && !rest)
            break;
        size_t len = newline ? (size_t)(newline - from) : cut->len - cut->at;
        stopped = !docker_line(&docker, cw_str_make(from, len));
        if (stopped)
            break;
        cut->at += len + (newline != NULL);
        if (!docker_unfinished(&docker))
            docker_safe(&docker);
    }
    /* An entry that no buffer holds, or one whose container is gone, ends where it is. */
    bool end_here = (cut->at_end && cut->source->final && cut->at == cut->len) ||
                    (cut->alone && docker.safe_at == 0 && (stopped || !cut->at_end));
    if (docker_unfinished(&docker) && end_here && cut->at > 0) {
        cut->part.counts.split += !cut->source->final;
        for (unsigned stream = 0; stream < CW_SOURCE_STREAMS; stream++)
            if (docker.pending[stream].any)
                docker_emit(&docker, stream);
        docker_safe(&docker);
    }
    cut->full = stopped || !cut->at_end;
    cut->at = docker.safe_at;
    batch->nentries = docker.safe_entries;
    batch->line_bytes = docker.safe_bytes;
    cut->part.counts = docker.safe_counts;
    cut->part.last_ts_ns = docker.safe_ts_ns;
    docker_sort(&docker);
    free(docker.streams);
}

/* ---- the cut ---- */

/* Read one source and take its whole lines. */
static int source_cut(struct cut *cut, struct cw_err *err)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    cut->start = cw_ledger_next(cut->row);
    cut->bytes = batch->bytes + batch->used;
    cut->alone = batch->used == 0;
    cut->part = (struct cw_batch_part){.source = source,
                                       .generation = source->generation,
                                       .from = cut->row->mark,
                                       .first = batch->nentries,
                                       .last_ts_ns = cut->row->done_ts_ns};
    size_t want = batch->cap - batch->used;
    if (source->tail.size - cut->start < want)
        want = (size_t)(source->tail.size - cut->start);
    enum cw_file_verdict verdict;
    int rc = cw_tail_read(&source->tail, cut->start, batch->bytes + batch->used, want, &cut->len,
                          &verdict, err);
    if (rc < 0)
        return rc;
    if (verdict == CW_FILE_CHANGED) {
        source->changed = true;
        return 0;
    }
    cut->at_end = cut->start + cut->len >= source->tail.size;
    if (source->format == CW_SOURCE_DOCKER)
        docker_lines_cut(cut);
    else
        rc = lines_cut(cut, err);
    cut->part.nentries = batch->nentries - cut->part.first;
    cut->part.to = cut->start + cut->at;
    if (source->format == CW_SOURCE_LINES)
        for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
            cut->part.stream_ends[i] = cut->part.nentries;
    return rc;
}

size_t cw_batch_cut(struct cw_batch *batch, struct cw_source *const *sources, size_t nsources,
                    size_t max_entries, int64_t now_ns, const struct cw_batch_report *report)
{
    CW_ASSERT(batch->nparts == 0);
    size_t first = nsources ? batch->resume % nsources : 0;
    for (size_t i = 0; i < nsources && batch->nparts < CW_BATCH_SOURCES_MAX; i++) {
        size_t idx = (first + i) % nsources;
        struct cut cut = {.batch = batch,
                          .source = sources[idx],
                          .row = &sources[idx]->rows[batch->options.output],
                          .max_entries = CW_MIN(max_entries, (size_t)CW_BATCH_ENTRIES_MAX),
                          .now_ns = now_ns};
        if (!cw_source_pending(cut.source, batch->options.output))
            continue;
        struct cw_err err = {0};
        int rc = source_cut(&cut, &err);
        if (rc < 0) {
            cut.row->held_size = cut.source->tail.size; /* the next scan tries again */
            report->on_error(report->arg, cut.source, &err);
        }
        if (cut.source->changed)
            report->on_changed(report->arg, cut.source);
        if (cut.part.nentries > 0) {
            batch->parts[batch->nparts++] = cut.part;
            cut.source->nbusy++;
            batch->used += CW_MIN(cut.at, cut.len);
        } else if (cut.at > 0) { /* all of it left out: settled without a push */
            cw_ledger_dropped(cut.row, cut.part.to);
            report->on_dropped(report->arg, cut.source, &cut.part.counts);
        } else if (rc == 0 && !cut.source->changed && (cut.at_end || (cut.alone && !cut.full))) {
            cut.row->held_size = cut.source->tail.size;
        }
        if (cut.full) {
            batch->resume = idx;
            if (batch->nentries > 0)
                break;
        } else {
            batch->resume = idx + 1;
        }
    }
    return batch->nentries;
}

/* ---- encoding ---- */

int cw_batch_encode(struct cw_batch *batch, const struct cw_push_delivery *delivery,
                    struct cw_err *err)
{
    struct cw_push push = {
        .delivery = *delivery, .nentries = batch->nentries, .line_bytes = batch->line_bytes};
    push.streams = cw_mem_array(batch->nparts * CW_SOURCE_STREAMS + 1, sizeof *push.streams);
    push.delivery.ranges = cw_mem_array(batch->nparts + 1, sizeof *push.delivery.ranges);
    push.delivery.nranges = 0;
    for (size_t i = 0; i < batch->nparts; i++) {
        const struct cw_batch_part *part = &batch->parts[i];
        size_t from = 0;
        for (unsigned s = 0; s < CW_SOURCE_STREAMS; from = part->stream_ends[s++])
            if (part->stream_ends[s] > from)
                push.streams[push.nstreams++] = (struct cw_push_stream){
                    .labels_text = cw_str_of(
                        part->source->labels[batch->options.output * CW_SOURCE_STREAMS + s]),
                    .entries = batch->entries + part->first + from,
                    .nentries = part->stream_ends[s] - from};
        if (delivery->present)
            push.delivery.ranges[push.delivery.nranges++] =
                (struct cw_push_range){part->source->id, part->generation, part->from, part->to};
    }
    cw_buf_clear(&batch->raw);
    cw_buf_clear(&batch->body);
    cw_push_loki_protobuf_encode(&push, &batch->raw);
    free(push.streams);
    free(push.delivery.ranges);
    if (cw_buf_failed(&batch->raw))
        return cw_err_set(err, CW_E_TOO_LARGE, "a batch of %zu entries is too large to encode",
                          batch->nentries);
    struct cw_buf *snappy = batch->options.gzip ? &batch->packed : &batch->body;
    cw_buf_clear(snappy);
    int rc = cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&batch->raw), snappy, err);
    if (rc == 0 && batch->options.gzip)
        rc = cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(snappy), &batch->body, err);
    return rc;
}
