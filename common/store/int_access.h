/*
 * int_access.h - read any values of an integer column without decoding what stands before them. The bytes are drawn in format.h.
 *
 * Packed values (FOR, MINI, DICT, CONST) are read where they lie; differences (DELTA, BYTES) are decoded once, when it is opened.
 *
 * Ownership  Borrows the column's bytes and the arena's memory.
 * Errors     CW_E_CORRUPT. Bad bytes never abort, and nothing outside the column is read.
 */
#ifndef CW_STORE_INT_ACCESS_H
#define CW_STORE_INT_ACCESS_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_int_access {
    uint8_t encoding; /* enum cw_int_encoding; what was decoded: CW_INT_DELTA */
    uint32_t n;
    uint64_t scale;
    uint64_t least;         /* FOR, CONST */
    unsigned width;         /* FOR, DICT */
    struct cw_str packed;   /* FOR, DICT: the values or their numbers; MINI: the miniblocks */
    const uint32_t *starts; /* MINI: of each miniblock in it */
    const int64_t *
        values; /* DELTA: all; DICT: the distinct ones, ascending as unsigned numbers, before scaling */
    uint32_t ndistinct; /* DICT */
};

/* Of the column of n values at the front of `in`; *used_out (may be NULL: the column must fill `in`) is what it takes. */
int cw_int_access_open(struct cw_str in, size_t n, struct cw_arena *arena,
                       struct cw_int_access *out, size_t *used_out, struct cw_err *err) CW_MUST_USE;
/* Values [from, from + n) of the column; from + n is at most its count. */
int cw_int_access_read(const struct cw_int_access *access, uint32_t from, uint32_t n, int64_t *out,
                       struct cw_err *err) CW_MUST_USE;
/* The same of a column with a dictionary (CW_INT_DICT): not the values but their numbers in it, all under ndistinct. */
int cw_int_access_numbers(const struct cw_int_access *access, uint32_t from, uint32_t n,
                          int64_t *out, struct cw_err *err) CW_MUST_USE;

#endif
