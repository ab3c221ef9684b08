/*
 * byte_classes.h - which bytes of a text are letters, digits, quotes: a bit for each, 64 bytes at a time.
 *
 * Ownership  Owns its bitmaps, which are used again for the next text.
 * Threads    One.
 */
#ifndef CW_STORE_BYTE_CLASSES_H
#define CW_STORE_BYTE_CLASSES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text may be read, whatever is there, up to so many bytes past its end. */
enum { CW_BYTE_CLASSES_SLACK = 64 };

/*
 * Bit i % 64 of word i / 64 is for byte i. Words before the first and behind the last are there, and 0, so that 64 bits may be loaded
 * at any byte of a bitmap and just before it.
 */
struct cw_byte_classes {
    uint64_t *alnum;
    uint64_t *digit;
    uint64_t *hex;   /* digits and small letters up to f */
    uint64_t *quote; /* " */
    uint64_t *first; /* the first digit of each run of letters and digits that has one */
    bool reserved;   /* some byte is one of those that templates use (cw_slot_reserved) */
    uint64_t *memory;
    size_t words; /* room of each bitmap */
};

void cw_byte_classes_init(struct cw_byte_classes *classes);
void cw_byte_classes_fini(struct cw_byte_classes *classes);
void cw_byte_classes_of(struct cw_byte_classes *classes, const char *text, size_t len);
size_t cw_byte_classes_memory(const struct cw_byte_classes *classes);

/* For tests: without what only some machines have. */
void cw_byte_classes_of_portable(struct cw_byte_classes *classes, const char *text, size_t len);

#endif
