/*
 * section_kinds.h - what a part is made of, by name: the regions behind its blocks, and the kinds of sections in a block. The one
 * list of them for programs that tell people (inspect, fsck).
 */
#ifndef CW_STORE_SECTION_KINDS_H
#define CW_STORE_SECTION_KINDS_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/store/format.h"

struct cw_section_kind_def {
    enum cw_section_kind kind;
    const char *name, *doc;
};
/* Ended by name NULL. */
extern const struct cw_section_kind_def cw_section_kinds[];
/* NULL: it is not in the list. CW_SECTION_OPTIONAL is not looked at. */
const struct cw_section_kind_def *cw_section_kind_find(uint8_t kind);
/* "unknown" for a kind that is not in the list. */
const char *cw_section_kind_name(uint8_t kind);
const char *cw_part_region_name(enum cw_part_region region);

/* One entry of a block's directory. */
struct cw_section_entry {
    uint8_t kind, codec;
    uint16_t count;
    uint32_t raw_bytes, checksum;
    struct cw_str stored;
};
/* The i-th section of a block that cw_block_open() took; false past the last. *entry holds the one before, or zeros. */
bool cw_section_entry_next(struct cw_str block, uint32_t i, struct cw_section_entry *entry);

#endif
