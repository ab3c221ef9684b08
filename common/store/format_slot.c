/* format_slot.c - numbers to text, eight digits at a time in one word: its first byte is the first digit. */
#include "common/store/format_slot.h"

#include "common/base/assert.h"

enum {
    NUM_ROOM = 24,
    NUM_DIGITS_MAX = 20,
    SLOT_NUM_DIGITS_MAX = 19, /* of those that the tokenizer makes */
    DEC_ROOM = 32,
    DEC_DIGITS_MAX = 18,
    HEX_ROOM = 16,
    TIME_END_S = 360000, /* 100 h */
};
#define E8 UINT64_C(100000000)
#define DEC_END (E8 * E8 * 100)
#define ASCII_ZEROS UINT64_C(0x3030303030303030)

static const uint64_t powers[] = {1,          10,          100,          1000,
                                  10000,      100000,      1000000,      10000000,
                                  E8,         E8 * 10,     E8 * 100,     E8 * 1000,
                                  E8 * 10000, E8 * 100000, E8 * 1000000, E8 * 10000000,
                                  E8 *E8,     E8 *E8 * 10, E8 *E8 * 100, E8 *E8 * 1000};

size_t cw_slot_text_room(unsigned type)
{
    switch (type) {
    case CW_SLOT_TIME:
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS:
    case CW_SLOT_IP4:
    case CW_SLOT_HEX: return 16;
    case CW_SLOT_NUM: return NUM_ROOM;
    case CW_SLOT_DEC: return DEC_ROOM;
    case CW_SLOT_HEX32: return 32;
    case CW_SLOT_UUID: return CW_SLOT_TEXT_MAX;
    default: return 0;
    }
}

static void store(char *at, uint64_t v)
{
    memcpy(at, &v, sizeof(v));
}

/* How many decimal digits v has. */
static unsigned digits_of(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1), t = bits * 1233 >> 12;
    return t + (v >= powers[t]) + (v == 0);
}

/* The last eight digits of v < 10^8. First two halves of four digits, then four pairs, then eight: each division is a
 * multiplication that is exact for what a lane can hold. */
static uint64_t decimal8(uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t q = x * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    x = q | (x - q * 100) << 16;
    q = x * 103 >> 10 & UINT64_C(0x000f000f000f000f);
    return (q | (x - q * 10) << 8) + ASCII_ZEROS;
}

static uint64_t hex8(uint32_t v)
{
    uint64_t x = __builtin_bswap32(v);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x & UINT64_C(0x000f000f000f000f)) << 8;
    uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return x + ASCII_ZEROS + letters * ('a' - '0' - 10);
}

/* v as 24 digits, with zeros in front. */
static void decimal24(uint64_t v, char *at)
{
    store(at, decimal8((uint32_t)(v / E8 / E8)));
    store(at + 8, decimal8((uint32_t)(v / E8 % E8)));
    store(at + 16, decimal8((uint32_t)(v % E8)));
}

/* The first digit that is not 0, or the last one: how many stand before it. */
static unsigned zeros_before(uint64_t digits8)
{
    return (unsigned)__builtin_ctzll((digits8 - ASCII_ZEROS) | UINT64_C(1) << 56) / 8;
}

static bool format_nums(const int64_t *values, const int64_t *digits, uint32_t n, char *area,
                        struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += NUM_ROOM) {
        uint64_t v = (uint64_t)values[i], len;
        if (v < E8) {
            uint64_t text = decimal8((uint32_t)v);
            len = digits != NULL ? (uint64_t)digits[i] : 8 - zeros_before(text);
            if (len - 1 < 8) {
                store(area, text);
                texts[i] = (struct cw_str){area + 8 - len, len};
                continue;
            }
        } else {
            len = digits != NULL ? (uint64_t)digits[i] : digits_of(v);
        }
        if (len - 1 >= NUM_DIGITS_MAX) {
            good = false;
            len = NUM_DIGITS_MAX;
        }
        decimal24(v, area);
        texts[i] = (struct cw_str){area + 24 - len, len};
    }
    return good;
}

/* Digits of which the last `decimals` stand behind a point. */
static struct cw_str point_put(char *area, const char *all, unsigned nall, unsigned len,
                               unsigned decimals)
{
    unsigned whole = len - decimals;
    memcpy(area, all + nall - len, whole);
    area[whole] = '.';
    memcpy(area + whole + 1, all + nall - decimals, decimals);
    return (struct cw_str){area, len + 1};
}

static bool format_decs(const int64_t *values, const int64_t *decimals, uint32_t n, char *area,
                        struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += DEC_ROOM) {
        uint64_t v = (uint64_t)values[i], d = (uint64_t)decimals[i];
        if (v >= DEC_END || d - 1 >= DEC_DIGITS_MAX - 1) {
            good = false;
            v %= DEC_END;
            d = 1;
        }
        unsigned len = (unsigned)CW_MAX(digits_of(v), d + 1);
        if (len <= 8) {
            /* The digits, then those behind the point once more, one further. */
            uint64_t x = decimal8((uint32_t)v);
            store(area, x);
            area[8 - d] = '.';
            store(area + 9 - d, x >> 8 * (8 - d));
            texts[i] = (struct cw_str){area + 8 - len, len + 1};
        } else {
            char all[24];
            decimal24(v, all);
            texts[i] = point_put(area, all, sizeof(all), len, (unsigned)d);
        }
    }
    return good;
}

/* Hours, minutes and seconds lie at the bytes where their text begins. */
static uint64_t clock8(uint32_t s)
{
    uint64_t x = s / 3600 | (uint64_t)(s / 60 % 60) << 24 | (uint64_t)(s % 60) << 48;
    uint64_t q = x * 103 >> 10 & UINT64_C(0x000f00000f00000f);
    return (q | (x - q * 10) << 8) + UINT64_C(0x30303a30303a3030);
}

static bool format_times(const int64_t *values, uint32_t n, char *area, struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += 16) {
        uint64_t v = (uint64_t)values[i];
        good &= v < TIME_END_S;
        store(area, clock8((uint32_t)(v % TIME_END_S)));
        texts[i] = (struct cw_str){area, 8};
    }
    return good;
}

static bool format_times_ms(const int64_t *values, uint32_t n, char separator, char *area,
                            struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += 16) {
        uint64_t v = (uint64_t)values[i];
        good &= v < TIME_END_S * UINT64_C(1000);
        uint32_t ms = (uint32_t)(v % (TIME_END_S * UINT64_C(1000)));
        store(area, clock8(ms / 1000));
        store(area + 8, decimal8(ms % 1000) >> 32);
        area[8] = separator;
        texts[i] = (struct cw_str){area, 12};
    }
    return good;
}

/* An octet and a dot; returns their length. */
static unsigned octet_put(uint32_t o, char *at)
{
    uint32_t tens = o / 10, digits = o / 100 | tens % 10 << 8 | (o - tens * 10) << 16;
    unsigned len = 1 + (o >= 10) + (o >= 100);
    digits = (digits + 0x2e303030) >> 8 * (3 - len);
    memcpy(at, &digits, sizeof(digits));
    return len + 1;
}

static bool format_ip4s(const int64_t *values, uint32_t n, char *area, struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += 16) {
        good &= (uint64_t)values[i] <= UINT32_MAX;
        uint32_t v = (uint32_t)values[i];
        unsigned len = octet_put(v >> 24, area);
        len += octet_put(v >> 16 & 0xff, area + len);
        len += octet_put(v >> 8 & 0xff, area + len);
        len += octet_put(v & 0xff, area + len);
        texts[i] = (struct cw_str){area, len - 1};
    }
    return good;
}

static bool format_hexes(const int64_t *values, const int64_t *digits, uint32_t n, char *area,
                         struct cw_str *texts)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++, area += HEX_ROOM) {
        uint64_t v = (uint64_t)values[i], len = (uint64_t)digits[i];
        if (len - 1 >= HEX_ROOM) {
            good = false;
            len = HEX_ROOM;
        }
        store(area, hex8((uint32_t)(v >> 32)));
        store(area + 8, hex8((uint32_t)v));
        texts[i] = (struct cw_str){area + HEX_ROOM - len, len};
    }
    return good;
}

bool cw_format_slots(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                     char *area, struct cw_str *texts)
{
    switch (type) {
    case CW_SLOT_TIME: return format_times(values, n, area, texts);
    case CW_SLOT_TIME_DOT_MS: return format_times_ms(values, n, '.', area, texts);
    case CW_SLOT_TIME_COMMA_MS: return format_times_ms(values, n, ',', area, texts);
    case CW_SLOT_IP4: return format_ip4s(values, n, area, texts);
    case CW_SLOT_DEC: return format_decs(values, digits, n, area, texts);
    case CW_SLOT_HEX: return format_hexes(values, digits, n, area, texts);
    default: CW_ASSERT(type == CW_SLOT_NUM); return format_nums(values, digits, n, area, texts);
    }
}

static bool measure_fixed(const int64_t *values, uint64_t end, uint8_t size, uint32_t n,
                          uint8_t *sizes)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++)
        good &= (uint64_t)values[i] < end;
    memset(sizes, size, n);
    return good;
}

static bool measure_ip4s(const int64_t *values, uint32_t n, uint8_t *sizes)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t v = (uint64_t)values[i];
        good &= v <= UINT32_MAX;
        unsigned size = 7;
        for (unsigned shift = 0; shift < 32; shift += 8)
            size += ((v >> shift & 0xff) >= 10) + ((v >> shift & 0xff) >= 100);
        sizes[i] = (uint8_t)size;
    }
    return good;
}

static bool measure_decs(const int64_t *values, const int64_t *decimals, uint32_t n, uint8_t *sizes)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t v = (uint64_t)values[i], d = (uint64_t)decimals[i];
        good &= v < DEC_END && d - 1 < DEC_DIGITS_MAX - 1;
        sizes[i] = (uint8_t)(CW_MAX(digits_of(v), d + 1) + 1);
    }
    return good;
}

static bool measure_nums(const int64_t *values, const int64_t *digits, uint32_t n, uint8_t *sizes)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++) {
        unsigned least = digits_of((uint64_t)values[i]);
        uint64_t size = digits != NULL ? (uint64_t)digits[i] : least;
        good &= size >= least && size <= SLOT_NUM_DIGITS_MAX;
        sizes[i] = (uint8_t)size;
    }
    return good;
}

static bool measure_hexes(const int64_t *values, const int64_t *digits, uint32_t n, uint8_t *sizes)
{
    bool good = true;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size = (uint64_t)digits[i];
        good &= size - 1 < HEX_ROOM && (uint64_t)values[i] >> (size - 1) % HEX_ROOM * 4 < 16;
        sizes[i] = (uint8_t)size;
    }
    return good;
}

bool cw_measure_slots(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                      uint8_t *sizes)
{
    switch (type) {
    case CW_SLOT_TIME: return measure_fixed(values, TIME_END_S, 8, n, sizes);
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS:
        return measure_fixed(values, TIME_END_S * UINT64_C(1000), 12, n, sizes);
    case CW_SLOT_IP4: return measure_ip4s(values, n, sizes);
    case CW_SLOT_DEC: return measure_decs(values, digits, n, sizes);
    case CW_SLOT_HEX: return measure_hexes(values, digits, n, sizes);
    default: CW_ASSERT(type == CW_SLOT_NUM); return measure_nums(values, digits, n, sizes);
    }
}

static uint32_t word_of(const uint8_t *bytes)
{
    uint32_t v;
    memcpy(&v, bytes, sizeof(v));
    return __builtin_bswap32(v);
}

static void uuid_put(const uint8_t *bytes, char *at)
{
    store(at, hex8(word_of(bytes)));
    uint64_t second = hex8(word_of(bytes + 4)), third = hex8(word_of(bytes + 8));
    memcpy(at + 9, &second, 4);
    memcpy(at + 14, (const char *)&second + 4, 4);
    memcpy(at + 19, &third, 4);
    memcpy(at + 24, (const char *)&third + 4, 4);
    store(at + 28, hex8(word_of(bytes + 12)));
    at[8] = at[13] = at[18] = at[23] = '-';
}

void cw_format_wide_slots(unsigned type, const uint8_t (*wide)[16], const int64_t *numbers,
                          uint32_t n, char *area, struct cw_str *texts)
{
    size_t room = cw_slot_text_room(type);
    for (uint32_t i = 0; i < n; i++, area += room) {
        const uint8_t *bytes = wide[numbers[i]];
        if (type == CW_SLOT_UUID) {
            uuid_put(bytes, area);
            texts[i] = (struct cw_str){area, 36};
            continue;
        }
        for (unsigned w = 0; w < 4; w++)
            store(area + 8 * w, hex8(word_of(bytes + 4 * w)));
        texts[i] = (struct cw_str){area, 32};
    }
}
