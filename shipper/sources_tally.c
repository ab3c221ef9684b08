/* sources_tally.c - sources.c, the part that keeps the ledger: what became of all lines. */
#include <stdlib.h>
#include "common/base/assert.h"
#include "shipper/sources_priv.h"

/* Its tally in the ledger: all sources that are forgotten. */
static const struct cw_id128 forgotten_id;

static struct cw_tally *forgotten_tally(struct cw_sources *sources)
{
    if (sources->forgotten == NULL)
        sources->forgotten = cw_tally_new();
    return sources->forgotten;
}

static void forgotten_join(struct cw_sources *sources, struct cw_tally *tally)
{
    cw_tally_join(forgotten_tally(sources), tally);
}

void cw_sources_count_gap(struct cw_sources *sources, struct cw_source *source, uint64_t from,
                          uint64_t to, struct cw_str why)
{
    struct cw_tally *tally = source ? cw_source_tally(source) : forgotten_tally(sources);
    cw_tally_gap_add(tally, source ? source->generation : 1, from, to, why);
    if (source != NULL)
        tally->counted_to = source->fed_to = CW_MAX(source->fed_to, to);
    sources->dirty = true;
}

void cw_sources_forget(struct cw_sources *sources, struct cw_source **source)
{
    cw_sources_active_forget(sources, *source);
    if ((*source)->tally != NULL)
        forgotten_join(sources, (*source)->tally);
    cw_source_free(source);
}

/* ---- what a restart reads again, and must not count again ---- */

/* Where it begins to, if it finds the positions of now or those that are on disk. */
static uint64_t restart_from(const struct cw_source *source)
{
    return source->durable ? CW_MIN(cw_source_position(source), source->durable_offset) : 0;
}

/* How far an output was counted; 0: none that may have a place. */
static uint64_t reach(const struct cw_sources *sources, const struct cw_source *source, size_t i)
{
    const struct cw_ledger_row *row = &source->rows[i];
    if (row->off || sources->outputs[i].tenant == NULL)
        return 0;
    return CW_MAX(row->sent_to, CW_MAX(row->done, row->told_to));
}

struct places {
    size_t share, room; /* in bytes: a source's, and what those so far left of theirs */
    struct ahead {
        uint64_t reach;
        size_t output;
    } * ahead; /* room for every output */
};

static struct places places_new(const struct cw_sources *sources)
{
    size_t n = 0;
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        uint64_t furthest = 0;
        for (size_t o = 0; o < source->nrows && source->tally != NULL; o++)
            furthest = CW_MAX(furthest, reach(sources, source, o));
        n += furthest > restart_from(source);
    }
    return (struct places){.share = CW_TALLY_PLACES_BYTES / CW_MAX(n, (size_t)1),
                           .ahead = cw_mem_array(sources->noutputs + 1, sizeof(struct ahead))};
}

static int ahead_cmp(const void *a, const void *b)
{
    const struct ahead *x = a, *y = b;
    return x->reach != y->reach ? (x->reach < y->reach) - (x->reach > y->reach)
                                : (x->output > y->output) - (x->output < y->output);
}

/* The furthest ones first, as they save the most. */
static void places_note(struct places *places, const struct cw_sources *sources,
                        const struct cw_source *source)
{
    uint64_t from = restart_from(source);
    struct cw_tally *tally = source->tally;
    struct ahead *ahead = places->ahead;
    size_t n = 0;
    tally->emitted_to = source->emitted_to > from ? source->emitted_to : 0;
    for (size_t i = 0; i < source->nrows; i++) {
        ahead[n] = (struct ahead){reach(sources, source, i), i};
        n += ahead[n].reach > from;
    }
    if (n == 0)
        return;
    qsort(ahead, n, sizeof *ahead, ahead_cmp);
    places->room += places->share;
    for (size_t i = 0; i < n; i++) {
        const struct cw_ledger_row *row = &source->rows[ahead[i].output];
        const struct cw_output *output = &sources->outputs[ahead[i].output];
        struct cw_str client = cw_str_of(output->client), tenant = cw_str_of(output->tenant);
        size_t len = CW_TALLY_PLACE_BYTES + client.len + tenant.len;
        if (len > places->room)
            break;
        places->room -= len;
        cw_tally_place_add(tally, client, tenant, row->sent_to, CW_MAX(row->done, row->told_to));
    }
}

/* ---- writing ---- */

void cw_sources_tallies_write(struct cw_sources *sources, struct cw_file_writer *out)
{
    struct places places = places_new(sources);
    cw_tally_file_begin(&out->piece);
    if (sources->forgotten != NULL)
        cw_tally_file_add(&forgotten_id, sources->forgotten, &out->piece);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->tally != NULL) {
            cw_source_text_note(source);
            places_note(&places, sources, source);
            cw_tally_file_add(&source->id, source->tally, &out->piece);
            cw_tally_places_clear(source->tally);
        }
        cw_file_writer_pass(out);
    }
    free(places.ahead);
}

void cw_sources_tallies_saved(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->counted = false;
}

bool cw_sources_counted(const struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++)
        if (sources->items[i]->counted)
            return true;
    return false;
}

/* ---- restoring ---- */

struct restore {
    struct cw_sources *sources;
    struct cw_source **by_id; /* sorted */
};

static int id_cmp(const void *a, const void *b)
{
    const struct cw_source *const *x = a, *const *y = b;
    return memcmp(&(*x)->id, &(*y)->id, sizeof(*x)->id);
}

static int key_cmp(const void *key, const void *item)
{
    const struct cw_source *const *source = item;
    return memcmp(key, &(*source)->id, sizeof(*source)->id);
}

static struct cw_ledger_row *row_of(const struct cw_sources *sources, struct cw_source *source,
                                    const struct cw_tally_place *place)
{
    for (size_t i = 0; i < source->nrows; i++) {
        const struct cw_output *output = &sources->outputs[i];
        if (!output->vacant && output->tenant != NULL &&
            strcmp(output->client, place->client) == 0 &&
            strcmp(output->tenant, place->tenant) == 0)
            return &source->rows[i];
    }
    return NULL;
}

/* Takes the tally. */
static void source_resume(const struct cw_sources *sources, struct cw_source *source,
                          struct cw_tally *tally)
{
    source->tally = tally;
    if (tally->generation != source->generation)
        cw_tally_generation_set(tally, source->generation);
    source->fed_to = tally->counted_to;
    source->emitted_to = tally->emitted_to;
    for (size_t i = 0; i < tally->nplaces; i++) {
        struct cw_ledger_row *row = row_of(sources, source, &tally->places[i]);
        if (row == NULL) /* its client is no more */
            continue;
        row->sent_to = tally->places[i].sent_to;
        row->told_to = tally->places[i].told_to;
    }
    cw_tally_places_clear(tally);
}

/* A source that the positions do not know was forgotten after the ledger was written. */
static void on_tally(void *arg, const struct cw_id128 *id, struct cw_tally *tally)
{
    struct restore *restore = arg;
    struct cw_sources *sources = restore->sources;
    struct cw_source **found =
        sources->n ? bsearch(id, restore->by_id, sources->n, sizeof *found, key_cmp) : NULL;
    if (found != NULL && (*found)->tally == NULL) {
        source_resume(sources, *found, tally);
        return;
    }
    forgotten_join(sources, tally);
    cw_tally_free(&tally);
}

int cw_sources_tallies_restore(struct cw_sources *sources, struct cw_str bytes, struct cw_err *err)
{
    struct restore restore = {sources, cw_mem_array(sources->n + 1, sizeof *restore.by_id)};
    if (sources->n > 0) {
        memcpy(restore.by_id, sources->items, sources->n * sizeof *restore.by_id);
        qsort(restore.by_id, sources->n, sizeof *restore.by_id, id_cmp);
    }
    int rc = cw_tally_file_decode(bytes, on_tally, &restore, err);
    free(restore.by_id);
    return rc;
}
