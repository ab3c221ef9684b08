/*
 * batch_cut.c - batch.c, the part that reads sources: bytes through framing and stages to entries,
 * up to an offset that no entry spans.
 */
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/pipeline/stages.h"
#include "shipper/batch_priv.h"
#include "shipper/batch_streams.h"
#include "shipper/framing.h"
#include "shipper/inspect.h"
#include "shipper/shipper_metrics.h"
#include "shipper/text_encoding.h"

/* What stages may make of a batch's bytes: past it the cut ends at the next line. Nested documents
 * that are all extracted take several times their size. */
enum { ARENA_FACTOR = 8 };
/* So much ahead of a cut is gone through for the time that fudge goes on from. */
enum { LOOK_BACK_BYTES = 64 << 10 };

void cw_cut_note(struct cw_cut *cut, const struct cw_batch_entry *entry, enum cw_cut_note_kind kind)
{
    cut->notes = cw_arena_grow(cut->batch->arena, cut->notes, cut->nnotes, &cut->notes_cap,
                               cut->nnotes + 1, sizeof *cut->notes);
    cut->notes[cut->nnotes++] =
        (struct cw_cut_note){entry->from, kind, entry->tenant, entry->stream};
}

/* Where lines pass for the first time. */
static void metric_add(const struct cw_cut *cut, enum cw_shipper_metric metric, uint64_t n)
{
    if (cut->batch->options.metrics != NULL && n > 0)
        cw_metrics_add(cut->batch->options.metrics, metric, (int64_t)n);
}

static void time_add(struct cw_cut *cut, struct cw_cut_times *times, uint64_t at, int64_t ts_ns)
{
    times->items = cw_arena_grow(cut->batch->arena, times->items, times->n, &times->cap,
                                 times->n + 1, sizeof *times->items);
    times->items[times->n++] = (struct cw_cut_time){at, ts_ns};
}

/* The last one at `to` or ahead of it. */
static int64_t time_at(const struct cw_cut_times *times, uint64_t to, int64_t before_ns)
{
    for (size_t i = times->n; i-- > 0;)
        if (times->items[i].at <= to)
            return times->items[i].ts_ns;
    return before_ns;
}

static void span_add(struct cw_cut *cut, uint64_t from, uint64_t to)
{
    cut->spans = cw_arena_grow(cut->batch->arena, cut->spans, cut->nspans, &cut->spans_cap,
                               cut->nspans + 1, sizeof *cut->spans);
    cut->spans[cut->nspans++] = (struct cw_cut_span){from, to};
}

/* ---- entries ---- */

bool cw_cut_room_for(const struct cw_cut *cut, size_t line_len)
{
    const struct cw_batch *batch = cut->batch;
    return batch->nentries < cut->max_entries &&
           (batch->nentries == 0 || batch->line_bytes + line_len <= batch->options.bytes) &&
           (batch->nentries == 0 || cut->run == NULL ||
            cw_arena_bytes(batch->arena) <= ARENA_FACTOR * batch->cap);
}

bool cw_cut_takes(struct cw_cut *cut, struct cw_str tenant, uint64_t from)
{
    const struct cw_batch_options *options = &cut->batch->options;
    if (cw_str_eq(tenant, options->own_tenant))
        tenant = CW_STR_NONE;
    if (options->all_tenants || cw_str_eq(tenant, options->tenant))
        return true;
    if (!cw_str_eq(tenant, cut->other_tenant)) {
        if (!cut->report->on_tenant(cut->report->arg, tenant))
            cut->stuck_from = CW_MIN(cut->stuck_from, from);
        else
            cut->other_tenant = tenant;
    }
    return false;
}

void cw_batch_put(struct cw_batch *batch, const struct cw_batch_entry *entry)
{
    if (batch->nentries == batch->entries_cap) {
        batch->entries_cap = batch->entries_cap ? 2 * batch->entries_cap : 256;
        batch->entries = cw_mem_resize(batch->entries, batch->entries_cap * sizeof *batch->entries);
    }
    batch->entries[batch->nentries++] = *entry;
    batch->line_bytes += entry->push.line.len;
}

/* The beginning of a line over the limit, with the mark behind it if that fits. */
static struct cw_str line_truncate(struct cw_batch *batch, struct cw_str line)
{
    struct cw_str mark = batch->options.truncated_mark;
    size_t max = batch->options.max_line_bytes;
    if (mark.len == 0 || mark.len >= max)
        return cw_str_sub(line, 0, cw_text_utf8_cut(line, max));
    line.len = cw_text_utf8_cut(line, max - mark.len);
    return cw_arena_printf(batch->arena, "%.*s%.*s", CW_STR_ARG(line), CW_STR_ARG(mark));
}

static struct cw_str piece_take(const struct cw_batch *batch, struct cw_str *rest)
{
    size_t len = cw_text_utf8_cut(*rest, batch->options.max_line_bytes);
    struct cw_str piece = cw_str_sub(*rest, 0, len);
    *rest = cw_str_sub(*rest, len, rest->len);
    return piece;
}

static bool is_taken(const struct cw_cut *cut, const struct cw_batch_entry *entry)
{
    return cut->batch->streams->items[entry->stream].taken;
}

static void entry_put(struct cw_cut *cut, const struct cw_batch_entry *entry)
{
    if (is_taken(cut, entry))
        cw_batch_put(cut->batch, entry);
    else
        cw_cut_note(cut, entry, CW_NOTE_UNSELECTED);
}

/* A line over the limit in pieces, each a nanosecond later than the one before: equal ones stay
 * apart in a store that drops repeats. */
static void entry_split(struct cw_cut *cut, struct cw_batch_entry *entry)
{
    struct cw_push_entry *push = &entry->push;
    bool ours = push->ts_ns == cut->last_ts_ns; /* the next line's time is later still */
    for (struct cw_str rest = push->line; rest.len > 0; push->ts_ns++) {
        push->line = piece_take(cut->batch, &rest);
        entry_put(cut, entry);
        if (ours) {
            cut->last_ts_ns = push->ts_ns;
            time_add(cut, &cut->given, cut->line.to, push->ts_ns);
        }
    }
}

static bool is_long(const struct cw_cut *cut, struct cw_str line)
{
    size_t max = cut->batch->options.max_line_bytes;
    return max > 0 && line.len > max;
}

/* A line over the limit passes for the first time. */
static void long_count(struct cw_cut *cut, struct cw_str line)
{
    uint64_t npieces = 0;
    switch (cut->batch->options.long_lines) {
    case CW_LONG_SKIP: metric_add(cut, CW_M_LINES_SKIPPED, 1); break;
    case CW_LONG_TRUNCATE: metric_add(cut, CW_M_LINES_TRUNCATED, 1); break;
    case CW_LONG_SPLIT:
        for (; line.len > 0; npieces++)
            (void)piece_take(cut->batch, &line);
        metric_add(cut, CW_M_LINES_SPLIT, npieces);
        cw_source_tally(cut->source)->made += npieces - 1;
        break;
    }
}

static void entry_add(struct cw_cut *cut, struct cw_batch_entry *entry)
{
    enum cw_long_lines how = cut->batch->options.long_lines;
    if (!is_long(cut, entry->push.line)) {
        entry_put(cut, entry);
    } else if (how == CW_LONG_SPLIT) {
        entry_split(cut, entry);
    } else if (how == CW_LONG_TRUNCATE) {
        entry->push.line = line_truncate(cut->batch, entry->push.line);
        entry_put(cut, entry);
    } else {
        cw_cut_note(cut, entry, is_taken(cut, entry) ? CW_NOTE_SKIPPED : CW_NOTE_UNSELECTED);
    }
}

/* The number of one of the source's own label sets. */
static uint32_t own_stream(struct cw_cut *cut, unsigned stream)
{
    if (cut->streams[stream] == 0)
        cut->streams[stream] =
            cw_batch_streams_of(cut->batch->streams, cut->source->labels[stream]) + 1;
    return cut->streams[stream] - 1;
}

static uint32_t entry_stream(struct cw_cut *cut, const struct cw_stage_entry *entry)
{
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        if (!entry->labels_changed && entry->labels == cut->source->labels[i].items)
            return own_stream(cut, i);
    return cw_batch_streams_of(cut->batch->streams,
                               (struct cw_labels){entry->labels, entry->nlabels});
}

/* Pairs whose names every server refuses: one of them costs the push that it is in. */
static size_t bad_pairs(const struct cw_stage_entry *entry)
{
    size_t n = 0;
    for (size_t i = 0; i < entry->nmetadata; i++)
        n += !cw_label_name_admissible(entry->metadata[i].name);
    return n;
}

static void pairs_leave_out(struct cw_cut *cut, struct cw_batch_entry *entry)
{
    struct cw_push_entry *push = &entry->push;
    struct cw_label *pairs = CW_ARENA_ARRAY(cut->batch->arena, struct cw_label, push->nmetadata);
    uint32_t n = 0;
    for (size_t i = 0; i < push->nmetadata; i++) {
        if (cw_label_name_admissible(push->metadata[i].name))
            pairs[n++] = push->metadata[i];
        else
            cw_cut_note(cut, entry, CW_NOTE_PAIR_LEFT_OUT);
    }
    push->metadata = pairs;
    push->nmetadata = n;
}

/* Stages are through with it, for the first time. */
static void emitted_count(struct cw_cut *cut, const struct cw_stage_entry *entry, size_t nbad)
{
    if (entry->redacted)
        cw_source_tally(cut->source)->redacted++;
    if (is_long(cut, entry->line))
        long_count(cut, entry->line);
    metric_add(cut, CW_M_PAIRS_LEFT_OUT, nbad);
}

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    struct cw_cut *cut = arg;
    if (entry->from != cut->line.from || entry->to != cut->line.to)
        span_add(cut, entry->from, entry->to);
    size_t nbad = bad_pairs(entry);
    if (entry->counting)
        emitted_count(cut, entry, nbad);
    struct cw_str tenant = entry->tenant.len ? entry->tenant : cut->tenant;
    if (!cw_cut_takes(cut, tenant, entry->from))
        return;
    struct cw_batch_entry taken = {.push = {.ts_ns = entry->ts_ns,
                                            .line = entry->line,
                                            .metadata = entry->metadata,
                                            .nmetadata = (uint32_t)entry->nmetadata},
                                   .tenant = tenant,
                                   .from = entry->from,
                                   .stream = entry_stream(cut, entry)};
    if (nbad > 0)
        pairs_leave_out(cut, &taken);
    entry_add(cut, &taken);
}

static void dropped_note(struct cw_cut *cut, uint64_t from)
{
    cw_cut_note(cut, &(struct cw_batch_entry){.from = from}, CW_NOTE_DROPPED);
}

/* Reasons live as long as the stages: mostly one follows itself. */
static void drop_count(struct cw_cut *cut, struct cw_str reason)
{
    struct cw_metrics *metrics = cut->batch->options.metrics;
    cw_tally_count(&cw_source_tally(cut->source)->dropped, reason, 1);
    if (metrics == NULL)
        return;
    if (cut->drop_metric == NULL || cut->drop_reason != reason.ptr) {
        cut->drop_reason = reason.ptr;
        cut->drop_metric = cw_metrics_child(metrics, CW_M_LINES_DROPPED, &reason);
    }
    cw_metric_add(cut->drop_metric, 1);
}

static void on_stage_dropped(void *arg, const struct cw_stage_entry *entry, struct cw_str reason)
{
    struct cw_cut *cut = arg;
    if (entry->counting && cut->batch->options.inspect != NULL)
        cw_inspect_dropped(cut->batch->options.inspect, reason);
    if (entry->counting)
        drop_count(cut, reason);
    if (entry->from != cut->line.from || entry->to != cut->line.to)
        span_add(cut, entry->from, entry->to);
    dropped_note(cut, entry->from);
}

/* Only the first passage of a line is shown. */
static void on_trace(void *arg, size_t depth, struct cw_str stage,
                     const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    struct cw_cut *cut = arg;
    if ((before ? before : after)->counting)
        cw_inspect_trace(cut->batch->options.inspect, depth, stage, before, after);
}

/* Times within a source only rise, so that equal lines stay apart in a store that drops repeats. */
static int64_t line_time(struct cw_cut *cut)
{
    int64_t ts = cw_sightings_time(&cut->source->seen, cut->line.to, cut->now_ns);
    if (ts <= cut->last_ts_ns)
        ts = cut->last_ts_ns + 1;
    cut->last_ts_ns = ts;
    time_add(cut, &cut->given, cut->line.to, ts);
    return ts;
}

/* Whether the times of its entries depend on those ahead of it. */
static bool keeps_time(const struct cw_cut *cut)
{
    const struct cw_stages *stages = cut->source->stages;
    return stages != NULL && cw_stages_keep_time(stages);
}

/* An entry's tenant has no output, or a limit lets no more through. */
static bool cut_blocked(const struct cw_cut *cut)
{
    return cut->stuck_from != UINT64_MAX ||
           (cut->run != NULL && cw_stages_blocked_ns(cut->run) > 0);
}

/* A line that passes for the first time. */
static void line_count(const struct cw_cut *cut, const struct cw_framed *line)
{
    metric_add(cut, CW_M_NUL_RUNS, line->nuls);
    metric_add(cut, CW_M_LINES_MALFORMED, line->lost || line->malformed);
    metric_add(cut, CW_M_LINES_UNDECODABLE, line->nbad > 0);
    metric_add(cut, CW_M_LINES_SPLIT, line->split);
}

static void line_take(struct cw_cut *cut)
{
    const struct cw_framed *line = &cut->line;
    struct cw_source *source = cut->source;
    /* Lines come in the order of their ends: pieces of one may lie around another. */
    bool first = line->to > source->fed_to;
    if (first)
        line_count(cut, line);
    if (line->lost)
        cw_source_count_lost(source, line->from, line->to, CW_STR("damaged spool"));
    if (line->lost || line->nuls) {
        cw_source_passed(source, line->to);
        return;
    }
    int64_t ts_ns = line->has_ts ? line->ts_ns : line_time(cut);
    if (line->joined)
        span_add(cut, line->from, line->to);
    if (source->off[line->stream]) {
        dropped_note(cut, line->from);
        cw_source_passed(source, line->to);
        return;
    }
    struct cw_labels labels = line->labels.n > 0 ? line->labels : source->labels[line->stream];
    struct cw_stage_entry entry = {.ts_ns = ts_ns,
                                   .line = line->line,
                                   .labels = labels.items,
                                   .nlabels = labels.n,
                                   .metadata = line->metadata.items,
                                   .nmetadata = line->metadata.n,
                                   .tenant = line->tenant,
                                   .from = line->from,
                                   .to = line->to,
                                   .counting = first};
    if (cut->run != NULL && entry.counting && cut->batch->options.inspect != NULL)
        cw_inspect_line(cut->batch->options.inspect, &entry);
    if (cut->run == NULL)
        on_emit(cut, &entry);
    else
        cw_stages_feed(cut->run, &entry);
    if (first)
        cw_source_count_read(source, line->to, line->line.len);
}

/* ---- where the cut ends ---- */

uint64_t cw_cut_unspanned(const struct cw_cut *cut, uint64_t end)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = cut->nspans; i-- > 0;)
            if (cut->spans[i].from < end && end < cut->spans[i].to) {
                end = cut->spans[i].from;
                moved = true;
            }
    }
    return end;
}

/* Whether its stream is among the first max_streams of the batch: as in promtail, the entries of others are dropped. */
static bool stream_allowed(struct cw_batch *batch, const struct cw_batch_entry *entry)
{
    struct cw_batch_stream *stream = &batch->streams->items[entry->stream];
    if (batch->options.max_streams == 0 || stream->counted)
        return true;
    stream->counted = batch->ncounted < batch->options.max_streams;
    batch->ncounted += stream->counted;
    return stream->counted;
}

void cw_cut_end(struct cw_cut *cut, uint64_t to)
{
    struct cw_batch *batch = cut->batch;
    struct cw_batch_counts *counts = &cut->part.counts;
    uint64_t *const of_kind[] = {[CW_NOTE_SKIPPED] = &counts->skipped,
                                 [CW_NOTE_PAIR_LEFT_OUT] = &counts->pairs,
                                 [CW_NOTE_UNSELECTED] = &counts->unselected,
                                 [CW_NOTE_DROPPED] = &counts->dropped};
    size_t kept = cut->part.first;
    uint64_t told_to = cut->source->rows[batch->options.output].told_to;
    batch->line_bytes = cut->line_bytes_before;
    for (size_t i = kept; i < batch->nentries; i++) {
        if (batch->entries[i].from >= to)
            continue;
        bool fresh = batch->entries[i].from >= told_to;
        if (!stream_allowed(batch, &batch->entries[i])) {
            counts->over_streams += fresh;
            continue;
        }
        counts->fresh += fresh;
        batch->line_bytes += batch->entries[i].push.line.len;
        batch->entries[kept++] = batch->entries[i];
    }
    batch->nentries = kept;
    for (size_t i = 0; i < cut->nnotes; i++)
        if (cut->notes[i].from >= told_to && cut->notes[i].from < to)
            ++*of_kind[cut->notes[i].kind];
    cut->part.nentries = kept - cut->part.first;
    cut->part.to = to;
    cut->part.last_ts_ns = time_at(&cut->given, to, cut->part.last_ts_ns);
    if (cut->run != NULL && keeps_time(cut)) /* else it was staged for others */
        cw_source_times_set(cut->source, cw_stages_times(cut->run, to), to);
    cut->source->emitted_to = CW_MAX(cut->source->emitted_to, to);
    if (!batch->options.all_tenants)
        cut->source->met_to = CW_MAX(cut->source->met_to, to);
}

/* End what is unfinished where it is; false when there is none. */
static bool all_flush(struct cw_cut *cut)
{
    bool any = false;
    while (cw_framing_flush(&cut->framing, &cut->line)) {
        line_take(cut);
        any = true;
    }
    if (cut->run != NULL && cw_stages_unfinished(cut->run) != UINT64_MAX) {
        cut->line = (struct cw_framed){.from = UINT64_MAX};
        cw_stages_flush(cut->run);
        any = true;
    }
    return any;
}

static uint64_t unfinished(const struct cw_cut *cut)
{
    uint64_t from = cw_framing_unfinished(&cut->framing);
    return cut->run ? CW_MIN(from, cw_stages_unfinished(cut->run)) : from;
}

/* Nothing more comes that would end what is unfinished: nobody writes the file, or not for as long
 * as stages wait. */
static bool nothing_more(const struct cw_cut *cut)
{
    return cut->source->final || cut->source->waited;
}

/* Lines until there is no room; where the cut may end. */
static uint64_t lines_cut(struct cw_cut *cut)
{
    struct cw_framing *framing = &cut->framing;
    uint64_t end = UINT64_MAX;
    while (!cut->full && !cut_blocked(cut) && cw_framing_next(framing, &cut->line)) {
        cut->full = !cw_cut_room_for(cut, cut->line.line.len);
        if (cut->full)
            end = cut->line.from;
        else
            line_take(cut);
    }
    cut->refused = cut->full;
    cut->full |= framing->len == cut->batch->cap - cut->batch->used; /* not: grew since the look */
    if (!cut->refused && !cut_blocked(cut) && framing->at_end && cut->run != NULL) {
        cut->line = (struct cw_framed){.from = UINT64_MAX};
        if (nothing_more(cut))
            cw_stages_flush(cut->run);
        else
            cw_stages_flush_quiet(cut->run);
    }
    end = cw_cut_unspanned(cut, CW_MIN(CW_MIN(end, cut->stuck_from), unfinished(cut)));
    if (end > framing->start || cut->stuck_from != UINT64_MAX || !cut->alone ||
        !(cut->refused || framing->whole))
        return end;
    /* What is unfinished fills all there is: it is cut where it is. */
    if (cut->refused)
        line_take(cut);
    if (all_flush(cut))
        metric_add(cut, CW_M_LINES_SPLIT, framing->start >= cut->source->emitted_to);
    return framing->start + framing->at;
}

static uint64_t source_seed(const struct cw_source *source)
{
    return cw_hash64(source->id.bytes, sizeof source->id.bytes) ^ source->generation;
}

/* What the lines are written in, and past the mark of it at the file's beginning. */
static void encoding_find(struct cw_cut *cut)
{
    struct cw_framing *framing = &cut->framing;
    enum cw_text_bom bom = cw_source_bom(cut->source);
    framing->encoding = cw_text_encoding_by(bom, cut->source->encoding);
    if (framing->start == 0 && framing->format == CW_SOURCE_LINES)
        framing->at = CW_MIN(cw_text_bom_len(bom), framing->len);
}

static struct cw_framing framing_of(const struct cw_cut *cut, uint64_t start, size_t len)
{
    const struct cw_batch *batch = cut->batch;
    const struct cw_source *source = cut->source;
    bool whole = batch->options.long_lines == CW_LONG_SPLIT || source->tail.unpack != NULL;
    return (struct cw_framing){.format = source->format,
                               .bytes = batch->bytes + batch->used,
                               .len = len,
                               .start = start,
                               .arena = batch->arena,
                               .tail = &cut->source->tail,
                               .max_line_bytes = whole ? 0 : batch->options.max_line_bytes};
}

static int64_t on_seen(void *arg, uint64_t to)
{
    const struct cw_cut *cut = arg;
    return cw_sightings_time(&cut->source->seen, to, cut->now_ns);
}

static struct cw_stages_run *run_begin(struct cw_cut *cut, struct cw_stage_times times)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    struct cw_stages_run_options options = {.arena = batch->arena,
                                            .seed = source_seed(source),
                                            .now_ns = cut->now_ns,
                                            .times = times,
                                            .emitted_to = source->emitted_to,
                                            .emit = on_emit,
                                            .dropped = on_stage_dropped,
                                            .trace = batch->options.inspect ? on_trace : NULL,
                                            .seen_ns = on_seen,
                                            .arg = cut};
    return cw_stages_begin(source->stages, &options);
}

/* ---- the time that fudge goes on from ---- */

static void on_emit_nothing(void *arg, const struct cw_stage_entry *entry)
{
    (void)arg;
    (void)entry;
}

/* Whether a piece from within a file can be framed: lines end with a newline, and no byte of another character is one. */
static bool frames_anywhere(struct cw_source *source)
{
    return (source->format == CW_SOURCE_LINES || source->format == CW_SOURCE_DOCKER) &&
           source->encoding == NULL && cw_source_bom(source) == CW_BOM_NONE;
}

static struct cw_stage_times look_back_run(struct cw_cut *cut, struct cw_framing *framing)
{
    struct cw_stages_run_options options = {.arena = cut->batch->arena,
                                            .seed = source_seed(cut->source),
                                            .now_ns = cut->now_ns,
                                            .emitted_to = UINT64_MAX, /* all was counted before */
                                            .emit = on_emit_nothing};
    struct cw_stages_run *run = cw_stages_begin(cut->source->stages, &options);
    struct cw_framed line;
    while (cw_framing_next(framing, &line)) {
        if (line.lost || line.nuls || cut->source->off[line.stream])
            continue;
        const struct cw_labels *own = &cut->source->labels[line.stream];
        struct cw_labels labels = line.labels.n > 0 ? line.labels : *own;
        struct cw_stage_entry entry = {.ts_ns = line.ts_ns,
                                       .line = line.line,
                                       .labels = labels.items,
                                       .nlabels = labels.n,
                                       .from = line.from,
                                       .to = line.to};
        cw_stages_feed(run, &entry);
    }
    cw_stages_flush(run);
    return cw_stages_times(run, UINT64_MAX);
}

/* After a start, or where a store had more than we knew: what is ahead of the cut says its times again. */
static struct cw_stage_times look_back(struct cw_cut *cut)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    size_t room = CW_MIN(batch->cap - batch->used, (size_t)LOOK_BACK_BYTES), len;
    uint64_t from = cut->start > room ? cut->start - room : 0;
    enum cw_file_verdict verdict;
    struct cw_err err = {0};
    if (from > 0 && !frames_anywhere(source))
        return (struct cw_stage_times){0};
    if (cw_tail_read(&source->tail, from, batch->bytes + batch->used, (size_t)(cut->start - from),
                     &len, &verdict, &err) < 0 ||
        verdict == CW_FILE_CHANGED)
        return (struct cw_stage_times){0}; /* the cut meets the same, and tells it */
    struct cw_framing framing = framing_of(cut, from, len);
    cut->framing = framing;
    encoding_find(cut);
    framing = cut->framing;
    const char *newline = memchr(framing.bytes, '\n', len);
    if (from > 0)
        framing.at = newline ? (size_t)(newline - framing.bytes) + 1 : len;
    return look_back_run(cut, &framing);
}

/* ---- one source ---- */

/* Whether an entry may be ended because nothing came behind it: then it matters what did since the last look. */
static bool ends_entries(const struct cw_source *source)
{
    return source->final || (source->stages != NULL && cw_stages_wait_ns(source->stages) > 0);
}

static void stages_count(const struct cw_cut *cut)
{
    struct cw_stage_counts lines = {0};
    if (cut->run != NULL)
        lines = cw_stages_counts(cut->run);
    if (lines.joined + lines.made == 0)
        return;
    struct cw_tally *tally = cw_source_tally(cut->source);
    tally->joined += lines.joined;
    tally->made += lines.made;
    metric_add(cut, CW_M_LINES_JOINED, lines.joined);
}

int cw_cut_read(struct cw_cut *cut, struct cw_err *err)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    size_t room = batch->cap - batch->used, len;
    struct cw_stage_times times = {0};
    if (keeps_time(cut) && cut->start > 0 && !cw_source_times(source, cut->start, &times))
        times = look_back(cut);
    if (source->tail.size - cut->start < room)
        room = (size_t)(source->tail.size - cut->start);
    enum cw_file_verdict verdict;
    int rc = cw_tail_read(&source->tail, cut->start, batch->bytes + batch->used, room, &len,
                          &verdict, err);
    if (rc == 0 && verdict == CW_FILE_SAME && ends_entries(source))
        rc = cw_tail_stat(&source->tail, cut->start + len, &verdict, err);
    if (rc < 0)
        return rc;
    if (verdict == CW_FILE_CHANGED) {
        source->changed = true;
        return 0;
    }
    cut->framing = framing_of(cut, cut->start, len);
    cut->framing.at_end = cut->start + len >= source->tail.size;
    cut->framing.final = source->final;
    cut->framing.whole = cut->alone && !cut->framing.at_end && len == batch->cap;
    encoding_find(cut);
    if (source->stages != NULL) {
        cut->run = run_begin(cut, times);
        if (batch->options.inspect != NULL)
            cw_inspect_run(batch->options.inspect, cut->run);
    }
    cw_cut_end(cut, lines_cut(cut));
    stages_count(cut);
    cut->at_end = cut->framing.at_end;
    cut->blocked_ns = cut->run ? cw_stages_blocked_ns(cut->run) : 0;
    cut->used = CW_MIN(cut->framing.at, cut->framing.len);
    return 0;
}

void cw_cut_begin(struct cw_cut *cut)
{
    const struct cw_batch *batch = cut->batch;
    const struct cw_ledger_row *row = &cut->source->rows[batch->options.output];
    cut->start = cw_ledger_next(row);
    cut->alone = batch->used == 0;
    cut->line_bytes_before = batch->line_bytes;
    cut->last_ts_ns = row->done_ts_ns;
    cut->part = (struct cw_batch_part){.source = cut->source,
                                       .generation = cut->source->generation,
                                       .from = row->mark,
                                       .to = cut->start,
                                       .first = batch->nentries,
                                       .last_ts_ns = row->done_ts_ns};
}

/* ---- a batch ---- */

/* What a source gave goes into the batch, or is settled, or waits until there is more. */
static void part_take(struct cw_cut *cut, int rc, const struct cw_err *err)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    struct cw_ledger_row *row = &source->rows[batch->options.output];
    const struct cw_batch_report *report = cut->report;
    int64_t blocked_ns = cut->blocked_ns;
    if (blocked_ns > 0 && (batch->blocked_ns == 0 || blocked_ns < batch->blocked_ns))
        batch->blocked_ns = blocked_ns;
    if (rc < 0) {
        row->held_size = source->tail.size; /* the next scan tries again */
        report->on_error(report->arg, source, err);
    } else if (source->changed) {
        report->on_changed(report->arg, source);
    } else if (cut->part.nentries > 0) {
        batch->parts[batch->nparts++] = cut->part;
        source->nbusy++;
        batch->used += cut->used;
    } else if (cut->part.to > cut->start) { /* all of it left out: settled without a push */
        cw_ledger_dropped(row, cut->part.to, cut->part.last_ts_ns);
        report->on_dropped(report->arg, source, &cut->part.counts);
    } else if (blocked_ns == 0 && !cut->refused && (cut->at_end || (cut->alone && cut->full))) {
        row->held_size = source->tail.size;
    }
}

/* Other outputs will go through the same lines. */
static bool shared(const struct cw_cut *cut)
{
    size_t n = 0;
    for (size_t i = 0; i < cut->source->nrows && n < 2; i++)
        n += !cut->source->rows[i].off;
    return n > 1 && cut->batch->options.pieces != NULL;
}

size_t cw_batch_cut(struct cw_batch *batch, const struct cw_source_list *sources,
                    size_t max_entries, int64_t now_ns, const struct cw_batch_report *report)
{
    CW_ASSERT(batch->nparts == 0);
    batch->blocked_ns = 0;
    const size_t nsources = sources->n;
    size_t first = nsources ? batch->resume % nsources : 0;
    for (size_t i = 0; i < nsources && batch->nparts < CW_BATCH_SOURCES_MAX; i++) {
        size_t idx = (first + i) % nsources;
        struct cw_source *source = sources->items[idx];
        cw_sources_ahead(sources->items, nsources, idx);
        if (!cw_source_pending(source, batch->options.output))
            continue;
        struct cw_cut cut = {.batch = batch,
                             .source = source,
                             .report = report,
                             .max_entries = CW_MIN(max_entries, (size_t)CW_BATCH_ENTRIES_MAX),
                             .now_ns = now_ns,
                             .tenant = cw_str_of(source->tenant),
                             .stuck_from = UINT64_MAX};
        struct cw_err err = {0};
        cw_cut_begin(&cut);
        int rc = shared(&cut) ? cw_cut_share(&cut, &err) : cw_cut_read(&cut, &err);
        part_take(&cut, rc, &err);
        batch->resume = cut.full ? idx : idx + 1;
        if (cut.full && batch->nentries > 0)
            break;
    }
    return batch->nentries;
}
