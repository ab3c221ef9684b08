/*
 * part_cursor.c - one block, filtered: runs of wanted rows, then a piece of text after the other.
 *
 * Open finds the runs: which rows are of wanted streams and in the range (rows of a stream are in order of time). Each piece that
 * holds some is decompressed, searched while it is in the cache, and what stays is handed out, a batch per stream.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/meta_column.h"
#include "common/store/part_source_priv.h"

/* What a thread keeps of a buffer that one large line grew. */
enum { TEXT_KEEP_BYTES = 1 << 20 };

/* Wanted rows [from, to) of one stream. */
struct run {
    uint32_t stream, from, to;
};

/* The buffers of a cursor: larger than malloc likes to recycle, so each thread keeps one set. */
struct workspace {
    struct cw_block block;
    int64_t times[CW_BLOCK_ROWS_MAX], scratch[CW_BLOCK_ROWS_MAX], stream_rows[CW_BLOCK_ROWS_MAX];
    uint32_t lengths[CW_BLOCK_ROWS_MAX];
    struct run runs[CW_BLOCK_ROWS_MAX];
    uint32_t offsets[CW_PIECE_ROWS_MAX + 1];
    uint64_t keep[CW_PIECE_ROWS_MAX / 64 + 1];
    /* a batch */
    int64_t out_times[CW_PIECE_ROWS_MAX];
    uint32_t out_sizes[CW_PIECE_ROWS_MAX];
    struct cw_str out_lines[CW_PIECE_ROWS_MAX];
    struct cw_labels out_metadata[CW_PIECE_ROWS_MAX];
    struct cw_label *labels; /* pairs of the batch's metadata */
    size_t labels_cap;
    char *text, *meta;
    size_t text_cap, meta_cap;
};

struct part_cursor {
    struct cw_cursor base; /* first */
    struct cw_part_source *source;
    const struct cw_scan *scan;
    uint32_t block_index;
    struct workspace *w; /* NULL: nothing is wanted of this block, or it is bad */
    bool have_times, reported;
    struct cw_meta_reader *meta; /* NULL: not wanted, or no row has any */
    uint32_t nruns;
    /* Where it stands. Pieces and runs are walked forward, or backward when newest_first. */
    uint32_t npieces_done;
    bool in_piece;
    uint32_t piece;              /* under way, and ... */
    uint32_t run_first, run_end; /* ... the runs with rows in it, and ... */
    uint32_t nruns_done;         /* ... how many of them were walked */
};

static pthread_key_t workspace_key;
static pthread_once_t workspace_once = PTHREAD_ONCE_INIT;

static void workspace_free(void *arg)
{
    struct workspace *w = arg;
    if (w == NULL)
        return;
    free(w->labels);
    free(w->text);
    free(w->meta);
    free(w);
}

static void workspace_key_make(void)
{
    CW_ASSERT(pthread_key_create(&workspace_key, workspace_free) == 0);
}

static struct workspace *workspace_take(void)
{
    pthread_once(&workspace_once, workspace_key_make);
    struct workspace *w = pthread_getspecific(workspace_key);
    if (w == NULL) {
        /* Not zeroed: everything in it is written before it is read. */
        w = cw_mem_resize(NULL, sizeof(*w));
        w->labels = NULL;
        w->text = w->meta = NULL;
        w->labels_cap = w->text_cap = w->meta_cap = 0;
        return w;
    }
    CW_ASSERT(pthread_setspecific(workspace_key, NULL) == 0);
    return w;
}

static void workspace_give_back(struct workspace *w)
{
    if (w == NULL)
        return;
    bool large = w->text_cap > TEXT_KEEP_BYTES || w->meta_cap > TEXT_KEEP_BYTES ||
                 w->labels_cap * sizeof(*w->labels) > TEXT_KEEP_BYTES;
    if (large || pthread_getspecific(workspace_key) != NULL ||
        pthread_setspecific(workspace_key, w) != 0)
        workspace_free(w);
}

static char *room(char **buffer, size_t *cap, size_t want)
{
    if (want > *cap || *buffer == NULL) {
        free(*buffer);
        *cap = CW_MAX(want, (size_t)CW_PIECE_RAW_TARGET);
        *buffer = cw_mem_resize(NULL, *cap);
    }
    return *buffer;
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Bad bytes: say so once, and go on with what can be read. */
static void report(struct part_cursor *c, const struct cw_err *why)
{
    if (!c->reported)
        cw_part_source_report(c->source, c->block_index, why, c->scan->stats);
    c->reported = true;
}

/* First row in [from, to) with a time of at least `ns`. */
static uint32_t time_bound(const int64_t *times, uint32_t from, uint32_t to, int64_t ns)
{
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (times[mid] < ns)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int times_decode(struct part_cursor *c, struct cw_err *err)
{
    if (c->have_times)
        return 0;
    int rc = cw_block_times(&c->w->block, c->w->times, err);
    c->have_times = rc == 0;
    return rc;
}

/* The streams of the block and their rows, into scratch and stream_rows. */
static int streams_decode(struct part_cursor *c, const struct cw_part_block *entry,
                          struct cw_err *err)
{
    struct workspace *w = c->w;
    if (w->block.nstreams == 1) {
        w->scratch[0] = entry->first_stream;
        w->stream_rows[0] = w->block.rows;
        return 0;
    }
    int rc = cw_block_streams(&w->block, w->scratch, w->stream_rows, err);
    if (rc == 0 && (w->scratch[0] < entry->first_stream ||
                    w->scratch[w->block.nstreams - 1] > entry->last_stream))
        rc = cw_err_set(err, CW_E_CORRUPT,
                        "block: its streams are not those that the block table says");
    return rc;
}

static int runs_find(struct part_cursor *c, const struct cw_part_block *entry,
                     const struct cw_stream_set *set, struct cw_err *err)
{
    struct workspace *w = c->w;
    int rc = streams_decode(c, entry, err);
    int64_t start_ns = cw_part_source_start_ns(c->source, c->scan->start_ns),
            end_ns = c->scan->end_ns;
    bool whole = entry->min_ns >= start_ns && (entry->max_ns < end_ns || end_ns == INT64_MAX);
    if (rc == 0 && (!whole || (c->scan->need & CW_NEED_TIMES) != 0) && c->scan->nfilters == 0)
        rc = times_decode(c, err);
    if (rc == 0 && !whole)
        rc = times_decode(c, err);
    if (rc < 0)
        return rc;
    uint32_t row = 0;
    for (uint32_t i = 0; i < w->block.nstreams; i++) {
        uint32_t from = row, to = row + (uint32_t)w->stream_rows[i];
        row = to;
        if (!cw_stream_set_has(set, (uint32_t)w->scratch[i]))
            continue;
        if (!whole) {
            from = time_bound(w->times, from, to, start_ns);
            to = end_ns == INT64_MAX ? to : time_bound(w->times, from, to, end_ns);
        }
        if (from < to)
            w->runs[c->nruns++] = (struct run){(uint32_t)w->scratch[i], from, to};
    }
    return 0;
}

static bool wants_text(const struct cw_scan *scan)
{
    return scan->nfilters > 0 || (scan->need & CW_NEED_LINES) != 0;
}

static int meta_open(struct part_cursor *c, struct cw_err *err)
{
    const struct cw_section *s = &c->w->block.meta;
    char *meta = room(&c->w->meta, &c->w->meta_cap, s->raw_bytes);
    int rc = cw_block_section_into(s, meta, err);
    if (rc == 0)
        rc = cw_meta_reader_open(cw_str_make(meta, s->raw_bytes), c->w->block.rows, &c->meta, err);
    return rc;
}

/* Everything that is needed of the block beside its text. */
static int block_prepare(struct part_cursor *c, const struct cw_stream_set *set, struct cw_err *err)
{
    struct workspace *w = c->w;
    struct cw_part_block entry = cw_part_reader_block(c->source->reader, c->block_index);
    int rc = cw_block_open(cw_part_reader_block_bytes(c->source->reader, c->block_index), &w->block,
                           err);
    if (rc == 0 && w->block.rows != entry.rows)
        rc = cw_err_set(err, CW_E_CORRUPT, "block: it is not the one that the block table says");
    if (rc == 0)
        rc = runs_find(c, &entry, set, err);
    if (rc == 0 && c->nruns > 0 && (wants_text(c->scan) || (c->scan->need & CW_NEED_SIZES) != 0))
        rc = cw_block_lengths(&w->block, w->scratch, w->lengths, err);
    if (rc == 0 && c->nruns > 0 && (c->scan->need & CW_NEED_METADATA) != 0 &&
        w->block.meta.stored.ptr != NULL)
        rc = meta_open(c, err);
    return rc;
}

/* Text of the piece and where its lines begin. */
static int piece_text(struct part_cursor *c, const struct cw_piece *p, struct cw_err *err)
{
    struct workspace *w = c->w;
    char *text = room(&w->text, &w->text_cap, p->text.raw_bytes);
    int rc = cw_block_section_into(&p->text, text, err);
    if (rc < 0)
        return rc;
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->rows; i++) {
        w->offsets[i] = at;
        at += w->lengths[p->first_row + i];
    }
    w->offsets[p->rows] = at;
    if (c->scan->stats != NULL)
        count(&c->scan->stats->bytes_decompressed, p->text.raw_bytes);
    return 0;
}

static void bits_set(uint64_t *bits, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to;) {
        uint32_t m = CW_MIN(64 - i % 64, to - i);
        bits[i / 64] |= (m == 64 ? UINT64_MAX : (UINT64_C(1) << m) - 1) << (i % 64);
        i += m;
    }
}

/* The first run that ends after `row`: runs lie in the order of rows. */
static uint32_t run_after(const struct part_cursor *c, uint32_t row)
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
static uint32_t piece_rows(struct part_cursor *c, const struct cw_piece *p, uint32_t *from_out,
                           uint32_t *to_out)
{
    struct workspace *w = c->w;
    uint32_t n = 0, end = p->first_row + p->rows, i = run_after(c, p->first_row);
    *from_out = p->rows;
    *to_out = 0;
    memset(w->keep, 0, ((size_t)p->rows + 63) / 64 * sizeof(w->keep[0]));
    c->run_first = i;
    for (; i < c->nruns && w->runs[i].from < end; i++) {
        uint32_t from = CW_MAX(w->runs[i].from, p->first_row), to = CW_MIN(w->runs[i].to, end);
        bits_set(w->keep, from - p->first_row, to - p->first_row);
        n += to - from;
        *from_out = CW_MIN(*from_out, from - p->first_row);
        *to_out = CW_MAX(*to_out, to - p->first_row);
    }
    c->run_end = i;
    return n;
}

static bool any_bit(const uint64_t *bits, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 64)
        if (bits[i / 64] != 0)
            return true;
    return false;
}

/* Filters over the rows between the first and the last wanted one; `keep` is shifted there by whole words. */
static int piece_filter(struct part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err)
{
    struct workspace *w = c->w;
    from -= from % 64;
    for (size_t i = 0; i < c->scan->nfilters; i++) {
        int rc = cw_line_filter_select(c->scan->filters[i], w->text, w->offsets + from, to - from,
                                       w->keep + from / 64, err);
        if (rc < 0)
            return rc;
        if (!any_bit(w->keep + from / 64, to - from))
            return 0;
    }
    return 0;
}

/* Begin the next piece that has rows left after the filters. 1, 0 at the end, or an error. */
static int piece_next(struct part_cursor *c, struct cw_err *err)
{
    struct workspace *w = c->w;
    while (c->npieces_done < w->block.npieces) {
        if (c->scan->cancel != NULL && atomic_load_explicit(c->scan->cancel, memory_order_relaxed))
            return cw_err_set(err, CW_E_CANCELED, "canceled");
        uint32_t i = c->npieces_done++, from, to;
        c->piece = c->scan->newest_first ? w->block.npieces - 1 - i : i;
        const struct cw_piece *p = &w->block.pieces[c->piece];
        uint32_t n = piece_rows(c, p, &from, &to);
        if (n == 0)
            continue;
        if (c->scan->stats != NULL)
            count(&c->scan->stats->rows_seen, n);
        if (wants_text(c->scan)) {
            struct cw_err why;
            if (piece_text(c, p, &why) < 0) {
                report(c, &why);
                continue;
            }
            int rc = piece_filter(c, from, to, err);
            if (rc < 0)
                return rc;
        }
        if (!any_bit(w->keep, p->rows))
            continue;
        if ((c->scan->need & CW_NEED_TIMES) != 0) {
            struct cw_err why;
            if (times_decode(c, &why) < 0) {
                report(c, &why);
                return 0;
            }
        }
        c->in_piece = true;
        c->nruns_done = 0;
        return 1;
    }
    return 0;
}

/* Metadata of the batch's rows. */
static void batch_metadata(struct part_cursor *c, const uint32_t *rows, struct cw_entry_batch *out)
{
    struct workspace *w = c->w;
    size_t total = 0;
    for (size_t i = 0; i < out->n; i++) {
        w->out_metadata[i].n = cw_meta_reader_row(c->meta, rows[i], NULL, 0);
        total += w->out_metadata[i].n;
    }
    if (total == 0)
        return;
    if (total > w->labels_cap) {
        free(w->labels);
        w->labels_cap = total;
        w->labels = cw_mem_array(total, sizeof(*w->labels));
    }
    struct cw_label *at = w->labels;
    for (size_t i = 0; i < out->n; i++) {
        size_t n = cw_meta_reader_row(c->meta, rows[i], at, w->out_metadata[i].n);
        w->out_metadata[i].items = at;
        at += n;
    }
    out->metadata = w->out_metadata;
}

/* Rows of the piece that stay, of run `r`, into the batch; returns how many. */
static size_t batch_fill(struct part_cursor *c, const struct run *r, struct cw_entry_batch *out)
{
    struct workspace *w = c->w;
    const struct cw_piece *p = &w->block.pieces[c->piece];
    uint32_t from = CW_MAX(r->from, p->first_row), to = CW_MIN(r->to, p->first_row + p->rows);
    uint32_t rows[CW_PIECE_ROWS_MAX];
    size_t n = 0;
    for (uint32_t row = from; row < to;) {
        uint32_t i = row - p->first_row;
        uint64_t word = w->keep[i / 64] >> (i % 64);
        if (word == 0) {
            row += 64 - i % 64;
            continue;
        }
        row += (uint32_t)__builtin_ctzll(word);
        if (row < to)
            rows[n++] = row++;
    }
    if (c->scan->newest_first) {
        for (size_t i = 0; i < n / 2; i++) {
            uint32_t swap = rows[i];
            rows[i] = rows[n - 1 - i];
            rows[n - 1 - i] = swap;
        }
    }
    *out = (struct cw_entry_batch){.n = n};
    unsigned need = c->scan->need;
    if ((need & CW_NEED_TIMES) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_times[i] = w->times[rows[i]];
        out->ts_ns = w->out_times;
    }
    if ((need & (CW_NEED_SIZES | CW_NEED_LINES)) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_sizes[i] = w->lengths[rows[i]];
        out->sizes = w->out_sizes;
    }
    if ((need & CW_NEED_LINES) != 0) {
        for (size_t i = 0; i < n; i++)
            w->out_lines[i] =
                cw_str_make(w->text + w->offsets[rows[i] - p->first_row], w->lengths[rows[i]]);
        out->lines = w->out_lines;
    }
    if (c->meta != NULL)
        batch_metadata(c, rows, out);
    return n;
}

static int part_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    struct part_cursor *c = CW_CONTAINER_OF(cursor, struct part_cursor, base);
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
            const struct run *r =
                &c->w->runs[c->scan->newest_first ? c->run_end - 1 - i : c->run_first + i];
            if (batch_fill(c, r, out) == 0)
                continue;
            const struct cw_part_stream *stream;
            int rc = cw_part_reader_stream(c->source->reader, r->stream, &stream, err);
            if (rc < 0)
                return rc;
            out->stream = stream->ref;
            if (c->scan->stats != NULL)
                count(&c->scan->stats->rows_matched, out->n);
            return 1;
        }
        c->in_piece = false;
    }
}

static void part_close(struct cw_cursor *cursor)
{
    struct part_cursor *c = CW_CONTAINER_OF(cursor, struct part_cursor, base);
    cw_meta_reader_close(&c->meta);
    workspace_give_back(c->w);
    /* A query over all that there is would make it all this process's memory. */
    if (c->w != NULL)
        cw_part_reader_rest_block(c->source->reader, c->block_index);
    free(c);
}

static const struct cw_cursor_ops part_cursor_ops = {.next = part_next, .close = part_close};

int cw_part_cursor_open(struct cw_part_source *source, const struct cw_scan *scan, uint32_t block,
                        struct cw_cursor **out, struct cw_err *err)
{
    struct cw_part_selection *selection;
    int rc = cw_part_reader_select(source->reader, scan->selector, &selection, err);
    if (rc < 0)
        return rc;
    struct part_cursor *c = cw_mem_new(sizeof(*c));
    c->base.ops = &part_cursor_ops;
    c->source = source;
    c->scan = scan;
    c->block_index = block;
    c->w = workspace_take();
    struct cw_err why;
    rc = block_prepare(c, cw_part_selection_set(selection), &why);
    cw_part_selection_unref(&selection);
    if (rc < 0)
        report(c, &why);
    if (scan->stats != NULL) {
        count(c->nruns > 0 ? &scan->stats->blocks_read : &scan->stats->blocks_skipped, 1);
        count(&scan->stats->bytes_stored_read, c->nruns > 0 ? c->w->block.stored_bytes : 0);
    }
    if (rc < 0 || c->nruns == 0) {
        workspace_give_back(c->w);
        c->w = NULL;
    }
    *out = &c->base;
    return 0;
}
