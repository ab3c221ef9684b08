/*
 * part_reseal.h - any bytes become a part whose checksums are right, all of them, so that the bytes behind them are read.
 */
#ifndef CW_TESTS_PART_RESEAL_H
#define CW_TESTS_PART_RESEAL_H
#include <stddef.h>
#include <stdint.h>

/* Magics, blocks and their sections, groups of streams, chunks of postings, regions and footer. `len`: at least header and footer. */
void part_reseal(uint8_t *bytes, size_t len);

#endif
