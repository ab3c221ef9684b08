#include "querier/engine/log_top.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/stop_sort.h"

enum {
    /* Of an allocation, and the array that is up to half empty. */
    ENTRY_OVERHEAD_BYTES = 32 + sizeof(struct cw_log_entry),
    /* Taken from the allowance at once. */
    TAKE_BYTES = 64 << 10,
};

struct cw_log_origin *cw_log_origin_new(struct cw_labels labels)
{
    struct cw_log_origin *origin = cw_mem_new(sizeof *origin);
    origin->refs = 1;
    origin->labels = cw_labels_dup_heap(labels);
    return origin;
}

static struct cw_log_origin *origin_ref(struct cw_log_origin *origin)
{
    origin->refs++;
    return origin;
}

void cw_log_origin_unref(struct cw_log_origin **handle)
{
    struct cw_log_origin *origin = *handle;
    *handle = NULL;
    if (origin == NULL || --origin->refs > 0)
        return;
    free((struct cw_label *)origin->labels.items);
    free(origin);
}

void cw_log_top_init(struct cw_log_top *top, bool newest_first, size_t max_entries,
                     size_t max_bytes, struct cw_allowance *allowance)
{
    memset(top, 0, sizeof *top);
    top->allowance = allowance;
    top->newest_first = newest_first;
    top->max_entries = max_entries;
    top->max_bytes = max_bytes;
}

static bool has_own_stream(const struct cw_log_entry *entry)
{
    const struct cw_labels *origin = &entry->origin->labels;
    return entry->stream.items != origin->items || entry->stream.n != origin->n;
}

/* So that labels may stand behind so many bytes. */
static size_t aligned(size_t bytes)
{
    size_t to = _Alignof(struct cw_label);
    return (bytes + to - 1) / to * to;
}

static size_t texts_bytes(const struct cw_log_entry *entry)
{
    return aligned(cw_labels_block_bytes(entry->metadata)) +
           aligned(cw_labels_block_bytes(entry->parsed)) +
           (has_own_stream(entry) ? aligned(cw_labels_block_bytes(entry->stream)) : 0) +
           entry->line.len;
}

size_t cw_log_entry_bytes(const struct cw_log_entry *entry)
{
    return ENTRY_OVERHEAD_BYTES + sizeof *entry + texts_bytes(entry);
}

void cw_log_entry_fini(struct cw_log_entry *entry)
{
    cw_log_origin_unref(&entry->origin);
    free(entry->block);
}

static struct cw_labels copy_labels(char **to, struct cw_labels labels)
{
    struct cw_labels copy = cw_labels_copy_into(*to, labels);
    *to += aligned(cw_labels_block_bytes(labels));
    return copy;
}

struct cw_log_entry cw_log_entry_copy(const struct cw_log_entry *entry, size_t ahead)
{
    struct cw_log_entry copy = *entry;
    ahead = aligned(ahead);
    copy.block = cw_mem_new(ahead + texts_bytes(entry) + 1);
    char *to = (char *)copy.block + ahead;
    copy.origin = origin_ref(entry->origin);
    copy.metadata = copy_labels(&to, entry->metadata);
    copy.parsed = copy_labels(&to, entry->parsed);
    if (has_own_stream(entry))
        copy.stream = copy_labels(&to, entry->stream);
    if (entry->line.len > 0)
        memcpy(to, entry->line.ptr, entry->line.len);
    copy.line = cw_str_make(to, entry->line.len);
    return copy;
}

void cw_log_top_fini(struct cw_log_top *top)
{
    for (size_t i = 0; i < top->n; i++)
        cw_log_entry_fini(&top->items[i]);
    free(top->items);
    cw_log_origin_unref(&top->bound.origin);
    top->items = NULL;
    top->n = top->cap = top->bytes = 0;
    cw_allowance_give(top->allowance, top->taken);
    top->taken = 0;
}

/* Times are the same: labels, then arrival. The direction is turned by the caller. */
static int compare_ties(const struct cw_log_entry *a, const struct cw_log_entry *b)
{
    if (a->origin != b->origin) {
        int order = cw_labels_cmp(a->origin->labels, b->origin->labels);
        if (order != 0)
            return order;
    }
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

int cw_log_cmp(const struct cw_log_entry *a, const struct cw_log_entry *b, bool newest_first)
{
    int order = (a->ts_ns > b->ts_ns) - (a->ts_ns < b->ts_ns);
    if (order == 0)
        order = compare_ties(a, b);
    if (order != 0)
        return newest_first ? -order : order;
    return (a->tie > b->tie) - (a->tie < b->tie); /* the cursor counts in its own direction */
}

bool cw_log_before(const struct cw_log_entry *a, const struct cw_log_entry *b, bool newest_first)
{
    return cw_log_cmp(a, b, newest_first) < 0;
}

bool cw_log_top_takes(const struct cw_log_top *top, const struct cw_log_entry *entry)
{
    if (top->bounded && !cw_log_before(entry, &top->bound, top->newest_first))
        return false;
    return top->n < top->max_entries || cw_log_before(entry, &top->items[0], top->newest_first);
}

static void sift_up(struct cw_log_top *top, size_t i)
{
    struct cw_log_entry entry = top->items[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!cw_log_before(&top->items[parent], &entry, top->newest_first))
            break;
        top->items[i] = top->items[parent];
        i = parent;
    }
    top->items[i] = entry;
}

static void sift_down(struct cw_log_top *top, struct cw_log_entry entry)
{
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= top->n)
            break;
        if (child + 1 < top->n &&
            cw_log_before(&top->items[child], &top->items[child + 1], top->newest_first))
            child++;
        if (!cw_log_before(&entry, &top->items[child], top->newest_first))
            break;
        top->items[i] = top->items[child];
        i = child;
    }
    top->items[i] = entry;
}

struct cw_log_entry cw_log_entry_place(const struct cw_log_entry *entry)
{
    struct cw_log_entry place = *entry;
    place.block = NULL;
    place.line = CW_STR_NONE;
    place.stream = place.metadata = place.parsed = CW_LABELS_NONE;
    place.origin = origin_ref(entry->origin);
    return place;
}

static void set_bound(struct cw_log_top *top, const struct cw_log_entry *entry)
{
    if (top->bounded && !cw_log_before(entry, &top->bound, top->newest_first))
        return;
    top->bounded = true;
    cw_log_origin_unref(&top->bound.origin);
    top->bound = cw_log_entry_place(entry);
}

static void evict_worst(struct cw_log_top *top)
{
    struct cw_log_entry worst = top->items[0];
    top->bytes -= cw_log_entry_bytes(&worst);
    set_bound(top, &worst);
    cw_log_entry_fini(&worst);
    top->n--;
    if (top->n > 0)
        sift_down(top, top->items[top->n]);
}

/* Takes the entry's texts. */
static void insert_owned(struct cw_log_top *top, const struct cw_log_entry *entry)
{
    if (top->n == top->cap) {
        top->cap = top->cap > 0 ? top->cap * 2 : 64;
        top->items = cw_mem_resize(top->items, top->cap * sizeof *top->items);
    }
    top->items[top->n] = *entry;
    sift_up(top, top->n++);
    top->bytes += cw_log_entry_bytes(entry);
    while (top->n > top->max_entries || (top->bytes > top->max_bytes && top->n > 1))
        evict_worst(top);
}

/* Room for so much more. */
static int take(struct cw_log_top *top, size_t bytes, struct cw_err *err)
{
    size_t want = top->bytes + bytes;
    if (want <= top->taken)
        return 0;
    size_t more = CW_MAX(want - top->taken, (size_t)TAKE_BYTES);
    int rc = cw_allowance_take(top->allowance, more, err);
    if (rc == 0)
        top->taken += more;
    return rc;
}

int cw_log_top_add(struct cw_log_top *top, const struct cw_log_entry *entry, struct cw_err *err)
{
    if (!cw_log_top_takes(top, entry)) {
        set_bound(top, entry);
        return 0;
    }
    int rc = take(top, cw_log_entry_bytes(entry), err);
    if (rc < 0)
        return rc;
    struct cw_log_entry copy = cw_log_entry_copy(entry, 0);
    insert_owned(top, &copy);
    return 0;
}

void cw_log_top_merge(struct cw_log_top *top, struct cw_log_top *from)
{
    if (from->bounded)
        set_bound(top, &from->bound);
    cw_log_origin_unref(&from->bound.origin);
    from->bounded = false;
    while (top->bounded && top->n > 0 &&
           !cw_log_before(&top->items[0], &top->bound, top->newest_first))
        evict_worst(top);
    for (size_t i = 0; i < from->n; i++) {
        struct cw_log_entry *entry = &from->items[i];
        if (cw_log_top_takes(top, entry)) {
            insert_owned(top, entry);
        } else {
            set_bound(top, entry);
            cw_log_entry_fini(entry);
        }
    }
    from->n = from->bytes = 0;
    top->taken += from->taken;
    from->taken = 0;
    if (top->taken > top->bytes + TAKE_BYTES) {
        size_t spare = top->taken - top->bytes - TAKE_BYTES;
        cw_allowance_give(top->allowance, spare);
        top->taken -= spare;
    }
}

bool cw_log_top_cut(const struct cw_log_top *top, int64_t *ts_ns_out)
{
    if (top->bounded)
        *ts_ns_out = top->bound.ts_ns;
    else if (top->n > 0 && top->n == top->max_entries)
        *ts_ns_out = top->items[0].ts_ns;
    else
        return false;
    return true;
}

static int in_order(const void *a, const void *b, void *arg)
{
    const struct cw_log_top *top = arg;
    return cw_log_cmp(a, b, top->newest_first);
}

int cw_log_top_sort(struct cw_log_top *top, struct cw_err *err)
{
    return cw_stop_sort(top->items, top->n, sizeof *top->items, in_order, top, err);
}
