/*
 * postings_write.h - write a POSTINGS region from sorted pairs.
 *
 * Threads    One.
 * Errors     CW_E_LIMIT: more than a region can hold.
 */
#ifndef CW_STORE_POSTINGS_WRITE_H
#define CW_STORE_POSTINGS_WRITE_H
#include "common/store/postings_spill.h"

/* Merge the spills, whose streams rise from one to the next, and append the region to *out. */
int postings_write(const struct postings_spill *spills, size_t n, struct cw_buf *out,
                   struct cw_err *err) CW_MUST_USE;

#endif
