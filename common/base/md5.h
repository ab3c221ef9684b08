/*
 * md5.h - MD5 (RFC 1321): only where somebody else's numbers depend on it (hashmod of relabel_configs). It protects nothing.
 */
#ifndef CW_BASE_MD5_H
#define CW_BASE_MD5_H
#include "common/base/str.h"

void cw_md5(struct cw_str text, unsigned char digest[16]);

#endif
