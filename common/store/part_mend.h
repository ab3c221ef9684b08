/*
 * part_mend.h - read a part that does not open: its blocks are whole, and what is damaged is the header, the footer, the block table, the
 * origin, or the file's end.
 *
 * The header and the postings are not needed. The footer may stand before bytes that were appended. Without one the blocks are found
 * by their headers, the block table by what it says of them, the streams behind it; where the part comes from, its caller knows. A
 * block table whose checksum is wrong is made again from the blocks; only of blocks of one stream it must say, or the streams' totals
 * must tell, which one. Labels stand nowhere else: what is damaged of the streams is lost.
 *
 * Ownership  What is made owns the reader's memory and outlives the reader.
 * Errors     CW_E_NOT_FOUND, CW_E_IO; CW_E_CORRUPT: nothing tells whose its entries are, or it is of a newer version. Bad bytes never
 *            abort.
 */
#ifndef CW_STORE_PART_MEND_H
#define CW_STORE_PART_MEND_H
#include "common/base/err.h"
#include "common/store/part_reader.h"

struct cw_part_mended;
/* `known`: id, tenant, day, level and frames, as the catalog has them; borrowed as long as the reader lives. *reader_out is the caller's,
 * *expected_out what the part held in all. */
int cw_part_mend(const char *path, const struct cw_part_info *known, struct cw_part_mended **out,
                 struct cw_part_reader **reader_out, uint64_t *expected_out,
                 struct cw_err *err) CW_MUST_USE;
/* The same over bytes that the caller keeps. `name`: for error texts. */
int cw_part_mend_bytes(const char *name, struct cw_str bytes, const struct cw_part_info *known,
                       struct cw_part_mended **out, struct cw_part_reader **reader_out,
                       uint64_t *expected_out, struct cw_err *err) CW_MUST_USE;
/* NULL is fine. The reader is closed. */
void cw_part_mended_free(struct cw_part_mended **mended);

#endif
