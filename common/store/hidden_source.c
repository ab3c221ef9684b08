/* hidden_source.c - plan, open and count a source without its hidden rows: part of hidden.h. */
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "common/store/hidden.h"
#include "common/store/listing.h"

struct hidden_source {
    struct cw_source base; /* first */
    struct cw_source *inner;
    struct cw_hidden_owner *owner;
    struct cw_hidden_rule *rules;
    size_t n;
};

struct hidden_cursor {
    struct cw_cursor base; /* first */
    struct cw_cursor *inner;
    struct cw_scan wide; /* the inner cursor borrows it */
    unsigned need;       /* as it was asked for */
    struct cw_hidden_judge *judge;
    bool *hidden;
    int64_t *ts_ns;
    struct cw_str *lines;
    uint32_t *sizes;
    struct cw_labels *metadata;
    uint32_t *rows;
    size_t cap;
};

struct cw_hidden_owner *cw_hidden_owner_ref(struct cw_hidden_owner *owner)
{
    atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
    return owner;
}

void cw_hidden_owner_unref(struct cw_hidden_owner **handle)
{
    struct cw_hidden_owner *owner = *handle;
    *handle = NULL;
    if (owner && atomic_fetch_sub_explicit(&owner->refs, 1, memory_order_acq_rel) == 1)
        owner->destroy(owner);
}

static struct hidden_source *hidden_of(struct cw_source *source)
{
    return CW_CONTAINER_OF(source, struct hidden_source, base);
}

/* The end of a range that is inclusive, as scans have it. */
static int64_t end_after(int64_t last_ns)
{
    return last_ns == INT64_MAX ? INT64_MAX : last_ns + 1;
}

static int64_t last_before(int64_t end_ns)
{
    return end_ns == INT64_MAX || end_ns == INT64_MIN ? end_ns : end_ns - 1;
}

/* ---- plan ---- */

static int key_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorted keys of the units between the times in which the rules may hide rows. */
static int keys_touched(struct hidden_source *h, int64_t min_ns, int64_t max_ns,
                        uint64_t **keys_out, size_t *n_out, struct cw_err *err)
{
    struct cw_units touched = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < h->n; i++) {
        const struct cw_hidden_rule *rule = &h->rules[i];
        struct cw_scan scan = {.selector = rule->selector,
                               .start_ns = CW_MAX(rule->first_ns, min_ns),
                               .end_ns = end_after(CW_MIN(rule->last_ns, max_ns))};
        if (cw_hidden_rule_touches(rule, min_ns, max_ns))
            rc = h->inner->ops->plan(h->inner, &scan, &touched, err);
    }
    uint64_t *keys = cw_mem_array(touched.n + 1, sizeof(*keys));
    for (size_t i = 0; i < touched.n; i++)
        keys[i] = touched.items[i].key;
    qsort(keys, touched.n, sizeof(*keys), key_cmp);
    *keys_out = keys;
    *n_out = touched.n;
    cw_units_fini(&touched);
    return rc;
}

static int hidden_plan(struct cw_source *source, const struct cw_scan *scan, struct cw_units *out,
                       struct cw_err *err)
{
    struct hidden_source *h = hidden_of(source);
    size_t from = out->n;
    int rc = h->inner->ops->plan(h->inner, scan, out, err);
    if (rc < 0 || out->n == from)
        return rc;
    int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
    for (size_t i = from; i < out->n; i++) {
        min_ns = CW_MIN(min_ns, out->items[i].min_ns);
        max_ns = CW_MAX(max_ns, out->items[i].max_ns);
    }
    uint64_t *keys;
    size_t n;
    rc = keys_touched(h, CW_MAX(min_ns, scan->start_ns), CW_MIN(max_ns, last_before(scan->end_ns)),
                      &keys, &n, err);
    for (size_t i = from; rc == 0 && i < out->n; i++)
        if (bsearch(&out->items[i].key, keys, n, sizeof(*keys), key_cmp) != NULL)
            out->items[i].source = source;
    free(keys);
    return rc;
}

/* ---- the cursor ---- */

static void cursor_room(struct hidden_cursor *c, size_t n)
{
    if (n <= c->cap)
        return;
    c->cap = n;
    c->hidden = cw_mem_resize(c->hidden, n * sizeof(*c->hidden));
    c->ts_ns = cw_mem_resize(c->ts_ns, n * sizeof(*c->ts_ns));
    c->lines = cw_mem_resize(c->lines, n * sizeof(*c->lines));
    c->sizes = cw_mem_resize(c->sizes, n * sizeof(*c->sizes));
    c->metadata = cw_mem_resize(c->metadata, n * sizeof(*c->metadata));
    c->rows = cw_mem_resize(c->rows, n * sizeof(*c->rows));
}

/* The rows that are not hidden, in the cursor's own arrays. */
static void batch_compact(struct hidden_cursor *c, struct cw_entry_batch *batch)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (c->hidden[i])
            continue;
        c->ts_ns[n] = batch->ts_ns[i];
        if (batch->lines != NULL)
            c->lines[n] = batch->lines[i];
        if (batch->sizes != NULL)
            c->sizes[n] = batch->sizes[i];
        if (batch->metadata != NULL)
            c->metadata[n] = batch->metadata[i];
        if (batch->rows != NULL)
            c->rows[n] = batch->rows[i];
        n++;
    }
    batch->n = n;
    batch->ts_ns = c->ts_ns;
    batch->lines = batch->lines != NULL ? c->lines : NULL;
    batch->sizes = batch->sizes != NULL ? c->sizes : NULL;
    batch->metadata = batch->metadata != NULL ? c->metadata : NULL;
    batch->rows = batch->rows != NULL ? c->rows : NULL;
}

/* Nothing is given that was only read to judge. */
static void batch_narrow(struct cw_entry_batch *batch, unsigned need)
{
    if ((need & CW_NEED_TEMPLATES) && batch->templates == NULL)
        need |= CW_NEED_LINES;
    if (!(need & CW_NEED_TIMES))
        batch->ts_ns = NULL;
    if (!(need & CW_NEED_LINES))
        batch->lines = NULL;
    if (!(need & (CW_NEED_LINES | CW_NEED_SIZES)))
        batch->sizes = NULL;
    if (!(need & CW_NEED_METADATA))
        batch->metadata = NULL;
}

static int hidden_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    struct hidden_cursor *c = CW_CONTAINER_OF(cursor, struct hidden_cursor, base);
    int rc;
    while ((rc = cw_cursor_next(c->inner, out, err)) > 0) {
        cursor_room(c, out->n);
        int64_t nhidden = cw_hidden_judge_batch(c->judge, out, c->hidden, err);
        if (nhidden < 0)
            return (int)nhidden;
        if (nhidden > 0 && c->wide.stats != NULL)
            atomic_fetch_sub_explicit(&c->wide.stats->rows_matched, (uint64_t)nhidden,
                                      memory_order_relaxed);
        if ((size_t)nhidden == out->n)
            continue;
        if (nhidden > 0)
            batch_compact(c, out);
        batch_narrow(out, c->need);
        return 1;
    }
    return rc;
}

static void hidden_close(struct cw_cursor *cursor)
{
    struct hidden_cursor *c = CW_CONTAINER_OF(cursor, struct hidden_cursor, base);
    cw_cursor_close(&c->inner);
    cw_hidden_judge_free(&c->judge);
    free(c->hidden);
    free(c->ts_ns);
    free(c->lines);
    free(c->sizes);
    free(c->metadata);
    free(c->rows);
    free(c);
}

static void hidden_bad(struct cw_cursor *cursor, const struct cw_err *why)
{
    cw_cursor_bad(CW_CONTAINER_OF(cursor, struct hidden_cursor, base)->inner, why);
}

static const struct cw_cursor_ops cursor_ops = {
    .next = hidden_next, .close = hidden_close, .bad = hidden_bad};

static int hidden_open(struct cw_source *source, const struct cw_scan *scan,
                       const struct cw_unit *unit, struct cw_cursor **out, struct cw_err *err)
{
    struct hidden_source *h = hidden_of(source);
    struct cw_unit inner_unit = *unit;
    struct hidden_cursor *c = cw_mem_new(sizeof(*c));
    c->base.ops = &cursor_ops;
    c->need = scan->need;
    c->wide = *scan;
    c->wide.need |= CW_NEED_TIMES;
    c->wide.need &= ~(unsigned)CW_NEED_VALUES; /* which are handed out as runs of rows */
    for (size_t i = 0; i < h->n; i++)
        if (h->rules[i].filter != NULL)
            c->wide.need |= CW_NEED_LINES | CW_NEED_METADATA;
    inner_unit.source = h->inner;
    int rc = h->inner->ops->open(h->inner, &c->wide, &inner_unit, &c->inner, err);
    if (rc < 0) {
        free(c);
        return rc;
    }
    c->judge = cw_hidden_judge_new(h->rules, h->n);
    *out = &c->base;
    return 0;
}

/* ---- streams ---- */

/* A source with more names or values is listed as if nothing was hidden: they have to be sorted in memory, which ... */
enum { LIST_TEXTS_MAX = 65536 };
/* ... is not to hold more than this of them. */
#define LIST_TEXT_BYTES_MAX (4u << 20)

/* Streams of the inner source that are not hidden whole; or, where `texts` is set, names or values of those. */
struct hidden_list {
    struct cw_list_cursor base; /* first */
    const struct hidden_source *source;
    int64_t min_ns, max_ns; /* what the listing has of the source, inclusive */
    struct cw_listing streams;
    struct cw_list_cursor *inner;
    struct cw_list_cursor *texts;
    struct cw_arena *labels; /* that `texts` borrows */
};

static bool rule_covers(const struct hidden_list *list, const struct cw_hidden_rule *rule)
{
    return rule->filter == NULL && rule->first_ns <= list->min_ns && rule->last_ns >= list->max_ns;
}

/* 1 it is hidden, 0 not, or an error. */
static int stream_hidden(const struct hidden_list *list, struct cw_labels labels,
                         struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < list->source->n; i++)
        if (rule_covers(list, &list->source->rules[i]))
            rc = cw_hidden_rule_stream(&list->source->rules[i], labels, err);
    return rc;
}

static int next_visible(struct hidden_list *list, struct cw_list_item *out, struct cw_err *err)
{
    int rc;
    while ((rc = cw_list_cursor_next(list->inner, out, err)) > 0) {
        int hidden = stream_hidden(list, out->stream.labels, err);
        if (hidden <= 0)
            return hidden < 0 ? hidden : 1;
    }
    return rc;
}

static int hidden_list_next(struct cw_list_cursor *cursor, struct cw_list_item *out,
                            struct cw_err *err)
{
    struct hidden_list *list = CW_CONTAINER_OF(cursor, struct hidden_list, base);
    return list->texts != NULL ? cw_list_cursor_next(list->texts, out, err)
                               : next_visible(list, out, err);
}

static void hidden_list_close(struct cw_list_cursor *cursor)
{
    struct hidden_list *list = CW_CONTAINER_OF(cursor, struct hidden_list, base);
    cw_list_cursor_close(&list->texts);
    cw_list_cursor_close(&list->inner);
    cw_arena_free(&list->labels);
    free(list);
}

static const struct cw_list_cursor_ops list_ops = {hidden_list_next, hidden_list_close};

/* Each label that is new to the listing, as a stream that has nothing else. */
struct texts {
    struct cw_id_map seen;
    struct cw_stream_ref *items;
    size_t n, cap, bytes;
};

static void texts_add(struct hidden_list *list, struct texts *texts,
                      const struct cw_listing *listing, struct cw_labels labels)
{
    for (size_t i = 0; i < labels.n; i++) {
        const struct cw_label *label = &labels.items[i];
        bool names = listing->what == CW_LIST_NAMES, added = false;
        struct cw_str text = names ? label->name : label->value;
        if (names || cw_str_eq(label->name, listing->name))
            cw_id_map_put(&texts->seen, cw_hash128(text.ptr, text.len), &added);
        if (!added)
            continue;
        if (texts->n == texts->cap) {
            texts->cap = texts->cap ? 2 * texts->cap : 64;
            texts->items = cw_mem_resize(texts->items, texts->cap * sizeof(*texts->items));
        }
        struct cw_label one = {.name = label->name, .value = names ? CW_STR_NONE : label->value};
        texts->items[texts->n++] = (struct cw_stream_ref){
            .labels = cw_labels_dup(list->labels, (struct cw_labels){.items = &one, .n = 1})};
        texts->bytes += text.len;
    }
}

/* The names or values of the streams that are left; without *complete_out there were too many. */
static int texts_gather(struct hidden_list *list, const struct cw_listing *listing,
                        bool *complete_out, struct cw_err *err)
{
    struct texts texts = {0};
    struct cw_list_item item;
    int rc = 1;
    list->labels = cw_arena_new();
    cw_id_map_init(&texts.seen);
    while (texts.n <= LIST_TEXTS_MAX && texts.bytes <= LIST_TEXT_BYTES_MAX &&
           (rc = next_visible(list, &item, err)) > 0)
        texts_add(list, &texts, listing, item.stream.labels);
    cw_id_map_fini(&texts.seen);
    *complete_out = rc == 0;
    if (rc != 0) {
        free(texts.items);
        return rc < 0 ? rc : 0;
    }
    return cw_list_cursor_of(listing, texts.items, texts.n, &list->texts, err);
}

static int hidden_list_open(struct cw_source *source, const struct cw_listing *listing,
                            struct cw_list_cursor **out, struct cw_err *err)
{
    struct hidden_source *h = hidden_of(source);
    struct hidden_list *list = cw_mem_new(sizeof(*list));
    list->base.ops = &list_ops;
    list->source = h;
    list->min_ns = CW_MAX(listing->start_ns, source->min_ns);
    list->max_ns = CW_MIN(last_before(listing->end_ns), source->max_ns);
    list->streams = *listing;
    list->streams.what = CW_LIST_STREAMS;
    bool covered = false, complete = true;
    for (size_t i = 0; i < h->n; i++)
        covered |= rule_covers(list, &h->rules[i]);
    int rc = 0;
    if (covered)
        rc = h->inner->ops->list(h->inner, &list->streams, &list->inner, err);
    if (rc == 0 && covered && listing->what != CW_LIST_STREAMS)
        rc = texts_gather(list, listing, &complete, err);
    if (rc < 0 || !covered || !complete) {
        hidden_list_close(&list->base);
        return rc < 0 ? rc : h->inner->ops->list(h->inner, listing, out, err);
    }
    *out = &list->base;
    return 0;
}

/* ---- stats ---- */

struct stream_ids {
    struct cw_hash128 *items;
    size_t n, cap;
};

static int id_cmp(const void *a, const void *b)
{
    return cw_hash128_cmp(*(const struct cw_hash128 *)a, *(const struct cw_hash128 *)b);
}

static int unit_count(const struct cw_scan *scan, const struct cw_unit *unit,
                      struct cw_index_stats *out, struct stream_ids *ids, struct cw_err *err)
{
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    int rc = unit->source->ops->open(unit->source, scan, unit, &cursor, err);
    if (rc < 0)
        return rc;
    size_t first = ids->n;
    while ((rc = cw_cursor_next(cursor, &batch, err)) > 0) {
        out->entries += batch.n;
        for (size_t i = 0; i < batch.n; i++)
            out->bytes += batch.sizes[i];
        if (ids->n > first && cw_hash128_eq(ids->items[ids->n - 1], batch.stream.id))
            continue;
        if (ids->n == ids->cap) {
            ids->cap = ids->cap ? 2 * ids->cap : 64;
            ids->items = cw_mem_resize(ids->items, ids->cap * sizeof(*ids->items));
        }
        ids->items[ids->n++] = batch.stream.id;
        out->chunks++;
    }
    cw_cursor_close(&cursor);
    return rc;
}

static int hidden_stats(struct cw_source *source, const struct cw_selector *selector,
                        int64_t start_ns, int64_t end_ns, struct cw_index_stats *out,
                        struct cw_err *err)
{
    struct cw_scan scan = {
        .selector = selector, .start_ns = start_ns, .end_ns = end_ns, .need = CW_NEED_SIZES};
    struct cw_units units = {0};
    struct stream_ids ids = {0};
    int rc = hidden_plan(source, &scan, &units, err);
    for (size_t i = 0; rc == 0 && i < units.n; i++)
        rc = unit_count(&scan, &units.items[i], out, &ids, err);
    if (ids.n > 0)
        qsort(ids.items, ids.n, sizeof(*ids.items), id_cmp);
    for (size_t i = 0; i < ids.n; i++)
        out->streams += i == 0 || !cw_hash128_eq(ids.items[i - 1], ids.items[i]);
    free(ids.items);
    cw_units_fini(&units);
    return rc;
}

static void hidden_destroy(struct cw_source *source)
{
    struct hidden_source *h = hidden_of(source);
    cw_source_unref(&h->inner);
    cw_hidden_owner_unref(&h->owner);
    free(h->rules);
    free(h);
}

static const struct cw_source_ops source_ops = {
    .plan = hidden_plan,
    .open = hidden_open,
    .list = hidden_list_open,
    .stats = hidden_stats,
    .destroy = hidden_destroy,
};

struct cw_source *cw_hidden_source_new(struct cw_source *inner, const struct cw_hidden_rule *rules,
                                       size_t n, struct cw_hidden_owner *owner)
{
    struct hidden_source *h = cw_mem_new(sizeof(*h));
    h->base.ops = &source_ops;
    atomic_init(&h->base.refs, 1);
    h->base.min_ns = inner->min_ns;
    h->base.max_ns = inner->max_ns;
    h->inner = inner;
    h->owner = cw_hidden_owner_ref(owner);
    h->rules = cw_mem_array(n, sizeof(*h->rules));
    memcpy(h->rules, rules, n * sizeof(*rules));
    h->n = n;
    return &h->base;
}
