/*
 * block_copy.h - take a finished block into another part without encoding its rows again.
 *
 * Errors     CW_E_CORRUPT: a checksum is wrong, or it is not the block that the summary says.
 */
#ifndef CW_STORE_BLOCK_COPY_H
#define CW_STORE_BLOCK_COPY_H
#include "common/base/codec.h"
#include "common/store/block_writer.h"

/*
 * Append the block `bytes`, all of it checked, to *out. Its streams get the numbers numbers[old], which rise. `codec` ZSTD: sections
 * that are compressed with LZ4 are compressed anew, those of the blocks of values in META_VALUES too.
 */
int cw_block_copy(struct cw_str bytes, const struct cw_block_summary *summary,
                  const uint32_t *numbers, enum cw_codec codec, struct cw_buf *out,
                  struct cw_err *err) CW_MUST_USE;
/*
 * The same of a damaged block: what is bad stays bad, by its own checksum, and no codec changes. Where its streams cannot be told no
 * reader can tell them either, so that every byte stays as it is. CW_E_CORRUPT: it is of a newer version, which may be able to.
 */
int cw_block_copy_damaged(struct cw_str bytes, const struct cw_block_summary *summary,
                          const uint32_t *numbers, struct cw_buf *out,
                          struct cw_err *err) CW_MUST_USE;

#endif
