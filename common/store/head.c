/* head.c - append, commit and roll back; generations and who holds them. */
#include "common/store/head_priv.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/memory_budget.h"

enum {
    /* A stream's next block holds what the push at hand has for it, and at least half of what its blocks hold already: a stream
     * of ten lines costs a kilobyte, a large one a block per 128 KiB of text. */
    BLOCK_FIRST_BYTES = 512,
    BLOCK_TEXT_BYTES = 128 << 10,
    BLOCK_ROWS_MAX = 16384,
    TENANT_SLOTS_FIRST = 8,
    /* A stream with one short line: its struct, its slots, its first block of 72 rows. */
    STREAM_COST_BYTES = 2048,
    /* Sets of metadata that a push repeats and that are remembered. */
    COPIES = 16,
};

void head_count_bytes(struct cw_generation *generation, int64_t delta)
{
    struct cw_head *head = generation->head;
    atomic_fetch_add_explicit(&generation->bytes, (uint64_t)delta, memory_order_relaxed);
    atomic_fetch_add_explicit(&head->bytes, (uint64_t)delta, memory_order_relaxed);
    if (delta >= 0)
        cw_memory_add(head->budget, CW_MEMORY_HEAD, (uint64_t)delta);
    else
        cw_memory_give(head->budget, CW_MEMORY_HEAD, (uint64_t)-delta);
}

/* ---- generations ---- */

static struct cw_generation *generation_new(struct cw_head *head)
{
    struct cw_generation *generation = cw_mem_new(sizeof(*generation));
    generation->head = head;
    generation->arena = cw_arena_new();
    generation->first_seq = head->seq + 1;
    atomic_init(&generation->last_seq, head->seq);
    atomic_init(&generation->refs, 1);
    return generation;
}

static void stream_free(struct head_stream *stream)
{
    for (uint32_t i = 0; i < stream->nblocks; i++) {
        free(atomic_load_explicit(&stream->blocks[i]->metadata, memory_order_relaxed));
        free(stream->blocks[i]);
    }
    free(stream->blocks);
    free(stream->slots);
}

void cw_generation_unref(struct cw_generation **handle)
{
    struct cw_generation *generation = *handle;
    *handle = NULL;
    if (!generation || atomic_fetch_sub_explicit(&generation->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (struct head_tenant *tenant = generation->first_tenant; tenant; tenant = tenant->next) {
        for (struct head_stream *stream = tenant->first; stream; stream = stream->next)
            stream_free(stream);
        free(tenant->slots);
    }
    free(generation->tenants);
    cw_id_map_fini(&generation->tenant_numbers);
    head_count_bytes(generation, -(int64_t)atomic_load(&generation->bytes));
    atomic_fetch_sub(&generation->head->nstreams, generation->nstreams);
    atomic_fetch_sub(&generation->head->nentries, generation->nentries);
    cw_arena_free(&generation->arena);
    free(generation);
}

static void list_add(struct cw_head *head, struct cw_generation *generation)
{
    pthread_mutex_lock(&head->lock);
    if (head->n == head->cap) {
        head->cap = head->cap ? 2 * head->cap : 8;
        head->items = cw_mem_resize(head->items, head->cap * sizeof(*head->items));
    }
    head->items[head->n++] = generation;
    head->current = generation;
    head_followers_add(head, generation);
    pthread_mutex_unlock(&head->lock);
}

struct cw_head *cw_head_new(uint64_t seq)
{
    struct cw_head *head = cw_mem_new(sizeof(*head));
    pthread_mutex_init(&head->lock, NULL);
    head->seq = seq;
    list_add(head, generation_new(head));
    return head;
}

void cw_head_set_budget(struct cw_head *head, struct cw_memory_budget *budget)
{
    head->budget = budget;
}

static uint64_t labels_cost(struct cw_labels labels)
{
    uint64_t bytes = labels.n * sizeof(struct cw_label);
    for (size_t i = 0; i < labels.n; i++)
        bytes += labels.items[i].name.len + labels.items[i].value.len;
    return bytes;
}

static uint64_t entries_cost(const struct cw_push_stream *stream)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < stream->nentries; i++) {
        const struct cw_push_entry *entry = &stream->entries[i];
        bytes += entry->line.len + sizeof(int64_t) + sizeof(uint32_t);
        if (entry->nmetadata == 0)
            continue;
        bytes += sizeof(struct cw_labels *);
        if (i == 0 || entry->metadata != entry[-1].metadata) /* shared: copied once */
            bytes += sizeof(struct cw_labels) +
                     labels_cost((struct cw_labels){entry->metadata, entry->nmetadata});
    }
    return bytes;
}

uint64_t cw_head_cost(const struct cw_push *push)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < push->nstreams; i++) {
        const struct cw_push_stream *stream = &push->streams[i];
        /* Blocks are up to half empty. */
        bytes += STREAM_COST_BYTES + labels_cost(stream->labels) + 2 * entries_cost(stream);
    }
    return bytes;
}

void cw_head_free(struct cw_head **handle)
{
    struct cw_head *head = *handle;
    if (!head)
        return;
    for (size_t i = 0; i < head->n; i++) {
        CW_ASSERT(atomic_load(&head->items[i]->refs) == 1);
        cw_generation_unref(&head->items[i]);
    }
    CW_ASSERT(!head->followers);
    free(head->items);
    pthread_mutex_destroy(&head->lock);
    free(head);
    *handle = NULL;
}

/* ---- tenants and streams ---- */

struct head_tenant *head_tenant_find(struct cw_generation *generation, struct cw_str name)
{
    size_t number;
    bool found =
        cw_id_map_find(&generation->tenant_numbers, cw_hash128(name.ptr, name.len), &number);
    return found ? generation->tenants[number] : NULL;
}

/* Snapshots look for tenants meanwhile. */
static void tenant_number(struct cw_generation *generation, struct head_tenant *tenant)
{
    bool added;
    pthread_mutex_lock(&generation->head->lock);
    if (generation->ntenants == generation->tenants_cap) {
        generation->tenants_cap = generation->tenants_cap ? 2 * generation->tenants_cap : 4;
        generation->tenants = cw_mem_resize(generation->tenants,
                                            generation->tenants_cap * sizeof(struct head_tenant *));
    }
    generation->tenants[generation->ntenants++] = tenant;
    cw_id_map_put(&generation->tenant_numbers, cw_hash128(tenant->name.ptr, tenant->name.len),
                  &added);
    CW_ASSERT(added);
    pthread_mutex_unlock(&generation->head->lock);
}

static struct head_tenant *tenant_make(struct cw_generation *generation, struct cw_str name)
{
    struct head_tenant *tenant = CW_ARENA_NEW(generation->arena, struct head_tenant);
    tenant->name = cw_arena_dup(generation->arena, name);
    atomic_init(&tenant->min_ns, INT64_MAX);
    atomic_init(&tenant->max_ns, INT64_MIN);
    tenant->slot_mask = TENANT_SLOTS_FIRST - 1;
    tenant->slots = cw_mem_array(TENANT_SLOTS_FIRST, sizeof(*tenant->slots));
    head_count_bytes(generation, TENANT_SLOTS_FIRST * sizeof(*tenant->slots));
    if (generation->last_tenant)
        atomic_store_explicit(&generation->last_tenant->next, tenant, memory_order_release);
    else
        atomic_store_explicit(&generation->first_tenant, tenant, memory_order_release);
    generation->last_tenant = tenant;
    tenant_number(generation, tenant);
    return tenant;
}

static struct head_stream **slot_of(struct head_stream **slots, size_t mask, struct cw_hash128 id)
{
    size_t at = id.lo & mask;
    while (slots[at] && !cw_hash128_eq(slots[at]->ref.id, id))
        at = (at + 1) & mask;
    return &slots[at];
}

struct head_stream *head_stream_find(const struct head_tenant *tenant, struct cw_hash128 id)
{
    return *slot_of(tenant->slots, tenant->slot_mask, id);
}

static void slots_grow(struct cw_generation *generation, struct head_tenant *tenant)
{
    size_t n = 2 * (tenant->slot_mask + 1);
    struct head_stream **slots = cw_mem_array(n, sizeof(*slots));
    for (struct head_stream *stream = tenant->first; stream; stream = stream->next)
        *slot_of(slots, n - 1, stream->ref.id) = stream;
    head_count_bytes(generation, (int64_t)(n - tenant->slot_mask - 1) * (int64_t)sizeof(*slots));
    free(tenant->slots);
    tenant->slots = slots;
    tenant->slot_mask = n - 1;
}

static struct head_stream *stream_make(struct cw_generation *generation, struct head_tenant *tenant,
                                       struct cw_hash128 id, struct cw_labels labels)
{
    struct head_stream *stream = CW_ARENA_NEW(generation->arena, struct head_stream);
    stream->ref.id = id;
    stream->ref.labels = cw_labels_dup(generation->arena, labels);
    stream->generation = generation;
    stream->max_ns = INT64_MIN;
    if (4 * (tenant->nstreams + 1) > 3 * (tenant->slot_mask + 1))
        slots_grow(generation, tenant);
    *slot_of(tenant->slots, tenant->slot_mask, id) = stream;
    tenant->nstreams++;
    generation->nstreams++;
    atomic_fetch_add_explicit(&generation->head->nstreams, 1, memory_order_relaxed);
    if (tenant->last)
        atomic_store_explicit(&tenant->last->next, stream, memory_order_release);
    else
        atomic_store_explicit(&tenant->first, stream, memory_order_release);
    tenant->last = stream;
    return stream;
}

static void stream_touch(struct cw_head *head, struct head_stream *stream)
{
    if (stream->touched)
        return;
    stream->touched = true;
    stream->undo_block = stream->nblocks ? stream->nblocks - 1 : 0;
    stream->undo_nrows = stream->nrows;
    stream->undo_max_ns = stream->max_ns;
    stream->next_touched = head->touched;
    head->touched = stream;
}

/* ---- rows ---- */

/* What of a stream's push is still to be appended. */
struct ahead {
    size_t nlines, bytes;
};

/* Room for a line of `len` bytes and, if it can be, for all that is ahead (the line included). */
static void block_push(struct cw_generation *generation, struct head_stream *stream, size_t len,
                       struct ahead ahead)
{
    size_t avg = CW_MAX(ahead.bytes / ahead.nlines, (size_t)8);
    size_t text_cap = CW_MAX((size_t)(stream->text_caps / 2), (size_t)BLOCK_FIRST_BYTES);
    text_cap = CW_MAX(CW_MIN(CW_MAX(text_cap, ahead.bytes), (size_t)BLOCK_TEXT_BYTES), len);
    size_t row_cap = CW_MIN(text_cap / avg + 8, (size_t)BLOCK_ROWS_MAX);
    size_t bytes = sizeof(struct head_block) + row_cap * (sizeof(int64_t) + sizeof(uint32_t)) +
                   sizeof(uint32_t) + text_cap;
    /* Not zeroed: the pages would be touched twice. */
    struct head_block *block = cw_mem_resize(NULL, bytes);
    *block = (struct head_block){.row_cap = (uint32_t)row_cap,
                                 .text_cap = (uint32_t)text_cap,
                                 .first_row = stream->nrows,
                                 .min_ns = INT64_MAX,
                                 .max_ns = INT64_MIN};
    block->ts_ns = (int64_t *)(block + 1);
    block->offsets = (uint32_t *)(block->ts_ns + row_cap);
    block->text = (char *)(block->offsets + row_cap + 1);
    block->offsets[0] = 0;
    head_count_bytes(generation, (int64_t)bytes);
    stream->text_caps += text_cap;
    if (stream->nblocks == stream->blocks_cap) {
        stream->blocks_cap = stream->blocks_cap ? 2 * stream->blocks_cap : 4;
        stream->blocks =
            cw_mem_resize(stream->blocks, stream->blocks_cap * sizeof(*stream->blocks));
        head_count_bytes(generation,
                         (stream->blocks_cap - stream->nblocks) * (int64_t)sizeof(*stream->blocks));
    }
    stream->blocks[stream->nblocks++] = block;
    if (stream->tail)
        atomic_store_explicit(&stream->tail->next, block, memory_order_release);
    else
        atomic_store_explicit(&stream->first, block, memory_order_release);
    stream->tail = block;
}

/* Entries of a push may share their metadata (discovery.h gives most one of a few pairs): it is copied once. */
struct copies {
    struct {
        const struct cw_label *from;
        const struct cw_labels *copy;
    } slots[COPIES];
};

static const struct cw_labels *metadata_copy(struct cw_generation *generation,
                                             struct copies *copies,
                                             const struct cw_push_entry *entry)
{
    size_t slot = (uintptr_t)entry->metadata / sizeof(struct cw_label) % COPIES;
    if (copies->slots[slot].from != entry->metadata ||
        copies->slots[slot].copy->n != entry->nmetadata) {
        struct cw_labels labels = {entry->metadata, entry->nmetadata};
        struct cw_labels *copy = CW_ARENA_NEW(generation->arena, struct cw_labels);
        *copy = cw_labels_dup(generation->arena, labels);
        copies->slots[slot].from = entry->metadata;
        copies->slots[slot].copy = copy;
    }
    return copies->slots[slot].copy;
}

static void block_set_metadata(struct cw_generation *generation, struct copies *copies,
                               struct head_block *block, const struct cw_push_entry *entry)
{
    const struct cw_labels **metadata =
        atomic_load_explicit(&block->metadata, memory_order_relaxed);
    if (!metadata) {
        if (entry->nmetadata == 0)
            return;
        metadata = cw_mem_array(block->row_cap, sizeof(*metadata));
        head_count_bytes(generation, (int64_t)block->row_cap * (int64_t)sizeof(*metadata));
        atomic_store_explicit(&block->metadata, metadata, memory_order_release);
    }
    metadata[block->nrows] = entry->nmetadata ? metadata_copy(generation, copies, entry) : NULL;
}

struct append {
    struct cw_head *head;
    const struct cw_head_batch *batch;
    struct head_tenant *tenant;
    struct cw_generation *
        *frozen; /* that wait for their flush: entries there are duplicates too; referenced */
    struct head_tenant **frozen_tenants; /* the tenant in each; NULL: not there */
    size_t nfrozen;
    struct head_stream **twins; /* the stream at hand in those of them that have it */
    size_t ntwins;
    struct cw_head_dropped *dropped; /* out, or NULL */
    const uint32_t *listed;          /* in, or NULL */
    size_t nlisted, at_listed;
    struct copies copies;
};

static void widen(_Atomic int64_t *min_ns, _Atomic int64_t *max_ns, int64_t ts_ns)
{
    if (ts_ns < atomic_load_explicit(min_ns, memory_order_relaxed))
        atomic_store_explicit(min_ns, ts_ns, memory_order_relaxed);
    if (ts_ns > atomic_load_explicit(max_ns, memory_order_relaxed))
        atomic_store_explicit(max_ns, ts_ns, memory_order_relaxed);
}

static void row_append(struct append *append, struct head_stream *stream,
                       const struct cw_push_entry *entry, struct ahead ahead)
{
    struct cw_generation *generation = append->head->current;
    struct head_tenant *tenant = append->tenant;
    struct head_block *block = stream->tail;
    if (!block || block->nrows == block->row_cap ||
        block->text_cap - block->text_len < entry->line.len) {
        block_push(generation, stream, entry->line.len, ahead);
        block = stream->tail;
    }
    uint32_t row = block->nrows;
    block->ts_ns[row] = entry->ts_ns;
    if (entry->line.len > 0)
        memcpy(block->text + block->text_len, entry->line.ptr, entry->line.len);
    block->text_len += (uint32_t)entry->line.len;
    block->offsets[row + 1] = block->text_len;
    block_set_metadata(generation, &append->copies, block, entry);
    block->nrows = row + 1;
    widen(&block->min_ns, &block->max_ns, entry->ts_ns);
    widen(&tenant->min_ns, &tenant->max_ns, entry->ts_ns);
    if (entry->ts_ns < stream->max_ns)
        atomic_store_explicit(&stream->unordered, true, memory_order_relaxed);
    else
        stream->max_ns = entry->ts_ns;
    head_table_add(stream, stream->nrows++);
}

/* ---- append ---- */

static bool is_duplicate(const struct append *append, struct head_stream *stream,
                         const struct cw_push_entry *entry)
{
    if (entry->ts_ns <= stream->max_ns && head_has_row(stream, entry))
        return true;
    for (size_t i = 0; i < append->ntwins; i++) {
        if (entry->ts_ns <= append->twins[i]->max_ns && head_has_row(append->twins[i], entry))
            return true;
    }
    return false;
}

static void dropped_add(struct cw_head_dropped *dropped, uint32_t idx)
{
    if (dropped->n == dropped->cap) {
        dropped->cap = dropped->cap ? 2 * dropped->cap : 64;
        dropped->items = cw_mem_resize(dropped->items, dropped->cap * sizeof(*dropped->items));
    }
    dropped->items[dropped->n++] = idx;
}

static void append_stream(struct append *append, const struct cw_push_stream *in,
                          struct cw_hash128 id, uint32_t first_idx)
{
    struct cw_generation *generation = append->head->current;
    bool check = append->batch->duplicates == CW_HEAD_DROP_DUPLICATES && append->dropped;
    struct head_stream *stream = head_stream_find(append->tenant, id);
    if (!stream)
        stream = stream_make(generation, append->tenant, id, in->labels);
    append->ntwins = 0;
    for (size_t i = 0; i < append->nfrozen; i++) {
        struct head_tenant *old = append->frozen_tenants[i];
        struct head_stream *found = old ? head_stream_find(old, id) : NULL;
        if (found)
            append->twins[append->ntwins++] = found;
    }
    stream_touch(append->head, stream);
    struct ahead ahead = {.nlines = in->nentries};
    for (size_t i = 0; i < in->nentries; i++)
        ahead.bytes += in->entries[i].line.len;
    for (size_t i = 0; i < in->nentries; ahead.nlines--, ahead.bytes -= in->entries[i++].line.len) {
        uint32_t idx = first_idx + (uint32_t)i;
        if (append->at_listed < append->nlisted && append->listed[append->at_listed] == idx) {
            append->at_listed++;
            continue;
        }
        if (check && is_duplicate(append, stream, &in->entries[i])) {
            dropped_add(append->dropped, idx);
            continue;
        }
        row_append(append, stream, &in->entries[i], ahead);
    }
}

static void append_all(struct append *append)
{
    struct cw_generation *generation = append->head->current;
    uint32_t idx = 0;
    if (append->batch->push->nentries == 0)
        return;
    append->tenant = head_tenant_find(generation, append->batch->tenant);
    if (!append->tenant)
        append->tenant = tenant_make(generation, append->batch->tenant);
    for (size_t i = 0; i < append->batch->push->nstreams; i++) {
        const struct cw_push_stream *stream = &append->batch->push->streams[i];
        if (stream->nentries > 0)
            append_stream(append, stream, append->batch->ids[i], idx);
        idx += (uint32_t)stream->nentries;
    }
    size_t arena_bytes = cw_arena_bytes(generation->arena);
    head_count_bytes(generation, (int64_t)arena_bytes - (int64_t)generation->arena_bytes);
    generation->arena_bytes = arena_bytes;
}

/* Hold the generations that wait for their flush, and find the tenant in them. */
static void frozen_hold(struct append *append)
{
    struct cw_head *head = append->head;
    pthread_mutex_lock(&head->lock);
    append->nfrozen = head->n - 1;
    append->frozen = cw_mem_array(head->n, sizeof(*append->frozen));
    for (size_t i = 0; i < append->nfrozen; i++) {
        append->frozen[i] = head->items[i];
        atomic_fetch_add_explicit(&head->items[i]->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&head->lock);
    append->frozen_tenants = cw_mem_array(append->nfrozen + 1, sizeof(*append->frozen_tenants));
    append->twins = cw_mem_array(append->nfrozen + 1, sizeof(*append->twins));
    for (size_t i = 0; i < append->nfrozen; i++) {
        append->frozen_tenants[i] = head_tenant_find(append->frozen[i], append->batch->tenant);
        if (append->frozen_tenants[i] && append->frozen_tenants[i]->deleted)
            append->frozen_tenants[i] = NULL;
    }
}

static void frozen_let_go(struct append *append)
{
    for (size_t i = 0; i < append->nfrozen; i++)
        cw_generation_unref(&append->frozen[i]);
    free(append->frozen);
    free(append->frozen_tenants);
    free(append->twins);
}

void cw_head_append(struct cw_head *head, const struct cw_head_batch *batch,
                    struct cw_head_dropped *dropped)
{
    struct append append = {.head = head, .batch = batch, .dropped = dropped};
    if (batch->duplicates == CW_HEAD_DROP_DUPLICATES)
        frozen_hold(&append);
    append_all(&append);
    frozen_let_go(&append);
}

void cw_head_append_listed(struct cw_head *head, const struct cw_head_batch *batch,
                           const uint32_t *dropped, size_t ndropped)
{
    struct append append = {.head = head, .batch = batch, .listed = dropped, .nlisted = ndropped};
    append_all(&append);
}

/* ---- commit, rollback ---- */

void cw_head_commit(struct cw_head *head, uint64_t seq)
{
    struct cw_generation *generation = head->current;
    for (struct head_stream *stream = head->touched; stream; stream = stream->next_touched) {
        uint64_t nentries = stream->nrows - stream->undo_nrows, bytes = 0;
        for (uint32_t i = stream->undo_block; i < stream->nblocks; i++) {
            struct head_block *block = stream->blocks[i];
            uint32_t seen = atomic_load_explicit(&block->nvisible, memory_order_relaxed);
            bytes += block->text_len - block->offsets[seen];
            atomic_store_explicit(&block->nvisible, block->nrows, memory_order_release);
        }
        atomic_fetch_add_explicit(&stream->nentries, nentries, memory_order_relaxed);
        atomic_fetch_add_explicit(&stream->line_bytes, bytes, memory_order_relaxed);
        generation->nentries += nentries;
        atomic_fetch_add_explicit(&head->nentries, nentries, memory_order_relaxed);
        stream->touched = false;
    }
    head->touched = NULL;
    head->seq = seq;
    atomic_store_explicit(&generation->last_seq, seq, memory_order_release);
}

/* A generation without entries is never flushed: what rolled back pushes left in it would stay for good. */
static void shed_empty(struct cw_head *head)
{
    struct cw_generation *generation = head->current;
    if (generation->nentries > 0 || !generation->first_tenant)
        return;
    list_add(head, generation_new(head));
    cw_head_drop(head, generation);
}

void cw_head_rollback(struct cw_head *head)
{
    for (struct head_stream *stream = head->touched; stream; stream = stream->next_touched) {
        head_table_drop(stream);
        /* Blocks stay where readers may have found them; the writer goes back to the one it filled before. */
        for (uint32_t i = stream->undo_block; i < stream->nblocks; i++) {
            struct head_block *block = stream->blocks[i];
            block->nrows = atomic_load_explicit(&block->nvisible, memory_order_relaxed);
            block->text_len = block->offsets[block->nrows];
        }
        stream->nrows = stream->undo_nrows;
        stream->max_ns = stream->undo_max_ns;
        for (uint32_t i = stream->undo_block + 1; i < stream->nblocks; i++)
            stream->blocks[i]->first_row = stream->nrows;
        stream->touched = false;
    }
    head->touched = NULL;
    shed_empty(head);
}

struct cw_generation *cw_head_freeze(struct cw_head *head)
{
    struct cw_generation *generation = head->current;
    CW_ASSERT(!head->touched);
    if (generation->nentries == 0)
        return NULL;
    atomic_fetch_add_explicit(&generation->refs, 1, memory_order_relaxed);
    list_add(head, generation_new(head));
    return generation;
}

static bool generation_touches(struct cw_generation *generation, struct cw_str tenant,
                               int64_t first_ns, int64_t last_ns)
{
    const struct head_tenant *found = head_tenant_find(generation, tenant);
    return found && atomic_load_explicit(&found->min_ns, memory_order_relaxed) <= last_ns &&
           atomic_load_explicit(&found->max_ns, memory_order_relaxed) >= first_ns;
}

bool cw_head_current_touches(struct cw_head *head, struct cw_str tenant, int64_t first_ns,
                             int64_t last_ns)
{
    return generation_touches(head->current, tenant, first_ns, last_ns);
}

void cw_head_forget_duplicates(struct cw_head *head, struct cw_str tenant)
{
    CW_ASSERT(!head->touched);
    pthread_mutex_lock(&head->lock);
    for (size_t i = 0; i < head->n; i++) {
        struct head_tenant *found = head_tenant_find(head->items[i], tenant);
        if (found && head->items[i] != head->current)
            found->deleted = true;
    }
    pthread_mutex_unlock(&head->lock);
}

bool cw_head_waits(struct cw_head *head, uint64_t seq, struct cw_str tenant, int64_t first_ns,
                   int64_t last_ns)
{
    bool waits = false;
    pthread_mutex_lock(&head->lock);
    for (size_t i = 0; i + 1 < head->n; i++) /* the last one is the current one */
        waits |= cw_generation_last_seq(head->items[i]) <= seq &&
                 generation_touches(head->items[i], tenant, first_ns, last_ns);
    pthread_mutex_unlock(&head->lock);
    return waits;
}

void cw_head_drop(struct cw_head *head, struct cw_generation *generation)
{
    struct cw_generation *gone = NULL;
    pthread_mutex_lock(&head->lock);
    for (size_t i = 0; i < head->n; i++) {
        if (head->items[i] != generation)
            continue;
        gone = head->items[i];
        memmove(&head->items[i], &head->items[i + 1], (head->n - i - 1) * sizeof(*head->items));
        head->n--;
        break;
    }
    pthread_mutex_unlock(&head->lock);
    cw_generation_unref(&gone);
}

void cw_head_add_sources(struct cw_head *head, struct cw_str tenant, int64_t horizon_ns,
                         struct cw_snapshot *out)
{
    pthread_mutex_lock(&head->lock);
    out->sources = cw_mem_resize(out->sources, (out->n + head->n) * sizeof(*out->sources));
    for (size_t i = 0; i < head->n; i++) {
        struct head_tenant *found = head_tenant_find(head->items[i], tenant);
        if (found)
            out->sources[out->n++] = head_source_new(head->items[i], found, horizon_ns);
    }
    pthread_mutex_unlock(&head->lock);
}

uint64_t cw_head_bytes(const struct cw_head *head)
{
    return atomic_load_explicit(&head->bytes, memory_order_relaxed);
}

uint64_t cw_head_current_bytes(const struct cw_head *head)
{
    return atomic_load_explicit(&head->current->bytes, memory_order_relaxed);
}

uint64_t cw_head_streams(const struct cw_head *head)
{
    return atomic_load_explicit(&head->nstreams, memory_order_relaxed);
}

uint64_t cw_head_entries(const struct cw_head *head)
{
    return atomic_load_explicit(&head->nentries, memory_order_relaxed);
}

uint64_t cw_generation_first_seq(const struct cw_generation *generation)
{
    return generation->first_seq;
}

uint64_t cw_generation_last_seq(const struct cw_generation *generation)
{
    return atomic_load_explicit(&generation->last_seq, memory_order_acquire);
}
