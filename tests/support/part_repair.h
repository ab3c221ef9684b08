/*
 * part_repair.h - mend any bytes as `fsck --repair` mends a part, and copy their blocks as merges and deletes do: what comes out must be
 * whole, and hold what could be read of them, no more and no less. Aborts where it is not so.
 */
#ifndef CW_TESTS_PART_REPAIR_H
#define CW_TESTS_PART_REPAIR_H
#include "tests/support/part_model.h"

/* A folder that is removed when the program ends, in memory where that is possible: parts are written once an input. */
const char *part_repair_folder(void);

/* What can be read of the part, sorted; `reader` becomes the function's. */
void part_repair_rows(struct cw_part_reader *reader, struct model_rows *rows);

/*
 * The part is written anew with all that can be read of it, mended first where it does not open. `known`: what the catalog says of it.
 * `all`, sorted (NULL: not known): what was written; nothing else may be read of the bytes, and nothing that can be read may be lost.
 */
void part_repair_check(struct cw_str bytes, const struct cw_part_info *known,
                       const struct model_rows *all);

/* Its blocks are copied into a part that has a stream more, damaged ones as they are: the same can be read of it. */
void part_copy_check(struct cw_str bytes, enum cw_codec codec);

#endif
