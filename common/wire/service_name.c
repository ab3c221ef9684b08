#include "common/wire/service_name.h"

struct cw_labels cw_service_name_add(struct cw_labels labels, const struct cw_service_names *names,
                                     struct cw_arena *arena)
{
    struct cw_str name = CW_STR_NONE;
    if (names == NULL || names->n == 0 || cw_labels_has(labels, CW_SERVICE_NAME_LABEL) ||
        cw_labels_has(labels, CW_STR("__aggregated_metric__")) ||
        cw_labels_has(labels, CW_STR("__pattern__")))
        return labels;
    for (size_t i = 0; i < names->n && name.len == 0; i++)
        name = cw_labels_get(labels, names->items[i]);
    return cw_labels_with(arena, labels, CW_SERVICE_NAME_LABEL,
                          name.len > 0 ? name : CW_SERVICE_NAME_UNKNOWN);
}
