/*
 * distinct.h - how many different values there are: exactly up to CW_DISTINCT_EXACT, from then on as HyperLogLog estimates it
 * (Flajolet, Fusy, Gandouet, Meunier, 2007), within 2 % in 99 of 100 cases.
 *
 * Memory     At most CW_DISTINCT_BYTES, however many values there are.
 * Threads    One.
 */
#ifndef CW_ENGINE_DISTINCT_H
#define CW_ENGINE_DISTINCT_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"

enum {
    CW_DISTINCT_EXACT = 1024,
    CW_DISTINCT_BYTES = 2 * CW_DISTINCT_EXACT * sizeof(uint64_t),
};

/* Zeroed: no value. */
struct cw_distinct {
    uint64_t *hashes; /* a table; 0 is free. NULL once they are too many */
    size_t n, cap;
    uint8_t *registers; /* of the estimate; NULL while it is exact */
};

void cw_distinct_fini(struct cw_distinct *distinct);
void cw_distinct_add(struct cw_distinct *distinct, struct cw_str value);
uint64_t cw_distinct_get(const struct cw_distinct *distinct);

#endif
