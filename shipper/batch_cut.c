/*
 * batch_cut.c - batch.c, the part that reads sources: bytes through framing and stages to entries,
 * up to an offset that no entry spans.
 */
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/pipeline/stages.h"
#include "shipper/batch.h"
#include "shipper/batch_streams.h"
#include "shipper/framing.h"
#include "shipper/inspect.h"
#include "shipper/text_encoding.h"

/* What stages may make of a batch's bytes: past it the cut ends at the next line. Nested documents
 * that are all extracted take several times their size. */
enum { ARENA_FACTOR = 8 };

/* What happened to an entry that is not in the batch, or not whole: counted if the cut goes past
 * it. */
enum note_kind {
    NOTE_TRUNCATED,
    NOTE_SKIPPED,
    NOTE_SPLIT,
    NOTE_MALFORMED,
    NOTE_UNDECODABLE,
    NOTE_NULS,
    NOTE_DROPPED,
    NOTE_UNSELECTED
};
struct note {
    uint64_t from;
    enum note_kind kind;
};

/* An entry of several lines: the cut does not end inside it. */
struct span {
    uint64_t from, to;
};

/* One source's piece of a cut. */
struct cut {
    struct cw_batch *batch;
    struct cw_source *source;
    const struct cw_batch_report *report;
    struct cw_batch_part part;
    struct cw_framing framing;
    struct cw_stages_run *run; /* NULL: the source has no stages */
    struct cw_framed line;     /* the one that goes through stages */
    uint64_t line_bytes_before;
    size_t max_entries;
    int64_t now_ns;
    bool alone;          /* nothing else is in the batch: what does not fit now never will */
    bool full;           /* stopped at a bound: begin with this source next time */
    uint64_t stuck_from; /* the first entry whose tenant can have no output */
    uint32_t streams[CW_SOURCE_STREAMS]; /* numbers of the source's own label sets + 1 */
    struct note *notes;
    size_t nnotes, notes_cap;
    struct span *spans;
    size_t nspans, spans_cap;
    struct cw_str tenant;       /* the source's */
    struct cw_str other_tenant; /* the last that was told */
};

static void note_add(struct cut *cut, uint64_t from, enum note_kind kind)
{
    cut->notes = cw_arena_grow(cut->batch->arena, cut->notes, cut->nnotes, &cut->notes_cap,
                               cut->nnotes + 1, sizeof *cut->notes);
    cut->notes[cut->nnotes++] = (struct note){from, kind};
}

static void span_add(struct cut *cut, uint64_t from, uint64_t to)
{
    cut->spans = cw_arena_grow(cut->batch->arena, cut->spans, cut->nspans, &cut->spans_cap,
                               cut->nspans + 1, sizeof *cut->spans);
    cut->spans[cut->nspans++] = (struct span){from, to};
}

/* ---- entries ---- */

static bool room_for(const struct cut *cut, size_t line_len)
{
    const struct cw_batch *batch = cut->batch;
    return batch->nentries < cut->max_entries &&
           (batch->nentries == 0 || batch->line_bytes + line_len <= batch->options.bytes) &&
           (batch->nentries == 0 || cut->run == NULL ||
            cw_arena_bytes(batch->arena) <= ARENA_FACTOR * batch->cap);
}

/* Whether it is for this output; another tenant gets an output of its own. */
static bool tenant_is_ours(struct cut *cut, struct cw_str tenant, uint64_t from)
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

static void entry_put(struct cw_batch *batch, const struct cw_push_entry *push, uint32_t stream,
                      uint64_t from)
{
    if (batch->nentries == batch->entries_cap) {
        batch->entries_cap = batch->entries_cap ? 2 * batch->entries_cap : 256;
        batch->entries = cw_mem_resize(batch->entries, batch->entries_cap * sizeof *batch->entries);
    }
    batch->entries[batch->nentries++] = (struct cw_batch_entry){*push, from, stream};
    batch->line_bytes += push->line.len;
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

/* A line over the limit in pieces, each a nanosecond later than the one before: equal ones stay
 * apart in a store that drops repeats. */
static void entry_split(struct cut *cut, struct cw_push_entry *push, uint32_t stream, uint64_t from)
{
    bool ours = push->ts_ns == cut->part.last_ts_ns; /* the next line's time is later still */
    for (struct cw_str rest = push->line; rest.len > 0; push->ts_ns++) {
        size_t len = cw_text_utf8_cut(rest, cut->batch->options.max_line_bytes);
        push->line = cw_str_sub(rest, 0, len);
        rest = cw_str_sub(rest, len, rest.len);
        entry_put(cut->batch, push, stream, from);
        note_add(cut, from, NOTE_SPLIT);
        if (ours)
            cut->part.last_ts_ns = push->ts_ns;
    }
}

static void entry_add(struct cut *cut, struct cw_push_entry *push, uint32_t stream, uint64_t from)
{
    const struct cw_batch_options *options = &cut->batch->options;
    if (!cut->batch->streams->items[stream].taken) {
        note_add(cut, from, NOTE_UNSELECTED);
        return;
    }
    if (options->max_line_bytes == 0 || push->line.len <= options->max_line_bytes) {
        entry_put(cut->batch, push, stream, from);
        return;
    }
    switch (options->long_lines) {
    case CW_LONG_SKIP: note_add(cut, from, NOTE_SKIPPED); break;
    case CW_LONG_TRUNCATE:
        note_add(cut, from, NOTE_TRUNCATED);
        push->line = line_truncate(cut->batch, push->line);
        entry_put(cut->batch, push, stream, from);
        break;
    case CW_LONG_SPLIT: entry_split(cut, push, stream, from); break;
    }
}

/* The number of one of the source's own label sets. */
static uint32_t own_stream(struct cut *cut, unsigned stream)
{
    if (cut->streams[stream] == 0)
        cut->streams[stream] =
            cw_batch_streams_of(cut->batch->streams, cut->source->labels[stream]) + 1;
    return cut->streams[stream] - 1;
}

static uint32_t entry_stream(struct cut *cut, const struct cw_stage_entry *entry)
{
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        if (!entry->labels_changed && entry->labels == cut->source->labels[i].items)
            return own_stream(cut, i);
    return cw_batch_streams_of(cut->batch->streams,
                               (struct cw_labels){entry->labels, entry->nlabels});
}

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    struct cut *cut = arg;
    if (entry->from != cut->line.from || entry->to != cut->line.to)
        span_add(cut, entry->from, entry->to);
    if (entry->counting && entry->redacted)
        cw_source_tally(cut->source)->redacted++;
    struct cw_str tenant = entry->tenant.len ? entry->tenant : cut->tenant;
    if (!tenant_is_ours(cut, tenant, entry->from))
        return;
    struct cw_push_entry push = {.ts_ns = entry->ts_ns,
                                 .line = entry->line,
                                 .metadata = entry->metadata,
                                 .nmetadata = (uint32_t)entry->nmetadata};
    entry_add(cut, &push, entry_stream(cut, entry), entry->from);
}

static void on_stage_dropped(void *arg, const struct cw_stage_entry *entry, struct cw_str reason)
{
    struct cut *cut = arg;
    if (entry->counting && cut->batch->options.inspect != NULL)
        cw_inspect_dropped(cut->batch->options.inspect, reason);
    if (entry->counting)
        cw_tally_count(&cw_source_tally(cut->source)->dropped, reason, 1);
    if (entry->from != cut->line.from || entry->to != cut->line.to)
        span_add(cut, entry->from, entry->to);
    note_add(cut, entry->from, NOTE_DROPPED);
}

/* Only the first passage of a line is shown. */
static void on_trace(void *arg, size_t depth, struct cw_str stage,
                     const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    struct cut *cut = arg;
    if ((before ? before : after)->counting)
        cw_inspect_trace(cut->batch->options.inspect, depth, stage, before, after);
}

/* Times within a source only rise, so that equal lines stay apart in a store that drops repeats. */
static int64_t line_time(struct cut *cut)
{
    int64_t ts = cw_sightings_time(&cut->source->seen, cut->line.to, cut->now_ns);
    if (ts <= cut->part.last_ts_ns)
        ts = cut->part.last_ts_ns + 1;
    cut->part.last_ts_ns = ts;
    return ts;
}

/* An entry's tenant has no output, or a limit lets no more through. */
static bool cut_blocked(const struct cut *cut)
{
    return cut->stuck_from != UINT64_MAX ||
           (cut->run != NULL && cw_stages_blocked_ns(cut->run) > 0);
}

static void line_take(struct cut *cut)
{
    const struct cw_framed *line = &cut->line;
    struct cw_source *source = cut->source;
    if (line->lost)
        cw_source_count_lost(source, line->from, line->to, CW_STR("damaged spool"));
    if (line->lost || line->nuls) {
        note_add(cut, line->from, line->lost ? NOTE_MALFORMED : NOTE_NULS);
        return;
    }
    int64_t ts_ns = line->has_ts ? line->ts_ns : line_time(cut);
    if (line->nbad > 0)
        note_add(cut, line->from, NOTE_UNDECODABLE);
    if (line->split)
        note_add(cut, line->from, NOTE_SPLIT);
    if (line->malformed)
        note_add(cut, line->from, NOTE_MALFORMED);
    if (line->joined)
        span_add(cut, line->from, line->to);
    if (source->off[line->stream]) {
        note_add(cut, line->from, NOTE_DROPPED);
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
                                   .counting = line->from >= source->fed_to};
    if (cut->run != NULL && entry.counting && cut->batch->options.inspect != NULL)
        cw_inspect_line(cut->batch->options.inspect, &entry);
    if (cut->run == NULL)
        on_emit(cut, &entry);
    else
        cw_stages_feed(cut->run, &entry);
    if (entry.counting)
        cw_source_count_read(source, line->to, line->line.len);
}

/* ---- where the cut ends ---- */

/* The largest offset up to `end` that lies inside no span. */
static uint64_t offset_unspanned(const struct cut *cut, uint64_t end)
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

/* Forget what begins at `to` or behind, and add up the rest. */
static void cut_end(struct cut *cut, uint64_t to)
{
    struct cw_batch *batch = cut->batch;
    struct cw_batch_counts *counts = &cut->part.counts;
    uint64_t *const of_kind[] = {[NOTE_TRUNCATED] = &counts->truncated,
                                 [NOTE_SKIPPED] = &counts->skipped,
                                 [NOTE_SPLIT] = &counts->split,
                                 [NOTE_MALFORMED] = &counts->malformed,
                                 [NOTE_UNDECODABLE] = &counts->undecodable,
                                 [NOTE_NULS] = &counts->nul_runs,
                                 [NOTE_DROPPED] = &counts->dropped,
                                 [NOTE_UNSELECTED] = &counts->unselected};
    size_t kept = cut->part.first;
    batch->line_bytes = cut->line_bytes_before;
    for (size_t i = kept; i < batch->nentries; i++) {
        if (batch->entries[i].from >= to)
            continue;
        counts->lines++;
        counts->bytes += batch->entries[i].push.line.len;
        cut->source->staged_ts_ns = batch->entries[i].push.ts_ns;
        batch->entries[kept++] = batch->entries[i];
    }
    batch->nentries = kept;
    batch->line_bytes += counts->bytes;
    for (size_t i = 0; i < cut->nnotes; i++)
        if (cut->notes[i].from < to)
            ++*of_kind[cut->notes[i].kind];
    cut->part.nentries = kept - cut->part.first;
    cut->part.to = to;
    cut->source->emitted_to = CW_MAX(cut->source->emitted_to, to);
}

/* End what is unfinished where it is; false when there is none. */
static bool all_flush(struct cut *cut)
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

static uint64_t unfinished(const struct cut *cut)
{
    uint64_t from = cw_framing_unfinished(&cut->framing);
    return cut->run ? CW_MIN(from, cw_stages_unfinished(cut->run)) : from;
}

/* Nothing more comes that would end what is unfinished: nobody writes the file, or not for as long
 * as stages wait. */
static bool nothing_more(const struct cut *cut)
{
    return cut->framing.at_end && (cut->source->final || cut->source->waited);
}

/* Lines until there is no room; where the cut may end. */
static uint64_t lines_cut(struct cut *cut)
{
    struct cw_framing *framing = &cut->framing;
    uint64_t end = UINT64_MAX;
    while (!cut->full && !cut_blocked(cut) && cw_framing_next(framing, &cut->line)) {
        cut->full = !room_for(cut, cut->line.line.len);
        if (cut->full)
            end = cut->line.from;
        else
            line_take(cut);
    }
    bool refused = cut->full;
    cut->full |= !framing->at_end;
    if (!refused && !cut_blocked(cut) && nothing_more(cut) && cut->run != NULL) {
        cut->line = (struct cw_framed){.from = UINT64_MAX};
        cw_stages_flush(cut->run);
    }
    end = offset_unspanned(cut, CW_MIN(CW_MIN(end, cut->stuck_from), unfinished(cut)));
    if (end > framing->start || cut->stuck_from != UINT64_MAX || !cut->alone ||
        !(refused || framing->whole))
        return end;
    /* What is unfinished fills all there is: it is cut where it is. */
    if (refused)
        line_take(cut);
    if (all_flush(cut))
        note_add(cut, framing->start, NOTE_SPLIT);
    return framing->start + framing->at;
}

static uint64_t source_seed(const struct cw_source *source)
{
    return cw_hash64(source->id.bytes, sizeof source->id.bytes) ^ source->generation;
}

/* What the lines are written in, and past the mark of it at the file's beginning. */
static void encoding_find(struct cut *cut)
{
    struct cw_framing *framing = &cut->framing;
    enum cw_text_bom bom = cw_source_bom(cut->source);
    framing->encoding = cw_text_encoding_by(bom, cut->source->encoding);
    if (framing->start == 0 && framing->format == CW_SOURCE_LINES)
        framing->at = CW_MIN(cw_text_bom_len(bom), framing->len);
}

/* Read one source and take its whole entries. */
static int source_cut(struct cut *cut, struct cw_err *err)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    const struct cw_ledger_row *row = &source->rows[batch->options.output];
    uint64_t start = cw_ledger_next(row);
    char *bytes = batch->bytes + batch->used;
    size_t room = batch->cap - batch->used, len;
    cut->alone = batch->used == 0;
    cut->line_bytes_before = batch->line_bytes;
    cut->part = (struct cw_batch_part){.source = source,
                                       .generation = source->generation,
                                       .from = row->mark,
                                       .to = start,
                                       .first = batch->nentries,
                                       .last_ts_ns = row->done_ts_ns};
    if (source->tail.size - start < room)
        room = (size_t)(source->tail.size - start);
    enum cw_file_verdict verdict;
    int rc = cw_tail_read(&source->tail, start, bytes, room, &len, &verdict, err);
    if (rc < 0)
        return rc;
    if (verdict == CW_FILE_CHANGED) {
        source->changed = true;
        return 0;
    }
    bool at_end = start + len >= source->tail.size;
    cut->framing = (struct cw_framing){
        .format = source->format,
        .bytes = bytes,
        .len = len,
        .start = start,
        .at_end = at_end,
        .final = source->final,
        .whole = cut->alone && !at_end && len == batch->cap,
        .arena = batch->arena,
        .tail = &source->tail,
        .max_line_bytes = batch->options.long_lines == CW_LONG_SPLIT || source->tail.unpack != NULL
                              ? 0
                              : batch->options.max_line_bytes};
    encoding_find(cut);
    if (source->stages != NULL) {
        struct cw_stages_run_options options = {.arena = batch->arena,
                                                .seed = source_seed(source),
                                                .now_ns = cut->now_ns,
                                                .last_ts_ns = source->staged_ts_ns,
                                                .emitted_to = source->emitted_to,
                                                .emit = on_emit,
                                                .dropped = on_stage_dropped,
                                                .trace = batch->options.inspect ? on_trace : NULL,
                                                .arg = cut};
        cut->run = cw_stages_begin(source->stages, &options);
        if (batch->options.inspect != NULL)
            cw_inspect_run(batch->options.inspect, cut->run);
    }
    cut_end(cut, lines_cut(cut));
    return 0;
}

/* What a source gave goes into the batch, or is settled, or waits until there is more. */
static void part_take(struct cut *cut, int rc, const struct cw_err *err)
{
    struct cw_batch *batch = cut->batch;
    struct cw_source *source = cut->source;
    struct cw_ledger_row *row = &source->rows[batch->options.output];
    const struct cw_batch_report *report = cut->report;
    uint64_t start = cut->framing.start;
    int64_t blocked_ns = cut->run ? cw_stages_blocked_ns(cut->run) : 0;
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
        batch->used += CW_MIN(cut->framing.at, cut->framing.len);
    } else if (cut->part.to > start) { /* all of it left out: settled without a push */
        cw_ledger_dropped(row, cut->part.to);
        report->on_dropped(report->arg, source, &cut->part.counts);
    } else if (blocked_ns == 0 && (cut->framing.at_end || cut->alone)) {
        row->held_size = source->tail.size;
    }
}

size_t cw_batch_cut(struct cw_batch *batch, struct cw_source *const *sources, size_t nsources,
                    size_t max_entries, int64_t now_ns, const struct cw_batch_report *report)
{
    CW_ASSERT(batch->nparts == 0);
    batch->blocked_ns = 0;
    size_t first = nsources ? batch->resume % nsources : 0;
    for (size_t i = 0; i < nsources && batch->nparts < CW_BATCH_SOURCES_MAX; i++) {
        size_t idx = (first + i) % nsources;
        struct cut cut = {.batch = batch,
                          .source = sources[idx],
                          .report = report,
                          .max_entries = CW_MIN(max_entries, (size_t)CW_BATCH_ENTRIES_MAX),
                          .now_ns = now_ns,
                          .tenant = cw_str_of(sources[idx]->tenant),
                          .stuck_from = UINT64_MAX};
        if (!cw_source_pending(cut.source, batch->options.output))
            continue;
        struct cw_err err = {0};
        int rc = source_cut(&cut, &err);
        part_take(&cut, rc, &err);
        batch->resume = cut.full ? idx : idx + 1;
        if (cut.full && batch->nentries > 0)
            break;
    }
    return batch->nentries;
}
