/* fuzz_kubernetes_api.c - any bytes as an API server's list, event and status. */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "shipper/kubernetes_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any object of the list stands for the one that is looked for. */
static struct cw_str find(void *arg, int kind, struct cw_str key)
{
    const struct cw_kubernetes_list *list = arg;
    return list->n > 0 ? list->objects[((size_t)kind + key.len) % list->n].text : CW_STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str bytes = cw_str_make(data, size), version;
    struct cw_kubernetes_list list;
    struct cw_kubernetes_object object;
    struct cw_err err;
    for (int role = CW_KUBERNETES_POD; role <= CW_KUBERNETES_INGRESS; role++) {
        struct cw_kubernetes_view view = {.role = role,
                                          .plain = size % 2 == 0,
                                          .nodes = size % 3 == 0,
                                          .joins = size % 4 == 0,
                                          .find = size % 4 == 0 ? find : NULL,
                                          .arg = &list};
        list.n = 0;
        if (cw_kubernetes_list_decode(bytes, role, &view, arena, &list, &err) == 0)
            for (size_t i = 0; i < list.n; i++) {
                CW_ASSERT(list.objects[i].key.len > 0);
                if (view.joins)
                    cw_kubernetes_text_decode(list.objects[i].key, list.objects[i].text, &view,
                                              arena, &object);
            }
        if (cw_kubernetes_event_decode(bytes, role, &view, arena, &object, &version, &err) == 1)
            CW_ASSERT(object.key.len > 0 && version.len > 0);
    }
    CW_ASSERT(cw_kubernetes_status(500, bytes, &err) < 0);
    cw_arena_free(&arena);
    return 0;
}
