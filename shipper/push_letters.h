/*
 * push_letters.h - write down a batch that its server refuses for good.
 *
 * Errors     Those of dead_letters.h. The batch is kept then, and refused again: so no letter of it is left behind.
 */
#ifndef CW_SHIPPER_PUSH_LETTERS_H
#define CW_SHIPPER_PUSH_LETTERS_H
#include "shipper/batch.h"
#include "shipper/dead_letters.h"

/* Each entry in a letter with the client, tenant, status and error of `like`. All are on disk with one sync, or none is there. */
int cw_push_letters_write(struct cw_dead_letters *letters, const struct cw_batch *batch,
                          const struct cw_dead_letter *like, struct cw_err *err) CW_MUST_USE;

#endif
