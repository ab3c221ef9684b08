/* head_duplicates.c - is there such an entry already? By order while that is cheap, by a table of hashes after. */
#include "common/store/head_priv.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/level_detect.h"

enum {
    /* Rows with one time that are compared one by one before a table is made. */
    DUPLICATES_WALK_ROWS = 48,
    DUPLICATES_SLOTS_FIRST = 256,
};

static bool same_but_level(struct cw_labels a, struct cw_labels b)
{
    for (size_t i = 0, j = 0; true; i++, j++) {
        i += i < a.n && cw_str_eq(a.items[i].name, CW_LEVEL_LABEL);
        j += j < b.n && cw_str_eq(b.items[j].name, CW_LEVEL_LABEL);
        if (i == a.n || j == b.n)
            return i == a.n && j == b.n;
        if (!cw_str_eq(a.items[i].name, b.items[j].name) ||
            !cw_str_eq(a.items[i].value, b.items[j].value))
            return false;
    }
}

static bool same_metadata(const struct head_block *block, uint32_t row,
                          const struct cw_push_entry *entry)
{
    const struct cw_labels *const *metadata =
        atomic_load_explicit(&block->metadata, memory_order_relaxed);
    struct cw_labels labels = {entry->metadata, entry->nmetadata};
    struct cw_labels old = head_metadata_row(metadata, row);
    if (cw_labels_eq(old, labels))
        return true;
    bool sent = !entry->level_found && cw_labels_has(labels, CW_LEVEL_LABEL);
    return !sent && same_but_level(old, labels);
}

static bool same_row(const struct head_block *block, uint32_t row,
                     const struct cw_push_entry *entry)
{
    return block->ts_ns[row] == entry->ts_ns &&
           cw_str_eq(head_block_line(block, row), entry->line) && same_metadata(block, row, entry);
}

/* Entries that differ in metadata alone share a hash: they are few. */
static uint32_t row_hash(int64_t ts_ns, struct cw_str line)
{
    uint64_t hash = cw_hash64(line.ptr, line.len) ^ (uint64_t)ts_ns * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static uint32_t row_hash_of(const struct head_stream *stream, uint32_t row)
{
    const struct head_block *block = head_stream_row_block(stream, row);
    uint32_t at = row - block->first_row;
    return row_hash(block->ts_ns[at], head_block_line(block, at));
}

static void slot_put(uint32_t *slots, uint32_t mask, uint32_t hash, uint32_t row)
{
    uint32_t at = hash & mask;
    while (slots[at])
        at = (at + 1) & mask;
    slots[at] = row + 1;
}

void head_table_drop(struct head_stream *stream)
{
    if (!stream->slots)
        return;
    head_count_bytes(stream->generation,
                     -(int64_t)(stream->slot_mask + (uint64_t)1) * (int64_t)sizeof(*stream->slots));
    free(stream->slots);
    stream->slots = NULL;
}

/* A table of `n` slots, a power of two, with the stream's first `nrows` rows. */
static void table_make(struct head_stream *stream, uint32_t n, uint32_t nrows)
{
    head_table_drop(stream);
    stream->slots = cw_mem_array(n, sizeof(*stream->slots));
    head_count_bytes(stream->generation, (int64_t)n * (int64_t)sizeof(*stream->slots));
    stream->slot_mask = n - 1;
    stream->nslots_used = nrows;
    for (uint32_t row = 0; row < nrows; row++)
        slot_put(stream->slots, stream->slot_mask, row_hash_of(stream, row), row);
}

void head_table_add(struct head_stream *stream, uint32_t row)
{
    if (!stream->slots)
        return;
    if (2 * (stream->nslots_used + 1) > stream->slot_mask) {
        table_make(stream, 2 * (stream->slot_mask + 1), row + 1);
        return;
    }
    slot_put(stream->slots, stream->slot_mask, row_hash_of(stream, row), row);
    stream->nslots_used++;
}

static bool table_has(const struct head_stream *stream, const struct cw_push_entry *entry)
{
    uint32_t at = row_hash(entry->ts_ns, entry->line) & stream->slot_mask;
    for (; stream->slots[at]; at = (at + 1) & stream->slot_mask) {
        uint32_t row = stream->slots[at] - 1;
        const struct head_block *block = head_stream_row_block(stream, row);
        if (same_row(block, row - block->first_row, entry))
            return true;
    }
    return false;
}

/* Rows in order: walk back from the end over those of that time. 1 there, 0 not there, -1 too many to walk. */
static int walk_has(const struct head_stream *stream, const struct cw_push_entry *entry)
{
    unsigned nwalked = 0;
    for (uint32_t b = stream->nblocks; b-- > 0;) {
        const struct head_block *block = stream->blocks[b];
        for (uint32_t row = block->nrows; row-- > 0;) {
            if (block->ts_ns[row] < entry->ts_ns)
                return 0;
            if (++nwalked > DUPLICATES_WALK_ROWS)
                return -1;
            if (same_row(block, row, entry))
                return 1;
        }
    }
    return 0;
}

bool head_has_row(struct head_stream *stream, const struct cw_push_entry *entry)
{
    if (!stream->slots) {
        if (!atomic_load_explicit(&stream->unordered, memory_order_relaxed)) {
            int has = walk_has(stream, entry);
            if (has >= 0)
                return has;
        }
        uint32_t n = DUPLICATES_SLOTS_FIRST;
        while (n <= 2 * stream->nrows)
            n *= 2;
        table_make(stream, n, stream->nrows);
    }
    return table_has(stream, entry);
}
