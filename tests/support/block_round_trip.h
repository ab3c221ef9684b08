/*
 * block_round_trip.h - lines through the block writer and back through the readers.
 */
#ifndef CW_TESTS_BLOCK_ROUND_TRIP_H
#define CW_TESTS_BLOCK_ROUND_TRIP_H
#include <stddef.h>
#include "common/base/codec.h"
#include "common/base/str.h"
#include "common/store/format.h"

struct block_round_trip {
    const char *wrong; /* NULL: every line came back; else what did not */
    enum cw_block_kind kind;
    size_t bytes, filter_bytes;
    uint32_t templates, columns;
};

/* At most CW_BLOCK_ROWS_MAX lines of together at most CW_BLOCK_RAW_TARGET bytes, or one. All lines are read, then some of them, and
 * sizes. */
struct block_round_trip block_round_trip(const struct cw_str *lines, size_t n, enum cw_codec codec);

#endif
