/* value_filter.c - a split-block bloom filter: a key chooses 32 bytes, and one bit in each 4 of them. */
#include "common/store/value_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/format.h"

enum {
    LANE_BYTES = 32,
    LANE_WORDS = 8,
    KEY_BITS = 10,
    HEADER_BYTES = 8,
};

struct cw_value_filter_builder {
    uint64_t *keys; /* as they were added, one perhaps more than once */
    size_t n, cap;
};

uint64_t cw_value_key(enum cw_slot_type type, uint64_t hi, uint64_t lo)
{
    /* Two rounds of multiply and fold; the steps of splitmix64 at the end. */
    uint64_t x = (hi ^ UINT64_C(0x8f3d5b1c6a97e245)) * UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x = (x + lo + (uint64_t)type * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 32;
}

struct cw_value_filter_builder *cw_value_filter_builder_new(void)
{
    return cw_mem_new(sizeof(struct cw_value_filter_builder));
}

void cw_value_filter_builder_free(struct cw_value_filter_builder **builder)
{
    if (*builder != NULL)
        free((*builder)->keys);
    free(*builder);
    *builder = NULL;
}

void cw_value_filter_builder_add(struct cw_value_filter_builder *b, uint64_t key)
{
    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 1024 : 2 * b->cap;
        b->keys = cw_mem_resize(b->keys, b->cap * sizeof(*b->keys));
    }
    b->keys[b->n++] = key;
}

void cw_value_filter_builder_move(struct cw_value_filter_builder *b,
                                  struct cw_value_filter_builder *from)
{
    if (b->n == 0) {
        struct cw_value_filter_builder swap = *b;
        *b = *from;
        *from = swap;
        return;
    }
    if (b->n + from->n > b->cap) {
        b->cap = CW_MAX(b->n + from->n, 2 * b->cap);
        b->keys = cw_mem_resize(b->keys, b->cap * sizeof(*b->keys));
    }
    if (from->n > 0)
        memcpy(b->keys + b->n, from->keys, from->n * sizeof(*b->keys));
    b->n += from->n;
    from->n = 0;
}

void cw_value_filter_builder_clear(struct cw_value_filter_builder *b)
{
    b->n = 0;
}

/* Odd numbers without a pattern: the top bits of key * number choose a bit of each word. */
static const uint32_t salts[LANE_WORDS] = {0x2f6b4a91, 0x9c3e75d7, 0x51a8e3c5, 0xe7194b2d,
                                           0x3d92c6f3, 0xb405d78f, 0x6acf1e47, 0x87d3509b};

static size_t lane_of(uint64_t key, uint32_t nlanes)
{
    return (size_t)((key >> 32) * nlanes >> 32);
}

static uint32_t bit_of(uint64_t key, size_t word)
{
    return UINT32_C(1) << ((uint32_t)key * salts[word] >> 27);
}

/* False when all its bits were set. */
static bool lane_set(uint8_t *lanes, uint32_t nlanes, uint64_t key)
{
    uint8_t *lane = lanes + lane_of(key, nlanes) * LANE_BYTES;
    uint32_t fresh = 0;
    for (size_t i = 0; i < LANE_WORDS; i++) {
        uint32_t word = cw_get32(lane + 4 * i), bit = bit_of(key, i);
        fresh |= bit & ~word;
        cw_put32(lane + 4 * i, word | bit);
    }
    return fresh != 0;
}

/* A filter with room for nkeys; how many of the keys were not in it when they came: nearly the distinct ones. */
static size_t lanes_fill(const struct cw_value_filter_builder *b, uint8_t *lanes, uint32_t nlanes)
{
    size_t fresh = 0;
    memset(lanes, 0, (size_t)nlanes * LANE_BYTES);
    for (size_t i = 0; i < b->n; i++)
        fresh += lane_set(lanes, nlanes, b->keys[i]);
    return fresh;
}

static uint32_t lanes_for(size_t nkeys)
{
    return (uint32_t)((nkeys * KEY_BITS + LANE_BYTES * 8 - 1) / (LANE_BYTES * 8));
}

bool cw_value_filter_builder_finish(struct cw_value_filter_builder *b, struct cw_buf *out)
{
    if (b->n == 0)
        return false;
    uint32_t nlanes = lanes_for(b->n);
    uint8_t *at = (uint8_t *)cw_buf_reserve(out, HEADER_BYTES + (size_t)nlanes * LANE_BYTES);
    if (at != NULL) {
        uint8_t *lanes = at + HEADER_BYTES;
        uint32_t enough = lanes_for(lanes_fill(b, lanes, nlanes));
        if (enough < nlanes) {
            nlanes = enough;
            lanes_fill(b, lanes, nlanes);
        }
        cw_put32(at, nlanes);
        cw_put32(at + 4, (uint32_t)cw_hash64(lanes, (size_t)nlanes * LANE_BYTES));
        out->len += HEADER_BYTES + (size_t)nlanes * LANE_BYTES;
    }
    b->n = 0;
    return at != NULL;
}

int cw_value_filter_open(struct cw_str bytes, struct cw_value_filter *out, struct cw_err *err)
{
    if (bytes.len < HEADER_BYTES)
        return cw_err_set(err, CW_E_CORRUPT, "value filter: it lies outside its region");
    uint32_t nlanes = cw_get32(bytes.ptr);
    if (nlanes == 0 || nlanes > (bytes.len - HEADER_BYTES) / LANE_BYTES)
        return cw_err_set(err, CW_E_CORRUPT, "value filter: its size is wrong");
    const uint8_t *lanes = (const uint8_t *)bytes.ptr + HEADER_BYTES;
    if ((uint32_t)cw_hash64(lanes, (size_t)nlanes * LANE_BYTES) != cw_get32(bytes.ptr + 4))
        return cw_err_set(err, CW_E_CORRUPT, "value filter: its checksum is wrong");
    *out = (struct cw_value_filter){lanes, nlanes};
    return 0;
}

size_t cw_value_filter_bytes(const struct cw_value_filter *f)
{
    return HEADER_BYTES + (size_t)f->nlanes * LANE_BYTES;
}

bool cw_value_filter_may_hold(const struct cw_value_filter *f, uint64_t key)
{
    const uint8_t *lane = f->lanes + lane_of(key, f->nlanes) * LANE_BYTES;
    for (size_t i = 0; i < LANE_WORDS; i++)
        if ((cw_get32(lane + 4 * i) & bit_of(key, i)) == 0)
            return false;
    return true;
}
