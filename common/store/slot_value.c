#include "common/store/slot_value.h"

#include "common/base/assert.h"

#define BIT(type) (1u << (type))

enum { NUM_DIGITS_MAX = 19, HEX_DIGITS_MAX = 16, DEC_DIGITS_MAX = 18, OCTETS = 4 };

/* Types of one length, as a text: 0 is a digit, x a small hex digit. */
static const char *const shapes[] = {
    [CW_SLOT_TIME] = "00:00:00",
    [CW_SLOT_TIME_DOT_MS] = "00:00:00.000",
    [CW_SLOT_TIME_COMMA_MS] = "00:00:00,000",
    [CW_SLOT_HEX32] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    [CW_SLOT_UUID] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
};

static const char *shape_of(enum cw_slot_type type)
{
    return type < CW_COUNT(shapes) ? shapes[type] : NULL;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_small_hex(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

uint32_t cw_slot_types_of(unsigned char c)
{
    const uint32_t times =
        BIT(CW_SLOT_TIME) | BIT(CW_SLOT_TIME_DOT_MS) | BIT(CW_SLOT_TIME_COMMA_MS);
    const uint32_t hex = BIT(CW_SLOT_HEX) | BIT(CW_SLOT_HEX32) | BIT(CW_SLOT_UUID);
    uint32_t types = BIT(CW_SLOT_RAW);
    if (!cw_slot_reserved(c))
        types |= BIT(CW_SLOT_QUOTED);
    if (is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        types |= BIT(CW_SLOT_STR);
    if (is_digit(c))
        types |= times | BIT(CW_SLOT_IP4) | BIT(CW_SLOT_DEC) | BIT(CW_SLOT_NUM);
    if (is_small_hex(c))
        types |= hex;
    if (c == ':')
        types |= times;
    if (c == '.')
        types |= BIT(CW_SLOT_TIME_DOT_MS) | BIT(CW_SLOT_IP4) | BIT(CW_SLOT_DEC);
    if (c == ',')
        types |= BIT(CW_SLOT_TIME_COMMA_MS);
    if (c == '-')
        types |= BIT(CW_SLOT_UUID);
    return types;
}

size_t cw_slot_text_max(enum cw_slot_type type)
{
    switch (type) {
    case CW_SLOT_IP4: return sizeof("255.255.255.255") - 1;
    case CW_SLOT_DEC: return DEC_DIGITS_MAX + 1;
    case CW_SLOT_NUM: return NUM_DIGITS_MAX;
    case CW_SLOT_HEX: return HEX_DIGITS_MAX;
    default: return shape_of(type) != NULL ? strlen(shape_of(type)) : SIZE_MAX;
    }
}

/* ---- read ---- */

static bool fits_shape(const char *shape, struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool fits = shape[i] == '0'   ? is_digit(c)
                    : shape[i] == 'x' ? is_small_hex(c)
                                      : c == (unsigned char)shape[i];
        if (!fits)
            return false;
    }
    return true;
}

/* All of the text's digits as one number, what stands between them left out. */
static uint64_t digits_of(struct cw_str text, unsigned base)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (is_small_hex((unsigned char)text.ptr[i]))
            n = n * base + (uint64_t)cw_str_hex_digit(text.ptr[i]);
    return n;
}

static bool all_of(struct cw_str text, bool (*is)(unsigned char))
{
    for (size_t i = 0; i < text.len; i++)
        if (!is((unsigned char)text.ptr[i]))
            return false;
    return true;
}

static bool parse_time(struct cw_str text, struct cw_slot_value *out)
{
    uint64_t h = digits_of(cw_str_sub(text, 0, 2), 10), m = digits_of(cw_str_sub(text, 3, 5), 10);
    uint64_t s = digits_of(cw_str_sub(text, 6, 8), 10);
    out->number = h * 3600 + m * 60 + s;
    if (text.len > 8)
        out->number = out->number * 1000 + digits_of(cw_str_sub(text, 9, 12), 10);
    return m < 60 && s < 60;
}

static bool parse_ip4(struct cw_str text, struct cw_slot_value *out)
{
    for (int i = 0; i < OCTETS; i++) {
        struct cw_str octet;
        if (!cw_str_split(&text, '.', &octet) || octet.len == 0 || octet.len > 3 ||
            !all_of(octet, is_digit) || (octet.len > 1 && octet.ptr[0] == '0'))
            return false;
        uint64_t n = digits_of(octet, 10);
        if (n > 255)
            return false;
        out->number = out->number << 8 | n;
    }
    return text.ptr == NULL; /* nothing behind a fourth dot, which would leave an empty text */
}

static bool parse_dec(struct cw_str text, struct cw_slot_value *out)
{
    ptrdiff_t point = cw_str_find_byte(text, '.');
    struct cw_str whole = cw_str_sub(text, 0, (size_t)point);
    struct cw_str fraction = cw_str_sub(text, (size_t)point + 1, text.len);
    if (point <= 0 || fraction.len == 0 || text.len > DEC_DIGITS_MAX + 1 ||
        !all_of(whole, is_digit) || !all_of(fraction, is_digit) ||
        (whole.len > 1 && whole.ptr[0] == '0'))
        return false;
    out->number = digits_of(text, 10);
    out->digits = (uint32_t)fraction.len;
    return true;
}

bool cw_slot_parse(enum cw_slot_type type, struct cw_str text, struct cw_slot_value *out)
{
    *out = (struct cw_slot_value){0};
    const char *shape = shape_of(type);
    if (text.len == 0 || text.len > cw_slot_text_max(type) ||
        (shape != NULL && (text.len != strlen(shape) || !fits_shape(shape, text))))
        return false;
    switch (type) {
    case CW_SLOT_TIME:
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS: return parse_time(text, out);
    case CW_SLOT_IP4: return parse_ip4(text, out);
    case CW_SLOT_DEC: return parse_dec(text, out);
    case CW_SLOT_NUM:
        out->number = digits_of(text, 10);
        out->digits = (uint32_t)text.len;
        return all_of(text, is_digit);
    case CW_SLOT_HEX:
        out->number = digits_of(text, 16);
        out->digits = (uint32_t)text.len;
        return all_of(text, is_small_hex);
    case CW_SLOT_HEX32:
        out->high = digits_of(cw_str_sub(text, 0, 16), 16);
        out->number = digits_of(cw_str_sub(text, 16, 32), 16);
        return true;
    case CW_SLOT_UUID:
        out->high = digits_of(cw_str_sub(text, 0, 18), 16);
        out->number = digits_of(cw_str_sub(text, 19, 36), 16);
        return true;
    default: return false;
    }
}

/* ---- parts ---- */

/* Dots, and digits on end, as a dotted chain has them. */
static bool fits_dotted(struct cw_str text, size_t dots_max, size_t digits_max)
{
    size_t dots = 0, digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool dot = text.ptr[i] == '.';
        dots += dot;
        digits = dot ? 0 : digits + 1;
        if (dots > dots_max || digits > digits_max || (dot && i > 0 && text.ptr[i - 1] == '.'))
            return false;
    }
    return true;
}

bool cw_slot_may_hold(enum cw_slot_type type, struct cw_str text, bool first, bool last)
{
    struct cw_slot_value value;
    if (text.len > cw_slot_text_max(type))
        return false;
    if (cw_slot_is_string(type) || type == CW_SLOT_RAW)
        return true;
    if (first && last)
        return cw_slot_parse(type, text, &value);
    const char *shape = shape_of(type);
    if (shape != NULL) {
        size_t spare = strlen(shape) - text.len;
        for (size_t at = last ? spare : 0; at <= (first ? 0 : spare); at++)
            if (fits_shape(shape + at, text))
                return true;
        return false;
    }
    bool dot_first = text.len > 0 && text.ptr[0] == '.';
    bool dot_last = text.len > 0 && text.ptr[text.len - 1] == '.';
    if ((first && dot_first) || (last && dot_last))
        return false;
    if (type == CW_SLOT_IP4)
        return fits_dotted(text, OCTETS - 1, 3);
    return type != CW_SLOT_DEC || fits_dotted(text, 1, DEC_DIGITS_MAX);
}
