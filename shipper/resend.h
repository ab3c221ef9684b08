/*
 * resend.h - `cordwood-shipper resend`: push dead letters once more. What is refused again stays; everything may be interrupted
 * and run again: to cordwood each letter arrives once, as its file is a source with marks of its own (letter_box.h); to another
 * server at least once.
 */
#ifndef CW_SHIPPER_RESEND_H
#define CW_SHIPPER_RESEND_H
#include "shipper/shipper_config.h"

/* `files` empty: what the shipper of this configuration wrote. The exit status: 0 all arrived, 1 something is left. */
int cw_resend_run(const struct cw_shipper_config *config, const struct cw_str *files,
                  size_t nfiles);

#endif
