#include <criterion/criterion.h>
#include "shipper/kubernetes_store.h"

static void on_gone(void *arg, struct cw_str key)
{
    char *text = arg;
    strncat(text, key.ptr, key.len);
}

Test(kubernetes_store, objects_are_put_changed_and_swept)
{
    struct cw_kubernetes_store *store = cw_kubernetes_store_new();
    char gone[64] = "";
    struct cw_str key;
    for (const char *p = "mcxae"; *p; p++)
        cr_expect(cw_kubernetes_store_put(store, cw_str_make(p, 1), CW_STR("old")));
    cr_expect(!cw_kubernetes_store_put(store, CW_STR("c"), CW_STR("old")));
    cr_expect(cw_kubernetes_store_put(store, CW_STR("c"), CW_STR("new")));
    cr_expect(cw_str_eqz(cw_kubernetes_store_get(store, CW_STR("c")), "new"));
    cr_expect(cw_kubernetes_store_get(store, CW_STR("b")).ptr == NULL);
    cr_expect(cw_kubernetes_store_remove(store, CW_STR("x")) &&
              !cw_kubernetes_store_remove(store, CW_STR("x")));
    cw_kubernetes_store_begin(store);
    cw_kubernetes_store_put(store, CW_STR("m"), CW_STR("old"));
    cw_kubernetes_store_put(store, CW_STR("z"), CW_STR("old"));
    cw_kubernetes_store_sweep(store, on_gone, gone);
    cr_expect_str_eq(gone, "ace");
    cr_assert_eq(cw_kubernetes_store_count(store), 2);
    cr_expect(cw_str_eqz(cw_kubernetes_store_at(store, 0, &key), "old") && cw_str_eqz(key, "m"));
    cw_kubernetes_store_free(&store);
    cw_kubernetes_store_free(&store);
}

Test(kubernetes_store, an_object_refers_to_what_it_was_made_of)
{
    struct cw_kubernetes_store *store = cw_kubernetes_store_new();
    cw_kubernetes_store_put(store, CW_STR("a"), CW_STR(""));
    cw_kubernetes_store_refer(store, CW_STR("a"), (const uint64_t[]){7, 9}, 2);
    cw_kubernetes_store_refer(store, CW_STR("none"), (const uint64_t[]){1}, 1);
    cr_expect(cw_kubernetes_store_refers(store, 0, 9) && !cw_kubernetes_store_refers(store, 0, 1));
    cw_kubernetes_store_put(store, CW_STR("a"), CW_STR("b"));
    cr_expect(cw_kubernetes_store_refers(store, 0, 7));
    cw_kubernetes_store_refer(store, CW_STR("a"), NULL, 0);
    cr_expect(!cw_kubernetes_store_refers(store, 0, 7));
    cw_kubernetes_store_free(&store);
}
