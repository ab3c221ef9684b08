/*
 * listen_clash.h - receivers that would listen at one address: found when the configuration is read, not by the second bind.
 *
 * Errors     CW_E_INVALID names both.
 */
#ifndef CW_SHIPPER_LISTEN_CLASH_H
#define CW_SHIPPER_LISTEN_CLASH_H
#include "common/base/err.h"

struct cw_shipper_config;

/* Addresses are compared as they are written: a name and what it resolves to are two. */
int cw_listen_clash_check(const struct cw_shipper_config *config, struct cw_err *err) CW_MUST_USE;

#endif
