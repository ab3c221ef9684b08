/*
 * digest.h - digests that somebody else's numbers or readers depend on: MD5 (hashmod of relabel_configs), SHA-1, SHA-256 and
 * SHA3-256 (functions of templates), SHA-512 (Fluentd's handshake), HMAC-SHA-256 (redaction). Our own hash is hash.h.
 *
 * Source     GnuTLS.
 */
#ifndef CW_BASE_DIGEST_H
#define CW_BASE_DIGEST_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/str.h"

enum {
    CW_MD5_BYTES = 16,
    CW_SHA1_BYTES = 20,
    CW_SHA256_BYTES = 32,
    CW_SHA3_256_BYTES = 32,
    CW_SHA512_BYTES = 64
};

/* Whether n bytes are the same, in a time that does not tell where they differ. */
bool cw_digest_equal(const void *a, const void *b, size_t n);

void cw_md5(struct cw_str text, uint8_t out[CW_MD5_BYTES]);
void cw_sha1(struct cw_str text, uint8_t out[CW_SHA1_BYTES]);
void cw_sha256(struct cw_str text, uint8_t out[CW_SHA256_BYTES]);
void cw_sha3_256(struct cw_str text, uint8_t out[CW_SHA3_256_BYTES]);
void cw_sha512(struct cw_str text, uint8_t out[CW_SHA512_BYTES]);
void cw_hmac_sha256(struct cw_str key, struct cw_str text, uint8_t out[CW_SHA256_BYTES]);

#endif
