/*
 * slot_value.h - read the text of a slot's value, and say what a part of one may look like. A text that can be read is the text of
 * that value alone (format_slot.h prints it).
 */
#ifndef CW_STORE_SLOT_VALUE_H
#define CW_STORE_SLOT_VALUE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/store/layout.h"

/* A value of any type but STR, QUOTED and RAW, which are texts. */
struct cw_slot_value {
    uint64_t
        number; /* TIME*, IP4, NUM, HEX: the value; DEC: the mantissa; HEX32 and UUID: the last 8 bytes */
    uint64_t high;   /* HEX32, UUID: the first 8 bytes, big-endian */
    uint32_t digits; /* NUM, HEX: digits; DEC: decimals; else 0 */
};

/* Bits (1 << type) of the types in whose values the byte may stand. RAW takes any, QUOTED any that is not reserved. */
uint32_t cw_slot_types_of(unsigned char c);
/* The type's longest text; SIZE_MAX when there is no bound. */
size_t cw_slot_text_max(enum cw_slot_type type);

/* False when no value of the type is printed so. Not for strings. */
bool cw_slot_parse(enum cw_slot_type type, struct cw_str text, struct cw_slot_value *out);

/* May the text be the first bytes of a value (`first`), the last (`last`), all of it (both), or stand anywhere in it (neither)?
 * Every byte is of the type's alphabet already. */
bool cw_slot_may_hold(enum cw_slot_type type, struct cw_str text, bool first, bool last);

#endif
