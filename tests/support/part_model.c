/* part_model.c - the slow and obvious way to know what a part must give back. */
#include "tests/support/part_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

void part_model_init(struct part_model *m)
{
    *m = (struct part_model){.arena = cw_arena_new()};
}

void part_model_fini(struct part_model *m)
{
    cw_arena_free(&m->arena);
}

static struct cw_labels labels_of(struct part_model *m, const char *text)
{
    struct cw_labels labels = CW_LABELS_NONE;
    struct cw_err err;
    struct cw_str copy = cw_arena_dup(m->arena, cw_str_of(text));
    CW_ASSERT(cw_labels_parse(copy, m->arena, &labels, &err) == 0);
    return labels;
}

size_t part_model_stream(struct part_model *m, const char *text)
{
    struct cw_labels labels = labels_of(m, text);
    for (size_t i = 0; i < m->nstreams; i++)
        if (cw_labels_eq(m->streams[i], labels))
            return i;
    m->streams = cw_arena_grow(m->arena, m->streams, m->nstreams, &m->streams_cap, m->nstreams + 1,
                               sizeof(*m->streams));
    m->streams[m->nstreams] = labels;
    return m->nstreams++;
}

void part_model_add(struct part_model *m, size_t stream, int64_t ts_ns, struct cw_str line,
                    const char *metadata)
{
    m->entries = cw_arena_grow(m->arena, m->entries, m->n, &m->cap, m->n + 1, sizeof(*m->entries));
    m->entries[m->n] =
        (struct model_entry){stream, ts_ns, cw_arena_dup(m->arena, line),
                             metadata ? labels_of(m, metadata) : CW_LABELS_NONE, m->n};
    m->n++;
}

uint64_t part_model_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void random_line(uint64_t *state, struct cw_buf *out)
{
    static const char *const words[] = {"GET /index.html", "level=error msg=\"timeout\"",
                                        "NEEDLE_x",        "status=200",
                                        "10.0.3.17",       "ünïcode"};
    uint64_t kind = part_model_random(state) % 20;
    cw_buf_clear(out);
    if (kind == 0)
        return; /* an empty line */
    if (kind == 1) {
        cw_buf_addc(out, (char)part_model_random(state));
        return;
    }
    if (kind == 2) { /* any bytes, newlines and NULs too */
        for (uint64_t n = part_model_random(state) % 200; n > 0; n--)
            cw_buf_addc(out, (char)part_model_random(state));
        return;
    }
    for (uint64_t n = 1 + part_model_random(state) % 8; n > 0; n--)
        cw_buf_addf(out, "%s %" PRIu64 " ", words[part_model_random(state) % CW_COUNT(words)],
                    part_model_random(state) % 1000);
}

void part_model_fill(struct part_model *m, uint64_t seed, size_t nstreams, size_t n,
                     int64_t start_ns)
{
    struct cw_buf line;
    char text[128];
    cw_buf_init(&line, 1 << 20);
    for (size_t i = 0; i < nstreams; i++) {
        if (i % 7 == 6)
            snprintf(text, sizeof(text), "{only=\"%zu\"}", i);
        else
            snprintf(text, sizeof(text), "{app=\"app%zu\", host=\"h-%zu\", env=\"%s\"}", i % 5, i,
                     i % 3 ? "prod" : "dev");
        part_model_stream(m, text);
    }
    for (size_t i = 0; i < n; i++) {
        random_line(&seed, &line);
        int64_t ts_ns =
            start_ns + (int64_t)(part_model_random(&seed) % (86400 * (uint64_t)CW_NS_PER_S));
        if (i % 3 == 0)
            ts_ns -= ts_ns % CW_NS_PER_S;
        snprintf(text, sizeof(text), "{trace=\"%016" PRIx64 "\", %s}", part_model_random(&seed),
                 i % 2 ? "pod=\"p1\"" : "zone=\"z\", user=\"u\"");
        part_model_add(m, part_model_random(&seed) % nstreams, ts_ns, cw_buf_str(&line),
                       i % 4 == 0 ? text : NULL);
    }
    cw_buf_fini(&line);
}

struct cw_part_info part_model_info(uint64_t id)
{
    return (struct cw_part_info){.id = id,
                                 .tenant = CW_STR("t"),
                                 .day = 20000,
                                 .wal_first = 10 * id,
                                 .wal_last = 10 * id + 9,
                                 .flush_parts = 1,
                                 .flush_id = id};
}

static const struct part_model *sorting;

static int entry_cmp(const void *a, const void *b)
{
    const struct model_entry *x = a, *y = b;
    if (x->stream != y->stream)
        return cw_part_stream_cmp(sorting->streams[x->stream], sorting->streams[y->stream]);
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->arrival < y->arrival ? -1 : x->arrival > y->arrival;
}

static void stream_write(struct cw_part_writer *w, const struct part_model *m,
                         const struct model_entry *e, size_t n)
{
    int64_t *times = cw_mem_array(n, sizeof(*times));
    struct cw_str *lines = cw_mem_array(n, sizeof(*lines));
    struct cw_labels *metadata = cw_mem_array(n, sizeof(*metadata));
    uint64_t bytes = 0;
    struct cw_err err;
    for (size_t i = 0; i < n; i++) {
        times[i] = e[i].ts_ns;
        lines[i] = e[i].line;
        metadata[i] = e[i].metadata;
        bytes += e[i].line.len;
    }
    struct cw_entry_batch batch = {.n = n, .ts_ns = times, .lines = lines, .metadata = metadata};
    CW_ASSERT(cw_part_writer_stream(w, m->streams[e->stream], n, bytes, &err) == 0);
    CW_ASSERT(cw_part_writer_add(w, &batch, &err) == 0);
    free(times);
    free(lines);
    free(metadata);
}

void part_model_write(const struct part_model *m, const char *path, const struct cw_part_info *info)
{
    struct cw_part_writer *w;
    struct cw_err err;
    struct model_entry *sorted = cw_mem_array(m->n, sizeof(*sorted));
    memcpy(sorted, m->entries, m->n * sizeof(*sorted));
    sorting = m;
    qsort(sorted, m->n, sizeof(*sorted), entry_cmp);
    CW_ASSERT(cw_part_writer_new(path, info, CW_CODEC_LZ4, &w, &err) == 0);
    for (size_t i = 0, n; i < m->n; i += n) {
        n = 1;
        while (i + n < m->n && sorted[i + n].stream == sorted[i].stream)
            n++;
        stream_write(w, m, sorted + i, n);
    }
    int rc = cw_part_writer_finish(w, NULL, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    CW_ASSERT(rc == 0);
    cw_part_writer_free(&w);
    free(sorted);
}

/* ---- rows ---- */

static void rows_add(struct model_rows *rows, const struct cw_scan *scan, struct cw_labels labels,
                     int64_t ts_ns, struct cw_str line, struct cw_labels metadata)
{
    struct cw_buf text;
    cw_buf_init(&text, 256 << 20);
    cw_labels_format(labels, &text);
    if (scan->need & CW_NEED_TIMES)
        cw_buf_addf(&text, " %" PRId64, ts_ns);
    if (scan->need & CW_NEED_LINES) {
        cw_buf_addc(&text, ' ');
        cw_quote_go(line, &text);
    } else if (scan->need & CW_NEED_SIZES) {
        cw_buf_addf(&text, " %zu bytes", line.len);
    }
    if (scan->need & CW_NEED_METADATA)
        cw_labels_format(metadata, &text);
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? 2 * rows->cap : 64;
        rows->items = cw_mem_resize(rows->items, rows->cap * sizeof(char *));
    }
    cw_buf_z(&text);
    rows->items[rows->n++] = cw_buf_take(&text, NULL);
}

void model_rows_fini(struct model_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free(rows->items[i]);
    free(rows->items);
    *rows = (struct model_rows){0};
}

/* A filter of metadata says nothing where a stream of the part has a label of its name. */
static bool meta_filter_keeps(const struct part_model *m, const struct cw_meta_filter *f,
                              struct cw_labels metadata)
{
    struct cw_err err;
    for (size_t i = 0; i < m->nstreams; i++)
        if (cw_labels_get(m->streams[i], f->matcher->name).len > 0)
            return true;
    return cw_matcher_match(f->matcher, cw_labels_get(metadata, f->matcher->name), &err) == 1;
}

void model_rows_of_model(const struct part_model *m, const struct cw_scan *scan,
                         struct model_rows *rows)
{
    struct cw_err err;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_entry *e = &m->entries[i];
        if (e->ts_ns < scan->start_ns || (e->ts_ns >= scan->end_ns && scan->end_ns != INT64_MAX))
            continue;
        if (scan->selector != NULL &&
            cw_selector_match(scan->selector, m->streams[e->stream], &err) != 1)
            continue;
        bool stays = true;
        for (size_t f = 0; stays && f < scan->nfilters; f++)
            stays = cw_line_filter_match(scan->filters[f], e->line, &err) == 1;
        for (size_t f = 0; stays && f < scan->nmeta_filters; f++)
            stays = meta_filter_keeps(m, &scan->meta_filters[f], e->metadata);
        if (stays)
            rows_add(rows, scan, m->streams[e->stream], e->ts_ns, e->line, e->metadata);
    }
}

static void batch_check(const struct cw_scan *scan, const struct cw_entry_batch *b)
{
    CW_ASSERT(b->n > 0);
    CW_ASSERT((scan->need & CW_NEED_TIMES) == 0 || b->ts_ns != NULL);
    CW_ASSERT(cw_hash128_eq(b->stream.id, cw_labels_hash(b->stream.labels)));
    for (size_t i = 1; b->ts_ns != NULL && i < b->n; i++)
        CW_ASSERT(scan->newest_first ? b->ts_ns[i] <= b->ts_ns[i - 1]
                                     : b->ts_ns[i] >= b->ts_ns[i - 1]);
    for (size_t i = 0; b->lines != NULL && i < b->n; i++)
        CW_ASSERT(b->sizes[i] == b->lines[i].len);
}

enum order_check { ORDER_CHECKED, ORDER_ANY };

static int rows_of_source(struct cw_source *source, const struct cw_scan *scan,
                          enum order_check order, struct model_rows *rows, struct cw_err *err)
{
    struct cw_units units = {0};
    int rc = source->ops->plan(source, scan, &units, err);
    for (size_t i = 0; rc >= 0 && i < units.n; i++) {
        struct cw_cursor *cursor = NULL;
        struct cw_entry_batch b;
        rc = source->ops->open(source, scan, &units.items[i], &cursor, err);
        while (rc >= 0 && (rc = cw_cursor_next(cursor, &b, err)) > 0) {
            if (order == ORDER_CHECKED)
                batch_check(scan, &b);
            for (size_t r = 0; r < b.n; r++) {
                struct cw_str line =
                    b.lines ? b.lines[r] : cw_str_make("", b.sizes ? b.sizes[r] : 0);
                rows_add(rows, scan, b.stream.labels, b.ts_ns ? b.ts_ns[r] : 0, line,
                         b.metadata ? b.metadata[r] : CW_LABELS_NONE);
            }
        }
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return rc < 0 ? rc : 0;
}

int model_rows_of_source(struct cw_source *source, const struct cw_scan *scan,
                         struct model_rows *rows, struct cw_err *err)
{
    return rows_of_source(source, scan, ORDER_CHECKED, rows, err);
}

int model_rows_of_any_source(struct cw_source *source, const struct cw_scan *scan,
                             struct model_rows *rows, struct cw_err *err)
{
    return rows_of_source(source, scan, ORDER_ANY, rows, err);
}

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void model_rows_sort(struct model_rows *rows)
{
    if (rows->n > 0)
        qsort(rows->items, rows->n, sizeof(char *), text_cmp);
}

bool model_rows_within(const struct model_rows *some, const struct model_rows *all)
{
    size_t j = 0;
    for (size_t i = 0; i < some->n; i++, j++) {
        while (j < all->n && strcmp(all->items[j], some->items[i]) < 0)
            j++;
        if (j == all->n || strcmp(all->items[j], some->items[i]) != 0) {
            fprintf(stderr, "unexpected: %.500s\n", some->items[i]);
            return false;
        }
    }
    return true;
}

bool model_rows_equal(struct model_rows *a, struct model_rows *b)
{
    model_rows_sort(a);
    model_rows_sort(b);
    if (a->n != b->n)
        fprintf(stderr, "%zu rows against %zu\n", a->n, b->n);
    return model_rows_within(a, b) && model_rows_within(b, a);
}
