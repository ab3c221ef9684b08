/*
 * slot_value.h - the values of a template's slots as text: print one, read one, and say what a part of one may look like.
 *
 * A value's text and its numbers say the same: printing gives the bytes that the line had, and a text that can be read as a value of
 * a type is printed by that value alone.
 */
#ifndef CW_STORE_SLOT_VALUE_H
#define CW_STORE_SLOT_VALUE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/store/layout.h"

/* A value of any type but STR, QUOTED and RAW, which are texts. */
struct cw_slot_value {
    uint64_t number; /* TIME*, IP4, NUM, HEX: the value; DEC: the mantissa; HEX32 and UUID: the last 8 bytes */
    uint64_t high;   /* HEX32, UUID: the first 8 bytes, big-endian */
    uint32_t digits; /* NUM, HEX: digits; DEC: decimals; else 0 */
};

enum {
    CW_SLOT_TEXT_MAX = 40, /* no such value is longer */
    CW_NUM_DIGITS_MAX = 19,
    CW_HEX_DIGITS_MAX = 16,
};

/* Bits (1 << type) of the types in whose values the byte may stand. RAW takes any, QUOTED any that is not reserved. */
uint32_t cw_slot_types_of(unsigned char c);
/* The type's longest text; SIZE_MAX when there is no bound. */
size_t cw_slot_text_max(enum cw_slot_type type);
/* All values of TIME*, HEX32 and UUID have one length. */
bool cw_slot_text_is_fixed(enum cw_slot_type type);

/* False when no value of the type is printed so. Not for strings. */
bool cw_slot_parse(enum cw_slot_type type, struct cw_str text, struct cw_slot_value *out);
/* Into `out`, which has room for CW_SLOT_TEXT_MAX bytes; returns the length. NUM with 0 digits: as many as it needs. */
size_t cw_slot_print(enum cw_slot_type type, const struct cw_slot_value *value, char *out);

/* May the text be the first bytes of a value (`first`), the last (`last`), all of it (both), or stand anywhere in it (neither)?
 * Every byte is of the type's alphabet already. */
bool cw_slot_may_hold(enum cw_slot_type type, struct cw_str text, bool first, bool last);

#endif
