#include "shipper/targets.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_labels cw_labels_from_map(const struct cw_config_map *map)
{
    struct cw_label *pairs = cw_mem_array(map->n + 1, sizeof *pairs);
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++)
        if (!cw_str_starts(map->items[i].name, CW_STR("__")))
            pairs[n++] = (struct cw_label){map->items[i].name, map->items[i].value};
    struct cw_labels labels;
    int rc = cw_labels_from_pairs(pairs, n, &labels, NULL);
    CW_ASSERT(rc == 0); /* a map's names are unique */
    labels = cw_labels_dup_heap(labels);
    free(pairs);
    return labels;
}

static struct cw_str map_get(const struct cw_config_map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (cw_str_eqz(map->items[i].name, name))
            return map->items[i].value;
    return CW_STR_NONE;
}

int cw_target_from_static(const struct cw_static_config *config, struct cw_str job_name,
                          struct cw_target **out, struct cw_err *err)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_str exclude = map_get(&config->labels, "__path_exclude__");
    int rc = cw_glob_compile(map_get(&config->labels, "__path__"), &target->glob, err);
    if (rc == 0 && exclude.len > 0)
        rc = cw_glob_compile(exclude, &target->exclude, err);
    target->name = cw_str_dupz(job_name);
    target->pattern = cw_str_dupz(map_get(&config->labels, "__path__"));
    target->labels = cw_labels_from_map(&config->labels);
    target->add_filename = true;
    if (rc < 0)
        cw_target_free(&target);
    *out = target;
    return rc;
}

int cw_target_from_path(const char *path, const char *name, struct cw_labels labels,
                        enum cw_source_format format, struct cw_target **out, struct cw_err *err)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    int rc = cw_glob_literal(cw_str_of(path), &target->glob, err);
    target->name = cw_str_dupz(cw_str_of(name));
    target->labels = cw_labels_dup_heap(labels);
    target->format = format;
    if (rc < 0)
        cw_target_free(&target);
    *out = target;
    return rc;
}
