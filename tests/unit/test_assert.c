#include <criterion/criterion.h>

#include <signal.h>

#include "common/base/assert.h"

Test(assert, a_false_expression_stops_the_program, .signal = SIGABRT)
{
    int one = 1;
    CW_ASSERT(one == 1);
    CW_ASSERT(one == 2);
}

struct checked {
    unsigned magic;
    int inner;
};

Test(assert, an_object_without_its_magic_stops_the_program, .signal = SIGABRT)
{
    struct checked object = {.magic = 0xC0FFEE};
    CW_CHECK(&object, 0xC0FFEE);
    object.magic = 0;
    CW_CHECK(&object, 0xC0FFEE);
}

Test(assert, the_outer_object_is_found_from_its_member)
{
    struct checked object = {0};
    cr_assert_eq(CW_CONTAINER_OF(&object.inner, struct checked, inner), &object);
    int five[5];
    cr_assert_eq(CW_COUNT(five), 5);
}
