#include <criterion/criterion.h>

#include "common/base/id_map.h"

static struct cw_hash128 id_of(size_t i)
{
    return cw_hash128(&i, sizeof(i));
}

Test(id_map, ids_are_numbered_in_order_of_their_first_appearance)
{
    struct cw_id_map map;
    size_t number = 7;
    bool added;
    cw_id_map_init(&map);
    cr_assert_not(cw_id_map_find(&map, id_of(0), &number));
    cr_assert_eq(number, 7);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(cw_id_map_put(&map, id_of(i), &added), i);
        cr_assert(added);
        cr_assert_eq(cw_id_map_put(&map, id_of(i / 2), &added), i / 2);
        cr_assert_not(added);
    }
    for (size_t i = 0; i < 1000; i++) {
        cr_assert(cw_id_map_find(&map, id_of(i), &number));
        cr_assert_eq(number, i);
    }
    cr_assert_not(cw_id_map_find(&map, id_of(1000), &number));
    cr_assert_eq(map.n, 1000);
    cw_id_map_fini(&map);
}
