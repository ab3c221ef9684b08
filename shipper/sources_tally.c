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

/* What a restart would read again, and must not count again. */
static void places_note(const struct cw_sources *sources, const struct cw_source *source)
{
    uint64_t position = cw_source_position(source);
    struct cw_tally *tally = source->tally;
    tally->emitted_to = source->emitted_to > position ? source->emitted_to : 0;
    for (size_t i = 0; i < source->nrows; i++) {
        const struct cw_ledger_row *row = &source->rows[i];
        const struct cw_output *output = &sources->outputs[i];
        uint64_t told_to = CW_MAX(row->done, row->told_to);
        if (!row->off && output->tenant != NULL && CW_MAX(row->sent_to, told_to) > position)
            cw_tally_place_add(tally, cw_str_of(output->client), cw_str_of(output->tenant),
                               row->sent_to, told_to);
    }
}

void cw_sources_tallies_write(struct cw_sources *sources, struct cw_file_writer *out)
{
    cw_tally_file_begin(&out->piece);
    if (sources->forgotten != NULL)
        cw_tally_file_add(&forgotten_id, sources->forgotten, &out->piece);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->tally != NULL) {
            cw_source_text_note(source);
            places_note(sources, source);
            cw_tally_file_add(&source->id, source->tally, &out->piece);
            cw_tally_places_clear(source->tally);
        }
        cw_file_writer_pass(out);
    }
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
