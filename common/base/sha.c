#include "common/base/sha.h"

#include <string.h>

/* ---- SHA-1 and SHA-256: blocks of 64 bytes, the last of them filled up with a 1 bit, zeros and the length in bits ---- */

enum { SHA2_BLOCK_BYTES = 64, SHA2_LENGTH_BYTES = 8 };

typedef void (*block_fn)(uint32_t *state, const uint8_t *block);

static uint32_t rotate_left32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint32_t rotate_right32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t big_endian32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void digest(struct cw_str text, uint32_t *state, size_t nwords, block_fn block, uint8_t *out)
{
    uint8_t last[2 * SHA2_BLOCK_BYTES] = {0};
    size_t whole = text.len - text.len % SHA2_BLOCK_BYTES, rest = text.len - whole;
    for (size_t at = 0; at < whole; at += SHA2_BLOCK_BYTES)
        block(state, (const uint8_t *)text.ptr + at);
    if (rest > 0)
        memcpy(last, text.ptr + whole, rest);
    last[rest] = 0x80;
    size_t len =
        rest + 1 + SHA2_LENGTH_BYTES <= SHA2_BLOCK_BYTES ? SHA2_BLOCK_BYTES : 2 * SHA2_BLOCK_BYTES;
    for (size_t i = 0; i < SHA2_LENGTH_BYTES; i++)
        last[len - 1 - i] = (uint8_t)((uint64_t)text.len * 8 >> 8 * i);
    for (size_t at = 0; at < len; at += SHA2_BLOCK_BYTES)
        block(state, last + at);
    for (size_t i = 0; i < nwords * 4; i++)
        out[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
}

static void sha1_block(uint32_t *state, const uint8_t *block)
{
    static const uint32_t constants[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (size_t i = 0; i < 80; i++)
        w[i] = i < 16 ? big_endian32(block + 4 * i)
                      : rotate_left32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (size_t i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        uint32_t next = rotate_left32(a, 5) + f + e + constants[i / 20] + w[i];
        e = d;
        d = c;
        c = rotate_left32(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_block(uint32_t *state, const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = big_endian32(block + 4 * i);
    for (size_t i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate_right32(x, 7) ^ rotate_right32(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate_right32(y, 17) ^ rotate_right32(y, 19) ^ y >> 10);
    }
    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < 64; i++) {
        uint32_t a = s[0], e = s[4];
        uint32_t t1 = s[7] +
                      (rotate_right32(e, 6) ^ rotate_right32(e, 11) ^ rotate_right32(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + sha256_constants[i] + w[i];
        uint32_t t2 = (rotate_right32(a, 2) ^ rotate_right32(a, 13) ^ rotate_right32(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        state[i] += s[i];
}

void cw_sha1(struct cw_str text, uint8_t out[CW_SHA1_BYTES])
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    digest(text, state, 5, sha1_block, out);
}

void cw_sha256(struct cw_str text, uint8_t out[CW_SHA256_BYTES])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    digest(text, state, 8, sha256_block, out);
}

/* ---- SHA3-256: a sponge over 25 words; 136 bytes are taken in at a time ---- */

enum { KECCAK_WORDS = 25, KECCAK_ROUNDS = 24, SHA3_RATE_BYTES = 136 };

static uint64_t rotate_left64(uint64_t x, unsigned n)
{
    return n == 0 ? x : x << n | x >> (64 - n);
}

/* The round constants, from the shift register that defines them. */
static uint64_t keccak_constant(uint8_t *lfsr)
{
    uint64_t constant = 0;
    for (unsigned j = 0; j < 7; j++) {
        if (*lfsr & 1)
            constant |= UINT64_C(1) << ((1u << j) - 1);
        *lfsr = (uint8_t)(*lfsr << 1 ^ (*lfsr & 0x80 ? 0x71 : 0));
    }
    return constant;
}

static void keccak(uint64_t a[KECCAK_WORDS])
{
    uint8_t lfsr = 1;
    for (unsigned round = 0; round < KECCAK_ROUNDS; round++) {
        uint64_t c[5], d;
        for (size_t x = 0; x < 5; x++)
            c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        for (size_t x = 0; x < 5; x++) {
            d = c[(x + 4) % 5] ^ rotate_left64(c[(x + 1) % 5], 1);
            for (size_t y = 0; y < KECCAK_WORDS; y += 5)
                a[y + x] ^= d;
        }
        /* rho and pi: each word turned and moved on, along one cycle */
        uint64_t word = a[1];
        size_t x = 1, y = 0;
        for (unsigned t = 0; t < 24; t++) {
            size_t next = (2 * x + 3 * y) % 5;
            x = y;
            y = next;
            uint64_t old = a[5 * y + x];
            a[5 * y + x] = rotate_left64(word, (t + 1) * (t + 2) / 2 % 64);
            word = old;
        }
        for (size_t row = 0; row < KECCAK_WORDS; row += 5) {
            memcpy(c, a + row, sizeof c);
            for (size_t i = 0; i < 5; i++)
                a[row + i] = c[i] ^ (~c[(i + 1) % 5] & c[(i + 2) % 5]);
        }
        a[0] ^= keccak_constant(&lfsr);
    }
}

void cw_sha3_256(struct cw_str text, uint8_t out[CW_SHA3_256_BYTES])
{
    uint64_t a[KECCAK_WORDS] = {0};
    size_t filled = 0;
    for (size_t i = 0; i < text.len; i++) {
        a[filled / 8] ^= (uint64_t)(uint8_t)text.ptr[i] << filled % 8 * 8;
        if (++filled == SHA3_RATE_BYTES) {
            keccak(a);
            filled = 0;
        }
    }
    a[filled / 8] ^= (uint64_t)0x06 << filled % 8 * 8;
    a[(SHA3_RATE_BYTES - 1) / 8] ^= (uint64_t)0x80 << 56;
    keccak(a);
    for (size_t i = 0; i < CW_SHA3_256_BYTES; i++)
        out[i] = (uint8_t)(a[i / 8] >> i % 8 * 8);
}
