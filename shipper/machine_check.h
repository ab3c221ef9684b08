/*
 * machine_check.h - --check, of a configuration that was read: what a start on this machine would come upon.
 *
 * Errors     CW_E_INVALID: a start would fail. Of several the lines are printed, and their number is in *err.
 */
#ifndef CW_SHIPPER_MACHINE_CHECK_H
#define CW_SHIPPER_MACHINE_CHECK_H
#include "shipper/shipper_config.h"

/* Files of clients that are not there, and files that two jobs name, are printed to stderr alone. */
int cw_machine_check(const struct cw_shipper_args *args, const struct cw_shipper_config *config,
                     struct cw_err *err) CW_MUST_USE;

#endif
