#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "querier/engine/field_type.h"

Test(field_type, values_are_told_apart)
{
    static const struct {
        const char *value, *type;
    } cases[] = {
        {"0", "int"},
        {"-17", "int"},
        {"+5", "int"},
        {"9223372036854775807", "int"},
        {"9223372036854775808", "float"},
        {"1.50", "float"},
        {"-2e3", "float"},
        {"true", "boolean"},
        {"F", "boolean"},
        {"TRUE", "boolean"},
        {"tRue", "string"},
        {"1h30m", "duration"},
        {"250ms", "duration"},
        {"5MB", "bytes"},
        {"1.5 KiB", "bytes"},
        {"", "string"},
        {"GET", "string"},
        {"10.0.0.1", "string"},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        cr_expect_str_eq(cw_field_type_name(cw_field_type_of(cw_str_of(cases[i].value), arena)),
                         cases[i].type, "%s", cases[i].value);
    cw_arena_free(&arena);
}

Test(field_type, ids_are_numbers_and_uuids)
{
    static const struct {
        const char *value;
        bool id;
    } cases[] = {
        {"12", true},
        {"1.5", true},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", true},
        {"6BA7B8109DAD11D180B400C04FD430C8", true},
        {"{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", true},
        {"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", true},
        {"6ba7b810-9dad-11d1-80b4-00c04fd430cg", false},
        {"6ba7b810-9dad-11d1-80b4x00c04fd430c8", false},
        {"(6ba7b810-9dad-11d1-80b4-00c04fd430c8)", false},
        {"host-1", false},
        {"", false},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        cr_expect_eq(cw_field_is_id(cw_str_of(cases[i].value)), cases[i].id, "%s", cases[i].value);
}
