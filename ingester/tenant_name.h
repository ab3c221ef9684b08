/*
 * tenant_name.h - what a tenant may be called. Loki's rules: letters, digits, !-_.*'(), at most 150 bytes, neither "." nor "..".
 *
 * Errors     CW_E_INVALID, in Loki's words.
 */
#ifndef CW_INGESTER_TENANT_NAME_H
#define CW_INGESTER_TENANT_NAME_H
#include "common/base/err.h"
#include "common/base/str.h"

int cw_tenant_name_check(struct cw_str name, struct cw_err *err) CW_MUST_USE;

#endif
