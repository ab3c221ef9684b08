#include "shipper/pipelines.h"
#include <stdlib.h>

int cw_pipelines_init(struct cw_pipelines *pipelines, const struct cw_config_table_map *configs,
                      struct cw_stages_host *host, struct cw_err *err)
{
    const struct cw_pipeline_config *items = configs->items;
    pipelines->configs = configs;
    pipelines->stages = cw_mem_array(configs->n + 1, sizeof *pipelines->stages);
    for (size_t i = 0; i < configs->n; i++)
        if (cw_stages_new(&items[i].stages, host, &pipelines->stages[i], err) < 0)
            return cw_err_wrap(err, "pipelines.%.*s", CW_STR_ARG(configs->names[i]));
    return 0;
}

void cw_pipelines_fini(struct cw_pipelines *pipelines)
{
    for (size_t i = 0; pipelines->stages != NULL && i < pipelines->configs->n; i++)
        cw_stages_free(&pipelines->stages[i]);
    free(pipelines->stages);
    *pipelines = (struct cw_pipelines){0};
}

bool cw_pipelines_find(const struct cw_pipelines *pipelines, struct cw_str name,
                       struct cw_stages **out)
{
    for (size_t i = 0; i < pipelines->configs->n; i++) {
        if (!cw_str_eq(pipelines->configs->names[i], name))
            continue;
        *out = pipelines->stages[i];
        return true;
    }
    return false;
}
