/*
 * sha.h - SHA-1, SHA-256 and SHA3-256: what templates show of secrets. Nothing else of the project rests on them (its own hash is
 * hash.h).
 *
 * Source     FIPS 180-4, FIPS 202.
 */
#ifndef CW_BASE_SHA_H
#define CW_BASE_SHA_H
#include <stdint.h>
#include "common/base/str.h"

enum { CW_SHA1_BYTES = 20, CW_SHA256_BYTES = 32, CW_SHA3_256_BYTES = 32 };

void cw_sha1(struct cw_str text, uint8_t out[CW_SHA1_BYTES]);
void cw_sha256(struct cw_str text, uint8_t out[CW_SHA256_BYTES]);
void cw_sha3_256(struct cw_str text, uint8_t out[CW_SHA3_256_BYTES]);

#endif
