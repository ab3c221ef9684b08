#include "querier/engine/field_type.h"

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/engine/label_number.h"

const char *cw_field_type_name(enum cw_field_type type)
{
    static const char *const names[] = {
        [CW_FIELD_STRING] = "string",     [CW_FIELD_INT] = "int",
        [CW_FIELD_FLOAT] = "float",       [CW_FIELD_BOOLEAN] = "boolean",
        [CW_FIELD_DURATION] = "duration", [CW_FIELD_BYTES] = "bytes",
    };
    return names[type];
}

/* What Go's strconv reads as a boolean; "1" and "0" are numbers before. */
static bool is_bool(struct cw_str value)
{
    static const char *const texts[] = {"t", "T", "TRUE",  "true",  "True",
                                        "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < CW_COUNT(texts); i++)
        if (cw_str_eqz(value, texts[i]))
            return true;
    return false;
}

enum cw_field_type cw_field_type_of(struct cw_str value, struct cw_arena *scratch)
{
    int64_t integer;
    uint64_t bytes;
    double number;
    struct cw_str why;
    if (cw_str_to_i64(value, &integer))
        return CW_FIELD_INT;
    if (cw_str_to_f64(value, &number))
        return CW_FIELD_FLOAT;
    if (is_bool(value))
        return CW_FIELD_BOOLEAN;
    if (cw_duration_parse_go(value, &integer))
        return CW_FIELD_DURATION;
    if (cw_label_bytes(value, &bytes, scratch, &why))
        return CW_FIELD_BYTES;
    return CW_FIELD_STRING;
}

/* 8-4-4-4-12 digits of hexadecimal, with the dashes or without. */
static bool is_uuid(struct cw_str value)
{
    bool dashes = value.len == 36;
    if (!dashes && value.len != 32)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        bool dash = dashes && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash ? value.ptr[i] != '-' : cw_str_hex_digit(value.ptr[i]) < 0)
            return false;
    }
    return true;
}

bool cw_field_is_id(struct cw_str value)
{
    static const struct cw_str urn = {"urn:uuid:", 9};
    double number;
    if (cw_str_to_f64(value, &number))
        return true;
    if (value.len == 38)
        return value.ptr[0] == '{' && value.ptr[37] == '}' && is_uuid(cw_str_sub(value, 1, 37));
    if (value.len == 45 && cw_str_eq_nocase(cw_str_sub(value, 0, urn.len), urn))
        value = cw_str_sub(value, urn.len, value.len);
    return is_uuid(value);
}
