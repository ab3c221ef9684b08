/*
 * block_sections.h - the sections of a block that is being written, and their directory. The bytes are drawn in format.h.
 *
 * Ownership  Owns its buffers, which are used again after _clear().
 */
#ifndef CW_STORE_BLOCK_SECTIONS_H
#define CW_STORE_BLOCK_SECTIONS_H
#include "common/base/buf.h"
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/store/format.h"

struct cw_block_sections {
    struct cw_buf bytes;   /* one section behind the other */
    struct cw_buf entries; /* of the directory */
};

void cw_block_sections_init(struct cw_block_sections *sections);
void cw_block_sections_fini(struct cw_block_sections *sections);
void cw_block_sections_clear(struct cw_block_sections *sections);
/* Append a section, compressed if that makes it smaller. */
int cw_block_sections_add(struct cw_block_sections *sections, enum cw_section_kind kind,
                          enum cw_codec codec, uint16_t count, struct cw_str raw,
                          struct cw_err *err) CW_MUST_USE;
/* Append a section as it stands in another block; `entry`: its CW_BLOCK_SECTION_BYTES of the directory. */
void cw_block_sections_put(struct cw_block_sections *sections, const uint8_t *entry,
                           struct cw_str stored);
/* Append those of `more`. */
void cw_block_sections_append(struct cw_block_sections *sections,
                              const struct cw_block_sections *more);
/* CW_E_LIMIT when something did not fit. */
int cw_block_sections_check(const struct cw_block_sections *sections,
                            struct cw_err *err) CW_MUST_USE;

#endif
