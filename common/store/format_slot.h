/*
 * format_slot.h - the text of a slot's values. The types are drawn in layout.h.
 *
 * Texts are written into `area`, which has room for n * cw_slot_text_room(type) + CW_SLOT_TEXT_SLACK bytes; CW_SLOT_TEXT_SLACK
 * bytes may be read from the front of each, however short it is.
 *
 * Errors     False: a value that no slot of the type holds. All texts are set even so, to anything within the room.
 */
#ifndef CW_STORE_FORMAT_SLOT_H
#define CW_STORE_FORMAT_SLOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/store/layout.h"

enum { CW_SLOT_TEXT_SLACK = 16, CW_SLOT_TEXT_MAX = 40 };

/* 0 for types whose values are texts: STR, QUOTED, RAW. */
size_t cw_slot_text_room(unsigned type);
/* TIME*, IP4, NUM, DEC, HEX. `digits` as in struct cw_column: NULL where the type has none (NUM: no leading zeros). */
bool cw_format_slots(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                     char *area, struct cw_str *texts);
/* The lengths of the same texts. False also for one that is not the value's alone, or longer than any slot's. */
bool cw_measure_slots(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                      uint8_t *sizes);
/* HEX32, UUID: value i is the 16 bytes wide[numbers[i]], which is there. */
void cw_format_wide_slots(unsigned type, const uint8_t (*wide)[16], const int64_t *numbers,
                          uint32_t n, char *area, struct cw_str *texts);

#endif
