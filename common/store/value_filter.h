/*
 * value_filter.h - a split-block bloom filter over a block's values of many digits: may this value be in it?
 *
 * Keys are values of IP4, HEX, HEX32 and UUID slots and of NUM slots with 6 or more digits: what a word in TEXT cannot tell. 32
 * bytes a lane, eight bits a key, one in each 4 bytes of a lane (Putze, Sanders, Singler: Cache-, hash- and space-efficient bloom filters,
 * 2007; Parquet's "split block bloom filter" draws the same). 10 bits a key: 1.2 % of what is not there is said to be.
 *
 * It may only be asked for a value that, if the line holds it, fills a slot of that type: who asks proves that.
 *
 * Ownership  A builder owns its keys. A filter's bytes are borrowed.
 * Errors     CW_E_CORRUPT.
 */
#ifndef CW_STORE_VALUE_FILTER_H
#define CW_STORE_VALUE_FILTER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/layout.h"

/* The key of a value; `lo` is all of it but for HEX32 and UUID, whose first 8 bytes are `hi` (big-endian). HEX: digit counts do not
 * count. */
uint64_t cw_value_key(enum cw_slot_type type, uint64_t hi, uint64_t lo);

struct cw_value_filter_builder;
struct cw_value_filter_builder *cw_value_filter_builder_new(void);
void cw_value_filter_builder_free(struct cw_value_filter_builder **builder);
/* Once or more often. */
void cw_value_filter_builder_add(struct cw_value_filter_builder *builder, uint64_t key);
/* Take the keys of `from`, which has none afterwards. */
void cw_value_filter_builder_move(struct cw_value_filter_builder *builder,
                                  struct cw_value_filter_builder *from);
/* No key. */
void cw_value_filter_builder_clear(struct cw_value_filter_builder *builder);
/* Append the filter as format.h draws it (nothing when no key was added: false), and begin an empty one. */
bool cw_value_filter_builder_finish(struct cw_value_filter_builder *builder, struct cw_buf *out);

struct cw_value_filter {
    const uint8_t *lanes;
    uint32_t nlanes;
};
/* `bytes` begin with the filter. */
int cw_value_filter_open(struct cw_str bytes, struct cw_value_filter *out,
                         struct cw_err *err) CW_MUST_USE;
/* Of the filter as format.h draws it. */
size_t cw_value_filter_bytes(const struct cw_value_filter *filter);
bool cw_value_filter_may_hold(const struct cw_value_filter *filter, uint64_t key);

#endif
