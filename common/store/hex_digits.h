/* hex_digits.h - the value of a row of small hexadecimal digits, eight at a time. */
#ifndef CW_STORE_HEX_DIGITS_H
#define CW_STORE_HEX_DIGITS_H
#include <stddef.h>
#include "common/store/format.h"

/* Of eight digits, the first in the lowest byte; zero bytes before them count as zeros. */
static inline uint64_t cw_hex_digits8(uint64_t v)
{
    v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) + 9 * (v >> 6 & UINT64_C(0x0101010101010101));
    v = __builtin_bswap64(v);
    v = (v | v >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (v | v >> 16) & UINT64_C(0xffffffff);
}

/* Of 1 to 16 digits; 16 bytes can be read. */
static inline uint64_t cw_hex_digits(const char *at, size_t n)
{
    if (n <= 8)
        return cw_hex_digits8(cw_get64(at) << (64 - 8 * n));
    size_t rest = n - 8;
    return cw_hex_digits8(cw_get64(at)) << (4 * rest) |
           cw_hex_digits8(cw_get64(at + 8) << (64 - 8 * rest));
}

#endif
