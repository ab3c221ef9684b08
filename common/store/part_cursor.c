/*
 * part_cursor.c - one block, filtered: runs of wanted rows, then a piece of rows after the other.
 *
 * Open finds the runs: which rows are of wanted streams and in the range (rows of a stream are in order of time). Each piece that
 * holds some is filtered while its text is in the cache, and what stays is handed out, a batch per stream.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/part_cursor_priv.h"

/* What a thread keeps of a buffer that one large line grew, and of what blocks of templates took: most need less. */
enum { TEXT_KEEP_BYTES = 1 << 20, TEMPLATES_KEEP_BYTES = 16 << 20, META_KEEP_BYTES = 16 << 20 };

static pthread_key_t workspace_key;
static pthread_once_t workspace_once = PTHREAD_ONCE_INIT;

static void workspace_free(void *arg)
{
    struct cw_part_workspace *w = arg;
    if (w == NULL)
        return;
    free(w->labels);
    free(w->plain);
    free(w->meta);
    cw_meta_memory_free(&w->meta_memory);
    cw_buf_fini(&w->lines);
    cw_lines_gathered_fini(&w->gathered);
    cw_template_block_free(&w->templates);
    free(w);
}

static void workspace_key_make(void)
{
    CW_ASSERT(pthread_key_create(&workspace_key, workspace_free) == 0);
}

static struct cw_part_workspace *workspace_take(void)
{
    pthread_once(&workspace_once, workspace_key_make);
    struct cw_part_workspace *w = pthread_getspecific(workspace_key);
    if (w == NULL) {
        /* Not zeroed: everything in it is written before it is read. */
        w = cw_mem_resize(NULL, sizeof(*w));
        w->labels = NULL;
        w->plain = w->meta = NULL;
        w->labels_cap = w->plain_cap = w->meta_cap = 0;
        w->templates = NULL;
        w->meta_memory = NULL;
        cw_buf_init(&w->lines, SIZE_MAX);
        cw_lines_gathered_init(&w->gathered);
        return w;
    }
    CW_ASSERT(pthread_setspecific(workspace_key, NULL) == 0);
    return w;
}

static void workspace_give_back(struct cw_part_workspace *w)
{
    if (w == NULL)
        return;
    bool large = w->plain_cap > TEXT_KEEP_BYTES || w->meta_cap > TEXT_KEEP_BYTES ||
                 w->lines.cap > TEXT_KEEP_BYTES ||
                 w->labels_cap * sizeof(*w->labels) > TEXT_KEEP_BYTES;
    if (w->templates != NULL)
        cw_template_block_close(w->templates);
    if (w->templates != NULL && cw_template_block_bytes(w->templates) > TEMPLATES_KEEP_BYTES)
        cw_template_block_free(&w->templates);
    if (w->meta_memory != NULL && cw_meta_memory_bytes(w->meta_memory) > META_KEEP_BYTES)
        cw_meta_memory_free(&w->meta_memory);
    if (large || pthread_getspecific(workspace_key) != NULL ||
        pthread_setspecific(workspace_key, w) != 0)
        workspace_free(w);
}

char *cw_part_room(char **buffer, size_t *cap, size_t want)
{
    if (want > *cap || *buffer == NULL) {
        free(*buffer);
        *cap = CW_MAX(want, (size_t)CW_PIECE_RAW_TARGET);
        *buffer = cw_mem_resize(NULL, *cap);
    }
    return *buffer;
}

/* Bad bytes: say so once, and go on with what can be read. */
static void report(struct cw_part_cursor *c, const struct cw_err *why)
{
    if (!c->reported)
        cw_part_source_report(c->source, c->block_index, why, c->scan->stats);
    c->reported = true;
}

/* First row in [from, to) with a time of at least `ns`. Most streams have none where the newest entries are looked for. */
static uint32_t time_bound(const int64_t *times, uint32_t from, uint32_t to, int64_t ns)
{
    if (from < to && times[to - 1] < ns)
        return to;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (times[mid] < ns)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

int cw_part_block_open(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_block *block = &c->w->block;
    if (c->is_open)
        return 0;
    int rc =
        cw_block_open(cw_part_reader_block_bytes(c->source->reader, c->block_index), block, err);
    bool plain = rc == 0 && block->kind == CW_BLOCK_PLAIN;
    if (rc == 0 &&
        (block->rows != c->rows || (c->walk != NULL && plain != (c->walk == &cw_walk_plain))))
        rc = cw_err_set(err, CW_E_CORRUPT, "block: it is not the one that the block table says");
    c->is_open = rc == 0;
    return rc;
}

bool cw_part_ruled_out(struct cw_part_cursor *c, uint32_t rows)
{
    struct cw_scan_stats *stats = c->scan->stats;
    if (c->grams == NULL || cw_text_grams_may_pass(c->grams, c->scan->filters, c->scan->nfilters))
        return false;
    c->ruled_out = true;
    if (stats != NULL) {
        cw_part_count(&stats->rows_seen, rows);
        cw_part_count(&stats->rows_ruled_out, rows);
        cw_part_count(&stats->blocks_ruled_out_by_text, 1);
        cw_part_count(&stats->cache_hits, 1);
    }
    return true;
}

static int times_decode(struct cw_part_cursor *c, struct cw_err *err)
{
    int rc = c->times == NULL ? cw_block_times(&c->w->block, c->w->times, err) : 0;
    if (rc == 0 && c->times == NULL)
        c->times = c->w->times;
    return rc;
}

/* The streams of the block and their rows, into runs. */
static int streams_decode(struct cw_part_cursor *c, const struct cw_part_block *entry,
                          struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    uint32_t n = w->block.nstreams, row = 0;
    if (n == 1) {
        w->runs[0] = (struct cw_part_run){entry->first_stream, 0, w->block.rows};
        return 0;
    }
    int rc = cw_block_streams(&w->block, w->scratch, w->stream_rows, err);
    if (rc == 0 && (w->scratch[0] < entry->first_stream || w->scratch[n - 1] > entry->last_stream))
        rc = cw_err_set(err, CW_E_CORRUPT,
                        "block: its streams are not those that the block table says");
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        uint32_t to = row + (uint32_t)w->stream_rows[i];
        w->runs[i] = (struct cw_part_run){(uint32_t)w->scratch[i], row, to};
        row = to;
    }
    return rc;
}

/* Narrow the range to the scan's cut; was it wider? */
static bool range_cut(struct cw_part_cursor *c)
{
    if (c->scan->cut_ns == NULL)
        return false;
    int64_t cut = *c->scan->cut_ns;
    if (c->scan->newest_first) {
        if (cut <= c->start_ns)
            return false;
        c->start_ns = cut;
    } else {
        if (cut == INT64_MAX || cut + 1 >= c->end_ns)
            return false;
        c->end_ns = cut + 1;
    }
    return true;
}

/* The cut may have moved: fewer rows are wanted. */
static void runs_cut(struct cw_part_cursor *c)
{
    if (c->times == NULL || !range_cut(c))
        return;
    for (uint32_t i = 0; i < c->nruns; i++) {
        struct cw_part_run *r = &c->w->runs[i];
        r->from = time_bound(c->times, r->from, r->to, c->start_ns);
        if (c->end_ns != INT64_MAX)
            r->to = time_bound(c->times, r->from, r->to, c->end_ns);
    }
}

/* Of all runs those of wanted streams, and of these the rows in the range. */
static int runs_narrow(struct cw_part_cursor *c, const struct cw_part_block *entry,
                       const struct cw_part_run *all, uint32_t n, const struct cw_stream_set *set,
                       struct cw_err *err)
{
    c->start_ns = cw_part_source_start_ns(c->source, c->scan->start_ns);
    c->end_ns = c->scan->end_ns;
    range_cut(c);
    int64_t start_ns = c->start_ns, end_ns = c->end_ns;
    bool whole = entry->min_ns >= start_ns && (entry->max_ns < end_ns || end_ns == INT64_MAX);
    int rc = 0;
    bool unfiltered = c->scan->nfilters == 0 && c->scan->nmeta_filters == 0;
    if (!whole || ((c->need & CW_NEED_TIMES) != 0 && unfiltered))
        rc = times_decode(c, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct cw_part_run r = all[i];
        if (!cw_stream_set_has(set, r.stream))
            continue;
        if (!whole) {
            r.from = time_bound(c->times, r.from, r.to, start_ns);
            r.to = end_ns == INT64_MAX ? r.to : time_bound(c->times, r.from, r.to, end_ns);
        }
        if (r.from < r.to)
            c->w->runs[c->nruns++] = r;
    }
    return rc;
}

static struct cw_cache_place times_place(const struct cw_part_cursor *c)
{
    if (!cw_part_keeps_rows(c->scan))
        return (struct cw_cache_place){0};
    return cw_part_reader_times_place(c->source->reader, c->block_index);
}

/* Of the block's streams and times as they were kept, or as they are kept now. */
static int runs_find(struct cw_part_cursor *c, const struct cw_part_block *entry,
                     const struct cw_stream_set *set, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    int rc = 0;
    if (c->kept_times == NULL)
        rc = streams_decode(c, entry, err);
    if (rc == 0 && c->kept_times == NULL)
        rc = cw_kept_times_keep(times_place(c), &w->block, w->runs, w->block.nstreams,
                                &c->kept_times, err);
    if (rc < 0)
        return rc;
    if (c->kept_times == NULL)
        return runs_narrow(c, entry, w->runs, w->block.nstreams, set, err);
    c->times = c->kept_times->ns;
    return runs_narrow(c, entry, c->kept_times->runs, c->kept_times->nruns, set, err);
}

static int meta_open(struct cw_part_cursor *c, struct cw_err *err)
{
    const struct cw_block *b = &c->w->block;
    const struct cw_section *s = &b->meta;
    int rc = cw_part_block_open(c, err);
    if (rc < 0)
        return rc;
    if (c->w->meta_memory == NULL)
        c->w->meta_memory = cw_meta_memory_new();
    char *meta = cw_part_room(&c->w->meta, &c->w->meta_cap, s->raw_bytes);
    rc = cw_block_section_into(s, meta, err);
    if (rc == 0)
        rc = cw_meta_reader_open(cw_str_make(meta, s->raw_bytes), c->rows, b->meta_values,
                                 b->nmeta_values, c->w->meta_memory, &c->meta, err);
    return rc;
}

int cw_part_meta_read(struct cw_part_cursor *c, struct cw_err *err)
{
    if (c->meta_read || !cw_part_wants_metadata(c))
        return 0;
    int rc = c->meta != NULL ? 0 : meta_open(c, err);
    if (rc == 0)
        rc = cw_meta_reader_read(c->meta, c->w->keep, c->first_row, c->nrows, err);
    c->meta_read = rc == 0;
    return rc;
}

static struct cw_label *labels_room(struct cw_part_workspace *w, size_t n)
{
    if (n > w->labels_cap) {
        free(w->labels);
        w->labels_cap = n;
        w->labels = cw_mem_array(n, sizeof(*w->labels));
    }
    return w->labels;
}

struct cw_labels cw_part_row_metadata(struct cw_part_cursor *c, uint32_t row)
{
    if (c->meta == NULL)
        return CW_LABELS_NONE;
    size_t n = cw_meta_reader_row(c->meta, row, NULL, 0);
    struct cw_label *labels = labels_room(c->w, n);
    cw_meta_reader_row(c->meta, row, labels, n);
    return (struct cw_labels){labels, n};
}

/* A plain block has lines in place of templates. */
static void walk_choose(struct cw_part_cursor *c, enum cw_block_kind kind)
{
    bool plain = kind == CW_BLOCK_PLAIN;
    c->walk = plain ? &cw_walk_plain : &cw_walk_templates;
    c->need = c->scan->need;
    if (plain && cw_part_wants_templates(c))
        c->need = (c->need & ~(unsigned)CW_NEED_TEMPLATES) | CW_NEED_LINES;
}

/* What the block is, from what was kept of it or from its header. */
static int block_find(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_cache_place place = times_place(c);
    c->kept_times = cw_kept_times_get(place);
    cw_part_count_cache(c->scan->stats, place, c->kept_times != NULL);
    if (c->kept_times != NULL) {
        c->has_metadata = c->kept_times->has_metadata;
        walk_choose(c, c->kept_times->kind);
        return 0;
    }
    int rc = cw_part_block_open(c, err);
    if (rc < 0)
        return rc;
    c->has_metadata = c->w->block.meta.stored.ptr != NULL;
    walk_choose(c, c->w->block.kind);
    return 0;
}

/* What is kept of the block's TEXT, if that can tell anything. */
static void grams_find(struct cw_part_cursor *c)
{
    const struct cw_scan *scan = c->scan;
    if (!scan->keep_decoded || !cw_text_grams_can_tell(scan->filters, scan->nfilters))
        return;
    struct cw_cache_place place = cw_part_reader_grams_place(c->source->reader, c->block_index);
    struct cw_cached *kept = cw_part_cache_get(place);
    if (kept != NULL)
        c->grams = CW_CONTAINER_OF(kept, struct cw_text_grams, base);
}

/* Is every row of the block wanted, as its entry in the table tells? (A cut that leaves some out changes no answer.) */
static bool wants_all(const struct cw_part_cursor *c, const struct cw_part_block *entry,
                      const struct cw_stream_set *set)
{
    int64_t start_ns = cw_part_source_start_ns(c->source, c->scan->start_ns);
    bool whole = entry->min_ns >= start_ns &&
                 (entry->max_ns < c->scan->end_ns || c->scan->end_ns == INT64_MAX);
    return whole && cw_stream_set_all(set, entry->first_stream, entry->last_stream);
}

static uint32_t runs_rows(const struct cw_part_cursor *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->nruns; i++)
        n += c->w->runs[i].to - c->w->runs[i].from;
    return n;
}

/* Can the filter be asked? Where a stream has a label of its name, that counts. */
static bool meta_filter_counts(const struct cw_part_cursor *c, const struct cw_meta_filter *f)
{
    return !cw_postings_has_name(cw_part_reader_postings(c->source->reader), f->matcher->name);
}

/* No row of the block passes. */
static void none_pass(struct cw_part_cursor *c, bool by_values)
{
    struct cw_scan_stats *stats = c->scan->stats;
    c->ruled_out = true;
    if (stats == NULL)
        return;
    uint32_t n = runs_rows(c);
    cw_part_count(&stats->rows_seen, n);
    cw_part_count(&stats->rows_ruled_out, n);
    cw_part_count(by_values ? &stats->blocks_ruled_out_by_values : &stats->blocks_ruled_out_by_text,
                  1);
}

/* The filter's rows out of those that pass, all of which do before the first. */
static int meta_filter_ask(struct cw_part_cursor *c, const struct cw_meta_filter *f,
                           bool *by_values, struct cw_err *err)
{
    uint64_t *passing = c->w->passing;
    if (!c->has_passing) {
        memset(passing, 0, ((size_t)c->rows + 63) / 64 * sizeof(*passing));
        cw_bits_set(passing, 0, c->rows);
    }
    c->has_passing = true;
    int rc = c->meta != NULL ? 0 : meta_open(c, err);
    if (rc < 0)
        return rc;
    struct cw_str values = cw_part_reader_block_filter(c->source->reader, c->block_index);
    return cw_meta_reader_match(c->meta, f, values, passing, by_values, err);
}

/* What the filters of metadata say of all rows of the block. */
static int meta_match(struct cw_part_cursor *c, struct cw_err *err)
{
    bool by_values = false, none = false;
    if ((c->need & CW_NEED_METADATA) == 0)
        return 0;
    for (size_t i = 0; i < c->scan->nmeta_filters && !none; i++) {
        const struct cw_meta_filter *f = &c->scan->meta_filters[i];
        if (!meta_filter_counts(c, f))
            continue;
        if (!c->has_metadata) {
            none = !cw_meta_filter_keeps_none(f);
            continue;
        }
        int rc = meta_filter_ask(c, f, &by_values, err);
        if (rc < 0)
            return rc;
        none = !cw_bits_any(c->w->passing, c->rows);
    }
    if (none)
        none_pass(c, by_values);
    return 0;
}

/* Everything that is needed of the block beside its text. */
static int block_prepare(struct cw_part_cursor *c, const struct cw_stream_set *set,
                         struct cw_err *err)
{
    struct cw_part_block entry = cw_part_reader_block(c->source->reader, c->block_index);
    c->rows = entry.rows;
    c->raw_bytes = entry.raw_bytes;
    grams_find(c);
    if (wants_all(c, &entry, set) && cw_part_ruled_out(c, entry.rows))
        return 0;
    int rc = block_find(c, err);
    if (rc == 0)
        rc = runs_find(c, &entry, set, err);
    if (rc < 0 || c->nruns == 0 || cw_part_ruled_out(c, runs_rows(c)))
        return rc;
    rc = meta_match(c, err);
    if (rc < 0 || c->ruled_out)
        return rc;
    rc = c->walk->prepare(c, err);
    if (rc == 0 && c->scan->stats != NULL)
        cw_part_count(&c->scan->stats->bytes_stored_read, entry.bytes);
    return rc;
}

/* The first run that ends after `row`: runs lie in the order of rows. */
static uint32_t run_after(const struct cw_part_cursor *c, uint32_t row)
{
    uint32_t lo = 0, hi = c->nruns;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->w->runs[mid].to <= row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Set the piece's wanted rows in keep; returns how many, and the range that they lie in (rows of the piece). */
static uint32_t rows_wanted(struct cw_part_cursor *c, uint32_t *from_out, uint32_t *to_out)
{
    struct cw_part_workspace *w = c->w;
    uint32_t n = 0, end = c->first_row + c->nrows, i = run_after(c, c->first_row);
    *from_out = c->nrows;
    *to_out = 0;
    memset(w->keep, 0, ((size_t)c->nrows + 63) / 64 * sizeof(w->keep[0]));
    c->run_first = i;
    for (; i < c->nruns && w->runs[i].from < end; i++) {
        uint32_t from = CW_MAX(w->runs[i].from, c->first_row), to = CW_MIN(w->runs[i].to, end);
        if (from >= to)
            continue;
        cw_bits_set(w->keep, from - c->first_row, to - c->first_row);
        n += to - from;
        *from_out = CW_MIN(*from_out, from - c->first_row);
        *to_out = CW_MAX(*to_out, to - c->first_row);
    }
    c->run_end = i;
    return n;
}

/* Leave the rows of the piece in keep that filters of metadata keep; returns how many went. */
static uint32_t meta_narrow(struct cw_part_cursor *c)
{
    const uint64_t *passing = c->w->passing;
    uint32_t before = cw_bits_count(c->w->keep, c->nrows);
    for (uint32_t i = 0; i < c->nrows; i += 64) {
        uint32_t at = (c->first_row + i) / 64, shift = (c->first_row + i) % 64;
        uint64_t word = passing[at] >> shift;
        if (shift > 0 && (at + 1) * 64 < c->rows)
            word |= passing[at + 1] << (64 - shift);
        c->w->keep[i / 64] &= word;
    }
    return before - cw_bits_count(c->w->keep, c->nrows);
}

/* Does the piece have rows left after the filters? 1, 0 or an error. */
static int piece_begin(struct cw_part_cursor *c, struct cw_err *err)
{
    uint32_t from, to, n = rows_wanted(c, &from, &to);
    if (n == 0)
        return 0;
    if (c->scan->stats != NULL)
        cw_part_count(&c->scan->stats->rows_seen, n);
    if (c->has_passing) {
        uint32_t out = meta_narrow(c);
        if (c->scan->stats != NULL)
            cw_part_count(&c->scan->stats->rows_ruled_out, out);
        if (!cw_bits_any(c->w->keep, c->nrows))
            return 0;
    }
    struct cw_err why;
    c->meta_read = false;
    int rc = c->walk->filter(c, from, to, &why);
    if (rc == 0 && (c->need & CW_NEED_TIMES) != 0 && cw_bits_any(c->w->keep, c->nrows))
        rc = times_decode(c, &why);
    if (rc == 0 && !c->kept_piece && cw_bits_any(c->w->keep, c->nrows))
        rc = cw_part_meta_read(c, &why);
    if (rc == 0)
        return cw_bits_any(c->w->keep, c->nrows);
    if (rc != CW_E_CORRUPT)
        return cw_err_set(err, rc, "%s", why.text);
    report(c, &why);
    return 0;
}

/* Begin the next piece that has rows left after the filters. 1, 0 at the end, or an error. */
static int piece_next(struct cw_part_cursor *c, struct cw_err *err)
{
    runs_cut(c);
    while (c->walk->next(c)) {
        if (c->scan->cancel != NULL && atomic_load_explicit(c->scan->cancel, memory_order_relaxed))
            return cw_err_set(err, CW_E_CANCELED, "canceled");
        int rc = piece_begin(c, err);
        if (rc < 0)
            return rc;
        c->in_piece = rc > 0;
        c->nruns_done = 0;
        if (c->in_piece)
            return 1;
    }
    return 0;
}

/* Metadata of the batch's rows, which are kept. */
static void batch_kept_metadata(struct cw_part_cursor *c, const uint32_t *rows,
                                struct cw_entry_batch *out)
{
    size_t total = 0;
    for (size_t i = 0; i < out->n; i++) {
        c->w->out_metadata[i] =
            cw_kept_lines_metadata(c->kept_lines, cw_kept_lines_find(c->kept_lines, rows[i]));
        total += c->w->out_metadata[i].n;
    }
    out->metadata = total > 0 ? c->w->out_metadata : NULL;
}

/* Where values are few; else nothing is done. */
static bool batch_shared_metadata(struct cw_part_cursor *c, const uint32_t *rows,
                                  struct cw_entry_batch *out)
{
    size_t total = 0;
    for (size_t i = 0; i < out->n; i++) {
        if (!cw_meta_reader_shared(c->meta, rows[i], &c->w->out_metadata[i]))
            return false;
        total += c->w->out_metadata[i].n;
    }
    out->metadata = total > 0 ? c->w->out_metadata : NULL;
    return true;
}

/* Metadata of the batch's rows, from the block's. */
static void batch_metadata(struct cw_part_cursor *c, const uint32_t *rows,
                           struct cw_entry_batch *out)
{
    struct cw_part_workspace *w = c->w;
    size_t total = 0;
    if (batch_shared_metadata(c, rows, out))
        return;
    for (size_t i = 0; i < out->n; i++) {
        w->out_metadata[i].n = cw_meta_reader_row(c->meta, rows[i], NULL, 0);
        total += w->out_metadata[i].n;
    }
    if (total == 0)
        return;
    struct cw_label *at = labels_room(w, total);
    for (size_t i = 0; i < out->n; i++) {
        size_t n = cw_meta_reader_row(c->meta, rows[i], at, w->out_metadata[i].n);
        w->out_metadata[i].items = at;
        at += n;
    }
    out->metadata = w->out_metadata;
}

/* Rows of the piece that stay, of run `r`, into the batch; returns how many. */
static size_t batch_fill(struct cw_part_cursor *c, const struct cw_part_run *r,
                         struct cw_entry_batch *out)
{
    struct cw_part_workspace *w = c->w;
    uint32_t from = CW_MAX(r->from, c->first_row), to = CW_MIN(r->to, c->first_row + c->nrows);
    uint32_t rows[CW_PIECE_ROWS_MAX];
    size_t n = cw_bits_list(w->keep, from - c->first_row, to - c->first_row, c->first_row, rows);
    if (c->scan->newest_first) {
        for (size_t i = 0; i < n / 2; i++) {
            uint32_t swap = rows[i];
            rows[i] = rows[n - 1 - i];
            rows[n - 1 - i] = swap;
        }
    }
    *out = (struct cw_entry_batch){.n = n};
    unsigned need = c->need;
    if ((need & CW_NEED_TIMES) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_times[i] = c->times[rows[i]];
        out->ts_ns = w->out_times;
    }
    if ((need & (CW_NEED_SIZES | CW_NEED_LINES)) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_sizes[i] = w->sizes[rows[i]];
        out->sizes = w->out_sizes;
    }
    if (c->as_values) {
        out->values = &w->values;
        out->first_row = rows[0];
    } else if ((need & CW_NEED_LINES) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_lines[i] =
                cw_str_make(w->text + w->offsets[rows[i] - c->first_row], w->sizes[rows[i]]);
        out->lines = w->out_lines;
    }
    if (cw_part_wants_templates(c)) {
        memcpy(w->out_rows, rows, n * sizeof(rows[0]));
        out->rows = w->out_rows;
        out->templates = w->templates;
    }
    if (c->kept_piece && cw_part_wants_metadata(c))
        batch_kept_metadata(c, rows, out);
    else if (c->meta != NULL)
        batch_metadata(c, rows, out);
    return n;
}

static int part_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    struct cw_part_cursor *c = CW_CONTAINER_OF(cursor, struct cw_part_cursor, base);
    if (c->w == NULL)
        return 0;
    for (;;) {
        if (!c->in_piece) {
            int rc = piece_next(c, err);
            if (rc <= 0)
                return rc;
        }
        while (c->nruns_done < c->run_end - c->run_first) {
            uint32_t i = c->nruns_done++;
            const struct cw_part_run *r =
                &c->w->runs[c->scan->newest_first ? c->run_end - 1 - i : c->run_first + i];
            if (batch_fill(c, r, out) == 0)
                continue;
            const struct cw_part_stream *stream;
            struct cw_err why;
            if (cw_part_reader_stream(c->source->reader, r->stream, &c->pin, &stream, &why) < 0) {
                cw_part_source_report_index(c->source, &why, c->scan->stats);
                continue;
            }
            out->stream = stream->ref;
            if (c->scan->stats != NULL)
                cw_part_count(&c->scan->stats->rows_matched, out->n);
            return 1;
        }
        c->in_piece = false;
    }
}

static void part_close(struct cw_cursor *cursor)
{
    struct cw_part_cursor *c = CW_CONTAINER_OF(cursor, struct cw_part_cursor, base);
    /* A query over all that there is would make it all this process's memory. */
    bool rests = c->w != NULL && c->is_open;
    /* The plan has asked the file system, and a block's own checksums tell a cut since. */
    if (!c->was_lost && cw_part_reader_lost(c->source->reader))
        cw_part_source_report_lost(c->source, c->scan->stats);
    if (c->w != NULL && c->walk->end != NULL)
        c->walk->end(c);
    cw_meta_reader_close(&c->meta);
    cw_stream_pin_fini(&c->pin);
    if (c->kept_times != NULL)
        cw_cached_unref(&c->kept_times->base);
    if (c->kept_lines != NULL)
        cw_cached_unref(&c->kept_lines->base);
    if (c->grams != NULL)
        cw_cached_unref(&c->grams->base);
    workspace_give_back(c->w);
    if (rests)
        cw_part_reader_rest_block(c->source->reader, c->block_index);
    free(c);
}

static void part_bad(struct cw_cursor *cursor, const struct cw_err *why)
{
    report(CW_CONTAINER_OF(cursor, struct cw_part_cursor, base), why);
}

static const struct cw_cursor_ops part_cursor_ops = {
    .next = part_next, .close = part_close, .bad = part_bad};

int cw_part_cursor_open(struct cw_part_source *source, const struct cw_scan *scan, uint32_t block,
                        struct cw_cursor **out, struct cw_err *err)
{
    struct cw_part_selection *selection;
    int rc = cw_part_reader_select(source->reader, scan->selector, &selection, err);
    if (rc < 0)
        return rc;
    struct cw_part_cursor *c = cw_mem_new(sizeof(*c));
    c->base.ops = &part_cursor_ops;
    c->source = source;
    c->scan = scan;
    c->block_index = block;
    c->w = workspace_take();
    c->pin.once = !scan->keep_decoded;
    c->was_lost = cw_part_reader_lost(source->reader);
    struct cw_err why;
    rc = block_prepare(c, cw_part_selection_set(selection), &why);
    cw_part_selection_unref(&selection);
    if (rc < 0)
        report(c, &why);
    bool reads = c->nruns > 0 && !c->ruled_out;
    if (scan->stats != NULL)
        cw_part_count(
            reads || c->ruled_out ? &scan->stats->blocks_read : &scan->stats->blocks_skipped, 1);
    if (rc < 0 || !reads) {
        workspace_give_back(c->w);
        c->w = NULL;
    }
    *out = &c->base;
    return 0;
}
