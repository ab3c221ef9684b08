/* part_source.c - plan a scan of a part, list its streams, count what a selector holds. */
#include "common/store/part_source.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/listing.h"
#include "common/store/part_source_priv.h"

static struct cw_part_source *part_of(struct cw_source *source)
{
    return CW_CONTAINER_OF(source, struct cw_part_source, base);
}

static const struct cw_part_footer *footer_of(const struct cw_part_source *p)
{
    return cw_part_reader_footer(p->reader);
}

int64_t cw_part_source_start_ns(const struct cw_part_source *p, int64_t start_ns)
{
    int64_t hidden = atomic_load_explicit(&p->hidden_before_ns, memory_order_relaxed);
    return CW_MAX(hidden, start_ns);
}

void cw_part_source_report(struct cw_part_source *p, uint32_t block, const struct cw_err *why,
                           struct cw_scan_stats *stats)
{
    if (stats != NULL)
        atomic_fetch_add_explicit(&stats->corrupt_blocks, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&p->bad[block], 1, memory_order_relaxed) != 0)
        return;
    atomic_fetch_add_explicit(&p->nbad, 1, memory_order_relaxed);
    cw_log_error("part %s: block %u: %s", cw_part_reader_path(p->reader), block, why->text);
    if (p->events.bad_block != NULL)
        p->events.bad_block(p->events.ctx, p->reader, block, why);
}

void cw_part_source_report_index(struct cw_part_source *p, const struct cw_err *why,
                                 struct cw_scan_stats *stats)
{
    if (stats != NULL)
        atomic_fetch_add_explicit(&stats->corrupt_blocks, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&p->bad_index, true, memory_order_relaxed))
        return;
    atomic_fetch_add_explicit(&p->nbad, 1, memory_order_relaxed);
    cw_log_error("part %s: its index is damaged: %s", cw_part_reader_path(p->reader), why->text);
    if (p->events.bad_index != NULL)
        p->events.bad_index(p->events.ctx, p->reader, why);
}

void cw_part_source_report_lost(struct cw_part_source *p, struct cw_scan_stats *stats)
{
    struct cw_err why;
    if (!cw_part_reader_look_lost(p->reader))
        return;
    (void)cw_err_set(&why, CW_E_CORRUPT, "the disk failed, or the file was cut");
    cw_part_source_report_index(p, &why, stats);
}

int cw_part_source_select(struct cw_part_source *p, const struct cw_selector *selector,
                          struct cw_scan_stats *stats, struct cw_part_selection **out,
                          struct cw_err *err)
{
    int rc = cw_part_reader_select(p->reader, selector, out, err);
    if (rc == 0 && cw_part_selection_damage(*out) != NULL)
        cw_part_source_report_index(p, cw_part_selection_damage(*out), stats);
    return rc;
}

static void stats_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Blocks of one kind, while a part is planned. */
struct tally {
    uint64_t blocks, bytes;
};

static void tally_add(struct tally *tally, const struct cw_part_block *block)
{
    tally->blocks++;
    tally->bytes += block->raw_bytes;
}

static int part_plan(struct cw_source *source, const struct cw_scan *scan, struct cw_units *out,
                     struct cw_err *err)
{
    struct cw_part_source *p = part_of(source);
    int64_t start_ns = cw_part_source_start_ns(p, scan->start_ns);
    struct tally outside = {0}, unmatched = {0};
    struct cw_part_selection *selection;
    int rc = cw_part_source_select(p, scan->selector, scan->stats, &selection, err);
    if (rc < 0)
        return rc;
    const struct cw_stream_set *set = cw_part_selection_set(selection);
    for (uint32_t i = 0; i < footer_of(p)->nblocks; i++) {
        struct cw_part_block b = cw_part_reader_block(p->reader, i);
        if (!cw_part_times_touch(b.min_ns, b.max_ns, start_ns, scan->end_ns))
            tally_add(&outside, &b);
        else if (!cw_stream_set_any(set, b.first_stream, b.last_stream))
            tally_add(&unmatched, &b);
        else
            cw_units_add(out, (struct cw_unit){.source = source,
                                               .key = i,
                                               .min_ns = b.min_ns,
                                               .max_ns = b.max_ns,
                                               .bytes = b.raw_bytes,
                                               .rows = b.rows,
                                               .stored_bytes = b.bytes});
    }
    if (scan->stats != NULL) {
        stats_add(&scan->stats->streams_matched, cw_stream_set_count(set));
        stats_add(&scan->stats->blocks_outside, outside.blocks);
        stats_add(&scan->stats->bytes_outside, outside.bytes);
        stats_add(&scan->stats->blocks_unmatched, unmatched.blocks);
        stats_add(&scan->stats->bytes_unmatched, unmatched.bytes);
    }
    cw_part_selection_unref(&selection);
    cw_part_source_report_lost(p, scan->stats);
    return 0;
}

static int part_open(struct cw_source *source, const struct cw_scan *scan,
                     const struct cw_unit *unit, struct cw_cursor **out, struct cw_err *err)
{
    CW_ASSERT(unit->key < footer_of(part_of(source))->nblocks);
    return cw_part_cursor_open(part_of(source), scan, (uint32_t)unit->key, out, err);
}

static int part_list(struct cw_source *source, const struct cw_listing *listing,
                     struct cw_list_cursor **out, struct cw_err *err)
{
    return cw_part_list_open(part_of(source), listing, out, err);
}

/* Rows and bytes of one block that selector and range hold; bytes by a cursor that decodes no text. */
static int block_stats(struct cw_part_source *p, const struct cw_scan *scan, uint32_t block,
                       struct cw_index_stats *out, struct cw_err *err)
{
    struct cw_cursor *cursor;
    int rc = cw_part_cursor_open(p, scan, block, &cursor, err);
    if (rc < 0)
        return rc;
    struct cw_entry_batch batch;
    struct cw_hash128 last = {0};
    bool first = true;
    while ((rc = cw_cursor_next(cursor, &batch, err)) > 0) {
        out->entries += batch.n;
        for (size_t i = 0; i < batch.n; i++)
            out->bytes += batch.sizes[i];
        if (first || !cw_hash128_eq(last, batch.stream.id))
            out->chunks++;
        first = false;
        last = batch.stream.id;
    }
    cw_cursor_close(&cursor);
    return rc;
}

static int part_stats(struct cw_source *source, const struct cw_selector *selector,
                      int64_t start_ns, int64_t end_ns, struct cw_index_stats *out,
                      struct cw_err *err)
{
    struct cw_part_source *p = part_of(source);
    struct cw_part_selection *selection;
    int rc = cw_part_source_select(p, selector, NULL, &selection, err);
    if (rc < 0)
        return rc;
    const struct cw_stream_set *set = cw_part_selection_set(selection);
    struct cw_scan scan = {.selector = selector,
                           .start_ns = cw_part_source_start_ns(p, start_ns),
                           .end_ns = end_ns,
                           .need = CW_NEED_SIZES,
                           .keep_decoded = true};
    struct cw_stream_set touched;
    cw_stream_set_init(&touched, set->n);
    cw_part_touched_streams(p, set, scan.start_ns, end_ns, &touched);
    for (uint32_t i = 0; rc == 0 && i < footer_of(p)->nblocks; i++) {
        struct cw_part_block b = cw_part_reader_block(p->reader, i);
        if (cw_part_times_touch(b.min_ns, b.max_ns, scan.start_ns, end_ns) &&
            cw_stream_set_any(set, b.first_stream, b.last_stream))
            rc = block_stats(p, &scan, i, out, err);
    }
    out->streams += cw_stream_set_count(&touched);
    cw_stream_set_fini(&touched);
    cw_part_selection_unref(&selection);
    cw_part_source_report_lost(p, NULL);
    return rc;
}

static void part_destroy(struct cw_source *source)
{
    struct cw_part_source *p = part_of(source);
    struct cw_err err;
    if (atomic_load(&p->obsolete) && cw_file_unlink(cw_part_reader_path(p->reader), &err) < 0)
        cw_log_warn("%s; the next start removes it", err.text);
    cw_part_reader_close(&p->reader);
    free(p->bad);
    free(p);
}

static const struct cw_source_ops part_ops = {
    .plan = part_plan,
    .open = part_open,
    .list = part_list,
    .stats = part_stats,
    .destroy = part_destroy,
};

struct cw_source *cw_part_source_new(struct cw_part_reader *reader,
                                     const struct cw_part_events *events)
{
    struct cw_part_source *p = cw_mem_new(sizeof(*p));
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    p->base.ops = &part_ops;
    atomic_init(&p->base.refs, 1);
    p->base.min_ns = f->min_ns;
    p->base.max_ns = f->max_ns;
    p->reader = reader;
    if (events != NULL)
        p->events = *events;
    atomic_init(&p->hidden_before_ns, INT64_MIN);
    atomic_init(&p->obsolete, false);
    atomic_init(&p->bad_index, false);
    p->bad = cw_mem_array((size_t)f->nblocks + 1, sizeof(*p->bad));
    return &p->base;
}

int cw_part_source_open(const char *path, const struct cw_part_events *events,
                        struct cw_source **out, struct cw_err *err)
{
    struct cw_part_reader *reader;
    int rc = cw_part_reader_open(path, &reader, err);
    if (rc < 0)
        return rc;
    *out = cw_part_source_new(reader, events);
    return 0;
}

struct cw_part_reader *cw_part_source_reader(struct cw_source *source)
{
    return part_of(source)->reader;
}

void cw_part_source_bad_block(struct cw_source *source, uint32_t block, const struct cw_err *why)
{
    cw_part_source_report(part_of(source), block, why, NULL);
}

bool cw_part_source_has_bad_blocks(const struct cw_source *source)
{
    return atomic_load_explicit(&((const struct cw_part_source *)source)->nbad,
                                memory_order_relaxed) > 0;
}

bool cw_part_source_lost(struct cw_source *source)
{
    struct cw_part_source *p = part_of(source);
    cw_part_source_report_lost(p, NULL);
    return cw_part_reader_lost(p->reader);
}

void cw_part_source_hide_before(struct cw_source *source, int64_t ns)
{
    atomic_store_explicit(&part_of(source)->hidden_before_ns, ns, memory_order_relaxed);
}

void cw_part_source_obsolete(struct cw_source *source)
{
    atomic_store(&part_of(source)->obsolete, true);
}
