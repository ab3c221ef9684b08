/*
 * layout.h - the templates of a block and the columns that their slots' values lie in.
 *
 * A line is cut into runs, maximal sequences of ASCII letters and digits, and what stands between. What has a digit (or is a
 * quoted value) becomes a slot of the type that its text says; the rest is the template's text, with one byte in place of each
 * slot. So a slot never touches a letter or digit outside itself, and its type follows from the line's text alone.
 *
 * Slots that are alike share a column: same type, same text before them (the last 8 bytes back to the slot before; where that is
 * under 4 bytes, the column of the slot before counts too). Nothing of this is stored: writer and reader add the templates in order of
 * first use and come to the same numbers.
 *
 * Ownership  Borrows the templates' texts; owns the rest.
 * Threads    One writer; read-only afterwards.
 * Errors     CW_E_LIMIT: over a bound of format.h. CW_E_CORRUPT: a text that no writer makes. Bad bytes never abort.
 */
#ifndef CW_STORE_LAYOUT_H
#define CW_STORE_LAYOUT_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/format.h"

/* The byte that stands for a slot in a template. The numbers stand in files: never renumber. A line that holds one of these
 * bytes (or 0x00) is one RAW slot; tab, LF, CR and ESC are ordinary text. */
enum cw_slot_type {
    CW_SLOT_TIME = 0x01,          /* dd:dd:dd: seconds of the day (hours up to 99) */
    CW_SLOT_TIME_DOT_MS = 0x02,   /* dd:dd:dd.ddd: ms */
    CW_SLOT_TIME_COMMA_MS = 0x03, /* dd:dd:dd,ddd: ms */
    CW_SLOT_IP4 = 0x04,           /* four octets without leading zeros */
    CW_SLOT_DEC = 0x05,   /* 12.50: mantissa 1250, 2 decimals; at most 18 digits, no leading zero */
    CW_SLOT_NUM = 0x06,   /* 1 to 19 digits that fit u64 */
    CW_SLOT_HEX = 0x07,   /* 6 to 16 small hex digits, a letter and a digit among them */
    CW_SLOT_HEX32 = 0x08, /* 32 small hex digits */
    CW_SLOT_UUID = 0x0e,  /* 8-4-4-4-12 small hex digits */
    CW_SLOT_STR = 0x0f,   /* any other run with a digit */
    CW_SLOT_QUOTED = 0x10, /* what stands between two quotes */
    CW_SLOT_RAW = 0x11,    /* a whole line */
};

/* 0x00-0x08 and 0x0e-0x11. */
static inline bool cw_slot_reserved(unsigned char c)
{
    return c <= 0x11 && (0x3c1ffu >> c & 1) != 0;
}
/* "num"; NULL: the byte stands for no slot. */
const char *cw_slot_name(unsigned type);
static inline bool cw_slot_is_string(unsigned type)
{
    return type == CW_SLOT_STR || type == CW_SLOT_QUOTED;
}

struct cw_slot {
    uint32_t at;     /* of its byte in the template's text */
    uint16_t column; /* number */
    uint8_t type;    /* enum cw_slot_type */
};

struct cw_template {
    struct cw_str text;
    uint32_t first_slot, nslots; /* in layout->slots */
};

struct cw_layout_column {
    uint64_t key; /* of the text before the slot */
    uint8_t type; /* enum cw_slot_type */
};

struct cw_layout {
    struct cw_template *templates;
    struct cw_slot *slots; /* NULL only if there is no template */
    struct cw_layout_column *columns;
    uint32_t ntemplates, nslots, ncolumns;
    uint32_t templates_cap, slots_cap, columns_cap;
    uint16_t *table; /* of columns by key and type: number + 1; 0 is free */
    uint32_t table_size;
};

void cw_layout_init(struct cw_layout *layout);
void cw_layout_fini(struct cw_layout *layout);
/* No template; the memory stays. */
void cw_layout_clear(struct cw_layout *layout);
/* The next template. After an error the layout is as before. */
int cw_layout_add(struct cw_layout *layout, struct cw_str text, struct cw_err *err) CW_MUST_USE;

#endif
