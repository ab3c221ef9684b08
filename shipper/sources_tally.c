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

void cw_sources_tallies_write(const struct cw_sources *sources, struct cw_file_writer *out)
{
    cw_tally_file_begin(&out->piece);
    if (sources->forgotten != NULL)
        cw_tally_file_add(&forgotten_id, sources->forgotten, &out->piece);
    for (size_t i = 0; i < sources->n; i++) {
        if (sources->items[i]->tally != NULL)
            cw_tally_file_add(&sources->items[i]->id, sources->items[i]->tally, &out->piece);
        cw_file_writer_pass(out);
    }
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

/* A source that the positions do not know was forgotten after the ledger was written. */
static void on_tally(void *arg, const struct cw_id128 *id, struct cw_tally *tally)
{
    struct restore *restore = arg;
    struct cw_sources *sources = restore->sources;
    struct cw_source **found =
        sources->n ? bsearch(id, restore->by_id, sources->n, sizeof *found, key_cmp) : NULL;
    if (found != NULL && (*found)->tally == NULL) {
        (*found)->tally = tally;
        if (tally->generation == (*found)->generation)
            (*found)->fed_to = tally->counted_to;
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
