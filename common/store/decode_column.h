/*
 * decode_column.h - one column of a block of templates: its values as they are, any of them alone, or as the texts that slots show.
 *
 * Ownership  Borrows the column's bytes, the dictionary, the lines and the arena's memory.
 * Threads    One.
 * Errors     CW_E_CORRUPT. Bad bytes never abort, nothing outside of them is read.
 */
#ifndef CW_STORE_DECODE_COLUMN_H
#define CW_STORE_DECODE_COLUMN_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/int_access.h"

/* A column, decoded. Values are in order of rows, in a row in order of slots. */
struct cw_column {
    uint8_t type; /* enum cw_slot_type */
    uint32_t n;
    /* TIME*, IP4, NUM, HEX: the value (NUM and HEX modulo 2^64); DEC: the mantissa. STR and QUOTED: the number of the string, HEX32 and
     * UUID: of the wide value; NULL: value i is number i. RAW: the line's length. */
    const int64_t *values;
    /* NUM: digits of each, NULL: no leading zeros; DEC: decimals; HEX: digits */
    const int64_t *digits;
    const struct cw_str *strings; /* STR, QUOTED: distinct but where values is NULL */
    const uint8_t (*wide)[16];    /* HEX32, UUID: likewise */
    uint32_t ndistinct;           /* of strings or wide */
    const char *raw;              /* RAW: the lines, one behind the other */
};

struct cw_column_reader {
    uint8_t type;
    uint32_t n;
    bool have_values, have_digits; /* else what struct cw_column says of NULL */
    struct cw_int_access values, digits;
    const struct cw_str *strings; /* STR, QUOTED; RAW: the lines */
    const uint8_t (*wide)[16];
    uint32_t ndistinct;
    const char *raw;
    const struct cw_str *
        texts; /* of the distinct values of a column of numbers that has a dictionary; NULL: not made */
};

/* `bytes` as format.h draws them, of n values. `texts`: of STR and QUOTED the dictionary, of RAW the section RAW; 16 bytes may be read
 * behind it. */
int cw_column_open(unsigned type, uint32_t n, struct cw_str bytes, struct cw_str texts,
                   struct cw_arena *arena, struct cw_column_reader *out,
                   struct cw_err *err) CW_MUST_USE;
/* All values. */
int cw_column_decode(const struct cw_column_reader *reader, struct cw_arena *arena,
                     struct cw_column *out, struct cw_err *err) CW_MUST_USE;

/* The text of value i of a decoded column of any type but RAW. `area` has room for one (format_slot.h); it is not used for strings. */
int cw_column_text(const struct cw_column *column, uint32_t i, char *area, struct cw_str *out,
                   struct cw_err *err) CW_MUST_USE;

/* Most values are about to be texted: those that come again and again are texted only once. */
int cw_column_texts_prepare(struct cw_column_reader *reader, struct cw_arena *arena,
                            struct cw_err *err) CW_MUST_USE;
/* Is it one and the same text for all values? */
bool cw_column_is_constant(const struct cw_column_reader *reader);
/* Values that are texted at once. */
enum { CW_COLUMN_TEXTS_MAX = 64 };
/*
 * The texts of values [from, from + n), n <= CW_COLUMN_TEXTS_MAX, and no more than there are. *texts_out points to `texts`, or to texts that
 * the column has. `area` as in format_slot.h; it is not used for strings.
 */
int cw_column_texts(const struct cw_column_reader *reader, uint32_t from, uint32_t n, char *area,
                    struct cw_str *texts, const struct cw_str **texts_out,
                    struct cw_err *err) CW_MUST_USE;

#endif
