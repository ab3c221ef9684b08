#include "common/base/digest.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include "common/base/assert.h"

/* The library has all of them built in. */
static void digest(gnutls_digest_algorithm_t algorithm, struct cw_str text, uint8_t *out)
{
    int rc = gnutls_hash_fast(algorithm, text.len > 0 ? text.ptr : "", text.len, out);
    CW_ASSERT(rc == 0);
}

void cw_md5(struct cw_str text, uint8_t out[CW_MD5_BYTES])
{
    digest(GNUTLS_DIG_MD5, text, out);
}

void cw_sha1(struct cw_str text, uint8_t out[CW_SHA1_BYTES])
{
    digest(GNUTLS_DIG_SHA1, text, out);
}

void cw_sha256(struct cw_str text, uint8_t out[CW_SHA256_BYTES])
{
    digest(GNUTLS_DIG_SHA256, text, out);
}

void cw_sha3_256(struct cw_str text, uint8_t out[CW_SHA3_256_BYTES])
{
    digest(GNUTLS_DIG_SHA3_256, text, out);
}

void cw_sha512(struct cw_str text, uint8_t out[CW_SHA512_BYTES])
{
    digest(GNUTLS_DIG_SHA512, text, out);
}

bool cw_digest_equal(const void *a, const void *b, size_t n)
{
    return gnutls_memcmp(a, b, n) == 0;
}

void cw_hmac_sha256(struct cw_str key, struct cw_str text, uint8_t out[CW_SHA256_BYTES])
{
    int rc = gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.len > 0 ? key.ptr : "", key.len,
                              text.len > 0 ? text.ptr : "", text.len, out);
    CW_ASSERT(rc == 0);
}
