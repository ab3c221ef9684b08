#include "shipper/discoveries.h"
#include <stdlib.h>
#include "shipper/file_sd.h"
#include "shipper/kubernetes_sd.h"
#include "shipper/pod_logs.h"
#include "shipper/source_docker.h"

/* The only list of discoveries: where a scrape config has their configurations. */
static const struct {
    const struct cw_discovery_def *def;
    size_t offset, size;
} kinds[] = {
    {&cw_file_sd, offsetof(struct cw_scrape_config, file_sd_configs),
     sizeof(struct cw_file_sd_config)},
    {&cw_source_docker, offsetof(struct cw_scrape_config, docker_sd_configs),
     sizeof(struct cw_docker_sd_config)},
    {&cw_kubernetes_sd, offsetof(struct cw_scrape_config, kubernetes_sd_configs),
     sizeof(struct cw_kubernetes_sd_config)},
    {&cw_pod_logs, offsetof(struct cw_scrape_config, pod_logs_configs),
     sizeof(struct cw_pod_logs_config)},
};

struct cw_discoveries {
    struct cw_arena *arena;
    struct cw_targets **statics; /* one a scrape config */
    size_t nstatics;
    struct discovery {
        const struct cw_discovery_def *def;
        void *self;
    } * items;
    size_t n;
};

struct cw_found *cw_found_static(const struct cw_static_config *config, struct cw_str path,
                                 struct cw_arena *arena, size_t *n_out)
{
    size_t n = config->targets.n > 0 ? config->targets.n : 1;
    struct cw_found *found = CW_ARENA_ARRAY(arena, struct cw_found, n);
    for (size_t i = 0; i < n; i++) {
        found[i].labels = cw_target_labels_make(arena);
        for (size_t k = 0; k < config->labels.n; k++)
            cw_target_labels_set(&found[i].labels, config->labels.items[k].name,
                                 config->labels.items[k].value);
        if (i < config->targets.n)
            cw_target_labels_set(&found[i].labels, CW_STR("__address__"), config->targets.items[i]);
        cw_target_labels_set(&found[i].labels, CW_STR("__meta_filepath"), path);
    }
    *n_out = n;
    return found;
}

static void statics_add(struct cw_discoveries *all, const struct cw_discovery_host *host,
                        const struct cw_scrape *scrape)
{
    const struct cw_static_config *configs = scrape->config->static_configs.items;
    struct cw_targets *targets = cw_targets_new(host->sources, scrape, CW_TARGETS_READ_OUT);
    for (size_t i = 0; i < scrape->config->static_configs.n; i++) {
        size_t n;
        struct cw_found *found = cw_found_static(&configs[i], CW_STR_NONE, all->arena, &n);
        cw_targets_put(targets, cw_arena_printf(all->arena, "static_configs[%zu]", i), found, n);
    }
    all->statics[all->nstatics++] = targets;
}

static void discoveries_add(struct cw_discoveries *all, const struct cw_discovery_host *host,
                            const struct cw_scrape *scrape)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const struct cw_config_tables *configs =
            (const void *)((const char *)scrape->config + kinds[k].offset);
        for (size_t i = 0; i < configs->n; i++) {
            const void *config = (const char *)configs->items + i * kinds[k].size;
            all->items = cw_mem_resize(all->items, (all->n + 1) * sizeof *all->items);
            all->items[all->n++] =
                (struct discovery){kinds[k].def, kinds[k].def->new (host, scrape, config)};
        }
    }
}

struct cw_discoveries *cw_discoveries_new(const struct cw_discovery_host *host,
                                          const struct cw_scrape *scrapes, size_t n)
{
    struct cw_discoveries *all = cw_mem_new(sizeof *all);
    all->arena = cw_arena_new();
    all->statics = cw_mem_array(n + 1, sizeof *all->statics);
    for (size_t i = 0; i < n; i++) {
        statics_add(all, host, &scrapes[i]);
        discoveries_add(all, host, &scrapes[i]);
    }
    return all;
}

void cw_discoveries_start(struct cw_discoveries *all)
{
    for (size_t i = 0; i < all->n; i++)
        all->items[i].def->start(all->items[i].self);
}

bool cw_discoveries_listed(const struct cw_discoveries *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (!all->items[i].def->listed(all->items[i].self))
            return false;
    return true;
}

void cw_discoveries_close(struct cw_discoveries **discoveries)
{
    struct cw_discoveries *all = *discoveries;
    if (all == NULL)
        return;
    for (size_t i = 0; i < all->n; i++)
        all->items[i].def->close(all->items[i].self);
    for (size_t i = 0; i < all->nstatics; i++)
        cw_targets_free(&all->statics[i]);
    free(all->statics);
    free(all->items);
    cw_arena_free(&all->arena);
    free(all);
    *discoveries = NULL;
}
