/*
 * batch_pieces.c - batch.c, the part for several outputs: a piece of a source is read and staged once, for all tenants, and
 * each output copies out of it what is its own.
 */
#include <stdlib.h>
#include "common/base/assert.h"
#include "shipper/batch_priv.h"

/* Of so many pieces the oldest makes room: outputs that stand far apart share nothing anyway. */
enum { PIECES = 4 };

struct piece {
    struct cw_batch *batch; /* all its entries, whoever they are for; NULL: not used yet */
    struct cw_cut cut;      /* as it was read; its source may be gone */
    struct cw_id128 source;
    const struct cw_stages *stages;
    uint64_t generation;
};

struct cw_batch_pieces {
    struct piece items[PIECES];
    size_t next;
};

struct cw_batch_pieces *cw_batch_pieces_new(void)
{
    return cw_mem_new(sizeof(struct cw_batch_pieces));
}

void cw_batch_pieces_free(struct cw_batch_pieces **pieces)
{
    struct cw_batch_pieces *p = *pieces;
    if (p == NULL)
        return;
    for (size_t i = 0; i < PIECES; i++)
        cw_batch_free(&p->items[i].batch);
    free(p);
    *pieces = NULL;
}

/* ---- what is there ---- */

/* Read under the same bounds, and it holds what begins there. */
static bool piece_serves(const struct piece *piece, const struct cw_cut *cut)
{
    const struct cw_source *source = cut->source;
    return piece->batch != NULL && memcmp(&piece->source, &source->id, sizeof source->id) == 0 &&
           piece->generation == source->generation && piece->stages == source->stages &&
           piece->cut.start <= cut->start && cut->start < piece->cut.part.to &&
           piece->batch->cap == cut->batch->cap &&
           cw_cut_unspanned(&piece->cut, cut->start) == cut->start;
}

static struct piece *piece_find(struct cw_batch_pieces *pieces, const struct cw_cut *cut)
{
    for (size_t i = 0; i < PIECES; i++)
        if (piece_serves(&pieces->items[i], cut))
            return &pieces->items[i];
    return NULL;
}

/* The oldest one, empty, with the cut's bounds. */
static struct piece *piece_new(struct cw_batch_pieces *pieces, const struct cw_cut *cut)
{
    struct piece *piece = &pieces->items[pieces->next];
    pieces->next = (pieces->next + 1) % PIECES;
    struct cw_batch_options options = cut->batch->options;
    options.keeps_labels = options.all_tenants = true;
    options.external = (struct cw_labels){0};
    options.selector = NULL;
    options.max_streams = 0;
    if (piece->batch == NULL || piece->batch->cap != cut->batch->cap) {
        cw_batch_free(&piece->batch);
        piece->batch = cw_batch_new(&options);
    }
    cw_batch_drop(piece->batch);
    piece->batch->options = options;
    piece->source = cut->source->id;
    piece->generation = cut->source->generation;
    piece->stages = cut->source->stages;
    piece->cut = (struct cw_cut){.batch = piece->batch,
                                 .source = cut->source,
                                 .report = cut->report,
                                 .max_entries = CW_BATCH_ENTRIES_MAX,
                                 .now_ns = cut->now_ns,
                                 .stuck_from = UINT64_MAX};
    piece->cut.tenant = cw_arena_dup(piece->batch->arena, cut->tenant);
    return piece;
}

static int piece_read(struct cw_batch_pieces *pieces, const struct cw_cut *cut, struct piece **out,
                      struct cw_err *err)
{
    struct piece *piece = piece_new(pieces, cut);
    cw_cut_begin(&piece->cut);
    int rc = cw_cut_read(&piece->cut, err);
    /* Entries that are held back go on later from where they are. */
    if (rc < 0 || piece->cut.blocked_ns > 0 || cut->source->changed)
        piece->generation = UINT64_MAX;
    if (piece->cut.part.to == piece->cut.start) /* no use to others */
        pieces->next = (size_t)(piece - pieces->items);
    *out = piece;
    return rc;
}

/* ---- taking out of it ---- */

static void entry_copy(struct cw_batch *batch, const struct cw_batch_entry *from, uint32_t stream)
{
    struct cw_batch_entry entry = *from;
    struct cw_label *metadata =
        CW_ARENA_ARRAY(batch->arena, struct cw_label, entry.push.nmetadata + 1);
    for (size_t i = 0; i < entry.push.nmetadata; i++)
        metadata[i] = (struct cw_label){cw_arena_dup(batch->arena, entry.push.metadata[i].name),
                                        cw_arena_dup(batch->arena, entry.push.metadata[i].value)};
    entry.push.line = cw_arena_dup(batch->arena, entry.push.line);
    entry.push.metadata = metadata;
    entry.tenant = CW_STR_NONE;
    entry.stream = stream;
    cw_batch_put(batch, &entry);
}

/* Whether an entry is taken though there is no room: in a batch of its own, whose cut cannot end ahead of it. */
static bool must_take(const struct cw_cut *cut, uint64_t from)
{
    return cut->part.first == 0 && cw_cut_unspanned(cut, from) <= cut->start;
}

/* What it has to know of the piece's streams. */
struct taking {
    const struct cw_batch_streams *streams;
    uint32_t *numbers; /* in the output's batch, + 1; 0: not met */
};

static uint32_t stream_of(struct cw_cut *cut, struct taking *taking, uint32_t stream)
{
    uint32_t *number = &taking->numbers[stream];
    if (*number == 0)
        *number =
            cw_batch_streams_of(cut->batch->streams, taking->streams->items[stream].labels) + 1;
    return *number - 1;
}

/* Until there is no room, or no output for a tenant; where the cut may end. */
static uint64_t entries_take(struct cw_cut *cut, const struct piece *piece, struct taking *taking)
{
    struct cw_batch *batch = cut->batch;
    for (size_t i = 0; i < piece->batch->nentries && cut->stuck_from == UINT64_MAX; i++) {
        const struct cw_batch_entry *entry = &piece->batch->entries[i];
        if (entry->from < cut->start || !cw_cut_takes(cut, entry->tenant, entry->from))
            continue;
        cut->full = !cw_cut_room_for(cut, entry->push.line.len);
        cut->refused = cut->full && !must_take(cut, entry->from);
        if (cut->refused)
            return entry->from;
        uint32_t stream = stream_of(cut, taking, entry->stream);
        if (batch->streams->items[stream].taken)
            entry_copy(batch, entry, stream);
        else
            cw_cut_note(cut, entry, CW_NOTE_UNSELECTED);
    }
    return CW_MIN(piece->cut.part.to, cut->stuck_from);
}

/* Those ahead of `end` that are of its own entries; where the cut may end. */
static uint64_t notes_take(struct cw_cut *cut, const struct piece *piece, struct taking *taking,
                           uint64_t end)
{
    for (size_t i = 0; i < piece->cut.nnotes; i++) {
        const struct cw_cut_note *note = &piece->cut.notes[i];
        struct cw_batch_entry entry = {.from = note->from, .tenant = note->tenant};
        enum cw_cut_note_kind kind = note->kind;
        if (note->from < cut->start || note->from >= end)
            continue;
        if (kind != CW_NOTE_DROPPED) {
            if (!cw_cut_takes(cut, note->tenant, note->from))
                continue;
            entry.stream = stream_of(cut, taking, note->stream);
            if (kind == CW_NOTE_SKIPPED && !cut->batch->streams->items[entry.stream].taken)
                kind = CW_NOTE_UNSELECTED;
        }
        cw_cut_note(cut, &entry, kind);
    }
    return CW_MIN(end, cut->stuck_from);
}

int cw_cut_share(struct cw_cut *cut, struct cw_err *err)
{
    struct cw_batch_pieces *pieces = cut->batch->options.pieces;
    struct piece *piece = piece_find(pieces, cut);
    int rc = piece ? 0 : piece_read(pieces, cut, &piece, err);
    if (rc < 0 || cut->source->changed)
        return rc;
    const struct cw_batch_streams *streams = piece->batch->streams;
    struct taking taking = {streams, CW_ARENA_ARRAY(cut->batch->arena, uint32_t, streams->n + 1)};
    cut->spans = piece->cut.spans; /* read only */
    cut->nspans = piece->cut.nspans;
    cut->given = piece->cut.given;
    cut->blocked_ns = piece->cut.blocked_ns;
    cut->at_end = piece->cut.at_end;
    uint64_t end = entries_take(cut, piece, &taking);
    end = notes_take(cut, piece, &taking, end);
    cut->full |= piece->cut.full;
    cw_cut_end(cut, cw_cut_unspanned(cut, end));
    cut->alone = true; /* the piece was: what has no end in it waits for more */
    return 0;
}
