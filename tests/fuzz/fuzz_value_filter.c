/*
 * Any bytes as a value filter, as they are and with the checksum put right: what opens lies in the bytes, and answers. And the bytes as keys: a
 * filter that was made of them holds each.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/format.h"
#include "common/store/value_filter.h"

enum { KEY_BYTES = 8, HEADER_BYTES = 8, LANE_BYTES = 32 };

static uint64_t key_at(const uint8_t *data, size_t i)
{
    return cw_get64(data + i * KEY_BYTES);
}

/* Keys of all kinds are asked of it. Returns how many it may hold. */
static size_t ask(const struct cw_value_filter *filter, const uint8_t *data, size_t nkeys)
{
    static const enum cw_slot_type types[] = {CW_SLOT_IP4, CW_SLOT_NUM, CW_SLOT_HEX, CW_SLOT_HEX32,
                                              CW_SLOT_UUID};
    size_t held = 0;
    for (size_t i = 0; i < nkeys; i++) {
        uint64_t key = key_at(data, i);
        held += cw_value_filter_may_hold(filter, key);
        (void)cw_value_filter_may_hold(filter, cw_value_key(types[i % CW_COUNT(types)], key, ~key));
    }
    (void)cw_value_filter_may_hold(filter, 0);
    (void)cw_value_filter_may_hold(filter, UINT64_MAX);
    return held;
}

static void open_and_ask(struct cw_str bytes, const uint8_t *data, size_t nkeys)
{
    struct cw_value_filter filter;
    struct cw_err err;
    int rc = cw_value_filter_open(bytes, &filter, &err);
    if (rc == 0)
        CW_ASSERT(cw_value_filter_bytes(&filter) <= bytes.len && filter.nlanes > 0);
    if (rc == 0)
        ask(&filter, data, nkeys);
    else
        CW_ASSERT(rc == CW_E_CORRUPT);
}

/* With the checksum of as many lanes as it says that it has. */
static void reseal(char *bytes, size_t len)
{
    size_t lanes = cw_get32(bytes);
    if (lanes <= (len - HEADER_BYTES) / LANE_BYTES)
        cw_put32(bytes + 4, (uint32_t)cw_hash64(bytes + HEADER_BYTES, lanes * LANE_BYTES));
}

static void round_trip(const uint8_t *data, size_t nkeys)
{
    struct cw_value_filter_builder *first = cw_value_filter_builder_new(),
                                   *second = cw_value_filter_builder_new();
    struct cw_value_filter filter;
    struct cw_buf out;
    struct cw_err err;
    cw_buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < nkeys; i++)
        cw_value_filter_builder_add(i % 3 == 0 ? first : second, key_at(data, i));
    cw_value_filter_builder_move(second, first);
    CW_ASSERT(!cw_value_filter_builder_finish(first, &out));
    CW_ASSERT(cw_value_filter_builder_finish(second, &out) == (nkeys > 0));
    if (nkeys > 0) {
        CW_ASSERT(cw_value_filter_open(cw_buf_str(&out), &filter, &err) == 0);
        CW_ASSERT(cw_value_filter_bytes(&filter) == out.len);
        CW_ASSERT(ask(&filter, data, nkeys) == nkeys);
        CW_ASSERT(cw_value_filter_open(cw_str_sub(cw_buf_str(&out), 0, out.len - 1), &filter,
                                       &err) == CW_E_CORRUPT);
    }
    cw_value_filter_builder_free(&first);
    cw_value_filter_builder_free(&second);
    cw_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t nkeys = size / KEY_BYTES;
    round_trip(data, nkeys);
    char *copy = malloc(size + 1); /* of its own, so that a read past its end is seen */
    if (size > 0)
        memcpy(copy, data, size);
    open_and_ask(cw_str_make(copy, size), data, nkeys);
    if (size >= HEADER_BYTES) {
        reseal(copy, size);
        open_and_ask(cw_str_make(copy, size), data, nkeys);
    }
    free(copy);
    return 0;
}
